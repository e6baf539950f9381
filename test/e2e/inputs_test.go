package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
)

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

// only stands in a path for the one element of a list.
const only = "0"

// membersOf lists every place of an input type, those of nested ones included, also
// where they are in lists.
func membersOf(schema *ast.Schema, inputType string, above []string) []member {
	var list []member
	for _, f := range schema.Types[inputType].Fields {
		path := append(slices.Clone(above), f.Name)
		list = append(list, member{path, f.Type})
		if f.Type.Elem != nil {
			path = append(path, only)
		}
		if schema.Types[f.Type.Name()].Kind == ast.InputObject {
			list = append(list, membersOf(schema, f.Type.Name(), path)...)
		}
	}
	return list
}

// neighbours are what an object must have besides the member that is wrong, so
// that it is this one which is looked at.
var neighbours = map[string]map[string]any{
	"startVerifications.0":        {"strategy": "EMAIL_CODE"},
	"proof.web3Signature":         {"signature": "0x00"},
	"proof.password":              {"identifier": "nobody@example.com", "password": "none"},
	"proof.code":                  {"challengeId": "none", "code": "123456"},
	"since":                       {"endpointId": "none", "at": "2026-01-01T00:00:00Z"},
	"externalAccount.providers.0": {"name": "forum"},
	"legalConsent.documents.0":    {"name": "Terms", "url": "https://app.example/terms"},
}

// otherScalars are values of scalars that look as if they could be converted,
// which the specification forbids (September 2025, sections 3.5.1 to 3.5.5).
var otherScalars = map[string][]any{
	"String": {7, 1.5}, "ID": {1.5}, "Int": {"7", int64(1) << 31, -(int64(1) << 31) - 1},
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

// place returns a copy of the input with the value at the path, among the
// neighbours that belong there.
func place(input map[string]any, path []string, value any) map[string]any {
	return placeBelow(input, nil, path, value)
}

func placeBelow(input map[string]any, above, path []string, value any) map[string]any {
	copied := maps.Clone(input)
	if copied == nil {
		copied = map[string]any{}
	}
	here := append(slices.Clone(above), path[0])
	inList := len(path) > 1 && path[1] == only
	if inList {
		here, path = append(here, only), slices.Delete(slices.Clone(path), 1, 2)
	}
	if len(path) > 1 {
		below, known := neighbours[strings.Join(here, ".")]
		if given, _ := copied[path[0]].(map[string]any); !known && path[0] != "proof" { // which is @oneOf
			below = given
		}
		value = placeBelow(below, here, path[1:], value)
	}
	if inList {
		value = []any{value}
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
