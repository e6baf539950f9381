package signup_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"testing"

	"stepwise/engine"
	"stepwise/internal/signup"
)

// providerPatch is a patch that has the providers, in JSON.
func providerPatch(providers ...string) string {
	return `{"externalAccount": {"providers": [` + strings.Join(providers, ", ") + `]}}`
}

// TestProvidersThatAreRefused: what is wrong with each is told by its name, if it has one.
func TestProvidersThatAreRefused(t *testing.T) {
	long := func(n int) string { return strings.Repeat("x", n) }
	plain := func(more string) string {
		return `{"name": "acme", "issuer": "https://acme.example", "clientId": "stepwise"` + more + `}`
	}
	issuer := func(address string) string {
		return `{"name": "acme", "clientId": "stepwise", "issuer": ` + text(t, address) + `}`
	}
	const at = "externalAccount.providers.acme."
	tests := []struct{ provider, want string }{
		{`{"name": "", "issuer": "https://acme.example", "clientId": "x", "displayName": "Acme"}`, "INVALID_FORMAT externalAccount.providers.0.name"},
		{`{"name": "Acme", "issuer": "https://acme.example", "clientId": "x"}`, "INVALID_FORMAT externalAccount.providers.0.name"},
		{`{"name": "ac me", "issuer": "https://acme.example", "clientId": "x"}`, "INVALID_FORMAT externalAccount.providers.0.name"},
		{`{"name": "-acme", "issuer": "https://acme.example", "clientId": "x"}`, "INVALID_FORMAT externalAccount.providers.0.name"},
		{`{"name": "a/../b", "issuer": "https://acme.example", "clientId": "x"}`, "INVALID_FORMAT externalAccount.providers.0.name"},
		{`{"name": "` + long(33) + `", "issuer": "https://acme.example", "clientId": "x"}`, "INVALID_FORMAT externalAccount.providers.0.name"},
		{`{"name": "acme", "issuer": "https://acme.example"}`, "INVALID_FORMAT " + at + "clientId"},
		{plain(`, "clientId": ""`), "INVALID_FORMAT " + at + "clientId"},
		{plain(`, "clientId": "a\nb"`), "INVALID_FORMAT " + at + "clientId"},
		{plain(`, "clientId": "` + long(256) + `"`), "INVALID_FORMAT " + at + "clientId"},
		{plain(`, "displayName": ""`), "INVALID_FORMAT " + at + "displayName"},
		{plain(`, "displayName": "` + long(61) + `"`), "INVALID_FORMAT " + at + "displayName"},
		{plain(`, "displayName": "a\u0000b"`), "INVALID_FORMAT " + at + "displayName"},
		{plain(`, "scopes": ["openid email"]`), "INVALID_FORMAT " + at + "scopes"},
		{plain(`, "scopes": [""]`), "INVALID_FORMAT " + at + "scopes"},
		{plain(`, "scopes": ["say\"it"]`), "INVALID_FORMAT " + at + "scopes"},
		{plain(`, "scopes": ["ä"]`), "INVALID_FORMAT " + at + "scopes"},
		{plain(`, "scopes": ["` + long(129) + `"]`), "INVALID_FORMAT " + at + "scopes"},
		{plain(`, "scopes": ["a"` + strings.Repeat(`, "a"`, 20) + `]`), "INVALID_FORMAT " + at + "scopes"},
		{`{"name": "acme", "clientId": "stepwise"}`, "EMPTY " + at + "issuer"},
		{plain(`, "preset": "FACEBOOK"`), "INVALID_FORMAT " + at + "preset"},
		{plain(`, "preset": "google"`), "INVALID_FORMAT " + at + "preset"},
		{`{"name": "acme", "preset": "GOOGLE", "clientId": "x"}`, "EMPTY " + at + "clientSecret"},
		{`{"name": "acme", "preset": "GOOGLE", "clientId": "x", "clientSecret": ""}`, "EMPTY " + at + "clientSecret"},
		{`{"name": "acme", "preset": "GITHUB", "clientId": "x", "clientSecret": "x", "issuer": "https://github.example"}`, "INVALID_FORMAT " + at + "issuer"},
		{`{"name": "acme", "preset": "APPLE", "clientId": "x", "clientSecret": ` + text(t, signingKey(t, elliptic.P256())) + `}`, "INVALID_FORMAT " + at + "teamId, INVALID_FORMAT " + at + "keyId"},
		{`{"name": "acme", "preset": "APPLE", "clientId": "x", "teamId": "T", "keyId": "K", "clientSecret": "x"}`, "INVALID_FORMAT " + at + "clientSecret"},
		{`{"name": "acme", "preset": "APPLE", "clientId": "x", "teamId": "T", "keyId": "K", "clientSecret": ` + text(t, signingKey(t, elliptic.P384())) + `}`, "INVALID_FORMAT " + at + "clientSecret"},
		{`{"name": "acme", "preset": "APPLE", "clientId": "x", "clientSecret": "x", "teamId": "` + long(65) + `", "keyId": "a\tb"}`, "INVALID_FORMAT " + at + "teamId, INVALID_FORMAT " + at + "keyId, INVALID_FORMAT " + at + "clientSecret"},
	}
	for _, address := range []string{
		"acme.example", "http://acme.example", "https://acme.example?x=y", "https://acme.example?", "https://acme.example#x", "https://user@acme.example",
		"javascript:alert(1)", "https://", "//acme.example", "https://acme.example/ x", `https://acme.example\x`, "http://localhost.evil.example", "http://10.0.0.1",
		"https://acme.example/" + long(512), "ftp://acme.example", "file:///etc/passwd",
	} {
		tests = append(tests, struct{ provider, want string }{issuer(address), "INVALID_FORMAT " + at + "issuer"})
	}
	w := newWorld(t, "")
	for _, test := range tests {
		t.Run(test.provider[:min(len(test.provider), 120)], func(t *testing.T) {
			_, problems, err := w.service.UpdateSettings(t.Context(), w.secret(), patch(t, providerPatch(test.provider)))
			w.must(err)
			var got []string
			for _, p := range problems {
				got = append(got, string(p.Code)+" "+strings.TrimPrefix(strings.Join(p.Field, "."), "input."))
				if p.Field[0] != "input" || !strings.HasSuffix(p.Message, ".") {
					t.Errorf("%v: %q", p.Field, p.Message)
				}
			}
			if got := strings.Join(got, ", "); got != test.want {
				t.Errorf("refused with %q, want %q", got, test.want)
			}
		})
	}
	var many []string
	for i := range 101 {
		many = append(many, fmt.Sprintf(`{"name": "p%d", "issuer": "https://acme.example", "clientId": "x"}`, i))
	}
	for _, test := range []struct{ patch, want string }{
		{providerPatch(many...), "[OUT_OF_RANGE]"},
		{providerPatch(many[:100]...), "[]"},
		{`{"externalAccount": {"required": true}}`, "[REQUIRED_BUT_DISABLED]"},
		{`{"web3Wallet": {"chainIds": []}}`, "[OUT_OF_RANGE]"},
		{`{"web3Wallet": {"chainIds": [0]}}`, "[OUT_OF_RANGE]"},
		{`{"web3Wallet": {"chainIds": [1, -5]}}`, "[OUT_OF_RANGE]"},
		{`{"web3Wallet": {"chainIds": [1` + strings.Repeat(", 1", 50) + `]}}`, "[OUT_OF_RANGE]"},
		{`{"web3Wallet": {"chainIds": [1, 9007199254740991]}}`, "[]"},
		{`{"web3Wallet": {"required": true}}`, "[REQUIRED_BUT_DISABLED]"},
		{`{"allowedRedirects": ["https://app.example.com/in", "/in"]}`, "[INVALID_FORMAT]"},
		{`{"allowedRedirects": ["https://app.example.com/in#here"]}`, "[INVALID_FORMAT]"},
		{`{"allowedRedirects": ["https://*.example.com/in"]}`, "[INVALID_FORMAT]"},
		{`{"allowedRedirects": ["javascript:alert(1)"]}`, "[INVALID_FORMAT]"},
		{`{"allowedRedirects": ["https://user@app.example.com/in"]}`, "[INVALID_FORMAT]"},
		{`{"allowedRedirects": ["https://app.example.com/` + long(512) + `"]}`, "[INVALID_FORMAT]"},
		{`{"allowedRedirects": [` + strings.Repeat(`"https://app.example.com/",`, 100) + `"https://app.example.com/"]}`, "[OUT_OF_RANGE]"},
		{`{"allowedRedirects": ["https://app.example.com", "http://localhost:3000/in?x=y"]}`, "[]"},
	} {
		if got := fmt.Sprint(codesOf(signup.DefaultSettings().Apply(patch(t, test.patch)).Check())); got != test.want {
			t.Errorf("%s: %s, want %s", test.patch[:min(len(test.patch), 90)], got, test.want)
		}
	}
}

