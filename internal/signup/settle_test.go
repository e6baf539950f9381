package signup_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"stepwise/engine"
	"stepwise/internal/signup"
	"stepwise/internal/store/redisstore"
)

// lifetime is how long an open sign-up lives under the default settings.
const lifetime = 24 * time.Hour

// sweep is a pass of a sweeper, and says how many it counted.
func (w *world) sweep() int {
	w.Helper()
	n, err := w.service.SettleAbandoned(w.Context())
	w.must(err)
	return n
}

func (w *world) wantSettled(n int) {
	w.Helper()
	if got := w.sweep(); got != n {
		w.Errorf("%d were counted, want %d", got, n)
	}
}

// wantShapes compares with counts like "1 COMPLETE FORM: 2", of a version of the
// settings, an outcome and a way in.
func (w *world) wantShapes(counts ...string) {
	w.Helper()
	shapes, err := w.directory.Shapes(w.Context(), w.first.ID)
	w.must(err)
	sums, order := map[string]int64{}, []string{}
	for _, c := range shapes {
		a, err := engine.Shape(c.Shape).Attempt()
		w.must(err)
		like := fmt.Sprintf("%d %s %s", c.SettingsVersion, c.Outcome, a.Way().Path)
		if sums[like] == 0 {
			order = append(order, like)
		}
		sums[like] += c.Count
	}
	var got []string
	for _, like := range order {
		got = append(got, fmt.Sprintf("%s: %d", like, sums[like]))
	}
	if !slices.Equal(got, counts) {
		w.Errorf("counts are %q, want %q", got, counts)
	}
}

// registered is what the store has in the register of the first instance.
func (w *world) registered() (keys []signup.AttemptKey) {
	w.Helper()
	for cursor := ""; ; {
		page, next, err := w.redis.Live(w.Context(), w.first.ID, cursor, 100)
		w.must(err)
		if keys = append(keys, page...); next == "" {
			return keys
		}
		cursor = next
	}
}

func (w *world) wantRegistered(n int) {
	w.Helper()
	if got := len(w.registered()); got != n {
		w.Errorf("%d are registered, want %d", got, n)
	}
}

// wantEachInOneBucket expects every sign-up that was ever stored to be converted, or
// counted as abandoned, or to have its end before it; and the counts of the converted
// ones to add up to the unit.
func (w *world) wantEachInOneBucket() {
	w.Helper()
	if n := w.count(`SELECT COUNT(*) FROM (
			SELECT settings_version FROM (
				SELECT settings_version, 1 AS n FROM conversions
				UNION ALL SELECT settings_version, -count FROM shapes WHERE outcome = 'COMPLETE'
			) GROUP BY settings_version HAVING SUM(n) <> 0)`); n != 0 {
		w.Errorf("under %d versions of the settings the counts are not those of the conversions", n)
	}
	if n := w.count(`SELECT COUNT(*) FROM conversions WHERE attempt_id IN (SELECT attempt_id FROM abandonments)`); n != 0 {
		w.Errorf("%d sign-ups were converted and counted as abandoned", n)
	}
	found, err := w.redis.LoadMany(w.Context(), w.registered())
	w.must(err)
	live := 0
	for _, r := range found {
		if r.Lifecycle == engine.Open || r.Lifecycle == engine.Completing && w.count(`SELECT COUNT(*) FROM conversions WHERE attempt_id = $1`, r.ID) == 0 {
			live++
		}
	}
	complete, abandoned := w.count(`SELECT COUNT(*) FROM conversions`), w.count(`SELECT COALESCE(SUM(count), 0) FROM shapes WHERE outcome = 'ABANDONED'`)
	if sum := complete + abandoned + live; sum != w.opened.n {
		w.Errorf("%d sign-ups were opened; %d are complete, %d abandoned and %d live", w.opened.n, complete, abandoned, live)
	}
}

func TestAbandonedByDeadlineIsCountedOnce(t *testing.T) {
	w := newWorld(t, "")
	wantProblems(w, w.client().create(withEmail("jane@example.com")))
	w.clock.advance(lifetime - time.Millisecond)
	w.wantSettled(0)
	w.wantRegistered(1)
	w.clock.advance(time.Millisecond)
	w.wantSettled(1)
	w.wantRegistered(0)
	w.wantSettled(0)
	w.wantShapes("1 ABANDONED FORM: 1")
	w.wantEachInOneBucket()
}

