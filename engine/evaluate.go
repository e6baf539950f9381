package engine

import "slices"

// Verdict is what a sign-up needs under some settings.
//
// Missing is a subset of Required; Required and Optional are disjoint and
// together are the enabled attributes. Unverified holds only attributes that
// have a value.
type Verdict struct {
	Required   Set
	Optional   Set
	Missing    Set
	Unverified Set
	// OneOf is the group of identifiers of which one is needed; empty where the
	// settings require a particular one.
	OneOf    Set
	Present  Set
	Reasons  [NumAttributes]Reason
	Blockers []Blocker
	Path     Path
}

// Satisfied reports whether nothing stands in the way of completion.
func (v Verdict) Satisfied() bool {
	return v.Missing.Empty() && v.Unverified.Empty() && len(v.Blockers) == 0
}

// Equal reports whether the verdicts say the same.
func (v Verdict) Equal(w Verdict) bool {
	return v.Required == w.Required && v.Optional == w.Optional && v.Missing == w.Missing &&
		v.Unverified == w.Unverified && v.OneOf == w.OneOf && v.Present == w.Present &&
		v.Reasons == w.Reasons && v.Path == w.Path && slices.Equal(v.Blockers, w.Blockers)
}

// Evaluate returns what the attempt needs under the settings. It is total:
// settings that Refusals would turn away get a verdict too, one that never is
// satisfied without an identifier.
func Evaluate(s Settings, a Attempt) Verdict {
	f := collect(s, a)
	v := Verdict{Present: f.present, Path: f.path()}
	enabled := s.Enabled()
	for _, attribute := range All.List() {
		v.Reasons[attribute] = ReasonDisabled
		if enabled.Has(attribute) {
			v.Reasons[attribute] = ReasonOptional
		}
	}

	v.requireIdentifiersAndFields(s, f)
	v.waiveOrDemandPassword(s, f)
	v.demandConsent(enabled, a)
	v.demandReplacements(a.Taken & enabled)

	v.Optional = enabled &^ v.Required
	v.Missing = v.Required &^ f.present
	v.Unverified = f.present & s.mustVerify() &^ f.proved
	v.explain(v.Unverified, ReasonMustBeVerified)
	if a.Account != nil && !f.account && enabled.Has(ExternalAccount) && !s.Progressive && !a.Taken.Has(ExternalAccount) {
		if _, ok := s.vouching(*a.Account); ok {
			v.explain(SetOf(ExternalAccount), ReasonEmailNotVerified)
		}
	}
	unadmitted := f.unadmitted(s, a)
	v.explain(unadmitted, ReasonNotAllowed)
	v.Blockers = blockers(s, a, unadmitted)
	return v
}

func (v *Verdict) require(set Set, why Reason) {
	v.Required |= set
	v.explain(set, why)
}

func (v *Verdict) explain(set Set, why Reason) {
	for _, a := range set.List() {
		v.Reasons[a] = why
	}
}

// requireIdentifiersAndFields applies the "required" flags as the algorithm
// reads them. A group of identifiers of which one is needed stands open, all
// of it missing, until a member is given; then the given ones are required.
func (v *Verdict) requireIdentifiersAndFields(s Settings, f collected) {
	enabled := s.Enabled()
	if f.alone() {
		why := ReasonLegacyWallet
		if f.account {
			why = ReasonLegacyOAuth
		}
		v.explain(enabled, why)
		return
	}
	v.require(s.demanded()&^Identifiers&^SetOf(LegalAccepted), ReasonRequired)
	demanded, group := s.identifierDemand()
	v.require(demanded, ReasonRequired)
	if group.Empty() {
		return
	}
	if len(group.List()) == 1 {
		v.require(group, ReasonOnlyIdentifier)
		return
	}
	v.OneOf = group
	given := group & f.present
	if given.Empty() {
		v.require(group, ReasonOneOf)
		return
	}
	v.explain(group, ReasonOneOfSatisfied)
	v.require(given, ReasonOneOf)
}

// waiveOrDemandPassword: a verified account or wallet makes the password
// optional. Whoever has given only identifiers that cannot be signed in with
// (a username, an address that nobody verifies) needs one, whatever the
// settings say.
func (v *Verdict) waiveOrDemandPassword(s Settings, f collected) {
	password := SetOf(Password)
	switch identifiers := f.present & Identifiers; {
	case !s.Enabled().Has(Password) || f.alone():
	case f.account || f.wallet:
		if v.Required.Has(Password) {
			v.Required &^= password
			v.explain(password, ReasonWaivedByWallet)
			if f.account {
				v.explain(password, ReasonWaivedByAccount)
			}
		}
	case !identifiers.Empty() && (identifiers & f.waysBack).Empty() && !v.Required.Has(Password):
		v.require(password, ReasonSoleIdentifier)
	}
}

func (v *Verdict) demandConsent(enabled Set, a Attempt) {
	if !enabled.Has(LegalAccepted) {
		return
	}
	v.require(SetOf(LegalAccepted), ReasonConsent)
	if a.Consent != nil && !v.Present.Has(LegalAccepted) {
		v.explain(SetOf(LegalAccepted), ReasonConsentOutdated)
	}
}

// demandReplacements: a value that was taken must be replaced or cleared, even
// where the field is optional.
func (v *Verdict) demandReplacements(taken Set) {
	v.require(taken, ReasonTaken)
}

// shutOut reports whether only an invitation would let the sign-up complete. What is
// proven in it may still turn out to belong to a user, who comes back by it.
func shutOut(s Settings, a Attempt) bool { return s.Restricted && a.Ticket == nil }

func blockers(s Settings, a Attempt, unadmitted Set) []Blocker {
	var list []Blocker
	enabled := s.Enabled()
	for _, attribute := range (a.Taken & enabled).List() {
		list = append(list, Blocker{BlockedTaken, ReplaceOrClear, attribute, true})
	}
	for _, attribute := range unadmitted.List() {
		list = append(list, Blocker{BlockedNotAllowed, ReplaceOrClear, attribute, true})
	}
	switch {
	case a.Ticket != nil && a.Ticket.State != TicketValid:
		list = append(list, Blocker{Code: BlockedTicket, Remedy: UseInvitation})
	case shutOut(s, a):
		list = append(list, Blocker{Code: BlockedRestricted, Remedy: UseInvitation})
	}
	if (enabled & Identifiers).Empty() {
		list = append(list, Blocker{Code: BlockedNoIdentifier, Remedy: WaitForOperator})
	}
	return list
}
