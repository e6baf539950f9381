package redisstore

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"stepwise/internal/signup"
)

// TestEmbeddedForgetsByItself uses real time: nobody drives the clock.
func TestEmbeddedForgetsByItself(t *testing.T) {
	s := openEmbedded(t, Options{})
	r := newRecord(1)
	r.ExpireAt = time.Now().Add(100 * time.Millisecond)
	for i := range 250 {
		key := signup.AttemptKey{Instance: "i", Client: fmt.Sprintf("c%d", i), ID: "a"}
		if _, _, err := s.Create(t.Context(), key, r, signup.Memory{}, time.Now(), r.ExpireAt); err != nil {
			t.Fatal(err)
		}
	}
	// The registers are kept for a day more.
	left := func() map[string]time.Duration {
		keys := keysOf(t, s.client)
		maps.DeleteFunc(keys, func(name string, _ time.Duration) bool { return strings.HasPrefix(name, "su1:due:") })
		return keys
	}
	for len(left()) > 0 {
		if late := time.Since(r.ExpireAt); late > sweepInterval+time.Second {
			t.Fatalf("%d keys are left %v after their expiry", len(left()), late)
		}
		time.Sleep(20 * time.Millisecond)
	}
	e := s.embedded.(*embedded)
	if n := len(e.deadlines.at) + len(e.deadlines.queue); n != 2*registerShards {
		t.Errorf("%d deadlines are left, want those of the registers", n)
	}
}

// TestSweepLooksAtNothingButWhatIsDue: its cost does not grow with the store.
func TestSweepLooksAtNothingButWhatIsDue(t *testing.T) {
	clock := newClock()
	s := openEmbedded(t, Options{Clock: clock.Now})
	e := s.embedded.(*embedded)
	fill(e, 5000, clock.Now().Add(time.Hour))
	short := newRecord(1)
	short.ExpireAt = clock.Now().Add(time.Minute)
	short.AbandonAt = short.ExpireAt
	key := signup.AttemptKey{Instance: "i", Client: "c", ID: "a"}
	if _, _, err := s.Create(t.Context(), key, short, signup.Memory{}, clock.Now(), clock.Now()); err != nil {
		t.Fatal(err)
	}

	before := e.server.CommandCount()
	if err := e.sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if commands := e.server.CommandCount() - before; commands != 0 {
		t.Errorf("nothing is due: %d commands", commands)
	}
	clock.Advance(time.Minute)
	before = e.server.CommandCount()
	if err := e.sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	// One script, perhaps sent twice and with a greeting, and two commands a key.
	if commands := e.server.CommandCount() - before; commands < 5 || commands > 9 {
		t.Errorf("two keys are due: %d commands", commands)
	}
	if left := len(e.server.Keys()); left != 10_001 { // and the register
		t.Errorf("%d keys are left, want 10001", left)
	}
}

// TestSweepSparesWhatWasWrittenMeanwhile: between the look at the deadlines and
// the deletion a key can get another deadline.
func TestSweepSparesWhatWasWrittenMeanwhile(t *testing.T) {
	clock := newClock()
	s := openEmbedded(t, Options{Clock: clock.Now})
	e := s.embedded.(*embedded)
	write := func(key string, expireAt time.Time) {
		pipe := s.client.TxPipeline()
		pipe.Set(t.Context(), key, "x", 0)
		pipe.PExpireAt(t.Context(), key, expireAt)
		if _, err := pipe.Exec(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	soon, later := clock.Now().Add(time.Second), clock.Now().Add(time.Hour)
	write("spared", soon)
	write("gone", soon)
	clock.Advance(time.Second)
	candidates := e.deadlines.due(clock.Now().UnixMilli(), sweepBatch)
	write("spared", later)
	if _, err := expireScript.run(t.Context(), e.client, candidates); err != nil {
		t.Fatal(err)
	}
	if keys := slices.Collect(maps.Keys(keysOf(t, s.client))); !slices.Equal(keys, []string{"spared"}) {
		t.Errorf("left: %v", keys)
	}
	clock.Advance(time.Hour)
	if err := e.sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if keys := keysOf(t, s.client); len(keys) > 0 {
		t.Errorf("left after its second deadline: %v", keys)
	}
}

// TestDeadlinesBehaveLikeAMap compares them with the obvious implementation.
func TestDeadlinesBehaveLikeAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var d deadlines
		model := make(map[string]int64)
		now := int64(0)
		key := rapid.StringMatching("[a-e]")
		t.Repeat(map[string]func(*rapid.T){
			"set": func(t *rapid.T) {
				k, at := key.Draw(t, "key"), now+rapid.Int64Range(-5, 20).Draw(t, "in")
				d.set(k, at)
				model[k] = at
			},
			"expire": func(t *rapid.T) {
				now += rapid.Int64Range(0, 10).Draw(t, "passes")
				for {
					keys := d.due(now, 2)
					if len(keys) == 0 {
						break
					}
					for _, k := range keys {
						// A key can be named twice, but is removed only once.
						at, ok := model[k]
						if removed := d.remove(k, now); removed != ok || ok && at > now {
							t.Fatalf("%s at %d: removed %v, known %v, due at %d", k, now, removed, ok, at)
						}
						delete(model, k)
					}
				}
				for k, at := range model {
					if at <= now {
						t.Fatalf("%s was due at %d, now is %d", k, at, now)
					}
				}
			},
			"": func(t *rapid.T) {
				if !maps.Equal(d.at, model) {
					t.Fatalf("%v, want %v", d.at, model)
				}
			},
		})
	})
}

