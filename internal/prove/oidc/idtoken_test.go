package oidc

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"stepwise/internal/signup"
)

// Every way in which an ID token can be wrong, and some in which it can be
// unusual and right.
func TestIDTokens(t *testing.T) {
	at := func(d time.Duration) int64 { return start.Add(d).Unix() }
	byClaims := map[string]struct {
		claims object
		ok     bool
	}{
		"as it should be":          {object{}, true},
		"another issuer":           {object{"iss": "https://evil.example"}, false},
		"nearly the issuer":        {object{"iss": "%s/"}, false},
		"no issuer":                {object{"iss": nil}, false},
		"another audience":         {object{"aud": "client-2"}, false},
		"no audience":              {object{"aud": nil}, false},
		"an empty audience":        {object{"aud": []string{}}, false},
		"a list of us":             {object{"aud": []string{clientID}}, true},
		"several, for us":          {object{"aud": []string{"client-2", clientID}, "azp": clientID}, true},
		"several, for another":     {object{"aud": []string{"client-2", clientID}, "azp": "client-2"}, false},
		"several, for nobody":      {object{"aud": []string{"client-2", clientID}}, false},
		"one, for us":              {object{"azp": clientID}, true},
		"one, for another":         {object{"azp": "client-2"}, false},
		"azp is no string":         {object{"azp": 1}, false},
		"another nonce":            {object{"nonce": "canary-noncf"}, false},
		"a longer nonce":           {object{"nonce": request.Nonce + "x"}, false},
		"no nonce":                 {object{"nonce": nil}, false},
		"an empty nonce":           {object{"nonce": ""}, false},
		"nonce by another case":    {object{"nonce": nil, "Nonce": request.Nonce}, false},
		"expires in a second":      {object{"exp": at(time.Second)}, true},
		"expired a second ago":     {object{"exp": at(-time.Second)}, false},
		"never expires":            {object{"exp": nil}, false},
		"expiry is no number":      {object{"exp": "tomorrow"}, false},
		"from a fast clock":        {object{"iat": at(4 * time.Minute)}, true},
		"from the future":          {object{"iat": at(6 * time.Minute)}, false},
		"a while ago":              {object{"iat": at(-59 * time.Minute)}, true},
		"from long ago":            {object{"iat": at(-61 * time.Minute)}, false},
		"of no time":               {object{"iat": nil}, false},
		"not yet":                  {object{"nbf": at(6 * time.Minute)}, false},
		"no subject":               {object{"sub": nil}, false},
		"an empty subject":         {object{"sub": ""}, false},
		"subject is no string":     {object{"sub": 7}, false},
		"subject by another case":  {object{"sub": nil, "Sub": "subject-1"}, false},
		"the longest subject":      {object{"sub": strings.Repeat("x", 255)}, true},
		"too long a subject":       {object{"sub": strings.Repeat("x", 256)}, false},
		"far too long a subject":   {object{"sub": strings.Repeat("x", 5000)}, false},
		"a subject with a NUL":     {object{"sub": "a\x00b"}, false},
		"a subject with new lines": {object{"sub": "a\nb"}, false},
		"claims of somewhere else": {object{"_claim_names": object{"email": "x"}}, false},
	}
	for name, test := range byClaims {
		f := startFake(t)
		f.claims = test.claims
		if s, ok := f.claims["iss"].(string); ok {
			f.claims["iss"] = strings.Replace(s, "%s", f.URL, 1)
		}
		got, err := development(t).Redeem(t.Context(), f.provider(), request, answer())
		if test.ok && (err != nil || got.Subject == "") {
			t.Errorf("%s: %v", name, err)
		}
		if !test.ok {
			wantCode(t, name, err, signup.ProviderTokenInvalid)
			if got != (signup.ProvenAccount{}) {
				t.Errorf("%s: %+v", name, got)
			}
		}
	}
}

