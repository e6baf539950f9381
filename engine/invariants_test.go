package engine_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"stepwise/engine"
)

// What must hold whatever clients and operators do, in whatever order.

// walk lets a client and an operator do random things to one sign-up and calls
// after for every command.
func walk(t *rapid.T, after func(s engine.Settings, before engine.Attempt, c engine.Command, f engine.Facts, d engine.Decision)) (engine.Settings, engine.Attempt, engine.Facts) {
	s, a, f := drawWays(t, drawSettings(t)), drawBeginning(t), engine.Facts{Now: noon, Can: everything}
	for step := range rapid.IntRange(1, 20).Draw(t, "steps") {
		if rapid.IntRange(0, 5).Draw(t, "operator") == 0 {
			s = drawWays(t, drawSettings(t))
		}
		f = drawFacts(t, f.Now.Add(drawWait(t)))
		c := drawCommand(t, step)
		before := copyOf(a)
		d := engine.Decide(s, a, c, f)
		if !reflect.DeepEqual(a, before) {
			t.Fatalf("Decide wrote to the attempt it was given:\n%+v\n%+v", before, a)
		}
		after(s, before, c, f, d)
		a = d.Attempt
		if d.Convert {
			a = settle(t, s, d, f.Now)
		}
	}
	return s, a, f
}

func TestDecisionsAreAFunctionOfTheirInput(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		walk(t, func(s engine.Settings, before engine.Attempt, c engine.Command, f engine.Facts, d engine.Decision) {
			if again := engine.Decide(s, before, c, f); !reflect.DeepEqual(again, d) {
				t.Fatalf("the same input, another decision:\n%+v\n%+v", d, again)
			}
			if v := engine.Evaluate(s, d.Attempt); !v.Equal(d.Verdict) {
				t.Fatalf("the verdict is not that of the attempt: %+v, %+v", d.Verdict, v)
			}
			if why := disagreement(s, d.Attempt); why != "" {
				t.Fatal(why)
			}
		})
	})
}

func TestRefusedCommandsChangeNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		walk(t, func(_ engine.Settings, before engine.Attempt, c engine.Command, f engine.Facts, d engine.Decision) {
			if !d.Changed && !reflect.DeepEqual(d.Attempt, before) {
				t.Fatalf("said to be unchanged:\n%+v\n%+v", before, d.Attempt)
			}
			if len(d.Problems) == 0 {
				return
			}
			if d.Convert || len(d.Sends) > 0 {
				t.Fatalf("refused for %v, and yet convert %t, sends %v", d.Problems, d.Convert, d.Sends)
			}
			want, _ := engine.Elapse(before, f.Now)
			got, _ := engine.Elapse(d.Attempt, f.Now)
			if c.Check != nil && got.Verifications[c.Check.Attribute] != nil {
				forgive(&want, &got, c.Check.Attribute)
			}
			if !reflect.DeepEqual(want, got) {
				t.Fatalf("refused for %v, and yet\n%+v became\n%+v", d.Problems, want, got)
			}
		})
	})
}

// forgive lets the attempts differ in one more wrong guess.
func forgive(want, got *engine.Attempt, a engine.Attribute) {
	was, is := want.Verifications[a], got.Verifications[a]
	if was == nil || is.Guesses != was.Guesses+1 {
		return
	}
	counted := *was
	counted.Guesses++
	want.Verifications[a] = &counted
}

func TestConvertMeansThatNothingStandsInTheWay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		walk(t, func(s engine.Settings, before engine.Attempt, _ engine.Command, _ engine.Facts, d engine.Decision) {
			v := d.Verdict
			want := before.Lifecycle == engine.Open && len(d.Problems) == 0 &&
				v.Missing == none && v.Unverified == none && len(v.Blockers) == 0
			if d.Convert != want {
				t.Fatalf("convert is %t: %+v", d.Convert, d)
			}
			if !d.Convert {
				return
			}
			values, provedOnes := engine.Values(s, d.Attempt)
			for _, a := range engine.Verifiable.List() {
				if values[a].Presence == engine.Given && s.Fields[a].Verify && !provedOnes.Has(a) {
					t.Fatalf("%v would reach the user unverified", a)
				}
			}
			if v.Present&(password|wallet|account)|provedOnes == none {
				t.Fatalf("a user without a way back: %v", v.Present)
			}
		})
	})
}

