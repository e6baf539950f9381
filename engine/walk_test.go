package engine_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"pgregory.net/rapid"

	"stepwise/engine"
)

// Random instances, and random things for their clients to do.

// acceptedSettings are all settings of identifiers and password that an
// operator may have and under which somebody can complete.
var acceptedSettings = sync.OnceValue(func() []engine.Settings {
	var list []engine.Settings
	for _, f := range everyFate() {
		if f.completes && len(f.settings.Refusals()) == 0 {
			list = append(list, f.settings)
		}
	}
	return list
})

// drawSettings draws settings that an operator may have.
func drawSettings(t *rapid.T) engine.Settings {
	s := rapid.SampledFrom(acceptedSettings()).Draw(t, "settings")
	s.Providers = slices.Clone(s.Providers)
	for _, a := range []engine.Attribute{engine.FirstName, engine.LastName} {
		plain := s
		s.Fields[a] = rapid.SampledFrom([]engine.FieldSettings{{}, {Enabled: true}, {Enabled: true, Required: true}}).Draw(t, a.String())
		if len(s.Refusals()) > 0 {
			s = plain
		}
	}
	s.Fields[engine.LegalAccepted].Enabled = rapid.Bool().Draw(t, "consent asked")
	s.Restrictions = rapid.SampledFrom([]engine.Restrictions{
		{}, {},
		{Emails: engine.AddressLists{Block: engine.Entries{sentEmail: true}}, Phones: engine.AddressLists{Block: engine.Entries{"b": true}}},
		{Emails: engine.AddressLists{Block: engine.Entries{"a": true}}},
	}).Draw(t, "restrictions")
	s.LegalVersion = rapid.SampledFrom([]string{"terms-1", terms}).Draw(t, "terms")
	return s
}

// drawWays draws how addresses may be verified, and how long challenges last.
func drawWays(t *rapid.T, s engine.Settings) engine.Settings {
	s.EmailStrategies = rapid.SampledFrom([][]engine.Strategy{nil, {engine.EmailCode}, {engine.EmailLink}, {engine.EmailCode, engine.EmailLink}}).Draw(t, "ways")
	s.CodeLifetime = rapid.SampledFrom([]time.Duration{0, time.Minute, time.Hour}).Draw(t, "lifetime")
	s.ResendInterval = rapid.SampledFrom([]time.Duration{0, 10 * time.Second, 10 * time.Minute}).Draw(t, "interval")
	return s
}

// drawCommand draws a command of one to three parts, sensible or not. Nonces
// are made of the given number, which is another one for every command.
func drawCommand(t *rapid.T, number int) engine.Command {
	var parts []engine.Command
	for range rapid.IntRange(1, 3).Draw(t, "parts") {
		parts = append(parts, drawPart(t))
	}
	c := together(parts...)
	for i := range c.Start {
		c.Start[i].Nonce = fmt.Sprintf("nonce-%d-%d", number, i)
	}
	return c
}

func drawPart(t *rapid.T) engine.Command {
	anyOf := func(attributes ...engine.Attribute) engine.Attribute {
		return rapid.SampledFrom(attributes).Draw(t, "attribute")
	}
	switch rapid.SampledFrom([]string{"give", "give", "give", "clear", "start", "start", "check", "check", "outcome"}).Draw(t, "part") {
	case "give":
		a := anyOf(engine.EmailAddress, engine.EmailAddress, engine.PhoneNumber, engine.PhoneNumber, engine.Username,
			engine.Password, engine.FirstName, engine.LastName, engine.LegalAccepted, engine.Web3Wallet)
		return give(a, rapid.SampledFrom([]string{"a", "b", sentEmail}).Draw(t, "value"))
	case "clear":
		return withdraw(anyOf(engine.All.List()...))
	case "start":
		strategy := rapid.SampledFrom([]engine.Strategy{engine.EmailCode, engine.PhoneCode, engine.EmailCode, engine.PhoneCode, engine.EmailLink, engine.OAuth, engine.Web3Signature}).Draw(t, "strategy")
		return start(strategy)
	case "check":
		return answer(anyOf(engine.EmailAddress, engine.PhoneNumber, engine.Web3Wallet, engine.ExternalAccount), rapid.Bool().Draw(t, "right"))
	}
	if rapid.Bool().Draw(t, "wallet") {
		return walletSigned(rapid.SampledFrom([]string{"0xabc", "0xdef"}).Draw(t, "address"))
	}
	return accountProved(rapid.SampledFrom([]*engine.Account{
		googleAccount(sentEmail), googleAccount("a", sent{engine.FirstName, "Ada"}, sent{engine.PhoneNumber, "b"}),
		unverifiedGoogleAccount(sentEmail), emptyGoogleAccount(), forumAccount(sentEmail),
	}).Draw(t, "account"))
}

