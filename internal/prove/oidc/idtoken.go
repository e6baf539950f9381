package oidc

import (
	"context"
	"crypto/subtle"
	"errors"
	"net/url"
	"slices"
	"time"

	gooidc "github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"stepwise/internal/signup"
)

const (
	// clockSkew is how far ahead of ours a provider's clock may be.
	clockSkew = 5 * time.Minute
	// maxTokenAge is far more than an ID token needs from the token endpoint to us.
	maxTokenAge = time.Hour
	// maxSubject is in bytes (OpenID Connect Core section 2).
	maxSubject = 255
)

// checkIDToken checks the ID token that came with an access token by OpenID
// Connect Core section 3.1.3.7, and returns its claims.
func (p *Prover) checkIDToken(ctx context.Context, d *document, clientID, nonce string, token *oauth2.Token) (claims, error) {
	raw, _ := token.Extra("id_token").(string)
	if raw == "" {
		return nil, failed(signup.ProviderTokenInvalid, "there is no ID token")
	}
	keys := &watchedKeys{KeySet: d.keys}
	checked, err := gooidc.NewVerifier(d.issuer, keys, &gooidc.Config{
		ClientID:             clientID,
		SupportedSigningAlgs: d.algorithms,
		SkipIssuerCheck:      d.byTenant, // its issuer depends on the tenant, see below
		Now:                  p.now,
	}).Verify(ctx, raw)
	if err != nil {
		return nil, whyRefused(ctx, err, keys.err)
	}
	var said claims
	if checked.Claims(&said) != nil {
		return nil, failed(signup.ProviderTokenInvalid, "the ID token is no object")
	}
	now := p.now()
	party, hasParty := said["azp"]
	issuer, subject := said.text("iss"), said.text("sub")
	switch {
	case d.byTenant && (issuer == "" || issuer != tenantIssuer(d.issuer, said.text("tid"))):
		return nil, failed(signup.ProviderTokenInvalid, "the ID token's issuer is not its tenant's")
	case nonce == "" || subtle.ConstantTimeCompare([]byte(said.text("nonce")), []byte(nonce)) != 1:
		return nil, failed(signup.ProviderTokenInvalid, "the ID token is not for this authorization: nonce")
	case hasParty && said.text("azp") != clientID, !hasParty && len(checked.Audience) > 1:
		return nil, failed(signup.ProviderTokenInvalid, "the ID token was made for another app: azp "+presence(party))
	case checked.IssuedAt.After(now.Add(clockSkew)), checked.IssuedAt.Before(now.Add(-maxTokenAge)):
		return nil, failed(signup.ProviderTokenInvalid, "the ID token was not issued just now: iat")
	case !isSubject(subject):
		return nil, failed(signup.ProviderTokenInvalid, "the ID token has no proper subject")
	}
	return said, nil
}

func presence(raw []byte) string {
	if raw == nil {
		return "is missing"
	}
	return "differs"
}

// whyRefused says in fixed words what the verifier found; its own words quote
// the token.
func whyRefused(ctx context.Context, err, keysErr error) error {
	_, isNetwork := errors.AsType[*url.Error](keysErr)
	_, isExpired := errors.AsType[*gooidc.TokenExpiredError](err)
	switch {
	case keysErr != nil && (ctx.Err() != nil || isNetwork && !errors.Is(keysErr, errKeysAreNew)):
		return unreachable(ctx, keysErr, "the provider's keys cannot be had")
	case keysErr != nil:
		return failed(signup.ProviderTokenInvalid, "the ID token is signed with none of the provider's keys")
	case isExpired:
		return failed(signup.ProviderTokenInvalid, "the ID token has expired")
	default:
		return failed(signup.ProviderTokenInvalid, "the ID token is not from this provider to this app: form, algorithm, issuer, audience or nbf")
	}
}

// isSubject tells what can identify an account. Control characters are in no
// subject, and not every store can keep them.
func isSubject(s string) bool {
	return s != "" && len(s) <= maxSubject && !slices.ContainsFunc([]rune(s), func(r rune) bool { return r < ' ' || r == 0x7f })
}
