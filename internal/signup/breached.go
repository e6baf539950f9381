package signup

import (
	"context"
	"sync/atomic"
	"time"

	"stepwise/internal/password"
)

// BreachedPasswords knows passwords from breaches.
type BreachedPasswords interface {
	// Known reports whether a password, in its normal form, is known from breaches. It
	// keeps to the context's deadline and sends nothing from which the password follows;
	// an error says that nobody knows, and nothing of the password or its hash.
	Known(ctx context.Context, normal string) (bool, error)
}

const (
	// breachTimeout is how long people wait for an answer about their password.
	breachTimeout = time.Second
	// unaskedEvery is how often the log says that others do not answer.
	unaskedEvery = time.Minute
)

const breachedSentence = "This password appears in lists of stolen passwords, which others try first. Please choose another one; if you use it elsewhere, change it there too."

// isBreached asks whether the password is known from breaches. Where nobody knows,
// the list of common passwords stands in: a server that is away keeps no one from
// signing up.
func (s *Service) isBreached(ctx context.Context, plain string) bool {
	if s.breached == nil {
		return password.IsCommon(plain)
	}
	normal, err := password.Normal(plain)
	if err != nil {
		return false // no password, which the rules have refused
	}
	asking, cancel := context.WithTimeout(ctx, breachTimeout)
	defer cancel()
	known, err := s.breached.Known(asking, normal)
	if err == nil {
		return known
	}
	if ctx.Err() == nil { // the caller has not left
		s.warnUnasked(ctx, err)
	}
	return password.IsCommon(plain)
}

// warnUnasked logs at most one warning in a while, however many people come.
func (s *Service) warnUnasked(ctx context.Context, cause error) {
	if s.unasked.again(s.now()) {
		s.log.WarnContext(ctx, "breached passwords not asked for; a list of common passwords stands in", "error", cause)
	}
}

// seldom lets something be said once in a while.
type seldom struct{ saidAt atomic.Int64 }

func (r *seldom) again(now time.Time) bool {
	last := r.saidAt.Load()
	return (last == 0 || now.UnixMilli()-last >= unaskedEvery.Milliseconds()) && r.saidAt.CompareAndSwap(last, now.UnixMilli())
}
