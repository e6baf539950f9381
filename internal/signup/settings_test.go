package signup_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"database/sql"

	"stepwise/engine"
	"stepwise/internal/signup"
	"stepwise/internal/store/sqlstore"
)

// TestDefaultSettingsWork: they are what the design says, and need no change.
func TestDefaultSettingsWork(t *testing.T) {
	s := signup.DefaultSettings()
	if found := s.Check(); len(found) > 0 {
		t.Errorf("they are refused: %v", found)
	}
	if w := s.Requirements().Warnings(engine.Capabilities{SendEmail: true}); len(w) > 0 {
		t.Errorf("they are warned of: %v", w)
	}
	const want = `{"progressiveSignUp":true,"signUpMode":"PUBLIC","appName":"My app",` +
		`"emailAddress":{"enabled":true,"required":true,"verifyAtSignUp":true,"strategies":["EMAIL_CODE","EMAIL_LINK"],"allowSubaddresses":true},` +
		`"phoneNumber":{"enabled":false,"required":false,"verifyAtSignUp":true,"countries":[]},` +
		`"username":{"enabled":false,"required":false,"minLength":3,"maxLength":64,"reserved":[]},` +
		`"web3Wallet":{"enabled":false,"required":false,"chainIds":[1]},"externalAccount":{"required":false,"providers":[]},` +
		`"password":{"enabled":true,"required":true,"minLength":8,"maxLength":256,"rejectCommon":true,"rejectContext":true,"rejectBreached":false},` +
		`"firstName":{"enabled":true,"required":false},"lastName":{"enabled":true,"required":false},` +
		`"legalConsent":{"enabled":false,"documentVersion":"1","documentUrl":"","documents":[]},` +
		`"restrictions":{"allowlist":[],"blocklist":[]},"botProtection":{"provider":"NONE","siteKey":"","sealedSecret":""},"enumerationProtection":false,` +
		`"sendingLimits":{"perAddressPerHour":5,"emailsPerDay":100000,"textMessagesPerDay":5000,"textMessagesPerRangePerHour":60},` +
		`"defaultCountry":"","testMode":false,"allowedOrigins":[],"allowedRedirects":[],"signUpLifetimeSeconds":86400,"sessionLifetimeSeconds":604800,` +
		`"codeLifetimeSeconds":600,"resendIntervalSeconds":30,"invitationLifetimeSeconds":2592000,"defaultLocale":"en"}`
	if got := text(t, s); got != want {
		t.Errorf("they are\n%s\nwant\n%s", got, want)
	}
}

// TestPatchChangesWhatItNames: each setting can be changed alone, and nothing
// else changes with it.
func TestPatchChangesWhatItNames(t *testing.T) {
	for path, value := range map[string]string{
		"progressiveSignUp": "false", "signUpMode": `"RESTRICTED"`, "appName": `"Otters"`,
		"emailAddress.enabled": "false", "emailAddress.required": "false", "emailAddress.verifyAtSignUp": "false",
		"phoneNumber.enabled": "true", "phoneNumber.required": "true", "phoneNumber.verifyAtSignUp": "false",
		"username.enabled": "true", "username.required": "true", "username.minLength": "5", "username.maxLength": "50",
		"web3Wallet.enabled": "true", "web3Wallet.required": "true", "web3Wallet.chainIds": "[10,8453]",
		"externalAccount.required": "true",
		"password.enabled":         "false", "password.required": "false", "password.minLength": "12", "password.maxLength": "100",
		"firstName.enabled": "false", "firstName.required": "true", "lastName.enabled": "false", "lastName.required": "true",
		"legalConsent.enabled": "true", "legalConsent.documentVersion": `"2"`, "legalConsent.documentUrl": `"https://example.com/terms"`,
		"legalConsent.documents": `[{"name":"Terms","url":"https://example.com/terms"}]`,
		"defaultCountry":         `"DE"`, "testMode": "true", "allowedOrigins": `["https://example.com"]`, "allowedRedirects": `["https://example.com/in"]`,
		"signUpLifetimeSeconds": "3600", "sessionLifetimeSeconds": "7200",
		"restrictions.allowlist": `["example.com"]`, "restrictions.blocklist": `["*.example.com"]`,
		"emailAddress.allowSubaddresses": "false", "phoneNumber.countries": `["DE"]`, "username.reserved": `["admin"]`,
		"sendingLimits.perAddressPerHour": "6", "sendingLimits.emailsPerDay": "7", "sendingLimits.textMessagesPerDay": "8",
		"sendingLimits.textMessagesPerRangePerHour": "9",
		"codeLifetimeSeconds":                       "300", "resendIntervalSeconds": "60", "invitationLifetimeSeconds": "86400",
		"defaultLocale":           `"es"`,
		"emailAddress.strategies": `["EMAIL_LINK"]`,
		"password.rejectCommon":   "false", "password.rejectContext": "false", "password.rejectBreached": "true",
		"botProtection.provider": `"HCAPTCHA"`, "botProtection.siteKey": `"site-key"`,
	} {
		t.Run(path, func(t *testing.T) {
			body := value
			steps := strings.Split(path, ".")
			for i := len(steps) - 1; i >= 0; i-- {
				body = `{"` + steps[i] + `": ` + body + `}`
			}
			before, after := leaves(t, signup.DefaultSettings()), leaves(t, signup.DefaultSettings().Apply(patch(t, body)))
			for name, was := range before {
				is := after[name]
				if name == path {
					if is != value {
						t.Errorf("it is %s, want %s", is, value)
					}
				} else if is != was {
					t.Errorf("%s was %s and is %s", name, was, is)
				}
			}
			if before[path] == "" || before[path] == value {
				t.Errorf("the default is %q: nothing was tested", before[path])
			}
		})
	}
	if n := len(leaves(t, signup.DefaultSettings())); n != 57 { // the providers have a test of their own
		t.Errorf("there are %d settings; is each tested?", n)
	}
	defaults := signup.DefaultSettings()
	if got := defaults.Apply(signup.SettingsPatch{}); !reflect.DeepEqual(got, defaults) {
		t.Error("an empty patch changes something")
	}
}