func TestSignatures(t *testing.T) {
	publicJWK, err := json.Marshal(jose.JSONWebKey{Key: rsaKey().Public(), KeyID: "rsa-1"})
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		sign func(object) string
		ok   bool
	}{
		"the key":                          {func(c object) string { return signWith(t, jose.RS256, rsaKey(), "rsa-1", c) }, true},
		"the other key":                    {func(c object) string { return signWith(t, jose.ES256, ecKey(), "ec-1", c) }, true},
		"no key id":                        {func(c object) string { return signWith(t, jose.RS256, rsaKey(), "", c) }, true},
		"no signature":                     {func(c object) string { return unsigned(t, c) }, false},
		"another's key":                    {func(c object) string { return signWith(t, jose.RS256, otherRSAKey(), "rsa-1", c) }, false},
		"unknown key id":                   {func(c object) string { return signWith(t, jose.RS256, rsaKey(), "rsa-2", c) }, false},
		"the wrong key's id":               {func(c object) string { return signWith(t, jose.RS256, rsaKey(), "ec-1", c) }, false},
		"an algorithm that is not offered": {func(c object) string { return signWith(t, jose.RS512, rsaKey(), "rsa-1", c) }, false},
		"the public key as a secret (modulus)": {func(c object) string {
			return signWith(t, jose.HS256, rsaKey().N.Bytes(), "rsa-1", c)
		}, false},
		"the public key as a secret (JWK)": {func(c object) string { return signWith(t, jose.HS256, publicJWK, "rsa-1", c) }, false},
		"the client secret as the key": {func(c object) string {
			return signWith(t, jose.HS256, bytes.Repeat([]byte(clientSecret), 2), "rsa-1", c)
		}, false},
		"other claims under the signature": {func(c object) string {
			signed := strings.Split(signWith(t, jose.RS256, rsaKey(), "rsa-1", c), ".")
			forged := strings.Split(unsigned(t, with(c, object{"sub": "somebody"})), ".")
			return signed[0] + "." + forged[1] + "." + signed[2]
		}, false},
		"no claims":        {func(object) string { return signWith(t, jose.RS256, rsaKey(), "rsa-1", nil) }, false},
		"nothing":          {func(object) string { return "" }, false},
		"garbage":          {func(object) string { return "a.b.c" }, false},
		"a lot of garbage": {func(object) string { return strings.Repeat("a.", 10_000) }, false},
		"an encrypted one": {func(object) string { return "e30.e30.e30.e30.e30" }, false},
	} {
		f := startFake(t)
		f.sign = test.sign
		f.keys = append(f.keys, jose.JSONWebKey{Key: ecKey().Public(), KeyID: "ec-1", Algorithm: "ES256"})
		_, err := development(t).Redeem(t.Context(), f.provider(), request, answer())
		if test.ok && err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !test.ok {
			wantCode(t, name, err, signup.ProviderTokenInvalid)
		}
		if got := f.count("/keys"); got > 1 {
			t.Errorf("%s: the keys were asked for %d times", name, got)
		}
	}
}

// A nonce that was never made proves nothing, even if the token has none either.
func TestANonceIsNeeded(t *testing.T) {
	f := startFake(t)
	r := request
	r.Nonce = ""
	f.claims = object{"nonce": ""}
	_, err := development(t).Redeem(t.Context(), f.provider(), r, answer())
	wantCode(t, "no nonce", err, signup.ProviderTokenInvalid)
}

