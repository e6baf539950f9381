package attemptstest

import (
	"errors"
	"testing"
	"time"

	"stepwise/internal/signup"
)

var expiryTests = []test{
	{name: "EverythingIsForgottenInTime", run: everythingIsForgottenInTime},
	{name: "SaveMovesTheExpiry", run: saveMovesTheExpiry},
	{name: "TheFormerOneIsForgottenInTime", run: theFormerOneIsForgottenInTime},
	{name: "WhatIsForgottenIsInNobodysWay", run: whatIsForgottenIsInNobodysWay},
}

// lives returns for how long something is to live that should be forgotten
// during the test, and how long before its end it must still be there.
func (b Backend) lives() (life, margin time.Duration) {
	if b.Advance != nil {
		return lifetime / 2, time.Millisecond
	}
	return 800 * time.Millisecond, 400 * time.Millisecond
}

// reach lets time go by until the moment has come.
func (b Backend) reach(moment time.Time) {
	for left := moment.Sub(b.Now()); left > 0; left = moment.Sub(b.Now()) {
		b.pass(left)
	}
}

func everythingIsForgottenInTime(t testing.TB, b Backend) {
	life, margin := b.lives()
	key := newKey()
	r := b.record(1, "short-lived")
	r.ExpireAt = b.in(life)
	memory := b.memory("key", key.ID)
	memory.ExpireAt = r.ExpireAt
	if _, _, err := b.Attempts.Create(t.Context(), key, r, memory, b.in(0), b.in(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if keys := b.keysOf(t, key); len(keys) != 3 {
		t.Errorf("stored under %q, want a record, which is current, and a memory", keys)
	}

	b.reach(r.ExpireAt.Add(-margin))
	b.wantRecord(t, key, r)
	b.wantCurrent(t, key)
	_, _, remembered, _ := b.Attempts.Load(t.Context(), key, "key")
	wantRemembered(t, remembered, memory)

	b.reach(r.ExpireAt)
	for _, address := range []signup.AttemptKey{key, current(key)} {
		_, got, remembered, err := b.Attempts.Load(t.Context(), address, "key")
		if !errors.Is(err, signup.ErrNotFound) || remembered != nil {
			t.Errorf("at its expiry: %s, remembered %v, %v", show(got), remembered, err)
		}
	}
	if err := b.Attempts.Save(t.Context(), key, b.record(2, "revived"), noMemory, false); !errors.Is(err, signup.ErrNotFound) {
		t.Errorf("save at its expiry: %v, want ErrNotFound", err)
	}
	b.wantNone(t, key)
	eventually(t, "removal of every key", func() bool { return len(b.keysOf(t, key)) == 0 })
}

func saveMovesTheExpiry(t testing.TB, b Backend) {
	life, _ := b.lives()
	for _, longer := range []bool{true, false} {
		key := newKey()
		short, long := b.record(1, "x"), b.record(1, "x")
		short.ExpireAt = b.in(life)
		first, second := short, long
		if !longer {
			first, second = long, short
		}
		second.Version = 2
		b.create(t, key, first)
		b.save(t, key, second)
		b.wantRecord(t, key, second)
		b.wantExpiries(t, "a save that moves the expiry")
		b.reach(short.ExpireAt)
		if longer {
			// What is the client's current one lives as long as the record.
			b.wantRecord(t, key, second)
			b.wantRecord(t, current(key), second)
			continue
		}
		b.wantNone(t, key)
		b.wantNone(t, current(key))
		eventually(t, "removal of every key", func() bool { return len(b.keysOf(t, key)) == 0 })
	}
}

func theFormerOneIsForgottenInTime(t testing.TB, b Backend) {
	life, _ := b.lives()
	former := newKey()
	next := sibling(former)
	b.create(t, former, b.record(1, "former"))
	r := b.record(1, "next")
	r.ExpireAt = b.in(life + lifetime)
	end := b.in(life)
	if _, _, err := b.Attempts.Create(t.Context(), next, r, noMemory, b.in(0), end); err != nil {
		t.Fatal(err)
	}
	b.reach(end)
	b.wantNone(t, former)
	b.wantRecord(t, current(next), r)
	eventually(t, "removal of the former", func() bool { return len(b.keysOf(t, next)) == 2 })
}

func whatIsForgottenIsInNobodysWay(t testing.TB, b Backend) {
	life, _ := b.lives()
	key := newKey()
	first := b.record(1, "first")
	first.ExpireAt = b.in(life)
	memory := b.memory("key", key.ID)
	memory.ExpireAt = first.ExpireAt
	if _, _, err := b.Attempts.Create(t.Context(), key, first, memory, b.in(0), b.in(time.Hour)); err != nil {
		t.Fatal(err)
	}
	b.reach(first.ExpireAt)
	next := sibling(key)
	r := b.record(1, "next")
	memory = b.memory("key", next.ID)
	replaced, remembered, err := b.Attempts.Create(t.Context(), next, r, memory, b.in(0), b.in(time.Hour))
	if err != nil || replaced != "" || remembered != nil {
		t.Errorf("create: replaced %q, remembered %v, %v, want neither", replaced, remembered, err)
	}
	b.wantRecord(t, next, r)
	b.wantRecord(t, current(next), r)

	// Nor does what is removed late take the new one with it.
	b.pass(time.Second)
	b.wantRecord(t, current(next), r)
	_, _, remembered, _ = b.Attempts.Load(t.Context(), next, "key")
	wantRemembered(t, remembered, memory)
}
