package landing_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"stepwise/internal/landing"
	"stepwise/internal/signup"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// refusal is an error for the caller.
type refusal string

func (r refusal) Error() string { return "refused" }
func (r refusal) Code() string  { return string(r) }

// outage is what a store's silence looks like.
type outage struct{ refusal }

func (outage) Unwrap() error { return errors.New("dial: nobody there") }

// world is a handler over a service that does as it is told and notes what it
// was asked.
type world struct {
	http.Handler
	t   testing.TB
	log bytes.Buffer

	location    string
	callbackErr error
	page        signup.LinkPage
	openErr     error
	authErr     error
	result      signup.LinkResult
	followErr   error

	answers  []signup.AccountAnswer
	opened   []string
	asked    int      // how often it was looked whose browser it is
	followed []string // client and token
}

func (w *world) AccountCallback(_ context.Context, a signup.AccountAnswer) (string, error) {
	w.answers = append(w.answers, a)
	return w.location, w.callbackErr
}

func (w *world) OpenLink(_ context.Context, token string) (signup.LinkPage, error) {
	w.opened = append(w.opened, token)
	return w.page, w.openErr
}

func (w *world) FollowLink(_ context.Context, p signup.Principal, token string) (signup.LinkResult, error) {
	w.followed = append(w.followed, p.Client+" "+token)
	return w.result, w.followErr
}

