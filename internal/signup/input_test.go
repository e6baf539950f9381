package signup_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"stepwise/engine"
	"stepwise/internal/signup"
)

func yes() *bool { b := true; return &b }

// everything enables all fields that need no provider.
const everything = `{
	"phoneNumber": {"enabled": true}, "username": {"enabled": true}, "legalConsent": {"enabled": true}, "testMode": true
}`

// TestNonsense: what is wrong with an input is said all at once, field by
// field, and nothing of it is stored.
func TestNonsense(t *testing.T) {
	const nul, notUTF8 = "a\x00b", "a\xff\xfeb"
	huge := strings.Repeat("x", 1_000_000)
	given := signup.Given
	tests := []struct {
		name  string
		input signup.Input
		want  string // problems as "CODE ATTRIBUTE path", one a line
	}{
		{"empty texts", signup.Input{EmailAddress: given(""), PhoneNumber: given(""), Username: given(""), Password: given(""), FirstName: given(""), LastName: given("")}, `
			EMPTY EMAIL_ADDRESS emailAddress
			EMPTY PHONE_NUMBER phoneNumber
			EMPTY USERNAME username
			TOO_SHORT PASSWORD password
			EMPTY FIRST_NAME firstName
			EMPTY LAST_NAME lastName`},
		{"spaces", signup.Input{EmailAddress: given("  "), PhoneNumber: given("\u00a0"), Username: given(" "), FirstName: given("\u3000")}, `
			EMPTY EMAIL_ADDRESS emailAddress
			EMPTY PHONE_NUMBER phoneNumber
			EMPTY USERNAME username
			EMPTY FIRST_NAME firstName`},
		{"huge", signup.Input{EmailAddress: given(huge + "@example.com"), PhoneNumber: given("+49" + strings.Repeat("1", 1000)), Username: given(huge), Password: given(huge), FirstName: given(huge), LastName: given(huge)}, `
			TOO_LONG EMAIL_ADDRESS emailAddress
			TOO_LONG PHONE_NUMBER phoneNumber
			TOO_LONG USERNAME username
			TOO_LONG PASSWORD password
			TOO_LONG FIRST_NAME firstName
			TOO_LONG LAST_NAME lastName`},
		{"NUL", signup.Input{EmailAddress: given(nul + "@example.com"), PhoneNumber: given(nul), Username: given(nul), Password: given("long enough \x00"), FirstName: given(nul), LastName: given(nul)}, `
			INVALID_CHARACTER EMAIL_ADDRESS emailAddress
			INVALID_CHARACTER PHONE_NUMBER phoneNumber
			INVALID_CHARACTER USERNAME username
			INVALID_CHARACTER PASSWORD password
			INVALID_CHARACTER FIRST_NAME firstName
			INVALID_CHARACTER LAST_NAME lastName`},
		{"not UTF-8", signup.Input{EmailAddress: given(notUTF8 + "@example.com"), PhoneNumber: given(notUTF8), Username: given(notUTF8), Password: given("long enough \xff"), FirstName: given(notUTF8), LastName: given(notUTF8)}, `
			INVALID_CHARACTER EMAIL_ADDRESS emailAddress
			INVALID_CHARACTER PHONE_NUMBER phoneNumber
			INVALID_CHARACTER USERNAME username
			INVALID_CHARACTER PASSWORD password
			INVALID_CHARACTER FIRST_NAME firstName
			INVALID_CHARACTER LAST_NAME lastName`},
		{"a header in a name", signup.Input{FirstName: given("Jane\r\nBcc: everybody@example.com"), EmailAddress: given("jane@example.com\r\nBcc: x@example.com")}, `
			INVALID_CHARACTER EMAIL_ADDRESS emailAddress
			INVALID_CHARACTER FIRST_NAME firstName`},
		{"look-alikes", signup.Input{Username: given("аdmin"), EmailAddress: given("jаne@example.com")}, `
			MIXED_SCRIPTS EMAIL_ADDRESS emailAddress
			MIXED_SCRIPTS USERNAME username`},
		{"a common password", signup.Input{Password: given("password123")}, `
			PASSWORD_TOO_COMMON PASSWORD password`},
		{"a password from its context", signup.Input{Password: given("janedoe1@example.com"), EmailAddress: given("janedoe1@example.com")}, `
			PASSWORD_FROM_CONTEXT PASSWORD password`},
		{"no country", signup.Input{PhoneNumber: given("030 901820")}, `
			INVALID_NUMBER PHONE_NUMBER phoneNumber`},
		{"strategies that are none", signup.Input{Start: starts("", "NONSENSE", engine.OAuth, engine.Web3Signature, engine.FromTicket, engine.FromOAuth)}, `
			FIELD_DISABLED WEB3_WALLET startVerifications.3
			FIELD_DISABLED EXTERNAL_ACCOUNT startVerifications.2
			STRATEGY_NOT_AVAILABLE - startVerifications.0
			STRATEGY_NOT_AVAILABLE - startVerifications.1
			STRATEGY_NOT_AVAILABLE - startVerifications.4
			STRATEGY_NOT_AVAILABLE - startVerifications.5`},
		{"nothing to verify", signup.Input{Start: starts(engine.EmailCode, engine.PhoneCode)}, `
			VALUE_MISSING EMAIL_ADDRESS startVerifications.0
			VALUE_MISSING PHONE_NUMBER startVerifications.1`},
		{"9 KiB of metadata", signup.Input{UnsafeMetadata: map[string]any{"note": strings.Repeat("x", 9<<10)}}, `
			TOO_LONG - unsafeMetadata`},
		{"metadata that is no JSON", signup.Input{UnsafeMetadata: map[string]any{"note": math.NaN()}}, `
			INVALID_FORMAT - unsafeMetadata`},
		{"a locale that is none", signup.Input{Locale: given("Spanish, please")}, `
			INVALID_FORMAT - locale`},
		{"a key of 200 characters", signup.Input{IdempotencyKey: strings.Repeat("k", 200)}, `
			TOO_LONG - idempotencyKey`},
		{"all at once", signup.Input{
			EmailAddress: given("jane"), PhoneNumber: given("+1 900 234 5678"), Username: given("ab"), Password: given("short"),
			FirstName: given(" "), LastName: given("Doe\x00"), LegalAccepted: yes(), UnsafeMetadata: map[string]any{"note": huge},
			Start: starts("NONSENSE"), IdempotencyKey: strings.Repeat("k", 129), Locale: given(""),
		}, `
			INVALID_FORMAT EMAIL_ADDRESS emailAddress
			UNSUPPORTED_NUMBER PHONE_NUMBER phoneNumber
			TOO_SHORT USERNAME username
			TOO_SHORT PASSWORD password
			EMPTY FIRST_NAME firstName
			INVALID_CHARACTER LAST_NAME lastName
			TOO_LONG - unsafeMetadata
			INVALID_FORMAT - locale
			TOO_LONG - idempotencyKey
			STRATEGY_NOT_AVAILABLE - startVerifications.0`},
	}
	w := newWorld(t, everything)
	c := w.client()
	c.create(signup.Input{})
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			here := *c
			world := *w
			world.TB, here.world = t, &world
			before := text(t, here.signUp())
			out := here.update(test.input)
			wantListed(t, out.Problems, test.want)
			if after := text(t, here.signUp()); after != before || text(t, out.SignUp) != before {
				t.Errorf("the sign-up was\n%s\nand is\n%s", before, after)
			}

			// A sign-up is not even begun with it.
			nobody := &client{world: &world, service: w.service}
			out = nobody.create(test.input)
			wantListed(t, out.Problems, test.want)
			if out.SignUp != nil || out.ClientToken != "" {
				t.Error("a sign-up was begun")
			}
			for _, p := range out.Problems {
				if len(p.Message) > 200 || !strings.HasSuffix(p.Message, ".") {
					t.Errorf("%s is explained by %q", p.Code, p.Message)
				}
			}
		})
	}
	if n := len(w.mail.all()); n > 0 {
		t.Errorf("%d messages were sent", n)
	}
}

