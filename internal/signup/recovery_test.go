package signup_test

import (
	"testing"

	"stepwise/engine"
	"stepwise/internal/signup"
)

// dyingAt is a process that ends at its first call of the port.
func (w *world) dyingAt(port string, f fault) *process {
	return w.newProcess(func(p string) fault {
		if p == port {
			return f
		}
		return served
	})
}

// TestCompletingCallMadeAgainAfterACrash: the user was made, but the process
// died before it was remembered. The client's token is outdated by then; with
// the same call it must get the answer and the new token, for it can do nothing
// else.
func TestCompletingCallMadeAgainAfterACrash(t *testing.T) {
	const address = "jane@example.com"
	w := newWorld(t, "")
	c := w.client()
	c.create(withEmail(address))
	proof := signup.Proof{Attribute: engine.EmailAddress, Code: w.mail.code(t, address)}
	_, err := w.dyingAt("Directory.Convert", diedAfter).CheckVerification(t.Context(), c.principal(), "", proof, "")
	wantCode(t, err, "UNAVAILABLE")

	w.clock.advance(afterLease)
	out, err := w.service.CheckVerification(t.Context(), c.principal(), "", proof, "")
	if err != nil {
		t.Fatalf("made again with the outdated token: %v", err)
	}
	user, _ := w.wantOneUser(address)
	if out.SignUp.CreatedUserID != user || out.ClientToken == "" {
		t.Errorf("the answer is %s, with a token: %t", describe(out), out.ClientToken != "")
	}
}

// TestCreateMadeAgainAfterALostReply: everything in one call, and its reply was
// lost. Made again it is the same sign-up, not a rival for the same address.
func TestCreateMadeAgainAfterALostReply(t *testing.T) {
	const address = "jane@example.com"
	w := newWorld(t, unverifiedEmail)
	c := w.client()
	c.create(signup.Input{})
	in := signup.Input{EmailAddress: signup.Given(address), Password: signup.Given(goodPassword)}
	_, err := w.dyingAt("Attempts.Create", diedAfter).Create(t.Context(), c.principal(), in)
	wantCode(t, err, "UNAVAILABLE")

	w.clock.advance(afterLease)
	out := c.create(in)
	user, _ := w.wantOneUser(address)
	if out.SignUp == nil || out.SignUp.CreatedUserID != user || out.ClientToken == "" {
		t.Errorf("the answer is %s, with a token: %t", describe(out), out.ClientToken != "")
	}
}

// TestCreateThatSettlesAnother: beginning anew settles a completion that a
// crash left, which outdates the caller's token. What is begun with it must be
// within the caller's reach, or not be begun.
func TestCreateThatSettlesAnother(t *testing.T) {
	const address = "jane@example.com"
	w := newWorld(t, "")
	c := w.client()
	c.create(withEmail(address))
	proof := signup.Proof{Attribute: engine.EmailAddress, Code: w.mail.code(t, address)}
	_, err := w.dyingAt("Attempts.Save", diedAfter).CheckVerification(t.Context(), c.principal(), "", proof, "")
	wantCode(t, err, "UNAVAILABLE")

	out, err := w.service.Create(t.Context(), c.principal(), signup.Input{})
	if codeOf(err) == "UNAUTHENTICATED" {
		return
	}
	w.must(err)
	if out.ClientToken != "" {
		c.token = out.ClientToken
	}
	seen, err := w.service.SignUp(t.Context(), c.principal(), out.SignUp.ID)
	if err != nil || seen == nil {
		t.Errorf("a sign-up was begun that its client cannot reach: %v", err)
	}
}

// TestConversionThatCameTooLate: a reader takes up a conversion that a crash
// left, and is slow. Meanwhile the conversion is refused because the settings
// ask for more, the owner gives another address, and the settings ask for less
// again. What the slow reader still holds must not become a user.
func TestConversionThatCameTooLate(t *testing.T) {
	const former, now = "jane@example.com", "joan@example.com"
	w := newWorld(t, "")
	c := w.client()
	c.create(withEmail(former))
	proof := signup.Proof{Attribute: engine.EmailAddress, Code: w.mail.code(t, former)}
	_, err := w.dyingAt("Directory.Convert", diedBefore).CheckVerification(t.Context(), c.principal(), "", proof, "")
	wantCode(t, err, "UNAVAILABLE")
	w.clock.advance(afterLease)

	arrived, proceed, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
	slow := w.newProcess(func(port string) fault {
		if port == "Directory.Convert" {
			close(arrived)
			<-proceed
		}
		return served
	})
	id, secret := c.lastID(), w.secret()
	go func() {
		defer close(done)
		_, _ = slow.SignUp(t.Context(), secret, id)
	}()
	<-arrived
	w.set(`{"firstName": {"required": true}}`)
	wantStatus(t, c.check(engine.EmailAddress, proof.Code), engine.StatusMissingRequirements)
	wantProblems(t, c.update(withEmail(now)))
	w.set(`{"firstName": {"required": false}}`)
	close(proceed)
	<-done

	if n := len(w.usersWith(former)); n != 0 {
		t.Errorf("%d users have the address that was replaced", n)
	}
	if s := c.signUp(); s == nil || s.Status != engine.StatusMissingRequirements || s.Values[engine.EmailAddress].Text != now {
		t.Errorf("the sign-up is %s", describe(signup.Outcome{SignUp: s}))
	}
	wantStatus(t, c.check(engine.EmailAddress, w.mail.code(t, now)), engine.StatusComplete)
	w.wantOneUser(now)
}

// lastID is the id of the client's current sign-up, without reading it.
func (c *client) lastID() string {
	c.Helper()
	id, _, _, err := c.redis.Load(c.Context(), signup.AttemptKey{Instance: c.first.ID, Client: c.principal().Client}, "")
	c.must(err)
	return id
}
