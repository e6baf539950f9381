package engine_test

import (
	"strings"

	"stepwise/engine"
)

// The second description of the rules: what a sign-up needs, said again from
// the product's documents in the plainest way there is, one attribute after
// another. It shares nothing with the engine but the types. Where it and the
// engine differ, one of them has misread the rules.

// line is what is known about one attribute.
type line struct {
	enabled    bool
	taken      bool
	given      bool
	proved     bool
	required   bool
	missing    bool
	unverified bool
	key        string
	// barred: the value is one that the operator does not want.
	barred bool
}

// sheet is the whole of it.
type sheet struct {
	email, phone, username, wallet, account, password, first, last, consent line

	oneOf         string
	restricted    bool
	ticketInvalid bool
	noIdentifier  bool
}

// The three things an open one-of group can be.
const (
	noGroup         = ""
	anyIdentifier   = "any enabled identifier"
	anyEmailOrPhone = "email address or phone number"
)

// twin describes the attempt under the settings.
func twin(s engine.Settings, a engine.Attempt) sheet {
	var t sheet

	// What is switched on.
	t.email.enabled = s.Fields[engine.EmailAddress].Enabled
	t.phone.enabled = s.Fields[engine.PhoneNumber].Enabled
	t.username.enabled = s.Fields[engine.Username].Enabled
	t.wallet.enabled = s.Fields[engine.Web3Wallet].Enabled
	t.password.enabled = s.Fields[engine.Password].Enabled
	t.first.enabled = s.Fields[engine.FirstName].Enabled
	t.last.enabled = s.Fields[engine.LastName].Enabled
	t.consent.enabled = s.Fields[engine.LegalAccepted].Enabled
	for _, p := range s.Providers {
		if p.Enabled {
			t.account.enabled = true
		}
	}

	// What turned out to belong to somebody else.
	t.email.taken = t.email.enabled && a.Taken>>engine.EmailAddress&1 == 1
	t.phone.taken = t.phone.enabled && a.Taken>>engine.PhoneNumber&1 == 1
	t.username.taken = t.username.enabled && a.Taken>>engine.Username&1 == 1
	t.wallet.taken = t.wallet.enabled && a.Taken>>engine.Web3Wallet&1 == 1
	t.account.taken = t.account.enabled && a.Taken>>engine.ExternalAccount&1 == 1

	// The ticket.
	ticket := a.Ticket != nil && a.Ticket.State == engine.TicketValid
	t.ticketInvalid = a.Ticket != nil && a.Ticket.State != engine.TicketValid
	t.restricted = s.Restricted && a.Ticket == nil

	// The account, and whether its provider's word for the address is good.
	vouched := false
	if a.Account != nil && !t.account.taken {
		for _, p := range s.Providers {
			if p.Name != a.Account.Provider || !p.Enabled {
				continue
			}
			t.account.given = true
			if p.TrustEmail && a.Account.EmailVerified && a.Account.Sent[engine.EmailAddress].Presence != engine.Unset {
				vouched = true
			}
		}
	}
	if !s.Progressive && !vouched {
		t.account.given = false
	}

	// The wallet.
	t.wallet.given = t.wallet.enabled && !t.wallet.taken && a.Values[engine.Web3Wallet].Presence == engine.Given
	alone := !s.Progressive && (t.account.given || t.wallet.given)

	// The email address.
	provesEmail := func(key string) bool {
		if v := a.Verifications[engine.EmailAddress]; v != nil && v.Verified && v.Key == key {
			return true
		}
		if ticket && a.Ticket.Sent[engine.EmailAddress].Presence == engine.Given && a.Ticket.Sent[engine.EmailAddress].Key == key {
			return true
		}
		if t.account.given && vouched && a.Account.Sent[engine.EmailAddress].Key == key {
			return true
		}
		return false
	}
	keepsEmail := func(v engine.Value) bool {
		if v.Presence != engine.Given {
			return false
		}
		if alone && s.Fields[engine.EmailAddress].Verify && !provesEmail(v.Key) {
			return false
		}
		return true
	}
	if t.email.enabled && !t.email.taken && a.Values[engine.EmailAddress].Presence != engine.Cleared {
		if keepsEmail(a.Values[engine.EmailAddress]) {
			t.email.given = true
			t.email.key = a.Values[engine.EmailAddress].Key
		} else if ticket && keepsEmail(a.Ticket.Sent[engine.EmailAddress]) {
			t.email.given = true
			t.email.key = a.Ticket.Sent[engine.EmailAddress].Key
		} else if t.account.given && keepsEmail(a.Account.Sent[engine.EmailAddress]) {
			t.email.given = true
			t.email.key = a.Account.Sent[engine.EmailAddress].Key
		}
	}
	t.email.proved = t.email.given && provesEmail(t.email.key)
	t.email.unverified = t.email.given && s.Fields[engine.EmailAddress].Verify && !t.email.proved
	invitedThere := ticket && a.Ticket.Sent[engine.EmailAddress].Presence == engine.Given && a.Ticket.Sent[engine.EmailAddress].Key == t.email.key
	t.email.barred = t.email.given && !invitedThere && unwanted(s.Restrictions.Emails, t.email.key, emailIsOn)

	// The phone number, for which no provider's word is good.
	provesPhone := func(key string) bool {
		if v := a.Verifications[engine.PhoneNumber]; v != nil && v.Verified && v.Key == key {
			return true
		}
		if ticket && a.Ticket.Sent[engine.PhoneNumber].Presence == engine.Given && a.Ticket.Sent[engine.PhoneNumber].Key == key {
			return true
		}
		return false
	}
	keepsPhone := func(v engine.Value) bool {
		if v.Presence != engine.Given {
			return false
		}
		if alone && s.Fields[engine.PhoneNumber].Verify && !provesPhone(v.Key) {
			return false
		}
		return true
	}
	if t.phone.enabled && !t.phone.taken && a.Values[engine.PhoneNumber].Presence != engine.Cleared {
		if keepsPhone(a.Values[engine.PhoneNumber]) {
			t.phone.given = true
			t.phone.key = a.Values[engine.PhoneNumber].Key
		} else if ticket && keepsPhone(a.Ticket.Sent[engine.PhoneNumber]) {
			t.phone.given = true
			t.phone.key = a.Ticket.Sent[engine.PhoneNumber].Key
		} else if t.account.given && keepsPhone(a.Account.Sent[engine.PhoneNumber]) {
			t.phone.given = true
			t.phone.key = a.Account.Sent[engine.PhoneNumber].Key
		}
	}
	t.phone.proved = t.phone.given && provesPhone(t.phone.key)
	t.phone.unverified = t.phone.given && s.Fields[engine.PhoneNumber].Verify && !t.phone.proved
	invitedThere = ticket && a.Ticket.Sent[engine.PhoneNumber].Presence == engine.Given && a.Ticket.Sent[engine.PhoneNumber].Key == t.phone.key
	t.phone.barred = t.phone.given && !invitedThere && unwanted(s.Restrictions.Phones, t.phone.key, phoneIsOn)

	// The username and the names.
	if t.username.enabled && !t.username.taken {
		t.username.given, t.username.key = plain(a, engine.Username, ticket, t.account.given)
	}
	if t.first.enabled {
		t.first.given, t.first.key = plain(a, engine.FirstName, ticket, t.account.given)
	}
	if t.last.enabled {
		t.last.given, t.last.key = plain(a, engine.LastName, ticket, t.account.given)
	}

	// The password comes from the person or from nobody.
	t.password.given = t.password.enabled && a.Values[engine.Password].Presence == engine.Given

	// Consent to another document is none.
	t.consent.given = t.consent.enabled && a.Consent != nil && a.Consent.Version == s.LegalVersion

	if s.Progressive {
		t.progressive(s)
	} else if alone {
		t.required(false)
	} else {
		t.legacyForm(s)
	}

	// However it came in: consent where it is asked for, another value for a
	// taken one.
	if t.consent.enabled {
		t.consent.required = true
	}
	for _, l := range t.lines() {
		if l.taken {
			l.required = true
		}
		if l.required && !l.given {
			l.missing = true
		}
	}
	t.noIdentifier = !t.email.enabled && !t.phone.enabled && !t.username.enabled && !t.wallet.enabled && !t.account.enabled
	return t
}

