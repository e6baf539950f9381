package transport_test

import (
	"net/http"
	"strings"
	"testing"

	"stepwise/internal/transport"
)

func TestOneOfInVariables(t *testing.T) {
	s := newTestServer(t)
	type object = map[string]any
	type list = []any
	valid := object{"email": "a@example.org"}
	for _, test := range []struct {
		name  string
		input any
		where string // empty if valid
	}{
		{"nothing chosen at all", object{}, ""},
		{"no choice", object{"choice": nil}, ""},
		{"one", object{"choice": valid}, ""},
		{"none", object{"choice": object{}}, "$input.choice"},
		{"two", object{"choice": object{"email": "a", "phone": "b"}}, "$input.choice"},
		{"one, null", object{"choice": object{"email": nil}}, "$input.choice"},
		{"one and a null", object{"choice": object{"email": "a", "phone": nil}}, "$input.choice"},
		{"a list of good ones", object{"choices": list{valid, valid}}, ""},
		{"one bad in a list", object{"choices": list{valid, object{}}}, "$input.choices"},
		{"a single value for a list", object{"choices": valid}, ""},
		{"a bad single value for a list", object{"choices": object{"email": "a", "phone": "b"}}, "$input.choices"},
		{"nested", object{"deeper": object{"deeper": object{"choice": object{}}}}, "$input.deeper.deeper.choice"},
		{"inside the chosen", object{"choice": object{"nested": object{"choices": list{object{}}}}}, "$input.choice.nested.choices"},
		{"good inside the chosen", object{"choice": object{"nested": object{"choice": valid}}}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := s.post(request(`mutation($input: Selection!) { choose(input: $input) }`, object{"input": test.input}))
			if test.where == "" {
				got.wants(http.StatusOK, "")
				return
			}
			got.wants(http.StatusOK, transport.CodeBadUserInput)
			message := got.result().Errors[0].Message
			if !strings.HasPrefix(message, "Variable "+test.where+" must give exactly one of email, phone, nested") {
				t.Error(message)
			}
		})
	}
	s.post(request(`mutation($c: Choice!) { chooseOne(choice: $c) }`, object{"c": object{}})).wants(http.StatusOK, transport.CodeBadUserInput)
}

// Literals are validation's business; this pins that it minds it.
func TestOneOfInLiterals(t *testing.T) {
	s := newTestServer(t)
	for document, code := range map[string]string{
		`mutation { chooseOne(choice: {email: "a"}) }`:                            "",
		`mutation { chooseOne(choice: {}) }`:                                      transport.CodeValidationFailed,
		`mutation { chooseOne(choice: {email: null}) }`:                           transport.CodeValidationFailed,
		`mutation { chooseOne(choice: {email: "a", phone: "b"}) }`:                transport.CodeValidationFailed,
		`mutation($e: String = "a") { chooseOne(choice: {email: $e}) }`:           transport.CodeValidationFailed,
		`mutation($c: Choice! = {}) { chooseOne(choice: $c) }`:                    transport.CodeValidationFailed,
		`mutation($c: Choice! = {email: "a"}) { chooseOne(choice: $c) }`:          "",
		`mutation { choose(input: {choices: [{email: "a"}, {phone: null}]}) }`:    transport.CodeValidationFailed,
		`mutation { choose(input: {choices: {email: "a", phone: "b"}}) }`:         transport.CodeValidationFailed,
		`mutation { choose(input: {deeper: {choice: {email: "a", phone: ""}}}) }`: transport.CodeValidationFailed,
	} {
		if got := s.ask(document); got.code() != code {
			t.Errorf("%s: %s", document, got.body)
		}
	}
}
