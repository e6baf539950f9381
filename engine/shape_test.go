package engine_test

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"stepwise/engine"
)

// sameNeeds says where a shape's attempt is evaluated otherwise than the attempt; empty
// if nowhere.
func sameNeeds(s engine.Settings, a engine.Attempt) string {
	shape := engine.ShapeOf(a)
	of, err := shape.Attempt()
	if err != nil {
		return fmt.Sprintf("%q: %v", shape, err)
	}
	if again := engine.ShapeOf(of); again != shape {
		return fmt.Sprintf("%q has the shape %q", shape, again)
	}
	s.Restrictions = engine.Restrictions{} // which are about values
	if want, got := engine.Evaluate(s, a), engine.Evaluate(s, of); !want.Equal(got) {
		return fmt.Sprintf("%q needs\n%+v\nthe sign-up\n%+v", shape, got, want)
	}
	return ""
}

// TestShapesNeedWhatTheirSignUpsNeed: for every row of the truth table.
func TestShapesNeedWhatTheirSignUpsNeed(t *testing.T) {
	columns, step := truthTable(), sampling
	if campaign() {
		step = 1
	}
	everyRow(columns, step, func(i int, s engine.Settings, a engine.Attempt) {
		if i%3 == 0 {
			consented(terms)(&a)
			consentAsked(&s)
		}
		if i%7 == 0 {
			taken(engine.Set(i) & engine.Identifiers)(&a)
		}
		if why := sameNeeds(s, a); why != "" {
			t.Errorf("%s: %s", rowName(columns, i), why)
		}
	})
}

// TestShapesOfWalks: wherever a sign-up gets to, its shape needs the same, under the
// settings it is in and under any others.
func TestShapesOfWalks(t *testing.T) {
	shapes := map[engine.Shape]bool{}
	rapid.Check(t, func(t *rapid.T) {
		s, a, _ := walk(t, func(engine.Settings, engine.Attempt, engine.Command, engine.Facts, engine.Decision) {})
		other := drawSettings(t)
		for _, s := range []engine.Settings{s, other} {
			if why := sameNeeds(s, a); why != "" {
				t.Fatal(why)
			}
		}
		shapes[engine.ShapeOf(a)] = true
	})
	longest := 0
	for shape := range shapes {
		longest = max(longest, len(shape))
	}
	t.Logf("%d shapes, the longest of %d bytes", len(shapes), longest)
}

// TestShapesHoldNoValues: nothing that anybody gave, sent or proved.
func TestShapesHoldNoValues(t *testing.T) {
	a := attempt(given(engine.EmailAddress, "canary-1"), given(engine.PhoneNumber, "canary-2"), given(engine.Username, "canary-3"),
		given(engine.FirstName, "canary-4"), given(engine.Password, "canary-5"), walletProved,
		codeSent(engine.EmailAddress, "canary-6"), invited(engine.TicketValid, sent{engine.LastName, "canary-7"}))
	a.Ticket.ID = "canary-8"
	acc := googleAccount("canary-9", sent{engine.PhoneNumber, "canary-10"})
	acc.Issuer, acc.Subject = "canary-11", "canary-12"
	signedInWith(acc)(&a)
	shape := engine.ShapeOf(a)
	if strings.Contains(string(shape), "canary") || strings.Contains(string(shape), "0xabc") {
		t.Errorf("%q", shape)
	}
	if want := engine.Shape(`1 a-bsca-b--a----a--v----v-a----a-----a-------- 0 0 proven true - "google" ""`); shape != want {
		t.Errorf("%q, want %q", shape, want)
	}
}

