package sqlstore

import (
	"database/sql"
	"errors"
	"io/fs"
	"slices"
	"testing"
	"testing/fstest"
	"time"

	"github.com/pressly/goose/v3"

	"stepwise/internal/signup"
)

// openAsIn1 opens a database that has the first migration only.
func openAsIn1(t *testing.T, url string) *sql.DB {
	t.Helper()
	driver, dialect, name := "sqlite", goose.DialectSQLite3, url
	if isPostgresURL(url) {
		driver, dialect = "pgx", goose.DialectPostgres
	} else {
		name = sqliteDSN(url, "foreign_keys(1)")
	}
	db, err := sql.Open(driver, name)
	if err != nil {
		t.Fatal(err)
	}
	const file = "00001_initial.sql"
	initial, err := fs.ReadFile(migrations, "migrations/"+file)
	if err != nil {
		t.Fatal(err)
	}
	provider, err := goose.NewProvider(dialect, db, fstest.MapFS{file: {Data: initial}}, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		t.Fatal(err)
	}
	if applied, err := provider.Up(t.Context()); err != nil || len(applied) != 1 {
		t.Fatalf("applied are %v, %v", applied, err)
	}
	return db
}

// What a database has from before there were invitations and webhooks stays,
// and is no news for endpoints.
func TestMigrationOfAnOldDatabase(t *testing.T) {
	onEachBackend(t, func(t *testing.T, url string) {
		db := openAsIn1(t, url)
		for _, statement := range []string{
			`INSERT INTO instances VALUES ('inst_1', 1, 'pk_1', '', '', 1, 1700000000000)`,
			`INSERT INTO settings_versions VALUES ('inst_1', 1, '{}', 'first start', 1700000000000)`,
			`INSERT INTO users VALUES ('user_a', 'inst_1', NULL, 'A', '', '$hash', '{}', '{}', '{}', '', 1700000000000, 1700000000000)`,
			`INSERT INTO identifiers VALUES ('inst_1', 'USERNAME', 'a', 'A', 'user_a', 0)`,
			`INSERT INTO sessions VALUES ('sess_a', 'inst_1', 'user_a', 'client_a', 1700000000000, 1800000000000, 0)`,
			`INSERT INTO clients VALUES ('inst_1', 'client_a', 1, 'sess_a')`,
			`INSERT INTO conversions VALUES ('a', 'inst_1', 1700000000000, 'user_a', 'sess_a', 1, 1)`,
			`INSERT INTO conversions VALUES ('old', 'inst_1', 1700000000000, 'user_a', 'sess_a', 1, 1)`,
			`INSERT INTO conversions VALUES ('newer', 'inst_1', 1700000000000, 'user_a', 'sess_a', 1, 2)`,
			`INSERT INTO conversions VALUES ('theirs', 'inst_2', 1700000000000, 'user_b', 'sess_b', 1, 1)`,
			`INSERT INTO refusals VALUES ('b', 'try', 1700000000000)`,
			`INSERT INTO outbox (id, instance_id, kind, body, created_at, not_before)
				VALUES ('evt_u_a', 'inst_1', 'user.created', '{}', 1700000000000, 1700000000000)`,
			`INSERT INTO outbox (id, instance_id, kind, body, created_at, not_before)
				VALUES ('evt_s_a', 'inst_1', 'session.created', '{}', 1700000000000, 1700000000000)`,
			`INSERT INTO signing_keys VALUES ('inst_1', 1, 'kid', '{}', '', 1700000000000)`,
		} {
			if _, err := db.ExecContext(t.Context(), statement); err != nil {
				t.Fatalf("%s: %v", statement, err)
			}
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}

		for range 2 { // the second time there is nothing to migrate
			s := mustOpen(t, Options{URL: url})
			if done, err := s.Convert(t.Context(), testConversion("a")); err != nil || done != testConverted("a") {
				t.Errorf("the conversion is %+v, %v", done, err)
			}
			refused := testConversion("b")
			refused.Try = "try"
			if _, err := s.Convert(t.Context(), refused); !errors.Is(err, signup.ErrNotSatisfied) {
				t.Errorf("the refused try: %v", err)
			}
			counts, err := s.Shapes(t.Context(), "inst_1")
			want := []signup.ShapeCount{
				{SettingsVersion: 1, Outcome: signup.ShapeComplete, Count: 2}, {SettingsVersion: 2, Outcome: signup.ShapeComplete, Count: 1},
			}
			if err != nil || !slices.Equal(counts, want) {
				t.Errorf("conversions from before are counted as %v, %v", counts, err)
			}
			owner, err := s.Owner(t.Context(), "inst_1", []signup.Identifier{{Kind: "USERNAME", Norm: "a"}})
			if err != nil || owner.UserID != "user_a" || owner.PasswordHash != "$hash" || owner.Identifier.Display != "A" {
				t.Errorf("the owner is %+v, %v", owner, err)
			}
		}

		s := mustOpen(t, Options{URL: url})
		if err := reconciled(t.Context(), s); err != nil {
			t.Error(err)
		}
		if err := s.AddWebhookEndpoint(t.Context(), testEndpoint); err != nil {
			t.Fatal(err)
		}
		if n, err := s.FanOut(t.Context(), testInstance.At, 10); n != 0 || err != nil {
			t.Errorf("%d old events are new, %v", n, err)
		}
		if n, err := s.ReplayEvents(t.Context(), "inst_1", testEndpoint.ID, time.Time{}, testInstance.At); n != 2 || err != nil {
			t.Errorf("%d old events were replayed, %v", n, err)
		}
		if err := wantComeback(s, "a"); err != nil {
			t.Error(err)
		}
		if n, err := s.FanOut(t.Context(), testInstance.At, 10); n != 1 || err != nil {
			t.Errorf("%d events are new, %v", n, err)
		}
		if err := s.AddInvitation(t.Context(), testInvitation("c")); err != nil {
			t.Error(err)
		}
		if done, err := s.Convert(t.Context(), testAdmission("c")); err != nil || done != testConverted("c") {
			t.Errorf("the admission is %+v, %v", done, err)
		}
	})
}
