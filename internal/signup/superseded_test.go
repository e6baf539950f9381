package signup_test

import (
	"testing"

	"stepwise/engine"
	"stepwise/internal/signup"
)

// TestConversionUnderSupersededSettings: an administrator's change is committed after
// the sign-up was found to need nothing more and saved so, and before its conversion
// begins. The conversion is made under the change, or not at all.
func TestConversionUnderSupersededSettings(t *testing.T) {
	for _, test := range []struct {
		name, change string
		problems     []signup.Code
		status       engine.Status
	}{
		{"that asks for more", `{"lastName": {"required": true}}`, []signup.Code{signup.CodeSettingsChanged}, engine.StatusMissingRequirements},
		{"that asks for nothing more", `{"appName": "Otters"}`, nil, engine.StatusComplete},
		{"that disables a field", `{"firstName": {"enabled": false}}`, nil, engine.StatusComplete},
	} {
		t.Run("a change "+test.name, func(t *testing.T) {
			w := newWorld(t, "")
			c := w.client()
			in := withEmail("ada@example.com")
			in.FirstName = signup.Given("Ada")
			wantProblems(t, c.create(in))
			c.service = w.newProcess(func(port string) fault {
				if port == "Directory.Convert" {
					w.set(test.change)
				}
				return served
			}).Service
			out := c.check(engine.EmailAddress, w.mail.code(t, "ada@example.com"))
			wantProblems(t, out, test.problems...)
			wantStatus(t, out, test.status)
			if out.SignUp.SettingsVersion != 2 {
				t.Errorf("the sign-up stands under version %d, want 2", out.SignUp.SettingsVersion)
			}
			users := w.usersWith("ada@example.com")
			if (len(users) == 1) != (test.status == engine.StatusComplete) {
				t.Fatalf("%d users", len(users))
			}
			if test.name == "that disables a field" && users[0].FirstName != "" {
				t.Error("the user has a name that the settings no longer take")
			}
			if len(users) == 1 && w.count(`SELECT settings_version FROM conversions`) != 2 {
				t.Error("the conversion was made under superseded settings")
			}
			w.wantNoHalves()
			if test.status != engine.StatusComplete {
				c.service = w.service
				wantStatus(t, c.update(signup.Input{LastName: signup.Given("Lovelace")}), engine.StatusComplete)
				w.wantOneUser("ada@example.com")
			}
		})
	}
}
