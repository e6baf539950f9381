package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"stepwise/internal/realtest"
)

// botProvider tells people from programs: it takes each token that it has given out
// once.
type botProvider struct {
	*httptest.Server
	mu    sync.Mutex
	given map[string]bool
	asked []string
	away  bool
}

const botSecret = "canary-bot-secret-3308"

func startBotProvider(t testing.TB) *botProvider {
	t.Helper()
	p := &botProvider{given: map[string]bool{}}
	p.Server = httptest.NewServer(http.HandlerFunc(p.answer))
	t.Cleanup(p.Close)
	return p
}

func (p *botProvider) answer(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	token, secret := r.PostFormValue("response"), r.PostFormValue("secret")
	p.asked = append(p.asked, token)
	switch {
	case p.away:
		w.WriteHeader(http.StatusServiceUnavailable)
	case r.Method != http.MethodPost || r.URL.RawQuery != "" || secret != botSecret:
		io.WriteString(w, `{"success": false, "error-codes": ["invalid-input-secret"]}`)
	case !p.given[token]:
		io.WriteString(w, `{"success": false, "error-codes": ["timeout-or-duplicate"]}`)
	default:
		delete(p.given, token)
		fmt.Fprintf(w, `{"success": true, "sitekey": %q}`, r.PostFormValue("sitekey"))
	}
}

// token is a new one, as the widget gives it to a person.
func (p *botProvider) token() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	token := "canary-bot-token-" + randomHex(6)
	p.given[token] = true
	return token
}

func (p *botProvider) times() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.asked)
}

func (p *botProvider) setAway(away bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.away = away
}

// TestBotCheck walks a person, and programs, past the real server.
func TestBotCheck(t *testing.T) {
	t.Parallel()
	provider := startBotProvider(t)
	server := realtest.Program(t, realtest.ProgramOptions{Env: map[string]string{"BOT_CHECK_URL": provider.URL + "/siteverify"}})
	administrator := newAdministrator(t, server)
	public := func() (p struct{ Provider, SiteKey string }, on bool) {
		var data struct {
			PublicSettings struct {
				BotProtection *struct{ Provider, SiteKey string }
			}
		}
		newClient(t, server).query(t, "{ publicSettings { botProtection { provider siteKey } } }", nil, &data)
		if b := data.PublicSettings.BotProtection; b != nil {
			return *b, true
		}
		return p, false
	}
	if _, on := public(); on {
		t.Error("a new instance asks for a token")
	}
	administrator.changeSettings(t, map[string]any{"botProtection": map[string]any{"provider": "HCAPTCHA", "siteKey": "site-1", "secretKey": botSecret}})
	if p, on := public(); !on || p.Provider != "HCAPTCHA" || p.SiteKey != "site-1" {
		t.Errorf("people are shown %+v", p)
	}
	var shown struct {
		InstanceSettings struct {
			BotProtection struct {
				Provider, SiteKey string
				SecretKeySet      bool
			}
		}
	}
	administrator.query(t, "{ instanceSettings { botProtection { provider siteKey secretKeySet } } }", nil, &shown)
	if b := shown.InstanceSettings.BotProtection; b.Provider != "HCAPTCHA" || b.SiteKey != "site-1" || !b.SecretKeySet {
		t.Errorf("administrators are shown %+v", b)
	}

	refusedWith := func(code string, input map[string]any) {
		t.Helper()
		o := mustTry(t)(newClient(t, server).tryCreate(input))
		if !slices.Equal(o.errorCodes(), []string{code}) || !slices.Equal(o.UserErrors[0].Field, []string{"input", "botToken"}) || o.SignUp != nil {
			t.Errorf("%v: sign-up %v, user errors %+v; want %s", input, o.SignUp, o.UserErrors, code)
		}
	}
	refusedWith("BOT_TOKEN_MISSING", map[string]any{})
	refusedWith("BOT_TOKEN_MISSING", map[string]any{"botToken": ""})
	refusedWith("BOT_TOKEN_MISSING", map[string]any{"botToken": nil})
	if n := provider.times(); n != 0 {
		t.Errorf("the provider was asked %d times about nothing", n)
	}
	refusedWith("BOT_TOKEN_REFUSED", map[string]any{"botToken": "made up canary"})

	token := provider.token()
	both := mustTry(t)(newClient(t, server).tryCreate(map[string]any{"emailAddress": "ada", "password": "short", "botToken": token}))
	if !slices.Equal(both.errorCodes(), []string{"INVALID_FORMAT", "TOO_SHORT"}) {
		t.Errorf("%+v", both.UserErrors)
	}
	provider.setAway(true)
	refusedWith("BOT_CHECK_UNAVAILABLE", map[string]any{"botToken": token})
	provider.setAway(false)

	ada := newClient(t, server)
	input := map[string]any{
		"emailAddress": "ada@example.com", "password": goodPassword, "botToken": token, "idempotencyKey": "once",
		"startVerifications": []any{map[string]any{"strategy": "EMAIL_CODE"}},
	}
	ada.create(t, input)
	refusedWith("BOT_TOKEN_REFUSED", map[string]any{"botToken": token})
	if done := ada.check(t, "emailCode", ada.code(t, "ada@example.com")); done.Status != "COMPLETE" {
		t.Fatalf("%s, want COMPLETE", done.Status)
	}

	// A client that is known, and did not hear the answer to its second sign-up.
	input["emailAddress"], input["botToken"], input["idempotencyKey"] = "grace@example.com", provider.token(), "twice"
	second := ada.create(t, input)
	asked := provider.times()
	if again := ada.create(t, input); again.ID != second.ID || provider.times() != asked {
		t.Errorf("made again, the call has the sign-up %s, and the provider was asked %d times more", again.ID, provider.times()-asked)
	}
	for _, secret := range []string{"canary-bot", "made up canary"} {
		if output := server.Stdout() + server.Stderr(); strings.Contains(output, secret) {
			t.Errorf("the output has %q:\n%s", secret, output)
		}
	}
}
