package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"stepwise/internal/realtest"
)

// export reads the settings in the shape of a settings file.
func (c *client) export(t testing.TB) string {
	t.Helper()
	var data struct {
		InstanceSettings struct{ Export json.RawMessage }
	}
	c.query(t, "{ instanceSettings { export } }", nil, &data)
	return string(data.InstanceSettings.Export)
}

// TestExportMakesTheSameInstance: applied where it comes from it changes nothing; as
// SETTINGS_FILE, with the secret that it lacks, it makes an instance with the same.
func TestExportMakesTheSameInstance(t *testing.T) {
	t.Parallel()
	administrator := newAdministrator(t, realtest.Program(t, realtest.ProgramOptions{}))
	version := administrator.changeSettings(t, map[string]any{
		"appName": "Otters & <Friends>", "defaultCountry": "DE", "phoneNumber": map[string]any{"enabled": true, "countries": []any{"DE"}},
		"externalAccount": map[string]any{"providers": []any{
			map[string]any{"name": "github", "preset": "GITHUB", "clientId": "app", "clientSecret": canary, "trustEmail": false},
			map[string]any{"name": "acme", "issuer": "https://acme.example", "clientId": "app", "scopes": []any{"openid"}},
		}},
		"allowedRedirects": []any{"https://app.example/a?b=c&d=e"},
	})
	exported := administrator.export(t)
	if strings.Contains(exported, canary) || strings.Contains(exported, "ecret") {
		t.Errorf("the export has a secret: %s", exported)
	}
	var input map[string]any
	if err := json.Unmarshal([]byte(exported), &input); err != nil {
		t.Fatal(err)
	}
	if again := administrator.changeSettings(t, input); again != version {
		t.Errorf("applying the export made version %d of %d", again, version)
	}

	path := filepath.Join(t.TempDir(), "settings.json")
	file := strings.Replace(exported, `"name":"github"`, `"name":"github","clientSecretEnv":"GITHUB_SECRET"`, 1)
	if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	without := startByHand(t, map[string]string{"SETTINGS_FILE": path}, nil)
	if said := without.refuses(t); !strings.Contains(said, "externalAccount.providers.github.clientSecretEnv") {
		t.Errorf("it does not name the secret that is missing: %s", said)
	}
	fresh := realtest.Program(t, realtest.ProgramOptions{Env: map[string]string{"SETTINGS_FILE": path, "GITHUB_SECRET": canary}})
	if got := newAdministrator(t, fresh).export(t); got != exported {
		t.Errorf("the new instance has\n%s\nwant\n%s", got, exported)
	}
	if said := fresh.Stdout() + fresh.Stderr(); strings.Contains(said, canary) {
		t.Errorf("the program shows the secret: %s", said)
	}
}

// TestSettingsFileTellsAllThatIsWrong: at once, of its form and of its values.
func TestSettingsFileTellsAllThatIsWrong(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text string
		says []string
	}{
		{`{"testMode": "yes", "appNam": "x", "botProtection": {"siteKey": 1}}`, []string{"testMode: ", `"appNam"`, "botProtection.siteKey: "}},
		{`{"password": {"minLength": 1}, "appName": "", "allowedOrigins": ["*"], "emailAddress": {"enabled": false}}`,
			[]string{"password.minLength: ", "appName: ", "allowedOrigins.0: ", "emailAddress.required: "}},
	} {
		path := filepath.Join(t.TempDir(), "settings.json")
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		said := startByHand(t, map[string]string{"SETTINGS_FILE": path}, nil).refuses(t)
		for _, what := range c.says {
			if !strings.Contains(said, what) {
				t.Errorf("of what is wrong with %s it does not say %s:\n%s", c.text, what, said)
			}
		}
	}
}

// TestVersionsThatDoNotExist are errors that name the argument.
func TestVersionsThatDoNotExist(t *testing.T) {
	t.Parallel()
	administrator := newAdministrator(t, realtest.Program(t, realtest.ProgramOptions{}))
	for document, argument := range map[string]string{
		"{ instanceSettings(version: 2) { version } }":              "`version`",
		"{ instanceSettings(version: 0) { version } }":              "`version`",
		"{ instanceSettingsCompare(from: 2, to: 1) { setting } }":   "`from`",
		"{ instanceSettingsCompare(from: 1, to: -1) { setting } }":  "`to`",
		"{ instanceSettingsVersions(first: 0) { totalCount } }":     "`first`",
		`{ instanceSettingsVersions(after: "x") { totalCount } }`:   "`after`",
		`{ instanceSettingsVersions(first: 101) { totalCount } }`:   "`first`",
		`{ instanceSettingsVersions(after: "MSAx") { totalCount }}`: "",
	} {
		r, err := administrator.ask(document, nil)
		if err != nil {
			t.Fatal(err)
		}
		if argument == "" {
			if len(r.Errors) > 0 {
				t.Errorf("%s: %s", document, r.Body)
			}
			continue
		}
		if !slices.Equal(r.codes(), []string{"BAD_USER_INPUT"}) || !strings.Contains(r.Errors[0].Message, argument) {
			t.Errorf("%s: %s, want BAD_USER_INPUT that names %s", document, r.Body, argument)
		}
	}
	var data struct {
		InstanceSettings struct {
			Version, Warnings any
			UpdatedBy         string
		}
	}
	administrator.query(t, "{ instanceSettings(version: 1) { version updatedBy warnings { code } } }", nil, &data)
	if data.InstanceSettings.UpdatedBy != "first start" {
		t.Errorf("version 1 is by %q", data.InstanceSettings.UpdatedBy)
	}
}

// TestProtectionByMode: a new instance conceals who has an account in production, and
// tells people at once in development.
func TestProtectionByMode(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		env  map[string]string
		want bool
	}{{nil, false}, {map[string]string{"MODE": "production", "APP_KEY": randomHex(32), "PUBLIC_URL": "https://signup.example.com"}, true}} {
		administrator := newAdministrator(t, realtest.Program(t, realtest.ProgramOptions{Env: c.env}))
		var data struct {
			InstanceSettings struct{ EnumerationProtection bool }
		}
		administrator.query(t, "{ instanceSettings { enumerationProtection } }", nil, &data)
		if data.InstanceSettings.EnumerationProtection != c.want {
			t.Errorf("%v: enumerationProtection is %t, want %t", c.env, !c.want, c.want)
		}
	}
}
