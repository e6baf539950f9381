package signup_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"stepwise/engine"
	"stepwise/internal/signup"
)

// What a provider's callback brings may be delivered more than once, late, and to
// processes that die. The code it holds is taken once, whatever happens.

// exchangeLease is longer than others wait for an exchange under way.
const exchangeLease = 13 * time.Second

// TestCallbackTwice: the second delivery gets the first one's answer, the token
// that a completion gave included.
func TestCallbackTwice(t *testing.T) {
	w := newWorld(t, `{`+providerSettings+`}`)
	c := w.client()
	c.create(signup.Input{})
	caller := c.principal()
	proof := byHandle(c.visit("acme", ada))
	first, err := w.service.CheckVerification(t.Context(), caller, "", proof, "")
	w.must(err)
	wantStatus(t, first, engine.StatusComplete)

	stale := w.as(w.keys.ClientToken(w.first.ID, caller.Client, 0))
	for name, p := range map[string]signup.Principal{"with the token it came with": stale, "with the new one": w.as(first.ClientToken)} {
		again, err := w.process(nil).CheckVerification(t.Context(), p, "", proof, "")
		w.must(err)
		if text(t, again) != text(t, first) {
			t.Errorf("%s the answer is\n%s\nwant\n%s", name, text(t, again), text(t, first))
		}
	}
	if n := w.accounts.exchanges(); n != 1 {
		t.Errorf("%d exchanges", n)
	}
	w.wantOneUser(ada.subject)
}

// TestCallbackAtOnce: twenty deliveries to two processes are one exchange, one
// user, one session and one answer.
func TestCallbackAtOnce(t *testing.T) {
	for name, settings := range map[string]string{
		"completing": `{` + providerSettings + `}`, "going on": `{"firstName": {"required": true}, "lastName": {"required": true}, ` + providerSettings + `}`,
		"legacy": `{"progressiveSignUp": false, ` + providerSettings + `}`,
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, settings)
			c := w.client()
			c.create(signup.Input{})
			plain := ada
			plain.firstName = ""
			proof, caller := byHandle(c.visit("acme", plain)), c.principal()
			services := []*signup.Service{w.service, w.process(nil)}
			outcomes, errs := together(20, func(i int) (signup.Outcome, error) {
				return services[i%2].CheckVerification(t.Context(), caller, "", proof, "")
			})
			for i := range outcomes {
				w.must(errs[i])
				if text(t, outcomes[i]) != text(t, outcomes[0]) {
					t.Errorf("call %d was answered\n%s\nand the first\n%s", i, text(t, outcomes[i]), text(t, outcomes[0]))
				}
			}
			if n := w.accounts.exchanges(); n != 1 {
				t.Errorf("%d exchanges", n)
			}
			if name == "going on" {
				wantVerification(t, outcomes[0], engine.ExternalAccount, engine.VerificationVerified, "")
				c.update(signup.Input{FirstName: signup.Given("Ada")})
			}
			user, session := w.wantOneUser(ada.subject)
			if s := outcomes[0].SignUp; name != "going on" && (s.CreatedUserID != user || s.CreatedSession != session) {
				t.Errorf("told user %s, session %s; there are %s and %s", s.CreatedUserID, s.CreatedSession, user, session)
			}
			w.wantNoHalves()
		})
	}
}

