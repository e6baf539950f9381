package e2e

import (
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"stepwise/internal/realtest"
)

// withProvider starts a program with a provider whose people can sign up.
func withProvider(t testing.TB, more ...any) (*realtest.ServerProgram, *provider, *client) {
	t.Helper()
	server := realtest.Program(t, realtest.ProgramOptions{})
	p, administrator := startProvider(t, server), newAdministrator(t, server)
	administrator.changeSettings(t, map[string]any{"externalAccount": p.settings(more...)})
	return server, p, administrator
}

// standsAfter expects the verification of the account to have failed for that
// reason, and the sign-up to be as open as before: it is completed by the form.
func standsAfter(t *testing.T, c *client, s signUp, failure string) {
	t.Helper()
	v := s.Verifications.ExternalAccount
	if s.Status != "MISSING_REQUIREMENTS" || v == nil || v.Status != "FAILED" || v.failure() != failure || v.Challenge != nil {
		t.Errorf("%s, verification %+v (%s); want it to stand with FAILED by %s", s.Status, v, v.failure(), failure)
	}
	if s.ExternalAccount != nil || s.EmailAddress != nil {
		t.Errorf("an account or an address was taken over: %+v", s)
	}
	completesByForm(t, c)
}

func completesByForm(t *testing.T, c *client) {
	t.Helper()
	email := "form-" + randomHex(4) + "@example.com"
	c.update(t, map[string]any{"emailAddress": email, "password": goodPassword})
	c.start(t, "EMAIL_CODE")
	if done := c.check(t, "emailCode", c.code(t, email)); done.Status != "COMPLETE" {
		t.Errorf("by the form: %s, missing %v; want COMPLETE", done.Status, done.MissingFields)
	}
}

// TestCancelledAtTheProvider comes back without having agreed, and then agrees.
func TestCancelledAtTheProvider(t *testing.T) {
	if !needsNode(t) {
		return
	}
	t.Parallel()
	server, p, _ := withProvider(t)
	c := newClient(t, server)
	_, challenge := createWithAccount(t, c)
	back := c.check(t, "oauthHandle", comeBack(t, p.cancel(t, challenge)))
	if v := back.Verifications.ExternalAccount; back.Status != "MISSING_REQUIREMENTS" || v.Status != "FAILED" || v.failure() != "PROVIDER_ACCESS_DENIED" {
		t.Errorf("%s, %+v; want it to stand with FAILED by PROVIDER_ACCESS_DENIED", back.Status, v)
	}
	if !slices.Contains(actionsOf(back, "EXTERNAL_ACCOUNT"), "START_VERIFICATION") {
		t.Errorf("nobody can try again: %v", actionsOf(back, "EXTERNAL_ACCOUNT"))
	}
	if n := p.requests("POST /token"); n != 0 {
		t.Errorf("the provider was asked for a token %d times, and there was no code", n)
	}
	again := c.startOf(t, oauthStart)
	if done := c.check(t, "oauthHandle", p.visit(t, accountChallenge(t, again), "verified-named")); done.Status != "COMPLETE" {
		t.Errorf("at the second try: %s, want COMPLETE", done.Status)
	}

	other := newClient(t, server)
	_, challenge = createWithAccount(t, other)
	standsAfter(t, other, other.check(t, "oauthHandle", comeBack(t, p.cancel(t, challenge))), "PROVIDER_ACCESS_DENIED")
}

// TestProviderOutOfOrder has providers that are gone, hang, or go between the two
// calls that need them.
func TestProviderOutOfOrder(t *testing.T) {
	if !needsNode(t) {
		return
	}
	t.Parallel()
	server, p, administrator := withProvider(t)

	t.Run("gone before the start", func(t *testing.T) {
		gone := startProvider(t, server)
		gone.stop()
		checkUnreachable(t, server, administrator, gone.settings("name", "gone"), "gone")
	})
	t.Run("takes connections and never answers", func(t *testing.T) {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		silent := provider{issuer: "http://" + listener.Addr().String(), secret: "s"}
		checkUnreachable(t, server, administrator, silent.settings("name", "silent"), "silent")
	})
	t.Run("gone between start and check", func(t *testing.T) {
		c := newClient(t, server)
		_, challenge := createWithAccount(t, c)
		handle := p.visit(t, challenge, "verified-named")
		p.stop()
		o, err, took := timed(func() (outcome, error) { return c.tryCheck("oauthHandle", handle) })
		if took > answerDeadline {
			t.Errorf("answered after %v", took)
		}
		standsAfter(t, c, accepted(t, "check")(o, err), "PROVIDER_UNAVAILABLE")
	})
}

// checkUnreachable expects every start with that provider to be refused in time,
// and nothing to change by it.
func checkUnreachable(t *testing.T, server *realtest.ServerProgram, administrator *client, settings map[string]any, name string) {
	t.Helper()
	administrator.changeSettings(t, map[string]any{"externalAccount": settings})
	start := changed(oauthStart, "provider", name)
	refused := func(o outcome, path ...string) {
		t.Helper()
		if !slices.Equal(o.errorCodes(), []string{"PROVIDER_UNAVAILABLE"}) || !slices.Equal(o.UserErrors[0].Field, path) || o.UserErrors[0].Attribute != "EXTERNAL_ACCOUNT" {
			t.Errorf("%+v; want PROVIDER_UNAVAILABLE at %v", o.UserErrors, path)
		}
	}
	o, err, took := timed(func() (outcome, error) {
		return newClient(t, server).tryCreate(map[string]any{"startVerifications": []any{start}})
	})
	if err != nil || took > answerDeadline {
		t.Errorf("create: %v after %v", err, took)
	}
	refused(o, "input", "startVerifications", "0", "provider")
	if o.SignUp != nil {
		t.Errorf("a sign-up was created all the same: %+v", o.SignUp)
	}
	c := newClient(t, server)
	opened := c.create(t, map[string]any{"firstName": "Ada"})
	o, err, took = timed(func() (outcome, error) { return c.tryStartOf(start) })
	if err != nil || took > answerDeadline {
		t.Fatalf("start: %v after %v", err, took)
	}
	refused(o, "input", "provider")
	if now := c.read(t, ""); asJSON(t, now) != asJSON(t, opened) {
		t.Errorf("the sign-up changed:\n%s\nwas\n%s", asJSON(t, now), asJSON(t, opened))
	}
	completesByForm(t, c)
}

