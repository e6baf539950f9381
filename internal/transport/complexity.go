package transport

import (
	"context"
	"fmt"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// complexityGate refuses operations that cost too much. It follows fragment spreads
// one by one, which only the shape check keeps from growing without bound.
//
// It counts as gqlgen's extension does, but builds the map of a field's arguments
// only for fields that have any: one for every field is most of what counting costs.
type complexityGate struct {
	schema graphql.ExecutableSchema
	limit  func(context.Context) int
}

func (complexityGate) ExtensionName() string                   { return "Complexity" }
func (complexityGate) Validate(graphql.ExecutableSchema) error { return nil }

func (g complexityGate) MutateOperationContext(ctx context.Context, operation *graphql.OperationContext) *gqlerror.Error {
	cost, limit := g.cost(ctx, operation.Operation.SelectionSet, operation.Variables), g.limit(ctx)
	if cost > limit {
		return codedError(CodeLimitExceeded, fmt.Sprintf("The operation asks for too much at once; it costs %d and may cost %d.", cost, limit))
	}
	return nil
}

// costCeiling is where costs stop growing, far above every limit, so that neither
// sums nor the products of complexity functions overflow.
const costCeiling = 1 << 24

func (g complexityGate) cost(ctx context.Context, set ast.SelectionSet, variables map[string]any) int {
	total := 0
	for _, selection := range set {
		switch selection := selection.(type) {
		case *ast.Field:
			total += g.fieldCost(ctx, selection, variables)
		case *ast.InlineFragment:
			total += g.cost(ctx, selection.SelectionSet, variables)
		case *ast.FragmentSpread:
			total += g.cost(ctx, selection.Definition.SelectionSet, variables)
		}
	}
	return min(total, costCeiling)
}

// fieldCost asks the schema's complexity function for the field, and for a field of
// an interface those of all its implementations, the dearest of which counts. A field
// without a function costs one more than what is selected below it. Introspection is
// free: its depth is limited, and it runs on memory alone.
func (g complexityGate) fieldCost(ctx context.Context, field *ast.Field, variables map[string]any) int {
	if strings.HasPrefix(field.Name, "__") {
		return 0
	}
	below := g.cost(ctx, field.SelectionSet, variables)
	var arguments map[string]any
	if len(field.Definition.Arguments) > 0 {
		arguments = field.ArgumentMap(variables)
	}
	if field.ObjectDefinition.Kind != ast.Interface {
		return g.objectFieldCost(ctx, field.ObjectDefinition.Name, field.Name, below, arguments)
	}
	dearest := 0
	for _, object := range g.schema.Schema().GetPossibleTypes(field.ObjectDefinition) {
		dearest = max(dearest, g.objectFieldCost(ctx, object.Name, field.Name, below, arguments))
	}
	return dearest
}

func (g complexityGate) objectFieldCost(ctx context.Context, object, field string, below int, arguments map[string]any) int {
	if cost, ok := g.schema.Complexity(ctx, object, field, below, arguments); ok && cost >= 1 {
		return min(cost, costCeiling)
	}
	return below + 1
}
