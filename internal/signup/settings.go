package signup

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
	EmailAddress      AddressSettings      `json:"emailAddress"`
	PhoneNumber       AddressSettings      `json:"phoneNumber"`
	Username          TextSettings         `json:"username"`
	Web3Wallet        WalletSettings       `json:"web3Wallet"`
	ExternalAccount   AccountSettings      `json:"externalAccount"`
	Password          TextSettings         `json:"password"`
	FirstName         FieldSettings        `json:"firstName"`
	LastName          FieldSettings        `json:"lastName"`
	LegalConsent      LegalConsentSettings `json:"legalConsent"`
	DefaultCountry    string               `json:"defaultCountry"`
	TestMode          bool                 `json:"testMode"`
	AllowedOrigins    []string             `json:"allowedOrigins"`
	// AllowedRedirects are the addresses to which people may be sent back from a
	// provider or a mail, each exactly as it is.
	AllowedRedirects       []string `json:"allowedRedirects"`
	SignUpLifetimeSeconds  int      `json:"signUpLifetimeSeconds"`
	SessionLifetimeSeconds int      `json:"sessionLifetimeSeconds"`
}

// FieldSettings are those of a field that is given or not.
type FieldSettings struct {
	Enabled  bool `json:"enabled"`
	Required bool `json:"required"`
}

// AddressSettings are those of a field that can be verified.
type AddressSettings struct {
	Enabled        bool `json:"enabled"`
	Required       bool `json:"required"`
	VerifyAtSignUp bool `json:"verifyAtSignUp"`
}

// TextSettings are those of a field whose length is ruled; lengths are in
// Unicode code points.
type TextSettings struct {
	Enabled   bool `json:"enabled"`
	Required  bool `json:"required"`
	MinLength int  `json:"minLength"`
	MaxLength int  `json:"maxLength"`
}

// WalletSettings are those of wallets. ChainIDs are the chains (EIP-155) that a
// message to sign may name.
type WalletSettings struct {
	Enabled  bool    `json:"enabled"`
	Required bool    `json:"required"`
	ChainIDs []int64 `json:"chainIds"`
}

// LegalConsentSettings name the document that consent is asked for.
type LegalConsentSettings struct {
	Enabled         bool   `json:"enabled"`
	DocumentVersion string `json:"documentVersion"`
	DocumentURL     string `json:"documentUrl"`
}

// DefaultSettings are those of a new instance: an email address, verified by
// code, and a password. They work untouched.
func DefaultSettings() Settings {
	return Settings{
		ProgressiveSignUp:      true,
		SignUpMode:             ModePublic,
		AppName:                "My app",
		EmailAddress:           AddressSettings{Enabled: true, Required: true, VerifyAtSignUp: true},
		PhoneNumber:            AddressSettings{VerifyAtSignUp: true},
		Username:               TextSettings{MinLength: 3, MaxLength: 64},
		Password:               TextSettings{Enabled: true, Required: true, MinLength: 8, MaxLength: 256},
		Web3Wallet:             WalletSettings{ChainIDs: []int64{1}},
		ExternalAccount:        AccountSettings{Providers: []ProviderSettings{}},
		FirstName:              FieldSettings{Enabled: true},
		LastName:               FieldSettings{Enabled: true},
		LegalConsent:           LegalConsentSettings{DocumentVersion: "1"},
		AllowedOrigins:         []string{},
		AllowedRedirects:       []string{},
		SignUpLifetimeSeconds:  int((24 * time.Hour).Seconds()),
		SessionLifetimeSeconds: int((7 * 24 * time.Hour).Seconds()),
	}
}

// Requirements is the part of the settings that the engine reads.
func (s Settings) Requirements() engine.Settings {
	e := engine.Settings{
		Progressive:  s.ProgressiveSignUp,
		LegalVersion: s.LegalConsent.DocumentVersion,
		Restricted:   s.SignUpMode == ModeRestricted,
	}
	address := func(a AddressSettings) engine.FieldSettings {
		return engine.FieldSettings{Enabled: a.Enabled, Required: a.Required, Verify: a.VerifyAtSignUp}
	}
	e.Fields[engine.EmailAddress] = address(s.EmailAddress)
	e.Fields[engine.PhoneNumber] = address(s.PhoneNumber)
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
	ExpectedVersion        *int64             `json:"expectedVersion"`
	ProgressiveSignUp      *bool              `json:"progressiveSignUp"`
	SignUpMode             *SignUpMode        `json:"signUpMode"`
	AppName                *string            `json:"appName"`
	EmailAddress           *AddressPatch      `json:"emailAddress"`
	PhoneNumber            *AddressPatch      `json:"phoneNumber"`
	Username               *TextPatch         `json:"username"`
	Web3Wallet             *WalletPatch       `json:"web3Wallet"`
	ExternalAccount        *AccountPatch      `json:"externalAccount"`
	Password               *TextPatch         `json:"password"`
	FirstName              *FieldPatch        `json:"firstName"`
	LastName               *FieldPatch        `json:"lastName"`
	LegalConsent           *LegalConsentPatch `json:"legalConsent"`
	DefaultCountry         *string            `json:"defaultCountry"`
	TestMode               *bool              `json:"testMode"`
	AllowedOrigins         []string           `json:"allowedOrigins"`
	AllowedRedirects       []string           `json:"allowedRedirects"`
	SignUpLifetimeSeconds  *int               `json:"signUpLifetimeSeconds"`
	SessionLifetimeSeconds *int               `json:"sessionLifetimeSeconds"`
}

