package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"stepwise/internal/realtest"
	"stepwise/internal/signup"
)

// reconciled fails unless the counts of completed sign-ups add up to the
// conversions, for each instance and version of its settings.
func reconciled(ctx context.Context, s *Store) error {
	const differing = `
		SELECT COUNT(*) FROM (
			SELECT instance_id, settings_version FROM (
				SELECT instance_id, settings_version, 1 AS n FROM conversions
				UNION ALL
				SELECT instance_id, settings_version, -count FROM shapes WHERE outcome = 'COMPLETE'
			) a
			GROUP BY instance_id, settings_version HAVING SUM(n) <> 0
		) b`
	var n int
	err := queryRow(ctx, s.db.reader(), differing, nil, &n)
	if err == nil && n > 0 {
		err = fmt.Errorf("under %d versions of settings the counts of shapes are not those of the conversions", n)
	}
	return err
}

// Conversions of one shape spread over the shards, so that few of those at the
// same time wait for each other.
func TestConversionsSpreadOverShards(t *testing.T) {
	onEachBackend(t, func(t *testing.T, url string) {
		s := mustOpen(t, Options{URL: url})
		mustEnsureInstance(t, s)
		const n = 200
		for i := range n {
			if _, err := s.Convert(t.Context(), testConversion(fmt.Sprint(i))); err != nil {
				t.Fatal(err)
			}
		}
		var shards, most int
		if err := queryRow(t.Context(), s.db.reader(), `SELECT COUNT(*), MAX(count) FROM shapes`, nil, &shards, &most); err != nil {
			t.Fatal(err)
		}
		if shards != shapeShards || most > 3*n/shapeShards {
			t.Errorf("%d conversions are in %d shards, of which one has %d", n, shards, most)
		}
	})
}

// A shape that cannot be stored, or not be in an index, costs its name and not
// the conversion.
func TestShapesThatCannotBeStored(t *testing.T) {
	onEachBackend(t, func(t *testing.T, url string) {
		s := mustOpen(t, Options{URL: url})
		mustEnsureInstance(t, s)
		for i, shape := range []string{strings.Repeat("x", 5000), "\xff", "a\x00b", strings.Repeat("é", 200)} {
			c := testConversion(fmt.Sprint(i))
			build := c.Build
			c.Build = func(v signup.SettingsVersion, ticket *signup.Invitation) (signup.Creation, bool) {
				made, ok := build(v, ticket)
				made.Shape = shape
				return made, ok
			}
			if _, err := s.Convert(t.Context(), c); err != nil {
				t.Errorf("a shape of %d bytes: %v", len(shape), err)
			}
			ended := signup.EndedAttempt{AttemptID: "left_" + fmt.Sprint(i), Shape: shape, At: testInstance.At}
			if n, err := s.CountAbandoned(t.Context(), testInstance.ID, testInstance.At, []signup.EndedAttempt{ended}); n != 1 || err != nil {
				t.Errorf("a shape of %d bytes: %d counted, %v", len(shape), n, err)
			}
		}
		counts, err := s.Shapes(t.Context(), testInstance.ID)
		if err != nil || len(counts) != 4 || counts[0].Shape+counts[2].Shape != "" && counts[1].Count != 1 {
			t.Errorf("counts are %v, %v", counts, err)
		}
		if err := reconciled(t.Context(), s); err != nil {
			t.Error(err)
		}
	})
}

// TestCountsDoNotDeadlock lets conversions, and sweepers that report the same
// sign-ups in different orders, meet at the same rows. One that was undone in
// favour of another would be run again, and Build be called again.
func TestCountsDoNotDeadlock(t *testing.T) {
	if !realtest.Wanted() {
		t.Log("STEPWISE_REAL is not set: SQLite has one writer, which cannot deadlock")
		return
	}
	s := mustOpen(t, Options{URL: realtest.Postgres(t)})
	mustEnsureInstance(t, s)
	at := testInstance.At
	const rounds, each = 20, 12
	var mu sync.Mutex
	builds := 0
	for round := range rounds {
		name := func(i int) string { return fmt.Sprintf("%d_%d", round, i) }
		var running sync.WaitGroup
		for i := range each {
			running.Go(func() {
				c := testConversion(name(i))
				build := c.Build
				c.Build = func(v signup.SettingsVersion, ticket *signup.Invitation) (signup.Creation, bool) {
					mu.Lock()
					builds++
					mu.Unlock()
					return build(v, ticket)
				}
				if _, err := s.Convert(t.Context(), c); err != nil {
					t.Error(err)
				}
			})
			running.Go(func() {
				var ended []signup.EndedAttempt
				for k := range each {
					k = (k*5 + i) % each
					ended = append(ended, signup.EndedAttempt{AttemptID: name(k), SettingsVersion: int64(k % 3), Shape: fmt.Sprint(k % 2), At: at})
				}
				if _, err := s.CountAbandoned(t.Context(), testInstance.ID, at, ended); err != nil {
					t.Error(err)
				}
			})
		}
		running.Wait()
	}
	if builds != rounds*each {
		t.Errorf("%d conversions were built %d times", rounds*each, builds)
	}
	// All were converted, so that none is abandoned, whichever came first.
	counts, err := s.Shapes(t.Context(), testInstance.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range counts {
		if c.Outcome != signup.ShapeComplete || c.Count != rounds*each {
			t.Errorf("counted is %+v", c)
		}
	}
	if err := errors.Join(reconciled(t.Context(), s)); err != nil {
		t.Error(err)
	}
}
