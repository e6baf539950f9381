package engine

import (
	"cmp"
	"slices"
	"time"
)

// Settings are the part of an instance's settings that decides what a sign-up
// needs. The zero value enables nothing.
type Settings struct {
	// Progressive selects the algorithm: true for Progressive Sign Up, false
	// for the legacy one.
	Progressive bool
	Fields      [NumAttributes]FieldSettings
	// Providers are the OAuth providers that may be used; the external account
	// is enabled when one of them is.
	Providers []Provider
	// LegalVersion names the document that consent is asked for. Consent to
	// another version is no consent.
	LegalVersion string
	// Restricted admits only holders of a valid ticket.
	Restricted bool
	// Restrictions say whose addresses are taken.
	Restrictions Restrictions
	// EmailStrategies are the ways to verify an email address that people may choose
	// from; every way where nil.
	EmailStrategies []Strategy
	// CodeLifetime is how long a challenge can be answered from when it is issued, and
	// what was proven be transferred; ResendInterval how long starting again sends
	// nothing. Zero stands for the constants of these names.
	CodeLifetime, ResendInterval time.Duration
}

// The times of a challenge where settings do not say others.
const (
	CodeLifetime   = 10 * time.Minute
	ResendInterval = 30 * time.Second
)

func (s Settings) codeLifetime() time.Duration { return cmp.Or(s.CodeLifetime, CodeLifetime) }

func (s Settings) resendInterval() time.Duration { return cmp.Or(s.ResendInterval, ResendInterval) }

// Strategies returns the ways to verify an attribute that people may choose from, in
// the order of StrategiesFor. A challenge of another way that is open may be answered.
func (s Settings) Strategies(a Attribute) []Strategy {
	all := StrategiesFor(a)
	if a != EmailAddress || s.EmailStrategies == nil {
		return all
	}
	return slices.DeleteFunc(all, func(way Strategy) bool { return !slices.Contains(s.EmailStrategies, way) })
}

// FieldSettings say how one attribute takes part. For LEGAL_ACCEPTED Enabled
// alone counts: where consent is asked for, it is required.
type FieldSettings struct {
	Enabled  bool
	Required bool
	// Verify demands proof of control before completion. It means something for
	// EMAIL_ADDRESS and PHONE_NUMBER only.
	Verify bool
}

// Provider is an OAuth 2.0 or OpenID Connect provider.
type Provider struct {
	Name    string
	Enabled bool
	// Issuer is whom the name stands for. An account that was proven while it stood
	// for another counts for nothing under it.
	Issuer string
	// TrustEmail says that the provider verifies the addresses it reports as
	// verified. Without it such a claim is worth nothing.
	TrustEmail bool
}

// Enabled returns the attributes that accept values.
func (s Settings) Enabled() Set {
	var set Set
	for a, f := range s.Fields {
		if f.Enabled && Attribute(a) != ExternalAccount {
			set |= SetOf(Attribute(a))
		}
	}
	for _, p := range s.Providers {
		if p.Enabled {
			set |= SetOf(ExternalAccount)
		}
	}
	return set
}

// demanded returns the enabled attributes whose settings say "required".
func (s Settings) demanded() Set {
	var set Set
	for a, f := range s.Fields {
		if f.Required || Attribute(a) == LegalAccepted {
			set |= SetOf(Attribute(a))
		}
	}
	return set & s.Enabled()
}

// provider returns the enabled provider of that name.
func (s Settings) provider(name string) (Provider, bool) {
	for _, p := range s.Providers {
		if p.Name == name && p.Enabled {
			return p, true
		}
	}
	return Provider{}, false
}

// vouching returns the enabled provider that the account was proven with.
func (s Settings) vouching(account Account) (Provider, bool) {
	p, ok := s.provider(account.Provider)
	return p, ok && p.Issuer == account.Asked
}

// mustVerify returns the attributes that need proof before completion.
func (s Settings) mustVerify() Set {
	var set Set
	for _, a := range Verifiable.List() {
		if s.Fields[a].Verify {
			set |= SetOf(a)
		}
	}
	return set
}

// Capabilities say what a deployment can do; settings are checked against
// them, sign-ups are told about them.
type Capabilities struct {
	SendEmail    bool
	SendSMS      bool
	ProveWallet  bool
	ProveAccount bool
}

// Finding is something to say about settings. Path names the setting, such as
// "phoneNumber.required".
type Finding struct {
	Code    string
	Path    string
	Message string
}

