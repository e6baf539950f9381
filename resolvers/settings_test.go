package resolvers

import (
	"slices"
	"testing"

	"stepwise/internal/signup"
)

// writeOnly are members of the input that say no setting, or cannot be read.
var writeOnly = []string{"expectedVersion", "changedBy", "removeProviders", "clientSecret", "secretKey"}

// TestExportHasEveryMemberOfTheInput: no setting is forgotten in the export, and
// nothing is in it that the mutation would refuse.
func TestExportHasEveryMemberOfTheInput(t *testing.T) {
	google := "GOOGLE"
	settings := signup.DefaultSettings().Apply(signup.SettingsPatch{ExternalAccount: &signup.AccountPatch{
		Providers: []signup.ProviderPatch{{Name: "google", Preset: &google}},
	}})
	exported, err := settings.Export()
	if err != nil {
		t.Fatal(err)
	}
	compareWithInput(t, "InstanceSettingsUpdateInput", exported)
}

func compareWithInput(t *testing.T, input string, exported map[string]any) {
	t.Helper()
	members := map[string]bool{}
	for _, member := range schema().Types[input].Fields {
		members[member.Name] = true
		value, ok := exported[member.Name]
		if ok == slices.Contains(writeOnly, member.Name) {
			t.Errorf("%s.%s: exported %t", input, member.Name, ok)
			continue
		}
		if list, ok := value.([]any); ok && member.Type.Elem != nil && len(list) > 0 {
			value = list[0]
		}
		if group, ok := value.(map[string]any); ok {
			compareWithInput(t, member.Type.Name(), group)
		}
	}
	for name := range exported {
		if !members[name] {
			t.Errorf("%s has no %s, which is exported", input, name)
		}
	}
}
