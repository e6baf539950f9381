package transport_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"stepwise/internal/transport"
)

func TestResolverErrors(t *testing.T) {
	for _, test := range []struct {
		kind, code, message string
		logged              bool
	}{
		{"coded", "NOT_FOUND", "There is no such thing.", false},
		{"deadline", transport.CodeUnavailable, "The server could not answer in time. Try again.", false},
		{"plain", transport.CodeInternal, "", true},
		{"panic", transport.CodeInternal, "", true},
	} {
		t.Run(test.kind, func(t *testing.T) {
			s := newTestServer(t)
			got := s.post(request(`query Named($kind: String!) { failure(kind: $kind) }`, map[string]any{"kind": test.kind}))
			got.wants(http.StatusOK, test.code)
			got.lacks("secret", "10.0.0.5")
			failure := got.result().Errors[0]
			if len(failure.Path) != 1 || failure.Path[0] != "failure" || len(failure.Locations) > 1 {
				t.Errorf("path %v, locations %v", failure.Path, failure.Locations)
			}
			log := s.log.String()
			if !test.logged {
				if failure.Message != test.message || log != "" {
					t.Errorf("message %q, log %q", failure.Message, log)
				}
				return
			}
			reference, _ := failure.Extensions["reference"].(string)
			if len(reference) < 10 || !strings.HasSuffix(failure.Message, "Reference: "+reference) {
				t.Errorf("message %q, reference %q", failure.Message, reference)
			}
			if strings.Count(log, reference) != 1 || strings.Count(log, "\n") != 1 {
				t.Errorf("not logged exactly once: %s", log)
			}
			for _, want := range []string{"operation=Named", "path=failure", "secret"} {
				if !strings.Contains(log, want) {
					t.Errorf("the log lacks %q: %s", want, log)
				}
			}
		})
	}
}

// The canaries stand for passwords, codes and tokens. Wherever in a request they are
// and whatever is wrong with it, they come back in no reply and appear in no log.
func TestNothingOfARequestIsEchoedOrLogged(t *testing.T) {
	const canary = "hunter2-canary"
	for name, body := range map[string]string{
		"not JSON":                   `{"query":"{ greeting }", ` + canary,
		"unquoted value":             `{"query": ` + canary + `}`,
		"wrong member type":          `{"query":["` + canary + `"]}`,
		"string token":               request(`{ greeting "`+canary+`" }`, nil),
		"name token":                 request(`{ greeting(name: ) } `+strings.ReplaceAll(canary, "-", "_"), nil),
		"bad escape":                 request(`{ greeting(name: "\u12`+canary+`") }`, nil),
		"bad escape character":       request(`{ greeting(name: "\q`+canary+`") }`, nil),
		"unterminated string":        request(`{ greeting(name: "`+canary, nil),
		"variable of another type":   request(`query($n: Int!) { failures(count: $n) { id } }`, map[string]any{"n": canary}),
		"variable out of range":      `{"query":"query($n: Int!) { failures(count: $n) { id } }","variables":{"n":99999999999999999999}}`,
		"enum variable":              request(`query($c: Color) { color(value: $c) }`, map[string]any{"c": canary}),
		"enum variable, lower case":  request(`query($c: Color) { color(value: $c) }`, map[string]any{"c": "red"}),
		"scalar variable":            request(`query($v: Even) { doubled(value: $v) }`, map[string]any{"v": canary}),
		"scalar literal":             request(`{ doubled(value: "`+canary+`") }`, nil),
		"literal of another type":    request(`{ failures(count: "`+canary+`") { id } }`, nil),
		"enum literal as string":     request(`{ color(value: "`+canary+`") }`, nil),
		"object literal as string":   request(`mutation { choose(input: "`+canary+`") }`, nil),
		"input literal, wrong field": request(`mutation { choose(input: {choice: {email: 7, nested: "`+canary+`"}}) }`, nil),
		"variable for an object":     request(`mutation($i: Selection!) { choose(input: $i) }`, map[string]any{"i": canary}),
		"oneOf variable":             request(`mutation($c: Choice!) { chooseOne(choice: $c) }`, map[string]any{"c": map[string]any{"email": canary, "phone": canary}}),
		"argument of a failure":      request(`query($k: String!) { failure(kind: $k) item(id: "`+canary+`") { broken } }`, map[string]any{"k": "plain", "unused": canary}),
	} {
		for _, option := range []option{func(*transport.Config) {}, inProduction} {
			t.Run(name, func(t *testing.T) {
				s := newTestServer(t, option)
				got := s.post(body)
				if got.code() == "" {
					t.Errorf("it was accepted: %s", got.body)
				}
				got.lacks("hunter2", "99999999", `\"red\"`)
				if log := s.log.String(); strings.Contains(log, "hunter2") || strings.Contains(log, "query(") {
					t.Errorf("logged: %s", log)
				}
			})
		}
	}
}

