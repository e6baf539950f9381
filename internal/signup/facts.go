package signup

import (
	"context"
	"errors"
	"slices"
	"time"

	"stepwise/engine"
	"stepwise/internal/password"
)

// decide gathers the facts and asks the engine. Costly facts are gathered only
// for a call that would go through, and only once.
func (c *call) decide(ctx context.Context, settings currentSettings, a *attempt, now time.Time) (engine.Decision, []Problem, error) {
	s := c.service
	startPath := startInList
	if c.name == "start" {
		startPath = startAlone
	}
	u := understand(c.input, settings.Settings)
	c.metadata, c.locale = u.metadata, u.locale
	u.problems = append(u.problems, u.judgePassword(settings.Settings, a.Attempt)...)
	u.problems = append(u.problems, u.judge(settings.Settings, a.Attempt)...)
	u.problems = append(u.problems, c.turnedAway...)
	u.problems = append(u.problems, c.lacksBotToken(settings.Settings)...)
	if !c.lookedFor {
		taken, err := s.taken(ctx, a.key.Instance, tellable(u.identifiers(), settings.concealed()))
		if err != nil {
			return engine.Decision{}, nil, err
		}
		c.takenSet, c.lookedFor = taken, true
	}
	for i, start := range c.input.Start {
		prepared, problems := c.prepare(ctx, start, settings.Settings, startPath(i))
		u.command.Start = append(u.command.Start, prepared)
		u.problems = append(u.problems, problems...)
	}
	if c.proof != nil && len(u.problems) == 0 { // a refused call compares nothing
		problem, err := c.offer(ctx, &u, settings.Settings, a, now)
		if err != nil {
			return engine.Decision{}, nil, err
		}
		u.problems = append(u.problems, problem...)
	}
	facts := engine.Facts{Now: now, Taken: c.takenSet&^settings.concealed() | c.provenTaken, SentTaken: c.sentTaken, Can: s.can}
	d := engine.Decide(settings.Requirements(), a.Attempt, u.command, facts)
	u.problems = append(u.problems, abroad(d.Sends, settings.Settings, startPath)...)
	if len(c.turnedAway) > 0 { // which says it already
		d.Problems = slices.DeleteFunc(d.Problems, func(p engine.Problem) bool { return p.Code == engine.CodeRestricted })
	}
	problems := withoutConsequences(append(u.problems, translate(d.Problems, startPath, c.proofField())...))
	c.describeGuesses(problems, d)
	if len(u.problems) > 0 || len(problems) > 0 && !d.Changed {
		return engine.Decision{Attempt: a.Attempt, Verdict: engine.Evaluate(settings.Requirements(), a.Attempt)}, ordered(problems), nil
	}
	sets := len(problems) == 0 && u.command.Changes[engine.Password].Kind == engine.Give
	if sets && c.usesBreached(ctx, u.password, settings.Settings) {
		return engine.Decision{Attempt: a.Attempt, Verdict: d.Verdict}, []Problem{fieldProblem(engine.Password, CodePasswordBreached, breachedSentence)}, nil
	}
	// Before the work of a hash and the budgets, which are others' too: a program must
	// not spend them.
	if problem := c.showsPerson(ctx, settings.Settings); problem != nil {
		return engine.Decision{Attempt: a.Attempt, Verdict: d.Verdict}, problem, nil
	}
	if sets {
		problem, err := c.hashPassword(ctx, u.password)
		if err != nil || problem != nil {
			return engine.Decision{Attempt: a.Attempt, Verdict: d.Verdict}, problem, err
		}
		d.Attempt.Values[engine.Password].Key = c.sealedHash
	}
	if err := c.lookForOwners(ctx, &d, settings.Settings, a.key.Instance); err != nil {
		return engine.Decision{}, nil, err
	}
	if problem, err := c.payFor(ctx, d.Sends, settings.Settings, a.key.Instance, startPath); err != nil || problem != nil {
		return engine.Decision{Attempt: a.Attempt, Verdict: d.Verdict}, problem, err
	}
	return d, problems, nil
}

// proofField is the path of the proof in the input.
func (c *call) proofField() []string {
	if c.proof == nil {
		return nil
	}
	return inputPath("proof", proofName(*c.proof))
}

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

// once takes budgets at the first try and not again.
func (c *call) once(ctx context.Context, budgets []Budget, field []string, a engine.Attribute) ([]Problem, error) {
	budgets = slices.DeleteFunc(slices.Clone(budgets), func(b Budget) bool { return c.budgeted[b.Key] })
	if len(budgets) == 0 {
		return nil, nil
	}
	problem, err := c.service.takeAll(ctx, budgets, field, a)
	if err != nil {
		return nil, err
	}
	if problem != nil {
		return []Problem{*problem}, nil
	}
	if c.budgeted == nil {
		c.budgeted = map[string]bool{}
	}
	for _, b := range budgets {
		c.budgeted[b.Key] = true
	}
	return nil, nil
}

// usesBreached asks once whether the password is known from breaches, where the settings
// want to know.
func (c *call) usesBreached(ctx context.Context, plain string, settings Settings) bool {
	return c.sealedHash == "" && settings.Password.RejectBreached && c.service.isBreached(ctx, plain)
}

func (c *call) hashPassword(ctx context.Context, plain string) ([]Problem, error) {
	if c.sealedHash != "" {
		return nil, nil
	}
	hash, err := c.service.hasher.Hash(ctx, plain)
	if errors.Is(err, password.ErrBusy) {
		return []Problem{c.service.busy()}, nil
	}
	if err != nil {
		return nil, err
	}
	c.sealedHash = c.service.keys.sealHash(hash)
	return nil, nil
}
