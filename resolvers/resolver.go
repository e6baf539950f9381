// Package resolvers is the GraphQL face of signup.Service. A resolver
// translates its input, makes one call and translates the answer; rules live
// in the engine and its shell.
package resolvers

import (
	"context"

	"stepwise/internal/signup"
)

// Resolver is the root of all resolvers.
type Resolver struct {
	Service *signup.Service
	// IssueToken sends a client its new token with the response at hand.
	IssueToken func(ctx context.Context, instance, token string)
}

type principalKey struct{}

// WithPrincipal returns a context that carries who makes the request.
func WithPrincipal(ctx context.Context, p signup.Principal) context.Context {
	return context.WithValue(ctx, principalKey{}, p)
}

// PrincipalOf returns who makes the request; the zero Principal, which may do
// nothing, where nobody was authenticated.
func PrincipalOf(ctx context.Context) signup.Principal {
	p, _ := ctx.Value(principalKey{}).(signup.Principal)
	return p
}
