package signup

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"time"

	"stepwise/engine"
	"stepwise/internal/identifier"
	"stepwise/internal/password"
)

// People who come back. An answer never tells whether somebody has the
// identifier that was named: what is unknown is treated as a wrong proof, takes as
// long, and costs the same budgets.

// asReturning returns the caller as a client; minted is true for a new one. A
// browser that holds an outdated cookie starts over.
func asReturning(p Principal) (client Principal, minted bool, err error) {
	switch {
	case p.Secret:
		return p, false, ErrClientOnly
	case p.Client == "" || p.Stale && p.FromCookie:
		return p.asNewClient(), true, nil
	case p.Stale:
		return p, false, ErrUnauthenticated
	}
	return p, false, nil
}

func list(p *Problem) []Problem {
	if p == nil {
		return nil
	}
	return []Problem{*p}
}

// candidates are the identifiers that a text may stand for.
func candidates(text, country string) []Identifier {
	var list []Identifier
	if who, _, ok := addressOf(text, country); ok {
		list = append(list, who)
	}
	if name, err := identifier.ParseUsername(text, 1, 64); err == nil {
		list = append(list, Identifier{Kind: engine.Username.String(), Norm: name.Norm})
	}
	return list
}

// SessionProof is who a caller says to be: exactly one of Password, Challenge and
// Transfer is used.
type SessionProof struct {
	// Identifier and Password.
	Identifier, Password string
	// Challenge is the id of a SessionChallenge, Code what was sent.
	Challenge, Code string
	// Transfer is the TransferToken of an Outcome.
	Transfer string
}

// SessionOutcome is the answer to a sign-in.
type SessionOutcome struct {
	Session     *Session
	ClientToken string
	Problems    []Problem
}

// CreateSession turns a proof into a session of the user it belongs to, on the
// caller's client, which gets a new token. The same code, and the same transfer,
// make the same session; a password makes another one each time.
func (s *Service) CreateSession(ctx context.Context, p Principal, proof SessionProof) (SessionOutcome, error) {
	switch {
	case p.Secret:
		return SessionOutcome{}, ErrClientOnly
	case proof.Transfer != "":
		return s.transfer(ctx, p, proof.Transfer)
	case proof.Challenge != "":
		return s.sessionByCode(ctx, p, proof.Challenge, proof.Code)
	}
	client, _, err := asReturning(p)
	if err != nil {
		return SessionOutcome{}, err
	}
	owner, problems, err := s.checkPassword(ctx, client, proof.Identifier, proof.Password, inputPath("proof", "password"))
	if err != nil || len(problems) > 0 {
		return SessionOutcome{Problems: problems}, err
	}
	return s.openSession(ctx, client, owner.UserID, RandomText(idLength))
}

// checkPassword compares a password with that of the user whom the identifier
// names. The budgets are taken before anything is compared.
func (s *Service) checkPassword(ctx context.Context, p Principal, text, plain string, field []string) (Owner, []Problem, error) {
	settings, err := s.settingsAt(ctx, p.Instance.ID, p.Instance.SettingsVersion)
	if err != nil {
		return Owner{}, nil, err
	}
	wrong := []Problem{{Code: CodeCredentials, Field: field, Message: "No account has this identifier and this password."}}
	names := candidates(text, settings.DefaultCountry)
	if len(names) == 0 {
		return Owner{}, wrong, nil
	}
	owner, err := s.directory.Owner(ctx, p.Instance.ID, names)
	if err != nil && !errors.Is(err, ErrNoRow) {
		return Owner{}, nil, unavailable(err)
	}
	// By what was typed: a budget of the user would tell that two identifiers, or
	// any at all, are somebody's.
	budget := Budget{Key: "password:" + p.Instance.ID + ":" + names[0].Kind + ":" + names[0].Norm, Burst: guessBurst, Every: guessEvery}
	if problem, err := s.take(ctx, budget, field, engine.Password); err != nil || problem != nil {
		return Owner{}, list(problem), err
	}
	ok, err := s.verifyPassword(ctx, owner.PasswordHash, plain)
	switch {
	case errors.Is(err, password.ErrBusy):
		return Owner{}, []Problem{s.busy()}, nil
	case err != nil:
		return Owner{}, nil, err
	case !ok:
		return Owner{}, wrong, nil
	}
	return owner, nil, nil
}

// verifyPassword takes as long where there is no hash: for nobody, and for a user
// without a password.
func (s *Service) verifyPassword(ctx context.Context, hash, plain string) (bool, error) {
	decoy, err := s.decoyHash(ctx) // whether or not it is needed: the first one to ask waits longer
	if err != nil {
		return false, err
	}
	ok, err := s.hasher.Verify(ctx, cmp.Or(hash, decoy), plain)
	return ok && hash != "", err
}

