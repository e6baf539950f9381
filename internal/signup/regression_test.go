package signup_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"stepwise/engine"
	"stepwise/internal/signup"
)

// An outdated token must not find out the code that completed the sign-up.
func TestOutdatedTokenCannotTryCodes(t *testing.T) {
	const address = "jane@example.com"
	w := newWorld(t, "")
	c := w.client()
	c.create(withEmail(address))
	planted := c.token // known to the attacker
	code := w.mail.code(t, address)
	out := c.check(engine.EmailAddress, code)
	wantStatus(t, out, engine.StatusComplete)
	p := w.as(planted)
	tries := 0
	for i := range 2000 {
		guess := fmt.Sprintf("%06d", i)
		if guess == code {
			continue
		}
		o, err := w.service.CheckVerification(t.Context(), p, "", signup.Proof{Attribute: engine.EmailAddress, Code: guess}, "")
		tries++
		if codeOf(err) != "UNAUTHENTICATED" {
			t.Fatalf("a wrong code is answered with %s, %v", describe(o), err)
		}
	}
	o, err := w.service.CheckVerification(t.Context(), p, "", signup.Proof{Attribute: engine.EmailAddress, Code: code}, "")
	if codeOf(err) != "UNAUTHENTICATED" || o.ClientToken != "" {
		t.Errorf("after %d wrong codes the right one is answered with %s, %v", tries, describe(o), err)
	}
}

// A completion that is settled long after it began is remembered all the same.
func TestConversionLongAfterItBegan(t *testing.T) {
	const address = "jane@example.com"
	w := newWorld(t, "")
	c := w.client()
	c.create(withEmail(address))
	proof := signup.Proof{Attribute: engine.EmailAddress, Code: w.mail.code(t, address)}
	_, err := w.dyingAt("Directory.Convert", diedBefore).CheckVerification(t.Context(), c.principal(), "", proof, "")
	wantCode(t, err, "UNAVAILABLE")
	w.clock.advance(61 * time.Minute)
	for range 2 { // the second time with a token that is outdated
		out, err := w.service.CheckVerification(t.Context(), c.principal(), "", proof, "")
		w.must(err)
		wantStatus(t, out, engine.StatusComplete)
		if out.ClientToken == "" {
			t.Error("the client got no token")
		}
	}
	w.wantOneUser(address)
}

// What an abandoned sign-up shows does not follow the settings any more.
func TestAbandonedKeepsItsSettings(t *testing.T) {
	w := newWorld(t, `{"phoneNumber":{"enabled":true}}`)
	c := w.client()
	in := withEmail("jane@example.com")
	in.PhoneNumber = signup.Given("+14155550132")
	wantProblems(t, c.create(in))
	id := c.signUp().ID
	c.create(signup.Input{})
	see := func() *signup.SignUp {
		s, err := w.service.SignUp(t.Context(), w.secret(), id)
		w.must(err)
		return s
	}
	before := see()
	w.set(`{"phoneNumber":{"enabled":false}}`)
	after := see()
	if text(t, before) != text(t, after) {
		t.Errorf("%s rev %d changed:\n%v\n%v", after.Status, after.Revision, before.Values[engine.PhoneNumber], after.Values[engine.PhoneNumber])
		t.Logf("verif %v -> %v; emailverif %v -> %v", before.Verifications[engine.PhoneNumber], after.Verifications[engine.PhoneNumber], before.Verifications[engine.EmailAddress], after.Verifications[engine.EmailAddress])
	}
}

// A refusal whose reply was lost is found again, with its reason.
func TestLostRefusalIsFoundAgain(t *testing.T) {
	const address = "jane@example.com"
	w := newWorld(t, "")
	a, b := w.client(), w.client()
	a.create(withEmail(address))
	codeA := w.mail.code(t, address)
	b.create(withEmail(address))
	codeB := w.mail.code(t, address)
	wantStatus(t, a.check(engine.EmailAddress, codeA), engine.StatusComplete)
	proof := signup.Proof{Attribute: engine.EmailAddress, Code: codeB}
	_, err := w.dyingAt("Directory.Convert", diedAfter).CheckVerification(t.Context(), b.principal(), "", proof, "")
	wantCode(t, err, "UNAVAILABLE")
	w.clock.advance(afterLease)
	s := b.signUp()
	if !s.Verdict.Missing.Has(engine.EmailAddress) || len(s.Verdict.Blockers) != 1 || s.Verdict.Blockers[0].Code != engine.BlockedTaken {
		t.Errorf("%s, missing %v, unverified %v, blockers %v", s.Status, s.Verdict.Missing, s.Verdict.Unverified, s.Verdict.Blockers)
	}
}

