package engine_test

import (
	"reflect"
	"testing"
	"time"

	"stepwise/engine"
)

// Giving fields and taking them back.

func TestNewInstanceWorksUntouched(t *testing.T) {
	begin(t, newInstance()).
		told(engine.StatusMissingRequirements, email|password, none).
		does(give(engine.EmailAddress, ownEmail)).
		told(engine.StatusMissingRequirements, password, email).
		does(give(engine.Password, "hash")).
		told(engine.StatusMissingRequirements, none, email).
		does(start(engine.EmailCode)).sends(1).
		does(answer(engine.EmailAddress, true)).
		completes()
}

func TestFieldsArriveInAnyOrderAndManyAtOnce(t *testing.T) {
	begin(t, newInstance()).
		does(together(give(engine.Password, "hash"), give(engine.LastName, "King"), start(engine.EmailCode),
			give(engine.EmailAddress, ownEmail))).
		sends(1).
		told(engine.StatusMissingRequirements, none, email).
		does(answer(engine.EmailAddress, true)).
		completes().value(engine.LastName, "King")
}

func TestRefusedChanges(t *testing.T) {
	s := instance(requiredVerified(engine.EmailAddress), optional(engine.Web3Wallet), providers, optional(engine.Password))
	tests := []struct {
		name      string
		attribute engine.Attribute
		taken     engine.Set
		want      engine.Code
	}{
		{"a disabled field", engine.PhoneNumber, none, engine.CodeFieldDisabled},
		{"a disabled field that is taken too", engine.PhoneNumber, phone, engine.CodeFieldDisabled},
		{"consent that nobody asks for", engine.LegalAccepted, none, engine.CodeFieldDisabled},
		{"a wallet without its signature", engine.Web3Wallet, none, engine.CodeProofNeeded},
		{"an account without its provider", engine.ExternalAccount, none, engine.CodeProofNeeded},
		{"an address of a user", engine.EmailAddress, email, engine.CodeTaken},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			j := begin(t, s).refusedBecauseTaken(give(test.attribute, "x"), test.taken, test.want)
			want := engine.Problem{Code: test.want, Where: engine.WhereChange, Attribute: test.attribute, HasAttribute: true}
			if j.last.Problems[0] != want {
				t.Errorf("problem %+v, want %+v", j.last.Problems[0], want)
			}
			if !reflect.DeepEqual(j.attempt, attempt()) || j.last.Changed {
				t.Error("the refused command left a trace")
			}
		})
	}
}

func TestAllOrNothing(t *testing.T) {
	s := instance(optionalVerified(engine.EmailAddress), optional(engine.Username), optional(engine.Password))
	j := begin(t, s)
	j.refusedBecauseTaken(together(
		give(engine.FirstName, "Ada"),       // disabled
		give(engine.Username, "ada"),        // taken
		give(engine.EmailAddress, ownEmail), // fine
		start(engine.EmailCode),             // fine
		start(engine.PhoneCode),             // disabled
		start("CARRIER_PIGEON"),             // unknown
		answer(engine.EmailAddress, true),   // no code was sent yet
		give(engine.Password, "hash"),       // fine
		engine.Command{Outcome: &engine.Outcome{Attribute: engine.Web3Wallet, Wallet: "0xabc"}},
	), username, engine.CodeNotStarted, engine.CodeTaken, engine.CodeFieldDisabled, engine.CodeFieldDisabled, engine.CodeStrategyInvalid)
	if !reflect.DeepEqual(j.attempt, attempt()) || j.last.Changed || len(j.last.Sends) > 0 {
		t.Errorf("a refused command left a trace: %+v", j.last)
	}
	if index := j.last.Problems[4].Index; index != 2 {
		t.Errorf("the unknown strategy is said to be start %d, want 2", index)
	}
}

