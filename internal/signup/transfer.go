package signup

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"stepwise/engine"
)

// transfer turns what was proven in a sign-up, and belongs to a user, into a
// session of that user. It takes no outdated token: the call holds no secret by
// which to know that it is made again by the one who made it first.
func (s *Service) transfer(ctx context.Context, p Principal, attribute engine.Attribute, id string) (SessionOutcome, error) {
	if err := p.mustBeClient(); err != nil {
		return SessionOutcome{}, err
	}
	a, _, err := s.load(ctx, AttemptKey{p.Instance.ID, p.Client, id}, "")
	if errors.Is(err, ErrNotFound) {
		return SessionOutcome{Problems: []Problem{{Code: CodeNotFound, Field: inputPath("proof", "transfer"), Message: "There is no such sign-up. Please start again."}}}, nil
	}
	if err != nil {
		return SessionOutcome{}, err
	}
	refuse := func(code Code, message string) (SessionOutcome, error) {
		return SessionOutcome{Problems: []Problem{{Code: code, Attribute: &attribute, Field: inputPath("proof", "transfer"), Message: message}}}, nil
	}
	v := a.Attempt.Verifications[attribute]
	if v == nil || !v.Transferable {
		return refuse(CodeNotTransferable, "Nothing was proven here that belongs to an account.")
	}
	settings, err := s.settingsAt(ctx, p.Instance.ID, p.Instance.SettingsVersion)
	if err != nil {
		return SessionOutcome{}, err
	}
	if code := closedWay(settings.Settings, attribute, *v); code != "" {
		return refuse(Code(code), Sentence(code, attribute))
	}
	tail := s.keys.sessionTail(a.key.ID, attribute.String(), v.Key, v.Nonce, strconv.FormatUint(uint64(v.Generation), 10))
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
