package signup

import (
	"time"

	"stepwise/engine"
)

// SignUpMode says who may sign up.
type SignUpMode string

const (
	ModePublic     SignUpMode = "PUBLIC"
	ModeRestricted SignUpMode = "RESTRICTED"
)

// Settings are all settings of an instance, as they are stored (JSON) and as an
// administrator sees them.
type Settings struct {
	ProgressiveSignUp bool                 `json:"progressiveSignUp"`
	SignUpMode        SignUpMode           `json:"signUpMode"`
	AppName           string               `json:"appName"`
	EmailAddress      EmailSettings        `json:"emailAddress"`
	PhoneNumber       PhoneSettings        `json:"phoneNumber"`
	Username          UsernameSettings     `json:"username"`
	Web3Wallet        WalletSettings       `json:"web3Wallet"`
	ExternalAccount   AccountSettings      `json:"externalAccount"`
	Password          PasswordSettings     `json:"password"`
	FirstName         FieldSettings        `json:"firstName"`
	LastName          FieldSettings        `json:"lastName"`
	LegalConsent      LegalConsentSettings `json:"legalConsent"`
	Restrictions      RestrictionSettings  `json:"restrictions"`
	BotProtection     BotProtection        `json:"botProtection"`
	// EnumerationProtection keeps who has an address from those who have not proven
	// control over it.
	EnumerationProtection bool          `json:"enumerationProtection"`
	SendingLimits         SendingLimits `json:"sendingLimits"`
	DefaultCountry        string        `json:"defaultCountry"`
	TestMode              bool          `json:"testMode"`
	AllowedOrigins        []string      `json:"allowedOrigins"`
	// AllowedRedirects are the addresses to which people may be sent back from a
	// provider or a mail, each exactly as it is.
	AllowedRedirects          []string `json:"allowedRedirects"`
	SignUpLifetimeSeconds     int      `json:"signUpLifetimeSeconds"`
	SessionLifetimeSeconds    int      `json:"sessionLifetimeSeconds"`
	CodeLifetimeSeconds       int      `json:"codeLifetimeSeconds"`
	ResendIntervalSeconds     int      `json:"resendIntervalSeconds"`
	InvitationLifetimeSeconds int      `json:"invitationLifetimeSeconds"`
	// DefaultLocale is the language, one of Languages, of messages to people who ask for
	// none that we know.
	DefaultLocale string `json:"defaultLocale"`
}

// FieldSettings are those of a field that is given or not.
type FieldSettings struct {
	Enabled  bool `json:"enabled"`
	Required bool `json:"required"`
}

// EmailSettings are those of the email address.
type EmailSettings struct {
	Enabled        bool `json:"enabled"`
	Required       bool `json:"required"`
	VerifyAtSignUp bool `json:"verifyAtSignUp"`
	// Strategies are the ways to verify that people may choose from.
	Strategies []engine.Strategy `json:"strategies"`
	// AllowSubaddresses takes addresses such as jane+news@example.com (RFC 5233).
	AllowSubaddresses bool `json:"allowSubaddresses"`
}

// PhoneSettings are those of the phone number. Countries (ISO 3166-1 alpha-2) are
// those whose numbers are taken; any where empty.
type PhoneSettings struct {
	Enabled        bool     `json:"enabled"`
	Required       bool     `json:"required"`
	VerifyAtSignUp bool     `json:"verifyAtSignUp"`
	Countries      []string `json:"countries"`
}

// UsernameSettings are those of the username; lengths are in Unicode code points.
// Reserved names are nobody's, in any spelling.
type UsernameSettings struct {
	Enabled   bool     `json:"enabled"`
	Required  bool     `json:"required"`
	MinLength int      `json:"minLength"`
	MaxLength int      `json:"maxLength"`
	Reserved  []string `json:"reserved"`
}

// PasswordSettings are those of the password; lengths are in Unicode code points.
type PasswordSettings struct {
	Enabled   bool `json:"enabled"`
	Required  bool `json:"required"`
	MinLength int  `json:"minLength"`
	MaxLength int  `json:"maxLength"`
	// RejectCommon refuses those that everybody tries first, RejectContext those
	// made of the person's own names, RejectBreached those known from breaches.
	RejectCommon   bool `json:"rejectCommon"`
	RejectContext  bool `json:"rejectContext"`
	RejectBreached bool `json:"rejectBreached"`
}

// RestrictionSettings say whose addresses are taken. An entry is an address, a domain
// with its subdomains (*.example.com) or without (example.com), or the beginning of
// phone numbers (+4420*). Where the allowlist has an entry for a kind of address, all
// others of that kind are refused; it wins over the blocklist.
type RestrictionSettings struct {
	Allowlist []string `json:"allowlist"`
	Blocklist []string `json:"blocklist"`

	lookup engine.Restrictions
}

// BotProvider is who tells people from programs.
type BotProvider string

const (
	BotNone      BotProvider = "NONE"
	BotTurnstile BotProvider = "TURNSTILE"
	BotHCaptcha  BotProvider = "HCAPTCHA"
)

// BotProtection asks whoever opens a sign-up for a proof to be a person.
type BotProtection struct {
	Provider BotProvider `json:"provider"`
	SiteKey  string      `json:"siteKey"`
	// SealedSecret is the secret key, encrypted under the master key, base64.
	SealedSecret string `json:"sealedSecret"`
}

