package e2e

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"stepwise/internal/realtest"
)

type session struct{ ID, UserID, Status string }

type sessionOutcome struct {
	Session    *session
	UserErrors []userError
}

func (o sessionOutcome) codes() []string {
	codes := []string{}
	for _, e := range o.UserErrors {
		codes = append(codes, e.Code)
	}
	return codes
}

// signIn turns a proof into a session, and keeps the token that it brings.
func (c *client) signIn(t testing.TB, proof map[string]any) sessionOutcome {
	t.Helper()
	r, err := c.ask(`mutation($input: SessionCreateInput!) {
		sessionCreate(input: $input) { session { id userId status } userErrors { code message attribute field } }
	}`, map[string]any{"input": map[string]any{"proof": proof}})
	if err != nil || len(r.Errors) > 0 {
		t.Fatalf("sign in: %v: %s", err, r.Body)
	}
	if token := r.Header.Get("Client-Token"); token != "" {
		c.bearer = token
	}
	var data struct{ SessionCreate sessionOutcome }
	decode(t, r.Data, &data)
	return data.SessionCreate
}

// askCode has a code sent to somebody who comes back.
func (c *client) askCode(t testing.TB, identifier string) (challenge string) {
	t.Helper()
	r, err := c.ask(`mutation($input: SessionVerificationStartInput!) {
		sessionVerificationStart(input: $input) { challenge { id sentTo } userErrors { code } }
	}`, map[string]any{"input": map[string]any{"identifier": identifier}})
	if err != nil || len(r.Errors) > 0 {
		t.Fatalf("ask for a code: %v: %s", err, r.Body)
	}
	if token := r.Header.Get("Client-Token"); token != "" {
		c.bearer = token
	}
	var data struct {
		SessionVerificationStart struct {
			Challenge  *struct{ ID, SentTo string }
			UserErrors []userError
		}
	}
	decode(t, r.Data, &data)
	got := data.SessionVerificationStart
	if got.Challenge == nil || len(got.UserErrors) > 0 || strings.Contains(got.Challenge.SentTo, identifier) {
		t.Fatalf("ask for a code: %s", r.Data)
	}
	return got.Challenge.ID
}

// is expects the client to be there as that user, in that session.
func (c *client) is(t testing.TB, user string, o sessionOutcome) {
	t.Helper()
	if o.Session == nil || o.Session.UserID != user || o.Session.Status != "ACTIVE" {
		t.Fatalf("session %+v, user errors %+v; want one of %s", o.Session, o.UserErrors, user)
	}
	var data struct {
		Client             *struct{ ActiveSession *session }
		SessionTokenCreate struct{ Token string }
	}
	c.query(t, "{ client { activeSession { id userId status } } }", nil, &data)
	if data.Client == nil || data.Client.ActiveSession == nil || *data.Client.ActiveSession != *o.Session {
		t.Errorf("the client's session: %+v, want %+v", data.Client, o.Session)
	}
	c.query(t, "mutation { sessionTokenCreate { token } }", nil, &data)
	if strings.Count(data.SessionTokenCreate.Token, ".") != 2 {
		t.Errorf("a token for backends: %q", data.SessionTokenCreate.Token)
	}
}