// unwanted reads the operator's lists one entry after another.
func unwanted(lists engine.AddressLists, key string, isOn func(entry, key string) bool) bool {
	on := func(list engine.Entries) bool {
		found := false
		for entry := range list {
			found = found || isOn(entry, key)
		}
		return found
	}
	if len(lists.Allow) > 0 {
		return !on(lists.Allow)
	}
	return on(lists.Block)
}

func emailIsOn(entry, key string) bool {
	if entry == key {
		return true
	}
	if strings.HasPrefix(entry, "*") {
		return strings.HasSuffix(key, entry[1:])
	}
	return strings.HasSuffix(key, "@"+entry)
}

func phoneIsOn(entry, key string) bool {
	if strings.HasSuffix(entry, "*") {
		return strings.HasPrefix(key, entry[:len(entry)-1])
	}
	return entry == key
}

// plain is the value of an attribute that nobody verifies.
func plain(a engine.Attempt, attribute engine.Attribute, ticket, account bool) (bool, string) {
	if a.Values[attribute].Presence == engine.Given {
		return true, a.Values[attribute].Key
	}
	if a.Values[attribute].Presence == engine.Cleared {
		return false, ""
	}
	if ticket && a.Ticket.Sent[attribute].Presence == engine.Given {
		return true, a.Ticket.Sent[attribute].Key
	}
	if account && a.Account.Sent[attribute].Presence == engine.Given {
		return true, a.Account.Sent[attribute].Key
	}
	return false, ""
}

