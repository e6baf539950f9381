package signup

import (
	"context"
	"crypto/hmac"
	"errors"
	"slices"
	"strconv"
	"strings"

	"stepwise/engine"
)

const forTransfer = "transfer"

// transferToken is the secret by which the one who proved what belongs to a user
// comes back as that user: it is in the answer to that proof, repeated too, and
// nowhere else. The client's token is not enough, since somebody may have planted it
// in the browser of the one who proves.
func (c *call) transferToken(a attempt, problems []Problem) string {
	if c.proof == nil || len(problems) > 0 || !engine.Proven.Has(c.proof.Attribute) {
		return ""
	}
	v := a.Attempt.Verifications[c.proof.Attribute]
	if v == nil || !v.Transferable || c.proof.Handle != "" && !c.redeemed(a, *v) {
		return ""
	}
	return c.service.keys.sign(forTransfer, a.key.Instance, a.key.ID, c.proof.Attribute, v.Nonce, v.Generation)
}

// redeemed reports whether it is this handle's code that the provider took: others
// for the same challenge can be made by whoever can read the sign-up.
func (c *call) redeemed(a attempt, v engine.Verification) bool {
	return v.Nonce == c.answer.Nonce && hmac.Equal([]byte(a.Redeemed), []byte(c.redeemedAs()))
}

func (c *call) redeemedAs() string {
	return c.service.keys.requestFingerprint("redeemed", c.answer.Nonce, c.answer.Code)
}

// transfer turns what was proven in a sign-up, and belongs to a user, into a
// session of that user.
func (s *Service) transfer(ctx context.Context, p Principal, token string) (SessionOutcome, error) {
	var key AttemptKey
	var attribute engine.Attribute
	var nonce string
	var generation uint32
	ok := s.keys.signed(forTransfer, token, &key.Instance, &key.ID, &attribute, &nonce, &generation)
	key.Client, _ = clientOfAttempt(key.ID)
	refuse := func(code Code, message string) (SessionOutcome, error) {
		problem := Problem{Code: code, Field: inputPath("proof", "transfer"), Message: message}
		if ok {
			problem.Attribute = &attribute
		}
		return SessionOutcome{Problems: []Problem{problem}}, nil
	}
	tail := s.keys.sessionTail(key.ID, attribute.String(), nonce, strconv.FormatUint(uint64(generation), 10))
	switch {
	case p.Client == "":
		return SessionOutcome{}, ErrNeedsClient
	case p.Stale && (!ok || key.Client != p.Client):
		return SessionOutcome{}, ErrUnauthenticated
	case !ok || key.Instance != p.Instance.ID:
		return refuse(CodeInvalidFormat, "This is not what signUpVerificationCheck handed out.")
	case key.Client != p.Client:
		return refuse(CodeOtherClient, "This was proven in another browser or app. Continue there.")
	case p.Stale:
		return s.sessionAgain(ctx, p, tail)
	}
	a, _, err := s.load(ctx, key, "")
	if errors.Is(err, ErrNotFound) {
		return refuse(CodeNotFound, "There is no such sign-up. Please start again.")
	}
	if err != nil {
		return SessionOutcome{}, err
	}
	v := a.Attempt.Verifications[attribute]
	if v == nil || !v.Transferable || v.Nonce != nonce || v.Generation != generation {
		return refuse(CodeNotTransferable, "What was proven has been replaced meanwhile. Start the verification again.")
	}
	settings, err := s.settingsAt(ctx, p.Instance.ID, p.Instance.SettingsVersion)
	if err != nil {
		return SessionOutcome{}, err
	}
	if code := closedWay(settings.Settings, attribute, *v); code != "" {
		return refuse(Code(code), Sentence(code, attribute))
	}
	if !s.now().Before(v.ExpireAt) {
		return refuse(Code(engine.CodeExpired), "This was proven too long ago. Please do it again.")
	}
	owner, err := s.directory.Owner(ctx, p.Instance.ID, []Identifier{provenIdentifier(attribute, v.Key)})
	if errors.Is(err, ErrNoRow) {
		return refuse(CodeNotTransferable, "It no longer belongs to an account. Start the verification again.")
	}
	if err != nil {
		return SessionOutcome{}, unavailable(err)
	}
	out, err := s.openSession(ctx, p, owner.UserID, tail)
	if err == nil && out.Session != nil && a.Attempt.Lifecycle == engine.Open {
		s.abandon(ctx, a)
	}
	return out, err
}

// closedWay says why nobody comes in by what was proven, the empty code if
// somebody does: wallets or the provider were turned off, or its name given to
// another provider, since.
func closedWay(settings Settings, attribute engine.Attribute, v engine.Verification) engine.Code {
	if !settings.Requirements().Enabled().Has(attribute) {
		return engine.CodeFieldDisabled
	}
	named := func(p ProviderSettings) bool {
		return p.Enabled && p.Name == v.Provider && p.issuer() == detailOf(v).Issuer
	}
	if attribute == engine.ExternalAccount && !slices.ContainsFunc(settings.ExternalAccount.Providers, named) {
		return engine.CodeProviderDisabled
	}
	return ""
}

// provenIdentifier is what a user has who owns a wallet or an account; key is that
// of its verification.
func provenIdentifier(attribute engine.Attribute, key string) Identifier {
	if attribute != engine.ExternalAccount {
		return Identifier{Kind: attribute.String(), Norm: key}
	}
	issuer, subject, _ := strings.Cut(key, " ")
	return Identifier{Kind: ExternalAccountKind + issuer, Norm: subject}
}

// abandon ends a sign-up whose person turned out to have an account. Should it
// fail, the deadline does the same.
func (s *Service) abandon(ctx context.Context, a attempt) {
	now := s.now()
	a.Attempt = engine.Abandon(a.Attempt, now)
	a.version++
	record, err := a.record(a.version, now)
	if err == nil {
		err = s.attempts.Save(ctx, a.key, record, Memory{}, false)
	}
	if err != nil {
		s.log.WarnContext(ctx, "sign-up not ended", "sign_up", a.key.ID, "error", err)
	}
}
