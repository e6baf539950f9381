package signup

import (
	"bytes"
	"context"
	"crypto/hmac"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"stepwise/engine"
)

// Start asks for a verification to begin. What a strategy has no use for is
// empty.
type Start struct {
	Strategy engine.Strategy
	// Provider is the name of the one that OAUTH goes to.
	Provider string
	// RedirectURL is where OAUTH, and a link of EMAIL_LINK, bring the person back
	// to; one of the instance's allowedRedirects.
	RedirectURL string
	// Wallet is the address that WEB3_SIGNATURE is to prove, ChainID the chain that
	// the message names, 0 for the first that the settings allow, Origin that of the
	// page which asks, empty for the service's own.
	Wallet  string
	ChainID int64
	Origin  string
}

// detail is what a verification keeps so that its challenge can be shown again.
type detail struct {
	ReturnTo string `json:"r,omitempty"`
	Endpoint string `json:"e,omitempty"`
	Issuer   string `json:"i,omitempty"`
	Origin   string `json:"o,omitempty"`
	ChainID  int64  `json:"c,omitempty"`
	// Owned: the address is a user's, who was written to instead; no code is right.
	Owned bool `json:"u,omitempty"`
}

func (d detail) text() string {
	data, err := json.Marshal(d)
	if err != nil {
		panic(err) // strings and a number only
	}
	return string(data)
}

func detailOf(v engine.Verification) detail {
	var d detail
	_ = json.Unmarshal([]byte(v.Detail), &d) // empty where there is none
	return d
}

// reference names one challenge of one sign-up. Signed, it travels through a
// provider as `state` (RFC 6749), or in the link of a mail, and nobody else can
// make one. Nothing is stored for it: the sign-up knows the nonce, and a nonce is
// answered once.
type reference struct {
	AttemptKey
	Nonce    string
	Provider string
	ReturnTo string
	ExpireAt time.Time
}

// What references are for; one made for this is worth nothing for that.
const (
	forAuthorization = "state"
	forLink          = "email link"
)

// signReference is the inverse of openReference. It is deterministic: a challenge
// that is shown twice reads alike.
func (k *Keys) signReference(purpose string, r reference) string {
	return k.sign(purpose, r.Instance, r.ID, r.Nonce, r.Provider, r.ReturnTo, r.ExpireAt.UnixMilli())
}

func (k *Keys) openReference(purpose, text string) (reference, bool) {
	var r reference
	var ms int64
	if !k.signed(purpose, text, &r.Instance, &r.ID, &r.Nonce, &r.Provider, &r.ReturnTo, &ms) {
		return reference{}, false
	}
	client, ok := clientOfAttempt(r.ID)
	r.Client, r.ExpireAt = client, moment(ms)
	return r, ok
}

// sign writes the parts down, for everybody to read and nobody to change.
func (k *Keys) sign(purpose string, parts ...any) string {
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false) // an address with & in it shall not become six times as long
	if err := encoder.Encode(parts); err != nil {
		panic(err) // strings and numbers only
	}
	text := base64.RawURLEncoding.EncodeToString(bytes.TrimSuffix(body.Bytes(), []byte("\n")))
	return text + "." + k.signature(purpose, text)
}

// signed reads what sign has written for that purpose.
func (k *Keys) signed(purpose, text string, parts ...any) bool {
	body, sum, ok := strings.Cut(text, ".")
	if !ok || !hmac.Equal([]byte(sum), []byte(k.signature(purpose, body))) {
		return false
	}
	data, err := base64.RawURLEncoding.DecodeString(body)
	return err == nil && json.Unmarshal(data, &parts) == nil
}

func (k *Keys) signature(purpose, text string) string {
	return base64.RawURLEncoding.EncodeToString(mac(k.reference, purpose, text)[:16])
}

func referenceOf(a attempt, v engine.Verification) reference {
	return reference{AttemptKey: a.key, Nonce: v.Nonce, Provider: v.Provider, ReturnTo: detailOf(v).ReturnTo, ExpireAt: v.ExpireAt}
}

