package engine_test

import (
	"slices"
	"testing"

	"stepwise/engine"
)

func TestAttributesHaveTheirPublicNames(t *testing.T) {
	want := []string{"EMAIL_ADDRESS", "PHONE_NUMBER", "USERNAME", "WEB3_WALLET", "EXTERNAL_ACCOUNT",
		"PASSWORD", "FIRST_NAME", "LAST_NAME", "LEGAL_ACCEPTED"}
	for i, a := range engine.All.List() {
		if a.String() != want[i] {
			t.Errorf("attribute %d is %s, want %s", i, a, want[i])
		}
		if parsed, ok := engine.ParseAttribute(want[i]); !ok || parsed != a {
			t.Errorf("%s is parsed as %v, %t", want[i], parsed, ok)
		}
	}
	for _, name := range []string{"", "email_address", "EMAIL"} {
		if a, ok := engine.ParseAttribute(name); ok {
			t.Errorf("%q is parsed as %v", name, a)
		}
	}
}

func TestSetsListTheirMembersInOneOrder(t *testing.T) {
	s := engine.SetOf(engine.LegalAccepted, engine.Username, engine.EmailAddress, engine.Username)
	if got, want := s.List(), []engine.Attribute{engine.EmailAddress, engine.Username, engine.LegalAccepted}; !slices.Equal(got, want) {
		t.Errorf("list %v, want %v", got, want)
	}
	if got := s.String(); got != "[EMAIL_ADDRESS USERNAME LEGAL_ACCEPTED]" {
		t.Errorf("string %s", got)
	}
	if got := none.List(); got == nil || len(got) != 0 || !none.Empty() || s.Empty() {
		t.Errorf("the empty set lists %v", got)
	}
	for a := range engine.Attribute(engine.NumAttributes) {
		if s.Has(a) != slices.Contains(s.List(), a) {
			t.Errorf("has %v: %t", a, s.Has(a))
		}
	}
}

// TestStrategiesVerifyWhatTheyAreFor: one way to look it up is the inverse of
// the other.
func TestStrategiesVerifyWhatTheyAreFor(t *testing.T) {
	for a, want := range map[engine.Attribute][]engine.Strategy{
		engine.EmailAddress: {engine.EmailCode, engine.EmailLink}, engine.PhoneNumber: {engine.PhoneCode},
		engine.Web3Wallet: {engine.Web3Signature}, engine.ExternalAccount: {engine.OAuth}, engine.Username: nil,
	} {
		if got := engine.StrategiesFor(a); !slices.Equal(got, want) {
			t.Errorf("strategies for %v are %v, want %v", a, got, want)
		}
		for _, strategy := range want {
			if got, ok := strategy.Attribute(); !ok || got != a {
				t.Errorf("%v verifies %v, %t", strategy, got, ok)
			}
		}
	}
	for _, strategy := range []engine.Strategy{engine.FromOAuth, engine.FromTicket, ""} {
		if a, ok := strategy.Attribute(); ok {
			t.Errorf("a client can start %q, for %v", strategy, a)
		}
	}
}
