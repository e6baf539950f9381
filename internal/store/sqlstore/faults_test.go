package sqlstore

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"stepwise/internal/signup"
)

var errInjected = errors.New("injected")

// fault is what happens to a statement.
type fault int

const (
	faultBefore fault = iota // it fails and does nothing
	faultAfter               // it is done, and fails nevertheless
	faultLost                // it does nothing, nor does the connection from then on
)

func (f fault) String() string { return [...]string{"before", "after", "lost"}[f] }

// interposer stands between database/sql and a driver.
type interposer struct {
	mu sync.Mutex
	// log holds the statements since the last arm, BEGIN and COMMIT included.
	log    []string
	target int // the statement that fails, counted from 1; 0 for none
	fault  fault
	// failing is the text of statements that all fail, if set.
	failing string
	// onCommit is called before a COMMIT, if set.
	onCommit func()
}

func (i *interposer) wrap(c driver.Connector) driver.Connector {
	return interposedConnector{c, i}
}

// arm makes the n-th statement from now on fail.
func (i *interposer) arm(n int, f fault) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.log, i.target, i.fault = nil, n, f
}

// armAll makes every statement with that text fail from now on.
func (i *interposer) armAll(statement string, f fault) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.log, i.failing, i.fault = nil, statement, f
}

// disarm returns the statements since arm and whether one was made to fail.
func (i *interposer) disarm() (log []string, fired bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	fired = i.target > 0 && len(i.log) >= i.target
	i.target, i.failing = 0, ""
	return i.log, fired
}

// step runs one statement of a connection, or makes it fail.
func (i *interposer) step(c *interposedConn, statement string, do func() error) error {
	i.mu.Lock()
	i.log = append(i.log, strings.Join(strings.Fields(statement), " "))
	hit := i.target == len(i.log) || i.failing == statement && statement != ""
	fault, onCommit := i.fault, i.onCommit
	i.mu.Unlock()
	if onCommit != nil && statement == "COMMIT" {
		onCommit()
	}
	switch {
	case c.lost || hit && fault == faultBefore:
		return errInjected
	case hit && fault == faultLost:
		c.lost = true
		return errInjected
	}
	if err := do(); err != nil {
		return err
	}
	if hit {
		return errInjected
	}
	return nil
}

type interposedConnector struct {
	driver.Connector
	*interposer
}

func (c interposedConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &interposedConn{Conn: conn, interposer: c.interposer}, nil
}

type interposedConn struct {
	driver.Conn
	*interposer
	lost bool
}

func (c *interposedConn) BeginTx(ctx context.Context, o driver.TxOptions) (tx driver.Tx, err error) {
	err = c.step(c, "BEGIN", func() error {
		tx, err = c.Conn.(driver.ConnBeginTx).BeginTx(ctx, o)
		return err
	})
	if err != nil {
		if tx != nil {
			_ = tx.Rollback()
		}
		return nil, err
	}
	return interposedTx{tx, c}, nil
}

func (c *interposedConn) PrepareContext(ctx context.Context, statement string) (s driver.Stmt, err error) {
	err = c.step(c, "PREPARE "+statement, func() error {
		s, err = c.Conn.(driver.ConnPrepareContext).PrepareContext(ctx, statement)
		return err
	})
	if err != nil {
		if s != nil {
			_ = s.Close()
		}
		return nil, err
	}
	return interposedStmt{s, c, statement}, nil
}

func (c *interposedConn) ExecContext(ctx context.Context, statement string, args []driver.NamedValue) (r driver.Result, err error) {
	return r, c.step(c, statement, func() error {
		r, err = c.Conn.(driver.ExecerContext).ExecContext(ctx, statement, args)
		return err
	})
}

func (c *interposedConn) QueryContext(ctx context.Context, statement string, args []driver.NamedValue) (driver.Rows, error) {
	return c.queryStep(statement, func() (driver.Rows, error) {
		return c.Conn.(driver.QueryerContext).QueryContext(ctx, statement, args)
	})
}