// TestCallbackLate: what comes too late is told so, exchanges nothing and changes
// nothing.
func TestCallbackLate(t *testing.T) {
	for name, test := range map[string]struct {
		meanwhile func(c *client)
		code      signup.Code
		status    engine.Status
	}{
		"the challenge has expired": {func(c *client) { c.clock.advance(engine.CodeLifetime) }, signup.Code(engine.CodeExpired), engine.StatusMissingRequirements},
		"the sign-up has ended": {func(c *client) { c.clock.advance(24 * time.Hour) },
			signup.Code(engine.CodeSignUpAbandoned), engine.StatusAbandoned},
		"another was begun": {func(c *client) { c.create(signup.Input{}) }, signup.Code(engine.CodeSignUpAbandoned), engine.StatusAbandoned},
		"it is complete": {func(c *client) {
			c.update(withEmail("jane@example.com"))
			wantStatus(c, c.check(engine.EmailAddress, c.mail.code(c, "jane@example.com")), engine.StatusComplete)
		}, signup.Code(engine.CodeSignUpComplete), engine.StatusComplete},
		"it is forgotten":           {func(c *client) { c.clock.advance(26 * time.Hour) }, signup.CodeNotFound, ""},
		"the provider was disabled": {func(c *client) { c.set(`{"externalAccount": {"removeProviders": ["acme", "forum"]}}`) }, signup.Code(engine.CodeFieldDisabled), engine.StatusMissingRequirements},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, `{`+providerSettings+`}`)
			c := w.client()
			c.create(signup.Input{})
			handle := c.visit("acme", ada)
			test.meanwhile(c)
			out := c.offer(byHandle(handle))
			wantProblems(t, out, test.code)
			if test.status != "" {
				wantStatus(t, out, test.status)
			}
			if n := w.accounts.exchanges(); n != 0 {
				t.Errorf("%d exchanges", n)
			}
			if users := w.usersWith(ada.subject); users != nil {
				t.Errorf("there is a user: %+v", users)
			}
		})
	}
}

// TestCallbackOfAnOutdatedToken: a token that was replaced redeems nothing.
func TestCallbackOfAnOutdatedToken(t *testing.T) {
	w := newWorld(t, `{`+providerSettings+`}`)
	c := w.client()
	c.create(signup.Input{})
	handle, former := c.visit("acme", ada), c.token
	c.update(withEmail("jane@example.com"))
	wantStatus(t, c.check(engine.EmailAddress, w.mail.code(t, "jane@example.com")), engine.StatusComplete)
	for _, proof := range []signup.Proof{byHandle(handle), byHandle("nonsense"), {Attribute: engine.EmailAddress, Link: "nonsense"}} {
		_, err := w.service.CheckVerification(t.Context(), w.as(former), "", proof, "")
		wantCode(t, err, "UNAUTHENTICATED")
	}
	if n := w.accounts.exchanges(); n != 0 {
		t.Errorf("%d exchanges", n)
	}
}

// TestOneOfTwoProvidersIsDisabledMeanwhile: the other one's challenge stays open.
func TestOneOfTwoProvidersIsDisabledMeanwhile(t *testing.T) {
	w := newWorld(t, `{`+providerSettings+`}`)
	c := w.client()
	c.create(signup.Input{})
	handle := c.visit("acme", ada)
	w.set(`{"externalAccount": {"providers": [{"name": "acme", "enabled": false}]}}`)
	if v := c.signUp().Verifications[engine.ExternalAccount]; v == nil || v.RedirectURL != "" {
		t.Errorf("people are still sent there: %+v", v)
	}
	out := c.offer(byHandle(handle))
	wantVerification(t, out, engine.ExternalAccount, engine.VerificationFailed, engine.CodeFieldDisabled)
	if n := w.accounts.exchanges(); n != 0 {
		t.Errorf("%d exchanges", n)
	}
	wantVerification(t, c.connect("forum", ada), engine.ExternalAccount, engine.VerificationVerified, "")
}

// held is a provider that answers when it is told to.
func (w *world) held() (entered <-chan struct{}, release func()) {
	in, out := make(chan struct{}, 10), make(chan struct{})
	w.accounts.holding(func(ctx context.Context) error {
		in <- struct{}{}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-out:
			return nil
		}
	})
	return in, func() { close(out) }
}

