package engine_test

import (
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"stepwise/engine"
)

// What the truth table leaves out may be left out because it changes nothing
// but what is said here, whatever else is the case.

// foldingStep is how many-th row of the table is tried with every folded cell:
// a prime, as sampling is.
func foldingStep() int {
	if raceDetector || testing.Short() {
		return 7919
	}
	return 997
}

// folded walks rows of the truth table and hands each, with and without the
// cell, to same, which says what is wrong.
func folded(t *testing.T, cells column, same func(without, with engine.Verdict) string) {
	t.Helper()
	columns := truthTable()
	var tried, wrong atomic.Int64
	everyRow(columns, foldingStep(), func(i int, s engine.Settings, a engine.Attempt) {
		without := engine.Evaluate(s, a)
		for _, c := range cells {
			changedSettings, changedAttempt := s, a
			c.put(&changedSettings, &changedAttempt)
			tried.Add(1)
			why := disagreement(changedSettings, changedAttempt)
			if why == "" {
				why = same(without, engine.Evaluate(changedSettings, changedAttempt))
			}
			if why != "" && wrong.Add(1) <= 5 {
				t.Errorf("%s; %s:\n\t%s", rowName(columns, i), c.name, why)
			}
		}
	})
	t.Logf("tried %d", tried.Load())
}

// differsBeside says where the verdicts differ beside the given attribute.
func differsBeside(a engine.Attribute) func(v, w engine.Verdict) string {
	return func(v, w engine.Verdict) string {
		return verdictDifference(without(v, a), without(w, a))
	}
}

// without removes the attribute from the verdict.
func without(v engine.Verdict, a engine.Attribute) engine.Verdict {
	for _, set := range []*engine.Set{&v.Required, &v.Optional, &v.Missing, &v.Unverified, &v.OneOf, &v.Present} {
		*set &^= 1 << a
	}
	v.Reasons[a] = ""
	return v
}

func verdictDifference(v, w engine.Verdict) string {
	if v.Equal(w) {
		return ""
	}
	return "the verdict changes beside it"
}

func TestNamesChangeNoOtherVerdict(t *testing.T) {
	for _, a := range []engine.Attribute{engine.FirstName, engine.LastName} {
		t.Run(a.String(), func(t *testing.T) {
			folded(t, plainColumn(a, state{"unset", nil}, state{"cleared", []happening{cleared(a)}},
				state{"given", []happening{given(a, "Ada")}}), differsBeside(a))
		})
	}
}

func TestConsentChangesNoOtherVerdict(t *testing.T) {
	a := engine.LegalAccepted
	folded(t, plainColumn(a,
		state{"none", []happening{func(at *engine.Attempt) { at.Consent = nil }}},
		state{"outdated", []happening{consented("terms-1")}},
		state{"current", []happening{consented(terms)}}), differsBeside(a))
}

func TestRestrictionChangesBlockersOnly(t *testing.T) {
	cells := column{{"restricted", func(s *engine.Settings, _ *engine.Attempt) { s.Restricted = true }}}
	folded(t, cells, func(open, restricted engine.Verdict) string {
		open.Blockers, restricted.Blockers = nil, nil
		return verdictDifference(open, restricted)
	})
}

// restrictionColumn has lists that the values of the truth table are on, or not.
func restrictionColumn() column {
	lists := func(allow, block []string) func(*engine.Settings, *engine.Attempt) {
		return func(s *engine.Settings, _ *engine.Attempt) { s.Restrictions = engine.Restrict(allow, block) }
	}
	return column{
		{"no lists", lists(nil, nil)},
		{"what is sent is blocked", lists(nil, []string{sentEmail, sentPhone})},
		{"what is typed is blocked", lists(nil, []string{ownEmail, "+1500*"})},
		{"a domain is blocked, one of it allowed", lists([]string{ownEmail}, []string{"example.test", "*.test"})},
		{"others are allowed", lists([]string{"*.example.test", "+4420*"}, nil)},
	}
}

func TestRestrictionsChangeBlockersAndReasonsOnly(t *testing.T) {
	folded(t, restrictionColumn(), func(open, listed engine.Verdict) string {
		open.Blockers, listed.Blockers = nil, nil
		open.Reasons, listed.Reasons = [engine.NumAttributes]engine.Reason{}, [engine.NumAttributes]engine.Reason{}
		return verdictDifference(open, listed)
	})
}

// TestTicketGoneBadIsAsNone: but for the blocker, and for the path by which
// the sign-up came in.
func TestTicketGoneBadIsAsNone(t *testing.T) {
	columns := truthTable()
	bad := []engine.TicketState{engine.TicketRevoked, engine.TicketExpired, engine.TicketUsed}
	everyRow(columns, foldingStep(), func(i int, s engine.Settings, a engine.Attempt) {
		a.Ticket = nil
		none := engine.Evaluate(s, a)
		for _, ticketState := range bad {
			ticketWithAddresses(ticketState)(&a)
			gone := engine.Evaluate(s, a)
			blockers := gone.Blockers
			gone.Blockers, gone.Path = none.Blockers, none.Path
			if why := disagreement(s, a); why != "" {
				t.Errorf("%s; ticket %d: %s", rowName(columns, i), ticketState, why)
			}
			if !gone.Equal(none) || len(blockers) != len(none.Blockers)+1 {
				t.Errorf("%s; ticket %d is not as none", rowName(columns, i), ticketState)
			}
		}
	})
}

