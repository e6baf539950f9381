package signup_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"stepwise/engine"
	"stepwise/internal/signup"
)

// gatekeeper is a BotCheck: it takes tokens that begin with "person", each once, as
// providers do.
type gatekeeper struct {
	mu    sync.Mutex
	asked []signup.BotQuestion
	used  map[string]bool
	// refusal, if not nil, is what it answers; before that, it calls hold, if not nil.
	refusal error
	hold    func(ctx context.Context)
}

func (g *gatekeeper) Check(ctx context.Context, q signup.BotQuestion) error {
	if g.hold != nil {
		g.hold(ctx)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.asked = append(g.asked, q)
	switch {
	case g.refusal != nil:
		return g.refusal
	case !strings.HasPrefix(q.Token, "person") || g.used[q.Token]:
		return signup.ErrBot
	}
	g.used[q.Token] = true
	return nil
}

func (g *gatekeeper) times() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.asked)
}

const (
	botSecret = "canary-bot-secret-2297"
	guarded   = `{"botProtection": {"provider": "TURNSTILE", "siteKey": "site-1", "secretKey": "` + botSecret + `"}}`
)

// guardedWorld asks for a token whenever a sign-up is opened.
func guardedWorld(t testing.TB) (*world, *gatekeeper) {
	t.Helper()
	w, g := newWorld(t, guarded), &gatekeeper{used: map[string]bool{}}
	w.config.Bots = g
	w.service = signup.New(w.config)
	return w, g
}

func withToken(token string, in signup.Input) signup.Input {
	in.BotToken = token
	return in
}

// wantAtToken expects the one problem, at the token.
func wantAtToken(t testing.TB, out signup.Outcome, code signup.Code) {
	t.Helper()
	wantProblems(t, out, code)
	if got := text(t, out.Problems[0].Field); got != `["input","botToken"]` || out.SignUp != nil || out.ClientToken != "" {
		t.Errorf("the problem is at %s, the answer %s, token %q", got, describe(out), out.ClientToken)
	}
}

// TestSignUpsAreForPeople: who opens one brings a token, and nobody brings one later.
func TestSignUpsAreForPeople(t *testing.T) {
	w, g := guardedWorld(t)
	in := withEmail("jane@example.com")
	wantAtToken(t, w.client().create(in), "BOT_TOKEN_MISSING")
	wantAtToken(t, w.client().create(withToken(" \n", in)), "BOT_TOKEN_MISSING")
	wantAtToken(t, w.client().create(withToken(strings.Repeat("person", 3000), in)), "BOT_TOKEN_REFUSED")
	if g.times() != 0 {
		t.Error("the provider was asked about tokens that are none")
	}
	wantAtToken(t, w.client().create(withToken("robot", in)), "BOT_TOKEN_REFUSED")
	if n := len(w.mail.all()); n != 0 {
		t.Errorf("%d messages went out", n)
	}
	c := w.client()
	wantProblems(t, c.create(withToken("person 1", in)))
	if q := g.asked[len(g.asked)-1]; q != (signup.BotQuestion{Provider: signup.BotTurnstile, SiteKey: "site-1", Secret: botSecret, Token: "person 1"}) {
		t.Errorf("the provider was asked %+v", q)
	}
	asked := g.times()
	wantProblems(t, c.update(signup.Input{FirstName: signup.Given("Jane")}))
	wantStatus(t, c.check(engine.EmailAddress, w.mail.code(t, "jane@example.com")), engine.StatusComplete)
	if g.times() != asked {
		t.Error("the provider was asked later")
	}
	wantAtToken(t, w.client().create(withToken("person 1", signup.Input{})), "BOT_TOKEN_REFUSED") // used

	w.set(`{"botProtection": {"provider": "NONE"}}`)
	asked = g.times()
	wantProblems(t, w.client().create(withToken("robot", signup.Input{})))
	if g.times() != asked {
		t.Error("the provider was asked though the check is off")
	}
}

// TestInvitedPeopleToo: a ticket is no proof of being a person.
func TestInvitedPeopleToo(t *testing.T) {
	w, _ := guardedWorld(t)
	ticket := w.ticketOf(t)
	wantAtToken(t, w.client().create(signup.Input{Ticket: ticket}), "BOT_TOKEN_MISSING")
	wantAtToken(t, w.client().create(withToken("robot", signup.Input{Ticket: ticket})), "BOT_TOKEN_REFUSED")
	wantProblems(t, w.client().create(withToken("person", signup.Input{Ticket: ticket})))
}

