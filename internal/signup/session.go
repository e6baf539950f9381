package signup

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"stepwise/engine"
)

// SessionTokenLifetime is how long a session token is good for.
const SessionTokenLifetime = 60 * time.Second

// Client is what a client sees of itself.
type Client struct {
	ID string
	// SignUp is the current one, nil once it is final.
	SignUp   *SignUp
	Sessions []Session
	// Active is the newest session that can be used, or nil.
	Active *Session
}

// Client returns the caller's client. nil: the caller has none.
func (s *Service) Client(ctx context.Context, p Principal) (*Client, error) {
	if p.Stale {
		return nil, ErrUnauthenticated
	}
	if p.Client == "" {
		return nil, nil
	}
	current, err := s.SignUp(ctx, p, "")
	if err != nil {
		return nil, err
	}
	if current != nil && current.Final() {
		current = nil
	}
	sessions, err := s.directory.Sessions(ctx, p.Instance.ID, p.Client)
	if err != nil {
		return nil, unavailable(err)
	}
	return &Client{ID: p.Client, SignUp: current, Sessions: sessions, Active: newestActive(sessions, s.now())}, nil
}

func newestActive(sessions []Session, now time.Time) *Session {
	for i := range sessions {
		if sessions[i].ActiveAt(now) {
			return &sessions[i]
		}
	}
	return nil
}

// SessionStatus is the state of a session at a moment.
type SessionStatus string

const (
	SessionActive  SessionStatus = "ACTIVE"
	SessionEnded   SessionStatus = "ENDED"
	SessionExpired SessionStatus = "EXPIRED"
)

// StatusAt returns the state at that time.
func (s Session) StatusAt(now time.Time) SessionStatus {
	switch {
	case !s.EndedAt.IsZero():
		return SessionEnded
	case !now.Before(s.ExpireAt):
		return SessionExpired
	}
	return SessionActive
}

// Now is the service's time, for showing states.
func (s *Service) Now() time.Time { return s.now() }

// Session returns a session of the caller's client, or nil.
func (s *Service) Session(ctx context.Context, p Principal, id string) (*Session, error) {
	if !p.Secret {
		if err := p.mustBeClient(); err != nil {
			return nil, err
		}
	}
	session, err := s.directory.Session(ctx, p.Instance.ID, id)
	if errors.Is(err, ErrNoRow) || err == nil && !p.Secret && session.ClientID != p.Client {
		return nil, nil
	}
	if err != nil {
		return nil, unavailable(err)
	}
	return &session, nil
}

// SessionToken is a short-lived JWT and the session it stands for.
type SessionToken struct {
	Token    string
	ExpireAt time.Time
	Session  Session
	Problems []Problem
}

// CreateSessionToken signs a token (RFC 7519, ES256) for a session of the
// caller's client; id is empty for the newest active one.
func (s *Service) CreateSessionToken(ctx context.Context, p Principal, id string) (SessionToken, error) {
	if err := p.mustBeClient(); err != nil {
		return SessionToken{}, err
	}
	session, err := s.sessionToSign(ctx, p, id)
	if err != nil {
		return SessionToken{}, err
	}
	now := s.now()
	switch {
	case session == nil:
		return SessionToken{Problems: []Problem{{Code: CodeSessionNotFound, Message: "This client has no such session.", Field: inputPath("sessionId")}}}, nil
	case !session.ActiveAt(now):
		return SessionToken{Problems: []Problem{{Code: CodeSessionEnded, Message: "This session has ended.", Field: inputPath("sessionId")}}}, nil
	}
	signer, err := s.signer(ctx, p.Instance.ID)
	if err != nil {
		return SessionToken{}, err
	}
	issued := now.Truncate(time.Second)
	expire := issued.Add(SessionTokenLifetime)
	token, err := jwt.Signed(signer).Claims(jwt.Claims{
		Issuer: s.issuer, Subject: session.UserID,
		IssuedAt: jwt.NewNumericDate(issued), NotBefore: jwt.NewNumericDate(issued), Expiry: jwt.NewNumericDate(expire),
	}).Claims(map[string]any{"sid": session.ID}).Serialize()
	if err != nil {
		return SessionToken{}, fmt.Errorf("sign session token: %w", err)
	}
	return SessionToken{Token: token, ExpireAt: expire, Session: *session}, nil
}

