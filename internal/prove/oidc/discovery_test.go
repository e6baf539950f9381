package oidc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"stepwise/internal/outbound"
	"stepwise/internal/signup"
)

const documentPath = "/.well-known/openid-configuration"

func TestDiscoveryIsRemembered(t *testing.T) {
	f := startFake(t)
	p := development(t)
	ask := func() (string, error) { return p.AuthorizationEndpoint(t.Context(), f.provider()) }
	for range 3 {
		if _, err := ask(); err != nil {
			t.Fatal(err)
		}
	}
	p.advance(rememberFor - time.Nanosecond)
	if _, err := ask(); err != nil || f.count(documentPath) != 1 {
		t.Fatalf("within the hour: %v, asked %d times", err, f.count(documentPath))
	}
	f.document = object{"authorization_endpoint": f.URL + "/moved"}
	p.advance(time.Nanosecond)
	if got, err := ask(); err != nil || got != f.URL+"/moved" || f.count(documentPath) != 2 {
		t.Errorf("after the hour: %q, %v, asked %d times", got, err, f.count(documentPath))
	}
}

func TestFailuresAreRememberedBriefly(t *testing.T) {
	f := startFake(t)
	f.discovery = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }
	p := development(t)
	for range 3 {
		_, err := p.AuthorizationEndpoint(t.Context(), f.provider())
		wantCode(t, "down", err, signup.ProviderUnavailable)
	}
	if f.count(documentPath) != 1 {
		t.Errorf("asked %d times", f.count(documentPath))
	}
	f.serveBy(&f.discovery, nil)
	p.advance(retryAfter)
	if _, err := p.AuthorizationEndpoint(t.Context(), f.provider()); err != nil {
		t.Errorf("up again: %v", err)
	}
}

// However many people try while a provider is down, and however often it is asked,
// the log says so once, and once when it is over.
func TestOutageIsLoggedOnce(t *testing.T) {
	f := startFake(t)
	var logged strings.Builder
	p := newProver(t, outbound.Options{AllowPrivate: true}, slog.New(slog.NewTextHandler(&logged, nil)))
	down := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }
	for outage := 1; outage <= 2; outage++ {
		f.serveBy(&f.discovery, down)
		for range 4 {
			_, err := p.AuthorizationEndpoint(t.Context(), f.provider())
			wantCode(t, "down", err, signup.ProviderUnavailable)
			p.advance(retryAfter)
		}
		f.serveBy(&f.discovery, nil)
		for range 2 {
			if _, err := p.AuthorizationEndpoint(t.Context(), f.provider()); err != nil {
				t.Errorf("up again: %v", err)
			}
			p.advance(rememberFor)
		}
		for _, text := range []string{"provider discovery failed", "provider discovery works again"} {
			if n := strings.Count(logged.String(), text); n != outage {
				t.Errorf("%q was logged %d times in %d outages:\n%s", text, n, outage, &logged)
			}
		}
	}
}

// Who asks at the same time shares one request, and who leaves does not take it
// away from the others.
func TestCallersShareARequest(t *testing.T) {
	f := startFake(t)
	asked, release := make(chan struct{}), make(chan struct{})
	f.discovery = func(w http.ResponseWriter, r *http.Request) {
		close(asked) // a second request would panic here
		<-release
		f.serveDocument(w, r)
	}
	p := development(t)
	ctx, cancel := context.WithCancel(t.Context())
	left := make(chan error)
	go func() {
		_, err := p.AuthorizationEndpoint(ctx, f.provider())
		left <- err
	}()
	<-asked
	var others sync.WaitGroup
	for range 20 {
		others.Go(func() {
			if _, err := p.Redeem(t.Context(), f.provider(), request, answer()); err != nil {
				t.Error(err)
			}
		})
	}
	cancel()
	err := <-left
	wantCode(t, "the one who left", err, signup.ProviderUnavailable)
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	close(release)
	others.Wait()
	if f.count(documentPath) != 1 {
		t.Errorf("asked %d times", f.count(documentPath))
	}
}

func TestManyIssuersAreNotRememberedForEver(t *testing.T) {
	d := newDiscovered()
	name := func(i int) issuers { return issuers{issuer: fmt.Sprint(i)} }
	for i := range 3 * maxRemembered {
		now := start.Add(time.Duration(i) * time.Second)
		d.put(name(i), remembered{until: now.Add(rememberFor)}, now)
		d.put(name(i), remembered{until: now.Add(rememberFor)}, now)
		if len(d.entries) > maxRemembered {
			t.Fatalf("%d entries", len(d.entries))
		}
		if _, ok := d.get(name(i), now); !ok {
			t.Fatalf("%d was not kept", i)
		}
		if _, ok := d.get(name(max(0, i-maxRemembered+1)), now); !ok {
			t.Fatalf("at %d a younger one than the oldest was let go", i)
		}
	}
	later := start.Add(24 * time.Hour)
	d.put(name(0), remembered{until: later.Add(rememberFor)}, later)
	if len(d.entries) != 1 {
		t.Errorf("%d entries after a day", len(d.entries))
	}
}

