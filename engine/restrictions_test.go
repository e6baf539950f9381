package engine_test

import (
	"slices"
	"testing"

	"stepwise/engine"
)

func TestAdmits(t *testing.T) {
	email, phone := engine.EmailAddress, engine.PhoneNumber
	for _, test := range []struct {
		name         string
		allow, block []string
		a            engine.Attribute
		key          string
		want         bool
	}{
		{"no lists", nil, nil, email, "jane@example.com", true},
		{"a whole address", nil, []string{"jane@example.com"}, email, "jane@example.com", false},
		{"another one of the domain", nil, []string{"jane@example.com"}, email, "joan@example.com", true},
		{"a domain", nil, []string{"example.com"}, email, "jane@example.com", false},
		{"a domain is not those below", nil, []string{"example.com"}, email, "jane@mail.example.com", true},
		{"nor those that end alike", nil, []string{"example.com"}, email, "jane@notexample.com", true},
		{"subdomains", nil, []string{"*.example.com"}, email, "jane@mail.example.com", false},
		{"subdomains at any depth", nil, []string{"*.example.com"}, email, "jane@a.b.c.example.com", false},
		{"subdomains are not the domain", nil, []string{"*.example.com"}, email, "jane@example.com", true},
		{"nor those that end alike below", nil, []string{"*.example.com"}, email, "jane@notexample.com", true},
		{"a top-level domain", nil, []string{"*.edu"}, email, "jane@cs.example.edu", false},
		{"a domain in the local part", nil, []string{"example.com", "*.example.com"}, email, "mail.example.com@example.org", true},
		{"an allowlist shuts others out", []string{"example.com"}, nil, email, "jane@example.org", false},
		{"and lets its own in", []string{"example.com"}, nil, email, "jane@example.com", true},
		{"the allowlist wins", []string{"jane@example.com"}, []string{"example.com", "jane@example.com"}, email, "jane@example.com", true},
		{"an allowlist of numbers is none of addresses", []string{"+4420*"}, []string{"example.org"}, email, "jane@example.com", true},
		{"so the blocklist of addresses counts", []string{"+4420*"}, []string{"example.org"}, email, "jane@example.org", false},
		{"an allowlist of addresses is none of numbers", []string{"example.com"}, []string{"+4420*"}, phone, "+442071838750", false},
		{"and lets other numbers in", []string{"example.com"}, []string{"+4420*"}, phone, "+12025550142", true},
		{"a beginning", nil, []string{"+4420*"}, phone, "+442071838750", false},
		{"another beginning", nil, []string{"+4420*"}, phone, "+441632960001", true},
		{"a beginning of all digits", nil, []string{"+442071838750*"}, phone, "+442071838750", false},
		{"a whole number", nil, []string{"+442071838750"}, phone, "+442071838750", false},
		{"a whole number is no beginning", nil, []string{"+44207183875"}, phone, "+442071838750", true},
		{"a number among those allowed", []string{"+1*", "+442071838750"}, nil, phone, "+442071838750", true},
		{"an address that begins like a number", nil, []string{"+4420@example.com"}, email, "+4420@example.com", false},
		{"what is no address", []string{"example.com", "+1*"}, []string{"ada"}, engine.Username, "ada", true},
	} {
		if got := engine.Restrict(test.allow, test.block).Admits(test.a, test.key); got != test.want {
			t.Errorf("%s: admits %t, want %t", test.name, got, test.want)
		}
	}
}

func onlyExampleCom(s *engine.Settings) {
	s.Restrictions = engine.Restrict([]string{"example.com"}, nil)
}

// blockedOf lists the fields whose values are not allowed.
func blockedOf(j *journey) []engine.Attribute {
	var list []engine.Attribute
	for _, b := range engine.Evaluate(j.settings, j.attempt).Blockers {
		if b.Code == engine.BlockedNotAllowed && b.Remedy == engine.ReplaceOrClear {
			list = append(list, b.Attribute)
		}
	}
	return list
}

func TestAddressThatIsNotAllowed(t *testing.T) {
	s := instance(requiredVerified(engine.EmailAddress), onlyExampleCom)
	j := begin(t, s).refused(give(engine.EmailAddress, "jane@example.org"), engine.CodeNotAllowed).
		refusedBecauseTaken(give(engine.EmailAddress, "jane@example.org"), email, engine.CodeNotAllowed)
	if p := j.last.Problems[0]; p.Where != engine.WhereChange || p.Attribute != engine.EmailAddress {
		t.Errorf("refused at %+v", p)
	}
	j.does(give(engine.EmailAddress, "jane@example.com"), start(engine.EmailCode), answer(engine.EmailAddress, true)).completes()
}

