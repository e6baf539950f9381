package signup_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/url"
	"path"
	"sync"
	"testing"

	"stepwise/engine"
	"stepwise/internal/signup"
)

// member is somebody with an account at a provider, and what the provider says
// about them.
type member struct {
	subject             string
	email               string
	emailVerified       bool
	phone               string
	firstName, lastName string
}

// providers is an AccountProver: all providers of the world, in memory. A code is
// minted for one authorization and is taken once, as real ones do.
type providers struct {
	mu     sync.Mutex
	grants map[string]grant
	minted int
	// exchanged counts the codes that were offered, discovered the endpoints that
	// were asked for.
	exchanged, discovered int
	// unreachable, if not nil, is what both answer.
	unreachable error
	// hold, if not nil, is called before a code is looked at; it may block.
	hold func(ctx context.Context) error
}

// grant is what a code stands for.
type grant struct {
	member                                    member
	issuer, redirectURI, nonce, codeChallenge string
	clientID                                  string
}

func newProviders() *providers { return &providers{grants: map[string]grant{}} }

func (p *providers) AuthorizationEndpoint(_ context.Context, provider signup.Provider) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.discovered++
	return provider.Issuer + "/authorize", p.unreachable
}

func (p *providers) AuthorizationURL(provider signup.Provider, endpoint string, r signup.AuthorizationRequest) string {
	return endpoint + "?" + url.Values{
		"client_id": {provider.ClientID}, "redirect_uri": {r.RedirectURI}, "state": {r.State}, "nonce": {r.Nonce},
		"code_challenge": {s256(r.CodeVerifier)},
	}.Encode()
}