// leaves are the settings by their paths.
func leaves(t *testing.T, s signup.Settings) map[string]string {
	t.Helper()
	var tree map[string]any
	if err := json.Unmarshal([]byte(text(t, s)), &tree); err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for name, value := range tree {
		if inner, ok := value.(map[string]any); ok {
			for below, value := range inner {
				all[name+"."+below] = text(t, value)
			}
			continue
		}
		all[name] = text(t, value)
	}
	return all
}

// TestPatchIsCopied: what the caller does with its list later is its own affair.
func TestPatchIsCopied(t *testing.T) {
	p := signup.SettingsPatch{AllowedOrigins: []string{"https://example.com"}}
	s := signup.DefaultSettings().Apply(p)
	p.AllowedOrigins[0] = "https://evil.example"
	if s.AllowedOrigins[0] != "https://example.com" {
		t.Error("the settings share the caller's list")
	}
}

func TestSettingsThatAreRefused(t *testing.T) {
	long := strings.Repeat("x", 65)
	for _, test := range []struct{ patch, want string }{
		{`{"emailAddress": {"enabled": false, "required": false}}`, "NO_IDENTIFIER emailAddress.enabled"},
		{`{"emailAddress": {"enabled": false}, "username": {"enabled": true}}`, "REQUIRED_BUT_DISABLED emailAddress.required"},
		{`{"phoneNumber": {"required": true}}`, "REQUIRED_BUT_DISABLED phoneNumber.required"},
		{`{"progressiveSignUp": false, "web3Wallet": {"enabled": true}, "firstName": {"required": true}, "password": {"required": false}, "emailAddress": {"required": false}}`, "FEATURE_REQUIRES_PROGRESSIVE_SIGN_UP firstName.required"},
		{`{"password": {"enabled": false, "required": false}, "emailAddress": {"verifyAtSignUp": false}}`, "NO_WAY_BACK password.enabled"},
		{`{"username": {"minLength": 0}}`, "OUT_OF_RANGE username.minLength"},
		{`{"username": {"minLength": 10, "maxLength": 9}}`, "OUT_OF_RANGE username.maxLength"},
		{`{"username": {"minLength": 65, "maxLength": 65}}`, "OUT_OF_RANGE username.minLength, OUT_OF_RANGE username.maxLength"},
		{`{"username": {"maxLength": -1}}`, "OUT_OF_RANGE username.maxLength"},
		{`{"password": {"minLength": 7}}`, "OUT_OF_RANGE password.minLength"},
		{`{"password": {"minLength": 65}}`, "OUT_OF_RANGE password.minLength"},
		{`{"password": {"maxLength": 63}}`, "OUT_OF_RANGE password.maxLength"},
		{`{"password": {"maxLength": 257}}`, "OUT_OF_RANGE password.maxLength"},
		{`{"signUpLifetimeSeconds": 59}`, "OUT_OF_RANGE signUpLifetimeSeconds"},
		{`{"signUpLifetimeSeconds": 604801}`, "OUT_OF_RANGE signUpLifetimeSeconds"},
		{`{"sessionLifetimeSeconds": 0}`, "OUT_OF_RANGE sessionLifetimeSeconds"},
		{`{"sessionLifetimeSeconds": 34560001}`, "OUT_OF_RANGE sessionLifetimeSeconds"},
		{`{"codeLifetimeSeconds": 59}`, "OUT_OF_RANGE codeLifetimeSeconds"},
		{`{"codeLifetimeSeconds": 3601}`, "OUT_OF_RANGE codeLifetimeSeconds"},
		{`{"resendIntervalSeconds": 9}`, "OUT_OF_RANGE resendIntervalSeconds"},
		{`{"resendIntervalSeconds": 601}`, "OUT_OF_RANGE resendIntervalSeconds"},
		{`{"codeLifetimeSeconds": 89, "resendIntervalSeconds": 90}`, "OUT_OF_RANGE resendIntervalSeconds"},
		{`{"codeLifetimeSeconds": 60, "resendIntervalSeconds": 601}`, "OUT_OF_RANGE resendIntervalSeconds"},
		{`{"codeLifetimeSeconds": 59, "resendIntervalSeconds": 600}`, "OUT_OF_RANGE codeLifetimeSeconds"},
		{`{"invitationLifetimeSeconds": 59}`, "OUT_OF_RANGE invitationLifetimeSeconds"},
		{`{"invitationLifetimeSeconds": 31536001}`, "OUT_OF_RANGE invitationLifetimeSeconds"},
		{`{"emailAddress": {"strategies": []}}`, "OUT_OF_RANGE emailAddress.strategies"},
		{`{"emailAddress": {"strategies": ["EMAIL_CODE", "PHONE_CODE"]}}`, "INVALID_FORMAT emailAddress.strategies"},
		{`{"emailAddress": {"strategies": ["email_code"]}}`, "INVALID_FORMAT emailAddress.strategies"},
		{`{"botProtection": {"provider": "RECAPTCHA"}}`, "INVALID_FORMAT botProtection.provider"},
		{`{"botProtection": {"provider": ""}}`, "INVALID_FORMAT botProtection.provider"},
		{`{"botProtection": {"provider": "TURNSTILE"}}`, "INVALID_FORMAT botProtection.siteKey, EMPTY botProtection.secretKey"},
		{`{"botProtection": {"provider": "HCAPTCHA", "siteKey": "a\nb"}}`, "INVALID_FORMAT botProtection.siteKey, EMPTY botProtection.secretKey"},
		{`{"botProtection": {"siteKey": "` + strings.Repeat(long, 4) + `"}}`, "INVALID_FORMAT botProtection.siteKey"},
		{`{"signUpMode": "OPEN"}`, "INVALID_FORMAT signUpMode"},
		{`{"appName": ""}`, "INVALID_FORMAT appName"},
		{`{"appName": "  "}`, "INVALID_FORMAT appName"},
		{`{"appName": "a\nb"}`, "INVALID_FORMAT appName"},
		{`{"appName": "` + long + `"}`, "INVALID_FORMAT appName"},
		{`{"legalConsent": {"documentVersion": ""}}`, "INVALID_FORMAT legalConsent.documentVersion"},
		{`{"legalConsent": {"documentVersion": "` + long + `"}}`, "INVALID_FORMAT legalConsent.documentVersion"},
		{`{"legalConsent": {"documentUrl": "javascript:alert(1)"}}`, "INVALID_FORMAT legalConsent.documentUrl"},
		{`{"legalConsent": {"documents": [{"name": "Terms", "url": "/terms"}]}}`, "INVALID_FORMAT legalConsent.documents"},
		{`{"legalConsent": {"documents": [{"name": "", "url": "https://example.com/terms"}]}}`, "INVALID_FORMAT legalConsent.documents"},
		{`{"legalConsent": {"documentUrl": "/terms"}}`, "INVALID_FORMAT legalConsent.documentUrl"},
		{`{"legalConsent": {"documentUrl": "https://user:pass@example.com/"}}`, "INVALID_FORMAT legalConsent.documentUrl"},
		{`{"defaultCountry": "DEU"}`, "INVALID_FORMAT defaultCountry"},
		{`{"defaultCountry": "1"}`, "INVALID_FORMAT defaultCountry"},
		{`{"defaultLocale": ""}`, "INVALID_FORMAT defaultLocale"},
		{`{"defaultLocale": "de"}`, "INVALID_FORMAT defaultLocale"},
		{`{"defaultLocale": "es-MX"}`, "INVALID_FORMAT defaultLocale"},
		{`{"allowedOrigins": ["https://example.com/"]}`, "INVALID_FORMAT allowedOrigins.0"},
		{`{"allowedOrigins": ["https://example.com", "https://EXAMPLE.com"]}`, "INVALID_FORMAT allowedOrigins.1"},
		{`{"allowedOrigins": ["null"]}`, "INVALID_FORMAT allowedOrigins.0"},
		{`{"allowedOrigins": ["ftp://example.com"]}`, "INVALID_FORMAT allowedOrigins.0"},
		{`{"allowedOrigins": ["*"]}`, "INVALID_FORMAT allowedOrigins.0"},
		{`{"allowedOrigins": [` + strings.Repeat(`"https://example.com",`, 100) + `"https://example.com"]}`, "OUT_OF_RANGE allowedOrigins"},
		{`{"appName": "", "password": {"minLength": 1}, "defaultCountry": "X", "signUpMode": ""}`,
			"OUT_OF_RANGE password.minLength, INVALID_FORMAT signUpMode, INVALID_FORMAT appName, INVALID_FORMAT defaultCountry"},
	} {
		t.Run(test.patch[:min(len(test.patch), 90)], func(t *testing.T) {
			var got []string
			for _, p := range signup.DefaultSettings().Apply(patch(t, test.patch)).Check() {
				got = append(got, string(p.Code)+" "+strings.Join(p.Field[1:], "."))
				if p.Field[0] != "input" || !strings.HasSuffix(p.Message, ".") {
					t.Errorf("%v: %q", p.Field, p.Message)
				}
			}
			if got := strings.Join(got, ", "); got != test.want {
				t.Errorf("refused with %q, want %q", got, test.want)
			}
		})
	}
}