func wantListed(t *testing.T, problems []signup.Problem, want string) {
	t.Helper()
	var got strings.Builder
	for _, p := range problems {
		attribute := "-"
		if p.Attribute != nil {
			attribute = p.Attribute.String()
		}
		if len(p.Field) < 2 || p.Field[0] != "input" {
			t.Errorf("%s has the path %v", p.Code, p.Field)
			continue
		}
		fmt.Fprintf(&got, "\n%s %s %s", p.Code, attribute, strings.Join(p.Field[1:], "."))
	}
	if want := strings.ReplaceAll(want, "\t", ""); got.String() != want {
		t.Errorf("the problems are%s\nwant%s", got.String(), want)
	}
}

// TestWhatIsTakenAsItIs: unusual, but right.
func TestWhatIsTakenAsItIs(t *testing.T) {
	w := newWorld(t, everything)
	for name, test := range map[string]struct {
		input signup.Input
		shown func(*signup.SignUp) string
		want  string
	}{
		"an address in capitals": {signup.Input{EmailAddress: signup.Given("  JANE@EXAMPLE.COM ")},
			func(s *signup.SignUp) string { return s.Values[engine.EmailAddress].Text }, "JANE@example.com"},
		"a number with its country": {signup.Input{PhoneNumber: signup.Given("+49 (30) 90 18-20")},
			func(s *signup.SignUp) string { return s.Values[engine.PhoneNumber].Text }, "+4930901820"},
		"a name in another script": {signup.Input{FirstName: signup.Given("Владимир"), LastName: signup.Given("O’Brien-Łódź")},
			func(s *signup.SignUp) string {
				return s.Values[engine.FirstName].Text + " " + s.Values[engine.LastName].Text
			}, "Владимир O’Brien-Łódź"},
		"a password of 256 characters": {signup.Input{Password: signup.Given(strings.Repeat("ä7 ", 85) + "x")},
			func(s *signup.SignUp) string { return fmt.Sprint(s.PasswordEnabled) }, "true"},
		"8 KiB of metadata": {signup.Input{UnsafeMetadata: map[string]any{"n": strings.Repeat("x", 8<<10-len(`{"n":""}`))}},
			func(s *signup.SignUp) string { return fmt.Sprint(len(s.UnsafeMetadata)) }, "8192"},
		"empty metadata": {signup.Input{UnsafeMetadata: map[string]any{}},
			func(s *signup.SignUp) string { return string(s.UnsafeMetadata) }, "{}"},
		"metadata with a NUL": {signup.Input{UnsafeMetadata: map[string]any{"\x00": "\x00"}},
			func(s *signup.SignUp) string { return string(s.UnsafeMetadata) }, `{"\u0000":"\u0000"}`},
		"a key of 128 characters": {signup.Input{IdempotencyKey: strings.Repeat("k", 128)},
			func(s *signup.SignUp) string { return string(s.Status) }, "MISSING_REQUIREMENTS"},
		"clearing what is not there": {signup.Input{EmailAddress: signup.Null(), Password: signup.Null(), Clear: []engine.Attribute{engine.Web3Wallet, engine.ExternalAccount}},
			func(s *signup.SignUp) string { return s.Verdict.Missing.String() }, "[EMAIL_ADDRESS PASSWORD LEGAL_ACCEPTED]"},
		"one strategy twice": {signup.Input{EmailAddress: signup.Given("twice@example.com"), Start: starts(engine.EmailCode, engine.EmailCode)},
			func(*signup.SignUp) string { return fmt.Sprint(w.mail.sentTo("twice@example.com")) }, "1"},
	} {
		t.Run(name, func(t *testing.T) {
			out := w.client().create(test.input)
			wantProblems(t, out)
			if got := test.shown(out.SignUp); got != test.want {
				t.Errorf("is %q, want %q", got, test.want)
			}
		})
	}
}

