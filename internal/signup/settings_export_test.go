package signup_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"stepwise/engine"
	"stepwise/internal/signup"
)

// TestExportIsEverything: whatever the settings are, a new instance that gets their
// export has the same, but for secrets.
func TestExportIsEverything(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		settings := randomSettings(random)
		exported, err := settings.Export()
		if err != nil {
			t.Fatal(err)
		}
		p := patch(t, text(t, exported))
		if p.ExpectedVersion != nil || p.ChangedBy != nil {
			t.Fatal("the export has more than settings")
		}
		for base, from := range map[string]signup.Settings{"those of a new instance": signup.DefaultSettings(), "themselves": settings} {
			if got := from.Apply(p); text(t, got) != text(t, settings) {
				t.Fatalf("applied to %s the export makes\n%s\nwant\n%s", base, text(t, got), text(t, settings))
			}
		}
	}
}

// randomSettings fills every member there is; they need not make sense together.
func randomSettings(random *rand.Rand) signup.Settings {
	var s signup.Settings
	fill(random, reflect.ValueOf(&s).Elem(), "")
	s.AppName, s.DefaultCountry = "A"+s.AppName+"pp", strings.ToUpper(s.DefaultCountry)
	s.BotProtection.SealedSecret = ""
	presets := append(signup.PresetNames(), "")
	for i := range s.ExternalAccount.Providers {
		p := &s.ExternalAccount.Providers[i]
		p.Name, p.SealedSecret, p.Preset = fmt.Sprintf("provider-%d", i), "", presets[random.IntN(len(presets))]
	}
	return s
}

func fill(random *rand.Rand, v reflect.Value, name string) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if !v.Type().Field(i).IsExported() { // made of the others
				continue
			}
			fill(random, v.Field(i), v.Type().Field(i).Name)
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.String {
			v.Set(reflect.AppendSlice(reflect.MakeSlice(v.Type(), 0, 2), reflect.ValueOf(entries(name)).Convert(v.Type()).Slice(0, random.IntN(3))))
			return
		}
		n := random.IntN(4)
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			fill(random, v.Index(i), name)
		}
	case reflect.Bool:
		v.SetBool(random.IntN(2) == 0)
	case reflect.Int, reflect.Int64:
		v.SetInt(random.Int64N(1 << 60))
	case reflect.String:
		v.SetString([]string{"", "x", "<&>", "ü\"", "de"}[random.IntN(5)])
	default:
		panic("settings of a new kind: " + v.Kind().String())
	}
}

// entries are of a list of that name, as they are kept.
func entries(name string) any {
	switch name {
	case "Strategies":
		return []engine.Strategy{engine.EmailCode, engine.EmailLink}
	case "Countries":
		return []string{"US", "DE"}
	}
	return []string{"a.example", "b.example"}
}

// TestExportChangesNothing: an administrator who applies what they have read makes no
// version.
func TestExportChangesNothing(t *testing.T) {
	w := newWorld(t, `{"defaultCountry": "de", "phoneNumber": {"countries": ["US", "DE"]}}`)
	w.set(providerPatch(acmeProvider+`, "clientSecret": "canary"}`, `{"name": "google", "preset": "GOOGLE", "clientId": "g", "clientSecret": "canary"}`))
	before := w.set(`{}`)
	exported, err := before.Export()
	w.must(err)
	if body := text(t, exported); strings.Contains(body, "canary") || strings.Contains(strings.ToLower(body), "secret") {
		t.Errorf("the export has a secret: %s", body)
	}
	if after := w.set(text(t, exported)); after.Version != before.Version || text(t, after) != text(t, before) {
		t.Errorf("the export made version %d:\n%s\nwas\n%s", after.Version, text(t, after), text(t, before))
	}

	// A new instance takes it, once the secrets that presets need are there.
	file := strings.Replace(text(t, exported), `"name":"google"`, `"name":"google","clientSecretEnv":"GOOGLE_SECRET"`, 1)
	p, err := signup.ParseSettingsFile([]byte(file), func(name string) string {
		return map[string]string{"GOOGLE_SECRET": "canary"}[name]
	})
	w.must(err)
	fresh := newWorld(t, "{}")
	settings, problems, err := fresh.service.UpdateSettings(t.Context(), fresh.secret(), p)
	if err != nil || len(problems) > 0 {
		t.Fatalf("refused: %v, %v", problems, err)
	}
	got, want := settings.Settings, before.Settings
	for i := range want.ExternalAccount.Providers {
		if (got.ExternalAccount.Providers[i].SealedSecret != "") != (i == 1) {
			t.Errorf("provider %d: a secret where none was given, or none where one was", i)
		}
		got.ExternalAccount.Providers[i].SealedSecret, want.ExternalAccount.Providers[i].SealedSecret = "", ""
	}
	if text(t, got) != text(t, want) {
		t.Errorf("the new instance has\n%s\nwant\n%s", text(t, got), text(t, want))
	}
}