// TestRefusedAccountsAreJudgedAnew: what the legacy algorithm refused for its address
// is what Progressive Sign Up would have made of it, and says nothing of whose it was.
func TestRefusedAccountsAreJudgedAnew(t *testing.T) {
	on := instance(requiredVerified(engine.EmailAddress), required(engine.FirstName), required(engine.Password), providers)
	off := on
	off.Progressive = false
	for name, acc := range map[string]*engine.Account{
		"no address": emptyGoogleAccount(), "an unverified one": unverifiedGoogleAccount(sentEmail),
		"an untrusted word": forumAccount(sentEmail), "a name": func() *engine.Account {
			acc := emptyGoogleAccount()
			acc.Sent[engine.FirstName] = text("Ada")
			return acc
		}(),
	} {
		began := engine.Decide(off, attempt(), startAccount(acc.Provider), at(0)).Attempt
		refused := engine.Decide(off, began, returned("nonce-1", acc), at(0)).Attempt
		accepted := engine.Decide(on, began, returned("nonce-1", acc), at(0)).Attempt
		of, err := engine.ShapeOf(refused).Attempt()
		if err != nil {
			t.Fatal(err)
		}
		if refused.Account != nil || refused.Way() != (engine.Way{Path: engine.PathOAuth, Provider: acc.Provider}) || of.Way() != refused.Way() {
			t.Errorf("%s: account %v, way %v, as a shape %v", name, refused.Account, refused.Way(), of.Way())
		}
		if v := refused.Verifications[engine.ExternalAccount]; v.Key != "" || v.Refused.Subject != "" || v.Refused.Issuer != "" || v.Refused.Sent[engine.FirstName].Key != "" {
			t.Errorf("%s: %+v is kept", name, v)
		}
		for _, judged := range []engine.Attempt{refused.Judged(on), of.Judged(on)} {
			if got, want := engine.Evaluate(on, judged), engine.Evaluate(on, accepted); !got.Equal(want) {
				t.Errorf("%s: judged anew it needs\n%+v\nwant\n%+v", name, got, want)
			}
		}
		// An address that was typed as well stays the same address.
		trusting := on
		trusting.Providers = []engine.Provider{{Name: google, Enabled: true, TrustEmail: true}, {Name: forum, Enabled: true, TrustEmail: true}}
		typed := engine.Decide(off, refused, give(engine.EmailAddress, sentEmail), at(0)).Attempt
		both := engine.Decide(trusting, engine.Decide(trusting, began, returned("nonce-1", acc), at(0)).Attempt, give(engine.EmailAddress, sentEmail), at(0)).Attempt
		shaped, err := engine.ShapeOf(typed).Attempt()
		if err != nil {
			t.Fatal(err)
		}
		if got, want := engine.Evaluate(trusting, shaped.Judged(trusting)), engine.Evaluate(trusting, both); !got.Equal(want) {
			t.Errorf("%s, with the address typed too: judged anew it needs\n%+v\nwant\n%+v", name, got, want)
		}
		if got := of.Judged(off); got.Account != nil {
			t.Errorf("%s: the settings that refused it take it", name)
		}
	}
}

func TestShapesOfOtherForms(t *testing.T) {
	good := string(engine.ShapeOf(attempt(given(engine.EmailAddress, ownEmail), consented("a \"version\""), signedInWith(emptyGoogleAccount()))))
	if _, err := engine.Shape(good).Attempt(); err != nil {
		t.Fatalf("%q: %v", good, err)
	}
	for _, text := range []string{"", "1", "2" + good[1:], good + " more", good[:len(good)-1], strings.Replace(good, "a----", "z----", 1),
		strings.Replace(good, " 0 ", " 65535 ", 1), strings.Replace(good, "proven", "stolen", 1), strings.Replace(good, "a----", "a--q-", 1)} {
		if a, err := engine.Shape(text).Attempt(); err == nil {
			t.Errorf("%q is taken for %+v", text, a)
		}
	}
}

func TestWays(t *testing.T) {
	for want, a := range map[engine.Way]engine.Attempt{
		{Path: engine.PathForm}:                    attempt(given(engine.EmailAddress, ownEmail)),
		{Path: engine.PathTicket}:                  attempt(invited(engine.TicketRevoked)),
		{Path: engine.PathWallet}:                  attempt(invited(engine.TicketValid), walletProved),
		{Path: engine.PathOAuth, Provider: google}: attempt(walletProved, signedInWith(emptyGoogleAccount())),
	} {
		if got := a.Way(); got != want {
			t.Errorf("%v, want %v", got, want)
		}
	}
}

// TestShapesRememberWhatAgrees: an address that an account sent and a user has fills
// nothing, and is still the one that the provider verified, should it be typed.
func TestShapesRememberWhatAgrees(t *testing.T) {
	acc := googleAccount(sentEmail)
	acc.Sent[engine.EmailAddress].Presence = engine.Cleared
	s := instance(requiredVerified(engine.EmailAddress), providers)
	for name, typed := range map[string]string{"the same": sentEmail, "another": ownEmail} {
		a := attempt(signedInWith(acc), given(engine.EmailAddress, typed))
		if got := engine.Evaluate(s, a).Unverified == none; got != (typed == sentEmail) {
			t.Errorf("%s: verified %t", name, got)
		}
		if why := sameNeeds(s, a); why != "" {
			t.Errorf("%s: %s", name, why)
		}
	}
}
