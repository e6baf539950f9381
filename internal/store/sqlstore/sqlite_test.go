package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"stepwise/internal/signup"
)

func TestFilesAreForTheirOwnerOnly(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "some", "data")
	s := mustOpen(t, Options{URL: filepath.Join(dir, "stepwise.db")})
	mustEnsureInstance(t, s)
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 3 {
		t.Errorf("there are only %v", files)
	}
	for _, name := range append([]string{".", ".."}, names(files)...) {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		want := fs.FileMode(0o600)
		if info.IsDir() {
			want = 0o700
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %v, want %v", name, got, want)
		}
	}
}

func names(entries []os.DirEntry) (names []string) {
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestSQLiteIsDurable(t *testing.T) {
	s, _ := sqliteStore(t)
	for pragma, want := range map[string]string{
		"PRAGMA synchronous": "2", "PRAGMA journal_mode": "wal", "PRAGMA foreign_keys": "1", "PRAGMA busy_timeout": "5000",
	} {
		got, err := write(t.Context(), s, pragma, func(ctx context.Context, x executor) (value string, err error) {
			err = queryRow(ctx, x, pragma, nil, &value)
			return value, err
		})
		if err != nil || got != want {
			t.Errorf("%s is %q, want %q (%v)", pragma, got, want, err)
		}
	}
	if err := queryRow(t.Context(), s.db.reader(), "DELETE FROM users RETURNING id", nil, new(string)); err == nil ||
		errors.Is(err, signup.ErrNoRow) {
		t.Errorf("a reading connection has written: %v", err)
	}
}

func TestAddresses(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for address, file := range map[string]string{
		"":                                  "data/stepwise.db",
		"sqlite:":                           "data/stepwise.db",
		"sqlite:a.db":                       "a.db",
		"sqlite://b/c.db":                   "b/c.db",
		"file:d.db":                         "d.db",
		"file:///" + dir[1:] + "/e.db":      "e.db",
		"sqlite://" + dir + "/f.db":         "f.db",
		dir + "/g h?i%20j#k&mode=memory.db": "g h?i%20j#k&mode=memory.db",
		"./l.db":                            "l.db",
	} {
		s := mustOpen(t, Options{URL: address})
		mustEnsureInstance(t, s)
		if info, err := os.Stat(filepath.Join(dir, file)); err != nil || info.Size() == 0 {
			t.Errorf("%q has not become %s: %v", address, file, err)
		}
	}
	for _, address := range []string{
		":memory:", "sqlite::memory:", "file::memory:?cache=shared", "file:a.db?mode=ro", "sqlite:a.db#x",
		"mysql://root:hunter2@localhost/x", "redis://:hunter2@localhost", "postgres://user:hunter2@localhost:port/x",
		"postgres://user:hunter2@localhost/x?sslmode=hunter2", "postgres://user:hunter2@127.0.0.1:1/x?connect_timeout=1",
		"postgresql://user:hunter2@[::1/x", "postgres://user:hunter2%zz@localhost/x",
		filepath.Join(dir, "a.db", "below-a-file.db"),
	} {
		s, err := Open(t.Context(), Options{URL: address})
		if err == nil {
			t.Errorf("%q was opened", address)
			_ = s.Close()
			continue
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the error for %q has the password: %v", address, err)
		}
	}
}

// A process that waits for another to migrate gives up with its context.
func TestWaitForMigration(t *testing.T) {
	path := filepath.Join(t.TempDir(), "stepwise.db")
	unlock, err := lockFile(t.Context(), path+"-migrating")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := Open(ctx, Options{URL: path}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error is %v", err)
	}
	opened := make(chan error, 1)
	go func() {
		s, err := Open(t.Context(), Options{URL: path, Logger: slog.New(slog.DiscardHandler)})
		if err == nil {
			err = s.Close()
		}
		opened <- err
	}()
	if err := unlock(); err != nil {
		t.Error(err)
	}
	if err := <-opened; err != nil {
		t.Error(err)
	}
}

// Another process that writes for a moment delays us; one that keeps the lock
// makes calls fail in time, and those that gave up leave nothing behind.
func TestAnotherProcessHoldsTheLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "stepwise.db")
	s := mustOpen(t, Options{URL: path, Timeout: 300 * time.Millisecond})
	mustEnsureInstance(t, s)
	other, err := sql.Open("sqlite", sqliteDSN(path))
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	other.SetMaxOpenConns(1)
	if _, err := other.ExecContext(t.Context(), "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	if _, err := s.Convert(t.Context(), testConversion("a")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error is %v", err)
	}
	if _, err := s.Gate(t.Context(), "", ""); err != nil {
		t.Errorf("a read while another process writes: %v", err)
	}
	if took := time.Since(begin); took > 3*time.Second {
		t.Errorf("it took %v", took)
	}
	if _, err := other.ExecContext(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	if err := s.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	if rows := countRows(t, s); rows["conversions"] != 0 {
		t.Errorf("what its caller had given up was done: %v", rows)
	}
}

