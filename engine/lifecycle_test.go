package engine_test

import (
	"reflect"
	"testing"
	"time"

	"stepwise/engine"
)

// Beginnings, deadlines and ends.

func TestFinalSignUpsNeverChange(t *testing.T) {
	s := newInstance()
	ready := attempt(given(engine.EmailAddress, ownEmail), proved(engine.EmailAddress, ownEmail), given(engine.Password, "hash"))
	commands := map[string]engine.Command{
		"empty": {}, "give": give(engine.FirstName, "Ada"), "clear": withdraw(engine.EmailAddress),
		"start": start(engine.EmailCode), "check": answer(engine.EmailAddress, false), "account": accountProved(googleAccount(sentEmail)),
	}
	for name, test := range map[string]struct {
		attempt engine.Attempt
		want    engine.Code
	}{
		"complete":   {engine.Finish(s, engine.BeginCompletion(ready), noon), engine.CodeSignUpComplete},
		"completing": {engine.BeginCompletion(ready), engine.CodeSignUpComplete},
		"abandoned":  {engine.Abandon(ready, noon), engine.CodeSignUpAbandoned},
	} {
		for commandName, c := range commands {
			t.Run(name+", "+commandName, func(t *testing.T) {
				d := engine.Decide(s, test.attempt, c, at(time.Minute))
				if len(d.Problems) != 1 || d.Problems[0] != (engine.Problem{Code: test.want}) {
					t.Errorf("problems %v, want %v", d.Problems, test.want)
				}
				if d.Changed || d.Convert || len(d.Sends) > 0 || !reflect.DeepEqual(d.Attempt, test.attempt) {
					t.Errorf("it changed: %+v", d)
				}
			})
		}
		after, noted := engine.Elapse(test.attempt, noon.Add(48*time.Hour))
		if noted || !reflect.DeepEqual(after, test.attempt) {
			t.Errorf("%s: time changed it", name)
		}
		if next := engine.NextDeadline(test.attempt, noon); !next.IsZero() {
			t.Errorf("%s: it waits for %v", name, next)
		}
		for _, r := range engine.Requirements(s, test.attempt, engine.Evaluate(s, test.attempt), everything, noon) {
			if len(r.Actions) > 0 {
				t.Errorf("%s: it offers %v for %v", name, r.Actions, r.Attribute)
			}
		}
	}
}

func TestSettingsNeverUncomplete(t *testing.T) {
	strict := instance(requiredVerified(engine.EmailAddress), required(engine.FirstName), required(engine.Password), consentAsked, restricted)
	begin(t, instance(requiredVerified(engine.EmailAddress))).does(verifiedValue(engine.EmailAddress, ownEmail)...).completes().
		under(strict).refused(engine.Command{}, engine.CodeSignUpComplete)
	j := begin(t, instance(requiredVerified(engine.EmailAddress))).does(verifiedValue(engine.EmailAddress, ownEmail)...).under(strict)
	if got := j.attempt.Status(j.now); got != engine.StatusComplete {
		t.Errorf("status %v", got)
	}
}

func TestDeadlineIsAbsolute(t *testing.T) {
	j := begin(t, newInstance(), given(engine.Password, "hash")).waits(24*time.Hour-1).
		does(give(engine.EmailAddress, ownEmail)).told(engine.StatusMissingRequirements, none, email).
		waits(1).told(engine.StatusAbandoned, none, email).
		refused(give(engine.FirstName, "Ada"), engine.CodeSignUpAbandoned)
	if !j.last.Changed || j.attempt.Lifecycle != engine.Abandoned || !j.attempt.EndedAt.Equal(noon.Add(24*time.Hour)) {
		t.Errorf("stored %+v, want abandoned at the deadline", j.attempt)
	}
	if j.attempt.Values[engine.Password].Key != "" {
		t.Error("the password's hash outlives the sign-up")
	}
}

