package e2e

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"stepwise/internal/realtest"
)

var update = flag.Bool("update", false, "write the transcripts anew")

// TestRefusals goes through what a developer gets wrong in the first hour and
// compares every answer with the transcript in testdata, which is there to be
// read: is each message one that helps? Run with -update to write it anew, and
// review the difference.
func TestRefusals(t *testing.T) {
	t.Parallel()
	server := realtest.Program(t, realtest.ProgramOptions{})
	strangers, visitor, administrator := newClient(t, server), newClient(t, server), newAdministrator(t, server)
	begin(t, visitor, "visitor@example.com")
	var transcript bytes.Buffer
	for _, c := range []refusalCase{
		{name: "a publishable key that does not exist", by: strangers, document: "{ publicSettings { appName } }", change: header("Publishable-Key", "pk_unknown_key")},
		{name: "the secret key as publishable key", by: strangers, document: "{ publicSettings { appName } }", change: header("Publishable-Key", server.SecretKey)},
		{name: "a secret key that does not exist", by: strangers, document: "{ instanceSettings { version } }", change: header("Authorization", "Bearer sk_wrong")},
		{name: "a client token that was made up", by: strangers, document: "{ client { id } }", change: header("Authorization", "Bearer ct_made_up")},
		{name: "the publishable key as bearer", by: strangers, document: "{ client { id } }", change: header("Authorization", "Bearer "+server.PublishableKey)},
		{name: "basic authentication", by: strangers, document: "{ instanceSettings { version } }", change: header("Authorization", "Basic c2s6")},
		{name: "no key where the secret key is needed", by: strangers, document: "{ instanceSettings { version } }"},
		{name: "a client where the secret key is needed", by: visitor, document: "{ users { totalCount } }"},
		{name: "the secret key where a client is needed", by: administrator, document: "mutation { signUpUpdate(input: {}) { signUp { id } } }"},
		{name: "the secret key opens a sign-up", by: administrator, document: "mutation { signUpCreate(input: {}) { signUp { id } } }"},
		{name: "no token where a client is needed", by: strangers, document: "mutation { signUpUpdate(input: {}) { signUp { id } } }"},
		{name: "GET", by: strangers, change: func(r *http.Request) { r.Method = http.MethodGet }},
		{name: "PUT", by: strangers, change: func(r *http.Request) { r.Method = http.MethodPut }},
		{name: "form", by: strangers, body: "query={publicSettings{appName}}", change: header("Content-Type", "application/x-www-form-urlencoded")},
		{name: "application/graphql", by: strangers, body: "{ publicSettings { appName } }", change: header("Content-Type", "application/graphql")},
		{name: "Accept: text/html", by: strangers, document: "{ publicSettings { appName } }", change: header("Accept", "text/html")},
		{name: "a batch", by: strangers, body: `[{"query":"{ __typename }"},{"query":"{ __typename }"}]`},
		{name: "no JSON", by: strangers, body: "{ publicSettings { appName } }"},
		{name: "no query", by: strangers, body: `{"mutation":"mutation { signUpCreate }"}`},
		{name: "variables as text", by: strangers, body: `{"query":"{ __typename }","variables":"{}"}`},
		{name: "a persisted query", by: strangers, body: `{"extensions":{"persistedQuery":{"version":1,"sha256Hash":"00"}}}`},
		{name: "a body that is too large", by: strangers, body: `{"query":"` + strings.Repeat(" ", 300<<10) + `"}`},
		{name: "a syntax error", by: strangers, document: "{ publicSettings { appName }"},
		{name: "a field that does not exist", by: strangers, document: "{ publicSettings { name } }"},
		{name: "a field with a slip", by: strangers, document: "{ publicSetting { appName } }"},
		{name: "an input field with a slip", by: strangers, document: `mutation { signUpCreate(input: {emailAdress: "a@example.com"}) { signUp { id } } }`},
		{name: "an input field with a slip, in a variable", by: strangers, document: createDocument, variables: map[string]any{"input": map[string]any{"emailAdress": "a@example.com"}}},
		{name: "a number for a text", by: strangers, document: createDocument, variables: map[string]any{"input": map[string]any{"legalAccepted": "yes"}}},
		{name: "an enum value that does not exist", by: visitor, document: startDocument, variables: map[string]any{"input": map[string]any{"strategy": "SMS"}}},
		{name: "a variable that is missing", by: strangers, document: createDocument},
		{name: "a required input that is missing", by: visitor, document: startDocument, variables: map[string]any{"input": map[string]any{}}},
		{name: "two proofs", by: visitor, document: checkDocument, variables: map[string]any{"input": map[string]any{"proof": map[string]any{"emailCode": "1", "phoneCode": "2"}}}},
		{name: "no proof", by: visitor, document: checkDocument, variables: map[string]any{"input": map[string]any{"proof": map[string]any{}}}},
		{name: "two mutations", by: strangers, document: "mutation { a: signUpCreate(input: {}) { signUp { id } } b: signUpCreate(input: {}) { signUp { id } } }"},
		{name: "two operations without a name", by: strangers, document: "query A { __typename } query B { __typename }"},
		{name: "an operation name that does not exist", by: strangers, body: `{"query":"query A { __typename }","operationName":"B"}`},
		{name: "a deep query", by: administrator, document: "{ __schema { types { fields { type { ofType { ofType { ofType { ofType { ofType { ofType { ofType { ofType { ofType { ofType { ofType { ofType { ofType { ofType { ofType { name } } } } } } } } } } } } } } } } } } } }"},
		{name: "too many aliases", by: strangers, document: "{ " + aliases(16) + " }"},
		{name: "a query that costs too much", by: administrator, document: "{ " + aliasedUsers(15) + " }"},
		{name: "a document that is too long", by: strangers, document: "{ " + strings.Repeat("__typename ", 2100) + "}"},
		{name: "a page that is too large", by: administrator, document: "{ users(first: 1000) { totalCount } }"},
		{name: "a page of none", by: administrator, document: "{ users(first: 0) { totalCount } }"},
		{name: "a cursor that was made up", by: administrator, document: `{ users(after: "abc") { totalCount } }`},
		{name: "a subscription without text/event-stream", by: visitor, document: "subscription { signUpStatusChanged { id } }", change: header("Accept", "application/json")},
		{name: "a mutation as an event stream", by: visitor, document: "mutation { signUpUpdate(input: {}) { signUp { id } } }", change: header("Accept", "text/event-stream")},
		{name: "a subscription to what does not exist", by: visitor, document: `subscription { signUpStatusChanged(id: "sua_x") { id } }`, change: header("Accept", "text/event-stream")},
		{name: "a subscription without a sign-up", by: administrator, document: `subscription { signUpStatusChanged { id } }`, change: header("Accept", "text/event-stream")},
		{name: "an email address without @", by: visitor, document: updateDocument, variables: map[string]any{"input": map[string]any{"emailAddress": "ada.example.com"}}},
		{name: "a phone number where none is asked for", by: visitor, document: updateDocument, variables: map[string]any{"input": map[string]any{"phoneNumber": "+15005550100"}}},
		{name: "a short password", by: visitor, document: updateDocument, variables: map[string]any{"input": map[string]any{"password": "hunter2"}}},
		{name: "a common password", by: visitor, document: updateDocument, variables: map[string]any{"input": map[string]any{"password": "password123"}}},
		{name: "a password made of the address", by: visitor, document: updateDocument, variables: map[string]any{"input": map[string]any{"password": "visitor@example.com"}}},
		{name: "a wrong code", by: visitor, document: checkDocument, variables: map[string]any{"input": map[string]any{"proof": map[string]any{"emailCode": "12345"}}}},
		{name: "a code for the phone", by: visitor, document: checkDocument, variables: map[string]any{"input": map[string]any{"proof": map[string]any{"phoneCode": "123456"}}}},
		{name: "a start of what is not offered", by: visitor, document: startDocument, variables: map[string]any{"input": map[string]any{"strategy": "OAUTH"}}},
		{name: "a start without a value", by: visitor, document: startDocument, variables: map[string]any{"input": map[string]any{"strategy": "PHONE_CODE"}}},
		{name: "a sign-up that does not exist", by: visitor, document: updateDocument, variables: map[string]any{"input": map[string]any{"id": "sua_x"}}},
		{name: "a session token before there is a session", by: visitor, document: "mutation { sessionTokenCreate { token userErrors { code message field } } }"},
		{name: "settings that nobody can satisfy", by: administrator, document: settingsDocument, variables: map[string]any{"input": map[string]any{"emailAddress": map[string]any{"enabled": false, "required": false}}}},
		{name: "settings of a version that is gone", by: administrator, document: settingsDocument, variables: map[string]any{"input": map[string]any{"expectedVersion": 99}}},
		{name: "settings without a way to verify an address", by: administrator, document: settingsDocument, variables: in("emailAddress", map[string]any{"strategies": []any{}})},
		{name: "settings with another field's way", by: administrator, document: settingsDocument, variables: in("emailAddress", map[string]any{"strategies": []any{"EMAIL_LINK", "PHONE_CODE"}})},
		{name: "settings with a bot check and no keys", by: administrator, document: settingsDocument, variables: in("botProtection", map[string]any{"provider": "TURNSTILE"})},
		{name: "settings out of range", by: administrator, document: settingsDocument, variables: map[string]any{"input": map[string]any{"username": map[string]any{"minLength": 65}}}},
		{name: "restrictions that are none", by: administrator, document: settingsDocument, variables: in("restrictions", map[string]any{"allowlist": []any{"jane"}, "blocklist": []any{"*@example.com"}})},
		{name: "a reserved name and a country that are none", by: administrator, document: settingsDocument, variables: map[string]any{"input": map[string]any{"username": map[string]any{"reserved": []any{"a b"}}, "phoneNumber": map[string]any{"countries": []any{"USA"}}}}},
		{name: "a sign-in by a name that gets no code", by: strangers, document: askDocument, variables: in("identifier", "ada")},
		{name: "a sign-in by nobody's address", by: strangers, document: askDocument, variables: in("identifier", "nobody@example.com")},
		{name: "a sign-in by half a number", by: strangers, document: askDocument, variables: in("identifier", "+1500555")},
		{name: "a sign-in with a wrong password", by: strangers, document: comeBackDocument, variables: in("proof", map[string]any{"password": map[string]any{"identifier": "visitor@example.com", "password": "none"}})},
		{name: "a sign-in with two proofs", by: strangers, document: comeBackDocument, variables: in("proof", map[string]any{"password": map[string]any{"identifier": "a", "password": "b"}, "code": map[string]any{"challengeId": "a", "code": "1"}})},
		{name: "a sign-in with half a proof", by: strangers, document: comeBackDocument, variables: in("proof", map[string]any{"code": map[string]any{"code": "123456"}})},
		{name: "a sign-in with a challenge that was made up", by: visitor, document: comeBackDocument, variables: in("proof", map[string]any{"code": map[string]any{"challengeId": "abc", "code": "123456"}})},
		{name: "a sign-in with a challenge of nobody", by: strangers, document: comeBackDocument, variables: in("proof", map[string]any{"code": map[string]any{"challengeId": "abc", "code": "123456"}})},
		{name: "a transfer of what was not proven", by: visitor, document: comeBackDocument, variables: in("proof", map[string]any{"transfer": "abc"})},
		{name: "a transfer by a stranger", by: strangers, document: comeBackDocument, variables: in("proof", map[string]any{"transfer": "abc"})},
		{name: "the secret key signs in", by: administrator, document: comeBackDocument, variables: in("proof", map[string]any{"password": map[string]any{"identifier": "a", "password": "b"}})},
		{name: "a frontend checks a password as a backend does", by: visitor, document: `mutation { userPasswordVerify(input: {identifier: "a", password: "b"}) { user { id } userErrors { code message field } } }`},
		{name: "a wrong password at a backend", by: administrator, document: `mutation { userPasswordVerify(input: {identifier: "visitor@example.com", password: "b"}) { user { id } userErrors { code message field } } }`},
		{name: "a session for nobody", by: administrator, document: `mutation { userSessionCreate(input: {userId: "user_x"}) { session { id } userErrors { code message field } } }`},
		{name: "a ticket that was made up", by: strangers, document: createDocument, variables: in("ticket", "tkt_abc.def")},
		{name: "an invitation of a client", by: visitor, document: inviteDocument, variables: map[string]any{"input": map[string]any{}}},
		{name: "an invitation by mail, without address and link", by: administrator, document: inviteDocument, variables: in("sendEmail", true)},
		{name: "an invitation by mail, without link", by: administrator, document: inviteDocument, variables: map[string]any{"input": map[string]any{"sendEmail": true, "emailAddress": "ada@example.com"}}},
		{name: "an invitation that leads elsewhere", by: administrator, document: inviteDocument, variables: in("redirectUrl", "https://evil.example/join")},
		{name: "an invitation for a second", by: administrator, document: inviteDocument, variables: in("expiresInSeconds", 1)},
		{name: "an invitation with what is not asked for", by: administrator, document: inviteDocument, variables: in("username", "ada")},
		{name: "a revocation of nothing", by: administrator, document: `mutation { invitationRevoke(input: {id: "inv_x"}) { invitation { id } userErrors { code message field } } }`},
		{name: "an endpoint without a scheme", by: administrator, document: hookDocument, variables: in("url", "backend.example/hooks")},
		{name: "an endpoint with an event that does not exist", by: administrator, document: hookDocument, variables: map[string]any{"input": map[string]any{"url": "https://backend.example", "events": []any{"USER_DELETED"}}}},
		{name: "a change of an endpoint that does not exist", by: administrator, document: `mutation { webhookEndpointUpdate(input: {id: "whe_x", rotateSecret: true}) { secret userErrors { code message field } } }`},
		{name: "a replay of a delivery that does not exist", by: administrator, document: replayDocument, variables: in("deliveryId", "dlv_x")},
		{name: "a replay to an endpoint that does not exist", by: administrator, document: replayDocument, variables: in("since", map[string]any{"endpointId": "whe_x", "at": "2026-01-01T00:00:00Z"})},
		{name: "a replay since no moment", by: administrator, document: replayDocument, variables: in("since", map[string]any{"endpointId": "whe_x", "at": "yesterday"})},
		{name: "a page of deliveries that is too large", by: administrator, document: "{ webhookDeliveries(first: 1000) { nodes { id } } }"},
		{name: "invitations in a state that does not exist", by: administrator, document: "{ invitations(status: OPEN) { totalCount } }"},
		{name: "a path that does not exist", by: strangers, change: func(r *http.Request) { r.URL.Path = "/graphiql" }},
	} {
		c.write(t, &transcript)
	}
	socketRefusals(t, visitor, &transcript)
	restrictedRefusals(t, visitor, administrator, &transcript)
	compareTranscript(t, "refusals.txt", strings.NewReplacer(server.SecretKey, "SECRET_KEY", server.PublishableKey, "PUBLISHABLE_KEY").Replace(transcript.String()))
}