func TestFinalSignUpsNeverChangeWhateverIsTried(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		walk(t, func(_ engine.Settings, before engine.Attempt, _ engine.Command, f engine.Facts, d engine.Decision) {
			if !before.Lifecycle.Final() {
				return
			}
			if d.Changed || !reflect.DeepEqual(d.Attempt, before) {
				t.Fatalf("%+v became %+v", before, d.Attempt)
			}
			want := engine.CodeSignUpComplete
			if before.Lifecycle == engine.Abandoned {
				want = engine.CodeSignUpAbandoned
			}
			if len(d.Problems) != 1 || d.Problems[0].Code != want {
				t.Fatalf("problems %v, want %v alone", d.Problems, want)
			}
			if before.Status(f.Now) != d.Attempt.Status(f.Now.Add(1000*f.Now.Sub(noon))) {
				t.Fatal("its status changes with time")
			}
		})
	})
}

// TestProofsBelongToValues: a verification concerns the value it was started
// for, is done by the right code alone, and another value ends it.
func TestProofsBelongToValues(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		walk(t, func(_ engine.Settings, before engine.Attempt, c engine.Command, f engine.Facts, d engine.Decision) {
			for _, a := range engine.Verifiable.List() {
				was, is := before.Verifications[a], d.Attempt.Verifications[a]
				if is == nil {
					continue
				}
				if is.Guesses > engine.MaxGuesses {
					t.Fatalf("%d guesses", is.Guesses)
				}
				sameSending := was != nil && was.Nonce == is.Nonce && was.Generation == is.Generation
				if sameSending && is.Guesses < was.Guesses {
					t.Fatalf("guesses fell from %d to %d", was.Guesses, is.Guesses)
				}
				answered := c.Check != nil && c.Check.Attribute == a && c.Check.Matches
				if is.Verified && !(sameSending && was.Verified) && !answered {
					t.Fatalf("%v is verified, and nobody answered the code", a)
				}
				if is.Verified && !(sameSending && was.Verified) && !f.Now.Before(is.ExpireAt) {
					t.Fatalf("%v is verified with a code that had expired", a)
				}
				change := c.Changes[a]
				if len(d.Problems) == 0 && change.Kind != engine.Keep && change.Key != is.Key {
					t.Fatalf("%v became %q, and its verification is of %q", a, change.Key, is.Key)
				}
				if was != nil && was.Key != is.Key && sameSending {
					t.Fatalf("the code of %q is good for %q", was.Key, is.Key)
				}
			}
		})
	})
}

// TestEveryActionOfferedIsOpen: whatever Requirements offers is not refused,
// and a code can be answered only where that is offered, or where the address
// was proven in another way meanwhile.
func TestEveryActionOfferedIsOpen(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		walk(t, func(s engine.Settings, _ engine.Attempt, _ engine.Command, f engine.Facts, d engine.Decision) {
			facts := engine.Facts{Now: f.Now, Can: everything}
			if d.Attempt.Lifecycle != engine.Open {
				return
			}
			for _, r := range engine.Requirements(s, d.Attempt, d.Verdict, everything, f.Now) {
				if !s.Enabled().Has(r.Attribute) && len(r.Actions) > 0 {
					t.Fatalf("%v is disabled, and %v is offered", r.Attribute, r.Actions)
				}
				for _, action := range r.Actions {
					for _, c := range commandsFor(s, d.Attempt, r.Attribute, action) {
						if problems := engine.Decide(s, d.Attempt, c, facts).Problems; len(problems) > 0 {
							t.Fatalf("%v of %v is offered and refused: %v", action, r.Attribute, problems)
						}
					}
				}
				_, provedOnes := engine.Values(s, d.Attempt)
				if !offered(r)[engine.ActionCheck] && !provedOnes.Has(r.Attribute) &&
					len(engine.Decide(s, d.Attempt, answer(r.Attribute, true), facts).Problems) == 0 {
					t.Fatalf("a code of %v can be answered, and that is not offered", r.Attribute)
				}
			}
		})
	})
}

