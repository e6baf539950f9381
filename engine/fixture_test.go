package engine_test

import (
	"time"

	"stepwise/engine"
)

// Short names for the sets with one member.
const (
	email    = engine.Set(1) << engine.EmailAddress
	phone    = engine.Set(1) << engine.PhoneNumber
	username = engine.Set(1) << engine.Username
	wallet   = engine.Set(1) << engine.Web3Wallet
	account  = engine.Set(1) << engine.ExternalAccount
	password = engine.Set(1) << engine.Password
	first    = engine.Set(1) << engine.FirstName
	last     = engine.Set(1) << engine.LastName
	consent  = engine.Set(1) << engine.LegalAccepted
	none     = engine.Set(0)
)

// noon is when the sign-ups of these tests begin.
var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

var everything = engine.Capabilities{SendEmail: true, SendSMS: true, ProveWallet: true, ProveAccount: true}

// The providers: google verifies addresses and is trusted for it, forum is not.
const (
	google = "google"
	forum  = "forum"

	googleIssuer = "https://google.test"
)

const terms = "terms-2"

// setting changes settings; the tests put instances together from such words.
type setting func(*engine.Settings)

// instance has Progressive Sign Up on and nothing enabled but what is said.
func instance(settings ...setting) engine.Settings {
	s := engine.Settings{Progressive: true, LegalVersion: terms}
	for _, change := range settings {
		change(&s)
	}
	return s
}

func legacy(s *engine.Settings)     { s.Progressive = false }
func restricted(s *engine.Settings) { s.Restricted = true }

func optional(a engine.Attribute) setting { return field(a, false, false) }
func required(a engine.Attribute) setting { return field(a, true, false) }

// optionalVerified and requiredVerified demand proof of control.
func optionalVerified(a engine.Attribute) setting { return field(a, false, true) }
func requiredVerified(a engine.Attribute) setting { return field(a, true, true) }

func field(a engine.Attribute, require, verify bool) setting {
	return func(s *engine.Settings) {
		s.Fields[a] = engine.FieldSettings{Enabled: true, Required: require, Verify: verify}
	}
}

func consentAsked(s *engine.Settings) { s.Fields[engine.LegalAccepted].Enabled = true }

// providers enables google, which is trusted for addresses, and forum, which
// is not.
func providers(s *engine.Settings) {
	s.Providers = []engine.Provider{{Name: google, Enabled: true, TrustEmail: true}, {Name: forum, Enabled: true}}
}

func accountRequired(s *engine.Settings) {
	providers(s)
	s.Fields[engine.ExternalAccount].Required = true
}

// newInstance is what an instance starts with.
func newInstance() engine.Settings {
	return instance(requiredVerified(engine.EmailAddress), required(engine.Password),
		optional(engine.FirstName), optional(engine.LastName))
}

// happening is something that happened to a sign-up before the test.
type happening func(*engine.Attempt)

// attempt is an open sign-up to which the given things have happened.
func attempt(happenings ...happening) engine.Attempt {
	a := engine.Attempt{CreatedAt: noon, AbandonAt: noon.Add(24 * time.Hour)}
	for _, happen := range happenings {
		happen(&a)
	}
	return a
}

func text(key string) engine.Value {
	return engine.Value{Presence: engine.Given, Text: key, Key: key}
}

func given(a engine.Attribute, key string) happening {
	return func(at *engine.Attempt) { at.Values[a] = text(key) }
}

func cleared(a engine.Attribute) happening {
	return func(at *engine.Attempt) { at.Values[a] = engine.Value{Presence: engine.Cleared} }
}

// proved: a code for that value of the attribute was answered.
func proved(a engine.Attribute, key string) happening {
	return func(at *engine.Attempt) { at.Verifications[a] = verifiedByCode(a, key) }
}

func verifiedByCode(a engine.Attribute, key string) *engine.Verification {
	strategy := engine.EmailCode
	if a == engine.PhoneNumber {
		strategy = engine.PhoneCode
	}
	return &engine.Verification{Strategy: strategy, Key: key, Verified: true, SentAt: noon,
		ResendAt: noon.Add(engine.ResendInterval), ExpireAt: noon.Add(engine.CodeLifetime)}
}

// codeSent: a code was sent at noon and waits for its answer.
func codeSent(a engine.Attribute, key string) happening {
	return func(at *engine.Attempt) {
		v := verifiedByCode(a, key)
		v.Verified, v.Nonce = false, "nonce-0"
		at.Verifications[a] = v
	}
}

