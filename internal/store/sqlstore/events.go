package sqlstore

import (
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/base32"
	"fmt"
	"math"
	"slices"
	"time"
)

const (
	// insertedAtOnce is how many deliveries one statement inserts.
	insertedAtOnce = 50
	// eventsAtOnce is of how many events a transaction makes replays, or how many
	// it purges: others have to wait for it.
	eventsAtOnce = 200
)

// event is an event as those see it who make deliveries of it or purge it.
type event struct {
	id, instance, kind string
	createdAt          int64 // as stored
	replays            int64
}

// delivery is one that is to be made.
type delivery struct{ id, instance, event, endpoint string }

// FanOut implements [signup.Directory].
func (s *Store) FanOut(ctx context.Context, now time.Time, limit int) (int, error) {
	const what = "make deliveries"
	for round := 0; limit > 0 && round < outrun; round++ {
		// Outside of the transaction, so that a look at nothing writes nothing.
		found, err := read(ctx, s, what, func(ctx context.Context, x executor) ([]event, error) {
			return events(ctx, x, selectNewEvents, int64(limit))
		})
		if err != nil || len(found) == 0 {
			return 0, err
		}
		n, err := write(ctx, s, what, func(ctx context.Context, x executor) (int, error) {
			return fanOut(ctx, x, found, now)
		})
		switch {
		case isForeignKeyViolation(err): // an endpoint was deleted meanwhile
		case err != nil || n > 0:
			return n, err
		}
		// Others were faster with each of them; there may be more.
	}
	return 0, nil
}

// fanOut makes deliveries of those of the events that nobody has looked at
// since they were read, and says of how many.
func fanOut(ctx context.Context, x executor, found []event, now time.Time) (looked int, err error) {
	mine, err := eachOnce(ctx, x, found, markEvent, func(e event) []any { return []any{millis(now), e.id} })
	if err != nil || len(mine) == 0 {
		return 0, err
	}
	enabled, err := endpoints(ctx, x, selectEnabledEndpoints)
	if err != nil {
		return 0, err
	}
	var made []delivery
	for _, e := range mine {
		for _, to := range enabled {
			if to.Instance == e.instance && wants(to.Events, e) {
				made = append(made, delivery{deliveryID(e.id, to.ID, 0), e.instance, e.id, to.ID})
			}
		}
	}
	return len(mine), addDeliveries(ctx, x, made, now)
}

// ReplayEvents implements [signup.Directory]. It fails with ErrNoRow where
// there is no such endpoint. What it makes for an endpoint that is disabled
// waits until it is enabled. It is done in steps, each whole: after an error
// some of them may have been taken.
func (s *Store) ReplayEvents(ctx context.Context, instance, endpoint string, since, now time.Time) (int, error) {
	to, err := s.WebhookEndpoint(ctx, instance, endpoint)
	if err != nil {
		return 0, err
	}
	total := 0
	step := func(found []event) error {
		found = slices.DeleteFunc(found, func(e event) bool { return !wants(to.Events, e) })
		if len(found) == 0 {
			return nil
		}
		n, err := write(ctx, s, "replay events", func(ctx context.Context, x executor) (int, error) {
			var number int64
			if err := queryRow(ctx, x, beginReplay, []any{instance, endpoint}, &number); err != nil {
				return 0, err
			}
			kept, err := eachOnce(ctx, x, found, replayEvent, func(e event) []any { return []any{e.id} })
			if err != nil {
				return 0, err
			}
			var made []delivery
			for _, e := range kept {
				made = append(made, delivery{deliveryID(e.id, endpoint, number), instance, e.id, endpoint})
			}
			return len(made), addDeliveries(ctx, x, made, now)
		})
		total += n
		return err
	}
	err = s.inSteps(ctx, "replay events", event{createdAt: millis(since)}, step, func(last event) (string, []any) {
		return selectEventsSince, []any{instance, last.createdAt, last.id}
	})
	if err != nil {
		return 0, err
	}
	return total, nil
}

// PurgeEvents implements [signup.Directory]. It is done in steps, each whole:
// after an error some of them may have been taken.
func (s *Store) PurgeEvents(ctx context.Context, before time.Time) error {
	step := func(found []event) error {
		_, err := write(ctx, s, "purge events", func(ctx context.Context, x executor) ([]event, error) {
			return eachOnce(ctx, x, found, deleteEvent, func(e event) []any { return []any{e.id, e.replays} })
		})
		return err
	}
	return s.inSteps(ctx, "purge events", event{createdAt: math.MinInt64}, step, func(last event) (string, []any) {
		return selectOldEvents, []any{last.createdAt, last.id, millis(before)}
	})
}

// inSteps calls step with some events after another, until there are none. They
// are those that the statement finds after the last one; its last parameter is
// how many.
func (s *Store) inSteps(ctx context.Context, what string, last event, step func([]event) error, after func(last event) (string, []any)) error {
	for more := true; more; {
		statement, args := after(last)
		found, err := read(ctx, s, what, func(ctx context.Context, x executor) ([]event, error) {
			return events(ctx, x, statement, append(args, int64(eventsAtOnce))...)
		})
		if err != nil || len(found) == 0 {
			return err
		}
		last, more = found[len(found)-1], len(found) == eventsAtOnce
		if err := step(found); err != nil {
			return err
		}
	}
	return nil
}

// eachOnce runs a statement for each of the events and returns those for which
// it has affected a row. All who write events do so in this order, so that two
// transactions never wait for each other.
func eachOnce(ctx context.Context, x executor, found []event, statement string, args func(event) []any) (affected []event, err error) {
	ordered := slices.SortedFunc(slices.Values(found), func(a, b event) int { return cmp.Compare(a.id, b.id) })
	for _, e := range ordered {
		n, err := execute(ctx, x, statement, args(e)...)
		if err != nil {
			return nil, err
		}
		if n > 0 {
			affected = append(affected, e)
		}
	}
	return affected, nil
}

func wants(kinds []string, e event) bool { return len(kinds) == 0 || slices.Contains(kinds, e.kind) }

// deliveryID is the id of the only delivery of the event to the endpoint that a
// step of a replay makes; step 0 is none.
func deliveryID(event, endpoint string, step int64) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %d", event, endpoint, step))
	return "dlv_" + base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:16])
}

func addDeliveries(ctx context.Context, x executor, made []delivery, at time.Time) error {
	for rows := range slices.Chunk(made, insertedAtOnce) {
		args := []any{millis(at)}
		for _, d := range rows {
			args = append(args, d.id, d.instance, d.event, d.endpoint)
		}
		if _, err := execute(ctx, x, insertDeliveries(len(rows)), args...); err != nil {
			return err
		}
	}
	return nil
}

// events reads rows of id, instance, kind, time and the number of replays.
func events(ctx context.Context, x executor, statement string, args ...any) (found []event, err error) {
	err = query(ctx, x, statement, args, func(row *sql.Rows) error {
		var e event
		err := row.Scan(&e.id, &e.instance, &e.kind, &e.createdAt, &e.replays)
		found = append(found, e)
		return err
	})
	return found, err
}
