package attemptstest

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"stepwise/engine"
	"stepwise/internal/signup"
)

// TestSuiteDetectsBrokenStores runs parts of the suite against a store that is
// right, and against the same store with one thing wrong.
func TestSuiteDetectsBrokenStores(t *testing.T) {
	defer func(patience time.Duration) { limit = patience }(limit)
	limit = time.Second
	for _, test := range []struct {
		name  string
		wrong defect
		run   func(testing.TB, Backend)
	}{
		{"Save ignores the version", savesAnyVersion, noUpdateIsLost},
		{"Save ignores the version", savesAnyVersion, saveExpectsTheVersionBefore},
		{"Save ignores the version", savesAnyVersion, historiesAreLinearizable},
		{"Load returns what was", loadsStale, historiesAreLinearizable},
		{"Save reports a conflict and saves", savesOnConflict, historiesAreLinearizable},
		{"Load ignores the client", ignoresClient, nobodyElsesSignUpIsFound},
		{"Create forgets the request", forgetsRequests, parallelCreatesWithOneKeyMakeOne},
		{"Create leaves the former open", leavesFormer, createAbandonsTheOpenOne},
		{"Create leaves the former open", leavesFormer, oneOfManyCreatesIsCurrent},
		{"Create replaces what completes", replacesCompleting, createWaitsForTheCompletingOne},
		{"Nothing is forgotten", forgetsNothing, everythingIsForgottenInTime},
		{"Nothing is forgotten", forgetsNothing, whatIsForgottenIsInNobodysWay},
		{"Keys never expire", keepsKeys, everyKeyExpires},
		{"Quiet saves hint", hintsWhenQuiet, quietSavesHintAtNobody},
		{"Save hints at nobody", hintsAtNobody, everyProcessIsHintedAt},
		{"A budget allows one more", allowsOneMore, budgetsAreExact},
		{"A budget allows one more", allowsOneMore, parallelTakesStayWithinTheBudget},
		{"Cancelled calls succeed", ignoresContexts, contextsAreHonoured},
		{"Create registers nothing", registersNothing, registerNamesWhatIsDue},
		{"Create registers nothing", registersNothing, registerListsAll},
		{"A replaced one is due at its end", settlesLate, replacedOnesAreDue},
		{"What is complete stays registered", registersForGood, completeOnesAreStruckOut},
		{"Forget does nothing", registersForGood, registerForgets},
	} {
		t.Run(test.name, func(t *testing.T) {
			if failures := failuresOf(t, test.run, newModel(0)); len(failures) > 0 {
				t.Errorf("a store that is right fails: %q", failures)
			}
			if failures := failuresOf(t, test.run, newModel(test.wrong)); len(failures) == 0 {
				t.Error("was not detected")
			}
		})
	}
}

// TestModelPasses keeps the model of a right store honest.
func TestModelPasses(t *testing.T) {
	Run(t, func(*testing.T) Backend { return newModel(0) })
}

// recorder notes failures in place of a test that it stands for.
type recorder struct {
	testing.TB
	mu       sync.Mutex
	failures []string
}

func (r *recorder) Helper() {}

func (r *recorder) Error(arguments ...any) { r.note(fmt.Sprint(arguments...)) }

func (r *recorder) Errorf(format string, arguments ...any) { r.note(fmt.Sprintf(format, arguments...)) }

func (r *recorder) Fatal(arguments ...any) {
	r.Error(arguments...)
	runtime.Goexit()
}

func (r *recorder) Fatalf(format string, arguments ...any) {
	r.Errorf(format, arguments...)
	runtime.Goexit()
}

func (r *recorder) note(failure string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failures = append(r.failures, failure)
}

func failuresOf(t testing.TB, run func(testing.TB, Backend), b Backend) []string {
	r := &recorder{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		run(r, b)
	}()
	<-done
	return r.failures
}

// defect is what is wrong with a model.
type defect int

const (
	_ defect = iota
	savesAnyVersion
	loadsStale
	savesOnConflict
	ignoresClient
	forgetsRequests
	leavesFormer
	replacesCompleting
	forgetsNothing
	keepsKeys
	hintsWhenQuiet
	hintsAtNobody
	allowsOneMore
	ignoresContexts
	registersNothing
	settlesLate
	registersForGood
)