type noSettingsHints struct{ signup.Hints }

func (noSettingsHints) WatchSettings(string) (<-chan struct{}, func()) {
	return make(chan struct{}), func() {}
}

type countingAttempts struct {
	signup.Attempts
	saves *atomic.Int64
}

func (c countingAttempts) Save(ctx context.Context, key signup.AttemptKey, r signup.Record, m signup.Memory, quiet bool) error {
	c.saves.Add(1)
	return c.Attempts.Save(ctx, key, r, m, quiet)
}

// A process that has not heard of new settings must not write the old verdict
// back: two watchers would undo each other's work for ever.
func TestOldSettingsNeverOverwriteNewer(t *testing.T) {
	w := openWorld(t, "", nil, time.Now)
	c := w.client()
	wantProblems(t, c.create(withEmail("jane@example.com")))
	var saves atomic.Int64
	p1 := w.process(func(c *signup.Config) { c.Attempts = countingAttempts{c.Attempts, &saves} })
	p2 := w.process(func(c *signup.Config) {
		c.Attempts, c.Hints = countingAttempts{c.Attempts, &saves}, noSettingsHints{c.Hints}
	})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	one, err := p1.Watch(ctx, c.principal(), "")
	w.must(err)
	two, err := p2.Watch(ctx, c.principal(), "")
	w.must(err)
	go func() {
		for range two {
		}
	}()
	<-one
	_, _, err = p1.UpdateSettings(t.Context(), w.secret(), patch(t, `{"firstName":{"required":true}}`))
	w.must(err)
	stop := time.After(2 * time.Second)
	var versions []int64
	n := 0
	for {
		select {
		case s := <-one:
			n++
			if len(versions) < 12 {
				versions = append(versions, s.Revision, s.SettingsVersion)
			}
			continue
		case <-stop:
		}
		break
	}
	t.Logf("(revision, settingsVersion): %v; %d states, %d saves in 2 s", versions, n, saves.Load())
	if saves.Load() > 2 {
		t.Error("one change of settings, many writes")
	}
	cancel()
	for range one {
	}
}

// A password that was given before the field was disabled does not count.
func TestDisabledPasswordIsNotEnabled(t *testing.T) {
	w := newWorld(t, "")
	c := w.client()
	c.create(withEmail("jane@example.com"))
	w.set(`{"password":{"enabled":false,"required":false}}`)
	s := c.signUp()
	if s.PasswordEnabled {
		t.Errorf("passwordEnabled true, state %s", s.Requirements[engine.Password].State)
	}
}

// A call that found nothing to do is remembered like any other.
func TestCallThatChangedNothingIsRemembered(t *testing.T) {
	w := newWorld(t, "")
	c := w.client()
	c.create(withEmail("jane@example.com"))
	w.clock.advance(5 * time.Second)
	for range 2 {
		out, err := c.service.StartVerification(t.Context(), c.principal(), "", signup.Start{Strategy: engine.EmailCode}, "K")
		w.must(err)
		wantProblems(t, out)
		w.clock.advance(40 * time.Second)
	}
	if len(w.mail.all()) != 1 {
		t.Errorf("%d messages: the repeated call did what the first had not", len(w.mail.all()))
	}
}

// The same value given again is no change.
func TestSameValueIsNoChange(t *testing.T) {
	w := newWorld(t, "")
	c := w.client()
	first := c.create(signup.Input{FirstName: signup.Given("Jane")}).SignUp
	again := c.update(signup.Input{FirstName: signup.Given("Jane")}).SignUp
	if first.Revision != again.Revision {
		t.Errorf("revision %d -> %d though nothing changed", first.Revision, again.Revision)
	}
}

// Under the legacy algorithm what is typed and never verified is dropped. The
// address of the account, which belongs to a user, does not come back for it.
func TestLegacyTakenAddressCanBeReplaced(t *testing.T) {
	w := newWorld(t, `{`+providerSettings+`}`)
	w.completed(ada.email)
	w.set(`{"progressiveSignUp": false, "externalAccount": {"removeProviders": ["forum"]}}`)
	c := w.client()
	c.create(signup.Input{})
	out := c.connect("acme", ada)
	if out.SignUp.Verdict.Missing != engine.SetOf(engine.EmailAddress) {
		t.Fatalf("with the account: %s", describe(out))
	}
	out = c.update(signup.Input{EmailAddress: signup.Given("new@example.com")})
	wantProblems(t, out)
	wantStatus(t, out, engine.StatusComplete)
	if w.usersWith("new@example.com") != nil {
		t.Error("an address that nobody has verified became a user's")
	}
}
