package resolvers

import (
	"encoding/json"
	"strings"
	"time"

	"stepwise/engine"
	"stepwise/graph"
	"stepwise/internal/signup"
)

func orNil[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

func orEmpty(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// object decodes metadata, which the service keeps as a valid JSON object.
func object(data json.RawMessage) map[string]any {
	m := map[string]any{}
	if len(data) > 0 {
		_ = json.Unmarshal(data, &m)
	}
	return m
}

func fields(set engine.Set) []graph.SignUpField {
	list := make([]graph.SignUpField, 0, engine.NumAttributes)
	for _, a := range set.List() {
		list = append(list, graph.SignUpField(a.String()))
	}
	return list
}

func attribute(a *engine.Attribute) *graph.SignUpField {
	if a == nil {
		return nil
	}
	f := graph.SignUpField(a.String())
	return &f
}

func userErrors(problems []signup.Problem) []graph.UserError {
	list := make([]graph.UserError, 0, len(problems))
	for _, p := range problems {
		list = append(list, graph.UserError{
			Code: graph.UserErrorCode(p.Code), Message: p.Message,
			Attribute: attribute(p.Attribute), Field: p.Field, RetryAfter: moment(p.RetryAfter),
		})
	}
	return list
}

func signUp(s *signup.SignUp) *graph.SignUp {
	if s == nil {
		return nil
	}
	g := &graph.SignUp{
		ID: s.ID, Status: graph.SignUpStatus(s.Status),
		RequiredFields: fields(s.Verdict.Required), OptionalFields: fields(s.Verdict.Optional),
		MissingFields: fields(s.Verdict.Missing), UnverifiedFields: fields(s.Verdict.Unverified),
		Blockers: blockers(s.Verdict.Blockers), Requirements: requirements(s.Requirements),
		Verifications: &graph.SignUpVerifications{
			EmailAddress:    verification(s.Verifications[engine.EmailAddress]),
			PhoneNumber:     verification(s.Verifications[engine.PhoneNumber]),
			Web3Wallet:      verification(s.Verifications[engine.Web3Wallet]),
			ExternalAccount: verification(s.Verifications[engine.ExternalAccount]),
		},
		EmailAddress:    orNil(s.Values[engine.EmailAddress].Text),
		PhoneNumber:     orNil(s.Values[engine.PhoneNumber].Text),
		Username:        orNil(s.Values[engine.Username].Text),
		FirstName:       orNil(s.Values[engine.FirstName].Text),
		LastName:        orNil(s.Values[engine.LastName].Text),
		Web3Wallet:      orNil(s.Values[engine.Web3Wallet].Text),
		PasswordEnabled: s.PasswordEnabled, LegalAcceptedAt: moment(s.LegalAcceptedAt),
		UnsafeMetadata: object(s.UnsafeMetadata),
		CreatedUserID:  orNil(s.CreatedUserID), CreatedSessionID: orNil(s.CreatedSession),
		CreatedAt: s.CreatedAt, AbandonAt: s.AbandonAt, AwaitsOwner: s.AwaitsOwner,
		Revision: int(s.Revision), SettingsVersion: int(s.SettingsVersion), Locale: orNil(s.Locale),
	}
	if provider := s.Values[engine.ExternalAccount].Text; provider != "" {
		g.ExternalAccount = &graph.SignUpExternalAccount{Provider: provider}
	}
	return g
}

func requirements(list []engine.Requirement) []graph.SignUpRequirement {
	out := make([]graph.SignUpRequirement, 0, len(list))
	for _, r := range list {
		g := graph.SignUpRequirement{
			Field: graph.SignUpField(r.Attribute.String()), State: graph.SignUpRequirementState(r.State),
			Reason: graph.SignUpRequirementReason(r.Reason), Source: source(r.Reason.Source(r.Attribute)),
			OneOf: fields(r.OneOf), Actions: make([]graph.SignUpAction, 0, len(r.Actions)),
		}
		for _, a := range r.Actions {
			action := graph.SignUpAction{Kind: graph.SignUpActionKind(a.Kind), Strategies: []graph.VerificationStrategy{}}
			for _, s := range a.Strategies {
				action.Strategies = append(action.Strategies, graph.VerificationStrategy(s))
			}
			g.Actions = append(g.Actions, action)
		}
		out = append(out, g)
	}
	return out
}

func source(s engine.Source) *graph.SignUpSource {
	return &graph.SignUpSource{Kind: graph.SignUpSourceKind(s.Kind), Name: s.Name}
}

var blockerMessages = map[engine.BlockerCode]string{
	engine.BlockedTaken:        "It belongs to an existing account. Use another one, or leave it out.",
	engine.BlockedNotAllowed:   "It cannot be used to sign up here. Use another one, or leave it out.",
	engine.BlockedRestricted:   "Only invited people can sign up.",
	engine.BlockedTicket:       "The invitation is no longer valid.",
	engine.BlockedUnprovable:   "This server has no means to verify it. Only the operator can help.",
	engine.BlockedNoIdentifier: "This app's settings let nobody sign up at the moment.",
}

func blockers(list []engine.Blocker) []graph.SignUpBlocker {
	out := make([]graph.SignUpBlocker, 0, len(list))
	for _, b := range list {
		g := graph.SignUpBlocker{Code: graph.SignUpBlockerCode(b.Code), Message: blockerMessages[b.Code], Remedy: graph.SignUpRemedy(b.Remedy), Source: source(b.Source())}
		if b.HasAttribute {
			g.Attribute = attribute(&b.Attribute)
		}
		out = append(out, g)
	}
	return out
}

func verification(v *signup.Verification) *graph.SignUpVerification {
	if v == nil {
		return nil
	}
	g := &graph.SignUpVerification{
		Status: graph.VerificationStatus(v.Status), Strategy: graph.VerificationStrategy(v.Strategy),
		Provider: orNil(v.Provider), ExpireAt: moment(v.ExpireAt),
	}
	if v.AttemptsLeft >= 0 {
		g.AttemptsLeft = &v.AttemptsLeft
	}
	if v.Error != "" {
		g.Error = &graph.VerificationError{Code: graph.UserErrorCode(v.Error), Message: v.ErrorMessage}
	}
	switch {
	case v.SentTo != "":
		g.Challenge = graph.CodeChallenge{SentTo: v.SentTo, ResendAt: v.ResendAt}
	case v.RedirectURL != "":
		g.Challenge = graph.RedirectChallenge{URL: v.RedirectURL}
	case v.Message != "":
		g.Challenge = graph.MessageChallenge{Message: v.Message}
	}
	return g
}

func client(c *signup.Client, now time.Time) *graph.Client {
	if c == nil {
		return nil
	}
	g := &graph.Client{ID: c.ID, SignUp: signUp(c.SignUp), Sessions: make([]graph.Session, 0, len(c.Sessions)), ActiveSession: session(c.Active, now)}
	for _, s := range c.Sessions {
		g.Sessions = append(g.Sessions, *session(&s, now))
	}
	return g
}

func session(s *signup.Session, now time.Time) *graph.Session {
	if s == nil {
		return nil
	}
	return &graph.Session{
		ID: s.ID, UserID: s.UserID, Status: graph.SessionStatus(s.StatusAt(now)), CreatedAt: s.CreatedAt, ExpireAt: s.ExpireAt,
	}
}

func sessionChallenge(c signup.SessionChallenge) *graph.SessionChallenge {
	if c.ID == "" {
		return nil
	}
	return &graph.SessionChallenge{ID: c.ID, SentTo: c.SentTo, ResendAt: c.ResendAt, ExpireAt: c.ExpireAt}
}

func user(u *signup.User) *graph.User {
	if u == nil {
		return nil
	}
	g := &graph.User{
		ID: u.ID, ExternalID: orNil(u.ExternalID), FirstName: orNil(u.FirstName), LastName: orNil(u.LastName),
		PasswordEnabled: u.HasPassword, Identifiers: make([]graph.Identifier, 0, len(u.Identifiers)),
		PublicMetadata: object(u.PublicMetadata), PrivateMetadata: object(u.PrivateMetadata), UnsafeMetadata: object(u.UnsafeMetadata),
		CreatedAt: u.CreatedAt, UpdatedAt: u.UpdatedAt,
	}
	for _, i := range u.Identifiers {
		shown := graph.Identifier{Field: graph.SignUpField(i.Kind), Value: i.Display, VerifiedAt: moment(i.VerifiedAt)}
		if issuer, ok := strings.CutPrefix(i.Kind, signup.ExternalAccountKind); ok {
			shown.Field, shown.Issuer, shown.Subject = graph.SignUpFieldExternalAccount, &issuer, &i.Norm
		}
		g.Identifiers = append(g.Identifiers, shown)
		switch shown.Field {
		case graph.SignUpFieldWeb3Wallet:
			g.Web3Wallet = &i.Display
		case graph.SignUpFieldEmailAddress:
			g.EmailAddress = &i.Display
		case graph.SignUpFieldPhoneNumber:
			g.PhoneNumber = &i.Display
		case graph.SignUpFieldUsername:
			g.Username = &i.Display
		}
	}
	if u.Consent != nil {
		g.Consent = &graph.ConsentReceipt{DocumentVersion: u.Consent.DocumentVersion, AcceptedAt: u.Consent.At, Path: u.Consent.Path}
	}
	return g
}

func users(p signup.Page[signup.User], after string) *graph.UserConnection {
	c := &graph.UserConnection{
		Edges: make([]graph.UserEdge, 0, len(p.Items)), Nodes: make([]graph.User, 0, len(p.Items)), TotalCount: p.Total,
		PageInfo: pageInfo(p.Cursors, p.More, after),
	}
	for i := range p.Items {
		u := user(&p.Items[i])
		c.Edges = append(c.Edges, graph.UserEdge{Cursor: p.Cursors[i], Node: u})
		c.Nodes = append(c.Nodes, *u)
	}
	return c
}
