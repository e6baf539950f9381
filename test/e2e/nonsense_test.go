package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2/ast"

	"stepwise/internal/realtest"
)

// canary is in every text of the nonsense below. It must not come back in an
// answer, nor reach the program's output or its files.
var canary = "canary" + randomHex(6)

// nonsense is a server with something in it that nonsense could damage: a user
// with a session, an open sign-up of the same client, and another client.
type nonsense struct {
	server                    *realtest.ServerProgram
	administrator             *client
	visitor, other            *client
	userID, sessionID         string
	signUpID, otherSignUpID   string
	otherSessionID, abandoned string
	invitationID, endpointID  string
}

func newNonsense(t testing.TB) *nonsense {
	t.Helper()
	n := &nonsense{server: realtest.Program(t, realtest.ProgramOptions{})}
	n.administrator, n.visitor, n.other = newAdministrator(t, n.server), newClient(t, n.server), newClient(t, n.server)
	done := signUpWhole(t, n.visitor, "user@example.com")
	n.userID, n.sessionID = done.CreatedUserID, done.CreatedSessionID
	n.otherSessionID = signUpWhole(t, n.other, "other@example.com").CreatedSessionID
	n.administrator.changeSettings(t, map[string]any{
		"phoneNumber": map[string]any{"enabled": true}, "username": map[string]any{"enabled": true},
		"legalConsent": map[string]any{"enabled": true, "documentVersion": "1"}, "web3Wallet": map[string]any{"enabled": true},
		"externalAccount": map[string]any{"providers": []any{
			map[string]any{"name": "github", "preset": "GITHUB", "clientId": "app", "clientSecret": "none"},
		}},
	})
	var made struct {
		Invitation struct{ Invitation struct{ ID string } }
		Endpoint   struct{ Endpoint struct{ ID string } }
	}
	n.administrator.query(t, "mutation { invitation: invitationCreate(input: {}) { invitation { id } } }", nil, &made)
	n.administrator.query(t, `mutation { endpoint: webhookEndpointCreate(input: {url: "https://backend.example", enabled: false}) { endpoint { id } } }`, nil, &made)
	n.invitationID, n.endpointID = made.Invitation.Invitation.ID, made.Endpoint.Endpoint.ID
	n.abandoned = n.visitor.create(t, map[string]any{}).ID
	n.signUpID = begin(t, n.visitor, "open@example.com").ID
	n.otherSignUpID = begin(t, n.other, "open-other@example.com").ID
	return n
}

// state is everything that nonsense must not change, as JSON.
func (n *nonsense) state(t testing.TB) string {
	t.Helper()
	var parts []string
	for _, id := range []string{n.signUpID, n.otherSignUpID, n.abandoned} {
		parts = append(parts, asJSON(t, n.administrator.read(t, id)))
	}
	for _, c := range []*client{n.visitor, n.other} {
		var data struct{ Client json.RawMessage }
		c.query(t, "{ client { id signUp { id } sessions { id status } } }", nil, &data)
		parts = append(parts, string(data.Client))
	}
	var data struct{ InstanceSettings, Users, Invitations, WebhookEndpoints, WebhookDeliveries json.RawMessage }
	n.administrator.query(t, `{
		instanceSettings { version appName updatedAt }
		users { totalCount nodes { id externalId publicMetadata privateMetadata updatedAt } }
		invitations { totalCount nodes { id status emailAddress } }
		webhookEndpoints { id url events enabled updatedAt }
		webhookDeliveries { nodes { id } }
	}`, nil, &data)
	parts = append(parts, string(data.InstanceSettings), string(data.Users), string(data.Invitations), string(data.WebhookEndpoints), string(data.WebhookDeliveries))
	for i := range parts {
		parts[i] = strings.ReplaceAll(parts[i], "\n", "")
	}
	return strings.Join(parts, "\n")
}

