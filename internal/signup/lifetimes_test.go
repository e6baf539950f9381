package signup_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"stepwise/engine"
	"stepwise/internal/signup"
)

// How long things last is a setting of the instance.

// TestLifetimeOfChallenges: what people are told, what is sent to them, and when it
// ends, are one. Challenges that are out keep their deadlines.
func TestLifetimeOfChallenges(t *testing.T) {
	const lifetime, interval = 3 * time.Minute, 45 * time.Second
	const settings = `{"codeLifetimeSeconds": 180, "resendIntervalSeconds": 45, "phoneNumber": {"enabled": true}, "web3Wallet": {"enabled": true},
		"allowedRedirects": ["` + backAtApp + `"], "externalAccount": {"providers": [{"name": "corp", "issuer": "https://one.example.com", "clientId": "app"}]}}`
	jane := walletOf("Jane")
	for _, start := range []signup.Start{
		{Strategy: engine.EmailCode}, {Strategy: engine.EmailLink}, {Strategy: engine.PhoneCode}, signing(jane),
		{Strategy: engine.OAuth, Provider: "corp", RedirectURL: backAtApp},
	} {
		t.Run(string(start.Strategy), func(t *testing.T) {
			w := newWorld(t, settings)
			a, _ := start.Strategy.Attribute()
			began := w.clock.now()
			begin := func(c *client) *signup.Verification {
				wantProblems(t, c.create(signup.Input{EmailAddress: signup.Given("jane@example.com"), PhoneNumber: signup.Given("+493090182012"), Start: []signup.Start{start}}))
				return c.signUp().Verifications[a]
			}
			c := w.client()
			v := begin(c)
			if !v.ExpireAt.Equal(began.Add(lifetime)) || !v.ResendAt.Equal(began.Add(interval)) {
				t.Errorf("again from %v, until %v", v.ResendAt.Sub(began), v.ExpireAt.Sub(began))
			}
			for _, m := range w.mail.all() {
				if !m.ExpireAt.Equal(v.ExpireAt) {
					t.Errorf("the message says %v", m.ExpireAt.Sub(began))
				}
			}
			if a == engine.Web3Wallet && !strings.Contains(v.Message, "Expiration Time: "+v.ExpireAt.Format("2006-01-02T15:04:05")) {
				t.Errorf("the wallet is shown\n%s", v.Message)
			}

			w.set(`{"codeLifetimeSeconds": 60}`)
			w.clock.advance(lifetime - time.Millisecond)
			if v := c.signUp().Verifications[a]; v.Status != engine.VerificationUnverified || !v.ExpireAt.Equal(began.Add(lifetime)) {
				t.Errorf("with a shorter lifetime meanwhile it is %s until %v", v.Status, v.ExpireAt.Sub(began))
			}
			w.clock.advance(time.Millisecond)
			if v := c.signUp().Verifications[a]; v.Status != engine.VerificationExpired {
				t.Errorf("at its end it is %s", v.Status)
			}
			began = w.clock.now()
			if v := begin(w.client()); !v.ExpireAt.Equal(began.Add(time.Minute)) {
				t.Errorf("one begun later lasts %v", v.ExpireAt.Sub(began))
			}
		})
	}
}

// TestIntervalOfSending: before it is over, nothing is sent, however often asked.
func TestIntervalOfSending(t *testing.T) {
	w := newWorld(t, `{"resendIntervalSeconds": 90}`)
	c := w.client()
	c.create(withEmail("jane@example.com"))
	for _, step := range []struct {
		wait time.Duration
		sent int
	}{{0, 1}, {90*time.Second - time.Millisecond, 1}, {time.Millisecond, 2}, {time.Minute, 2}, {30 * time.Second, 3}} {
		w.clock.advance(step.wait)
		wantProblems(t, c.start(engine.EmailCode))
		if n := w.mail.sentTo("jane@example.com"); n != step.sent {
			t.Errorf("%d messages, want %d", n, step.sent)
		}
	}
}

