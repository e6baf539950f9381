package attemptstest

import (
	"errors"
	"strings"
	"testing"
	"time"

	"stepwise/internal/signup"
)

var recordTests = []test{
	{name: "RecordIsKeptAsGiven", run: recordIsKeptAsGiven},
	{name: "SaveExpectsTheVersionBefore", run: saveExpectsTheVersionBefore},
	{name: "NobodyElsesSignUpIsFound", run: nobodyElsesSignUpIsFound},
	{name: "HostileNamesFindNothing", run: hostileNamesFindNothing},
	{name: "EveryKeyExpires", run: everyKeyExpires},
}

func recordIsKeptAsGiven(t testing.TB, b Backend) {
	key := newKey()
	want := b.record(1, "\x00\xff{\"binary\":true}\r\n\x01")
	b.create(t, key, want)
	b.wantRecord(t, key, want)
	b.wantRecord(t, current(key), want)
	b.wantCurrent(t, key)

	for i, lifecycle := range lifecycles {
		want = signup.Record{
			Version: int64(i) + 2, Lifecycle: lifecycle,
			Data: []byte(strings.Repeat("x", 20_000*i)), ExpireAt: b.in(time.Duration(i+1) * time.Hour),
		}
		b.save(t, key, want)
		b.wantRecord(t, key, want)
		b.wantRecord(t, current(key), want)
	}
}

func saveExpectsTheVersionBefore(t testing.TB, b Backend) {
	key := newKey()
	b.create(t, key, b.record(1, "one"))
	want := b.record(2, "two")
	b.save(t, key, want)
	for _, version := range []int64{-1, 0, 1, 2, 4, 1 << 40} {
		if err := b.Other.Attempts.Save(t.Context(), key, b.record(version, "wrong"), noMemory, false); !errors.Is(err, signup.ErrConflict) {
			t.Errorf("save version %d over 2: %v, want ErrConflict", version, err)
		}
		b.wantRecord(t, key, want)
	}
	if err := b.Attempts.Save(t.Context(), sibling(key), b.record(1, "none"), noMemory, false); !errors.Is(err, signup.ErrNotFound) {
		t.Errorf("save what does not exist: %v, want ErrNotFound", err)
	}
}

func nobodyElsesSignUpIsFound(t testing.TB, b Backend) {
	key := newKey()
	b.wantNone(t, key)
	b.wantNone(t, current(key))
	want := b.record(1, "mine")
	b.create(t, key, want)

	strangers := map[string]signup.AttemptKey{
		"another client":   {Instance: key.Instance, Client: newKey().Client, ID: key.ID},
		"another instance": {Instance: newKey().Instance, Client: key.Client, ID: key.ID},
		"both swapped":     {Instance: key.Client, Client: key.Instance, ID: key.ID},
		"another id":       sibling(key),
	}
	for name, stranger := range strangers {
		b.wantNone(t, stranger)
		if name != "another id" {
			b.wantNone(t, current(stranger))
		}
		if err := b.Attempts.Save(t.Context(), stranger, b.record(2, "theirs"), noMemory, false); !errors.Is(err, signup.ErrNotFound) {
			t.Errorf("save as %s: %v, want ErrNotFound", name, err)
		}
	}
	b.wantRecord(t, key, want)
}

// hostileNamesFindNothing: parts of an address may come from outside.
func hostileNamesFindNothing(t testing.TB, b Backend) {
	key := newKey()
	want := b.record(1, "mine")
	b.create(t, key, want)
	for _, name := range []string{
		"", "*", "{", "}", "}{", ":", "a:b", "\x00", "\xff", " ", "../x", key.Client + "}", "x:a:" + key.ID,
		key.Instance + ":" + key.Client, strings.Repeat("x", 70_000), "cur", "a:" + key.ID,
	} {
		b.wantNone(t, signup.AttemptKey{Instance: name, Client: key.Client, ID: key.ID})
		b.wantNone(t, signup.AttemptKey{Instance: key.Instance, Client: name, ID: key.ID})
		if name != "" {
			b.wantNone(t, signup.AttemptKey{Instance: key.Instance, Client: key.Client, ID: name})
		}
		if err := b.Attempts.Save(t.Context(), signup.AttemptKey{Instance: key.Instance, Client: key.Client, ID: name}, b.record(2, "x"), noMemory, false); !errors.Is(err, signup.ErrNotFound) {
			t.Errorf("save under id %.40q: %v, want ErrNotFound", name, err)
		}
	}
	b.wantRecord(t, key, want)
}

func everyKeyExpires(t testing.TB, b Backend) {
	key := newKey()
	next := sibling(key)
	memory := signup.Memory{Key: "key", ExpireAt: b.in(time.Hour), Remembered: signup.Remembered{AttemptID: key.ID, Fingerprint: "f", Outcome: []byte("o")}}

	b.create(t, key, b.record(1, "one"))
	b.wantExpiries(t, "Create")
	b.save(t, key, b.record(2, "two"))
	b.wantExpiries(t, "Save")
	if err := b.Attempts.Save(t.Context(), key, b.record(3, "three"), memory, true); err != nil {
		t.Fatal(err)
	}
	b.wantExpiries(t, "Save with memory")
	memory.Key = "another key"
	if replaced, _, err := b.Attempts.Create(t.Context(), next, b.record(1, "next"), memory, b.in(0), b.in(time.Hour)); err != nil || replaced != key.ID {
		t.Fatalf("create: replaced %q, %v", replaced, err)
	}
	b.wantExpiries(t, "Create that replaces, with memory")
	if _, _, err := b.Budgets.Take(t.Context(), b.in(0), signup.Budget{Key: key.Client, Burst: 3, Every: time.Second}); err != nil {
		t.Fatal(err)
	}
	b.wantExpiries(t, "Take")
	if _, _, _, err := b.Attempts.Load(t.Context(), key, "key"); err != nil {
		t.Fatal(err)
	}
	b.wantExpiries(t, "Load")

	// Two records, which of them is current, and two memories: nothing else.
	if keys := b.keysOf(t, key); len(keys) != 5 {
		t.Errorf("%d keys of the client: %q", len(keys), keys)
	}
	for name := range b.Keys(t) {
		if strings.Contains(name, "another key") || strings.Contains(name, "another%20key") {
			t.Errorf("a client's words are in a name: %s", name)
		}
	}
}