func TestElapseNotesWhatHasPassedOnce(t *testing.T) {
	a := attempt(given(engine.EmailAddress, ownEmail), codeSent(engine.EmailAddress, ownEmail),
		given(engine.PhoneNumber, ownPhone), proved(engine.PhoneNumber, ownPhone))
	before := attempt(given(engine.EmailAddress, ownEmail), codeSent(engine.EmailAddress, ownEmail),
		given(engine.PhoneNumber, ownPhone), proved(engine.PhoneNumber, ownPhone))
	if _, noted := engine.Elapse(a, noon.Add(10*time.Minute-1)); noted {
		t.Error("noted before anything passed")
	}
	lapsed, noted := engine.Elapse(a, noon.Add(10*time.Minute))
	if !noted || !lapsed.Verifications[engine.EmailAddress].Lapsed || lapsed.Verifications[engine.PhoneNumber].Lapsed {
		t.Errorf("lapsed %+v, noted %t", lapsed, noted)
	}
	if !reflect.DeepEqual(a, before) {
		t.Error("the attempt given was written to")
	}
	if _, noted := engine.Elapse(lapsed, noon.Add(time.Hour)); noted {
		t.Error("noted twice")
	}
}

// TestNextDeadline: whoever waits until then, again and again, misses nothing.
func TestNextDeadline(t *testing.T) {
	a := attempt(given(engine.EmailAddress, ownEmail), codeSent(engine.EmailAddress, ownEmail),
		given(engine.PhoneNumber, ownPhone), codeSent(engine.PhoneNumber, ownPhone), walletProved)
	a.Verifications[engine.PhoneNumber].ExpireAt = noon.Add(5 * time.Minute)
	now := noon
	for _, want := range []time.Duration{5 * time.Minute, 10 * time.Minute, 24 * time.Hour} {
		next := engine.NextDeadline(a, now)
		if !next.Equal(noon.Add(want)) {
			t.Fatalf("at %v the next deadline is %v, want %v later than noon", now, next, want)
		}
		if _, noted := engine.Elapse(a, next.Add(-1)); noted {
			t.Errorf("something passed before %v", next)
		}
		var noted bool
		if a, noted = engine.Elapse(a, next); !noted {
			t.Fatalf("nothing passed at %v", next)
		}
		now = next
	}
	if a.Lifecycle != engine.Abandoned {
		t.Errorf("lifecycle %v, want abandoned", a.Lifecycle)
	}
}

func TestDeadlineOfAChallengeBeyondThatOfTheSignUp(t *testing.T) {
	a := attempt(given(engine.EmailAddress, ownEmail), codeSent(engine.EmailAddress, ownEmail))
	a.AbandonAt = noon.Add(time.Minute)
	if next := engine.NextDeadline(a, noon); !next.Equal(a.AbandonAt) {
		t.Errorf("next deadline %v, want that of the sign-up", next)
	}
}

func TestCompletingNeitherExpiresNorLooksDone(t *testing.T) {
	a := engine.BeginCompletion(attempt(given(engine.EmailAddress, ownEmail), proved(engine.EmailAddress, ownEmail)))
	if got := a.Status(noon.Add(48 * time.Hour)); got != engine.StatusMissingRequirements {
		t.Errorf("status %v before the conversion has committed", got)
	}
}

func TestFinishKeepsWhatTheUserWasMadeOf(t *testing.T) {
	s := instance(legacy, optionalVerified(engine.EmailAddress), optionalVerified(engine.PhoneNumber), optional(engine.FirstName), providers)
	a := attempt(given(engine.PhoneNumber, ownPhone), given(engine.EmailAddress, ownEmail), given(engine.Password, "hash"),
		given(engine.Username, "stored before it was disabled"),
		signedInWith(googleAccount(sentEmail, sent{engine.FirstName, "Ada"})))
	want, _ := engine.Values(s, a)
	done := engine.Finish(s, a, noon.Add(time.Minute))
	if done.Lifecycle != engine.Complete || !done.EndedAt.Equal(noon.Add(time.Minute)) {
		t.Errorf("lifecycle %v, ended at %v", done.Lifecycle, done.EndedAt)
	}
	want[engine.Password].Key = ""
	if done.Values != want {
		t.Errorf("values %v, want %v", done.Values, want)
	}
	if done.Values[engine.EmailAddress].Key != sentEmail || done.Values[engine.PhoneNumber] != (engine.Value{}) || done.Values[engine.Username] != (engine.Value{}) {
		t.Errorf("values %v hold what was dropped or disabled", done.Values)
	}
	arrived := engine.VerificationOf(s, done, engine.EmailAddress)
	if arrived == nil || arrived.Strategy != engine.FromOAuth || arrived.Key != sentEmail {
		t.Errorf("verification %+v, want how the address arrived", arrived)
	}
	if a.Values[engine.Password].Key != "hash" {
		t.Error("the attempt given was written to")
	}
}

