package signup_test

import (
	"fmt"

	"stepwise/engine"
)

// What the design's rules say of a sign-up, said once more for the pairs of
// methods, from what somebody has done.

// demands are settings in short: which fields there are, and which of them the
// settings call required. Addresses are to be verified.
type demands struct {
	progressive       bool
	enabled, required engine.Set
	consent           bool
}

const (
	email    engine.Set = 1 << engine.EmailAddress
	phone    engine.Set = 1 << engine.PhoneNumber
	username engine.Set = 1 << engine.Username
	web3     engine.Set = 1 << engine.Web3Wallet
	account  engine.Set = 1 << engine.ExternalAccount
	secret   engine.Set = 1 << engine.Password
	names    engine.Set = 1<<engine.FirstName | 1<<engine.LastName
	legal    engine.Set = 1 << engine.LegalAccepted
)

// settings writes them as a patch.
func (d demands) settings() string {
	flag := func(a engine.Set) string {
		return fmt.Sprintf(`"enabled": %t, "required": %t`, d.enabled&a != 0, d.required&a != 0)
	}
	providers := ""
	if d.enabled&account != 0 {
		providers = fmt.Sprintf(`, "externalAccount": {"required": %t, %s`, d.required&account != 0, providerSettings[len(`"externalAccount": {`):])
	}
	return fmt.Sprintf(`{"progressiveSignUp": %t, "emailAddress": {%s}, "phoneNumber": {%s}, "username": {%s}, "web3Wallet": {%s}, "password": {%s},
		"firstName": {%s}, "lastName": {%s}, "legalConsent": {"enabled": %t}%s}`,
		d.progressive, flag(email), flag(phone), flag(username), flag(web3), flag(secret), flag(names), flag(names), d.consent, providers)
}

// given is what somebody has done so far.
type given struct {
	email, phone, username, first, last string
	password, consent                   bool
	account                             *member
	provider                            string
	wallet                              string
	ticketEmail, ticketFirst            string
	// proved are the addresses of which a code or a link was given back.
	proved map[string]bool
}

// vouched: the provider is trusted for addresses, and claims this one.
func (g given) vouched() bool {
	return g.account != nil && g.provider == "acme" && g.account.emailVerified && g.account.email != ""
}

// outcome is what the rules make of it.
type outcome struct {
	required, missing, unverified, present engine.Set
	// The values in force.
	email, phone, username, first, last, wallet, subject string
}

func (o outcome) complete() bool { return o.missing == 0 && o.unverified == 0 }

func (d demands) predict(g given) outcome {
	var o outcome
	counts := g.account != nil && (d.progressive || g.vouched())
	alone := !d.progressive && (counts || g.wallet != "")

	// The person's value, else the ticket's, else the provider's.
	emailProved := false
	offers := []struct {
		address string
		proved  bool
	}{{g.email, g.proved[g.email]}, {g.ticketEmail, true}}
	if counts {
		offers = append(offers, struct {
			address string
			proved  bool
		}{g.account.email, g.vouched() || g.proved[g.account.email]})
	}
	for _, offer := range offers {
		dropped := alone && !offer.proved // typed, never verified, and not needed
		if offer.address != "" && !dropped {
			o.email, emailProved = offer.address, offer.proved
			break
		}
	}
	o.phone = g.phone
	if alone && !g.proved[g.phone] {
		o.phone = ""
	}
	o.username, o.first, o.last, o.wallet = g.username, g.first, g.last, g.wallet
	if o.first == "" {
		o.first = g.ticketFirst
	}
	if counts {
		o.subject = g.account.subject
		if o.first == "" {
			o.first = g.account.firstName
		}
		if o.last == "" {
			o.last = g.account.lastName
		}
	}

	for a, has := range map[engine.Set]bool{
		email: o.email != "", phone: o.phone != "", username: o.username != "", web3: o.wallet != "", account: counts, secret: g.password,
		1 << engine.FirstName: o.first != "", 1 << engine.LastName: o.last != "", legal: g.consent,
	} {
		if has {
			o.present |= a
		}
	}

	identifiers := email | phone | username | web3 | account
	switch {
	case alone: // everything but consent is optional
	case d.progressive:
		o.required = d.required
		if d.required&identifiers == 0 {
			o.required |= oneOf(d.enabled&identifiers, o.present)
		}
		if o.present&(account|web3) != 0 {
			o.required &^= secret
		}
	default:
		o.required = d.required&^(email|phone) | oneOf(d.enabled&(email|phone), o.present)
	}
	if !alone && o.present&identifiers == username {
		o.required |= secret
	}
	if d.consent {
		o.required |= legal
	}
	o.missing = o.required &^ o.present
	if o.email != "" && !emailProved {
		o.unverified |= email
	}
	if o.phone != "" && !g.proved[o.phone] {
		o.unverified |= phone
	}
	return o
}

// oneOf: all of the group until one is given, then the given ones.
func oneOf(group, present engine.Set) engine.Set {
	if group&present == 0 {
		return group
	}
	return group & present
}

// attempt is the sign-up as the engine would have it.
func (g given) attempt() engine.Attempt {
	a := engine.Attempt{}
	give := func(to *[engine.NumAttributes]engine.Value, at engine.Attribute, text string) {
		if text != "" {
			to[at] = engine.Value{Presence: engine.Given, Text: text, Key: text}
		}
	}
	give(&a.Values, engine.EmailAddress, g.email)
	give(&a.Values, engine.PhoneNumber, g.phone)
	give(&a.Values, engine.Username, g.username)
	give(&a.Values, engine.FirstName, g.first)
	give(&a.Values, engine.LastName, g.last)
	give(&a.Values, engine.Web3Wallet, g.wallet)
	if g.password {
		give(&a.Values, engine.Password, "hash")
	}
	if g.account != nil {
		issuer := "https://" + g.provider + ".example"
		a.Account = &engine.Account{Provider: g.provider, Asked: issuer, Issuer: issuer, Subject: g.account.subject, EmailVerified: g.account.emailVerified}
		give(&a.Account.Sent, engine.EmailAddress, g.account.email)
		give(&a.Account.Sent, engine.FirstName, g.account.firstName)
		give(&a.Account.Sent, engine.LastName, g.account.lastName)
	}
	if g.ticketEmail != "" {
		a.Ticket = &engine.Ticket{ID: "it"}
		give(&a.Ticket.Sent, engine.EmailAddress, g.ticketEmail)
		give(&a.Ticket.Sent, engine.FirstName, g.ticketFirst)
	}
	if g.consent {
		a.Consent = &engine.Consent{Version: "1"}
	}
	for address := range g.proved {
		at := engine.EmailAddress
		if address[0] == '+' {
			at = engine.PhoneNumber
		}
		a.Verifications[at] = &engine.Verification{Key: address, Verified: true}
	}
	return a
}
