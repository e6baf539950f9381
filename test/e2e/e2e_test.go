// Package e2e runs the program as its operators run it and talks to it as its
// clients do: over HTTP, WebSocket and event streams, with signals, with stores
// that fail. Nothing here imports the server's packages; what is asserted is
// what people outside can rely on.
//
// Plain `go test` starts the program with its embedded stores. With
// STEPWISE_REAL it is also run over redis-server, a Redis Cluster and
// PostgreSQL, and the tests that need these join in.
package e2e

import (
	"crypto/rand"
	"encoding/hex"
	"net/url"
	"strings"
	"testing"
	"time"

	"stepwise/internal/realtest"
)

// stores is a combination of stores that the program is run over.
type stores struct {
	name string
	// env starts the stores and returns the settings that name them.
	env func(t testing.TB) map[string]string
	// keepsAttempts: sign-ups in flight outlive the program.
	keepsAttempts bool
}

var embedded = stores{name: "embedded+SQLite", env: func(testing.TB) map[string]string { return map[string]string{} }}

var redisPostgres = stores{name: "redis+PostgreSQL", keepsAttempts: true, env: func(t testing.TB) map[string]string {
	return map[string]string{"REDIS_URL": realtest.Redis(t).URL, "DATABASE_URL": realtest.Postgres(t)}
}}

var clusterSQLite = stores{name: "cluster+SQLite", keepsAttempts: true, env: func(t testing.TB) map[string]string {
	return map[string]string{"REDIS_URL": "redis+cluster://" + strings.Join(realtest.RedisCluster(t).Addrs, ",")}
}}

// combinations lists what this run of the tests covers.
func combinations() []stores {
	if realtest.Wanted() {
		return []stores{embedded, redisPostgres, clusterSQLite}
	}
	return []stores{embedded}
}

// needsRealStores reports whether the real stores are there, and says so if a
// test has nothing to do without them.
func needsRealStores(t testing.TB) bool {
	t.Helper()
	if !realtest.Wanted() {
		t.Log("STEPWISE_REAL is not set: this test needs real stores and was not run")
	}
	return realtest.Wanted()
}

// needsNode does the same for the parts in JavaScript.
func needsNode(t testing.TB) bool {
	t.Helper()
	if !realtest.Wanted() {
		t.Log("STEPWISE_REAL is not set: this test needs Node.js and was not run")
	}
	return realtest.Wanted()
}

// with returns a copy of env with further settings.
func with(env map[string]string, more ...string) map[string]string {
	all := map[string]string{}
	for name, value := range env {
		all[name] = value
	}
	for i := 0; i < len(more); i += 2 {
		all[more[i]] = more[i+1]
	}
	return all
}

// databaseProxy breaks the connections to PostgreSQL on command.
type databaseProxy struct {
	*realtest.FaultProxy
	url string // what DATABASE_URL takes
}

func proxyTo(t testing.TB, databaseURL string) databaseProxy {
	t.Helper()
	u := mustURL(t, databaseURL)
	proxy := realtest.Proxy(t, u.Host)
	u.Host = proxy.Addr
	return databaseProxy{proxy, u.String()}
}

func mustURL(t testing.TB, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func randomHex(bytes int) string {
	random := make([]byte, bytes)
	_, _ = rand.Read(random) // never fails
	return hex.EncodeToString(random)
}

// eventually asks until the answer is the empty string, and fails with the
// last answer when the limit has passed.
func eventually(t testing.TB, limit time.Duration, ask func() (wrong string)) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for {
		wrong := ask()
		if wrong == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", limit, wrong)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

const goodPassword = "teal anchor 47 umbrella"

// begin opens a sign-up with an email address and a password and has the code
// sent.
func begin(t testing.TB, c *client, email string) signUp {
	t.Helper()
	return c.create(t, map[string]any{
		"emailAddress": email, "password": goodPassword,
		"startVerifications": []any{map[string]any{"strategy": "EMAIL_CODE"}},
	})
}

// signUpWhole takes a new client through a whole sign-up.
func signUpWhole(t testing.TB, c *client, email string) signUp {
	t.Helper()
	begin(t, c, email)
	done := c.check(t, "emailCode", c.code(t, email))
	if done.Status != "COMPLETE" {
		t.Fatalf("%s: status %s, missing %v, unverified %v; want COMPLETE", email, done.Status, done.MissingFields, done.UnverifiedFields)
	}
	return done
}
