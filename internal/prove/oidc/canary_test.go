package oidc

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"stepwise/internal/outbound"
	"stepwise/internal/signup"
)

// No way of failing lets a secret out, or words of the provider: not in an error
// however it is printed, and not in a log. The providers of this test repeat
// everything they are told.
func TestNoErrorOrLogContainsASecret(t *testing.T) {
	var logged bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
	defaultSlog, defaultLog := slog.Default(), log.Writer()
	log.SetOutput(&logged)
	slog.SetDefault(logger)
	defer func() { slog.SetDefault(defaultSlog); log.SetOutput(defaultLog) }()

	var failures []error
	redeem := func(provider signup.Provider) {
		t.Helper()
		p := newProver(t, outbound.Options{AllowPrivate: true, Timeout: 300 * time.Millisecond}, logger)
		response := answer()
		response.User = `{"name":{"firstName":"canary-user"}}`
		_, err := p.Redeem(t.Context(), provider, request, response)
		if err == nil {
			t.Error("expected a failure")
		}
		failures = append(failures, err)
	}

	echo := func(status int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Location", "http://127.0.0.1:1/?"+string(body))
			w.Header().Set("X-Echo", r.Header.Get("Authorization"))
			w.WriteHeader(status)
			fmt.Fprintf(w, `{"error": %q, "error_description": %q, "sub": "canary-sub", "id": "canary-id", "access_token": "canary-access-token", "id_token": "%s.canary"}`,
				body, r.Header.Get("Authorization"), body)
		}
	}
	raw := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			conn, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				return
			}
			defer conn.Close()
			io.WriteString(conn, strings.ReplaceAll(text, "%", string(body)+r.Header.Get("Authorization")))
		}
	}
	handlers := []http.HandlerFunc{
		echo(200), echo(400), echo(401), echo(302), echo(307), echo(500),
		raw("canary %\r\n\r\n"), raw("HTTP/1.1 canary %\r\n\r\n"), raw("HTTP/1.1 200 canary\r\ncanary %\r\n\r\n"),
		raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: canary %\r\n\r\n"), raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\ncanary"),
		raw("HTTP/1.1 200 OK\r\nContent-Length: canary\r\n\r\n"), raw("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{\"canary"),
		func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		func(_ http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body); <-r.Context().Done() },
	}
	for i, handle := range handlers {
		for _, place := range []func(*fake) signup.Provider{
			func(f *fake) signup.Provider { f.discovery = handle; return f.provider() },
			func(f *fake) signup.Provider { f.token = handle; return f.provider() },
			func(f *fake) signup.Provider { f.keySet = handle; return f.provider() },
			func(f *fake) signup.Provider {
				f.document["userinfo_endpoint"], f.userInfo = f.URL+"/userinfo", handle
				return f.provider()
			},
			func(f *fake) signup.Provider { p := gitHubLike(f); f.token = handle; return p },
			func(f *fake) signup.Provider { p := gitHubLike(f); f.more["/user"] = handle; return p },
			func(f *fake) signup.Provider {
				p := gitHubLike(f)
				if i != 0 { // to the list of addresses all but one answer are failures
					f.more["/emails"] = handle
				} else {
					f.more["/emails"] = echo(500)
				}
				return p
			},
		} {
			redeem(place(startFake(t)))
		}
	}
	for _, claims := range []object{
		{"iss": "https://canary.example"}, {"aud": "canary-aud"}, {"nonce": "canary-other"}, {"azp": "canary"}, {"exp": 1}, {"iat": 1},
		{"sub": "canary\n"}, {"exp": "canary"}, {"_claim_names": object{"canary": "canary"}},
	} {
		f := startFake(t)
		f.claims = claims
		redeem(f.provider())
	}
	f := startFake(t)
	f.sign = func(c object) string {
		return signWith(t, jose.HS256, bytes.Repeat([]byte("canary"), 8), "canary-kid", c)
	}
	redeem(f.provider())
	f = startFake(t)
	f.document = object{"issuer": "https://canary.example", "authorization_endpoint": "canary"}
	redeem(f.provider())
	f = startFake(t)
	f.document = object{"token_endpoint": "http://canary%zz"}
	redeem(f.provider())
	f = startFake(t)
	apple := appleLike(t, f)
	apple.ClientSecret = "-----BEGIN PRIVATE KEY-----\ncanary\n-----END PRIVATE KEY-----\n"
	redeem(apple)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	f = startFake(t)
	f.document = object{"token_endpoint": "http://" + listener.Addr().String() + "/token"}
	redeem(f.provider())

	said := logged.String()
	for _, err := range failures {
		said += fmt.Sprintf("%v\n%+v\n%#v\n", err, err, err)
	}
	for _, secret := range []string{"canary", goodCode, accessToken, clientSecret, request.CodeVerifier, request.Nonce, "eyJ"} {
		if at := strings.Index(said, secret); at >= 0 {
			t.Errorf("%q was let out: …%s", secret, said[max(0, at-200):min(len(said), at+80)])
		}
	}
	if !strings.Contains(said, "provider discovery failed") {
		t.Error("nothing was logged, so that nothing was looked at")
	}
}
