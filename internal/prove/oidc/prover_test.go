package oidc

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"stepwise/engine"
	"stepwise/internal/outbound"
	"stepwise/internal/signup"
)

// wantCode fails unless err is a ProofError of the code.
func wantCode(t *testing.T, name string, err error, code engine.Code) {
	t.Helper()
	proof, ok := errors.AsType[*signup.ProofError](err)
	if !ok || proof.Code != code {
		t.Errorf("%s: %v, want %s", name, err, code)
	}
}

func TestPlainProvider(t *testing.T) {
	f := startFake(t)
	f.claims = object{
		"email": "Ada@Example.com", "email_verified": true, "phone_number": "+441632960961", "given_name": "Ada", "family_name": "Lovelace",
		"name": "A. L.",
	}
	p := development(t)

	endpoint, err := p.AuthorizationEndpoint(t.Context(), f.provider())
	if err != nil || endpoint != f.URL+"/authorize?tenant=1" {
		t.Fatalf("endpoint: %q, %v", endpoint, err)
	}
	got, err := p.Redeem(t.Context(), f.provider(), request, answer())
	want := signup.ProvenAccount{
		Issuer: f.URL, Subject: "subject-1", Email: "Ada@Example.com", EmailVerified: true, Phone: "+441632960961",
		FirstName: "Ada", LastName: "Lovelace",
	}
	if err != nil || got != want {
		t.Fatalf("%+v, %v", got, err)
	}
	form, basic := f.lastForm()
	if basic != [2]string{clientID, clientSecret} || form.Has("client_secret") {
		t.Errorf("client: %q, form %q", basic, form)
	}
	if f.count("/userinfo") != 0 {
		t.Error("the user info was asked for though the ID token said all")
	}
}

func TestAuthorizationURL(t *testing.T) {
	p := development(t)
	for name, test := range map[string]struct {
		provider signup.Provider
		endpoint string
		want     url.Values // besides what all have
		absent   []string
	}{
		"OpenID Connect": {
			provider: signup.Provider{ClientID: clientID, Scopes: []string{"openid", "email"}},
			endpoint: "https://id.example/authorize?tenant=1&state=theirs",
			want:     url.Values{"scope": {"openid email"}, "nonce": {request.Nonce}, "tenant": {"1"}},
			absent:   []string{"response_mode"},
		},
		"without its scope": {
			provider: signup.Provider{ClientID: clientID, Scopes: []string{"email"}},
			endpoint: "https://id.example/authorize",
			want:     url.Values{"scope": {"openid email"}, "nonce": {request.Nonce}},
		},
		"answers by a form": {
			provider: signup.Provider{ClientID: clientID, Scopes: []string{"openid", "name"}, Preset: signup.Preset{FormPost: true}},
			endpoint: "https://id.example/authorize",
			want:     url.Values{"scope": {"openid name"}, "nonce": {request.Nonce}, "response_mode": {"form_post"}},
		},
		"plain OAuth": {
			provider: signup.Provider{ClientID: clientID, Scopes: []string{"read:user"}, Preset: signup.Preset{AuthorizationURL: "https://x.example/a"}},
			endpoint: "https://x.example/a",
			want:     url.Values{"scope": {"read:user"}},
			absent:   []string{"nonce", "response_mode"},
		},
		"plain OAuth without scopes": {
			provider: signup.Provider{ClientID: clientID, Preset: signup.Preset{AuthorizationURL: "https://x.example/a"}},
			endpoint: "https://x.example/a",
			absent:   []string{"nonce", "scope"},
		},
	} {
		made := p.AuthorizationURL(test.provider, test.endpoint, request)
		if made != p.AuthorizationURL(test.provider, test.endpoint, request) {
			t.Errorf("%s: not the same twice", name)
		}
		u, err := url.Parse(made)
		if err != nil {
			t.Fatal(err)
		}
		before, _, _ := strings.Cut(test.endpoint, "?")
		if u.Scheme+"://"+u.Host+u.Path != before {
			t.Errorf("%s: %s", name, made)
		}
		want := url.Values{
			"response_type": {"code"}, "client_id": {clientID}, "redirect_uri": {appURI}, "state": {request.State},
			"code_challenge": {challengeOf()}, "code_challenge_method": {"S256"},
		}
		for k, v := range test.want {
			want[k] = v
		}
		for k, v := range want {
			if got := u.Query()[k]; len(got) != 1 || got[0] != v[0] {
				t.Errorf("%s: %s is %q, want %q", name, k, got, v)
			}
		}
		for _, k := range test.absent {
			if u.Query().Has(k) {
				t.Errorf("%s: there is %s", name, k)
			}
		}
		if strings.Contains(made, request.CodeVerifier) {
			t.Errorf("%s: the verifier is shown", name)
		}
	}
	if got := p.AuthorizationURL(signup.Provider{}, "https://a b/%zz", request); got != "" {
		t.Errorf("no address: %q", got)
	}
	scopes := make([]string, 1, 4)
	scopes[0] = "email"
	p.AuthorizationURL(signup.Provider{Scopes: scopes}, "https://x.example", request)
	if scopes[:2][1] != "" {
		t.Error("the provider's scopes were written to")
	}
}

