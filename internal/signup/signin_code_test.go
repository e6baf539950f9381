package signup_test

import (
	"strings"
	"testing"
	"time"

	"stepwise/engine"
	"stepwise/internal/signup"
)

// TestCodeBringsThemBack: by mail and by text message, however the code is typed.
func TestCodeBringsThemBack(t *testing.T) {
	w, jane := withJane(t)
	for _, test := range []struct {
		address, to string
		channel     signup.Channel
		typed       func(code string) string
	}{
		{" jane.doe@EXAMPLE.com", janesEmail, signup.ChannelEmail, func(c string) string { return c }},
		{"030 901820", janesPhone, signup.ChannelSMS, func(c string) string { return c[:3] + " " + c[3:] }},
		{janesPhone, janesPhone, signup.ChannelSMS, func(c string) string { return " " + c[:3] + "-" + c[3:] + "\n" }},
	} {
		sent := len(w.mail.all())
		c := w.client()
		challenge := c.askForCode(test.address)
		if len(challenge.Problems) > 0 || challenge.ID == "" || c.token == "" {
			t.Fatalf("the challenge is %+v", challenge)
		}
		messages := w.mail.all()[sent:]
		if len(messages) != 1 {
			t.Fatalf("%d messages", len(messages))
		}
		m := messages[0]
		if m.Channel != test.channel || m.Purpose != signup.PurposeSignIn || !strings.EqualFold(m.To, test.to) || m.Link != "" || !m.ExpireAt.Equal(challenge.ExpireAt) {
			t.Errorf("the message is %+v", m)
		}
		if challenge.SentTo == "" || strings.Contains(challenge.SentTo, "oe@") || strings.Contains(challenge.SentTo, "9018") {
			t.Errorf("the mask %s shows too much", challenge.SentTo)
		}
		if now := w.clock.now(); !challenge.ExpireAt.Equal(now.Add(engine.CodeLifetime)) || !challenge.ResendAt.Equal(now.Add(engine.ResendInterval)) {
			t.Errorf("again from %v, until %v", challenge.ResendAt, challenge.ExpireAt)
		}
		w.clock.advance(engine.CodeLifetime - time.Millisecond)
		c.wantSession(c.comeBack(byCode(challenge, test.typed(m.Code))), jane)
		w.clock.advance(time.Hour)
	}
}

// TestCodeProofTwice: the same proof is the same session and the same answer, also
// for the token that it replaced, as when the first answer was lost.
func TestCodeProofTwice(t *testing.T) {
	w, jane := withJane(t)
	c := w.client()
	challenge := c.askForCode(janesEmail)
	former := c.token
	proof := byCode(challenge, w.mail.code(t, "Jane.Doe@example.com"))
	first := c.comeBack(proof)
	c.wantSession(first, jane)
	w.clock.advance(time.Minute)
	for name, token := range map[string]string{"the new token": c.token, "the former token": former} {
		again, err := w.process(nil).CreateSession(t.Context(), w.as(token), proof)
		w.must(err)
		if text(t, again) != text(t, first) {
			t.Errorf("%s: the answer is\n%s\nand was\n%s", name, text(t, again), text(t, first))
		}
	}
	if n := w.count(`SELECT COUNT(*) FROM sessions WHERE client_id = $1`, first.Session.ClientID); n != 1 {
		t.Errorf("%d sessions", n)
	}
	if n := w.count(`SELECT COUNT(*) FROM outbox WHERE json_extract(body, '$.clientId') = $1`, first.Session.ClientID); n != 1 {
		t.Errorf("%d events", n)
	}

	// The former token hears this one answer and no other.
	out, err := w.service.CreateSession(t.Context(), w.as(former), byCode(challenge, wrong(proof.Code)))
	w.must(err)
	wantNoSession(t, out, "CODE_INCORRECT")
	other := c.askForCode(janesPhone)
	_, err = w.service.CreateSession(t.Context(), w.as(former), byCode(other, w.mail.code(t, janesPhone)))
	wantCode(t, err, "UNAUTHENTICATED")

	// Once the client has gone on, neither does.
	c.wantSession(c.comeBack(byCode(other, w.mail.code(t, janesPhone))), jane)
	_, err = w.service.CreateSession(t.Context(), w.as(former), proof)
	wantCode(t, err, "UNAUTHENTICATED")
}

