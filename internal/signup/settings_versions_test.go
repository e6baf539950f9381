package signup_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"stepwise/internal/signup"
)

// changes are as people read them: setting before → after.
func changes(list []signup.SettingsChange) []string {
	shown := []string{}
	for _, c := range list {
		shown = append(shown, fmt.Sprintf("%s %s → %s", c.Setting, c.Before, c.After))
	}
	return shown
}

func (w *world) compare(from, to int64) []string {
	w.Helper()
	list, err := w.service.CompareSettings(w.Context(), w.secret(), from, to)
	w.must(err)
	return changes(list)
}

func (w *world) history(first int, after string) signup.Page[signup.RecordedSettings] {
	w.Helper()
	page, err := w.service.SettingsVersions(w.Context(), w.secret(), first, after)
	w.must(err)
	return page
}

const acmeProvider = `{"name": "acme", "issuer": "https://acme.example", "clientId": "app", "scopes": ["openid"], "trustEmail": true`

// TestHistoryOfSettings: each version says who made it, and what it changed.
func TestHistoryOfSettings(t *testing.T) {
	w := newWorld(t, "")
	w.set(`{"emailAddress": {"required": false}, "appName": "A & B", "changedBy": "Ada"}`)
	w.set(`{"phoneNumber": {"countries": ["US"]}, "progressiveSignUp": true}`)
	w.set(providerPatch(acmeProvider + `}`))
	w.set(providerPatch(`{"name": "acme", "trustEmail": false, "clientSecret": "canary one"}`))
	w.set(providerPatch(`{"name": "acme", "clientSecret": "canary two"}`))
	w.set(`{"externalAccount": {"removeProviders": ["acme"]}}`)

	want := [][]string{
		{},
		{`appName "My app" → "A & B"`, `emailAddress.required true → false`},
		{`phoneNumber.countries [] → ["US"]`},
		{`externalAccount.providers [] → ["acme"]`,
			`externalAccount.providers.acme.name  → "acme"`, `externalAccount.providers.acme.preset  → ""`,
			`externalAccount.providers.acme.enabled  → true`, `externalAccount.providers.acme.displayName  → "acme"`,
			`externalAccount.providers.acme.issuer  → "https://acme.example"`, `externalAccount.providers.acme.clientId  → "app"`,
			`externalAccount.providers.acme.clientSecretSet  → false`, `externalAccount.providers.acme.teamId  → ""`,
			`externalAccount.providers.acme.keyId  → ""`, `externalAccount.providers.acme.scopes  → ["openid"]`,
			`externalAccount.providers.acme.trustEmail  → true`},
		{`externalAccount.providers.acme.clientSecretSet false → true`, `externalAccount.providers.acme.trustEmail true → false`},
		{`externalAccount.providers.acme.clientSecret  → `},
	}
	page := w.history(100, "")
	if len(page.Items) != 7 || page.Total != 7 || page.More {
		t.Fatalf("%d versions of %d, more %t; want all 7", len(page.Items), page.Total, page.More)
	}
	for i, changed := range want {
		r := page.Items[6-i]
		author := map[int]string{0: "first start", 1: "Ada"}[i]
		if author == "" {
			author = "secret key"
		}
		if r.Version != int64(i+1) || r.UpdatedBy != author || !r.UpdatedAt.Equal(dawn) {
			t.Errorf("version %d by %q at %s; want %d by %q", r.Version, r.UpdatedBy, r.UpdatedAt, i+1, author)
		}
		if got := changes(r.Changes); len(got) != len(changed) || !sameLines(got, changed) {
			t.Errorf("version %d:\n%s\nwant\n%s", i+1, strings.Join(got, "\n"), strings.Join(changed, "\n"))
		}
	}
	last := changes(page.Items[0].Changes)
	if len(last) != 12 || last[0] != `externalAccount.providers ["acme"] → []` || last[7] != `externalAccount.providers.acme.clientSecretSet true → ` {
		t.Errorf("a provider that is gone:\n%s", strings.Join(last, "\n"))
	}
	for _, secret := range []string{"canary", "sealed"} {
		if all := fmt.Sprint(want, last, w.compare(1, 6)); strings.Contains(all, secret) {
			t.Errorf("the history shows a secret: %s", all)
		}
	}
}

