package engine_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"stepwise/engine"
)

// The prover's second description: a search over everything that a client can do,
// one command after another, through Decide.

// campaign reports whether this is a long run, that tries everything.
func campaign() bool { return os.Getenv("CAMPAIGN") != "" }

// place is what of an attempt decides how it goes on.
type place struct {
	values  [engine.NumAttributes]engine.Value
	proofs  [engine.NumAttributes]string
	account string
	consent string
}

func placeOf(a engine.Attempt) place {
	p := place{values: a.Values}
	for i, v := range a.Verifications {
		if v != nil {
			p.proofs[i] = fmt.Sprintf("%s %s %t %s", v.Key, v.Provider, v.Verified, v.Failure)
		}
	}
	if a.Account != nil {
		p.account = fmt.Sprintf("%s %s %t", a.Account.Provider, a.Account.Sent[engine.EmailAddress].Key, a.Account.EmailVerified)
	}
	if a.Consent != nil {
		p.consent = a.Consent.Version
	}
	return p
}

// explorer searches breadth first, so that what it finds is shortest.
type explorer struct {
	settings engine.Settings
	can      engine.Capabilities
	way      engine.Way
	arrival  engine.Arrival
}

func accountSending(s engine.Settings, provider string, sends engine.Arrival) *engine.Account {
	i := slices.IndexFunc(s.Providers, func(p engine.Provider) bool { return p.Name == provider })
	acc := &engine.Account{Provider: provider, Asked: s.Providers[i].Issuer, Issuer: s.Providers[i].Issuer, Subject: "s"}
	acc.EmailVerified = sends == engine.ArrivesVerifiedEmail
	if sends != engine.ArrivesBare {
		acc.Sent[engine.EmailAddress] = text(sentEmail)
	}
	return acc
}

func startAccount(provider string) engine.Command {
	return engine.Command{Start: []engine.Start{{Strategy: engine.OAuth, Nonce: "nonce-1", Provider: provider}}}
}

// shortest returns how many commands the shortest completing sequence has.
func (x explorer) shortest() (steps int, completes bool) {
	a := attempt()
	switch {
	case x.way.Path != engine.PathTicket:
	case x.arrival == engine.ArrivesVerifiedEmail:
		invited(engine.TicketValid, sent{engine.EmailAddress, "invited"})(&a)
	case x.arrival == engine.ArrivesVerifiedPhone:
		invited(engine.TicketValid, sent{engine.PhoneNumber, "invited"})(&a)
	default:
		invited(engine.TicketValid)(&a)
	}
	var first []engine.Command
	switch x.way.Path {
	case engine.PathOAuth:
		first = []engine.Command{startAccount(x.way.Provider), returned("nonce-1", accountSending(x.settings, x.way.Provider, x.arrival))}
	case engine.PathWallet:
		first = []engine.Command{start(engine.Web3Signature), answer(engine.Web3Wallet, true)}
	}
	for i, c := range first {
		d := x.decide(a, c)
		if len(d.Problems) > 0 {
			return 0, false
		}
		if a = d.Attempt; d.Convert {
			return i + 1, true
		}
	}
	if entered, elsewhere := engine.Attribute(0), x.way.Path == engine.PathOAuth || x.way.Path == engine.PathWallet; elsewhere {
		if entered = engine.ExternalAccount; x.way.Path == engine.PathWallet {
			entered = engine.Web3Wallet
		}
		if !engine.Evaluate(x.settings, a).Present.Has(entered) {
			return 0, false
		}
	}
	return x.spread(a, len(first))
}

func (x explorer) decide(a engine.Attempt, c engine.Command) engine.Decision {
	return engine.Decide(x.settings, a, c, engine.Facts{Now: noon, Can: x.can})
}

func (x explorer) spread(from engine.Attempt, steps int) (int, bool) {
	if x.decide(from, engine.Command{}).Convert {
		return steps, true
	}
	seen := map[place]bool{placeOf(from): true}
	commands := x.commands()
	for front := []engine.Attempt{from}; len(front) > 0; {
		steps++
		var next []engine.Attempt
		for _, a := range front {
			for _, c := range commands {
				d := x.decide(a, c)
				if len(d.Problems) > 0 {
					continue
				}
				if d.Convert {
					return steps, true
				}
				if p := placeOf(d.Attempt); !seen[p] {
					seen[p] = true
					next = append(next, d.Attempt)
				}
			}
		}
		front = next
	}
	return 0, false
}

