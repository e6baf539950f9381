package transport_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"stepwise/internal/transport"
)

func repeat(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

// nested selects fields nested depth deep.
func nested(depth int) string {
	return `{ item(id: 1) ` + strings.Repeat(`{ parent `, depth-2) + `{ id }` + strings.Repeat(` }`, depth-2) + ` }`
}

func TestShapeLimits(t *testing.T) {
	s := newTestServer(t)
	const (
		tooLong, tooMuch    = "The document is too long", "The document selects too much"
		tooOften, tooDeep   = "The document selects the same fields too often", "The operation nests too deeply"
		aliases, directives = "The operation uses too many aliases", "The operation uses too many directives"
		oneRootField        = "A mutation or subscription has exactly one root field"
	)
	for _, test := range []struct {
		name, document, want string // a message or a code; empty if allowed
	}{
		{"tokens at the limit", `{ color(value: [` + strings.Repeat("RED ", 1991) + `]) }`, transport.CodeValidationFailed},
		{"too many tokens", `{ color(value: [` + strings.Repeat("RED ", 1992) + `]) }`, tooLong},
		{"selections at the limit", `{ ` + repeat(1000, "f%d ") + `}`, transport.CodeValidationFailed},
		{"selections beyond the limit", `{ ` + repeat(1001, "f%d ") + `}`, tooMuch},
		{"selections in an unused fragment", `{ greeting } fragment F on Query { ` + repeat(1000, "f%d ") + `}`, tooMuch},
		{"selections in a fragment of a name used twice", `{ ...F } fragment F on Query { ` + repeat(1000, "f%d ") + `} fragment F on Query { greeting }`, tooMuch},
		{"selections through fragments", `{ ` + repeat(15, "a%d: item(id: 1) { ...F } ") + `} fragment F on Item { ` + repeat(66, "f%d ") + `}`, tooMuch},
		{"repeated fields at the limit", `{ ` + strings.Repeat("greeting ", 101) + `}`, ""},
		{"repeated fields", `{ ` + strings.Repeat("greeting ", 102) + `}`, tooOften},
		{"repeated fields through fragments", `{ ` + strings.Repeat("...F ... { ...F } ", 51) + `} fragment F on Query { greeting }`, tooOften},
		{"the same fields in many places", `{ ` + repeat(15, "a%d: item(id: 1) { ...F } ") + `} fragment F on Item { id name color colors tags size weight note }`, ""},
		{"depth at the limit", nested(12), ""},
		{"too deep", nested(13), tooDeep},
		{"too deep through fragments", `{ item(id: 1) { ...A } } fragment A on Item { parent { parent { parent { parent { parent { parent { ...B } } } } } } } fragment B on Item { parent { parent { parent { parent { parent { id } } } } } }`, tooDeep},
		{"aliases at the limit", `{ ` + repeat(15, "a%d: greeting ") + `}`, ""},
		{"too many aliases", `{ ` + repeat(16, "a%d: greeting ") + `}`, aliases},
		{"too many aliases through fragments", `{ ` + repeat(4, "i%d: items { ...F } ") + `} fragment F on Item { a: id b: id c: id }`, aliases},
		{"directives at the limit", `{ ` + strings.Repeat("greeting @skip(if: false) ", 20) + `}`, ""},
		{"too many directives", `{ ` + strings.Repeat("greeting @skip(if: false) ", 21) + `}`, directives},
		{"too many unknown directives", `{ greeting ` + strings.Repeat("@x ", 21) + `}`, directives},
		{"directives on the operation", `query ` + strings.Repeat("@x ", 21) + `{ greeting }`, directives},
		{"directives on a variable", `query($v: Int ` + strings.Repeat("@x ", 21) + `) { failures(count: $v) { id } }`, directives},
		{"cyclic fragments", `{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }`, transport.CodeValidationFailed},
		{"unknown fragment", `{ ...A }`, transport.CodeValidationFailed},
		{"defer", `{ ... @defer { greeting } }`, transport.CodeUnsupportedOperation},
		{"defer on a spread", `{ ...F @defer(if: true) } fragment F on Query { greeting }`, transport.CodeUnsupportedOperation},
		{"one mutation", `mutation { rename(id: 1, name: "x") { id } __typename }`, ""},
		{"two mutations", `mutation { a: rename(id: 1, name: "x") { id } b: rename(id: 1, name: "x") { id } }`, oneRootField},
		{"the same mutation twice", `mutation { rename(id: 1, name: "x") { id } rename(id: 1, name: "x") { id } }`, oneRootField},
		{"two mutations through fragments", `mutation { ...F ... on Mutation { b: rename(id: 1, name: "x") { id } } } fragment F on Mutation { rename(id: 1, name: "x") { id } }`, oneRootField},
		{"two mutations, the second in another operation", `query Q { greeting } mutation M { a: rename(id: 1, name: "x") { id } b: rename(id: 1, name: "x") { id } }`, oneRootField},
		{"two subscriptions of one name", `subscription { a: forever b: forever }`, oneRootField},
		{"conditional subscription", `subscription { forever @skip(if: true) }`, transport.CodeUnsupportedOperation},
		{"conditional subscription in a fragment", `subscription { ... @include(if: false) { forever } }`, transport.CodeUnsupportedOperation},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := s.renamed.Load()
			body := request(test.document, nil)
			if strings.HasPrefix(test.document, "query Q") {
				body = strings.Replace(body, `{"query"`, `{"operationName":"Q","query"`, 1)
			}
			got := s.post(body, "Authorization", "Bearer sk_1")
			if code := got.code(); code != test.want && (code != transport.CodeLimitExceeded || !strings.Contains(got.body, test.want)) {
				t.Errorf("want %q: %.300s", test.want, got.body)
			}
			if ran := s.renamed.Load() - before; test.want != "" && ran != 0 {
				t.Errorf("%d mutations ran", ran)
			}
		})
	}
}

