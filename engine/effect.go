package engine

import "slices"

// Standing is where an attempt stands under some settings.
type Standing struct {
	Verdict
	// AccountRefused: there is an account, and it does not count because its provider
	// has not verified an address.
	AccountRefused bool
}

// StandingOf returns where the attempt stands under the settings.
func StandingOf(s Settings, a Attempt) Standing {
	refused := a.Account == nil && s.Enabled().Has(ExternalAccount)
	if refused {
		v := a.Verifications[ExternalAccount]
		refused = v != nil && v.Refused != nil
	} else if a.Account != nil && !a.Taken.Has(ExternalAccount) {
		_, vouched := s.vouching(*a.Account)
		refused = vouched && !accountCounts(s, a)
	}
	return Standing{Evaluate(s, a), refused}
}

// EffectKind says what a change of settings does to a sign-up.
type EffectKind string

const (
	// EffectAsked: for a field it was not asked for before, or not to verify.
	EffectAsked EffectKind = "ASKED"
	// EffectBlocked: by something besides fields, or an account that is refused.
	EffectBlocked EffectKind = "BLOCKED"
	// EffectFreed: of a field it was asked for, of a blocker, or of a refusal.
	EffectFreed EffectKind = "FREED"
)

// Effect is one thing that a change of settings does to a sign-up. Reason is why the
// attribute stands where it stands afterwards; Blocker is what has come or gone.
type Effect struct {
	Kind         EffectKind
	Attribute    Attribute
	HasAttribute bool
	Reason       Reason
	Blocker      BlockerCode
}

// Effects returns what it does to a sign-up to stand otherwise than before: fields
// first, in their order.
func Effects(before, after Standing) []Effect {
	var list []Effect
	was, is := before.Missing|before.Unverified, after.Missing|after.Unverified
	for _, a := range All.List() {
		kind := EffectAsked
		switch {
		case a == ExternalAccount && before.AccountRefused != after.AccountRefused:
			kind = EffectFreed
			if after.AccountRefused {
				kind = EffectBlocked
			}
		case is.Has(a) && !was.Has(a):
		case was.Has(a) && !is.Has(a):
			kind = EffectFreed
		default:
			continue
		}
		list = append(list, Effect{Kind: kind, Attribute: a, HasAttribute: true, Reason: after.Reasons[a]})
	}
	for _, b := range after.Blockers {
		if !slices.Contains(before.Blockers, b) {
			list = append(list, Effect{EffectBlocked, b.Attribute, b.HasAttribute, "", b.Code})
		}
	}
	for _, b := range before.Blockers {
		if !slices.Contains(after.Blockers, b) {
			list = append(list, Effect{EffectFreed, b.Attribute, b.HasAttribute, "", b.Code})
		}
	}
	return list
}