func drawFacts(t *rapid.T, now time.Time) engine.Facts {
	f := engine.Facts{Now: now, Can: everything}
	if rapid.IntRange(0, 9).Draw(t, "taken") == 0 {
		f.Taken = 1 << rapid.SampledFrom(engine.Identifiers.List()).Draw(t, "of")
	}
	return f
}

// drawWait draws how long a person hesitates: short, past the next code, past
// the end of a code, seldom past the end of the sign-up.
func drawWait(t *rapid.T) time.Duration {
	return rapid.SampledFrom([]time.Duration{0, 0, time.Second, 30 * time.Second, 31 * time.Second,
		10*time.Minute - 1, 10 * time.Minute, time.Hour}).Draw(t, "wait")
}

// drawBeginning draws a sign-up nobody has done anything to yet.
func drawBeginning(t *rapid.T) engine.Attempt {
	a := attempt()
	if rapid.IntRange(0, 3).Draw(t, "invited") == 0 {
		ticketWithAddresses(engine.TicketValid)(&a)
	}
	return a
}

// settle does what the shell does with a sign-up that has all it needs: it
// becomes a user or loses a race for some of its identifiers.
func settle(t *rapid.T, s engine.Settings, d engine.Decision, now time.Time) engine.Attempt {
	a := engine.BeginCompletion(d.Attempt)
	lost := engine.Set(rapid.Uint16().Draw(t, "lost")) & engine.Identifiers & d.Verdict.Present
	if lost == none || rapid.Bool().Draw(t, "wins") {
		return engine.Finish(s, a, now)
	}
	return engine.Reopen(a, lost)
}

// copyOf shares nothing with the attempt.
func copyOf(a engine.Attempt) engine.Attempt {
	for i, v := range a.Verifications {
		a.Verifications[i] = copied(v)
	}
	a.Account, a.Ticket, a.Consent = copied(a.Account), copied(a.Ticket), copied(a.Consent)
	return a
}

func copied[T any](p *T) *T {
	if p == nil {
		return nil
	}
	v := *p
	return &v
}

// naiveClient knows no order of fields and no rule: it takes any field that is
// missing, unverified or not allowed, and does what is offered for it.
type naiveClient struct {
	settings engine.Settings
	attempt  engine.Attempt
	now      time.Time
	random   *rand.Rand
	given    int
	// proofs are the attempts at a proof that did not help; after one, the
	// client takes the other way that is offered.
	proofs engine.Set
}

// finishes lets the client work until the sign-up has all it needs. It returns
// what went wrong, or the empty string.
func (c *naiveClient) finishes() string {
	c.attempt.AbandonAt = c.now.Add(24 * time.Hour)
	for range 200 {
		d := engine.Decide(c.settings, c.attempt, engine.Command{}, c.facts())
		c.attempt = d.Attempt
		requirements := engine.Requirements(c.settings, c.attempt, d.Verdict, everything, c.now)
		if why := c.contradiction(d, requirements); why != "" || d.Convert {
			return why
		}
		var todo []engine.Requirement
		for _, r := range requirements {
			if (r.State == engine.StateMissing || r.State == engine.StateUnverified || r.Reason == engine.ReasonNotAllowed) && len(r.Actions) > 0 {
				todo = append(todo, r)
			}
		}
		if len(todo) == 0 {
			return fmt.Sprintf("nothing to do: missing %v unverified %v blockers %v", d.Verdict.Missing, d.Verdict.Unverified, d.Verdict.Blockers)
		}
		if why := c.does(todo[c.random.IntN(len(todo))]); why != "" {
			return why
		}
		c.now = c.now.Add(31 * time.Second)
	}
	v := engine.Evaluate(c.settings, c.attempt)
	return fmt.Sprintf("no end: missing %v unverified %v blockers %v", v.Missing, v.Unverified, v.Blockers)
}

