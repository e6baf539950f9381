package engine

import "time"

// Decide applies a command of the sign-up's owner. A final attempt refuses
// everything; so does one past its deadline, which becomes abandoned.
//
// An empty command is allowed: it converts a sign-up that has come to need
// nothing more, for instance because the settings changed.
func Decide(s Settings, a Attempt, c Command, f Facts) Decision {
	if code, closed := closedBy(a.Lifecycle); closed {
		return Decision{Attempt: a, Verdict: Evaluate(s, a), Problems: []Problem{{Code: code}}}
	}
	current, noted := Elapse(a, f.Now)
	if current.Lifecycle == Abandoned {
		return Decision{Attempt: current, Changed: true, Verdict: Evaluate(s, current),
			Problems: []Problem{{Code: CodeSignUpAbandoned}}}
	}
	d := &deciding{settings: s, facts: f, attempt: current, changed: noted}
	if c.Check != nil {
		d.check(*c.Check)
		if len(d.problems) > 0 { // a wrong code stays counted
			current, noted = d.attempt, d.changed
		}
	}
	for _, attribute := range All.List() {
		d.change(attribute, c.Changes[attribute])
	}
	if c.Outcome != nil {
		d.outcome(*c.Outcome)
	}
	d.endOutdatedVerifications()
	unstarted := d.attempt
	for i, start := range c.Start {
		d.start(i, start)
	}
	if len(d.problems) > 0 {
		return Decision{Attempt: current, Changed: noted, Problems: d.problems, Verdict: Evaluate(s, current)}
	}
	v := Evaluate(s, d.attempt)
	if v.Satisfied() { // nothing is left to be verified: no code goes out
		d.attempt, d.sends = unstarted, nil
	}
	return Decision{Attempt: d.attempt, Changed: d.changed, Sends: d.sends, Verdict: v, Convert: v.Satisfied()}
}

// Elapse notes the deadlines that have passed: an open attempt past its own is
// abandoned, an unanswered challenge past its own has lapsed. It reports
// whether there was anything to note. A completing attempt does not expire.
func Elapse(a Attempt, now time.Time) (Attempt, bool) {
	if a.Lifecycle != Open {
		return a, false
	}
	if !now.Before(a.AbandonAt) {
		return Abandon(a, a.AbandonAt), true
	}
	noted := false
	for i, v := range a.Verifications {
		if v != nil && !v.Lapsed && v.Status(now) == VerificationExpired {
			lapsed := *v
			lapsed.Lapsed = true
			a.Verifications[i], noted = &lapsed, true
		}
	}
	return a, noted
}

// NextDeadline returns the next moment at which Elapse will have something to
// note, or the zero time if there is none.
func NextDeadline(a Attempt, now time.Time) time.Time {
	if a.Lifecycle != Open {
		return time.Time{}
	}
	next := a.AbandonAt
	for _, v := range a.Verifications {
		if v != nil && v.Status(now) == VerificationUnverified && v.ExpireAt.Before(next) {
			next = v.ExpireAt
		}
	}
	return next
}

func closedBy(l Lifecycle) (Code, bool) {
	switch l {
	case Complete, Completing:
		return CodeSignUpComplete, true
	case Abandoned:
		return CodeSignUpAbandoned, true
	}
	return "", false
}

// deciding is a decision in the making; attempt is a copy that may be changed,
// except that what its pointers lead to must be replaced, not written to.
type deciding struct {
	settings Settings
	facts    Facts
	attempt  Attempt
	changed  bool
	problems []Problem
	sends    []Send
}

func (d *deciding) refuse(code Code, where Where, a Attribute, index int) {
	d.problems = append(d.problems, Problem{code, where, a, true, index})
}

func (d *deciding) change(a Attribute, c Change) {
	if c.Kind == Keep {
		return
	}
	if c.Kind == Give {
		switch {
		case !d.settings.Enabled().Has(a):
			d.refuse(CodeFieldDisabled, WhereChange, a, 0)
			return
		case Proven.Has(a):
			d.refuse(CodeProofNeeded, WhereChange, a, 0)
			return
		case !d.settings.admits(d.attempt, a, c.Key): // before anything is said about whose it is
			d.refuse(CodeNotAllowed, WhereChange, a, 0)
			return
		case d.facts.Taken.Has(a):
			d.refuse(CodeTaken, WhereChange, a, 0)
			return
		}
	}
	before := d.attempt
	d.attempt.Taken &^= SetOf(a)
	switch a {
	case LegalAccepted:
		d.consent(c.Kind == Give)
	case ExternalAccount:
		d.attempt.Account, d.attempt.Verifications[a] = nil, nil
	default:
		d.setValue(a, c)
	}
	now := &d.attempt
	d.changed = d.changed || now.Taken != before.Taken || now.Values[a] != before.Values[a] ||
		now.Verifications[a] != before.Verifications[a] || now.Account != before.Account || now.Consent != before.Consent
}

func (d *deciding) setValue(a Attribute, c Change) {
	value := Value{Presence: Cleared}
	if c.Kind == Give {
		value = Value{Given, c.Text, c.Key}
	}
	d.attempt.Values[a] = value
	if a == Web3Wallet {
		d.attempt.Verifications[a] = nil
	}
}

// consent keeps the receipt of the first consent to a version.
func (d *deciding) consent(given bool) {
	switch version := d.settings.LegalVersion; {
	case !given:
		d.attempt.Consent = nil
	case d.attempt.Consent == nil || d.attempt.Consent.Version != version:
		d.attempt.Consent = &Consent{version, d.facts.Now, collect(d.settings, d.attempt).path()}
	}
}

// endOutdatedVerifications drops the verification of an address that is no
// longer the one in force, and with it its codes, for good.
func (d *deciding) endOutdatedVerifications() {
	for _, a := range Verifiable.List() {
		v := d.attempt.Verifications[a]
		if v != nil && v.Key != d.address(a).Key {
			d.attempt.Verifications[a] = nil
			d.changed = true
		}
	}
}

// address is the value that a verification of the attribute concerns.
func (d *deciding) address(a Attribute) Value {
	if d.attempt.Taken.Has(a) {
		return Value{}
	}
	for _, value := range sources(d.attempt, a, accountCounts(d.settings, d.attempt)) {
		if value.Presence == Given {
			return value
		}
	}
	return Value{}
}
