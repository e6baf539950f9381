package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"hash/fnv"
	"maps"
	"slices"
	"time"

	"stepwise/internal/signup"
)

const (
	// shapeShards is how many conversions of one shape can count at once.
	shapeShards = 16
	// maxShapeBytes is more than a shape has. A longer one could not be in an
	// index, and no conversion fails for the sake of its count.
	maxShapeBytes = 1000
	// forgetAbandoned leaves clocks room to differ: what is still counted is never
	// forgotten.
	forgetAbandoned = signup.ReportedFor + time.Hour
)

// shapeCell is one row of shapes.
type shapeCell struct {
	version int64
	outcome signup.ShapeOutcome
	shape   string
	shard   int64
}

// countedShape is the text under which a shape is counted; what cannot be stored
// is counted without one.
func countedShape(shape string) string {
	if len(shape) > maxShapeBytes || !storable(shape) {
		return ""
	}
	return shape
}

// shardOf spreads the attempts.
func shardOf(attempt string) int64 {
	h := fnv.New32a()
	h.Write([]byte(attempt))
	return int64(h.Sum32() % shapeShards)
}

// countConversion comes last in its transaction: others wait for the row.
func countConversion(ctx context.Context, x executor, c signup.Conversion, version int64, shape string) error {
	cell := shapeCell{version, signup.ShapeComplete, countedShape(shape), shardOf(c.AttemptID)}
	return addTo(ctx, x, c.Instance, cell, 1)
}

func addTo(ctx context.Context, x executor, instance string, cell shapeCell, n int64) error {
	_, err := execute(ctx, x, addToShape, instance, cell.version, string(cell.outcome), cell.shape, cell.shard, n)
	return err
}

// standing is what a transaction finds out about a conversion before it makes it.
type standing struct {
	refused bool
	// abandoned is where the sign-up was counted as abandoned; nil where it was not.
	abandoned *shapeCell
}

func standingOf(ctx context.Context, x executor, c signup.Conversion) (found standing, err error) {
	err = query(ctx, x, selectStanding, []any{c.AttemptID, c.Try}, func(row *sql.Rows) error {
		var refused bool
		cell := shapeCell{outcome: signup.ShapeAbandoned}
		if err := row.Scan(&refused, &cell.version, &cell.shape); err != nil {
			return err
		}
		if refused {
			found.refused = true
		} else {
			found.abandoned = &cell
		}
		return nil
	})
	return found, err
}

// takeBack undoes the count of an abandoned sign-up that is converted after all: a
// process that was held up for long may still have it.
func (found standing) takeBack(ctx context.Context, x executor, c signup.Conversion) error {
	if found.abandoned == nil {
		return nil
	}
	if _, err := execute(ctx, x, deleteAbandonment, c.AttemptID); err != nil {
		return err
	}
	return addTo(ctx, x, c.Instance, *found.abandoned, -1)
}

// CountAbandoned implements [signup.Shapes].
func (s *Store) CountAbandoned(ctx context.Context, instance string, now time.Time, ended []signup.EndedAttempt) (int, error) {
	ended = countable(ended, now)
	if len(ended) == 0 {
		return 0, nil
	}
	return write(ctx, s, "count abandoned sign-ups", func(ctx context.Context, x executor) (int, error) {
		free, err := occupy(ctx, x, instance, now, ended)
		if err != nil {
			return 0, err
		}
		fresh, err := noteAbandoned(ctx, x, instance, keepOnly(ended, free))
		if err != nil {
			return 0, err
		}
		if _, err := execute(ctx, x, purgeAbandonments, millis(now.Add(-forgetAbandoned))); err != nil {
			return 0, err
		}
		if err := vacate(ctx, x, free); err != nil {
			return 0, err
		}
		counted := keepOnly(ended, fresh)
		return len(counted), addAll(ctx, x, instance, counted)
	})
}

// countable returns the attempts that may be counted, each once, in one order
// everywhere, so that two transactions never wait for each other.
func countable(ended []signup.EndedAttempt, now time.Time) []signup.EndedAttempt {
	oldest := now.Add(-signup.ReportedFor)
	list := slices.DeleteFunc(slices.Clone(ended), func(e signup.EndedAttempt) bool { return e.At.Before(oldest) })
	for i := range list {
		list[i].Shape = countedShape(list[i].Shape)
	}
	slices.SortStableFunc(list, func(a, b signup.EndedAttempt) int { return cmp.Compare(a.AttemptID, b.AttemptID) })
	return slices.CompactFunc(list, func(a, b signup.EndedAttempt) bool { return a.AttemptID == b.AttemptID })
}

