package engine_test

import (
	"testing"

	"stepwise/engine"
)

// The page that announces Progressive Sign Up, bullet by bullet: what happened
// before, and what happens now.

// before and now are the same settings under the two algorithms.
func before(settings ...setting) engine.Settings { return instance(append(settings, legacy)...) }
func now(settings ...setting) engine.Settings    { return instance(settings...) }

// "When someone was signing up using a Social provider (OAuth), even if the
// 'name' and 'phone' were marked as 'required', they were ignored and the user
// would sign up successfully but have an empty name and phone number. Now they
// have to be collected before the sign-up can complete."
func TestSocialSignUpCollectsRequiredNameAndPhone(t *testing.T) {
	settings := []setting{requiredVerified(engine.EmailAddress), requiredVerified(engine.PhoneNumber),
		required(engine.FirstName), required(engine.LastName), providers}
	social := accountProved(googleAccount(sentEmail))

	begin(t, before(settings...)).does(social).completes().
		value(engine.EmailAddress, sentEmail).
		value(engine.FirstName, "").value(engine.LastName, "").value(engine.PhoneNumber, "")

	begin(t, now(settings...)).does(social).
		told(engine.StatusMissingRequirements, phone|first|last, none).
		does(together(give(engine.FirstName, "Ada"), give(engine.LastName, "King"))).
		told(engine.StatusMissingRequirements, phone, none).
		does(give(engine.PhoneNumber, ownPhone), start(engine.PhoneCode)).
		told(engine.StatusMissingRequirements, none, phone).
		does(answer(engine.PhoneNumber, true)).completes().
		value(engine.EmailAddress, sentEmail).value(engine.PhoneNumber, ownPhone).
		value(engine.FirstName, "Ada").value(engine.LastName, "King")
}

// "When someone was signing up using a Social provider (OAuth) and the provider
// did not provide a verified email for the user, the process would result in an
// error. Now, this case will be handled gracefully: email has to be provided
// and verified, before the sign-up can complete."
func TestSocialSignUpWithoutVerifiedEmailIsHandledGracefully(t *testing.T) {
	settings := []setting{requiredVerified(engine.EmailAddress), providers}

	for _, acc := range []*engine.Account{emptyGoogleAccount(), unverifiedGoogleAccount(sentEmail)} {
		j := begin(t, before(settings...)).does(accountProved(acc)).
			verification(engine.ExternalAccount, engine.VerificationFailed).
			told(engine.StatusMissingRequirements, email, none)
		if code := j.attempt.Verifications[engine.ExternalAccount].Failure; code != engine.CodeEmailNotVerified {
			t.Errorf("the error is %q, want %q", code, engine.CodeEmailNotVerified)
		}
	}

	begin(t, now(settings...)).does(accountProved(emptyGoogleAccount())).
		verification(engine.ExternalAccount, engine.VerificationVerified).
		told(engine.StatusMissingRequirements, email, none).
		does(give(engine.EmailAddress, ownEmail), start(engine.EmailCode)).
		told(engine.StatusMissingRequirements, none, email).
		does(answer(engine.EmailAddress, true)).completes()

	begin(t, now(settings...)).does(accountProved(unverifiedGoogleAccount(sentEmail))).
		told(engine.StatusMissingRequirements, none, email).value(engine.EmailAddress, sentEmail).
		does(start(engine.EmailCode), answer(engine.EmailAddress, true)).completes()
}

// "Web3 could not be used in combination with any of the regular settings (i.e.
// email, name, phone number, passwords). Progressive Sign Up adds support for
// using Web3 together with these."
func TestWeb3TogetherWithRegularSettings(t *testing.T) {
	for _, regular := range []struct {
		setting   setting
		attribute engine.Attribute
		give      []engine.Command
		missing   engine.Set // once the wallet is there
	}{
		{requiredVerified(engine.EmailAddress), engine.EmailAddress, verifiedValue(engine.EmailAddress, ownEmail), email},
		{requiredVerified(engine.PhoneNumber), engine.PhoneNumber, verifiedValue(engine.PhoneNumber, ownPhone), phone},
		{required(engine.FirstName), engine.FirstName, []engine.Command{give(engine.FirstName, "Ada")}, first},
		{required(engine.LastName), engine.LastName, []engine.Command{give(engine.LastName, "King")}, last},
		{required(engine.Password), engine.Password, nil, none},
	} {
		t.Run(regular.attribute.String(), func(t *testing.T) {
			settings := []setting{required(engine.Web3Wallet), regular.setting}

			if !refuses(before(settings...), engine.NeedsProgressive) {
				t.Errorf("before: the settings are not refused")
			}

			j := begin(t, now(settings...)).does(walletSigned("0xabc"))
			if regular.missing == none {
				j.completes()
				return
			}
			j.told(engine.StatusMissingRequirements, regular.missing, none).does(regular.give...).completes().
				value(engine.Web3Wallet, "0xabc")
			begin(t, now(settings...)).does(regular.give...).
				told(engine.StatusMissingRequirements, wallet, none).does(walletSigned("0xabc")).completes()
		})
	}
	t.Run("alone", func(t *testing.T) {
		begin(t, before(required(engine.Web3Wallet))).does(walletSigned("0xabc")).completes()
		begin(t, now(required(engine.Web3Wallet))).does(walletSigned("0xabc")).completes()
	})
}

func refuses(s engine.Settings, code string) bool {
	for _, finding := range s.Refusals() {
		if finding.Code == code {
			return true
		}
	}
	return false
}

