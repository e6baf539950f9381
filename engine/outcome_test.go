package engine_test

import (
	"reflect"
	"testing"

	"stepwise/engine"
)

// What comes of proofs that are made elsewhere: at providers, by wallets.

func TestProvedAccountFillsAndWaives(t *testing.T) {
	s := instance(requiredVerified(engine.EmailAddress), required(engine.Password), required(engine.FirstName), providers)
	begin(t, s).told(engine.StatusMissingRequirements, email|password|first, none).
		does(accountProved(googleAccount(sentEmail))).
		told(engine.StatusMissingRequirements, first, none).value(engine.EmailAddress, sentEmail).
		verification(engine.ExternalAccount, engine.VerificationVerified).
		does(give(engine.FirstName, "Ada")).completes()
}

func TestProvedWalletFillsAndWaives(t *testing.T) {
	s := instance(optional(engine.Web3Wallet), required(engine.Password), required(engine.FirstName))
	begin(t, s).told(engine.StatusMissingRequirements, wallet|password|first, none).
		does(walletSigned("0xabc")).told(engine.StatusMissingRequirements, first, none).
		verification(engine.Web3Wallet, engine.VerificationVerified).
		does(withdraw(engine.Web3Wallet)).unstarted(engine.Web3Wallet).told(engine.StatusMissingRequirements, wallet|password|first, none).
		does(walletSigned("0xdef"), give(engine.FirstName, "Ada")).completes().value(engine.Web3Wallet, "0xdef")
}

func TestClearedAccountIsGone(t *testing.T) {
	s := instance(requiredVerified(engine.EmailAddress), required(engine.Password), providers, required(engine.FirstName))
	j := begin(t, s).does(accountProved(googleAccount(sentEmail)), withdraw(engine.ExternalAccount)).
		unstarted(engine.ExternalAccount).value(engine.EmailAddress, "").
		told(engine.StatusMissingRequirements, email|password|first, none)
	if j.attempt.Account != nil {
		t.Error("the account is still stored")
	}
}

// TestProviderEmail is the fall of a provider's address under both algorithms.
func TestProviderEmail(t *testing.T) {
	settings := []setting{requiredVerified(engine.EmailAddress), providers}
	tests := []struct {
		name        string
		account     *engine.Account
		progressive engine.Set // what stays missing
		unverified  engine.Set // and unverified
		legacy      engine.VerificationStatus
	}{
		{"verified, trusted", googleAccount(sentEmail), none, none, engine.VerificationVerified},
		{"claimed unverified", unverifiedGoogleAccount(sentEmail), none, email, engine.VerificationFailed},
		{"not trusted", forumAccount(sentEmail), none, email, engine.VerificationFailed},
		{"no email", emptyGoogleAccount(), email, none, engine.VerificationFailed},
		{"no email, claimed verified", &engine.Account{Provider: google, Issuer: googleIssuer, Subject: "g-1", EmailVerified: true}, email, none, engine.VerificationFailed},
	}
	for _, test := range tests {
		t.Run("progressive, "+test.name, func(t *testing.T) {
			j := begin(t, instance(settings...)).does(accountProved(test.account)).
				verification(engine.ExternalAccount, engine.VerificationVerified)
			if test.progressive|test.unverified == none {
				j.completes()
				return
			}
			j.told(engine.StatusMissingRequirements, test.progressive, test.unverified)
		})
		t.Run("legacy, "+test.name, func(t *testing.T) {
			j := begin(t, instance(append(settings, legacy)...)).does(accountProved(test.account)).
				verification(engine.ExternalAccount, test.legacy)
			if test.legacy == engine.VerificationVerified {
				j.completes()
				return
			}
			if code := j.attempt.Verifications[engine.ExternalAccount].Failure; code != engine.CodeEmailNotVerified {
				t.Errorf("code %q, want %q", code, engine.CodeEmailNotVerified)
			}
			j.told(engine.StatusMissingRequirements, email, none).
				does(verifiedValue(engine.EmailAddress, ownEmail)...).completes()
		})
	}
}

func TestLegacyFailureLeavesTheRest(t *testing.T) {
	s := instance(legacy, optionalVerified(engine.EmailAddress), required(engine.FirstName), required(engine.Password), providers)
	j := begin(t, s).does(give(engine.FirstName, "Ada"), give(engine.EmailAddress, ownEmail), start(engine.EmailCode),
		accountProved(emptyGoogleAccount())).
		told(engine.StatusMissingRequirements, password, email)
	if j.attempt.Account != nil {
		t.Error("an account that counts for nothing is stored")
	}
	j.does(answer(engine.EmailAddress, true), give(engine.Password, "hash")).completes()
}

func TestFailedProof(t *testing.T) {
	s := instance(optional(engine.Web3Wallet), providers)
	for attribute, proof := range map[engine.Attribute]engine.Outcome{
		engine.ExternalAccount: {Attribute: engine.ExternalAccount, Failure: "PROVIDER_SAID_NO"},
		engine.Web3Wallet:      {Attribute: engine.Web3Wallet, Failure: "SIGNATURE_INVALID"},
	} {
		j := begin(t, s).does(engine.Command{Outcome: &proof}).verification(attribute, engine.VerificationFailed).
			told(engine.StatusMissingRequirements, wallet|account, none)
		if got := j.attempt.Verifications[attribute].Failure; got != proof.Failure {
			t.Errorf("code %q, want %q", got, proof.Failure)
		}
	}
}