func TestBadInputIsNamed(t *testing.T) {
	s := newTestServer(t)
	for _, test := range []struct {
		document  string
		variables map[string]any
		code      string
		message   string
	}{
		{`query($n: Int!) { failures(count: $n) { id } }`, nil,
			transport.CodeBadUserInput, "Variable $n must be defined."},
		{`query($n: Int!) { failures(count: $n) { id } }`, map[string]any{"n": nil},
			transport.CodeBadUserInput, "Variable $n cannot be null."},
		{`query($n: Int!) { failures(count: $n) { id } }`, map[string]any{"n": "x"},
			transport.CodeBadUserInput, "Variable $n is not valid: cannot use string as Int."},
		{`query($c: Color) { color(value: $c) }`, map[string]any{"c": "PINK"},
			transport.CodeBadUserInput, "Variable $c is not a valid Color."},
		{`query($c: Color) { color(value: $c) }`, map[string]any{"c": true},
			transport.CodeBadUserInput, "Variable $c must be the name of an enum value."},
		{`mutation($i: Selection!) { choose(input: $i) }`, map[string]any{"i": map[string]any{"deeper": map[string]any{"x": 1}}},
			transport.CodeBadUserInput, "Variable $i.deeper.x is not a field of its type."},
		{`mutation($i: Selection!) { choose(input: $i) }`, map[string]any{"i": map[string]any{"choices": []any{map[string]any{"email": true}}}},
			transport.CodeBadUserInput, "Variable $i.choices[0].email is not valid: cannot use bool as String."},
		{`query($v: Even) { doubled(value: $v) }`, map[string]any{"v": 3},
			transport.CodeBadUserInput, "An argument of doubled has a value that its type does not allow."},
		{`{ color(value: PINK) }`, nil,
			transport.CodeValidationFailed, `Value "PINK" does not exist in "Color" enum.`},
		{`{ failures(count: "x") { id } }`, nil,
			transport.CodeValidationFailed, `Int cannot represent non-integer value.`},
		{`{ greeting(`, nil,
			transport.CodeParseFailed, `Syntax error: Expected Name, found <EOF>.`},
		{`{ greeting ! }`, nil,
			transport.CodeParseFailed, `Syntax error: Expected Name, found !.`},
	} {
		got := s.post(request(test.document, test.variables)).result()
		if len(got.Errors) == 0 || got.Errors[0].Message != test.message || got.Errors[0].Extensions["code"] != test.code {
			t.Errorf("%s %v: %+v, want %q", test.document, test.variables, got.Errors, test.message)
		}
	}
}

func TestSuggestionsAreForDevelopment(t *testing.T) {
	documents := map[string]string{
		"field":            `{ greetin }`,
		"argument":         `{ greeting(nam: "x") }`,
		"type":             `query($c: Colour) { color(value: $c) }`,
		"enum value":       `{ color(value: GREE) }`,
		"enum as string":   `{ color(value: "GREE") }`,
		"input field":      `mutation { choose(input: {choic: null}) }`,
		"leaf":             `{ items }`,
		"fragment's type":  `{ ...F } fragment F on Quer { greeting }`,
		"directive's name": `{ greeting @includ(if: true) }`,
	}
	development, production := newTestServer(t), newTestServer(t, inProduction)
	suggested := 0
	for name, document := range documents {
		if strings.Contains(development.ask(document).body, "Did you mean") {
			suggested++
		}
		got := production.ask(document)
		got.wants(http.StatusOK, transport.CodeValidationFailed)
		if strings.Contains(got.body, "Did you mean") {
			t.Errorf("%s: %s", name, got.body)
		}
	}
	if suggested < 6 {
		t.Errorf("development made only %d suggestions", suggested)
	}
}

