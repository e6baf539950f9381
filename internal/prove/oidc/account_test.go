package oidc

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"stepwise/engine"
	"stepwise/internal/signup"
)

func preset(t *testing.T, name string) signup.Preset {
	t.Helper()
	p, ok := signup.PresetNamed(name)
	if !ok {
		t.Fatalf("no preset %q", name)
	}
	return p
}

// Only the literal true says that an address is verified.
func TestEmailVerified(t *testing.T) {
	for name, test := range map[string]struct {
		said     any
		verified bool
	}{
		"true": {true, true}, "false": {false, false}, "absent": {nil, false}, "the string": {"true", false},
		"another string": {"True", false}, "one": {1, false}, "a list": {[]bool{true}, false},
	} {
		f := startFake(t)
		f.claims = object{"email": "ada@example.com", "email_verified": test.said}
		inToken, err := development(t).Redeem(t.Context(), f.provider(), request, answer())
		if err != nil || inToken.Email != "ada@example.com" || inToken.EmailVerified != test.verified {
			t.Errorf("%s: %+v, %v", name, inToken, err)
		}
		f.document = object{"userinfo_endpoint": f.URL + "/userinfo"}
		f.claims = object{"email_verified": true} // about an address that is not there
		f.userInfo = func(w http.ResponseWriter, r *http.Request) {
			answerJSON(w, 200, with(object{"sub": "subject-1"}, object{"email": "ada@example.com", "email_verified": test.said}))
		}
		asked, err := development(t).Redeem(t.Context(), f.provider(), request, answer())
		if err != nil || asked.Email != "ada@example.com" || asked.EmailVerified != test.verified {
			t.Errorf("%s, by user info: %+v, %v", name, asked, err)
		}
		f = startFake(t)
		plain := gitHubLike(f)
		f.more["/emails"] = func(w http.ResponseWriter, r *http.Request) {
			answerJSON(w, 200, []object{with(object{"email": "ada@example.com", "primary": true}, object{"verified": test.said})})
		}
		listed, err := development(t).Redeem(t.Context(), plain, request, answer())
		if err != nil || listed.Email != "ada@example.com" || listed.EmailVerified != test.verified {
			t.Errorf("%s, in a list: %+v, %v", name, listed, err)
		}
	}
	f := startFake(t)
	f.claims = object{"email": "ada@example.com", "EMAIL_VERIFIED": true, "Email_Verified": true}
	if got, err := development(t).Redeem(t.Context(), f.provider(), request, answer()); err != nil || got.EmailVerified {
		t.Errorf("a claim of another name: %+v, %v", got, err)
	}
	f.claims = object{"email": 7, "email_verified": true, "given_name": []string{"x"}, "family_name": strings.Repeat("x", maxText+1)}
	got, err := development(t).Redeem(t.Context(), f.provider(), request, answer())
	if err != nil || got != (signup.ProvenAccount{Issuer: f.URL, Subject: "subject-1"}) {
		t.Errorf("claims of other kinds: %+v, %v", got, err)
	}
}