func TestSettingsThatAreTaken(t *testing.T) {
	for _, p := range []string{
		`{}`, `{"username": {"minLength": 64, "maxLength": 64}}`, `{"password": {"minLength": 64, "maxLength": 64}}`,
		`{"signUpLifetimeSeconds": 60, "sessionLifetimeSeconds": 60}`, `{"signUpLifetimeSeconds": 604800, "sessionLifetimeSeconds": 34560000}`,
		`{"appName": "` + strings.Repeat("ä", 60) + `"}`, `{"defaultCountry": "de"}`, `{"defaultCountry": ""}`, `{"defaultLocale": "es"}`,
		`{"legalConsent": {"documentUrl": ""}}`, `{"allowedOrigins": []}`, `{"allowedOrigins": ["http://localhost:3000", "https://app.example.com"]}`,
		`{"codeLifetimeSeconds": 60, "resendIntervalSeconds": 10, "invitationLifetimeSeconds": 60}`, `{"codeLifetimeSeconds": 90, "resendIntervalSeconds": 90}`,
		`{"codeLifetimeSeconds": 3600, "resendIntervalSeconds": 600, "invitationLifetimeSeconds": 31536000}`,
		`{"emailAddress": {"strategies": ["EMAIL_LINK"]}}`, `{"botProtection": {"siteKey": "kept for later"}}`, `{"botProtection": {"siteKey": ""}}`,
		`{"expectedVersion": 7}`, `{"emailAddress": {}}`, `{"emailAddress": null, "appName": null, "allowedOrigins": null}`,
	} {
		if found := signup.DefaultSettings().Apply(patch(t, p)).Check(); len(found) > 0 {
			t.Errorf("%s is refused: %v", p, found)
		}
	}
}

