package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"stepwise/engine"
	"stepwise/internal/signup"
)

var _ signup.Attempts = (*Store)(nil)

// Create implements [signup.Attempts]. The version of r must be 1. An id that
// is in use makes it fail with ErrConflict and change nothing. Where it replaces a
// sign-up it takes a second round trip, after which that one is due.
func (s *Store) Create(ctx context.Context, key signup.AttemptKey, r signup.Record, memory signup.Memory, now, formerExpireAt time.Time) (replaced string, remembered *signup.Remembered, err error) {
	slot, ok := slotOf(key)
	switch {
	case !ok || key.ID == "":
		return "", nil, errors.New("redis: create: not a valid instance, client or id")
	case r.Version != 1:
		return "", nil, fmt.Errorf("redis: create: version %d, want 1", r.Version)
	case r.AbandonAt.IsZero():
		return "", nil, errors.New("redis: create: a sign-up without an end")
	}
	keys := []string{slot.records() + key.ID, slot.current()}
	arguments := []any{millis(now), key.ID, encode(r), millis(r.ExpireAt), millis(formerExpireAt), slot.records(), slot.channels()}
	keys, arguments = withMemory(slot, memory, keys, arguments)

	value, err := s.runRegistering(ctx, entryOf(key).at(r.AbandonAt), call{createScript, keys, arguments})
	if err != nil {
		return "", nil, err
	}
	reply := newReply(value)
	switch outcome := reply.text(); outcome {
	case "created":
		replaced = reply.text()
		s.hasten(ctx, key, replaced, now)
	case "remembered":
		remembered = rememberedFrom(reply)
	case "completing":
		replaced, err = reply.text(), signup.ErrCompleting
	case "exists":
		err = signup.ErrConflict
	default:
		err = unexpected(outcome)
	}
	if broken := reply.end(); broken != nil {
		return "", nil, broken
	}
	return replaced, remembered, err
}

// hasten makes the sign-up due that was replaced, if one was. Where that fails the
// new one stands all the same: the former is not counted then, if it is forgotten
// before it would have been due by itself.
func (s *Store) hasten(ctx context.Context, key signup.AttemptKey, replaced string, now time.Time) {
	if replaced == "" {
		return
	}
	key.ID = replaced
	move := entryOf(key).at(now)
	if s.local != nil {
		s.local.register(move)
		return
	}
	c := move.call()
	_, _ = s.run(context.WithoutCancel(ctx), c.script, c.keys, c.arguments...)
}

// Load implements [signup.Attempts].
func (s *Store) Load(ctx context.Context, key signup.AttemptKey, memoryKey string) (id string, r signup.Record, remembered *signup.Remembered, err error) {
	slot, ok := slotOf(key)
	if !ok {
		return "", signup.Record{}, nil, signup.ErrNotFound
	}
	keys := []string{slot.current()}
	if key.ID != "" {
		keys[0] = slot.records() + key.ID
	}
	if memoryKey != "" {
		keys = append(keys, slot.memory(memoryKey))
	}
	value, err := s.run(ctx, loadScript, keys, millis(s.clock()), key.ID, slot.records())
	if err != nil {
		return "", signup.Record{}, nil, err
	}
	reply := newReply(value)
	record, memory := reply.array(), reply.array()
	if memory != nil {
		remembered = rememberedFrom(memory)
		reply.err = errors.Join(reply.err, memory.end())
	}
	if record != nil {
		id = record.text()
		r.Version = record.number()
		r.Lifecycle = engine.Lifecycle(record.number())
		r.EndedAt = record.time()
		r.ExpireAt = record.time()
		r.Data = []byte(record.text())
		reply.err = errors.Join(reply.err, record.end())
	}
	if err := reply.end(); err != nil {
		return "", signup.Record{}, nil, err
	}
	if record == nil {
		err = signup.ErrNotFound
	}
	return id, r, remembered, err
}

// Save implements [signup.Attempts].
func (s *Store) Save(ctx context.Context, key signup.AttemptKey, r signup.Record, memory signup.Memory, quiet bool) error {
	slot, ok := slotOf(key)
	if !ok || key.ID == "" {
		return signup.ErrNotFound
	}
	channel := slot.channels() + key.ID
	if quiet {
		channel = ""
	}
	keys := []string{slot.records() + key.ID, slot.current()}
	arguments := []any{millis(s.clock()), key.ID, encode(r), millis(r.ExpireAt), r.Version, channel}
	keys, arguments = withMemory(slot, memory, keys, arguments)

	save := call{saveScript, keys, arguments}
	var value any
	var err error
	if r.Lifecycle == engine.Complete {
		value, err = s.runRegistering(ctx, entryOf(key).struckOut(), save)
	} else {
		value, err = s.run(ctx, save.script, save.keys, save.arguments...)
	}
	if err != nil {
		return err
	}
	reply := newReply(value)
	outcome := reply.text()
	if err := reply.end(); err != nil {
		return err
	}
	switch outcome {
	case "saved":
		return nil
	case "conflict":
		return signup.ErrConflict
	case "gone":
		return signup.ErrNotFound
	}
	return unexpected(outcome)
}

// encode returns a record as it is stored: version, lifecycle, ended at and
// expires at as decimal numbers, each followed by a space, then the data. A hash
// with a field for each would take half as much memory again.
func encode(r signup.Record) []byte {
	stored := make([]byte, 0, 64+len(r.Data))
	for _, number := range []int64{r.Version, int64(r.Lifecycle), millis(r.EndedAt), millis(r.ExpireAt)} {
		stored = append(strconv.AppendInt(stored, number, 10), ' ')
	}
	return append(stored, r.Data...)
}

// withMemory adds the key and the arguments of what is to be remembered.
func withMemory(slot slot, memory signup.Memory, keys []string, arguments []any) ([]string, []any) {
	if memory.Key == "" {
		return keys, arguments
	}
	return append(keys, slot.memory(memory.Key)),
		append(arguments, millis(memory.ExpireAt), memory.AttemptID, memory.Fingerprint, memory.Outcome)
}

func rememberedFrom(r *reply) *signup.Remembered {
	return &signup.Remembered{AttemptID: r.text(), Fingerprint: r.text(), Outcome: []byte(r.text())}
}

func unexpected(outcome string) error { return fmt.Errorf("redis: unexpected reply %q", outcome) }
