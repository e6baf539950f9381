package engine_test

import (
	"reflect"
	"testing"
	"time"

	"stepwise/engine"
)

// Codes: sent, answered, guessed, expired, voided.

// emailAndPhone is an instance whose sign-ups need a phone number as well, so
// that they stay open while an address is verified.
func emailAndPhone() engine.Settings {
	return instance(requiredVerified(engine.EmailAddress), requiredVerified(engine.PhoneNumber))
}

// waitingForCode is a sign-up to which an email code was sent at noon.
func waitingForCode(t *testing.T) *journey {
	t.Helper()
	return begin(t, emailAndPhone()).does(together(give(engine.EmailAddress, ownEmail), start(engine.EmailCode))).
		sends(1).verification(engine.EmailAddress, engine.VerificationUnverified)
}

func TestSendCarriesAllThatTheCodeIsDerivedFrom(t *testing.T) {
	j := waitingForCode(t)
	want := engine.Send{Attribute: engine.EmailAddress, Strategy: engine.EmailCode, Address: text(ownEmail),
		Nonce: "nonce-1", ExpireAt: noon.Add(10 * time.Minute)}
	if j.last.Sends[0] != want {
		t.Errorf("send %+v, want %+v", j.last.Sends[0], want)
	}
	again := engine.Command{Start: []engine.Start{{Strategy: engine.EmailCode, Nonce: "nonce-2"}}}
	j.waits(30 * time.Second).does(again).sends(1)
	want.Nonce, want.Generation, want.ExpireAt = "nonce-2", 1, noon.Add(10*time.Minute+30*time.Second)
	if j.last.Sends[0] != want {
		t.Errorf("second send %+v, want %+v", j.last.Sends[0], want)
	}
}

func TestStartingAgainBeforeResendAtSucceedsAndSendsNothing(t *testing.T) {
	for _, test := range []struct {
		after time.Duration
		sends int
	}{
		{0, 0}, {30*time.Second - 1, 0}, {30 * time.Second, 1}, {time.Hour, 1},
	} {
		j := waitingForCode(t).waits(test.after).does(start(engine.EmailCode)).sends(test.sends)
		if sentAnew := j.attempt.Verifications[engine.EmailAddress].Generation == 1; sentAnew != (test.sends == 1) {
			t.Errorf("after %v: generation %d", test.after, j.attempt.Verifications[engine.EmailAddress].Generation)
		}
	}
}

func TestStartingTwiceInOneCommandSendsOnce(t *testing.T) {
	begin(t, emailAndPhone()).
		does(together(give(engine.EmailAddress, ownEmail), start(engine.EmailCode), start(engine.EmailCode))).sends(1)
}

func TestUndeliveredCodeIsSentAgainAtOnce(t *testing.T) {
	j := waitingForCode(t)
	if _, noted := engine.Undelivered(j.attempt, engine.EmailAddress, "another nonce"); noted {
		t.Error("noted for a code that is not the one in force")
	}
	if _, noted := engine.Undelivered(j.attempt, engine.PhoneNumber, "nonce-1"); noted {
		t.Error("noted for a verification that was never started")
	}
	undelivered, noted := engine.Undelivered(j.attempt, engine.EmailAddress, "nonce-1")
	if !noted {
		t.Fatal("not noted")
	}
	j.does(start(engine.EmailCode)).sends(0)
	j.attempt = undelivered
	j.does(start(engine.EmailCode)).sends(1)
	if _, noted := engine.Undelivered(engine.BeginCompletion(j.attempt), engine.EmailAddress, "nonce-1"); noted {
		t.Error("noted in a sign-up that is completing")
	}
}

