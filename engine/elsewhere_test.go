package engine_test

import (
	"testing"
	"time"

	"stepwise/engine"
)

// Challenges that are answered elsewhere: at a provider, by a wallet, by a link
// in a mail. Each is open, answered once, or void.

// anyProof needs a phone number as well, so that sign-ups stay open.
func anyProof() engine.Settings {
	return instance(requiredVerified(engine.EmailAddress), requiredVerified(engine.PhoneNumber), optional(engine.Web3Wallet), providers)
}

func TestStartedElsewhereSendsNothingAndWaits(t *testing.T) {
	for strategy, a := range map[engine.Strategy]engine.Attribute{
		engine.OAuth: engine.ExternalAccount, engine.Web3Signature: engine.Web3Wallet,
	} {
		j := begin(t, anyProof()).does(start(strategy)).sends(0).verification(a, engine.VerificationUnverified).
			told(engine.StatusMissingRequirements, email|phone, none)
		v := j.attempt.Verifications[a]
		if v.Nonce != "nonce-1" || !v.ExpireAt.Equal(noon.Add(engine.CodeLifetime)) || !v.SentAt.Equal(noon) {
			t.Errorf("%v: the challenge is %+v", strategy, *v)
		}
		j.waits(engine.CodeLifetime).verification(a, engine.VerificationExpired)
	}
}

func TestStartElsewhereIsRefused(t *testing.T) {
	oauth, sign := start(engine.OAuth), start(engine.Web3Signature)
	unknown, nameless := start(engine.OAuth), start(engine.Web3Signature)
	unknown.Start[0].Provider, nameless.Start[0].Wallet = "nobody", ""
	begin(t, anyProof()).refused(unknown, engine.CodeProviderDisabled).refused(nameless, engine.CodeValueMissing)
	begin(t, instance(requiredVerified(engine.EmailAddress), onlyForum)).refused(oauth, engine.CodeProviderDisabled)

	helpless := engine.Facts{Now: noon, Can: engine.Capabilities{SendEmail: true, SendSMS: true}}
	for _, c := range []engine.Command{oauth, sign} {
		d := engine.Decide(anyProof(), attempt(), c, helpless)
		if len(d.Problems) != 1 || d.Problems[0].Code != engine.CodeStrategyInvalid || d.Changed {
			t.Errorf("%v where nothing can be proven: %+v", c.Start[0].Strategy, d)
		}
	}
}

// TestStartingElsewhereAgain: the same challenge asked for twice at once stays
// good; another one, or a later one, takes its place.
func TestStartingElsewhereAgain(t *testing.T) {
	again := func(change func(*engine.Start)) engine.Command {
		s := engine.Start{Strategy: engine.OAuth, Provider: google, Nonce: "nonce-2", Detail: "home"}
		change(&s)
		return engine.Command{Start: []engine.Start{s}}
	}
	first := again(func(s *engine.Start) { s.Nonce = "nonce-1" })
	for name, test := range map[string]struct {
		command engine.Command
		wait    time.Duration
		nonce   string
	}{
		"the same at once":   {again(func(*engine.Start) {}), engine.ResendInterval - 1, "nonce-1"},
		"the same later":     {again(func(*engine.Start) {}), engine.ResendInterval, "nonce-2"},
		"another provider":   {again(func(s *engine.Start) { s.Provider = forum }), 0, "nonce-2"},
		"to come back there": {again(func(s *engine.Start) { s.Detail = "elsewhere" }), 0, "nonce-2"},
	} {
		j := begin(t, anyProof()).does(first).waits(test.wait).does(test.command)
		if v := j.attempt.Verifications[engine.ExternalAccount]; v.Nonce != test.nonce || v.Generation != map[string]uint32{"nonce-1": 0, "nonce-2": 1}[test.nonce] {
			t.Errorf("%s: the challenge is %+v", name, *v)
		}
	}
	failed := engine.Command{Outcome: &engine.Outcome{Attribute: engine.ExternalAccount, Failure: "PROVIDER_SAID_NO", Nonce: "nonce-1"}}
	begin(t, anyProof()).does(first, failed).verification(engine.ExternalAccount, engine.VerificationFailed).
		does(again(func(*engine.Start) {})).verification(engine.ExternalAccount, engine.VerificationUnverified)
}

