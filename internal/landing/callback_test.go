package landing_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"stepwise/internal/signup"
)

// callback brings a provider's answer by GET, or by a form from the provider's
// page.
func (w *world) callback(method, provider, form string) *httptest.ResponseRecorder {
	w.t.Helper()
	if method == http.MethodGet {
		return w.send(method, "/oauth/callback/"+provider+"?"+form, "", "Sec-Fetch-Site", "cross-site")
	}
	return w.send(method, "/oauth/callback/"+provider, form, "Content-Type", formType, "Origin", "https://appleid.example", "Sec-Fetch-Site", "cross-site")
}

func TestCallbackHandsTheAnswerOver(t *testing.T) {
	const user = `{"name":{"firstName":"Zoë","lastName":"O’Neil"},"email":"zoe@example.com"}`
	long := strings.Repeat("~", 4096)
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		for _, tt := range []struct {
			provider, form string
			want           signup.AccountAnswer
		}{
			{"google", "state=s1&code=4%2F0AX+y&scope=openid+email&authuser=0&scope=twice", signup.AccountAnswer{Provider: "google", State: "s1", Code: "4/0AX y"}},
			{"google", "state=s1&code=c1&iss=https%3A%2F%2Faccounts.google.com", signup.AccountAnswer{Provider: "google", State: "s1", Code: "c1", Issuer: "https://accounts.google.com"}},
			{"apple", "state=s1&code=c1&user=" + url.QueryEscape(user), signup.AccountAnswer{Provider: "apple", State: "s1", Code: "c1", User: user}},
			{"my.own_one-2", "error=access_denied&error_description=No&state=s1", signup.AccountAnswer{Provider: "my.own_one-2", State: "s1", Error: "access_denied"}},
			{strings.Repeat("p", 64), "state=" + long[:1024] + "&code=" + long, signup.AccountAnswer{Provider: strings.Repeat("p", 64), State: long[:1024], Code: long}},
			{"x", "state=s1&error=" + long[:256] + "&iss=" + long[:2048] + "&code=", signup.AccountAnswer{Provider: "x", State: "s1", Error: long[:256], Issuer: long[:2048]}},
		} {
			w := newWorld(t)
			out := w.callback(method, tt.provider, tt.form)
			if out.Code != http.StatusSeeOther || out.Header().Get("Location") != w.location {
				t.Errorf("%s %.80s: %d to %q", method, tt.form, out.Code, out.Header().Get("Location"))
			}
			if !slices.Equal(w.answers, []signup.AccountAnswer{tt.want}) {
				t.Errorf("%s %.80s: answers %+v", method, tt.form, w.answers)
			}
			if w.asked != 0 || out.Header().Get("Set-Cookie") != "" {
				t.Errorf("%s: a cookie was looked at or set", method)
			}
		}
	}
}

// malformed are answers that no provider gives.
var malformed = map[string]string{
	"nothing": "", "no state": "code=c1", "empty state": "state=&code=c1", "neither code nor error": "state=s1", "empty code": "state=s1&code=",
	"code and error": "state=s1&code=c1&error=access_denied",
	"two states":     "state=s1&state=s2&code=c1", "the same state twice": "state=s1&state=s1&code=c1", "two codes": "state=s1&code=c1&code=c2",
	"two issuers": "state=s1&code=c1&iss=a&iss=b", "two errors": "state=s1&error=a&error=b", "two users": "state=s1&code=c1&user=a&user=b",
	"an empty one and another": "state=s1&code=&code=c1",
	"long state":               "code=c1&state=" + strings.Repeat("s", 1025), "long code": "state=s1&code=" + strings.Repeat("c", 4097),
	"long issuer": "state=s1&code=c1&iss=" + strings.Repeat("i", 2049), "long error": "state=s1&error=" + strings.Repeat("e", 257),
	"long user":          "state=s1&code=c1&user=" + strings.Repeat("u", 4097),
	"line break":         "state=s1%0d%0a&code=c1",
	"NUL":                "state=s1&code=c%00",
	"not ASCII":          "state=s1&code=%C3%A9",
	"DEL":                "state=s1&code=%7f",
	"user is not UTF-8":  "state=s1&code=c1&user=%ff",
	"issuer not ASCII":   "state=s1&code=c1&iss=https://%C3%A9.example",
	"broken escape":      "state=s1&code=%zz",
	"broken escape last": "state=s1&code=c1&x=%",
	"semicolon":          "state=s1;code=c1",
	"other names":        "State=s1&CODE=c1",
	"markup":             "state=<script>alert(1)</script>",
}