// TestLifetimeOfSignInCodes: those of people who come back follow the same settings,
// and bear no more guesses for lasting longer, nor for settings that change.
func TestLifetimeOfSignInCodes(t *testing.T) {
	w, jane := withJane(t)
	w.set(`{"codeLifetimeSeconds": 3600, "resendIntervalSeconds": 90}`)
	c := w.client()
	asked := w.clock.now()
	challenge := c.askForCode(janesPhone)
	if !challenge.ExpireAt.Equal(asked.Add(time.Hour)) || !challenge.ResendAt.Equal(asked.Add(90*time.Second)) {
		t.Errorf("again from %v, until %v", challenge.ResendAt.Sub(asked), challenge.ExpireAt.Sub(asked))
	}
	code := w.mail.code(t, janesPhone)
	w.clock.advance(90*time.Second - time.Millisecond)
	if codes := codesOf(c.askForCode(janesPhone).Problems); !slices.Equal(codes, []signup.Code{signup.CodeRateLimited}) {
		t.Errorf("asked again too soon: %v", codes)
	}
	w.set(`{"codeLifetimeSeconds": 60, "resendIntervalSeconds": 60}`)
	for range engine.MaxGuesses {
		wantNoSession(t, c.comeBack(byCode(challenge, wrong(code))), "CODE_INCORRECT")
	}
	w.clock.advance(11 * time.Minute)
	wantNoSession(t, c.comeBack(byCode(challenge, wrong(code))), "TOO_MANY_GUESSES")

	another := w.client()
	w.set(`{"codeLifetimeSeconds": 3600}`)
	asked = w.clock.now()
	challenge = another.askForCode(janesPhone)
	w.set(`{"codeLifetimeSeconds": 60}`)
	w.clock.advance(time.Hour - time.Millisecond) // the deadline it was issued with
	another.wantSession(another.comeBack(byCode(challenge, w.mail.code(t, janesPhone))), jane)
	w.clock.advance(time.Millisecond)
	if challenge = another.askForCode(janesPhone); !challenge.ExpireAt.Equal(asked.Add(time.Hour + time.Minute)) {
		t.Errorf("with the shorter lifetime it lasts %v", challenge.ExpireAt.Sub(asked.Add(time.Hour)))
	}
}

// TestLifetimeOfTransfers: what was proven is good for as long as a code.
func TestLifetimeOfTransfers(t *testing.T) {
	for wait, codes := range map[time.Duration][]signup.Code{3*time.Minute - time.Millisecond: nil, 3 * time.Minute: {"VERIFICATION_EXPIRED"}} {
		w, _ := newProvingWorld(t, `{"emailAddress": {"required": false}, "password": {"required": false}, "web3Wallet": {"enabled": true}, "codeLifetimeSeconds": 180}`)
		w.userWithWallet("jane's")
		c := w.client()
		c.create(signup.Input{})
		c.startsWallet("jane's")
		c.signsAs("jane's")
		w.clock.advance(wait)
		if out := c.movesIn(); !slices.Equal(codesOf(out.Problems), codes) || (out.Session != nil) != (codes == nil) {
			t.Errorf("after %v: session %v, problems %v", wait, out.Session, codesOf(out.Problems))
		}
	}
}

// TestLifetimeOfInvitations is that of the settings, where they do not say another.
func TestLifetimeOfInvitations(t *testing.T) {
	w := inviting(t)
	w.set(`{"invitationLifetimeSeconds": 7200}`)
	for given, want := range map[time.Duration]time.Duration{0: 2 * time.Hour, 3 * time.Hour: 3 * time.Hour} {
		out := w.invite(signup.InvitationInput{ExpiresIn: given})
		if life := out.Invitation.ExpireAt.Sub(out.Invitation.CreatedAt); life != want {
			t.Errorf("with %v it lasts %v, want %v", given, life, want)
		}
	}
	out := w.invite(signup.InvitationInput{})
	w.set(`{"invitationLifetimeSeconds": 60}`) // one that is out keeps its deadline
	w.clock.advance(2*time.Hour - time.Millisecond)
	wantProblems(t, w.client().create(signup.Input{Ticket: out.Ticket}))
	w.clock.advance(time.Millisecond)
	wantProblems(t, w.client().create(signup.Input{Ticket: out.Ticket}), "TICKET_INVALID")
}