// TestProviderDefaults: a provider is enabled, and what its preset says of it is
// not said again; only where the preset knows the provider well is it trusted.
func TestProviderDefaults(t *testing.T) {
	for provider, want := range map[string]string{
		`{"name": "acme", "issuer": "https://acme.example", "clientId": "c"}`: `{"name":"acme","preset":"","enabled":true,"displayName":"acme",` +
			`"issuer":"https://acme.example","clientId":"c","sealedSecret":"","teamId":"","keyId":"","scopes":[],"trustEmail":false}`,
		`{"name": "g", "preset": "GOOGLE", "clientId": "c"}`: `{"name":"g","preset":"GOOGLE","enabled":true,"displayName":"Google",` +
			`"issuer":"","clientId":"c","sealedSecret":"","teamId":"","keyId":"","scopes":[],"trustEmail":true}`,
		`{"name": "m", "preset": "MICROSOFT", "clientId": "c"}`: `{"name":"m","preset":"MICROSOFT","enabled":true,"displayName":"Microsoft",` +
			`"issuer":"","clientId":"c","sealedSecret":"","teamId":"","keyId":"","scopes":[],"trustEmail":false}`,
		`{"name": "a", "preset": "APPLE", "clientId": "c", "trustEmail": false, "enabled": false, "displayName": "Pear", "scopes": ["openid"]}`: `{"name":"a","preset":"APPLE","enabled":false,"displayName":"Pear",` +
			`"issuer":"","clientId":"c","sealedSecret":"","teamId":"","keyId":"","scopes":["openid"],"trustEmail":false}`,
		`{"name": "h", "preset": "GITHUB", "clientId": "c"}`: `{"name":"h","preset":"GITHUB","enabled":true,"displayName":"GitHub",` +
			`"issuer":"","clientId":"c","sealedSecret":"","teamId":"","keyId":"","scopes":[],"trustEmail":true}`,
	} {
		if got := text(t, signup.DefaultSettings().Apply(patch(t, providerPatch(provider))).ExternalAccount.Providers); got != "["+want+"]" {
			t.Errorf("%s becomes\n%s\nwant\n[%s]", provider, got, want)
		}
	}
}