// contradiction says where verdict, lists, states and status do not say the same.
func (c *naiveClient) contradiction(d engine.Decision, requirements []engine.Requirement) string {
	v := d.Verdict
	outstanding := false
	for _, r := range requirements {
		missing, unverified := r.State == engine.StateMissing, r.State == engine.StateUnverified
		outstanding = outstanding || missing || unverified
		switch {
		case missing != v.Missing.Has(r.Attribute) || unverified != v.Unverified.Has(r.Attribute):
			return fmt.Sprintf("%v is %s; missing %v, unverified %v", r.Attribute, r.State, v.Missing, v.Unverified)
		case (r.State == engine.StateDisabled) == (v.Required | v.Optional).Has(r.Attribute):
			return fmt.Sprintf("%v is %s; required %v, optional %v", r.Attribute, r.State, v.Required, v.Optional)
		case r.Reason.Source(r.Attribute) == engine.Source{}:
			return fmt.Sprintf("%v is %s for %q, which nothing is behind", r.Attribute, r.State, r.Reason)
		}
	}
	switch {
	case !v.Equal(engine.Evaluate(c.settings, c.attempt)):
		return "the decision has another verdict than the evaluation"
	case d.Convert == (outstanding || len(v.Blockers) > 0):
		return fmt.Sprintf("converts %t; missing %v, unverified %v, blockers %v", d.Convert, v.Missing, v.Unverified, v.Blockers)
	case c.attempt.Status(c.now) != engine.StatusMissingRequirements:
		return fmt.Sprintf("the status is %s before the end", c.attempt.Status(c.now))
	}
	return ""
}

func (c *naiveClient) facts() engine.Facts { return engine.Facts{Now: c.now, Can: everything} }

// does performs the most telling of the actions that are offered.
func (c *naiveClient) does(r engine.Requirement) string {
	var command engine.Command
	switch kinds := offered(r); {
	case kinds[engine.ActionCheck] && r.Attribute == engine.ExternalAccount:
		c.given++
		open := c.attempt.Verifications[r.Attribute]
		acc := googleAccount(fmt.Sprint(c.given, "@example.test"))
		acc.Provider = open.Provider
		command = returned(open.Nonce, acc)
	case kinds[engine.ActionCheck]:
		command = answer(r.Attribute, true)
	case kinds[engine.ActionProvide] && r.State == engine.StateMissing:
		c.given++
		command = give(r.Attribute, fmt.Sprint("value-", c.given))
	case kinds[engine.ActionStart] && !(c.proofs.Has(r.Attribute) && kinds[engine.ActionClear]):
		command = c.proves(r)
		c.proofs |= engine.Proven & (1 << r.Attribute)
	default:
		command = withdraw(r.Attribute)
	}
	d := engine.Decide(c.settings, c.attempt, command, c.facts())
	if c.attempt = d.Attempt; len(d.Problems) > 0 {
		return fmt.Sprintf("%v was offered and is refused: %v", r, d.Problems)
	}
	return ""
}

// proves starts a code, or the proof that a provider or a wallet makes.
func (c *naiveClient) proves(r engine.Requirement) engine.Command {
	c.given++
	switch r.Attribute {
	case engine.Web3Wallet:
		return engine.Command{Start: []engine.Start{{Strategy: engine.Web3Signature, Nonce: fmt.Sprint("nonce-", c.given), Wallet: fmt.Sprint("0x", c.given)}}}
	case engine.ExternalAccount:
		var open []engine.Provider
		for _, p := range c.settings.Providers {
			if p.Enabled {
				open = append(open, p)
			}
		}
		return engine.Command{Start: []engine.Start{{Strategy: engine.OAuth, Nonce: fmt.Sprint("nonce-", c.given),
			Provider: open[c.random.IntN(len(open))].Name}}}
	}
	for _, action := range r.Actions {
		if action.Kind == engine.ActionStart {
			return engine.Command{Start: []engine.Start{{Strategy: action.Strategies[0], Nonce: fmt.Sprint("nonce-", c.given)}}}
		}
	}
	return engine.Command{}
}

func offered(r engine.Requirement) map[engine.ActionKind]bool {
	kinds := map[engine.ActionKind]bool{}
	for _, action := range r.Actions {
		kinds[action.Kind] = true
	}
	return kinds
}
