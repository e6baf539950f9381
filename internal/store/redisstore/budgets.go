package redisstore

import (
	"context"
	"fmt"
	"time"

	"stepwise/internal/signup"
)

var _ signup.Budgets = (*Store)(nil)

// arrivalKept is how long a budget's arrival time outlives itself, so that a
// process whose clock is behind Redis's does not find it forgotten.
const arrivalKept = time.Minute

// Take implements [signup.Budgets]. Each budget costs a round trip. A budget
// must have a key, a burst of at least one and whole milliseconds between uses.
func (s *Store) Take(ctx context.Context, now time.Time, budgets ...signup.Budget) (allowed bool, retryAt time.Time, err error) {
	for _, b := range budgets {
		if b.Key == "" || b.Burst < 1 || b.Every < time.Millisecond || b.Every%time.Millisecond != 0 {
			return false, time.Time{}, fmt.Errorf("redis: take: not a budget: burst %d, every %v", b.Burst, b.Every)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	for _, b := range budgets {
		value, err := s.run(ctx, takeScript, []string{budgetKey(b.Key)},
			millis(now), b.Burst, b.Every.Milliseconds(), arrivalKept.Milliseconds())
		if err != nil {
			return false, time.Time{}, err
		}
		open, ok := value.(int64)
		if !ok || open < 0 {
			return false, time.Time{}, fmt.Errorf("redis: take: unexpected reply of type %T", value)
		}
		if open > 0 {
			return false, time.UnixMilli(open).UTC(), nil
		}
	}
	return true, time.Time{}, nil
}
