package e2e

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// wrongValues are texts, numbers and lists that have the right type and make no
// sense, by mutation and member. Values in the same place for several mutations
// are listed once.
func (n *nonsense) wrongValues() map[string]map[string][]any {
	long := strings.Repeat(canary, 200<<10/len(canary)) // below the limit of a body
	metadata := map[string]any{"text": strings.Repeat("x", 9<<10)}
	values := map[string][]any{
		"emailAddress": {"", " ", canary, canary + "@", "@" + canary + ".example", canary + " b@example.com",
			canary + "@exa mple.com", canary + "@example.com\r\nBcc: victim@example.com", canary + "@localhost@example.com",
			"<" + canary + "@example.com>", strings.Repeat("a", 300) + "@example.com", long},
		"phoneNumber":    {"", " ", canary, "+1", "555-0100", "+999123456789", "+1 500 555 0100 ext. " + canary, long},
		"username":       {"", " ", "ab", canary + " b", canary + "@b", "p\u0430ypal" + canary, canary + "\u200b", strings.Repeat("u", 65), long},
		"password":       {"", " ", "short7!", "password", long},
		"firstName":      {"", " ", canary + "\nBcc: x", canary + "\u202e", strings.Repeat("n", 500), long},
		"lastName":       {"", "\t", canary + "\r", long},
		"idempotencyKey": {"", strings.Repeat("k", 129), long},
		"unsafeMetadata": {metadata, map[string]any{"text": long}},
		"locale":         wrongLocales(long),
		"startVerifications": {
			[]any{map[string]any{"strategy": "OAUTH"}}, []any{map[string]any{"strategy": "TICKET"}},
			[]any{map[string]any{"strategy": "FROM_OAUTH"}}, []any{map[string]any{"strategy": "WEB3_SIGNATURE"}},
			[]any{map[string]any{"strategy": "PHONE_CODE"}},
			[]any{map[string]any{"strategy": "OAUTH", "provider": canary}},
			[]any{map[string]any{"strategy": "OAUTH", "provider": "github", "redirectUrl": "https://evil.example/" + canary}},
			[]any{map[string]any{"strategy": "WEB3_SIGNATURE", "web3Wallet": canary, "chainId": 5, "origin": canary}},
			[]any{map[string]any{"strategy": "EMAIL_LINK", "redirectUrl": canary}},
		},
		"ticket": {"", canary, "tkt_" + strings.Repeat("0", 20) + "." + strings.Repeat("A", 22), long},
	}
	update := maps.Clone(values)
	delete(update, "ticket")
	update["id"] = []any{"", canary, n.otherSignUpID, n.abandoned, n.userID, "sua_" + strings.Repeat("0", 32), 7, long}
	strategies := []any{"TICKET", "FROM_OAUTH", "PHONE_CODE"}
	ids := map[string][]any{"id": update["id"], "idempotencyKey": values["idempotencyKey"]}
	start, check := maps.Clone(ids), maps.Clone(ids)
	start["strategy"] = strategies
	check["proof"] = []any{map[string]any{"phoneCode": ""}, map[string]any{"phoneCode": canary}, map[string]any{"phoneCode": long},
		map[string]any{"emailLink": ""}, map[string]any{"emailLink": canary}, map[string]any{"emailLink": long},
		map[string]any{"oauthHandle": ""}, map[string]any{"oauthHandle": canary}, map[string]any{"oauthHandle": long},
		map[string]any{"web3Signature": map[string]any{"signature": ""}}, map[string]any{"web3Signature": map[string]any{"signature": canary, "message": long}},
	}
	return map[string]map[string][]any{
		"signUpCreate": values, "signUpUpdate": update, "signUpVerificationStart": start, "signUpVerificationCheck": check,
		"sessionTokenCreate": {"sessionId": {"", canary, n.otherSessionID, n.signUpID, long}},
		"sessionEnd":         {"sessionId": {"", canary, n.otherSessionID, n.userID, long}},
		"userUpdate": {
			"id":             {"", canary, n.signUpID, "user_" + strings.Repeat("0", 20), long},
			"externalId":     {"", strings.Repeat("e", 129), canary + "\n", long},
			"publicMetadata": {metadata}, "privateMetadata": {metadata},
		},
		"instanceSettingsUpdate": wrongSettings(long),

		"signUpVerificationStart by OAUTH": {"provider": {"", canary, "google", long}, "redirectUrl": wrongRedirects(long)},
		"signUpVerificationStart by WEB3_SIGNATURE": {
			"web3Wallet": {"", "0x", canary, "0x" + strings.Repeat("g", 40), strings.ToUpper(someWallet), strings.ToLower(someWallet[:41]), long},
			"chainId":    {-1, 0x539, 1<<31 - 1},
			"origin":     {canary, "null", "*", "https://evil.example", "http://localhost:3000/path", long},
		},
		"sessionVerificationStart": {
			"identifier": {"", " ", canary, canary + "@", canary + "@example.com\r\nBcc: x@example.com", "+1", long}, "locale": values["locale"],
		},
		"sessionCreate": {"proof": {
			map[string]any{"password": map[string]any{"identifier": "", "password": ""}},
			map[string]any{"password": map[string]any{"identifier": canary, "password": canary}},
			map[string]any{"password": map[string]any{"identifier": "user@example.com", "password": long}},
			map[string]any{"code": map[string]any{"challengeId": "", "code": ""}},
			map[string]any{"code": map[string]any{"challengeId": canary, "code": "123456"}},
			map[string]any{"code": map[string]any{"challengeId": long, "code": canary}},
			map[string]any{"transfer": ""},
			map[string]any{"transfer": canary},
			map[string]any{"transfer": n.otherSignUpID},
			map[string]any{"transfer": long},
		}},
		"invitationCreate": {
			"emailAddress": append(values["emailAddress"], "user@example.com"), "phoneNumber": values["phoneNumber"], "username": values["username"],
			"firstName": values["firstName"], "lastName": values["lastName"], "publicMetadata": {metadata, map[string]any{"text": long}},
			"expiresInSeconds": {0, -1, 59, 365*24*3600 + 1}, "redirectUrl": wrongRedirects(long), "locale": values["locale"],
		},
		"invitationRevoke":      {"id": {"", canary, n.userID, "inv_" + strings.Repeat("0", 20), long}},
		"webhookEndpointCreate": {"url": wrongHooks(long)},
		"webhookEndpointUpdate": {"id": {"", canary, n.invitationID, "whe_" + strings.Repeat("0", 20), long}, "url": wrongHooks(long)},
		"webhookEndpointDelete": {"id": {"", canary, n.invitationID, long}},
		"webhookReplay": {
			"deliveryId": {"", canary, n.endpointID, long},
		},
		"webhookReplay since": {"since": {
			map[string]any{"endpointId": "", "at": "2026-01-01T00:00:00Z"}, map[string]any{"endpointId": canary, "at": "2026-01-01T00:00:00Z"},
			map[string]any{"endpointId": long, "at": "0001-01-01T00:00:00Z"},
		}},
		"userPasswordVerify": {"password": {"", canary, long}},
		"userSessionCreate":  {"userId": {"", canary, n.signUpID, "user_" + strings.Repeat("0", 20), long}},
	}
}

