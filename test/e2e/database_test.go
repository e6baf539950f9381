package e2e

import (
	"context"
	"database/sql"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // registers "pgx"
	_ "modernc.org/sqlite"             // registers "sqlite"
)

// counts are the rows that a completed sign-up adds to.
type counts struct {
	users, identifiers, sessions, conversions int
	// orphans are rows of one table without those of the others that belong to
	// them: the halves of a user.
	orphans int
}

// plus returns the counts after n more users with one identifier each.
func (c counts) plus(n int) counts {
	c.users, c.identifiers, c.sessions, c.conversions = c.users+n, c.identifiers+n, c.sessions+n, c.conversions+n
	return c
}

// openDatabase opens the program's database beside the program: a PostgreSQL
// URL, or the path of a SQLite file.
func openDatabase(t testing.TB, address string) *sql.DB {
	t.Helper()
	driver := "sqlite"
	if strings.HasPrefix(address, "postgres") {
		driver = "pgx"
	} else {
		address = "file:" + address + "?mode=ro&_pragma=busy_timeout(5000)"
	}
	db, err := sql.Open(driver, address)
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	return db
}

// count looks into the database itself, because a half user might be just what
// the API does not show.
func count(t testing.TB, address string) counts {
	t.Helper()
	db := openDatabase(t, address)
	defer db.Close()
	var c counts
	for query, target := range map[string]*int{
		"SELECT count(*) FROM users":       &c.users,
		"SELECT count(*) FROM identifiers": &c.identifiers,
		"SELECT count(*) FROM sessions":    &c.sessions,
		"SELECT count(*) FROM conversions": &c.conversions,
		// NOT IN costs one pass over each table in both databases.
		`SELECT
			(SELECT count(*) FROM users WHERE id NOT IN (SELECT user_id FROM identifiers)
				OR id NOT IN (SELECT user_id FROM sessions) OR id NOT IN (SELECT user_id FROM conversions)) +
			(SELECT count(*) FROM identifiers WHERE user_id NOT IN (SELECT id FROM users)) +
			(SELECT count(*) FROM sessions WHERE user_id NOT IN (SELECT id FROM users)) +
			(SELECT count(*) FROM conversions WHERE session_id NOT IN (SELECT id FROM sessions))`: &c.orphans,
	} {
		if err := db.QueryRowContext(context.Background(), query).Scan(target); err != nil {
			t.Fatalf("%.60s: %v", query, err)
		}
	}
	return c
}