// The sweeper may be a minute late, and somebody may have looked meanwhile.
func TestAbandonedAndNotedIsCountedOnce(t *testing.T) {
	w := newWorld(t, "")
	c := w.client()
	wantProblems(w, c.create(withEmail("jane@example.com")))
	w.set(`{"testMode": true}`)
	w.clock.advance(lifetime + time.Minute)
	if s := c.signUp(); s.Status != engine.StatusAbandoned {
		t.Errorf("is %s", s.Status)
	}
	w.wantSettled(1)
	if v := c.signUp().SettingsVersion; v != 2 {
		t.Errorf("it ended under version %d of the settings", v)
	}
	w.wantShapes("2 ABANDONED FORM: 1")
	w.wantSettled(0)
}

func TestAbandonedByReplacementIsCountedAtOnce(t *testing.T) {
	w := newWorld(t, "")
	c := w.client()
	wantProblems(w, c.create(withEmail("jane@example.com")))
	for range 3 {
		wantProblems(w, c.create(signup.Input{FirstName: signup.Given("Jane")}))
	}
	w.wantSettled(3)
	w.wantShapes("1 ABANDONED FORM: 3")
	w.wantRegistered(1)
	w.wantEachInOneBucket()
	w.clock.advance(lifetime)
	w.wantSettled(1)
	w.wantShapes("1 ABANDONED FORM: 4")
}

func TestCompletedIsNotAbandoned(t *testing.T) {
	w := newWorld(t, "")
	w.completed("jane@example.com")
	w.wantRegistered(0)
	w.set(`{"testMode": true}`)
	w.completed("joan@example.com")
	w.completed("jill@example.com")
	w.wantShapes("1 COMPLETE FORM: 1", "2 COMPLETE FORM: 2")
	w.clock.advance(lifetime + time.Minute)
	w.wantSettled(0)
	w.wantShapes("1 COMPLETE FORM: 1", "2 COMPLETE FORM: 2")
	w.wantEachInOneBucket()
}

// A completed sign-up whose end was not remembered is still registered, and one that
// is completing is left to whoever comes back.
func TestCompletingIsLeft(t *testing.T) {
	for _, crash := range []struct {
		port   string
		fault  fault
		counts []string
	}{
		{"Directory.Convert", refused, nil},
		{"Directory.Convert", unanswered, []string{"1 COMPLETE FORM: 1"}},
	} {
		w := newWorld(t, "")
		p := w.newProcess(func(port string) fault {
			if port == crash.port {
				return crash.fault
			}
			return served
		})
		c := w.client()
		wantProblems(w, c.create(withEmail("jane@example.com")))
		w.clock.advance(lifetime - time.Minute)
		wantProblems(w, c.start(engine.EmailCode))
		_, err := p.CheckVerification(w.Context(), c.principal(), "", signup.Proof{Attribute: engine.EmailAddress, Code: w.mail.code(w, "jane@example.com")}, "")
		wantCode(t, err, "UNAVAILABLE")
		w.clock.advance(time.Hour)
		w.wantSettled(0)
		w.wantRegistered(1)
		w.wantShapes(crash.counts...)
		w.wantEachInOneBucket()

		if s, err := w.service.SignUp(w.Context(), w.secret(), w.registered()[0].ID); err != nil || s.Status != engine.StatusComplete {
			t.Errorf("the next one to look sees %+v, %v", s, err)
		}
		w.wantSettled(0)
		w.wantRegistered(0)
		w.wantShapes("1 COMPLETE FORM: 1")
		w.wantEachInOneBucket()
	}
}

// Whatever happens between the steps of a pass, the next one makes it good, and
// nothing counts twice.
func TestSweeperDies(t *testing.T) {
	for _, port := range []string{"Register.Due", "Register.LoadMany", "Directory.CountAbandoned", "Register.Forget"} {
		for _, f := range []fault{refused, unanswered, diedBefore, diedAfter} {
			t.Run(port+" "+f.String(), func(t *testing.T) {
				w := newWorld(t, "")
				for range 3 {
					wantProblems(w, w.client().create(signup.Input{}))
				}
				w.clock.advance(lifetime)
				p := w.newProcess(func(called string) fault {
					if called == port {
						return f
					}
					return served
				})
				if _, err := p.SettleAbandoned(w.Context()); !errors.Is(err, errStore) {
					t.Errorf("the pass ended with %v", err)
				}
				w.sweep()
				w.wantShapes("1 ABANDONED FORM: 3")
				w.wantRegistered(0)
				w.wantEachInOneBucket()
			})
		}
	}
}

