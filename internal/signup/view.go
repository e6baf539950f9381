package signup

import (
	"encoding/json"
	"slices"
	"time"

	"stepwise/engine"
	"stepwise/internal/identifier"
)

// SignUp is what a client sees of a sign-up.
type SignUp struct {
	ID              string
	Instance        string
	Client          string
	Status          engine.Status
	Verdict         engine.Verdict
	Requirements    []engine.Requirement
	Verifications   [engine.NumAttributes]*Verification
	Values          [engine.NumAttributes]engine.Value
	PasswordEnabled bool
	// AwaitsOwner: nothing is missing any more, and the owner's next mutation
	// completes the sign-up.
	AwaitsOwner     bool
	LegalAcceptedAt time.Time // zero: no valid consent
	UnsafeMetadata  json.RawMessage
	CreatedUserID   string
	CreatedSession  string
	CreatedAt       time.Time
	AbandonAt       time.Time
	Revision        int64
	SettingsVersion int64
	Locale          string // "": messages are in the instance's default language
}

// Final reports whether the sign-up can no longer change.
func (s SignUp) Final() bool { return s.Status != engine.StatusMissingRequirements }

// Verification is what a client sees of one.
type Verification struct {
	Status   engine.VerificationStatus
	Strategy engine.Strategy
	// AttemptsLeft is -1 where nothing is guessed.
	AttemptsLeft int
	ExpireAt     time.Time // zero where no challenge is open
	Error        engine.Code
	ErrorMessage string
	// SentTo is the masked address of an open challenge, or empty.
	SentTo   string
	ResendAt time.Time
	// Provider is that of an external account.
	Provider string
	// RedirectURL is where an open challenge sends the person, Message what it asks
	// a wallet to sign; empty for others.
	RedirectURL string
	Message     string
}

// view returns what a client sees of the attempt now.
func (s *Service) view(a attempt, settings currentSettings, now time.Time) *SignUp {
	requirements := settings.Requirements()
	values, _ := engine.Values(requirements, a.Attempt)
	values[engine.Password] = engine.Value{} // its key is the hash
	if a.Attempt.Lifecycle.Final() {
		now = a.Attempt.EndedAt
	}
	v := &SignUp{
		ID: a.key.ID, Instance: a.key.Instance, Client: a.key.Client,
		Status:          a.Attempt.Status(now),
		Verdict:         a.Verdict,
		Requirements:    engine.Requirements(requirements, a.Attempt, a.Verdict, s.can, now),
		PasswordEnabled: a.Verdict.Present.Has(engine.Password),
		UnsafeMetadata:  metadataOrEmpty(a.UnsafeMetadata),
		CreatedAt:       a.Attempt.CreatedAt.UTC(), AbandonAt: a.Attempt.AbandonAt.UTC(),
		Revision: a.version, SettingsVersion: a.SettingsVersion, Locale: a.Locale,
	}
	if settings.PhoneNumber.startsAbroad(values[engine.PhoneNumber]) {
		withoutStart(v.Requirements, engine.PhoneNumber)
	}
	if a.Attempt.Lifecycle == engine.Open {
		v.Verdict.Blockers = slices.Concat(a.Verdict.Blockers, engine.Unprovable(a.Verdict, s.can))
		v.AwaitsOwner = v.Status == engine.StatusMissingRequirements && a.Verdict.Satisfied()
	}
	for _, attribute := range a.Verdict.Present.List() {
		v.Values[attribute] = values[attribute]
	}
	if consent := a.Attempt.Consent; consent != nil && a.Verdict.Present.Has(engine.LegalAccepted) {
		v.LegalAcceptedAt = consent.At.UTC()
	}
	if c := a.Completion; c != nil && a.Attempt.Lifecycle == engine.Complete {
		v.CreatedUserID, v.CreatedSession = c.UserID, c.SessionID
	}
	for _, attribute := range engine.All.List() {
		verification := engine.VerificationOf(requirements, a.Attempt, attribute)
		shown := verificationView(verification, attribute, now)
		if shown != nil && a.Attempt.Lifecycle == engine.Open && shown.Status == engine.VerificationUnverified {
			s.showChallenge(a, settings.Settings, *verification, shown)
		}
		v.Verifications[attribute] = shown
	}
	return v
}

func metadataOrEmpty(data []byte) json.RawMessage {
	if len(data) == 0 {
		return json.RawMessage("{}")
	}
	return json.RawMessage(data)
}

// showChallenge adds what the person is to do elsewhere.
func (s *Service) showChallenge(a attempt, settings Settings, v engine.Verification, shown *Verification) {
	switch v.Strategy {
	case engine.OAuth:
		shown.RedirectURL = s.challengeURL(a, settings, v)
	case engine.Web3Signature:
		if s.wallets != nil {
			shown.Message = s.wallets.Message(walletChallenge(v))
		}
	}
}

func verificationView(v *engine.Verification, attribute engine.Attribute, now time.Time) *Verification {
	if v == nil {
		return nil
	}
	shown := &Verification{Status: v.Status(now), Strategy: v.Strategy, Provider: v.Provider, AttemptsLeft: -1, Error: v.Failure}
	if attribute != engine.ExternalAccount && !v.Verified && !v.Transferable {
		shown.AttemptsLeft = max(0, engine.MaxGuesses-int(v.Guesses))
		if shown.AttemptsLeft == 0 {
			shown.Error = engine.CodeTooManyGuesses
		}
	}
	// One that was guessed at too often is shown too: it says when to start again.
	if shown.Status == engine.VerificationUnverified || shown.Error == engine.CodeTooManyGuesses {
		shown.ExpireAt, shown.ResendAt = v.ExpireAt.UTC(), v.ResendAt.UTC()
		if engine.Verifiable.Has(attribute) {
			shown.SentTo = mask(attribute, v.Key)
		}
	}
	if v.Transferable {
		shown.ExpireAt = v.ExpireAt.UTC()
	}
	if shown.Error != "" {
		shown.ErrorMessage = Sentence(shown.Error, attribute)
	}
	return shown
}

func mask(a engine.Attribute, key string) string {
	if a == engine.PhoneNumber {
		return identifier.MaskPhone(key)
	}
	return identifier.MaskEmail(key)
}
