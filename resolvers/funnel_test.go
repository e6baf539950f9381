package resolvers

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"stepwise/engine"
)

// funnelLines are what signUpFunnel answers, in words; fields that nobody has or lacks
// are left out.
func (d *deployment) funnelLines(arguments string) (list []string) {
	d.Helper()
	type numbers struct{ Opened, Completed, Abandoned, Open int }
	var data struct {
		SignUpFunnel struct {
			Total numbers
			Ways  []struct {
				Path, Provider string
				Counts         numbers
			}
			Fields []struct {
				Field                                string
				Given, Verified, Missing, Unverified int
			}
			Versions []struct {
				SettingsVersion int
				Counts          numbers
			}
		}
	}
	const counts = " { opened completed abandoned open } "
	d.ask("admin", "{ signUpFunnel"+arguments+" { total"+counts+"ways { path provider counts"+counts+"} fields { field given verified missing unverified } versions { settingsVersion counts"+counts+"} } }", nil, &data)
	f := data.SignUpFunnel
	list = append(list, fmt.Sprintf("all %v", f.Total))
	for _, w := range f.Ways {
		list = append(list, strings.TrimSpace(w.Path+" "+w.Provider)+fmt.Sprintf(" %v", w.Counts))
	}
	for _, c := range f.Fields {
		if c.Given+c.Verified+c.Missing+c.Unverified > 0 {
			list = append(list, fmt.Sprintf("%s given %d, verified %d, missing %d, unverified %d", c.Field, c.Given, c.Verified, c.Missing, c.Unverified))
		}
	}
	for _, v := range f.Versions {
		list = append(list, fmt.Sprintf("version %d %v", v.SettingsVersion, v.Counts))
	}
	return list
}

// TestFunnel counts sign-ups by way in, field and version, and by parts of these.
func TestFunnel(t *testing.T) {
	d := newDeployment(t)
	d.performer(1).gives("EMAIL_ADDRESS", "PASSWORD").is("COMPLETE")
	left := d.performer(2)
	left.do("signUpCreate", map[string]any{})
	left.provide("EMAIL_ADDRESS")
	left.leave() // and the one in its place is open
	d.wantChange(toggled{"externalAccount": toggled{"providers": []any{acme}}, "firstName": toggled{"required": true}})
	d.performer(3).by("acme", engine.ArrivesVerifiedEmail).gives("FIRST_NAME").is("COMPLETE")
	d.performer(4).by("acme", engine.ArrivesBare).is("MISSING_REQUIREMENTS")

	for arguments, want := range map[string][]string{
		"": {
			"all {5 2 1 2}", "FORM {3 1 1 1}", "OAUTH acme {2 1 0 1}",
			"EMAIL_ADDRESS given 3, verified 2, missing 2, unverified 1",
			"EXTERNAL_ACCOUNT given 2, verified 2, missing 0, unverified 0",
			"PASSWORD given 1, verified 0, missing 2, unverified 0",
			"FIRST_NAME given 1, verified 0, missing 2, unverified 0",
			"version 1 {3 1 1 1}", "version 2 {2 1 0 1}",
		},
		"(path: OAUTH)": {
			"all {2 1 0 1}", "OAUTH acme {2 1 0 1}",
			"EMAIL_ADDRESS given 1, verified 1, missing 1, unverified 0", "EXTERNAL_ACCOUNT given 2, verified 2, missing 0, unverified 0",
			"FIRST_NAME given 1, verified 0, missing 1, unverified 0", "version 2 {2 1 0 1}",
		},
		"(settingsVersion: 2)":               {"all {2 1 0 1}"},
		"(path: WALLET)":                     {"all {0 0 0 0}"},
		"(settingsVersion: 1, path: TICKET)": {"all {0 0 0 0}"},
	} {
		got := d.funnelLines(arguments)
		if len(want) == 1 {
			got = got[:1]
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s:\n%s\nwant\n%s", arguments, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}