// TestCodeProofOfAnOlderToken: only the token that the session itself replaced hears
// the answer again, not one from before.
func TestCodeProofOfAnOlderToken(t *testing.T) {
	w, jane := withJane(t)
	c := w.client()
	c.create(signup.Input{})
	older := c.token
	c.wantSession(c.comeBack(byPassword(janesName, janesPassword)), jane)
	w.clock.advance(time.Second)
	challenge := c.askForCode(janesPhone)
	former := c.token
	proof := byCode(challenge, w.mail.code(t, janesPhone))
	c.wantSession(c.comeBack(proof), jane)
	_, err := w.service.CreateSession(t.Context(), w.as(older), proof)
	wantCode(t, err, "UNAUTHENTICATED")
	out, err := w.service.CreateSession(t.Context(), w.as(former), proof)
	w.must(err)
	if out.ClientToken != c.token {
		t.Errorf("problems %v", out.Problems)
	}
}

// TestUsedCodeIsVoid once the client has gone on to another session.
func TestUsedCodeIsVoid(t *testing.T) {
	w, jane := withJane(t)
	c := w.client()
	challenge := c.askForCode(janesPhone)
	proof := byCode(challenge, w.mail.code(t, janesPhone))
	c.wantSession(c.comeBack(proof), jane)
	w.clock.advance(time.Second)
	c.wantSession(c.comeBack(byPassword(janesName, janesPassword)), jane)
	wantNoSession(t, c.comeBack(proof), "VERIFICATION_EXPIRED")
	if n := w.count(`SELECT COUNT(*) FROM sessions WHERE client_id = $1`, c.principal().Client); n != 2 {
		t.Errorf("%d sessions", n)
	}
}

// TestEndedSessionIsNotBegunAgain by the code that began it.
func TestEndedSessionIsNotBegunAgain(t *testing.T) {
	w, _ := withJane(t)
	c := w.client()
	challenge := c.askForCode(janesPhone)
	proof := byCode(challenge, w.mail.code(t, janesPhone))
	id := c.comeBack(proof).Session.ID
	_, _, err := w.service.EndSession(t.Context(), c.principal(), id)
	w.must(err)
	if s := c.comeBack(proof).Session; s == nil || s.ID != id || s.StatusAt(w.clock.now()) != signup.SessionEnded {
		t.Errorf("the session is %+v", s)
	}
	token, err := w.service.CreateSessionToken(t.Context(), c.principal(), "")
	w.must(err)
	if token.Token != "" {
		t.Error("a session that was ended gets a token")
	}
}

func TestCodeRefusals(t *testing.T) {
	w, _ := withJane(t)
	c := w.client()
	challenge := c.askForCode(janesEmail)
	code := w.mail.code(t, "Jane.Doe@example.com")
	mallory := w.client()
	mallory.create(signup.Input{})
	otherKeys, err := signup.NewKeys([]byte(strings.Repeat("another master key ", 3)))
	w.must(err)
	body, sum, _ := strings.Cut(challenge.ID, ".")
	for _, test := range []struct {
		name  string
		by    *client
		id    string
		code  string
		want  signup.Code
		field []string
	}{
		{"not six digits", c, challenge.ID, code[:5], "INVALID_FORMAT", []string{"proof", "code", "code"}},
		{"no code", c, challenge.ID, "", "INVALID_FORMAT", []string{"proof", "code", "code"}},
		{"digits of another script", c, challenge.ID, "١٢٣٤٥٦", "INVALID_FORMAT", []string{"proof", "code", "code"}},
		{"a wrong code", c, challenge.ID, wrong(code), "CODE_INCORRECT", []string{"proof", "code", "code"}},
		{"another client", mallory, challenge.ID, code, "BEGUN_ELSEWHERE", []string{"proof", "code", "code"}},
		{"a challenge that was cut", c, challenge.ID[:len(challenge.ID)-1], code, "INVALID_FORMAT", []string{"proof", "code", "challengeId"}},
		{"no challenge", c, "none", code, "INVALID_FORMAT", []string{"proof", "code", "challengeId"}},
		{"a body without signature", c, body, code, "INVALID_FORMAT", []string{"proof", "code", "challengeId"}},
		{"a signature without body", c, "." + sum, code, "INVALID_FORMAT", []string{"proof", "code", "challengeId"}},
		{"another body", c, "A" + body[1:] + "." + sum, code, "INVALID_FORMAT", []string{"proof", "code", "challengeId"}},
		{"two challenges in one", c, challenge.ID + "." + sum, code, "INVALID_FORMAT", []string{"proof", "code", "challengeId"}},
		{"a ticket", c, w.ticketOf(t), code, "INVALID_FORMAT", []string{"proof", "code", "challengeId"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			wantNoSession(t, test.by.comeBack(signup.SessionProof{Challenge: test.id, Code: test.code}), test.want, test.field...)
		})
	}
	_, err = w.service.CreateSession(t.Context(), w.as(""), byCode(challenge, code))
	wantCode(t, err, "UNAUTHENTICATED")

	// Under another master key nothing of this means anything.
	elsewhere := w.process(func(c *signup.Config) { c.Keys = otherKeys })
	out, err := elsewhere.CreateSession(t.Context(), c.principal(), byCode(challenge, code))
	w.must(err)
	wantNoSession(t, out, "INVALID_FORMAT")

	w.clock.advance(engine.CodeLifetime) // that moment included
	wantNoSession(t, c.comeBack(byCode(challenge, code)), "VERIFICATION_EXPIRED", "proof", "code", "code")
}

