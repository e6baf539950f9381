package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	reference "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"stepwise/internal/realtest"
)

func byPassword(identifier, password string) map[string]any {
	return map[string]any{"password": map[string]any{"identifier": identifier, "password": password}}
}

func byCode(challenge, code string) map[string]any {
	return map[string]any{"code": map[string]any{"challengeId": challenge, "code": code}}
}

// signInCode awaits the newest message to an address that came after the ones
// known: it goes out after the answer.
func (c *client) signInCode(t testing.TB, to string, known int) (code string) {
	t.Helper()
	eventually(t, answerLimit, func() string {
		messages := c.outbox(t, to)
		if len(messages) <= known {
			return "no code was sent"
		}
		code = messages[0].Code
		return ""
	})
	return code
}

// wantActive expects a session of the user, and a token for it that any backend
// can check.
func (c *client) wantActive(t *testing.T, p sessionOutcome, userID, issuer string) {
	t.Helper()
	if p.Session == nil || p.Session.UserID != userID || p.Session.Status != "ACTIVE" {
		t.Fatalf("the session is %+v, refused with %+v", p.Session, p.UserErrors)
	}
	getsSessionToken(t, c, issuer, signUp{CreatedUserID: userID, CreatedSessionID: p.Session.ID})
}

// TestComingBack tells how somebody who has signed up comes back: on another
// device, in a browser, by way of a backend.
func TestComingBack(t *testing.T) {
	for _, s := range combinations() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			server := realtest.Program(t, realtest.ProgramOptions{Env: s.env(t)})
			done := signUpWhole(t, newClient(t, server), "ada@example.com")
			t.Run("an app", func(t *testing.T) { appComesBack(t, server, done.CreatedUserID) })
			t.Run("a browser", func(t *testing.T) { browserComesBack(t, server, done.CreatedUserID) })
			t.Run("a backend", func(t *testing.T) { backendSignsIn(t, server, done.CreatedUserID) })
		})
	}
}

func appComesBack(t *testing.T, server *realtest.ServerProgram, user string) {
	app := newClient(t, server)
	known := len(app.outbox(t, "ada@example.com"))
	challenge := app.askCode(t, "ADA@example.com")
	if app.bearer == "" {
		t.Fatal("a new client got no token")
	}
	former := app.clone()
	code := app.signInCode(t, "ada@example.com", known)
	first := app.signIn(t, byCode(challenge, code))
	app.wantActive(t, first, user, server.URL)

	// The answer is lost, and the call made again with the token of before.
	again := former.signIn(t, byCode(challenge, code))
	if again.Session == nil || again.Session.ID != first.Session.ID || former.bearer != app.bearer {
		t.Errorf("again it is %+v, the same token: %t", again.Session, former.bearer == app.bearer)
	}
	if refused := app.signIn(t, byPassword("ada@example.com", "none")); refused.Session != nil || len(refused.UserErrors) != 1 || refused.UserErrors[0].Code != "CREDENTIALS_INVALID" {
		t.Errorf("a wrong password: %+v", refused)
	}
}

func browserComesBack(t *testing.T, server *realtest.ServerProgram, user string) {
	browser := newBrowser(t, server, server.URL)
	jar := browser.http.Jar
	cookie := func() string {
		for _, c := range jar.Cookies(mustURL(t, server.URL)) {
			if strings.HasPrefix(c.Name, "client_") {
				return c.Value
			}
		}
		t.Fatal("there is no cookie")
		return ""
	}
	browser.create(t, map[string]any{})
	planted := cookie()
	browser.wantActive(t, browser.signIn(t, byPassword("Ada@Example.com", goodPassword)), user, server.URL)
	if cookie() == planted || browser.bearer != "" {
		t.Fatal("the cookie was not replaced")
	}

	// Whoever has planted the cookie has nothing by it.
	thief := newClient(t, server)
	thief.bearer = planted
	r, err := thief.ask("{ client { id } }", nil)
	if err != nil || !slices.Equal(r.codes(), []string{"UNAUTHENTICATED"}) {
		t.Errorf("the planted token: %v, %v", r.codes(), err)
	}

	// A browser whose cookie was replaced elsewhere signs in all the same.
	var cookies []*http.Cookie
	for _, c := range jar.Cookies(mustURL(t, server.URL)) {
		c.Value = planted
		cookies = append(cookies, c)
	}
	jar.SetCookies(mustURL(t, server.URL), cookies)
	browser.wantActive(t, browser.signIn(t, byPassword("ada@example.com", goodPassword)), user, server.URL)

	var data struct {
		Client struct{ Sessions []session }
	}
	browser.query(t, "{ client { sessions { id userId status } } }", nil, &data)
	if len(data.Client.Sessions) != 1 {
		t.Errorf("the new client has %d sessions", len(data.Client.Sessions))
	}
	var ended struct{ Session *session }
	browser.send(t, "sessionEnd", "SessionEndInput", "session { id status } userErrors { code }", map[string]any{"sessionId": data.Client.Sessions[0].ID}, &ended)
	if ended.Session == nil || ended.Session.Status != "ENDED" {
		t.Errorf("the session is %+v", ended.Session)
	}
}

