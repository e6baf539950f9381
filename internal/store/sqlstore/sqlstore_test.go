package sqlstore

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"stepwise/internal/realtest"
	"stepwise/internal/signup"
	"stepwise/internal/signup/directorytest"
)

func TestMain(m *testing.M) {
	if task := os.Getenv(childTask); task != "" {
		if err := runChild(task); err != nil {
			fmt.Fprintln(os.Stderr, task, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// backends are the databases of this run: the address of an empty one.
func backends() map[string]func(testing.TB) string {
	all := map[string]func(testing.TB) string{
		"sqlite": func(t testing.TB) string { return filepath.Join(t.TempDir(), "stepwise.db") },
	}
	if realtest.Wanted() {
		all["postgres"] = realtest.Postgres
	}
	return all
}

func onEachBackend(t *testing.T, test func(t *testing.T, url string)) {
	for name, url := range backends() {
		t.Run(name, func(t *testing.T) { test(t, url(t)) })
	}
}

// mustOpen opens a store and closes it when the test ends, unless the test did.
func mustOpen(t testing.TB, o Options) *Store {
	t.Helper()
	return mustOpenWrapped(t, o, func(c driver.Connector) driver.Connector { return c })
}

func mustOpenWrapped(t testing.TB, o Options, wrap func(driver.Connector) driver.Connector) *Store {
	t.Helper()
	o.Logger = slog.New(slog.DiscardHandler)
	s, err := open(t.Context(), o, wrap)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

func TestDirectory(t *testing.T) {
	for name, url := range backends() {
		t.Run(name, func(t *testing.T) {
			directorytest.Run(t, func(t *testing.T) directorytest.Backend { return backend(t, url(t)) })
		})
	}
}

func backend(t *testing.T, url string) directorytest.Backend {
	var stores []*Store
	openOne := func() signup.Directory {
		s, err := Open(t.Context(), Options{URL: url, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		stores = append(stores, s)
		return s
	}
	closeAll := func() {
		for _, s := range stores {
			if err := s.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		}
		stores = nil
	}
	t.Cleanup(closeAll)
	newest := func() *Store { return stores[len(stores)-1] }
	return directorytest.Backend{
		Directory:   openOne(),
		Peer:        openOne,
		Reopen:      func() signup.Directory { closeAll(); return openOne() },
		AddInstance: func(n signup.NewInstance) { addInstance(t, newest(), n) },
		Rows:        func() map[string]int { return countRows(t, newest()) },
	}
}

// addInstance makes an instance that is not the first.
func addInstance(t testing.TB, s *Store, n signup.NewInstance) {
	t.Helper()
	_, err := write(t.Context(), s, "add an instance", func(ctx context.Context, x executor) (none struct{}, err error) {
		const insert = `
			INSERT INTO instances (id, number, publishable_key, secret_key_hash, sealed_keys, settings_version, created_at)
			SELECT CAST($1 AS TEXT), MAX(number) + 1, CAST($2 AS TEXT), CAST($3 AS TEXT), CAST($4 AS TEXT), 1, CAST($5 AS BIGINT)
			FROM instances`
		_, err = execute(ctx, x, insert, n.ID, n.PublishableKey, encode(n.SecretKeyHash), encode(n.SealedKeys), millis(n.At))
		first := signup.SettingsVersion{Version: 1, Body: n.Settings, By: "test", At: n.At}
		return none, errors.Join(err, addSettings(ctx, x, n.ID, first))
	})
	if err != nil {
		t.Fatal(err)
	}
}

var tables = []string{
	"instances", "settings_versions", "clients", "users", "identifiers", "sessions", "conversions", "outbox", "signing_keys",
	"invitations", "webhook_endpoints", "webhook_deliveries", "abandonments",
}

// countRows also expects the counts of shapes to add up, whoever asks.
func countRows(t testing.TB, s *Store) map[string]int {
	t.Helper()
	if err := reconciled(t.Context(), s); err != nil {
		t.Error(err)
	}
	rows := map[string]int{}
	for _, table := range tables {
		var n int
		if err := queryRow(t.Context(), s.db.reader(), "SELECT COUNT(*) FROM "+table, nil, &n); err != nil {
			t.Fatal(err)
		}
		rows[table] = n
	}
	return rows
}
