package oidc

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"io"
	"log"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"go.uber.org/goleak"
	"golang.org/x/oauth2"

	"stepwise/internal/outbound"
	"stepwise/internal/signup"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	clientID     = "client-1"
	clientSecret = "canary-client-secret"
	goodCode     = "canary-code"
	accessToken  = "canary-access-token"
	appURI       = "https://app.example/callback"
)

var (
	request = signup.AuthorizationRequest{
		RedirectURI: appURI, State: "canary-state", Nonce: "canary-nonce",
		CodeVerifier: "canary-verifier-canary-verifier-canary-verifier",
	}
	start = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)

	rsaKey = sync.OnceValue(func() *rsa.PrivateKey {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		return key
	})
	otherRSAKey = sync.OnceValue(func() *rsa.PrivateKey {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		return key
	})
	ecKey = sync.OnceValue(func() *ecdsa.PrivateKey {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			panic(err)
		}
		return key
	})
)

// clock is a time that only tests move.
type clock struct{ unixNano atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.unixNano.Store(start.UnixNano())
	return c
}

func (c *clock) now() time.Time          { return time.Unix(0, c.unixNano.Load()).UTC() }
func (c *clock) advance(d time.Duration) { c.unixNano.Add(int64(d)) }

// object is a JSON object.
type object = map[string]any

// fake is a provider on loopback. Its fields say how it behaves and may be set
// before the first request.
type fake struct {
	*httptest.Server
	t *testing.T
	// base is the path below which everything lies, "" or "/…".
	base string
	// document and claims change what is said by default.
	document, claims object
	// sign makes the ID token of claims.
	sign func(claims object) string
	keys []jose.JSONWebKey
	// token, userInfo, keySet and discovery replace the handlers of these names;
	// more are those of other paths.
	token, userInfo, keySet, discovery http.HandlerFunc
	more                               map[string]http.HandlerFunc

	mu    sync.Mutex
	asked map[string]int // requests by path below base
	form  url.Values     // of the last request for a token
	basic [2]string      // user and password of it
}

func startFake(t *testing.T) *fake {
	t.Helper()
	f := &fake{t: t, asked: map[string]int{}, document: object{}, claims: object{}}
	f.keys = []jose.JSONWebKey{{Key: rsaKey().Public(), KeyID: "rsa-1", Algorithm: "RS256", Use: "sig"}}
	f.sign = func(c object) string { return signWith(t, jose.RS256, rsaKey(), "rsa-1", c) }
	f.Server = httptest.NewUnstartedServer(http.HandlerFunc(f.serve))
	f.Config.ErrorLog = log.New(io.Discard, "", 0)
	f.Start()
	t.Cleanup(f.Close)
	return f
}

func (f *fake) issuer() string { return f.URL + f.base }

// count returns how often a path was asked for.
func (f *fake) count(path string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asked[path]
}

func (f *fake) lastForm() (url.Values, [2]string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.form, f.basic
}

// serveBy replaces a handler after requests were made. What a request was cut
// off from may still be running.
func (f *fake) serveBy(place *http.HandlerFunc, handle http.HandlerFunc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	*place = handle
}

// handler counts a request and returns who serves it.
func (f *fake) handler(path string) http.HandlerFunc {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked[path]++
	if handle, ok := f.more[path]; ok {
		return handle
	}
	for _, handle := range map[string][2]http.HandlerFunc{
		documentPath: {f.discovery, f.serveDocument},
		"/token":     {f.token, f.serveToken},
		"/keys":      {f.keySet, f.serveKeys},
		"/userinfo":  {f.userInfo},
	}[path] {
		if handle != nil {
			return handle
		}
	}
	return http.NotFound
}

func (f *fake) serve(w http.ResponseWriter, r *http.Request) {
	f.handler(r.URL.Path[min(len(f.base), len(r.URL.Path)):])(w, r)
}

func answerJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
}

// with returns base with the changes; a nil removes.
func with(base, changes object) object {
	all := maps.Clone(base)
	for name, value := range changes {
		if value == nil {
			delete(all, name)
		} else {
			all[name] = value
		}
	}
	return all
}

func (f *fake) serveDocument(w http.ResponseWriter, _ *http.Request) {
	answerJSON(w, 200, with(object{
		"issuer":                                f.issuer(),
		"authorization_endpoint":                f.issuer() + "/authorize?tenant=1",
		"token_endpoint":                        f.issuer() + "/token",
		"jwks_uri":                              f.issuer() + "/keys",
		"id_token_signing_alg_values_supported": []string{"none", "HS256", "RS256", "ES256"},
		"token_endpoint_auth_methods_supported": []string{"client_secret_basic"},
	}, f.document))
}

func (f *fake) serveKeys(w http.ResponseWriter, _ *http.Request) {
	answerJSON(w, 200, jose.JSONWebKeySet{Keys: f.keys})
}

// idClaims are what a faultless ID token says.
func (f *fake) idClaims() object {
	return with(object{
		"iss": f.issuer(), "aud": clientID, "sub": "subject-1", "nonce": request.Nonce,
		"iat": start.Unix(), "exp": start.Add(5 * time.Minute).Unix(),
	}, f.claims)
}

// serveToken takes the good code once it comes with the right redirect address,
// verifier and client.
func (f *fake) serveToken(w http.ResponseWriter, r *http.Request) {
	r.ParseForm()
	user, password, _ := r.BasicAuth()
	f.mu.Lock()
	f.form, f.basic = r.PostForm, [2]string{user, password}
	f.mu.Unlock()
	id := user
	if id == "" {
		id = r.PostForm.Get("client_id")
	}
	if r.Method != http.MethodPost || r.PostForm.Get("grant_type") != "authorization_code" || r.PostForm.Get("code") != goodCode ||
		r.PostForm.Get("redirect_uri") != appURI || r.PostForm.Get("code_verifier") != request.CodeVerifier || id != clientID {
		answerJSON(w, 400, object{"error": "invalid_grant", "error_description": "canary " + r.PostForm.Encode()})
		return
	}
	answerJSON(w, 200, object{"access_token": accessToken, "token_type": "Bearer", "expires_in": 60, "id_token": f.sign(f.idClaims())})
}

func signWith(t *testing.T, algorithm jose.SignatureAlgorithm, key any, kid string, c object) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: jose.JSONWebKey{Key: key, KeyID: kid}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	compact, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return compact
}

// unsigned makes a token of algorithm none.
func unsigned(t *testing.T, c object) string {
	t.Helper()
	payload, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"alg":"none","kid":"rsa-1"}`)) + "." + encode(payload) + "."
}

// world is a prover with its clock, in development unless options say otherwise.
type world struct {
	*Prover
	*clock
}

func newProver(t *testing.T, o outbound.Options, logger *slog.Logger) world {
	t.Helper()
	client := outbound.NewClient(o)
	t.Cleanup(client.CloseIdleConnections)
	c := newClock()
	return world{New(Options{Client: client, Now: c.now, Logger: logger}), c}
}

func development(t *testing.T) world { return newProver(t, outbound.Options{AllowPrivate: true}, nil) }

func (f *fake) provider() signup.Provider {
	return signup.Provider{
		Name: "fake", Issuer: f.issuer(), ClientID: clientID, ClientSecret: clientSecret,
		Scopes: []string{"openid", "email", "profile"},
	}
}

func answer() signup.AuthorizationResponse { return signup.AuthorizationResponse{Code: goodCode} }

// challengeOf is what an authorization of the request has to carry.
func challengeOf() string { return oauth2.S256ChallengeFromVerifier(request.CodeVerifier) }
