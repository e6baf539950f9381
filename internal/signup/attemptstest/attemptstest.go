// Package attemptstest holds every store of sign-ups to what the ports
// [signup.Attempts], [signup.Hints] and [signup.Budgets] promise.
//
// The promises are tested through two processes at once wherever that could
// make a difference. A backend says what can be done to it (push its time
// forward, take it down, break its connections); what it cannot do is tested
// another way or does not apply to it, and is never skipped quietly.
package attemptstest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"stepwise/engine"
	"stepwise/internal/signup"
)

// Process is a store as one process has it.
type Process struct {
	Attempts signup.Attempts
	Hints    signup.Hints
	Budgets  signup.Budgets
}

// Backend is a store under test.
type Backend struct {
	// Process and Other are two processes on the same store.
	Process
	Other Process
	// Now is the time by which the store forgets.
	Now func() time.Time
	// Advance pushes Now forward and lets the store do what is then due. nil
	// where time is real; the suite then waits, for no more than a second.
	Advance func(time.Duration)
	// Keys returns everything that is stored, with how long it will be kept;
	// not positive where it is kept for ever.
	Keys func(testing.TB) map[string]time.Duration
	// Outages take the store down, each in its way, and return how to bring it
	// up again, empty or not. None where the store cannot go down alone.
	Outages map[string]func() (end func())
	// Disturb breaks connections once, with replies on their way, without harm
	// to what is stored. nil where there are none to break.
	Disturb func()
}

// Run tests the backend that open returns, a new one or an emptied one for each
// test; tests use instances of their own.
func Run(t *testing.T, open func(*testing.T) Backend) {
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := open(t)
			if test.needs == nil || test.needs(b) {
				test.run(t, b)
			}
		})
	}
}

type test struct {
	name string
	run  func(testing.TB, Backend)
	// needs says which backends a test applies to; nil: to all.
	needs func(Backend) bool
}

var tests = slices.Concat(recordTests, createTests, memoryTests, concurrencyTests, expiryTests, hintTests, budgetTests, registerTests, failureTests)

// Frozen names the outage in which the store keeps its connections and answers
// nothing until it goes on.
const Frozen = "frozen"

// limit is how long the suite waits for what should come at once. A variable
// because the suite's own tests have no patience with broken stores.
var limit = 10 * time.Second

// lifetime is how long records live that are not to expire during a test.
const lifetime = 24 * time.Hour

// noMemory asks to remember nothing.
var noMemory signup.Memory

// newKey addresses a sign-up nobody else knows.
func newKey() signup.AttemptKey {
	return signup.AttemptKey{Instance: "inst_" + rand.Text(), Client: "client_" + rand.Text(), ID: newID()}
}

func newID() string { return "sua_" + rand.Text() }

// sibling addresses another sign-up of the same client.
func sibling(key signup.AttemptKey) signup.AttemptKey {
	key.ID = newID()
	return key
}

// current addresses the current sign-up of the key's client.
func current(key signup.AttemptKey) signup.AttemptKey {
	key.ID = ""
	return key
}

// record returns a record that lives for long.
func (b Backend) record(version int64, data string) signup.Record {
	return signup.Record{Version: version, Data: []byte(data), AbandonAt: b.in(lifetime), ExpireAt: b.in(lifetime)}
}

// in returns a moment from now, in the precision in which times are kept.
func (b Backend) in(d time.Duration) time.Time {
	return b.Now().Add(d).Truncate(time.Millisecond).UTC()
}

// create stores a first version and expects it to be stored.
func (b Backend) create(t testing.TB, key signup.AttemptKey, r signup.Record) {
	t.Helper()
	if _, remembered, err := b.Attempts.Create(t.Context(), key, r, noMemory, b.in(0), b.in(lifetime)); err != nil || remembered != nil {
		t.Fatalf("create: remembered %v, %v", remembered, err)
	}
}

// save replaces a record and expects it to be replaced.
func (b Backend) save(t testing.TB, key signup.AttemptKey, r signup.Record) {
	t.Helper()
	if err := b.Attempts.Save(t.Context(), key, r, noMemory, false); err != nil {
		t.Fatalf("save version %d: %v", r.Version, err)
	}
}

// wantRecord loads a record through both processes.
func (b Backend) wantRecord(t testing.TB, key signup.AttemptKey, want signup.Record) {
	t.Helper()
	for _, p := range []Process{b.Process, b.Other} {
		id, r, _, err := p.Attempts.Load(t.Context(), key, "")
		if err != nil {
			t.Errorf("load: %v", err)
			continue
		}
		if key.ID != "" && id != key.ID {
			t.Errorf("load: id %q, want %q", id, key.ID)
		}
		if !same(r, want) {
			t.Errorf("loaded %s, want %s", show(r), show(want))
		}
	}
}

