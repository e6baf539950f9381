package attemptstest

import (
	"context"
	"slices"
	"strings"
	"time"

	"stepwise/internal/signup"
)

// registered lists an instance's in the order in which they are due.
func (m *model) registered(instance string) []signup.AttemptKey {
	var keys []signup.AttemptKey
	for key := range m.register {
		if key.Instance == instance {
			keys = append(keys, key)
		}
	}
	slices.SortFunc(keys, func(a, b signup.AttemptKey) int {
		if d := m.register[a].Compare(m.register[b]); d != 0 {
			return d
		}
		return strings.Compare(a.ID, b.ID)
	})
	return keys
}

func (m *model) Due(ctx context.Context, instance string, by time.Time, limit int) (due []signup.AttemptKey, err error) {
	m.enter()
	defer m.mu.Unlock()
	for _, key := range m.registered(instance) {
		if !m.register[key].After(by) && len(due) < limit {
			due = append(due, key)
		}
	}
	return due, m.check(ctx)
}

func (m *model) Live(ctx context.Context, instance, cursor string, limit int) (page []signup.AttemptKey, next string, err error) {
	m.enter()
	defer m.mu.Unlock()
	place := func(key signup.AttemptKey) string { return m.register[key].Format(time.RFC3339Nano) + " " + key.ID }
	all := m.registered(instance)
	all = slices.DeleteFunc(all, func(key signup.AttemptKey) bool { return place(key) <= cursor })
	if limit < len(all) {
		return all[:limit], place(all[limit-1]), m.check(ctx)
	}
	return all, "", m.check(ctx)
}

// enterInto keeps the register for a day after the last is due.
func (m *model) enterInto(key signup.AttemptKey, due time.Time) {
	m.register[key] = due
	if until := due.Add(24 * time.Hour); until.After(m.kept[key.Instance]) {
		m.kept[key.Instance] = until
	}
}

func (m *model) forgetRegisters() {
	for instance, until := range m.kept {
		if until.After(m.now) {
			continue
		}
		delete(m.kept, instance)
		for _, key := range m.registered(instance) {
			delete(m.register, key)
		}
	}
}

func (m *model) Forget(ctx context.Context, _ string, keys []signup.AttemptKey) error {
	m.enter()
	defer m.mu.Unlock()
	if m.wrong == registersForGood {
		return m.check(ctx)
	}
	for _, key := range keys {
		delete(m.register, key)
	}
	return m.check(ctx)
}

func (m *model) LoadMany(ctx context.Context, keys []signup.AttemptKey) (records []signup.KeyedRecord, err error) {
	m.enter()
	defer m.mu.Unlock()
	for _, key := range keys {
		if r, ok := m.records[key]; ok {
			records = append(records, signup.KeyedRecord{AttemptKey: key, Record: clone(r)})
		}
	}
	return records, m.check(ctx)
}