type FieldPatch struct {
	Enabled  *bool `json:"enabled"`
	Required *bool `json:"required"`
}

type AddressPatch struct {
	Enabled        *bool `json:"enabled"`
	Required       *bool `json:"required"`
	VerifyAtSignUp *bool `json:"verifyAtSignUp"`
}

type TextPatch struct {
	Enabled   *bool `json:"enabled"`
	Required  *bool `json:"required"`
	MinLength *int  `json:"minLength"`
	MaxLength *int  `json:"maxLength"`
}

type WalletPatch struct {
	Enabled  *bool   `json:"enabled"`
	Required *bool   `json:"required"`
	ChainIDs []int64 `json:"chainIds"`
}

type LegalConsentPatch struct {
	Enabled         *bool   `json:"enabled"`
	DocumentVersion *string `json:"documentVersion"`
	DocumentURL     *string `json:"documentUrl"`
}

// ParseSettingsPatch reads a settings file. Unknown names are errors.
func ParseSettingsPatch(data []byte) (SettingsPatch, error) {
	var p SettingsPatch
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	err := d.Decode(&p)
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && wrong.Field != "" {
		return p, fmt.Errorf("settings: %s: has the wrong type, a JSON %s", wrong.Field, wrong.Value) // without Go's names
	}
	if errors.Is(err, io.EOF) {
		return p, errors.New("settings: there is no JSON object")
	}
	if err != nil {
		return p, fmt.Errorf("settings: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return p, errors.New("settings: there is text after the JSON object")
	}
	return p, nil
}

func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
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
		if w.ChainIDs != nil {
			s.Web3Wallet.ChainIDs = slices.Clone(w.ChainIDs)
		}
	}
	s.ExternalAccount = s.ExternalAccount.apply(p.ExternalAccount)
	s.Password = s.Password.apply(p.Password)
	s.FirstName = s.FirstName.apply(p.FirstName)
	s.LastName = s.LastName.apply(p.LastName)
	if l := p.LegalConsent; l != nil {
		set(&s.LegalConsent.Enabled, l.Enabled)
		set(&s.LegalConsent.DocumentVersion, l.DocumentVersion)
		set(&s.LegalConsent.DocumentURL, l.DocumentURL)
	}
	if p.DefaultCountry != nil {
		s.DefaultCountry = strings.ToUpper(*p.DefaultCountry)
	}
	set(&s.TestMode, p.TestMode)
	if p.AllowedOrigins != nil {
		s.AllowedOrigins = slices.Clone(p.AllowedOrigins)
	}
	if p.AllowedRedirects != nil {
		s.AllowedRedirects = slices.Clone(p.AllowedRedirects)
	}
	set(&s.SignUpLifetimeSeconds, p.SignUpLifetimeSeconds)
	set(&s.SessionLifetimeSeconds, p.SessionLifetimeSeconds)
	return s
}

func (f FieldSettings) apply(p *FieldPatch) FieldSettings {
	if p != nil {
		set(&f.Enabled, p.Enabled)
		set(&f.Required, p.Required)
	}
	return f
}

func (a AddressSettings) apply(p *AddressPatch) AddressSettings {
	if p != nil {
		set(&a.Enabled, p.Enabled)
		set(&a.Required, p.Required)
		set(&a.VerifyAtSignUp, p.VerifyAtSignUp)
	}
	return a
}

func (t TextSettings) apply(p *TextPatch) TextSettings {
	if p != nil {
		set(&t.Enabled, p.Enabled)
		set(&t.Required, p.Required)
		set(&t.MinLength, p.MinLength)
		set(&t.MaxLength, p.MaxLength)
	}
	return t
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
	if c := s.DefaultCountry; c != "" && !identifier.IsRegion(c) {
		refuse(CodeInvalidFormat, "defaultCountry", "Must be the code of a country, two letters such as US.")
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
	for _, p := range s.ExternalAccount.check() {
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
