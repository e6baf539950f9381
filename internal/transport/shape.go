package transport

import (
	"context"
	"fmt"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/parser"
)

// shapeGate checks the shape of documents before gqlgen validates them. It costs a
// second parse, for unknown documents only, which is little beside validation.
type shapeGate struct {
	documents *documentCache
	limits    Limits
}

func (shapeGate) ExtensionName() string                   { return "Shape" }
func (shapeGate) Validate(graphql.ExecutableSchema) error { return nil }

func (g shapeGate) MutateOperationParameters(ctx context.Context, params *graphql.RawParams) *gqlerror.Error {
	if _, known := g.documents.Get(ctx, params.Query); known {
		return nil
	}
	document, err := parser.ParseQueryWithTokenLimit(&ast.Source{Input: params.Query}, g.limits.Tokens)
	if err != nil {
		return nil // the executor meets the same error and reports it
	}
	return checkShape(document, g.limits)
}

// checkShape refuses documents that are too large once their fragments are spread.
// It needs no schema, tolerates everything that validation would refuse (unknown and
// cyclic fragments among it), and visits at most limits.Selections selections.
//
// A mutation has one root field. Otherwise a single request could try hundreds of
// codes under as many aliases, past every limit that counts requests.
func checkShape(document *ast.QueryDocument, limits Limits) *gqlerror.Error {
	w := shapeWalk{limits: limits, fragments: map[string]*fragmentState{}}
	for _, fragment := range document.Fragments {
		w.fragments[fragment.Name] = &fragmentState{definition: fragment}
	}
	for _, operation := range document.Operations {
		w.operation(operation)
	}
	// Fragments that no operation uses, and all but one of the same name, are refused
	// by validation, but not before their fields were compared.
	for _, fragment := range document.Fragments {
		if state := w.fragments[fragment.Name]; !state.reached || state.definition != fragment {
			w.aliases, w.directives, w.rootLimit, w.subscription = 0, 0, false, false
			w.countDirectives(fragment.Directives)
			w.selections(fragment.SelectionSet, root())
		}
	}
	return w.err
}

type shapeWalk struct {
	limits    Limits
	fragments map[string]*fragmentState
	err       *gqlerror.Error // the first

	visited, repeated int // in the document

	// In the operation:
	aliases, directives, roots int
	rootLimit                  bool // one root field only
	subscription               bool
}

type fragmentState struct {
	definition *ast.FragmentDefinition
	reached    bool
	open       bool // being spread right now, so spreading it again is a cycle
}

// position is where in an operation a selection set stands.
type position struct {
	depth         int
	introspection bool
	// selected holds the response names that the set has already, those of its
	// fragments included.
	selected map[string]bool
}

func root() position { return position{depth: 1, selected: map[string]bool{}} }

func (w *shapeWalk) operation(operation *ast.OperationDefinition) {
	w.aliases, w.directives, w.roots = 0, 0, 0
	w.subscription = operation.Operation == ast.Subscription
	w.rootLimit = w.subscription || operation.Operation == ast.Mutation
	w.countDirectives(operation.Directives)
	for _, variable := range operation.VariableDefinitions {
		w.countDirectives(variable.Directives)
	}
	w.selections(operation.SelectionSet, root())
}

func (w *shapeWalk) selections(set ast.SelectionSet, at position) {
	for _, selection := range set {
		if w.visited++; w.visited > w.limits.Selections {
			w.exceeds(fmt.Sprintf("The document selects too much; %d selections are allowed.", w.limits.Selections))
		}
		if w.err != nil {
			return
		}
		switch selection := selection.(type) {
		case *ast.Field:
			w.field(selection, at)
		case *ast.InlineFragment:
			w.selectionDirectives(selection.Directives, at)
			w.selections(selection.SelectionSet, at)
		case *ast.FragmentSpread:
			w.selectionDirectives(selection.Directives, at)
			w.spread(selection, at)
		}
	}
}

func (w *shapeWalk) field(field *ast.Field, at position) {
	w.selectionDirectives(field.Directives, at)
	if at.selected[field.Alias] {
		if w.repeated++; w.repeated > w.limits.RepeatedFields {
			w.exceeds(fmt.Sprintf("The document selects the same fields too often; %d repetitions are allowed.", w.limits.RepeatedFields))
		}
	}
	at.selected[field.Alias] = true
	if field.Alias != field.Name {
		if w.aliases++; w.aliases > w.limits.Aliases {
			w.exceeds(fmt.Sprintf("The operation uses too many aliases; %d are allowed.", w.limits.Aliases))
		}
	}
	if at.depth == 1 && w.rootLimit && field.Name != "__typename" {
		if w.roots++; w.roots > 1 {
			w.exceeds("A mutation or subscription has exactly one root field. Send the others separately.")
		}
	}
	if field.Name == "__schema" || field.Name == "__type" {
		at.introspection = true
	}
	limit := w.limits.Depth
	if at.introspection {
		limit = w.limits.IntrospectionDepth
	}
	if at.depth > limit {
		w.exceeds(fmt.Sprintf("The operation nests too deeply; %d levels are allowed.", limit))
	}
	if len(field.SelectionSet) == 0 {
		return
	}
	at.depth++
	at.selected = make(map[string]bool, len(field.SelectionSet))
	w.selections(field.SelectionSet, at)
}

func (w *shapeWalk) spread(spread *ast.FragmentSpread, at position) {
	fragment := w.fragments[spread.Name]
	if fragment == nil || fragment.open {
		return
	}
	fragment.reached, fragment.open = true, true
	w.countDirectives(fragment.definition.Directives)
	w.selections(fragment.definition.SelectionSet, at)
	fragment.open = false
}

func (w *shapeWalk) selectionDirectives(directives ast.DirectiveList, at position) {
	w.countDirectives(directives)
	for _, directive := range directives {
		conditional := directive.Name == "skip" || directive.Name == "include"
		switch {
		case directive.Name == "defer":
			// gqlgen would answer in parts, and we would send only the first.
			w.refuse(CodeUnsupportedOperation, "@defer is not supported.")
		case conditional && w.subscription && at.depth == 1:
			// Specification (September 2025), section 5.2.4.1.
			w.refuse(CodeUnsupportedOperation, "The root field of a subscription cannot be conditional.")
		}
	}
}

func (w *shapeWalk) countDirectives(directives ast.DirectiveList) {
	if w.directives += len(directives); w.directives > w.limits.Directives {
		w.exceeds(fmt.Sprintf("The operation uses too many directives; %d are allowed.", w.limits.Directives))
	}
}

func (w *shapeWalk) exceeds(message string) { w.refuse(CodeLimitExceeded, message) }

func (w *shapeWalk) refuse(code, message string) {
	if w.err == nil {
		w.err = codedError(code, message)
	}
}