// unchanged expects the state to be as before, and returns it.
func (n *nonsense) unchanged(t testing.TB, before string) (now string) {
	t.Helper()
	now = n.state(t)
	was, is := strings.Split(before, "\n"), strings.Split(now, "\n")
	for i := range min(len(was), len(is)) {
		if was[i] != is[i] {
			t.Errorf("something was stored:\n%s\nbefore:\n%s", is[i], was[i])
		}
	}
	if len(was) != len(is) {
		t.Errorf("something was stored:\n%s\nbefore:\n%s", now, before)
	}
	return now
}

// target is a mutation with an input that would be accepted, or that at least
// has the right shape.
type target struct {
	name  string
	by    *client
	input map[string]any
	// way tells several inputs of one mutation apart.
	way string
}

func (t target) title() string { return t.name + t.way }

func (n *nonsense) targets() []target {
	return []target{
		{name: "signUpCreate", by: n.visitor, input: map[string]any{}},
		{name: "signUpUpdate", by: n.visitor, input: map[string]any{}},
		{name: "signUpVerificationStart", by: n.visitor, input: map[string]any{"strategy": "EMAIL_CODE"}},
		{name: "signUpVerificationStart", way: " by OAUTH", by: n.visitor, input: map[string]any{"strategy": "OAUTH", "provider": "github", "redirectUrl": "http://localhost/back"}},
		{name: "signUpVerificationStart", way: " by WEB3_SIGNATURE", by: n.visitor, input: map[string]any{"strategy": "WEB3_SIGNATURE", "web3Wallet": someWallet}},
		{name: "signUpVerificationCheck", by: n.visitor, input: map[string]any{"proof": map[string]any{"phoneCode": "123456"}}},
		{name: "sessionVerificationStart", by: n.visitor, input: map[string]any{"identifier": "nobody@example.com"}},
		{name: "sessionCreate", by: n.visitor, input: map[string]any{"proof": map[string]any{"password": neighbours["proof.password"]}}},
		{name: "sessionTokenCreate", by: n.visitor, input: map[string]any{}},
		{name: "sessionEnd", by: n.visitor, input: map[string]any{"sessionId": n.sessionID}},
		{name: "instanceSettingsUpdate", by: n.administrator, input: map[string]any{}},
		{name: "invitationCreate", by: n.administrator, input: map[string]any{}},
		{name: "invitationRevoke", by: n.administrator, input: map[string]any{"id": n.invitationID}},
		{name: "webhookEndpointCreate", by: n.administrator, input: map[string]any{"url": "https://backend.example"}},
		{name: "webhookEndpointUpdate", by: n.administrator, input: map[string]any{"id": n.endpointID}},
		{name: "webhookEndpointDelete", by: n.administrator, input: map[string]any{"id": n.endpointID}},
		{name: "webhookReplay", by: n.administrator, input: map[string]any{}}, // @oneOf
		{name: "webhookReplay", way: " since", by: n.administrator, input: map[string]any{}},
		{name: "userPasswordVerify", by: n.administrator, input: map[string]any{"identifier": "user@example.com", "password": "none"}},
		{name: "userSessionCreate", by: n.administrator, input: map[string]any{"userId": n.userID}},
		{name: "userUpdate", by: n.administrator, input: map[string]any{"id": n.userID}},
	}
}

// TestNonsenseForAll: no mutation of the schema is left out, nor a member of any
// input that has texts or numbers which can be wrong.
func TestNonsenseForAll(t *testing.T) {
	t.Parallel()
	schema := loadSchema(t)
	n := &nonsense{}
	values := n.wrongValues()
	tried := map[string]map[string]bool{}
	for _, target := range n.targets() {
		if tried[target.name] == nil {
			tried[target.name] = map[string]bool{}
		}
		for name := range values[target.title()] {
			tried[target.name][name] = true
		}
	}
	for _, mutation := range schema.Mutation.Fields {
		if tried[mutation.Name] == nil {
			t.Errorf("nothing wrong is given to %s", mutation.Name)
			continue
		}
		for _, f := range schema.Types[mutation.Arguments.ForName("input").Type.Name()].Fields {
			kind := schema.Types[f.Type.Name()].Kind
			canBeWrong := f.Type.Name() != "Boolean" && kind != ast.Enum
			if alone := mutation.Name + "." + f.Name; canBeWrong && !tried[mutation.Name][f.Name] && !anyValue[alone] {
				t.Errorf("%s is given nothing that makes no sense", alone)
			}
		}
	}
}

