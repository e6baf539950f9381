package botcheck

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"stepwise/internal/outbound"
	"stepwise/internal/signup"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var question = signup.BotQuestion{Provider: signup.BotTurnstile, SiteKey: "site-1", Secret: "canary-secret-1", Token: "canary-token-2"}

// at asks a provider that answers with handle, as in development.
func at(t *testing.T, handle http.HandlerFunc) *Checker {
	t.Helper()
	server := httptest.NewServer(handle)
	t.Cleanup(server.Close)
	client := outbound.NewClient(outbound.Options{AllowPrivate: true})
	t.Cleanup(client.CloseIdleConnections)
	return New(client, server.URL)
}

func says(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

// TestAnswers: the literal true lets people in, the literal false keeps the token out,
// and of all else nothing is known.
func TestAnswers(t *testing.T) {
	const (
		person  = "person"
		bot     = "bot"
		unknown = "unknown"
	)
	for name, test := range map[string]struct {
		status     int
		body, want string
	}{
		"success":            {200, `{"success": true, "hostname": "app.example.com", "error-codes": []}`, person},
		"success, less":      {200, `{"success":true}`, person},
		"refusal":            {200, `{"success": false, "error-codes": ["timeout-or-duplicate"]}`, bot},
		"refusal, no reason": {200, `{"success": false}`, bot},
		"refusal, nonsense":  {200, `{"success": false, "error-codes": [5, {}, "canary-token-2"]}`, bot},
		"wrong secret":       {200, `{"success": false, "error-codes": ["invalid-input-secret"]}`, unknown},
		"no secret":          {200, `{"success": false, "error-codes": ["missing-input-secret"]}`, unknown},
		"its own error":      {200, `{"success": false, "error-codes": ["internal-error"]}`, unknown},
		"the string":         {200, `{"success": "true"}`, unknown},
		"a number":           {200, `{"success": 1}`, unknown},
		"a list":             {200, `{"success": [true]}`, unknown},
		"null":               {200, `{"success": null}`, unknown},
		"another name":       {200, `{"Success": true, "SUCCESS": true}`, unknown},
		"no answer":          {200, `{"canary-secret-1": true}`, unknown},
		"a list of it":       {200, `[{"success": true}]`, unknown},
		"the bare word":      {200, `true`, unknown},
		"two":                {200, `{"success": true} {"success": false}`, unknown},
		"cut":                {200, `{"success": true`, unknown},
		"a page":             {200, `<html>canary-token-2</html>`, unknown},
		"empty":              {200, ``, unknown},
		"huge":               {200, `{"success": true, "x": "` + strings.Repeat("x", maxAnswer) + `"}`, unknown},
		"out of order":       {500, `{"success": true}`, unknown},
		"not found":          {404, `{"success": true}`, unknown},
		"accepted":           {202, `{"success": true}`, unknown},
	} {
		err := at(t, says(test.status, test.body)).Check(t.Context(), question)
		got := unknown
		switch {
		case err == nil:
			got = person
		case errors.Is(err, signup.ErrBot):
			got = bot
		}
		if got != test.want {
			t.Errorf("%s: %s, want %s (%v)", name, got, test.want, err)
		}
		wantSilent(t, name, err)
	}
}

// wantSilent expects no error that has a secret.
func wantSilent(t *testing.T, name string, err error) {
	t.Helper()
	if said := fmt.Sprintf("%v %+v %#v", err, err, err); strings.Contains(said, "canary") {
		t.Errorf("%s: %s", name, said)
	}
}

// TestAway: no connection, none that lasts, another address.
func TestAway(t *testing.T) {
	followed := false
	for name, handle := range map[string]http.HandlerFunc{
		"hung up": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"slow":    func(_ http.ResponseWriter, r *http.Request) { io.ReadAll(r.Body); <-r.Context().Done() },
		"slow in between": func(w http.ResponseWriter, r *http.Request) {
			io.ReadAll(r.Body)
			io.WriteString(w, `{"success": true`)
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		},
		"a redirect": func(w http.ResponseWriter, r *http.Request) {
			if followed = r.URL.Path == "/elsewhere"; !followed {
				http.Redirect(w, r, "/elsewhere", http.StatusPermanentRedirect)
			}
		},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		err := at(t, handle).Check(ctx, question)
		cancel()
		if err == nil || errors.Is(err, signup.ErrBot) {
			t.Errorf("%s: %v", name, err)
		}
		wantSilent(t, name, err)
	}
	if followed {
		t.Error("a redirect was followed")
	}
}

// TestWhatIsAsked: the secret in the body alone, and hCaptcha for which site.
func TestWhatIsAsked(t *testing.T) {
	var got url.Values
	times := 0
	checker := at(t, func(w http.ResponseWriter, r *http.Request) {
		times++
		if r.Method != http.MethodPost || r.RequestURI != "/" || r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" {
			t.Errorf("%s %s as %s", r.Method, r.RequestURI, r.Header.Get("Content-Type"))
		}
		if r.ParseForm() == nil {
			got = r.PostForm
		}
		io.WriteString(w, `{"success": true}`)
	})
	for provider, want := range map[signup.BotProvider]url.Values{
		signup.BotTurnstile: {"secret": {"a+b&c"}, "response": {"t=1&secret=x"}},
		signup.BotHCaptcha:  {"secret": {"a+b&c"}, "response": {"t=1&secret=x"}, "sitekey": {"site-1"}},
	} {
		times = 0
		err := checker.Check(t.Context(), signup.BotQuestion{Provider: provider, SiteKey: "site-1", Secret: "a+b&c", Token: "t=1&secret=x"})
		if err != nil || got.Encode() != want.Encode() || times != 1 {
			t.Errorf("%s: asked %v, %d times, %v", provider, got, times, err)
		}
	}
}

// passedOn is a RoundTripper that answers by itself, and keeps where it was sent.
type passedOn struct{ at string }

func (p *passedOn) RoundTrip(r *http.Request) (*http.Response, error) {
	p.at = r.URL.String()
	return nil, errors.New("not sent")
}

// TestAddresses: each provider is asked at its own, by https.
func TestAddresses(t *testing.T) {
	for provider, want := range map[signup.BotProvider]string{
		signup.BotTurnstile: "https://challenges.cloudflare.com/turnstile/v0/siteverify",
		signup.BotHCaptcha:  "https://api.hcaptcha.com/siteverify",
	} {
		p := &passedOn{}
		q := question
		q.Provider = provider
		if err := New(&http.Client{Transport: p}, "").Check(t.Context(), q); err == nil || p.at != want {
			t.Errorf("%s is asked at %s: %v", provider, p.at, err)
		}
	}
}

// TestOnlyPublicProviders: production asks nobody in its own network.
func TestOnlyPublicProviders(t *testing.T) {
	asked := false
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	defer server.Close()
	if err := New(outbound.NewClient(outbound.Options{}), server.URL).Check(t.Context(), question); err == nil || asked {
		t.Errorf("a server on this machine was asked: %v", err)
	}
}
