package signup

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// AccountSettings are those of external accounts: which providers there are.
type AccountSettings struct {
	Required  bool               `json:"required"`
	Providers []ProviderSettings `json:"providers"`
}

// ProviderSettings are those of one provider. What is empty comes from the preset.
type ProviderSettings struct {
	Name        string `json:"name"`
	Preset      string `json:"preset"`
	Enabled     bool   `json:"enabled"`
	DisplayName string `json:"displayName"`
	Issuer      string `json:"issuer"`
	ClientID    string `json:"clientId"`
	// SealedSecret is the client secret, encrypted under the master key, base64.
	SealedSecret string   `json:"sealedSecret"`
	TeamID       string   `json:"teamId"`
	KeyID        string   `json:"keyId"`
	Scopes       []string `json:"scopes"`
	TrustEmail   bool     `json:"trustEmail"`
}

// AccountPatch changes external accounts. Providers are added or changed by
// their names; others stay.
type AccountPatch struct {
	Required        *bool           `json:"required"`
	Providers       []ProviderPatch `json:"providers"`
	RemoveProviders []string        `json:"removeProviders"`
}

// ProviderPatch changes the provider of that name, or adds it.
type ProviderPatch struct {
	Name         string   `json:"name"`
	Preset       *string  `json:"preset"`
	Enabled      *bool    `json:"enabled"`
	DisplayName  *string  `json:"displayName"`
	Issuer       *string  `json:"issuer"`
	ClientID     *string  `json:"clientId"`
	ClientSecret *string  `json:"clientSecret"`
	TeamID       *string  `json:"teamId"`
	KeyID        *string  `json:"keyId"`
	Scopes       []string `json:"scopes"`
	TrustEmail   *bool    `json:"trustEmail"`
	// ClientSecretEnv names a variable that holds the client secret; in settings
	// files only.
	ClientSecretEnv *string `json:"clientSecretEnv"`

	sealedSecret *string
}

const providerSecretPurpose = "provider secret"

// sealed returns the patch with its secrets encrypted; in clear they go no
// further.
func (p SettingsPatch) sealed(keys *Keys) SettingsPatch {
	p.BotProtection = p.BotProtection.sealed(keys)
	if p.ExternalAccount == nil {
		return p
	}
	account := *p.ExternalAccount
	account.Providers = slices.Clone(account.Providers)
	for i, provider := range account.Providers {
		if provider.ClientSecret == nil {
			continue
		}
		text := ""
		if *provider.ClientSecret != "" {
			text = base64.StdEncoding.EncodeToString(keys.Seal([]byte(*provider.ClientSecret), providerSecretPurpose))
		}
		account.Providers[i].ClientSecret, account.Providers[i].sealedSecret = nil, &text
	}
	p.ExternalAccount = &account
	return p
}

// keepingSecrets returns the settings with the secrets that say what the current ones
// say as they are sealed there: sealed anew they would look like a change.
func (a AccountSettings) keepingSecrets(current AccountSettings, keys *Keys) AccountSettings {
	a.Providers = slices.Clone(a.Providers)
	for i, p := range a.Providers {
		named := slices.IndexFunc(current.Providers, func(s ProviderSettings) bool { return s.Name == p.Name })
		if named < 0 || p.SealedSecret == "" {
			continue
		}
		was, is := keys.openProviderSecret(current.Providers[named].SealedSecret), keys.openProviderSecret(p.SealedSecret)
		if was != "" && hmac.Equal([]byte(was), []byte(is)) {
			a.Providers[i].SealedSecret = current.Providers[named].SealedSecret
		}
	}
	return a
}

// openProviderSecret returns the empty text where there is none to be read.
func (k *Keys) openProviderSecret(text string) string {
	sealed, err := base64.StdEncoding.DecodeString(text)
	if err != nil || text == "" {
		return ""
	}
	secret, err := k.Open(sealed, providerSecretPurpose)
	if err != nil {
		return ""
	}
	return string(secret)
}