// A mutation with hundreds of aliases is how one request would try hundreds of codes.
func TestAliasedGuessesNeverRun(t *testing.T) {
	s := newTestServer(t)
	for _, guesses := range []int{2, 249, 5000} {
		s.ask(`mutation { `+repeat(guesses, `a%d: rename(id: 1, name: "x") { id } `)+`}`).wants(http.StatusOK, transport.CodeLimitExceeded)
	}
	if n := s.renamed.Load(); n != 0 {
		t.Errorf("%d ran", n)
	}
}

func TestComplexity(t *testing.T) {
	s := newTestServer(t)
	wide := `{ ` + repeat(15, "a%d: item(id: 1) { id name color colors tags createdAt active size weight note parent { id name color } } ") + `}`
	s.ask(wide).wants(http.StatusOK, transport.CodeLimitExceeded)
	s.ask(wide, "Authorization", "Bearer sk_1").wants(http.StatusOK, "")
	s.ask(`{ item(id: 1) { id name color } }`).wants(http.StatusOK, "")
}

func TestComplexityFunctions(t *testing.T) {
	schema := Config{Resolvers: &resolvers{}}
	schema.Complexity.Query.Failures = func(below, count int) int { return below * count }
	schema.Complexity.Query.Greeting = func(int, *string) int { return -1 } // no cost at all is not believed
	s := newTestServer(t, func(c *transport.Config) { c.Schema = NewExecutableSchema(schema) })
	for document, code := range map[string]string{
		`{ failures(count: 100) { id name } }`:                                      "",
		`{ failures(count: 100) { id name color } }`:                                transport.CodeLimitExceeded,
		`{ failures(count: 100) { ...F } greeting } fragment F on Item { id name }`: transport.CodeLimitExceeded,
		`{ ... { failures(count: 99) { id name } } greeting __typename }`:           "",
		`{ failures(count: 2147483647) { id parent { id } } }`:                      transport.CodeLimitExceeded,
		`{ failures(count: -1) { id } }`:                                            "INTERNAL",
	} {
		if got := s.ask(document); got.code() != code {
			t.Errorf("%s: %s", document, got.body)
		}
	}
	body := request(`query($n: Int!) { failures(count: $n) { id } }`, map[string]any{"n": 201})
	s.post(body).wants(http.StatusOK, transport.CodeLimitExceeded)
}