// anyValue are members of which everything is taken, or is told of elsewhere.
var anyValue = map[string]bool{
	"userPasswordVerify.identifier":    true,                                           // as a wrong password
	"signUpCreate.botToken":            true,                                           // ignored where nobody is checked; else in TestBotCheck
	"instanceSettingsUpdate.firstName": false, "instanceSettingsUpdate.lastName": true, // as firstName
}

// TestScalarsAreNotConverted gives a number where a text belongs, a text where a
// number belongs, and a number that is too large for an Int.
func TestScalarsAreNotConverted(t *testing.T) {
	t.Parallel()
	schema := loadSchema(t)
	n := newNonsense(t)
	before := n.state(t)
	for _, target := range n.targets() {
		t.Run(target.title(), func(t *testing.T) {
			inputType := schema.Mutation.Fields.ForName(target.name).Arguments.ForName("input").Type.Name()
			for _, m := range membersOf(schema, inputType, nil) {
				for _, wrong := range otherScalars[m.value.Name()] {
					expectRequestError(t, target, document(schema, target.name), place(target.input, m.path, wrong),
						fmt.Sprintf("%s = %v (%[2]T)", strings.Join(m.path, "."), wrong), m.path...)
				}
			}
			before = n.unchanged(t, before)
		})
	}
}

// refusal is how nonsense was turned away.
type refusal struct {
	reply      reply
	userErrors []userError // empty if the request as a whole was refused
}

// refused sends nonsense and checks all that must hold for any refusal.
func refused(t testing.TB, by *client, document, mutation string, input any) refusal {
	t.Helper()
	r, err := by.ask(document, map[string]any{"input": input})
	if err != nil {
		t.Fatalf("no answer in JSON: %v", err)
	}
	if !slices.Contains([]int{http.StatusOK, http.StatusBadRequest, http.StatusRequestEntityTooLarge}, r.Status) {
		t.Errorf("status %d: %.300s", r.Status, r.Body)
	}
	if strings.Contains(string(r.Body), canary) {
		t.Errorf("the answer repeats the input: %.300s", r.Body)
	}
	for _, e := range r.Errors {
		if code := e.Extensions.Code; code == "" || code == "INTERNAL" || code == "UNAVAILABLE" || e.Message == "" {
			t.Errorf("error %q with code %q", e.Message, code)
		}
	}
	if len(r.Errors) > 0 {
		return refusal{reply: r}
	}
	var payload map[string]struct{ UserErrors []userError }
	if err := json.Unmarshal(r.Data, &payload); err != nil {
		t.Fatalf("data: %v: %.300s", err, r.Body)
	}
	errors := payload[mutation].UserErrors
	if len(errors) == 0 {
		t.Errorf("accepted: %.300s", r.Body)
	}
	for _, e := range errors {
		if e.Code == "" || e.Message == "" {
			t.Errorf("user error without code or message: %+v", e)
		}
	}
	return refusal{r, errors}
}

// attributes are the fields of a sign-up by the name of their input.
var attributes = map[string]string{
	"emailAddress": "EMAIL_ADDRESS", "phoneNumber": "PHONE_NUMBER", "username": "USERNAME", "password": "PASSWORD",
	"firstName": "FIRST_NAME", "lastName": "LAST_NAME", "legalAccepted": "LEGAL_ACCEPTED",
}

