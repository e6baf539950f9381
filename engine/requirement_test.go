package engine_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"stepwise/engine"
)

// What a client is told to do about each field, and why.

// inShort is the requirement of one attribute, in short: its state, its reason and
// the actions, with their strategies.
func inShort(r engine.Requirement) string {
	words := []string{string(r.State), string(r.Reason)}
	for _, action := range r.Actions {
		word := string(action.Kind)
		for _, strategy := range action.Strategies {
			word += ":" + string(strategy)
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

func TestRequirementOfOneField(t *testing.T) {
	emailRequired := instance(requiredVerified(engine.EmailAddress), providers)
	emailOptional := instance(optionalVerified(engine.EmailAddress), requiredVerified(engine.PhoneNumber), providers)
	claim := instance(required(engine.EmailAddress), optional(engine.Password))
	allOptional := instance(optional(engine.Web3Wallet), providers, optional(engine.Username), optional(engine.Password))
	mute := engine.Capabilities{}
	tests := []struct {
		name      string
		settings  engine.Settings
		attribute engine.Attribute
		happened  []happening
		can       engine.Capabilities
		want      string
	}{
		{"email missing", emailRequired, engine.EmailAddress, nil, everything,
			"MISSING REQUIRED_BY_SETTINGS PROVIDE"},
		{"email typed", emailRequired, engine.EmailAddress, []happening{given(engine.EmailAddress, ownEmail)}, everything,
			"UNVERIFIED MUST_BE_VERIFIED PROVIDE CLEAR START_VERIFICATION:EMAIL_CODE:EMAIL_LINK"},
		{"code sent", emailRequired, engine.EmailAddress, []happening{given(engine.EmailAddress, ownEmail), codeSent(engine.EmailAddress, ownEmail)}, everything,
			"UNVERIFIED MUST_BE_VERIFIED PROVIDE CLEAR START_VERIFICATION:EMAIL_CODE:EMAIL_LINK CHECK_VERIFICATION:EMAIL_CODE"},
		{"code guessed out", emailRequired, engine.EmailAddress, []happening{given(engine.EmailAddress, ownEmail), codeSent(engine.EmailAddress, ownEmail), guessedOut}, everything,
			"UNVERIFIED MUST_BE_VERIFIED PROVIDE CLEAR START_VERIFICATION:EMAIL_CODE:EMAIL_LINK"},
		{"code sent, server mute since", emailRequired, engine.EmailAddress, []happening{given(engine.EmailAddress, ownEmail), codeSent(engine.EmailAddress, ownEmail)}, mute,
			"UNVERIFIED MUST_BE_VERIFIED PROVIDE CLEAR CHECK_VERIFICATION:EMAIL_CODE"},
		{"email proved", emailRequired, engine.EmailAddress, []happening{given(engine.EmailAddress, ownEmail), proved(engine.EmailAddress, ownEmail)}, everything,
			"SATISFIED REQUIRED_BY_SETTINGS PROVIDE CLEAR"},
		{"email sent by the provider", emailRequired, engine.EmailAddress, []happening{signedInWith(googleAccount(sentEmail))}, everything,
			"SATISFIED REQUIRED_BY_SETTINGS PROVIDE CLEAR"},
		{"email sent unverified", emailRequired, engine.EmailAddress, []happening{signedInWith(unverifiedGoogleAccount(sentEmail))}, everything,
			"UNVERIFIED MUST_BE_VERIFIED PROVIDE CLEAR START_VERIFICATION:EMAIL_CODE:EMAIL_LINK"},
		{"email sent, but cleared", emailRequired, engine.EmailAddress, []happening{signedInWith(googleAccount(sentEmail)), cleared(engine.EmailAddress)}, everything,
			"MISSING REQUIRED_BY_SETTINGS PROVIDE"},
		{"email taken", emailRequired, engine.EmailAddress, []happening{taken(email)}, everything,
			"MISSING TAKEN PROVIDE CLEAR"},
		{"optional email", emailOptional, engine.EmailAddress, nil, everything,
			"OPTIONAL OPTIONAL_BY_SETTINGS PROVIDE"},
		{"optional email typed", emailOptional, engine.EmailAddress, []happening{given(engine.EmailAddress, ownEmail)}, everything,
			"UNVERIFIED MUST_BE_VERIFIED PROVIDE CLEAR START_VERIFICATION:EMAIL_CODE:EMAIL_LINK"},
		{"phone typed", emailOptional, engine.PhoneNumber, []happening{given(engine.PhoneNumber, ownPhone)}, everything,
			"UNVERIFIED MUST_BE_VERIFIED PROVIDE CLEAR START_VERIFICATION:PHONE_CODE"},
		{"claim", claim, engine.EmailAddress, []happening{given(engine.EmailAddress, ownEmail)}, everything,
			"SATISFIED REQUIRED_BY_SETTINGS PROVIDE CLEAR START_VERIFICATION:EMAIL_CODE:EMAIL_LINK"},
		{"password beside a claim", claim, engine.Password, []happening{given(engine.EmailAddress, ownEmail)}, everything,
			"MISSING NO_OTHER_WAY_TO_SIGN_IN PROVIDE"},
		{"disabled", emailRequired, engine.Username, []happening{given(engine.Username, "ada")}, everything,
			"DISABLED DISABLED_BY_SETTINGS"},
		{"open group", allOptional, engine.Username, nil, everything,
			"MISSING ONE_OF_REQUIRED PROVIDE"},
		{"wallet in an open group", allOptional, engine.Web3Wallet, nil, everything,
			"MISSING ONE_OF_REQUIRED START_VERIFICATION:WEB3_SIGNATURE"},
		{"account in an open group", allOptional, engine.ExternalAccount, nil, everything,
			"MISSING ONE_OF_REQUIRED START_VERIFICATION:OAUTH"},
		{"wallet on a server that cannot", allOptional, engine.Web3Wallet, nil, engine.Capabilities{ProveAccount: true},
			"MISSING ONE_OF_REQUIRED"},
		{"account on a server that cannot", allOptional, engine.ExternalAccount, nil, engine.Capabilities{ProveWallet: true},
			"MISSING ONE_OF_REQUIRED"},
		{"the one given", allOptional, engine.Username, []happening{given(engine.Username, "ada")}, everything,
			"SATISFIED ONE_OF_REQUIRED PROVIDE CLEAR"},
		{"the others", allOptional, engine.Web3Wallet, []happening{given(engine.Username, "ada")}, everything,
			"OPTIONAL ONE_OF_SATISFIED START_VERIFICATION:WEB3_SIGNATURE"},
		{"wallet proved", allOptional, engine.Web3Wallet, []happening{walletProved}, everything,
			"SATISFIED ONE_OF_REQUIRED CLEAR START_VERIFICATION:WEB3_SIGNATURE"},
		{"account proved", allOptional, engine.ExternalAccount, []happening{signedInWith(emptyGoogleAccount())}, everything,
			"SATISFIED ONE_OF_REQUIRED CLEAR START_VERIFICATION:OAUTH"},
		{"password waived by the account", instance(providers, required(engine.Password)), engine.Password, []happening{signedInWith(emptyGoogleAccount())}, everything,
			"OPTIONAL WAIVED_BY_EXTERNAL_ACCOUNT PROVIDE"},
		{"password waived by the wallet", instance(optional(engine.Web3Wallet), required(engine.Password)), engine.Password, []happening{walletProved}, everything,
			"OPTIONAL WAIVED_BY_WALLET PROVIDE"},
		{"optional password, account", instance(providers, optional(engine.Password)), engine.Password, []happening{signedInWith(emptyGoogleAccount())}, everything,
			"OPTIONAL OPTIONAL_BY_SETTINGS PROVIDE"},
		{"consent", instance(providers, consentAsked), engine.LegalAccepted, nil, everything,
			"MISSING CONSENT_REQUIRED PROVIDE"},
		{"consent given", instance(providers, consentAsked), engine.LegalAccepted, []happening{consented(terms)}, everything,
			"SATISFIED CONSENT_REQUIRED PROVIDE CLEAR"},
		{"consent outdated", instance(providers, consentAsked), engine.LegalAccepted, []happening{consented("terms-1")}, everything,
			"MISSING CONSENT_OUTDATED PROVIDE CLEAR"},
		{"legacy: name beside an account", instance(legacy, providers, required(engine.FirstName)), engine.FirstName, []happening{signedInWith(googleAccount(sentEmail))}, everything,
			"OPTIONAL LEGACY_OAUTH_COMPLETES_ALONE PROVIDE"},
		{"legacy: name beside a wallet", instance(legacy, optional(engine.Web3Wallet), optional(engine.FirstName)), engine.FirstName, []happening{walletProved}, everything,
			"OPTIONAL LEGACY_WALLET_COMPLETES_ALONE PROVIDE"},
		{"legacy: account without a verified email", instance(legacy, providers, optionalVerified(engine.EmailAddress)), engine.ExternalAccount, []happening{signedInWith(emptyGoogleAccount())}, everything,
			"OPTIONAL PROVIDER_EMAIL_NOT_VERIFIED CLEAR START_VERIFICATION:OAUTH"},
		{"account of a provider that is gone", instance(onlyForum, optionalVerified(engine.EmailAddress), legacy), engine.ExternalAccount, []happening{signedInWith(googleAccount(sentEmail))}, everything,
			"OPTIONAL OPTIONAL_BY_SETTINGS CLEAR START_VERIFICATION:OAUTH"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a := attempt(test.happened...)
			list := engine.Requirements(test.settings, a, engine.Evaluate(test.settings, a), test.can, noon)
			if got := inShort(list[test.attribute]); got != test.want {
				t.Errorf("told %q,\nwant %q", got, test.want)
			}
		})
	}
}

func TestRequirementsAreOfEveryFieldInOrder(t *testing.T) {
	s := instance(optionalVerified(engine.EmailAddress), optionalVerified(engine.PhoneNumber), optional(engine.FirstName))
	a := attempt()
	list := engine.Requirements(s, a, engine.Evaluate(s, a), everything, noon)
	if len(list) != engine.NumAttributes {
		t.Fatalf("%d requirements", len(list))
	}
	for i, r := range list {
		want := none
		if r.Attribute == engine.EmailAddress || r.Attribute == engine.PhoneNumber {
			want = email | phone
		}
		if r.Attribute != engine.Attribute(i) || r.OneOf != want {
			t.Errorf("requirement %d is of %v, one of %v", i, r.Attribute, r.OneOf)
		}
	}
}

func TestNoActionsPastTheDeadline(t *testing.T) {
	s, a := newInstance(), attempt()
	v := engine.Evaluate(s, a)
	for after, open := range map[time.Duration]bool{24*time.Hour - 1: true, 24 * time.Hour: false} {
		if got := len(engine.Requirements(s, a, v, everything, noon.Add(after))[engine.EmailAddress].Actions) > 0; got != open {
			t.Errorf("after %v: actions %t, want %t", after, got, open)
		}
	}
}

func TestEveryReasonNamesItsSource(t *testing.T) {
	for _, reason := range []engine.Reason{
		engine.ReasonRequired, engine.ReasonOneOf, engine.ReasonSoleIdentifier, engine.ReasonConsent, engine.ReasonConsentOutdated,
		engine.ReasonTaken, engine.ReasonMustBeVerified, engine.ReasonEmailNotVerified, engine.ReasonOptional, engine.ReasonOneOfSatisfied,
		engine.ReasonWaivedByAccount, engine.ReasonWaivedByWallet, engine.ReasonLegacyOAuth, engine.ReasonLegacyWallet, engine.ReasonDisabled,
		engine.ReasonNotAllowed,
	} {
		if reason.Source(engine.PhoneNumber) == "" {
			t.Errorf("%s has no source", reason)
		}
	}
	if got := engine.ReasonRequired.Source(engine.PhoneNumber); got != "phoneNumber.required" {
		t.Errorf("source %q", got)
	}
	if got := engine.ReasonMustBeVerified.Source(engine.EmailAddress); got != "emailAddress.verifyAtSignUp" {
		t.Errorf("source %q", got)
	}
	if got := engine.ReasonDisabled.Source(engine.LegalAccepted); got != "legalConsent.enabled" {
		t.Errorf("source %q", got)
	}
}

// TestVerdictsDifferInAnyPart: Equal overlooks nothing.
func TestVerdictsDifferInAnyPart(t *testing.T) {
	s, a := newInstance(), attempt()
	v := engine.Evaluate(s, a)
	if !v.Equal(engine.Evaluate(s, a)) {
		t.Fatal("a verdict does not equal itself")
	}
	fields := reflect.TypeFor[engine.Verdict]()
	for i := range fields.NumField() {
		other := engine.Evaluate(s, a)
		switch part := reflect.ValueOf(&other).Elem().Field(i); part.Kind() {
		case reflect.Uint16:
			part.SetUint(part.Uint() ^ 1)
		case reflect.String:
			part.SetString("another")
		case reflect.Array:
			part.Index(0).SetString("another")
		case reflect.Slice:
			part.Set(reflect.MakeSlice(part.Type(), 1, 1))
		default:
			t.Fatalf("%s is of a kind this test does not know", fields.Field(i).Name)
		}
		if v.Equal(other) || other.Equal(v) {
			t.Errorf("verdicts that differ in %s are said to be equal", fields.Field(i).Name)
		}
	}
}
