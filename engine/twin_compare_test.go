package engine_test

import (
	"fmt"

	"stepwise/engine"
)

// differs says where the engine's verdict is not what the sheet says; empty if
// nowhere.
func (t *sheet) differs(v engine.Verdict) string {
	var required, optional, missing, unverified, present, takenOnes engine.Set
	for a, l := range t.lines() {
		bit := engine.Set(1) << a
		if l.required {
			required |= bit
		}
		if l.enabled && !l.required {
			optional |= bit
		}
		if l.missing {
			missing |= bit
		}
		if l.unverified {
			unverified |= bit
		}
		if l.given {
			present |= bit
		}
		if l.taken {
			takenOnes |= bit
		}
	}
	for _, list := range []struct {
		name      string
		want, got engine.Set
	}{
		{"required", required, v.Required}, {"optional", optional, v.Optional},
		{"missing", missing, v.Missing}, {"unverified", unverified, v.Unverified},
		{"present", present, v.Present}, {"one of", t.group(), v.OneOf},
	} {
		if list.want != list.got {
			return fmt.Sprintf("%s: twin %v, engine %v", list.name, list.want, list.got)
		}
	}
	return t.differsInBlockers(v.Blockers, takenOnes)
}

// group is the one-of group as a set; a choice of one is none.
func (t *sheet) group() engine.Set {
	var members engine.Set
	for a, l := range t.lines() {
		bit := engine.Set(1) << a
		if t.oneOf == anyIdentifier && l.enabled && bit&(email|phone|username|wallet|account) != 0 ||
			t.oneOf == anyEmailOrPhone && l.enabled && bit&(email|phone) != 0 {
			members |= bit
		}
	}
	if members&(members-1) == 0 {
		return none
	}
	return members
}

func (t *sheet) differsInBlockers(blockers []engine.Blocker, takenOnes engine.Set) string {
	var want []engine.Blocker
	for _, a := range takenOnes.List() {
		want = append(want, engine.Blocker{Code: engine.BlockedTaken, Remedy: engine.ReplaceOrClear, Attribute: a, HasAttribute: true})
	}
	for a, l := range t.lines() {
		if l.barred {
			want = append(want, engine.Blocker{Code: engine.BlockedNotAllowed, Remedy: engine.ReplaceOrClear, Attribute: engine.Attribute(a), HasAttribute: true})
		}
	}
	if t.ticketInvalid {
		want = append(want, engine.Blocker{Code: engine.BlockedTicket, Remedy: engine.UseInvitation})
	}
	if t.restricted {
		want = append(want, engine.Blocker{Code: engine.BlockedRestricted, Remedy: engine.UseInvitation})
	}
	if t.noIdentifier {
		want = append(want, engine.Blocker{Code: engine.BlockedNoIdentifier, Remedy: engine.WaitForOperator})
	}
	if len(want) != len(blockers) {
		return fmt.Sprintf("blockers: twin %v, engine %v", want, blockers)
	}
	for i := range want {
		if want[i] != blockers[i] {
			return fmt.Sprintf("blockers: twin %v, engine %v", want, blockers)
		}
	}
	return ""
}

// differsInValues does the same for the values a user would be made of.
func (t *sheet) differsInValues(values [engine.NumAttributes]engine.Value, provedOnes engine.Set) string {
	for a, l := range t.lines() {
		attribute := engine.Attribute(a)
		if got := values[a].Presence == engine.Given; got != l.given {
			return fmt.Sprintf("value of %v: twin %t, engine %t", attribute, l.given, got)
		}
		if l.key != "" && values[a].Key != l.key {
			return fmt.Sprintf("value of %v: twin %q, engine %q", attribute, l.key, values[a].Key)
		}
		if provedOnes.Has(attribute) != l.proved {
			return fmt.Sprintf("proof of %v: twin %t, engine %t", attribute, l.proved, provedOnes.Has(attribute))
		}
	}
	return ""
}