// wantCurrent expects the client's current sign-up to be that of the key.
func (b Backend) wantCurrent(t testing.TB, key signup.AttemptKey) {
	t.Helper()
	if id, _, _, err := b.Other.Attempts.Load(t.Context(), current(key), ""); err != nil || id != key.ID {
		t.Errorf("current sign-up: %q, %v, want %q", id, err, key.ID)
	}
}

// wantNone expects that nothing can be found under the key.
func (b Backend) wantNone(t testing.TB, key signup.AttemptKey) {
	t.Helper()
	id, r, remembered, err := b.Attempts.Load(t.Context(), key, "")
	if !errors.Is(err, signup.ErrNotFound) || remembered != nil {
		t.Errorf("load: %q, %s, remembered %v, %v, want ErrNotFound", id, show(r), remembered, err)
	}
}

// wantExpiries expects every key to have an expiry that is not unreasonable.
func (b Backend) wantExpiries(t testing.TB, after string) {
	t.Helper()
	for key, left := range b.Keys(t) {
		if left <= 0 || left > 2*lifetime+time.Hour {
			t.Errorf("after %s: %s is kept for %v", after, key, left)
		}
	}
}

// keysOf returns the names of the keys that concern a client.
func (b Backend) keysOf(t testing.TB, key signup.AttemptKey) []string {
	t.Helper()
	var names []string
	for name := range maps.Keys(b.Keys(t)) {
		if strings.Contains(name, key.Client) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// pass lets d go by.
func (b Backend) pass(d time.Duration) {
	if b.Advance != nil {
		b.Advance(d)
		return
	}
	time.Sleep(d)
}

func same(a, b signup.Record) bool {
	return a.Version == b.Version && a.Lifecycle == b.Lifecycle && string(a.Data) == string(b.Data) &&
		a.EndedAt.Equal(b.EndedAt) && a.ExpireAt.Equal(b.ExpireAt)
}

func show(r signup.Record) string {
	return fmt.Sprintf("{version %d, lifecycle %d, ended %v, expires %v, data %q}",
		r.Version, r.Lifecycle, r.EndedAt, r.ExpireAt, r.Data)
}

func containsAny(s string, parts ...string) bool {
	return slices.ContainsFunc(parts, func(part string) bool { return strings.Contains(s, part) })
}

// isPortError reports whether an error claims to know the outcome.
func isPortError(err error) bool {
	return errors.Is(err, signup.ErrNotFound) || errors.Is(err, signup.ErrConflict) || errors.Is(err, signup.ErrCompleting)
}

// eventually waits for what should come soon.
func eventually(t testing.TB, what string, ready func() bool) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for !ready() {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v", what, limit)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// atOnce runs n functions that start together and waits for all.
func atOnce(n int, run func(i int)) {
	start := make(chan struct{})
	var running sync.WaitGroup
	for i := range n {
		running.Go(func() {
			<-start
			run(i)
		})
	}
	close(start)
	running.Wait()
}

// operations are all methods of a process, on a sign-up that exists.
func operations(b Backend, key signup.AttemptKey) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"Create": func(ctx context.Context) error {
			_, _, err := b.Attempts.Create(ctx, sibling(key), b.record(1, "new"), noMemory, b.in(0), b.in(lifetime))
			return err
		},
		"Load": func(ctx context.Context) error {
			_, _, _, err := b.Attempts.Load(ctx, key, "")
			return err
		},
		"Load current": func(ctx context.Context) error {
			_, _, _, err := b.Attempts.Load(ctx, current(key), "memory")
			return err
		},
		"Save": func(ctx context.Context) error {
			return b.Attempts.Save(ctx, key, b.record(2, "changed"), noMemory, false)
		},
		"Due": func(ctx context.Context) error {
			_, err := b.Attempts.Due(ctx, key.Instance, b.in(0), 10)
			return err
		},
		"Live": func(ctx context.Context) error {
			_, _, err := b.Attempts.Live(ctx, key.Instance, "", 10)
			return err
		},
		"Forget": func(ctx context.Context) error {
			return b.Attempts.Forget(ctx, key.Instance, []signup.AttemptKey{sibling(key)})
		},
		"LoadMany": func(ctx context.Context) error {
			_, err := b.Attempts.LoadMany(ctx, []signup.AttemptKey{key, newKey()})
			return err
		},
		"AnnounceSettings": func(ctx context.Context) error {
			return b.Hints.AnnounceSettings(ctx, key.Instance)
		},
		"Take": func(ctx context.Context) error {
			_, _, err := b.Budgets.Take(ctx, b.in(0), signup.Budget{Key: key.Client, Burst: 1, Every: time.Second})
			return err
		},
	}
}

var lifecycles = []engine.Lifecycle{engine.Open, engine.Completing, engine.Complete, engine.Abandoned}
