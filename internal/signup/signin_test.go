package signup_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"stepwise/engine"
	"stepwise/internal/password"
	"stepwise/internal/signup"
)

// Jane has all that people come back with, in the world of manyWaysBack.
const (
	janesEmail = "Jane.Doe@Example.com"
	janesPhone = "+4930901820"
	janesName  = "Jane_Doe"
	// Precomposed here; some keyboards send the accent apart.
	janesPassword = "sieben purpurne Ött\u00e9r"

	manyWaysBack = `{"username": {"enabled": true}, "phoneNumber": {"enabled": true}, "defaultCountry": "DE", "sessionLifetimeSeconds": 3600}`
)

// withJane returns a world in which Jane has signed up, and her id.
func withJane(t testing.TB) (w *world, user string) {
	t.Helper()
	w = newWorld(t, manyWaysBack)
	return w, w.signUpJane()
}

func (w *world) signUpJane() (user string) {
	w.Helper()
	c := w.client()
	wantProblems(w, c.create(signup.Input{
		EmailAddress: signup.Given(janesEmail), PhoneNumber: signup.Given(janesPhone), Username: signup.Given(janesName),
		Password: signup.Given(janesPassword), Start: starts(engine.EmailCode, engine.PhoneCode),
	}))
	c.check(engine.EmailAddress, w.mail.code(w, "Jane.Doe@example.com"))
	out := c.check(engine.PhoneNumber, w.mail.code(w, janesPhone))
	wantStatus(w, out, engine.StatusComplete)
	w.clock.advance(time.Hour) // the budgets of her addresses are full again
	return out.SignUp.CreatedUserID
}

// comeBack offers a proof and keeps the token that it brings.
func (c *client) comeBack(proof signup.SessionProof) signup.SessionOutcome {
	c.Helper()
	out, err := c.service.CreateSession(c.Context(), c.principal(), proof)
	c.must(err)
	if out.ClientToken != "" {
		c.token = out.ClientToken
	}
	return out
}

// askForCode has a code sent to the address, if it is somebody's, and returns the
// challenge.
func (c *client) askForCode(address string) signup.SessionChallenge {
	c.Helper()
	out, err := c.service.StartSession(c.Context(), c.principal(), address, signup.Text{})
	c.must(err)
	if out.ClientToken != "" {
		c.token = out.ClientToken
	}
	c.service.Wait()
	return out
}

func byPassword(identifier, plain string) signup.SessionProof {
	return signup.SessionProof{Identifier: identifier, Password: plain}
}

func byCode(challenge signup.SessionChallenge, code string) signup.SessionProof {
	return signup.SessionProof{Challenge: challenge.ID, Code: code}
}

// wantSession expects a session of the user, with a token for its client, that a
// backend can be shown.
func (c *client) wantSession(out signup.SessionOutcome, user string) {
	c.Helper()
	s := out.Session
	if len(out.Problems) > 0 || s == nil || out.ClientToken == "" {
		c.Fatalf("no session, problems %v", codesOf(out.Problems))
	}
	if s.UserID != user || s.ClientID != c.principal().Client || !s.CreatedAt.Equal(c.clock.now()) || s.StatusAt(c.clock.now()) != signup.SessionActive {
		c.Errorf("the session is %+v", s)
	}
	token, err := c.service.CreateSessionToken(c.Context(), c.principal(), "")
	c.must(err)
	if token.Session.ID != s.ID || token.Token == "" {
		c.Errorf("the token is for %s, want %s; problems %v", token.Session.ID, s.ID, token.Problems)
	}
}

// wantNoSession expects exactly the refusal, and nothing besides.
func wantNoSession(t testing.TB, out signup.SessionOutcome, code signup.Code, field ...string) {
	t.Helper()
	if out.Session != nil || out.ClientToken != "" || !slices.Equal(codesOf(out.Problems), []signup.Code{code}) {
		t.Fatalf("session %v, problems %v, want %s", out.Session, codesOf(out.Problems), code)
	}
	if p := out.Problems[0]; len(field) > 0 && !slices.Equal(p.Field, append([]string{"input"}, field...)) || p.Message == "" {
		t.Errorf("the problem is %+v", p)
	}
}