func TestCallbackRefusesWhatIsMalformed(t *testing.T) {
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		for name, form := range malformed {
			w := newWorld(t)
			if out := w.callback(method, "google", form); out.Code != http.StatusBadRequest || len(w.answers) != 0 {
				t.Errorf("%s, %s: %d, answers %+v", method, name, out.Code, w.answers)
			}
		}
		for _, provider := range []string{"", "a/b", "google/", "%2e%2e%2fverify", "g%20", "%C3%A9", "%3Cscript%3E", "%00", strings.Repeat("p", 65)} {
			w := newWorld(t)
			if out := w.callback(method, provider, "state=s1&code=c1"); out.Code != http.StatusBadRequest || len(w.answers) != 0 {
				t.Errorf("%s, provider %q: %d, answers %+v", method, provider, out.Code, w.answers)
			}
		}
	}
}

// A form's parameters are those of the body, a query's those of the address:
// what is in the other place does not count.
func TestCallbackDoesNotMix(t *testing.T) {
	w := newWorld(t)
	if out := w.send("POST", "/oauth/callback/apple?state=s2&code=c2&error=x", "state=s1&code=c1", "Content-Type", formType); out.Code != http.StatusSeeOther {
		t.Errorf("form: %d", out.Code)
	}
	if out := w.send("GET", "/oauth/callback/apple?state=s3&code=c3", "state=s1&code=c1", "Content-Type", formType); out.Code != http.StatusSeeOther {
		t.Errorf("query: %d", out.Code)
	}
	if len(w.answers) != 2 || w.answers[0].Code != "c1" || w.answers[1].Code != "c3" {
		t.Errorf("answers %+v", w.answers)
	}
	if out := w.send("POST", "/oauth/callback/apple?state=s2&code=c2", "", "Content-Type", formType); out.Code != http.StatusBadRequest {
		t.Errorf("nothing in the form: %d", out.Code)
	}
}

// Forms everywhere are urlencoded and at most 64 KiB.
func TestBodies(t *testing.T) {
	const fits = 64 << 10
	for path, form := range map[string]string{"/oauth/callback/apple": "state=s1&code=c1&pad=", "/verify": "token=t1&pad="} {
		for size, want := range map[int]int{fits - 1: 0, fits: 0, fits + 1: 413, fits * 20: 413} {
			w := newWorld(t)
			out := w.post(path, form+strings.Repeat("x", size-len(form)))
			if want == 0 && w.calls() != 1 || want != 0 && (out.Code != want || w.calls() != 0) {
				t.Errorf("%s with %d bytes: %d, %d calls", path, size, out.Code, w.calls())
			}
		}
		for mediaType, want := range map[string]int{
			formType: 0, formType + "; charset=utf-8": 0, "Application/X-WWW-Form-Urlencoded": 0,
			"": 415, "application/json": 415, "multipart/form-data; boundary=x": 415, "text/plain": 415, "garbage/": 415,
		} {
			w := newWorld(t)
			out := w.post(path, strings.TrimSuffix(form, "&pad="), "Content-Type", mediaType)
			if want == 0 && w.calls() != 1 || want != 0 && (out.Code != want || w.calls() != 0) {
				t.Errorf("%s as %q: %d, %d calls", path, mediaType, out.Code, w.calls())
			}
		}
		w := newWorld(t)
		r := httptest.NewRequest("POST", path, brokenBody{})
		r.Header.Set("Content-Type", formType)
		out := httptest.NewRecorder()
		w.ServeHTTP(out, r)
		if out.Code != http.StatusBadRequest || w.calls() != 0 {
			t.Errorf("%s, broken off: %d, %d calls", path, out.Code, w.calls())
		}
	}
}

// brokenBody is the body of a request that broke off.
type brokenBody struct{}

func (brokenBody) Read([]byte) (int, error) { return 0, http.ErrBodyReadAfterClose }

// The person goes nowhere but to an absolute address.
func TestCallbackLocation(t *testing.T) {
	for location, want := range map[string]int{
		"https://app.example/": 303, "http://localhost:3000/done?a=b&c=d#e": 303, "com.example.app:/done": 303,
		"": 500, "/done": 500, "//evil.example": 500, "https://app.example/a b": 500, "https://app.example/\r\nSet-Cookie: a=b": 500, "https://app.example/é": 500, "://": 500,
	} {
		w := newWorld(t)
		w.location = location
		out := w.callback("GET", "google", "state=s1&code=c1")
		if out.Code != want || want == 303 && out.Header().Get("Location") != location {
			t.Errorf("%q: %d to %q", location, out.Code, out.Header().Get("Location"))
		}
		if (w.log.Len() > 0) != (want == 500) {
			t.Errorf("%q: log %q", location, &w.log)
		}
	}
}