func backendSignsIn(t *testing.T, server *realtest.ServerProgram, user string) {
	backend := newAdministrator(t, server)
	var verified struct {
		User       *struct{ ID string }
		UserErrors []userError
	}
	input := map[string]any{"identifier": "ada@example.com", "password": goodPassword}
	backend.send(t, "userPasswordVerify", "UserPasswordVerifyInput", "user { id } userErrors { code }", input, &verified)
	if verified.User == nil || verified.User.ID != user {
		t.Fatalf("the user is %+v", verified)
	}
	var made struct {
		Session     *session
		ClientToken string
	}
	backend.send(t, "userSessionCreate", "UserSessionCreateInput", "session { id userId status } clientToken userErrors { code }", map[string]any{"userId": user}, &made)
	frontend := newClient(t, server)
	frontend.bearer = made.ClientToken
	frontend.wantActive(t, sessionOutcome{Session: made.Session}, user, server.URL)
	if backend.bearer != server.SecretKey {
		t.Error("the backend became a client")
	}
}

// TestInvitationOverTheWire: from the administrator's mutation by mail to a sign-up
// that is watched, and blocked when the invitation is taken back.
func TestInvitationOverTheWire(t *testing.T) {
	t.Parallel()
	server := realtest.Program(t, realtest.ProgramOptions{})
	administrator := newAdministrator(t, server)
	for name, subscribe := range transports {
		t.Run(name, func(t *testing.T) {
			email := "invited-" + randomHex(3) + "@example.com"
			var invited struct {
				Invitation  *struct{ ID, Status string }
				Ticket, URL string
				UserErrors  []userError
			}
			administrator.send(t, "invitationCreate", "InvitationCreateInput", "invitation { id status } ticket url userErrors { code message field }", map[string]any{
				"emailAddress": email, "redirectUrl": "http://localhost:3000/join", "sendEmail": true, "publicMetadata": map[string]any{"plan": "gold"},
			}, &invited)
			if invited.Invitation == nil || invited.Invitation.Status != "PENDING" {
				t.Fatalf("the invitation is %+v", invited)
			}
			messages := administrator.outbox(t, email)
			if len(messages) != 1 || messages[0].Link != invited.URL || messages[0].Code != "" {
				t.Fatalf("the mail is %+v, want a link to %s", messages, invited.URL)
			}
			link, err := url.Parse(messages[0].Link)
			if err != nil || link.Query().Get("ticket") != invited.Ticket {
				t.Fatalf("the link %s has another ticket: %v", messages[0].Link, err)
			}
			guest := newClient(t, server)
			opened := guest.create(t, map[string]any{"ticket": invited.Ticket})
			if !slices.Equal(opened.MissingFields, []string{"PASSWORD"}) {
				t.Errorf("missing are %v", opened.MissingFields)
			}
			watched := subscribe(guest, t, opened.ID)
			watched.await(t, "the present state", func(s signUp) bool { return len(s.Blockers) == 0 })
			var revoked struct{ Invitation *struct{ Status string } }
			administrator.send(t, "invitationRevoke", "InvitationRevokeInput", "invitation { status } userErrors { code }", map[string]any{"id": invited.Invitation.ID}, &revoked)
			if revoked.Invitation == nil || revoked.Invitation.Status != "REVOKED" {
				t.Errorf("the invitation is %+v", revoked.Invitation)
			}
			watched.await(t, "the blocker", func(s signUp) bool { return len(s.Blockers) == 1 && s.Blockers[0].Code == "TICKET_INVALID" })
			seenByNode(t, administrator, guest, invited.Invitation.ID)
		})
	}
}

