package signup

import (
	"slices"
	"strings"

	"stepwise/engine"
)

// SettingsPatch is a partial change; nil leaves as is. It is the shape of the
// mutation's input and of a settings file.
type SettingsPatch struct {
	ExpectedVersion           *int64              `json:"expectedVersion"`
	ChangedBy                 *string             `json:"changedBy"` // for the history alone
	ProgressiveSignUp         *bool               `json:"progressiveSignUp"`
	SignUpMode                *SignUpMode         `json:"signUpMode"`
	AppName                   *string             `json:"appName"`
	EmailAddress              *EmailPatch         `json:"emailAddress"`
	PhoneNumber               *PhonePatch         `json:"phoneNumber"`
	Username                  *UsernamePatch      `json:"username"`
	Web3Wallet                *WalletPatch        `json:"web3Wallet"`
	ExternalAccount           *AccountPatch       `json:"externalAccount"`
	Password                  *PasswordPatch      `json:"password"`
	FirstName                 *FieldPatch         `json:"firstName"`
	LastName                  *FieldPatch         `json:"lastName"`
	LegalConsent              *LegalConsentPatch  `json:"legalConsent"`
	Restrictions              *RestrictionPatch   `json:"restrictions"`
	BotProtection             *BotProtectionPatch `json:"botProtection"`
	EnumerationProtection     *bool               `json:"enumerationProtection"`
	SendingLimits             *SendingLimitsPatch `json:"sendingLimits"`
	DefaultCountry            *string             `json:"defaultCountry"`
	TestMode                  *bool               `json:"testMode"`
	AllowedOrigins            []string            `json:"allowedOrigins"`
	AllowedRedirects          []string            `json:"allowedRedirects"`
	SignUpLifetimeSeconds     *int                `json:"signUpLifetimeSeconds"`
	SessionLifetimeSeconds    *int                `json:"sessionLifetimeSeconds"`
	CodeLifetimeSeconds       *int                `json:"codeLifetimeSeconds"`
	ResendIntervalSeconds     *int                `json:"resendIntervalSeconds"`
	InvitationLifetimeSeconds *int                `json:"invitationLifetimeSeconds"`
	DefaultLocale             *string             `json:"defaultLocale"`
}

type FieldPatch struct {
	Enabled  *bool `json:"enabled"`
	Required *bool `json:"required"`
}

type EmailPatch struct {
	Enabled           *bool             `json:"enabled"`
	Required          *bool             `json:"required"`
	VerifyAtSignUp    *bool             `json:"verifyAtSignUp"`
	Strategies        []engine.Strategy `json:"strategies"`
	AllowSubaddresses *bool             `json:"allowSubaddresses"`
}

type PhonePatch struct {
	Enabled        *bool    `json:"enabled"`
	Required       *bool    `json:"required"`
	VerifyAtSignUp *bool    `json:"verifyAtSignUp"`
	Countries      []string `json:"countries"`
}

type UsernamePatch struct {
	Enabled   *bool    `json:"enabled"`
	Required  *bool    `json:"required"`
	MinLength *int     `json:"minLength"`
	MaxLength *int     `json:"maxLength"`
	Reserved  []string `json:"reserved"`
}

type PasswordPatch struct {
	Enabled        *bool `json:"enabled"`
	Required       *bool `json:"required"`
	MinLength      *int  `json:"minLength"`
	MaxLength      *int  `json:"maxLength"`
	RejectCommon   *bool `json:"rejectCommon"`
	RejectContext  *bool `json:"rejectContext"`
	RejectBreached *bool `json:"rejectBreached"`
}

type RestrictionPatch struct {
	Allowlist []string `json:"allowlist"`
	Blocklist []string `json:"blocklist"`
}

type BotProtectionPatch struct {
	Provider  *BotProvider `json:"provider"`
	SiteKey   *string      `json:"siteKey"`
	SecretKey *string      `json:"secretKey"`
	// SecretKeyEnv names a variable that holds the secret key; in settings files only.
	SecretKeyEnv *string `json:"secretKeyEnv"`

	sealedSecret *string
}

type SendingLimitsPatch struct {
	PerAddressPerHour           *int `json:"perAddressPerHour"`
	EmailsPerDay                *int `json:"emailsPerDay"`
	TextMessagesPerDay          *int `json:"textMessagesPerDay"`
	TextMessagesPerRangePerHour *int `json:"textMessagesPerRangePerHour"`
}

type WalletPatch struct {
	Enabled  *bool   `json:"enabled"`
	Required *bool   `json:"required"`
	ChainIDs []int64 `json:"chainIds"`
}

type LegalConsentPatch struct {
	Enabled         *bool           `json:"enabled"`
	DocumentVersion *string         `json:"documentVersion"`
	DocumentURL     *string         `json:"documentUrl"`
	Documents       []LegalDocument `json:"documents"`
}

func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

// replace: an empty list takes the place of another, nil does not.
func replace[T any](to *[]T, from []T) {
	if from != nil {
		*to = slices.Clone(from)
	}
}