// TestSettingsFile: a name that is misspelt is not passed over.
func TestSettingsFile(t *testing.T) {
	for name, file := range map[string]string{
		"an unknown name": `{"progresiveSignUp": true}`, "an unknown name below": `{"emailAddress": {"verify": true}}`,
		"a wrong type": `{"testMode": "yes"}`, "a list": `[]`, "nothing": ``, "no JSON": `progressiveSignUp: true`,
		"two objects": `{} {}`, "text after it": `{} and more`, "a fraction": `{"signUpLifetimeSeconds": 1.5}`, "cut": `{"testMode": true`,
	} {
		if p, err := signup.ParseSettingsPatch([]byte(file)); err == nil {
			t.Errorf("%s: read as %+v", name, p)
		}
	}
	for file, want := range map[string]string{
		`{"externalAccount": {"providers": [{"name": "acme", "clientSecret": 5}]}}`: "settings: externalAccount.providers.0.clientSecret: has the wrong type, a JSON number",
		`{"externalAccount": {"providers": {}}}`:                                    "settings: externalAccount.providers: has the wrong type, a JSON object",
		``:                                                                          "settings: there is no JSON object",
	} {
		if _, err := signup.ParseSettingsPatch([]byte(file)); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", file, err, want)
		}
	}
	p, err := signup.ParseSettingsPatch([]byte(" {\"progressiveSignUp\": false}\n"))
	if err != nil || p.ProgressiveSignUp == nil || *p.ProgressiveSignUp {
		t.Errorf("read as %+v, %v", p, err)
	}
}

