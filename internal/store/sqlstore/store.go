// Package sqlstore keeps instances, settings, users, sessions, conversions,
// invitations and webhooks in SQLite or PostgreSQL.
//
// Every statement is one text for both databases, and so is every transaction:
// a function that may run more than once. The databases differ in how such a
// function is committed. SQLite has one writer, which takes the functions that
// are waiting into one transaction, each in a savepoint of its own, and pays
// for one sync to disk. PostgreSQL runs them side by side and groups their
// commits itself.
//
// What makes a conversion happen once is the primary key of its attempt, see
// [Store.Convert]. Whatever else several want and one may have, an invitation, a
// delivery, an event, is taken by an UPDATE that affects its row only as long as
// nobody has it.
package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"stepwise/internal/signup"
)

// Options say where the data is.
type Options struct {
	// URL is postgres://… or postgresql://… for PostgreSQL, as in its manual.
	// Anything else names the file of a SQLite database: sqlite:PATH, file:PATH
	// or just PATH; empty means data/stepwise.db in the working directory. The
	// file is created with mode 0600, missing directories with 0700.
	URL string
	// Logger gets what happened at the start; nil means slog.Default().
	Logger *slog.Logger
	// Timeout bounds every call in addition to its context; 0 means 10 s.
	Timeout time.Duration
	// Now tells since when sessions are over; nil means time.Now.
	Now func() time.Time
}

const defaultTimeout = 10 * time.Second

// Store is a [signup.Directory] in a SQL database. Its methods may be called
// from any goroutine; after Close they fail.
type Store struct {
	db      database
	timeout time.Duration
	now     func() time.Time
}

var (
	_ signup.Directory = (*Store)(nil)
	_ signup.Pinger    = (*Store)(nil)
)

// database is what SQLite and PostgreSQL do differently.
type database interface {
	// reader runs single statements, each of which sees what is committed.
	reader() executor
	// transact runs work in a transaction. It returns nil only once everything
	// work did is durable, and work's error if that was the reason to undo it
	// all. After any other error the outcome is unknown.
	//
	// work may run more than once, and may still run when transact has
	// returned because ctx ended.
	transact(ctx context.Context, work func(context.Context, executor) error) error
	close() error
}

// Open connects to the database and brings its tables up to date; several
// processes may do so at once. It never puts the password of the URL into an
// error.
func Open(ctx context.Context, o Options) (*Store, error) {
	return open(ctx, o, func(c driver.Connector) driver.Connector { return c })
}

// open lets tests stand between database/sql and the driver.
func open(ctx context.Context, o Options, wrap func(driver.Connector) driver.Connector) (*Store, error) {
	s := &Store{timeout: o.Timeout, now: o.Now}
	if s.timeout == 0 {
		s.timeout = defaultTimeout
	}
	if s.now == nil {
		s.now = time.Now
	}
	logger := o.Logger
	if logger == nil {
		logger = slog.Default()
	}
	var err error
	if isPostgresURL(o.URL) {
		s.db, err = openPostgres(ctx, o.URL, s.timeout, logger, wrap)
	} else {
		s.db, err = openSQLite(ctx, o.URL, logger, wrap)
	}
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	return s, nil
}

// Close waits for transactions that have begun. It may be called once.
func (s *Store) Close() error { return s.db.close() }

// Ping reports whether the database answers reads and takes transactions.
func (s *Store) Ping(ctx context.Context) error {
	ask := func(ctx context.Context, x executor) (one int64, err error) {
		err = queryRow(ctx, x, selectOne, nil, &one)
		return one, err
	}
	if _, err := read(ctx, s, "ping the database", ask); err != nil {
		return err
	}
	_, err := write(ctx, s, "ping the database", ask)
	return err
}

// read runs ask outside of a transaction; what names the call in errors.
func read[T any](ctx context.Context, s *Store, what string, ask func(context.Context, executor) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	result, err := ask(ctx, s.db.reader())
	if err != nil {
		var none T
		return none, fmt.Errorf("%s: %w", what, withCause(ctx, err))
	}
	return result, nil
}

// write runs work in a transaction, as [database].transact does.
func write[T any](ctx context.Context, s *Store, what string, work func(context.Context, executor) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	var result T // not to be read unless transact says nil: work may still run
	err := s.db.transact(ctx, func(ctx context.Context, x executor) error {
		made, err := work(ctx, x)
		result = made
		return err
	})
	if err != nil {
		var none T
		return none, fmt.Errorf("%s: %w", what, withCause(ctx, err))
	}
	return result, nil
}

// withCause says that a call failed because its context ended, where
// database/sql names only the consequence.
func withCause(ctx context.Context, err error) error {
	if ctx.Err() != nil && (errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrTxDone)) {
		return fmt.Errorf("%w: %w", ctx.Err(), err)
	}
	return err
}