// TestWrongTypes walks all inputs of the schema and puts into every member what
// its type does not allow.
func TestWrongTypes(t *testing.T) {
	t.Parallel()
	schema := loadSchema(t)
	n := newNonsense(t)
	before := n.state(t)
	for _, target := range n.targets() {
		t.Run(target.title(), func(t *testing.T) {
			field := schema.Mutation.Fields.ForName(target.name)
			inputType := field.Arguments.ForName("input").Type
			for _, wrong := range append(wrongTypes(schema, inputType), []any{[]any{target.input, target.input}}...) {
				if wrong == nil && field.Arguments.ForName("input").DefaultValue != nil {
					continue
				}
				expectRequestError(t, target, document(schema, target.name), wrong, fmt.Sprintf("input = %.60v", wrong))
			}
			for _, m := range membersOf(schema, inputType.Name(), nil) {
				path := m.path
				if m.value.Name() == "JSON" {
					path = nil // such an error names the mutation only
				}
				for _, wrong := range wrongTypes(schema, m.value) {
					expectRequestError(t, target, document(schema, target.name), place(target.input, m.path, wrong),
						fmt.Sprintf("%s = %.60v", strings.Join(m.path, "."), wrong), path...)
				}
			}
			before = n.unchanged(t, before)
		})
	}
	for _, c := range []struct {
		mutation string
		inputs   []map[string]any
	}{
		{"signUpVerificationCheck", []map[string]any{
			{"proof": map[string]any{}}, {"proof": map[string]any{"emailCode": nil}}, {"proof": map[string]any{"emailCode": canary, "phoneCode": canary}},
			{"proof": map[string]any{"emailCode": canary, "phoneCode": nil}}, {"proof": map[string]any{"emailLink": canary, "oauthHandle": canary}},
		}},
		{"sessionCreate", []map[string]any{
			{"proof": map[string]any{}}, {"proof": map[string]any{"transfer": nil}},
			{"proof": map[string]any{"password": neighbours["proof.password"], "code": neighbours["proof.code"]}},
			{"proof": map[string]any{"password": neighbours["proof.password"], "transfer": nil}},
		}},
		{"webhookReplay", []map[string]any{{}, {"deliveryId": nil}, {"deliveryId": canary, "since": neighbours["since"]}, {"since": nil}}},
	} {
		i := slices.IndexFunc(n.targets(), func(t target) bool { return t.name == c.mutation })
		for _, input := range c.inputs {
			expectRequestError(t, n.targets()[i], document(schema, c.mutation), input, fmt.Sprintf("%s of %v", c.mutation, input))
		}
	}
	quietAbout(t, n.server, canary)
}

// expectRequestError sends an input of the wrong type: the request is broken, so
// the error is a top-level one. Where the path of what is wrong is given, the error
// names its end, or the object that it makes none of: nothing else was wrong.
func expectRequestError(t *testing.T, target target, document string, input any, what string, path ...string) {
	t.Helper()
	t.Run(what, func(t *testing.T) {
		r := refused(t, target.by, document, target.name, input)
		if len(r.reply.Errors) == 0 && len(r.userErrors) > 0 {
			t.Errorf("a wrong type got user errors: %+v", r.userErrors)
		}
		named := slices.DeleteFunc(append([]string{"input"}, path...), func(step string) bool { return step == only })
		if n := len(named); len(r.reply.Errors) > 0 && n > 1 {
			end, above := named[n-1], strings.Join(named[:n-1], ".")
			if m := r.reply.Errors[0].Message; !strings.Contains(m, end) && !strings.Contains(m, "$"+above+" ") {
				t.Errorf("the error does not name %s: %s", strings.Join(named, "."), m)
			}
		}
	})
}

