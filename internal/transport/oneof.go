package transport

import (
	"context"
	"slices"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// oneOfGate checks @oneOf input objects that arrive in variables: exactly one field,
// and not null. gqlparser checks literals only.
type oneOfGate struct {
	schema *ast.Schema
	// relevant holds the input types that are @oneOf or can contain one.
	relevant map[string]bool
}

func newOneOfGate(schema *ast.Schema) oneOfGate {
	g := oneOfGate{schema: schema, relevant: map[string]bool{}}
	for name, definition := range schema.Types {
		if isOneOf(definition) {
			g.relevant[name] = true
		}
	}
	for changed := true; changed; {
		changed = false
		for name, definition := range schema.Types {
			if !g.relevant[name] && definition.Kind == ast.InputObject && slices.ContainsFunc(definition.Fields, g.leadsToOneOf) {
				g.relevant[name] = true
				changed = true
			}
		}
	}
	return g
}

func isOneOf(definition *ast.Definition) bool {
	return definition.Kind == ast.InputObject && definition.Directives.ForName("oneOf") != nil
}

func (g oneOfGate) leadsToOneOf(field *ast.FieldDefinition) bool {
	return g.relevant[field.Type.Name()]
}

func (oneOfGate) ExtensionName() string                   { return "OneOf" }
func (oneOfGate) Validate(graphql.ExecutableSchema) error { return nil }

func (g oneOfGate) MutateOperationContext(_ context.Context, operation *graphql.OperationContext) *gqlerror.Error {
	for _, variable := range operation.Operation.VariableDefinitions {
		definition := g.schema.Types[variable.Type.Name()]
		if !g.relevant[definition.Name] {
			continue
		}
		if where := g.violation("$"+variable.Variable, definition, operation.Variables[variable.Variable]); where != "" {
			return codedError(CodeBadUserInput, where)
		}
	}
	return nil
}

// violation describes the first @oneOf object in value that has not exactly one
// field, or returns the empty string. List coercion leaves single values and slices
// of maps behind, so it goes by the value, not by the type.
func (g oneOfGate) violation(path string, definition *ast.Definition, value any) string {
	switch value := value.(type) {
	case map[string]any:
		return g.objectViolation(path, definition, value)
	case []map[string]any:
		for _, element := range value {
			if where := g.objectViolation(path, definition, element); where != "" {
				return where
			}
		}
	case []any:
		for _, element := range value {
			if where := g.violation(path, definition, element); where != "" {
				return where
			}
		}
	}
	return ""
}

func (g oneOfGate) objectViolation(path string, definition *ast.Definition, object map[string]any) string {
	if isOneOf(definition) && !hasExactlyOne(object) {
		names := make([]string, len(definition.Fields))
		for i, field := range definition.Fields {
			names[i] = field.Name
		}
		return "Variable " + path + " must give exactly one of " + strings.Join(names, ", ") + ", and not null."
	}
	for _, field := range definition.Fields {
		value, given := object[field.Name]
		if !given || !g.leadsToOneOf(field) {
			continue
		}
		if where := g.violation(path+"."+field.Name, g.schema.Types[field.Type.Name()], value); where != "" {
			return where
		}
	}
	return ""
}

func hasExactlyOne(object map[string]any) bool {
	if len(object) != 1 {
		return false
	}
	for _, value := range object {
		return value != nil
	}
	return false
}
