package e2e

import (
	"bytes"
	"net/http"
	"net/http/cookiejar"
	"slices"
	"strings"
	"testing"
	"time"

	"stepwise/internal/realtest"
)

// newBrowser returns a client that keeps its token as a cookie, as browsers do,
// and says that its requests come from pages of the origin.
func newBrowser(t testing.TB, server *realtest.ServerProgram, origin string) *client {
	t.Helper()
	c := newClient(t, server)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	c.cookies, c.http.Jar = true, jar
	if origin != "" {
		c.headers.Set("Origin", origin)
	}
	return c
}

// TestCookieOfTheSameSite completes a sign-up with nothing but a cookie.
func TestCookieOfTheSameSite(t *testing.T) {
	t.Parallel()
	server := realtest.Program(t, realtest.ProgramOptions{})
	browser := newBrowser(t, server, server.URL)
	r, err := browser.ask("mutation { signUpCreate(input: {}) { signUp { id } } }", nil)
	if err != nil || len(r.Errors) > 0 {
		t.Fatalf("create: %s, %v", r.Body, err)
	}
	cookie := r.Header.Get("Set-Cookie")
	for _, want := range []string{"client_", "; Path=/", "; HttpOnly", "; SameSite=Lax", "; Max-Age="} {
		if !strings.Contains(cookie, want) {
			t.Errorf("the cookie %q lacks %q", cookie, want)
		}
	}
	if strings.Contains(string(r.Body), "ct_") || r.Header.Get("Client-Token") != "" {
		t.Error("scripts of the page can read the token")
	}
	before := cookie
	begin(t, browser, "cookie@example.com")
	if done := browser.check(t, "emailCode", browser.code(t, "cookie@example.com")); done.Status != "COMPLETE" {
		t.Fatalf("%s, want COMPLETE", done.Status)
	}
	var data struct {
		Client *struct{ ActiveSession *struct{ UserID string } }
	}
	browser.query(t, "{ client { activeSession { userId } } }", nil, &data)
	if data.Client == nil || data.Client.ActiveSession == nil {
		t.Error("after the completion the cookie leads to no session")
	}
	// The token of before the completion is good for nothing.
	old := newClient(t, server)
	old.cookies = true
	old.headers.Set("Cookie", strings.Split(before, ";")[0])
	if r, err := old.ask("{ client { id } }", nil); err != nil || !strings.Contains(string(r.Body), "UNAUTHENTICATED") && !strings.Contains(string(r.Body), `"client":null`) {
		t.Errorf("the token of before: %s, %v; want no client", r.Body, err)
	}
}

// TestForeignPages lets pages of other sites try what they can: their requests
// carry the visitor's cookie, whoever made them.
func TestForeignPages(t *testing.T) {
	t.Parallel()
	server := realtest.Program(t, realtest.ProgramOptions{})
	browser := newBrowser(t, server, server.URL)
	opened := begin(t, browser, "victim@example.com")
	administrator := newAdministrator(t, server)
	before := asJSON(t, administrator.read(t, opened.ID))
	const attack = `{"query":"mutation { signUpUpdate(input: {firstName: \"Mallory\"}) { signUp { id } } }"}`
	for name, change := range map[string]func(*http.Request){
		"foreign Origin":          func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") },
		"null Origin":             func(r *http.Request) { r.Header.Set("Origin", "null") },
		"suffix of ours":          func(r *http.Request) { r.Header.Set("Origin", server.URL+".evil.example") },
		"cross-site, no Origin":   func(r *http.Request) { r.Header.Del("Origin"); r.Header.Set("Sec-Fetch-Site", "cross-site") },
		"same-site, other origin": func(r *http.Request) { r.Header.Del("Origin"); r.Header.Set("Sec-Fetch-Site", "same-site") },
		"text/plain": func(r *http.Request) {
			r.Header.Set("Origin", "https://evil.example")
			r.Header.Set("Content-Type", "text/plain")
		},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := browser.post([]byte(attack), change)
			if err != nil || r.Status != http.StatusForbidden || !slices.Equal(r.codes(), []string{"FORBIDDEN_ORIGIN"}) {
				t.Errorf("status %d %v, %v; want 403 FORBIDDEN_ORIGIN", r.Status, r.codes(), err)
			}
			if allowed := r.Header.Get("Access-Control-Allow-Origin"); allowed != "" {
				t.Errorf("Access-Control-Allow-Origin: %q, want none", allowed)
			}
		})
	}
	for _, contentType := range []string{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/graphql", ""} {
		r, err := browser.post([]byte(attack), func(r *http.Request) { r.Header.Set("Content-Type", contentType) })
		if err != nil || r.Status != http.StatusUnsupportedMediaType {
			t.Errorf("content type %q: status %d, %v; want 415", contentType, r.Status, err)
		}
	}
	header := http.Header{"Origin": {"https://evil.example"}}
	for _, cookie := range browser.http.Jar.Cookies(mustURL(t, server.URL)) {
		header.Add("Cookie", cookie.String())
	}
	conn, response, err := browser.dial(header)
	if err == nil {
		_ = conn.CloseNow()
	}
	if err == nil || response == nil || response.StatusCode != http.StatusForbidden {
		t.Errorf("WebSocket handshake from a foreign page: %v; want 403", err)
	}
	if after := asJSON(t, administrator.read(t, opened.ID)); after != before {
		t.Errorf("a foreign page changed the sign-up:\n%s\nwas\n%s", after, before)
	}
}

