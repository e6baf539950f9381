package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"slices"
	"time"

	"stepwise/internal/signup"
)

// outrun is how often others may be faster before one leaves the rest to them.
const outrun = 100

// ClaimDeliveries implements [signup.Directory]. It returns fewer than there
// are where others claim at once, and none as a rule only where there are none.
func (s *Store) ClaimDeliveries(ctx context.Context, now, until time.Time, limit int) ([]signup.Delivery, error) {
	const what = "claim deliveries"
	for round := 0; limit > 0 && round < outrun; round++ {
		// Outside of the transaction, so that a look at nothing writes nothing.
		due, err := read(ctx, s, what, func(ctx context.Context, x executor) ([]signup.Delivery, error) {
			return dueDeliveries(ctx, x, now, limit)
		})
		if err != nil || len(due) == 0 {
			return nil, err
		}
		claimed, err := write(ctx, s, what, func(ctx context.Context, x executor) ([]signup.Delivery, error) {
			return claim(ctx, x, due, until)
		})
		if err != nil || len(claimed) > 0 {
			return claimed, err
		}
		// Others were faster with each of them; there may be more.
	}
	return nil, nil
}

// dueDeliveries returns at most limit, longest due first.
func dueDeliveries(ctx context.Context, x executor, now time.Time, limit int) (due []signup.Delivery, err error) {
	var waiting []string
	err = query(ctx, x, selectDueEndpoints, []any{millis(now)}, func(row *sql.Rows) error {
		var id string
		err := row.Scan(&id)
		waiting = append(waiting, id)
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, id := range waiting {
		of, err := deliveries(ctx, x, selectDueDeliveries, id, millis(now), int64(limit))
		if err != nil {
			return nil, err
		}
		due = append(due, of...)
	}
	slices.SortFunc(due, compareDue)
	return due[:min(len(due), limit)], nil
}

func compareDue(a, b signup.Delivery) int {
	return cmp.Or(a.NotBefore.Compare(b.NotBefore), cmp.Compare(a.ID, b.ID))
}

// claim returns those of the deliveries that nobody has touched since they
// were read.
func claim(ctx context.Context, x executor, due []signup.Delivery, until time.Time) (claimed []signup.Delivery, err error) {
	// In one order everywhere, so that two transactions never wait for each other.
	for _, d := range slices.SortedFunc(slices.Values(due), func(a, b signup.Delivery) int { return cmp.Compare(a.ID, b.ID) }) {
		mine, err := execute(ctx, x, claimDelivery, millis(until), d.ID, millis(d.NotBefore), d.Tries)
		if err != nil {
			return nil, err
		}
		if mine == 1 {
			claimed = append(claimed, d)
		}
	}
	slices.SortFunc(claimed, compareDue)
	for i := range claimed {
		claimed[i].NotBefore = until.UTC().Truncate(time.Millisecond)
		claimed[i].Tries++
	}
	return claimed, nil
}

// SettleDelivery implements [signup.Directory]. A delivery that was replayed
// and not claimed since stays as it is too: its try is still to come. It fails
// with ErrNoRow where there is no such delivery.
func (s *Store) SettleDelivery(ctx context.Context, instance, id string, r signup.DeliveryResult) error {
	var retryAt any
	var doneAt, failedAt int64
	switch {
	case r.Done:
		doneAt = millis(r.At)
	case r.RetryAt.IsZero():
		failedAt = millis(r.At)
	default:
		retryAt = millis(r.RetryAt)
	}
	_, err := write(ctx, s, "settle a delivery", func(ctx context.Context, x executor) (none struct{}, err error) {
		if !storable(instance) || !storable(id) {
			return none, signup.ErrNoRow
		}
		settled, err := execute(ctx, x, settleDelivery, retryAt, doneAt, failedAt, int64(r.Status), r.Error, instance, id)
		if err == nil && settled == 0 {
			_, err = only(deliveries(ctx, x, selectDelivery, instance, id))
		}
		return none, err
	})
	return err
}

// Delivery implements [signup.Directory].
func (s *Store) Delivery(ctx context.Context, instance, id string) (signup.Delivery, error) {
	return read(ctx, s, "read a delivery", func(ctx context.Context, x executor) (signup.Delivery, error) {
		return only(deliveries(ctx, x, selectDelivery, instance, id))
	})
}

// Deliveries implements [signup.Directory]. A limit below 1 returns none.
func (s *Store) Deliveries(ctx context.Context, instance string, f signup.DeliveryFilter) (page []signup.Delivery, more bool, err error) {
	limit := max(f.Limit, 0)
	source, filters := deliveriesOf(f.EndpointID, f.EventID)
	args := append([]any{instance}, filters...)
	statement := selectDeliveries(source, len(args)+1)
	args = append(args, pageArgs(f.After, limit)...)
	found, err := read(ctx, s, "list deliveries", func(ctx context.Context, x executor) ([]signup.Delivery, error) {
		return deliveries(ctx, x, statement, args...)
	})
	page, more = cut(found, limit)
	return page, more, err
}

// ReplayDelivery implements [signup.Directory]. It fails with ErrNoRow where
// there is no such delivery.
func (s *Store) ReplayDelivery(ctx context.Context, instance, id string, at time.Time) (signup.Delivery, error) {
	return write(ctx, s, "replay a delivery", func(ctx context.Context, x executor) (none signup.Delivery, err error) {
		if !storable(instance) || !storable(id) {
			return none, signup.ErrNoRow
		}
		// The event first, as those who purge it do.
		if _, err := execute(ctx, x, replayEventOf, instance, id); err != nil {
			return none, err
		}
		if _, err := execute(ctx, x, replayDelivery, millis(at), instance, id); err != nil {
			return none, err
		}
		return only(deliveries(ctx, x, selectDelivery, instance, id))
	})
}

// deliveries reads rows of deliveryColumns.
func deliveries(ctx context.Context, x executor, statement string, args ...any) (found []signup.Delivery, err error) {
	err = query(ctx, x, statement, args, func(row *sql.Rows) error {
		var d signup.Delivery
		if err := row.Scan(&d.ID, &d.Instance, &d.EndpointID, stamp{&d.CreatedAt}, stamp{&d.NotBefore}, &d.Tries,
			stamp{&d.DoneAt}, stamp{&d.FailedAt}, &d.LastStatus, &d.LastError,
			&d.Event.ID, &d.Event.Kind, &d.Event.Body, stamp{&d.Event.At}); err != nil {
			return err
		}
		found = append(found, d)
		return nil
	})
	return found, err
}