// TestTokensAreNotWasted: a call that is refused for anything else leaves the token as
// it was, and is told everything at once.
func TestTokensAreNotWasted(t *testing.T) {
	w, g := guardedWorld(t)
	b := &breaches{known: map[string]bool{"stolen otters": true}}
	w.config.Breached = b
	w.service = signup.New(w.config)
	w.set(rejectingBreached)
	w.set(`{"botProtection": {"provider": "NONE"}}`)
	w.completed("jane@example.com")
	w.set(guarded)
	in := withEmail("joan@example")
	in.Password = signup.Given("short")
	wantProblems(t, w.client().create(in), "INVALID_FORMAT", "TOO_SHORT", "BOT_TOKEN_MISSING")
	for _, in := range []signup.Input{
		in, withEmail("jane@example.com"), withPassword("stolen otters"), {Ticket: "tkt_none"},
		{EmailAddress: signup.Given("joan@example.com"), Start: starts(engine.PhoneCode)},
		{EmailAddress: signup.Given("joan@example.com"), IdempotencyKey: signup.EmptyKey},
	} {
		out := w.client().create(withToken("person", in))
		if len(out.Problems) == 0 || slices.Contains(codesOf(out.Problems), signup.CodeBotTokenMissing) {
			t.Errorf("the answer is %s", describe(out))
		}
	}
	if n := g.times(); n != 0 {
		t.Fatalf("the provider was asked %d times", n)
	}
	wantProblems(t, w.client().create(withToken("person", withEmail("joan@example.com"))))
}

// TestProgramsSpendNothing: what messages to an address may cost is not theirs to spend,
// nor is the work of hashing passwords.
func TestProgramsSpendNothing(t *testing.T) {
	w, _ := guardedWorld(t)
	hashed := 0
	w.config.Hasher = recordingHasher{w.config.Hasher, func(string) { hashed++ }}
	w.service = signup.New(w.config)
	for range 20 {
		wantAtToken(t, w.client().create(withToken("robot", withEmail("jane@example.com"))), "BOT_TOKEN_REFUSED")
	}
	if hashed != 0 {
		t.Errorf("%d passwords were hashed", hashed)
	}
	wantProblems(t, w.client().create(withToken("person", withEmail("jane@example.com"))))
	if n := w.mail.sentTo("jane@example.com"); n != 1 {
		t.Errorf("%d messages", n)
	}
}

// TestNobodyKnowsPeople: while the provider is away nobody opens a sign-up, and nothing
// is stored.
func TestNobodyKnowsPeople(t *testing.T) {
	w, g := guardedWorld(t)
	server, log := w.overRedis()
	w.config.Bots = g
	w.service = signup.New(w.config)
	g.refusal = errors.New("the provider answered with status 500")
	wantAtToken(t, w.client().create(withToken("person canary", withEmail("jane@example.com"))), "BOT_CHECK_UNAVAILABLE")
	if kept := contents(t, server); len(kept) != 0 || len(w.mail.all()) != 0 {
		t.Errorf("%d messages, Redis has %v", len(w.mail.all()), kept)
	}
	if !strings.Contains(log.String(), "status 500") || strings.Contains(log.String(), "canary") {
		t.Errorf("the log has\n%s", log)
	}
	g.refusal = nil
	wantProblems(t, w.client().create(withToken("person canary", withEmail("jane@example.com"))))

	none := &client{world: w, service: w.process(func(c *signup.Config) { c.Bots = nil })}
	wantAtToken(t, none.create(withToken("person", signup.Input{})), "BOT_CHECK_UNAVAILABLE")
}

// TestWaitForPeople: five seconds at most.
func TestWaitForPeople(t *testing.T) {
	inBubble(t, guarded, func(t *testing.T, w *world) {
		w.config.Bots = &gatekeeper{refusal: context.DeadlineExceeded, hold: func(ctx context.Context) { <-ctx.Done() }}
		w.service = signup.New(w.config)
		began := time.Now()
		wantAtToken(t, w.client().create(withToken("person", signup.Input{})), "BOT_CHECK_UNAVAILABLE")
		if waited := time.Since(began); waited < 5*time.Second || waited > 5100*time.Millisecond {
			t.Errorf("waited %v", waited)
		}
	})
}

