package resolvers

import (
	"stepwise/engine"
	"stepwise/graph"
)

func ways(prospects []engine.Prospect) []graph.SignUpWay {
	list := make([]graph.SignUpWay, 0, len(prospects))
	for _, p := range prospects {
		way := graph.SignUpWay{
			Path: graph.SignUpPath(p.Path), Provider: orNil(p.Provider), Outlook: graph.SignUpOutlook(p.Outlook), Cases: []graph.SignUpWayCase{},
		}
		for _, c := range p.Cases {
			way.Cases = append(way.Cases, graph.SignUpWayCase{
				Arrival: graph.SignUpArrival(c.Arrival), Completes: c.Completes, Steps: steps(c.Steps), Stop: stop(c),
			})
		}
		list = append(list, way)
	}
	return list
}

func steps(list []engine.Step) []graph.SignUpStep {
	out := make([]graph.SignUpStep, 0, len(list))
	for _, s := range list {
		out = append(out, graph.SignUpStep{
			Kind: graph.SignUpActionKind(s.Kind), Field: graph.SignUpField(s.Attribute.String()),
			Strategy: orNil(graph.VerificationStrategy(s.Strategy)), Provider: orNil(s.Provider), Sends: orNil(graph.SignUpArrival(s.Sends)),
		})
	}
	return out
}

func stop(c engine.Case) *graph.SignUpStop {
	if c.Completes {
		return nil
	}
	s := &graph.SignUpStop{
		Reason: orNil(graph.SignUpRequirementReason(c.Stop.Reason)), Blocker: orNil(graph.SignUpBlockerCode(c.Stop.Blocker)), Source: source(c.Stop.Source),
	}
	if c.Stop.HasAttribute {
		s.Field = attribute(&c.Stop.Attribute)
	}
	return s
}