// restrictedRefusals gives what the settings' lists do not take.
func restrictedRefusals(t *testing.T, visitor, administrator *client, transcript *bytes.Buffer) {
	t.Helper()
	administrator.changeSettings(t, map[string]any{
		"restrictions": map[string]any{"blocklist": []any{"Blocked.example", "+44*"}}, "emailAddress": map[string]any{"allowSubaddresses": false},
		"phoneNumber": map[string]any{"enabled": true, "countries": []any{"gb", "us"}}, "username": map[string]any{"enabled": true, "reserved": []any{"admin"}},
	})
	give := func(name string, input map[string]any) {
		refusalCase{name: name, by: visitor, document: updateDocument, variables: map[string]any{"input": input}}.write(t, transcript)
	}
	give("what is on a list", map[string]any{"emailAddress": "ada@blocked.example", "phoneNumber": "+442071838750", "username": "ADMIN"})
	give("a subaddress, and another country", map[string]any{"emailAddress": "ada+news@example.com", "phoneNumber": "+4930901820"})
}

const (
	createDocument   = "mutation($input: SignUpCreateInput!) { signUpCreate(input: $input) { signUp { status } userErrors { code message attribute field } } }"
	updateDocument   = "mutation($input: SignUpUpdateInput!) { signUpUpdate(input: $input) { signUp { status } userErrors { code message attribute field } } }"
	startDocument    = "mutation($input: SignUpVerificationStartInput!) { signUpVerificationStart(input: $input) { signUp { status } userErrors { code message attribute field } } }"
	checkDocument    = "mutation($input: SignUpVerificationCheckInput!) { signUpVerificationCheck(input: $input) { signUp { status } userErrors { code message attribute field } } }"
	askDocument      = "mutation($input: SessionVerificationStartInput!) { sessionVerificationStart(input: $input) { userErrors { code message attribute field } } }"
	comeBackDocument = "mutation($input: SessionCreateInput!) { sessionCreate(input: $input) { userErrors { code message attribute field } } }"
	inviteDocument   = "mutation($input: InvitationCreateInput!) { invitationCreate(input: $input) { userErrors { code message attribute field } } }"
	hookDocument     = "mutation($input: WebhookEndpointCreateInput!) { webhookEndpointCreate(input: $input) { userErrors { code message attribute field } } }"
	replayDocument   = "mutation($input: WebhookReplayInput!) { webhookReplay(input: $input) { userErrors { code message attribute field } } }"
	settingsDocument = "mutation($input: InstanceSettingsUpdateInput!) { instanceSettingsUpdate(input: $input) { userErrors { code message field } } }"
)