func TestFirstStart(t *testing.T) {
	w := newWorld(t, "")
	ensure := func(b signup.Bootstrap) (signup.FirstInstance, error) {
		return signup.EnsureFirstInstance(t.Context(), w.directory, w.keys, b, w.clock.now())
	}
	again, err := ensure(signup.Bootstrap{Settings: patch(t, `{"testMode": true}`)})
	w.must(err)
	if again.Created || again.ID != w.first.ID || again.SecretKey != w.first.SecretKey || again.PublishableKey != w.first.PublishableKey {
		t.Errorf("the second start has %+v", again)
	}
	if s, err := w.service.Settings(t.Context(), w.secret()); err != nil || s.TestMode || s.Version != 1 {
		t.Errorf("the second start changed the settings: version %d, %v", s.Version, err)
	}
	for name, b := range map[string]signup.Bootstrap{
		"another secret key":      {SecretKey: "sk_another"},
		"another publishable key": {PublishableKey: "pk_another"},
		"settings that are wrong": {Settings: patch(t, `{"password": {"minLength": 1}}`)},
	} {
		if _, err := ensure(b); err == nil || strings.Contains(err.Error(), "sk_") {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err = ensure(signup.Bootstrap{Settings: patch(t, `{"allowedRedirects": ["*"], "web3Wallet": {"chainIds": []}}`)})
	for _, name := range []string{"SETTINGS_FILE: allowedRedirects.0: ", "SETTINGS_FILE: web3Wallet.chainIds: "} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("of two settings that are wrong, %s is not named: %v", name, err)
		}
	}
	other, err := signup.NewKeys([]byte(strings.Repeat("another ", 8)))
	w.must(err)
	if _, err := signup.EnsureFirstInstance(t.Context(), w.directory, other, signup.Bootstrap{}, w.clock.now()); err == nil || !strings.Contains(err.Error(), "APP_KEY") {
		t.Errorf("another master key: %v", err)
	}
}

// TestLaterStartsDoNotJudgeTheFile: the instance has its settings, and a deployment that
// has lost its sender of text messages must come up all the same.
func TestLaterStartsDoNotJudgeTheFile(t *testing.T) {
	const file = `{"phoneNumber": {"enabled": true, "required": true}}`
	w := newWorld(t, file)
	start := signup.Bootstrap{Settings: patch(t, file), Can: &engine.Capabilities{SendEmail: true, ProveAccount: true, ProveWallet: true}}
	again, err := signup.EnsureFirstInstance(t.Context(), w.directory, w.keys, start, w.clock.now())
	w.must(err)
	if again.ID != w.first.ID {
		t.Errorf("the second start has %+v", again)
	}
	empty, err := sqlstore.Open(t.Context(), sqlstore.Options{URL: filepath.Join(t.TempDir(), "empty.db"), Now: w.clock.now})
	w.must(err)
	defer empty.Close()
	if _, err := signup.EnsureFirstInstance(t.Context(), empty, w.keys, start, w.clock.now()); err == nil || !strings.Contains(err.Error(), "WAY_IMPOSSIBLE") {
		t.Errorf("the first start: %v", err)
	}
}