// progressive: every enabled and required field is required on every path.
func (t *sheet) progressive(s engine.Settings) {
	t.email.required = t.email.enabled && s.Fields[engine.EmailAddress].Required
	t.phone.required = t.phone.enabled && s.Fields[engine.PhoneNumber].Required
	t.username.required = t.username.enabled && s.Fields[engine.Username].Required
	t.wallet.required = t.wallet.enabled && s.Fields[engine.Web3Wallet].Required
	t.account.required = t.account.enabled && s.Fields[engine.ExternalAccount].Required
	t.first.required = t.first.enabled && s.Fields[engine.FirstName].Required
	t.last.required = t.last.enabled && s.Fields[engine.LastName].Required
	t.password.required = t.password.enabled && s.Fields[engine.Password].Required

	if !t.email.required && !t.phone.required && !t.username.required && !t.wallet.required && !t.account.required {
		t.oneOfAllIdentifiers()
	}
	if t.account.given || t.wallet.given {
		t.password.required = false
	}
	if t.noWayBack(s) && t.password.enabled {
		t.password.required = true
	}
}

// legacyForm: the form and ticket paths while Progressive Sign Up is off.
func (t *sheet) legacyForm(s engine.Settings) {
	t.username.required = t.username.enabled && s.Fields[engine.Username].Required
	t.wallet.required = t.wallet.enabled && s.Fields[engine.Web3Wallet].Required
	t.account.required = t.account.enabled && s.Fields[engine.ExternalAccount].Required
	t.first.required = t.first.enabled && s.Fields[engine.FirstName].Required
	t.last.required = t.last.enabled && s.Fields[engine.LastName].Required
	t.password.required = t.password.enabled && s.Fields[engine.Password].Required

	if t.email.enabled || t.phone.enabled {
		t.oneOf = anyEmailOrPhone
		if !t.email.given && !t.phone.given {
			t.email.required = t.email.enabled
			t.phone.required = t.phone.enabled
		}
		if t.email.given {
			t.email.required = true
		}
		if t.phone.given {
			t.phone.required = true
		}
	} else if !t.username.required && !t.wallet.required && !t.account.required {
		t.oneOfAllIdentifiers()
	}
	if t.noWayBack(s) && t.password.enabled {
		t.password.required = true
	}
}

// oneOfAllIdentifiers: all of them until one is given, then the given ones.
func (t *sheet) oneOfAllIdentifiers() {
	t.oneOf = anyIdentifier
	none := !t.email.given && !t.phone.given && !t.username.given && !t.wallet.given && !t.account.given
	for _, l := range []*line{&t.email, &t.phone, &t.username, &t.wallet, &t.account} {
		if l.given || none && l.enabled {
			l.required = true
		}
	}
}

// noWayBack: there are identifiers, but with none of them could its owner come
// back without a password.
func (t *sheet) noWayBack(s engine.Settings) bool {
	if t.wallet.given || t.account.given {
		return false
	}
	if t.email.given && (t.email.proved || s.Fields[engine.EmailAddress].Verify) {
		return false
	}
	if t.phone.given && (t.phone.proved || s.Fields[engine.PhoneNumber].Verify) {
		return false
	}
	return t.email.given || t.phone.given || t.username.given
}

func (t *sheet) required(r bool) {
	for _, l := range t.lines() {
		l.required = r
	}
}

// lines are in the order of the engine's constants, which is the public one.
func (t *sheet) lines() [9]*line {
	return [9]*line{&t.email, &t.phone, &t.username, &t.wallet, &t.account, &t.password, &t.first, &t.last, &t.consent}
}