func newWorld(t testing.TB) *world {
	w := &world{
		t: t, location: "https://app.example/done?ok=1#top",
		page:   signup.LinkPage{AppName: "Acme"},
		result: signup.LinkResult{Outcome: signup.LinkConfirmed},
	}
	w.Handler = landing.New(landing.Config{
		Service: w,
		Authenticate: func(r *http.Request) (signup.Principal, error) {
			w.asked++
			cookie, err := r.Cookie("client")
			if err != nil {
				return signup.Principal{}, w.authErr
			}
			return signup.Principal{Client: cookie.Value}, w.authErr
		},
		SetCookie: func(out http.ResponseWriter, instance, token string) {
			out.Header().Set("Set-Cookie", instance+"="+token)
		},
		PublicURL: &url.URL{Scheme: "https", Host: "signup.example"},
		Logger:    slog.New(slog.NewTextHandler(&w.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	return w
}

// send sends a request with headers in pairs of name and value.
func (w *world) send(method, target, body string, headers ...string) *httptest.ResponseRecorder {
	w.t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Host = "inside.example:8080" // what the proxy calls us
	for pair := range slices.Chunk(headers, 2) {
		r.Header.Set(pair[0], pair[1])
	}
	out := httptest.NewRecorder()
	w.ServeHTTP(out, r)
	checkReply(w.t, method+" "+target, out)
	return out
}

const formType = "application/x-www-form-urlencoded"

// post sends a form as a browser does from our own page.
func (w *world) post(target, body string, headers ...string) *httptest.ResponseRecorder {
	w.t.Helper()
	return w.send(http.MethodPost, target, body, append([]string{"Content-Type", formType, "Origin", "null", "Sec-Fetch-Site", "same-origin"}, headers...)...)
}

// calls is how many calls the service got that may change something.
func (w *world) calls() int { return len(w.answers) + len(w.followed) }

const (
	strictPolicy = "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
	returnPolicy = "default-src 'none'; style-src 'self'; form-action 'self' %s; base-uri 'none'; frame-ancestors 'none'"
)

// checkReply holds every reply to what all replies promise.
func checkReply(t testing.TB, name string, out *httptest.ResponseRecorder) {
	t.Helper()
	h := out.Header()
	for header, want := range map[string]string{
		"Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff", "Cross-Origin-Resource-Policy": "same-origin",
	} {
		if h.Get(header) != want {
			t.Errorf("%s: %s is %q", name, header, h.Get(header))
		}
	}
	if policy := h.Get("Content-Security-Policy"); policy != strictPolicy && !strings.HasPrefix(policy, strings.Split(returnPolicy, "%s")[0]) {
		t.Errorf("%s: policy %q", name, policy)
	}
	body := out.Body.String()
	switch mediaType := h.Get("Content-Type"); {
	case out.Code == http.StatusSeeOther:
		if body != "" || h.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: a redirect with %q, Cache-Control %q", name, body, h.Get("Cache-Control"))
		}
	case mediaType == "text/css; charset=utf-8":
		if h.Get("Cache-Control") != "public, max-age=3600" {
			t.Errorf("%s: Cache-Control %q", name, h.Get("Cache-Control"))
		}
	case mediaType == "text/html; charset=utf-8":
		if h.Get("Cache-Control") != "no-store" || h.Get("Location") != "" {
			t.Errorf("%s: Cache-Control %q, Location %q", name, h.Get("Cache-Control"), h.Get("Location"))
		}
		for _, needed := range []string{`<html lang="en">`, "<title>", "<main>", "<h1>", `name="viewport"`, "</html>"} {
			if strings.Count(body, needed) != 1 {
				t.Errorf("%s: %q is not in the page once:\n%s", name, needed, body)
			}
		}
		for _, never := range []string{"<script", "<style", "style=", " on", "javascript:", "<img", "<iframe", "http://", "https://"} {
			if strings.Contains(strings.ToLower(markup(body)), never) {
				t.Errorf("%s: %q in the page:\n%s", name, never, body)
			}
		}
	default:
		t.Errorf("%s: %d with Content-Type %q", name, out.Code, mediaType)
	}
}

// markup is the page without its texts.
func markup(page string) string {
	var b strings.Builder
	for part := range strings.SplitSeq(page, "<") {
		tag, _, _ := strings.Cut(part, ">")
		b.WriteString("<" + tag + ">")
	}
	return b.String()
}

func TestPathsAndMethods(t *testing.T) {
	const query = "?token=t1&state=s1&code=c1"
	for path, allow := range map[string]string{
		"/oauth/callback/google": "GET, POST", "/verify": "GET, HEAD, POST", "/landing/style.css": "GET, HEAD",
		"/": "", "/verify/": "", "/verify/x": "", "/Verify": "", "/oauth/callback": "", "/landing/": "", "/landing/page.html": "", "/landing/../verify": "",
	} {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "get", "PROPFIND"} {
			w := newWorld(t)
			out := w.send(method, "http://inside.example"+path+query, "token=t1&state=s1&code=c1", "Content-Type", formType)
			want := http.StatusMethodNotAllowed
			switch allowed := slices.Contains(strings.Split(allow, ", "), method); {
			case allow == "":
				want = http.StatusNotFound
			case allowed && strings.HasPrefix(path, "/oauth"):
				want = http.StatusSeeOther
			case allowed:
				want = http.StatusOK
			}
			if out.Code != want {
				t.Errorf("%s %s: %d, want %d", method, path, out.Code, want)
			}
			if got := out.Header().Get("Allow"); (want == http.StatusMethodNotAllowed) != (got == allow && got != "") {
				t.Errorf("%s %s: Allow %q", method, path, got)
			}
			if want >= 400 && w.calls()+len(w.opened) > 0 {
				t.Errorf("%s %s reached the service", method, path)
			}
		}
	}
}

func TestStyle(t *testing.T) {
	out := newWorld(t).send("GET", landing.StylePath, "")
	if !strings.Contains(out.Body.String(), "prefers-color-scheme: dark") || strings.Contains(out.Body.String(), "url(") {
		t.Errorf("style:\n%s", out.Body)
	}
}

// What the service's errors look like from outside, and in the log.
func TestErrors(t *testing.T) {
	secret := errors.New("connection lost")
	for _, tt := range []struct {
		err    error
		status int
		logged string // "" nothing
	}{
		{refusal("NOT_FOUND"), 400, ""},
		{refusal("UNAUTHENTICATED"), 400, ""},
		{fmt.Errorf("while looking: %w", refusal("NOT_FOUND")), 400, ""},
		{refusal("UNAVAILABLE"), 503, "refused"},
		{outage{"UNAVAILABLE"}, 503, "nobody there"},
		{fmt.Errorf("while looking: %w", outage{"UNAVAILABLE"}), 503, "nobody there"},
		{context.DeadlineExceeded, 503, "deadline"},
		{secret, 500, "connection lost"},
	} {
		for name, try := range map[string]func(w *world) *httptest.ResponseRecorder{
			"callback": func(w *world) *httptest.ResponseRecorder {
				w.callbackErr = tt.err
				return w.send("GET", "/oauth/callback/google?state=s1&code=c1", "")
			},
			"open": func(w *world) *httptest.ResponseRecorder {
				w.openErr = tt.err
				return w.send("GET", "/verify?token=t1", "")
			},
			"open, to follow": func(w *world) *httptest.ResponseRecorder {
				w.openErr = tt.err
				return w.post("/verify", "token=t1")
			},
			"authenticate": func(w *world) *httptest.ResponseRecorder {
				w.authErr = tt.err
				return w.post("/verify", "token=t1")
			},
			"follow": func(w *world) *httptest.ResponseRecorder {
				w.followErr = tt.err
				return w.post("/verify", "token=t1")
			},
		} {
			w := newWorld(t)
			out := try(w)
			if out.Code != tt.status {
				t.Errorf("%s, %v: %d, want %d", name, tt.err, out.Code, tt.status)
			}
			if log := w.log.String(); (log != "") != (tt.logged != "") || !strings.Contains(log, tt.logged) || strings.Count(log, "\n") > 1 {
				t.Errorf("%s, %v: log %q", name, tt.err, log)
			}
			if strings.Contains(out.Body.String(), tt.err.Error()) {
				t.Errorf("%s: the page repeats the error:\n%s", name, out.Body)
			}
			if tt.status == 500 {
				_, reference, _ := strings.Cut(strings.TrimSpace(w.log.String()), "reference=")
				if len(reference) != 10 || !strings.Contains(out.Body.String(), reference) {
					t.Errorf("%s: reference %q is not on the page:\n%s", name, reference, out.Body)
				}
			}
		}
	}
}

// Nobody is told anything who has left.
func TestCallerHasLeft(t *testing.T) {
	w := newWorld(t)
	w.callbackErr = context.Canceled
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	out := httptest.NewRecorder()
	w.ServeHTTP(out, httptest.NewRequest("GET", "/oauth/callback/google?state=s1&code=c1", nil).WithContext(ctx))
	if out.Body.Len() != 0 || w.log.Len() != 0 {
		t.Errorf("page %q, log %q", out.Body, &w.log)
	}
}

// No input, whatever becomes of it, is in a log, and none but a link's token on
// a page.
func TestNothingIsRepeated(t *testing.T) {
	const canary = "c4n4ry"
	for _, err := range []error{nil, refusal("NOT_FOUND"), refusal("UNAVAILABLE"), errors.New("broken")} {
		for _, form := range []string{
			"state=" + canary + "&code=" + canary + "&iss=" + canary + "&user=" + canary, "state=" + canary + "&error=" + canary,
			"state=" + canary + "&state=" + canary, "token=" + canary, "token=" + canary + "&token=" + canary, "token=%zz" + canary,
			canary, canary + ";" + canary, "token=" + canary + "%20", "token=" + strings.Repeat(canary, 20_000), "%3Cscript%3E" + canary,
		} {
			for _, path := range []string{"/oauth/callback/google", "/oauth/callback/" + canary, "/oauth/callback/%3Cscript%3E" + canary, "/verify", "/verify/" + canary, "/" + canary} {
				w := newWorld(t)
				w.callbackErr, w.openErr, w.authErr, w.followErr = err, err, err, err
				if err == nil {
					w.location, w.result = "nowhere", signup.LinkResult{}
				}
				for _, out := range []*httptest.ResponseRecorder{
					w.send("GET", path+"?"+form, ""), w.send("DELETE", path+"?"+form, ""), w.post(path, form), w.post(path+"?"+form, form),
					w.post(path, form, "Sec-Fetch-Site", "cross-site"), w.post(path, form, "Content-Type", "text/"+canary), w.post(path, form, "Cookie", "client="+canary),
				} {
					page := strings.Replace(out.Body.String(), `name="token" value="`+canary+`"`, "", 1)
					if strings.Contains(page, canary) || strings.Contains(fmt.Sprint(out.Header()), canary) {
						t.Errorf("%s %s: the reply repeats what it was sent: %v\n%s", path, form, out.Header(), out.Body)
					}
				}
				if strings.Contains(w.log.String(), canary) {
					t.Errorf("%s %s: log %s", path, form, &w.log)
				}
			}
		}
	}
}

func TestNewChecksItsConfiguration(t *testing.T) {
	w := newWorld(t)
	good := landing.Config{
		Service:      w,
		Authenticate: func(*http.Request) (signup.Principal, error) { return signup.Principal{}, nil },
		SetCookie:    func(http.ResponseWriter, string, string) {},
	}
	landing.New(good)
	for name, change := range map[string]func(*landing.Config){
		"no service":        func(c *landing.Config) { c.Service = nil },
		"no authentication": func(c *landing.Config) { c.Authenticate = nil },
		"no cookie":         func(c *landing.Config) { c.SetCookie = nil },
		"no origin":         func(c *landing.Config) { c.PublicURL = &url.URL{Path: "/x"} },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("accepted")
				}
			}()
			c := good
			change(&c)
			landing.New(c)
		})
	}
}
