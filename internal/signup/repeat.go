package signup

import (
	"context"
	"crypto/hmac"
	"encoding/json"
	"errors"
	"time"

	"stepwise/engine"
)

// again answers the call that completed a sign-up when it is made again.
func (c *call) again(a attempt, settings currentSettings, now time.Time) Outcome {
	out := Outcome{SignUp: c.service.view(a, settings, now)}
	if done := a.Completion; done != nil && done.Reissue && done.Generation > 0 {
		out.ClientToken = c.service.keys.ClientToken(a.key.Instance, a.key.Client, done.Generation)
	}
	return out
}

// completed reports whether the attempt was completed by this very call.
func (c *call) completed(a attempt) bool {
	return a.Attempt.Lifecycle == engine.Complete && c.wasLast(a)
}

// wasLast reports whether nothing has changed the attempt since this very call.
func (c *call) wasLast(a attempt) bool {
	return hmac.Equal([]byte(a.LastCall), []byte(c.fingerprint))
}

// repeat serves a caller whose token was replaced by the completion of a
// sign-up: made again, the call that completed gets its answer again, and
// nothing else is answered at all.
func (c *call) repeat(ctx context.Context) (Outcome, error) {
	s := c.service
	// The call may hold nothing but a code of six digits: it must not be guessed.
	allowed, _, err := s.budgets.Take(ctx, s.now(), repeatBudget(c.principal))
	if err != nil {
		return Outcome{}, unavailable(err)
	}
	if !allowed {
		return Outcome{}, ErrUnauthenticated
	}
	current, remembered, err := s.load(ctx, c.key(), c.memoryKey)
	if remembered != nil && c.id == "" && remembered.AttemptID != current.key.ID {
		current, _, err = s.load(ctx, AttemptKey{c.key().Instance, c.key().Client, remembered.AttemptID}, "")
	}
	if err == nil && current.Attempt.Lifecycle == engine.Completing { // committed, and never remembered
		current, _, err = s.convert(ctx, current, nothingToRemember)
	}
	if errors.Is(err, ErrNotFound) {
		return Outcome{}, ErrUnauthenticated
	}
	if err != nil {
		return Outcome{}, storeError(err)
	}
	if !c.completed(current) || current.Completion.Generation != c.principal.Generation+1 {
		return Outcome{}, ErrUnauthenticated
	}
	settings, err := s.settingsAt(ctx, current.key.Instance, c.principal.Instance.SettingsVersion)
	if err != nil {
		return Outcome{}, err
	}
	return c.again(current, settings, s.now()), nil
}

// replay answers a remembered request: the same answer over the sign-up as it
// is now.
func (c *call) replay(ctx context.Context, r Remembered) (Outcome, error) {
	s := c.service
	if !hmac.Equal([]byte(r.Fingerprint), []byte(c.fingerprint)) {
		return Outcome{Problems: []Problem{{Code: CodeKeyReused, Field: inputPath("idempotencyKey"),
			Message: "This idempotency key was used with another input before."}}}, nil
	}
	var outcome rememberedOutcome
	if err := json.Unmarshal(r.Outcome, &outcome); err != nil {
		return Outcome{}, err
	}
	key := AttemptKey{c.principal.Instance.ID, c.principal.Client, r.AttemptID}
	a, _, err := s.load(ctx, key, "")
	if err == nil && a.Attempt.Lifecycle == engine.Completing { // this call is about to be answered elsewhere, or never was
		var later []Problem
		a, later, err = s.convert(ctx, a, c.remembering(key.ID, outcome.Problems))
		outcome.Problems = append(outcome.Problems, later...)
	}
	if errors.Is(err, ErrNotFound) {
		return Outcome{Problems: []Problem{{Code: CodeNotFound, Message: "There is no such sign-up. Please start again."}}}, nil
	}
	if err != nil {
		return Outcome{}, err
	}
	settings, err := s.settingsAt(ctx, key.Instance, c.principal.Instance.SettingsVersion)
	if err != nil {
		return Outcome{}, err
	}
	if !c.completed(a) {
		out, err := s.answer(ctx, a, settings, outcome.Problems)
		if c.wasLast(a) {
			out.TransferToken = c.transferToken(a, out.Problems)
		}
		return out, err
	}
	out := c.again(a, settings, s.now())
	out.Problems = outcome.Problems
	return out, nil
}
