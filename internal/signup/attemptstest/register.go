package attemptstest

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"stepwise/engine"
	"stepwise/internal/signup"
)

var registerTests = []test{
	{name: "RegisterNamesWhatIsDue", run: registerNamesWhatIsDue},
	{name: "ReplacedOnesAreDue", run: replacedOnesAreDue},
	{name: "CompleteOnesAreStruckOut", run: completeOnesAreStruckOut},
	{name: "RegisterForgets", run: registerForgets},
	{name: "RegisterListsAll", run: registerListsAll},
	{name: "RefusedCreatesAreHarmless", run: refusedCreatesAreHarmless},
	{name: "RegistersBelongToInstances", run: registersBelongToInstances},
	{name: "RegisterOutlivesWhatIsDue", run: registerOutlivesWhatIsDue},
	{name: "ManyRecordsAreLoadedAtOnce", run: manyRecordsAreLoadedAtOnce},
	{name: "ParallelCreatesAreAllRegistered", run: parallelCreatesAreAllRegistered},
}

// mate addresses a sign-up of another client of the same instance.
func mate(key signup.AttemptKey) signup.AttemptKey {
	other := newKey()
	other.Instance = key.Instance
	return other
}

// due is what is due of an instance after d from now.
func (b Backend) due(t testing.TB, instance string, d time.Duration, limit int) []signup.AttemptKey {
	t.Helper()
	keys, err := b.Other.Attempts.Due(t.Context(), instance, b.in(d), limit)
	if err != nil {
		t.Fatalf("due: %v", err)
	}
	return keys
}

// live is all that is registered, by pages of that size.
func (b Backend) live(t testing.TB, instance string, limit int) (all []signup.AttemptKey) {
	t.Helper()
	cursor := ""
	for range 1000 {
		page, next, err := b.Other.Attempts.Live(t.Context(), instance, cursor, limit)
		if err != nil || len(page) > limit {
			t.Fatalf("live: a page of %d, %v", len(page), err)
		}
		if all = append(all, page...); next == "" {
			return all
		}
		cursor = next
	}
	t.Fatal("the pages have no end")
	return nil
}

func wantKeys(t testing.TB, what string, got []signup.AttemptKey, want ...signup.AttemptKey) {
	t.Helper()
	sorted := func(keys []signup.AttemptKey) []signup.AttemptKey {
		return slices.SortedFunc(slices.Values(keys), func(a, b signup.AttemptKey) int { return cmp.Compare(a.ID, b.ID) })
	}
	if !slices.Equal(sorted(got), sorted(want)) {
		t.Errorf("%s: %d keys %.300v, want %d keys %.300v", what, len(got), fmt.Sprint(got), len(want), fmt.Sprint(want))
	}
}

// recordDue is a record that is due after d.
func (b Backend) recordDue(d time.Duration) signup.Record {
	r := b.record(1, "due")
	r.AbandonAt = b.in(d)
	return r
}

func registerNamesWhatIsDue(t testing.TB, b Backend) {
	first := newKey()
	keys := []signup.AttemptKey{first}
	for range 9 {
		keys = append(keys, mate(first))
	}
	for i := range keys { // not in the order in which they are due
		i = i * 7 % len(keys)
		b.create(t, keys[i], b.recordDue(time.Duration(i+1)*time.Hour))
	}
	wantKeys(t, "nothing is due", b.due(t, first.Instance, 30*time.Minute, 100))
	wantKeys(t, "due by now", b.due(t, first.Instance, 4*time.Hour+time.Minute, 100), keys[:4]...)
	if got := b.due(t, first.Instance, 24*time.Hour, 3); !slices.Equal(got, keys[:3]) {
		t.Errorf("the longest due are %v, want %v", got, keys[:3])
	}
	wantKeys(t, "with no limit", b.due(t, first.Instance, 24*time.Hour, 0))
	if got := b.due(t, first.Instance, 24*time.Hour, 100); !slices.Equal(got, keys) {
		t.Errorf("all are %v, want %v", got, keys)
	}
	exact := mate(first)
	r := b.record(1, "x")
	r.AbandonAt = b.in(20 * time.Hour)
	b.create(t, exact, r)
	for _, c := range []struct {
		by  time.Time
		due bool
	}{{r.AbandonAt.Add(-time.Millisecond), false}, {r.AbandonAt, true}} {
		got, err := b.Attempts.Due(t.Context(), first.Instance, c.by, 100)
		if err != nil || slices.Contains(got, exact) != c.due {
			t.Errorf("due by %v: %v, %v", c.by, got, err)
		}
	}
	// A save changes nothing, whatever its end.
	b.save(t, keys[0], signup.Record{Version: 2, Lifecycle: engine.Abandoned, ExpireAt: b.in(time.Hour)})
	if got := b.due(t, first.Instance, 2*time.Hour+time.Minute, 100); !slices.Equal(got, keys[:2]) {
		t.Errorf("after a save due are %v, want %v", got, keys[:2])
	}
}

