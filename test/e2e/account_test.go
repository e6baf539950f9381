package e2e

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"stepwise/internal/realtest"
)

// webFolder has the parts in JavaScript that judge the program from outside.
var webFolder = filepath.Join("..", "web")

// landingPage is where apps of these tests want people back.
const landingPage = "http://localhost:5173/welcome"

// provider is a real OpenID provider, a process of its own. Its people are told
// in test/web/provider.mjs.
type provider struct {
	issuer, secret string
	command        *exec.Cmd
	stdin          io.Closer
	stderr         output
	ended          chan struct{}
}

const (
	providerName = "example"
	providerID   = "stepwise"
)

// startProvider starts a provider that sends people back to these servers.
func startProvider(t testing.TB, servers ...*realtest.ServerProgram) *provider {
	t.Helper()
	p := &provider{secret: randomHex(16), ended: make(chan struct{})}
	arguments := []string{"provider.mjs", "--log-requests", "--client-id", providerID, "--client-secret", p.secret}
	for _, server := range servers {
		arguments = append(arguments, "--redirect-uri", server.URL+"/oauth/callback/"+providerName)
	}
	p.command = exec.Command("node", arguments...)
	p.command.Dir, p.command.Stderr = webFolder, &p.stderr
	stdin, err := p.command.StdinPipe() // the provider ends with it, and so with this process
	if err != nil {
		t.Fatal(err)
	}
	p.stdin = stdin
	stdout, err := p.command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	watchdog := time.AfterFunc(2*answerLimit, func() { _ = p.command.Process.Kill() })
	line, _ := bufio.NewReader(stdout).ReadBytes('\n')
	watchdog.Stop()
	var ready struct{ Issuer string }
	err = json.Unmarshal(line, &ready)
	go func() {
		_ = p.command.Wait() // how it ended does not matter
		close(p.ended)
	}()
	t.Cleanup(p.stop)
	if err != nil {
		t.Fatalf("the provider says %q: %s", line, p.stderr.String())
	}
	p.issuer = ready.Issuer
	return p
}

// stop ends the provider, once or again.
func (p *provider) stop() {
	_ = p.stdin.Close()
	<-p.ended
}

// requests counts those that the provider got so far, such as "POST /token".
func (p *provider) requests(line string) int {
	return strings.Count("\n"+p.stderr.String(), "\n"+line+"\n")
}

// settings are those with which people of the provider can sign up.
func (p *provider) settings(more ...any) map[string]any {
	one := map[string]any{
		"name": providerName, "issuer": p.issuer, "clientId": providerID, "clientSecret": p.secret, "enabled": true, "trustEmail": true,
	}
	for i := 0; i < len(more); i += 2 {
		one[more[i].(string)] = more[i+1]
	}
	return map[string]any{"providers": []any{one}}
}

var oauthStart = map[string]any{"strategy": "OAUTH", "provider": providerName, "redirectUrl": landingPage}

// createWithAccount opens a sign-up that begins at the provider.
func createWithAccount(t testing.TB, c *client) (opened signUp, challenge string) {
	t.Helper()
	opened = c.create(t, map[string]any{"startVerifications": []any{oauthStart}})
	return opened, accountChallenge(t, opened)
}

func accountChallenge(t testing.TB, s signUp) string {
	t.Helper()
	v := s.Verifications.ExternalAccount
	if v == nil || v.Challenge == nil || v.Challenge.URL == "" {
		t.Fatalf("no address of the provider to go to: %+v", v)
	}
	return v.Challenge.URL
}

// browse follows redirects as far as an address that begins with one of stops.
func browse(t testing.TB, jar http.CookieJar, address string, stops ...string) (stoppedAt string, page string) {
	t.Helper()
	isStop := func(u *url.URL) bool {
		for _, stop := range stops {
			if strings.HasPrefix(u.String(), stop) {
				return true
			}
		}
		return false
	}
	transport := &http.Transport{DisableKeepAlives: true}
	browser := &http.Client{Transport: transport, Jar: jar, Timeout: answerLimit, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if isStop(r.URL) {
			stoppedAt = r.URL.String()
			return http.ErrUseLastResponse
		}
		return nil
	}}
	response, err := browser.Get(address)
	if err != nil {
		t.Fatalf("GET %s: %v", address, err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if stoppedAt == "" {
		stoppedAt = response.Request.URL.String()
	}
	return stoppedAt, string(text)
}

func newJar(t testing.TB) http.CookieJar {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return jar
}

// authorize visits the provider as one of its people and returns the address of
// the program to which it sends that person back.
func (p *provider) authorize(t testing.TB, challenge, person string) (callback string) {
	t.Helper()
	at, page := browse(t, newJar(t), challenge+"&login_hint="+person, redirectURI(t, challenge))
	if !strings.HasPrefix(at, redirectURI(t, challenge)) {
		t.Fatalf("the provider sends %s to %s: %.500s", person, at, page)
	}
	return at
}

// cancel visits the provider and presses the button of that name there.
func (p *provider) cancel(t testing.TB, challenge string) (callback string) {
	t.Helper()
	jar := newJar(t)
	at, page := browse(t, jar, challenge)
	if !strings.Contains(page, "Cancel") {
		t.Fatalf("no page to choose at, but %s: %.500s", at, page)
	}
	stop := redirectURI(t, challenge)
	transport := &http.Transport{DisableKeepAlives: true}
	browser := &http.Client{Transport: transport, Jar: jar, Timeout: answerLimit, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(r.URL.String(), stop) {
			callback = r.URL.String()
			return http.ErrUseLastResponse
		}
		return nil
	}}
	response, err := browser.PostForm(at, url.Values{"cancel": {"yes"}})
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if callback == "" {
		t.Fatalf("after Cancel the person is at %s", response.Request.URL)
	}
	return callback
}

func redirectURI(t testing.TB, challenge string) string {
	t.Helper()
	return mustURL(t, challenge).Query().Get("redirect_uri")
}

// comeBack lets a browser without any cookie land at the callback and returns
// the handle that the app gets.
func comeBack(t testing.TB, callback string) (handle string) {
	t.Helper()
	at, page := browse(t, nil, callback, landingPage)
	u := mustURL(t, at)
	handle = u.Query().Get("sign_up_handle")
	if !strings.HasPrefix(at, landingPage+"?") || handle == "" || len(u.Query()) != 1 {
		t.Fatalf("the person comes back to %s: %.300s", at, page)
	}
	return handle
}

// visit goes all the way to the provider and back.
func (p *provider) visit(t testing.TB, challenge, person string) (handle string) {
	t.Helper()
	return comeBack(t, p.authorize(t, challenge, person))
}
