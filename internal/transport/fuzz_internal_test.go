package transport

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"
)

// Whatever is accepted must be one JSON object with a document in it, and no refusal
// may contain any of the body.
func FuzzDecodeParams(f *testing.F) {
	for _, seed := range []string{
		`{"query":"{ greeting }"}`,
		`{"query":"{ greeting }","variables":{"a":[1,{"b":"c"}]},"operationName":"A","extensions":{}}`,
		`{"query":"{ greeting }","variables":null} `,
		`{"query":"{ greeting }"}x`, `[{"query":"{ greeting }"}]`, `{"query":"\u0000"}`, `{"query":"\ud800"}`,
		`{"query":1}`, `{"query":"a","query":"b"}`, `{"a":` + strings.Repeat("[", 200) + `}`, `{"query" "a"}`, `{,}`,
		"{\"query\":\"\xff\"}", "\xef\xbb\xbf{}", ``, `null`, `{"extensions":{"persistedQuery":1}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		params, refused := decodeParams(body)
		if (params == nil) == (refused == nil) {
			t.Fatalf("params %v, refusal %v", params, refused)
		}
		if refused != nil {
			if refused.status == 0 || refused.code == "" || refused.message == "" {
				t.Errorf("an incomplete refusal: %+v", refused)
			}
			return
		}
		var object map[string]any
		if err := json.Unmarshal(body, &object); err != nil {
			t.Fatalf("accepted what is no JSON object: %v", err)
		}
		if params.Query == "" || params.Query != object["query"] {
			t.Errorf("query %q of %q", params.Query, object["query"])
		}
		if strings.ContainsRune(params.Query, 0) || containsNUL(params.Variables) {
			t.Error("accepted NUL")
		}
	})
}

// The walk must end, stay within its bound, and let no second root field of a
// mutation pass.
func FuzzCheckShape(f *testing.F) {
	for _, seed := range []string{
		`{ greeting }`,
		`mutation { a b }`, `mutation { a ...F } fragment F on M { b }`, `mutation { a ... { a } }`,
		`{ ...A } fragment A on Q { ...B } fragment B on Q { ...A ...B }`,
		`fragment A on Q { a } fragment A on Q { a { a } }`,
		`subscription { a @skip(if: true) }`, `{ a { b { c { d { e { f { g } } } } } } }`,
		`{ a: b c: d @x @y __schema { types { name } } }`,
		`{ ...F0 } fragment F0 on Q { ...F1 ...F1 } fragment F1 on Q { ...F2 ...F2 } fragment F2 on Q { a }`,
	} {
		f.Add(seed)
	}
	limits := Limits{Selections: 50, Depth: 5}.withDefaults()
	f.Fuzz(func(t *testing.T, text string) {
		document, err := parser.ParseQueryWithTokenLimit(&ast.Source{Input: text}, limits.Tokens)
		if err != nil {
			return
		}
		if refused := checkShape(document, limits); refused != nil {
			return
		}
		for _, operation := range document.Operations {
			if operation.Operation == ast.Mutation && countFields(operation.SelectionSet) > 1 {
				t.Errorf("several root fields: %s", text)
			}
			if deepest(operation.SelectionSet) > limits.IntrospectionDepth {
				t.Errorf("too deep: %s", text)
			}
		}
	})
}

// countFields counts the fields written in a set, those in fragments left out.
func countFields(set ast.SelectionSet) (n int) {
	for _, selection := range set {
		switch selection := selection.(type) {
		case *ast.Field:
			if selection.Name != "__typename" {
				n++
			}
		case *ast.InlineFragment:
			n += countFields(selection.SelectionSet)
		}
	}
	return n
}

func deepest(set ast.SelectionSet) (depth int) {
	for _, selection := range set {
		switch selection := selection.(type) {
		case *ast.Field:
			depth = max(depth, 1+deepest(selection.SelectionSet))
		case *ast.InlineFragment:
			depth = max(depth, deepest(selection.SelectionSet))
		}
	}
	return depth
}
