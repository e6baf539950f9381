package resolvers

import (
	"cmp"

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

func starts(list []graph.VerificationStartInput) []signup.Start {
	var s []signup.Start
	for _, v := range list {
		s = append(s, signup.Start{
			Strategy: engine.Strategy(v.Strategy), Provider: value(v.Provider), RedirectURL: value(v.RedirectURL),
			Wallet: value(v.Web3Wallet), ChainID: int64(value(v.ChainID)), Origin: value(v.Origin),
		})
	}
	return s
}

func start(in graph.SignUpVerificationStartInput) signup.Start {
	return starts([]graph.VerificationStartInput{{
		Strategy: in.Strategy, Provider: in.Provider, RedirectURL: in.RedirectURL,
		Web3Wallet: in.Web3Wallet, ChainID: in.ChainID, Origin: in.Origin,
	}})[0]
}

func createInput(in graph.SignUpCreateInput) signup.Input {
	return signup.Input{
		EmailAddress: text(in.EmailAddress), PhoneNumber: text(in.PhoneNumber), Username: text(in.Username),
		Password: text(in.Password), FirstName: text(in.FirstName), LastName: text(in.LastName),
		LegalAccepted: consent(in.LegalAccepted), UnsafeMetadata: metadata(in.UnsafeMetadata), Ticket: ticket(in.Ticket), BotToken: value(in.BotToken),
		Start: starts(in.StartVerifications.Value()), IdempotencyKey: idempotencyKey(in.IdempotencyKey), Locale: text(in.Locale),
	}
}

func updateInput(in graph.SignUpUpdateInput) signup.Input {
	input := signup.Input{
		EmailAddress: text(in.EmailAddress), PhoneNumber: text(in.PhoneNumber), Username: text(in.Username),
		Password: text(in.Password), FirstName: text(in.FirstName), LastName: text(in.LastName),
		LegalAccepted: consent(in.LegalAccepted), UnsafeMetadata: metadata(in.UnsafeMetadata),
		Start: starts(in.StartVerifications.Value()), IdempotencyKey: idempotencyKey(in.IdempotencyKey), Locale: text(in.Locale),
	}
	for _, f := range in.Clear.Value() {
		if a, ok := engine.ParseAttribute(string(f)); ok {
			input.Clear = append(input.Clear, a)
		}
	}
	return input
}

// orNone: an empty text is none that the service handed out.
func orNone(o graphql.Omittable[*string]) string { return cmp.Or(value(o), noID) }

// ticket: an empty one is refused, unlike none.
func ticket(o graphql.Omittable[*string]) string {
	if o.Value() == nil {
		return ""
	}
	return orNone(o)
}

// proof reads the one member that @oneOf lets through; null is an empty code.
func proof(in graph.VerificationProofInput) signup.Proof {
	switch {
	case in.PhoneCode.IsSet():
		return signup.Proof{Attribute: engine.PhoneNumber, Code: value(in.PhoneCode)}
	case in.EmailLink.IsSet():
		return signup.Proof{Attribute: engine.EmailAddress, Link: orNone(in.EmailLink)}
	case in.OauthHandle.IsSet():
		return signup.Proof{Attribute: engine.ExternalAccount, Handle: orNone(in.OauthHandle)}
	case in.Web3Signature.IsSet():
		w := value(in.Web3Signature)
		return signup.Proof{Attribute: engine.Web3Wallet, Signature: w.Signature, Message: value(w.Message)}
	}
	return signup.Proof{Attribute: engine.EmailAddress, Code: value(in.EmailCode)}
}

// sessionProof reads the one member that @oneOf lets through.
func sessionProof(in graph.SessionProofInput) signup.SessionProof {
	if c := in.Code.Value(); c != nil {
		return signup.SessionProof{Challenge: cmp.Or(c.ChallengeID, noID), Code: c.Code}
	}
	if in.Transfer.IsSet() {
		return signup.SessionProof{Transfer: orNone(in.Transfer)}
	}
	if p := in.Password.Value(); p != nil {
		return signup.SessionProof{Identifier: p.Identifier, Password: p.Password}
	}
	return signup.SessionProof{}
}
