package transport

import (
	"context"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/executor"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/validator/rules"
)

// newExecutor sets gqlgen up so that every step runs on input that the steps before
// it have bounded: tokens (in the parser), shape, validation, variables, @oneOf,
// introspection, complexity. Parameter mutators run before gqlgen parses, context
// mutators after it has validated, both in the order of Use.
func newExecutor(config Config, report reporter) *executor.Executor {
	limits := config.Limits
	documents := newDocumentCache(limits.CachedDocuments, limits.CachedDocumentBytes)

	e := executor.New(config.Schema)
	e.SetParserTokenLimit(limits.Tokens)
	e.SetQueryCache(documents)
	e.SetDisableSuggestion(config.Production)
	e.SetDefaultRulesFn(func() *rules.Rules { return validationRules(config.Production) })
	e.SetErrorPresenter(report.present)
	e.SetRecoverFunc(report.recovered)

	e.Use(shapeGate{documents: documents, limits: limits})
	e.Use(scalarGate{schema: config.Schema.Schema()})
	e.Use(newOneOfGate(config.Schema.Schema()))
	e.Use(introspectionGate{allowed: func(ctx context.Context) bool {
		return !config.Production || config.Introspection || config.Privileged(ctx)
	}})
	e.Use(complexityGate{schema: config.Schema, limit: func(ctx context.Context) int {
		if config.Privileged(ctx) {
			return limits.PrivilegedComplexity
		}
		return limits.Complexity
	}})
	if config.AuthorizeSubscription != nil {
		e.Use(subscriptionGate{allowed: config.AuthorizeSubscription, report: report})
	}
	if config.Authorize != nil {
		e.AroundRootFields(config.Authorize)
	}
	return e
}

// validationRules are the default ones. gqlgen's own switch for suggestions replaces
// the rules about fields; the other rules that suggest are replaced here.
func validationRules(production bool) *rules.Rules {
	set := rules.NewDefaultRules()
	if production {
		set.ReplaceRule(rules.KnownArgumentNamesRule.Name, rules.KnownArgumentNamesRuleWithoutSuggestions.RuleFunc)
		set.ReplaceRule(rules.KnownTypeNamesRule.Name, rules.KnownTypeNamesRuleWithoutSuggestions.RuleFunc)
		set.ReplaceRule(rules.ValuesOfCorrectTypeRule.Name, rules.ValuesOfCorrectTypeRuleWithoutSuggestions.RuleFunc)
	}
	return set
}

// introspectionGate opens introspection to those who may use it and tells the others.
type introspectionGate struct {
	allowed func(context.Context) bool
}

func (introspectionGate) ExtensionName() string                   { return "Introspection" }
func (introspectionGate) Validate(graphql.ExecutableSchema) error { return nil }

func (g introspectionGate) MutateOperationContext(ctx context.Context, operation *graphql.OperationContext) *gqlerror.Error {
	if g.allowed(ctx) {
		operation.DisableIntrospection = false
		return nil
	}
	if introspects(operation.Operation.SelectionSet) {
		return codedError(CodeForbidden, "Introspection is switched off here.")
	}
	return nil
}

// introspects looks at root fields only: nowhere else do __schema and __type exist.
func introspects(set ast.SelectionSet) bool {
	for _, selection := range set {
		switch selection := selection.(type) {
		case *ast.Field:
			if selection.Name == "__schema" || selection.Name == "__type" {
				return true
			}
		case *ast.InlineFragment:
			if introspects(selection.SelectionSet) {
				return true
			}
		case *ast.FragmentSpread:
			if introspects(selection.Definition.SelectionSet) {
				return true
			}
		}
	}
	return false
}

// subscriptionGate asks about the root field of a subscription before it runs.
type subscriptionGate struct {
	allowed func(context.Context, *ast.FieldDefinition) error
	report  reporter
}

func (subscriptionGate) ExtensionName() string                   { return "Subscriptions" }
func (subscriptionGate) Validate(graphql.ExecutableSchema) error { return nil }

func (g subscriptionGate) MutateOperationContext(ctx context.Context, operation *graphql.OperationContext) *gqlerror.Error {
	if operation.Operation.Operation != ast.Subscription {
		return nil
	}
	return g.ask(ctx, operation.Operation.SelectionSet)
}

func (g subscriptionGate) ask(ctx context.Context, set ast.SelectionSet) *gqlerror.Error {
	for _, selection := range set {
		var refused *gqlerror.Error
		switch selection := selection.(type) {
		case *ast.Field:
			if err := g.allowed(ctx, selection.Definition); err != nil {
				refused = g.report.present(ctx, err)
			}
		case *ast.InlineFragment:
			refused = g.ask(ctx, selection.SelectionSet)
		case *ast.FragmentSpread:
			refused = g.ask(ctx, selection.Definition.SelectionSet)
		}
		if refused != nil {
			return refused
		}
	}
	return nil
}