// TestForeignIDs asks for what belongs to somebody else: the answer is, byte for
// byte, the one for what does not exist.
func TestForeignIDs(t *testing.T) {
	t.Parallel()
	n := newNonsense(t)
	nowhere := map[string]string{
		"sua": "sua_" + strings.Repeat("0", 32), "sess": "sess_" + strings.Repeat("0", 20), "user": "user_" + strings.Repeat("0", 20), "inv": "inv_" + strings.Repeat("0", 20),
	}
	var other struct{ Client struct{ ID string } }
	n.other.query(t, "{ client { id } }", nil, &other)
	const payload = "{ signUp { id status } userErrors { code message field } }"
	for _, c := range []struct{ name, document, foreign, missing string }{
		{"signUp", "query($id: ID!) { signUp(id: $id) { id } }", n.otherSignUpID, nowhere["sua"]},
		{"node of a sign-up", "query($id: ID!) { node(id: $id) { id } }", n.otherSignUpID, nowhere["sua"]},
		{"node of a session", "query($id: ID!) { node(id: $id) { id } }", n.otherSessionID, nowhere["sess"]},
		{"node of a user", "query($id: ID!) { node(id: $id) { id } }", n.userID, nowhere["user"]},
		{"node of an invitation", "query($id: ID!) { node(id: $id) { id } }", n.invitationID, nowhere["inv"]},
		{"node of a client", "query($id: ID!) { node(id: $id) { id } }", other.Client.ID, "client_" + strings.Repeat("0", 20)},
		{"signUpUpdate", "mutation($id: ID!) { signUpUpdate(input: {id: $id, firstName: \"Eve\"}) " + payload + " }", n.otherSignUpID, nowhere["sua"]},
		{"signUpVerificationStart", "mutation($id: ID!) { signUpVerificationStart(input: {id: $id, strategy: EMAIL_CODE}) " + payload + " }", n.otherSignUpID, nowhere["sua"]},
		{"signUpVerificationCheck", "mutation($id: ID!) { signUpVerificationCheck(input: {id: $id, proof: {emailCode: \"000000\"}}) " + payload + " }", n.otherSignUpID, nowhere["sua"]},
		{"sessionEnd", "mutation($id: ID!) { sessionEnd(input: {sessionId: $id}) { session { id } userErrors { code message field } } }", n.otherSessionID, nowhere["sess"]},
		{"sessionTokenCreate", "mutation($id: ID!) { sessionTokenCreate(input: {sessionId: $id}) { token userErrors { code message field } } }", n.otherSessionID, nowhere["sess"]},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := n.state(t)
			foreign, err := n.visitor.ask(c.document, map[string]any{"id": c.foreign})
			if err != nil {
				t.Fatal(err)
			}
			missing, err := n.visitor.ask(c.document, map[string]any{"id": c.missing})
			if err != nil {
				t.Fatal(err)
			}
			if foreign.Status != missing.Status || string(foreign.Body) != string(missing.Body) {
				t.Errorf("foreign: %d %s\nmissing: %d %s", foreign.Status, foreign.Body, missing.Status, missing.Body)
			}
			before = n.unchanged(t, before)
		})
	}
	for name, id := range map[string]string{"foreign": n.otherSignUpID, "missing": nowhere["sua"]} {
		if e := n.visitor.watchBySocket(t, id).next(t); !strings.Contains(e.end, "NOT_FOUND") {
			t.Errorf("subscription to a %s sign-up: %+v, want NOT_FOUND", name, e)
		}
	}
	// Its own abandoned one says what became of it.
	o, err := n.visitor.tryUpdate(map[string]any{"id": n.abandoned, "firstName": "Ada"})
	if err != nil || !slices.Equal(o.errorCodes(), []string{"SIGN_UP_ABANDONED"}) {
		t.Errorf("update of an abandoned sign-up: %v, %v; want SIGN_UP_ABANDONED", o.errorCodes(), err)
	}
}