// TestListsApplyToWhatIsStored: also to what was proven before they changed.
func TestListsApplyToWhatIsStored(t *testing.T) {
	open, listed := instance(requiredVerified(engine.EmailAddress)), instance(requiredVerified(engine.EmailAddress), onlyExampleCom)
	j := begin(t, open).does(give(engine.EmailAddress, "jane@example.org"), start(engine.EmailCode)).under(listed)
	if got := blockedOf(j); !slices.Equal(got, []engine.Attribute{engine.EmailAddress}) {
		t.Errorf("blocked for %v", got)
	}
	j.told(engine.StatusMissingRequirements, none, email).
		refused(start(engine.EmailCode), engine.CodeNotAllowed).
		does(answer(engine.EmailAddress, true)).told(engine.StatusMissingRequirements, none, none).
		refused(start(engine.EmailCode), engine.CodeNotAllowed)
	r := engine.Requirements(j.settings, j.attempt, engine.Evaluate(j.settings, j.attempt), everything, j.now)[engine.EmailAddress]
	if kinds := offered(r); r.State != engine.StateSatisfied || r.Reason != engine.ReasonNotAllowed || !kinds[engine.ActionProvide] || !kinds[engine.ActionClear] || kinds[engine.ActionStart] {
		t.Errorf("the requirement is %+v", r)
	}
	j.under(open).does(engine.Command{}).completes()
}

// TestAccountWithAnAddressThatIsNotAllowed: nothing of it is stored, whether or not
// the app asks for addresses.
func TestAccountWithAnAddressThatIsNotAllowed(t *testing.T) {
	for name, s := range map[string]engine.Settings{
		"progressive": instance(requiredVerified(engine.EmailAddress), providers, onlyExampleCom),
		"legacy":      instance(legacy, requiredVerified(engine.EmailAddress), providers, onlyExampleCom),
		"no field":    instance(providers, onlyExampleCom),
	} {
		t.Run(name, func(t *testing.T) {
			j := begin(t, s).does(accountProved(googleAccount("jane@example.org"))).verification(engine.ExternalAccount, engine.VerificationFailed)
			if v := j.attempt.Verifications[engine.ExternalAccount]; v.Failure != engine.CodeNotAllowed || v.Key != "" || j.attempt.Account != nil {
				t.Errorf("stored: %+v, %+v", v, j.attempt.Account)
			}
			j.does(accountProved(googleAccount("jane@example.com"))).completes()
		})
	}
	// Who comes back is not stopped.
	s := instance(providers, onlyExampleCom)
	d := engine.Decide(s, attempt(), accountProved(googleAccount("jane@example.org")), engine.Facts{Now: noon, Can: everything, Taken: account})
	if v := d.Attempt.Verifications[engine.ExternalAccount]; !v.Transferable {
		t.Errorf("an account of a user is %+v", v)
	}
	// The lists change afterwards.
	before := instance(optionalVerified(engine.EmailAddress), required(engine.FirstName), providers)
	after := instance(optionalVerified(engine.EmailAddress), required(engine.FirstName), providers, onlyExampleCom)
	j := begin(t, before).does(accountProved(googleAccount("jane@example.org"))).under(after)
	if got := blockedOf(j); !slices.Equal(got, []engine.Attribute{engine.EmailAddress}) {
		t.Errorf("blocked for %v", got)
	}
}

func TestTheInvitedNeedNotBeOnAList(t *testing.T) {
	s := instance(requiredVerified(engine.EmailAddress), providers, onlyExampleCom)
	begin(t, s, invited(engine.TicketValid, sent{engine.EmailAddress, "jane@example.org"})).does(engine.Command{}).completes()
	ticket := invited(engine.TicketValid, sent{engine.EmailAddress, "jane@example.org"})
	begin(t, s, ticket).does(give(engine.EmailAddress, "jane@example.org")).completes()
	begin(t, s, ticket).does(accountProved(googleAccount("jane@example.org"))).completes()
	begin(t, s, ticket).refused(give(engine.EmailAddress, "joan@example.org"), engine.CodeNotAllowed)
	begin(t, s, invited(engine.TicketExpired, sent{engine.EmailAddress, "jane@example.org"})).
		refused(give(engine.EmailAddress, "jane@example.org"), engine.CodeNotAllowed)
}