// checkKeys returns which of the secrets that the patch gives cannot sign, where the
// provider's preset wants a key. Once sealed, nobody looks at them before the first
// sign-up.
func (p SettingsPatch) checkKeys(next Settings) []Problem {
	var found []Problem
	if p.ExternalAccount == nil {
		return nil
	}
	for i, change := range p.ExternalAccount.Providers {
		named := slices.IndexFunc(next.ExternalAccount.Providers, func(s ProviderSettings) bool { return s.Name == change.Name })
		if named < 0 || change.ClientSecret == nil || *change.ClientSecret == "" {
			continue
		}
		preset, _ := PresetNamed(next.ExternalAccount.Providers[named].Preset)
		if preset.SignedSecret && !isSigningKey(*change.ClientSecret) {
			found = append(found, Problem{Code: CodeInvalidFormat, Field: inputPath("externalAccount", "providers", nameOr(change.Name, i), "clientSecret"),
				Message: "Must be a private key on the curve P-256, PKCS #8 in PEM, as the provider's .p8 file has it."})
		}
	}
	return found
}

func isSigningKey(text string) bool {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return false
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	key, ok := parsed.(*ecdsa.PrivateKey)
	return err == nil && ok && key.Curve == elliptic.P256()
}

func (a AccountSettings) apply(p *AccountPatch) AccountSettings {
	if p == nil {
		return a
	}
	set(&a.Required, p.Required)
	a.Providers = slices.DeleteFunc(slices.Clone(a.Providers), func(s ProviderSettings) bool {
		return slices.Contains(p.RemoveProviders, s.Name)
	})
	for _, change := range p.Providers {
		i := slices.IndexFunc(a.Providers, func(s ProviderSettings) bool { return s.Name == change.Name })
		if i < 0 {
			i = len(a.Providers)
			a.Providers = append(a.Providers, newProvider(change))
		}
		a.Providers[i] = a.Providers[i].apply(change)
	}
	if a.Providers == nil {
		a.Providers = []ProviderSettings{}
	}
	return a
}

// newProvider is enabled, and trusted as far as its preset says.
func newProvider(p ProviderPatch) ProviderSettings {
	s := ProviderSettings{Name: p.Name, Enabled: true, Scopes: []string{}}
	if p.Preset != nil {
		if preset, ok := PresetNamed(*p.Preset); ok {
			s.DisplayName, s.TrustEmail = preset.DisplayName, preset.TrustEmail
		}
	}
	if s.DisplayName == "" {
		s.DisplayName = p.Name
	}
	return s
}

// apply: what was said of one issuer, its secret and the trust in it, is not said of
// another that takes its name.
func (s ProviderSettings) apply(p ProviderPatch) ProviderSettings {
	before := s.issuer()
	set(&s.Preset, p.Preset)
	set(&s.Enabled, p.Enabled)
	set(&s.DisplayName, p.DisplayName)
	set(&s.Issuer, p.Issuer)
	set(&s.ClientID, p.ClientID)
	if before != "" && s.issuer() != before {
		preset, _ := PresetNamed(s.Preset)
		s.SealedSecret, s.TrustEmail = "", preset.TrustEmail
	}
	set(&s.SealedSecret, p.sealedSecret)
	set(&s.TeamID, p.TeamID)
	set(&s.KeyID, p.KeyID)
	set(&s.TrustEmail, p.TrustEmail)
	if p.Scopes != nil {
		s.Scopes = slices.Clone(p.Scopes)
	}
	return s
}

