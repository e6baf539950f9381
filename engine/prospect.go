package engine

import (
	"slices"
)

// Way is a way in: how a sign-up begins. Provider is set for PathOAuth.
type Way struct {
	Path     Path
	Provider string
}

// Arrival is what comes with a sign-up that begins in some way: what the provider
// says about its account, or what the invitation was sent to.
type Arrival string

const (
	ArrivesBare            Arrival = "NOTHING"
	ArrivesVerifiedEmail   Arrival = "VERIFIED_EMAIL"
	ArrivesUnverifiedEmail Arrival = "UNVERIFIED_EMAIL"
	ArrivesVerifiedPhone   Arrival = "VERIFIED_PHONE"
)

// Outlook says whether a way in leads to a user.
type Outlook string

const (
	// OutlookPossible: whatever comes with the sign-up, it can complete.
	OutlookPossible Outlook = "POSSIBLE"
	// OutlookDoubtful: that depends on what comes with it.
	OutlookDoubtful Outlook = "DOUBTFUL"
	// OutlookImpossible: nobody who comes like this can complete.
	OutlookImpossible Outlook = "IMPOSSIBLE"
	// OutlookClosed: the settings admit nobody who comes like this, on purpose.
	OutlookClosed Outlook = "CLOSED"
)

// Prospect is what becomes of sign-ups that begin in one way, proven for each
// arrival. A closed way has no cases.
type Prospect struct {
	Way
	Outlook Outlook
	Cases   []Case
}

// Case is the proof for one arrival: the shortest sequence of steps that completes,
// or where the sequence that comes closest stops.
type Case struct {
	Arrival   Arrival
	Completes bool
	Steps     []Step
	Stop      Stop
}

// Step is one thing the client does. The first ones prove the account or the wallet
// that the sign-up comes in by.
type Step struct {
	Kind      ActionKind
	Attribute Attribute
	// Strategy is that of a verification; Provider that of an account, and Sends what
	// this provider says of it.
	Strategy Strategy
	Provider string
	Sends    Arrival
}

// Stop is where a sign-up stops: at an attribute, at a blocker, or at an attribute
// because of a blocker.
type Stop struct {
	Attribute    Attribute
	HasAttribute bool
	Reason       Reason
	Blocker      BlockerCode
	Source       Source
}

// Prospects decides for each way in whether a sign-up that begins so can complete
// under the settings, on a deployment of these capabilities, while nobody changes
// either. A sign-up counts as one of an account or a wallet only if that is what it
// completes with; whatever else it needs it may get in any way.
//
// What is tried is every choice of what to give and prove, at most some thousand
// evaluations a way. That suffices because the order of the steps does not matter,
// and because values matter only by being there, proven, and equal; it is assumed that
// somebody has addresses which the restrictions admit.
func Prospects(s Settings, can Capabilities) []Prospect {
	s.Restrictions = Restrictions{}
	enabled := s.Enabled()
	invited := []Arrival{ArrivesBare}
	if enabled.Has(EmailAddress) {
		invited = append(invited, ArrivesVerifiedEmail)
	}
	if enabled.Has(PhoneNumber) {
		invited = append(invited, ArrivesVerifiedPhone)
	}
	list := []Prospect{prospect(s, can, Way{Path: PathForm}, []Arrival{ArrivesBare})}
	proven := map[bool][]Case{} // of providers, by what all that matters about them is
	for _, p := range s.Providers {
		if !p.Enabled {
			continue
		}
		way := Way{PathOAuth, p.Name}
		if proven[p.TrustEmail] == nil {
			proven[p.TrustEmail] = prospect(s, can, way, []Arrival{ArrivesVerifiedEmail, ArrivesUnverifiedEmail, ArrivesBare}).Cases
		}
		list = append(list, concluded(s, way, byProvider(proven[p.TrustEmail], p.Name)))
	}
	if enabled.Has(Web3Wallet) {
		list = append(list, prospect(s, can, Way{Path: PathWallet}, []Arrival{ArrivesBare}))
	}
	return append(list, prospect(s, can, Way{Path: PathTicket}, invited))
}

func prospect(s Settings, can Capabilities, way Way, arrivals []Arrival) Prospect {
	var cases []Case
	for _, arrival := range arrivals {
		cases = append(cases, prove(s, can, way, arrival))
	}
	return concluded(s, way, cases)
}

