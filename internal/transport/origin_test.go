package transport_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"stepwise/internal/transport"
)

func TestCORS(t *testing.T) {
	s := newTestServer(t)
	got := s.ask(`{ greeting }`, "Origin", allowedOrigin)
	got.wants(http.StatusOK, "")
	for name, want := range map[string]string{
		"Access-Control-Allow-Origin":      allowedOrigin,
		"Access-Control-Allow-Credentials": "true",
		"Access-Control-Expose-Headers":    "Client-Token, Retry-After, X-Request-Id",
	} {
		if value := got.header.Get(name); value != want {
			t.Errorf("%s: %q, want %q", name, value, want)
		}
	}
	for _, origin := range []string{"", allowedOrigin, foreignOrigin} {
		if vary := s.ask(`{ greeting }`, "Origin", origin).header.Values("Vary"); !slices.Contains(vary, "Origin") {
			t.Errorf("origin %q: Vary %q", origin, vary)
		}
	}
	// A refusal, too, can be read by the page it was meant for.
	if got := s.ask(`{`, "Origin", allowedOrigin, "Accept", "text/html"); got.header.Get("Access-Control-Allow-Origin") != allowedOrigin {
		t.Error("a refusal cannot be read")
	}
}

func TestPreflight(t *testing.T) {
	s := newTestServer(t)
	const headers = "authorization,client-mode,content-type,publishable-key"
	for _, test := range []struct {
		origin, method, headers string
		allowed                 bool
	}{
		{allowedOrigin, "POST", headers, true},
		{allowedOrigin, "POST", "", true},
		{foreignOrigin, "POST", headers, false},
		{allowedOrigin + ".evil.example", "POST", headers, false},
		{"http://app.example", "POST", headers, false},
		{"null", "POST", headers, false},
		{allowedOrigin, "DELETE", headers, false},
		{allowedOrigin, "POST", "x-custom", false},
	} {
		request := []string{"Origin", test.origin, "Access-Control-Request-Method", test.method}
		if test.headers != "" {
			request = append(request, "Access-Control-Request-Headers", test.headers)
		}
		got := s.do(http.MethodOptions, "", request...)
		if got.status != http.StatusNoContent {
			t.Errorf("%+v: status %d", test, got.status)
		}
		allowed := got.header.Get("Access-Control-Allow-Origin") == test.origin &&
			got.header.Get("Access-Control-Allow-Methods") == "POST" &&
			got.header.Get("Access-Control-Allow-Headers") == test.headers &&
			got.header.Get("Access-Control-Allow-Credentials") == "true"
		if allowed != test.allowed || !test.allowed && got.header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%+v: %v", test, got.header)
		}
		if !strings.Contains(got.header.Get("Vary"), "Origin") {
			t.Errorf("%+v: Vary %q", test, got.header.Get("Vary"))
		}
	}
}

