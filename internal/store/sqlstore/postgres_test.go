package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"stepwise/internal/realtest"
	"stepwise/internal/signup"
)

// TestPostgres has what only PostgreSQL can do wrong, on a server of its own.
func TestPostgres(t *testing.T) {
	if !realtest.Wanted() {
		return // as everywhere, the real programs are asked for
	}
	t.Run("killed and restarted", testPostgresKilled)
	t.Run("silent", testPostgresSilent)
	t.Run("replies are lost", testPostgresRepliesLost)
	t.Run("deadlock", testPostgresDeadlock)
	t.Run("conversions do not deadlock", testPostgresConversionsDoNotDeadlock)
	t.Run("settings of a connection", testPostgresSettings)
	t.Run("plans", testPostgresPlans)
}

func testPostgresKilled(t *testing.T) {
	server := realtest.DedicatedPostgres(t)
	s := mustOpen(t, Options{URL: server.URL, Timeout: 2 * time.Second})
	mustEnsureInstance(t, s)

	const workers = 16
	var mu sync.Mutex
	var acknowledged []string
	var failures atomic.Int64
	var slowest atomic.Int64
	stop := make(chan struct{})
	var running sync.WaitGroup
	for worker := range workers {
		running.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				attempt := fmt.Sprintf("%d_%d", worker, n)
				begin := time.Now()
				_, err := s.Convert(t.Context(), testConversion(attempt))
				if took := int64(time.Since(begin)); took > slowest.Load() {
					slowest.Store(took)
				}
				if err != nil {
					failures.Add(1)
					continue
				}
				mu.Lock()
				acknowledged = append(acknowledged, attempt)
				mu.Unlock()
			}
		})
	}
	reach := func(what string, reached func() bool) {
		t.Helper()
		for deadline := time.Now().Add(30 * time.Second); !reached(); time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("never reached: %s", what)
			}
		}
	}
	done := func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(acknowledged)
	}
	for round := range 3 {
		before := done()
		reach("more conversions", func() bool { return done() >= before+100 })
		failed := failures.Load()
		server.Kill()
		reach("failures", func() bool { return failures.Load() >= failed+workers })
		if err := s.Ping(t.Context()); err == nil {
			t.Error("a server that is down answers pings")
		}
		server.Restart()
		before = done()
		reach(fmt.Sprintf("recovery %d", round), func() bool { return done() > before })
	}
	close(stop)
	running.Wait()
	if took := time.Duration(slowest.Load()); took > 4*time.Second {
		t.Errorf("a call took %v", took)
	}
	for _, attempt := range acknowledged {
		if got, err := s.Convert(t.Context(), testConversion(attempt)); err != nil || got != testConverted(attempt) {
			t.Fatalf("%s was acknowledged and is now %+v, %v", attempt, got, err)
		}
	}
	wantWholeUsers(t, s, len(acknowledged))
	t.Logf("%d conversions, %d failures, slowest call %v", len(acknowledged), failures.Load(), time.Duration(slowest.Load()))
}