func (s *Service) sessionToSign(ctx context.Context, p Principal, id string) (*Session, error) {
	if id != "" {
		return s.Session(ctx, p, id)
	}
	sessions, err := s.directory.Sessions(ctx, p.Instance.ID, p.Client)
	if err != nil {
		return nil, unavailable(err)
	}
	return newestActive(sessions, s.now()), nil
}

// EndSession ends a session of the caller's client.
func (s *Service) EndSession(ctx context.Context, p Principal, id string) (*Session, []Problem, error) {
	if err := p.mustBeClient(); err != nil {
		return nil, nil, err
	}
	session, err := s.directory.EndSession(ctx, p.Instance.ID, p.Client, id, s.now())
	if errors.Is(err, ErrNoRow) {
		return nil, []Problem{{Code: CodeSessionNotFound, Message: "This client has no such session.", Field: inputPath("sessionId")}}, nil
	}
	if err != nil {
		return nil, nil, unavailable(err)
	}
	return &session, nil, nil
}

const signingKeyPurpose = "signing key"

// signer returns what signs for an instance; the key is made at first use and
// kept sealed.
func (s *Service) signer(ctx context.Context, instance string) (jose.Signer, error) {
	if signer, ok := s.signers.Load(instance); ok {
		return signer.(jose.Signer), nil
	}
	keys, err := s.directory.SigningKeys(ctx, instance)
	if err != nil {
		return nil, unavailable(err)
	}
	if len(keys) == 0 {
		fresh, err := s.newSigningKey()
		if err != nil {
			return nil, err
		}
		kept, err := s.directory.AddSigningKey(ctx, instance, fresh)
		if err != nil {
			return nil, unavailable(err)
		}
		keys = []SigningKey{kept}
	}
	private, err := s.keys.Open(keys[0].Sealed, signingKeyPurpose)
	if err != nil {
		return nil, fmt.Errorf("signing key %s: %w", keys[0].ID, err)
	}
	var jwk jose.JSONWebKey
	if err := jwk.UnmarshalJSON(private); err != nil {
		return nil, fmt.Errorf("signing key %s is not a JWK", keys[0].ID)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jwk}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return nil, err
	}
	s.signers.Store(instance, signer)
	return signer, nil
}

func (s *Service) newSigningKey() (SigningKey, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return SigningKey{}, err
	}
	jwk := jose.JSONWebKey{Key: private, KeyID: "key_" + RandomText(idLength), Algorithm: string(jose.ES256), Use: "sig"}
	public := jwk.Public()
	publicJSON, err := public.MarshalJSON()
	if err != nil {
		return SigningKey{}, err
	}
	privateJSON, err := jwk.MarshalJSON()
	if err != nil {
		return SigningKey{}, err
	}
	return SigningKey{ID: jwk.KeyID, Public: publicJSON, Sealed: s.keys.Seal(privateJSON, signingKeyPurpose), CreatedAt: s.now()}, nil
}

// JWKS returns the public keys of an instance as a JWK Set (RFC 7517); the key
// is made if there is none yet, so that verifiers can fetch it beforehand.
func (s *Service) JWKS(ctx context.Context, publishableKey string) ([]byte, error) {
	instance, err := s.instanceID(ctx, publishableKey)
	if err != nil {
		return nil, err
	}
	if _, err := s.signer(ctx, instance); err != nil {
		return nil, err
	}
	keys, err := s.directory.SigningKeys(ctx, instance)
	if err != nil {
		return nil, unavailable(err)
	}
	set := struct {
		Keys []json.RawMessage `json:"keys"`
	}{}
	for _, k := range keys {
		set.Keys = append(set.Keys, json.RawMessage(k.Public))
	}
	return json.Marshal(set)
}

// Capabilities returns what this deployment can do.
func (s *Service) Capabilities() engine.Capabilities { return s.can }
