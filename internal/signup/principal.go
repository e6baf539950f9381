package signup

import (
	"context"
	"crypto/hmac"
	"errors"
	"strings"
)

// Credentials are what a request says about its caller.
type Credentials struct {
	PublishableKey string
	// Bearer is the token of `Authorization: Bearer`, or empty.
	Bearer string
	// Cookie returns a cookie's value, or "".
	Cookie func(name string) string
}

// Principal is who makes a request.
type Principal struct {
	Instance StoredInstance
	// Secret is set for the holder of the instance's secret key.
	Secret bool
	// Client is empty for a caller without a client token.
	Client     string
	Generation int64
	// Stale: the token was valid once, but a completed sign-up or a sign-in has
	// replaced it. It is good for one thing: to hear again the answer to the call
	// that did.
	Stale bool
	// AcceptLanguage is the header of that name, unread; it counts where a person's
	// locale is not given.
	AcceptLanguage string
	// FromCookie: the token came as a cookie, which browsers send unasked.
	FromCookie bool
}

// mustBeClient returns an error unless the caller holds a client's present token.
func (p Principal) mustBeClient() error {
	switch {
	case p.Secret:
		return ErrClientOnly
	case p.Stale:
		return ErrUnauthenticated
	case p.Client == "":
		return ErrNeedsClient
	}
	return nil
}

// asNewClient returns the caller as a client of its own that nobody knows yet.
func (p Principal) asNewClient() Principal {
	return Principal{Instance: p.Instance, Client: clientPrefix + RandomText(idLength), AcceptLanguage: p.AcceptLanguage}
}

// CookieName is the name of the client's cookie at an instance.
func CookieName(instance string) string { return "client_" + strings.TrimPrefix(instance, "ins_") }

// Authenticate finds out who makes a request. An unknown bearer token is an
// error; an unknown cookie counts as none, since browsers send it unasked.
func (s *Service) Authenticate(ctx context.Context, c Credentials) (Principal, error) {
	token, fromCookie := c.Bearer, false
	if token == "" && c.Cookie != nil {
		instance, err := s.instanceID(ctx, c.PublishableKey)
		if err != nil {
			return Principal{}, err
		}
		token, fromCookie = c.Cookie(CookieName(instance)), true
	}
	client, generation, wellFormed := parseClientToken(token)
	gate, err := s.gate(ctx, c.PublishableKey, client)
	if err != nil {
		return Principal{}, err
	}
	p := Principal{Instance: gate.Instance}
	switch {
	case token == "":
		return p, nil
	case strings.HasPrefix(c.Bearer, "sk_"):
		if !hmac.Equal(s.keys.SecretKeyHash(c.Bearer), gate.Instance.SecretKeyHash) {
			return Principal{}, ErrWrongSecretKey
		}
		p.Secret = true
		return p, nil
	case wellFormed && s.keys.clientTokenValid(token, p.Instance.ID, client, generation) && generation <= gate.Generation:
		p.Client, p.Generation, p.Stale, p.FromCookie = client, generation, generation < gate.Generation, fromCookie
		return p, nil
	case fromCookie:
		return p, nil
	}
	return Principal{}, ErrUnauthenticated
}

func (s *Service) gate(ctx context.Context, publishableKey, client string) (Gate, error) {
	gate, err := s.directory.Gate(ctx, publishableKey, client)
	if errors.Is(err, ErrNoRow) {
		return Gate{}, ErrUnknownInstance
	}
	if err != nil {
		return Gate{}, unavailable(err)
	}
	return gate, nil
}

// instanceID returns the id behind a publishable key; ids never change, so
// they are remembered.
func (s *Service) instanceID(ctx context.Context, publishableKey string) (string, error) {
	if id, ok := s.instances.Load(publishableKey); ok {
		return id.(string), nil
	}
	gate, err := s.gate(ctx, publishableKey, "")
	if err != nil {
		return "", err
	}
	s.instances.Store(publishableKey, gate.Instance.ID)
	return gate.Instance.ID, nil
}