// someWallet is an address with its checksum.
const someWallet = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"

func wrongRedirects(long string) []any {
	return []any{
		canary, "/" + canary, "//evil.example", "https://evil.example/" + canary, "javascript:alert(1)", "http://localhost\\@evil.example",
		"http://localhost#" + canary, "http://user:" + canary + "@localhost/", "https://localhost.evil.example", "http://localhost/" + long,
	}
}

func wrongLocales(long string) []any {
	return []any{"", "e", "en_US", "-en", "en-", "ñandú", "en-" + canary + canary, "en\r\nBcc: " + canary, "Visit " + canary, long}
}

func wrongHooks(long string) []any {
	return []any{
		"", canary, "//backend.example", "ftp://backend.example/" + canary, "https://backend.example/#" + canary,
		"https://user:" + canary + "@backend.example", "https://backend.example/\r\n" + canary, "https://backend.example/" + long,
	}
}

func wrongSettings(long string) map[string][]any {
	lengths := func(name string, values ...int) (list []any) {
		for _, v := range values {
			list = append(list, map[string]any{name: v})
		}
		return list
	}
	return map[string][]any{
		"expectedVersion": {0, -1, 999},
		"changedBy":       {"", canary + "\n", strings.Repeat("a", 65), long},
		"appName":         {"", "  ", canary + "\nBcc: x", strings.Repeat("a", 61), long},
		"emailAddress": {
			map[string]any{"enabled": false}, map[string]any{"enabled": false, "required": true}, map[string]any{"strategies": []any{}},
			map[string]any{"strategies": []any{"EMAIL_CODE", "PHONE_CODE"}}, map[string]any{"strategies": []any{"TICKET"}},
		},
		"botProtection": {
			map[string]any{"provider": "TURNSTILE"}, map[string]any{"provider": "HCAPTCHA", "siteKey": "", "secretKey": canary},
			map[string]any{"provider": "TURNSTILE", "siteKey": "a", "secretKey": ""}, map[string]any{"siteKey": canary + "\n"}, map[string]any{"siteKey": long},
		},
		"phoneNumber": append(wrongLists("countries", "DE", long, 301, "DEU", "XX", "1"), map[string]any{"enabled": false, "required": true}),
		"firstName":   {map[string]any{"enabled": false, "required": true}},
		"web3Wallet": {
			map[string]any{"enabled": false, "required": true}, map[string]any{"chainIds": []any{}}, map[string]any{"chainIds": []any{0}},
			map[string]any{"chainIds": []any{-1}}, map[string]any{"chainIds": slices.Repeat([]any{1}, 101)},
		},
		"externalAccount":  wrongAccounts(long),
		"allowedRedirects": append([]any{[]any{""}, slices.Repeat([]any{"https://app.example/back"}, 101)}, lists(wrongHooks(long)[1:]...)...),
		"username":         slices.Concat(lengths("minLength", -1, 0, 65, 1<<31-1), lengths("maxLength", -1, 0, 2, 65), wrongLists("reserved", "admin", long, 1001, canary+" b", "p\u0430ypal", "1")),
		"password":         append(lengths("minLength", -1, 7, 65), lengths("maxLength", 0, 63, 257)...),
		"legalConsent": {
			map[string]any{"documents": []any{map[string]any{"name": "", "url": "https://example.com/"}}},
			map[string]any{"documents": []any{map[string]any{"name": canary, "url": "javascript:" + canary}}},
			map[string]any{"documents": slices.Repeat([]any{map[string]any{"name": "Terms", "url": "https://example.com/"}}, 11)},
			map[string]any{"documentVersion": ""}, map[string]any{"documentVersion": long},
			map[string]any{"documentUrl": "javascript:alert(1)"}, map[string]any{"documentUrl": canary},
			map[string]any{"documentUrl": "https://user:" + canary + "@example.com/"}, map[string]any{"documentUrl": "https://example.com/" + long},
		},
		"defaultCountry": {"USA", "1", canary, "Ü", "XX", long},
		"allowedOrigins": {
			[]any{""}, []any{"*"}, []any{"null"}, []any{canary}, []any{"https://app.example/" + canary},
			[]any{"https://App.example"}, []any{"ftp://app.example"}, []any{"https://a.example", "https://b.example/"},
			slices.Repeat([]any{"https://app.example"}, 101), []any{"https://" + long},
		},
		"restrictions": append(wrongLists("allowlist", "example.com", long, 1001, canary, canary+"@", "*", "*@example.com", "+", "+44*20"),
			wrongLists("blocklist", "example.com", long, 1001, "https://example.com/"+canary)...),
		"sendingLimits": slices.Concat(lengths("perAddressPerHour", -1, 0, 61), lengths("emailsPerDay", 0, 10_000_001),
			lengths("textMessagesPerDay", 0, 10_000_001), lengths("textMessagesPerRangePerHour", 0, 100_001)),
		"signUpLifetimeSeconds":  {0, -1, 59, 7*24*3600 + 1},
		"sessionLifetimeSeconds": {0, -1, 59, 400*24*3600 + 1},

		"codeLifetimeSeconds":       {0, -1, 59, 3601},
		"resendIntervalSeconds":     {0, -1, 9, 601},
		"defaultLocale":             {"", "de", "EN", "es-MX", canary, long},
		"invitationLifetimeSeconds": {0, -1, 59, 365*24*3600 + 1},
	}
}

