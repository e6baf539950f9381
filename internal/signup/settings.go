package signup

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"stepwise/engine"
	"stepwise/internal/identifier"
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

// Check returns why the settings cannot be used; empty means they can. Each
// problem's Field is the path below "input".
func (s Settings) Check() []Problem {
	var found []Problem
	refuse := func(code Code, path, message string) {
		found = append(found, Problem{Code: code, Message: message, Field: inputPath(strings.Split(path, ".")...)})
	}
	between := func(path string, value, low, high int) {
		if value < low || value > high {
			refuse(CodeOutOfRange, path, fmt.Sprintf("Must be between %d and %d.", low, high))
		}
	}
	for _, f := range s.Requirements().Refusals() {
		refuse(Code(f.Code), f.Path, f.Message)
	}
	between("username.minLength", s.Username.MinLength, 1, 64)
	between("username.maxLength", s.Username.MaxLength, min(max(1, s.Username.MinLength), 64), 64)
	between("password.minLength", s.Password.MinLength, 8, 64)
	between("password.maxLength", s.Password.MaxLength, 64, 256)
	between("codeLifetimeSeconds", s.CodeLifetimeSeconds, 60, int(maxCodeLifetime.Seconds()))
	between("resendIntervalSeconds", s.ResendIntervalSeconds, 10, 600)
	between("invitationLifetimeSeconds", s.InvitationLifetimeSeconds, 60, 365*24*3600)
	between("sendingLimits.perAddressPerHour", s.SendingLimits.PerAddressPerHour, 1, 60)
	between("sendingLimits.emailsPerDay", s.SendingLimits.EmailsPerDay, 1, 10_000_000)
	between("sendingLimits.textMessagesPerDay", s.SendingLimits.TextMessagesPerDay, 1, 10_000_000)
	between("sendingLimits.textMessagesPerRangePerHour", s.SendingLimits.TextMessagesPerRangePerHour, 1, 100_000)
	between("signUpLifetimeSeconds", s.SignUpLifetimeSeconds, 60, 7*24*3600)
	between("sessionLifetimeSeconds", s.SessionLifetimeSeconds, 60, 400*24*3600)
	if s.SignUpMode != ModePublic && s.SignUpMode != ModeRestricted {
		refuse(CodeInvalidFormat, "signUpMode", "Must be PUBLIC or RESTRICTED.")
	}
	if n := len([]rune(s.AppName)); n < 1 || n > 60 || strings.ContainsFunc(s.AppName, isControl) {
		refuse(CodeInvalidFormat, "appName", "Must be 1 to 60 characters on one line.")
	}
	if v := s.LegalConsent.DocumentVersion; v == "" || len(v) > 64 || strings.ContainsFunc(v, isControl) {
		refuse(CodeInvalidFormat, "legalConsent.documentVersion", "Must be 1 to 64 characters on one line.")
	}
	if u := s.LegalConsent.DocumentURL; u != "" && !isWebAddress(u) {
		refuse(CodeInvalidFormat, "legalConsent.documentUrl", "Must be an absolute http or https address.")
	}
	if len(s.LegalConsent.Documents) > 10 {
		refuse(CodeOutOfRange, "legalConsent.documents", "Must be at most 10 documents.")
	}
	for _, d := range s.LegalConsent.Documents {
		if n := len([]rune(d.Name)); n < 1 || n > 60 || strings.ContainsFunc(d.Name, isControl) || !isWebAddress(d.URL) {
			refuse(CodeInvalidFormat, "legalConsent.documents", "Each has a name of 1 to 60 characters on one line, and an absolute http or https address.")
			break
		}
	}
	if c := s.DefaultCountry; c != "" && !identifier.IsRegion(c) {
		refuse(CodeInvalidFormat, "defaultCountry", "Must be the code of a country, two letters such as US.")
	}
	if !slices.Contains(Languages, s.DefaultLocale) {
		refuse(CodeInvalidFormat, "defaultLocale", "Must be a language that messages are written in: "+strings.Join(Languages, ", ")+".")
	}
	if len(s.AllowedOrigins) > 100 {
		refuse(CodeOutOfRange, "allowedOrigins", "Must be at most 100 origins.")
	}
	for _, origin := range s.AllowedOrigins {
		if !isOrigin(origin) {
			refuse(CodeInvalidFormat, "allowedOrigins", "Each must be an origin such as https://app.example.com, without a path and in lower case.")
			break
		}
	}
	if len(s.AllowedRedirects) > 100 {
		refuse(CodeOutOfRange, "allowedRedirects", "Must be at most 100 addresses.")
	}
	for _, address := range s.AllowedRedirects {
		if !isRedirect(address) && !isAppRedirect(address) {
			refuse(CodeInvalidFormat, "allowedRedirects", "Each must be an absolute http or https address without a fragment, such as https://app.example.com/sign-up, or a native app's, such as com.example.app:/sign-up.")
			break
		}
	}
	if n := len(s.Web3Wallet.ChainIDs); n < 1 || n > 50 {
		refuse(CodeOutOfRange, "web3Wallet.chainIds", "Must be 1 to 50 chains.")
	}
	for _, id := range s.Web3Wallet.ChainIDs {
		if id < 1 {
			refuse(CodeOutOfRange, "web3Wallet.chainIds", "A chain's id is 1 or more.")
			break
		}
	}
	s.checkLists(refuse)
	for _, p := range slices.Concat(s.EmailAddress.check(), s.BotProtection.check(), s.ExternalAccount.check()) {
		refuse(p.Code, p.Field[0], p.Message)
	}
	return found
}

func isControl(r rune) bool { return r < 0x20 || r >= 0x7f && r < 0xa0 }

func isWebAddress(s string) bool {
	u, err := url.Parse(s)
	return err == nil && len(s) <= 2048 && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.User == nil
}

// redirectForm has the characters of a URI (RFC 3986 section 2) but for # and *.
// Browsers resolve others (a backslash, a space) in unlike ways, and mail programs
// end a link at them.
var redirectForm = regexp.MustCompile(`^(?:[A-Za-z0-9._~:/?\[\]@!$&'()+,;=-]|%[0-9A-Fa-f]{2})+$`)

// isRedirect: it travels within other addresses, so it is short.
func isRedirect(s string) bool {
	return len(s) <= 512 && redirectForm.MatchString(s) && isWebAddress(s)
}

var appScheme = regexp.MustCompile(`^[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)+$`)

// isAppRedirect: a native app's address has a private-use scheme, which is a
// domain name of the app's owner turned round (RFC 8252 section 7.1).
func isAppRedirect(s string) bool {
	u, err := url.Parse(s)
	return err == nil && len(s) <= 512 && redirectForm.MatchString(s) && appScheme.MatchString(u.Scheme) && u.User == nil
}

func isOrigin(s string) bool {
	u, err := url.Parse(s)
	return err == nil && isWebAddress(s) && !strings.Contains(s, "*") && s == u.Scheme+"://"+u.Host && s == strings.ToLower(s)
}
