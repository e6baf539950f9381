package signup

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"stepwise/engine"
)

const (
	// settleInterval is how often abandoned sign-ups are looked for. A record
	// outlives its end by far more, see finalRetention.
	settleInterval = 30 * time.Second
	// A pass has an end, however many there are: the next one goes on.
	settleTimeout = 20 * time.Second
	settleBatch   = 200
	settleMost    = 20_000
)

// shapeOf is the shape under which a sign-up is counted.
func shapeOf(a engine.Attempt) string { return string(engine.ShapeOf(a)) }

// KeepSettling settles what was abandoned, now and then, until ctx ends. Any number
// of processes may do it at once. Stores that do not answer are logged once, and
// asked again at the next pass.
func (s *Service) KeepSettling(ctx context.Context) error {
	ticker := time.NewTicker(settleInterval)
	defer ticker.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		_, err := s.SettleAbandoned(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && !failing:
			s.log.WarnContext(ctx, "abandoned sign-ups cannot be counted", "error", err)
		case err == nil && failing:
			s.log.InfoContext(ctx, "abandoned sign-ups are counted again")
		}
		failing = err != nil
	}
}

// SettleAbandoned counts the sign-ups of all instances that were abandoned and not
// counted yet, by their shape, and says how many. It may end before all are.
func (s *Service) SettleAbandoned(ctx context.Context) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	instances, err := s.directory.InstanceIDs(ctx)
	if err != nil {
		return 0, fmt.Errorf("list the instances: %w", err)
	}
	counted := 0
	for _, instance := range instances {
		n, instanceErr := s.settleInstance(ctx, instance)
		counted += n
		err = errors.Join(err, instanceErr)
	}
	return counted, err
}

// settleInstance goes through what is due, the longest due first. What it has to
// leave for later stays due, and is passed over.
func (s *Service) settleInstance(ctx context.Context, instance string) (counted int, err error) {
	left := map[AttemptKey]bool{}
	for looked := 0; looked < settleMost; {
		due, err := s.attempts.Due(ctx, instance, s.now(), settleBatch+len(left))
		if err != nil {
			return counted, fmt.Errorf("look for what is due: %w", err)
		}
		due = slices.DeleteFunc(due, func(key AttemptKey) bool { return left[key] })
		if len(due) == 0 {
			break
		}
		looked += len(due)
		n, later, err := s.settleDue(ctx, instance, due)
		counted += n
		if err != nil {
			return counted, err
		}
		for _, key := range later {
			left[key] = true
		}
	}
	return counted, nil
}

// settleDue counts those of the sign-ups that were abandoned and takes what has
// ended off the register; later are the ones that have not. A process may die after
// the count: the next one counts nothing twice.
func (s *Service) settleDue(ctx context.Context, instance string, due []AttemptKey) (counted int, later []AttemptKey, err error) {
	records, err := s.attempts.LoadMany(ctx, due)
	if err != nil {
		return 0, nil, fmt.Errorf("read what is due: %w", err)
	}
	now := s.now()
	var abandoned []EndedAttempt
	waiting := map[AttemptKey]bool{}
	for _, r := range records {
		a, err := fromRecord(r.AttemptKey, r.Record)
		if err != nil { // written by a newer version, which can read it
			waiting[r.AttemptKey] = true
			continue
		}
		switch ended := noteEnd(a, now); ended.Lifecycle {
		case engine.Abandoned:
			abandoned = append(abandoned, EndedAttempt{AttemptID: a.key.ID, SettingsVersion: a.SettingsVersion, Shape: shapeOf(a.Attempt), At: ended.EndedAt})
		case engine.Complete: // counted when it was converted
		default:
			waiting[r.AttemptKey] = true
		}
	}
	if len(abandoned) > 0 {
		if counted, err = s.directory.CountAbandoned(ctx, instance, now, abandoned); err != nil {
			return 0, nil, fmt.Errorf("count what was abandoned: %w", err)
		}
	}
	over := slices.DeleteFunc(slices.Clone(due), func(key AttemptKey) bool { return waiting[key] })
	if err := s.attempts.Forget(ctx, instance, over); err != nil {
		return counted, nil, fmt.Errorf("forget what was counted: %w", err)
	}
	later = slices.DeleteFunc(due, func(key AttemptKey) bool { return !waiting[key] })
	return counted, later, nil
}

// noteEnd is the sign-up with its end, if its time is over and nobody has looked
// since.
func noteEnd(a attempt, now time.Time) engine.Attempt {
	ended, _ := engine.Elapse(a.Attempt, now)
	return ended
}