// commands are all that can make a difference; those that prove once more what the
// sign-up came in by are another way.
func (x explorer) commands() []engine.Command {
	list := []engine.Command{
		start(engine.EmailCode), start(engine.EmailLink), answer(engine.EmailAddress, true), start(engine.PhoneCode), answer(engine.PhoneNumber, true),
		withdraw(engine.EmailAddress), withdraw(engine.PhoneNumber),
	}
	for _, a := range x.settings.Enabled().List() {
		if !engine.Proven.Has(a) {
			list = append(list, give(a, "own"))
		}
	}
	if x.way.Path != engine.PathWallet {
		list = append(list, start(engine.Web3Signature), answer(engine.Web3Wallet, true))
	}
	if x.way.Path != engine.PathOAuth {
		for _, p := range x.settings.Providers {
			list = append(list, startAccount(p.Name))
			for _, sends := range []engine.Arrival{engine.ArrivesVerifiedEmail, engine.ArrivesUnverifiedEmail, engine.ArrivesBare} {
				list = append(list, returned("nonce-1", accountSending(x.settings, p.Name, sends)))
			}
		}
	}
	return list
}

// abilities are deployments that lack nothing, one thing, or everything.
func abilities() []engine.Capabilities {
	list := []engine.Capabilities{everything, {}}
	for i := range 4 {
		c := everything
		*[]*bool{&c.SendEmail, &c.SendSMS, &c.ProveWallet, &c.ProveAccount}[i] = false
		list = append(list, c)
	}
	return list
}

// furnished are the settings with what does not matter to the others: names and
// consent asked for, and invitations the only way in.
func furnished(i int, s engine.Settings) engine.Settings {
	if i%3 == 1 {
		field(engine.FirstName, true, false)(&s)
		consentAsked(&s)
	}
	if i%7 == 2 {
		s.EmailStrategies = []engine.Strategy{engine.EmailLink}
	}
	s.Restricted = i%5 == 4
	return s
}

// TestProspectsAreThoseOfASearch compares the prover with the search: whether a way
// completes, and in how few steps.
func TestProspectsAreThoseOfASearch(t *testing.T) {
	step := 101 // a prime, so that everything meets
	if raceDetector {
		step = 1009
	}
	if campaign() {
		step = 1
	}
	i, compared, outlooks := 0, 0, map[engine.Outlook]int{}
	everySettings(func(name string, s engine.Settings) {
		for n, can := range abilities() {
			if i++; i%step != 0 {
				continue
			}
			s := furnished(i/step, s)
			for _, p := range engine.Prospects(s, can) {
				outlooks[p.Outlook]++
				if p.Outlook == engine.OutlookClosed {
					if !s.Restricted || p.Path == engine.PathTicket || len(p.Cases) > 0 {
						t.Errorf("%s: %v is closed", name, p.Way)
					}
					continue
				}
				for _, c := range p.Cases {
					compared++
					steps, completes := explorer{s, can, p.Way, c.Arrival}.shortest()
					if completes != c.Completes || completes && steps != len(c.Steps) {
						t.Errorf("%s, deployment %d: by %v with %v: the prover says %t in %v, the search %t in %d",
							name, n, p.Way, c.Arrival, c.Completes, c.Steps, completes, steps)
					}
					if why := brokenStop(c); why != "" {
						t.Errorf("%s, deployment %d: by %v with %v: %s", name, n, p.Way, c.Arrival, why)
					}
				}
			}
		}
	})
	t.Logf("compared %d cases of ways that are %v", compared, outlooks)
	for _, o := range []engine.Outlook{engine.OutlookPossible, engine.OutlookDoubtful, engine.OutlookImpossible, engine.OutlookClosed} {
		if outlooks[o] == 0 {
			t.Errorf("no way is %s", o)
		}
	}
}

func brokenStop(c engine.Case) string {
	switch stops := c.Stop != (engine.Stop{}); {
	case c.Completes && (stops || len(c.Steps) == 0 && c.Arrival == engine.ArrivesBare):
		return fmt.Sprintf("completes with %v and stops at %+v", c.Steps, c.Stop)
	case !c.Completes && (!stops || len(c.Steps) > 0):
		return fmt.Sprintf("does not complete, and the stop is %+v, the steps %v", c.Stop, c.Steps)
	case stops && (c.Stop.Source == engine.Source{} || c.Stop.Reason == "" && c.Stop.Blocker == ""):
		return fmt.Sprintf("the stop %+v says too little", c.Stop)
	}
	return ""
}

