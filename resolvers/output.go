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
		Revision: int(s.Revision), SettingsVersion: int(s.SettingsVersion),
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
			Reason: graph.SignUpRequirementReason(r.Reason), Source: r.Reason.Source(r.Attribute),
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

var blockerMessages = map[engine.BlockerCode]string{
	engine.BlockedTaken:        "It belongs to an existing account. Use another one, or leave it out.",
	engine.BlockedRestricted:   "Only invited people can sign up.",
	engine.BlockedTicket:       "The invitation is no longer valid.",
	engine.BlockedUnprovable:   "This server has no means to verify it. Only the operator can help.",
	engine.BlockedNoIdentifier: "This app's settings let nobody sign up at the moment.",
}

func blockers(list []engine.Blocker) []graph.SignUpBlocker {
	out := make([]graph.SignUpBlocker, 0, len(list))
	for _, b := range list {
		g := graph.SignUpBlocker{Code: graph.SignUpBlockerCode(b.Code), Message: blockerMessages[b.Code], Remedy: graph.SignUpRemedy(b.Remedy)}
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
		Status: graph.VerificationStatus(v.Status), Strategy: graph.VerificationStrategy(v.Strategy), ExpireAt: moment(v.ExpireAt),
	}
	if v.AttemptsLeft >= 0 {
		g.AttemptsLeft = &v.AttemptsLeft
	}
	if v.Error != "" {
		g.Error = &graph.VerificationError{Code: graph.UserErrorCode(v.Error), Message: v.ErrorMessage}
	}
	if v.SentTo != "" {
		g.Challenge = graph.CodeChallenge{SentTo: v.SentTo, ResendAt: v.ResendAt}
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
		field := graph.SignUpField(i.Kind)
		if strings.HasPrefix(i.Kind, signup.ExternalAccountKind) {
			field = graph.SignUpFieldExternalAccount
		}
		g.Identifiers = append(g.Identifiers, graph.Identifier{Field: field, Value: i.Display, VerifiedAt: moment(i.VerifiedAt)})
		switch field {
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

func users(p signup.UserPage, after string) *graph.UserConnection {
	c := &graph.UserConnection{
		Edges: make([]graph.UserEdge, 0, len(p.Users)), Nodes: make([]graph.User, 0, len(p.Users)), TotalCount: p.Total,
		PageInfo: &graph.PageInfo{HasNextPage: p.More, HasPreviousPage: after != ""},
	}
	for i := range p.Users {
		u := user(&p.Users[i])
		c.Edges = append(c.Edges, graph.UserEdge{Cursor: p.Cursors[i], Node: u})
		c.Nodes = append(c.Nodes, *u)
	}
	if n := len(p.Cursors); n > 0 {
		c.PageInfo.StartCursor, c.PageInfo.EndCursor = &p.Cursors[0], &p.Cursors[n-1]
	}
	return c
}

func publicSettings(s signup.InstanceSettings, can engine.Capabilities) *graph.PublicSettings {
	g := &graph.PublicSettings{
		AppName: s.AppName, ProgressiveSignUp: s.ProgressiveSignUp, SignUpMode: graph.SignUpMode(s.SignUpMode),
		Fields:         []graph.PublicField{},
		Password:       &graph.PasswordRules{MinLength: s.Password.MinLength, MaxLength: s.Password.MaxLength},
		Username:       &graph.UsernameRules{MinLength: s.Username.MinLength, MaxLength: s.Username.MaxLength},
		DefaultCountry: orNil(s.DefaultCountry), TestMode: s.TestMode, Version: int(s.Version),
	}
	if s.LegalConsent.Enabled {
		g.LegalConsent = &graph.LegalConsent{DocumentVersion: s.LegalConsent.DocumentVersion, DocumentURL: orNil(s.LegalConsent.DocumentURL)}
	}
	requirements := s.Settings.Requirements()
	for _, a := range requirements.Enabled().List() {
		f := graph.PublicField{
			Field: graph.SignUpField(a.String()), Required: requirements.Fields[a].Required,
			VerifyAtSignUp: requirements.Fields[a].Verify, Strategies: []graph.VerificationStrategy{},
		}
		for _, strategy := range can.Strategies(a) {
			f.Strategies = append(f.Strategies, graph.VerificationStrategy(strategy))
		}
		g.Fields = append(g.Fields, f)
	}
	return g
}

func instanceSettings(s signup.InstanceSettings) *graph.InstanceSettings {
	field := func(f signup.FieldSettings) *graph.FieldSettings {
		return &graph.FieldSettings{Enabled: f.Enabled, Required: f.Required}
	}
	address := func(a signup.AddressSettings) *graph.AddressSettings {
		return &graph.AddressSettings{Enabled: a.Enabled, Required: a.Required, VerifyAtSignUp: a.VerifyAtSignUp}
	}
	g := &graph.InstanceSettings{
		Version: int(s.Version), ProgressiveSignUp: s.ProgressiveSignUp, SignUpMode: graph.SignUpMode(s.SignUpMode), AppName: s.AppName,
		EmailAddress: address(s.EmailAddress), PhoneNumber: address(s.PhoneNumber),
		Username:   &graph.UsernameSettings{Enabled: s.Username.Enabled, Required: s.Username.Required, MinLength: s.Username.MinLength, MaxLength: s.Username.MaxLength},
		Web3Wallet: field(s.Web3Wallet),
		Password:   &graph.PasswordSettings{Enabled: s.Password.Enabled, Required: s.Password.Required, MinLength: s.Password.MinLength, MaxLength: s.Password.MaxLength},
		FirstName:  field(s.FirstName), LastName: field(s.LastName),
		LegalConsent: &graph.LegalConsentSettings{
			Enabled: s.LegalConsent.Enabled, DocumentVersion: s.LegalConsent.DocumentVersion, DocumentURL: orNil(s.LegalConsent.DocumentURL),
		},
		DefaultCountry: orNil(s.DefaultCountry), TestMode: s.TestMode, AllowedOrigins: s.AllowedOrigins,
		SignUpLifetimeSeconds: s.SignUpLifetimeSeconds, SessionLifetimeSeconds: s.SessionLifetimeSeconds,
		Warnings: []graph.SettingsWarning{}, UpdatedAt: s.UpdatedAt, UpdatedBy: s.UpdatedBy,
	}
	for _, w := range s.Warnings {
		g.Warnings = append(g.Warnings, graph.SettingsWarning{Code: graph.SettingsWarningCode(w.Code), Message: w.Message, Setting: w.Path})
	}
	return g
}
