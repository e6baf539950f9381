package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
)

// lite is a SQLite database: one connection that writes, see [writer], and
// some that read, which are never in its way.
type lite struct {
	readDB *sql.DB
	reads  *prepared
	writer *writer
}

func openSQLite(ctx context.Context, address string, logger *slog.Logger, wrap func(driver.Connector) driver.Connector) (*lite, error) {
	path, err := sqliteFile(address)
	if err != nil {
		return nil, err
	}
	if err := createFile(path); err != nil {
		return nil, err
	}
	if err := prepareFile(ctx, path, logger); err != nil {
		return nil, err
	}

	// FULL syncs at every commit: what was acknowledged survives a power cut.
	// What savepoints need to undo a job stays in memory, not in a file in the
	// system's directory for such.
	writeDB, err := openConnections(wrap, path, 1,
		"busy_timeout(5000)", "foreign_keys(1)", "synchronous(FULL)", "temp_store(MEMORY)")
	if err != nil {
		return nil, err
	}
	readers := max(4, 2*runtime.GOMAXPROCS(0))
	readDB, err := openConnections(wrap, path, readers, "busy_timeout(5000)", "query_only(1)", "temp_store(MEMORY)")
	if err != nil {
		return nil, errors.Join(err, writeDB.Close())
	}
	return &lite{readDB: readDB, reads: &prepared{source: readDB}, writer: startWriter(writeDB, logger)}, nil
}

func openConnections(wrap func(driver.Connector) driver.Connector, path string, most int, pragmas ...string) (*sql.DB, error) {
	connector, err := sqlite.NewConnector(sqliteDSN(path, pragmas...))
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(wrap(connector))
	db.SetMaxOpenConns(most)
	db.SetMaxIdleConns(most)
	return db, nil
}

// createFile makes the database file and its directory, readable for nobody
// else. SQLite gives the files it makes beside it the same mode.
func createFile(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	return file.Close()
}

// prepareFile switches the file to write-ahead logging and migrates it, while
// no other process does the same.
func prepareFile(ctx context.Context, path string, logger *slog.Logger) (err error) {
	unlock, err := lockFile(ctx, path+"-migrating")
	if err != nil {
		return fmt.Errorf("wait for another process that migrates: %w", err)
	}
	defer func() { err = errors.Join(err, unlock()) }()

	connector, err := sqlite.NewConnector(sqliteDSN(path,
		"busy_timeout(5000)", "foreign_keys(1)", "synchronous(FULL)", "journal_mode(WAL)"))
	if err != nil {
		return err
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(1)
	defer func() { err = errors.Join(err, db.Close()) }()
	return migrate(ctx, db, goose.DialectSQLite3, logger)
}

// lockFile waits until it has an empty database at path for itself. The lock
// is SQLite's own, so it works where SQLite does, and ends with the process.
func lockFile(ctx context.Context, path string) (unlock func() error, err error) {
	if err := createFile(path); err != nil {
		return nil, err
	}
	connector, err := sqlite.NewConnector(sqliteDSN(path, "busy_timeout(0)"))
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(1)
	const pause = 20 * time.Millisecond
	for {
		_, err := db.ExecContext(ctx, "BEGIN EXCLUSIVE")
		if err == nil {
			return db.Close, nil // closing the connection ends the transaction
		}
		if !isBusy(err) {
			return nil, errors.Join(err, db.Close())
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), db.Close())
		}
	}
}

// isBusy tells that another connection holds a lock.
func isBusy(err error) bool {
	e, ok := errors.AsType[*sqlite.Error](err)
	const primaryCode, busy = 0xff, 5
	return ok && e.Code()&primaryCode == busy
}

func (l *lite) reader() executor { return l.reads }

func (l *lite) transact(ctx context.Context, work func(context.Context, executor) error) error {
	return l.writer.do(ctx, work)
}

// close ends the writer last: the last connection writes the log back into
// the file.
func (l *lite) close() error {
	return errors.Join(l.readDB.Close(), l.writer.close())
}