// commandsFor are the commands that an action stands for.
func commandsFor(s engine.Settings, at engine.Attempt, a engine.Attribute, action engine.Action) []engine.Command {
	switch {
	case action.Kind == engine.ActionProvide:
		return []engine.Command{give(a, "fresh")}
	case action.Kind == engine.ActionClear:
		return []engine.Command{withdraw(a)}
	case action.Kind == engine.ActionCheck && a == engine.ExternalAccount:
		return []engine.Command{returned(at.Verifications[a].Nonce, googleAccount(sentEmail))}
	case action.Kind == engine.ActionCheck:
		return []engine.Command{answer(a, true)}
	}
	var list []engine.Command
	for _, strategy := range action.Strategies {
		c := start(strategy)
		for _, p := range s.Providers {
			if p.Enabled && strategy == engine.OAuth {
				c.Start[0].Provider = p.Name
			}
		}
		list = append(list, c)
	}
	return list
}

// TestNoDeadEnd: from wherever a sign-up has come to, a client that does what
// is offered, and knows no order of fields, brings it to its end.
func TestNoDeadEnd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, a, f := walk(t, func(engine.Settings, engine.Attempt, engine.Command, engine.Facts, engine.Decision) {})
		if a.Status(f.Now) != engine.StatusMissingRequirements {
			return
		}
		client := naiveClient{settings: s, attempt: a, now: f.Now, random: rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "client"), 0))}
		if why := client.finishes(); why != "" {
			t.Fatal(why)
		}
	})
}

// TestNoDeadEndUnderAnySettings does the same from some chosen places, under
// every settings an operator may have.
func TestNoDeadEndUnderAnySettings(t *testing.T) {
	beginnings := map[string]engine.Attempt{
		"nothing":                               attempt(),
		"a ticket":                              attempt(ticketWithAddresses(engine.TicketValid)),
		"everything cleared":                    attempt(cleared(engine.EmailAddress), cleared(engine.PhoneNumber), cleared(engine.Username), cleared(engine.Web3Wallet), cleared(engine.Password)),
		"claims":                                attempt(given(engine.EmailAddress, ownEmail), given(engine.PhoneNumber, ownPhone)),
		"everything taken":                      attempt(taken(engine.Identifiers)),
		"an account, no email":                  attempt(signedInWith(emptyGoogleAccount())),
		"a guessed-out code":                    attempt(given(engine.EmailAddress, ownEmail), codeSent(engine.EmailAddress, ownEmail), guessedOut),
		"an account of a provider that is gone": attempt(signedInWith(forumAccount(sentEmail))),
	}
	for i, s := range acceptedSettings() {
		for name, a := range beginnings {
			client := naiveClient{settings: s, attempt: a, now: noon, random: rand.New(rand.NewPCG(uint64(i), 7))}
			if why := client.finishes(); why != "" {
				t.Fatalf("%s from %s: %s", describeSettings(s), name, why)
			}
		}
	}
}

func guessedOut(a *engine.Attempt) {
	a.Verifications[engine.EmailAddress].Guesses = engine.MaxGuesses
}

func describeSettings(s engine.Settings) string {
	return fmt.Sprintf("progressive %t, fields %+v, providers %+v", s.Progressive, s.Fields, s.Providers)
}

// TestSettingsApplyAtTheNextEvaluation: what was decided under other settings
// before leaves no trace in the verdict, and an operator converts nobody.
func TestSettingsApplyAtTheNextEvaluation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		_, a, f := walk(t, func(engine.Settings, engine.Attempt, engine.Command, engine.Facts, engine.Decision) {})
		s := drawSettings(t)
		status := a.Status(f.Now)
		if why := disagreement(s, a); why != "" {
			t.Fatal(why)
		}
		if a.Status(f.Now) != status {
			t.Fatal("an evaluation changed the sign-up")
		}
		if status != engine.StatusMissingRequirements {
			return
		}
		d := engine.Decide(s, a, engine.Command{}, f)
		if d.Convert != engine.Evaluate(s, a).Satisfied() {
			t.Fatalf("the owner's empty command converts %t, the verdict is %+v", d.Convert, d.Verdict)
		}
	})
}