func TestReopenedSignUpMustReplaceWhatWasTaken(t *testing.T) {
	s := instance(requiredVerified(engine.EmailAddress), optional(engine.Username), optional(engine.Password))
	a := attempt(given(engine.EmailAddress, ownEmail), proved(engine.EmailAddress, ownEmail),
		given(engine.Username, "ada"), given(engine.Password, "hash"))
	lost := func(takenOnes engine.Set) *journey {
		j := begin(t, s)
		j.attempt = engine.Reopen(engine.BeginCompletion(a), takenOnes)
		return j
	}

	lost(username).told(engine.StatusMissingRequirements, username, none).
		refused(engine.Command{Start: []engine.Start{{Strategy: engine.PhoneCode}}}, engine.CodeFieldDisabled).
		does(give(engine.Username, "countess")).completes()
	lost(username).does(withdraw(engine.Username)).completes().value(engine.Username, "")
	lost(email).told(engine.StatusMissingRequirements, email, none).unstarted(engine.EmailAddress).
		refused(answer(engine.EmailAddress, true), engine.CodeNotStarted).
		does(give(engine.EmailAddress, "other@example.test")).told(engine.StatusMissingRequirements, none, email)
	lost(email|username).told(engine.StatusMissingRequirements, email|username, none)
	lost(none).does(engine.Command{}).completes()

	v := engine.Evaluate(s, lost(username).attempt)
	want := engine.Blocker{Code: engine.BlockedTaken, Remedy: engine.ReplaceOrClear, Attribute: engine.Username, HasAttribute: true}
	if len(v.Blockers) != 1 || v.Blockers[0] != want || v.Reasons[engine.Username] != engine.ReasonTaken {
		t.Errorf("blockers %v, reason %v", v.Blockers, v.Reasons[engine.Username])
	}
	if value := lost(username).attempt.Values[engine.Username]; value != (engine.Value{}) {
		t.Errorf("the value that was taken is still stored: %+v", value)
	}
	if a.Values[engine.Username].Key != "ada" {
		t.Error("the attempt given was written to")
	}
}

// TestReopenedValueThatNobodyTyped: one that a provider or a ticket sent is
// taken all the same, and clearing it keeps it away.
func TestReopenedValueThatNobodyTyped(t *testing.T) {
	s := instance(requiredVerified(engine.PhoneNumber), optionalVerified(engine.EmailAddress), providers)
	j := begin(t, s, signedInWith(googleAccount(sentEmail)), given(engine.PhoneNumber, ownPhone), proved(engine.PhoneNumber, ownPhone))
	j.attempt = engine.Reopen(engine.BeginCompletion(j.attempt), email)
	j.told(engine.StatusMissingRequirements, email, none).value(engine.EmailAddress, "").
		does(withdraw(engine.EmailAddress)).completes().value(engine.EmailAddress, "")
}

func TestReopenedAccountOrWalletIsTransferable(t *testing.T) {
	s := instance(providers, optional(engine.Web3Wallet), required(engine.FirstName))
	j := begin(t, s, signedInWith(googleAccount(sentEmail)), walletProved, given(engine.FirstName, "Ada"))
	j.attempt = engine.Reopen(engine.BeginCompletion(j.attempt), account|wallet)
	j.told(engine.StatusMissingRequirements, account|wallet, none).
		verification(engine.ExternalAccount, engine.VerificationTransferable).
		verification(engine.Web3Wallet, engine.VerificationTransferable).
		does(walletSigned("0xdef")).told(engine.StatusMissingRequirements, account, none).
		does(withdraw(engine.ExternalAccount)).completes()
}

