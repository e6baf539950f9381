package resolvers

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"stepwise/engine"
	"stepwise/internal/signup"
)

// TestPublicSettingsTellCountriesAndNoLists: a form needs the countries; whom an
// operator keeps out is nobody's business.
func TestPublicSettingsTellCountriesAndNoLists(t *testing.T) {
	patch, err := signup.ParseSettingsPatch([]byte(`{
		"restrictions": {"allowlist": ["secret.example"], "blocklist": ["secret@example.com", "+4420*"]},
		"username": {"reserved": ["secretname"]}, "phoneNumber": {"countries": ["de", "AT"]}
	}`))
	if err != nil {
		t.Fatal(err)
	}
	shown := publicSettings(signup.InstanceSettings{Settings: signup.DefaultSettings().Apply(patch)}, engine.Capabilities{})
	if !slices.Equal(shown.PhoneCountries, []string{"DE", "AT"}) {
		t.Errorf("the countries are %v", shown.PhoneCountries)
	}
	text, err := json.Marshal(shown)
	if err != nil || strings.Contains(string(text), "secret") || strings.Contains(string(text), "+4420") {
		t.Errorf("everybody sees %s, %v", text, err)
	}
	if all := publicSettings(signup.InstanceSettings{Settings: signup.DefaultSettings()}, engine.Capabilities{}).PhoneCountries; all == nil || len(all) > 0 {
		t.Errorf("by default the countries are %v", all)
	}
}