func replacedOnesAreDue(t testing.TB, b Backend) {
	former := newKey()
	next := sibling(former)
	b.create(t, former, b.recordDue(10*time.Hour))
	b.create(t, next, b.recordDue(10*time.Hour))
	wantKeys(t, "due", b.due(t, former.Instance, 0, 100), former)
	wantKeys(t, "registered", b.live(t, former.Instance, 100), former, next)
}

func completeOnesAreStruckOut(t testing.TB, b Backend) {
	key := newKey()
	b.create(t, key, b.record(1, "x"))
	for i, lifecycle := range []engine.Lifecycle{engine.Open, engine.Completing, engine.Abandoned} {
		r := b.record(int64(i+2), "x")
		r.Lifecycle = lifecycle
		b.save(t, key, r)
		wantKeys(t, fmt.Sprintf("registered with lifecycle %d", lifecycle), b.live(t, key.Instance, 10), key)
	}
	r := b.record(5, "x")
	r.Lifecycle = engine.Complete
	b.save(t, key, r)
	wantKeys(t, "registered when complete", b.live(t, key.Instance, 10))
	b.wantRecord(t, key, r)
}

func registerForgets(t testing.TB, b Backend) {
	key := newKey()
	other := mate(key)
	r := b.recordDue(time.Hour)
	b.create(t, key, r)
	b.create(t, other, b.recordDue(time.Hour))
	for range 2 {
		if err := b.Other.Attempts.Forget(t.Context(), key.Instance, []signup.AttemptKey{key, mate(key)}); err != nil {
			t.Fatal(err)
		}
		wantKeys(t, "registered", b.live(t, key.Instance, 10), other)
	}
	stranger := other
	stranger.Instance = newKey().Instance
	for _, keys := range [][]signup.AttemptKey{nil, {stranger}, {{Instance: key.Instance, Client: "}", ID: other.ID}}} {
		if err := b.Attempts.Forget(t.Context(), key.Instance, keys); err != nil {
			t.Errorf("forget %v: %v", keys, err)
		}
	}
	wantKeys(t, "due", b.due(t, key.Instance, 2*time.Hour, 10), other)
	b.wantRecord(t, key, r)
}

func registerListsAll(t testing.TB, b Backend) {
	first := newKey()
	keys := []signup.AttemptKey{first}
	b.create(t, first, b.recordDue(time.Hour))
	moment := b.recordDue(2 * time.Hour).AbandonAt
	for i := range 60 {
		key := mate(first)
		if i%2 == 0 {
			key.Client = first.Client // many that are due at the same time, and lie together
		}
		r := b.record(1, "x")
		r.AbandonAt = moment
		b.create(t, key, r)
		keys = append(keys, key)
	}
	for _, limit := range []int{1, 2, 7, 1000} {
		wantKeys(t, fmt.Sprintf("all by pages of %d", limit), b.live(t, first.Instance, limit), keys...)
	}
	// What stays is listed, whatever goes meanwhile.
	var seen []signup.AttemptKey
	cursor := ""
	for {
		page, next, err := b.Attempts.Live(t.Context(), first.Instance, cursor, 5)
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, page...)
		if cursor = next; next == "" {
			break
		}
		if err := b.Other.Attempts.Forget(t.Context(), first.Instance, page); err != nil {
			t.Fatal(err)
		}
	}
	wantKeys(t, "all while they are forgotten", seen, keys...)
}

// refusedCreatesAreHarmless: what they register has no record.
func refusedCreatesAreHarmless(t testing.TB, b Backend) {
	key := newKey()
	b.create(t, key, b.record(1, "x"))
	completing := b.record(2, "x")
	completing.Lifecycle = engine.Completing
	b.save(t, key, completing)
	next := sibling(key)
	if _, _, err := b.Attempts.Create(t.Context(), next, b.record(1, "next"), noMemory, b.in(0), b.in(time.Hour)); !errors.Is(err, signup.ErrCompleting) {
		t.Fatalf("create: %v, want ErrCompleting", err)
	}
	if live := b.live(t, key.Instance, 10); !slices.Contains(live, key) {
		t.Errorf("registered are %v, want %v among them", live, key)
	}
	found, err := b.Attempts.LoadMany(t.Context(), []signup.AttemptKey{key, next})
	if err != nil || len(found) != 1 || found[0].AttemptKey != key {
		t.Errorf("loaded %v, %v", found, err)
	}
	wantKeys(t, "due", b.due(t, key.Instance, 0, 10))
}