// TestPresets: each can be used with a client id and a secret, and what it means is
// what the prover is given.
func TestPresets(t *testing.T) {
	if got := fmt.Sprint(signup.PresetNames()); got != "[GOOGLE MICROSOFT APPLE GITHUB]" {
		t.Errorf("the presets are %s", got)
	}
	for name, more := range map[string]string{"GOOGLE": "", "MICROSOFT": "", "APPLE": `, "teamId": "T", "keyId": "K"`, "GITHUB": ""} {
		secret := "s"
		if name == "APPLE" {
			secret = signingKey(t, elliptic.P256())
		}
		w := newWorld(t, providerPatch(`{"name": "it", "preset": "`+name+`", "clientId": "c", "clientSecret": `+text(t, secret)+more+`}`))
		asked := w.provider("it")
		preset, _ := signup.PresetNamed(name)
		if asked.Issuer != preset.Issuer || asked.ClientSecret != secret || !reflect.DeepEqual(asked.Scopes, preset.Scopes) || !reflect.DeepEqual(asked.Preset, preset) {
			t.Errorf("%s: the prover is given %+v", name, asked)
		}
	}
	for what, test := range map[string]struct {
		more, issuer, tenant, scopes string
	}{
		"a tenant of its own": {`"preset": "MICROSOFT", "clientSecret": "s", "issuer": "https://login.microsoftonline.com/t/v2.0"`, "https://login.microsoftonline.com/t/v2.0", "", "[openid email profile]"},
		"all tenants":         {`"preset": "MICROSOFT", "clientSecret": "s"`, "https://login.microsoftonline.com/common/v2.0", "https://login.microsoftonline.com/{tenantid}/v2.0", "[openid email profile]"},
		"scopes":              {`"issuer": "https://acme.example", "scopes": ["openid", "x:y"]`, "https://acme.example", "", "[openid x:y]"},
		"scopes without it":   {`"issuer": "https://acme.example", "scopes": ["x:y"]`, "https://acme.example", "", "[openid x:y]"},
		"scopes of no OpenID": {`"preset": "GITHUB", "clientSecret": "s", "scopes": ["read:org"]`, "https://github.com/login/oauth", "", "[read:org]"},
		"this machine":        {`"issuer": "http://127.0.0.1:9000/"`, "http://127.0.0.1:9000/", "", "[openid email profile]"},
	} {
		w := newWorld(t, providerPatch(`{"name": "it", "clientId": "c", `+test.more+`}`))
		asked := w.provider("it")
		if asked.Issuer != test.issuer || asked.Preset.TenantIssuer != test.tenant || fmt.Sprint(asked.Scopes) != test.scopes {
			t.Errorf("%s: the prover is given %+v", what, asked)
		}
	}
}

