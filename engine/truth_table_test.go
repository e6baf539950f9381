package engine_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"stepwise/engine"
)

// The truth table: every combination of what an operator can set and what can
// have happened to a sign-up, for the attributes that influence each other.
// What does not (names, consent, restriction, a ticket gone bad, values that
// were taken, all values of disabled attributes) is left out here;
// folding_test.go shows that it may be.

// column is one independent dimension of the table. Each cell sets everything
// that its column is about, so that cells may follow each other in any order.
type column []cell

type cell struct {
	name string
	put  func(*engine.Settings, *engine.Attempt)
}

// sampling is every how many-th row is looked at where all would take too long:
// a prime that divides the length of no column, so that all cells meet.
const sampling = 53

// What the person types, and what providers and tickets send.
const (
	ownEmail  = "own@example.test"
	sentEmail = "sent@example.test"
	ownPhone  = "+15005550001"
	sentPhone = "+15005550002"
)

func truthTable() []column {
	return []column{
		algorithmColumn(), ticketColumn(), accountColumn(), walletColumn(), usernameColumn(),
		addressColumn(engine.PhoneNumber, phoneStates()), passwordColumn(),
		addressColumn(engine.EmailAddress, emailStates()),
	}
}

func algorithmColumn() column {
	return column{
		{"progressive", func(s *engine.Settings, _ *engine.Attempt) { s.Progressive = true }},
		{"legacy", func(s *engine.Settings, _ *engine.Attempt) { s.Progressive = false }},
	}
}

// state is what can have happened to one attribute.
type state struct {
	name       string
	happenings []happening
}

// put makes the attempt's part for the attribute that of the state.
func (st state) put(at *engine.Attempt, a engine.Attribute) {
	at.Values[a], at.Verifications[a] = engine.Value{}, nil
	at.Taken &^= 1 << a
	for _, happen := range st.happenings {
		happen(at)
	}
}

func emailStates() []state {
	e := engine.EmailAddress
	return []state{
		{"unset", nil},
		{"cleared", []happening{cleared(e)}},
		{"typed", []happening{given(e, ownEmail)}},
		{"proved", []happening{given(e, ownEmail), proved(e, ownEmail)}},
		{"another one proved", []happening{given(e, ownEmail), proved(e, "former@example.test")}},
		{"typed what is sent too", []happening{given(e, sentEmail)}},
		{"taken", []happening{taken(email)}},
	}
}

func phoneStates() []state {
	p := engine.PhoneNumber
	return []state{
		{"unset", nil},
		{"cleared", []happening{cleared(p)}},
		{"typed", []happening{given(p, ownPhone)}},
		{"proved", []happening{given(p, ownPhone), proved(p, ownPhone)}},
		{"typed what is sent too", []happening{given(p, sentPhone)}},
	}
}

// addressColumn is for an attribute that can be verified.
func addressColumn(a engine.Attribute, states []state) column {
	var c column
	for _, fs := range []engine.FieldSettings{
		{Enabled: true}, {Enabled: true, Required: true},
		{Enabled: true, Verify: true}, {Enabled: true, Required: true, Verify: true},
	} {
		for _, st := range states {
			c = append(c, cell{
				fmt.Sprintf("%v %s, %s", a, describeField(fs), st.name),
				func(s *engine.Settings, at *engine.Attempt) { s.Fields[a] = fs; st.put(at, a) },
			})
		}
	}
	off := states[3]
	return append(c, cell{
		fmt.Sprintf("%v off, %s", a, off.name),
		func(s *engine.Settings, at *engine.Attempt) { s.Fields[a] = engine.FieldSettings{}; off.put(at, a) },
	})
}

func describeField(fs engine.FieldSettings) string {
	word := "optional"
	if fs.Required {
		word = "required"
	}
	if fs.Verify {
		word += " verified"
	}
	return word
}

// plainColumn is for an attribute whose value nobody has to verify afterwards.
// The last state is the one for the disabled attribute.
func plainColumn(a engine.Attribute, states ...state) column {
	var c column
	for _, fs := range []engine.FieldSettings{{Enabled: true}, {Enabled: true, Required: true}} {
		for _, st := range states {
			c = append(c, cell{
				fmt.Sprintf("%v %s, %s", a, describeField(fs), st.name),
				func(s *engine.Settings, at *engine.Attempt) { s.Fields[a] = fs; st.put(at, a) },
			})
		}
	}
	off := states[len(states)-1]
	return append(c, cell{
		fmt.Sprintf("%v off, %s", a, off.name),
		func(s *engine.Settings, at *engine.Attempt) { s.Fields[a] = engine.FieldSettings{}; off.put(at, a) },
	})
}

func usernameColumn() column {
	return plainColumn(engine.Username, state{"unset", nil}, state{"given", []happening{given(engine.Username, "ada")}})
}

func walletColumn() column {
	return plainColumn(engine.Web3Wallet, state{"none", nil}, state{"proved", []happening{walletProved}})
}

func passwordColumn() column {
	return plainColumn(engine.Password, state{"unset", nil}, state{"given", []happening{given(engine.Password, "hash")}})
}

