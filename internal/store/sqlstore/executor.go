package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"

	"stepwise/internal/signup"
)

// executor runs statements, inside a transaction or outside of one.
type executor interface {
	ExecContext(ctx context.Context, statement string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, statement string, args ...any) (*sql.Rows, error)
}

// errUnstorable: PostgreSQL refuses such text, SQLite would not.
var errUnstorable = errors.New("text is not valid UTF-8 or contains a zero byte")

// storable reports whether a text can be in the database at all.
func storable(text string) bool {
	return utf8.ValidString(text) && strings.IndexByte(text, 0) < 0
}

func allStorable(args []any) bool {
	for _, arg := range args {
		if text, ok := arg.(string); ok && !storable(text) {
			return false
		}
	}
	return true
}

// execute runs a statement that returns no rows and says how many it affected.
func execute(ctx context.Context, x executor, statement string, args ...any) (affected int64, err error) {
	if !allStorable(args) {
		return 0, errUnstorable
	}
	result, err := x.ExecContext(ctx, statement, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// query calls scan for every row. Asked for text that cannot be stored, it
// finds nothing.
func query(ctx context.Context, x executor, statement string, args []any, scan func(row *sql.Rows) error) error {
	if !allStorable(args) {
		return nil
	}
	rows, err := x.QueryContext(ctx, statement, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// queryRow reads the only row, or fails with [signup.ErrNoRow].
func queryRow(ctx context.Context, x executor, statement string, args []any, targets ...any) error {
	found := false
	err := query(ctx, x, statement, args, func(row *sql.Rows) error {
		found = true
		return row.Scan(targets...)
	})
	if err == nil && !found {
		return signup.ErrNoRow
	}
	return err
}

// isUniqueViolation tells that a statement failed because of a UNIQUE or
// PRIMARY KEY constraint.
func isUniqueViolation(err error) bool {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		const uniqueViolation = "23505"
		return e.Code == uniqueViolation
	}
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		const uniqueConstraint, primaryKeyConstraint = 2067, 1555
		return e.Code() == uniqueConstraint || e.Code() == primaryKeyConstraint
	}
	return false
}

// isForeignKeyViolation tells that a statement failed because a row that it
// refers to is gone.
func isForeignKeyViolation(err error) bool {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		const foreignKeyViolation = "23503"
		return e.Code == foreignKeyViolation
	}
	return false // in SQLite nothing goes while a transaction looks
}

// prepared runs statements of which each is parsed once; SQLite would spend
// more time on parsing than on running them.
type prepared struct {
	source     preparer
	mu         sync.Mutex
	statements map[string]*sql.Stmt
}

type preparer interface {
	PrepareContext(ctx context.Context, statement string) (*sql.Stmt, error)
}

func (p *prepared) ExecContext(ctx context.Context, statement string, args ...any) (sql.Result, error) {
	s, err := p.prepare(ctx, statement)
	if err != nil {
		return nil, err
	}
	return s.ExecContext(ctx, args...)
}

func (p *prepared) QueryContext(ctx context.Context, statement string, args ...any) (*sql.Rows, error) {
	s, err := p.prepare(ctx, statement)
	if err != nil {
		return nil, err
	}
	return s.QueryContext(ctx, args...)
}

func (p *prepared) prepare(ctx context.Context, statement string) (*sql.Stmt, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s, ok := p.statements[statement]; ok {
		return s, nil
	}
	s, err := p.source.PrepareContext(ctx, statement)
	if err != nil {
		return nil, err
	}
	if p.statements == nil {
		p.statements = map[string]*sql.Stmt{}
	}
	p.statements[statement] = s
	return s, nil
}

func (p *prepared) close() (err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.statements {
		err = errors.Join(err, s.Close())
	}
	p.statements = nil
	return err
}
