package transport

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// scalarGate checks scalars that arrive in variables, as the GraphQL specification
// (section 3.5, input coercion) wants it. gqlparser and gqlgen convert instead: a
// number becomes text, and text a number; and what they refuse they do not name.
type scalarGate struct{ schema *ast.Schema }

func (scalarGate) ExtensionName() string                   { return "Scalars" }
func (scalarGate) Validate(graphql.ExecutableSchema) error { return nil }

func (g scalarGate) MutateOperationContext(_ context.Context, operation *graphql.OperationContext) *gqlerror.Error {
	for _, variable := range operation.Operation.VariableDefinitions {
		if wrong := g.violation("$"+variable.Variable, variable.Type, operation.Variables[variable.Variable]); wrong != "" {
			return codedError(CodeBadUserInput, wrong)
		}
	}
	return nil
}

// violation says where the first value is that is not of its type, or returns
// the empty string. A single value may stand for a list of one.
func (g scalarGate) violation(path string, t *ast.Type, value any) string {
	if t.Elem != nil {
		switch list := value.(type) {
		case []any:
			for _, element := range list {
				if wrong := g.violation(path, t.Elem, element); wrong != "" {
					return wrong
				}
			}
			return ""
		case []map[string]any:
			for _, element := range list {
				if wrong := g.violation(path, t.Elem, element); wrong != "" {
					return wrong
				}
			}
			return ""
		}
		return g.violation(path, t.Elem, value)
	}
	if object, ok := value.(map[string]any); ok {
		for _, field := range g.schema.Types[t.NamedType].Fields {
			if wrong := g.violation(path+"."+field.Name, field.Type, object[field.Name]); wrong != "" {
				return wrong
			}
		}
		return ""
	}
	if value == nil || isOfScalar(t.NamedType, value) {
		return ""
	}
	return "Variable " + path + " must be of type " + t.NamedType + "."
}

// isOfScalar reports whether the value may be given for the scalar; for types
// that are not built in, but for DateTime (RFC 3339), the answer is yes.
func isOfScalar(name string, value any) bool {
	switch name {
	case "String":
		_, ok := value.(string)
		return ok
	case "Boolean":
		_, ok := value.(bool)
		return ok
	case "Int":
		return isInteger(value, 32)
	case "ID":
		_, ok := value.(string)
		return ok || isInteger(value, 64)
	case "Float":
		switch value.(type) {
		case json.Number, float64, int64, int:
			return true
		}
		return false
	case "DateTime":
		text, _ := value.(string)
		_, err := time.Parse(time.RFC3339, text)
		return err == nil
	}
	return true
}

// isInteger: requests bring json.Number, defaults in documents int64.
func isInteger(value any, bits int) bool {
	switch n := value.(type) {
	case json.Number:
		_, err := strconv.ParseInt(n.String(), 10, bits)
		return err == nil
	case int64:
		_, err := strconv.ParseInt(strconv.FormatInt(n, 10), 10, bits)
		return err == nil
	case int:
		return true
	}
	return false
}