// TestExchangeUnderWay: others wait for it, other mutations go on, and all of it
// comes together.
func TestExchangeUnderWay(t *testing.T) {
	w := newWorld(t, `{"firstName": {"required": true}, `+providerSettings+`}`)
	c := w.client()
	c.create(signup.Input{})
	plain := ada
	plain.firstName = ""
	proof, caller := byHandle(c.visit("acme", plain)), c.principal()
	entered, release := w.held()
	other := w.process(nil)
	answers := make(chan signup.Outcome, 2)
	deliver := func(service *signup.Service) {
		out, err := service.CheckVerification(t.Context(), caller, "", proof, "")
		w.noError(err)
		answers <- out
	}
	go deliver(w.service)
	<-entered
	// Who fills in another field meanwhile does not wait, and ends nobody's lease.
	out, err := other.Update(t.Context(), caller, "", signup.Input{LastName: signup.Given("King")})
	w.must(err)
	wantVerification(t, out, engine.ExternalAccount, engine.VerificationUnverified, "")
	go deliver(other)
	select {
	case <-entered:
		t.Fatal("a second exchange")
	case <-time.After(150 * time.Millisecond): // three looks
	}
	release()
	for range 2 {
		out := <-answers
		wantProblems(t, out)
		wantVerification(t, out, engine.ExternalAccount, engine.VerificationVerified, "")
		if got := out.SignUp.Values[engine.LastName].Text; got != "King" {
			t.Errorf("the last name is %q: an update was lost", got)
		}
	}
	wantStatus(t, c.update(signup.Input{FirstName: signup.Given("Ada")}), engine.StatusComplete)
	w.wantOneUser(ada.subject)
}

// TestExchangeWhoseCallerLeaves is brought to its end: the code cannot be used
// again.
func TestExchangeWhoseCallerLeaves(t *testing.T) {
	w := newWorld(t, `{`+providerSettings+`}`)
	c := w.client()
	c.create(signup.Input{})
	proof, caller := byHandle(c.visit("acme", ada)), c.principal()
	entered, release := w.held()
	ctx, leave := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := w.service.CheckVerification(ctx, caller, "", proof, "")
		done <- err
	}()
	<-entered
	leave()
	release()
	<-done // whatever it says, nobody hears it
	out, err := w.service.CheckVerification(t.Context(), c.principal(), "", proof, "")
	w.must(err)
	if n := w.accounts.exchanges(); n != 1 {
		t.Errorf("%d exchanges", n)
	}
	wantProblems(t, out)
	wantVerification(t, out, engine.ExternalAccount, engine.VerificationVerified, "")
}

// TestExchangeOfADeadProcess: a process that dies with the provider's answer takes
// it along. Others take over when its lease is over, learn that the code is spent,
// and the person may go to the provider once more.
func TestExchangeOfADeadProcess(t *testing.T) {
	for name, port := range map[string]string{
		"before anything": "Attempts.Load", "before the claim": "Attempts.Save", "with the claim": "Attempts.Save",
		"before the exchange": "Accounts.Redeem", "with the exchange": "Accounts.Redeem", "after the exchange": "Directory.Taken",
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, `{`+providerSettings+`}`)
			c := w.client()
			c.create(signup.Input{})
			proof, caller := byHandle(c.visit("acme", ada)), c.principal()
			hit := false
			p := w.newProcess(func(called string) fault {
				switch {
				case hit || called != port:
					return served
				case strings.HasPrefix(name, "before"):
					hit = true
					return diedBefore
				}
				hit = true
				return diedAfter
			})
			_, _ = p.CheckVerification(t.Context(), caller, "", proof, "")
			if !p.dead {
				t.Fatal("it did not die")
			}
			taken := w.accounts.exchanges()

			answered := make(chan signup.Outcome)
			go func() {
				out, err := w.service.CheckVerification(t.Context(), caller, "", proof, "")
				w.noError(err)
				answered <- out
			}()
			claimed := name != "before anything" && name != "before the claim"
			if claimed {
				select {
				case out := <-answered:
					t.Fatalf("while the lease holds, the answer is %s", describe(out))
				case <-time.After(150 * time.Millisecond): // three looks
				}
				w.clock.advance(exchangeLease)
			}
			out := <-answered
			if taken == 0 {
				wantStatus(t, out, engine.StatusComplete)
			} else {
				wantVerification(t, out, engine.ExternalAccount, engine.VerificationFailed, signup.ProviderExchangeFailed)
				wantStatus(t, c.connect("acme", ada), engine.StatusComplete)
			}
			w.wantOneUser(ada.subject)
			w.wantNoHalves()
		})
	}
}