// ticketOf returns the ticket of a new invitation.
func (w *world) ticketOf(t testing.TB) string {
	t.Helper()
	out, err := w.service.Invite(t.Context(), w.secret(), signup.InvitationInput{})
	w.must(err)
	if out.Ticket == "" {
		t.Fatalf("no ticket, problems %v", out.Problems)
	}
	return out.Ticket
}

// TestCodesOfOneAreNotTheOthers: a code is that of one challenge: not of another
// one to the same address, nor of a sign-up.
func TestCodesOfOneAreNotTheOthers(t *testing.T) {
	w, jane := withJane(t)
	c := w.client()
	first := c.askForCode(janesPhone)
	firstCode := w.mail.code(t, janesPhone)
	w.clock.advance(engine.ResendInterval)
	second := c.askForCode(janesPhone)
	secondCode := w.mail.code(t, janesPhone)
	if first.ID == second.ID {
		t.Fatal("two challenges are one")
	}
	if firstCode != secondCode {
		wantNoSession(t, c.comeBack(byCode(first, secondCode)), "CODE_INCORRECT")
		wantNoSession(t, c.comeBack(byCode(second, firstCode)), "CODE_INCORRECT")
	}
	c.wantSession(c.comeBack(byCode(first, firstCode)), jane) // the later one does not void it
}

// TestWhatCannotGetACode: names, nonsense, and channels that the server lacks.
func TestWhatCannotGetACode(t *testing.T) {
	w, _ := withJane(t)
	mailOnly := w.process(func(c *signup.Config) { c.Can.SendSMS = false })
	smsOnly := w.process(func(c *signup.Config) { c.Can.SendEmail = false })
	for _, test := range []struct {
		name    string
		service *signup.Service
		address string
		want    signup.Code
	}{
		{"a username", w.service, janesName, "INVALID_FORMAT"},
		{"nothing", w.service, "", "INVALID_FORMAT"},
		{"NUL", w.service, "\x00", "INVALID_FORMAT"},
		{"a header", w.service, "jane@example.com\r\nBcc: joan@example.com", "INVALID_FORMAT"},
		{"two addresses", w.service, "jane@example.com,joan@example.com", "INVALID_FORMAT"},
		{"a number where no text messages go out", mailOnly, janesPhone, "CANNOT_DELIVER"},
		{"an address where no mails go out", smsOnly, janesEmail, "CANNOT_DELIVER"},
	} {
		t.Run(test.name, func(t *testing.T) {
			sent := len(w.mail.all())
			out, err := test.service.StartSession(t.Context(), w.as(""), test.address, signup.Text{})
			w.must(err)
			test.service.Wait()
			if len(out.Problems) != 1 || out.Problems[0].Code != test.want || out.Problems[0].Message == "" || out.ID != "" || out.ClientToken != "" || len(w.mail.all()) != sent {
				t.Errorf("the answer is %+v", out)
			}
		})
	}
}

// TestTestAddressesSignIn: with the code that everybody knows, as long as the
// settings allow them, five guesses a challenge, and nothing is sent.
func TestTestAddressesSignIn(t *testing.T) {
	w := newWorld(t, `{"testMode": true}`)
	const address = "jane+test@example.com"
	first := w.client()
	first.create(withEmail(address))
	done := first.check(engine.EmailAddress, "424242")
	wantStatus(t, done, engine.StatusComplete)
	for range 2 * sendsAtOnce {
		c := w.client()
		challenge := c.askForCode(address)
		wantNoSession(t, c.comeBack(byCode(challenge, "424241")), "CODE_INCORRECT")
		c.wantSession(c.comeBack(byCode(challenge, "424242")), done.SignUp.CreatedUserID)
	}
	c := w.client()
	challenge := c.askForCode("nobody+test@example.com")
	wantNoSession(t, c.comeBack(byCode(challenge, "424242")), "CODE_INCORRECT")
	challenge = w.client().askForCode(address)
	if n := len(w.mail.all()); n != 0 {
		t.Errorf("%d messages were sent", n)
	}
	w.set(`{"testMode": false}`)
	c = w.client()
	challenge = c.askForCode(address)
	if code := w.mail.code(t, address); code != "424242" {
		wantNoSession(t, c.comeBack(byCode(challenge, "424242")), "CODE_INCORRECT")
	}
}