// TestStrangeMetadataReachesTheUser: what was taken can be stored.
func TestStrangeMetadataReachesTheUser(t *testing.T) {
	w := newWorld(t, unverifiedEmail)
	in := signup.Input{EmailAddress: signup.Given("jane@example.com"), Password: signup.Given(goodPassword), UnsafeMetadata: map[string]any{
		"nul": "\x00", "not UTF-8": "\xff", "quotes": `'"\`, "script": "</script>", "number": 1e300, "deep": []any{map[string]any{"a": nil}},
	}}
	out := w.client().create(in)
	wantStatus(t, out, engine.StatusComplete)
	u := w.usersWith("jane@example.com")[0]
	if text(t, u.UnsafeMetadata) != text(t, out.SignUp.UnsafeMetadata) || len(u.UnsafeMetadata) < 50 {
		t.Errorf("the user has %s", u.UnsafeMetadata)
	}
}

// TestStrangeProofs: what is not a code at all is told so and is no guess.
func TestStrangeProofs(t *testing.T) {
	w := newWorld(t, "")
	for i, offered := range []string{"", " ", "12345", "1234567", "١٢٣٤٥٦", "１２３４５６", "\x00", "\xff", "null", "-00001", "1e5", strings.Repeat("1", 1_000_000), "424242"} {
		c := w.client()
		c.create(withEmail(fmt.Sprintf("jane%d@example.com", i)))
		if offered == w.mail.code(t, fmt.Sprintf("jane%d@example.com", i)) {
			continue
		}
		want, left := signup.CodeInvalidFormat, engine.MaxGuesses
		if offered == "424242" {
			want, left = signup.Code(engine.CodeIncorrect), engine.MaxGuesses-1
		}
		out := c.check(engine.EmailAddress, offered)
		wantProblems(t, out, want)
		if got := out.SignUp.Verifications[engine.EmailAddress].AttemptsLeft; got != left {
			t.Errorf("%.20q: %d tries left, want %d", offered, got, left)
		}
	}
	// People copy codes together with spaces, and write them in groups.
	for i, form := range []string{" %s%s ", "%s %s", "%s-%s"} {
		c, address := w.client(), fmt.Sprintf("joan%d@example.com", i)
		c.create(withEmail(address))
		code := w.mail.code(t, address)
		wantStatus(t, c.check(engine.EmailAddress, fmt.Sprintf(form, code[:3], code[3:])), engine.StatusComplete)
	}
}
