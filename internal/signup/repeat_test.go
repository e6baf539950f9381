package signup_test

import (
	"errors"
	"testing"
	"time"

	"stepwise/engine"
	"stepwise/internal/signup"
)

// TestRepeatedMutationsDoNothingTwice: a mutation that carries an idempotency
// key gives the same answer again, and does nothing.
func TestRepeatedMutationsDoNothingTwice(t *testing.T) {
	const key = "3f0e1c"
	mutations := map[string]func(*client) (signup.Outcome, error){
		"create": func(c *client) (signup.Outcome, error) {
			in := withEmail("jane@example.com")
			in.IdempotencyKey = key
			return c.service.Create(c.Context(), c.principal(), in)
		},
		"update": func(c *client) (signup.Outcome, error) {
			in := withEmail("joan@example.com")
			in.IdempotencyKey = key
			return c.service.Update(c.Context(), c.principal(), "", in)
		},
		"start": func(c *client) (signup.Outcome, error) {
			return c.service.StartVerification(c.Context(), c.principal(), "", signup.Start{Strategy: engine.EmailCode}, key)
		},
		"wrong check": func(c *client) (signup.Outcome, error) {
			proof := signup.Proof{Attribute: engine.EmailAddress, Code: wrong(c.mail.code(c, "jane@example.com"))}
			return c.service.CheckVerification(c.Context(), c.principal(), "", proof, key)
		},
	}
	for name, mutate := range mutations {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "")
			c := w.client()
			c.create(withEmail("jane@example.com"))
			w.clock.advance(engine.ResendInterval)
			first, err := mutate(c)
			w.must(err)
			sent := len(w.mail.all())
			for _, pause := range []time.Duration{0, 31 * time.Second, 8 * time.Minute} {
				w.clock.advance(pause)
				again, err := mutate(&client{world: w, service: w.process(nil), token: c.token})
				w.must(err)
				if text(t, again.SignUp) != text(t, first.SignUp) || text(t, again.Problems) != text(t, first.Problems) {
					t.Errorf("the answer was\n%s\n%s\nand is now\n%s\n%s", describe(first), text(t, first.SignUp), describe(again), text(t, again.SignUp))
				}
			}
			if now := len(w.mail.all()); now != sent {
				t.Errorf("%d messages were sent again", now-sent)
			}
		})
	}
}

// TestKeyWithOtherInput: a key stands for one request of one client.
func TestKeyWithOtherInput(t *testing.T) {
	w := newWorld(t, "")
	c := w.client()
	c.create(signup.Input{})
	in := signup.Input{FirstName: signup.Given("Jane"), IdempotencyKey: "key"}
	wantProblems(t, c.update(in))
	before := text(t, c.signUp())

	in.FirstName = signup.Given("Joan")
	other := map[string]func() (signup.Outcome, error){
		"update": func() (signup.Outcome, error) {
			return c.service.Update(t.Context(), c.principal(), "", in)
		},
		"update of another id": func() (signup.Outcome, error) {
			return c.service.Update(t.Context(), c.principal(), c.signUp().ID, signup.Input{FirstName: signup.Given("Jane"), IdempotencyKey: "key"})
		},
		"create": func() (signup.Outcome, error) {
			return c.service.Create(t.Context(), c.principal(), signup.Input{FirstName: signup.Given("Jane"), IdempotencyKey: "key"})
		},
		"start": func() (signup.Outcome, error) {
			return c.service.StartVerification(t.Context(), c.principal(), "", signup.Start{Strategy: engine.EmailCode}, "key")
		},
		"check": func() (signup.Outcome, error) {
			return c.service.CheckVerification(t.Context(), c.principal(), "", signup.Proof{Code: "123456"}, "key")
		},
	}
	for name, call := range other {
		out, err := call()
		w.must(err)
		if len(out.Problems) != 1 || out.Problems[0].Code != "IDEMPOTENCY_KEY_REUSED" || text(t, out.Problems[0].Field) != `["input","idempotencyKey"]` {
			t.Errorf("%s: the answer is %s", name, describe(out))
		}
	}
	if after := text(t, c.signUp()); after != before {
		t.Errorf("the sign-up was\n%s\nand is\n%s", before, after)
	}

	// Another client's keys are another's, and ten minutes later it is forgotten.
	another := w.client()
	another.create(signup.Input{})
	wantProblems(t, another.update(in))
	w.clock.advance(10 * time.Minute)
	wantProblems(t, c.update(in))
}