// TestSameSecretAgain: a file with a secret in it can be applied again and again.
func TestSameSecretAgain(t *testing.T) {
	w := newWorld(t, "")
	file := providerPatch(acmeProvider + `, "clientSecret": "canary"}`)
	first := w.set(file)
	if again := w.set(file); again.Version != first.Version {
		t.Errorf("the same secret made version %d of %d: %v", again.Version, first.Version, w.compare(first.Version, again.Version))
	}
	if other := w.set(providerPatch(`{"name": "acme", "clientSecret": "another"}`)); other.Version != first.Version+1 {
		t.Errorf("another secret made version %d of %d", other.Version, first.Version)
	}
	if gone := w.set(providerPatch(`{"name": "acme", "clientSecret": ""}`)); gone.ExternalAccount.Providers[0].SealedSecret != "" {
		t.Error("a secret that was taken away is kept")
	}
	w.set(file)
	moved := w.set(providerPatch(`{"name": "acme", "issuer": "https://other.example"}`))
	if moved.ExternalAccount.Providers[0].SealedSecret != "" {
		t.Error("a secret of one issuer is kept for another")
	}
}

// sameLines: changes come in the order of the settings, which a reader need not know.
func sameLines(got, want []string) bool {
	got, want = slices.Clone(got), slices.Clone(want)
	slices.Sort(got)
	slices.Sort(want)
	return slices.Equal(got, want)
}

// TestSecretOfBotProtectionInTheHistory: it is told of like a provider's.
func TestSecretOfBotProtectionInTheHistory(t *testing.T) {
	with := func(sealed string) signup.Settings {
		s := signup.DefaultSettings()
		s.BotProtection.SealedSecret = sealed
		return s
	}
	for _, c := range []struct{ before, after, want string }{
		{"", "", ""}, {"x", "x", ""},
		{"", "x", "botProtection.secretKeySet false → true"}, {"x", "", "botProtection.secretKeySet true → false"},
		{"x", "y", "botProtection.secretKey  → "},
	} {
		got := strings.Join(changes(signup.ChangesOf(with(c.before), with(c.after))), ", ")
		if got != c.want {
			t.Errorf("%q to %q: %q, want %q", c.before, c.after, got, c.want)
		}
	}
}

// TestPagesOfTheHistory: page by page it is the whole, whatever the size, also while
// versions are added.
func TestPagesOfTheHistory(t *testing.T) {
	w := newWorld(t, "")
	const versions = 7
	for i := range versions - 1 {
		w.set(fmt.Sprintf(`{"testMode": %t}`, i%2 == 0))
	}
	for size := 1; size <= versions+1; size++ {
		after, number := "", int64(versions)
		for {
			page := w.history(size, after)
			for _, r := range page.Items {
				if r.Version != number || (len(r.Changes) == 0) != (number == 1) {
					t.Fatalf("pages of %d: version %d with %d changes, want %d", size, r.Version, len(r.Changes), number)
				}
				number--
			}
			if page.Total != versions || page.More != (number > 0) {
				t.Fatalf("pages of %d: total %d, more %t with %d left", size, page.Total, page.More, number)
			}
			if !page.More {
				break
			}
			after = page.Cursors[len(page.Cursors)-1]
		}
	}
	w.completed("ada@example.com")
	users, err := w.service.Users(t.Context(), w.secret(), signup.UserQuery{First: 1})
	w.must(err)
	for _, cursor := range []string{"?", users.Cursors[0]} {
		_, err := w.service.SettingsVersions(t.Context(), w.secret(), 5, cursor)
		wantCode(t, err, "BAD_USER_INPUT")
	}
	for _, first := range []int{0, 101} {
		_, err := w.service.SettingsVersions(t.Context(), w.secret(), first, "")
		wantCode(t, err, "BAD_USER_INPUT")
	}
}