func TestIntrospection(t *testing.T) {
	documents := []string{
		`{ __schema { queryType { name } } }`,
		`{ __type(name: "Item") { name } }`,
		`{ ... { ...F } } fragment F on Query { x: __schema { description } }`,
	}
	development, production := newTestServer(t), newTestServer(t, inProduction)
	open := newTestServer(t, inProduction, func(c *transport.Config) { c.Introspection = true })
	for _, document := range documents {
		development.ask(document).wants(http.StatusOK, "")
		open.ask(document).wants(http.StatusOK, "")
		production.ask(document).wants(http.StatusOK, transport.CodeForbidden)
		production.ask(document, "Authorization", "Bearer sk_1").wants(http.StatusOK, "")
	}
	production.ask(`{ __typename }`).wants(http.StatusOK, "")
	if log := production.log.String(); log != "" {
		t.Errorf("logged: %s", log)
	}
}

func TestAuthenticationErrors(t *testing.T) {
	s := newTestServer(t)
	for _, test := range []struct {
		token  string
		status int
		code   string
		logged bool
	}{
		{"refused", http.StatusUnauthorized, transport.CodeUnauthenticated, false},
		{"forbidden", http.StatusForbidden, transport.CodeForbidden, false},
		{"unavailable", http.StatusServiceUnavailable, transport.CodeUnavailable, false},
		{"broken", http.StatusInternalServerError, transport.CodeInternal, true},
		{"panic", http.StatusInternalServerError, transport.CodeInternal, true},
	} {
		before := len(s.log.String())
		for _, accept := range []string{mediaJSON, mediaResponse, "text/event-stream"} {
			status, challenge := test.status, ""
			if status == http.StatusUnauthorized {
				challenge = "Bearer"
				if accept == mediaJSON { // a well-formed request, see "GraphQL over HTTP"
					status, challenge = http.StatusOK, ""
				}
			}
			got := s.ask(`{ greeting }`, "Authorization", "Bearer "+test.token, "Accept", accept)
			got.wants(status, test.code)
			got.lacks("secret", "EOF")
			if got := got.header.Get("WWW-Authenticate"); got != challenge {
				t.Errorf("WWW-Authenticate is %q, want %q", got, challenge)
			}
		}
		if logged := len(s.log.String()) > before; logged != test.logged {
			t.Errorf("%s: logged %v", test.token, logged)
		}
	}
}

type busyError struct{ codedError }

func (busyError) RetryAfter() time.Duration { return 1500 * time.Millisecond }

func TestRetryAfter(t *testing.T) {
	s := newTestServer(t, func(c *transport.Config) {
		c.Authenticate = func(context.Context, transport.Credentials) (context.Context, error) {
			return nil, busyError{codedError{"RATE_LIMITED", "Slow down."}}
		}
	})
	got := s.ask(`{ greeting }`)
	got.wants(http.StatusTooManyRequests, transport.CodeRateLimited)
	if value := got.header.Get("Retry-After"); value != "2" {
		t.Errorf("Retry-After %q: earlier than allowed, or much later", value)
	}
}

func TestLoggedOperationNamesAreCut(t *testing.T) {
	s := newTestServer(t)
	s.ask(`query `+strings.Repeat("x", 10_000)+` { failure(kind: "plain") }`).wants(http.StatusOK, transport.CodeInternal)
	if log := s.log.String(); len(log) > 1000 || !strings.Contains(log, "operation=xxx") {
		t.Errorf("%d bytes logged: %.200s", len(log), log)
	}
}