// SendingLimits bound what messages cost, over all processes.
type SendingLimits struct {
	PerAddressPerHour           int `json:"perAddressPerHour"`
	EmailsPerDay                int `json:"emailsPerDay"`
	TextMessagesPerDay          int `json:"textMessagesPerDay"`
	TextMessagesPerRangePerHour int `json:"textMessagesPerRangePerHour"`
}

// WalletSettings are those of wallets. ChainIDs are the chains (EIP-155) that a
// message to sign may name.
type WalletSettings struct {
	Enabled  bool    `json:"enabled"`
	Required bool    `json:"required"`
	ChainIDs []int64 `json:"chainIds"`
}

// LegalConsentSettings name the documents that consent is asked for. Their version is
// one for all of them: it is raised when any changes. DocumentURL is the address of the
// document where there is one, or of a page with all.
type LegalConsentSettings struct {
	Enabled         bool   `json:"enabled"`
	DocumentVersion string `json:"documentVersion"`
	DocumentURL     string `json:"documentUrl"`
	// Documents are shown one by one, such as terms and privacy policy.
	Documents []LegalDocument `json:"documents"`
}

// LegalDocument is one that people can read before they consent.
type LegalDocument struct {
	Name string `json:"name"`
	URL  string `json:"url"`
}

// DefaultSettings are those of a new instance: an email address, verified by
// code, and a password. They work untouched.
func DefaultSettings() Settings {
	return Settings{
		ProgressiveSignUp: true,
		SignUpMode:        ModePublic,
		AppName:           "My app",
		EmailAddress: EmailSettings{Enabled: true, Required: true, VerifyAtSignUp: true, AllowSubaddresses: true,
			Strategies: engine.StrategiesFor(engine.EmailAddress)},
		PhoneNumber: PhoneSettings{VerifyAtSignUp: true, Countries: []string{}},
		Username:    UsernameSettings{MinLength: 3, MaxLength: 64, Reserved: []string{}},
		Password: PasswordSettings{Enabled: true, Required: true, MinLength: 8, MaxLength: 256,
			RejectCommon: true, RejectContext: true},
		Web3Wallet:             WalletSettings{ChainIDs: []int64{1}},
		ExternalAccount:        AccountSettings{Providers: []ProviderSettings{}},
		FirstName:              FieldSettings{Enabled: true},
		LastName:               FieldSettings{Enabled: true},
		LegalConsent:           LegalConsentSettings{DocumentVersion: "1", Documents: []LegalDocument{}},
		Restrictions:           RestrictionSettings{Allowlist: []string{}, Blocklist: []string{}},
		BotProtection:          BotProtection{Provider: BotNone},
		SendingLimits:          SendingLimits{PerAddressPerHour: 5, EmailsPerDay: 100_000, TextMessagesPerDay: 5_000, TextMessagesPerRangePerHour: 60},
		AllowedOrigins:         []string{},
		AllowedRedirects:       []string{},
		SignUpLifetimeSeconds:  int((24 * time.Hour).Seconds()),
		SessionLifetimeSeconds: int((7 * 24 * time.Hour).Seconds()),
		CodeLifetimeSeconds:    int(engine.CodeLifetime.Seconds()), ResendIntervalSeconds: int(engine.ResendInterval.Seconds()),
		InvitationLifetimeSeconds: int((30 * 24 * time.Hour).Seconds()),
		DefaultLocale:             Languages[0],
	}
}

// Requirements is the part of the settings that the engine reads.
func (s Settings) Requirements() engine.Settings {
	e := engine.Settings{
		Progressive:  s.ProgressiveSignUp,
		LegalVersion: s.LegalConsent.DocumentVersion,
		Restricted:   s.SignUpMode == ModeRestricted,
		Restrictions: s.Restrictions.lookup,

		EmailStrategies: s.EmailAddress.Strategies,
		CodeLifetime:    s.codeLifetime(), ResendInterval: s.resendInterval(),
	}
	e.Fields[engine.EmailAddress] = engine.FieldSettings{Enabled: s.EmailAddress.Enabled, Required: s.EmailAddress.Required, Verify: s.EmailAddress.VerifyAtSignUp}
	e.Fields[engine.PhoneNumber] = engine.FieldSettings{Enabled: s.PhoneNumber.Enabled, Required: s.PhoneNumber.Required, Verify: s.PhoneNumber.VerifyAtSignUp}
	e.Fields[engine.Username] = engine.FieldSettings{Enabled: s.Username.Enabled, Required: s.Username.Required}
	e.Fields[engine.Web3Wallet] = engine.FieldSettings{Enabled: s.Web3Wallet.Enabled, Required: s.Web3Wallet.Required}
	e.Fields[engine.ExternalAccount] = engine.FieldSettings{Required: s.ExternalAccount.Required}
	for _, p := range s.ExternalAccount.Providers {
		e.Providers = append(e.Providers, engine.Provider{Name: p.Name, Enabled: p.Enabled, Issuer: p.issuer(), TrustEmail: p.TrustEmail})
	}
	e.Fields[engine.Password] = engine.FieldSettings{Enabled: s.Password.Enabled, Required: s.Password.Required}
	e.Fields[engine.FirstName] = engine.FieldSettings{Enabled: s.FirstName.Enabled, Required: s.FirstName.Required}
	e.Fields[engine.LastName] = engine.FieldSettings{Enabled: s.LastName.Enabled, Required: s.LastName.Required}
	e.Fields[engine.LegalAccepted] = engine.FieldSettings{Enabled: s.LegalConsent.Enabled, Required: s.LegalConsent.Enabled}
	return e
}