func TestProofOfWhatWasDisabledMeanwhile(t *testing.T) {
	tests := map[string]struct {
		settings engine.Settings
		command  engine.Command
	}{
		"the wallet":        {instance(requiredVerified(engine.EmailAddress)), walletSigned("0xabc")},
		"all providers":     {instance(requiredVerified(engine.EmailAddress)), accountProved(googleAccount(sentEmail))},
		"only the provider": {instance(requiredVerified(engine.EmailAddress), onlyForum), accountProved(googleAccount(sentEmail))},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			j := begin(t, test.settings).does(test.command).told(engine.StatusMissingRequirements, email, none)
			v := j.attempt.Verifications[test.command.Outcome.Attribute]
			if v.Failure != engine.CodeFieldDisabled || v.Verified {
				t.Errorf("verification %+v, want one failed with %v", v, engine.CodeFieldDisabled)
			}
		})
	}
}

func onlyForum(s *engine.Settings) {
	s.Providers = []engine.Provider{{Name: google, TrustEmail: true}, {Name: forum, Enabled: true}}
}

// TestAccountOrWalletOfAUserIsTransferable: it is said to belong to a user, who
// may sign in, and counts for nothing.
func TestAccountOrWalletOfAUserIsTransferable(t *testing.T) {
	s := instance(required(engine.Web3Wallet), providers, required(engine.Password))
	for attribute, proof := range map[engine.Attribute]engine.Command{
		engine.ExternalAccount: accountProved(googleAccount(sentEmail)),
		engine.Web3Wallet:      walletSigned("0xabc"),
	} {
		j := begin(t, s)
		j.decide(proof, engine.Facts{Now: noon, Can: everything, Taken: 1 << attribute})
		if len(j.last.Problems) > 0 {
			t.Errorf("%v: problems %v", attribute, j.last.Problems)
		}
		j.verification(attribute, engine.VerificationTransferable).
			told(engine.StatusMissingRequirements, wallet|password, none)
		if j.attempt.Account != nil || j.attempt.Values[engine.Web3Wallet].Presence == engine.Given {
			t.Errorf("%v: what belongs to another user is stored", attribute)
		}
	}
}

func TestSecondVerifiedAccountReplacesTheFirst(t *testing.T) {
	s := instance(requiredVerified(engine.EmailAddress), requiredVerified(engine.PhoneNumber), providers)
	second := googleAccount("second@example.test")
	second.Subject = "g-2"
	j := begin(t, s).does(accountProved(googleAccount(sentEmail)), accountProved(second)).
		value(engine.EmailAddress, "second@example.test").value(engine.ExternalAccount, "https://google.test g-2")
	if !reflect.DeepEqual(j.attempt.Account, second) {
		t.Errorf("account %+v, want the second", j.attempt.Account)
	}
}

// TestFailedSecondProofLeavesTheFirst: what was proven stays so.
func TestFailedSecondProofLeavesTheFirst(t *testing.T) {
	s := instance(requiredVerified(engine.PhoneNumber), providers, optional(engine.Web3Wallet))
	j := begin(t, s).does(accountProved(googleAccount(sentEmail)),
		engine.Command{Outcome: &engine.Outcome{Attribute: engine.ExternalAccount, Failure: "PROVIDER_SAID_NO"}})
	j.value(engine.ExternalAccount, "https://google.test g-1")
	j.does(walletSigned("0xabc"),
		engine.Command{Outcome: &engine.Outcome{Attribute: engine.Web3Wallet, Failure: "SIGNATURE_INVALID"}}).
		value(engine.Web3Wallet, "0xabc")
}

func TestProviderOfAnAccountIsDisabledAndEnabledAgain(t *testing.T) {
	on := instance(requiredVerified(engine.EmailAddress), required(engine.Password), providers, required(engine.FirstName))
	off := instance(requiredVerified(engine.EmailAddress), required(engine.Password), onlyForum, required(engine.FirstName))
	begin(t, on).does(accountProved(googleAccount(sentEmail))).told(engine.StatusMissingRequirements, first, none).
		under(off).told(engine.StatusMissingRequirements, email|password|first, none).
		under(on).told(engine.StatusMissingRequirements, first, none)
}

// TestNameOfAProviderIsGivenToAnother: the other one's trust is not the first
// one's, whose accounts count for nothing until the name is given back.
func TestNameOfAProviderIsGivenToAnother(t *testing.T) {
	named := func(issuer string, trusted bool, more ...setting) engine.Settings {
		s := instance(append(more, requiredVerified(engine.EmailAddress), required(engine.FirstName))...)
		s.Providers = []engine.Provider{{Name: google, Enabled: true, Issuer: issuer, TrustEmail: trusted}}
		return s
	}
	asked := googleAccount(sentEmail)
	asked.Asked = googleIssuer
	before, after := named(googleIssuer, false), named("https://other.test", true)
	j := begin(t, before).does(accountProved(asked)).told(engine.StatusMissingRequirements, first, email).
		under(after).told(engine.StatusMissingRequirements, email|first, none).value(engine.ExternalAccount, "").
		does(accountProved(asked)).verification(engine.ExternalAccount, engine.VerificationFailed)
	j.under(before).told(engine.StatusMissingRequirements, first, email)
	j.under(named("https://other.test", true, legacy)).told(engine.StatusMissingRequirements, email|first, none)
}

func TestTrustIsWithdrawnFromAProvider(t *testing.T) {
	trusting := instance(requiredVerified(engine.EmailAddress), providers, required(engine.FirstName))
	wary := trusting
	wary.Providers = []engine.Provider{{Name: google, Enabled: true}}
	begin(t, trusting).does(accountProved(googleAccount(sentEmail))).told(engine.StatusMissingRequirements, first, none).
		under(wary).told(engine.StatusMissingRequirements, first, email)
}