// model is the simplest store that keeps the promises, apart from its defect.
type model struct {
	wrong defect

	mu       sync.Mutex
	now      time.Time
	records  map[signup.AttemptKey]signup.Record
	former   map[signup.AttemptKey]signup.Record // one version back
	current  map[signup.AttemptKey]string        // by key without id
	memories map[signup.AttemptKey]signup.Memory // by key with the memory's for an id
	arrivals map[string]time.Time
	watchers map[string]map[chan struct{}]bool
	register map[signup.AttemptKey]time.Time
	kept     map[string]time.Time // the register of an instance
}

func newModel(wrong defect) Backend {
	m := &model{
		wrong: wrong, now: time.Unix(1_900_000_000, 0),
		records: make(map[signup.AttemptKey]signup.Record), former: make(map[signup.AttemptKey]signup.Record),
		current: make(map[signup.AttemptKey]string), memories: make(map[signup.AttemptKey]signup.Memory),
		arrivals: make(map[string]time.Time), watchers: make(map[string]map[chan struct{}]bool),
		register: make(map[signup.AttemptKey]time.Time), kept: make(map[string]time.Time),
	}
	p := Process{m, m, m}
	return Backend{Process: p, Other: p, Now: m.Now, Advance: m.Advance, Keys: m.Keys}
}

func (m *model) Now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now
}

func (m *model) Advance(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now = m.now.Add(d)
	if m.wrong == forgetsNothing {
		return
	}
	for key, r := range m.records {
		if !r.ExpireAt.After(m.now) {
			delete(m.records, key)
			if client := current(key); m.current[client] == key.ID {
				delete(m.current, client)
			}
		}
	}
	m.forgetRegisters()
	for key, memory := range m.memories {
		if !memory.ExpireAt.After(m.now) {
			delete(m.memories, key)
		}
	}
}

func (m *model) Keys(testing.TB) map[string]time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	keys := make(map[string]time.Duration)
	add := func(kind string, key signup.AttemptKey, expireAt time.Time) {
		left := expireAt.Sub(m.now)
		if m.wrong == keepsKeys {
			left = -1
		}
		keys[fmt.Sprintf("%s %s %s %x", kind, key.Instance, key.Client, key.ID)] = left
	}
	for key, r := range m.records {
		add("record", key, r.ExpireAt)
	}
	for instance, until := range m.kept {
		add("register", signup.AttemptKey{Instance: instance}, until)
	}
	for key, memory := range m.memories {
		add("memory", key, memory.ExpireAt)
	}
	for client, id := range m.current {
		key := client
		key.ID = id
		add("current", client, m.records[key].ExpireAt)
	}
	return keys
}

// enter begins an operation. It lets others go first, or none would ever meet.
func (m *model) enter() {
	runtime.Gosched()
	m.mu.Lock()
}

func (m *model) check(ctx context.Context) error {
	if m.wrong == ignoresContexts {
		return nil
	}
	return ctx.Err()
}

func (m *model) Create(ctx context.Context, key signup.AttemptKey, r signup.Record, memory signup.Memory, now, formerExpireAt time.Time) (string, *signup.Remembered, error) {
	m.enter()
	defer m.mu.Unlock()
	if err := m.check(ctx); err != nil {
		return "", nil, err
	}
	if known := m.remembered(key, memory.Key); known != nil && m.wrong != forgetsRequests {
		return "", known, nil
	}
	if _, exists := m.records[key]; exists {
		return "", nil, signup.ErrConflict
	}
	former, replaced := key, ""
	former.ID = m.current[current(key)]
	switch f, ok := m.records[former]; {
	case ok && f.Lifecycle == engine.Completing && m.wrong != replacesCompleting:
		return former.ID, nil, signup.ErrCompleting
	case ok && f.Lifecycle == engine.Open && m.wrong != leavesFormer:
		f.Version, f.Lifecycle, f.EndedAt, f.ExpireAt = f.Version+1, engine.Abandoned, now, formerExpireAt
		m.records[former], replaced = f, former.ID
		if m.wrong != settlesLate {
			m.register[former] = now
		}
		m.hint(former, false)
	}
	m.records[key], m.current[current(key)] = clone(r), key.ID
	if m.wrong != registersNothing {
		m.enterInto(key, r.AbandonAt)
	}
	m.remember(key, memory)
	m.hint(key, false)
	return replaced, nil, nil
}