// TestAccountAnswersTheOpenChallengeOnce: any other answer is refused, and the
// sign-up stands as it was.
func TestAccountAnswersTheOpenChallengeOnce(t *testing.T) {
	s := anyProof()
	answered := returned("nonce-1", googleAccount(sentEmail))
	begin(t, s).refused(answered, engine.CodeNotStarted)
	begin(t, s).does(start(engine.OAuth)).refused(returned("nonce-0", googleAccount(sentEmail)), engine.CodeNotStarted)
	begin(t, s).does(start(engine.OAuth)).waits(engine.CodeLifetime).refused(answered, engine.CodeExpired)
	begin(t, s).does(start(engine.OAuth), withdraw(engine.ExternalAccount)).refused(answered, engine.CodeNotStarted)
	begin(t, s).does(start(engine.OAuth)).refused(answer(engine.ExternalAccount, true), engine.CodeNotStarted)

	j := begin(t, s).does(start(engine.OAuth), answered).
		verification(engine.ExternalAccount, engine.VerificationVerified).value(engine.EmailAddress, sentEmail).
		refused(answered, engine.CodeAlreadyVerified)
	if v := j.attempt.Verifications[engine.ExternalAccount]; v.Provider != google || v.Nonce != "nonce-1" || v.Key != googleIssuer+" g-1" {
		t.Errorf("the verification is %+v", *v)
	}
	denied := engine.Command{Outcome: &engine.Outcome{Attribute: engine.ExternalAccount, Nonce: "nonce-1", Failure: "PROVIDER_SAID_NO"}}
	begin(t, s).does(start(engine.OAuth), denied).refused(answered, engine.CodeNotStarted).
		told(engine.StatusMissingRequirements, email|phone, none)
}

// TestSecondAccountUnderWayLeavesTheFirst: until it is proven.
func TestSecondAccountUnderWayLeavesTheFirst(t *testing.T) {
	j := begin(t, anyProof()).does(start(engine.OAuth), returned("nonce-1", googleAccount(sentEmail)))
	second := start(engine.OAuth)
	second.Start[0].Provider, second.Start[0].Nonce = forum, "nonce-2"
	j.does(second).verification(engine.ExternalAccount, engine.VerificationUnverified).
		value(engine.EmailAddress, sentEmail).told(engine.StatusMissingRequirements, phone, none).
		does(returned("nonce-2", forumAccount("other@example.test"))).
		value(engine.ExternalAccount, "https://forum.test g-1").told(engine.StatusMissingRequirements, phone, email)
}

func TestSignatureAnswersTheOpenChallengeOnce(t *testing.T) {
	s := anyProof()
	begin(t, s).refused(answer(engine.Web3Wallet, true), engine.CodeNotStarted)
	begin(t, s).does(start(engine.Web3Signature)).waits(engine.CodeLifetime).refused(answer(engine.Web3Wallet, true), engine.CodeExpired)
	begin(t, s).does(start(engine.Web3Signature), answer(engine.Web3Wallet, true)).
		verification(engine.Web3Wallet, engine.VerificationVerified).value(engine.Web3Wallet, "0xabc").
		refused(answer(engine.Web3Wallet, true), engine.CodeAlreadyVerified).
		does(withdraw(engine.Web3Wallet)).refused(answer(engine.Web3Wallet, true), engine.CodeNotStarted)
}

