package oidc

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"stepwise/internal/outbound"
	"stepwise/internal/signup"
)

const publicIssuer = "https://issuer.example"

// publicly makes the fake known as a provider of the public internet, and all
// other addresses those of a client as production has it.
type publicly struct {
	fake   *fake
	others http.RoundTripper
}

func (p publicly) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme != "https" || r.URL.Host != "issuer.example" {
		return p.others.RoundTrip(r)
	}
	inside, err := url.Parse(p.fake.URL)
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.URL.Scheme, r.URL.Host = inside.Scheme, inside.Host
	return p.fake.Client().Transport.RoundTrip(r)
}

// Attack 26: a provider of the public internet whose document sends us, with code
// and client secret, into our own network.
func TestAttack26DocumentsThatLeadInside(t *testing.T) {
	var knocks atomic.Int64
	trap := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { knocks.Add(1) }))
	defer trap.Close()
	everywhere := object{
		"issuer": publicIssuer, "authorization_endpoint": publicIssuer + "/authorize",
		"token_endpoint": publicIssuer + "/token", "jwks_uri": publicIssuer + "/keys",
	}
	for name, document := range map[string]object{
		"nowhere":               {},
		"token_endpoint":        {"token_endpoint": trap.URL + "/token"},
		"jwks_uri":              {"jwks_uri": trap.URL + "/keys"},
		"jwks_uri by a name":    {"jwks_uri": strings.Replace(trap.URL, "127.0.0.1", "localhost", 1) + "/keys"},
		"userinfo_endpoint":     {"userinfo_endpoint": trap.URL + "/userinfo"},
		"jwks_uri in the clear": {"jwks_uri": "http://issuer.example/keys"},
	} {
		t.Run(name, func(t *testing.T) {
			f := startFake(t)
			f.document = with(everywhere, document)
			f.claims = object{"iss": publicIssuer}
			client := outbound.NewClient(outbound.Options{})
			client.Transport = publicly{f, client.Transport}
			t.Cleanup(client.CloseIdleConnections)
			clock := newClock()
			p := New(Options{Client: client, Now: clock.now})
			provider := f.provider()
			provider.Issuer = publicIssuer
			account, err := p.Redeem(t.Context(), provider, request, signup.AuthorizationResponse{Code: goodCode})
			if name == "nowhere" {
				if err != nil || account.Subject != "subject-1" {
					t.Fatalf("%+v, %v: the test tests nothing", account, err)
				}
				return
			}
			wantCode(t, name, err, signup.ProviderUnavailable)
			if want := map[bool]error{false: outbound.ErrPrivateAddress, true: outbound.ErrPlainHTTP}[name == "jwks_uri in the clear"]; !errors.Is(err, want) {
				t.Errorf("%v; want %v", err, want)
			}
		})
	}
	if n := knocks.Load(); n != 0 {
		t.Errorf("%d requests got inside", n)
	}
}
