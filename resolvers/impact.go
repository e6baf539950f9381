package resolvers

import (
	"cmp"

	"stepwise/engine"
	"stepwise/graph"
	"stepwise/internal/signup"
)

func impact(i signup.Impact) *graph.SettingsImpact {
	g := &graph.SettingsImpact{
		SignUps: int(i.SignUps), Unchanged: int(i.Unchanged), Asked: int(i.Asked), Blocked: int(i.Blocked), Freed: int(i.Freed),
		Completing: int(i.Completing), Unknown: int(i.Unknown), Effects: make([]graph.SettingsEffect, 0, len(i.Effects)),
	}
	for _, e := range i.Effects {
		effect := graph.SettingsEffect{
			Path: graph.SignUpPath(e.Path), Provider: orNil(e.Provider), Kind: graph.SettingsEffectKind(e.Kind),
			Reason: orNil(graph.SignUpRequirementReason(e.Reason)), Blocker: orNil(graph.SignUpBlockerCode(e.Blocker)), Counts: counts(e.Counts),
		}
		if e.HasAttribute {
			effect.Field = attribute(&e.Attribute)
		}
		g.Effects = append(g.Effects, effect)
	}
	return g
}

func counts(c signup.Counts) *graph.SignUpCounts {
	return &graph.SignUpCounts{Opened: int(c.Opened()), Completed: int(c.Completed), Abandoned: int(c.Abandoned), Open: int(c.Open)}
}

func funnelQuery(version *int, path *graph.SignUpPath) signup.FunnelQuery {
	var q signup.FunnelQuery
	if version != nil {
		q.Version = cmp.Or(int64(*version), -1) // there is no version 0
	}
	if path != nil {
		q.Path = engine.Path(*path)
	}
	return q
}

func funnel(f signup.Funnel) *graph.SignUpFunnel {
	g := &graph.SignUpFunnel{
		Total: counts(f.Total), Ways: make([]graph.SignUpWayCounts, 0, len(f.Ways)), Fields: make([]graph.SignUpFieldCounts, 0, len(f.Fields)),
		Versions: make([]graph.SignUpVersionCounts, 0, len(f.Versions)), OpenInPart: f.InPart,
	}
	for _, w := range f.Ways {
		g.Ways = append(g.Ways, graph.SignUpWayCounts{Path: graph.SignUpPath(w.Path), Provider: orNil(w.Provider), Counts: counts(w.Counts)})
	}
	for _, c := range f.Fields {
		g.Fields = append(g.Fields, graph.SignUpFieldCounts{
			Field: graph.SignUpField(c.Attribute.String()), Given: int(c.Given), Verified: int(c.Verified), Missing: int(c.Missing), Unverified: int(c.Unverified),
		})
	}
	for _, v := range f.Versions {
		g.Versions = append(g.Versions, graph.SignUpVersionCounts{SettingsVersion: int(v.Version), Counts: counts(v.Counts)})
	}
	return g
}
