package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2"
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
		"legalConsent": map[string]any{"enabled": true, "documentVersion": "1"},
	})
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
	var data struct{ InstanceSettings, Users json.RawMessage }
	n.administrator.query(t, `{
		instanceSettings { version appName updatedAt }
		users { totalCount nodes { id externalId publicMetadata privateMetadata updatedAt } }
	}`, nil, &data)
	parts = append(parts, string(data.InstanceSettings), string(data.Users))
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
}

func (n *nonsense) targets() []target {
	return []target{
		{"signUpCreate", n.visitor, map[string]any{}},
		{"signUpUpdate", n.visitor, map[string]any{}},
		{"signUpVerificationStart", n.visitor, map[string]any{"strategy": "EMAIL_CODE"}},
		{"signUpVerificationCheck", n.visitor, map[string]any{"proof": map[string]any{"phoneCode": "123456"}}},
		{"sessionTokenCreate", n.visitor, map[string]any{}},
		{"sessionEnd", n.visitor, map[string]any{"sessionId": n.sessionID}},
		{"instanceSettingsUpdate", n.administrator, map[string]any{}},
		{"userUpdate", n.administrator, map[string]any{"id": n.userID}},
	}
}

func loadSchema(t testing.TB) *ast.Schema {
	t.Helper()
	path := filepath.Join("..", "..", "schema.graphqls")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	schema, err := gqlparser.LoadSchema(&ast.Source{Name: path, Input: string(text)})
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// member is one place in an input where a value goes.
type member struct {
	path  []string // without "input"
	value *ast.Type
}

// membersOf lists every place of an input type, those of nested ones included.
func membersOf(schema *ast.Schema, inputType string, above []string) []member {
	var list []member
	for _, f := range schema.Types[inputType].Fields {
		path := append(slices.Clone(above), f.Name)
		list = append(list, member{path, f.Type})
		if nested := schema.Types[f.Type.Name()]; nested.Kind == ast.InputObject && f.Type.Elem == nil {
			list = append(list, membersOf(schema, f.Type.Name(), path)...)
		}
	}
	return list
}

// otherScalars are values of scalars that look as if they could be converted,
// which the specification forbids (September 2025, sections 3.5.1 to 3.5.5).
var otherScalars = map[string][]any{
	"String": {7, 1.5}, "ID": {1.5}, "Int": {"7", int64(1) << 31, -(int64(1) << 31) - 1},
}

// TestScalarsAreNotConverted gives a number where a text belongs, a text where a
// number belongs, and a number that is too large for an Int.
func TestScalarsAreNotConverted(t *testing.T) {
	t.Parallel()
	schema := loadSchema(t)
	n := newNonsense(t)
	before := n.state(t)
	for _, target := range n.targets() {
		t.Run(target.name, func(t *testing.T) {
			inputType := schema.Mutation.Fields.ForName(target.name).Arguments.ForName("input").Type.Name()
			for _, m := range membersOf(schema, inputType, nil) {
				for _, wrong := range otherScalars[m.value.Name()] {
					expectRequestError(t, target, document(schema, target.name), place(target.input, m.path, wrong),
						fmt.Sprintf("%s = %v (%[2]T)", strings.Join(m.path, "."), wrong))
				}
			}
			before = n.unchanged(t, before)
		})
	}
}

// wrongTypes are JSON values that a GraphQL type must not accept.
func wrongTypes(schema *ast.Schema, value *ast.Type) []any {
	object := map[string]any{"unknown": canary}
	var wrong []any
	if value.NonNull {
		wrong = append(wrong, nil)
	}
	if value.Elem != nil {
		for _, element := range wrongTypes(schema, value.Elem) {
			wrong = append(wrong, []any{element})
		}
		return append(wrong, true, object)
	}
	switch value.Name() {
	case "String", "ID":
		return append(wrong, true, object, []any{canary, canary})
	case "Boolean":
		return append(wrong, 0, "true", canary, object)
	case "Int":
		return append(wrong, 1.5, canary, true, json.Number("1e400"), object)
	case "JSON":
		return append(wrong, 7, true, canary, []any{canary})
	}
	if schema.Types[value.Name()].Kind == ast.Enum {
		return append(wrong, 7, true, "", canary, object)
	}
	return append(wrong, 7, true, canary, object)
}

// place returns a copy of the input with the value at the path.
func place(input map[string]any, path []string, value any) map[string]any {
	copied := maps.Clone(input)
	if copied == nil {
		copied = map[string]any{}
	}
	if len(path) > 1 {
		below, _ := copied[path[0]].(map[string]any)
		if path[0] == "proof" {
			below = nil // @oneOf
		}
		value = place(below, path[1:], value)
	}
	copied[path[0]] = value
	return copied
}

// document is a mutation that selects only what all payloads have.
func document(schema *ast.Schema, mutation string) string {
	field := schema.Mutation.Fields.ForName(mutation)
	return fmt.Sprintf("mutation($input: %s) { %s(input: $input) { userErrors { code message attribute field } } }",
		field.Arguments.ForName("input").Type, mutation)
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
		t.Run(target.name, func(t *testing.T) {
			field := schema.Mutation.Fields.ForName(target.name)
			inputType := field.Arguments.ForName("input").Type
			for _, wrong := range append(wrongTypes(schema, inputType), []any{[]any{target.input, target.input}}...) {
				if wrong == nil && field.Arguments.ForName("input").DefaultValue != nil {
					continue
				}
				expectRequestError(t, target, document(schema, target.name), wrong, fmt.Sprintf("input = %.60v", wrong))
			}
			for _, m := range membersOf(schema, inputType.Name(), nil) {
				for _, wrong := range wrongTypes(schema, m.value) {
					expectRequestError(t, target, document(schema, target.name), place(target.input, m.path, wrong),
						fmt.Sprintf("%s = %.60v", strings.Join(m.path, "."), wrong))
				}
			}
			before = n.unchanged(t, before)
		})
	}
	check := n.targets()[3]
	for _, proof := range []any{
		map[string]any{}, map[string]any{"emailCode": nil}, map[string]any{"emailCode": canary, "phoneCode": canary},
		map[string]any{"emailCode": canary, "phoneCode": nil},
	} {
		expectRequestError(t, check, document(schema, check.name), map[string]any{"proof": proof}, fmt.Sprintf("proof = %v", proof))
	}
	quietAbout(t, n.server, canary)
}

