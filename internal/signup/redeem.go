package signup

import (
	"context"
	"errors"
	"time"

	"stepwise/engine"
	"stepwise/internal/identifier"
)

// A provider takes an authorization code once, and a callback may be delivered
// several times, to several processes, at once. So whoever exchanges the code
// claims it first; the others wait for what comes of it.

const (
	// redemptionLease is how long the others leave an exchange to the one who
	// began it.
	redemptionLease = 12 * time.Second
	// redemptionTimeout bounds an exchange.
	redemptionTimeout = 9 * time.Second
	// redemptionPause is how often those who wait look again.
	redemptionPause = 50 * time.Millisecond
	// maxRedemptionPauses bounds the wait whatever the clocks of others say: an
	// exchange is over long before.
	maxRedemptionPauses = int(redemptionLease / redemptionPause)
)

// redemption is an exchange under way.
type redemption struct {
	Nonce      string
	LeaseUntil time.Time
}

// errStillRedeeming: look again after a pause.
var errStillRedeeming = errors.New("another request exchanges the same code")

// redeem finds out what the provider says, where the proof is a handle for an
// open challenge. settled: the handle was redeemed before, or another way was
// taken meanwhile, and the sign-up as it is is the answer. ErrConflict: look again.
func (c *call) redeem(ctx context.Context, settings currentSettings, a *attempt, now time.Time) (settled bool, err error) {
	if c.proof == nil || c.proof.Handle == "" || a.Attempt.Lifecycle != engine.Open {
		return false, nil
	}
	v := a.Attempt.Verifications[engine.ExternalAccount]
	if v != nil && v.Nonce == c.answer.Nonce && (v.Verified || v.Transferable || v.Failure != "") {
		return true, nil
	}
	if len(checkKey(c.memoryKey)) > 0 { // a refused call exchanges nothing
		return false, nil
	}
	if c.found != nil || engine.Answerable(settings.Requirements(), a.Attempt, engine.ExternalAccount, c.answer.Nonce, now) != "" {
		return false, nil
	}
	if a.redeeming() && now.Before(a.Redemption.LeaseUntil) {
		return false, errStillRedeeming
	}
	if code := refusal(c.answer.Error); code != "" {
		c.found = &engine.Outcome{Attribute: engine.ExternalAccount, Nonce: v.Nonce, Failure: code}
		return false, nil
	}
	if err := c.claim(ctx, a, now); err != nil {
		return false, err
	}
	// The code is worth nothing from here on.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), redemptionTimeout)
	defer cancel()
	c.found, err = c.exchange(ctx, settings.Settings, *v)
	return false, err
}

// keeping returns the context in which to go on: what the provider has said it
// does not say again, so that it is saved whether or not the caller stays.
func (c *call) keeping(ctx context.Context) (context.Context, context.CancelFunc) {
	if c.found == nil {
		return ctx, func() {}
	}
	return context.WithTimeout(context.WithoutCancel(ctx), conversionTimeout)
}

// redeeming reports whether the exchange that was begun is of the challenge in
// force. Other changes of the sign-up leave it to the one who began it.
func (a attempt) redeeming() bool {
	v := a.Attempt.Verifications[engine.ExternalAccount]
	return a.Redemption != nil && v != nil && v.Nonce == a.Redemption.Nonce
}

// claim keeps the others from exchanging the code.
func (c *call) claim(ctx context.Context, a *attempt, now time.Time) error {
	a.Redemption = &redemption{Nonce: c.answer.Nonce, LeaseUntil: now.Add(redemptionLease)}
	a.version++
	record, err := a.record(a.version, now)
	if err != nil {
		return err
	}
	return c.service.attempts.Save(ctx, a.key, record, Memory{}, true)
}

// refusal is the code of an error that the provider sent the person back with.
func refusal(providerError string) engine.Code {
	switch providerError {
	case "":
		return ""
	case "access_denied", "user_cancelled_authorize", "user_cancelled_login", "consent_required", "interaction_required", "login_required":
		return ProviderAccessDenied
	case "server_error", "temporarily_unavailable":
		return ProviderUnavailable
	}
	return ProviderRefused
}

