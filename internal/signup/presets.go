package signup

// Preset is what is known beforehand of a provider. The zero value is any
// provider of OpenID Connect that is found by its issuer.
type Preset struct {
	Name        string
	DisplayName string
	// Issuer is the provider's; settings may name another, of a tenant of its own.
	Issuer string
	// TenantIssuer, if set, is the issuer of ID tokens when Issuer stands for all
	// tenants: {tenantid} is the token's claim `tid`.
	TenantIssuer string
	Scopes       []string
	// TrustEmail is what a new provider of this preset starts with: whether its
	// word that an address is verified can be relied on.
	TrustEmail bool
	// FormPost: the provider answers by a POST of a form
	// (OAuth 2.0 Form Post Response Mode).
	FormPost bool
	// SignedSecret: the client secret is a JWT (ES256) that the app signs.
	SignedSecret bool
	// The endpoints of a provider without OpenID Connect; else empty.
	AuthorizationURL, TokenURL, UserInfoURL, EmailsURL string
}

// presets are data; what they mean is known to the prover alone.
var presets = []Preset{
	{
		Name: "GOOGLE", DisplayName: "Google", Issuer: "https://accounts.google.com",
		Scopes: []string{"openid", "email", "profile"}, TrustEmail: true,
	},
	{
		// Addresses of Microsoft accounts can be changed without proof, so that
		// trust is for operators to give who know their tenant.
		Name: "MICROSOFT", DisplayName: "Microsoft", Issuer: "https://login.microsoftonline.com/common/v2.0",
		TenantIssuer: "https://login.microsoftonline.com/{tenantid}/v2.0",
		Scopes:       []string{"openid", "email", "profile"},
	},
	{
		Name: "APPLE", DisplayName: "Apple", Issuer: "https://appleid.apple.com",
		Scopes: []string{"openid", "email", "name"}, TrustEmail: true, FormPost: true, SignedSecret: true,
	},
	{
		Name: "GITHUB", DisplayName: "GitHub", Issuer: "https://github.com/login/oauth",
		Scopes: []string{"read:user", "user:email"}, TrustEmail: true,
		AuthorizationURL: "https://github.com/login/oauth/authorize", TokenURL: "https://github.com/login/oauth/access_token",
		UserInfoURL: "https://api.github.com/user", EmailsURL: "https://api.github.com/user/emails",
	},
}

// PresetNames are those that settings may name.
func PresetNames() []string {
	var names []string
	for _, p := range presets {
		names = append(names, p.Name)
	}
	return names
}

// PresetNamed returns the preset of that name; "" is the zero Preset.
func PresetNamed(name string) (Preset, bool) {
	if name == "" {
		return Preset{Scopes: []string{"openid", "email", "profile"}}, true
	}
	for _, p := range presets {
		if p.Name == name {
			return p, true
		}
	}
	return Preset{}, false
}