func TestCrossSiteRequests(t *testing.T) {
	s := newTestServer(t)
	host := strings.TrimPrefix(s.url, "http://")
	for _, test := range []struct {
		name    string
		headers []string
		refused bool
	}{
		{"no browser", nil, false},
		{"no browser, with a cookie", []string{"Cookie", "client=ct_1"}, false},
		{"allowed page", []string{"Origin", allowedOrigin, "Sec-Fetch-Site", "cross-site", "Cookie", "client=ct_1"}, false},
		{"allowed page, for another instance", []string{"Origin", allowedOrigin, "Publishable-Key", "pk_other"}, true},
		{"own page", []string{"Origin", "http://" + host, "Sec-Fetch-Site", "same-origin", "Cookie", "client=ct_1"}, false},
		{"own page, by the browser's word", []string{"Origin", "https://behind.proxy", "Sec-Fetch-Site", "same-origin"}, false},
		{"typed address", []string{"Sec-Fetch-Site", "none", "Cookie", "client=ct_1"}, false},
		{"foreign page", []string{"Origin", foreignOrigin, "Cookie", "client=ct_1"}, true},
		{"foreign page, new browser", []string{"Origin", foreignOrigin, "Sec-Fetch-Site", "cross-site", "Cookie", "client=ct_1"}, true},
		{"foreign page, no cookie yet", []string{"Origin", foreignOrigin}, true},
		{"sandboxed page", []string{"Origin", "null", "Cookie", "client=ct_1"}, true},
		{"sibling site", []string{"Sec-Fetch-Site", "same-site", "Cookie", "client=ct_1"}, true},
		{"no origin, cross-site", []string{"Sec-Fetch-Site", "cross-site"}, true},
		{"other authorization", []string{"Origin", foreignOrigin, "Authorization", "Basic eDp5"}, true},
		{"foreign page with a token", []string{"Origin", foreignOrigin, "Authorization", "Bearer ct_1"}, false},
		{"foreign page in bearer mode", []string{"Origin", foreignOrigin, "Client-Mode", "bearer"}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := s.renamed.Load()
			got := s.ask(`mutation { rename(id: 1, name: "x") { id } }`, test.headers...)
			ran := s.renamed.Load() - before
			if test.refused {
				got.wants(http.StatusForbidden, transport.CodeForbiddenOrigin)
				if ran != 0 {
					t.Error("it ran")
				}
				return
			}
			got.wants(http.StatusOK, "")
			if slices.Contains(test.headers, foreignOrigin) && got.header.Get("Access-Control-Allow-Origin") != "" {
				t.Error("a foreign page may read the answer")
			}
		})
	}
}

func TestCredentials(t *testing.T) {
	secure := func(c *transport.Config) { c.PublicURL = &url.URL{Scheme: "https", Host: "x.example"} }
	for _, test := range []struct {
		name    string
		option  option
		headers []string
		want    string // publishable key | bearer | cookie
	}{
		{"nothing", nil, nil, "||"},
		{"key", nil, []string{"Publishable-Key", "pk_1"}, "pk_1||"},
		{"token", nil, []string{"Authorization", "Bearer ct_1"}, "|ct_1|"},
		{"token, other case", nil, []string{"Authorization", "bearer  ct_1 "}, "|ct_1|"},
		{"not a bearer token", nil, []string{"Authorization", "Basic ct_1"}, "||"},
		{"cookie", nil, []string{"Cookie", "client=ct_1"}, "||ct_1"},
		{"token beats cookie", nil, []string{"Authorization", "Bearer sk_1", "Cookie", "client=ct_1"}, "|sk_1|"},
		{"no cookie in bearer mode", nil, []string{"Client-Mode", "Bearer", "Cookie", "client=ct_1"}, "||"},
		{"host cookie", secure, []string{"Cookie", "__Host-client=ct_1"}, "||ct_1"},
		{"planted cookie", secure, []string{"Cookie", "client=ct_1"}, "||"},
	} {
		t.Run(test.name, func(t *testing.T) {
			option := test.option
			if option == nil {
				option = func(*transport.Config) {}
			}
			got := newTestServer(t, option).ask(`{ caller }`, test.headers...)
			if caller := got.result().Data["caller"]; caller != test.want {
				t.Errorf("caller %q, want %q", caller, test.want)
			}
		})
	}
}

func TestIssueClientToken(t *testing.T) {
	secure := func(c *transport.Config) { c.PublicURL = &url.URL{Scheme: "https", Host: "x.example"} }
	plain := func(*transport.Config) {}
	for _, test := range []struct {
		name          string
		option        option
		headers       []string
		token, cookie string
	}{
		{"cookie over http", plain, nil, "", "client=ct_new; Path=/; Max-Age=3600; HttpOnly; SameSite=Lax"},
		{"cookie over https", secure, nil, "", "__Host-client=ct_new; Path=/; Max-Age=3600; HttpOnly; Secure; SameSite=Lax"},
		{"bearer mode", secure, []string{"Client-Mode", "bearer"}, "ct_new", ""},
		{"rotation of a bearer token", secure, []string{"Authorization", "Bearer ct_old"}, "ct_new", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := newTestServer(t, test.option).ask(`mutation { issueToken(token: "ct_new") }`, test.headers...)
			got.wants(http.StatusOK, "")
			if token := got.header.Get("Client-Token"); token != test.token {
				t.Errorf("Client-Token %q, want %q", token, test.token)
			}
			if cookie := got.header.Get("Set-Cookie"); cookie != test.cookie {
				t.Errorf("Set-Cookie %q, want %q", cookie, test.cookie)
			}
			got.lacks("ct_new")
		})
	}
}