// TestAccountAndWalletComeBack signs up with what belongs to a user already.
func TestAccountAndWalletComeBack(t *testing.T) {
	if !needsNode(t) {
		return
	}
	t.Parallel()
	server, p, administrator := withProvider(t)
	administrator.changeSettings(t, map[string]any{
		"web3Wallet": map[string]any{"enabled": true}, "emailAddress": map[string]any{"required": false}, "password": map[string]any{"required": false},
	})
	byAccount := func(c *client) signUp {
		_, challenge := createWithAccount(t, c)
		return c.check(t, "oauthHandle", p.visit(t, challenge, "verified-named"))
	}
	byWallet := func(c *client) signUp {
		opened := c.create(t, map[string]any{"startVerifications": []any{firstWallet.start()}})
		return c.check(t, "web3Signature", firstWallet.sign(t, walletMessage(t, opened)).proof())
	}
	for _, way := range []struct {
		attribute string
		prove     func(*client) signUp
		state     func(signUp) *verification
	}{
		{"EXTERNAL_ACCOUNT", byAccount, func(s signUp) *verification { return s.Verifications.ExternalAccount }},
		{"WEB3_WALLET", byWallet, func(s signUp) *verification { return s.Verifications.Web3Wallet }},
	} {
		t.Run(way.attribute, func(t *testing.T) {
			first := way.prove(newClient(t, server))
			if first.Status != "COMPLETE" {
				t.Fatalf("the first time: %s, missing %v; want COMPLETE", first.Status, first.MissingFields)
			}
			for name, newCaller := range map[string]func() *client{
				"bearer": func() *client { return newClient(t, server) },
				"cookie": func() *client { return newBrowser(t, server, server.URL) },
			} {
				t.Run(name, func(t *testing.T) {
					c := newCaller()
					c.create(t, map[string]any{})
					nothing := c.signIn(t, map[string]any{"transfer": "none"})
					if !slices.Equal(nothing.codes(), []string{"INVALID_FORMAT"}) {
						t.Errorf("before anything was proven: %+v; want INVALID_FORMAT", nothing.UserErrors)
					}
					again := way.prove(c)
					if v := way.state(again); again.Status != "MISSING_REQUIREMENTS" || v == nil || v.Status != "TRANSFERABLE" {
						t.Fatalf("the second time: %s, %s; want TRANSFERABLE", again.Status, encode(t, v))
					}
					thief := newClient(t, server)
					thief.create(t, map[string]any{})
					stolen := thief.signIn(t, map[string]any{"transfer": c.transfer})
					if stolen.Session != nil || !slices.Equal(stolen.codes(), []string{"BEGUN_ELSEWHERE"}) {
						t.Errorf("another client transfers it: %+v; want BEGUN_ELSEWHERE", stolen)
					}
					watched := newAdministrator(t, server).watchBySocket(t, again.ID)
					watched.next(t)
					c.is(t, first.CreatedUserID, c.signIn(t, map[string]any{"transfer": c.transfer}))
					if s := watched.awaitFinal(t); s.Status != "ABANDONED" {
						t.Errorf("the sign-up is %s, want ABANDONED", s.Status)
					}
				})
			}
		})
	}
	if found := administrator.users(t, ""); len(found) != 2 {
		t.Errorf("%d users, want one by the account and one by the wallet", len(found))
	}
}

// awaitFinal returns the last state of a subscription that ends by itself.
func (s *subscription) awaitFinal(t testing.TB) signUp {
	t.Helper()
	s.awaitEnd(t)
	return s.seen[len(s.seen)-1]
}

// Attack 1: an account whose address belongs to a user who has never seen that
// account is not that user.
func TestAttack01AccountWithTheAddressOfAUser(t *testing.T) {
	if !needsNode(t) {
		return
	}
	t.Parallel()
	server, p, administrator := withProvider(t)
	const email = "verified-named@example.com"
	user := signUpWhole(t, newClient(t, server), email)
	for _, progressive := range []bool{true, false} {
		administrator.changeSettings(t, map[string]any{"progressiveSignUp": progressive})
		c := newClient(t, server)
		_, challenge := createWithAccount(t, c)
		o := mustTry(t)(c.tryCheck("oauthHandle", p.visit(t, challenge, "verified-named")))
		if o.complete() {
			t.Fatalf("progressive %v: the account became a user with the address of another", progressive)
		}
		s := *c.read(t, "")
		if !blockedBy(s, "IDENTIFIER_TAKEN") || !slices.Contains(s.MissingFields, "EMAIL_ADDRESS") {
			t.Errorf("progressive %v: %s, blockers %+v, missing %v; want the address to be replaced", progressive, s.Status, s.Blockers, s.MissingFields)
		}
		if c.transfer != "" {
			t.Errorf("progressive %v: the account can be transferred to another user", progressive)
		}
		if found := administrator.users(t, ""); len(found) != 1 || found[0].ID != user.CreatedUserID || len(found[0].Identifiers) != 1 {
			t.Errorf("progressive %v: users %+v; want the one of before, with nothing added", progressive, found)
		}
	}
}

