package sqlstore

import (
	"context"
	"database/sql"
	"errors"

	"stepwise/internal/signup"
)

// Owner implements [signup.Directory].
func (s *Store) Owner(ctx context.Context, instance string, identifiers []signup.Identifier) (signup.Owner, error) {
	args := placeArgs(instance, identifiers)
	return read(ctx, s, "find a user", func(ctx context.Context, x executor) (none signup.Owner, err error) {
		if len(args) == 1 {
			return none, signup.ErrNoRow
		}
		owners := map[place]signup.Owner{}
		err = query(ctx, x, selectOwners(len(args)/2), args, func(row *sql.Rows) error {
			var o signup.Owner
			i := &o.Identifier
			err := row.Scan(&o.UserID, &o.PasswordHash, &i.Kind, &i.Norm, &i.Display, stamp{&i.VerifiedAt})
			owners[placeOf(*i)] = o
			return err
		})
		if err != nil {
			return none, err
		}
		for _, i := range identifiers {
			if o, ok := owners[placeOf(i)]; ok {
				return o, nil
			}
		}
		return none, signup.ErrNoRow
	})
}

// CreateSession implements [signup.Directory]. A session that is returned a
// second time has its end, if it was ended meanwhile. For that it has to be of
// the same user, client and instance.
func (s *Store) CreateSession(ctx context.Context, c signup.SessionCreation) (signup.Session, int64, error) {
	type created struct {
		session    signup.Session
		generation int64
	}
	made, err := write(ctx, s, "create a session", func(ctx context.Context, x executor) (none created, err error) {
		var one int64
		if err := queryRow(ctx, x, selectUserExists, []any{c.Session.Instance, c.Session.UserID}, &one); err != nil {
			return none, err
		}
		// Another transaction with this id holds its row until it ends.
		first, err := createSession(ctx, x, c.Session)
		if err != nil {
			return none, err
		}
		if !first {
			session, generation, err := earlierSession(ctx, x, c.Session)
			return created{session, generation}, err
		}
		if err := createEvents(ctx, x, c.Session.Instance, c.Events); err != nil {
			return none, err
		}
		var now created
		if now.session, err = session(ctx, x, selectSession, c.Session.Instance, c.Session.ID); err != nil {
			return none, err
		}
		now.generation, err = raiseGeneration(ctx, x, c.Session)
		return now, err
	})
	return made.session, made.generation, err
}

// createSession inserts a session and reports whether its id was free.
func createSession(ctx context.Context, x executor, s signup.Session) (first bool, err error) {
	inserted, err := execute(ctx, x, insertSession, s.ID, s.Instance, s.UserID, s.ClientID,
		millis(s.CreatedAt), millis(s.ExpireAt), millis(s.EndedAt))
	return inserted == 1, err
}

// raiseGeneration counts up the generation of the session's client. It comes
// last, because everything else the client does waits for its row.
func raiseGeneration(ctx context.Context, x executor, s signup.Session) (generation int64, err error) {
	err = queryRow(ctx, x, upsertClient, []any{s.Instance, s.ClientID, s.ID}, &generation)
	return generation, err
}

// earlierSession returns the session that was made before with the id of s and
// its client's generation, or fails with ErrDuplicate where it is another's or
// the client has moved on.
func earlierSession(ctx context.Context, x executor, s signup.Session) (earlier signup.Session, generation int64, err error) {
	err = queryRow(ctx, x, selectLastGeneration, []any{s.Instance, s.ClientID, s.ID}, &generation)
	if err == nil {
		earlier, err = session(ctx, x, selectClientSession, s.Instance, s.ClientID, s.ID)
	}
	if errors.Is(err, signup.ErrNoRow) || err == nil && earlier.UserID != s.UserID {
		return signup.Session{}, 0, signup.ErrDuplicate
	}
	return earlier, generation, err
}
