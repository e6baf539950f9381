package attemptstest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"stepwise/internal/signup"
)

var failureTests = []test{
	{name: "ContextsAreHonoured", run: contextsAreHonoured},
	{name: "OutagesEndByThemselves", run: outagesEndByThemselves,
		needs: func(b Backend) bool { return len(b.Outages) > 0 }},
	{name: "BrokenConnectionsAreReplaced", run: brokenConnectionsAreReplaced,
		needs: func(b Backend) bool { return b.Disturb != nil }},
}

// answerLimit is the time in which a store must answer, dead or alive.
const answerLimit = 3 * time.Second

func contextsAreHonoured(t testing.TB, b Backend) {
	key := newKey()
	want := b.record(1, "unchanged")
	b.create(t, key, want)
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	expired, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	for name, operation := range operations(b, key) {
		for _, ctx := range []context.Context{cancelled, expired} {
			began := time.Now()
			err := operation(ctx)
			if !errors.Is(err, ctx.Err()) || isPortError(err) {
				t.Errorf("%s: %v, want %v", name, err, ctx.Err())
			}
			if took := time.Since(began); took > answerLimit {
				t.Errorf("%s: %v only after %v", name, ctx.Err(), took)
			}
		}
	}
	b.wantRecord(t, key, want)
	b.wantCurrent(t, key)
}

// outagesEndByThemselves takes the store down and up again.
func outagesEndByThemselves(t testing.TB, b Backend) {
	for kind, begin := range b.Outages {
		key := newKey()
		b.create(t, key, b.record(1, "before"))
		watched := watch(t, b.Process, key)
		hints, stop := b.Other.Hints.WatchSettings(key.Instance)
		defer stop()
		<-hints

		end := begin()
		var all sync.WaitGroup
		for name, operation := range operations(b, key) {
			all.Go(func() {
				began := time.Now()
				err := operation(t.Context())
				if took := time.Since(began); took > answerLimit {
					t.Errorf("%s: %s answered after %v", kind, name, took)
				}
				if err == nil || isPortError(err) {
					t.Errorf("%s: %s: %v, want an error that claims nothing", kind, name, err)
				}
			})
		}
		all.Wait()
		end()

		next := newKey()
		after := b.record(1, "after")
		eventually(t, kind+": recovery", func() bool {
			_, _, err := b.Attempts.Create(t.Context(), next, after, noMemory, b.in(0), b.in(time.Hour))
			_, _, otherErr := b.Other.Budgets.Take(t.Context(), b.in(0), signup.Budget{Key: newID(), Burst: 1, Every: time.Second})
			return (err == nil || errors.Is(err, signup.ErrConflict)) && otherErr == nil
		})
		b.wantRecord(t, next, after)
		// A frozen store never lost its subscribers; a killed one did.
		if kind != Frozen {
			watched.want(t, "what may have been missed")
			select {
			case <-hints:
			case <-time.After(limit):
				t.Errorf("%s: settings: no hint about what may have been missed", kind)
			}
		}
		again := watch(t, b.Process, next)
		b.save(t, next, b.record(2, "after"))
		again.want(t, "Save")
	}
}

func brokenConnectionsAreReplaced(t testing.TB, b Backend) {
	key := newKey()
	b.create(t, key, b.record(1, "x"))
	watched := watch(t, b.Process, key)
	for version := range int64(3) {
		watched.pending() // the hint of the reconnection may still be due
		b.Disturb()
		watched.want(t, "what may have been missed")
		eventually(t, "recovery", func() bool {
			_, _, _, err := b.Attempts.Load(t.Context(), key, "")
			return err == nil
		})
		watched.pending()
		b.save(t, key, b.record(version+2, "x"))
		watched.want(t, "Save")
	}
}
