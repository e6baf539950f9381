package attemptstest

import (
	"errors"
	"sync"
	"testing"
	"time"

	"stepwise/internal/signup"
)

var memoryTests = []test{
	{name: "CreateIsRemembered", run: createIsRemembered},
	{name: "SaveIsRemembered", run: saveIsRemembered},
	{name: "MemoryBelongsToTheClient", run: memoryBelongsToTheClient},
	{name: "ParallelCreatesWithOneKeyMakeOne", run: parallelCreatesWithOneKeyMakeOne},
}

func (b Backend) memory(key, id string) signup.Memory {
	return signup.Memory{Key: key, ExpireAt: b.in(time.Hour), Remembered: signup.Remembered{
		AttemptID: id, Fingerprint: "fingerprint \x00\xff", Outcome: []byte("outcome \x00\xff of " + id),
	}}
}

func wantRemembered(t testing.TB, got *signup.Remembered, want signup.Memory) {
	t.Helper()
	if got == nil {
		t.Errorf("%q is not remembered", want.Key)
		return
	}
	if got.AttemptID != want.AttemptID || got.Fingerprint != want.Fingerprint || string(got.Outcome) != string(want.Outcome) {
		t.Errorf("remembered %q, want %q", *got, want.Remembered)
	}
}

func createIsRemembered(t testing.TB, b Backend) {
	key := newKey()
	memory := b.memory("key of a client's choice: \x00 }{ *", key.ID)
	first := b.record(1, "first")
	if _, remembered, err := b.Attempts.Create(t.Context(), key, first, memory, b.in(0), b.in(time.Hour)); err != nil || remembered != nil {
		t.Fatalf("create: remembered %v, %v", remembered, err)
	}
	again := sibling(key)
	replaced, remembered, err := b.Other.Attempts.Create(t.Context(), again, b.record(1, "again"), b.memory(memory.Key, again.ID), b.in(0), b.in(time.Hour))
	if err != nil || replaced != "" {
		t.Errorf("create again: replaced %q, %v", replaced, err)
	}
	wantRemembered(t, remembered, memory)
	b.wantNone(t, again)
	b.wantRecord(t, key, first)
	b.wantCurrent(t, key)

	_, _, remembered, err = b.Other.Attempts.Load(t.Context(), again, memory.Key)
	if !errors.Is(err, signup.ErrNotFound) {
		t.Errorf("load: %v, want ErrNotFound", err)
	}
	wantRemembered(t, remembered, memory)
}

func saveIsRemembered(t testing.TB, b Backend) {
	key := newKey()
	b.create(t, key, b.record(1, "first"))
	if _, _, remembered, err := b.Attempts.Load(t.Context(), key, "key"); err != nil || remembered != nil {
		t.Errorf("before: remembered %v, %v", remembered, err)
	}
	memory := b.memory("key", key.ID)
	if err := b.Attempts.Save(t.Context(), key, b.record(5, "conflict"), memory, false); !errors.Is(err, signup.ErrConflict) {
		t.Errorf("save: %v, want ErrConflict", err)
	}
	if _, _, remembered, err := b.Attempts.Load(t.Context(), key, "key"); err != nil || remembered != nil {
		t.Errorf("after a conflict: remembered %v, %v", remembered, err)
	}
	if err := b.Attempts.Save(t.Context(), key, b.record(2, "second"), memory, false); err != nil {
		t.Fatal(err)
	}
	for _, address := range []signup.AttemptKey{key, current(key)} {
		id, _, remembered, err := b.Other.Attempts.Load(t.Context(), address, "key")
		if err != nil || id != key.ID {
			t.Errorf("load: %q, %v", id, err)
		}
		wantRemembered(t, remembered, memory)
	}
	empty := signup.Memory{Key: "empty", ExpireAt: b.in(time.Hour)}
	if err := b.Attempts.Save(t.Context(), key, b.record(3, "third"), empty, false); err != nil {
		t.Fatal(err)
	}
	_, _, remembered, _ := b.Attempts.Load(t.Context(), key, "empty")
	wantRemembered(t, remembered, empty)
}

func memoryBelongsToTheClient(t testing.TB, b Backend) {
	key := newKey()
	if _, _, err := b.Attempts.Create(t.Context(), key, b.record(1, "mine"), b.memory("key", key.ID), b.in(0), b.in(time.Hour)); err != nil {
		t.Fatal(err)
	}
	stranger := newKey()
	stranger.Instance = key.Instance
	if _, remembered, err := b.Attempts.Create(t.Context(), stranger, b.record(1, "theirs"), b.memory("key", stranger.ID), b.in(0), b.in(time.Hour)); err != nil || remembered != nil {
		t.Errorf("another client's request: remembered %v, %v", remembered, err)
	}
}

func parallelCreatesWithOneKeyMakeOne(t testing.TB, b Backend) {
	const parallel = 50
	client := newKey()
	var mu sync.Mutex
	created, answers := []signup.AttemptKey{}, make(map[string]int)
	keys := make([]signup.AttemptKey, parallel)
	atOnce(parallel, func(i int) {
		keys[i] = sibling(client)
		process := b.Process
		if i%2 == 1 {
			process = b.Other
		}
		_, remembered, err := process.Attempts.Create(t.Context(), keys[i], b.record(1, "one of many"), b.memory("key", keys[i].ID), b.in(0), b.in(time.Hour))
		mu.Lock()
		defer mu.Unlock()
		switch {
		case err != nil:
			t.Errorf("create: %v", err)
		case remembered != nil:
			answers[remembered.AttemptID]++
		default:
			created = append(created, keys[i])
		}
	})
	if len(created) != 1 || answers[created[0].ID] != parallel-1 {
		t.Fatalf("%d creates with one key made %d sign-ups and gave the answers %v", parallel, len(created), answers)
	}
	b.wantCurrent(t, created[0])
	for _, key := range keys {
		if key != created[0] {
			b.wantNone(t, key)
		}
	}
}