// TestExpectedVersion: an administrator who looked at an older version is told.
func TestExpectedVersion(t *testing.T) {
	w := newWorld(t, "")
	if v := w.set(`{"expectedVersion": 1, "testMode": true}`).Version; v != 2 {
		t.Errorf("the version is %d", v)
	}
	saved, problems, err := w.service.UpdateSettings(t.Context(), w.secret(), patch(t, `{"expectedVersion": 1, "appName": "Otters"}`))
	w.must(err)
	if len(problems) != 1 || problems[0].Code != "STALE_VERSION" || text(t, problems[0].Field) != `["input","expectedVersion"]` || saved.Version != 2 || saved.AppName != "My app" {
		t.Errorf("version %d, problems %v", saved.Version, problems)
	}
	if v := w.set(`{"testMode": true}`).Version; v != 2 {
		t.Errorf("a change that changes nothing makes version %d", v)
	}
	w.clock.advance(time.Minute)
	if s := w.set(`{"testMode": false}`); s.Version != 3 || !s.UpdatedAt.Equal(w.clock.now()) || s.UpdatedBy == "" {
		t.Errorf("version %d by %q at %v", s.Version, s.UpdatedBy, s.UpdatedAt)
	}
	_, problems, err = w.service.UpdateSettings(t.Context(), w.secret(), patch(t, `{"password": {"minLength": 1}}`))
	w.must(err)
	if s, err := w.service.Settings(t.Context(), w.secret()); err != nil || len(problems) != 1 || s.Version != 3 {
		t.Errorf("a refused change made version %d, %v", s.Version, err)
	}
}

// TestConcurrentSettings: several administrators at several processes lose
// nothing of what they were told is saved.
func TestConcurrentSettings(t *testing.T) {
	w := newWorld(t, "")
	fields := []string{
		`"testMode": true`, `"appName": "Otters"`, `"defaultCountry": "DE"`, `"firstName": {"required": true}`, `"lastName": {"required": true}`,
		`"phoneNumber": {"enabled": true}`, `"username": {"enabled": true}`, `"signUpLifetimeSeconds": 120`, `"sessionLifetimeSeconds": 240`,
		`"legalConsent": {"enabled": true}`, `"password": {"minLength": 10}`, `"allowedOrigins": ["https://example.com"]`,
	}
	caller := w.secret()
	problems, errs := together(len(fields), func(i int) ([]signup.Problem, error) {
		_, problems, err := w.process(nil).UpdateSettings(t.Context(), caller, patch(t, "{"+fields[i]+"}"))
		return problems, err
	})
	want, saved := signup.DefaultSettings(), 0
	for i, f := range fields {
		w.must(errs[i])
		switch {
		case len(problems[i]) == 0:
			want = want.Apply(patch(t, "{"+f+"}"))
			saved++
		case problems[i][0].Code != "CONFLICT":
			t.Errorf("%s: %v", f, problems[i])
		}
	}
	got, err := w.process(nil).Settings(t.Context(), w.secret())
	w.must(err)
	if text(t, got.Settings) != text(t, want) || got.Version != int64(saved+1) || saved < len(fields)/2 {
		t.Errorf("after %d changes version %d is\n%s\nwant\n%s", saved, got.Version, text(t, got.Settings), text(t, want))
	}
}