// signingKey is a private key as Apple hands it out.
func signingKey(t *testing.T, curve elliptic.Curve) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	data, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: data}))
}

// provider is what the prover is given when somebody goes to the provider.
func (w *world) provider(name string) (given signup.Provider) {
	w.Helper()
	c := &client{world: w, service: w.process(func(c *signup.Config) { c.Accounts = seenProvider{w.accounts, &given} })}
	wantProblems(w, c.create(signup.Input{Start: []signup.Start{oauth(name)}}))
	return given
}

type seenProvider struct {
	signup.AccountProver
	seen *signup.Provider
}

func (s seenProvider) AuthorizationURL(p signup.Provider, endpoint string, r signup.AuthorizationRequest) string {
	*s.seen = p
	return s.AccountProver.AuthorizationURL(p, endpoint, r)
}

// TestProvidersArePatched by their names: added, changed, removed; others, and
// what is not named, stay as they are.
func TestProvidersArePatched(t *testing.T) {
	w := newWorld(t, `{`+providerSettings+`}`)
	read := func() map[string]signup.ProviderSettings {
		t.Helper()
		s, err := w.service.Settings(t.Context(), w.secret())
		w.must(err)
		all := map[string]signup.ProviderSettings{}
		for _, p := range s.ExternalAccount.Providers {
			all[p.Name] = p
		}
		return all
	}
	before := read()
	for _, test := range []struct {
		patch string
		want  func(map[string]signup.ProviderSettings)
	}{
		{`{"name": "acme", "displayName": "Acme"}`, func(all map[string]signup.ProviderSettings) {
			all["acme"] = with(all["acme"], func(p *signup.ProviderSettings) { p.DisplayName = "Acme" })
		}},
		{`{"name": "acme", "trustEmail": false}`, func(all map[string]signup.ProviderSettings) {
			all["acme"] = with(all["acme"], func(p *signup.ProviderSettings) { p.TrustEmail = false })
		}},
		{`{"name": "acme", "scopes": ["openid"]}`, func(all map[string]signup.ProviderSettings) {
			all["acme"] = with(all["acme"], func(p *signup.ProviderSettings) { p.Scopes = []string{"openid"} })
		}},
		{`{"name": "acme", "enabled": false}`, func(all map[string]signup.ProviderSettings) {
			all["acme"] = with(all["acme"], func(p *signup.ProviderSettings) { p.Enabled = false })
		}},
		{`{"name": "acme", "issuer": "https://acme.test", "clientId": "other"}`, func(all map[string]signup.ProviderSettings) {
			all["acme"] = with(all["acme"], func(p *signup.ProviderSettings) {
				p.Issuer, p.ClientID, p.SealedSecret = "https://acme.test", "other", "" // it was told to another
			})
		}},
		{`{"name": "acme", "clientSecret": ""}`, func(all map[string]signup.ProviderSettings) {
			all["acme"] = with(all["acme"], func(p *signup.ProviderSettings) { p.SealedSecret = "" })
		}},
		{`{"name": "third", "issuer": "https://third.example", "clientId": "c"}`, func(all map[string]signup.ProviderSettings) {
			all["third"] = signup.ProviderSettings{Name: "third", Enabled: true, DisplayName: "third", Issuer: "https://third.example", ClientID: "c", Scopes: []string{}}
		}},
		{`{"name": "forum"}`, func(map[string]signup.ProviderSettings) {}},
	} {
		w.set(providerPatch(test.patch))
		test.want(before)
		if after := read(); !reflect.DeepEqual(after, before) {
			t.Fatalf("after %s they are\n%+v\nwant\n%+v", test.patch, after, before)
		}
	}
	w.set(`{"externalAccount": {"removeProviders": ["forum", "nobody"]}}`)
	delete(before, "forum")
	if after := read(); !reflect.DeepEqual(after, before) {
		t.Errorf("after the removal they are %+v", after)
	}
	// Removed and added at once, it begins anew: the former secret is not its own.
	w.set(providerPatch(`{"name": "acme", "clientSecret": "kept?"}`))
	w.set(`{"externalAccount": {"removeProviders": ["acme"], "providers": [{"name": "acme", "issuer": "https://acme.example", "clientId": "c"}]}}`)
	if acme := read()["acme"]; acme.SealedSecret != "" || acme.TrustEmail || !acme.Enabled {
		t.Errorf("begun anew it is %+v", acme)
	}
}

