package attemptstest

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"stepwise/engine"
	"stepwise/internal/signup"
)

var concurrencyTests = []test{
	{name: "NoUpdateIsLost", run: noUpdateIsLost},
	{name: "OneOfManyCreatesIsCurrent", run: oneOfManyCreatesIsCurrent},
	{name: "HistoriesAreLinearizable", run: historiesAreLinearizable},
	{name: "HistoriesAreLinearizableOverBrokenConnections", run: historiesAreLinearizable,
		needs: func(b Backend) bool { return b.Disturb != nil }},
}

// noUpdateIsLost has 200 savers add one to a counter each, as often as it takes.
func noUpdateIsLost(t testing.TB, b Backend) {
	const savers = 200
	key := newKey()
	b.create(t, key, b.record(1, "0"))
	var conflicts atomic.Int64
	// Whoever writes over another's work makes this end early, never late.
	deadline := time.Now().Add(6 * limit)
	atOnce(savers, func(i int) {
		process := b.Process
		if i%2 == 1 {
			process = b.Other
		}
		for time.Now().Before(deadline) {
			_, r, _, err := process.Attempts.Load(t.Context(), key, "")
			if err != nil {
				t.Errorf("load: %v", err)
				return
			}
			var counter int
			if _, err := fmt.Sscan(string(r.Data), &counter); err != nil {
				t.Errorf("data %q: %v", r.Data, err)
				return
			}
			err = process.Attempts.Save(t.Context(), key, b.record(r.Version+1, fmt.Sprint(counter+1)), noMemory, true)
			if err == nil {
				return
			}
			if !errors.Is(err, signup.ErrConflict) {
				t.Errorf("save: %v", err)
				return
			}
			conflicts.Add(1)
		}
		t.Errorf("a saver did not get through in %v", 6*limit)
	})
	_, r, _, err := b.Attempts.Load(t.Context(), key, "")
	if err != nil || r.Version != savers+1 || string(r.Data) != fmt.Sprint(savers) {
		t.Errorf("after %d saves and %d conflicts: version %d, counter %s, %v", savers, conflicts.Load(), r.Version, r.Data, err)
	}
	if conflicts.Load() == 0 {
		t.Errorf("%d savers at once and not one conflict", savers)
	}
}

func oneOfManyCreatesIsCurrent(t testing.TB, b Backend) {
	const parallel = 40
	client := newKey()
	keys, replacedBy := make([]signup.AttemptKey, parallel), make(map[string]int)
	var mu sync.Mutex
	atOnce(parallel, func(i int) {
		keys[i] = sibling(client)
		replaced, _, err := b.Attempts.Create(t.Context(), keys[i], b.record(1, "x"), noMemory, b.in(0), b.in(time.Hour))
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			t.Errorf("create: %v", err)
		}
		replacedBy[replaced]++
	})
	id, _, _, err := b.Attempts.Load(t.Context(), current(client), "")
	if err != nil {
		t.Fatal(err)
	}
	if replacedBy[""] != 1 || replacedBy[id] != 0 || len(replacedBy) != parallel {
		t.Errorf("replaced: %v; every one but the first replaces one, and nobody the last", replacedBy)
	}
	for _, key := range keys {
		_, r, _, err := b.Attempts.Load(t.Context(), key, "")
		want := engine.Abandoned
		if key.ID == id {
			want = engine.Open
		}
		if err != nil || r.Lifecycle != want {
			t.Errorf("lifecycle %d, %v, want %d", r.Lifecycle, err, want)
		}
	}
}

// What the histories consist of. A nil save is a load.
type (
	input struct {
		record int
		save   *version
	}
	version struct {
		number int64
		data   string
	}
	output struct {
		loaded   version
		conflict bool
		unknown  bool
	}
)

// registers is what a store of records must behave like, for each record.
var registers = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		var parts [][]porcupine.Operation
		for _, operation := range history {
			record := operation.Input.(input).record
			for len(parts) <= record {
				parts = append(parts, nil)
			}
			parts[record] = append(parts[record], operation)
		}
		return parts
	},
	Init: func() any { return version{1, "first"} },
	Step: func(state, in, out any) (bool, any) {
		held, wanted, got := state.(version), in.(input).save, out.(output)
		switch {
		case wanted == nil:
			return got.unknown || got.loaded == held, held
		case got.conflict:
			return held.number != wanted.number-1, held
		case held.number == wanted.number-1:
			return true, *wanted
		}
		return got.unknown, held
	},
	DescribeOperation: func(in, out any) string { return fmt.Sprintf("%+v -> %+v", in, out) },
}

// historiesAreLinearizable lets clients of two processes read and write a few
// records, and has the history checked: is there an order of all calls, each at
// a moment while it ran, in which a single plain register per record would have
// given the same answers?
func historiesAreLinearizable(t testing.TB, b Backend) {
	const records, clients, rounds = 3, 9, 40
	var keys [records]signup.AttemptKey
	for i := range keys {
		keys[i] = newKey()
		b.create(t, keys[i], b.record(1, "first"))
	}
	began := time.Now()
	var mu sync.Mutex
	var history []porcupine.Operation
	var unknown atomic.Int64
	note := func(client int, in input, call int64, out output) {
		end := time.Since(began).Nanoseconds()
		if out.unknown {
			unknown.Add(1)
			if in.save == nil {
				return // a load without an answer says nothing
			}
			end = 1 << 62 // it may take effect at any time
		}
		mu.Lock()
		defer mu.Unlock()
		history = append(history, porcupine.Operation{ClientId: client, Input: in, Call: call, Output: out, Return: end})
	}
	atOnce(clients, func(client int) {
		process := b.Process
		if client%2 == 1 {
			process = b.Other
		}
		for round := range rounds {
			if client == 0 && round%10 == 5 && b.Disturb != nil {
				b.Disturb()
			}
			record := (client + round) % records
			call := time.Since(began).Nanoseconds()
			_, r, _, err := process.Attempts.Load(t.Context(), keys[record], "")
			if isPortError(err) {
				t.Errorf("load: %v", err)
			}
			loaded := version{r.Version, string(r.Data)}
			note(client, input{record: record}, call, output{loaded: loaded, unknown: err != nil})
			if err != nil {
				continue
			}
			next := version{loaded.number + 1, fmt.Sprintf("%d of %d", round, client)}
			call = time.Since(began).Nanoseconds()
			err = process.Attempts.Save(t.Context(), keys[record], b.record(next.number, next.data), noMemory, false)
			if errors.Is(err, signup.ErrNotFound) {
				t.Errorf("save: %v", err)
			}
			conflict := errors.Is(err, signup.ErrConflict)
			note(client, input{record, &next}, call, output{conflict: conflict, unknown: err != nil && !conflict})
		}
	})
	if b.Disturb == nil && unknown.Load() > 0 {
		t.Errorf("%d calls had no answer", unknown.Load())
	}
	if result := porcupine.CheckOperationsTimeout(registers, history, 6*limit); result != porcupine.Ok {
		t.Errorf("history of %d calls, %d without an answer: %s", len(history), unknown.Load(), result)
	}
}