// Keys are fetched once, again when the provider has new ones, and however many
// forged tokens come, not more often than every few seconds.
func TestKeysAreFetchedSparingly(t *testing.T) {
	f := startFake(t)
	p := development(t)
	redeem := func() error {
		_, err := p.Redeem(t.Context(), f.provider(), request, answer())
		return err
	}
	for range 5 {
		if err := redeem(); err != nil {
			t.Fatal(err)
		}
	}
	if got := f.count("/keys"); got != 1 {
		t.Fatalf("keys were fetched %d times for one key", got)
	}
	good := f.sign
	f.sign = func(c object) string { return signWith(t, jose.RS256, otherRSAKey(), "rsa-2", c) }
	p.advance(retryAfter)
	for range 20 {
		wantCode(t, "forged", redeem(), signup.ProviderTokenInvalid)
	}
	if got := f.count("/keys"); got != 2 {
		t.Errorf("keys were fetched %d times for 20 forged tokens", got)
	}
	// The provider's key changes.
	f.keys = []jose.JSONWebKey{{Key: otherRSAKey().Public(), KeyID: "rsa-2", Algorithm: "RS256"}}
	p.advance(retryAfter)
	if err := soon(redeem); err != nil {
		t.Errorf("after a new key: %v", err)
	}
	f.sign = good
	wantCode(t, "the former key", redeem(), signup.ProviderTokenInvalid)
}

// A key that the provider has withdrawn is forgotten within the hour, even if it
// never uses another.
func TestWithdrawnKeysAreForgotten(t *testing.T) {
	f := startFake(t)
	p := development(t)
	if _, err := p.Redeem(t.Context(), f.provider(), request, answer()); err != nil {
		t.Fatal(err)
	}
	f.keys = nil
	p.advance(rememberFor)
	f.claims = object{"iat": p.clock.now().Unix(), "exp": p.clock.now().Add(time.Minute).Unix()}
	_, err := p.Redeem(t.Context(), f.provider(), request, answer())
	wantCode(t, "withdrawn", err, signup.ProviderTokenInvalid)
}

// What is wrong with the keys' address is not the token's fault.
func TestKeysThatCannotBeHad(t *testing.T) {
	for name, handle := range map[string]http.HandlerFunc{
		"gone":       http.NotFound,
		"broken":     func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) },
		"an error":   func(w http.ResponseWriter, _ *http.Request) { answerJSON(w, 500, object{"keys": []object{}}) },
		"garbage":    func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("canary")) },
		"huge":       func(w http.ResponseWriter, _ *http.Request) { w.Write(bytes.Repeat([]byte(" "), 8*maxKeys)) },
		"redirect":   func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", 302) },
		"hanging up": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		f := startFake(t)
		f.keySet = handle
		p := development(t)
		for range 3 {
			_, err := p.Redeem(t.Context(), f.provider(), request, answer())
			wantCode(t, name, err, signup.ProviderUnavailable)
		}
		most := 1
		if name == "hanging up" {
			most = 2 // on a connection that was kept, net/http tries once more by itself
		}
		if f.count("/keys") > most || f.count("/elsewhere") != 0 {
			t.Errorf("%s: asked %v", name, f.asked)
		}
		f.serveBy(&f.keySet, nil)
		p.advance(retryAfter)
		err := soon(func() error {
			_, err := p.Redeem(t.Context(), f.provider(), request, answer())
			return err
		})
		if err != nil {
			t.Errorf("%s, repaired: %v", name, err)
		}
	}
}

// soon tries until it works, for a moment: a key set that has just told its
// callers of a failure may hand the same to one more.
func soon(try func() error) (err error) {
	for range 100 {
		if err = try(); err == nil {
			return nil
		}
		runtime.Gosched()
	}
	return err
}

// lateKeys are keys that were fetched while the first look at them was on its way.
type lateKeys struct{ looks int }

func (k *lateKeys) VerifySignature(context.Context, string) ([]byte, error) {
	if k.looks++; k.looks == 1 {
		return nil, fmt.Errorf("fetching: %w", errKeysAreNew)
	}
	return []byte("payload"), nil
}

func TestKeysThatCameMeanwhileAreSeen(t *testing.T) {
	keys := watchedKeys{KeySet: &lateKeys{}}
	if payload, err := keys.VerifySignature(t.Context(), ""); err != nil || keys.err != nil || string(payload) != "payload" {
		t.Errorf("%q, %v, %v", payload, err, keys.err)
	}
}
