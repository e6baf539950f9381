package attemptstest

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"stepwise/internal/signup"
)

var hintTests = []test{
	{name: "EveryProcessIsHintedAt", run: everyProcessIsHintedAt},
	{name: "QuietSavesHintAtNobody", run: quietSavesHintAtNobody},
	{name: "OthersAreNotHintedAt", run: othersAreNotHintedAt},
	{name: "StopEndsHints", run: stopEndsHints},
	{name: "SlowWatchersHoldUpNobody", run: slowWatchersHoldUpNobody},
	{name: "ManyWatchersCostLittle", run: manyWatchersCostLittle},
	{name: "WatchersComeAndGo", run: watchersComeAndGo},
	{name: "SettingsAreAnnounced", run: settingsAreAnnounced},
}

// watcher is a watch that is in force.
type watcher struct {
	hints <-chan struct{}
	stop  func()
}

// watch returns once the watch is in force, which the first hint says.
func watch(t testing.TB, p Process, key signup.AttemptKey) *watcher {
	t.Helper()
	hints, stop := p.Hints.WatchAttempt(key)
	return begin(t, hints, stop)
}

func begin(t testing.TB, hints <-chan struct{}, stop func()) *watcher {
	t.Helper()
	t.Cleanup(stop)
	w := &watcher{hints, stop}
	w.want(t, "the watch that came into force")
	return w
}

// want expects a hint at once.
func (w *watcher) want(t testing.TB, about string) {
	t.Helper()
	select {
	case _, open := <-w.hints:
		if !open {
			t.Fatal("the channel was closed")
		}
	case <-time.After(limit):
		t.Fatalf("no hint about %s", about)
	}
}

// pending takes a hint that has arrived, if there is one.
func (w *watcher) pending() bool {
	select {
	case <-w.hints:
		return true
	default:
		return false
	}
}

func everyProcessIsHintedAt(t testing.TB, b Backend) {
	key := newKey()
	watchers := []*watcher{watch(t, b.Process, key), watch(t, b.Other, key), watch(t, b.Other, key)}
	want := func(about string) {
		t.Helper()
		for _, w := range watchers {
			w.want(t, about)
		}
	}
	b.create(t, key, b.record(1, "one"))
	want("Create")
	for version := range int64(5) {
		b.save(t, key, b.record(version+2, "more"))
		want("Save")
	}
	b.create(t, sibling(key), b.record(1, "next"))
	want("having been abandoned")
}

func quietSavesHintAtNobody(t testing.TB, b Backend) {
	// Hints about records of one client arrive in the order of the writes.
	quiet := newKey()
	loud := sibling(quiet)
	atQuiet, atLoud := watch(t, b.Other, quiet), watch(t, b.Other, loud)
	b.create(t, quiet, b.record(1, "quiet"))
	atQuiet.want(t, "Create")
	b.create(t, loud, b.record(1, "loud"))
	atQuiet.want(t, "having been abandoned")
	atLoud.want(t, "Create")

	if err := b.Attempts.Save(t.Context(), quiet, b.record(3, "shh"), noMemory, true); err != nil {
		t.Fatal(err)
	}
	b.save(t, loud, b.record(2, "loud"))
	atLoud.want(t, "the loud save")
	if atQuiet.pending() {
		t.Error("a quiet save hinted")
	}
	b.save(t, quiet, b.record(4, "loud"))
	atQuiet.want(t, "the save that is not quiet")
}

func othersAreNotHintedAt(t testing.TB, b Backend) {
	key := newKey()
	others := []*watcher{
		watch(t, b.Process, sibling(key)),
		watch(t, b.Process, signup.AttemptKey{Instance: key.Instance, Client: newKey().Client, ID: key.ID}),
		watch(t, b.Process, signup.AttemptKey{Instance: newKey().Instance, Client: key.Client, ID: key.ID}),
	}
	mine := watch(t, b.Process, key)
	b.create(t, key, b.record(1, "mine"))
	mine.want(t, "Create")
	b.save(t, key, b.record(2, "mine"))
	mine.want(t, "Save")
	for i, other := range others {
		if other.pending() {
			t.Errorf("watcher %d was hinted at about somebody else's sign-up", i)
		}
	}
}

