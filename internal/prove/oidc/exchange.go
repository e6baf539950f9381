package oidc

import (
	"context"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"golang.org/x/oauth2"

	"stepwise/internal/signup"
)

// exchange sends the code to the token endpoint, once (RFC 6749 section 4.1.3).
func (p *Prover) exchange(ctx context.Context, provider signup.Provider, tokenURL string, style oauth2.AuthStyle, r signup.AuthorizationRequest, code string) (*oauth2.Token, error) {
	secret := provider.ClientSecret
	if provider.Preset.SignedSecret {
		signed, err := signSecret(provider, p.now())
		if err != nil {
			return nil, &signup.ProofError{Code: signup.ProviderUnavailable, Cause: err}
		}
		secret = signed
	}
	if secret == "" {
		style = oauth2.AuthStyleInParams // a public client gives its id there (section 3.2.1)
	}
	config := oauth2.Config{
		ClientID:     provider.ClientID,
		ClientSecret: secret,
		RedirectURL:  r.RedirectURI,
		Endpoint:     oauth2.Endpoint{TokenURL: tokenURL, AuthStyle: style},
	}
	token, err := config.Exchange(context.WithValue(ctx, oauth2.HTTPClient, p.client), code, oauth2.VerifierOption(r.CodeVerifier))
	if refused, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
		return nil, exchangeRefused(refused)
	}
	if err != nil {
		return nil, unreachable(ctx, err, "the token endpoint's answer makes no sense")
	}
	return token, nil
}

// errorWords are those of RFC 6749 section 5.2. A provider's own words are not
// passed on.
var errorWords = []string{
	"invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type", "invalid_scope",
}

// exchangeRefused tells a refusal (an error in the answer) from a provider that
// is out of order. Of the answer the status and a registered word remain.
func exchangeRefused(refused *oauth2.RetrieveError) error {
	status := refused.Response.StatusCode
	code := signup.ProviderExchangeFailed
	if status >= 500 || status/100 == 3 || status == http.StatusTooManyRequests || status == http.StatusRequestTimeout {
		code = signup.ProviderUnavailable
	}
	cause := fmt.Errorf("the token endpoint answered %d", status)
	if slices.Contains(errorWords, refused.ErrorCode) {
		cause = fmt.Errorf("%w, %s", cause, refused.ErrorCode)
	}
	return &signup.ProofError{Code: code, Cause: cause}
}

// signedSecretFor is how long a signed secret holds; it is used at once.
const signedSecretFor = 5 * time.Minute

// signSecret makes the client secret of providers that want one signed by the
// app's key: a JWT from the team about the client, ES256. Its errors are fixed
// words.
func signSecret(provider signup.Provider, now time.Time) (string, error) {
	errKey := errors.New("the key for the client secret is no PKCS #8 PEM of a P-256 key")
	block, _ := pem.Decode([]byte(provider.ClientSecret))
	if block == nil {
		return "", errKey
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	key, ok := parsed.(*ecdsa.PrivateKey)
	if err != nil || !ok {
		return "", errKey
	}
	// Keys of other curves are refused when they are to sign.
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: provider.KeyID}}, nil)
	if err != nil {
		return "", errKey
	}
	signed, err := jwt.Signed(signer).Claims(jwt.Claims{
		Issuer:   provider.TeamID,
		Subject:  provider.ClientID,
		Audience: jwt.Audience{provider.Issuer},
		IssuedAt: jwt.NewNumericDate(now),
		Expiry:   jwt.NewNumericDate(now.Add(signedSecretFor)),
	}).Serialize()
	if err != nil {
		return "", errKey
	}
	return signed, nil
}
