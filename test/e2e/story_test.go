package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"stepwise/internal/realtest"
)

// TestStory tells a sign-up from the drawing of the form to the session token,
// and then that the program finds everything again after a restart.
func TestStory(t *testing.T) {
	for _, s := range combinations() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			env := s.env(t)
			server := realtest.Program(t, realtest.ProgramOptions{Env: env})
			administrator := newAdministrator(t, server)

			drawsForm(t, newClient(t, server))
			visitor, done := signsUpWatched(t, server, "ada@example.com")
			token := getsSessionToken(t, visitor, server.URL, done)
			if found := administrator.users(t, "ADA@example.com"); len(found) != 1 || found[0].ID != done.CreatedUserID {
				t.Fatalf("users with the address: %+v, want the one of %s", found, done.CreatedUserID)
			}

			version := administrator.changeSettings(t, map[string]any{"appName": "Second start"})
			open := begin(t, newClient(t, server), "in-flight@example.com")
			socket := visitor.openSocket(t)
			keyBefore := developmentKey(t, server)

			end := socket.watchEnd()
			server.Stop()
			if code := <-end; code != 1001 {
				t.Errorf("the WebSocket was closed with %d, want 1001", code)
			}
			server.Restart()

			if got := developmentKey(t, server); got != keyBefore {
				t.Error("the second start made another master key")
			}
			checkSecondStart(t, server, visitor, done, token, version)
			if got := administrator.read(t, open.ID) != nil; got != s.keepsAttempts {
				t.Errorf("the sign-up in flight is there after the restart: %v, want %v", got, s.keepsAttempts)
			}
		})
	}
}

// drawsForm reads what a frontend needs.
func drawsForm(t *testing.T, c *client) {
	t.Helper()
	var data struct {
		PublicSettings struct {
			Fields []struct {
				Field      string
				Required   bool
				Strategies []string
			}
			Password struct{ MinLength int }
		}
	}
	c.query(t, "{ publicSettings { fields { field required strategies } password { minLength } } }", nil, &data)
	var required []string
	for _, f := range data.PublicSettings.Fields {
		if f.Required {
			required = append(required, f.Field)
		}
	}
	if want := []string{"EMAIL_ADDRESS", "PASSWORD"}; !slices.Equal(required, want) {
		t.Errorf("required fields of a new instance: %v, want %v", required, want)
	}
}

// signsUpWatched completes a sign-up step by step with a subscription of each
// kind beside it.
func signsUpWatched(t *testing.T, server *realtest.ServerProgram, email string) (*client, signUp) {
	t.Helper()
	c := newClient(t, server)
	opened := c.create(t, map[string]any{
		"emailAddress": email, "firstName": "Ada",
		"startVerifications": []any{map[string]any{"strategy": "EMAIL_CODE"}},
	})
	if !slices.Equal(opened.MissingFields, []string{"PASSWORD"}) || !slices.Equal(opened.UnverifiedFields, []string{"EMAIL_ADDRESS"}) {
		t.Errorf("missing %v, unverified %v; want PASSWORD and EMAIL_ADDRESS", opened.MissingFields, opened.UnverifiedFields)
	}
	var watched []*subscription
	for _, subscribe := range transports {
		w := subscribe(c, t, opened.ID)
		if first := w.next(t); first.state == nil || asJSON(t, *first.state) != asJSON(t, opened) {
			t.Errorf("%s: begins with %+v, want the present state", w.name, first)
		}
		watched = append(watched, w)
	}
	c.update(t, map[string]any{"password": goodPassword})
	for _, w := range watched {
		w.await(t, "the password", func(s signUp) bool { return s.PasswordEnabled && len(s.MissingFields) == 0 })
	}
	done := c.check(t, "emailCode", c.code(t, email))
	if done.Status != "COMPLETE" || done.CreatedUserID == "" || done.CreatedSessionID == "" {
		t.Fatalf("after the code: %+v, want COMPLETE with a user and a session", done)
	}
	fresh := c.read(t, done.ID)
	if fresh == nil {
		t.Fatal("the completed sign-up cannot be read by its client")
	}
	for _, w := range watched {
		w.finishesWith(t, *fresh)
	}
	return c, done
}

