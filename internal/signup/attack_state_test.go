package signup_test

import (
	"strings"
	"testing"
	"time"

	"stepwise/engine"
	"stepwise/internal/signup"
)

// Attacks on what ties an answer to a question: state, handle and token.

// TestAttack07StateReusedOrForeign: what comes back from a provider is good for
// the sign-up, the client and the challenge it was made for, once.
func TestAttack07StateReusedOrForeign(t *testing.T) {
	w := newWorld(t, `{"firstName": {"required": true}, `+providerSettings+`}`)
	begin := func() *client {
		c := w.client()
		c.create(signup.Input{})
		return c
	}
	m := member{subject: "somebody", email: "somebody@example.com", emailVerified: true}

	t.Run("of another client", func(t *testing.T) {
		attacker, other := begin(), begin()
		handle, before := attacker.visit("acme", m), w.accounts.exchanges()
		other.starting(oauth("acme"))
		for _, id := range []string{"", other.signUp().ID} {
			out := other.keep(w.service.CheckVerification(t.Context(), other.principal(), id, byHandle(handle), ""))
			wantProblems(t, out, signup.CodeOtherClient)
		}
		_, err := w.service.CheckVerification(t.Context(), w.as(""), "", byHandle(handle), "")
		if err == nil {
			t.Error("somebody without a client redeems it")
		}
		_, err = w.service.CheckVerification(t.Context(), w.secret(), attacker.signUp().ID, byHandle(handle), "")
		wantCode(t, err, "FORBIDDEN")
		wantVerification(t, signup.Outcome{SignUp: other.signUp()}, engine.ExternalAccount, engine.VerificationUnverified, "")
		if w.accounts.exchanges() != before {
			t.Error("the code was exchanged")
		}
	})
	t.Run("named with another sign-up", func(t *testing.T) {
		c := begin()
		handle, former := c.visit("acme", m), c.signUp().ID
		c.create(signup.Input{})
		current := c.signUp().ID
		out := c.keep(w.service.CheckVerification(t.Context(), c.principal(), current, byHandle(handle), ""))
		wantProblems(t, out, signup.Code(engine.CodeNotStarted))
		out = c.keep(w.service.CheckVerification(t.Context(), c.principal(), "", byHandle(handle), ""))
		wantProblems(t, out, signup.Code(engine.CodeSignUpAbandoned))
		if out.SignUp.ID != former {
			t.Errorf("the handle leads to %s, want %s", out.SignUp.ID, former)
		}
	})
	t.Run("twice", func(t *testing.T) {
		c := begin()
		handle, before := c.visit("acme", m), w.accounts.exchanges()
		first := c.offer(byHandle(handle))
		wantVerification(t, first, engine.ExternalAccount, engine.VerificationVerified, "")
		if second := c.offer(byHandle(handle)); text(t, second.SignUp) != text(t, first.SignUp) {
			t.Errorf("the second time it is %s, revision %d", describe(second), second.SignUp.Revision)
		}
		if n := w.accounts.exchanges() - before; n != 1 {
			t.Errorf("%d exchanges", n)
		}
	})
	t.Run("after another start", func(t *testing.T) {
		c := begin()
		handle, before := c.visit("acme", m), w.accounts.exchanges()
		c.starting(oauth("forum"))
		wantProblems(t, c.offer(byHandle(handle)), signup.Code(engine.CodeNotStarted))
		if w.accounts.exchanges() != before {
			t.Error("the code was exchanged")
		}
	})
	t.Run("after expiry", func(t *testing.T) {
		c := begin()
		handle, before := c.visit("acme", m), w.accounts.exchanges()
		w.clock.advance(engine.CodeLifetime)
		wantProblems(t, c.offer(byHandle(handle)), signup.Code(engine.CodeExpired))
		if w.accounts.exchanges() != before {
			t.Error("the code was exchanged")
		}
	})
	t.Run("after completion", func(t *testing.T) {
		c := begin()
		handle, before := c.visit("acme", m), w.accounts.exchanges()
		in := withEmail("other@example.com")
		in.FirstName = signup.Given("Ada")
		c.update(in)
		wantStatus(t, c.check(engine.EmailAddress, w.mail.code(w, "other@example.com")), engine.StatusComplete)
		wantProblems(t, c.offer(byHandle(handle)), signup.Code(engine.CodeSignUpComplete))
		if w.accounts.exchanges() != before || w.usersWith("somebody") != nil {
			t.Error("the code was exchanged")
		}
	})
}