func (c *interposedConn) queryStep(statement string, do func() (driver.Rows, error)) (rows driver.Rows, err error) {
	err = c.step(c, statement, func() error {
		rows, err = do()
		return err
	})
	if err != nil && rows != nil {
		_ = rows.Close()
		rows = nil
	}
	return rows, err
}

func (c *interposedConn) IsValid() bool {
	return !c.lost && c.Conn.(driver.Validator).IsValid()
}

func (c *interposedConn) ResetSession(ctx context.Context) error {
	if c.lost {
		return driver.ErrBadConn
	}
	return c.Conn.(driver.SessionResetter).ResetSession(ctx)
}

func (c *interposedConn) CheckNamedValue(v *driver.NamedValue) error {
	if checker, ok := c.Conn.(driver.NamedValueChecker); ok {
		return checker.CheckNamedValue(v)
	}
	return driver.ErrSkip
}

type interposedTx struct {
	driver.Tx
	conn *interposedConn
}

func (t interposedTx) Commit() error { return t.conn.step(t.conn, "COMMIT", t.Tx.Commit) }

func (t interposedTx) Rollback() error {
	if t.conn.lost {
		return errInjected
	}
	return t.Tx.Rollback()
}

type interposedStmt struct {
	driver.Stmt
	conn      *interposedConn
	statement string
}