// Codes of settings that are refused.
const (
	NoIdentifier        = "NO_IDENTIFIER"
	RequiredButDisabled = "REQUIRED_BUT_DISABLED"
	NeedsProgressive    = "FEATURE_REQUIRES_PROGRESSIVE_SIGN_UP"
	NoWayBack           = "NO_WAY_BACK"
)

// Codes of settings that are accepted with a warning.
const (
	UnverifiedClaims = "UNVERIFIED_CLAIMS"
	CannotBeVerified = "CANNOT_BE_VERIFIED"
	FlagNotHonoured  = "REQUIRED_FLAG_NOT_HONOURED"
)

// Refusals returns why the settings cannot be used; empty means they can.
func (s Settings) Refusals() []Finding {
	var found []Finding
	enabled := s.Enabled()
	if (enabled & Identifiers).Empty() {
		found = append(found, Finding{NoIdentifier, "emailAddress.enabled",
			"Enable at least one of email address, phone number, username, wallet or external account: a user must be findable."})
	}
	for a, f := range s.Fields {
		if a := Attribute(a); f.Required && !enabled.Has(a) && a != LegalAccepted {
			found = append(found, Finding{RequiredButDisabled, a.Setting() + ".required",
				"A field that is not enabled cannot be required."})
		}
	}
	if !s.Progressive && enabled.Has(Web3Wallet) {
		combined := s.demanded() &^ SetOf(Web3Wallet, LegalAccepted)
		for _, a := range combined.List() {
			found = append(found, Finding{NeedsProgressive, a.Setting() + ".required",
				"Wallets can be combined with other fields only under Progressive Sign Up."})
		}
	}
	if s.strandsUsers() {
		found = append(found, Finding{NoWayBack, "password.enabled",
			"A user could end with neither a password, nor a verified address, nor a wallet or account, and never sign in again. Enable the password, or verify the addresses."})
	}
	return found
}

// strandsUsers reports whether a sign-up could complete without anything to
// sign in with. Where the password is enabled it never can: Evaluate demands
// the password of whoever has nothing else.
func (s Settings) strandsUsers() bool {
	enabled := s.Enabled()
	if enabled.Has(Password) {
		return false
	}
	weak := enabled & (SetOf(Username) | Verifiable&^s.mustVerify())
	demanded, group := s.identifierDemand()
	if !group.Empty() && !(group & weak).Empty() {
		return (demanded &^ weak).Empty()
	}
	return group.Empty() && !demanded.Empty() && (demanded &^ weak).Empty()
}

// identifierDemand returns what the form path asks of identifiers: those that
// each sign-up needs, and those of which it needs one.
func (s Settings) identifierDemand() (demanded, group Set) {
	demanded = s.demanded() & Identifiers
	if !s.Progressive {
		demanded &^= Verifiable
		if group = s.Enabled() & Verifiable; !group.Empty() {
			return demanded, group
		}
	}
	if demanded.Empty() {
		return 0, s.Enabled() & Identifiers
	}
	return demanded, 0
}

// Warnings returns what an operator should know about settings that are
// accepted.
func (s Settings) Warnings(c Capabilities) []Finding {
	var found []Finding
	enabled := s.Enabled()
	for _, a := range (enabled & Verifiable).List() {
		if !s.Fields[a].Verify {
			found = append(found, Finding{UnverifiedClaims, a.Setting() + ".verifyAtSignUp",
				"Anyone can sign up with an address that is not theirs and keep its owner out."})
		}
		if !s.Progressive && s.Fields[a].Required {
			found = append(found, Finding{FlagNotHonoured, a.Setting() + ".required",
				"While Progressive Sign Up is off, any enabled one of email address and phone number satisfies."})
		}
	}
	cannot := func(a Attribute, can bool, message string) {
		if enabled.Has(a) && !can {
			found = append(found, Finding{CannotBeVerified, a.enabledSetting(), message})
		}
	}
	must := s.mustVerify()
	cannot(EmailAddress, c.SendEmail || !must.Has(EmailAddress), "This server has no way to send email: nobody can verify an address.")
	cannot(PhoneNumber, c.SendSMS || !must.Has(PhoneNumber), "This server has no way to send text messages: nobody can verify a phone number.")
	cannot(Web3Wallet, c.ProveWallet, "This server cannot verify wallets: nobody can add one.")
	cannot(ExternalAccount, c.ProveAccount, "This server cannot verify external accounts: nobody can add one.")
	return found
}