// in is an input with one member.
func in(member string, value any) map[string]any {
	return map[string]any{"input": map[string]any{member: value}}
}

func aliases(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "a%d: publicSettings { appName } ", i)
	}
	return b.String()
}

func aliasedUsers(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "a%d: users(first: 100) { nodes { id identifiers { field value } consent { path } emailAddress phoneNumber username firstName lastName createdAt updatedAt externalId passwordEnabled } } ", i)
	}
	return b.String()
}

func header(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

// refusalCase is one mistake.
type refusalCase struct {
	name      string
	by        *client
	document  string
	variables map[string]any
	body      string // instead of a document
	change    func(*http.Request)
}

// write makes the mistake and writes down what came back.
func (c refusalCase) write(t *testing.T, transcript *bytes.Buffer) {
	t.Helper()
	body := []byte(c.body)
	if c.body == "" {
		request := map[string]any{"query": c.document}
		if c.variables != nil {
			request["variables"] = c.variables
		}
		body = encode(t, request)
	}
	request, err := http.NewRequest(http.MethodPost, c.by.url+"/graphql", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	c.by.identify(request.Header)
	request.Header.Set("Content-Type", "application/json")
	if c.change != nil {
		c.change(request)
	}
	r, err := c.by.exchange(request)
	fmt.Fprintf(transcript, "%s: %d\n", c.name, r.Status)
	switch {
	case err != nil && r.Status == 0:
		t.Errorf("%s: %v", c.name, err)
	case err != nil: // not JSON: an event stream, or a page
		for line := range strings.Lines(string(r.Body)) {
			if line = strings.TrimSpace(line); line != "" && line != ":" {
				fmt.Fprintf(transcript, "    %s\n", shorten(line))
			}
		}
	default:
		writeErrors(t, transcript, r)
	}
	fmt.Fprintln(transcript)
}

func writeErrors(t *testing.T, transcript *bytes.Buffer, r reply) {
	t.Helper()
	for _, e := range r.Errors {
		fmt.Fprintf(transcript, "    %s: %s\n", e.Extensions.Code, e.Message)
	}
	var payloads map[string]struct{ UserErrors []userError }
	if len(r.Errors) == 0 && json.Unmarshal(r.Data, &payloads) == nil {
		for _, p := range payloads {
			for _, e := range p.UserErrors {
				fmt.Fprintf(transcript, "    %s %s %v: %s\n", e.Code, e.Attribute, e.Field, e.Message)
			}
		}
	}
}

func shorten(line string) string {
	if len(line) > 400 {
		return line[:400] + "…"
	}
	return line
}

// TestKeysOfAnUnknownInstance asks for the JWKS with a publishable key that
// nobody has: the asker's mistake, not an outage.
func TestKeysOfAnUnknownInstance(t *testing.T) {
	t.Parallel()
	server := realtest.Program(t, realtest.ProgramOptions{})
	request, err := http.NewRequest(http.MethodGet, server.URL+"/.well-known/jwks.json", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Publishable-Key", "pk_unknown_key")
	response, err := newClient(t, server).http.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode/100 != 4 {
		t.Errorf("status %d, want one that says that the key is wrong", response.StatusCode)
	}
}

// socketRefusals makes the mistakes that only a WebSocket allows.
func socketRefusals(t *testing.T, c *client, transcript *bytes.Buffer) {
	t.Helper()
	for name, document := range map[string]string{
		"a mutation over a WebSocket": "mutation { signUpUpdate(input: {}) { signUp { id } } }",
	} {
		s := c.openSocket(t)
		s.send(t, socketMessage{ID: "1", Type: "subscribe", Payload: encode(t, map[string]any{"query": document})})
		m, err := s.receive()
		fmt.Fprintf(transcript, "%s: %s\n    %s %v\n\n", name, m.Type, m.Payload, err)
	}
	for _, init := range []struct {
		name    string
		payload map[string]string
	}{
		{"connection_init with a wrong token", map[string]string{"Authorization": "Bearer ct_made_up"}},
		{"connection_init with an unknown publishable key", map[string]string{"Publishable-Key": "pk_unknown_key"}},
	} {
		conn, _, err := c.dial(nil)
		if err != nil {
			t.Fatal(err)
		}
		s := &socket{conn: conn}
		s.send(t, socketMessage{Type: "connection_init", Payload: encode(t, init.payload)})
		_, err = s.receive()
		fmt.Fprintf(transcript, "%s:\n    %v\n\n", init.name, err)
		_ = conn.CloseNow()
	}
}

var changing = regexp.MustCompile(`sua_[0-9A-Za-z]{32}`)

// compareTranscript compares with testdata, or writes it.
func compareTranscript(t *testing.T, name, got string) {
	t.Helper()
	got = changing.ReplaceAllString(got, "SIGN_UP_ID")
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got == string(want) {
		return
	}
	wantParts, gotParts := strings.Split(string(want), "\n\n"), strings.Split(got, "\n\n")
	for i := range max(len(wantParts), len(gotParts)) {
		var was, is string
		if i < len(wantParts) {
			was = wantParts[i]
		}
		if i < len(gotParts) {
			is = gotParts[i]
		}
		if was != is {
			t.Errorf("the answer differs from %s:\n%s\nwas:\n%s", path, is, was)
		}
	}
}