// TestWrongClientSecret is an operator's slip: the provider refuses the exchange.
func TestWrongClientSecret(t *testing.T) {
	if !needsNode(t) {
		return
	}
	t.Parallel()
	server, p, administrator := withProvider(t, "clientSecret", "not the one")
	c := newClient(t, server)
	opened, challenge := createWithAccount(t, c)
	standsAfter(t, c, c.check(t, "oauthHandle", p.visit(t, challenge, "verified-named")), "PROVIDER_EXCHANGE_FAILED")
	administrator.changeSettings(t, map[string]any{"externalAccount": p.settings()})
	other := newClient(t, server)
	_, challenge = createWithAccount(t, other)
	if done := other.check(t, "oauthHandle", p.visit(t, challenge, "verified-named")); done.Status != "COMPLETE" {
		t.Errorf("with the right secret: %s, want COMPLETE", done.Status)
	}
	log := server.Stderr()
	for _, secret := range []string{"not the one", p.secret} {
		if strings.Contains(log, secret) {
			t.Error("a client secret is in the log")
		}
	}
	if !strings.Contains(log, opened.ID) || !strings.Contains(log, "invalid_client") {
		t.Errorf("the log does not say which sign-up failed, and why:\n%s", log)
	}
}

// Attack 7: the state, or the answer, of another browser, another sign-up, or
// nobody.
func TestAttack07StateReusedOrForeign(t *testing.T) {
	if !needsNode(t) {
		return
	}
	t.Parallel()
	server, p, administrator := withProvider(t)
	victim, attacker := newClient(t, server), newClient(t, server)

	_, challenge := createWithAccount(t, attacker)
	callback := p.authorize(t, challenge, "verified-named") // the attacker's account
	handle := comeBack(t, callback)                         // in the victim's browser
	own, _ := createWithAccount(t, victim)
	before := asJSON(t, victim.read(t, own.ID))
	o := mustTry(t)(victim.tryCheck("oauthHandle", handle))
	if !slices.Equal(o.errorCodes(), []string{"BEGUN_ELSEWHERE"}) {
		t.Errorf("the handle of another client: %+v; want BEGUN_ELSEWHERE", o.UserErrors)
	}
	if after := asJSON(t, victim.read(t, own.ID)); after != before {
		t.Errorf("the victim's sign-up changed:\n%s\nwas\n%s", after, before)
	}
	if n := p.requests("POST /token"); n != 0 {
		t.Errorf("the provider was asked %d times", n)
	}

	u := mustURL(t, callback)
	for name, change := range map[string]func(q map[string][]string){
		"no state":               func(q map[string][]string) { delete(q, "state") },
		"two states":             func(q map[string][]string) { q["state"] = append(q["state"], q["state"][0]) },
		"a state that is cut":    func(q map[string][]string) { q["state"][0] = q["state"][0][:len(q["state"][0])-1] },
		"a state that is made":   func(q map[string][]string) { q["state"][0] = "e30." + strings.Split(q["state"][0], ".")[1] },
		"neither code nor error": func(q map[string][]string) { delete(q, "code") },
		"code and error":         func(q map[string][]string) { q["error"] = []string{"access_denied"} },
	} {
		query := u.Query()
		change(query)
		v := *u
		v.RawQuery = query.Encode()
		status, location := fetch(t, http.MethodGet, v.String())
		if status != http.StatusBadRequest || location != "" {
			t.Errorf("%s: %d to %q; want 400 and nowhere to go", name, status, location)
		}
	}
	// Attack 8, mix-up: the answer comes in at another provider's address, or names
	// another issuer.
	if status, location := fetch(t, http.MethodGet, strings.Replace(callback, "/callback/"+providerName, "/callback/other", 1)); status != http.StatusBadRequest || location != "" {
		t.Errorf("the answer at another provider's address: %d to %q", status, location)
	}
	query := u.Query()
	query.Set("iss", "https://other.example")
	v := *u
	v.RawQuery = query.Encode()
	standsAfter(t, attacker, attacker.check(t, "oauthHandle", comeBack(t, v.String())), "PROVIDER_ISSUER_MISMATCH")
	if n := p.requests("POST /token"); n != 0 {
		t.Errorf("the code of a mixed-up answer was sent, %d times", n)
	}
	if found := administrator.users(t, "verified-named@example.com"); len(found) != 0 {
		t.Errorf("the attacker's account is somebody's: %+v", found)
	}
}

// fetch asks for an address and follows nothing.
func fetch(t testing.TB, method, address string) (status int, location string) {
	t.Helper()
	request, err := http.NewRequest(method, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Close = true
	response, err := (&http.Transport{}).RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	return response.StatusCode, response.Header.Get("Location")
}
