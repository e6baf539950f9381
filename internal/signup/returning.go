package signup

import "context"

// Owner is a user as found by one of the identifiers.
type Owner struct {
	UserID string
	// PasswordHash is a PHC string, empty for a user without a password.
	PasswordHash string
	// Identifier is the one by which the user was found.
	Identifier Identifier
}

// SessionCreation is a session of a user who exists already. Where a proof is good
// for once, a code or a transfer, the session's id is derived from it, so that one
// proof makes one session.
type SessionCreation struct {
	Session Session
	Events  []Event
}

// Returning serves people who come back. It is part of a [Directory].
type Returning interface {
	// Owner finds a user by the first of the identifiers (kind and norm) that
	// belongs to one. ErrNoRow where none does.
	Owner(ctx context.Context, instance string, identifiers []Identifier) (Owner, error)
	// CreateSession stores the session and its events together; the client's
	// generation rises by one and is returned. A session of that id that was the
	// last thing to raise the client's generation is returned as it was made
	// first, with that generation, and nothing changes; any other session of that
	// id fails with ErrDuplicate. ErrNoRow where there is no such user.
	CreateSession(ctx context.Context, c SessionCreation) (session Session, generation int64, err error)
}