// TestTokenOfARepeatedCall: a call made again, because its answer was lost, is answered
// again though its token is used, and with another token too.
func TestTokenOfARepeatedCall(t *testing.T) {
	w, g := guardedWorld(t)
	for _, second := range []string{"person 2", "robot", ""} {
		c := w.client()
		wantProblems(t, c.create(withToken("person at first "+second, signup.Input{})))
		in := withToken("person 2 "+second, withEmail("jane@example.com"))
		in.IdempotencyKey = "key"
		first := c.create(in)
		wantProblems(t, first)
		sent, asked := len(w.mail.all()), g.times()
		in.BotToken = second
		again := c.create(in)
		if text(t, again.SignUp) != text(t, first.SignUp) || len(again.Problems) > 0 {
			t.Errorf("with %q the answer is %s", second, describe(again))
		}
		if len(w.mail.all()) != sent || g.times() != asked {
			t.Errorf("with %q %d messages more, asked %d times more", second, len(w.mail.all())-sent, g.times()-asked)
		}
		in.IdempotencyKey = ""
		if out := c.create(withToken("robot", in)); !slices.Equal(codesOf(out.Problems), []signup.Code{"BOT_TOKEN_REFUSED"}) {
			t.Errorf("a call of its own is answered by %s", describe(out))
		}
	}
}

// TestTokenOfACallMadeTwiceAtOnce: both get the answer of the one whose token was taken.
func TestTokenOfACallMadeTwiceAtOnce(t *testing.T) {
	w, g := guardedWorld(t)
	c := w.client()
	c.create(withToken("person 1", signup.Input{}))
	in := withToken("person 2", withEmail("jane@example.com"))
	in.IdempotencyKey = "key"
	twin := &client{world: w, service: w.process(nil), token: c.token}
	var inner signup.Outcome
	nested := false
	g.hold = func(context.Context) {
		if !nested {
			nested = true
			inner = twin.create(in)
		}
	}
	outer := c.create(in)
	wantProblems(t, inner)
	wantProblems(t, outer)
	if inner.SignUp.ID != outer.SignUp.ID || len(w.mail.all()) != 1 {
		t.Errorf("sign-ups %s and %s, %d messages", inner.SignUp.ID, outer.SignUp.ID, len(w.mail.all()))
	}
}

// TestTokenOfACallThatCompletes: the answer is lost, or the process dies on its way;
// the call made again completes once and asks nobody again.
func TestTokenOfACallThatCompletes(t *testing.T) {
	for _, at := range []fault{unanswered, diedBefore, diedAfter} {
		for _, key := range []string{"", "key"} {
			t.Run(at.String()+" "+key, func(t *testing.T) {
				w, g := guardedWorld(t)
				w.set(`{"emailAddress": {"verifyAtSignUp": false}}`)
				c := w.client()
				c.create(withToken("person 1", signup.Input{}))
				in := withToken("person 2", withPassword(goodPassword))
				in.IdempotencyKey = key
				once := true
				p := w.newProcess(func(port string) fault {
					if port == "Directory.Convert" && once {
						once = false
						return at
					}
					return served
				})
				_, err := p.Create(t.Context(), c.principal(), in)
				if err == nil {
					t.Fatal("the call was answered")
				}
				w.clock.advance(afterLease)
				asked := g.times()
				wantStatus(t, c.create(in), engine.StatusComplete)
				if g.times() != asked {
					t.Errorf("the provider was asked %d times more", g.times()-asked)
				}
				w.wantOneUser("jane@example.com")
				w.wantNoHalves()
			})
		}
	}
}

// TestTokenIsAskedAboutOncePerCall, though another sign-up of the client is completing
// and the call starts over.
func TestTokenIsAskedAboutOncePerCall(t *testing.T) {
	w, g := guardedWorld(t)
	w.set(`{"emailAddress": {"verifyAtSignUp": false}}`)
	c := w.client()
	c.create(withToken("person 1", signup.Input{EmailAddress: signup.Given("jane@example.com")}))
	once := true
	p := w.newProcess(func(port string) fault {
		if port == "Directory.Convert" && once {
			once = false
			return diedBefore
		}
		return served
	})
	if _, err := p.Update(t.Context(), c.principal(), "", signup.Input{Password: signup.Given(goodPassword)}); err == nil {
		t.Fatal("the call was answered")
	}
	w.clock.advance(afterLease)
	asked := g.times()
	principal := c.principal()
	principal.FromCookie = true
	out, err := w.service.Create(t.Context(), principal, withToken("person 2", withEmail("joan@example.com")))
	w.must(err)
	wantProblems(t, out)
	if n := g.times() - asked; n != 1 {
		t.Errorf("the provider was asked %d times", n)
	}
	w.wantOneUser("jane@example.com")
}