// Apply returns the settings with the patch applied, not yet checked.
func (s Settings) Apply(p SettingsPatch) Settings {
	set(&s.ProgressiveSignUp, p.ProgressiveSignUp)
	set(&s.SignUpMode, p.SignUpMode)
	if p.AppName != nil {
		s.AppName = strings.TrimSpace(*p.AppName)
	}
	s.EmailAddress = s.EmailAddress.apply(p.EmailAddress)
	s.PhoneNumber = s.PhoneNumber.apply(p.PhoneNumber)
	s.Username = s.Username.apply(p.Username)
	if w := p.Web3Wallet; w != nil {
		set(&s.Web3Wallet.Enabled, w.Enabled)
		set(&s.Web3Wallet.Required, w.Required)
		replace(&s.Web3Wallet.ChainIDs, w.ChainIDs)
	}
	s.ExternalAccount = s.ExternalAccount.apply(p.ExternalAccount)
	s.Password = s.Password.apply(p.Password)
	s.FirstName = s.FirstName.apply(p.FirstName)
	s.LastName = s.LastName.apply(p.LastName)
	if l := p.LegalConsent; l != nil {
		set(&s.LegalConsent.Enabled, l.Enabled)
		set(&s.LegalConsent.DocumentVersion, l.DocumentVersion)
		set(&s.LegalConsent.DocumentURL, l.DocumentURL)
		replace(&s.LegalConsent.Documents, l.Documents)
	}
	s.Restrictions = s.Restrictions.apply(p.Restrictions)
	s.BotProtection = s.BotProtection.apply(p.BotProtection)
	set(&s.EnumerationProtection, p.EnumerationProtection)
	s.SendingLimits = s.SendingLimits.apply(p.SendingLimits)
	if p.DefaultCountry != nil {
		s.DefaultCountry = strings.ToUpper(*p.DefaultCountry)
	}
	set(&s.TestMode, p.TestMode)
	replace(&s.AllowedOrigins, p.AllowedOrigins)
	replace(&s.AllowedRedirects, p.AllowedRedirects)
	set(&s.SignUpLifetimeSeconds, p.SignUpLifetimeSeconds)
	set(&s.SessionLifetimeSeconds, p.SessionLifetimeSeconds)
	set(&s.CodeLifetimeSeconds, p.CodeLifetimeSeconds)
	set(&s.ResendIntervalSeconds, p.ResendIntervalSeconds)
	set(&s.InvitationLifetimeSeconds, p.InvitationLifetimeSeconds)
	set(&s.DefaultLocale, p.DefaultLocale)
	return s
}

func (f FieldSettings) apply(p *FieldPatch) FieldSettings {
	if p != nil {
		set(&f.Enabled, p.Enabled)
		set(&f.Required, p.Required)
	}
	return f
}

func (e EmailSettings) apply(p *EmailPatch) EmailSettings {
	if p != nil {
		set(&e.Enabled, p.Enabled)
		set(&e.Required, p.Required)
		set(&e.VerifyAtSignUp, p.VerifyAtSignUp)
		if p.Strategies != nil {
			e.Strategies = inOrder(p.Strategies)
		}
		set(&e.AllowSubaddresses, p.AllowSubaddresses)
	}
	return e
}

func (n PhoneSettings) apply(p *PhonePatch) PhoneSettings {
	if p != nil {
		set(&n.Enabled, p.Enabled)
		set(&n.Required, p.Required)
		set(&n.VerifyAtSignUp, p.VerifyAtSignUp)
		replace(&n.Countries, p.Countries)
		for i, c := range p.Countries {
			n.Countries[i] = strings.ToUpper(c)
		}
	}
	return n
}

func (u UsernameSettings) apply(p *UsernamePatch) UsernameSettings {
	if p != nil {
		set(&u.Enabled, p.Enabled)
		set(&u.Required, p.Required)
		set(&u.MinLength, p.MinLength)
		set(&u.MaxLength, p.MaxLength)
		replace(&u.Reserved, canonicalList(p.Reserved, canonicalUsername))
	}
	return u
}

func (w PasswordSettings) apply(p *PasswordPatch) PasswordSettings {
	if p != nil {
		set(&w.Enabled, p.Enabled)
		set(&w.Required, p.Required)
		set(&w.MinLength, p.MinLength)
		set(&w.MaxLength, p.MaxLength)
		set(&w.RejectCommon, p.RejectCommon)
		set(&w.RejectContext, p.RejectContext)
		set(&w.RejectBreached, p.RejectBreached)
	}
	return w
}

func (r RestrictionSettings) apply(p *RestrictionPatch) RestrictionSettings {
	if p != nil {
		replace(&r.Allowlist, p.Allowlist)
		replace(&r.Blocklist, p.Blocklist)
		r = r.canonical()
	}
	return r
}

func (l SendingLimits) apply(p *SendingLimitsPatch) SendingLimits {
	if p != nil {
		set(&l.PerAddressPerHour, p.PerAddressPerHour)
		set(&l.EmailsPerDay, p.EmailsPerDay)
		set(&l.TextMessagesPerDay, p.TextMessagesPerDay)
		set(&l.TextMessagesPerRangePerHour, p.TextMessagesPerRangePerHour)
	}
	return l
}