// TestWrongValues sends values of the right type that make no sense: each is a
// user error that names its place, and nothing is stored.
func TestWrongValues(t *testing.T) {
	t.Parallel()
	schema := loadSchema(t)
	n := newNonsense(t)
	before := n.state(t)
	values := n.wrongValues()
	for _, target := range n.targets() {
		for _, name := range slices.Sorted(maps.Keys(values[target.title()])) {
			for _, wrong := range values[target.title()][name] {
				what := strings.ReplaceAll(fmt.Sprintf("%s/%s = %.50q", target.title(), name, fmt.Sprint(wrong)), canary, "…")
				t.Run(what, func(t *testing.T) {
					r := refused(t, target.by, document(schema, target.name), target.name, place(target.input, []string{name}, wrong))
					if len(r.reply.Errors) > 0 {
						t.Errorf("the request as a whole was refused: %.300s; want user errors", r.reply.Body)
					}
					checkPlace(t, target.name, name, r.userErrors)
					before = n.unchanged(t, before)
				})
			}
		}
	}
	quietAbout(t, n.server, canary)
}

// checkPlace expects one of the user errors to name the member that is wrong.
func checkPlace(t *testing.T, mutation, name string, errors []userError) {
	t.Helper()
	named := false
	for _, e := range errors {
		switch {
		case e.Code == "SIGN_UP_NOT_FOUND" || e.Code == "SIGN_UP_ABANDONED":
			named = true // the sign-up as a whole
		case len(e.Field) >= 2 && e.Field[0] == "input" && e.Field[1] == name:
			named = true
			if want := attributes[name]; want != "" && strings.HasPrefix(mutation, "signUp") && e.Attribute != want {
				t.Errorf("%s: the attribute is %q, want %s", e.Code, e.Attribute, want)
			}
		}
		var low, high int
		if n, _ := fmt.Sscanf(e.Message, "Must be between %d and %d.", &low, &high); n == 2 && low > high {
			t.Errorf("%v: %q cannot be followed", e.Field, e.Message)
		}
	}
	if !named && len(errors) > 0 {
		t.Errorf("none of the errors names input.%s: %+v", name, errors)
	}
}

