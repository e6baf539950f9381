package signup

import (
	"context"
	"strconv"
	"time"

	"stepwise/engine"
)

// ownBudget is what one address has to bear, over all sign-ups and clients.
func ownBudget(instance string, limits SendingLimits, a engine.Attribute, key string) Budget {
	return evenly("send:"+instance+":"+a.String()+":"+key, limits.PerAddressPerHour, limits.PerAddressPerHour, time.Hour)
}

// sharedBudgets are those that a message has in common with others: first the numbers
// that differ in their last four digits only, then all of the instance. They come after
// its own, so that what is refused there takes nothing from the others.
func sharedBudgets(instance string, limits SendingLimits, a engine.Attribute, key string) []Budget {
	if a != engine.PhoneNumber {
		return []Budget{ofADay(instance, a, limits.EmailsPerDay)}
	}
	block := key[:max(0, len(key)-4)]
	perRange := limits.TextMessagesPerRangePerHour
	return []Budget{
		evenly("send-range:"+instance+":"+block, perRange, perRange, time.Hour),
		ofADay(instance, a, limits.TextMessagesPerDay),
	}
}

// returningBudgets are the shared ones of a message to somebody who comes back. They are
// taken where there is somebody to write to: under enumeration protection apart from those
// of sign-ups, whose refusals would tell that there was.
func returningBudgets(instance string, settings Settings, a engine.Attribute, key string) []Budget {
	budgets := sharedBudgets(instance, settings.SendingLimits, a, key)
	if settings.EnumerationProtection {
		for i := range budgets {
			budgets[i].Key = "returning:" + budgets[i].Key
		}
	}
	return budgets
}

// messageBudgets are all of one message, the widest last.
func messageBudgets(instance string, limits SendingLimits, a engine.Attribute, key string) []Budget {
	return append([]Budget{ownBudget(instance, limits, a, key)}, sharedBudgets(instance, limits, a, key)...)
}

// atLeastAtOnce is how many messages of a day may go out at once, where it has as many.
const atLeastAtOnce = 20

// ofADay refills evenly over a day. At once go an hour's share, or twenty where that is
// less: what a flood can spend is bounded, and a small limit bears a few people who
// come together. Another limit is another budget: raised, it counts at once.
func ofADay(instance string, a engine.Attribute, n int) Budget {
	return evenly("send-day:"+instance+":"+a.String()+":"+strconv.Itoa(n), min(n, max(n/24, atLeastAtOnce)), n, 24*time.Hour)
}

// evenly allows burst uses at once, and n over the time, each as long after the one
// before.
func evenly(key string, burst, n int, over time.Duration) Budget {
	every := over / time.Duration(n)
	if whole := every.Truncate(time.Millisecond); whole < every { // never more than n
		every = whole + time.Millisecond
	}
	return Budget{Key: key, Burst: burst, Every: every}
}

// payFor takes the budgets of the messages to send: the wide ones once the narrow ones
// of all have room.
func (c *call) payFor(ctx context.Context, sends []engine.Send, settings Settings, instance string, startPath func(int) []string) ([]Problem, error) {
	type bill struct {
		send    engine.Send
		budgets []Budget
	}
	var narrow, wide []bill
	for _, send := range sends {
		a, key := send.Attribute, send.Address.Key
		if isTestAddress(settings, a, key) {
			continue
		}
		budgets := messageBudgets(instance, settings.SendingLimits, a, key)
		last := len(budgets) - 1
		narrow, wide = append(narrow, bill{send, budgets[:last]}), append(wide, bill{send, budgets[last:]})
	}
	if len(narrow) == 1 { // all at once
		narrow[0].budgets, wide = append(narrow[0].budgets, wide[0].budgets...), nil
	}
	for _, b := range append(narrow, wide...) {
		problems, err := c.once(ctx, b.budgets, startPath(b.send.Index), b.send.Attribute)
		for i := range problems { // it may be the first try of this person, and take a day
			problems[i].Message = "Too many messages have been sent. Please try again later."
		}
		if len(problems) > 0 && c.service.unsent.again(c.service.now()) {
			c.service.log.WarnContext(ctx, "message not sent, since the sending limits are reached",
				"channel", string(channelOf(b.send.Attribute)), "until", problems[0].RetryAfter)
		}
		if err != nil || problems != nil {
			return problems, err
		}
	}
	return nil, nil
}

// affords takes the budgets of a message that nobody waits for. Without an answer from
// their store it does not go out.
func (s *Service) affords(ctx context.Context, m Message, budgets []Budget) bool {
	allowed, _, err := s.budgets.Take(ctx, s.now(), budgets...)
	switch {
	case err != nil:
		s.log.ErrorContext(ctx, "message not sent, since the sending limits cannot be read", "purpose", string(m.Purpose), "error", err)
	case !allowed:
		s.log.WarnContext(ctx, "message not sent, since the sending limits are reached", "purpose", string(m.Purpose), "channel", string(m.Channel))
	}
	return err == nil && allowed
}