// TestProspects: the cases that an operator meets, one by one.
func TestProspects(t *testing.T) {
	noMail, noSMS := everything, everything
	noMail.SendEmail, noSMS.SendSMS = false, false
	trusted := func(s *engine.Settings) {
		s.Providers = []engine.Provider{{Name: google, Enabled: true, TrustEmail: true}}
	}
	for _, test := range []struct {
		name     string
		settings engine.Settings
		can      engine.Capabilities
		want     string
	}{
		{"a new instance", newInstance(), everything, `
FORM POSSIBLE
  NOTHING: PROVIDE EMAIL_ADDRESS, START_VERIFICATION EMAIL_ADDRESS, CHECK_VERIFICATION EMAIL_ADDRESS, PROVIDE PASSWORD
TICKET POSSIBLE
  NOTHING: PROVIDE EMAIL_ADDRESS, START_VERIFICATION EMAIL_ADDRESS, CHECK_VERIFICATION EMAIL_ADDRESS, PROVIDE PASSWORD
  VERIFIED_EMAIL: PROVIDE PASSWORD`},
		{"a new instance that cannot send mail", newInstance(), noMail, `
FORM IMPOSSIBLE
  NOTHING stops at EMAIL_ADDRESS for REQUIRED_BY_SETTINGS CANNOT_BE_VERIFIED, SETTING emailAddress.verifyAtSignUp
TICKET DOUBTFUL
  NOTHING stops at EMAIL_ADDRESS for REQUIRED_BY_SETTINGS CANNOT_BE_VERIFIED, SETTING emailAddress.verifyAtSignUp
  VERIFIED_EMAIL: PROVIDE PASSWORD`},
		{"a provider, and no mail", instance(requiredVerified(engine.EmailAddress), trusted), noMail, `
FORM POSSIBLE
  NOTHING: START_VERIFICATION EXTERNAL_ACCOUNT google VERIFIED_EMAIL, CHECK_VERIFICATION EXTERNAL_ACCOUNT google VERIFIED_EMAIL
OAUTH google DOUBTFUL
  VERIFIED_EMAIL: START_VERIFICATION EXTERNAL_ACCOUNT google VERIFIED_EMAIL, CHECK_VERIFICATION EXTERNAL_ACCOUNT google VERIFIED_EMAIL
  UNVERIFIED_EMAIL stops at EMAIL_ADDRESS for MUST_BE_VERIFIED CANNOT_BE_VERIFIED, SETTING emailAddress.verifyAtSignUp
  NOTHING stops at EMAIL_ADDRESS for REQUIRED_BY_SETTINGS CANNOT_BE_VERIFIED, SETTING emailAddress.verifyAtSignUp
TICKET POSSIBLE
  NOTHING: START_VERIFICATION EXTERNAL_ACCOUNT google VERIFIED_EMAIL, CHECK_VERIFICATION EXTERNAL_ACCOUNT google VERIFIED_EMAIL
  VERIFIED_EMAIL: `},
		{"legacy, a provider that is not trusted", instance(legacy, requiredVerified(engine.EmailAddress), providers, required(engine.Password)), everything, `
FORM POSSIBLE
  NOTHING: START_VERIFICATION EXTERNAL_ACCOUNT google VERIFIED_EMAIL, CHECK_VERIFICATION EXTERNAL_ACCOUNT google VERIFIED_EMAIL
OAUTH google DOUBTFUL
  VERIFIED_EMAIL: START_VERIFICATION EXTERNAL_ACCOUNT google VERIFIED_EMAIL, CHECK_VERIFICATION EXTERNAL_ACCOUNT google VERIFIED_EMAIL
  UNVERIFIED_EMAIL stops at EXTERNAL_ACCOUNT for PROVIDER_EMAIL_NOT_VERIFIED, SETTING progressiveSignUp
  NOTHING stops at EXTERNAL_ACCOUNT for PROVIDER_EMAIL_NOT_VERIFIED, SETTING progressiveSignUp
OAUTH forum IMPOSSIBLE
  VERIFIED_EMAIL stops at EXTERNAL_ACCOUNT for PROVIDER_EMAIL_NOT_VERIFIED, SETTING progressiveSignUp
  UNVERIFIED_EMAIL stops at EXTERNAL_ACCOUNT for PROVIDER_EMAIL_NOT_VERIFIED, SETTING progressiveSignUp
  NOTHING stops at EXTERNAL_ACCOUNT for PROVIDER_EMAIL_NOT_VERIFIED, SETTING progressiveSignUp
TICKET POSSIBLE
  NOTHING: START_VERIFICATION EXTERNAL_ACCOUNT google VERIFIED_EMAIL, CHECK_VERIFICATION EXTERNAL_ACCOUNT google VERIFIED_EMAIL
  VERIFIED_EMAIL: PROVIDE PASSWORD`},
		{"a wallet, invited people only, no text messages", instance(restricted, required(engine.Web3Wallet), requiredVerified(engine.PhoneNumber)), noSMS, `
FORM CLOSED
WALLET CLOSED
TICKET DOUBTFUL
  NOTHING stops at PHONE_NUMBER for REQUIRED_BY_SETTINGS CANNOT_BE_VERIFIED, SETTING phoneNumber.verifyAtSignUp
  VERIFIED_PHONE: START_VERIFICATION WEB3_WALLET, CHECK_VERIFICATION WEB3_WALLET`},
		{"an address that the provider claims and nobody can verify is taken back", instance(optionalVerified(engine.EmailAddress), providers), noMail, `
FORM POSSIBLE
  NOTHING: START_VERIFICATION EXTERNAL_ACCOUNT google VERIFIED_EMAIL, CHECK_VERIFICATION EXTERNAL_ACCOUNT google VERIFIED_EMAIL
OAUTH google POSSIBLE
  VERIFIED_EMAIL: START_VERIFICATION EXTERNAL_ACCOUNT google VERIFIED_EMAIL, CHECK_VERIFICATION EXTERNAL_ACCOUNT google VERIFIED_EMAIL
  UNVERIFIED_EMAIL: START_VERIFICATION EXTERNAL_ACCOUNT google UNVERIFIED_EMAIL, CHECK_VERIFICATION EXTERNAL_ACCOUNT google UNVERIFIED_EMAIL, CLEAR EMAIL_ADDRESS
  NOTHING: START_VERIFICATION EXTERNAL_ACCOUNT google NOTHING, CHECK_VERIFICATION EXTERNAL_ACCOUNT google NOTHING
OAUTH forum POSSIBLE
  VERIFIED_EMAIL: START_VERIFICATION EXTERNAL_ACCOUNT forum VERIFIED_EMAIL, CHECK_VERIFICATION EXTERNAL_ACCOUNT forum VERIFIED_EMAIL, CLEAR EMAIL_ADDRESS
  UNVERIFIED_EMAIL: START_VERIFICATION EXTERNAL_ACCOUNT forum UNVERIFIED_EMAIL, CHECK_VERIFICATION EXTERNAL_ACCOUNT forum UNVERIFIED_EMAIL, CLEAR EMAIL_ADDRESS
  NOTHING: START_VERIFICATION EXTERNAL_ACCOUNT forum NOTHING, CHECK_VERIFICATION EXTERNAL_ACCOUNT forum NOTHING
TICKET POSSIBLE
  NOTHING: START_VERIFICATION EXTERNAL_ACCOUNT google VERIFIED_EMAIL, CHECK_VERIFICATION EXTERNAL_ACCOUNT google VERIFIED_EMAIL
  VERIFIED_EMAIL: `},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := told(engine.Prospects(test.settings, test.can)); got != strings.TrimPrefix(test.want, "\n") {
				t.Errorf("got\n%s\nwant%s", got, test.want)
			}
		})
	}
}