// expectRequestError sends an input of the wrong type: the request is broken, so
// the error is a top-level one.
func expectRequestError(t *testing.T, target target, document string, input any, what string) {
	t.Helper()
	t.Run(what, func(t *testing.T) {
		r := refused(t, target.by, document, target.name, input)
		if len(r.reply.Errors) == 0 && len(r.userErrors) > 0 {
			t.Errorf("a wrong type got user errors: %+v", r.userErrors)
		}
	})
}

// wrongValues are texts, numbers and lists that have the right type and make no
// sense, by mutation and member. Values in the same place for several mutations
// are listed once.
func (n *nonsense) wrongValues() map[string]map[string][]any {
	long := strings.Repeat(canary, 200<<10/len(canary)) // below the limit of a body
	metadata := map[string]any{"text": strings.Repeat("x", 9<<10)}
	values := map[string][]any{
		"emailAddress": {"", " ", canary, canary + "@", "@" + canary + ".example", canary + " b@example.com",
			canary + "@exa mple.com", canary + "@example.com\r\nBcc: victim@example.com", canary + "@localhost@example.com",
			"<" + canary + "@example.com>", strings.Repeat("a", 300) + "@example.com", long},
		"phoneNumber":    {"", " ", canary, "+1", "555-0100", "+999123456789", "+1 500 555 0100 ext. " + canary, long},
		"username":       {"", " ", "ab", canary + " b", canary + "@b", "p\u0430ypal" + canary, canary + "\u200b", strings.Repeat("u", 65), long},
		"password":       {"", " ", "short7!", "password", long},
		"firstName":      {"", " ", canary + "\nBcc: x", canary + "\u202e", strings.Repeat("n", 500), long},
		"lastName":       {"", "\t", canary + "\r", long},
		"idempotencyKey": {"", strings.Repeat("k", 129), long},
		"unsafeMetadata": {metadata, map[string]any{"text": long}},
		"startVerifications": {
			[]any{map[string]any{"strategy": "OAUTH"}}, []any{map[string]any{"strategy": "TICKET"}},
			[]any{map[string]any{"strategy": "FROM_OAUTH"}}, []any{map[string]any{"strategy": "WEB3_SIGNATURE"}},
			[]any{map[string]any{"strategy": "PHONE_CODE"}},
		},
	}
	update := maps.Clone(values)
	update["id"] = []any{"", canary, n.otherSignUpID, n.abandoned, n.userID, "sua_" + strings.Repeat("0", 32), 7, long}
	strategies := []any{"OAUTH", "TICKET", "FROM_OAUTH", "WEB3_SIGNATURE", "PHONE_CODE"}
	ids := map[string][]any{"id": update["id"], "idempotencyKey": values["idempotencyKey"]}
	start, check := maps.Clone(ids), maps.Clone(ids)
	start["strategy"] = strategies
	check["proof"] = []any{map[string]any{"phoneCode": ""}, map[string]any{"phoneCode": canary}, map[string]any{"phoneCode": long}}
	return map[string]map[string][]any{
		"signUpCreate": values, "signUpUpdate": update, "signUpVerificationStart": start, "signUpVerificationCheck": check,
		"sessionTokenCreate": {"sessionId": {"", canary, n.otherSessionID, n.signUpID, long}},
		"sessionEnd":         {"sessionId": {"", canary, n.otherSessionID, n.userID, long}},
		"userUpdate": {
			"id":             {"", canary, n.signUpID, "user_" + strings.Repeat("0", 20), long},
			"externalId":     {"", strings.Repeat("e", 129), canary + "\n", long},
			"publicMetadata": {metadata}, "privateMetadata": {metadata},
		},
		"instanceSettingsUpdate": wrongSettings(long),
	}
}