// authorizationOf derives all that ties an authorization to a challenge.
func (s *Service) authorizationOf(r reference) AuthorizationRequest {
	derive := func(purpose string) string {
		return base64.RawURLEncoding.EncodeToString(mac(s.keys.authorization, purpose, r.Instance, r.ID, r.Nonce))
	}
	return AuthorizationRequest{
		RedirectURI: s.CallbackURL(r.Provider), State: s.keys.signReference(forAuthorization, r),
		Nonce: derive("nonce"), CodeVerifier: derive("code verifier"),
	}
}

// CallbackPath is where providers send people back to; the provider's name
// follows.
const CallbackPath = "/oauth/callback/"

// CallbackURL is the redirect URI to be registered with a provider.
func (s *Service) CallbackURL(provider string) string { return s.issuer + CallbackPath + provider }

// LinkPath is where the links in mails lead.
const LinkPath = "/verify"

func (s *Service) linkURL(a attempt, v engine.Verification) string {
	return s.issuer + LinkPath + "?token=" + s.keys.signReference(forLink, referenceOf(a, v))
}

// statement is what a wallet shows above the details of the message.
const statement = "Show that this wallet is yours, to sign up or to sign in. This costs nothing and moves nothing."

func walletChallenge(v engine.Verification) WalletChallenge {
	d := detailOf(v)
	_, domain, _ := strings.Cut(d.Origin, "://")
	return WalletChallenge{
		Domain: domain, URI: d.Origin, Address: v.Key, Statement: statement, ChainID: d.ChainID,
		Nonce: v.Nonce, IssuedAt: v.SentAt.UTC(), ExpireAt: v.ExpireAt.UTC(),
	}
}

// challengeURL is where an open OAUTH challenge sends the person; empty where
// the provider is gone, or its name stands for another.
func (s *Service) challengeURL(a attempt, settings Settings, v engine.Verification) string {
	p, ok, err := settings.provider(v.Provider, s.keys)
	d := detailOf(v)
	if !ok || err != nil || s.accounts == nil || p.Issuer != d.Issuer {
		return ""
	}
	return s.accounts.AuthorizationURL(p, d.Endpoint, s.authorizationOf(referenceOf(a, v)))
}

// prepare turns a start into the engine's, with what is wrong with it. path says
// where the input has it. Starts that the engine refuses anyway are passed on as
// they are.
func (c *call) prepare(ctx context.Context, in Start, settings Settings, path []string) (engine.Start, []Problem) {
	start := engine.Start{Strategy: in.Strategy, Nonce: RandomText(idLength), Provider: in.Provider}
	enabled := settings.Requirements().Enabled()
	refuse := func(a engine.Attribute, code Code, member, message string) []Problem {
		return []Problem{{Code: code, Message: message, Attribute: &a, Field: memberOf(path, member)}}
	}
	switch in.Strategy {
	case engine.EmailLink:
		if in.RedirectURL != "" && !c.service.allowsRedirect(settings, in.RedirectURL) {
			return start, refuse(engine.EmailAddress, CodeRedirectNotAllowed, "redirectUrl", redirectRefused)
		}
		start.Detail = detail{ReturnTo: in.RedirectURL}.text()
	case engine.OAuth:
		p, ok, err := settings.provider(in.Provider, c.service.keys)
		if err != nil {
			c.service.log.ErrorContext(ctx, "the secret of a provider cannot be read", "provider", in.Provider, "error", err)
			return start, refuse(engine.ExternalAccount, Code(ProviderUnavailable), "provider", Sentence(ProviderUnavailable, engine.ExternalAccount))
		}
		if !ok || c.service.accounts == nil {
			return start, nil
		}
		if !c.service.allowsRedirect(settings, in.RedirectURL) {
			return start, refuse(engine.ExternalAccount, CodeRedirectNotAllowed, "redirectUrl", redirectSentence(in.RedirectURL))
		}
		endpoint, err := c.endpoint(ctx, p)
		if err != nil {
			// Why, is the prover's to log: once for an outage, not once for each start.
			return start, refuse(engine.ExternalAccount, Code(ProviderUnavailable), "provider", Sentence(ProviderUnavailable, engine.ExternalAccount))
		}
		start.Detail = detail{ReturnTo: in.RedirectURL, Endpoint: endpoint, Issuer: p.Issuer}.text()
	case engine.Web3Signature:
		if !enabled.Has(engine.Web3Wallet) || c.service.wallets == nil || in.Wallet == "" {
			return start, nil
		}
		return c.prepareWallet(in, settings, start, refuse)
	}
	return start, nil
}