var (
	providerName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,31}$`)
	scopeName    = regexp.MustCompile(`^[\x21\x23-\x5b\x5d-\x7e]{1,128}$`) // RFC 6749 section 3.3
)

// nameOr is a provider's name, or its place where it is none, which is not said back.
func nameOr(name string, place int) string {
	if providerName.MatchString(name) {
		return name
	}
	return strconv.Itoa(place)
}

// check returns what is wrong; the first part of Field is the path of the setting.
func (a AccountSettings) check() []Problem {
	var found []Problem
	refuse := func(code Code, path, message string) {
		found = append(found, Problem{Code: code, Message: message, Field: []string{"externalAccount." + path}})
	}
	if len(a.Providers) > 100 {
		refuse(CodeOutOfRange, "providers", "Must be at most 100 providers.")
	}
	for i, p := range a.Providers {
		at := func(member string) string { return "providers." + nameOr(p.Name, i) + "." + member }
		preset, known := PresetNamed(p.Preset)
		oneLine := func(member, value string, low, high int) {
			if n := len([]rune(value)); n < low || n > high || strings.ContainsFunc(value, isControl) {
				refuse(CodeInvalidFormat, at(member), "Must be "+strconv.Itoa(low)+" to "+strconv.Itoa(high)+" characters on one line.")
			}
		}
		if !providerName.MatchString(p.Name) {
			refuse(CodeInvalidFormat, at("name"), "Must be 1 to 32 small letters, digits, - and _.")
		}
		if !known {
			refuse(CodeInvalidFormat, at("preset"), "Must be one of "+strings.Join(PresetNames(), ", ")+", or left out for any provider of OpenID Connect.")
		}
		oneLine("displayName", p.DisplayName, 1, 60)
		oneLine("clientId", p.ClientID, 1, 255)
		switch {
		case p.Issuer == "" && preset.Issuer == "" && known:
			refuse(CodeEmpty, at("issuer"), "Name the provider's issuer, such as https://accounts.example.com.")
		case p.Issuer != "" && preset.AuthorizationURL != "":
			refuse(CodeInvalidFormat, at("issuer"), "This preset has no issuer to choose.")
		case p.Issuer != "" && !isIssuer(p.Issuer):
			refuse(CodeInvalidFormat, at("issuer"), "Must be an https address (http on this machine only) without query and fragment.")
		}
		if preset.Name != "" && p.SealedSecret == "" {
			refuse(CodeEmpty, at("clientSecret"), "This provider needs a client secret.")
		}
		if preset.SignedSecret {
			oneLine("teamId", p.TeamID, 1, 64)
			oneLine("keyId", p.KeyID, 1, 64)
		}
		if len(p.Scopes) > 20 || slices.ContainsFunc(p.Scopes, func(s string) bool { return !scopeName.MatchString(s) }) {
			refuse(CodeInvalidFormat, at("scopes"), "Must be at most 20 scopes without spaces.")
		}
	}
	return found
}

func isIssuer(s string) bool {
	u, err := url.Parse(s)
	if err != nil || !isRedirect(s) || u.RawQuery != "" || strings.Contains(s, "?") {
		return false
	}
	return u.Scheme == "https" || IsLocalOrigin(u.Scheme+"://"+u.Host)
}

// issuer is whom the provider's name stands for.
func (s ProviderSettings) issuer() string {
	if s.Issuer != "" {
		return s.Issuer
	}
	preset, _ := PresetNamed(s.Preset)
	return preset.Issuer
}

// provider returns the enabled provider of that name, ready to be talked to.
func (s Settings) provider(name string, keys *Keys) (Provider, bool, error) {
	i := slices.IndexFunc(s.ExternalAccount.Providers, func(p ProviderSettings) bool { return p.Name == name && p.Enabled })
	if i < 0 {
		return Provider{}, false, nil
	}
	set := s.ExternalAccount.Providers[i]
	preset, _ := PresetNamed(set.Preset)
	p := Provider{
		Name: set.Name, Issuer: set.issuer(), ClientID: set.ClientID, TeamID: set.TeamID, KeyID: set.KeyID,
		Scopes: preset.Scopes, Preset: preset,
	}
	if set.Issuer != "" {
		p.Preset.TenantIssuer = "" // a tenant of its own has one issuer
	}
	if len(set.Scopes) > 0 {
		p.Scopes = set.Scopes
		if preset.AuthorizationURL == "" && !slices.Contains(p.Scopes, "openid") {
			p.Scopes = append([]string{"openid"}, p.Scopes...)
		}
	}
	if set.SealedSecret == "" {
		return p, true, nil
	}
	sealed, err := base64.StdEncoding.DecodeString(set.SealedSecret)
	if err != nil {
		return p, false, err
	}
	secret, err := keys.Open(sealed, providerSecretPurpose)
	p.ClientSecret = string(secret)
	return p, true, err
}
