package oidc

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"stepwise/engine"
	"stepwise/internal/signup"
)

// How the app makes itself known follows from what the provider offers.
func TestClientAuthentication(t *testing.T) {
	for name, test := range map[string]struct {
		offered any
		secret  string
		basic   bool
	}{
		"nothing is said":    {nil, clientSecret, true},
		"in the header":      {[]string{"client_secret_basic"}, clientSecret, true},
		"in the form":        {[]string{"client_secret_post"}, clientSecret, false},
		"both":               {[]string{"client_secret_basic", "client_secret_post"}, clientSecret, false},
		"public":             {[]string{"none"}, "", false},
		"public, unsaid":     {nil, "", false},
		"a secret to escape": {nil, "a b:c%d+é", true},
	} {
		f := startFake(t)
		f.document = object{"token_endpoint_auth_methods_supported": test.offered}
		provider := f.provider()
		provider.ClientSecret = test.secret
		if _, err := development(t).Redeem(t.Context(), provider, request, answer()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		form, basic := f.lastForm()
		switch {
		case test.basic:
			want := map[string]string{clientSecret: clientSecret, "a b:c%d+é": "a+b%3Ac%25d%2B%C3%A9"}[test.secret]
			if basic != [2]string{clientID, want} || form.Has("client_secret") {
				t.Errorf("%s: header %q, form %v", name, basic, form)
			}
		default:
			if basic != [2]string{} || form.Get("client_id") != clientID || form.Get("client_secret") != test.secret || form.Has("client_secret") != (test.secret != "") {
				t.Errorf("%s: header %q, form %v", name, basic, form)
			}
		}
		if f.count("/token") != 1 {
			t.Errorf("%s: the code was sent %d times", name, f.count("/token"))
		}
	}
}

func TestExchangesThatFail(t *testing.T) {
	say := func(status int, contentType, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			w.WriteHeader(status)
			io.WriteString(w, body)
		}
	}
	const inJSON, inForm = "application/json", "application/x-www-form-urlencoded"
	for name, test := range map[string]struct {
		handle http.HandlerFunc
		code   engine.Code
		words  string // what the cause says
	}{
		"code refused":        {say(400, inJSON, `{"error":"invalid_grant","error_description":"canary"}`), signup.ProviderExchangeFailed, "answered 400, invalid_grant"},
		"client refused":      {say(401, inJSON, `{"error":"invalid_client"}`), signup.ProviderExchangeFailed, "answered 401, invalid_client"},
		"in its own words":    {say(400, inJSON, `{"error":"canary"}`), signup.ProviderExchangeFailed, "answered 400"},
		"in words that begin": {say(400, inJSON, `{"error":"invalid_grant canary"}`), signup.ProviderExchangeFailed, "answered 400"},
		"without words":       {say(403, "text/html", `<html>canary`), signup.ProviderExchangeFailed, "answered 403"},
		"with success":        {say(200, inJSON, `{"error":"invalid_grant","access_token":"x"}`), signup.ProviderExchangeFailed, "answered 200, invalid_grant"},
		"as a form":           {say(200, inForm, `error=invalid_grant`), signup.ProviderExchangeFailed, "answered 200, invalid_grant"},
		"out of order":        {say(500, inJSON, `{"error":"invalid_grant"}`), signup.ProviderUnavailable, "answered 500, invalid_grant"},
		"overloaded":          {say(429, inJSON, `{}`), signup.ProviderUnavailable, "answered 429"},
		"garbage":             {say(200, inJSON, `canary`), signup.ProviderUnavailable, "makes no sense"},
		"garbage as a form":   {say(200, inForm, `%zz;canary`), signup.ProviderUnavailable, "makes no sense"},
		"nothing":             {say(200, inJSON, ``), signup.ProviderUnavailable, "makes no sense"},
		"no access token":     {say(200, inJSON, `{"id_token":"canary"}`), signup.ProviderUnavailable, "makes no sense"},
		"no ID token":         {say(200, inJSON, `{"access_token":"canary"}`), signup.ProviderTokenInvalid, "no ID token"},
		"ID token of a kind":  {say(200, inJSON, `{"access_token":"canary","id_token":{"sub":"x"}}`), signup.ProviderTokenInvalid, "no ID token"},
		"huge":                {say(200, inJSON, `{"access_token":"`+strings.Repeat("x", 8<<20)+`"}`), signup.ProviderUnavailable, ""},
		"moved":               {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere?canary", 302) }, signup.ProviderUnavailable, "answered 302"},
		"moved, to repeat":    {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere?canary", 307) }, signup.ProviderUnavailable, "answered 307"},
		"hanging up":          {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, signup.ProviderUnavailable, ""},
	} {
		f := startFake(t)
		f.token = test.handle
		_, err := development(t).Redeem(t.Context(), f.provider(), request, answer())
		wantCode(t, name, err, test.code)
		if proof, ok := errors.AsType[*signup.ProofError](err); !ok || !strings.HasSuffix(proof.Cause.Error(), test.words) {
			t.Errorf("%s: %v, want …%s", name, err, test.words)
		}
		if f.count("/elsewhere") != 0 || f.count("/token") != 1 {
			t.Errorf("%s: asked %v", name, f.asked)
		}
	}
	for name, change := range map[string]func(*signup.AuthorizationRequest, *signup.AuthorizationResponse){
		"another code":     func(_ *signup.AuthorizationRequest, a *signup.AuthorizationResponse) { a.Code += "x" },
		"another verifier": func(r *signup.AuthorizationRequest, _ *signup.AuthorizationResponse) { r.CodeVerifier += "x" },
		"another page":     func(r *signup.AuthorizationRequest, _ *signup.AuthorizationResponse) { r.RedirectURI += "x" },
	} {
		f := startFake(t)
		r, a := request, answer()
		change(&r, &a)
		_, err := development(t).Redeem(t.Context(), f.provider(), r, a)
		wantCode(t, name, err, signup.ProviderExchangeFailed)
	}
}