// TestAttack07ForgedState: a state that was changed, cut, or made for something
// else is none, and so is a handle.
func TestAttack07ForgedState(t *testing.T) {
	w := newWorld(t, `{`+providerSettings+`}`)
	c := w.client()
	c.create(signup.Input{EmailAddress: signup.Given(victim), Start: []signup.Start{oauth("acme"), {Strategy: engine.EmailLink}}})
	answer := w.accounts.admit(t, c.redirect(), ada)
	handle := w.handleOf(answer)
	link := linkToken(t, w.mail.all()[0])
	other, err := signup.NewKeys([]byte(strings.Repeat("another master key", 2)))
	w.must(err)
	foreign := w.process(func(c *signup.Config) { c.Keys = other })

	for name, state := range map[string]string{
		"none": "", "nonsense": "nonsense", "only a dot": ".", "without its signature": strings.Split(answer.State, ".")[0] + ".",
		"changed": altered(answer.State), "longer": answer.State + "A", "shorter": answer.State[:len(answer.State)-1],
		"a link": link, "a handle": handle,
	} {
		forged := answer
		forged.State = state
		if location, err := w.service.AccountCallback(t.Context(), forged); err == nil || location != "" {
			t.Errorf("%s: sent to %s", name, location)
		}
	}
	if _, err := foreign.AccountCallback(t.Context(), answer); err == nil {
		t.Error("a server with another key takes it")
	}
	for name, forged := range map[string]string{
		"nonsense": "nonsense", "a state": answer.State, "a link": link, "changed": altered(handle), "cut": handle[:len(handle)-4],
	} {
		wantProblems(t, c.offer(byHandle(forged)), signup.CodeInvalidFormat)
		if name == "a link" {
			continue
		}
		wantProblems(t, c.offer(signup.Proof{Attribute: engine.EmailAddress, Link: forged}), signup.CodeInvalidFormat)
	}
	if n := w.accounts.exchanges(); n != 0 {
		t.Errorf("%d codes were exchanged", n)
	}
	wantStatus(t, c.offer(byHandle(handle)), engine.StatusMissingRequirements) // the real one still is good
	wantVerification(t, signup.Outcome{SignUp: c.signUp()}, engine.ExternalAccount, engine.VerificationVerified, "")
}

// TestAttack07StateOfAnotherInstance: tenants do not share sign-ups.
func TestAttack07StateOfAnotherInstance(t *testing.T) {
	w := newWorld(t, `{`+providerSettings+`}`)
	c := w.client()
	c.create(signup.Input{})
	handle := c.visit("acme", ada)
	second := w.secondInstance()
	elsewhere, err := w.service.Authenticate(t.Context(), signup.Credentials{PublishableKey: second.PublishableKey})
	w.must(err)
	elsewhere.Client = c.principal().Client // as if ids were shared
	out, err := w.service.CheckVerification(t.Context(), elsewhere, "", byHandle(handle), "")
	w.must(err)
	wantProblems(t, out, signup.CodeInvalidFormat)
	if w.accounts.exchanges() != 0 {
		t.Error("the code was exchanged")
	}
}

// TestAttack08MixUp: the answer of one provider is worth nothing where another
// was asked.
func TestAttack08MixUp(t *testing.T) {
	w := newWorld(t, `{`+providerSettings+`}`)
	for name, attack := range map[string]struct {
		forge func(answer, foreign signup.AccountAnswer) signup.AccountAnswer
		code  engine.Code // empty: refused at the callback
	}{
		"at the other's callback": {func(a, _ signup.AccountAnswer) signup.AccountAnswer { a.Provider = "forum"; return a }, ""},
		"at nobody's callback":    {func(a, _ signup.AccountAnswer) signup.AccountAnswer { a.Provider = ""; return a }, ""},
		"under the other's state": {func(a, f signup.AccountAnswer) signup.AccountAnswer { a.State = f.State; return a }, ""},
		"the other's answer": {func(a, f signup.AccountAnswer) signup.AccountAnswer {
			a.Code, a.Issuer = f.Code, f.Issuer
			return a
		}, signup.ProviderIssuerMismatch},
		"the other's code": {func(a, f signup.AccountAnswer) signup.AccountAnswer { a.Code = f.Code; return a }, signup.ProviderExchangeFailed},
		"the other's code, no issuer": {func(a, f signup.AccountAnswer) signup.AccountAnswer {
			a.Code, a.Issuer = f.Code, ""
			return a
		}, signup.ProviderExchangeFailed},
	} {
		t.Run(name, func(t *testing.T) {
			attacker, c := w.client(), w.client()
			attacker.create(signup.Input{Start: []signup.Start{oauth("forum")}})
			foreign := w.accounts.admit(t, attacker.redirect(), ada)
			c.create(signup.Input{Start: []signup.Start{oauth("acme")}})
			forged := attack.forge(w.accounts.admit(t, c.redirect(), ada), foreign)
			if attack.code == "" {
				_, err := w.service.AccountCallback(t.Context(), forged)
				wantCode(t, err, "NOT_FOUND")
				wantVerification(t, signup.Outcome{SignUp: c.signUp()}, engine.ExternalAccount, engine.VerificationUnverified, "")
				return
			}
			out := c.offer(byHandle(w.handleOf(forged)))
			wantVerification(t, out, engine.ExternalAccount, engine.VerificationFailed, attack.code)
			wantStatus(t, out, engine.StatusMissingRequirements)
		})
	}
	w.wantNoUser()
}

