package realtest

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
)

func testPostgres(t *testing.T) {
	var past string
	var forgotten *pgx.Conn
	t.Run("databases are separate", func(t *testing.T) {
		one, other := Postgres(t), Postgres(t)
		past = one
		for _, url := range []string{one, other} {
			if err := query(url, "CREATE TABLE here (id integer)"); err != nil {
				t.Fatal(err)
			}
		}
		var err error
		if forgotten, err = pgx.Connect(context.Background(), one); err != nil {
			t.Fatal(err)
		}
	})
	if err := query(past, "SELECT 1"); err == nil {
		t.Error("the database has outlasted its test")
	}
	if err := forgotten.Ping(context.Background()); err == nil {
		t.Error("a connection that its test forgot still counts against the limit")
	}
	for setting, want := range map[string]string{
		"fsync": "on", "synchronous_commit": "on", "unix_socket_directories": "", "server_encoding": "UTF8",
	} {
		var got string
		if err := query(Postgres(t), "SHOW "+setting, &got); err != nil || got != want {
			t.Errorf("%s is %q, want %q (%v)", setting, got, want, err)
		}
	}
}

func testDedicatedPostgres(t *testing.T) {
	p := DedicatedPostgres(t)
	ctx := context.Background()
	held, err := pgx.Connect(ctx, p.URL)
	if err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{"CREATE TABLE kept (id integer)", "INSERT INTO kept VALUES (1)", "BEGIN", "INSERT INTO kept VALUES (2)"} {
		if _, err := held.Exec(ctx, statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}

	p.Kill()
	if err := held.Ping(ctx); err == nil {
		t.Error("a connection has survived Kill")
	}
	if err := query(p.URL, "SELECT 1"); err == nil {
		t.Error("a server answers after Kill")
	}
	p.Restart()
	var count int
	if err := query(p.URL, "SELECT count(*) FROM kept", &count); err != nil || count != 1 {
		t.Errorf("after a crash: %d rows, want the committed one (%v)", count, err)
	}
	p.Restart()
	if err := query(p.URL, "SELECT count(*) FROM kept", &count); err != nil || count != 1 {
		t.Errorf("after an orderly restart: %d rows, want 1 (%v)", count, err)
	}
}