// TestCompareSettings: any two versions, either way round; one that does not exist is
// named.
func TestCompareSettings(t *testing.T) {
	w := newWorld(t, "")
	w.set(`{"testMode": true}`)
	w.set(`{"testMode": false, "appName": "Otters"}`)
	for _, c := range []struct {
		from, to int64
		want     []string
	}{
		{1, 3, []string{`appName "My app" → "Otters"`}}, {3, 1, []string{`appName "Otters" → "My app"`}},
		{2, 1, []string{`testMode true → false`}}, {2, 2, nil},
	} {
		if got := w.compare(c.from, c.to); !slices.Equal(got, c.want) {
			t.Errorf("%d to %d: %v, want %v", c.from, c.to, got, c.want)
		}
	}
	for _, c := range []struct {
		from, to int64
		argument string
	}{{0, 1, "`from`"}, {4, 1, "`from`"}, {-1, 1, "`from`"}, {1, 4, "`to`"}, {1, 0, "`to`"}} {
		_, err := w.service.CompareSettings(t.Context(), w.secret(), c.from, c.to)
		wantCode(t, err, "BAD_USER_INPUT")
		if !strings.Contains(err.Error(), c.argument) {
			t.Errorf("%d to %d: %v does not name %s", c.from, c.to, err, c.argument)
		}
	}
	old, err := w.service.SettingsVersion(t.Context(), w.secret(), 2)
	w.must(err)
	if old.Version != 2 || !old.TestMode || old.AppName != "My app" || len(old.Warnings) == 0 {
		t.Errorf("version 2 is %+v", old)
	}
	for _, version := range []int64{-1, 0, 4} {
		_, err := w.service.SettingsVersion(t.Context(), w.secret(), version)
		wantCode(t, err, "BAD_USER_INPUT")
	}
}

// TestHistoryIsTheSecretKeys: nobody else sees it.
func TestHistoryIsTheSecretKeys(t *testing.T) {
	w := newWorld(t, "")
	nobody := w.as("")
	_, err := w.service.SettingsVersions(t.Context(), nobody, 1, "")
	wantCode(t, err, "FORBIDDEN")
	_, err = w.service.CompareSettings(t.Context(), nobody, 1, 1)
	wantCode(t, err, "FORBIDDEN")
	_, err = w.service.SettingsVersion(t.Context(), nobody, 1)
	wantCode(t, err, "FORBIDDEN")
}

// TestWhoChangesSettings: the holder of the key is believed, on one line.
func TestWhoChangesSettings(t *testing.T) {
	w := newWorld(t, "")
	try := func(by string) (signup.InstanceSettings, []signup.Problem) {
		s, problems, err := w.service.UpdateSettings(t.Context(), w.secret(), patch(t, `{"appName": "By `+fmt.Sprint(len(by))+`", "changedBy": `+text(t, by)+`}`))
		w.must(err)
		return s, problems
	}
	for _, by := range []string{"a", strings.Repeat("é", 64)} {
		if s, problems := try(by); len(problems) > 0 || s.UpdatedBy != by {
			t.Errorf("%q: %v, by %q", by, problems, s.UpdatedBy)
		}
	}
	for _, by := range []string{"", "  ", strings.Repeat("x", 65), "a\nb", "\x00"} {
		s, problems := try(by)
		if len(problems) != 1 || problems[0].Code != signup.CodeInvalidFormat || strings.Join(problems[0].Field, ".") != "input.changedBy" || s.Version != 3 {
			t.Errorf("%q: %+v, version %d", by, problems, s.Version)
		}
	}
	_, problems, err := w.service.UpdateSettings(t.Context(), w.secret(), patch(t, `{"changedBy": "", "appName": ""}`))
	if err != nil || len(problems) != 2 {
		t.Errorf("two things are wrong, told are %v, %v", problems, err)
	}
	if s := w.set(`{"changedBy": "Grace"}`); s.Version != 3 || s.UpdatedBy == "Grace" {
		t.Errorf("a name alone made version %d, by %q", s.Version, s.UpdatedBy)
	}
}