func accountColumn() column {
	claimed := googleAccount(sentEmail)
	more := googleAccount(sentEmail, sent{engine.PhoneNumber, sentPhone}, sent{engine.Username, "sent"})
	foreign := forumAccount(sentEmail)
	states := []state{
		{"none", nil},
		{"no email", []happening{signedInWith(emptyGoogleAccount())}},
		{"unverified email", []happening{signedInWith(unverifiedGoogleAccount(sentEmail))}},
		{"verified email", []happening{signedInWith(claimed)}},
		{"verified email, phone and username", []happening{signedInWith(more)}},
		{"of a disabled provider", []happening{signedInWith(foreign)}},
	}
	var c column
	for _, trust := range []bool{true, false} {
		list := []engine.Provider{{Name: google, Enabled: true, TrustEmail: trust}, {Name: forum, TrustEmail: true}}
		for _, require := range []bool{false, true} {
			for _, st := range states {
				c = append(c, cell{
					fmt.Sprintf("EXTERNAL_ACCOUNT required=%t trusted=%t, %s", require, trust, st.name),
					func(s *engine.Settings, at *engine.Attempt) {
						s.Providers = list
						s.Fields[engine.ExternalAccount].Required = require
						at.Account = nil
						st.put(at, engine.ExternalAccount)
					},
				})
			}
		}
	}
	off := []engine.Provider{{Name: google, TrustEmail: true}}
	return append(c, cell{"EXTERNAL_ACCOUNT off, verified email", func(s *engine.Settings, at *engine.Attempt) {
		s.Providers = off
		s.Fields[engine.ExternalAccount].Required = false
		states[3].put(at, engine.ExternalAccount)
	}})
}

func ticketColumn() column {
	return column{
		{"no ticket", func(_ *engine.Settings, at *engine.Attempt) { at.Ticket = nil }},
		{"ticket", func(_ *engine.Settings, at *engine.Attempt) { ticketWithAddresses(engine.TicketValid)(at) }},
	}
}

func ticketWithAddresses(state engine.TicketState) happening {
	return invited(state, sent{engine.EmailAddress, sentEmail}, sent{engine.PhoneNumber, sentPhone})
}

// rows is the number of combinations.
func rows(columns []column) int {
	n := 1
	for _, c := range columns {
		n *= len(c)
	}
	return n
}

// row puts the i-th combination; the last column turns fastest.
func row(columns []column, i int, s *engine.Settings, a *engine.Attempt) {
	for c := len(columns) - 1; c >= 0; c-- {
		columns[c][i%len(columns[c])].put(s, a)
		i /= len(columns[c])
	}
}

// next goes from the combination before i to the i-th, putting only what
// differs.
func next(columns []column, i int, s *engine.Settings, a *engine.Attempt) {
	for c := len(columns) - 1; c >= 0; c-- {
		digit := i % len(columns[c])
		columns[c][digit].put(s, a)
		if digit != 0 {
			return
		}
		i /= len(columns[c])
	}
}

func rowName(columns []column, i int) string {
	names := make([]string, len(columns))
	for c := len(columns) - 1; c >= 0; c-- {
		names[c] = columns[c][i%len(columns[c])].name
		i /= len(columns[c])
	}
	return strings.Join(names, "; ")
}

// everyRow calls check for the rows of the table, from several goroutines at
// once. With step 1 these are all, otherwise every step-th.
func everyRow(columns []column, step int, check func(i int, s engine.Settings, a engine.Attempt)) {
	const slices = 64
	total := rows(columns)
	var wait sync.WaitGroup
	var slice atomic.Int64
	for range runtime.GOMAXPROCS(0) {
		wait.Go(func() {
			for {
				k := int(slice.Add(1)) - 1
				if k >= slices {
					return
				}
				s, a := instance(), attempt()
				from, to := total/slices*k, total/slices*(k+1)
				if k == slices-1 {
					to = total
				}
				row(columns, from, &s, &a)
				for i := from; i < to; i += step {
					switch {
					case step > 1:
						row(columns, i, &s, &a)
					case i > from:
						next(columns, i, &s, &a)
					}
					check(i, s, a)
				}
			}
		})
	}
	wait.Wait()
}

// tableStep is 1 where all of the table is walked.
func tableStep() int {
	if raceDetector || testing.Short() {
		return sampling
	}
	return 1
}

// TestTruthTable compares the engine with its twin, and holds every verdict to
// what must be true of all of them.
func TestTruthTable(t *testing.T) {
	columns := truthTable()
	var compared, wrong atomic.Int64
	everyRow(columns, tableStep(), func(i int, s engine.Settings, a engine.Attempt) {
		compared.Add(1)
		if why := disagreement(s, a); why != "" && wrong.Add(1) <= 5 {
			t.Errorf("%s:\n\t%s", rowName(columns, i), why)
		}
	})
	t.Logf("compared %d rows of %d; %d differ", compared.Load(), rows(columns), wrong.Load())
}