func TestRefusedStarts(t *testing.T) {
	s := emailAndPhone()
	mute := engine.Facts{Now: noon, Can: engine.Capabilities{ProveWallet: true, ProveAccount: true}}
	tests := []struct {
		name     string
		happened []happening
		strategy engine.Strategy
		facts    engine.Facts
		want     engine.Code
	}{
		{"no value yet", nil, engine.EmailCode, at(0), engine.CodeValueMissing},
		{"cleared", []happening{cleared(engine.EmailAddress)}, engine.EmailCode, at(0), engine.CodeValueMissing},
		{"taken", []happening{taken(email)}, engine.EmailCode, at(0), engine.CodeValueMissing},
		{"already proved", []happening{given(engine.EmailAddress, ownEmail), proved(engine.EmailAddress, ownEmail)},
			engine.EmailCode, at(0), engine.CodeAlreadyVerified},
		{"proved by the ticket", []happening{given(engine.EmailAddress, sentEmail), ticketWithAddresses(engine.TicketValid)},
			engine.EmailCode, at(0), engine.CodeAlreadyVerified},
		{"no way to send email", []happening{given(engine.EmailAddress, ownEmail)}, engine.EmailCode, mute, engine.CodeCannotDeliver},
		{"no way to send text messages", []happening{given(engine.PhoneNumber, ownPhone)}, engine.PhoneCode, mute, engine.CodeCannotDeliver},
		{"no providers", nil, engine.OAuth, at(0), engine.CodeFieldDisabled},
		{"no wallets", nil, engine.Web3Signature, at(0), engine.CodeFieldDisabled},
		{"no way to send links", []happening{given(engine.EmailAddress, ownEmail)}, engine.EmailLink, mute, engine.CodeCannotDeliver},
		{"not for clients", []happening{given(engine.EmailAddress, ownEmail)}, engine.FromOAuth, at(0), engine.CodeStrategyInvalid},
		{"not for clients either", []happening{given(engine.EmailAddress, ownEmail)}, engine.FromTicket, at(0), engine.CodeStrategyInvalid},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a := attempt(test.happened...)
			d := engine.Decide(s, a, start(test.strategy), test.facts)
			if len(d.Problems) != 1 || d.Problems[0].Code != test.want || d.Problems[0].Where != engine.WhereStart {
				t.Fatalf("problems %v, want %v", d.Problems, test.want)
			}
			if d.Changed || len(d.Sends) > 0 || !reflect.DeepEqual(d.Attempt, a) {
				t.Error("the refused start left a trace")
			}
		})
	}
	disabled := instance(requiredVerified(engine.EmailAddress))
	begin(t, disabled).refused(start(engine.PhoneCode), engine.CodeFieldDisabled)
}

func TestRefusedChecks(t *testing.T) {
	s := emailAndPhone()
	begin(t, s).refused(answer(engine.EmailAddress, true), engine.CodeNotStarted)
	begin(t, s).refused(answer(engine.Web3Wallet, true), engine.CodeFieldDisabled)
	begin(t, instance(optional(engine.Web3Wallet)), walletProved).refused(answer(engine.Web3Wallet, true), engine.CodeAlreadyVerified)
	begin(t, instance(requiredVerified(engine.EmailAddress)), given(engine.PhoneNumber, ownPhone), codeSent(engine.PhoneNumber, ownPhone)).
		refused(answer(engine.PhoneNumber, true), engine.CodeFieldDisabled)
}

func TestCodeIsGoodUntilItsExpiryAndNotAtIt(t *testing.T) {
	waitingForCode(t).waits(10*time.Minute-time.Millisecond).
		does(answer(engine.EmailAddress, true)).verification(engine.EmailAddress, engine.VerificationVerified)
	waitingForCode(t).waits(10*time.Minute-1).
		does(answer(engine.EmailAddress, true)).verification(engine.EmailAddress, engine.VerificationVerified)
	waitingForCode(t).waits(10*time.Minute).verification(engine.EmailAddress, engine.VerificationExpired).
		refused(answer(engine.EmailAddress, true), engine.CodeExpired)
}

// TestExpiredStaysExpiredWhereClocksDiffer: once a server has noted the expiry,
// another whose clock is behind does not take the code after all.
func TestExpiredStaysExpiredWhereClocksDiffer(t *testing.T) {
	j := waitingForCode(t)
	j.attempt, _ = engine.Elapse(j.attempt, noon.Add(10*time.Minute))
	j.waits(10*time.Minute-time.Second).verification(engine.EmailAddress, engine.VerificationExpired).
		refused(answer(engine.EmailAddress, true), engine.CodeExpired)
}

func TestFiveGuesses(t *testing.T) {
	j := waitingForCode(t)
	for range engine.MaxGuesses {
		j.verification(engine.EmailAddress, engine.VerificationUnverified).
			refused(answer(engine.EmailAddress, false), engine.CodeIncorrect)
		if !j.last.Changed {
			t.Fatal("a wrong guess need not be stored")
		}
	}
	j.verification(engine.EmailAddress, engine.VerificationFailed).
		refused(answer(engine.EmailAddress, true), engine.CodeTooManyGuesses).
		refused(answer(engine.EmailAddress, false), engine.CodeTooManyGuesses)
	if j.last.Changed {
		t.Error("a guess that was not compared counts")
	}
	j.waits(30*time.Second).does(start(engine.EmailCode)).sends(1).
		does(answer(engine.EmailAddress, true)).verification(engine.EmailAddress, engine.VerificationVerified)
}

