package signup_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"stepwise/engine"
	"stepwise/internal/signup"
	"stepwise/internal/store/redisstore"
)

// inBubble runs a test in a deployment whose time passes by itself whenever
// everybody waits.
func inBubble(t *testing.T, settings string, test func(*testing.T, *world)) {
	synctest.Test(t, func(t *testing.T) {
		w := openWorld(t, settings, nil, time.Now)
		seats := seats{w.redis, make(chan struct{}, 4)}
		w.config.Attempts, w.config.Budgets = seats, seats
		w.service = signup.New(w.config)
		test(t, w)
	})
}

// seats lets only a few at once to the Redis client. Whoever has to wait for a
// connection takes a timer from a pool that go-redis has for the whole program,
// and timers may not leave their bubble.
type seats struct {
	*redisstore.Store
	taken chan struct{}
}

func (s seats) take() (leave func()) {
	s.taken <- struct{}{}
	return func() { <-s.taken }
}

func (s seats) Create(ctx context.Context, key signup.AttemptKey, r signup.Record, memory signup.Memory, now, formerExpireAt time.Time) (string, *signup.Remembered, error) {
	defer s.take()()
	return s.Store.Create(ctx, key, r, memory, now, formerExpireAt)
}

func (s seats) Load(ctx context.Context, key signup.AttemptKey, memoryKey string) (string, signup.Record, *signup.Remembered, error) {
	defer s.take()()
	return s.Store.Load(ctx, key, memoryKey)
}

func (s seats) Save(ctx context.Context, key signup.AttemptKey, r signup.Record, memory signup.Memory, quiet bool) error {
	defer s.take()()
	return s.Store.Save(ctx, key, r, memory, quiet)
}

func (s seats) Take(ctx context.Context, now time.Time, budgets ...signup.Budget) (bool, time.Time, error) {
	defer s.take()()
	return s.Store.Take(ctx, now, budgets...)
}

// deaf is a Hints that never hints.
type deaf struct{ stopped atomic.Int32 }

func (d *deaf) WatchAttempt(signup.AttemptKey) (<-chan struct{}, func()) {
	return make(chan struct{}), func() { d.stopped.Add(1) }
}

func (d *deaf) WatchSettings(string) (<-chan struct{}, func()) {
	return make(chan struct{}), func() { d.stopped.Add(1) }
}

func (d *deaf) AnnounceSettings(context.Context, string) error { return errors.New("nobody hears") }

// watch opens a subscription of the client; it ends with the test.
func (c *client) watch() <-chan *signup.SignUp {
	c.Helper()
	states, err := c.service.Watch(c.Context(), c.principal(), "")
	c.must(err)
	if states == nil {
		c.Fatal("there is nothing to watch")
	}
	return states
}

// pending returns what a subscriber gets within the time, and whether the
// subscription has ended.
func pending(states <-chan *signup.SignUp, within time.Duration) (seen []*signup.SignUp, ended bool) {
	timeout := time.After(within)
	for {
		select {
		case s, ok := <-states:
			if !ok {
				return seen, true
			}
			seen = append(seen, s)
		case <-timeout:
			return seen, false
		}
	}
}

// wantNext expects one more state within the time, which is what a read shows.
func (c *client) wantNext(states <-chan *signup.SignUp, within time.Duration) *signup.SignUp {
	c.Helper()
	select {
	case s, ok := <-states:
		if !ok {
			c.Fatal("the subscription has ended")
		}
		return s
	case <-time.After(within):
		c.Fatalf("nothing came within %v", within)
	}
	return nil
}

func (c *client) wantQuiet(states <-chan *signup.SignUp, d time.Duration) {
	c.Helper()
	if seen, ended := pending(states, d); len(seen) > 0 || ended {
		c.Fatalf("%d states came unasked, ended %t", len(seen), ended)
	}
}

