package attemptstest

import (
	"sync/atomic"
	"testing"
	"time"

	"stepwise/internal/signup"
)

var budgetTests = []test{
	{name: "BudgetsAreExact", run: budgetsAreExact},
	{name: "BudgetsAreSharedAndSeparate", run: budgetsAreSharedAndSeparate},
	{name: "BudgetsAreTakenInOrder", run: budgetsAreTakenInOrder},
	{name: "ParallelTakesStayWithinTheBudget", run: parallelTakesStayWithinTheBudget},
}

// wantTake uses a budget at a moment. A zero retryAt expects it to be allowed.
func (b Backend) wantTake(t testing.TB, now, retryAt time.Time, budgets ...signup.Budget) {
	t.Helper()
	allowed, got, err := b.Budgets.Take(t.Context(), now, budgets...)
	if err != nil || allowed != retryAt.IsZero() || !got.Equal(retryAt) {
		t.Errorf("take at %v: allowed %v, again at %v, %v; want again at %v", now, allowed, got, err, retryAt)
	}
}

func budgetsAreExact(t testing.TB, b Backend) {
	allowed := time.Time{}
	for _, budget := range []signup.Budget{
		{Burst: 1, Every: time.Millisecond},
		{Burst: 1, Every: 12 * time.Minute},
		{Burst: 5, Every: 1234 * time.Millisecond},
		{Burst: 20, Every: 5 * time.Minute},
		{Burst: 500, Every: time.Minute},
	} {
		budget.Key = newID()
		now := b.in(0)
		for range budget.Burst {
			b.wantTake(t, now, allowed, budget)
		}
		next := now.Add(budget.Every)
		b.wantTake(t, now, next, budget)
		b.wantTake(t, next.Add(-time.Millisecond), next, budget)
		b.wantTake(t, now, next, budget) // a refusal costs nothing
		b.wantTake(t, next, allowed, budget)
		b.wantTake(t, next, next.Add(budget.Every), budget)
		b.wantTake(t, now, next.Add(budget.Every), budget) // nor does a clock that is behind help

		// After a long time it is full again, and not fuller.
		later := next.Add(time.Duration(budget.Burst+3) * budget.Every)
		for range budget.Burst {
			b.wantTake(t, later, allowed, budget)
		}
		b.wantTake(t, later, later.Add(budget.Every), budget)
	}
}

func budgetsAreSharedAndSeparate(t testing.TB, b Backend) {
	mine := signup.Budget{Key: "somebody@example.com " + newID(), Burst: 1, Every: time.Hour}
	yours := mine
	yours.Key += " "
	now := b.in(0)
	b.wantTake(t, now, time.Time{}, mine)
	b.wantTake(t, now, time.Time{}, yours)
	allowed, _, err := b.Other.Budgets.Take(t.Context(), now, mine)
	if err != nil || allowed {
		t.Errorf("another process may use what is spent: %v, %v", allowed, err)
	}
	for name := range b.Keys(t) {
		if containsAny(name, "somebody", "example.com") {
			t.Errorf("an address is in the name of a key: %s", name)
		}
	}
	b.wantExpiries(t, "Take")
}

func budgetsAreTakenInOrder(t testing.TB, b Backend) {
	first := signup.Budget{Key: newID(), Burst: 3, Every: time.Hour}
	second := signup.Budget{Key: newID(), Burst: 1, Every: time.Minute}
	third := signup.Budget{Key: newID(), Burst: 1, Every: time.Second}
	now := b.in(0)
	b.wantTake(t, now, time.Time{})
	b.wantTake(t, now, time.Time{}, first, second)
	// The second is spent: the first is used all the same, the third is not.
	b.wantTake(t, now, now.Add(time.Minute), first, second, third)
	b.wantTake(t, now, time.Time{}, first, third)
	b.wantTake(t, now, now.Add(time.Hour), first, second, third)
}

func parallelTakesStayWithinTheBudget(t testing.TB, b Backend) {
	const parallel, burst = 100, 7
	budget := signup.Budget{Key: newID(), Burst: burst, Every: time.Hour}
	now := b.in(0)
	var allowed atomic.Int64
	atOnce(parallel, func(i int) {
		process := b.Process
		if i%2 == 1 {
			process = b.Other
		}
		ok, retryAt, err := process.Budgets.Take(t.Context(), now, budget)
		if err != nil || !ok && !retryAt.Equal(now.Add(time.Hour)) {
			t.Errorf("take: again at %v, %v", retryAt, err)
		}
		if ok {
			allowed.Add(1)
		}
	})
	if allowed.Load() != burst {
		t.Errorf("%d of %d parallel takes were allowed, want %d", allowed.Load(), parallel, burst)
	}
}
