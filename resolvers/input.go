package resolvers

import (
	"github.com/99designs/gqlgen/graphql"

	"stepwise/engine"
	"stepwise/graph"
	"stepwise/internal/signup"
)

// value returns what an optional input holds; the zero value where it was left
// out or null.
func value[T any](o graphql.Omittable[*T]) T {
	var zero T
	if v := o.Value(); v != nil {
		return *v
	}
	return zero
}

func text(o graphql.Omittable[*string]) signup.Text {
	return signup.Text{Set: o.IsSet(), Value: o.Value()}
}

// idempotencyKey: an empty one is refused, unlike none.
func idempotencyKey(o graphql.Omittable[*string]) string {
	if v := o.Value(); v != nil && *v == "" {
		return signup.EmptyKey
	}
	return value(o)
}

// wanted: an empty condition matches nobody, unlike none.
func wanted(o graphql.Omittable[*string]) string {
	if v := o.Value(); v != nil && *v == "" {
		return signup.MatchNobody
	}
	return value(o)
}

// consent: null withdraws, as false does.
func consent(o graphql.Omittable[*bool]) *bool {
	if !o.IsSet() {
		return nil
	}
	given := value(o)
	return &given
}

// metadata: null empties.
func metadata(o graphql.Omittable[map[string]any]) map[string]any {
	if o.IsSet() && o.Value() == nil {
		return map[string]any{}
	}
	return o.Value()
}

func strategies(list []graph.VerificationStartInput) []engine.Strategy {
	var s []engine.Strategy
	for _, v := range list {
		s = append(s, engine.Strategy(v.Strategy))
	}
	return s
}

func createInput(in graph.SignUpCreateInput) signup.Input {
	return signup.Input{
		EmailAddress: text(in.EmailAddress), PhoneNumber: text(in.PhoneNumber), Username: text(in.Username),
		Password: text(in.Password), FirstName: text(in.FirstName), LastName: text(in.LastName),
		LegalAccepted: consent(in.LegalAccepted), UnsafeMetadata: metadata(in.UnsafeMetadata),
		Start: strategies(in.StartVerifications.Value()), IdempotencyKey: idempotencyKey(in.IdempotencyKey),
	}
}

func updateInput(in graph.SignUpUpdateInput) signup.Input {
	input := signup.Input{
		EmailAddress: text(in.EmailAddress), PhoneNumber: text(in.PhoneNumber), Username: text(in.Username),
		Password: text(in.Password), FirstName: text(in.FirstName), LastName: text(in.LastName),
		LegalAccepted: consent(in.LegalAccepted), UnsafeMetadata: metadata(in.UnsafeMetadata),
		Start: strategies(in.StartVerifications.Value()), IdempotencyKey: idempotencyKey(in.IdempotencyKey),
	}
	for _, f := range in.Clear.Value() {
		if a, ok := engine.ParseAttribute(string(f)); ok {
			input.Clear = append(input.Clear, a)
		}
	}
	return input
}

// proof reads the one member that @oneOf lets through; null is an empty code.
func proof(in graph.VerificationProofInput) signup.Proof {
	if in.PhoneCode.IsSet() {
		return signup.Proof{Attribute: engine.PhoneNumber, Code: value(in.PhoneCode)}
	}
	return signup.Proof{Attribute: engine.EmailAddress, Code: value(in.EmailCode)}
}

func settingsPatch(in graph.InstanceSettingsUpdateInput) signup.SettingsPatch {
	p := signup.SettingsPatch{
		ProgressiveSignUp: in.ProgressiveSignUp.Value(),
		AppName:           in.AppName.Value(),
		EmailAddress:      addressPatch(in.EmailAddress.Value()),
		PhoneNumber:       addressPatch(in.PhoneNumber.Value()),
		Web3Wallet:        fieldPatch(in.Web3Wallet.Value()),
		FirstName:         fieldPatch(in.FirstName.Value()),
		LastName:          fieldPatch(in.LastName.Value()),
		DefaultCountry:    in.DefaultCountry.Value(), TestMode: in.TestMode.Value(),
		AllowedOrigins:        in.AllowedOrigins.Value(),
		SignUpLifetimeSeconds: in.SignUpLifetimeSeconds.Value(), SessionLifetimeSeconds: in.SessionLifetimeSeconds.Value(),
	}
	if v := in.ExpectedVersion.Value(); v != nil {
		version := int64(*v)
		p.ExpectedVersion = &version
	}
	if m := in.SignUpMode.Value(); m != nil {
		mode := signup.SignUpMode(*m)
		p.SignUpMode = &mode
	}
	if u := in.Username.Value(); u != nil {
		p.Username = &signup.TextPatch{Enabled: u.Enabled.Value(), Required: u.Required.Value(), MinLength: u.MinLength.Value(), MaxLength: u.MaxLength.Value()}
	}
	if w := in.Password.Value(); w != nil {
		p.Password = &signup.TextPatch{Enabled: w.Enabled.Value(), Required: w.Required.Value(), MinLength: w.MinLength.Value(), MaxLength: w.MaxLength.Value()}
	}
	if l := in.LegalConsent.Value(); l != nil {
		p.LegalConsent = &signup.LegalConsentPatch{Enabled: l.Enabled.Value(), DocumentVersion: l.DocumentVersion.Value(), DocumentURL: l.DocumentURL.Value()}
	}
	return p
}

func fieldPatch(in *graph.FieldSettingsInput) *signup.FieldPatch {
	if in == nil {
		return nil
	}
	return &signup.FieldPatch{Enabled: in.Enabled.Value(), Required: in.Required.Value()}
}

func addressPatch(in *graph.AddressSettingsInput) *signup.AddressPatch {
	if in == nil {
		return nil
	}
	return &signup.AddressPatch{Enabled: in.Enabled.Value(), Required: in.Required.Value(), VerifyAtSignUp: in.VerifyAtSignUp.Value()}
}
