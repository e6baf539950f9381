package resolvers

import (
	"context"
	"strings"

	"stepwise/graph"
	"stepwise/internal/signup"
)

func (r *Resolver) issue(ctx context.Context, token string) {
	if token != "" {
		r.IssueToken(ctx, PrincipalOf(ctx).Instance.ID, token)
	}
}

// noID is the id of nothing; an empty one given by a client names nothing too.
const noID = "none"

// idOrCurrent returns the id that was given, or what the service takes for the
// client's current object where none was.
func idOrCurrent(id *string) string {
	switch {
	case id == nil:
		return ""
	case *id == "":
		return noID
	}
	return *id
}

// node finds an object by the prefix of its id; null where the caller may not
// see it.
func (r *Resolver) node(ctx context.Context, p signup.Principal, id string) (graph.Node, error) {
	prefix, _, _ := strings.Cut(id, "_")
	switch prefix {
	case "sua":
		if s, err := r.Service.SignUp(ctx, p, id); s != nil || err != nil {
			return signUp(s), err
		}
	case "sess":
		if s, err := r.Service.Session(ctx, p, id); s != nil || err != nil {
			return session(s, r.Service.Now()), err
		}
	case "user":
		if !p.Secret {
			return nil, nil
		}
		if u, err := r.Service.User(ctx, p, id); u != nil || err != nil {
			return user(u), err
		}
	case "inv":
		if !p.Secret {
			return nil, nil
		}
		if i, err := r.Service.Invitation(ctx, p, id); i != nil || err != nil {
			return invitation(i, r.Service.Now()), err
		}
	case "client":
		if p.Secret || id != p.Client {
			return nil, nil
		}
		if c, err := r.Service.Client(ctx, p); c != nil || err != nil {
			return client(c, r.Service.Now()), err
		}
	}
	return nil, nil
}

// translate passes a watched sign-up on to a subscriber. Nothing to watch is an
// error: a subscription has no null to say it with.
func translate(ctx context.Context, states <-chan *signup.SignUp) (<-chan *graph.SignUp, error) {
	if states == nil {
		return nil, signup.ErrNoSignUp
	}
	out := make(chan *graph.SignUp)
	go func() {
		defer close(out)
		for s := range states {
			select {
			case out <- signUp(s):
			case <-ctx.Done():
				return
			}
		}
	}()
	return out, nil
}