// TestAttack21PlantedClient: whoever planted their client with the victim learns
// nothing: the token is replaced when the sign-up completes.
func TestAttack21PlantedClient(t *testing.T) {
	w := newWorld(t, `{`+providerSettings+`}`)
	for name, token := range map[string]string{
		"made up": "ct_" + strings.Repeat("A", 20) + ".0." + strings.Repeat("A", 43), "no token": "ct_", "another generation": "",
	} {
		if token == "" {
			c := w.client()
			c.create(signup.Input{})
			token = strings.Replace(c.token, ".0.", ".1.", 1)
		}
		_, err := w.service.Authenticate(t.Context(), signup.Credentials{PublishableKey: w.first.PublishableKey, Bearer: token})
		wantCode(t, err, "UNAUTHENTICATED")
		p, err := w.service.Authenticate(t.Context(), signup.Credentials{PublishableKey: w.first.PublishableKey, Cookie: func(string) string { return token }})
		w.must(err)
		if p.Client != "" {
			t.Errorf("%s: the cookie is adopted as client %s", name, p.Client)
		}
	}

	attacker := w.client()
	attacker.create(signup.Input{})
	browser := &client{world: w, service: w.service, token: attacker.token} // planted
	handle := browser.visit("acme", ada)
	wantStatus(t, browser.offer(byHandle(handle)), engine.StatusComplete)
	if browser.token == attacker.token {
		t.Fatal("the token was not replaced")
	}
	for name, act := range map[string]func() error{
		"reads": func() error {
			_, err := w.service.SignUp(t.Context(), attacker.principal(), "")
			return err
		},
		"updates": func() error {
			_, err := w.service.Update(t.Context(), attacker.principal(), "", signup.Input{})
			return err
		},
		"offers another proof": func() error {
			_, err := w.service.CheckVerification(t.Context(), attacker.principal(), "", signup.Proof{Attribute: engine.EmailAddress, Code: "123456"}, "")
			return err
		},
		"offers another handle": func() error {
			_, err := w.service.CheckVerification(t.Context(), attacker.principal(), "", byHandle(altered(handle)), "")
			return err
		},
		"transfers": func() error {
			_, err := w.service.CreateSession(t.Context(), attacker.principal(), attacker.moves())
			return err
		},
	} {
		if err := act(); codeOf(err) != "UNAUTHENTICATED" {
			t.Errorf("the attacker %s: %v", name, err)
		}
	}
	w.clock.advance(time.Second)
	w.wantOneUser(ada.subject)
}

// TestAttack21HandleThatProvesNothing: everybody who can read a sign-up, whoever
// planted its client among them, can make a handle that says "refused", or has a
// code of their own. It is no way to the token that was given for it.
func TestAttack21HandleThatProvesNothing(t *testing.T) {
	for name, change := range map[string]func(*signup.AccountAnswer){
		"refused":    func(a *signup.AccountAnswer) { a.Code, a.Error = "", "access_denied" },
		"a bad code": func(a *signup.AccountAnswer) { a.Code = "of the attacker" },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, `{"firstName": {"required": true}, `+providerSettings+`}`)
			browser := w.client()
			browser.create(withEmail("jane@example.com"))
			planted := browser.token
			browser.check(engine.EmailAddress, w.mail.code(t, "jane@example.com"))
			browser.starting(oauth("acme"))
			answer := w.accounts.admit(t, browser.redirect(), ada)
			change(&answer)
			w.set(`{"firstName": {"required": false}}`) // so that whatever comes next completes it
			wantStatus(t, browser.offer(byHandle(w.handleOf(answer))), engine.StatusComplete)

			out, err := w.service.CheckVerification(t.Context(), w.as(planted), "", byHandle(w.handleOf(answer)), "")
			w.must(err)
			if out.ClientToken != "" {
				t.Errorf("the attacker gets the new token: %s", describe(out))
			}
		})
	}
}