// getsSessionToken issues a JWT and verifies it as any backend would.
func getsSessionToken(t *testing.T, c *client, issuer string, done signUp) (token string) {
	t.Helper()
	var data struct {
		SessionTokenCreate struct {
			Token      string
			ExpireAt   time.Time
			UserErrors []userError
		}
	}
	c.query(t, "mutation { sessionTokenCreate { token expireAt userErrors { code } } }", nil, &data)
	token = data.SessionTokenCreate.Token
	claims, session := verifyToken(t, c, token)
	if err := claims.Validate(jwt.Expected{Issuer: issuer, Subject: done.CreatedUserID, Time: time.Now()}); err != nil {
		t.Errorf("claims of the session token: %v", err)
	}
	if session != done.CreatedSessionID {
		t.Errorf("sid %q, want %q", session, done.CreatedSessionID)
	}
	if life := claims.Expiry.Time().Sub(claims.IssuedAt.Time()); life != time.Minute {
		t.Errorf("the token is good for %v, want a minute", life)
	}
	if !claims.Expiry.Time().Equal(data.SessionTokenCreate.ExpireAt) {
		t.Errorf("exp %v, but expireAt %v", claims.Expiry.Time(), data.SessionTokenCreate.ExpireAt)
	}
	return token
}

func verifyToken(t *testing.T, c *client, token string) (claims jwt.Claims, session string) {
	t.Helper()
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatalf("session token: %v", err)
	}
	var keys jose.JSONWebKeySet
	status, body := c.get(t, "/.well-known/jwks.json")
	if err := json.Unmarshal(body, &keys); err != nil || status != http.StatusOK {
		t.Fatalf("JWKS: status %d: %v", status, err)
	}
	for _, key := range keys.Keys {
		if !key.IsPublic() {
			t.Error("the JWKS shows a private key")
		}
	}
	var own struct {
		Session string `json:"sid"`
	}
	if err := parsed.Claims(keys, &claims, &own); err != nil {
		t.Fatalf("the session token does not verify against the JWKS: %v", err)
	}
	return claims, own.Session
}

// checkSecondStart expects users, sessions, settings and keys as they were.
func checkSecondStart(t *testing.T, server *realtest.ServerProgram, visitor *client, done signUp, token string, version int) {
	t.Helper()
	administrator := newAdministrator(t, server)
	if found := administrator.users(t, "ada@example.com"); len(found) != 1 || found[0].ID != done.CreatedUserID || !found[0].PasswordEnabled {
		t.Errorf("users after the restart: %+v", found)
	}
	var settings struct {
		InstanceSettings struct {
			Version int
			AppName string
		}
	}
	administrator.query(t, "{ instanceSettings { version appName } }", nil, &settings)
	if got := settings.InstanceSettings; got.Version != version || got.AppName != "Second start" {
		t.Errorf("settings after the restart: %+v, want version %d", got, version)
	}
	verifyToken(t, visitor, token)
	getsSessionToken(t, visitor, server.URL, done)
	other := newClient(t, server)
	refused, err := other.tryCreate(map[string]any{"emailAddress": "Ada@Example.com"})
	if err != nil || !slices.Contains(refused.errorCodes(), "IDENTIFIER_TAKEN") {
		t.Errorf("a second sign-up with the address: %v, %v; want IDENTIFIER_TAKEN", refused.errorCodes(), err)
	}
	if _, whole := signsUpWatched(t, server, fmt.Sprintf("after-%s@example.com", randomHex(3))); whole.Status != "COMPLETE" {
		t.Errorf("a sign-up after the restart: %s", whole.Status)
	}
}

// developmentKey returns the master key that the program keeps, which nobody
// but its user may read.
func developmentKey(t *testing.T, server *realtest.ServerProgram) string {
	t.Helper()
	path := filepath.Join(server.DataDir, "key")
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if mode := info.Mode().Perm(); mode != 0o600 {
		t.Errorf("mode of the key file: %o, want 600", mode)
	}
	key, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(key)
}
