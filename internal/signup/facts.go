package signup

import (
	"context"
	"crypto/hmac"
	"errors"
	"slices"
	"strings"
	"time"

	"stepwise/engine"
	"stepwise/internal/password"
)

// decide gathers the facts and asks the engine. Costly facts are gathered only
// for a call that would go through, and only once.
func (c *call) decide(ctx context.Context, settings currentSettings, a *attempt, now time.Time) (engine.Decision, []Problem, error) {
	s := c.service
	u := understand(c.input, settings.Settings)
	c.metadata = u.metadata
	u.problems = append(u.problems, u.judgePassword(settings.Settings, a.Attempt)...)
	if !c.lookedFor {
		taken, err := s.taken(ctx, a.key.Instance, u.identifiers())
		if err != nil {
			return engine.Decision{}, nil, err
		}
		c.takenSet, c.lookedFor = taken, true
	}
	facts := engine.Facts{Now: now, Taken: c.takenSet, Can: s.can}
	if c.proof != nil && !isCode(c.proof.Code) {
		a := c.proof.Attribute
		u.problems = append(u.problems, Problem{Code: CodeInvalidFormat, Attribute: &a,
			Field: inputPath("proof", proofName(a)), Message: "A code has six digits."})
	}
	if c.proof != nil && len(u.problems) == 0 { // a refused call compares nothing
		problem, err := c.offer(ctx, &u, settings.Settings, a, now)
		if err != nil {
			return engine.Decision{}, nil, err
		}
		u.problems = append(u.problems, problem...)
	}
	startPath := startInList
	if c.name == "start" {
		startPath = startAlone
	}
	d := engine.Decide(settings.Requirements(), a.Attempt, u.command, facts)
	problems := withoutConsequences(append(u.problems, translate(d.Problems, startPath)...))
	c.describeGuesses(problems, d)
	if len(u.problems) > 0 || len(problems) > 0 && !d.Changed {
		return engine.Decision{Attempt: a.Attempt, Verdict: engine.Evaluate(settings.Requirements(), a.Attempt)}, ordered(problems), nil
	}
	if len(problems) == 0 && u.command.Changes[engine.Password].Kind == engine.Give {
		problem, err := c.hashPassword(ctx, u.password)
		if err != nil || problem != nil {
			return engine.Decision{Attempt: a.Attempt, Verdict: d.Verdict}, problem, err
		}
		d.Attempt.Values[engine.Password].Key = c.sealedHash
	}
	if problem, err := c.payFor(ctx, d.Sends, settings.Settings, a.key.Instance, startPath); err != nil || problem != nil {
		return engine.Decision{Attempt: a.Attempt, Verdict: d.Verdict}, problem, err
	}
	return d, problems, nil
}

// isCode reports whether a text could be a code at all; what could not is no guess.
func isCode(text string) bool { return len(text) == 6 && strings.Trim(text, "0123456789") == "" }

// withoutConsequences drops "there is nothing to verify" where the value was
// given and refused: the refusal says it all.
func withoutConsequences(problems []Problem) []Problem {
	var refused engine.Set
	for _, p := range problems {
		if p.Attribute != nil && p.Code != Code(engine.CodeValueMissing) {
			refused |= engine.SetOf(*p.Attribute)
		}
	}
	return slices.DeleteFunc(problems, func(p Problem) bool {
		return p.Code == Code(engine.CodeValueMissing) && p.Attribute != nil && refused.Has(*p.Attribute)
	})
}

// ordered sorts problems by the order of the fields, others last.
func ordered(problems []Problem) []Problem {
	list := make([]Problem, 0, len(problems))
	for _, a := range engine.All.List() {
		for _, p := range problems {
			if p.Attribute != nil && *p.Attribute == a {
				list = append(list, p)
			}
		}
	}
	for _, p := range problems {
		if p.Attribute == nil {
			list = append(list, p)
		}
	}
	return list
}

// offer compares the code, after the address's budget has been taken for it.
// Where there is nothing to compare with, the engine says so.
func (c *call) offer(ctx context.Context, u *understood, settings Settings, a *attempt, now time.Time) ([]Problem, error) {
	attribute := c.proof.Attribute
	u.command.Check = &engine.Check{Attribute: attribute}
	v := a.Attempt.Verifications[attribute]
	if a.Attempt.Lifecycle != engine.Open || v == nil {
		return nil, nil
	}
	test := isTestAddress(settings, attribute, v.Key)
	if v.Status(now) == engine.VerificationUnverified && !test {
		budget := guessBudget(a.key.Instance, attribute, v.Key)
		problem, err := c.once(ctx, budget, inputPath("proof", proofName(attribute)), attribute)
		if err != nil || problem != nil {
			u.command.Check = nil
			return problem, err
		}
	}
	code := c.service.keys.verificationCode(a.key, attribute, *v)
	if test {
		code = testCode
	}
	u.command.Check.Matches = hmac.Equal([]byte(code), []byte(c.proof.Code))
	return nil, nil
}

// describeGuesses tells how many tries are left after a wrong code.
func (c *call) describeGuesses(problems []Problem, d engine.Decision) {
	for i, p := range problems {
		if p.Code != Code(engine.CodeIncorrect) || p.Attribute == nil {
			continue
		}
		switch left := engine.MaxGuesses - int(d.Attempt.Verifications[*p.Attribute].Guesses); left {
		case 0:
			problems[i].Message += " That was the last try; ask for a new one."
		case 1:
			problems[i].Message += " One try is left."
		}
	}
}

// payFor takes the budgets of the messages to send.
func (c *call) payFor(ctx context.Context, sends []engine.Send, settings Settings, instance string, startPath func(int) []string) ([]Problem, error) {
	for _, send := range sends {
		if isTestAddress(settings, send.Attribute, send.Address.Key) {
			continue
		}
		problem, err := c.once(ctx, sendBudget(instance, send.Attribute, send.Address.Key), startPath(send.Index), send.Attribute)
		if err != nil || problem != nil {
			return problem, err
		}
	}
	return nil, nil
}

// once takes a budget at the first try and not again.
func (c *call) once(ctx context.Context, b Budget, field []string, a engine.Attribute) ([]Problem, error) {
	if c.budgeted[b.Key] {
		return nil, nil
	}
	problem, err := c.service.take(ctx, b, field, a)
	if err != nil {
		return nil, err
	}
	if problem != nil {
		return []Problem{*problem}, nil
	}
	if c.budgeted == nil {
		c.budgeted = map[string]bool{}
	}
	c.budgeted[b.Key] = true
	return nil, nil
}

func (c *call) hashPassword(ctx context.Context, plain string) ([]Problem, error) {
	if c.sealedHash != "" {
		return nil, nil
	}
	hash, err := c.service.hasher.Hash(ctx, plain)
	if errors.Is(err, password.ErrBusy) {
		return []Problem{{Code: CodeBusy, Message: "The service is very busy. Please try again in a moment.",
			RetryAfter: c.service.now().Add(2 * time.Second)}}, nil
	}
	if err != nil {
		return nil, err
	}
	c.sealedHash = c.service.keys.sealHash(hash)
	return nil, nil
}
