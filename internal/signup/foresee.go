package signup

import (
	"context"
	"slices"
	"strings"

	"stepwise/engine"
)

// Codes of settings that are refused, besides those of the engine.
const wayMadeImpossible = "WAY_IMPOSSIBLE"

// Codes of settings that are accepted with a warning and that say what will become of
// those who come. A way can have become impossible without a change of settings: this
// server cannot do any more what it could.
const (
	wayDoubtful   = "WAY_DOUBTFUL"
	wayImpossible = "WAY_IMPOSSIBLE"
	noInvitations = "RESTRICTED_WITHOUT_TICKETS"
)

// Foreseen are settings with what will become of sign-ups under them.
type Foreseen struct {
	InstanceSettings
	Ways []engine.Prospect
}

// Foresee decides for each way in whether a sign-up that begins so can complete under
// the settings on this server, and adds what an operator should know of it to the
// warnings.
func (s *Service) Foresee(ctx context.Context, p Principal, i InstanceSettings) (Foreseen, error) {
	f := Foreseen{i, engine.Prospects(i.Requirements(), s.can)}
	f.Warnings = slices.Clone(f.Warnings)
	for _, way := range f.Ways {
		if way.Outlook == engine.OutlookDoubtful || way.Outlook == engine.OutlookImpossible {
			f.Warnings = append(f.Warnings, warningOf(way))
		}
	}
	if i.SignUpMode != ModeRestricted {
		return f, nil
	}
	pending := engine.TicketValid
	open, err := s.Invitations(ctx, p, &pending, 1, "")
	if err == nil && open.Total == 0 {
		f.Warnings = append(f.Warnings, engine.Finding{Code: noInvitations, Path: "signUpMode",
			Message: "Only invited people can sign up, and no invitation is open."})
	}
	return f, err
}

func warningOf(way engine.Prospect) engine.Finding {
	i := slices.IndexFunc(way.Cases, func(c engine.Case) bool { return !c.Completes })
	found := engine.Finding{Code: wayDoubtful, Path: way.Cases[i].Stop.Source.Name,
		Message: "Whoever comes " + comingBy(way.Way) + arriving[way.Path][way.Cases[i].Arrival] + " cannot sign up: " + stopping(way.Cases[i].Stop)}
	if way.Outlook == engine.OutlookImpossible {
		found.Code = wayImpossible
		found.Message = "Nobody who comes " + comingBy(way.Way) + " can sign up: " + stopping(way.Cases[i].Stop)
	}
	return found
}

// impossible returns why the settings are refused: ways in that they make impossible.
// One that was impossible before stays a warning, so that other settings can be changed
// although the deployment has lost something.
func impossible(before, next Settings, can engine.Capabilities) []Problem {
	var found []Problem
	known := map[engine.Way]bool{}
	for _, way := range engine.Prospects(before.Requirements(), can) {
		known[way.Way] = way.Outlook == engine.OutlookImpossible
	}
	for _, way := range engine.Prospects(next.Requirements(), can) {
		if way.Outlook != engine.OutlookImpossible || known[way.Way] {
			continue
		}
		w := warningOf(way)
		found = append(found, Problem{Code: wayMadeImpossible, Message: w.Message, Field: inputPath(strings.Split(w.Path, ".")...)})
	}
	return found
}

func comingBy(way engine.Way) string {
	switch way.Path {
	case engine.PathOAuth:
		return "through " + way.Provider
	case engine.PathWallet:
		return "with a wallet"
	case engine.PathTicket:
		return "with an invitation"
	}
	return "by the form"
}

// arriving says what comes with somebody, after how they come.
var arriving = map[engine.Path]map[engine.Arrival]string{
	engine.PathOAuth: {
		engine.ArrivesVerifiedEmail:   " with a verified email address",
		engine.ArrivesUnverifiedEmail: " with an email address that is not verified",
		engine.ArrivesBare:            " without an email address",
	},
	engine.PathTicket: {
		engine.ArrivesVerifiedEmail: " to an email address",
		engine.ArrivesVerifiedPhone: " to a phone number",
		engine.ArrivesBare:          " to no address",
	},
}

func stopping(stop engine.Stop) string {
	switch {
	case stop.Blocker == engine.BlockedUnprovable:
		return "this server has no means to verify " + article[stop.Attribute] + "."
	case stop.Reason == engine.ReasonEmailNotVerified:
		return "without Progressive Sign Up an account counts only with an email address that is verified by a provider trusted for it."
	case stop.HasAttribute:
		return "they cannot give, or cannot verify, the " + noun[stop.Attribute] + " that is asked for."
	}
	return "the settings keep everybody out."
}