// through returns the address of a database behind a proxy.
func through(t *testing.T, databaseURL string) (string, *realtest.FaultProxy) {
	t.Helper()
	u, err := url.Parse(databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := realtest.Proxy(t, u.Host)
	u.Host = proxy.Addr
	return u.String(), proxy
}

// A server that accepts and says nothing costs the caller its deadline, no more.
func testPostgresSilent(t *testing.T) {
	address, proxy := through(t, realtest.Postgres(t))
	s := mustOpen(t, Options{URL: address, Timeout: 400 * time.Millisecond})
	mustEnsureInstance(t, s)
	proxy.Blackhole()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	for name, call := range map[string]func() error{
		"Gate":    func() error { _, err := s.Gate(t.Context(), "", ""); return err },
		"Convert": func() error { _, err := s.Convert(t.Context(), testConversion("a")); return err },
		"Ping":    func() error { return s.Ping(t.Context()) },
		"a call with a deadline of its own": func() error {
			_, err := s.User(ctx, testInstance.ID, "user_a")
			return err
		},
	} {
		begin := time.Now()
		if err := call(); err == nil || errors.Is(err, signup.ErrNoRow) {
			t.Errorf("%s: %v", name, err)
		}
		if took := time.Since(begin); took > 2*time.Second {
			t.Errorf("%s took %v", name, took)
		}
	}
	proxy.Resume()
	proxy.Cut()
	for deadline := time.Now().Add(20 * time.Second); ; {
		done, err := s.Convert(t.Context(), testConversion("a"))
		if err == nil && done == testConverted("a") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("no recovery: %+v, %v", done, err)
		}
	}
	if rows := countRows(t, s); !maps.Equal(rows, rowsOfConversions(1)) {
		t.Errorf("rows are %v", rows)
	}
}

// The server has committed and nobody can know: the call is an error, and a
// retry finds what was made.
func testPostgresRepliesLost(t *testing.T) {
	address, proxy := through(t, realtest.Postgres(t))
	var i interposer
	s := mustOpenWrapped(t, Options{URL: address}, i.wrap)
	mustEnsureInstance(t, s)
	i.mu.Lock()
	i.onCommit = proxy.LoseReplies
	i.mu.Unlock()
	if done, err := s.Convert(t.Context(), testConversion("a")); err == nil {
		t.Errorf("a commit without a reply was acknowledged: %+v", done)
	}
	i.mu.Lock()
	i.onCommit = nil
	i.mu.Unlock()
	proxy.Resume()
	if rows := countRows(t, s); !maps.Equal(rows, rowsOfConversions(1)) {
		t.Errorf("the server has %v", rows)
	}
	c := testConversion("a")
	c.Build = func(signup.SettingsVersion, *signup.Invitation) (signup.Creation, bool) {
		t.Error("the conversion was made twice")
		return signup.Creation{}, false
	}
	if done, err := s.Convert(t.Context(), c); err != nil || done != testConverted("a") {
		t.Errorf("the retry returned %+v, %v", done, err)
	}
}

// Of two transactions that wait for each other the server undoes one, which is
// then run again.
func testPostgresDeadlock(t *testing.T) {
	s := mustOpen(t, Options{URL: realtest.Postgres(t)})
	mustEnsureInstance(t, s)
	var met sync.WaitGroup
	met.Add(2)
	var runs atomic.Int64
	cross := func(first, second string) error {
		once := sync.OnceFunc(func() { met.Done(); met.Wait() })
		_, err := write(t.Context(), s, "cross", func(ctx context.Context, x executor) (none struct{}, err error) {
			runs.Add(1)
			for _, client := range []string{first, second} {
				var generation int64
				if err := queryRow(ctx, x, upsertClient, []any{testInstance.ID, client, "s"}, &generation); err != nil {
					return none, err
				}
				once()
			}
			return none, nil
		})
		return err
	}
	errs := make([]error, 2)
	var running sync.WaitGroup
	running.Go(func() { errs[0] = cross("a", "b") })
	running.Go(func() { errs[1] = cross("b", "a") })
	running.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
	if runs.Load() != 3 {
		t.Errorf("the transactions were run %d times, want 3", runs.Load())
	}
	for _, client := range []string{"a", "b"} {
		if g, err := s.Gate(t.Context(), "", client); err != nil || g.Generation != 2 {
			t.Errorf("client %s has generation %d, %v", client, g.Generation, err)
		}
	}

	tries := 0
	_, err := write(t.Context(), s, "fail for ever", func(context.Context, executor) (none struct{}, err error) {
		tries++
		return none, fmt.Errorf("wrapped: %w", &pgconn.PgError{Code: "40001"})
	})
	if err == nil || tries != transactionTries {
		t.Errorf("%d tries, %v", tries, err)
	}
}

