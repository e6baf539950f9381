package signup

import (
	"context"
	"fmt"
	"iter"

	"stepwise/engine"
)

const (
	// liveBatch is how many sign-ups are read at once, liveMost how many of an
	// instance's are looked at altogether.
	liveBatch = 200
	liveMost  = 100_000
)

// liveSignUps reads the open sign-ups of an instance, batch by batch.
type liveSignUps struct {
	service  *Service
	instance string
	// most is liveMost, but for tests.
	most int
	// cut tells, after the reading, that it ended before all were read; err, that
	// it ended because a store did not answer.
	cut bool
	err error
}

func (s *Service) live(instance string) *liveSignUps {
	return &liveSignUps{service: s, instance: instance, most: liveMost}
}

// all yields each sign-up that is open throughout, as it was last saved. Of those
// that begin or end meanwhile it yields some. It may be called once.
func (l *liveSignUps) all(ctx context.Context) iter.Seq[attempt] {
	return func(yield func(attempt) bool) {
		cursor := ""
		for looked := 0; ; {
			page, next, err := l.service.attempts.Live(ctx, l.instance, cursor, min(liveBatch, l.most-looked))
			if err != nil {
				l.err = fmt.Errorf("list the sign-ups: %w", err)
				return
			}
			if !l.batch(ctx, page, yield) || next == "" {
				return
			}
			if looked += len(page); looked >= l.most {
				l.cut = true
				return
			}
			cursor = next
		}
	}
}

// batch reports whether to go on.
func (l *liveSignUps) batch(ctx context.Context, page []AttemptKey, yield func(attempt) bool) bool {
	records, err := l.service.attempts.LoadMany(ctx, page)
	if err != nil {
		l.err = fmt.Errorf("read the sign-ups: %w", err)
		return false
	}
	for _, r := range records {
		a, err := fromRecord(r.AttemptKey, r.Record)
		if err != nil || noteEnd(a, l.service.now()).Lifecycle != engine.Open {
			continue // over, completing, or of a newer version
		}
		if !yield(a) {
			return false
		}
	}
	return true
}