// seenByNode: an invitation is the administrator's to see.
func seenByNode(t *testing.T, administrator, guest *client, id string) {
	t.Helper()
	const document = "query($id: ID!) { node(id: $id) { __typename id ... on Invitation { status } } }"
	for by, want := range map[*client]string{administrator: `{"__typename":"Invitation","id":"` + id + `","status":"REVOKED"}`, guest: "null"} {
		var data struct{ Node json.RawMessage }
		by.query(t, document, map[string]any{"id": id}, &data)
		if string(data.Node) != want {
			t.Errorf("node is %s, want %s", data.Node, want)
		}
	}
	for _, missing := range []string{"inv_00000000000000000000", "inv_", "inv", "whe_x"} {
		var data struct{ Node json.RawMessage }
		administrator.query(t, document, map[string]any{"id": missing}, &data)
		if string(data.Node) != "null" {
			t.Errorf("%s is %s", missing, data.Node)
		}
	}
}

// TestWebhooksOverTheWire: the program tells a backend of a sign-up, and again
// where it is asked to.
func TestWebhooksOverTheWire(t *testing.T) {
	t.Parallel()
	server := realtest.Program(t, realtest.ProgramOptions{})
	administrator := newAdministrator(t, server)
	var mu sync.Mutex
	var secret string
	var got []string // types and ids
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		verifier, wrong := reference.NewWebhook(secret)
		if err != nil || wrong != nil {
			t.Errorf("%v, %v", err, wrong)
			return
		}
		if err := verifier.Verify(body, r.Header); err != nil {
			t.Errorf("the signature does not hold: %v", err)
		}
		var event struct {
			Type string
			Data struct{ ID string }
		}
		if err := json.Unmarshal(body, &event); err != nil {
			t.Error(err)
		}
		got = append(got, event.Type+" "+event.Data.ID)
	}))
	defer backend.Close()
	var made struct {
		Endpoint *struct{ ID string }
		Secret   string
	}
	administrator.send(t, "webhookEndpointCreate", "WebhookEndpointCreateInput", "endpoint { id } secret userErrors { code message }", map[string]any{"url": backend.URL}, &made)
	if made.Endpoint == nil {
		t.Fatal("there is no endpoint")
	}
	mu.Lock()
	secret = made.Secret
	mu.Unlock()
	done := signUpWhole(t, newClient(t, server), "hooked@example.com")
	want := []string{"session.created " + done.CreatedSessionID, "user.created " + done.CreatedUserID}
	arrive := func(times int) {
		t.Helper()
		eventually(t, answerLimit, func() string {
			var data struct {
				WebhookDeliveries struct{ Nodes []struct{ Status string } }
			}
			administrator.query(t, "{ webhookDeliveries { nodes { status } } }", nil, &data)
			nodes := data.WebhookDeliveries.Nodes
			for _, d := range nodes {
				if d.Status != "DELIVERED" {
					return "one is " + d.Status
				}
			}
			if len(nodes) != 2*times {
				return "some are missing"
			}
			return ""
		})
		mu.Lock()
		defer mu.Unlock()
		slices.Sort(got)
		all := slices.Repeat(want, times)
		slices.Sort(all)
		if !slices.Equal(got, all) {
			t.Errorf("the backend got %v, want %v", got, all)
		}
	}
	arrive(1)
	var replayed struct{ Count int }
	administrator.send(t, "webhookReplay", "WebhookReplayInput", "count userErrors { code message }", map[string]any{
		"since": map[string]any{"endpointId": made.Endpoint.ID, "at": done.CreatedAt},
	}, &replayed)
	if replayed.Count != 2 {
		t.Errorf("%d are replayed", replayed.Count)
	}
	arrive(2)
}
