package engine

import "time"

// The transitions that are not commands of the owner. They apply to an attempt
// that is not final.

// BeginCompletion freezes an attempt that has all it needs.
func BeginCompletion(a Attempt) Attempt {
	a.Lifecycle = Completing
	return a
}

// Finish marks the attempt as having become a user under the settings: it keeps
// the values the user was made of. The password's hash has moved to the user
// and is kept no longer than needed.
func Finish(s Settings, a Attempt, now time.Time) Attempt {
	for _, attribute := range Verifiable.List() {
		a.Verifications[attribute] = VerificationOf(s, a, attribute)
	}
	a.Values, _ = Values(s, a)
	a.Values[Password].Key = ""
	a.Lifecycle, a.EndedAt = Complete, now
	return a
}

// Abandon ends an open attempt at its deadline, or because its client began
// another.
func Abandon(a Attempt, at time.Time) Attempt {
	a.Lifecycle, a.EndedAt = Abandoned, at
	a.Values[Password].Key = ""
	return a
}

// Reopen takes a completing attempt back because the conversion was refused.
// The identifiers that turned out to belong to a user are removed and must be
// replaced or cleared; other reasons show at the next evaluation.
func Reopen(a Attempt, taken Set) Attempt {
	a.Lifecycle = Open
	a.Taken |= taken
	for _, attribute := range taken.List() {
		a.Values[attribute] = Value{Presence: a.Values[attribute].Presence}
		if a.Values[attribute].Presence == Given {
			a.Values[attribute].Presence = Unset
		}
		a.Verifications[attribute] = reopened(a.Verifications[attribute], attribute)
	}
	a.Account = withoutTaken(a.Account, taken)
	if taken.Has(ExternalAccount) {
		a.Account = nil
	}
	return a
}

// reopened is what remains of the verification of an identifier that was taken. A
// wallet or an account that was proven is transferable. A challenge that waits for
// its answer waits on: nothing is proven of what it names, and whoever it belongs
// to, it is not what was taken.
func reopened(v *Verification, a Attribute) *Verification {
	switch {
	case v == nil || !Proven.Has(a):
		return nil
	case !v.Verified:
		return v
	}
	moved := *v
	moved.Verified, moved.Transferable, moved.Failure = false, true, CodeTransferable
	return &moved
}

// NoteTicket notes what has become of the invitation that the attempt began with.
// It reports whether there was anything to note.
func NoteTicket(a Attempt, state TicketState) (Attempt, bool) {
	if a.Lifecycle != Open || a.Ticket == nil || a.Ticket.State == state {
		return a, false
	}
	ticket := *a.Ticket
	ticket.State = state
	a.Ticket = &ticket
	return a, true
}

// Undelivered notes that the challenge of that nonce never went out, so that
// starting again sends at once. It reports whether it is still the one in force.
func Undelivered(a Attempt, attribute Attribute, nonce string) (Attempt, bool) {
	v := a.Verifications[attribute]
	if a.Lifecycle != Open || v == nil || v.Nonce != nonce {
		return a, false
	}
	unsent := *v
	unsent.ResendAt = v.SentAt
	a.Verifications[attribute] = &unsent
	return a, true
}