// TestWrongGuessIsAllThatIsKept: of a refused command nothing is kept but the
// counting of a wrong guess.
func TestWrongGuessIsAllThatIsKept(t *testing.T) {
	s := instance(optionalVerified(engine.EmailAddress), optionalVerified(engine.PhoneNumber), optional(engine.Username), optional(engine.Password))
	waiting := []happening{given(engine.EmailAddress, ownEmail), codeSent(engine.EmailAddress, ownEmail)}
	tests := []struct {
		name    string
		command engine.Command
		codes   []engine.Code
		guesses uint8
	}{
		{"wrong guess alone", answer(engine.EmailAddress, false), []engine.Code{engine.CodeIncorrect}, 1},
		{"wrong guess beside a good change", together(answer(engine.EmailAddress, false), give(engine.Username, "ada")),
			[]engine.Code{engine.CodeIncorrect}, 1},
		{"wrong guess beside a bad change", together(answer(engine.EmailAddress, false), give(engine.FirstName, "Ada")),
			[]engine.Code{engine.CodeIncorrect, engine.CodeFieldDisabled}, 1},
		{"wrong guess beside a start", together(answer(engine.EmailAddress, false), give(engine.PhoneNumber, ownPhone), start(engine.PhoneCode)),
			[]engine.Code{engine.CodeIncorrect}, 1},
		{"right guess beside a bad change", together(answer(engine.EmailAddress, true), give(engine.FirstName, "Ada")),
			[]engine.Code{engine.CodeFieldDisabled}, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			j := begin(t, s, waiting...).refused(test.command, test.codes...)
			want := attempt(waiting...)
			want.Verifications[engine.EmailAddress].Guesses = test.guesses
			if !reflect.DeepEqual(j.attempt, want) {
				t.Errorf("stored %+v, want nothing but %d wrong guesses", j.attempt, test.guesses)
			}
			if j.last.Changed != (test.guesses > 0) {
				t.Errorf("changed is %t", j.last.Changed)
			}
			j.sends(0)
		})
	}
}

func TestDisabledFieldCanStillBeCleared(t *testing.T) {
	on := instance(optional(engine.Username), optionalVerified(engine.EmailAddress), optional(engine.Password))
	off := instance(optionalVerified(engine.EmailAddress), optional(engine.Password))
	begin(t, on).does(give(engine.Username, "ada")).
		under(off).value(engine.Username, "").
		refused(give(engine.Username, "king"), engine.CodeFieldDisabled).
		does(withdraw(engine.Username)).
		under(on).value(engine.Username, "")
}

func TestValueStoredBeforeItsFieldWasDisabledReturns(t *testing.T) {
	on := instance(optional(engine.Username), optionalVerified(engine.EmailAddress), optional(engine.Password))
	off := instance(optionalVerified(engine.EmailAddress), optional(engine.Password))
	begin(t, on).does(give(engine.Username, "ada")).
		under(off).told(engine.StatusMissingRequirements, email, none).
		under(on).told(engine.StatusMissingRequirements, password, none).value(engine.Username, "ada")
}

func TestPersonBeatsTicketBeatsProvider(t *testing.T) {
	s := instance(optional(engine.FirstName), optional(engine.LastName), providers, requiredVerified(engine.PhoneNumber))
	acc := googleAccount(sentEmail, sent{engine.FirstName, "from provider"}, sent{engine.LastName, "from provider"})
	j := begin(t, s, signedInWith(acc)).value(engine.FirstName, "from provider")
	invited(engine.TicketValid, sent{engine.FirstName, "from ticket"})(&j.attempt)
	j.value(engine.FirstName, "from ticket").value(engine.LastName, "from provider").
		does(give(engine.FirstName, "from person")).value(engine.FirstName, "from person").
		does(withdraw(engine.FirstName)).value(engine.FirstName, "").
		does(accountProved(acc)).value(engine.FirstName, "")
}

func TestClearingTheLastOfAGroupReopensIt(t *testing.T) {
	s := instance(optionalVerified(engine.EmailAddress), optionalVerified(engine.PhoneNumber), optional(engine.Web3Wallet))
	begin(t, s).told(engine.StatusMissingRequirements, email|phone|wallet, none).
		does(give(engine.PhoneNumber, ownPhone)).told(engine.StatusMissingRequirements, none, phone).
		does(give(engine.EmailAddress, ownEmail)).told(engine.StatusMissingRequirements, none, email|phone).
		does(withdraw(engine.PhoneNumber)).told(engine.StatusMissingRequirements, none, email).
		does(withdraw(engine.EmailAddress)).told(engine.StatusMissingRequirements, email|phone|wallet, none)
}

func TestOptionalAddressMustBeVerifiedOrCleared(t *testing.T) {
	s := instance(requiredVerified(engine.EmailAddress), optionalVerified(engine.PhoneNumber))
	begin(t, s).does(give(engine.PhoneNumber, ownPhone)).
		does(verifiedValue(engine.EmailAddress, ownEmail)...).
		told(engine.StatusMissingRequirements, none, phone).
		does(withdraw(engine.PhoneNumber)).completes()
}