// TestParallelFinalCalls: the same last call, many times at once and at two
// processes, makes one user and one session, and everybody learns the same.
func TestParallelFinalCalls(t *testing.T) {
	const address = "jane@example.com"
	w := newWorld(t, "")
	c := w.client()
	c.create(withEmail(address))
	proof := signup.Proof{Attribute: engine.EmailAddress, Code: w.mail.code(t, address)}
	other := w.process(nil)
	caller := c.principal()
	outs, errs := together(50, func(i int) (signup.Outcome, error) {
		service := w.service
		if i%2 == 1 {
			service = other
		}
		return service.CheckVerification(t.Context(), caller, "", proof, "")
	})
	user, session := w.wantOneUser(address)
	tokens := map[string]bool{}
	for i, out := range outs {
		w.must(errs[i])
		switch {
		case len(out.Problems) == 1 && (out.Problems[0].Code == "RATE_LIMITED" || out.Problems[0].Code == "CONFLICT"):
			// Guesses are limited, the right ones included.
		case out.SignUp == nil || out.SignUp.CreatedUserID != user || out.SignUp.CreatedSession != session || len(out.Problems) > 0:
			t.Errorf("call %d was told %s", i, describe(out))
		default:
			tokens[out.ClientToken] = true
		}
	}
	if len(tokens) != 1 || tokens[""] {
		t.Errorf("%d different tokens were given", len(tokens))
	}
	w.wantNoHalves()
}

// TestTokenOfTheSameCall: the call that completed can be made again with the
// outdated token, and gets its answer and the new token again; nothing else
// can be done with it.
func TestTokenOfTheSameCall(t *testing.T) {
	const address = "jane@example.com"
	w := newWorld(t, "")
	c := w.client()
	wantProblems(t, c.create(withEmail(address)))
	outdated := c.token
	code := w.mail.code(t, address)
	first := c.check(engine.EmailAddress, code)
	wantStatus(t, first, engine.StatusComplete)
	if first.ClientToken == "" || first.ClientToken == outdated {
		t.Fatal("the token was not rotated")
	}

	// Whoever planted the token knows everything but the code.
	caller := w.as(outdated)
	if !caller.Stale {
		t.Fatal("the former token is still good")
	}
	again, err := w.process(nil).CheckVerification(t.Context(), caller, "", signup.Proof{Attribute: engine.EmailAddress, Code: code}, "")
	w.must(err)
	if text(t, again) != text(t, first) {
		t.Errorf("the answer was\n%s\nand is now\n%s", text(t, first), text(t, again))
	}
	w.wantNothing(caller, first.SignUp.ID)

	// A second completion at the same client puts an end to the first repetition.
	second := withEmail("joan@example.com")
	wantProblems(t, c.create(second))
	wantStatus(t, c.check(engine.EmailAddress, w.mail.code(t, "joan@example.com")), engine.StatusComplete)
	_, err = w.service.CheckVerification(t.Context(), w.as(outdated), "", signup.Proof{Attribute: engine.EmailAddress, Code: code}, "")
	wantCode(t, err, "UNAUTHENTICATED")
	w.wantNothing(w.as(outdated), first.SignUp.ID)
	w.wantNothing(w.as(first.ClientToken), first.SignUp.ID)
}

// TestTokenIsGivenToWhoeverKnowsTheSecret: a repeated call without a secret
// learns the answer but no token.
func TestTokenIsGivenToWhoeverKnowsTheSecret(t *testing.T) {
	for _, test := range []struct {
		name   string
		input  signup.Input
		issued bool
	}{
		{"nothing", signup.Input{}, false},
		{"a name", signup.Input{FirstName: signup.Given("Jane")}, false},
		{"a password", signup.Input{Password: signup.Given("another purple otter")}, true},
		{"an idempotency key", signup.Input{IdempotencyKey: "c8d2f1"}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, `{"lastName": {"required": true}}`)
			c := w.client()
			c.create(withEmail("jane@example.com"))
			c.check(engine.EmailAddress, w.mail.code(t, "jane@example.com"))
			w.set(`{"lastName": {"required": false}}`)
			outdated := c.token
			first := c.update(test.input)
			wantStatus(t, first, engine.StatusComplete)
			again, err := w.service.Update(t.Context(), w.as(outdated), "", test.input)
			w.must(err)
			wantStatus(t, again, engine.StatusComplete)
			if want := map[bool]string{true: first.ClientToken}[test.issued]; again.ClientToken != want {
				t.Errorf("a token was given: %t, want %t", again.ClientToken != "", test.issued)
			}
			// To the current token it is nothing new, and not an error either.
			if out := c.update(test.input); len(out.Problems) > 0 || out.SignUp.CreatedUserID != first.SignUp.CreatedUserID {
				t.Errorf("made again with the new token: %s", describe(out))
			}
		})
	}
}