// TestLifetimeOfSignUpsAndSessions: each has its own, from the settings in force when
// it begins.
func TestLifetimeOfSignUpsAndSessions(t *testing.T) {
	w := newWorld(t, `{"signUpLifetimeSeconds": 120, "sessionLifetimeSeconds": 7200}`)
	c := w.client()
	out := c.create(withEmail("jane@example.com"))
	if life := out.SignUp.AbandonAt.Sub(out.SignUp.CreatedAt); life != 2*time.Minute {
		t.Errorf("the sign-up lasts %v", life)
	}
	w.set(`{"signUpLifetimeSeconds": 3600}`)
	w.clock.advance(2 * time.Minute)
	if s := c.signUp(); s.Status != engine.StatusAbandoned {
		t.Errorf("after two minutes it is %s", s.Status)
	}
	jane, done := w.completed("jane@example.com")
	session, err := w.service.Session(t.Context(), jane.principal(), done.CreatedSession)
	w.must(err)
	if life := session.ExpireAt.Sub(session.CreatedAt); life != 2*time.Hour {
		t.Errorf("the session lasts %v", life)
	}
}

// TestWaysToVerifyEmail: those on the list can be started, whatever the mutation.
func TestWaysToVerifyEmail(t *testing.T) {
	const address = "jane@example.com"
	for way, other := range map[engine.Strategy]engine.Strategy{engine.EmailCode: engine.EmailLink, engine.EmailLink: engine.EmailCode} {
		w := newWorld(t, `{"emailAddress": {"strategies": ["`+string(way)+`"]}}`)
		in := withEmail(address)
		in.Start = starts(other)
		refused := w.client().create(in)
		wantProblems(t, refused, "STRATEGY_NOT_AVAILABLE")
		if got := text(t, refused.Problems[0].Field); got != `["input","startVerifications","0"]` {
			t.Errorf("the problem is at %s", got)
		}
		c := w.client()
		in.Start = nil
		wantProblems(t, c.create(in))
		refused = c.start(other)
		wantProblems(t, refused, "STRATEGY_NOT_AVAILABLE")
		if got := text(t, refused.Problems[0].Field); got != `["input","strategy"]` || w.mail.sentTo(address) != 0 {
			t.Errorf("the problem is at %s, %d messages", got, w.mail.sentTo(address))
		}
		wantProblems(t, c.start(way))
		wantStatus(t, c.check(engine.EmailAddress, w.mail.code(t, address)), engine.StatusComplete) // a link's mail has a code too

		// People who come back are sent codes all the same.
		back := w.client()
		challenge := back.askForCode(address)
		if m := w.mail.all(); m[len(m)-1].Purpose != signup.PurposeSignIn {
			t.Errorf("with %s alone nobody is sent a code to come back", way)
		}
		if out := back.comeBack(byCode(challenge, w.mail.code(t, address))); out.Session == nil {
			t.Errorf("with %s alone nobody comes back: %v", way, codesOf(out.Problems))
		}
	}
}

// TestWaysToVerifyInOrder: once each, as they are shown everywhere.
func TestWaysToVerifyInOrder(t *testing.T) {
	s := signup.DefaultSettings().Apply(patch(t, `{"emailAddress": {"strategies": ["EMAIL_LINK", "EMAIL_CODE", "EMAIL_LINK", "EMAIL_CODE"]}}`))
	if got := text(t, s.EmailAddress.Strategies); got != `["EMAIL_CODE","EMAIL_LINK"]` || len(s.Check()) > 0 {
		t.Errorf("the list is %s, problems %v", got, s.Check())
	}
}

// TestChallengeOutlivesItsWay: what was started before the list changed is answered.
func TestChallengeOutlivesItsWay(t *testing.T) {
	w := newWorld(t, "")
	c := w.client()
	c.create(withEmail("jane@example.com"))
	w.set(`{"emailAddress": {"strategies": ["EMAIL_LINK"]}}`)
	wantStatus(t, c.check(engine.EmailAddress, w.mail.code(t, "jane@example.com")), engine.StatusComplete)
}