// decoyHash is that of a password which nobody has. A failure to make it is not
// kept: the hasher may only have been busy.
func (s *Service) decoyHash(ctx context.Context) (string, error) {
	if hash := s.decoy.Load(); hash != nil {
		return *hash, nil
	}
	hash, err := s.hasher.Hash(ctx, RandomText(idLength))
	if err != nil {
		return "", err
	}
	s.decoy.Store(&hash)
	return hash, nil
}

func (s *Service) busy() Problem {
	return Problem{Code: CodeBusy, Message: "The service is very busy. Please try again in a moment.", RetryAfter: s.now().Add(2 * time.Second)}
}

// sessionTail derives what follows the prefix of a session's id from the proof
// that the session rests on.
func (k *Keys) sessionTail(parts ...string) string {
	tail := base64.RawURLEncoding.EncodeToString(mac(k.session, parts...))
	return strings.Map(func(r rune) rune {
		if r == '-' || r == '_' {
			return 'x'
		}
		return r
	}, tail)[:idLength]
}

// openSession stores the session and gives the client its new token.
func (s *Service) openSession(ctx context.Context, p Principal, user, tail string) (SessionOutcome, error) {
	settings, err := s.settingsAt(ctx, p.Instance.ID, p.Instance.SettingsVersion)
	if err != nil {
		return SessionOutcome{}, err
	}
	now := s.now()
	session := Session{
		ID: sessionPrefix + tail, Instance: p.Instance.ID, UserID: user, ClientID: p.Client, CreatedAt: now,
		ExpireAt: now.Add(time.Duration(settings.SessionLifetimeSeconds) * time.Second),
	}
	made, generation, err := s.directory.CreateSession(ctx, SessionCreation{
		Session: session, Events: []Event{sessionCreated(eventPrefix+tail, session)},
	})
	switch {
	case errors.Is(err, ErrDuplicate):
		return SessionOutcome{Problems: []Problem{{Code: Code(engine.CodeExpired), Message: "This was used already. Please start again."}}}, nil
	case errors.Is(err, ErrNoRow):
		return SessionOutcome{Problems: []Problem{{Code: CodeUserNotFound, Message: "There is no such user."}}}, nil
	case err != nil:
		return SessionOutcome{}, unavailable(err)
	}
	s.pending()
	return SessionOutcome{Session: &made, ClientToken: s.keys.ClientToken(p.Instance.ID, p.Client, generation)}, nil
}

// sessionAgain serves a caller whose token was replaced by the session that this
// very proof has made; nothing else is answered.
func (s *Service) sessionAgain(ctx context.Context, p Principal, tail string) (SessionOutcome, error) {
	session, err := s.directory.Session(ctx, p.Instance.ID, sessionPrefix+tail)
	switch {
	case errors.Is(err, ErrNoRow) || err == nil && session.ClientID != p.Client:
		return SessionOutcome{}, ErrUnauthenticated
	case err != nil:
		return SessionOutcome{}, unavailable(err)
	}
	made, generation, err := s.directory.CreateSession(ctx, SessionCreation{Session: session})
	switch {
	case errors.Is(err, ErrDuplicate) || err == nil && generation != p.Generation+1:
		return SessionOutcome{}, ErrUnauthenticated
	case err != nil:
		return SessionOutcome{}, unavailable(err)
	}
	return SessionOutcome{Session: &made, ClientToken: s.keys.ClientToken(p.Instance.ID, p.Client, generation)}, nil
}

// VerifyPassword tells a backend with a sign-in of its own whose the identifier
// is, if the password is right; nil where it is not.
func (s *Service) VerifyPassword(ctx context.Context, p Principal, text, plain string) (*User, []Problem, error) {
	if !p.Secret {
		return nil, nil, ErrSecretKeyOnly
	}
	owner, problems, err := s.checkPassword(ctx, p, text, plain, inputPath("password"))
	if err != nil || len(problems) > 0 {
		return nil, problems, err
	}
	u, err := s.User(ctx, p, owner.UserID)
	return u, nil, err
}

// CreateUserSession gives a backend a session of a user, on a client of its own,
// whose token the backend hands to its frontend.
func (s *Service) CreateUserSession(ctx context.Context, p Principal, user string) (SessionOutcome, error) {
	if !p.Secret {
		return SessionOutcome{}, ErrSecretKeyOnly
	}
	out, err := s.openSession(ctx, p.asNewClient(), user, RandomText(idLength))
	for i := range out.Problems {
		out.Problems[i].Field = inputPath("userId")
	}
	return out, err
}