// TestWrongSignaturesAreCounted, and say what is wrong with them.
func TestWrongSignaturesAreCounted(t *testing.T) {
	wrong := answer(engine.Web3Wallet, false)
	wrong.Check.Wrong = "SIGNED_BY_ANOTHER"
	j := begin(t, anyProof()).does(start(engine.Web3Signature))
	for range engine.MaxGuesses {
		j.refused(wrong, "SIGNED_BY_ANOTHER")
	}
	j.refused(answer(engine.Web3Wallet, true), engine.CodeTooManyGuesses).verification(engine.Web3Wallet, engine.VerificationFailed)
}

func TestSignedWalletOfAUserIsTransferable(t *testing.T) {
	j := begin(t, anyProof()).does(start(engine.Web3Signature))
	j.decide(answer(engine.Web3Wallet, true), engine.Facts{Now: noon.Add(time.Minute), Can: everything, Taken: wallet})
	j.verification(engine.Web3Wallet, engine.VerificationTransferable).value(engine.Web3Wallet, "")
	v := j.attempt.Verifications[engine.Web3Wallet]
	if v.Key != "0xabc" || !v.ExpireAt.Equal(noon.Add(time.Minute+engine.CodeLifetime)) {
		t.Errorf("the proof is %+v", *v)
	}
	j.refused(answer(engine.Web3Wallet, true), engine.CodeAlreadyVerified)
}

// TestLinkVerifiesLikeItsCode, and only for the challenge that it names.
func TestLinkVerifiesLikeItsCode(t *testing.T) {
	link := func(nonce string) engine.Command {
		return engine.Command{Check: &engine.Check{Attribute: engine.EmailAddress, Nonce: nonce, Matches: true}}
	}
	sent := func() *journey {
		return begin(t, anyProof()).does(together(give(engine.EmailAddress, ownEmail), start(engine.EmailLink))).sends(1)
	}
	if send := sent().last.Sends[0]; send.Strategy != engine.EmailLink || send.Nonce != "nonce-1" {
		t.Errorf("sent %+v", send)
	}
	sent().does(link("nonce-1")).told(engine.StatusMissingRequirements, phone, none).does(link("nonce-1"))
	sent().does(answer(engine.EmailAddress, true)).told(engine.StatusMissingRequirements, phone, none)
	sent().refused(link("nonce-0"), engine.CodeNotStarted)
	sent().waits(engine.CodeLifetime).refused(link("nonce-1"), engine.CodeExpired)
	sent().does(give(engine.EmailAddress, "other@example.test")).refused(link("nonce-1"), engine.CodeNotStarted).
		does(give(engine.EmailAddress, ownEmail)).refused(link("nonce-1"), engine.CodeNotStarted)
}

// TestSentValueOfAUserIsTaken at once, where it is the one that would count.
func TestSentValueOfAUserIsTaken(t *testing.T) {
	s := instance(optionalVerified(engine.EmailAddress), requiredVerified(engine.PhoneNumber), providers)
	proved := accountProved(googleAccount(sentEmail))
	facts := engine.Facts{Now: noon, Can: everything, SentTaken: email}

	j := begin(t, s)
	j.decide(proved, facts)
	j.told(engine.StatusMissingRequirements, email|phone, none).value(engine.EmailAddress, "")
	if v := engine.Evaluate(s, j.attempt); v.Reasons[engine.EmailAddress] != engine.ReasonTaken || len(v.Blockers) != 1 {
		t.Errorf("the verdict is %+v", v)
	}
	j.does(withdraw(engine.EmailAddress)).told(engine.StatusMissingRequirements, phone, none).value(engine.EmailAddress, "")

	for name, own := range map[string]happening{
		"one's own":        given(engine.EmailAddress, ownEmail),
		"one taken back":   cleared(engine.EmailAddress),
		"that of a ticket": invited(engine.TicketValid, sent{engine.EmailAddress, "invited@example.test"}),
	} {
		j := begin(t, s, own)
		j.decide(proved, facts)
		if !j.attempt.Taken.Empty() {
			t.Errorf("%s: %v is taken", name, j.attempt.Taken)
		}
	}
}