func s256(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// Redeem takes a code once, whether or not the rest is right.
func (p *providers) Redeem(ctx context.Context, provider signup.Provider, r signup.AuthorizationRequest, answer signup.AuthorizationResponse) (signup.ProvenAccount, error) {
	refused := func(code engine.Code, why string) (signup.ProvenAccount, error) {
		return signup.ProvenAccount{}, &signup.ProofError{Code: code, Cause: errors.New(why)}
	}
	p.mu.Lock()
	p.exchanged++
	hold, unreachable := p.hold, p.unreachable
	p.mu.Unlock()
	if hold != nil {
		if err := hold(ctx); err != nil {
			return signup.ProvenAccount{}, &signup.ProofError{Code: signup.ProviderUnavailable, Cause: err}
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if unreachable != nil {
		return signup.ProvenAccount{}, unreachable
	}
	if answer.Issuer != "" && answer.Issuer != provider.Issuer {
		return refused(signup.ProviderIssuerMismatch, "another issuer answered")
	}
	g, ok := p.grants[answer.Code]
	delete(p.grants, answer.Code)
	switch {
	case !ok:
		return refused(signup.ProviderExchangeFailed, "no such code")
	case g.issuer != provider.Issuer || g.clientID != provider.ClientID:
		return refused(signup.ProviderExchangeFailed, "a code of somebody else")
	case g.redirectURI != r.RedirectURI || g.codeChallenge != s256(r.CodeVerifier):
		return refused(signup.ProviderExchangeFailed, "a code of another authorization")
	case g.nonce != r.Nonce:
		return refused(signup.ProviderTokenInvalid, "another nonce")
	}
	m := g.member
	return signup.ProvenAccount{
		Issuer: provider.Issuer, Subject: m.subject, Email: m.email, EmailVerified: m.emailVerified,
		Phone: m.phone, FirstName: m.firstName, LastName: m.lastName,
	}, nil
}

// admit is what happens at the provider once somebody has agreed there: the
// answer is what the browser brings to the callback.
func (p *providers) admit(t testing.TB, authorization string, m member) signup.AccountAnswer {
	t.Helper()
	u, err := url.Parse(authorization)
	if err != nil || u.Host == "" {
		t.Fatalf("sent to %q: %v", authorization, err)
	}
	q := u.Query()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.minted++
	code := "code-of-" + m.subject + "-" + string(rune('a'+p.minted%26)) + signup.RandomText(20)
	issuer := u.Scheme + "://" + u.Host
	p.grants[code] = grant{
		member: m, issuer: issuer, redirectURI: q.Get("redirect_uri"), nonce: q.Get("nonce"), codeChallenge: q.Get("code_challenge"), clientID: q.Get("client_id"),
	}
	return signup.AccountAnswer{Provider: path.Base(q.Get("redirect_uri")), State: q.Get("state"), Code: code, Issuer: issuer}
}

// refuse is what comes back where somebody did not agree, or the provider cannot.
func (p *providers) refuse(t testing.TB, authorization, why string) signup.AccountAnswer {
	t.Helper()
	answer := p.admit(t, authorization, member{})
	answer.Code, answer.Error = "", why
	return answer
}

func (p *providers) exchanges() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.exchanged
}

// fail has both calls answer with the error; nil ends it.
func (p *providers) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.unreachable = err
}

// holding has every exchange wait for what hold waits for.
func (p *providers) holding(hold func(ctx context.Context) error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hold = hold
}

// providerSettings are two providers, of which acme is trusted to verify
// addresses and forum is not.
const providerSettings = `"externalAccount": {"providers": [
	{"name": "acme", "issuer": "https://acme.example", "clientId": "stepwise", "clientSecret": "acme's secret", "trustEmail": true},
	{"name": "forum", "issuer": "https://forum.example", "clientId": "stepwise"}]}`

// home is where people come back to; in development any address of this machine
// will do.
const home = "http://localhost:3000/done"

func oauth(provider string) signup.Start {
	return signup.Start{Strategy: engine.OAuth, Provider: provider, RedirectURL: home}
}

// ada has an account whose address is verified, everywhere.
var ada = member{subject: "ada-1", email: "ada@acme.example", emailVerified: true, firstName: "Ada", lastName: "Lovelace"}

// starting starts one verification.
func (c *client) starting(s signup.Start) signup.Outcome {
	c.Helper()
	return c.keep(c.service.StartVerification(c.Context(), c.principal(), "", s, ""))
}

// offer offers a proof of any kind.
func (c *client) offer(p signup.Proof) signup.Outcome {
	c.Helper()
	return c.keep(c.service.CheckVerification(c.Context(), c.principal(), "", p, ""))
}

// redirect is where the open challenge of the current sign-up sends the person.
func (c *client) redirect() string {
	c.Helper()
	v := c.signUp().Verifications[engine.ExternalAccount]
	if v == nil || v.RedirectURL == "" {
		c.Fatalf("nobody is sent anywhere: %+v", v)
	}
	return v.RedirectURL
}

// handleOf delivers a provider's answer and returns the handle with which the
// person comes back to the app.
func (w *world) handleOf(answer signup.AccountAnswer) string {
	w.Helper()
	location, err := w.service.AccountCallback(w.Context(), answer)
	w.must(err)
	u, err := url.Parse(location)
	w.must(err)
	handle := u.Query().Get(signup.HandleParameter)
	if handle == "" {
		w.Fatalf("nothing is handed over: %s", location)
	}
	return handle
}

// visit starts an authorization, agrees at the provider, and returns the handle.
func (c *client) visit(provider string, m member) string {
	c.Helper()
	wantProblems(c, c.starting(oauth(provider)))
	return c.handleOf(c.accounts.admit(c, c.redirect(), m))
}

func byHandle(handle string) signup.Proof {
	return signup.Proof{Attribute: engine.ExternalAccount, Handle: handle}
}

// connect proves an account.
func (c *client) connect(provider string, m member) signup.Outcome {
	c.Helper()
	return c.offer(byHandle(c.visit(provider, m)))
}

// linkToken is the token in a mail's link.
func linkToken(t testing.TB, m signup.Message) string {
	t.Helper()
	u, err := url.Parse(m.Link)
	if err != nil || u.Query().Get("token") == "" {
		t.Fatalf("the mail to %s has the link %q", m.To, m.Link)
	}
	return u.Query().Get("token")
}