// TestOutdatedCookieStartsOver: a browser that kept an outdated cookie becomes
// a new client, unless it repeats what completed.
func TestOutdatedCookieStartsOver(t *testing.T) {
	w := newWorld(t, "")
	c, _ := w.completed("jane@example.com")
	caller := w.as(c.token)
	w.clock.advance(time.Second)
	wantProblems(t, c.create(withEmail("joan@example.com")))
	c.check(engine.EmailAddress, w.mail.code(t, "joan@example.com"))
	caller.Stale, caller.FromCookie = true, true

	out, err := w.service.Create(t.Context(), caller, signup.Input{})
	w.must(err)
	fresh := w.as(out.ClientToken)
	if fresh.Client == caller.Client || fresh.Client == "" || fresh.Stale {
		t.Error("the browser goes on as the former client")
	}
	caller.FromCookie = false
	_, err = w.service.Create(t.Context(), caller, signup.Input{})
	wantCode(t, err, "UNAUTHENTICATED")
}

// wantNothing expects that the caller gets no answer at all.
func (w *world) wantNothing(caller signup.Principal, id string) {
	w.Helper()
	ctx := w.Context()
	for name, call := range map[string]func() error{
		"create": func() error { _, err := w.service.Create(ctx, caller, signup.Input{}); return err },
		"update": func() error { _, err := w.service.Update(ctx, caller, "", signup.Input{}); return err },
		"update of the id": func() error {
			_, err := w.service.Update(ctx, caller, id, signup.Input{})
			return err
		},
		"start": func() error {
			_, err := w.service.StartVerification(ctx, caller, id, signup.Start{Strategy: engine.EmailCode}, "")
			return err
		},
		"check": func() error {
			_, err := w.service.CheckVerification(ctx, caller, id, signup.Proof{Attribute: engine.EmailAddress, Code: "123456"}, "")
			return err
		},
		"read":          func() error { _, err := w.service.SignUp(ctx, caller, ""); return err },
		"read of an id": func() error { _, err := w.service.SignUp(ctx, caller, id); return err },
		"watch":         func() error { _, err := w.service.Watch(ctx, caller, id); return err },
		"client":        func() error { _, err := w.service.Client(ctx, caller); return err },
		"session":       func() error { _, err := w.service.Session(ctx, caller, "sess_x"); return err },
		"session token": func() error { _, err := w.service.CreateSessionToken(ctx, caller, ""); return err },
		"end of session": func() error {
			_, _, err := w.service.EndSession(ctx, caller, "sess_x")
			return err
		},
	} {
		if code := codeOf(call()); code != "UNAUTHENTICATED" {
			w.Errorf("%s: code %q, want UNAUTHENTICATED", name, code)
		}
	}
}

// TestReplayKnowsThatNothingWasSent: made again with the same key, a call whose
// message could not be handed over must not look like a success.
func TestReplayKnowsThatNothingWasSent(t *testing.T) {
	w := newWorld(t, "")
	c := w.client()
	c.create(signup.Input{EmailAddress: signup.Given("jane@example.com")})
	w.mail.refuse(errors.New("no route to host"))
	start := func() signup.Outcome {
		out, err := w.service.StartVerification(t.Context(), c.principal(), "", signup.Start{Strategy: engine.EmailCode}, "key")
		w.must(err)
		return out
	}
	wantProblems(t, start(), "DELIVERY_FAILED")
	wantProblems(t, start(), "DELIVERY_FAILED")
}

// TestReplayKnowsWhyItDidNotComplete: the same for a conversion that was refused
// because the address had been taken meanwhile.
func TestReplayKnowsWhyItDidNotComplete(t *testing.T) {
	const address = "jane@example.com"
	w := newWorld(t, "")
	c := w.client()
	c.create(withEmail(address))
	code := w.mail.code(t, address)
	w.completed(address)
	check := func() signup.Outcome {
		out, err := w.service.CheckVerification(t.Context(), c.principal(), "", signup.Proof{Attribute: engine.EmailAddress, Code: code}, "key")
		w.must(err)
		return out
	}
	wantProblems(t, check(), "IDENTIFIER_TAKEN")
	wantProblems(t, check(), "IDENTIFIER_TAKEN")
}