// exchange asks the provider, and the directory whose the account is.
func (c *call) exchange(ctx context.Context, settings Settings, v engine.Verification) (*engine.Outcome, error) {
	s := c.service
	outcome := &engine.Outcome{Attribute: engine.ExternalAccount, Nonce: v.Nonce}
	p, ok, err := settings.provider(v.Provider, s.keys)
	if err != nil {
		return nil, err
	}
	if !ok || p.Issuer != detailOf(v).Issuer { // nobody but the one who was asked gets the code
		outcome.Failure = engine.CodeFieldDisabled
		return outcome, nil
	}
	proven, err := s.accounts.Redeem(ctx, p, s.authorizationOf(c.answer.reference), AuthorizationResponse{
		Code: c.answer.Code, Issuer: c.answer.Issuer, User: c.answer.User,
	})
	if code, ok := proofCode(err); ok {
		s.log.WarnContext(ctx, "an account was not proven", "sign_up", c.answer.ID, "provider", p.Name, "error", err)
		outcome.Failure = code
		return outcome, nil
	}
	if err != nil {
		return nil, unavailable(err)
	}
	outcome.Account = account(p, proven, settings.DefaultCountry)
	return outcome, c.lookForAccount(ctx, settings, *outcome.Account)
}

// account brings what a provider says to canonical form; what has none is left
// out, as if it had not been said.
func account(p Provider, proven ProvenAccount, country string) *engine.Account {
	a := &engine.Account{Provider: p.Name, Asked: p.Issuer, Issuer: proven.Issuer, Subject: proven.Subject}
	give := func(attribute engine.Attribute, text, key string, err error) {
		if err == nil && text != "" {
			a.Sent[attribute] = engine.Value{Presence: engine.Given, Text: text, Key: key}
		}
	}
	email, err := identifier.ParseEmail(proven.Email)
	give(engine.EmailAddress, email.Address, email.Norm, err)
	a.EmailVerified = proven.EmailVerified && err == nil
	phone, err := identifier.Phone(proven.Phone, country)
	give(engine.PhoneNumber, phone, phone, err)
	first, err := identifier.PersonName(proven.FirstName)
	give(engine.FirstName, first, first, err)
	last, err := identifier.PersonName(proven.LastName)
	give(engine.LastName, last, last, err)
	return a
}

// lookForAccount asks which of the account and the addresses that came with it
// belong to users, as far as that may be told.
func (c *call) lookForAccount(ctx context.Context, settings Settings, a engine.Account) error {
	if err := c.lookFor(ctx, Identifier{Kind: ExternalAccountKind + a.Issuer, Norm: a.Subject}); err != nil {
		return err
	}
	var err error
	c.sentTaken, err = c.service.taken(ctx, c.principal.Instance.ID, tellable(addressesIn(a.Sent), concealedOf(settings, a)))
	return err
}

// addressesIn lists the addresses among values that were sent along.
func addressesIn(sent [engine.NumAttributes]engine.Value) []Identifier {
	var list []Identifier
	for _, attribute := range engine.Identifiers.List() {
		if v := sent[attribute]; v.Presence == engine.Given {
			list = append(list, Identifier{Kind: attribute.String(), Norm: v.Key})
		}
	}
	return list
}

// lateAnswers is how long after its end the answer to a challenge is still handed
// over, for the app to say that it is too late. Not for ever: the address it goes
// to may be allowed no more.
const lateAnswers = time.Hour

// AccountCallback returns where to send the person whom a provider has sent back:
// to the app, with a handle that the owner of the sign-up redeems with
// CheckVerification. Nothing is verified, stored or even looked up here, so that
// the same callback may come any number of times, to any process, from anybody.
func (s *Service) AccountCallback(_ context.Context, a AccountAnswer) (location string, err error) {
	r, ok := s.keys.openReference(forAuthorization, a.State)
	if !ok || r.Provider != a.Provider || !s.now().Before(r.ExpireAt.Add(lateAnswers)) {
		return "", ErrUnknownState
	}
	return withParameter(r.ReturnTo, HandleParameter, s.keys.handle(answered{r, a.Code, a.Issuer, a.Error, a.User})), nil
}

// Parameters with which people come back to the app.
const (
	HandleParameter = "sign_up_handle"
	LinkParameter   = "sign_up_link"
	TicketParameter = "ticket"
)