func keepOnly(ended []signup.EndedAttempt, ids []string) []signup.EndedAttempt {
	wanted := map[string]bool{}
	for _, id := range ids {
		wanted[id] = true
	}
	return slices.DeleteFunc(slices.Clone(ended), func(e signup.EndedAttempt) bool { return !wanted[e.AttemptID] })
}

// occupy takes the places of conversions until vacate, as a conversion does, and
// returns the attempts whose place was free: a conversion under way is waited for,
// and one that begins waits.
func occupy(ctx context.Context, x executor, instance string, now time.Time, ended []signup.EndedAttempt) ([]string, error) {
	args := []any{instance, millis(now)}
	for _, e := range ended {
		args = append(args, e.AttemptID)
	}
	return ids(ctx, x, insertConversions(len(ended)), args)
}

func vacate(ctx context.Context, x executor, attempts []string) error {
	if len(attempts) == 0 {
		return nil
	}
	var args []any
	for _, id := range attempts {
		args = append(args, id)
	}
	_, err := execute(ctx, x, deleteConversions(len(attempts)), args...)
	return err
}

// noteAbandoned returns the attempts that were not counted before.
func noteAbandoned(ctx context.Context, x executor, instance string, ended []signup.EndedAttempt) ([]string, error) {
	if len(ended) == 0 {
		return nil, nil
	}
	args := []any{instance}
	for _, e := range ended {
		args = append(args, e.AttemptID, e.SettingsVersion, e.Shape, millis(e.At))
	}
	return ids(ctx, x, insertAbandonments(len(ended)), args)
}

// addAll counts in one shard, and in one order everywhere: few count these.
func addAll(ctx context.Context, x executor, instance string, ended []signup.EndedAttempt) error {
	counts := map[shapeCell]int64{}
	for _, e := range ended {
		counts[shapeCell{version: e.SettingsVersion, outcome: signup.ShapeAbandoned, shape: e.Shape}]++
	}
	cells := slices.SortedFunc(maps.Keys(counts), func(a, b shapeCell) int {
		return cmp.Or(cmp.Compare(a.version, b.version), cmp.Compare(a.shape, b.shape))
	})
	for _, cell := range cells {
		if err := addTo(ctx, x, instance, cell, counts[cell]); err != nil {
			return err
		}
	}
	return nil
}

// Shapes implements [signup.Shapes].
func (s *Store) Shapes(ctx context.Context, instance string) ([]signup.ShapeCount, error) {
	return read(ctx, s, "read the counts of shapes", func(ctx context.Context, x executor) (counts []signup.ShapeCount, err error) {
		err = query(ctx, x, selectShapes, []any{instance}, func(row *sql.Rows) error {
			var c signup.ShapeCount
			err := row.Scan(&c.SettingsVersion, &c.Outcome, &c.Shape, &c.Count)
			counts = append(counts, c)
			return err
		})
		// Not in SQL, where the order of texts is the database's.
		slices.SortFunc(counts, func(a, b signup.ShapeCount) int {
			return cmp.Or(cmp.Compare(a.SettingsVersion, b.SettingsVersion), cmp.Compare(b.Outcome, a.Outcome), cmp.Compare(a.Shape, b.Shape))
		})
		return counts, err
	})
}

// InstanceIDs implements [signup.Shapes].
func (s *Store) InstanceIDs(ctx context.Context) ([]string, error) {
	return read(ctx, s, "list the instances", func(ctx context.Context, x executor) ([]string, error) {
		return ids(ctx, x, selectInstanceIDs, nil)
	})
}

// ids runs a statement that returns one text a row.
func ids(ctx context.Context, x executor, statement string, args []any) (list []string, err error) {
	if !allStorable(args) {
		return nil, errUnstorable
	}
	err = query(ctx, x, statement, args, func(row *sql.Rows) error {
		var id string
		err := row.Scan(&id)
		list = append(list, id)
		return err
	})
	return list, err
}