// Conversions that want the same identifiers, named in different orders, wait
// for each other but never in a circle: none is run again.
func testPostgresConversionsDoNotDeadlock(t *testing.T) {
	s := mustOpen(t, Options{URL: realtest.Postgres(t)})
	mustEnsureInstance(t, s)
	const rounds, crossing = 20, 12
	var builds atomic.Int64
	for round := range rounds {
		var running sync.WaitGroup
		for i := range crossing {
			running.Go(func() {
				attempt := fmt.Sprintf("%d_%d", round, i)
				c := testConversion(attempt)
				build := c.Build
				c.Build = func(v signup.SettingsVersion, ticket *signup.Invitation) (signup.Creation, bool) {
					builds.Add(1)
					made, ok := build(v, ticket)
					made.User.Identifiers = nil
					for k := range 10 {
						made.User.Identifiers = append(made.User.Identifiers,
							signup.Identifier{Kind: fmt.Sprint(k), Norm: fmt.Sprint(round)})
					}
					if i%2 == 0 {
						slices.Reverse(made.User.Identifiers)
					}
					return made, ok
				}
				if _, err := s.Convert(t.Context(), c); err != nil {
					if _, ok := errors.AsType[*signup.TakenError](err); !ok {
						t.Error(err)
					}
				}
			})
		}
		running.Wait()
	}
	if builds.Load() != rounds*crossing {
		t.Errorf("%d conversions were built %d times", rounds*crossing, builds.Load())
	}
	if rows := countRows(t, s); rows["users"] != rounds || rows["identifiers"] != rounds*10 {
		t.Errorf("rows are %v", rows)
	}
}

func testPostgresSettings(t *testing.T) {
	address := realtest.Postgres(t)
	show := func(s *Store) map[string]string {
		got := map[string]string{}
		for _, name := range []string{
			"synchronous_commit", "transaction_isolation", "statement_timeout", "idle_in_transaction_session_timeout", "application_name",
		} {
			value, err := write(t.Context(), s, "show", func(ctx context.Context, x executor) (value string, err error) {
				err = queryRow(ctx, x, "SHOW "+name, nil, &value)
				return value, err
			})
			if err != nil {
				t.Fatal(err)
			}
			got[name] = value
		}
		return got
	}
	want := map[string]string{
		"synchronous_commit": "on", "transaction_isolation": "read committed",
		"statement_timeout": "10s", "idle_in_transaction_session_timeout": "10s", "application_name": "stepwise",
	}
	if got := show(mustOpen(t, Options{URL: address})); !maps.Equal(got, want) {
		t.Errorf("settings are %v", got)
	}
	want["statement_timeout"], want["application_name"] = "7s", "mine"
	if got := show(mustOpen(t, Options{URL: address + "&statement_timeout=7000&application_name=mine"})); !maps.Equal(got, want) {
		t.Errorf("settings from the address are %v", got)
	}
}

// What is due may be many times what the statistics say. Whoever has an id does
// not look for it there.
func testPostgresPlans(t *testing.T) {
	s := mustOpen(t, Options{URL: realtest.Postgres(t)})
	for statement, args := range map[string][]any{
		markEvent:       {1, "id"},
		claimDelivery:   {1, "id", 1, 1},
		settleDelivery:  {1, 1, 1, 1, "", "inst_1", "id"},
		selectOldEvents: {1, "id", 1, 1},
	} {
		var plan []string
		err := query(t.Context(), s.db.reader(), "EXPLAIN "+statement, args, func(row *sql.Rows) error {
			var line string
			err := row.Scan(&line)
			plan = append(plan, line)
			return err
		})
		if steps := strings.Join(plan, "\n"); err != nil || len(plan) == 0 || strings.Contains(steps, "_due") {
			t.Errorf("%s\n%s\n%v", statement, steps, err)
		}
	}
}