const redirectRefused = "This address is not among the instance's allowedRedirects, which are compared character by character."

func redirectSentence(address string) string {
	if address == "" {
		return "Say where the person comes back to: one of the instance's allowedRedirects."
	}
	return redirectRefused
}

func (c *call) prepareWallet(in Start, settings Settings, start engine.Start, refuse func(engine.Attribute, Code, string, string) []Problem) (engine.Start, []Problem) {
	var problems []Problem
	address, err := c.service.wallets.Address(in.Wallet)
	if err != nil {
		problems = append(problems, refuse(engine.Web3Wallet, Code(WalletAddressInvalid), "web3Wallet", Sentence(WalletAddressInvalid, engine.Web3Wallet))...)
	}
	chain := in.ChainID
	if chain == 0 {
		chain = settings.Web3Wallet.ChainIDs[0]
	}
	if !slices.Contains(settings.Web3Wallet.ChainIDs, chain) {
		problems = append(problems, refuse(engine.Web3Wallet, CodeChainNotAllowed, "chainId", "This chain is not among the instance's web3Wallet.chainIds.")...)
	}
	origin := in.Origin
	if origin == "" {
		origin = c.service.issuer
	}
	if !c.service.allowsPage(settings, origin) {
		problems = append(problems, refuse(engine.Web3Wallet, CodeOriginNotAllowed, "origin", "This is not an origin of the instance's allowedOrigins, such as https://app.example.com.")...)
	}
	start.Wallet, start.Detail = address, detail{Origin: origin, ChainID: chain}.text()
	return start, problems
}

// endpoint asks the prover once a call.
func (c *call) endpoint(ctx context.Context, p Provider) (string, error) {
	if found, ok := c.endpoints[p.Name]; ok {
		return found, nil
	}
	found, err := c.service.accounts.AuthorizationEndpoint(ctx, p)
	if err != nil {
		return "", err
	}
	if c.endpoints == nil {
		c.endpoints = map[string]string{}
	}
	c.endpoints[p.Name] = found
	return found, nil
}

// memberOf is the path of a member of a start: beside the strategy where the
// mutation starts one, below its place in the list otherwise.
func memberOf(path []string, member string) []string {
	if len(path) > 0 && path[len(path)-1] == "strategy" {
		path = path[:len(path)-1]
	}
	return append(slices.Clone(path), member)
}

// allowsRedirect: exactly an address of the list or, in development, any on this
// machine.
func (s *Service) allowsRedirect(settings Settings, address string) bool {
	if slices.Contains(settings.AllowedRedirects, address) {
		return true
	}
	u, err := url.Parse(address)
	return s.development && err == nil && isRedirect(address) && IsLocalOrigin(u.Scheme+"://"+u.Host)
}

// allowsPage reports whether pages of the origin may ask for a signature.
func (s *Service) allowsPage(settings Settings, origin string) bool {
	return isOrigin(origin) &&
		(origin == s.issuer || slices.Contains(settings.AllowedOrigins, origin) || s.development && IsLocalOrigin(origin))
}

// withParameter adds a parameter to the query of an address that isRedirect took.
func withParameter(address, name, value string) string {
	separator := "?"
	if strings.Contains(address, "?") {
		separator = "&"
	}
	return address + separator + name + "=" + url.QueryEscape(value)
}

// proofCode returns the code of a proof that failed; ok is false for any other
// error.
func proofCode(err error) (code engine.Code, ok bool) {
	var failed *ProofError
	if errors.As(err, &failed) {
		return failed.Code, true
	}
	return "", false
}