// People are sent to https, and in development to this machine.
func TestAuthorizationEndpointsThatAreRefused(t *testing.T) {
	for endpoint, ok := range map[string][2]bool{ // in production, in development
		"https://id.example/authorize":                   {true, true},
		"https://id.example:8443/a?b=c":                  {true, true},
		"http://127.0.0.1:9/authorize":                   {false, true},
		"http://localhost/authorize":                     {false, true},
		"http://[::1]/authorize":                         {false, true},
		"http://id.example/authorize":                    {false, false},
		"http://localhost.evil.example/":                 {false, false},
		"http://10.0.0.1/":                               {false, false},
		"javascript:alert(1)":                            {false, false},
		"data:text/html,x":                               {false, false},
		"//id.example/authorize":                         {false, false},
		"/authorize":                                     {false, false},
		"https:///authorize":                             {false, false},
		"https://person@id.example/":                     {false, false},
		"https://id.example/#there":                      {false, false},
		"https://id.example/\nx":                         {false, false},
		"ftp://id.example/":                              {false, false},
		"https:id.example":                               {false, false},
		"https://x.example/" + strings.Repeat("x", 2048): {false, false},
	} {
		f := startFake(t)
		f.document = object{"authorization_endpoint": endpoint}
		plain := signup.Provider{Issuer: "https://x.example", Preset: signup.Preset{AuthorizationURL: endpoint}}
		check := func(p *Prover, provider signup.Provider, want bool) {
			t.Helper()
			got, err := p.AuthorizationEndpoint(t.Context(), provider)
			if want && (err != nil || got != endpoint) {
				t.Errorf("%q: %q, %v", endpoint, got, err)
			}
			if !want {
				wantCode(t, endpoint, err, signup.ProviderUnavailable)
			}
		}
		p := development(t).Prover
		check(p, f.provider(), ok[1])
		check(p, plain, ok[1])
		check(newProver(t, outbound.Options{}, nil).Prover, plain, ok[0])
	}
}

// In production a provider inside our network cannot be asked, however the
// settings or its document name it.
func TestPrivateProvidersAreNotAsked(t *testing.T) {
	f := startFake(t)
	p := newProver(t, outbound.Options{}, nil)
	_, err := p.AuthorizationEndpoint(t.Context(), f.provider())
	wantCode(t, "http", err, signup.ProviderUnavailable)
	if !errors.Is(err, outbound.ErrPlainHTTP) {
		t.Error(err)
	}
	inside := f.provider()
	inside.Issuer = strings.Replace(f.URL, "http:", "https:", 1)
	_, err = p.Redeem(t.Context(), inside, request, answer())
	wantCode(t, "https", err, signup.ProviderUnavailable)
	if !errors.Is(err, outbound.ErrPrivateAddress) {
		t.Error(err)
	}
	plain := gitHubLike(f)
	_, err = p.Redeem(t.Context(), plain, request, answer())
	wantCode(t, "plain OAuth", err, signup.ProviderUnavailable)
	if len(f.asked) != 0 {
		t.Errorf("asked: %v", f.asked)
	}
}

// The answer's issuer is compared before the code is sent (RFC 9207).
func TestMixUp(t *testing.T) {
	f := startFake(t)
	promising := startFake(t)
	promising.document = object{"authorization_response_iss_parameter_supported": true}
	plain := gitHubLike(f)
	for name, test := range map[string]struct {
		f        *fake
		provider signup.Provider
		issuer   string
		ok       bool
	}{
		"not promised, not given": {f, f.provider(), "", true},
		"not promised, given":     {f, f.provider(), f.URL, true},
		"another's":               {f, f.provider(), "https://evil.example", false},
		"nearly":                  {f, f.provider(), f.URL + "/", false},
		"promised and given":      {promising, promising.provider(), promising.URL, true},
		"promised, not given":     {promising, promising.provider(), "", false},
		"promised, another's":     {promising, promising.provider(), f.URL, false},
		"plain OAuth, another's":  {f, plain, "https://evil.example", false},
		"plain OAuth, given":      {f, plain, plain.Issuer, true},
	} {
		before := test.f.count("/token")
		_, err := development(t).Redeem(t.Context(), test.provider, request, signup.AuthorizationResponse{Code: goodCode, Issuer: test.issuer})
		sent := test.f.count("/token") - before
		if test.ok {
			if err != nil && test.provider.Preset.UserInfoURL == "" || sent != 1 {
				t.Errorf("%s: %v, code sent %d times", name, err, sent)
			}
			continue
		}
		wantCode(t, name, err, signup.ProviderIssuerMismatch)
		if sent != 0 {
			t.Errorf("%s: the code was sent", name)
		}
	}
}

func TestWithoutACodeNothingIsAsked(t *testing.T) {
	f := startFake(t)
	_, err := development(t).Redeem(t.Context(), f.provider(), request, signup.AuthorizationResponse{})
	wantCode(t, "no code", err, signup.ProviderExchangeFailed)
	if len(f.asked) != 0 {
		t.Errorf("asked: %v", f.asked)
	}
}

func TestContextsAreHonoured(t *testing.T) {
	f := startFake(t)
	asked := make(chan struct{})
	f.token = func(_ http.ResponseWriter, r *http.Request) {
		r.ParseForm()
		close(asked)
		<-r.Context().Done()
	}
	p := development(t)
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := p.AuthorizationEndpoint(ctx, f.provider()); err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() {
		_, err := p.Redeem(ctx, f.provider(), request, answer())
		done <- err
	}()
	<-asked
	cancel()
	err := <-done
	wantCode(t, "cancelled", err, signup.ProviderUnavailable)
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