func TestUsernameAloneNeedsAPassword(t *testing.T) {
	s := instance(optional(engine.Username), optional(engine.Password))
	begin(t, s).does(give(engine.Username, "ada")).
		told(engine.StatusMissingRequirements, password, none).
		does(give(engine.Password, "hash")).completes()
}

func TestClaimThatNobodyVerifiesIsNotUnverifiedButNeedsAPassword(t *testing.T) {
	s := instance(required(engine.EmailAddress), optional(engine.Password))
	begin(t, s).does(give(engine.EmailAddress, ownEmail)).
		told(engine.StatusMissingRequirements, password, none)
	begin(t, s).does(give(engine.EmailAddress, ownEmail), start(engine.EmailCode), answer(engine.EmailAddress, true)).
		completes()
}

func TestConsent(t *testing.T) {
	s := instance(requiredVerified(engine.EmailAddress), consentAsked)
	j := begin(t, s).told(engine.StatusMissingRequirements, email|consent, none).
		waits(time.Minute).does(give(engine.LegalAccepted, ""))
	want := engine.Consent{Version: terms, At: noon.Add(time.Minute), Path: engine.PathForm}
	if *j.attempt.Consent != want {
		t.Errorf("receipt %+v, want %+v", *j.attempt.Consent, want)
	}
	j.told(engine.StatusMissingRequirements, email, none)

	j.waits(time.Minute).does(give(engine.LegalAccepted, ""))
	if *j.attempt.Consent != want {
		t.Errorf("consent given again: receipt %+v, want the first, %+v", *j.attempt.Consent, want)
	}

	s.LegalVersion = "terms-3"
	j.under(s).told(engine.StatusMissingRequirements, email|consent, none)
	if reason := engine.Evaluate(s, j.attempt).Reasons[engine.LegalAccepted]; reason != engine.ReasonConsentOutdated {
		t.Errorf("reason %v, want %v", reason, engine.ReasonConsentOutdated)
	}
	j.does(give(engine.LegalAccepted, "")).told(engine.StatusMissingRequirements, email, none)
	if at := j.attempt.Consent.At; !at.Equal(noon.Add(2 * time.Minute)) {
		t.Errorf("consent to the new document at %v, want the time of the second", at)
	}
	j.does(withdraw(engine.LegalAccepted)).told(engine.StatusMissingRequirements, email|consent, none)
}

func TestConsentRemembersThePath(t *testing.T) {
	s := instance(optionalVerified(engine.EmailAddress), optional(engine.Web3Wallet), providers, consentAsked)
	for path, came := range map[engine.Path]happening{
		engine.PathForm:   given(engine.EmailAddress, ownEmail),
		engine.PathOAuth:  signedInWith(googleAccount(sentEmail)),
		engine.PathWallet: walletProved,
		engine.PathTicket: invited(engine.TicketValid),
	} {
		j := begin(t, s, came).does(give(engine.LegalAccepted, ""))
		if got := j.attempt.Consent.Path; got != path {
			t.Errorf("path %v, want %v", got, path)
		}
	}
}

// TestOnlyTheOwnerProves: wallets, passwords and consent exist through the
// person alone; what a provider or an invitation says of them is nothing.
func TestOnlyTheOwnerProves(t *testing.T) {
	s := instance(required(engine.Web3Wallet), required(engine.Password), consentAsked, providers, required(engine.FirstName))
	says := []sent{{engine.Web3Wallet, "0xabc"}, {engine.Password, "hash"}, {engine.LegalAccepted, terms}, {engine.FirstName, "Ada"}}
	begin(t, s, signedInWith(googleAccount(sentEmail, says...))).
		told(engine.StatusMissingRequirements, wallet|consent, none)
	begin(t, s, invited(engine.TicketValid, says...)).
		told(engine.StatusMissingRequirements, wallet|password|consent, none)
}

func TestEmptyCommandCompletesWhatTheOperatorMadeSufficient(t *testing.T) {
	strict := instance(requiredVerified(engine.EmailAddress), required(engine.FirstName))
	loose := instance(requiredVerified(engine.EmailAddress), optional(engine.FirstName))
	j := begin(t, strict).does(verifiedValue(engine.EmailAddress, ownEmail)...).
		told(engine.StatusMissingRequirements, first, none).
		under(loose).told(engine.StatusMissingRequirements, none, none)
	if j.attempt.Lifecycle != engine.Open {
		t.Fatal("the operator's change alone converted the sign-up")
	}
	j.does(engine.Command{}).completes()
}