// TestTakenIsAsClearedButMissing: a value that was taken is as one that was
// cleared, except that the field is required and missing, and blocks.
func TestTakenIsAsClearedButMissing(t *testing.T) {
	columns := truthTable()
	everyRow(columns, foldingStep(), func(i int, s engine.Settings, a engine.Attempt) {
		for _, attribute := range engine.Identifiers.List() {
			bit := engine.Set(1) << attribute
			if !s.Enabled().Has(attribute) {
				continue
			}
			was := a
			forget(&was, attribute)
			clearedVerdict := engine.Evaluate(s, was)
			was.Taken |= bit
			if why := disagreement(s, was); why != "" {
				t.Errorf("%s; %v taken: %s", rowName(columns, i), attribute, why)
			}
			v := engine.Evaluate(s, was)
			if !v.Missing.Has(attribute) || v.Satisfied() {
				t.Errorf("%s; %v taken: missing is %v", rowName(columns, i), attribute, v.Missing)
			}
			v.Blockers, clearedVerdict.Blockers = nil, nil
			if why := differsBeside(attribute)(clearedVerdict, v); why != "" {
				t.Errorf("%s; %v taken: %s", rowName(columns, i), attribute, why)
			}
		}
	})
}

// forget clears the attribute as its owner would.
func forget(a *engine.Attempt, attribute engine.Attribute) {
	a.Verifications[attribute] = nil
	a.Taken &^= 1 << attribute
	if attribute == engine.ExternalAccount {
		a.Account = nil
		return
	}
	a.Values[attribute] = engine.Value{Presence: engine.Cleared}
}

// TestValuesOfDisabledFieldsChangeNothing: whatever is stored for them.
func TestValuesOfDisabledFieldsChangeNothing(t *testing.T) {
	columns := truthTable()
	everyRow(columns, foldingStep(), func(i int, s engine.Settings, a engine.Attempt) {
		want := engine.Evaluate(s, a)
		for _, attribute := range (engine.All &^ s.Enabled()).List() {
			for _, was := range []happening{
				given(attribute, "x"), cleared(attribute), proved(attribute, "x"), taken(1 << attribute),
				signedInWith(googleAccount(sentEmail)), consented(terms),
			} {
				b := a
				was(&b)
				if b.Account != a.Account && attribute != engine.ExternalAccount {
					continue
				}
				if got := engine.Evaluate(s, b); !got.Equal(want) {
					t.Errorf("%s; the value of %v, which is disabled, matters", rowName(columns, i), attribute)
				}
			}
		}
	})
}

// TestFoldedCellsTogether compares engine and twin where everything that the
// table leaves out is the case at random, all at once.
func TestFoldedCellsTogether(t *testing.T) {
	columns := append(truthTable(),
		plainColumn(engine.FirstName, state{"unset", nil}, state{"cleared", []happening{cleared(engine.FirstName)}},
			state{"given", []happening{given(engine.FirstName, "Ada")}}),
		plainColumn(engine.LastName, state{"unset", nil}, state{"given", []happening{given(engine.LastName, "King")}}),
		plainColumn(engine.LegalAccepted,
			state{"none", []happening{func(at *engine.Attempt) { at.Consent = nil }}},
			state{"outdated", []happening{consented("terms-1")}},
			state{"current", []happening{consented(terms)}}),
		column{
			{"open", func(s *engine.Settings, _ *engine.Attempt) { s.Restricted = false }},
			{"restricted", func(s *engine.Settings, _ *engine.Attempt) { s.Restricted = true }},
		},
		restrictionColumn(),
		column{
			{"as it is", func(*engine.Settings, *engine.Attempt) {}},
			{"ticket revoked", func(_ *engine.Settings, at *engine.Attempt) { ticketWithAddresses(engine.TicketRevoked)(at) }},
			{"ticket with everything", func(_ *engine.Settings, at *engine.Attempt) {
				invited(engine.TicketValid, sent{engine.EmailAddress, sentEmail}, sent{engine.Username, "invited"},
					sent{engine.FirstName, "Augusta"}, sent{engine.LastName, "Byron"})(at)
			}},
			{"account with names", func(_ *engine.Settings, at *engine.Attempt) {
				signedInWith(googleAccount(sentEmail, sent{engine.FirstName, "A."}, sent{engine.LastName, "L."}))(at)
			}},
		},
		column{
			{"nothing taken", func(*engine.Settings, *engine.Attempt) {}},
			{"phone taken", func(_ *engine.Settings, at *engine.Attempt) { taken(phone)(at) }},
			{"username and wallet taken", func(_ *engine.Settings, at *engine.Attempt) { taken(username | wallet)(at) }},
			{"account taken", func(_ *engine.Settings, at *engine.Attempt) { taken(account)(at) }},
		},
	)
	random := rand.New(rand.NewPCG(1, 2))
	for range 100_000_000 / foldingStep() {
		i := random.IntN(rows(columns))
		s, a := instance(), attempt()
		row(columns, i, &s, &a)
		if why := disagreement(s, a); why != "" {
			t.Fatalf("%s:\n\t%s", rowName(columns, i), why)
		}
	}
}
