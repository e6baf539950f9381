package e2e

import (
	"io"
	"net/http"
	"net/mail"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"stepwise/internal/realtest"
)

var linkStart = map[string]any{"strategy": "EMAIL_LINK"}

// beginByLink opens a sign-up whose address is verified by a link.
func beginByLink(t testing.TB, c *client, email string, start map[string]any) signUp {
	t.Helper()
	return c.create(t, map[string]any{"emailAddress": email, "password": goodPassword, "startVerifications": []any{start}})
}

// mailed returns the link in the newest mail to an address.
func mailed(t testing.TB, c *client, to string) (link string) {
	t.Helper()
	messages := c.outbox(t, to)
	if len(messages) == 0 || messages[0].Link == "" {
		t.Fatalf("no link was sent to %s: %+v", to, messages)
	}
	return messages[0].Link
}

var (
	formPattern     = regexp.MustCompile(`<form method="post" action="([^"]+)">`)
	tokenPattern    = regexp.MustCompile(`<input type="hidden" name="token" value="([^"]+)">`)
	sentencePattern = regexp.MustCompile(`<p>([^<]*)</p>\s*</main>`)
	titlePattern    = regexp.MustCompile(`<h1>([^<]*)</h1>`)
)

// landed is a page, or a redirect.
type landed struct {
	status   int
	heading  string
	location string
	header   http.Header
	body     string
}