func with(p signup.ProviderSettings, change func(*signup.ProviderSettings)) signup.ProviderSettings {
	change(&p)
	return p
}

// TestProviderSecretIsWriteOnly: it is in the database under the master key, and
// nowhere else.
func TestProviderSecretIsWriteOnly(t *testing.T) {
	const secret = "the-secret-of-acme-canary"
	w := newWorld(t, "")
	saved := w.set(providerPatch(`{"name": "acme", "issuer": "https://acme.example", "clientId": "c", "clientSecret": "` + secret + `"}`))
	again, err := w.service.Settings(t.Context(), w.secret())
	w.must(err)
	for place, content := range map[string]string{
		"the answer": fmt.Sprintf("%+v", saved), "the answer as JSON": text(t, saved), "the settings": text(t, again), "the database": w.databaseBytes(),
	} {
		if strings.Contains(content, secret) || strings.Contains(content, base64.StdEncoding.EncodeToString([]byte(secret))) {
			t.Errorf("%s has the secret", place)
		}
	}
	if got := w.provider("acme").ClientSecret; got != secret {
		t.Errorf("the prover is given %q", got)
	}
	// It is kept where a change does not name it, and another one takes its place.
	w.set(providerPatch(`{"name": "acme", "displayName": "Acme"}`))
	if got := w.provider("acme").ClientSecret; got != secret {
		t.Errorf("after another change the prover is given %q", got)
	}
	w.set(providerPatch(`{"name": "acme", "clientSecret": "another"}`))
	if got := w.provider("acme").ClientSecret; got != "another" {
		t.Errorf("after its change the prover is given %q", got)
	}
	w.set(providerPatch(`{"name": "acme", "clientSecret": ""}`))
	if got := w.provider("acme").ClientSecret; got != "" {
		t.Errorf("after its removal the prover is given %q", got)
	}
	// What is sealed elsewhere cannot be put in its place: the name is not known.
	if _, err := signup.ParseSettingsPatch([]byte(providerPatch(`{"name": "acme", "sealedSecret": "x"}`))); err == nil {
		t.Error("a sealed secret is taken from the outside")
	}
}