func registersBelongToInstances(t testing.TB, b Backend) {
	mine, theirs := newKey(), newKey()
	b.create(t, mine, b.record(1, "x"))
	b.create(t, theirs, b.record(1, "x"))
	wantKeys(t, "mine", b.live(t, mine.Instance, 10), mine)
	wantKeys(t, "theirs", b.due(t, theirs.Instance, lifetime, 10), theirs)
	for _, name := range []string{"", "*", "}", "a:b", "\x00", mine.Instance + ":1", strings.Repeat("x", 70_000)} {
		wantKeys(t, name, b.live(t, name, 10))
		wantKeys(t, name, b.due(t, name, lifetime, 10))
	}
}

// registerOutlivesWhatIsDue: a later create that is due earlier does not make it
// forget.
func registerOutlivesWhatIsDue(t testing.TB, b Backend) {
	key := newKey()
	b.create(t, key, b.recordDue(lifetime))
	for range 40 { // in every part of the register
		b.create(t, mate(key), b.recordDue(time.Minute))
	}
	b.wantExpiries(t, "Create")
	kept := time.Duration(0)
	for name, left := range b.Keys(t) {
		if strings.Contains(name, key.Instance) && !strings.Contains(name, key.Client) && !strings.Contains(name, "client_") {
			kept = max(kept, left)
		}
	}
	if kept < lifetime+23*time.Hour {
		t.Errorf("the register is kept for %v, want a day after the last is due", kept)
	}
	if b.Advance != nil {
		b.Advance(lifetime + 23*time.Hour)
		wantKeys(t, "due at last", slices.DeleteFunc(b.due(t, key.Instance, 0, 100), func(k signup.AttemptKey) bool { return k != key }), key)
		b.Advance(3 * time.Hour)
		wantKeys(t, "after it was forgotten", b.live(t, key.Instance, 100))
		b.create(t, sibling(key), b.record(1, "x"))
		b.wantExpiries(t, "Create after it was forgotten")
	}
}

func manyRecordsAreLoadedAtOnce(t testing.TB, b Backend) {
	first := newKey()
	var keys []signup.AttemptKey
	want := map[signup.AttemptKey]signup.Record{}
	for i := range 250 {
		key := mate(first)
		keys = append(keys, key)
		if i%5 == 0 {
			continue // there is none of it
		}
		r := b.record(1, fmt.Sprintf("record %d \x00\xff 1 2 3", i))
		b.create(t, key, r)
		if i%3 == 0 {
			r = b.record(2, "saved "+fmt.Sprint(i))
			r.Lifecycle = lifecycles[i%len(lifecycles)]
			b.save(t, key, r)
		}
		want[key] = r
	}
	keys = append(keys, signup.AttemptKey{}, signup.AttemptKey{Instance: "}", Client: "{", ID: "x"}, current(keys[1]))
	found, err := b.Other.Attempts.LoadMany(t.Context(), keys)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range found {
		if w, ok := want[r.AttemptKey]; !ok || !same(r.Record, w) {
			t.Errorf("%v is %s, want %s", r.AttemptKey, show(r.Record), show(w))
		}
		delete(want, r.AttemptKey)
	}
	if len(want) > 0 {
		t.Errorf("%d records were not loaded", len(want))
	}
	if found, err := b.Attempts.LoadMany(t.Context(), nil); err != nil || len(found) > 0 {
		t.Errorf("nothing: %v, %v", found, err)
	}
}

func parallelCreatesAreAllRegistered(t testing.TB, b Backend) {
	first := newKey()
	keys := make([]signup.AttemptKey, 50)
	atOnce(len(keys), func(i int) {
		keys[i] = mate(first)
		p := b.Process
		if i%2 == 1 {
			p = b.Other
		}
		if _, _, err := p.Attempts.Create(t.Context(), keys[i], b.record(1, "x"), noMemory, b.in(0), b.in(lifetime)); err != nil {
			t.Errorf("create: %v", err)
		}
	})
	wantKeys(t, "registered", b.live(t, first.Instance, 20), keys...)
}