func wrongSettings(long string) map[string][]any {
	lengths := func(name string, values ...int) (list []any) {
		for _, v := range values {
			list = append(list, map[string]any{name: v})
		}
		return list
	}
	return map[string][]any{
		"expectedVersion": {0, -1, 999},
		"appName":         {"", "  ", canary + "\nBcc: x", strings.Repeat("a", 61), long},
		"emailAddress":    {map[string]any{"enabled": false}, map[string]any{"enabled": false, "required": true}},
		"phoneNumber":     {map[string]any{"enabled": false, "required": true}},
		"firstName":       {map[string]any{"enabled": false, "required": true}},
		"web3Wallet":      {map[string]any{"required": true}},
		"username":        append(lengths("minLength", -1, 0, 65, 1<<31-1), lengths("maxLength", -1, 0, 2, 65)...),
		"password":        append(lengths("minLength", -1, 7, 65), lengths("maxLength", 0, 63, 257)...),
		"legalConsent": {
			map[string]any{"documentVersion": ""}, map[string]any{"documentVersion": long},
			map[string]any{"documentUrl": "javascript:alert(1)"}, map[string]any{"documentUrl": canary},
			map[string]any{"documentUrl": "https://user:" + canary + "@example.com/"}, map[string]any{"documentUrl": "https://example.com/" + long},
		},
		"defaultCountry": {"USA", "1", canary, "Ü", "XX", long},
		"allowedOrigins": {
			[]any{""}, []any{"*"}, []any{"null"}, []any{canary}, []any{"https://app.example/" + canary},
			[]any{"https://App.example"}, []any{"ftp://app.example"}, []any{"https://a.example", "https://b.example/"},
			slices.Repeat([]any{"https://app.example"}, 101), []any{"https://" + long},
		},
		"signUpLifetimeSeconds":  {0, -1, 59, 7*24*3600 + 1},
		"sessionLifetimeSeconds": {0, -1, 59, 400*24*3600 + 1},
	}
}

// TestWrongValues sends values of the right type that make no sense: each is a
// user error that names its place, and nothing is stored.
func TestWrongValues(t *testing.T) {
	t.Parallel()
	schema := loadSchema(t)
	n := newNonsense(t)
	before := n.state(t)
	values := n.wrongValues()
	for _, target := range n.targets() {
		for _, name := range slices.Sorted(maps.Keys(values[target.name])) {
			for _, wrong := range values[target.name][name] {
				what := strings.ReplaceAll(fmt.Sprintf("%s/%s = %.50q", target.name, name, fmt.Sprint(wrong)), canary, "…")
				t.Run(what, func(t *testing.T) {
					r := refused(t, target.by, document(schema, target.name), target.name, place(target.input, []string{name}, wrong))
					if len(r.reply.Errors) > 0 {
						t.Errorf("the request as a whole was refused: %.300s; want user errors", r.reply.Body)
					}
					checkPlace(t, target.name, name, r.userErrors)
					before = n.unchanged(t, before)
				})
			}
		}
	}
	quietAbout(t, n.server, canary)
}