func TestDocumentsThatAreRefused(t *testing.T) {
	body := func(s string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, s) }
	}
	for name, test := range map[string]struct {
		document object
		handle   http.HandlerFunc
	}{
		"another issuer":               {document: object{"issuer": "https://evil.example"}},
		"nearly the issuer":            {document: object{"issuer": "%s/"}},
		"no issuer":                    {document: object{"issuer": nil}},
		"a template without being one": {document: object{"issuer": "%s/{tenantid}"}},
		"no authorization endpoint":    {document: object{"authorization_endpoint": nil}},
		"no token endpoint":            {document: object{"token_endpoint": nil}},
		"no keys":                      {document: object{"jwks_uri": nil}},
		"no algorithm but none":        {document: object{"id_token_signing_alg_values_supported": []string{"none"}}},
		"no algorithm but shared":      {document: object{"id_token_signing_alg_values_supported": []string{"HS256", "HS512"}}},
		"no way to know us":            {document: object{"token_endpoint_auth_methods_supported": []string{"private_key_jwt"}}},
		"members of other kinds":       {document: object{"token_endpoint_auth_methods_supported": "client_secret_post"}},
		"not found":                    {handle: http.NotFound},
		"nothing":                      {handle: body("")},
		"garbage":                      {handle: body("<html>canary")},
		"a list":                       {handle: body("[]")},
		"huge":                         {handle: body(`{"x":"` + strings.Repeat("x", 2<<20) + `"}`)},
		"a redirect":                   {handle: func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", 302) }},
		"hanging up":                   {handle: func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }},
	} {
		f := startFake(t)
		f.document, f.discovery = test.document, test.handle
		if s, ok := f.document["issuer"].(string); ok {
			f.document["issuer"] = strings.Replace(s, "%s", f.URL, 1)
		}
		p := development(t)
		_, err := p.AuthorizationEndpoint(t.Context(), f.provider())
		wantCode(t, name, err, signup.ProviderUnavailable)
		_, err = p.Redeem(t.Context(), f.provider(), request, answer())
		wantCode(t, name, err, signup.ProviderUnavailable)
		if f.count("/token") != 0 || f.count("/elsewhere") != 0 {
			t.Errorf("%s: asked %v", name, f.asked)
		}
	}
	gone := startFake(t)
	gone.Close()
	_, err := development(t).AuthorizationEndpoint(t.Context(), gone.provider())
	wantCode(t, "nobody there", err, signup.ProviderUnavailable)
}

func TestAlgorithms(t *testing.T) {
	for _, test := range []struct{ offered, want []string }{
		{nil, []string{"RS256"}},
		{[]string{"none", "HS256", "ES256", "RS256"}, []string{"ES256", "RS256"}},
		{[]string{"none"}, nil},
		{[]string{"rs256"}, nil},
	} {
		offered := slices.Clone(test.offered)
		if got := asymmetric(offered); !slices.Equal(got, test.want) || !slices.Equal(offered, test.offered) {
			t.Errorf("%q: %q", test.offered, got)
		}
	}
}

// However a provider keeps us waiting, the client's timeout ends it.
func TestSlowProvidersAreBounded(t *testing.T) {
	const timeout = 200 * time.Millisecond
	silent := func(_ http.ResponseWriter, r *http.Request) { r.ParseForm(); <-r.Context().Done() }
	drip := func(w http.ResponseWriter, r *http.Request) {
		r.ParseForm()
		for r.Context().Err() == nil {
			io.WriteString(w, " ")
			w.(http.Flusher).Flush()
			select {
			case <-r.Context().Done():
			case <-time.After(10 * time.Millisecond):
			}
		}
	}
	for how, handle := range map[string]http.HandlerFunc{"silent": silent, "dripping": drip} {
		for where, slow := range map[string]func(*fake){
			"discovery": func(f *fake) { f.discovery = handle },
			"token":     func(f *fake) { f.token = handle },
			"keys":      func(f *fake) { f.keySet = handle },
			"user info": func(f *fake) { f.document["userinfo_endpoint"], f.userInfo = f.URL+"/userinfo", handle },
		} {
			f := startFake(t)
			slow(f)
			p := newProver(t, outbound.Options{AllowPrivate: true, Timeout: timeout}, nil)
			began := time.Now()
			_, err := p.Redeem(t.Context(), f.provider(), request, answer())
			wantCode(t, how+" "+where, err, signup.ProviderUnavailable)
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s %s: %v", how, where, err)
			}
			if took := time.Since(began); took > 20*timeout {
				t.Errorf("%s %s took %s", how, where, took)
			}
		}
	}
}

// Everything at once: callers, a clock that passes the hour, providers that fail
// now and then. For the race detector.
func TestManyAtOnce(t *testing.T) {
	good, bad := startFake(t), startFake(t)
	bad.discovery = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }
	p := development(t)
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			for range 5 {
				if i%4 == 0 {
					_, err := p.AuthorizationEndpoint(t.Context(), bad.provider())
					wantCode(t, "bad", err, signup.ProviderUnavailable)
					p.advance(time.Second)
					continue
				}
				if _, err := p.Redeem(t.Context(), good.provider(), request, answer()); err != nil {
					t.Errorf("good: %v", err)
				}
			}
		})
	}
	all.Wait()
	if got := good.count("/keys"); got != 1 {
		t.Errorf("keys were fetched %d times", got)
	}
	if got := bad.count(documentPath); got > 6 {
		t.Errorf("a provider that is down was asked %d times in 20 seconds", got)
	}
}
