package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

const (
	// postgresConnections leaves room for several processes on a server with
	// the usual limit of 100.
	postgresConnections = 16
	connectTimeout      = 5 * time.Second
	// transactionTries bounds how often a transaction is run that the server
	// has undone in favour of another.
	transactionTries = 5
)

// postgres is a PostgreSQL database. Transactions are READ COMMITTED; whatever
// must be unique is so by a constraint.
type postgres struct{ db *sql.DB }

func openPostgres(ctx context.Context, url string, timeout time.Duration, logger *slog.Logger, wrap func(driver.Connector) driver.Connector) (*postgres, error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		// The driver's error quotes parts of the URL, and with them passwords.
		return nil, errors.New("the address of PostgreSQL is malformed")
	}
	if config.ConnectTimeout == 0 || config.ConnectTimeout > connectTimeout {
		config.ConnectTimeout = connectTimeout
	}
	setDefault(config.RuntimeParams, "application_name", "stepwise")
	if err := migratePostgres(ctx, config, logger); err != nil {
		return nil, err
	}

	// Our own deadlines reach a server that does not answer. These two reach
	// transactions of a process that was cut off and still hold locks.
	limit := strconv.FormatInt(timeout.Milliseconds(), 10)
	setDefault(config.RuntimeParams, "statement_timeout", limit)
	setDefault(config.RuntimeParams, "idle_in_transaction_session_timeout", limit)
	db := sql.OpenDB(wrap(validating{stdlib.GetConnector(*config)}))
	db.SetMaxOpenConns(postgresConnections)
	db.SetMaxIdleConns(postgresConnections)
	db.SetConnMaxIdleTime(5 * time.Minute)
	db.SetConnMaxLifetime(30 * time.Minute) // finds a server that has moved
	return &postgres{db: db}, nil
}

// migratePostgres has a connection of its own, since a migration may take
// longer than a statement. An advisory lock keeps other processes waiting.
func migratePostgres(ctx context.Context, config *pgx.ConnConfig, logger *slog.Logger) (err error) {
	db := stdlib.OpenDB(*config.Copy())
	db.SetMaxOpenConns(1)
	defer func() { err = errors.Join(err, db.Close()) }()
	const seconds, tries = 1, 300
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(seconds, tries))
	if err != nil {
		return err
	}
	return migrate(ctx, db, goose.DialectPostgres, logger, goose.WithSessionLocker(locker))
}

// validating opens connections that tell when they are dead. The driver's do
// not: one that was closed because a context ended would go back to the pool
// and fail the next call, which is somebody else's.
type validating struct{ driver.Connector }

type validatedConn struct{ *stdlib.Conn }

func (v validating) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := v.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return validatedConn{conn.(*stdlib.Conn)}, nil
}

// IsValid implements [driver.Validator].
func (c validatedConn) IsValid() bool { return !c.Conn.Conn().IsClosed() }

func setDefault(parameters map[string]string, name, value string) {
	if _, ok := parameters[name]; !ok {
		parameters[name] = value
	}
}

func (p *postgres) reader() executor { return p.db }

func (p *postgres) close() error { return p.db.Close() }

func (p *postgres) transact(ctx context.Context, work func(context.Context, executor) error) error {
	for try := 1; ; try++ {
		err := p.transactOnce(ctx, work)
		if try == transactionTries || !wasUndone(err) {
			return err
		}
		// Those that collided must not meet again at once.
		pause := time.Duration(rand.Int64N(int64(try) * int64(10*time.Millisecond)))
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return err
		}
	}
}

func (p *postgres) transactOnce(ctx context.Context, work func(context.Context, executor) error) error {
	tx, err := p.db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // does nothing after Commit, and cannot fail in a way that matters
	if err := work(ctx, tx); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("the outcome is unknown: %w", err)
	}
	return nil
}

// wasUndone tells that the server has undone the transaction because of
// another one, so that running it again is safe and can succeed.
func wasUndone(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	const serializationFailure, deadlock = "40001", "40P01"
	return ok && (e.Code == serializationFailure || e.Code == deadlock)
}