func TestFifthGuessMayBeRight(t *testing.T) {
	j := waitingForCode(t)
	for range engine.MaxGuesses - 1 {
		j.refused(answer(engine.EmailAddress, false), engine.CodeIncorrect)
	}
	j.does(answer(engine.EmailAddress, true)).verification(engine.EmailAddress, engine.VerificationVerified)
}

func TestStartingAgainEarlyGivesNoMoreGuesses(t *testing.T) {
	j := waitingForCode(t)
	for range engine.MaxGuesses {
		j.refused(answer(engine.EmailAddress, false), engine.CodeIncorrect)
	}
	j.does(start(engine.EmailCode)).sends(0).
		refused(answer(engine.EmailAddress, true), engine.CodeTooManyGuesses)
}

func TestRightCodeMayBeReplayed(t *testing.T) {
	j := waitingForCode(t).does(answer(engine.EmailAddress, true))
	before := j.attempt
	j.waits(time.Hour).does(answer(engine.EmailAddress, true))
	if j.last.Changed || !reflect.DeepEqual(j.attempt, before) {
		t.Error("the replay changed something")
	}
	j.refused(answer(engine.EmailAddress, false), engine.CodeAlreadyVerified)
	if j.last.Changed {
		t.Error("a wrong code after the right one counts")
	}
}

func TestSameCanonicalValueKeepsItsProof(t *testing.T) {
	var shouted engine.Command
	shouted.Changes[engine.EmailAddress] = engine.Change{Kind: engine.Give, Text: "Own@Example.TEST", Key: ownEmail}
	j := waitingForCode(t).does(shouted).verification(engine.EmailAddress, engine.VerificationUnverified).
		does(answer(engine.EmailAddress, true), give(engine.EmailAddress, ownEmail), shouted).
		verification(engine.EmailAddress, engine.VerificationVerified).
		told(engine.StatusMissingRequirements, phone, none)
	if shown := j.attempt.Values[engine.EmailAddress].Text; shown != "Own@Example.TEST" {
		t.Errorf("shown is %q, want what was typed last", shown)
	}
}

func TestAnotherValueVoidsProofAndCode(t *testing.T) {
	const other = "other@example.test"
	t.Run("proof", func(t *testing.T) {
		waitingForCode(t).does(answer(engine.EmailAddress, true), give(engine.EmailAddress, other)).
			unstarted(engine.EmailAddress).told(engine.StatusMissingRequirements, phone, email)
	})
	t.Run("code", func(t *testing.T) {
		waitingForCode(t).does(give(engine.EmailAddress, other)).unstarted(engine.EmailAddress).
			refused(answer(engine.EmailAddress, true), engine.CodeNotStarted)
	})
	t.Run("in the command of the check, which is of the code that was sent", func(t *testing.T) {
		waitingForCode(t).does(together(give(engine.EmailAddress, other), answer(engine.EmailAddress, true))).
			unstarted(engine.EmailAddress).told(engine.StatusMissingRequirements, phone, email)
		waitingForCode(t).refused(together(give(engine.EmailAddress, other), answer(engine.EmailAddress, false)), engine.CodeIncorrect).
			value(engine.EmailAddress, ownEmail)
	})
	t.Run("there and back", func(t *testing.T) {
		waitingForCode(t).does(answer(engine.EmailAddress, true), give(engine.EmailAddress, other), give(engine.EmailAddress, ownEmail)).
			unstarted(engine.EmailAddress).told(engine.StatusMissingRequirements, phone, email).
			refused(answer(engine.EmailAddress, true), engine.CodeNotStarted)
	})
	t.Run("clearing", func(t *testing.T) {
		waitingForCode(t).does(answer(engine.EmailAddress, true), withdraw(engine.EmailAddress)).unstarted(engine.EmailAddress).
			does(give(engine.EmailAddress, ownEmail)).told(engine.StatusMissingRequirements, phone, email)
	})
	t.Run("the new value may be sent a code at once", func(t *testing.T) {
		waitingForCode(t).does(together(give(engine.EmailAddress, other), start(engine.EmailCode))).sends(1)
	})
	t.Run("that a second account sends", func(t *testing.T) {
		s := instance(requiredVerified(engine.EmailAddress), requiredVerified(engine.PhoneNumber), providers)
		begin(t, s).does(accountProved(forumAccount(sentEmail)), start(engine.EmailCode), answer(engine.EmailAddress, true)).
			told(engine.StatusMissingRequirements, phone, none).
			does(accountProved(forumAccount(other))).unstarted(engine.EmailAddress).
			told(engine.StatusMissingRequirements, phone, email)
	})
}