// TestLeaseOfAnExchange: within it nobody else exchanges, at its end somebody does.
func TestLeaseOfAnExchange(t *testing.T) {
	w := newWorld(t, `{`+providerSettings+`}`)
	c := w.client()
	c.create(signup.Input{})
	proof, caller := byHandle(c.visit("acme", ada)), c.principal()
	entered, release := w.held()
	slow, late := make(chan signup.Outcome, 1), make(chan signup.Outcome, 1)
	check := func(service *signup.Service, to chan signup.Outcome) {
		out, err := service.CheckVerification(t.Context(), caller, "", proof, "")
		w.noError(err)
		to <- out
	}
	go check(w.service, slow)
	<-entered
	w.clock.advance(12*time.Second - time.Millisecond)
	go check(w.process(nil), late)
	select {
	case <-entered:
		t.Fatal("two exchanges within the lease")
	case <-time.After(150 * time.Millisecond):
	}
	w.clock.advance(time.Millisecond)
	<-entered // the second one
	release()
	a, b := <-slow, <-late
	if n := w.accounts.exchanges(); n != 2 {
		t.Errorf("%d exchanges", n)
	}
	// The provider took the code from one of the two, who decides for both.
	if a.SignUp.ID != b.SignUp.ID || a.SignUp.Status != b.SignUp.Status || text(t, a.SignUp.Verifications) != text(t, b.SignUp.Verifications) {
		t.Errorf("the answers are %s and %s", describe(a), describe(b))
	}
	w.wantNoHalves()
}

// TestProviderOutOfOrder: what a provider cannot answer is told, and the way is
// open for another try.
func TestProviderOutOfOrder(t *testing.T) {
	w := newWorld(t, `{`+providerSettings+`}`)
	log := &lines{}
	service := w.process(func(c *signup.Config) { c.Logger = slog.New(slog.NewJSONHandler(log, nil)) })
	c := &client{world: w, service: service}
	c.create(signup.Input{})
	w.accounts.fail(&signup.ProofError{Code: signup.ProviderUnavailable, Cause: errors.New("no route")})
	wantProblems(t, c.starting(oauth("acme")), signup.Code(signup.ProviderUnavailable))
	if v := c.signUp().Verifications[engine.ExternalAccount]; v != nil {
		t.Errorf("a challenge stands: %+v", v)
	}
	w.accounts.fail(nil)
	for _, code := range []engine.Code{signup.ProviderUnavailable, signup.ProviderExchangeFailed, signup.ProviderTokenInvalid, signup.ProviderIssuerMismatch} {
		handle := c.visit("acme", ada)
		w.accounts.fail(&signup.ProofError{Code: code, Cause: errors.New("as the test wants it")})
		out := c.offer(byHandle(handle))
		w.accounts.fail(nil)
		wantProblems(t, out)
		wantVerification(t, out, engine.ExternalAccount, engine.VerificationFailed, code)
	}
	if n := strings.Count(log.String(), "an account was not proven"); n != 4 {
		t.Errorf("%d lines in the log:\n%s", n, log)
	}
	for _, secret := range []string{"code-of-", "acme's secret", ada.email} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("the log has %q:\n%s", secret, log)
		}
	}
	wantStatus(t, c.connect("acme", ada), engine.StatusComplete)
}

// TestRefusedCallExchangesNothing: a call that is refused for something else leaves
// the code as good as it was.
func TestRefusedCallExchangesNothing(t *testing.T) {
	for key, code := range map[string]signup.Code{signup.EmptyKey: signup.CodeEmpty, strings.Repeat("k", 129): signup.CodeTooLong} {
		w := newWorld(t, `{`+providerSettings+`}`)
		c := w.client()
		c.create(signup.Input{})
		proof := byHandle(c.visit("acme", ada))
		wantProblems(t, c.keep(w.service.CheckVerification(t.Context(), c.principal(), "", proof, key)), code)
		if n := w.accounts.exchanges(); n != 0 {
			t.Errorf("%s: %d exchanges", code, n)
		}
		wantStatus(t, c.offer(proof), engine.StatusComplete)
	}
}