func (m *model) Load(ctx context.Context, key signup.AttemptKey, memoryKey string) (string, signup.Record, *signup.Remembered, error) {
	m.enter()
	defer m.mu.Unlock()
	if err := m.check(ctx); err != nil {
		return "", signup.Record{}, nil, err
	}
	remembered := m.remembered(key, memoryKey)
	if key.ID == "" {
		key.ID = m.current[key]
	}
	r, ok := m.records[key]
	if m.wrong == ignoresClient {
		for other, record := range m.records {
			if other.ID == key.ID {
				r, ok = record, true
			}
		}
	}
	if stale, changed := m.former[key]; changed && m.wrong == loadsStale && r.Version%3 == 0 {
		r = stale
	}
	if !ok {
		return "", signup.Record{}, remembered, signup.ErrNotFound
	}
	return key.ID, clone(r), remembered, nil
}

func (m *model) Save(ctx context.Context, key signup.AttemptKey, r signup.Record, memory signup.Memory, quiet bool) error {
	m.enter()
	defer m.mu.Unlock()
	if err := m.check(ctx); err != nil {
		return err
	}
	held, ok := m.records[key]
	if !ok {
		return signup.ErrNotFound
	}
	conflict := held.Version != r.Version-1
	if conflict && m.wrong != savesAnyVersion && m.wrong != savesOnConflict {
		return signup.ErrConflict
	}
	m.former[key], m.records[key] = held, clone(r)
	if conflict && m.wrong == savesOnConflict {
		return signup.ErrConflict
	}
	if r.Lifecycle == engine.Complete && m.wrong != registersForGood {
		delete(m.register, key)
	}
	m.remember(key, memory)
	if m.wrong != hintsAtNobody {
		m.hint(key, quiet && m.wrong != hintsWhenQuiet)
	}
	return nil
}

func clone(r signup.Record) signup.Record {
	r.Data = slices.Clone(r.Data)
	return r
}

func (m *model) remember(key signup.AttemptKey, memory signup.Memory) {
	if memory.Key != "" {
		key.ID = memory.Key
		m.memories[key] = memory
	}
}

func (m *model) remembered(key signup.AttemptKey, memoryKey string) *signup.Remembered {
	key.ID = memoryKey
	memory, ok := m.memories[key]
	if !ok {
		return nil
	}
	return &memory.Remembered
}

func (m *model) hint(key signup.AttemptKey, quiet bool) {
	if !quiet {
		m.wake(fmt.Sprint(key))
	}
}

func (m *model) wake(topic string) {
	for watcher := range m.watchers[topic] {
		select {
		case watcher <- struct{}{}:
		default:
		}
	}
}

func (m *model) watch(topic string) (<-chan struct{}, func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	watcher := make(chan struct{}, 1)
	watcher <- struct{}{} // in force
	if m.watchers[topic] == nil {
		m.watchers[topic] = make(map[chan struct{}]bool)
	}
	m.watchers[topic][watcher] = true
	return watcher, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.watchers[topic], watcher)
	}
}

func (m *model) WatchAttempt(key signup.AttemptKey) (<-chan struct{}, func()) {
	return m.watch(fmt.Sprint(key))
}

func (m *model) WatchSettings(instance string) (<-chan struct{}, func()) { return m.watch(instance) }

func (m *model) AnnounceSettings(ctx context.Context, instance string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.wake(instance)
	return m.check(ctx)
}

func (m *model) Take(ctx context.Context, now time.Time, budgets ...signup.Budget) (bool, time.Time, error) {
	m.enter()
	defer m.mu.Unlock()
	if err := m.check(ctx); err != nil {
		return false, time.Time{}, err
	}
	for _, b := range budgets {
		arrival := m.arrivals[b.Key]
		if arrival.Before(now) {
			arrival = now
		}
		arrival = arrival.Add(b.Every)
		burst := b.Burst
		if m.wrong == allowsOneMore {
			burst++
		}
		if open := arrival.Add(-time.Duration(burst) * b.Every); open.After(now) {
			return false, open, nil
		}
		m.arrivals[b.Key] = arrival
	}
	return true, time.Time{}, nil
}