func (s interposedStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (r driver.Result, err error) {
	return r, s.conn.step(s.conn, s.statement, func() error {
		r, err = s.Stmt.(driver.StmtExecContext).ExecContext(ctx, args)
		return err
	})
}

func (s interposedStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	return s.conn.queryStep(s.statement, func() (driver.Rows, error) {
		return s.Stmt.(driver.StmtQueryContext).QueryContext(ctx, args)
	})
}

var testInstance = signup.NewInstance{
	ID: "inst_1", PublishableKey: "pk_1", Settings: []byte(`{}`), At: time.UnixMilli(1_700_000_000_000),
}

// testConversion is that of a client of its own into a user with two
// identifiers, a session and two events: see rowsOfConversion.
func testConversion(attempt string) signup.Conversion {
	at := testInstance.At
	return signup.Conversion{
		AttemptID: attempt, Instance: testInstance.ID, Client: "client_" + attempt, At: at,
		Build: func(signup.SettingsVersion, *signup.Invitation) (signup.Creation, bool) {
			return signup.Creation{
				User: signup.User{
					ID: "user_" + attempt, CreatedAt: at, UpdatedAt: at,
					Identifiers: []signup.Identifier{
						{Kind: "USERNAME", Norm: attempt, Display: attempt},
						{Kind: "EMAIL_ADDRESS", Norm: attempt + "@example.com", Display: attempt + "@example.com", VerifiedAt: at},
					},
				},
				PasswordHash: "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g",
				Session:      signup.Session{ID: "sess_" + attempt, CreatedAt: at, ExpireAt: at.Add(24 * time.Hour)},
				Events: []signup.Event{
					{ID: "evt_u_" + attempt, Kind: "user.created", Body: []byte(`{"user":"` + attempt + `"}`), At: at},
					{ID: "evt_s_" + attempt, Kind: "session.created", Body: []byte(`{"user":"` + attempt + `"}`), At: at},
				},
			}, true
		},
	}
}

func testConverted(attempt string) signup.Converted {
	return signup.Converted{UserID: "user_" + attempt, SessionID: "sess_" + attempt, Generation: 1, SettingsVersion: 1}
}

var rowsOfConversion = map[string]int{"users": 1, "identifiers": 2, "sessions": 1, "clients": 1, "conversions": 1, "outbox": 2}

// rowsOfConversions is what a database holds after n conversions and nothing else.
func rowsOfConversions(n int) map[string]int {
	rows := map[string]int{}
	for _, table := range tables {
		rows[table] = 0
	}
	rows["instances"], rows["settings_versions"] = 1, 1
	for table, each := range rowsOfConversion {
		rows[table] = n * each
	}
	return rows
}

func mustEnsureInstance(t testing.TB, s *Store) {
	t.Helper()
	if _, _, err := s.EnsureInstance(t.Context(), testInstance); err != nil {
		t.Fatal(err)
	}
}

// Whichever statement of a conversion fails, and however, all of it is there
// or nothing, and a retry makes it whole with the same ids.
func TestEveryStatementOfAConversionFails(t *testing.T) {
	onEachBackend(t, func(t *testing.T, url string) {
		var i interposer
		s := mustOpenWrapped(t, Options{URL: url}, i.wrap)
		mustEnsureInstance(t, s)
		converted := 0
		for _, f := range []fault{faultBefore, faultAfter, faultLost} {
			for n := 1; ; n++ {
				attempt := fmt.Sprintf("%v_%d", f, n)
				i.arm(n, f)
				done, err := s.Convert(t.Context(), testConversion(attempt))
				log, fired := i.disarm()
				if !fired {
					if err != nil || done != testConverted(attempt) {
						t.Fatalf("nothing was made to fail, but Convert returned %+v, %v", done, err)
					}
					if n < 10 {
						t.Fatalf("a conversion has only %d statements:\n%s", len(log), strings.Join(log, "\n"))
					}
					converted++
					break
				}
				statement := log[n-1]
				if !errors.Is(err, errInjected) || done != (signup.Converted{}) {
					t.Fatalf("%v %q: Convert returned %+v, %v", f, statement, done, err)
				}
				rows := countRows(t, s)
				switch {
				case maps.Equal(rows, rowsOfConversions(converted)):
				case f == faultAfter && statement == "COMMIT" && maps.Equal(rows, rowsOfConversions(converted+1)):
				default:
					t.Fatalf("%v %q left %v, with %d conversions before", f, statement, rows, converted)
				}
				if done, err = s.Convert(t.Context(), testConversion(attempt)); err != nil || done != testConverted(attempt) {
					t.Fatalf("the retry after %v %q returned %+v, %v", f, statement, done, err)
				}
				converted++
				if rows := countRows(t, s); !maps.Equal(rows, rowsOfConversions(converted)) {
					t.Fatalf("the retry after %v %q left %v, with %d conversions", f, statement, rows, converted)
				}
			}
		}
	})
}

// A refusal that the database cannot undo properly is still no half user.
func TestEveryStatementOfARefusalFails(t *testing.T) {
	onEachBackend(t, func(t *testing.T, url string) {
		var i interposer
		s := mustOpenWrapped(t, Options{URL: url}, i.wrap)
		mustEnsureInstance(t, s)
		if _, err := s.Convert(t.Context(), testConversion("owner")); err != nil {
			t.Fatal(err)
		}
		for _, f := range []fault{faultBefore, faultAfter, faultLost} {
			for n, fired := 1, true; fired; n++ {
				c := testConversion("owner")
				c.AttemptID = fmt.Sprintf("%v_%d", f, n)
				build := c.Build
				c.Build = func(v signup.SettingsVersion, ticket *signup.Invitation) (signup.Creation, bool) {
					made, ok := build(v, ticket)
					made.User.ID, made.Session.ID = "user_"+c.AttemptID, "sess_"+c.AttemptID
					return made, ok
				}
				i.arm(n, f)
				_, err := s.Convert(t.Context(), c)
				_, fired = i.disarm()
				taken, isTaken := errors.AsType[*signup.TakenError](err)
				if isTaken && len(taken.Identifiers) != 2 || !isTaken && !fired || err == nil {
					t.Fatalf("%v statement %d: Convert returned %v", f, n, err)
				}
				if rows := countRows(t, s); !maps.Equal(rows, rowsOfConversions(1)) {
					t.Fatalf("%v statement %d left %v", f, n, rows)
				}
			}
		}
	})
}
