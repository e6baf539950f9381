package engine_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"stepwise/engine"
)

// change says in words what a change of settings does to an attempt that comes anew.
func change(before, after engine.Settings, a engine.Attempt) string {
	var words []string
	for _, e := range engine.Effects(engine.StandingOf(before, a.Judged(before)), engine.StandingOf(after, a.Judged(after))) {
		what := string(e.Blocker)
		if e.HasAttribute {
			what = strings.TrimSpace(e.Attribute.String() + " " + what)
		}
		words = append(words, strings.TrimSpace(fmt.Sprintf("%s %s %s", e.Kind, what, e.Reason)))
	}
	return strings.Join(words, ", ")
}

// through is what remains of a sign-up that came through a provider.
func through(s engine.Settings, acc *engine.Account, before ...engine.Command) engine.Attempt {
	a := attempt()
	for _, c := range append(before, startAccount(acc.Provider), returned("nonce-1", acc)) {
		a = engine.Decide(s, a, c, at(0)).Attempt
	}
	return a
}

// TestTheFourDifferences: what the switch does to each sort of sign-up that
// Progressive Sign Up was made for.
func TestTheFourDifferences(t *testing.T) {
	off := instance(legacy, optionalVerified(engine.PhoneNumber), required(engine.FirstName), requiredVerified(engine.EmailAddress),
		required(engine.Password), providers)
	off.Fields[engine.PhoneNumber].Required = true
	on := off
	on.Progressive = true
	wallets := instance(legacy, optional(engine.Web3Wallet), optionalVerified(engine.EmailAddress))
	combined := wallets
	combined.Progressive = true
	combined.Fields[engine.EmailAddress].Required = true
	for name, test := range map[string]struct {
		before, after engine.Settings
		attempt       engine.Attempt
		want          string
	}{
		"1. names and phone are no longer ignored": {off, on, through(off, googleAccount(sentEmail)),
			"ASKED PHONE_NUMBER REQUIRED_BY_SETTINGS, ASKED FIRST_NAME REQUIRED_BY_SETTINGS"},
		"2. no verified email is no error": {off, on, through(off, emptyGoogleAccount()),
			"FREED EXTERNAL_ACCOUNT OPTIONAL_BY_SETTINGS, FREED PASSWORD WAIVED_BY_EXTERNAL_ACCOUNT"},
		"2. nor is one that is not verified": {off, on, through(off, unverifiedGoogleAccount(sentEmail)),
			"FREED EXTERNAL_ACCOUNT OPTIONAL_BY_SETTINGS, FREED PASSWORD WAIVED_BY_EXTERNAL_ACCOUNT"},
		"3. wallets combine": {wallets, combined, attempt(walletProved), "ASKED EMAIL_ADDRESS REQUIRED_BY_SETTINGS"},
		"4. the flags of email and phone are honoured": {off, on,
			attempt(given(engine.EmailAddress, ownEmail), proved(engine.EmailAddress, ownEmail), given(engine.Password, "hash"), given(engine.FirstName, "Ada")),
			"ASKED PHONE_NUMBER REQUIRED_BY_SETTINGS"},
		"a form that gave everything": {off, on,
			attempt(given(engine.EmailAddress, ownEmail), proved(engine.EmailAddress, ownEmail), given(engine.PhoneNumber, ownPhone),
				proved(engine.PhoneNumber, ownPhone), given(engine.Password, "hash"), given(engine.FirstName, "Ada")), ""},
		"back again, without a verified email": {on, off, through(on, emptyGoogleAccount()),
			"BLOCKED EXTERNAL_ACCOUNT PROVIDER_EMAIL_NOT_VERIFIED, ASKED PASSWORD REQUIRED_BY_SETTINGS"},
		"invited people only": {on, restrictedToo(on), attempt(), "BLOCKED SIGN_UP_RESTRICTED"},
		"and everybody again": {restrictedToo(on), on, attempt(), "FREED SIGN_UP_RESTRICTED"},
	} {
		shaped, err := engine.ShapeOf(test.attempt).Attempt()
		if err != nil {
			t.Fatal(err)
		}
		for form, a := range map[string]engine.Attempt{"sign-up": test.attempt, "shape": shaped} {
			if got := change(test.before, test.after, a); got != test.want {
				t.Errorf("%s (%s): %q, want %q", name, form, got, test.want)
			}
		}
	}
}

func restrictedToo(s engine.Settings) engine.Settings {
	s.Restricted = true
	return s
}

// TestEffectsAreTheWholeDifference: what stands in the way afterwards is what stood
// there before, and what came, less what went.
func TestEffectsAreTheWholeDifference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, a, _ := walk(t, func(engine.Settings, engine.Attempt, engine.Command, engine.Facts, engine.Decision) {})
		other := drawSettings(t)
		other.Restricted = rapid.Bool().Draw(t, "restricted")
		before, after := engine.StandingOf(s, a), engine.StandingOf(other, a)
		outstanding, blockers := before.Missing|before.Unverified, slices.Clone(before.Blockers)
		refused := before.AccountRefused
		for _, e := range engine.Effects(before, after) {
			bit := engine.Set(1) << e.Attribute
			switch {
			case e.Blocker != "" && e.Kind == engine.EffectBlocked:
				blockers = append(blockers, engine.Blocker{Code: e.Blocker, Attribute: e.Attribute, HasAttribute: e.HasAttribute})
			case e.Blocker != "":
				blockers = slices.DeleteFunc(blockers, func(b engine.Blocker) bool { return b.Code == e.Blocker && b.Attribute == e.Attribute })
			case e.Kind == engine.EffectAsked:
				outstanding |= bit
			case e.Attribute == engine.ExternalAccount && before.AccountRefused != after.AccountRefused:
				refused = e.Kind == engine.EffectBlocked
			case e.Kind == engine.EffectFreed:
				outstanding &^= bit
			}
		}
		if refused != after.AccountRefused || len(blockers) != len(after.Blockers) {
			t.Fatalf("refused %t, blockers %v; want %t, %v", refused, blockers, after.AccountRefused, after.Blockers)
		}
		if want := after.Missing | after.Unverified; outstanding&^account != want&^account {
			t.Fatalf("outstanding %v, want %v", outstanding, want)
		}
	})
}