// TestTwoInstances: nothing of one instance is any good at the other.
func TestTwoInstances(t *testing.T) {
	w := newWorld(t, "")
	other := w.secondInstance()
	jane := w.client()
	jane.create(withEmail("jane@example.com"))
	code := w.mail.code(t, "jane@example.com")
	mine := jane.principal()

	// Credentials name their instance.
	for name, c := range map[string]signup.Credentials{
		"no key":                   {},
		"no key with a token":      {Bearer: jane.token},
		"the other's key, bearer":  {PublishableKey: other.PublishableKey, Bearer: jane.token},
		"the other's key, secret":  {PublishableKey: other.PublishableKey, Bearer: w.first.SecretKey},
		"this key, other's secret": {PublishableKey: w.first.PublishableKey, Bearer: other.SecretKey},
	} {
		_, err := w.process(nil).Authenticate(t.Context(), c)
		if codeOf(err) != "UNAUTHENTICATED" {
			t.Errorf("%s: %v", name, err)
		}
	}
	p, err := w.service.Authenticate(t.Context(), signup.Credentials{PublishableKey: other.PublishableKey, Cookie: onlyCookie(w, jane.token)})
	if err != nil || p.Client != "" {
		t.Errorf("the cookie of one instance makes a client of the other: %v", err)
	}

	// Even with the same client's id, and at the secret key, the other has none of it.
	there := mine
	there.Instance.ID = other.ID
	id := jane.signUp().ID
	admin, err := w.service.Authenticate(t.Context(), signup.Credentials{PublishableKey: other.PublishableKey, Bearer: other.SecretKey})
	w.must(err)
	for name, caller := range map[string]signup.Principal{"a client": there, "the secret key": admin} {
		if seen, err := w.service.SignUp(t.Context(), caller, id); seen != nil || err != nil {
			t.Errorf("%s of the other instance sees the sign-up: %v", name, err)
		}
	}
	out, err := w.service.CheckVerification(t.Context(), there, id, signup.Proof{Attribute: engine.EmailAddress, Code: code}, "")
	w.must(err)
	wantProblems(t, out, "SIGN_UP_NOT_FOUND")

	// The same address can belong to a user of each.
	wantStatus(t, jane.check(engine.EmailAddress, code), engine.StatusComplete)
	fresh, err := w.service.Authenticate(t.Context(), signup.Credentials{PublishableKey: other.PublishableKey})
	w.must(err)
	out, err = w.service.Create(t.Context(), fresh, withEmail("jane@example.com"))
	w.must(err)
	wantProblems(t, out)
	again, err := w.service.Authenticate(t.Context(), signup.Credentials{PublishableKey: other.PublishableKey, Bearer: out.ClientToken})
	w.must(err)
	out, err = w.service.CheckVerification(t.Context(), again, "", signup.Proof{Attribute: engine.EmailAddress, Code: w.mail.code(t, "jane@example.com")}, "")
	w.must(err)
	wantStatus(t, out, engine.StatusComplete)
	if u, err := w.service.User(t.Context(), w.secret(), out.SignUp.CreatedUserID); u != nil || err != nil {
		t.Errorf("the first instance sees the user of the second: %v", err)
	}

	// Settings, budgets and keys are each one's own.
	w.set(`{"testMode": true}`)
	if s, err := w.service.Settings(t.Context(), admin); err != nil || s.TestMode || s.Version != 1 {
		t.Errorf("the other's settings are at version %d, %v", s.Version, err)
	}
	a, err := w.service.JWKS(t.Context(), w.first.PublishableKey)
	w.must(err)
	b, err := w.service.JWKS(t.Context(), other.PublishableKey)
	w.must(err)
	if string(a) == string(b) {
		t.Error("both sign with the same key")
	}
}

// secondInstance writes one into the database; no port makes a second yet.
func (w *world) secondInstance() signup.FirstInstance {
	w.Helper()
	db, err := sql.Open("sqlite", "file:"+w.path+"?_pragma=busy_timeout(5000)")
	w.must(err)
	defer db.Close()
	i := signup.FirstInstance{ID: "ins_second", PublishableKey: "pk_second", SecretKey: "sk_second"}
	hash := base64.StdEncoding.EncodeToString(w.keys.SecretKeyHash(i.SecretKey))
	_, err = db.ExecContext(w.Context(), `INSERT INTO instances (id, number, publishable_key, secret_key_hash, sealed_keys, settings_version, created_at)
		VALUES ($1, 2, $2, $3, '', 1, 0)`, i.ID, i.PublishableKey, hash)
	w.must(err)
	_, err = db.ExecContext(w.Context(), `INSERT INTO settings_versions (instance_id, version, body, changed_by, changed_at)
		VALUES ($1, 1, $2, 'test', 0)`, i.ID, fmt.Sprint(text(w, signup.DefaultSettings())))
	w.must(err)
	return i
}

// TestSettingsFileEndsAfterTheObject: json.Decoder.More says no before a closing
// bracket.
func TestSettingsFileEndsAfterTheObject(t *testing.T) {
	for _, file := range []string{`{}}`, `{"testMode": true}]`, `{"testMode": true}} and more`} {
		if _, err := signup.ParseSettingsPatch([]byte(file)); err == nil {
			t.Errorf("%s is read", file)
		}
	}
}