// TestProviderSecretUnderAnotherKey: after a change of APP_KEY nobody is sent to
// the provider, the log says why, and everything else works.
func TestProviderSecretUnderAnotherKey(t *testing.T) {
	const secret = "the-secret-of-acme-canary"
	w := newWorld(t, providerPatch(`{"name": "acme", "issuer": "https://acme.example", "clientId": "c", "clientSecret": "`+secret+`"}`,
		`{"name": "forum", "issuer": "https://forum.example", "clientId": "c"}`))
	other, err := signup.NewKeys([]byte("a second master key for tests, as long as it"))
	w.must(err)
	log := &lines{}
	c := &client{world: w, service: w.process(func(c *signup.Config) {
		c.Keys, c.Logger = other, slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})}
	p, err := c.service.Authenticate(t.Context(), signup.Credentials{PublishableKey: w.first.PublishableKey})
	w.must(err)
	out, err := c.service.Create(t.Context(), p, signup.Input{Start: []signup.Start{oauth("acme")}})
	w.must(err)
	wantProblems(t, out, signup.Code(signup.ProviderUnavailable))
	if got := strings.Join(out.Problems[0].Field, "."); got != "input.startVerifications.0.provider" {
		t.Errorf("the problem is at %s", got)
	}
	if !strings.Contains(log.String(), "acme") || !strings.Contains(log.String(), "APP_KEY") || strings.Contains(log.String(), secret) {
		t.Errorf("the log has\n%s", log)
	}
	out, err = c.service.Create(t.Context(), p, signup.Input{Start: []signup.Start{oauth("forum")}})
	w.must(err)
	wantProblems(t, out)
	wantVerification(t, out, engine.ExternalAccount, engine.VerificationUnverified, "")
}

// TestAnotherIssuerIsNotTrustedUnasked: a name that is given to another provider
// brings neither the former one's secret nor the trust in it.
func TestAnotherIssuerIsNotTrustedUnasked(t *testing.T) {
	trusted := `{"name": "it", "issuer": "https://one.example", "clientId": "c", "clientSecret": "s", "trustEmail": true}`
	for change, want := range map[string]bool{ // still trusted, and with a secret
		`{"name": "it", "displayName": "It"}`:                                                           true,
		`{"name": "it", "issuer": "https://one.example"}`:                                               true,
		`{"name": "it", "issuer": "https://two.example"}`:                                               false,
		`{"name": "it", "issuer": "https://two.example", "trustEmail": true, "clientSecret": "t"}`:      true,
		`{"name": "it", "issuer": "", "preset": "MICROSOFT", "clientSecret": "s", "trustEmail": false}`: false,
	} {
		w := newWorld(t, providerPatch(trusted))
		it := w.set(providerPatch(change)).ExternalAccount.Providers[0]
		if it.TrustEmail != want || want && it.SealedSecret == "" || strings.Contains(change, "two") && !want && it.SealedSecret != "" {
			t.Errorf("after %s it is %+v", change, it)
		}
	}
}

// TestProvidersNeedAnAddressToComeBackTo: the operator is told, except in
// development, where this machine's addresses are allowed.
func TestProvidersNeedAnAddressToComeBackTo(t *testing.T) {
	w := newWorld(t, withCorp)
	for _, test := range []struct {
		development bool
		patch       string
		warned      bool
	}{
		{true, `{"allowedRedirects": []}`, false},
		{false, `{"allowedRedirects": []}`, true},
		{false, `{"allowedRedirects": ["https://app.example.com/back"]}`, false},
		{false, `{"allowedRedirects": [], "externalAccount": {"providers": [{"name": "corp", "enabled": false}]}}`, false},
	} {
		w.config.Development = test.development
		w.service = signup.New(w.config)
		w.set(test.patch)
		settings, err := w.service.Settings(t.Context(), w.secret())
		w.must(err)
		warned := slices.ContainsFunc(settings.Warnings, func(f engine.Finding) bool {
			return f.Code == "NO_ALLOWED_REDIRECT" && f.Path == "allowedRedirects"
		})
		if warned != test.warned {
			t.Errorf("development %t, %s: warned %t, want %t", test.development, test.patch, warned, test.warned)
		}
	}
}