func walletProved(at *engine.Attempt) {
	at.Values[engine.Web3Wallet] = text("0xabc")
	at.Verifications[engine.Web3Wallet] = &engine.Verification{Strategy: engine.Web3Signature, Key: "0xabc", Verified: true}
}

// signedInWith: the account was verified.
func signedInWith(acc *engine.Account) happening {
	return func(at *engine.Attempt) {
		at.Account = acc
		at.Verifications[engine.ExternalAccount] = &engine.Verification{
			Strategy: engine.OAuth, Key: acc.Key(), Verified: true}
	}
}

// sent is what a provider or an invitation says about an attribute.
type sent struct {
	attribute engine.Attribute
	key       string
}

// googleAccount comes with an address that the provider claims to have verified.
func googleAccount(address string, more ...sent) *engine.Account {
	acc := &engine.Account{Provider: google, Issuer: googleIssuer, Subject: "g-1", EmailVerified: true}
	acc.Sent[engine.EmailAddress] = text(address)
	for _, m := range more {
		acc.Sent[m.attribute] = text(m.key)
	}
	return acc
}

// unverifiedGoogleAccount comes with an address that the provider says it has
// not verified.
func unverifiedGoogleAccount(address string) *engine.Account {
	acc := googleAccount(address)
	acc.EmailVerified = false
	return acc
}

// emptyGoogleAccount comes without an address.
func emptyGoogleAccount() *engine.Account {
	return &engine.Account{Provider: google, Issuer: googleIssuer, Subject: "g-1"}
}

// forumAccount claims a verified address, but its provider is not trusted.
func forumAccount(address string) *engine.Account {
	acc := googleAccount(address)
	acc.Provider, acc.Issuer = forum, "https://forum.test"
	return acc
}

func invited(state engine.TicketState, values ...sent) happening {
	return func(at *engine.Attempt) {
		ticket := &engine.Ticket{ID: "t-1", State: state}
		for _, v := range values {
			ticket.Sent[v.attribute] = text(v.key)
		}
		at.Ticket = ticket
	}
}

func consented(version string) happening {
	return func(at *engine.Attempt) {
		at.Consent = &engine.Consent{Version: version, At: noon, Path: engine.PathForm}
	}
}

func taken(attributes engine.Set) happening {
	return func(at *engine.Attempt) {
		at.Taken |= attributes
		for _, a := range attributes.List() {
			at.Values[a] = engine.Value{}
		}
	}
}

// The commands, each with one part.

func give(a engine.Attribute, key string) engine.Command {
	var c engine.Command
	c.Changes[a] = engine.Change{Kind: engine.Give, Text: key, Key: key}
	return c
}

func withdraw(a engine.Attribute) engine.Command {
	var c engine.Command
	c.Changes[a] = engine.Change{Kind: engine.Clear}
	return c
}

// start begins a verification: of the account at google, of the wallet 0xabc, or
// of the address in force.
func start(strategy engine.Strategy) engine.Command {
	s := engine.Start{Strategy: strategy, Nonce: "nonce-1"}
	switch strategy {
	case engine.OAuth:
		s.Provider = google
	case engine.Web3Signature:
		s.Wallet = "0xabc"
	}
	return engine.Command{Start: []engine.Start{s}}
}

func answer(a engine.Attribute, right bool) engine.Command {
	return engine.Command{Check: &engine.Check{Attribute: a, Matches: right}}
}

func accountProved(acc *engine.Account) engine.Command {
	return engine.Command{Outcome: &engine.Outcome{Attribute: engine.ExternalAccount, Account: acc}}
}

// returned is what came back from the provider for the challenge of that nonce.
func returned(nonce string, acc *engine.Account) engine.Command {
	c := accountProved(acc)
	c.Outcome.Nonce = nonce
	return c
}

func walletSigned(address string) engine.Command {
	return engine.Command{Outcome: &engine.Outcome{Attribute: engine.Web3Wallet, Wallet: address}}
}

// together puts commands together; parts of the later ones win.
func together(commands ...engine.Command) engine.Command {
	var all engine.Command
	for _, c := range commands {
		for a, change := range c.Changes {
			if change.Kind != engine.Keep {
				all.Changes[a] = change
			}
		}
		all.Start = append(all.Start, c.Start...)
		if c.Check != nil {
			all.Check = c.Check
		}
		if c.Outcome != nil {
			all.Outcome = c.Outcome
		}
	}
	return all
}

// at are the facts at a time after noon, with nothing else to say.
func at(after time.Duration) engine.Facts {
	return engine.Facts{Now: noon.Add(after), Can: everything}
}
