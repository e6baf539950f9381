// Package oidc lets a provider of OpenID Connect or of plain OAuth 2.0 prove
// whose account it is: [Prover] is a signup.AccountProver.
//
// Nothing that a provider says is believed before it is checked, and nothing of
// it is repeated in errors or logs: codes, tokens and people's data would come to
// light that way. What an error tells are fixed words, the status of an answer,
// and errors of the network.
package oidc

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	gooidc "github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"stepwise/internal/outbound"
	"stepwise/internal/signup"
)

// Options of a Prover.
type Options struct {
	// Client is made by outbound.NewClient, default with its zero options. It
	// bounds every request, and says whether private addresses and http are allowed.
	Client *http.Client
	Now    func() time.Time // default time.Now
	Logger *slog.Logger     // default none
}

// Prover speaks with providers. It remembers their discovery documents for an
// hour, and their signing keys as long. It is safe for concurrent use and needs
// no closing; requests that it shares between callers end with the client's
// timeout at the latest.
type Prover struct {
	client       *http.Client  // to be used with contexts that end
	timeout      time.Duration // of everything that one call asks of a provider
	allowPrivate bool
	now          func() time.Time
	log          *slog.Logger
	discovered   *discovered
}

var _ signup.AccountProver = (*Prover)(nil)

const defaultTimeout = 10 * time.Second

// New returns a prover. It makes no request.
func New(o Options) *Prover {
	if o.Client == nil {
		o.Client = outbound.NewClient(outbound.Options{})
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	client := *o.Client
	client.Timeout = 0 // contexts end requests, so that errors can tell that it was time
	return &Prover{
		client:       &client,
		timeout:      cmp.Or(o.Client.Timeout, defaultTimeout),
		allowPrivate: outbound.AllowsPrivate(&client),
		now:          o.Now,
		log:          o.Logger,
		discovered:   newDiscovered(),
	}
}

// speaksOIDC tells providers that have a discovery document and ID tokens from
// those whose endpoints the preset names.
func speaksOIDC(p signup.Provider) bool { return p.Preset.AuthorizationURL == "" }

// AuthorizationEndpoint returns an address that is https, or http on loopback
// where private addresses are allowed.
func (p *Prover) AuthorizationEndpoint(ctx context.Context, provider signup.Provider) (string, error) {
	endpoint := provider.Preset.AuthorizationURL
	if speaksOIDC(provider) {
		document, err := p.document(ctx, provider)
		if err != nil {
			return "", err
		}
		endpoint = document.authorizationURL
	}
	if !p.canSendPeopleTo(endpoint) {
		return "", failed(signup.ProviderUnavailable, "the authorization endpoint is no https address")
	}
	return endpoint, nil
}

const maxEndpoint = 2048 // bytes

func (p *Prover) canSendPeopleTo(endpoint string) bool {
	u, err := url.Parse(endpoint)
	if err != nil || len(endpoint) > maxEndpoint || u.Hostname() == "" || u.User != nil || u.Fragment != "" || u.Opaque != "" {
		return false
	}
	return u.Scheme == "https" || u.Scheme == "http" && p.allowPrivate && isLoopback(u.Hostname())
}

// AuthorizationURL adds the request (RFC 6749 section 4.1.1, RFC 7636, OpenID
// Connect Core section 3.1.2.1) to the endpoint's own query. The scope "openid",
// without which there would be no ID token, is asked for in any case where the
// provider speaks OpenID Connect. An endpoint that is no address gives "".
func (p *Prover) AuthorizationURL(provider signup.Provider, endpoint string, r signup.AuthorizationRequest) string {
	u, err := url.Parse(endpoint)
	if err != nil {
		return ""
	}
	scopes := provider.Scopes
	query := u.Query()
	query.Set("response_type", "code")
	query.Set("client_id", provider.ClientID)
	query.Set("redirect_uri", r.RedirectURI)
	query.Set("state", r.State)
	query.Set("code_challenge", oauth2.S256ChallengeFromVerifier(r.CodeVerifier))
	query.Set("code_challenge_method", "S256")
	if speaksOIDC(provider) {
		query.Set("nonce", r.Nonce)
		if !slices.Contains(scopes, gooidc.ScopeOpenID) {
			scopes = append([]string{gooidc.ScopeOpenID}, scopes...)
		}
	}
	if len(scopes) > 0 {
		query.Set("scope", strings.Join(scopes, " "))
	}
	if provider.Preset.FormPost {
		query.Set("response_mode", "form_post")
	}
	u.RawQuery = query.Encode()
	return u.String()
}

// Redeem takes at most the client's timeout, whatever it has to ask. A code is
// sent once, and only after the answer's issuer was found to be right.
func (p *Prover) Redeem(ctx context.Context, provider signup.Provider, r signup.AuthorizationRequest, answer signup.AuthorizationResponse) (signup.ProvenAccount, error) {
	if answer.Code == "" {
		return signup.ProvenAccount{}, failed(signup.ProviderExchangeFailed, "the answer has no code")
	}
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	return p.redeem(ctx, provider, r, answer)
}

func (p *Prover) redeem(ctx context.Context, provider signup.Provider, r signup.AuthorizationRequest, answer signup.AuthorizationResponse) (signup.ProvenAccount, error) {
	var none signup.ProvenAccount
	if !speaksOIDC(provider) {
		if answer.Issuer != "" && answer.Issuer != provider.Issuer {
			return none, errOtherIssuer()
		}
		token, err := p.exchange(ctx, provider, provider.Preset.TokenURL, oauth2.AuthStyleInParams, r, answer.Code)
		if err != nil {
			return none, err
		}
		return p.plainAccount(ctx, provider, token.AccessToken)
	}
	document, err := p.document(ctx, provider)
	if err != nil {
		return none, err
	}
	if err := document.checkAnswer(answer); err != nil {
		return none, err
	}
	token, err := p.exchange(ctx, provider, document.tokenURL, document.authStyle, r, answer.Code)
	if err != nil {
		return none, err
	}
	said, err := p.checkIDToken(ctx, document, provider.ClientID, r.Nonce, token)
	if err != nil {
		return none, err
	}
	account := said.account(provider.Issuer)
	if document.byTenant {
		// The provider's issuer stands for all tenants, the token's for the person's.
		account.Issuer = said.text("iss")
		if answer.Issuer != "" && answer.Issuer != account.Issuer {
			return none, errOtherIssuer()
		}
	}
	if account.Email == "" && document.userInfoURL != "" {
		if account, err = p.askUserInfo(ctx, document.userInfoURL, token.AccessToken, account); err != nil {
			return none, err
		}
	}
	if provider.Preset.FormPost {
		account = nameByForm(account, answer.User)
	}
	return account, nil
}

func errOtherIssuer() error {
	return failed(signup.ProviderIssuerMismatch, "the answer names another issuer than the one asked")
}