// TestMalformedBodies sends what is no GraphQL request at all.
func TestMalformedBodies(t *testing.T) {
	t.Parallel()
	n := newNonsense(t)
	before := n.state(t)
	valid := `{"query":"{ publicSettings { appName } }"`
	for name, c := range map[string]struct {
		body   string
		status int
		code   string
	}{
		"empty":                 {"", 400, "BAD_REQUEST"},
		"not JSON":              {"password=" + canary, 400, "BAD_REQUEST"},
		"cut off":               {`{"query":"mutation { signUpCreate(input: {password: \"` + canary, 400, "BAD_REQUEST"},
		"array":                 {`[{"query":"` + canary + `"}]`, 400, "BATCHING_NOT_SUPPORTED"},
		"text":                  {`"` + canary + `"`, 400, "BAD_REQUEST"},
		"no query":              {`{"variables":{"password":"` + canary + `"}}`, 400, "BAD_REQUEST"},
		"query of a wrong type": {`{"query":{"` + canary + `":1}}`, 400, "BAD_REQUEST"},
		"variables as a text":   {valid + `,"variables":"` + canary + `"}`, 400, "BAD_REQUEST"},
		"operationName wrong":   {valid + `,"operationName":["` + canary + `"]}`, 400, "BAD_REQUEST"},
		"trailing data":         {valid + `} ` + canary, 400, "BAD_REQUEST"},
		"key twice":             {valid + `,"query":"` + canary + `"}`, 400, "BAD_REQUEST"},
		"NUL":                   {valid + `,"variables":{"a":"` + canary + `\u0000"}}`, 400, "BAD_REQUEST"},
		"invalid UTF-8":         {valid + `,"variables":{"a":"` + canary + "\xff\"}}", 400, "BAD_REQUEST"},
		"300 KiB":               {valid + `,"variables":{"a":"` + strings.Repeat(canary, 300<<10/len(canary)) + `"}}`, 413, "LIMIT_EXCEEDED"},
		"deep JSON":             {valid + `,"variables":` + strings.Repeat(`{"a":`, 20_000) + "1" + strings.Repeat("}", 20_000) + "}", 400, "BAD_REQUEST"},
		"syntax error":          {`{"query":"{ publicSettings { ` + canary + `( }"}`, 200, "GRAPHQL_PARSE_FAILED"},
		"unclosed string":       {`{"query":"{ user(id: \"` + canary + `) { id } }"}`, 200, "GRAPHQL_PARSE_FAILED"},
		"object for an id":      {`{"query":"{ user(id: {secret: \"` + canary + `\"}) { id } }"}`, 200, "GRAPHQL_VALIDATION_FAILED"},
		"literal of wrong type": {`{"query":"mutation { signUpCreate(input: {legalAccepted: \"` + canary + `\"}) { signUp { id } } }"}`, 200, "GRAPHQL_VALIDATION_FAILED"},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := n.visitor.post([]byte(c.body), nil)
			if err != nil {
				t.Fatal(err)
			}
			if r.Status != c.status || len(r.Errors) == 0 || r.Errors[0].Extensions.Code != c.code {
				t.Errorf("status %d: %.300s; want %d %s", r.Status, r.Body, c.status, c.code)
			}
			if strings.Contains(string(r.Body), canary) {
				t.Errorf("the answer repeats the body: %.300s", r.Body)
			}
		})
	}
	n.unchanged(t, before)
	quietAbout(t, n.server, canary)
}

// quietAbout expects the program to have written a secret nowhere: not to its
// output, not into its files.
func quietAbout(t *testing.T, server *realtest.ServerProgram, secret string) {
	t.Helper()
	if strings.Contains(server.Stdout()+server.Stderr(), secret) {
		t.Errorf("the program wrote %q to its output", secret)
	}
	if strings.Contains(server.Stderr(), "level=ERROR") {
		t.Errorf("the program logged errors of its own:\n%s", server.Stderr())
	}
	files, err := filepath.Glob(filepath.Join(server.DataDir, "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("files of the program: %v, %v", files, err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Error(err)
		}
		if strings.Contains(string(content), secret) {
			t.Errorf("%s contains %q", filepath.Base(file), secret)
		}
	}
}