func TestIssueClientTokenNeedsAPost(t *testing.T) {
	if err := transport.IssueClientToken(context.Background(), "client", "ct_1", time.Hour); err != transport.ErrNoReply {
		t.Errorf("%v", err)
	}
	// A resolver that outlives its request must not write into a header that is gone.
	late := make(chan context.Context, 1)
	s := newTestServer(t, func(c *transport.Config) {
		c.Authenticate = func(ctx context.Context, _ transport.Credentials) (context.Context, error) {
			late <- ctx
			return ctx, nil
		}
	})
	s.ask(`{ greeting }`).wants(http.StatusOK, "")
	if err := transport.IssueClientToken(<-late, "client", "ct_1", time.Hour); err != transport.ErrNoReply {
		t.Errorf("after the reply: %v", err)
	}
}

// Pages outside of GraphQL share the cookie: what they set authenticates requests
// here, and they can read what was set here.
func TestCookieOfOtherPages(t *testing.T) {
	for scheme, name := range map[string]string{"http": "client", "https": "__Host-client"} {
		s := newTestServer(t, func(c *transport.Config) { c.PublicURL = &url.URL{Scheme: scheme, Host: "x.example"} })
		issued := s.ask(`mutation { issueToken(token: "ct_new") }`).header.Get("Set-Cookie")
		for maxAge, want := range map[time.Duration]string{
			time.Hour: issued, 0: strings.Replace(issued, " Max-Age=3600;", "", 1), -time.Second: strings.Replace(issued, "3600", "0", 1),
		} {
			w := httptest.NewRecorder()
			w.Header().Add("Set-Cookie", "other=1")
			s.SetClientCookie(w, "client", "ct_old", maxAge)
			s.SetClientCookie(w, "client", "ct_new", maxAge) // the last one counts
			if got := w.Header().Values("Set-Cookie"); len(got) != 1 || got[0] != want || got[0] == "" {
				t.Errorf("%s, %v: %q, want %q", scheme, maxAge, got, want)
			}
		}
		for cookies, want := range map[string]string{
			"": "", name + "=ct_1": "ct_1", "a=b; " + name + "=ct_1": "ct_1", "CLIENT=ct_1": "", name + "2=ct_1": "",
			"client=planted; __Host-client=ct_1": map[string]string{"http": "planted", "https": "ct_1"}[scheme],
		} {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Header.Set("Cookie", cookies)
			r.Header.Set("Authorization", "Bearer ct_2") // says nothing about cookies
			if got := s.CookieValue(r, "client"); got != want {
				t.Errorf("%s, %q: %q, want %q", scheme, cookies, got, want)
			}
		}
	}
}

func TestPublishableKeyReachesTheOriginCheck(t *testing.T) {
	asked := make(chan string, 10)
	s := newTestServer(t, func(c *transport.Config) {
		c.AllowOrigin = func(_ context.Context, key, origin string) bool {
			asked <- key + " " + origin
			return true
		}
	})
	s.ask(`{ greeting }`, "Origin", "https://x.example", "Publishable-Key", "pk_1", "Client-Mode", "bearer")
	s.do(http.MethodOptions, "", "Origin", "https://x.example", "Access-Control-Request-Method", "POST")
	if got := []string{<-asked, <-asked}; !slices.Equal(got, []string{"pk_1 https://x.example", " https://x.example"}) {
		t.Errorf("%q", got)
	}
}
