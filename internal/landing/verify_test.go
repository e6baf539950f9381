package landing_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"stepwise/internal/signup"
)

func TestOpenLink(t *testing.T) {
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		w := newWorld(t)
		out := w.send(method, "/verify?utm_source=mail&token=t1.A_b-~%2B", "", "Cookie", "client=client_1")
		if out.Code != http.StatusOK || !slices.Equal(w.opened, []string{"t1.A_b-~+"}) {
			t.Fatalf("%s: %d, opened %q", method, out.Code, w.opened)
		}
		body := out.Body.String()
		for _, want := range []string{
			`<form method="post" action="/verify">`, `<input type="hidden" name="token" value="t1.A_b-~&#43;">`, "Acme",
			`<button type="submit">Confirm my email address</button>`,
		} {
			if strings.Count(body, want) == 0 {
				t.Errorf("no %s in the page:\n%s", want, body)
			}
		}
		if w.asked != 0 || out.Header().Get("Set-Cookie") != "" {
			t.Errorf("%s: a cookie was looked at or set", method)
		}
	}
}

func TestOpenLinkPolicy(t *testing.T) {
	for origin, want := range map[string]string{
		"": strictPolicy, "https://app.example": fmt.Sprintf(returnPolicy, "https://app.example"),
		"http://localhost:3000": fmt.Sprintf(returnPolicy, "http://localhost:3000"), "com.example.app:": fmt.Sprintf(returnPolicy, "com.example.app:"),
	} {
		w := newWorld(t)
		w.page.ReturnOrigin = origin
		if out := w.send("GET", "/verify?token=t1", ""); out.Code != 200 || out.Header().Get("Content-Security-Policy") != want {
			t.Errorf("%q: %d, %s", origin, out.Code, out.Header().Get("Content-Security-Policy"))
		}
	}
	for _, origin := range []string{
		"*", "https:", "https://", "https://*", "https://*.example", "https://app.example/", "https://app.example/path", "https://a.example https://b.example",
		"https://a.example;script-src *", "https://a.example,default-src *", "javascript:", "app.example", "https://u@app.example", "'unsafe-inline'",
		"https://a.example\r\nSet-Cookie: a=b", "https://é.example", "ftp://a.example", "data:", "com.example.app", "com.example.app://x", ".app:", "com..app:", "HTTPS://a.example",
	} {
		w := newWorld(t)
		w.page.ReturnOrigin = origin
		if out := w.send("GET", "/verify?token=t1", ""); out.Code != 500 || out.Header().Get("Content-Security-Policy") != strictPolicy {
			t.Errorf("%q: %d, %s", origin, out.Code, out.Header().Get("Content-Security-Policy"))
		}
	}
}

var notTokens = map[string]string{
	"nothing": "", "another name": "Token=t1", "empty": "token=", "two": "token=t1&token=t2", "the same twice": "token=t1&token=t1",
	"long": "token=" + strings.Repeat("t", 1025), "space": "token=t+1", "line break": "token=t%0d%0a", "NUL": "token=%00", "not ASCII": "token=%C3%A9",
	"not UTF-8": "token=%ff", "broken escape": "token=%zz", "semicolon": "token=t1;x",
}

func TestLinkWithoutAToken(t *testing.T) {
	for name, form := range notTokens {
		w := newWorld(t)
		for _, out := range []*httptest.ResponseRecorder{
			w.send("GET", "/verify?"+form, ""), w.send("HEAD", "/verify?"+form, ""), w.post("/verify", form), w.post("/verify?token=t1", form),
		} {
			if out.Code != http.StatusBadRequest {
				t.Errorf("%s: %d", name, out.Code)
			}
		}
		if len(w.opened) != 0 || w.calls() != 0 {
			t.Errorf("%s reached the service", name)
		}
	}
}

// The longest token is taken.
func TestLongToken(t *testing.T) {
	w := newWorld(t)
	token := strings.Repeat("t", 1024)
	w.send("GET", "/verify?token="+token, "")
	w.post("/verify", "token="+token)
	if !slices.Equal(w.opened, []string{token, token}) || len(w.followed) != 1 {
		t.Errorf("opened %d times, followed %d times", len(w.opened), len(w.followed))
	}
}

func TestExpiredLink(t *testing.T) {
	w := newWorld(t)
	w.page.Expired = true
	for _, method := range []string{"GET", "HEAD"} {
		if out := w.send(method, "/verify?token=t1", ""); out.Code != http.StatusGone || strings.Contains(out.Body.String(), "<form") || strings.Contains(out.Body.String(), "t1") {
			t.Errorf("%s: %d\n%s", method, out.Code, out.Body)
		}
	}
	// Whether it was followed in time is the service's to say.
	if out := w.post("/verify", "token=t1"); out.Code != http.StatusOK || len(w.followed) != 1 {
		t.Errorf("POST: %d", out.Code)
	}
}

// Scanners of mail look at links, by GET and HEAD, as often as they like, and
// even with a cookie: the person's button still works, once.
func TestLookingConsumesNothing(t *testing.T) {
	w := newWorld(t)
	for range 5 {
		for _, method := range []string{"HEAD", "GET"} {
			if out := w.send(method, "/verify?token=t1", "", "Cookie", "client=client_1"); out.Code != 200 {
				t.Errorf("%s: %d", method, out.Code)
			}
		}
	}
	if w.calls() != 0 || w.asked != 0 {
		t.Fatalf("looking changed something: %q", w.followed)
	}
	out := w.post("/verify", "token=t1", "Cookie", "client=client_1")
	if out.Code != http.StatusOK || !slices.Equal(w.followed, []string{"client_1 t1"}) || w.asked != 1 {
		t.Errorf("the button: %d, followed %q, asked %d times", out.Code, w.followed, w.asked)
	}
}