// checkPlace expects one of the user errors to name the member that is wrong.
func checkPlace(t *testing.T, mutation, name string, errors []userError) {
	t.Helper()
	named := false
	for _, e := range errors {
		switch {
		case e.Code == "SIGN_UP_NOT_FOUND" || e.Code == "SIGN_UP_ABANDONED":
			named = true // the sign-up as a whole
		case len(e.Field) >= 2 && e.Field[0] == "input" && e.Field[1] == name:
			named = true
			if want := attributes[name]; want != "" && strings.HasPrefix(mutation, "signUp") && e.Attribute != want {
				t.Errorf("%s: the attribute is %q, want %s", e.Code, e.Attribute, want)
			}
		}
		var low, high int
		if n, _ := fmt.Sscanf(e.Message, "Must be between %d and %d.", &low, &high); n == 2 && low > high {
			t.Errorf("%v: %q cannot be followed", e.Field, e.Message)
		}
	}
	if !named && len(errors) > 0 {
		t.Errorf("none of the errors names input.%s: %+v", name, errors)
	}
}

// TestWrongValuesTogether gives several wrong values at once: all are reported,
// and the right ones beside them are not stored.
func TestWrongValuesTogether(t *testing.T) {
	t.Parallel()
	schema := loadSchema(t)
	n := newNonsense(t)
	before := n.state(t)
	input := map[string]any{
		"emailAddress": canary, "phoneNumber": canary, "username": canary + " b", "password": "short7!",
		"firstName": "", "lastName": "Lovelace", "legalAccepted": true,
	}
	for _, mutation := range []string{"signUpCreate", "signUpUpdate"} {
		r := refused(t, n.visitor, document(schema, mutation), mutation, input)
		var got []string
		for _, e := range r.userErrors {
			got = append(got, e.Attribute)
		}
		if want := []string{"EMAIL_ADDRESS", "PHONE_NUMBER", "USERNAME", "PASSWORD", "FIRST_NAME"}; !slices.Equal(got, want) {
			t.Errorf("%s: errors for %v, want %v", mutation, got, want)
		}
	}
	settings := refused(t, n.administrator, document(schema, "instanceSettingsUpdate"), "instanceSettingsUpdate", map[string]any{
		"appName": "", "signUpLifetimeSeconds": 1, "allowedOrigins": []any{"*"}, "testMode": true,
	})
	if len(settings.userErrors) != 3 {
		t.Errorf("settings: %+v, want three errors", settings.userErrors)
	}
	n.unchanged(t, before)
}

// TestDisabledFields gives what the settings do not ask for.
func TestDisabledFields(t *testing.T) {
	t.Parallel()
	schema := loadSchema(t)
	n := newNonsense(t)
	n.administrator.changeSettings(t, map[string]any{
		"phoneNumber": map[string]any{"enabled": false}, "username": map[string]any{"enabled": false},
		"firstName": map[string]any{"enabled": false}, "legalConsent": map[string]any{"enabled": false},
	})
	before := n.state(t)
	for name, value := range map[string]any{"phoneNumber": "+15005550100", "username": "ada", "firstName": "Ada", "legalAccepted": true} {
		for _, mutation := range []string{"signUpCreate", "signUpUpdate"} {
			r := refused(t, n.visitor, document(schema, mutation), mutation, map[string]any{name: value})
			if len(r.userErrors) != 1 || r.userErrors[0].Code != "FIELD_DISABLED" || r.userErrors[0].Attribute != attributes[name] {
				t.Errorf("%s with a disabled %s: %+v, want FIELD_DISABLED", mutation, name, r.userErrors)
			}
		}
	}
	n.unchanged(t, before)
}

// TestForeignIDs asks for what belongs to somebody else: the answer is, byte for
// byte, the one for what does not exist.
func TestForeignIDs(t *testing.T) {
	t.Parallel()
	n := newNonsense(t)
	nowhere := map[string]string{
		"sua": "sua_" + strings.Repeat("0", 32), "sess": "sess_" + strings.Repeat("0", 20), "user": "user_" + strings.Repeat("0", 20),
	}
	var other struct{ Client struct{ ID string } }
	n.other.query(t, "{ client { id } }", nil, &other)
	const payload = "{ signUp { id status } userErrors { code message field } }"
	for _, c := range []struct{ name, document, foreign, missing string }{
		{"signUp", "query($id: ID!) { signUp(id: $id) { id } }", n.otherSignUpID, nowhere["sua"]},
		{"node of a sign-up", "query($id: ID!) { node(id: $id) { id } }", n.otherSignUpID, nowhere["sua"]},
		{"node of a session", "query($id: ID!) { node(id: $id) { id } }", n.otherSessionID, nowhere["sess"]},
		{"node of a user", "query($id: ID!) { node(id: $id) { id } }", n.userID, nowhere["user"]},
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