// TestPasswordInAnySpelling: whatever of hers she names, however she writes it.
func TestPasswordInAnySpelling(t *testing.T) {
	w, jane := withJane(t)
	for _, spelling := range []string{
		janesEmail, " JANE.DOE@EXAMPLE.COM ", "jane.doe@example.com", janesPhone, "+49 (30) 90 18 20", "030/901820", janesName, "jane_doe", "JANE_DOE",
	} {
		for _, plain := range []string{janesPassword, strings.ReplaceAll(janesPassword, "\u00e9", "e\u0301")} { // attack 35
			c := w.client()
			c.wantSession(c.comeBack(byPassword(spelling, plain)), jane)
			w.clock.advance(time.Minute * 10)
		}
	}
}

func TestWrongPassword(t *testing.T) {
	w, _ := withJane(t)
	w.completed("joan@example.com")
	for name, proof := range map[string]signup.SessionProof{
		"another password":        byPassword(janesEmail, janesPassword+"."),
		"one in another case":     byPassword(janesEmail, strings.ToUpper(janesPassword)),
		"one with a space":        byPassword(janesEmail, " "+janesPassword),
		"one that was cut":        byPassword(janesEmail, janesPassword[:len(janesPassword)-1]),
		"somebody else's":         byPassword(janesEmail, goodPassword),
		"none":                    byPassword(janesEmail, ""),
		"NUL":                     byPassword(janesEmail, janesPassword+"\x00"),
		"invalid UTF-8":           byPassword(janesEmail, janesPassword+"\xff"),
		"a long one":              byPassword(janesEmail, strings.Repeat(janesPassword, 2000)),
		"nobody's address":        byPassword("nobody@example.com", janesPassword),
		"nobody's number":         byPassword("+4930901821", janesPassword),
		"nobody's name":           byPassword("jane", janesPassword),
		"no identifier":           byPassword("", janesPassword),
		"what is no identifier":   byPassword("jane doe & co", janesPassword),
		"an identifier with NUL":  byPassword(janesName+"\x00", janesPassword),
		"a user's id":             byPassword("user_00000000000000000000", janesPassword),
		"a pattern of a database": byPassword("%", janesPassword),
		"nothing at all":          {},
	} {
		t.Run(name, func(t *testing.T) {
			c := w.client()
			out := c.comeBack(proof)
			wantNoSession(t, out, "CREDENTIALS_INVALID", "proof", "password")
			if out.Problems[0].Message != "No account has this identifier and this password." {
				t.Errorf("the message tells more: %s", out.Problems[0].Message)
			}
			w.clock.advance(time.Hour)
		})
	}
}

// TestUnverifiedIdentifierTakesThePassword: whoever claimed it knows it; a code is
// for those who have proven that they get it.
func TestUnverifiedIdentifierTakesThePassword(t *testing.T) {
	w := newWorld(t, unverifiedEmail)
	first := w.client()
	out := first.create(signup.Input{EmailAddress: signup.Given("jane@example.com"), Password: signup.Given(goodPassword)})
	wantStatus(t, out, engine.StatusComplete)
	c := w.client()
	c.wantSession(c.comeBack(byPassword("jane@example.com", goodPassword)), out.SignUp.CreatedUserID)
	c.askForCode("jane@example.com")
	if n := len(w.mail.all()); n != 0 {
		t.Errorf("%d codes went to an address that nobody has proven", n)
	}
}