func stopEndsHints(t testing.TB, b Backend) {
	key := newKey()
	b.create(t, key, b.record(1, "x"))
	stopped, stays := watch(t, b.Process, key), watch(t, b.Process, key)
	stopped.stop()
	stopped.stop()
	stopped.pending() // a hint about the create may have come late, before the stop
	b.save(t, key, b.record(2, "x"))
	stays.want(t, "Save")
	if stopped.pending() {
		t.Error("a hint after stop")
	}
	stays.stop()
	stays.pending() // the same, if it was the create's that was taken for the save's
	again := watch(t, b.Process, key)
	b.save(t, key, b.record(3, "x"))
	again.want(t, "Save")
	if stays.pending() {
		t.Error("a hint after stop")
	}
	stays.stop() // must not end the watch that began since
	b.save(t, key, b.record(4, "x"))
	again.want(t, "Save")
}

func slowWatchersHoldUpNobody(t testing.TB, b Backend) {
	key := newKey()
	b.create(t, key, b.record(1, "x"))
	slow, quick := watch(t, b.Process, key), watch(t, b.Process, key)
	for version := range int64(100) {
		b.save(t, key, b.record(version+2, "x"))
		quick.want(t, fmt.Sprintf("save %d", version))
	}
	if !slow.pending() || slow.pending() {
		t.Error("a slow watcher should find exactly one hint")
	}
}

func manyWatchersCostLittle(t testing.TB, b Backend) {
	const many = 1500
	first := newKey()
	begin := watch(t, b.Other, first) // whatever is started once is started now
	defer begin.stop()
	goroutines := runtime.NumGoroutine()
	keys, watchers := make([]signup.AttemptKey, many), make([]*watcher, many)
	for i := range keys {
		keys[i] = sibling(first)
		hints, stop := b.Other.Hints.WatchAttempt(keys[i])
		watchers[i] = &watcher{hints, stop}
	}
	for _, w := range watchers {
		w.want(t, "the watch that came into force")
	}
	if grown := runtime.NumGoroutine() - goroutines; grown > 10 {
		t.Errorf("%d watchers cost %d goroutines", many, grown)
	}
	for i := 0; i < many; i += 10 {
		b.create(t, keys[i], b.record(1, "x"))
	}
	for i := 0; i < many; i += 10 {
		watchers[i].want(t, "Create")
	}
	for i, w := range watchers {
		w.stop()
		if i%10 != 0 && w.pending() {
			t.Fatalf("watcher %d was hinted at without a change", i)
		}
	}
}

// watchersComeAndGo: a watch that is in force sees every later write, whatever
// other watches of the same record begin and end at the same time.
func watchersComeAndGo(t testing.TB, b Backend) {
	key := newKey()
	b.create(t, key, b.record(1, "x"))
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		atOnce(4, func(int) {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, _, _, err := b.Attempts.Load(t.Context(), key, ""); err != nil {
					t.Errorf("load: %v", err)
				}
				hints, stop := b.Process.Hints.WatchAttempt(key)
				select {
				case <-hints:
				case <-time.After(limit):
					t.Error("a watch did not come into force")
				}
				stop()
			}
		})
	}()
	for version := range int64(100) {
		w := watch(t, b.Process, key)
		w.pending() // a hint can be doubled
		b.save(t, key, b.record(version+2, "x"))
		w.want(t, fmt.Sprintf("save %d", version))
		w.stop()
	}
	close(stop)
	<-stopped
}

func settingsAreAnnounced(t testing.TB, b Backend) {
	instance, another := newKey().Instance, newKey().Instance
	var watchers []*watcher
	for _, p := range []Process{b.Process, b.Other} {
		hints, stop := p.Hints.WatchSettings(instance)
		watchers = append(watchers, begin(t, hints, stop))
	}
	hints, stop := b.Process.Hints.WatchSettings(another)
	stranger := begin(t, hints, stop)
	for range 3 {
		if err := b.Other.Hints.AnnounceSettings(t.Context(), instance); err != nil {
			t.Fatal(err)
		}
		for _, w := range watchers {
			w.want(t, "settings")
		}
	}
	if stranger.pending() {
		t.Error("settings of another instance were announced")
	}
}