func concluded(s Settings, way Way, cases []Case) Prospect {
	completing := 0
	for _, c := range cases {
		if c.Completes {
			completing++
		}
	}
	p := Prospect{Way: way, Outlook: OutlookDoubtful, Cases: cases}
	switch {
	case s.Restricted && way.Path != PathTicket:
		p.Outlook, p.Cases = OutlookClosed, nil
	case completing == len(cases):
		p.Outlook = OutlookPossible
	case completing == 0:
		p.Outlook = OutlookImpossible
	}
	return p
}

// byProvider returns the cases as they are for the provider of that name: the
// account that the sign-up comes in by is its.
func byProvider(cases []Case, name string) []Case {
	cases = slices.Clone(cases)
	for i, c := range cases {
		steps := slices.Clone(c.Steps)
		for j := range steps {
			if steps[j].Attribute == ExternalAccount {
				steps[j].Provider = name
			}
		}
		cases[i].Steps = steps
	}
	return cases
}

// The values that stand for all others.
const (
	placeholder        = "own"
	placeholderSent    = "sent"
	placeholderInvited = "invited"
)

func standIn(text string) Value { return Value{Given, text, text} }

// choice is one thing to do about an attribute; the zero value does nothing.
type choice struct {
	steps []Step
	apply func(*Attempt)
}

// search looks for the cheapest choices that complete, or come closest.
type search struct {
	settings Settings
	way      Way
	choices  [][]choice
	best     Case
	left     int // what keeps best from completing
}

func prove(s Settings, can Capabilities, way Way, arrival Arrival) Case {
	if a, elsewhere := way.attribute(); elsewhere && !can.prove(a) {
		b := Blocker{BlockedUnprovable, WaitForOperator, a, true}
		return Case{Arrival: arrival, Stop: Stop{Attribute: a, HasAttribute: true, Blocker: b.Code, Source: b.Source()}}
	}
	entry, steps := arrive(s, way, arrival)
	x := search{settings: s, way: way, choices: choices(s, can, way, entry), left: -1}
	x.try(0, entry, steps)
	x.best.Arrival = arrival
	if x.best.Completes = x.left == 0; x.best.Completes {
		x.best.Stop = Stop{}
		return x.best
	}
	x.best.Steps = nil
	if a := x.best.Stop.Attribute; x.best.Stop.HasAttribute && (Proven | s.mustVerify()).Has(a) && !can.prove(a) {
		b := Blocker{BlockedUnprovable, WaitForOperator, a, true}
		x.best.Stop.Blocker, x.best.Stop.Source = b.Code, b.Source()
	}
	return x.best
}

// attribute is what a way proves first, if it does.
func (w Way) attribute() (Attribute, bool) {
	switch w.Path {
	case PathOAuth:
		return ExternalAccount, true
	case PathWallet:
		return Web3Wallet, true
	}
	return 0, false
}

// arrive returns the attempt that has just come in, and how.
func arrive(s Settings, way Way, arrival Arrival) (Attempt, []Step) {
	var a Attempt
	switch way.Path {
	case PathOAuth:
		c := proveAccount(s, way.Provider, arrival)
		c.apply(&a)
		return a, c.steps
	case PathWallet:
		c := proveWallet()
		c.apply(&a)
		return a, c.steps
	case PathTicket:
		a.Ticket = &Ticket{}
		switch arrival {
		case ArrivesVerifiedEmail:
			a.Ticket.Sent[EmailAddress] = standIn(placeholderInvited)
		case ArrivesVerifiedPhone:
			a.Ticket.Sent[PhoneNumber] = standIn(placeholderInvited)
		}
	}
	return a, nil
}

func elsewhere(a Attribute, strategy Strategy, provider string, sends Arrival) []Step {
	return []Step{{ActionStart, a, strategy, provider, sends}, {ActionCheck, a, strategy, provider, sends}}
}

func proveWallet() choice {
	return choice{elsewhere(Web3Wallet, Web3Signature, "", ""), func(a *Attempt) { a.Values[Web3Wallet] = standIn(placeholder) }}
}

func proveAccount(s Settings, provider string, sends Arrival) choice {
	p, _ := s.provider(provider)
	account := Account{Provider: provider, Asked: p.Issuer, EmailVerified: sends == ArrivesVerifiedEmail}
	if sends != ArrivesBare {
		account.Sent[EmailAddress] = standIn(placeholderSent)
	}
	return choice{elsewhere(ExternalAccount, OAuth, provider, sends), func(a *Attempt) { a.Account = &account }}
}

