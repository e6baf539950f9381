package resolvers

import (
	"context"
	"slices"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"stepwise/graph"
	"stepwise/internal/signup"
)

// Authorize lets a root field run if its @access names the caller. A field that
// names nobody is refused to everybody.
func Authorize(ctx context.Context, next graphql.RootResolver) graphql.Marshaler {
	root := graphql.GetRootFieldContext(ctx)
	definition := root.Field.Definition
	if definition == nil || len(definition.Name) > 2 && definition.Name[:2] == "__" {
		return next(ctx) // introspection; the transport decides on it
	}
	if err := allowed(definition, PrincipalOf(ctx)); err != nil {
		graphql.AddError(ctx, err)
		return graphql.Null
	}
	return next(ctx)
}

// AuthorizeSubscription decides about the root field of a subscription, which
// gqlgen does not lead through Authorize.
func AuthorizeSubscription(ctx context.Context, field *ast.FieldDefinition) error {
	return allowed(field, PrincipalOf(ctx))
}

func allowed(field *ast.FieldDefinition, p signup.Principal) error {
	needs := accessOf(field)
	for _, access := range needs {
		switch access {
		case graph.AccessPublic:
			if p.Instance.ID != "" {
				return nil
			}
		case graph.AccessClient:
			if p.Client != "" {
				return nil
			}
		case graph.AccessSecretKey:
			if p.Secret {
				return nil
			}
		}
	}
	wantsSecretKey := slices.Contains(needs, graph.AccessSecretKey)
	switch {
	case p.Client != "":
		return signup.ErrSecretKeyOnly
	case p.Secret:
		return signup.ErrClientOnly
	case wantsSecretKey && !slices.Contains(needs, graph.AccessClient):
		return signup.ErrNeedsSecretKey
	}
	return signup.ErrNeedsClient
}

func accessOf(field *ast.FieldDefinition) []graph.Access {
	directive := field.Directives.ForName("access")
	if directive == nil {
		return nil
	}
	var list []graph.Access
	for _, child := range directive.Arguments.ForName("by").Value.Children {
		list = append(list, graph.Access(child.Value.Raw))
	}
	return list
}