// TestNaiveClientWalksTheTruthTable: from every row whose settings an operator may
// have, a client that knows no order of fields comes to the end by what it is told,
// and is never told two things.
func TestNaiveClientWalksTheTruthTable(t *testing.T) {
	columns, step := truthTable(), 17
	switch {
	case campaign():
		step = 1
	case tableStep() > 1:
		step = 53 * 17
	}
	var possible sync.Map // by what of the settings decides it
	mayBe := func(s engine.Settings) bool {
		type key struct {
			progressive bool
			fields      [engine.NumAttributes]engine.FieldSettings
			providers   engine.Provider
		}
		k := key{s.Progressive, s.Fields, s.Providers[0]}
		known, ok := possible.Load(k)
		if !ok {
			known = len(s.Refusals()) == 0 && engine.Prospects(s, everything)[0].Outlook == engine.OutlookPossible
			possible.Store(k, known)
		}
		return known.(bool)
	}
	var walked, wrong atomic.Int64
	everyRow(columns, step, func(i int, s engine.Settings, a engine.Attempt) {
		if !mayBe(s) {
			return
		}
		walked.Add(1)
		client := naiveClient{settings: s, attempt: a, now: noon, random: rand.New(rand.NewPCG(uint64(i), 11))}
		if why := client.finishes(); why != "" && wrong.Add(1) <= 5 {
			t.Errorf("%s:\n\t%s", rowName(columns, i), why)
		}
	})
	t.Logf("walked from %d rows of %d", walked.Load(), rows(columns))
	if walked.Load() == 0 {
		t.Error("no row was walked from")
	}
}

// disagreement says where the engine's verdict is not the twin's, or breaks an
// invariant; empty if nowhere.
func disagreement(s engine.Settings, a engine.Attempt) string {
	v := engine.Evaluate(s, a)
	t := twin(s, a)
	if why := t.differs(v); why != "" {
		return why
	}
	if a.Lifecycle == engine.Complete { // what the user was made of, whatever the settings say since
		if values, _ := engine.Values(s, a); values != a.Values {
			return "a complete sign-up shows other values than those of its user"
		}
	} else if why := t.differsInValues(engine.Values(s, a)); why != "" {
		return why
	}
	return brokenInvariant(s, v)
}

// brokenInvariant names what must be true of every verdict and is not of this.
func brokenInvariant(s engine.Settings, v engine.Verdict) string {
	enabled := s.Enabled()
	switch {
	case v.Missing != v.Required&^v.Present:
		return "missing is not what is required and absent"
	case v.Required&v.Optional != 0 || v.Required|v.Optional != enabled:
		return "required and optional do not divide what is enabled"
	case v.Unverified&^(v.Present&(email|phone)) != 0:
		return "unverified holds what has no value or cannot be verified"
	case v.Missing&v.Unverified != 0:
		return "missing and unverified at once"
	case v.Satisfied() && v.Present&engine.Identifiers == 0:
		return "satisfied without an identifier"
	case enabled.Has(engine.LegalAccepted) && !v.Required.Has(engine.LegalAccepted):
		return "consent is asked for and not required"
	}
	for a := range engine.Attribute(engine.NumAttributes) {
		if why := brokenReason(s, v, a); why != "" {
			return why
		}
	}
	return ""
}

// brokenReason: a reason belongs to the list its attribute stands in.
func brokenReason(s engine.Settings, v engine.Verdict, a engine.Attribute) string {
	reason := v.Reasons[a]
	ok := false
	switch reason {
	case engine.ReasonRequired, engine.ReasonOneOf, engine.ReasonOnlyIdentifier, engine.ReasonSoleIdentifier, engine.ReasonConsent, engine.ReasonConsentOutdated:
		ok = v.Required.Has(a) && !v.Unverified.Has(a)
	case engine.ReasonTaken:
		ok = v.Missing.Has(a)
	case engine.ReasonMustBeVerified:
		ok = v.Unverified.Has(a)
	case engine.ReasonOptional, engine.ReasonWaivedByAccount, engine.ReasonWaivedByWallet, engine.ReasonOneOfSatisfied,
		engine.ReasonLegacyOAuth, engine.ReasonLegacyWallet:
		ok = v.Optional.Has(a) && !v.Unverified.Has(a)
	case engine.ReasonEmailNotVerified:
		ok = a == engine.ExternalAccount && !s.Progressive && !v.Present.Has(a)
	case engine.ReasonDisabled:
		ok = !s.Enabled().Has(a)
	case engine.ReasonNotAllowed:
		ok = v.Present.Has(a)
	}
	if barred := slices.Contains(v.Blockers, engine.Blocker{Code: engine.BlockedNotAllowed, Remedy: engine.ReplaceOrClear, Attribute: a, HasAttribute: true}); barred != (reason == engine.ReasonNotAllowed) {
		return fmt.Sprintf("the reason of %v is %q: blockers %v", a, reason, v.Blockers)
	}
	if !ok {
		return fmt.Sprintf("the reason of %v is %q: required %v, missing %v, unverified %v, present %v",
			a, reason, v.Required, v.Missing, v.Unverified, v.Present)
	}
	return ""
}