// choices lists, for each attribute that is not decided by the others, what can be
// done about it.
func choices(s Settings, can Capabilities, way Way, entry Attempt) [][]choice {
	enabled := s.Enabled()
	var list [][]choice
	add := func(a Attribute, more ...choice) {
		if enabled.Has(a) {
			list = append(list, append([]choice{{}}, more...))
		}
	}
	if way.Path != PathOAuth && can.ProveAccount {
		add(ExternalAccount, accounts(s)...)
	}
	if way.Path != PathWallet && can.ProveWallet {
		add(Web3Wallet, proveWallet())
	}
	for _, a := range Verifiable.List() {
		add(a, addressChoices(s, can, a)...)
	}
	add(Username, provide(Username))
	add(Password, provide(Password))
	return list
}

// accounts are the ones that can make a difference: of a provider that is trusted,
// with a verified address; of any other, with an address at least; without one.
func accounts(s Settings) []choice {
	var list []choice
	seen := map[bool]bool{}
	for _, p := range s.Providers {
		if p.Enabled && !seen[p.TrustEmail] {
			seen[p.TrustEmail] = true
			for _, sends := range []Arrival{ArrivesVerifiedEmail, ArrivesUnverifiedEmail, ArrivesBare} {
				list = append(list, proveAccount(s, p.Name, sends))
			}
		}
	}
	return list
}

func provide(a Attribute) choice {
	return choice{[]Step{{Kind: ActionProvide, Attribute: a}}, func(at *Attempt) { at.Values[a] = standIn(placeholder) }}
}

// addressChoices: give an address, give one and verify it, verify the one that came
// along, or take that one back.
func addressChoices(s Settings, can Capabilities, a Attribute) []choice {
	given := provide(a)
	list := []choice{given, {[]Step{{Kind: ActionClear, Attribute: a}}, func(at *Attempt) { at.Values[a] = Value{Presence: Cleared} }}}
	strategies := s.Offered(a, can)
	if len(strategies) == 0 {
		return list
	}
	strategy := strategies[0]
	verify := []Step{{ActionStart, a, strategy, "", ""}, {ActionCheck, a, strategy, "", ""}}
	return append(list,
		choice{slices.Concat(given.steps, verify), func(at *Attempt) {
			given.apply(at)
			at.Verifications[a] = &Verification{Strategy: strategy, Key: placeholder, Verified: true}
		}},
		choice{verify, func(at *Attempt) {
			d := deciding{settings: s, attempt: *at}
			if value := d.address(a); value.Presence == Given && !proven(s, *at, a, value.Key) {
				at.Verifications[a] = &Verification{Strategy: strategy, Key: value.Key, Verified: true}
			}
		}})
}

// try goes through the choices that are left, and notes the best ending.
func (x *search) try(i int, a Attempt, steps []Step) {
	if x.left == 0 && len(steps) >= len(x.best.Steps) {
		return // it only gets longer
	}
	if i == len(x.choices) {
		x.conclude(a, steps)
		return
	}
	for _, c := range x.choices[i] {
		next := a
		if c.apply != nil {
			c.apply(&next)
		}
		x.try(i+1, next, slices.Concat(steps, c.steps))
	}
}

// conclude gives what nothing else depends on, where it is asked for, and compares
// the ending with the best one.
func (x *search) conclude(a Attempt, steps []Step) {
	v := Evaluate(x.settings, a)
	for _, attribute := range (v.Missing & SetOf(FirstName, LastName, LegalAccepted)).List() {
		a.Values[attribute] = standIn(placeholder)
		if attribute == LegalAccepted {
			a.Consent = &Consent{Version: x.settings.LegalVersion}
		}
		steps = append(slices.Clip(steps), Step{Kind: ActionProvide, Attribute: attribute})
	}
	v = Evaluate(x.settings, a)
	left := len(v.Missing.List()) + len(v.Unverified.List()) + len(v.Blockers)
	entered, elsewhere := x.way.attribute()
	arrived := !elsewhere || v.Present.Has(entered)
	if !arrived {
		left++
	}
	if x.left >= 0 && (left > x.left || left == x.left && len(steps) >= len(x.best.Steps)) {
		return
	}
	x.left, x.best = left, Case{Steps: steps}
	switch outstanding := v.Missing | v.Unverified; {
	case left == 0:
	case !arrived:
		x.best.Stop = stopAt(v, entered)
	case !outstanding.Empty():
		x.best.Stop = stopAt(v, outstanding.List()[0])
	default:
		b := v.Blockers[0]
		x.best.Stop = Stop{Attribute: b.Attribute, HasAttribute: b.HasAttribute, Blocker: b.Code, Source: b.Source()}
	}
}

func stopAt(v Verdict, a Attribute) Stop {
	return Stop{Attribute: a, HasAttribute: true, Reason: v.Reasons[a], Source: v.Reasons[a].Source(a)}
}