// TestExportOfNoList: a list that was never made is an empty one, not one that is left
// as it is.
func TestExportOfNoList(t *testing.T) {
	exported, err := signup.Settings{}.Export()
	if err != nil {
		t.Fatal(err)
	}
	if body := text(t, exported); strings.Contains(body, "null") || !strings.Contains(body, `"chainIds":[]`) {
		t.Errorf("the export is %s", body)
	}
}

// TestSecretsOfASettingsFile: they may be in the environment.
func TestSecretsOfASettingsFile(t *testing.T) {
	getenv := func(name string) string { return map[string]string{"ONE": "first", "TWO": "second"}[name] }
	p, err := signup.ParseSettingsFile([]byte(`{"botProtection": {"secretKeyEnv": "ONE"},
		"externalAccount": {"providers": [{"name": "acme", "clientSecretEnv": "TWO"}, {"name": "other"}]}}`), getenv)
	if err != nil {
		t.Fatal(err)
	}
	providers := p.ExternalAccount.Providers
	if *p.BotProtection.SecretKey != "first" || *providers[0].ClientSecret != "second" || providers[1].ClientSecret != nil {
		t.Errorf("read as %s", text(t, p))
	}
	_, err = signup.ParseSettingsFile([]byte(`{"botProtection": {"secretKeyEnv": "THREE"}, "externalAccount": {"providers": [
		{"name": "acme", "clientSecretEnv": "FOUR"}, {"name": "both", "clientSecretEnv": "ONE", "clientSecret": "canary"}, {"name": "none", "clientSecretEnv": ""}]}}`), getenv)
	for _, path := range []string{"botProtection.secretKeyEnv", "providers.acme.clientSecretEnv", "providers.both.clientSecretEnv", "providers.none.clientSecretEnv"} {
		if err == nil || !strings.Contains(err.Error(), path+": ") || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s is not told of: %v", path, err)
		}
	}
}

// TestSettingsFileTellsAllAtOnce: a person mends a file once.
func TestSettingsFileTellsAllAtOnce(t *testing.T) {
	_, err := signup.ParseSettingsFile([]byte(`{"testmode": true, "appName": 5, "phoneNumber": {"countries": "US", "colour": 1},
		"externalAccount": {"providers": [{"name": "acme"}, {"trustEmail": "yes"}, 7]}, "firstName": []}`), func(string) string { return "" })
	want := []string{
		`settings: appName: has the wrong type, a JSON number`,
		`settings: externalAccount.providers.1.trustEmail: has the wrong type, a JSON string`,
		`settings: externalAccount.providers.2: has the wrong type, a JSON number`,
		`settings: firstName: has the wrong type, a JSON array`,
		`settings: phoneNumber: there is no setting "colour"`,
		`settings: phoneNumber.countries: has the wrong type, a JSON string`,
		`settings: there is no setting "testmode"`,
	}
	if err == nil || err.Error() != strings.Join(want, "\n") {
		t.Errorf("it says\n%v\nwant\n%s", err, strings.Join(want, "\n"))
	}
}
