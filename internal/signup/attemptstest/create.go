package attemptstest

import (
	"errors"
	"testing"
	"time"

	"stepwise/engine"
	"stepwise/internal/signup"
)

var createTests = []test{
	{name: "CreateAbandonsTheOpenOne", run: createAbandonsTheOpenOne},
	{name: "CreateLeavesFinalOnesAlone", run: createLeavesFinalOnesAlone},
	{name: "CreateWaitsForTheCompletingOne", run: createWaitsForTheCompletingOne},
	{name: "CreateOverwritesNothing", run: createOverwritesNothing},
	{name: "SavingAReplacedOneDoesNotMakeItCurrent", run: savingAReplacedOneDoesNotMakeItCurrent},
}

func createAbandonsTheOpenOne(t testing.TB, b Backend) {
	former := newKey()
	next := sibling(former)
	b.create(t, former, b.record(1, "former"))
	b.save(t, former, b.record(2, "former"))
	watched := watch(t, b.Other, former)

	now, expireAt := b.in(0), b.in(time.Hour)
	want := b.record(1, "next")
	replaced, remembered, err := b.Attempts.Create(t.Context(), next, want, noMemory, now, expireAt)
	if err != nil || remembered != nil || replaced != former.ID {
		t.Fatalf("create: replaced %q, remembered %v, %v, want %q replaced", replaced, remembered, err, former.ID)
	}
	b.wantRecord(t, next, want)
	b.wantCurrent(t, next)
	b.wantRecord(t, former, signup.Record{
		Version: 3, Lifecycle: engine.Abandoned, EndedAt: now, Data: []byte("former"), ExpireAt: expireAt,
	})
	watched.want(t, "the abandoned one")

	// It can still be saved, and keeps what it is given.
	again := signup.Record{Version: 4, Lifecycle: engine.Abandoned, EndedAt: now, Data: []byte("noted"), ExpireAt: expireAt}
	b.save(t, former, again)
	b.wantRecord(t, former, again)
	b.wantCurrent(t, next)
}

func createLeavesFinalOnesAlone(t testing.TB, b Backend) {
	for _, lifecycle := range []engine.Lifecycle{engine.Complete, engine.Abandoned} {
		former := newKey()
		next := sibling(former)
		b.create(t, former, b.record(1, "former"))
		final := b.record(2, "final")
		final.Lifecycle = lifecycle
		b.save(t, former, final)

		replaced, _, err := b.Attempts.Create(t.Context(), next, b.record(1, "next"), noMemory, b.in(0), b.in(time.Hour))
		if err != nil || replaced != "" {
			t.Errorf("create after lifecycle %d: replaced %q, %v, want none", lifecycle, replaced, err)
		}
		b.wantRecord(t, former, final)
		b.wantCurrent(t, next)
	}
}

func createWaitsForTheCompletingOne(t testing.TB, b Backend) {
	former := newKey()
	next := sibling(former)
	watched := watch(t, b.Other, former)
	b.create(t, former, b.record(1, "former"))
	watched.want(t, "Create")
	completing := b.record(2, "completing")
	completing.Lifecycle = engine.Completing
	b.save(t, former, completing)
	watched.want(t, "Save")
	before := b.keysOf(t, former)

	memory := signup.Memory{Key: "key", ExpireAt: b.in(time.Hour), Remembered: signup.Remembered{AttemptID: next.ID}}
	replaced, remembered, err := b.Attempts.Create(t.Context(), next, b.record(1, "next"), memory, b.in(0), b.in(time.Hour))
	if !errors.Is(err, signup.ErrCompleting) || replaced != former.ID || remembered != nil {
		t.Fatalf("create: replaced %q, remembered %v, %v, want %q and ErrCompleting", replaced, remembered, err, former.ID)
	}
	b.wantRecord(t, former, completing)
	b.wantCurrent(t, former)
	b.wantNone(t, next)
	if _, _, remembered, _ := b.Attempts.Load(t.Context(), former, "key"); remembered != nil {
		t.Errorf("the refused request is remembered: %v", remembered)
	}
	if after := b.keysOf(t, former); len(after) != len(before) {
		t.Errorf("keys before %q, after %q", before, after)
	}

	if watched.pending() {
		t.Error("the refused request hinted at the one it left alone")
	}
	complete := b.record(3, "complete")
	complete.Lifecycle = engine.Complete
	b.save(t, former, complete)
	watched.want(t, "the settled one")
	if _, _, err := b.Attempts.Create(t.Context(), next, b.record(1, "next"), memory, b.in(0), b.in(time.Hour)); err != nil {
		t.Errorf("create after it is settled: %v", err)
	}
	b.wantCurrent(t, next)
}

func createOverwritesNothing(t testing.TB, b Backend) {
	key := newKey()
	b.create(t, key, b.record(1, "first"))
	want := b.record(2, "second")
	b.save(t, key, want)
	if _, _, err := b.Other.Attempts.Create(t.Context(), key, b.record(1, "again"), noMemory, b.in(0), b.in(time.Hour)); err == nil {
		t.Error("an id that is in use was created again")
	}
	b.wantRecord(t, key, want)
}

func savingAReplacedOneDoesNotMakeItCurrent(t testing.TB, b Backend) {
	former := newKey()
	next := sibling(former)
	b.create(t, former, b.record(1, "former"))
	b.create(t, next, b.record(1, "next"))
	abandoned := b.record(3, "former")
	abandoned.Lifecycle, abandoned.ExpireAt = engine.Abandoned, b.in(time.Hour)
	b.save(t, former, abandoned)
	b.wantCurrent(t, next)
	b.wantRecord(t, former, abandoned)
}