// No question that a request asks may walk through a whole table.
func TestSQLiteUsesIndexes(t *testing.T) {
	s, _ := sqliteStore(t)
	plan := func(statement string) string {
		var steps []string
		args := make([]any, strings.Count(statement, "$")) // more than there are does no harm
		err := query(t.Context(), s.db.reader(), "EXPLAIN QUERY PLAN "+statement, args, func(row *sql.Rows) error {
			var id, parent, unused int
			var step string
			err := row.Scan(&id, &parent, &unused, &step)
			steps = append(steps, step)
			return err
		})
		if err != nil {
			t.Errorf("%s: %v", statement, err)
		}
		return strings.Join(steps, "\n")
	}
	for _, statement := range []string{
		selectUser, selectTaken(3), selectSession, selectClientSession, selectClientSessions, endSession,
		selectConversion, fillInConversion, updateUser, selectSettings, selectNewestSettings, selectSettingsVersions, selectSigningKeys,
		selectUserExists, selectOwners(3), selectLastGeneration,
		selectInvitation, useInvitation, revokeInvitation,
		selectEndpoint, selectEndpoints, updateEndpoint, deleteEndpoint, beginReplay,
		markEvent, selectDelivery, settleDelivery, replayDelivery, replayEvent, replayEventOf, deleteEvent,
	} {
		if steps := plan(statement); strings.Contains(steps, "SCAN") && !strings.Contains(steps, "VALUES CLAUSE") {
			t.Errorf("%s\n%s", statement, steps)
		}
	}
	for _, state := range ticketStates {
		source, timed := invitationsOf(state)
		if steps := plan(selectInvitations(source, 2+int(flag(timed)))); steps != "SEARCH invitations USING INDEX invitations_newest (instance_id=? AND (created_at,id)<(?,?))" {
			t.Errorf("invitations\n%s", steps)
		}
	}
	// Through an index in the order that is asked for, or few rows.
	for statement, step := range map[string]string{
		selectNewEvents:     "USING INDEX outbox_due",
		selectDueDeliveries: "SEARCH d USING INDEX webhook_deliveries_due (endpoint_id=? AND not_before<?)",
		selectDueEndpoints:  "webhook_deliveries_due (endpoint_id=?",
		claimDelivery:       "SEARCH webhook_deliveries USING INDEX sqlite_autoindex_webhook_deliveries_1 (id=?)",
		selectOldEvents:     "SEARCH outbox USING INDEX outbox_oldest",
		selectEventsSince:   "SEARCH outbox USING INDEX outbox_oldest ((created_at,id)>(?,?))",
		selectDeliveries(deliveriesSource("", "")):   "SEARCH d USING INDEX webhook_deliveries_newest",
		selectDeliveries(deliveriesSource("x", "")):  "SEARCH d USING INDEX webhook_deliveries_endpoint",
		selectDeliveries(deliveriesSource("", "y")):  "SEARCH d USING INDEX webhook_deliveries_event (event_id=?",
		selectDeliveries(deliveriesSource("x", "y")): "SEARCH d USING INDEX webhook_deliveries_event (event_id=?",
	} {
		steps := plan(statement)
		if !strings.Contains(steps, step) || strings.Contains(steps, "TEMP B-TREE") {
			t.Errorf("%s\n%s", statement, steps)
		}
	}
	for _, c := range []struct{ externalID, norm, index string }{
		{"", "", "SEARCH u USING INDEX users_newest"},
		{"x", "", "SEARCH u USING INDEX sqlite_autoindex_users_2"}, // UNIQUE (instance_id, external_id)
		{"", "y", "SEARCH identifiers USING INDEX identifiers_norm"},
		{"x", "y", "SEARCH identifiers USING INDEX identifiers_norm"},
	} {
		source, args := usersOf(c.externalID, c.norm)
		steps := plan(selectUsers(source, 2+len(args)))
		if !strings.Contains(steps, c.index) || c.norm != "" && strings.Contains(steps, "users_newest") {
			t.Errorf("users by %q and %q:\n%s", c.externalID, c.norm, steps)
		}
	}
}

func deliveriesSource(endpointID, eventID string) (source string, next int) {
	source, args := deliveriesOf(endpointID, eventID)
	return source, 2 + len(args)
}
