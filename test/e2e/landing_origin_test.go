package e2e

import (
	"net/http"
	"net/url"
	"slices"
	"testing"

	"stepwise/internal/realtest"
)

// Attack 22: pages of other sites post to the pages on which people land. Their
// requests carry the visitor's cookie here, as if browsers did not hold it back.
func TestAttack22LinkPressedByForeignPages(t *testing.T) {
	t.Parallel()
	server := realtest.Program(t, realtest.ProgramOptions{})
	browser := newBrowser(t, server, server.URL)
	opened := beginByLink(t, browser, "pressed@example.com", linkStart)
	link := mailed(t, browser, "pressed@example.com")
	form := url.Values{"token": {mustURL(t, link).Query().Get("token")}}
	for name, c := range map[string]struct {
		headers []string
		want    int
	}{
		"foreign Origin":          {[]string{"Origin", "https://evil.example"}, 403},
		"foreign, and says so":    {[]string{"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"}, 403},
		"null Origin, cross-site": {[]string{"Origin", "null", "Sec-Fetch-Site", "cross-site"}, 403},
		"null Origin":             {[]string{"Origin", "null"}, 403},
		"suffix of ours":          {[]string{"Origin", server.URL + ".evil.example"}, 403},
		"same-site, other origin": {[]string{"Sec-Fetch-Site", "same-site"}, 403},
		"the app's origin":        {[]string{"Origin", "http://localhost:5173"}, 403},
		"text/plain":              {[]string{"Content-Type", "text/plain"}, 415},
		"multipart":               {[]string{"Content-Type", "multipart/form-data; boundary=x"}, 415},
		"JSON":                    {[]string{"Content-Type", "application/json"}, 415},
	} {
		t.Run(name, func(t *testing.T) {
			page := land(t, browser.http.Jar, http.MethodPost, server.URL+"/verify", form, c.headers...)
			if page.status != c.want || page.header.Get("Set-Cookie") != "" || page.header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%d %q, %v; want %d", page.status, page.heading, page.header, c.want)
			}
		})
	}
	// The token belongs into the body: an address that is only visited does nothing.
	if page := land(t, browser.http.Jar, http.MethodPost, link, nil, "Origin", server.URL); page.status/100 != 4 {
		t.Errorf("a POST with the token in its address: %d", page.status)
	}
	for _, method := range []string{http.MethodPut, http.MethodDelete, http.MethodOptions, http.MethodPatch} {
		if page := land(t, browser.http.Jar, method, link, form, "Origin", server.URL); page.status != http.StatusMethodNotAllowed {
			t.Errorf("%s: %d, want 405", method, page.status)
		}
	}
	if now := browser.read(t, opened.ID); asJSON(t, now) != asJSON(t, opened) {
		t.Errorf("a foreign page changed the sign-up:\n%s\nwas\n%s", asJSON(t, now), asJSON(t, opened))
	}
	if page := press(t, browser.http.Jar, link); page.heading != "Confirmed" {
		t.Errorf("our own button, after all that: %d %q", page.status, page.heading)
	}
}

// Attack 22 at the callback: a provider's form is posted from a foreign page by
// nature. It is taken, from anybody, and has no effect but for the owner.
func TestAttack22CallbackPostedByForeignPages(t *testing.T) {
	if !needsNode(t) {
		return
	}
	t.Parallel()
	server, p, administrator := withProvider(t)
	victim := newBrowser(t, server, server.URL)
	own := begin(t, victim, "victim@example.com")
	attacker := newClient(t, server)
	begun, challenge := createWithAccount(t, attacker)
	callback := mustURL(t, p.authorize(t, challenge, "verified-named"))
	form := callback.Query()
	callback.RawQuery = ""

	page := land(t, victim.http.Jar, http.MethodPost, callback.String(), form, "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site")
	handle := mustURL(t, page.location).Query().Get("sign_up_handle")
	if page.status != http.StatusSeeOther || handle == "" || page.header.Get("Set-Cookie") != "" {
		t.Fatalf("%d to %q, Set-Cookie %q; want 303 to the app and no cookie", page.status, page.location, page.header.Get("Set-Cookie"))
	}
	for name, c := range map[string]*client{"the victim": victim, "the attacker": attacker} {
		want := map[string]signUp{"the victim": own, "the attacker": begun}[name]
		if now := c.read(t, want.ID); asJSON(t, now) != asJSON(t, want) {
			t.Errorf("the callback alone changed the sign-up of %s:\n%s\nwas\n%s", name, asJSON(t, now), asJSON(t, want))
		}
	}
	o := mustTry(t)(victim.tryCheck("oauthHandle", handle))
	if !slices.Equal(o.errorCodes(), []string{"BEGUN_ELSEWHERE"}) {
		t.Errorf("in the victim's app: %+v; want BEGUN_ELSEWHERE", o.UserErrors)
	}
	if now := victim.read(t, own.ID); asJSON(t, now) != asJSON(t, own) {
		t.Errorf("the victim's sign-up changed:\n%s", asJSON(t, now))
	}
	if found := administrator.users(t, ""); len(found) != 0 || p.requests("POST /token") != 0 {
		t.Errorf("users %+v, the provider was asked %d times; want nobody and never", found, p.requests("POST /token"))
	}
	if done := attacker.check(t, "oauthHandle", handle); done.Status != "COMPLETE" { // who began may go on
		t.Errorf("the one who began: %s, want COMPLETE", done.Status)
	}
	for name, body := range map[string]url.Values{"nothing": {}, "no state": {"code": form["code"]}, "a foreign state": {"state": {"x.y"}, "code": form["code"]}} {
		page := land(t, nil, http.MethodPost, callback.String(), body, "Origin", "https://evil.example")
		if page.status != http.StatusBadRequest || page.location != "" {
			t.Errorf("a form with %s: %d to %q; want 400", name, page.status, page.location)
		}
	}
	if page := land(t, nil, http.MethodHead, callback.String()+"?"+form.Encode(), nil); page.status != http.StatusMethodNotAllowed {
		t.Errorf("HEAD: %d, want 405", page.status)
	}
}