func TestWatchTellsAStory(t *testing.T) {
	for name, change := range map[string]func(*signup.Config){
		"with hints": nil, "without hints": func(c *signup.Config) { c.Hints = &deaf{} },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, "", func(t *testing.T, w *world) {
				c := w.client()
				c.create(signup.Input{})
				watcher := &client{world: w, service: w.process(change), token: c.token}
				states := watcher.watch()
				const soon = 6 * time.Second // without hints, it is by looking again
				first := watcher.wantNext(states, time.Millisecond)
				if text(t, first) != text(t, c.signUp()) {
					t.Errorf("the first state is\n%s\nwant\n%s", text(t, first), text(t, c.signUp()))
				}
				c.wantQuiet(states, time.Minute)

				c.update(withEmail("jane@example.com"))
				if s := watcher.wantNext(states, soon); text(t, s) != text(t, c.signUp()) {
					t.Errorf("the state is\n%s\nwant\n%s", text(t, s), text(t, c.signUp()))
				}
				c.check(engine.EmailAddress, wrong(w.mail.code(t, "jane@example.com")))
				if s := watcher.wantNext(states, soon); s.Verifications[engine.EmailAddress].AttemptsLeft != 4 {
					t.Errorf("%d tries left", s.Verifications[engine.EmailAddress].AttemptsLeft)
				}
				w.set(`{"firstName": {"required": true}}`)
				if s := watcher.wantNext(states, soon); s.Verdict.Missing != engine.SetOf(engine.FirstName) || s.SettingsVersion != 2 {
					t.Errorf("after a change of settings missing is %v under version %d", s.Verdict.Missing, s.SettingsVersion)
				}
				w.set(`{"appName": "Otters"}`) // concerns nobody
				c.wantQuiet(states, time.Minute)
				w.set(`{"firstName": {"required": false}}`)
				watcher.wantNext(states, soon)

				out := c.check(engine.EmailAddress, w.mail.code(t, "jane@example.com"))
				seen, ended := pending(states, soon)
				if !ended || len(seen) == 0 || text(t, seen[len(seen)-1]) != text(t, out.SignUp) {
					t.Errorf("ended %t, the final state is not what the call returned", ended)
				}
				if seen, ended := pending(c.watch(), time.Millisecond); !ended || len(seen) != 1 || !seen[0].Final() {
					t.Error("a final sign-up is not told once")
				}
			})
		})
	}
}

// TestWatchersOfManyChanges: whatever the number of changes and watchers, each
// sees rising revisions, and the final state.
func TestWatchersOfManyChanges(t *testing.T) {
	inBubble(t, "", func(t *testing.T, w *world) {
		c := w.client()
		c.create(withEmail("jane@example.com"))
		type told struct {
			seen  []*signup.SignUp
			ended bool
		}
		const watchers = 20
		results := make(chan told, watchers)
		for i := range watchers {
			watcher := &client{world: w, service: w.process(nil), token: c.token}
			states := watcher.watch()
			go func() {
				var r told
				for s := range states {
					r.seen = append(r.seen, s)
					time.Sleep(time.Duration(i) * 100 * time.Millisecond) // some are slow
				}
				r.ended = true
				results <- r
			}()
		}
		for i := range 30 {
			c.update(signup.Input{FirstName: signup.Given([]string{"Jane", "Joan"}[i%2])})
			time.Sleep(20 * time.Millisecond)
		}
		final := c.check(engine.EmailAddress, w.mail.code(t, "jane@example.com")).SignUp
		for range watchers {
			r := <-results
			if !slices.IsSortedFunc(r.seen, func(a, b *signup.SignUp) int {
				if a.Revision < b.Revision {
					return -1
				}
				return 1
			}) {
				t.Error("revisions do not rise")
			}
			if text(t, r.seen[len(r.seen)-1]) != text(t, final) {
				t.Error("the last state is not the final one")
			}
		}
	})
}

// TestWatchSeesDeadlines: what passes by itself is told by itself.
func TestWatchSeesDeadlines(t *testing.T) {
	inBubble(t, `{"signUpLifetimeSeconds": 900}`, func(t *testing.T, w *world) {
		c := w.client()
		c.create(withEmail("jane@example.com"))
		began := time.Now()
		states := c.watch()
		c.wantNext(states, time.Millisecond)

		s := c.wantNext(states, engine.CodeLifetime+time.Second)
		if at := time.Since(began); at != engine.CodeLifetime || s.Verifications[engine.EmailAddress].Status != engine.VerificationExpired {
			t.Errorf("after %v the verification is %s", at, s.Verifications[engine.EmailAddress].Status)
		}
		seen, ended := pending(states, 6*time.Minute)
		if !ended || len(seen) != 1 || seen[0].Status != engine.StatusAbandoned {
			t.Fatalf("ended %t, after %d states", ended, len(seen))
		}
		if text(t, seen[0]) != text(t, c.signUp()) {
			t.Error("the final state is not what a read shows")
		}
	})
}