// TestBotSecret: what was said to one provider is not said to another.
func TestBotSecret(t *testing.T) {
	w := newWorld(t, "")
	update := func(settings string) (signup.InstanceSettings, string) {
		saved, problems, err := w.service.UpdateSettings(t.Context(), w.secret(), patch(t, settings))
		w.must(err)
		var said []string
		for _, p := range problems {
			said = append(said, string(p.Code)+" "+strings.Join(p.Field[1:], "."))
		}
		return saved, strings.Join(said, ", ")
	}
	for _, step := range []struct{ settings, refused string }{
		{`{"botProtection": {"provider": "TURNSTILE"}}`, "INVALID_FORMAT botProtection.siteKey, EMPTY botProtection.secretKey"},
		{`{"botProtection": {"provider": "TURNSTILE", "siteKey": "s"}}`, "EMPTY botProtection.secretKey"},
		{`{"botProtection": {"provider": "TURNSTILE", "siteKey": "s", "secretKey": ""}}`, "EMPTY botProtection.secretKey"},
		{`{"botProtection": {"provider": "TURNSTILE", "siteKey": "s", "secretKey": "one\n"}}`, "INVALID_FORMAT botProtection.secretKey"},
		{`{"botProtection": {"provider": "TURNSTILE", "siteKey": "s", "secretKey": " one"}}`, "INVALID_FORMAT botProtection.secretKey"},
		{`{"botProtection": {"provider": "TURNSTILE", "siteKey": "s", "secretKey": "one"}}`, ""},
		{`{"botProtection": {"siteKey": "t"}}`, ""},
		{`{"botProtection": {"provider": "TURNSTILE"}}`, ""},
		{`{"botProtection": {"secretKey": ""}}`, "EMPTY botProtection.secretKey"},
		{`{"botProtection": {"provider": "HCAPTCHA"}}`, "EMPTY botProtection.secretKey"},
		{`{"botProtection": {"provider": "HCAPTCHA", "secretKey": "two"}}`, ""},
		{`{"botProtection": {"provider": "NONE"}}`, ""},
		{`{"botProtection": {"provider": "TURNSTILE"}}`, "EMPTY botProtection.secretKey"}, // not the secret of HCAPTCHA
		{`{"botProtection": {"siteKey": "u", "secretKey": "three"}}`, ""},
		{`{"botProtection": {"provider": "TURNSTILE"}}`, ""}, // given while nobody was asked
	} {
		if _, refused := update(step.settings); refused != step.refused {
			t.Errorf("%s is refused with %q, want %q", step.settings, refused, step.refused)
		}
	}
	saved, _ := update(`{}`)
	if s := saved.BotProtection; s.SiteKey != "u" || s.SealedSecret == "" || strings.Contains(text(t, saved), "three") {
		t.Errorf("the settings are %+v", s)
	}
}

// TestBotSecretUnderAnotherKey: after the master key was changed nobody can be checked,
// which settings say in production, and nowhere else.
func TestBotSecretUnderAnotherKey(t *testing.T) {
	w, g := guardedWorld(t)
	other, err := signup.NewKeys([]byte("a second master key for tests, as long as it"))
	w.must(err)
	log := &lines{}
	warned := func(change func(*signup.Config)) bool {
		s, err := w.process(change).Settings(t.Context(), w.secret())
		w.must(err)
		return slices.ContainsFunc(s.Warnings, func(f engine.Finding) bool {
			return f.Code == "BOT_CHECK_IMPOSSIBLE" && f.Path == "botProtection.provider"
		})
	}
	for name, test := range map[string]struct {
		change func(*signup.Config)
		want   bool
	}{
		"development, another key": {func(c *signup.Config) { c.Keys = other }, false},
		"production":               {func(c *signup.Config) { c.Development = false }, false},
		"production, another key":  {func(c *signup.Config) { c.Development, c.Keys = false, other }, true},
		"production, nobody":       {func(c *signup.Config) { c.Development, c.Bots = false, nil }, true},
	} {
		if got := warned(test.change); got != test.want {
			t.Errorf("%s: warned %v, want %v", name, got, test.want)
		}
	}
	service := w.process(func(c *signup.Config) {
		c.Keys, c.Logger = other, slog.New(slog.NewJSONHandler(log, nil))
	})
	p, err := service.Authenticate(t.Context(), signup.Credentials{PublishableKey: w.first.PublishableKey})
	w.must(err)
	out, err := service.Create(t.Context(), p, withToken("person", signup.Input{}))
	w.must(err)
	wantAtToken(t, out, "BOT_CHECK_UNAVAILABLE")
	if g.times() != 0 || !strings.Contains(log.String(), "APP_KEY") {
		t.Errorf("asked %d times, the log has\n%s", g.times(), log)
	}
	w.set(`{"botProtection": {"provider": "NONE"}}`)
	if warned(func(c *signup.Config) { c.Development, c.Keys = false, other }) {
		t.Error("warned though nobody is checked")
	}
}