func TestTheIntrospectionQueryOfUsualToolsPasses(t *testing.T) {
	ofType := strings.Repeat(` ofType { kind name`, 9) + strings.Repeat(` }`, 9)
	introspection := `query IntrospectionQuery {
		__schema {
			description
			queryType { name kind } mutationType { name kind } subscriptionType { name kind }
			types { ...FullType }
			directives { name description isRepeatable locations args(includeDeprecated: true) { ...InputValue } }
		}
	}
	fragment FullType on __Type {
		kind name description specifiedByURL isOneOf
		fields(includeDeprecated: true) {
			name description args(includeDeprecated: true) { ...InputValue } type { ...TypeRef } isDeprecated deprecationReason
		}
		inputFields(includeDeprecated: true) { ...InputValue }
		interfaces { ...TypeRef }
		enumValues(includeDeprecated: true) { name description isDeprecated deprecationReason }
		possibleTypes { ...TypeRef }
	}
	fragment InputValue on __InputValue { name description type { ...TypeRef } defaultValue isDeprecated deprecationReason }
	fragment TypeRef on __Type { kind name` + ofType + ` }`
	newTestServer(t).ask(introspection).wants(http.StatusOK, "")

	deep := `{ __schema { types { ` + strings.Repeat(`ofType { `, 20) + `name` + strings.Repeat(` }`, 20) + ` } } }`
	newTestServer(t).ask(deep).wants(http.StatusOK, transport.CodeLimitExceeded)
}

// Each of these once cost seconds of CPU: see the limits they run into. The bound is
// generous, for slow machines; without the limits they exceed it many times over.
func TestHostileDocumentsAreCheap(t *testing.T) {
	s := newTestServer(t)
	doubling := `{ ...F0 } ` + repeat(120, "fragment F%[1]d on Query { ...N%[1]d ...N%[1]d } ")
	for i := range 120 {
		doubling = strings.ReplaceAll(doubling, fmt.Sprintf("...N%d ", i), fmt.Sprintf("...F%d ", i+1))
	}
	doubling += `fragment F120 on Query { greeting }`
	for name, document := range map[string]string{
		"fields that must be merged": `{ ` + strings.Repeat("__typename ", 20_000) + `}`,
		"fragments that double":      doubling,
		"unknown directives":         `{ greeting ` + strings.Repeat("@unknown ", 20_000) + `}`,
		"unknown fields":             `{ ` + repeat(1900, "f%d ") + `}`,
		"nested lists":               `{ greeting(name: ` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `) }`,
		"nested selections":          strings.Repeat("{ item ", 20_000) + strings.Repeat("}", 20_000),
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			got := s.ask(document)
			if elapsed := time.Since(start); elapsed > 2*time.Second {
				t.Errorf("took %v", elapsed)
			}
			if got.code() == "" || len(got.body) > 4096 {
				t.Errorf("%d bytes: %.200s", len(got.body), got.body)
			}
		})
	}
}

func TestAuthorizeRunsForEveryRootField(t *testing.T) {
	seen := make(chan string, 10)
	s := newTestServer(t, func(c *transport.Config) {
		c.Authorize = func(ctx context.Context, next graphql.RootResolver) graphql.Marshaler {
			seen <- graphql.GetRootFieldContext(ctx).Field.Name
			return next(ctx)
		}
	})
	s.ask(`mutation { rename(id: 1, name: "x") { id } }`).wants(http.StatusOK, "")
	if field := <-seen; field != "rename" {
		t.Errorf("%q", field)
	}
}