// TestSecondAccountReplacesWhatTheFirstSent, also where that was taken: the person
// chose another account because of it.
func TestSecondAccountReplacesWhatTheFirstSent(t *testing.T) {
	s := instance(optionalVerified(engine.EmailAddress), requiredVerified(engine.PhoneNumber), providers)
	second := googleAccount("second@example.test")
	second.Subject = "g-2"
	lost := engine.Facts{Now: noon, Can: everything, SentTaken: email}

	j := begin(t, s)
	j.decide(accountProved(googleAccount(sentEmail)), lost)
	j.told(engine.StatusMissingRequirements, email|phone, none).
		does(accountProved(second)).told(engine.StatusMissingRequirements, phone, none).value(engine.EmailAddress, "second@example.test")

	j = begin(t, s)
	j.decide(accountProved(googleAccount(sentEmail)), lost)
	j.decide(accountProved(second), lost)
	j.told(engine.StatusMissingRequirements, email|phone, none)

	j = begin(t, s) // another that sends nothing replaces nothing
	j.decide(accountProved(googleAccount(sentEmail)), lost)
	j.does(accountProved(emptyGoogleAccount())).told(engine.StatusMissingRequirements, email|phone, none)

	j = begin(t, s, invited(engine.TicketValid, sent{engine.EmailAddress, "invited@example.test"}), taken(email))
	j.does(accountProved(second)).told(engine.StatusMissingRequirements, email|phone, none)
}

func TestTicketIsLookedAtAgain(t *testing.T) {
	s := instance(optionalVerified(engine.EmailAddress), required(engine.FirstName), restricted)
	j := begin(t, s, invited(engine.TicketValid, sent{engine.EmailAddress, sentEmail})).told(engine.StatusMissingRequirements, first, none)
	before := j.attempt.Ticket
	revoked, noted := engine.NoteTicket(j.attempt, engine.TicketRevoked)
	if !noted || before.State != engine.TicketValid {
		t.Fatalf("noted %t, and the former ticket is %+v", noted, before)
	}
	if v := engine.Evaluate(s, revoked); len(v.Blockers) != 1 || v.Blockers[0].Code != engine.BlockedTicket || v.Satisfied() {
		t.Errorf("the verdict is %+v", v)
	}
	for name, a := range map[string]engine.Attempt{
		"the same": revoked, "no ticket": attempt(), "completing": engine.BeginCompletion(j.attempt), "abandoned": engine.Abandon(j.attempt, noon),
	} {
		if _, noted := engine.NoteTicket(a, engine.TicketRevoked); noted {
			t.Errorf("%s: noted", name)
		}
	}
}

// TestShutOutSignUpSendsNothing: where only invited people can sign up, others may
// still prove an account or a wallet, by which they come back if they are users, but
// no mail goes out for them and they do not complete.
func TestShutOutSignUpSendsNothing(t *testing.T) {
	s := instance(requiredVerified(engine.EmailAddress), optional(engine.Web3Wallet), providers, restricted)
	begin(t, s).does(give(engine.EmailAddress, ownEmail)).
		refused(start(engine.EmailCode), engine.CodeRestricted).refused(start(engine.EmailLink), engine.CodeRestricted).
		does(start(engine.OAuth), returned("nonce-1", googleAccount(sentEmail))).
		verification(engine.ExternalAccount, engine.VerificationVerified)
	j := begin(t, s).does(start(engine.Web3Signature), answer(engine.Web3Wallet, true))
	if j.last.Convert {
		t.Error("it completes")
	}
	for _, r := range engine.Requirements(s, attempt(given(engine.EmailAddress, ownEmail)), engine.Verdict{}, everything, noon) {
		if r.Attribute == engine.EmailAddress && offered(r)[engine.ActionStart] {
			t.Error("a code is offered")
		}
	}
	begin(t, s, invited(engine.TicketValid)).does(together(give(engine.EmailAddress, ownEmail), start(engine.EmailCode))).sends(1)
}