// TestWrongValuesTogether gives several wrong values at once: all are reported,
// and the right ones beside them are not stored.
func TestWrongValuesTogether(t *testing.T) {
	t.Parallel()
	schema := loadSchema(t)
	n := newNonsense(t)
	before := n.state(t)
	input := map[string]any{
		"emailAddress": canary, "phoneNumber": canary, "username": canary + " b", "password": "short7!",
		"firstName": "", "lastName": "Lovelace", "legalAccepted": true,
	}
	for _, mutation := range []string{"signUpCreate", "signUpUpdate"} {
		r := refused(t, n.visitor, document(schema, mutation), mutation, input)
		var got []string
		for _, e := range r.userErrors {
			got = append(got, e.Attribute)
		}
		if want := []string{"EMAIL_ADDRESS", "PHONE_NUMBER", "USERNAME", "PASSWORD", "FIRST_NAME"}; !slices.Equal(got, want) {
			t.Errorf("%s: errors for %v, want %v", mutation, got, want)
		}
	}
	settings := refused(t, n.administrator, document(schema, "instanceSettingsUpdate"), "instanceSettingsUpdate", map[string]any{
		"appName": "", "signUpLifetimeSeconds": 1, "allowedOrigins": []any{"*"}, "testMode": true,
	})
	if len(settings.userErrors) != 3 {
		t.Errorf("settings: %+v, want three errors", settings.userErrors)
	}
	n.unchanged(t, before)
}

// TestDisabledFields gives what the settings do not ask for.
func TestDisabledFields(t *testing.T) {
	t.Parallel()
	schema := loadSchema(t)
	n := newNonsense(t)
	n.administrator.changeSettings(t, map[string]any{
		"phoneNumber": map[string]any{"enabled": false}, "username": map[string]any{"enabled": false},
		"firstName": map[string]any{"enabled": false}, "legalConsent": map[string]any{"enabled": false},
	})
	before := n.state(t)
	for name, value := range map[string]any{"phoneNumber": "+15005550100", "username": "ada", "firstName": "Ada", "legalAccepted": true} {
		for _, mutation := range []string{"signUpCreate", "signUpUpdate"} {
			r := refused(t, n.visitor, document(schema, mutation), mutation, map[string]any{name: value})
			if len(r.userErrors) != 1 || r.userErrors[0].Code != "FIELD_DISABLED" || r.userErrors[0].Attribute != attributes[name] {
				t.Errorf("%s with a disabled %s: %+v, want FIELD_DISABLED", mutation, name, r.userErrors)
			}
		}
	}
	n.unchanged(t, before)
}

// wrongLists are lists of the setting, each with one entry that is wrong, or with more
// good ones than there may be.
func wrongLists(name, good, long string, tooMany int, wrong ...string) (all []any) {
	for _, entry := range append(wrong, "", long) {
		all = append(all, map[string]any{name: []any{good, entry}})
	}
	return append(all, map[string]any{name: slices.Repeat([]any{good}, tooMany)})
}

func lists(values ...any) (all []any) {
	for _, v := range values {
		all = append(all, []any{v})
	}
	return all
}

func wrongAccounts(long string) (all []any) {
	provider := func(name, member string, value any) {
		p := map[string]any{"name": name, "issuer": "https://forum.example", "clientId": "app"}
		p[member] = value
		all = append(all, map[string]any{"providers": []any{p}})
	}
	for _, name := range []string{"", canary + "!", "Forum", "../forum", strings.Repeat("f", 33), long} {
		provider(name, "displayName", "Forum")
	}
	for _, issuer := range []string{"", canary, "http://forum.example", "https://forum.example?" + canary, "https://forum.example#" + canary, "https://user:" + canary + "@forum.example", "https://forum.example/" + long} {
		provider("forum", "issuer", issuer)
	}
	for _, id := range []string{"", canary + "\n", long} {
		provider("forum", "clientId", id)
		provider("forum", "displayName", id)
	}
	for _, scopes := range [][]any{{""}, {canary + " openid"}, {long}, slices.Repeat([]any{"openid"}, 21)} {
		provider("forum", "scopes", scopes)
	}
	provider("forum", "preset", "GOOGLE") // which needs a secret
	provider("forum", "preset", "APPLE")
	return append(all, map[string]any{"required": true, "removeProviders": []any{"github"}})
}