// preflight asks what a browser asks before a page of the origin may POST.
func preflight(t testing.TB, c *client, origin string) http.Header {
	t.Helper()
	request, err := http.NewRequest(http.MethodOptions, c.url+"/graphql", bytes.NewReader(nil))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Origin", origin)
	request.Header.Set("Access-Control-Request-Method", "POST")
	request.Header.Set("Access-Control-Request-Headers", "authorization,client-mode,content-type,publishable-key")
	response, err := c.http.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode/100 != 2 {
		t.Errorf("preflight: status %d", response.StatusCode)
	}
	return response.Header
}

// TestAllowedOrigins lets an operator allow a page of another site, and take it
// back, while the program runs: in development, where pages of this machine are
// allowed as well, and in production.
func TestAllowedOrigins(t *testing.T) {
	t.Parallel()
	for _, s := range []struct {
		mode     string
		env      map[string]string
		loopback bool
	}{
		{"development", nil, true},
		{"production", map[string]string{"MODE": "production", "APP_KEY": randomHex(32), "PUBLIC_URL": "https://signup.example.com"}, false},
	} {
		t.Run(s.mode, func(t *testing.T) {
			server := realtest.Program(t, realtest.ProgramOptions{Env: s.env})
			administrator, page := newAdministrator(t, server), newClient(t, server)
			const origin = "https://app.example.com"
			page.headers.Set("Origin", origin)
			allows := func(origin string) bool {
				return preflight(t, page, origin).Get("Access-Control-Allow-Origin") == origin
			}

			if allows(origin) {
				t.Errorf("%s is allowed from the start", origin)
			}
			if got := allows("http://localhost:5173"); got != s.loopback {
				t.Errorf("a page of this machine is allowed: %v, want %v", got, s.loopback)
			}
			administrator.changeSettings(t, map[string]any{"allowedOrigins": []any{origin}})
			eventually(t, time.Second, func() string {
				if !allows(origin) {
					return "the origin is not allowed yet"
				}
				return ""
			})
			checkAllowed(t, page, origin)
			if allows("https://app.example.com.evil.example") || allows("http://app.example.com") || allows("https://app.example.com:8443") {
				t.Error("an origin that only looks like it is allowed")
			}
			administrator.changeSettings(t, map[string]any{"allowedOrigins": []any{}})
			eventually(t, time.Second, func() string {
				if allows(origin) {
					return "the origin is still allowed"
				}
				return ""
			})
			if conn, _, err := page.dial(http.Header{"Origin": {origin}}); err == nil {
				_ = conn.CloseNow()
				t.Error("a WebSocket from the origin that was taken back is accepted")
			}
		})
	}
}

// checkAllowed uses the API from a page of another site that is allowed.
func checkAllowed(t *testing.T, page *client, origin string) {
	t.Helper()
	granted := preflight(t, page, origin)
	for name, want := range map[string][]string{
		"Access-Control-Allow-Methods":     {"POST"},
		"Access-Control-Allow-Headers":     {"authorization", "client-mode", "content-type", "publishable-key"},
		"Access-Control-Allow-Credentials": {"true"},
		"Vary":                             {"Origin"},
	} {
		for _, w := range want {
			if !strings.Contains(strings.ToLower(strings.Join(granted.Values(name), ",")), strings.ToLower(w)) {
				t.Errorf("preflight: %s is %q, want %q in it", name, granted.Values(name), w)
			}
		}
	}
	r, err := page.ask("mutation { signUpCreate(input: {}) { signUp { id } } }", nil)
	if err != nil || r.Status != http.StatusOK || len(r.Errors) > 0 {
		t.Fatalf("a request of an allowed page: %s, %v", r.Body, err)
	}
	if r.Header.Get("Access-Control-Allow-Origin") != origin || !strings.Contains(r.Header.Get("Access-Control-Expose-Headers"), "Client-Token") {
		t.Errorf("the page cannot read its token: %v", r.Header)
	}
	if !strings.HasPrefix(r.Header.Get("Client-Token"), "ct_") || r.Header.Get("Set-Cookie") != "" {
		t.Errorf("bearer mode: Client-Token %q, Set-Cookie %q", r.Header.Get("Client-Token"), r.Header.Get("Set-Cookie"))
	}
	conn, _, err := page.dial(http.Header{"Origin": {origin}})
	if err != nil {
		t.Errorf("a WebSocket of an allowed page: %v", err)
		return
	}
	_ = conn.CloseNow()
}
