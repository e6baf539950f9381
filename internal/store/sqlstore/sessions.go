package sqlstore

import (
	"context"
	"database/sql"
	"time"

	"stepwise/internal/signup"
)

// keptAfterEnd is how long a session is listed when it is over.
const keptAfterEnd = 24 * time.Hour

// Session implements [signup.Directory].
func (s *Store) Session(ctx context.Context, instance, id string) (signup.Session, error) {
	return read(ctx, s, "read a session", func(ctx context.Context, x executor) (signup.Session, error) {
		return session(ctx, x, selectSession, instance, id)
	})
}

// Sessions implements [signup.Directory]. A session that has expired counts as
// ended at that moment.
func (s *Store) Sessions(ctx context.Context, instance, client string) ([]signup.Session, error) {
	since := s.now().Add(-keptAfterEnd)
	return read(ctx, s, "list sessions", func(ctx context.Context, x executor) ([]signup.Session, error) {
		return sessions(ctx, x, selectClientSessions, instance, client, millis(since))
	})
}

// EndSession implements [signup.Directory].
func (s *Store) EndSession(ctx context.Context, instance, client, id string, at time.Time) (signup.Session, error) {
	return write(ctx, s, "end a session", func(ctx context.Context, x executor) (ended signup.Session, err error) {
		if !storable(client) || !storable(id) {
			return ended, signup.ErrNoRow
		}
		if _, err := execute(ctx, x, endSession, millis(at), instance, client, id); err != nil {
			return ended, err
		}
		return session(ctx, x, selectClientSession, instance, client, id)
	})
}

// session reads the only row of sessionColumns.
func session(ctx context.Context, x executor, statement string, args ...any) (signup.Session, error) {
	return only(sessions(ctx, x, statement, args...))
}

// sessions reads rows of sessionColumns.
func sessions(ctx context.Context, x executor, statement string, args ...any) (found []signup.Session, err error) {
	err = query(ctx, x, statement, args, func(row *sql.Rows) error {
		var s signup.Session
		if err := row.Scan(&s.ID, &s.Instance, &s.UserID, &s.ClientID,
			stamp{&s.CreatedAt}, stamp{&s.ExpireAt}, stamp{&s.EndedAt}); err != nil {
			return err
		}
		found = append(found, s)
		return nil
	})
	return found, err
}