// land asks for a page of the program as a browser does, with the jar's cookies.
func land(t testing.TB, jar http.CookieJar, method, address string, form url.Values, headers ...string) landed {
	t.Helper()
	request, err := http.NewRequest(method, address, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	request.Close = true
	if form != nil {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	transport := &http.Transport{DisableKeepAlives: true}
	browser := http.Client{Transport: transport, Jar: jar, Timeout: answerLimit, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := browser.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	page := landed{response.StatusCode, "", response.Header.Get("Location"), response.Header, string(body)}
	if found := titlePattern.FindStringSubmatch(page.body); found != nil {
		page.heading = found[1]
	}
	return page
}

// press opens the link, and presses the button of the page that comes.
func press(t testing.TB, jar http.CookieJar, link string) landed {
	t.Helper()
	page := land(t, jar, http.MethodGet, link, nil)
	form, token := formPattern.FindStringSubmatch(page.body), tokenPattern.FindStringSubmatch(page.body)
	if form == nil || token == nil {
		return page // nothing to press
	}
	at := mustURL(t, link).ResolveReference(mustURL(t, form[1]))
	// What browsers send where the page's policy is no-referrer.
	return land(t, jar, http.MethodPost, at.String(), url.Values{"token": {token[1]}}, "Origin", "null", "Sec-Fetch-Site", "same-origin")
}

// TestMailedLink sends one through a real mail server: it holds the link and the
// code, and either verifies.
func TestMailedLink(t *testing.T) {
	t.Parallel()
	post := startMailServer(t)
	server := realtest.Program(t, realtest.ProgramOptions{Env: post.settings()})
	browser := newBrowser(t, server, server.URL)
	const email = "mailed@example.com"
	opened := beginByLink(t, browser, email, linkStart)
	if v := opened.Verifications.EmailAddress; v.Strategy != "EMAIL_LINK" || v.Challenge == nil || v.Challenge.SentTo == "" || strings.Contains(v.Challenge.SentTo, "mailed@") {
		t.Errorf("the verification: %s; want one by EMAIL_LINK, with a masked address", encode(t, v))
	}
	link, code := post.link(t, email)
	if !strings.HasPrefix(link, server.URL+"/verify?token=") {
		t.Errorf("the link is %s", link)
	}
	if page := press(t, browser.http.Jar, link); page.status != http.StatusOK || page.heading != "Confirmed" {
		t.Errorf("the button: %d %s", page.status, page.heading)
	}
	if done := browser.read(t, opened.ID); done == nil || done.Status != "COMPLETE" {
		t.Errorf("after the button: %+v, want COMPLETE", done)
	}

	elsewhere := newClient(t, server)
	beginByLink(t, elsewhere, "typed@example.com", linkStart)
	_, code = post.link(t, "typed@example.com")
	if done := elsewhere.check(t, "emailCode", code); done.Status != "COMPLETE" {
		t.Errorf("by the code of the mail: %s, want COMPLETE", done.Status)
	}
	if log := server.Stderr(); strings.Contains(log, code) || strings.Contains(log, mustURL(t, link).Query().Get("token")) {
		t.Error("a code or a link is in the log")
	}
}

var linkPattern = regexp.MustCompile(`https?://\S+`)

// link returns the link and the code in the newest message to an address.
func (m *mailServer) link(t testing.TB, to string) (link, code string) {
	t.Helper()
	text := plainText(t, m.newest(t, to))
	return linkPattern.FindString(text), codeIn(t, linkPattern.ReplaceAllString(text, ""))
}

// Attack 20: programs that open links before people do, and attack 2: the link of
// somebody's sign-up, opened by the one whose address it holds.
func TestAttack20LinkOpenedByPrograms(t *testing.T) {
	t.Parallel()
	server := realtest.Program(t, realtest.ProgramOptions{})
	browser := newBrowser(t, server, server.URL)
	opened := beginByLink(t, browser, "victim@example.com", linkStart)
	link := mailed(t, browser, "victim@example.com")
	watched := newAdministrator(t, server).watchBySocket(t, opened.ID)
	watched.next(t)

	for range 5 {
		for _, method := range []string{http.MethodHead, http.MethodGet} {
			for name, jar := range map[string]http.CookieJar{"nobody": nil, "the owner": browser.http.Jar} {
				if page := land(t, jar, method, link, nil); page.status != http.StatusOK || page.header.Get("Set-Cookie") != "" || method == http.MethodGet && page.heading != "Confirm your email address" {
					t.Errorf("%s by %s: %d %q, Set-Cookie %q", method, name, page.status, page.heading, page.header.Get("Set-Cookie"))
				}
			}
		}
	}
	if now := browser.read(t, opened.ID); asJSON(t, now) != asJSON(t, opened) {
		t.Errorf("looking changed the sign-up:\n%s\nwas\n%s", asJSON(t, now), asJSON(t, opened))
	}

	// Attack 2: in another browser, also one with a sign-up of its own, the button
	// verifies nothing.
	stranger := newBrowser(t, server, server.URL)
	begin(t, stranger, "stranger@example.com")
	for name, jar := range map[string]http.CookieJar{"without a cookie": newJar(t), "of another client": stranger.http.Jar} {
		page := press(t, jar, link)
		if page.status != http.StatusForbidden || page.heading != "Not in this browser" || !strings.Contains(page.body, "Type the code from the mail where you began.") || page.header.Get("Set-Cookie") != "" {
			t.Errorf("a browser %s: %d %q, Set-Cookie %q", name, page.status, page.heading, page.header.Get("Set-Cookie"))
		}
	}
	if now := browser.read(t, opened.ID); asJSON(t, now) != asJSON(t, opened) {
		t.Errorf("another browser changed the sign-up:\n%s\nwas\n%s", asJSON(t, now), asJSON(t, opened))
	}

	old := browser.http.Jar.Cookies(mustURL(t, server.URL))
	page := press(t, browser.http.Jar, link)
	if page.status != http.StatusOK || page.heading != "Confirmed" {
		t.Fatalf("the owner's button: %d %q", page.status, page.heading)
	}
	if cookie := page.header.Get("Set-Cookie"); !strings.Contains(cookie, "; HttpOnly") || !strings.Contains(cookie, "; SameSite=Lax") {
		t.Errorf("the page sets the cookie %q", cookie)
	}
	if now := browser.http.Jar.Cookies(mustURL(t, server.URL)); len(old) != 1 || len(now) != 1 || old[0].Name != now[0].Name || old[0].Value == now[0].Value {
		t.Errorf("the cookie was %v and is %v; want another token under the same name", old, now)
	}
	done := browser.read(t, opened.ID) // by the new cookie
	if done == nil || done.Status != "COMPLETE" {
		t.Fatalf("%+v, want COMPLETE", done)
	}
	watched.finishesWith(t, *done) // by itself
	var data struct {
		Client *struct{ ActiveSession *struct{ ID string } }
	}
	browser.query(t, "{ client { activeSession { id } } }", nil, &data)
	if data.Client == nil || data.Client.ActiveSession == nil || data.Client.ActiveSession.ID != done.CreatedSessionID {
		t.Errorf("the browser's session: %+v, want %s", data.Client, done.CreatedSessionID)
	}

	// After the completion the link has nothing left to do, whoever has it. The
	// owner gets the answer again, and with it at most the token that it has.
	held := browser.http.Jar.Cookies(mustURL(t, server.URL))[0]
	if page := press(t, browser.http.Jar, link); page.status != http.StatusOK || page.heading != "Confirmed" {
		t.Errorf("the owner's button, again: %d %q", page.status, page.heading)
	}
	if now := browser.http.Jar.Cookies(mustURL(t, server.URL)); len(now) != 1 || now[0].Value != held.Value {
		t.Errorf("the cookie was %v and is %v", held, now)
	}
	if page := press(t, newJar(t), link); page.status != http.StatusForbidden || page.header.Get("Set-Cookie") != "" {
		t.Errorf("a stranger's button after the completion: %d %q", page.status, page.heading)
	}
	if after := browser.read(t, opened.ID); asJSON(t, after) != asJSON(t, done) {
		t.Errorf("the completed sign-up changed:\n%s\nwas\n%s", asJSON(t, after), asJSON(t, done))
	}
}

// TestLinkBackToTheApp is for apps whose token is no cookie: the page sends the
// person to the app, and the app offers the link.
func TestLinkBackToTheApp(t *testing.T) {
	t.Parallel()
	server := realtest.Program(t, realtest.ProgramOptions{})
	app, other := newClient(t, server), newClient(t, server)
	o := mustTry(t)(app.tryCreate(map[string]any{"emailAddress": "app@example.com", "startVerifications": []any{changed(linkStart, "redirectUrl", "https://evil.example/")}}))
	if !slices.Equal(o.errorCodes(), []string{"REDIRECT_NOT_ALLOWED"}) {
		t.Errorf("to a site that is not the app's: %+v; want REDIRECT_NOT_ALLOWED", o.UserErrors)
	}
	opened := beginByLink(t, app, "app@example.com", changed(linkStart, "redirectUrl", landingPage+"?from=mail"))
	link := mailed(t, app, "app@example.com")
	for range 5 {
		land(t, nil, http.MethodHead, link, nil)
		page := land(t, nil, http.MethodGet, link, nil)
		if policy := page.header.Get("Content-Security-Policy"); page.status != http.StatusOK || !strings.Contains(policy, "form-action 'self' http://localhost:5173;") {
			t.Errorf("%d, policy %s", page.status, policy)
		}
	}
	page := press(t, nil, link)
	u := mustURL(t, page.location)
	proof := u.Query().Get("sign_up_link")
	if page.status != http.StatusSeeOther || !strings.HasPrefix(page.location, landingPage+"?from=mail&") || proof == "" {
		t.Fatalf("the button: %d to %s", page.status, page.location)
	}
	if now := app.read(t, ""); asJSON(t, now) != asJSON(t, opened) {
		t.Errorf("the button alone changed the sign-up:\n%s", asJSON(t, now))
	}
	begin(t, other, "other@example.com")
	o = mustTry(t)(other.tryCheck("emailLink", proof))
	if !slices.Equal(o.errorCodes(), []string{"BEGUN_ELSEWHERE"}) || !slices.Equal(o.UserErrors[0].Field, []string{"input", "proof", "emailLink"}) {
		t.Errorf("another client offers the link: %+v; want BEGUN_ELSEWHERE", o.UserErrors)
	}
	for name, made := range map[string]string{"cut": proof[:len(proof)-1], "no link at all": "x"} {
		if o := mustTry(t)(app.tryCheck("emailLink", made)); !slices.Equal(o.errorCodes(), []string{"INVALID_FORMAT"}) {
			t.Errorf("%s: %+v; want INVALID_FORMAT", name, o.UserErrors)
		}
	}
	if now := app.read(t, ""); asJSON(t, now) != asJSON(t, opened) {
		t.Errorf("wrong links changed the sign-up:\n%s", asJSON(t, now))
	}
	retry := app.clone()
	done := app.check(t, "emailLink", proof)
	if done.Status != "COMPLETE" {
		t.Fatalf("%s, want COMPLETE", done.Status)
	}
	if again := retry.check(t, "emailLink", proof); again.CreatedSessionID != done.CreatedSessionID || retry.bearer != app.bearer {
		t.Errorf("the same call again: session %s, want %s and the same token", again.CreatedSessionID, done.CreatedSessionID)
	}
	if page := press(t, nil, link); page.status != http.StatusSeeOther { // what it leads to is for the app to say
		t.Errorf("the button after the completion: %d %q", page.status, page.heading)
	}
	o = mustTry(t)(app.tryCheck("emailLink", proof))
	if o.SignUp == nil || o.SignUp.CreatedUserID != done.CreatedUserID {
		t.Errorf("the link after the completion: %+v %v; want the sign-up as it ended", o.SignUp, o.errorCodes())
	}
}

// TestLinksThatCameTooLate are those of another address, of a sign-up that was
// given up, and of one that is forgotten.
func TestLinksThatCameTooLate(t *testing.T) {
	if !needsRealStores(t) {
		return
	}
	t.Parallel()
	redisServer := realtest.Redis(t)
	server := realtest.Program(t, realtest.ProgramOptions{Env: map[string]string{"REDIS_URL": redisServer.URL}})

	// Attack 5: the link of an address that is no longer the sign-up's, or is again.
	t.Run("the address was replaced", func(t *testing.T) {
		browser := newBrowser(t, server, server.URL)
		opened := beginByLink(t, browser, "first@example.com", linkStart)
		link := mailed(t, browser, "first@example.com")
		browser.update(t, map[string]any{"emailAddress": "second@example.com"})
		checkWorthless(t, browser, link, opened.ID, noLongerALink)
		browser.update(t, map[string]any{"emailAddress": "first@example.com"})
		checkWorthless(t, browser, link, opened.ID, noLongerALink)
	})
	t.Run("the sign-up was given up for another", func(t *testing.T) {
		browser := newBrowser(t, server, server.URL)
		opened := beginByLink(t, browser, "left@example.com", linkStart)
		link := mailed(t, browser, "left@example.com")
		browser.create(t, map[string]any{"emailAddress": "left@example.com"})
		checkWorthless(t, browser, link, opened.ID, "This sign-up has ended. Please start again.")
		checkWorthless(t, browser, link, "", "This sign-up has ended. Please start again.")
	})
	t.Run("the sign-up is forgotten", func(t *testing.T) {
		browser := newBrowser(t, server, server.URL)
		opened := beginByLink(t, browser, "forgotten@example.com", linkStart)
		link := mailed(t, browser, "forgotten@example.com")
		expire(t, redisServer.URL, opened.ID)
		checkWorthless(t, browser, link, opened.ID, noLongerALink)
	})
	t.Run("Redis has lost everything", func(t *testing.T) {
		browser := newBrowser(t, server, server.URL)
		opened := beginByLink(t, browser, "lost@example.com", linkStart)
		link := mailed(t, browser, "lost@example.com")
		options, err := redis.ParseURL(redisServer.URL)
		if err != nil {
			t.Fatal(err)
		}
		db := redis.NewClient(options)
		defer db.Close()
		if err := db.FlushAll(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		checkWorthless(t, browser, link, opened.ID, noLongerALink)
	})
}

const noLongerALink = "It may have been cut short, or replaced by a newer one. Open the link of the newest mail, or go back to where you began."

// checkWorthless presses the button, which must not verify anything, and must say
// so.
func checkWorthless(t *testing.T, browser *client, link, id, says string) {
	t.Helper()
	before := asJSON(t, browser.read(t, id))
	page := press(t, browser.http.Jar, link)
	if page.status/100 != 4 || page.heading == "Confirmed" || page.heading == "" || page.header.Get("Set-Cookie") != "" {
		t.Errorf("the button: %d %q, Set-Cookie %q; want a page that says no", page.status, page.heading, page.header.Get("Set-Cookie"))
	}
	if sentence := sentencePattern.FindStringSubmatch(page.body); sentence == nil || sentence[1] != says {
		t.Errorf("the page says %q, want %q", sentence, says)
	}
	if after := asJSON(t, browser.read(t, id)); after != before {
		t.Errorf("the sign-up changed:\n%s\nwas\n%s", after, before)
	}
}

// plainText is the readable part of a mail.
func plainText(t testing.TB, raw string) string {
	t.Helper()
	message, err := mail.ReadMessage(strings.NewReader(raw))
	if err != nil {
		t.Fatalf("what was sent is no mail: %v", err)
	}
	return partOf(t, message.Header.Get("Content-Type"), message.Header.Get("Content-Transfer-Encoding"), message.Body, "text/plain")
}
