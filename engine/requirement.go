package engine

import "time"

// State is where one attribute stands.
type State string

const (
	StateMissing    State = "MISSING"
	StateUnverified State = "UNVERIFIED"
	StateSatisfied  State = "SATISFIED"
	StateOptional   State = "OPTIONAL"
	StateDisabled   State = "DISABLED"
)

// ActionKind is something the client may do about an attribute.
type ActionKind string

const (
	ActionProvide ActionKind = "PROVIDE"
	ActionClear   ActionKind = "CLEAR"
	ActionStart   ActionKind = "START_VERIFICATION"
	ActionCheck   ActionKind = "CHECK_VERIFICATION"
)

// Action is open now: a command of that kind will not be refused for being out
// of turn.
type Action struct {
	Kind ActionKind
	// Strategies are the ways to start or, for a check, the one in progress.
	Strategies []Strategy
}

// Requirement tells all about one attribute. A client that follows Actions
// reaches COMPLETE without knowing any order of fields.
type Requirement struct {
	Attribute Attribute
	State     State
	Reason    Reason
	// OneOf are the members of the group the attribute belongs to, if any.
	OneOf   Set
	Actions []Action
}

// Requirements returns one requirement for each attribute, in order. verdict
// must be that of the attempt under the settings, or the one it ended with.
func Requirements(s Settings, a Attempt, verdict Verdict, can Capabilities, now time.Time) []Requirement {
	list := make([]Requirement, 0, NumAttributes)
	for _, attribute := range All.List() {
		r := Requirement{Attribute: attribute, State: verdict.State(attribute), Reason: verdict.Reasons[attribute]}
		if verdict.OneOf.Has(attribute) {
			r.OneOf = verdict.OneOf
		}
		if a.Lifecycle == Open && now.Before(a.AbandonAt) {
			r.Actions = actions(s, a, attribute, can, now)
		}
		list = append(list, r)
	}
	return list
}

// State returns where an attribute stands.
func (v Verdict) State(a Attribute) State {
	switch {
	case v.Missing.Has(a):
		return StateMissing
	case v.Unverified.Has(a):
		return StateUnverified
	case !(v.Required | v.Optional).Has(a):
		return StateDisabled
	case v.Present.Has(a):
		return StateSatisfied
	}
	return StateOptional
}

// Unprovable returns a blocker for each field that keeps a sign-up from
// completing and that this deployment has no means to verify. They are for the
// client to know: the fields are missing or unverified all the same.
func Unprovable(v Verdict, can Capabilities) []Blocker {
	var list []Blocker
	for _, a := range (v.Unverified | v.Missing&Proven).List() {
		if !can.prove(a) {
			list = append(list, Blocker{BlockedUnprovable, WaitForOperator, a, true})
		}
	}
	return list
}

// prove reports whether the deployment can verify the attribute.
func (c Capabilities) prove(a Attribute) bool {
	switch a {
	case Web3Wallet:
		return c.ProveWallet
	case ExternalAccount:
		return c.ProveAccount
	}
	return c.deliver(a)
}

// Strategies returns the ways to verify an attribute that this deployment has.
func (c Capabilities) Strategies(a Attribute) []Strategy {
	if !c.prove(a) {
		return nil
	}
	return StrategiesFor(a)
}

// Offered returns the ways to verify an attribute that people may choose from on this
// deployment.
func (s Settings) Offered(a Attribute, can Capabilities) []Strategy {
	if !can.prove(a) {
		return nil
	}
	return s.Strategies(a)
}

func actions(s Settings, a Attempt, attribute Attribute, can Capabilities, now time.Time) []Action {
	var list []Action
	if !s.Enabled().Has(attribute) {
		return nil
	}
	if !Proven.Has(attribute) {
		list = append(list, Action{Kind: ActionProvide})
	}
	if clearable(s, a, attribute) {
		list = append(list, Action{Kind: ActionClear})
	}
	switch attribute {
	case EmailAddress, PhoneNumber:
		list = append(list, addressActions(s, a, attribute, can, now)...)
	case Web3Wallet, ExternalAccount:
		if can.prove(attribute) {
			list = append(list, Action{ActionStart, StrategiesFor(attribute)})
		}
		if Answerable(s, a, attribute, "", now) == "" {
			list = append(list, Action{ActionCheck, StrategiesFor(attribute)})
		}
	}
	return list
}

func addressActions(s Settings, a Attempt, attribute Attribute, can Capabilities, now time.Time) []Action {
	d := deciding{settings: s, attempt: a}
	value := d.address(attribute)
	if value.Presence != Given || proven(s, a, attribute, value.Key) {
		return nil
	}
	var list []Action
	if can.deliver(attribute) && !shutOut(s, a) && s.admits(a, attribute, value.Key) {
		list = append(list, Action{ActionStart, s.Strategies(attribute)})
	}
	if Answerable(s, a, attribute, "", now) == "" {
		list = append(list, Action{ActionCheck, []Strategy{a.Verifications[attribute].Strategy}})
	}
	return list
}

// clearable reports whether there is something to take back.
func clearable(s Settings, a Attempt, attribute Attribute) bool {
	switch {
	case a.Taken.Has(attribute):
		return true
	case attribute == LegalAccepted:
		return a.Consent != nil
	case attribute == ExternalAccount:
		return a.Account != nil
	}
	for _, value := range sources(a, attribute, accountCounts(s, a)) {
		if value.Presence == Given {
			return true
		}
	}
	return false
}

// Status returns what a client is told of the lifecycle.
func (a Attempt) Status(now time.Time) Status {
	switch {
	case a.Lifecycle == Complete:
		return StatusComplete
	case a.Lifecycle == Abandoned || a.Lifecycle == Open && !now.Before(a.AbandonAt):
		return StatusAbandoned
	}
	return StatusMissingRequirements
}