func TestSweepersAtOnceCountOnce(t *testing.T) {
	w := newWorld(t, "")
	const n = 30
	for range n {
		wantProblems(w, w.client().create(signup.Input{}))
	}
	w.clock.advance(lifetime)
	counted, errs := together(8, func(int) (int, error) { return w.process(nil).SettleAbandoned(w.Context()) })
	w.must(errors.Join(errs...))
	sum := 0
	for _, c := range counted {
		sum += c
	}
	if sum != n {
		t.Errorf("%d were counted", sum)
	}
	w.wantShapes(fmt.Sprintf("1 ABANDONED FORM: %d", n))
}

// Those that have to be left are in nobody's way, however many they are.
func TestSweeperPassesOverWhatIsLeft(t *testing.T) {
	w := newWorld(t, "")
	p := w.newProcess(func(port string) fault {
		if port == "Directory.Convert" {
			return refused
		}
		return served
	})
	const stuck, abandoned = 205, 410
	for i := range stuck {
		c := w.client()
		address := fmt.Sprintf("jane%d@example.com", i)
		wantProblems(w, c.create(withEmail(address)))
		_, err := p.CheckVerification(w.Context(), c.principal(), "", signup.Proof{Attribute: engine.EmailAddress, Code: w.mail.code(w, address)}, "")
		wantCode(t, err, "UNAVAILABLE")
	}
	w.clock.advance(time.Second)
	for range abandoned {
		wantProblems(w, w.client().create(signup.Input{}))
	}
	w.clock.advance(lifetime - time.Second)
	w.wantSettled(0) // the first ones are due, and completing
	w.clock.advance(time.Second)
	w.wantSettled(abandoned)
}

// Whoever decided before the deadline and was held up until long after it converts
// what was counted as abandoned: it is complete, and nothing else.
func TestConversionAfterTheCount(t *testing.T) {
	w := newWorld(t, "")
	c := w.client()
	wantProblems(w, c.create(withEmail("jane@example.com")))
	w.clock.advance(lifetime - time.Minute)
	wantProblems(w, c.start(engine.EmailCode))
	heldUp := false
	p := w.newProcess(func(port string) fault {
		if port == "Attempts.Save" && !heldUp {
			heldUp = true
			w.clock.advance(2 * time.Minute)
			w.wantSettled(1)
			w.wantShapes("1 ABANDONED FORM: 1")
		}
		return served
	})
	out, err := p.CheckVerification(w.Context(), c.principal(), "", signup.Proof{Attribute: engine.EmailAddress, Code: w.mail.code(w, "jane@example.com")}, "")
	w.must(err)
	wantStatus(t, out, engine.StatusComplete)
	w.wantShapes("1 COMPLETE FORM: 1")
	w.wantSettled(0)
	w.wantEachInOneBucket()
}

// Where Redis has lost everything, nothing is counted and nothing fails.
func TestSweeperAfterRedisWasLost(t *testing.T) {
	w := newWorld(t, "")
	wantProblems(w, w.client().create(signup.Input{}))
	empty, err := redisstore.OpenEmbedded(t.Context(), redisstore.Options{Clock: w.clock.now})
	w.must(err)
	t.Cleanup(func() { w.noError(empty.Close()) })
	w.service = w.process(func(c *signup.Config) { c.Attempts = empty })
	w.clock.advance(lifetime)
	w.wantSettled(0)
	w.wantShapes()
	wantProblems(w, w.client().create(signup.Input{}))
	w.clock.advance(lifetime)
	w.wantSettled(1)
	w.wantShapes("1 ABANDONED FORM: 1")
}

// deafDirectory does not answer while deaf, and has no instances.
type deafDirectory struct {
	signup.Directory
	deaf   atomic.Bool
	passes atomic.Int64
}

func (d *deafDirectory) InstanceIDs(context.Context) ([]string, error) {
	d.passes.Add(1)
	if d.deaf.Load() {
		return nil, errStore
	}
	return nil, nil
}

func TestSettlingGoesOnAndLogsAnOutageOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, directory := &lines{}, &deafDirectory{}
		s := signup.New(signup.Config{Directory: directory, Logger: slog.New(slog.NewTextHandler(log, nil))})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.KeepSettling(ctx) }()
		wantLines := func(n int) {
			t.Helper()
			synctest.Wait()
			if got := strings.Count(log.String(), "\n"); got != n {
				t.Errorf("%d lines were logged, want %d:\n%s", got, n, log)
			}
		}
		time.Sleep(5 * time.Minute)
		wantLines(0)
		if n := directory.passes.Load(); n < 9 || n > 10 {
			t.Errorf("%d passes in five minutes", n)
		}
		for outage := range 2 {
			directory.deaf.Store(true)
			time.Sleep(5 * time.Minute)
			wantLines(2*outage + 1)
			directory.deaf.Store(false)
			time.Sleep(5 * time.Minute)
			wantLines(2*outage + 2)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