// TestCodeOfAValueThatIsGoneIsWorthNothing: where the operator took the value
// away, by disabling the provider that sent it.
func TestCodeOfAValueThatIsGoneIsWorthNothing(t *testing.T) {
	on := instance(requiredVerified(engine.EmailAddress), requiredVerified(engine.PhoneNumber), providers)
	off := instance(requiredVerified(engine.EmailAddress), requiredVerified(engine.PhoneNumber), onlyForum)
	for _, right := range []bool{true, false} {
		begin(t, on).does(accountProved(googleAccount(sentEmail, sent{engine.PhoneNumber, sentPhone})), start(engine.PhoneCode)).
			told(engine.StatusMissingRequirements, none, phone).
			under(off).refused(answer(engine.PhoneNumber, right), engine.CodeNotStarted)
	}
}

func TestTypingWhatTheProviderSentKeepsTheProof(t *testing.T) {
	s := instance(requiredVerified(engine.EmailAddress), requiredVerified(engine.PhoneNumber), providers)
	begin(t, s).does(accountProved(forumAccount(sentEmail)), start(engine.EmailCode), answer(engine.EmailAddress, true),
		give(engine.EmailAddress, sentEmail)).
		told(engine.StatusMissingRequirements, phone, none)
	begin(t, s).does(accountProved(googleAccount(sentEmail)), give(engine.EmailAddress, sentEmail)).
		told(engine.StatusMissingRequirements, phone, none).
		does(give(engine.EmailAddress, ownEmail)).
		told(engine.StatusMissingRequirements, phone, email)
}

// TestVerificationSaysHowTheAddressArrived: an address that nobody was sent a
// code for is shown as verified through what brought it.
func TestVerificationSaysHowTheAddressArrived(t *testing.T) {
	s := instance(requiredVerified(engine.EmailAddress), requiredVerified(engine.PhoneNumber), providers)
	tests := []struct {
		name     string
		happened []happening
		want     *engine.Verification
	}{
		{"nothing", nil, nil},
		{"typed", []happening{given(engine.EmailAddress, ownEmail)}, nil},
		{"by code", []happening{given(engine.EmailAddress, ownEmail), proved(engine.EmailAddress, ownEmail)},
			verifiedByCode(engine.EmailAddress, ownEmail)},
		{"with the account", []happening{signedInWith(googleAccount(sentEmail))},
			&engine.Verification{Strategy: engine.FromOAuth, Key: sentEmail, Verified: true}},
		{"with an account that is not trusted", []happening{signedInWith(forumAccount(sentEmail))}, nil},
		{"with the ticket", []happening{ticketWithAddresses(engine.TicketValid)},
			&engine.Verification{Strategy: engine.FromTicket, Key: sentEmail, Verified: true}},
		{"with a ticket gone bad", []happening{ticketWithAddresses(engine.TicketUsed)}, nil},
		{"with an account, but another was typed", []happening{signedInWith(googleAccount(sentEmail)), given(engine.EmailAddress, ownEmail)}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := engine.VerificationOf(s, attempt(test.happened...), engine.EmailAddress)
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

func TestVerificationStatus(t *testing.T) {
	expireAt := noon.Add(engine.CodeLifetime)
	tests := []struct {
		v    engine.Verification
		now  time.Time
		want engine.VerificationStatus
	}{
		{engine.Verification{ExpireAt: expireAt}, noon, engine.VerificationUnverified},
		{engine.Verification{ExpireAt: expireAt}, expireAt.Add(-1), engine.VerificationUnverified},
		{engine.Verification{ExpireAt: expireAt}, expireAt, engine.VerificationExpired},
		{engine.Verification{ExpireAt: expireAt, Lapsed: true}, noon, engine.VerificationExpired},
		{engine.Verification{ExpireAt: expireAt, Guesses: 4}, noon, engine.VerificationUnverified},
		{engine.Verification{ExpireAt: expireAt, Guesses: 5}, noon, engine.VerificationFailed},
		{engine.Verification{ExpireAt: expireAt, Guesses: 4, Verified: true}, expireAt, engine.VerificationVerified},
		{engine.Verification{Failure: engine.CodeEmailNotVerified}, noon, engine.VerificationFailed},
		{engine.Verification{Failure: engine.CodeTransferable, Transferable: true}, noon, engine.VerificationTransferable},
	}
	for _, test := range tests {
		if got := test.v.Status(test.now); got != test.want {
			t.Errorf("%+v at %v is %v, want %v", test.v, test.now, got, test.want)
		}
	}
}