func TestUserInfo(t *testing.T) {
	for name, test := range map[string]struct {
		claims object
		status int
		body   any
		want   signup.ProvenAccount
		code   string
	}{
		"fills in": {
			claims: object{"family_name": "L"},
			body: object{
				"sub": "subject-1", "email": "ada@example.com", "email_verified": true, "phone_number": "+441632960961",
				"given_name": "Ada", "family_name": "Lovelace",
			},
			want: signup.ProvenAccount{Email: "ada@example.com", EmailVerified: true, Phone: "+441632960961", LastName: "L"},
		},
		"has nothing":     {body: object{"sub": "subject-1"}},
		"another subject": {body: object{"sub": "subject-2", "email": "eve@example.com"}, code: "PROVIDER_TOKEN_INVALID"},
		"no subject":      {body: object{"email": "eve@example.com"}, code: "PROVIDER_TOKEN_INVALID"},
		"not an object":   {body: []string{"x"}, code: "PROVIDER_UNAVAILABLE"},
		"refusal":         {status: 403, body: object{}, code: "PROVIDER_UNAVAILABLE"},
		"out of order":    {status: 500, body: object{"sub": "subject-1"}, code: "PROVIDER_UNAVAILABLE"},
		"huge":            {body: object{"sub": "subject-1", "x": strings.Repeat("x", maxUserInfo)}, code: "PROVIDER_UNAVAILABLE"},
	} {
		f := startFake(t)
		f.document = object{"userinfo_endpoint": f.URL + "/userinfo"}
		f.claims = test.claims
		f.userInfo = func(w http.ResponseWriter, r *http.Request) {
			if got := r.Header.Get("Authorization"); got != "Bearer "+accessToken {
				t.Errorf("%s: authorized by %q", name, got)
			}
			answerJSON(w, max(test.status, 200), test.body)
		}
		got, err := development(t).Redeem(t.Context(), f.provider(), request, answer())
		if test.code != "" {
			wantCode(t, name, err, engine.Code(test.code))
			continue
		}
		want := test.want
		want.Issuer, want.Subject = f.URL, "subject-1"
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// Microsoft's address for all tenants has a document whose issuer is a template.
func TestIssuerByTenant(t *testing.T) {
	const tenant, other = "9188040d-6c67-4c5b-b112-36a304b66dad", "11111111-2222-3333-4444-555555555555"
	for name, test := range map[string]struct {
		document string // the document's issuer, below the server
		tid      any
		iss      string // the token's, below the server
		answer   string // the answer's, below the server
		code     string
	}{
		"a tenant":                   {tid: tenant, iss: "/" + tenant + "/v2.0"},
		"named by the answer":        {tid: tenant, iss: "/" + tenant + "/v2.0", answer: "/" + tenant + "/v2.0"},
		"another tenant's issuer":    {tid: tenant, iss: "/" + other + "/v2.0", code: "PROVIDER_TOKEN_INVALID"},
		"the template itself":        {tid: tenant, iss: "/{tenantid}/v2.0", code: "PROVIDER_TOKEN_INVALID"},
		"the template as tenant":     {tid: "{tenantid}", iss: "/{tenantid}/v2.0", code: "PROVIDER_TOKEN_INVALID"},
		"the address for all":        {tid: "common", iss: "/common/v3.0", code: "PROVIDER_TOKEN_INVALID"},
		"no tenant":                  {iss: "/" + tenant + "/v2.0", code: "PROVIDER_TOKEN_INVALID"},
		"an empty tenant":            {tid: "", iss: "//v2.0", code: "PROVIDER_TOKEN_INVALID"},
		"a tenant with a path":       {tid: tenant + "/x", iss: "/" + tenant + "/x/v2.0", code: "PROVIDER_TOKEN_INVALID"},
		"the answer names another":   {tid: tenant, iss: "/" + tenant + "/v2.0", answer: "/" + other + "/v2.0", code: "PROVIDER_ISSUER_MISMATCH"},
		"the answer names no tenant": {tid: tenant, iss: "/" + tenant + "/v2.0", answer: "/{tenantid}/v2.0", code: "PROVIDER_ISSUER_MISMATCH"},
		"the answer names nobody":    {tid: tenant, iss: "/" + tenant + "/v2.0", answer: "/v2.0", code: "PROVIDER_ISSUER_MISMATCH"},
		"another's document":         {document: "/" + tenant + "/v2.0", tid: tenant, iss: "/" + tenant + "/v2.0", code: "PROVIDER_UNAVAILABLE"},
	} {
		f := startFake(t)
		f.base = "/common/v2.0"
		f.document = object{"issuer": f.URL + "/{tenantid}/v2.0"}
		if test.document != "" {
			f.document["issuer"] = f.URL + test.document
		}
		f.claims = object{"iss": f.URL + test.iss, "tid": test.tid, "email": "ada@example.com"}
		provider := f.provider()
		provider.Preset = preset(t, "MICROSOFT")
		provider.Preset.TenantIssuer = f.URL + "/{tenantid}/v2.0"
		response := answer()
		if test.answer != "" {
			response.Issuer = f.URL + test.answer
		}
		got, err := development(t).Redeem(t.Context(), provider, request, response)
		if test.code != "" {
			wantCode(t, name, err, engine.Code(test.code))
			continue
		}
		if err != nil || got.Issuer != f.URL+test.iss || got.Subject != "subject-1" || got.EmailVerified {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	// One tenant alone is a provider like any other, and the others are not it.
	f := startFake(t)
	f.base = "/" + tenant + "/v2.0"
	provider := f.provider()
	provider.Preset.TenantIssuer = f.URL + "/{tenantid}/v2.0"
	if got, err := development(t).Redeem(t.Context(), provider, request, answer()); err != nil || got.Issuer != f.issuer() {
		t.Errorf("one tenant: %+v, %v", got, err)
	}
	f.claims = object{"iss": f.URL + "/" + other + "/v2.0", "tid": other}
	_, err := development(t).Redeem(t.Context(), provider, request, answer())
	wantCode(t, "another tenant's token", err, signup.ProviderTokenInvalid)
}

func pkcs8(t *testing.T, key any) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func appleLike(t *testing.T, f *fake) signup.Provider {
	f.document = object{"token_endpoint_auth_methods_supported": []string{"client_secret_post"}}
	p := f.provider()
	p.Preset = preset(t, "APPLE")
	p.ClientSecret, p.TeamID, p.KeyID = pkcs8(t, ecKey()), "TEAM", "KEY"
	return p
}

func TestSignedSecret(t *testing.T) {
	f := startFake(t)
	provider := appleLike(t, f)
	f.claims = object{"email": "x@privaterelay.example", "email_verified": true}
	response := answer()
	response.User = `{"name":{"firstName":"Ada","lastName":"Lovelace"},"email":"eve@example.com"}`
	got, err := development(t).Redeem(t.Context(), provider, request, response)
	want := signup.ProvenAccount{
		Issuer: f.URL, Subject: "subject-1", Email: "x@privaterelay.example", EmailVerified: true, FirstName: "Ada", LastName: "Lovelace",
	}
	if err != nil || got != want {
		t.Fatalf("%+v, %v", got, err)
	}
	form, _ := f.lastForm()
	parsed, err := jwt.ParseSigned(form.Get("client_secret"), []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	var said jwt.Claims
	if err := parsed.Claims(ecKey().Public(), &said); err != nil {
		t.Fatal(err)
	}
	if err := said.ValidateWithLeeway(jwt.Expected{Issuer: "TEAM", Subject: clientID, AnyAudience: jwt.Audience{f.URL}, Time: start}, 0); err != nil {
		t.Error(err)
	}
	if parsed.Headers[0].KeyID != "KEY" || said.Expiry.Time().After(start.Add(10*time.Minute)) || !said.IssuedAt.Time().Equal(start) {
		t.Errorf("%+v, %+v", parsed.Headers[0], said)
	}

	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, secret := range map[string]string{
		"none": "", "no PEM": clientSecret, "empty PEM": "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n",
		"RSA": pkcs8(t, rsaKey()), "another curve": pkcs8(t, p384),
	} {
		before := f.count("/token")
		provider.ClientSecret = secret
		_, err := development(t).Redeem(t.Context(), provider, request, answer())
		wantCode(t, name, err, signup.ProviderUnavailable)
		if f.count("/token") != before {
			t.Errorf("%s: the code was sent", name)
		}
	}
}

// The name that comes with the form fills in a name, and nothing else.
func TestNameByForm(t *testing.T) {
	for user, want := range map[string][2]string{
		"": {}, "x": {}, "null": {}, "[]": {}, `{"name":"Ada"}`: {}, `{"name":null}`: {}, `{"email":"eve@example.com"}`: {},
		`{"name":{"firstName":"Ada"}}`:                                          {"Ada", ""},
		`{"name":{"lastName":"Lovelace","firstName":7}}`:                        {"", "Lovelace"},
		`{"name":{"firstName":"` + strings.Repeat("x", maxText+1) + `"}}`:       {},
		`{"name":{"firstName":"Ada"},"x":"` + strings.Repeat("x", 1<<20) + `"}`: {},
		`{"sub":"x","Name":{"firstName":"Eve"}}`:                                {},
	} {
		before := signup.ProvenAccount{Issuer: "i", Subject: "s", Email: "ada@example.com"}
		got := nameByForm(before, user)
		before.FirstName, before.LastName = want[0], want[1]
		if got != before {
			t.Errorf("%.60s: %+v", user, got)
		}
	}
	named := signup.ProvenAccount{LastName: "Lovelace"}
	if got := nameByForm(named, `{"name":{"firstName":"Eve","lastName":"E"}}`); got != named {
		t.Errorf("a name was replaced: %+v", got)
	}
	f := startFake(t)
	response := answer()
	response.User = `{"name":{"firstName":"Eve"}}`
	if got, err := development(t).Redeem(t.Context(), f.provider(), request, response); err != nil || got.FirstName != "" {
		t.Errorf("a provider that answers otherwise: %+v, %v", got, err)
	}
}

// gitHubLike is a provider without OpenID Connect whose endpoints f serves.
func gitHubLike(f *fake) signup.Provider {
	p := f.provider()
	p.Preset, _ = signup.PresetNamed("GITHUB")
	p.Issuer = p.Preset.Issuer
	p.Preset.AuthorizationURL, p.Preset.TokenURL = f.URL+"/authorize", f.URL+"/token"
	p.Preset.UserInfoURL, p.Preset.EmailsURL = f.URL+"/user", f.URL+"/emails"
	f.more = map[string]http.HandlerFunc{
		"/user": func(w http.ResponseWriter, r *http.Request) {
			answerJSON(w, 200, object{"id": 583231, "login": "ada", "name": "Ada Lovelace", "email": "public@example.com"})
		},
		"/emails": func(w http.ResponseWriter, r *http.Request) {
			answerJSON(w, 200, []object{
				{"email": "old@example.com", "primary": false, "verified": true},
				{"email": "ada@example.com", "primary": true, "verified": true, "visibility": "private"},
			})
		},
	}
	return p
}

func TestProviderWithoutOpenIDConnect(t *testing.T) {
	f := startFake(t)
	provider := gitHubLike(f)
	for path, handle := range f.more {
		f.more[path] = func(w http.ResponseWriter, r *http.Request) {
			h := r.Header
			if h.Get("Authorization") != "Bearer "+accessToken || h.Get("Accept") != "application/json" || h.Get("User-Agent") != "Stepwise" {
				t.Errorf("%s: %v", path, h)
			}
			handle(w, r)
		}
	}
	got, err := development(t).Redeem(t.Context(), provider, request, answer())
	want := signup.ProvenAccount{
		Issuer: provider.Issuer, Subject: "583231", Email: "ada@example.com", EmailVerified: true, FirstName: "Ada", LastName: "Lovelace",
	}
	if err != nil || got != want {
		t.Fatalf("%+v, %v", got, err)
	}
	form, basic := f.lastForm()
	if form.Get("client_secret") != clientSecret || form.Get("client_id") != clientID || basic != [2]string{} {
		t.Errorf("form %v, basic %q", form, basic)
	}
	if f.count("/.well-known/openid-configuration") != 0 {
		t.Error("a discovery document was looked for")
	}

	// As GitHub answers by default, and as it refuses: with the status of success.
	f.token = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
		io.WriteString(w, "access_token="+accessToken+"&scope=user%3Aemail&token_type=bearer")
	}
	if got, err := development(t).Redeem(t.Context(), provider, request, answer()); err != nil || got != want {
		t.Errorf("a form: %+v, %v", got, err)
	}
	f.token = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
		io.WriteString(w, "error=bad_verification_code&error_description=canary")
	}
	_, err = development(t).Redeem(t.Context(), provider, request, answer())
	wantCode(t, "bad code", err, signup.ProviderExchangeFailed)
}

func TestAccountsWithoutOpenIDConnect(t *testing.T) {
	for id, subject := range map[string]string{
		"1": "1", "9007199254740993": "9007199254740993", "18446744073709551615": "18446744073709551615",
		"0": "", "-1": "", "1.5": "", "1e3": "", "1.0": "", "null": "", `"583231"`: "", "[1]": "", "true": "",
		strings.Repeat("1", 21): "",
	} {
		f := startFake(t)
		provider := gitHubLike(f)
		f.more["/user"] = func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `{"login":"ada","id": `+id+` }`) }
		got, err := development(t).Redeem(t.Context(), provider, request, answer())
		if subject != "" && (err != nil || got.Subject != subject) {
			t.Errorf("id %s: %+v, %v", id, got, err)
		}
		if subject == "" {
			wantCode(t, "id "+id, err, signup.ProviderTokenInvalid)
		}
	}
	for name, want := range map[string][2]string{
		"": {}, "Ada": {}, "Ada Lovelace": {"Ada", "Lovelace"}, "  Ada \t Lovelace ": {"Ada", "Lovelace"}, "Ada King Lovelace": {},
	} {
		if first, last := nameOfTwo(name); first != want[0] || last != want[1] {
			t.Errorf("%q: %q, %q", name, first, last)
		}
	}
	type listing struct {
		status int
		body   string
		email  string
		code   string
	}
	for name, test := range map[string]listing{
		"none":                 {200, `[]`, "", ""},
		"no primary one":       {200, `[{"email":"a@example.com","verified":true}]`, "", ""},
		"primary, not as such": {200, `[{"email":"a@example.com","primary":"true","verified":true}]`, "", ""},
		"not allowed":          {403, `{"message":"canary"}`, "", ""},
		"not there":            {404, `{}`, "", ""},
		"token refused":        {401, `{}`, "", "PROVIDER_UNAVAILABLE"},
		"out of order":         {502, `canary`, "", "PROVIDER_UNAVAILABLE"},
		"garbage":              {200, `canary`, "", "PROVIDER_UNAVAILABLE"},
		"an object":            {200, `{}`, "", "PROVIDER_UNAVAILABLE"},
	} {
		f := startFake(t)
		provider := gitHubLike(f)
		f.more["/emails"] = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(test.status); io.WriteString(w, test.body) }
		got, err := development(t).Redeem(t.Context(), provider, request, answer())
		if test.code != "" {
			wantCode(t, name, err, engine.Code(test.code))
		} else if err != nil || got.Email != test.email || got.EmailVerified || got.Subject != "583231" {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	f := startFake(t)
	provider := gitHubLike(f)
	provider.Preset.EmailsURL = ""
	got, err := development(t).Redeem(t.Context(), provider, request, answer())
	if err != nil || got.Email != "public@example.com" || got.EmailVerified {
		t.Errorf("without a list: %+v, %v", got, err)
	}
}

// Reading claims never fails, never reads more than it may, and takes nothing
// but the literal true for true.
func FuzzClaims(f *testing.F) {
	f.Add([]byte(`{"sub":"s","email":"ada@example.com","email_verified":true}`), `{"name":{"firstName":"Ada"}}`)
	f.Add([]byte(`{"email":"ada@example.com","email_verified":"true","given_name":{}}`), `{"name":[]}`)
	f.Add([]byte(`{"email":null,"email_verified": true}`), ``)
	f.Fuzz(func(t *testing.T, data []byte, user string) {
		var said claims
		if json.Unmarshal(data, &said) != nil {
			return
		}
		got := nameByForm(said.account("i"), user)
		for _, text := range []string{got.Subject, got.Email, got.Phone, got.FirstName, got.LastName} {
			if len(text) > maxText {
				t.Errorf("%d bytes", len(text))
			}
		}
		if got.EmailVerified && (got.Email == "" || !bytes.Contains(data, []byte("true"))) {
			t.Errorf("verified by %s", data)
		}
	})
}