// "Emails and phones could not be marked as required/optional. In Progressive
// Sign Up they can, and the setting will be honored during Sign Up flows."
func TestEmailAndPhoneRequiredFlagsAreHonoured(t *testing.T) {
	t.Run("both required", func(t *testing.T) {
		settings := []setting{requiredVerified(engine.EmailAddress), requiredVerified(engine.PhoneNumber)}
		begin(t, before(settings...)).told(engine.StatusMissingRequirements, email|phone, none).
			does(verifiedValue(engine.PhoneNumber, ownPhone)...).completes()
		begin(t, now(settings...)).told(engine.StatusMissingRequirements, email|phone, none).
			does(verifiedValue(engine.PhoneNumber, ownPhone)...).told(engine.StatusMissingRequirements, email, none).
			does(verifiedValue(engine.EmailAddress, ownEmail)...).completes()
	})
	t.Run("email required, phone optional", func(t *testing.T) {
		settings := []setting{requiredVerified(engine.EmailAddress), optionalVerified(engine.PhoneNumber)}
		begin(t, before(settings...)).told(engine.StatusMissingRequirements, email|phone, none).
			does(verifiedValue(engine.PhoneNumber, ownPhone)...).completes()
		begin(t, now(settings...)).told(engine.StatusMissingRequirements, email, none).
			does(verifiedValue(engine.PhoneNumber, ownPhone)...).told(engine.StatusMissingRequirements, email, none).
			does(verifiedValue(engine.EmailAddress, ownEmail)...).completes()
	})
	t.Run("both optional", func(t *testing.T) {
		settings := []setting{optionalVerified(engine.EmailAddress), optionalVerified(engine.PhoneNumber)}
		for _, s := range []engine.Settings{before(settings...), now(settings...)} {
			begin(t, s).told(engine.StatusMissingRequirements, email|phone, none).
				does(verifiedValue(engine.PhoneNumber, ownPhone)...).completes()
		}
	})
}

// "On a technical level … sign_up.status may now be set to missing_requirements
// after a successful OAuth or Web3 flow; sign_up.missing_fields may be
// non-empty after a successful OAuth or Web3 flow; sign_up.unverified_fields
// may be non-empty after a successful OAuth or Web3 flow."
func TestStatusAndListsAfterASuccessfulFlow(t *testing.T) {
	social := []setting{requiredVerified(engine.EmailAddress), required(engine.FirstName), providers}
	begin(t, before(social...)).does(accountProved(googleAccount(sentEmail))).completes()
	begin(t, now(social...)).does(accountProved(googleAccount(sentEmail))).
		verification(engine.ExternalAccount, engine.VerificationVerified).
		told(engine.StatusMissingRequirements, first, none)
	begin(t, now(social...)).does(accountProved(unverifiedGoogleAccount(sentEmail))).
		verification(engine.ExternalAccount, engine.VerificationVerified).
		told(engine.StatusMissingRequirements, first, email)

	web3 := []setting{optional(engine.Web3Wallet), optionalVerified(engine.EmailAddress)}
	begin(t, before(web3...)).does(give(engine.EmailAddress, ownEmail), walletSigned("0xabc")).completes().
		value(engine.EmailAddress, "")
	begin(t, now(web3...)).does(give(engine.EmailAddress, ownEmail), walletSigned("0xabc")).
		verification(engine.Web3Wallet, engine.VerificationVerified).
		told(engine.StatusMissingRequirements, none, email)
	begin(t, now(append(web3, required(engine.LastName))...)).does(walletSigned("0xabc")).
		verification(engine.Web3Wallet, engine.VerificationVerified).
		told(engine.StatusMissingRequirements, last, none)
}

// Consent is asked for on every path, whatever the algorithm ignores else.
func TestConsentIsCollectedOnEveryPath(t *testing.T) {
	settings := []setting{optional(engine.Web3Wallet), optionalVerified(engine.EmailAddress), providers, consentAsked}
	for _, s := range []engine.Settings{before(settings...), now(settings...)} {
		for _, identify := range [][]engine.Command{
			{accountProved(googleAccount(sentEmail))},
			{walletSigned("0xabc")},
			verifiedValue(engine.EmailAddress, ownEmail),
		} {
			begin(t, s).does(identify...).told(engine.StatusMissingRequirements, consent, none).
				does(give(engine.LegalAccepted, "")).completes()
		}
		begin(t, s, ticketWithAddresses(engine.TicketValid)).told(engine.StatusMissingRequirements, consent, none).
			does(give(engine.LegalAccepted, "")).completes()
	}
}

// What was verified wins over what the provider sends, what was only typed is
// dropped, under legacy.
func TestLegacySocialSignUpKeepsOnlyTheVerified(t *testing.T) {
	s := before(optionalVerified(engine.EmailAddress), optionalVerified(engine.PhoneNumber), required(engine.FirstName), providers)
	begin(t, s).does(verifiedValue(engine.EmailAddress, ownEmail)...).
		does(give(engine.PhoneNumber, ownPhone), accountProved(googleAccount(sentEmail))).completes().
		value(engine.EmailAddress, ownEmail).value(engine.PhoneNumber, "")
	begin(t, s).does(verifiedValue(engine.PhoneNumber, ownPhone)...).
		does(give(engine.EmailAddress, ownEmail), accountProved(googleAccount(sentEmail))).completes().
		value(engine.EmailAddress, sentEmail).value(engine.PhoneNumber, ownPhone)
}