// TestAttack03And21TokenIsReplacedAtSignIn: a token that was planted before, or
// that somebody kept from before, is worth nothing once a person has signed in.
func TestAttack03And21TokenIsReplacedAtSignIn(t *testing.T) {
	w, jane := withJane(t)
	for name, signIn := range map[string]func(*client) signup.SessionOutcome{
		"password": func(c *client) signup.SessionOutcome { return c.comeBack(byPassword(janesName, janesPassword)) },
		"code": func(c *client) signup.SessionOutcome {
			challenge := c.askForCode(janesPhone)
			return c.comeBack(byCode(challenge, w.mail.code(t, janesPhone)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := w.client()
			c.create(signup.Input{})
			planted := c.token
			before := c.principal().Client
			c.wantSession(signIn(c), jane)
			if c.token == planted || c.principal().Client != before {
				t.Errorf("the client %s is %s now, its token new: %t", before, c.principal().Client, c.token != planted)
			}
			thief := w.as(planted)
			if !thief.Stale {
				t.Fatal("the planted token is still good")
			}
			_, err := w.service.Client(t.Context(), thief)
			wantCode(t, err, "UNAUTHENTICATED")
			_, err = w.service.CreateSessionToken(t.Context(), thief, "")
			wantCode(t, err, "UNAUTHENTICATED")
			_, err = w.service.StartSession(t.Context(), thief, janesEmail, signup.Text{})
			wantCode(t, err, "UNAUTHENTICATED")
			_, err = w.service.CreateSession(t.Context(), thief, byPassword(janesName, janesPassword))
			wantCode(t, err, "UNAUTHENTICATED")
		})
	}
}

// TestBrowserWithAnOutdatedCookieStartsOver: browsers send cookies unasked; it
// must not keep anybody from signing in.
func TestBrowserWithAnOutdatedCookieStartsOver(t *testing.T) {
	w, jane := withJane(t)
	c := w.client()
	c.create(signup.Input{})
	former := c.token
	c.comeBack(byPassword(janesName, janesPassword))
	browser, err := w.service.Authenticate(t.Context(), signup.Credentials{Cookie: onlyCookie(w, former)})
	w.must(err)
	if !browser.Stale || !browser.FromCookie {
		t.Fatalf("the browser is %+v", browser)
	}
	out, err := w.service.CreateSession(t.Context(), browser, byPassword(janesName, janesPassword))
	w.must(err)
	fresh := &client{world: w, service: w.service, token: out.ClientToken}
	fresh.wantSession(out, jane)
	if fresh.principal().Client == browser.Client {
		t.Error("the outdated cookie's client has another session")
	}
	challenge, err := w.service.StartSession(t.Context(), browser, janesEmail, signup.Text{})
	w.must(err)
	w.service.Wait()
	if p := w.as(challenge.ClientToken); p.Client == browser.Client || p.Client == "" {
		t.Errorf("the challenge is for %q", p.Client)
	}
}

// TestRefusedSignInMakesNoClient: who proves nothing gets no token either.
func TestRefusedSignInMakesNoClient(t *testing.T) {
	w, _ := withJane(t)
	c := w.client()
	before := w.count(`SELECT COUNT(*) FROM clients`)
	wantNoSession(t, c.comeBack(byPassword(janesName, "wrong otter")), "CREDENTIALS_INVALID")
	if c.token != "" || w.count(`SELECT COUNT(*) FROM clients`) != before {
		t.Error("there is a client")
	}
	if out := c.askForCode("neither"); out.ClientToken != "" || out.ID != "" || codesOf(out.Problems)[0] != "INVALID_FORMAT" {
		t.Errorf("the challenge is %+v", out)
	}
}

// TestSessionLivesAsTheSettingsSay, whatever they were when the user signed up.
func TestSessionLivesAsTheSettingsSay(t *testing.T) {
	w, _ := withJane(t)
	w.set(`{"sessionLifetimeSeconds": 120}`)
	c := w.client()
	s := c.comeBack(byPassword(janesName, janesPassword)).Session
	if got := s.ExpireAt.Sub(s.CreatedAt); got != 2*time.Minute {
		t.Errorf("the session lives %v", got)
	}
}

// TestVerifyPassword: what a backend with a sign-in of its own is told.
func TestVerifyPassword(t *testing.T) {
	w, jane := withJane(t)
	sessions := w.count(`SELECT COUNT(*) FROM sessions`)
	u, problems, err := w.service.VerifyPassword(t.Context(), w.secret(), "030 901820", janesPassword)
	w.must(err)
	if len(problems) > 0 || u == nil || u.ID != jane || len(u.Identifiers) != 3 {
		t.Errorf("the user is %+v, problems %v", u, problems)
	}
	for _, wrong := range [][2]string{{janesEmail, "wrong otter"}, {"nobody@example.com", janesPassword}, {"", ""}} {
		u, problems, err = w.service.VerifyPassword(t.Context(), w.secret(), wrong[0], wrong[1])
		w.must(err)
		if u != nil || !slices.Equal(codesOf(problems), []signup.Code{"CREDENTIALS_INVALID"}) || !slices.Equal(problems[0].Field, []string{"input", "password"}) {
			t.Errorf("%v: the user is %v, problems %+v", wrong, u, problems)
		}
	}
	if n := w.count(`SELECT COUNT(*) FROM sessions`); n != sessions {
		t.Error("looking at a password makes a session")
	}
}

// TestCreateUserSession: a backend hands its frontend the token of a client that
// nobody else knows.
func TestCreateUserSession(t *testing.T) {
	w, jane := withJane(t)
	out, err := w.service.CreateUserSession(t.Context(), w.secret(), jane)
	w.must(err)
	c := &client{world: w, service: w.service, token: out.ClientToken}
	c.wantSession(out, jane)
	again, err := w.service.CreateUserSession(t.Context(), w.secret(), jane)
	w.must(err)
	if again.Session.ID == out.Session.ID || again.Session.ClientID == out.Session.ClientID {
		t.Error("two calls share a client")
	}
	for _, id := range []string{"", "user_x", "\x00", "user_\xff"} {
		out, err = w.service.CreateUserSession(t.Context(), w.secret(), id)
		w.must(err)
		wantNoSession(t, out, "USER_NOT_FOUND", "userId")
	}
}

// TestSignInTellsTheBackend: one event a session, and no user is made.
func TestSignInTellsTheBackend(t *testing.T) {
	w, jane := withJane(t)
	told := 0
	w.config.EventsPending = func() { told++ }
	w.service = signup.New(w.config)
	c := w.client()
	id := c.comeBack(byPassword(janesName, janesPassword)).Session.ID
	if n := w.count(`SELECT COUNT(*) FROM outbox WHERE kind = 'session.created' AND json_extract(body, '$.id') = $1 AND json_extract(body, '$.userId') = $2`, id, jane); n != 1 || told != 1 {
		t.Errorf("%d events, told of %d", n, told)
	}
	if n := w.count(`SELECT COUNT(*) FROM outbox WHERE kind = 'user.created'`); n != 1 {
		t.Errorf("%d users were announced", n)
	}
}

// busyHasher has no room for the next calls.
type busyHasher struct {
	signup.PasswordHasher
	busy atomic.Bool
}

func (h *busyHasher) Hash(ctx context.Context, plain string) (string, error) {
	if h.busy.Load() {
		return "", errors.Join(password.ErrBusy, context.DeadlineExceeded)
	}
	return h.PasswordHasher.Hash(ctx, plain)
}

func (h *busyHasher) Verify(ctx context.Context, phc, plain string) (bool, error) {
	if h.busy.Load() {
		return false, password.ErrBusy
	}
	return h.PasswordHasher.Verify(ctx, phc, plain)
}

// TestBusyHasher: everybody is told to come back in a moment, whether or not they
// are known, and a moment later nothing of it is left.
func TestBusyHasher(t *testing.T) {
	w, jane := withJane(t)
	h := &busyHasher{PasswordHasher: w.config.Hasher}
	h.busy.Store(true)
	w.config.Hasher = h
	w.service = signup.New(w.config) // which has not made its decoy yet
	for _, name := range []string{"nobody@example.com", janesEmail} {
		out := w.client().comeBack(byPassword(name, janesPassword))
		wantNoSession(t, out, "BUSY")
		if at := out.Problems[0].RetryAfter; !at.Equal(w.clock.now().Add(2 * time.Second)) {
			t.Errorf("%s: try again at %v", name, at)
		}
	}
	h.busy.Store(false)
	wantNoSession(t, w.client().comeBack(byPassword("nobody@example.com", janesPassword)), "CREDENTIALS_INVALID")
	c := w.client()
	c.wantSession(c.comeBack(byPassword(janesEmail, janesPassword)), jane)
}
