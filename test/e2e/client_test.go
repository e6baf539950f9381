package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"testing"
	"time"

	"stepwise/internal/realtest"
)

// answerLimit is how long a test waits for any answer. It only decides how soon
// a hang is reported.
const answerLimit = 30 * time.Second

// client is one browser, app or backend that talks to a server. It keeps the
// token that it is given. A copy is another caller with the same credentials.
type client struct {
	url            string // base of the server
	publishableKey string
	bearer         string // ct_… or sk_…, empty at first
	// cookies: the client takes its token as a cookie, kept by its jar.
	cookies bool
	// transfer is the last transferToken that a proof brought.
	transfer string
	headers  http.Header
	http     *http.Client
}

// newClient returns a client in bearer mode without a token.
func newClient(t testing.TB, server *realtest.ServerProgram) *client {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	t.Cleanup(transport.CloseIdleConnections)
	return &client{
		url: server.URL, publishableKey: server.PublishableKey, headers: http.Header{},
		http: &http.Client{
			Transport: transport, Timeout: answerLimit,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// newAdministrator returns a client that holds the secret key.
func newAdministrator(t testing.TB, server *realtest.ServerProgram) *client {
	t.Helper()
	c := newClient(t, server)
	c.bearer = server.SecretKey
	return c
}

// clone returns another caller with the same credentials and connections.
func (c *client) clone() *client {
	other := *c
	other.headers = c.headers.Clone()
	return &other
}

// at returns the same caller at another process.
func (c *client) at(server *realtest.ServerProgram) *client {
	other := c.clone()
	other.url = server.URL
	return other
}

// reply is what came back, whatever its status.
type reply struct {
	Status int
	Header http.Header
	Body   []byte
	Took   time.Duration

	Data   json.RawMessage `json:"data"`
	Errors []graphqlError  `json:"errors"`
}

type graphqlError struct {
	Message    string `json:"message"`
	Path       []any  `json:"path"`
	Extensions struct {
		Code string `json:"code"`
	} `json:"extensions"`
}

// codes lists extensions.code of the top-level errors.
func (r reply) codes() []string {
	var codes []string
	for _, e := range r.Errors {
		codes = append(codes, e.Extensions.Code)
	}
	return codes
}

// post sends a body as it is. It may be called from any goroutine.
func (c *client) post(body []byte, change func(*http.Request)) (reply, error) {
	request, err := http.NewRequest(http.MethodPost, c.url+"/graphql", bytes.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	c.identify(request.Header)
	request.Header.Set("Content-Type", "application/json")
	if change != nil {
		change(request)
	}
	return c.exchange(request)
}

// identify adds the client's credentials to a request.
func (c *client) identify(header http.Header) {
	if c.publishableKey != "" {
		header.Set("Publishable-Key", c.publishableKey)
	}
	if c.bearer != "" {
		header.Set("Authorization", "Bearer "+c.bearer)
	} else if !c.cookies {
		header.Set("Client-Mode", "bearer")
	}
	for name, values := range c.headers {
		header[name] = values
	}
}

func (c *client) exchange(request *http.Request) (reply, error) {
	start := time.Now()
	response, err := c.http.Do(request)
	if err != nil {
		return reply{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return reply{}, err
	}
	r := reply{Status: response.StatusCode, Header: response.Header, Body: body, Took: time.Since(start)}
	if err := json.Unmarshal(body, &r); err != nil {
		return r, fmt.Errorf("status %d, not JSON: %.200q", r.Status, body)
	}
	return r, nil
}

// ask runs a document. It may be called from any goroutine.
func (c *client) ask(document string, variables map[string]any) (reply, error) {
	body, err := json.Marshal(map[string]any{"query": document, "variables": variables})
	if err != nil {
		return reply{}, err
	}
	return c.post(body, nil)
}

// query runs a document that must succeed and decodes its data.
func (c *client) query(t testing.TB, document string, variables map[string]any, into any) {
	t.Helper()
	r, err := c.ask(document, variables)
	if err != nil {
		t.Fatalf("%.60s: %v", document, err)
	}
	if r.Status != http.StatusOK || len(r.Errors) > 0 {
		t.Fatalf("%.60s: status %d: %.500s", document, r.Status, r.Body)
	}
	if err := json.Unmarshal(r.Data, into); err != nil {
		t.Fatalf("%.60s: %v", document, err)
	}
}

// unanswered is the error of a mutation that was refused or broke at the top
// level.
type unanswered struct{ reply reply }

func (e *unanswered) Error() string {
	return fmt.Sprintf("status %d: %.300s", e.reply.Status, e.reply.Body)
}

// unavailable reports whether err says that a store did not answer.
func unavailable(err error) bool {
	refused, ok := errors.AsType[*unanswered](err)
	return ok && len(refused.reply.Errors) == 1 && refused.reply.Errors[0].Extensions.Code == "UNAVAILABLE"
}

// try runs one of the mutations of a sign-up and keeps the token that it
// brings. It may be called from any goroutine that has the client for itself.
func (c *client) try(mutation, inputType string, input map[string]any) (outcome, error) {
	selection := "signUp {" + signUpFields + "} userErrors { code message attribute field retryAfter }"
	if mutation == "signUpVerificationCheck" {
		selection += " transferToken"
	}
	document := "mutation($input: " + inputType + "!) { " + mutation + "(input: $input) { " + selection + " } }" + verificationFragment
	r, err := c.ask(document, map[string]any{"input": input})
	if err != nil {
		return outcome{}, err
	}
	if len(r.Errors) > 0 || r.Status != http.StatusOK {
		return outcome{}, &unanswered{r}
	}
	var data map[string]outcome
	if err := json.Unmarshal(r.Data, &data); err != nil {
		return outcome{}, err
	}
	if token := r.Header.Get("Client-Token"); token != "" {
		c.bearer = token
	}
	if token := data[mutation].TransferToken; token != "" {
		c.transfer = token
	}
	return data[mutation], nil
}

// send runs a mutation of any kind that must not break, keeps the token that it
// brings, and decodes its payload.
func (c *client) send(t testing.TB, mutation, inputType, selection string, input map[string]any, into any) {
	t.Helper()
	r, err := c.ask("mutation($input: "+inputType+"!) { "+mutation+"(input: $input) { "+selection+" } }", map[string]any{"input": input})
	if err != nil || len(r.Errors) > 0 || r.Status != http.StatusOK {
		t.Fatalf("%s: %v, status %d: %.300s", mutation, err, r.Status, r.Body)
	}
	if token := r.Header.Get("Client-Token"); token != "" {
		c.bearer = token
	}
	var data map[string]json.RawMessage
	if err := json.Unmarshal(r.Data, &data); err != nil {
		t.Fatalf("%s: %v", mutation, err)
	}
	if err := json.Unmarshal(data[mutation], into); err != nil {
		t.Fatalf("%s: %v: %s", mutation, err, data[mutation])
	}
}

func (c *client) tryCreate(input map[string]any) (outcome, error) {
	return c.try("signUpCreate", "SignUpCreateInput", input)
}

func (c *client) tryUpdate(input map[string]any) (outcome, error) {
	return c.try("signUpUpdate", "SignUpUpdateInput", input)
}

func (c *client) tryStart(strategy string) (outcome, error) {
	return c.tryStartOf(map[string]any{"strategy": strategy})
}

func (c *client) tryStartOf(input map[string]any) (outcome, error) {
	return c.try("signUpVerificationStart", "SignUpVerificationStartInput", input)
}

// tryCheck offers a proof: a code, a link or a handle, or an object.
func (c *client) tryCheck(proof string, value any) (outcome, error) {
	return c.try("signUpVerificationCheck", "SignUpVerificationCheckInput",
		map[string]any{"proof": map[string]any{proof: value}})
}

// accepted ends the test unless a mutation succeeded without user errors.
func accepted(t testing.TB, what string) func(outcome, error) signUp {
	t.Helper()
	return func(o outcome, err error) signUp {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if len(o.UserErrors) > 0 || o.SignUp == nil {
			t.Fatalf("%s: sign-up %v, user errors %+v", what, o.SignUp, o.UserErrors)
		}
		return *o.SignUp
	}
}

func (c *client) create(t testing.TB, input map[string]any) signUp {
	t.Helper()
	return accepted(t, "create")(c.tryCreate(input))
}

func (c *client) update(t testing.TB, input map[string]any) signUp {
	t.Helper()
	return accepted(t, "update")(c.tryUpdate(input))
}

func (c *client) start(t testing.TB, strategy string) signUp {
	t.Helper()
	return accepted(t, "start "+strategy)(c.tryStart(strategy))
}

func (c *client) startOf(t testing.TB, input map[string]any) signUp {
	t.Helper()
	return accepted(t, "start")(c.tryStartOf(input))
}

func (c *client) check(t testing.TB, proof string, value any) signUp {
	t.Helper()
	return accepted(t, "check "+proof)(c.tryCheck(proof, value))
}

// read returns the sign-up of that id, the current one where id is empty; nil
// where the caller has none.
func (c *client) read(t testing.TB, id string) *signUp {
	t.Helper()
	var data struct{ SignUp *signUp }
	var variable any
	if id != "" {
		variable = id
	}
	c.query(t, "query($id: ID) { signUp(id: $id) {"+signUpFields+"} }"+verificationFragment, map[string]any{"id": variable}, &data)
	return data.SignUp
}

// changeSettings applies a change that must be accepted.
func (c *client) changeSettings(t testing.TB, change map[string]any) (version int) {
	t.Helper()
	var data struct {
		InstanceSettingsUpdate struct {
			Settings   struct{ Version int }
			UserErrors []userError
		}
	}
	c.query(t, `mutation($input: InstanceSettingsUpdateInput!) {
		instanceSettingsUpdate(input: $input) { settings { version } userErrors { code message field } }
	}`, map[string]any{"input": change}, &data)
	if e := data.InstanceSettingsUpdate.UserErrors; len(e) > 0 {
		t.Fatalf("change settings: %+v", e)
	}
	return data.InstanceSettingsUpdate.Settings.Version
}

type user struct {
	ID              string
	EmailAddress    *string
	PhoneNumber     *string
	FirstName       *string
	LastName        *string
	PasswordEnabled bool
	Identifiers     []struct {
		Field, Value    string
		VerifiedAt      *time.Time
		Issuer, Subject string
	}
}

// users lists the users that an identifier belongs to, all where it is empty.
func (c *client) users(t testing.TB, identifier string) []user {
	t.Helper()
	var filter any
	if identifier != "" {
		filter = map[string]any{"identifier": identifier}
	}
	var data struct {
		Users struct {
			Nodes      []user
			TotalCount int
		}
	}
	c.query(t, `query($filter: UserFilter) { users(first: 100, filter: $filter) {
		totalCount nodes { id emailAddress phoneNumber firstName lastName passwordEnabled identifiers { field value verifiedAt issuer subject } }
	} }`, map[string]any{"filter": filter}, &data)
	if data.Users.TotalCount != len(data.Users.Nodes) {
		t.Errorf("users: totalCount %d, but %d nodes", data.Users.TotalCount, len(data.Users.Nodes))
	}
	return data.Users.Nodes
}

// message is one entry of the development outbox.
type message struct {
	To      string    `json:"to"`
	Channel string    `json:"channel"`
	Code    string    `json:"code"`
	Link    string    `json:"link"`
	Text    string    `json:"text"`
	At      time.Time `json:"at"`
	Subject string    `json:"subject"`
}

// outbox returns the messages to an address, newest first.
func (c *client) outbox(t testing.TB, to string) []message {
	t.Helper()
	var messages []message
	status, body := c.get(t, "/dev/outbox?format=json&to="+url.QueryEscape(to))
	if status != http.StatusOK {
		t.Fatalf("outbox: status %d: %.200s", status, body)
	}
	if err := json.Unmarshal(body, &messages); err != nil {
		t.Fatalf("outbox: %v", err)
	}
	return messages
}

// code returns the newest code sent to an address.
func (c *client) code(t testing.TB, to string) string {
	t.Helper()
	messages := c.outbox(t, to)
	if len(messages) == 0 {
		t.Fatalf("outbox: nothing was sent to %s", to)
	}
	return messages[0].Code
}

// get fetches a path of the server without credentials.
func (c *client) get(t testing.TB, path string) (status int, body []byte) {
	t.Helper()
	status, body, err := c.tryGet(context.Background(), path)
	if err != nil {
		t.Fatalf("GET %s: %v", path, err)
	}
	return status, body
}

func (c *client) tryGet(ctx context.Context, path string) (status int, body []byte, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url+path, nil)
	if err != nil {
		return 0, nil, err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	body, err = io.ReadAll(response.Body)
	return response.StatusCode, body, err
}
