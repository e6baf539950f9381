package signup_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"stepwise/engine"
	"stepwise/internal/signup"
)

// breaches is a BreachedPasswords: those it lists.
type breaches struct {
	mu    sync.Mutex
	known map[string]bool
	asked []string
	// refusal, if not nil, is what it answers; before that, it calls hold, if not nil.
	refusal error
	hold    func(ctx context.Context)
}

func (b *breaches) Known(ctx context.Context, normal string) (bool, error) {
	if b.hold != nil {
		b.hold(ctx)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked = append(b.asked, normal)
	return b.known[normal], b.refusal
}

func (b *breaches) times() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.asked)
}

// withBreaches is a world whose log and whose list of breached passwords the test has.
func withBreaches(t testing.TB, settings string) (*world, *breaches, *lines) {
	t.Helper()
	w, log := newWorld(t, settings), &lines{}
	b := &breaches{known: map[string]bool{"stolen otters": true, "stolen Ähre 12": true}}
	w.config.Breached, w.config.Logger = b, slog.New(slog.NewJSONHandler(log, nil))
	w.service = signup.New(w.config)
	return w, b, log
}

const rejectingBreached = `{"password": {"rejectBreached": true}}`

func withPassword(plain string) signup.Input {
	return signup.Input{EmailAddress: signup.Given("jane@example.com"), Password: signup.Given(plain)}
}

// TestPasswordRulesAreSettings: each of the three is on or off by itself.
func TestPasswordRulesAreSettings(t *testing.T) {
	for _, test := range []struct{ plain, rule, code string }{
		{"password123", "rejectCommon", "PASSWORD_TOO_COMMON"},
		{"abababab", "rejectCommon", "PASSWORD_TOO_COMMON"},
		{"jane jane 1", "rejectContext", "PASSWORD_FROM_CONTEXT"},
		{"stolen otters", "rejectBreached", "PASSWORD_BREACHED"},
	} {
		w, _, _ := withBreaches(t, `{"password": {"rejectCommon": false, "rejectContext": false, "rejectBreached": false}}`)
		wantProblems(t, w.client().create(withPassword(test.plain)))
		w.set(`{"password": {"` + test.rule + `": true}}`)
		refused := w.client().create(withPassword(test.plain))
		wantProblems(t, refused, signup.Code(test.code))
		if p := refused.Problems[0]; *p.Attribute != engine.Password || text(t, p.Field) != `["input","password"]` || strings.Contains(p.Message, test.plain) {
			t.Errorf("%s: %+v", test.plain, p)
		}
		c := w.client()
		c.create(signup.Input{EmailAddress: signup.Given("jane@example.com")})
		wantProblems(t, c.update(signup.Input{Password: signup.Given(test.plain)}), signup.Code(test.code))
		wantProblems(t, c.update(signup.Input{Password: signup.Given("seven purple otters")}))
	}
}

// TestBreachesAreAskedAboutLast: once, in the password's normal form, and only for a
// call that would go through, of an instance that wants it.
func TestBreachesAreAskedAboutLast(t *testing.T) {
	w, b, _ := withBreaches(t, "")
	wantProblems(t, w.client().create(withPassword("stolen otters")))
	if b.times() != 0 {
		t.Error("asked though the settings do not want it")
	}
	w.set(rejectingBreached)
	for name, in := range map[string]signup.Input{
		"no address":    {EmailAddress: signup.Given("jane"), Password: signup.Given("stolen otters")},
		"short":         withPassword("stolen"),
		"common":        withPassword("password123"),
		"nothing given": {EmailAddress: signup.Given("jane@example.com")},
		"disabled":      {EmailAddress: signup.Given("jane@example.com"), Username: signup.Given("jane"), Password: signup.Given("stolen otters")},
	} {
		w.client().create(in)
		if n := b.times(); n != 0 {
			t.Errorf("%s: asked %d times", name, n)
		}
	}
	wantProblems(t, w.client().create(withPassword("stolen A\u0308hre 12")), "PASSWORD_BREACHED")
	if b.times() != 1 || b.asked[0] != "stolen Ähre 12" {
		t.Errorf("asked about %q", b.asked)
	}

	// Others change the sign-up meanwhile: the call starts over, and asks no more.
	c := w.client()
	c.create(signup.Input{EmailAddress: signup.Given("jane@example.com")})
	other := &client{world: w, service: w.process(nil), token: c.token}
	before, meddled := b.times(), false
	b.hold = func(context.Context) {
		if !meddled {
			meddled = true
			other.update(signup.Input{FirstName: signup.Given("Jane")})
		}
	}
	wantProblems(t, c.update(signup.Input{Password: signup.Given("seven purple otters")}))
	if s := c.signUp(); !s.PasswordEnabled || s.Values[engine.FirstName].Text != "Jane" {
		t.Error("a change is lost")
	}
	if n := b.times() - before; n != 1 {
		t.Errorf("asked %d times", n)
	}
}

// TestNobodyKnowsOfBreaches: the list of common passwords stands in, people are kept
// from nothing else, and the log says so once a minute.
func TestNobodyKnowsOfBreaches(t *testing.T) {
	w, b, log := withBreaches(t, `{"password": {"rejectBreached": true, "rejectCommon": false}}`)
	b.refusal = errors.New("the server was not reached")
	warnings := func() int { return strings.Count(log.String(), "breached passwords not asked for") }
	for range 3 {
		wantProblems(t, w.client().create(withPassword("password123")), "PASSWORD_BREACHED")
		wantProblems(t, w.client().create(withPassword("stolen otters")))
	}
	if n := warnings(); n != 1 {
		t.Errorf("%d warnings, want 1", n)
	}
	w.clock.advance(time.Minute - time.Millisecond)
	w.client().create(withPassword("stolen otters"))
	if n := warnings(); n != 1 {
		t.Errorf("%d warnings within a minute, want 1", n)
	}
	w.clock.advance(time.Millisecond)
	w.client().create(withPassword("stolen otters"))
	if n := warnings(); n != 2 {
		t.Errorf("%d warnings, want 2", n)
	}
	if !strings.Contains(log.String(), "the server was not reached") || strings.Contains(log.String(), "otters") || strings.Contains(log.String(), "password123") {
		t.Errorf("the log has\n%s", log)
	}
	b.refusal = nil
	wantProblems(t, w.client().create(withPassword("stolen otters")), "PASSWORD_BREACHED")

	// A deployment that has nobody to ask warns of nothing.
	silent := &client{world: w, service: w.process(func(c *signup.Config) { c.Breached = nil })}
	wantProblems(t, silent.create(withPassword("password123")), "PASSWORD_BREACHED")
	wantProblems(t, (&client{world: w, service: silent.service}).create(withPassword("stolen otters")))
	if n := warnings(); n != 2 {
		t.Errorf("%d warnings, want 2", n)
	}
}

// TestWaitForBreaches: a second at most.
func TestWaitForBreaches(t *testing.T) {
	inBubble(t, rejectingBreached, func(t *testing.T, w *world) {
		b := &breaches{refusal: context.DeadlineExceeded, hold: func(ctx context.Context) { <-ctx.Done() }}
		w.config.Breached = b
		w.service = signup.New(w.config)
		began := time.Now()
		wantProblems(t, w.client().create(withPassword("stolen otters")))
		if waited := time.Since(began); waited < time.Second || waited > 1100*time.Millisecond || b.times() != 1 {
			t.Errorf("waited %v, asked %d times", waited, b.times())
		}
	})
}