// TestReopenedSignUpTransfersOnlyWhatWasProven: a challenge that was started
// after the proof names somebody else's wallet perhaps, and proves nothing of it.
func TestReopenedSignUpTransfersOnlyWhatWasProven(t *testing.T) {
	s := instance(providers, optional(engine.Web3Wallet), required(engine.FirstName))
	another := start(engine.Web3Signature)
	another.Start[0].Wallet = "0xsomebody else's"
	j := begin(t, s, signedInWith(googleAccount(sentEmail)), walletProved).does(another, start(engine.OAuth))
	j.attempt = engine.Reopen(engine.BeginCompletion(j.attempt), account|wallet)
	j.verification(engine.Web3Wallet, engine.VerificationUnverified).
		verification(engine.ExternalAccount, engine.VerificationUnverified).
		value(engine.Web3Wallet, "").value(engine.ExternalAccount, "")
	for _, a := range []engine.Attribute{engine.Web3Wallet, engine.ExternalAccount} {
		if v := j.attempt.Verifications[a]; v.Transferable || v.Failure != "" {
			t.Errorf("%v: %+v", a, *v)
		}
	}

	failed := engine.Command{Outcome: &engine.Outcome{Attribute: engine.ExternalAccount, Nonce: "nonce-1", Failure: "PROVIDER_SAID_NO"}}
	j = begin(t, s, signedInWith(googleAccount(sentEmail))).does(start(engine.OAuth), failed)
	j.attempt = engine.Reopen(engine.BeginCompletion(j.attempt), account)
	j.verification(engine.ExternalAccount, engine.VerificationFailed)
}

func TestTakenFieldThatIsDisabledHoldsUpNothing(t *testing.T) {
	on := instance(requiredVerified(engine.EmailAddress), optional(engine.Username), optional(engine.Password))
	off := instance(requiredVerified(engine.EmailAddress), optional(engine.Password))
	begin(t, on, taken(username), given(engine.EmailAddress, ownEmail), proved(engine.EmailAddress, ownEmail)).
		told(engine.StatusMissingRequirements, username, none).
		under(off).does(engine.Command{}).completes()
}

func TestBlockers(t *testing.T) {
	open := instance(requiredVerified(engine.EmailAddress))
	closed := instance(requiredVerified(engine.EmailAddress), restricted)
	ready := []happening{given(engine.EmailAddress, ownEmail), proved(engine.EmailAddress, ownEmail)}
	tests := []struct {
		name     string
		settings engine.Settings
		happened happening
		want     []engine.Blocker
	}{
		{"restricted, no ticket", closed, func(*engine.Attempt) {}, []engine.Blocker{{Code: engine.BlockedRestricted, Remedy: engine.UseInvitation}}},
		{"restricted, ticket", closed, invited(engine.TicketValid), nil},
		{"restricted, ticket revoked", closed, invited(engine.TicketRevoked), []engine.Blocker{{Code: engine.BlockedTicket, Remedy: engine.UseInvitation}}},
		{"restricted, ticket expired", closed, invited(engine.TicketExpired), []engine.Blocker{{Code: engine.BlockedTicket, Remedy: engine.UseInvitation}}},
		{"open, ticket used", open, invited(engine.TicketUsed), []engine.Blocker{{Code: engine.BlockedTicket, Remedy: engine.UseInvitation}}},
		{"no identifier", instance(optional(engine.FirstName)), func(*engine.Attempt) {}, []engine.Blocker{{Code: engine.BlockedNoIdentifier, Remedy: engine.WaitForOperator}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d := engine.Decide(test.settings, attempt(append(ready, test.happened)...), engine.Command{}, at(0))
			if !reflect.DeepEqual(d.Verdict.Blockers, test.want) {
				t.Errorf("blockers %v, want %v", d.Verdict.Blockers, test.want)
			}
			if d.Convert != (test.want == nil) {
				t.Errorf("convert is %t", d.Convert)
			}
		})
	}
}