func TestDeadlinesAreToldOnTime(t *testing.T) {
	inBubble(t, `{"signUpLifetimeSeconds": 60}`, func(t *testing.T, w *world) {
		c := w.client()
		c.create(signup.Input{})
		began := time.Now()
		for s := range c.watch() {
			if s.Final() && time.Since(began) != time.Minute {
				t.Errorf("the end is told after %v", time.Since(began))
			}
		}
		if time.Since(began) != time.Minute {
			t.Errorf("the subscription ended after %v", time.Since(began))
		}
	})
}

// TestWatchSeesTheEndOfAReplacedSignUp: beginning another ends the first.
func TestWatchSeesTheEndOfAReplacedSignUp(t *testing.T) {
	inBubble(t, "", func(t *testing.T, w *world) {
		c := w.client()
		c.create(signup.Input{})
		states := c.watch()
		first := c.wantNext(states, time.Millisecond)
		c.create(signup.Input{})
		seen, ended := pending(states, time.Second)
		if !ended || len(seen) != 1 || seen[0].Status != engine.StatusAbandoned || seen[0].Revision <= first.Revision {
			t.Errorf("ended %t, after %d states", ended, len(seen))
		}
	})
}

// TestWatchFinishesWhatACrashLeft: a process dies between the beginning and the
// end of a conversion. A subscriber elsewhere gets the final state all the
// same, with nobody calling again.
func TestWatchFinishesWhatACrashLeft(t *testing.T) {
	for _, test := range []struct {
		name string
		port string
		f    fault
	}{
		{"before the conversion", "Directory.Convert", diedBefore},
		{"after the conversion", "Directory.Convert", diedAfter},
	} {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, "", func(t *testing.T, w *world) {
				const address = "jane@example.com"
				c := w.client()
				c.create(withEmail(address))
				states := c.watch()
				c.wantNext(states, time.Millisecond)
				p := w.newProcess(func(port string) fault {
					if port == test.port {
						return test.f
					}
					return served
				})
				_, err := p.CheckVerification(t.Context(), c.principal(), "", signup.Proof{Attribute: engine.EmailAddress, Code: w.mail.code(t, address)}, "")
				wantCode(t, err, "UNAVAILABLE")
				died := time.Now()
				seen, ended := pending(states, time.Minute)
				if !ended || len(seen) == 0 {
					t.Fatalf("ended %t, after %d states", ended, len(seen))
				}
				user, session := w.wantOneUser(address)
				final := seen[len(seen)-1]
				if final.Status != engine.StatusComplete || final.CreatedUserID != user || final.CreatedSession != session {
					t.Errorf("the final state is %s", final.Status)
				}
				if waited := time.Since(died); waited > time.Minute {
					t.Errorf("it took %v", waited)
				}
			})
		})
	}
}

// TestWatchOutlivesAnOutage: while a store is away nothing comes; afterwards
// what was missed does.
func TestWatchOutlivesAnOutage(t *testing.T) {
	inBubble(t, "", func(t *testing.T, w *world) {
		c := w.client()
		c.create(withEmail("jane@example.com"))
		var away atomic.Bool
		p := w.newProcess(func(string) fault {
			if away.Load() {
				return refused
			}
			return served
		})
		watcher := &client{world: w, service: p.Service, token: c.token}
		states := watcher.watch()
		watcher.wantNext(states, time.Millisecond)
		time.Sleep(time.Second)
		away.Store(true)
		c.update(signup.Input{FirstName: signup.Given("Jane")})
		out := c.check(engine.EmailAddress, w.mail.code(t, "jane@example.com"))
		c.wantQuiet(states, time.Minute)
		away.Store(false)
		seen, ended := pending(states, 10*time.Second)
		if !ended || len(seen) != 1 || text(t, seen[0]) != text(t, out.SignUp) {
			t.Errorf("ended %t, after %d states", ended, len(seen))
		}
	})
}

// TestReaderGone: when a subscriber leaves, read or not, nothing of it stays.
func TestReaderGone(t *testing.T) {
	w := newWorld(t, "")
	c := w.client()
	c.create(signup.Input{})
	before := goleak.IgnoreCurrent()
	hints := &deaf{}
	service := w.process(func(c *signup.Config) { c.Hints = hints })
	for _, reads := range []int{0, 1} {
		ctx, leave := context.WithCancel(t.Context())
		states, err := service.Watch(ctx, c.principal(), "")
		w.must(err)
		for range reads {
			<-states
		}
		leave()
		for range states {
		}
	}
	if err := goleak.Find(before); err != nil {
		t.Error(err)
	}
	if n := hints.stopped.Load(); n != 4 {
		t.Errorf("%d watches were stopped, want 4", n)
	}
}