// fill stores sign-ups without going through the scripts.
func fill(e *embedded, n int, expireAt time.Time) {
	r := newRecord(1)
	r.Data, r.ExpireAt = make([]byte, 600), expireAt
	stored := string(encode(r))
	for i := range n {
		s, _ := slotOf(signup.AttemptKey{Instance: "inst_fill", Client: fmt.Sprintf("client_%d", i), ID: "a"})
		record := s.records() + "a"
		_ = e.server.Set(record, stored)
		_ = e.server.Set(s.current(), "a")
		for _, key := range []string{record, s.current()} {
			e.server.SetTTL(key, time.Until(expireAt))
			e.deadlines.set(key, expireAt.UnixMilli())
		}
	}
}

func TestEmbeddedStoresAreSeparate(t *testing.T) {
	one, two := openEmbedded(t, Options{}), openEmbedded(t, Options{})
	key := signup.AttemptKey{Instance: "i", Client: "c", ID: "a"}
	if _, _, err := one.Create(context.Background(), key, newRecord(1), signup.Memory{}, time.Now(), time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := two.Load(context.Background(), key, ""); err != signup.ErrNotFound {
		t.Errorf("load: %v", err)
	}
}

// TestEmbeddedRunsScriptsItself: miniredis would do the same, but slowly.
func TestEmbeddedRunsScriptsItself(t *testing.T) {
	s := openEmbedded(t, Options{})
	key := signup.AttemptKey{Instance: "i", Client: "c", ID: "a"}
	for name, call := range methods(s, key) {
		_ = call(t.Context()) // in any order: only the scripts matter
		known, err := s.client.ScriptExists(t.Context(), createScript.hash, loadScript.hash, saveScript.hash, takeScript.hash,
			registerScript.hash, strikeScript.hash).Result()
		if err != nil || slices.Contains(known, true) {
			t.Errorf("%s: was left to miniredis: %v, %v", name, known, err)
		}
	}
	for _, arguments := range [][]any{{"0"}, {"x", "0"}, {createScript.hash, "-1"}, {createScript.hash, "2", "one key"}, {createScript.hash, "x"}} {
		if err := s.client.Do(t.Context(), append([]any{"evalsha"}, arguments...)...).Err(); err == nil {
			t.Errorf("evalsha %v: no error", arguments)
		}
	}
}

// TestEmbeddedKnowsTheTimeFromTheFirstCommand: the first sweep, which sets it
// too, runs beside the first commands and may come after them.
func TestEmbeddedKnowsTheTimeFromTheFirstCommand(t *testing.T) {
	now := newClock().Now()
	late := make(chan struct{})
	clock := func() time.Time {
		if strings.Contains(string(debug.Stack()), "keepSweeping") {
			<-late
		}
		return now
	}
	e, err := startEmbedded(slog.New(slog.DiscardHandler), clock)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		close(late)
		_ = e.Close()
	})
	_ = e.server.Set("key", "x")
	if err := e.client.PExpireAt(t.Context(), "key", now.Add(time.Hour)).Err(); err != nil {
		t.Fatal(err)
	}
	if left := e.server.TTL("key"); left != time.Hour {
		t.Errorf("is kept for %v", left)
	}
}