func told(prospects []engine.Prospect) string {
	var lines []string
	for _, p := range prospects {
		lines = append(lines, strings.Join(slices.DeleteFunc([]string{string(p.Path), p.Provider, string(p.Outlook)}, func(s string) bool { return s == "" }), " "))
		for _, c := range p.Cases {
			if !c.Completes {
				line := fmt.Sprintf("  %s stops at %v for %s", c.Arrival, c.Stop.Attribute, c.Stop.Reason)
				if c.Stop.Blocker != "" {
					line += " " + string(c.Stop.Blocker)
				}
				lines = append(lines, fmt.Sprintf("%s, %s %s", line, c.Stop.Source.Kind, c.Stop.Source.Name))
				continue
			}
			var steps []string
			for _, s := range c.Steps {
				steps = append(steps, strings.TrimSpace(strings.Join([]string{string(s.Kind), s.Attribute.String(), s.Provider, string(s.Sends)}, " ")))
			}
			lines = append(lines, fmt.Sprintf("  %s: %s", c.Arrival, strings.Join(steps, ", ")))
		}
	}
	return strings.Join(lines, "\n")
}

func BenchmarkProspects(b *testing.B) {
	s := newInstance()
	for _, change := range []setting{providers, optional(engine.Web3Wallet), optionalVerified(engine.PhoneNumber), optional(engine.Username)} {
		change(&s)
	}
	for b.Loop() {
		engine.Prospects(s, everything)
	}
}