// TestPasswordAndCodeComeBack signs in by what a user has, by cookie and bearer.
func TestPasswordAndCodeComeBack(t *testing.T) {
	t.Parallel()
	server := realtest.Program(t, realtest.ProgramOptions{})
	const email, password = "back@example.com", goodPassword
	user := signUpWhole(t, newClient(t, server), email).CreatedUserID
	for name, newCaller := range map[string]func() *client{
		"bearer": func() *client { return newClient(t, server) },
		"cookie": func() *client { return newBrowser(t, server, server.URL) },
	} {
		t.Run("password, "+name, func(t *testing.T) {
			c := newCaller()
			wrong := c.signIn(t, map[string]any{"password": map[string]any{"identifier": email, "password": "not " + password}})
			nobody := c.signIn(t, map[string]any{"password": map[string]any{"identifier": "nobody@example.com", "password": password}})
			if !slices.Equal(wrong.codes(), []string{"CREDENTIALS_INVALID"}) || asJSON(t, wrong) != asJSON(t, nobody) {
				t.Errorf("a wrong password: %s\nan address that nobody has: %s\nwant the same CREDENTIALS_INVALID", asJSON(t, wrong), asJSON(t, nobody))
			}
			c.is(t, user, c.signIn(t, map[string]any{"password": map[string]any{"identifier": "BACK@example.com", "password": password}}))
		})
		t.Run("code, "+name, func(t *testing.T) {
			address := name + "-code@example.com" // one code a while
			user := signUpWhole(t, newClient(t, server), address).CreatedUserID
			c := newCaller()
			challenge := c.askCode(t, address)
			var code string
			eventually(t, answerLimit, func() string { // it goes out after the answer
				sent := c.outbox(t, address)
				if len(sent) < 2 { // the first was for the sign-up
					return "no code was sent"
				}
				code = sent[0].Code
				return ""
			})
			proof := func(code string) map[string]any {
				return map[string]any{"code": map[string]any{"challengeId": challenge, "code": code}}
			}
			wrongCode := "000000"
			if code == wrongCode {
				wrongCode = "000001"
			}
			if wrong := c.signIn(t, proof(wrongCode)); !slices.Equal(wrong.codes(), []string{"CODE_INCORRECT"}) {
				t.Errorf("a wrong code: %+v; want CODE_INCORRECT", wrong.UserErrors)
			}
			if other := newCaller(); true {
				begin(t, other, name+"-other@example.com")
				if stolen := other.signIn(t, proof(code)); !slices.Equal(stolen.codes(), []string{"BEGUN_ELSEWHERE"}) {
					t.Errorf("the code in another client: %+v; want BEGUN_ELSEWHERE", stolen.UserErrors)
				}
			}
			c.is(t, user, c.signIn(t, proof(code)))
			if again := c.signIn(t, proof(code)); again.Session != nil && again.Session.UserID != user {
				t.Errorf("the code again: %+v", again)
			}
		})
	}
}

// TestNobodyComesBack asks for a code for an address that nobody has: the answer is
// the same, and no mail goes out.
func TestNobodyComesBack(t *testing.T) {
	t.Parallel()
	post := startMailServer(t)
	server := realtest.Program(t, realtest.ProgramOptions{Env: post.settings()})
	c := newClient(t, server)
	begin(t, c, "somebody@example.com")
	c.check(t, "emailCode", post.code(t, "somebody@example.com"))
	for _, address := range []string{"somebody@example.com", "nobody@example.com"} {
		newClient(t, server).askCode(t, address)
	}
	server.Stop() // what was promised has gone out by then
	post.mu.Lock()
	defer post.mu.Unlock()
	sent := map[string]int{}
	for _, message := range post.messages {
		sent[message.to]++
	}
	if len(sent) != 1 || sent["somebody@example.com"] != 2 {
		t.Errorf("mails: %v; want two to somebody", sent)
	}
}

func decode(t testing.TB, data json.RawMessage, into any) {
	t.Helper()
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatal(err)
	}
}