func TestFollowLink(t *testing.T) {
	for _, tt := range []struct {
		result signup.LinkResult
		status int
		says   string
	}{
		{signup.LinkResult{Outcome: signup.LinkConfirmed}, 200, "Your email address is confirmed. Go back to the tab where you began; it continues by itself."},
		{signup.LinkResult{Outcome: signup.LinkElsewhere}, 403, "Type the code from the mail where you began. This browser did not begin the sign-up."},
		{signup.LinkResult{Outcome: signup.LinkExpired}, 410, "This link has expired"},
		{signup.LinkResult{Outcome: signup.LinkInvalid}, 400, "This link does not work"},
		{signup.LinkResult{Outcome: signup.LinkRefused, Message: "Too many tries. <b>Wait</b> & see."}, 422, "Too many tries. &lt;b&gt;Wait&lt;/b&gt; &amp; see."},
		{signup.LinkResult{Outcome: signup.LinkReturn, ReturnTo: "https://app.example/done?x=1#y"}, 303, ""},
		{signup.LinkResult{Outcome: signup.LinkReturn}, 500, "Something went wrong"},
		{signup.LinkResult{Outcome: signup.LinkReturn, ReturnTo: "/done"}, 500, "Something went wrong"},
		{signup.LinkResult{}, 500, "Something went wrong"},
		{signup.LinkResult{Outcome: "SOMETHING_NEW"}, 500, "Something went wrong"},
	} {
		for _, token := range []string{"", "ct_new"} {
			w := newWorld(t)
			w.result = tt.result
			w.result.ClientToken, w.result.Instance = token, "ins_1"
			out := w.post("/verify", "token=t1")
			body := out.Body.String()
			if out.Code != tt.status || !strings.Contains(body, tt.says) || strings.Contains(body, "<form") {
				t.Errorf("%+v: %d\n%s", tt.result, out.Code, body)
			}
			if tt.status == 303 && out.Header().Get("Location") != tt.result.ReturnTo {
				t.Errorf("%+v: to %q", tt.result, out.Header().Get("Location"))
			}
			want := ""
			if token != "" {
				want = "ins_1=ct_new"
			}
			if got := out.Header().Get("Set-Cookie"); got != want {
				t.Errorf("%+v: cookie %q, want %q", tt.result, got, want)
			}
			if strings.Contains(body+w.log.String(), "ct_new") {
				t.Errorf("%+v: the client's token was let out", tt.result)
			}
			if !slices.Equal(w.followed, []string{" t1"}) { // a browser without a cookie
				t.Errorf("%+v: followed %q", tt.result, w.followed)
			}
		}
	}
}

// Pages of other sites cannot press the button, whatever the browser.
func TestFollowLinkFromOtherSites(t *testing.T) {
	for _, tt := range []struct {
		name    string
		headers []string
		refused bool
	}{
		{"own page", []string{"Origin", "null", "Sec-Fetch-Site", "same-origin"}, false}, // no-referrer makes the origin null
		{"own page with an origin", []string{"Origin", "https://signup.example", "Sec-Fetch-Site", "same-origin"}, false},
		{"typed", []string{"Sec-Fetch-Site", "none"}, false},
		{"older browser, behind a proxy", []string{"Origin", "https://signup.example"}, false},
		{"older browser, no proxy", []string{"Origin", "https://inside.example:8080"}, false},
		{"no browser", nil, false},
		{"foreign page", []string{"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"}, true},
		{"foreign page that hides its name", []string{"Origin", "null", "Sec-Fetch-Site", "cross-site"}, true},
		{"foreign page, older browser", []string{"Origin", "https://evil.example"}, true},
		{"foreign page that hides its name, older browser", []string{"Origin", "null"}, true},
		{"sibling", []string{"Origin", "https://x.signup.example", "Sec-Fetch-Site", "same-site"}, true},
		{"same host without TLS", []string{"Origin", "http://signup.example", "Sec-Fetch-Site", "cross-site"}, true},
		{"without an origin", []string{"Sec-Fetch-Site", "cross-site"}, true},
	} {
		w := newWorld(t)
		out := w.send("POST", "/verify", "token=t1", append([]string{"Content-Type", formType, "Cookie", "client=client_1"}, tt.headers...)...)
		if tt.refused != (out.Code == http.StatusForbidden) || tt.refused != (len(w.opened)+w.asked+w.calls() == 0) {
			t.Errorf("%s: %d, followed %q", tt.name, out.Code, w.followed)
		}
	}
}

// A real server sends no body with HEAD.
func TestHeadHasNoBody(t *testing.T) {
	server := httptest.NewServer(newWorld(t))
	defer server.Close()
	client := server.Client()
	defer client.CloseIdleConnections()
	for path, want := range map[string]int{"/verify?token=t1": 200, "/landing/style.css": 200, "/verify": 400, "/oauth/callback/google?state=s1&code=c1": 405, "/x": 404} {
		reply, err := client.Head(server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		reply.Body.Close()
		if reply.StatusCode != want || reply.ContentLength <= 0 {
			t.Errorf("%s: %d, length %d", path, reply.StatusCode, reply.ContentLength)
		}
	}
}
