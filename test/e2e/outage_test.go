package e2e

import (
	"context"
	"net/http"
	"slices"
	"testing"
	"time"

	"stepwise/internal/realtest"
)

// answerDeadline is how soon the server must answer whatever its stores do, with
// a second for a busy machine.
const answerDeadline = 10*time.Second + time.Second

// refusedAsUnavailable expects a call to have been told in time that a store did
// not answer, and never that it succeeded.
func refusedAsUnavailable(t testing.TB, what string, o outcome, err error, took time.Duration) {
	t.Helper()
	t.Logf("%-60s answered after %v", what, took.Round(time.Millisecond))
	switch {
	case err == nil:
		t.Errorf("%s: succeeded: %+v %v", what, o.SignUp, o.errorCodes())
	case !unavailable(err):
		t.Errorf("%s: %v; want UNAVAILABLE", what, err)
	}
	if took > answerDeadline {
		t.Errorf("%s: answered after %v, want within %v", what, took, answerDeadline)
	}
}

// timed runs a call and says how long it took.
func timed(call func() (outcome, error)) (outcome, error, time.Duration) {
	start := time.Now()
	o, err := call()
	return o, err, time.Since(start)
}

// readiness asks /readyz, which answers within its own two seconds and a bit.
func readiness(t testing.TB, c *client) int {
	t.Helper()
	start := time.Now()
	status, _ := c.get(t, "/readyz")
	if took := time.Since(start); took > 4*time.Second {
		t.Errorf("/readyz took %v", took)
	}
	return status
}

func awaitReady(t testing.TB, c *client) {
	t.Helper()
	eventually(t, answerLimit, func() string {
		if status := readiness(t, c); status != http.StatusOK {
			return "/readyz is not 200"
		}
		return ""
	})
	if status, _ := c.get(t, "/healthz"); status != http.StatusOK {
		t.Errorf("/healthz: %d", status)
	}
}

// outage is a store that goes away and comes back.
type outage struct {
	name     string
	down, up func()
}

// TestOutages takes each store away in the middle of a sign-up, in every way
// that a store can fail, and brings it back.
func TestOutages(t *testing.T) {
	if !needsRealStores(t) {
		return
	}
	t.Parallel()
	redisServer := realtest.Redis(t, realtest.AppendOnly())
	postgres := realtest.DedicatedPostgres(t)
	redisProxy, databaseProxy := realtest.RedisProxy(t, redisServer.Addr), proxyTo(t, postgres.URL)
	server := realtest.Program(t, realtest.ProgramOptions{Env: map[string]string{
		"REDIS_URL": "redis://" + redisProxy.Addr, "DATABASE_URL": databaseProxy.url,
	}})
	for _, o := range []outage{
		{name: "redis-server killed", down: redisServer.Kill, up: redisServer.Restart},
		{name: "PostgreSQL killed", down: postgres.Kill, up: postgres.Restart},
		{name: "Redis swallows everything", down: redisProxy.Blackhole, up: redisProxy.Resume},
		{name: "PostgreSQL swallows everything", down: databaseProxy.Blackhole, up: databaseProxy.Resume},
		{name: "Redis refuses connections", down: func() { redisProxy.RefuseNew(); redisProxy.Cut() }, up: redisProxy.Resume},
		{name: "PostgreSQL refuses connections", down: func() { databaseProxy.RefuseNew(); databaseProxy.Cut() }, up: databaseProxy.Resume},
		{name: "the replies of Redis are lost", down: redisProxy.LoseReplies, up: redisProxy.Resume},
		{name: "the replies of PostgreSQL are lost", down: databaseProxy.LoseReplies, up: databaseProxy.Resume},
	} {
		t.Run(o.name, func(t *testing.T) { testOutage(t, server, o) })
	}
}

func testOutage(t *testing.T, server *realtest.ServerProgram, o outage) {
	administrator := newAdministrator(t, server)
	visitor := newClient(t, server)
	email := "outage-" + randomHex(4) + "@example.com"
	opened := begin(t, visitor, email)
	code := visitor.code(t, email)
	watched := []*subscription{visitor.watchBySocket(t, opened.ID), visitor.watchByStream(t, opened.ID)}
	for _, w := range watched {
		w.next(t)
	}

	o.down()
	check := func() (outcome, error) { return visitor.tryCheck("emailCode", code) }
	got, err, took := timed(check)
	refusedAsUnavailable(t, "the code that completes", got, err, took)
	got, err, took = timed(func() (outcome, error) {
		return newClient(t, server).tryCreate(map[string]any{"emailAddress": "new@example.com"})
	})
	refusedAsUnavailable(t, "a new sign-up", got, err, took)
	if status := readiness(t, visitor); status != http.StatusServiceUnavailable {
		t.Errorf("/readyz: %d, want 503", status)
	}
	if status, _ := visitor.get(t, "/healthz"); status != http.StatusOK {
		t.Errorf("/healthz: %d, want 200: the process itself is well", status)
	}
	o.up()
	awaitReady(t, visitor)

	// Exactly what was refused may be tried again, and leads to the one user.
	done := retried(t, check)
	if !done.complete() {
		t.Fatalf("after the outage: %s %v, want COMPLETE", done.SignUp.Status, done.errorCodes())
	}
	if found := administrator.users(t, email); len(found) != 1 || found[0].ID != done.SignUp.CreatedUserID {
		t.Errorf("users with the address: %+v, want the one of the sign-up", found)
	}
	for _, w := range watched {
		w.finishesWith(t, *administrator.read(t, opened.ID))
	}
}

// retried makes a call again, as its client would, while the answer is that a
// store does not answer: connections that died meanwhile are found out one by
// one.
func retried(t testing.TB, call func() (outcome, error)) outcome {
	t.Helper()
	var last outcome
	eventually(t, answerLimit, func() string {
		o, err := call()
		if unavailable(err) {
			return err.Error()
		}
		if err != nil {
			t.Fatal(err)
		}
		last = o
		return ""
	})
	return last
}

// slowCommit makes every transaction that makes a user linger in its commit.
const slowCommit = `
	CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(1); RETURN NULL; END $$;
	CREATE CONSTRAINT TRIGGER linger AFTER INSERT ON users DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION linger()`

const committing = `SELECT count(*) FROM pg_stat_activity
	WHERE datname = current_database() AND state = 'active' AND query ILIKE 'commit%'`

// TestLostAcknowledgement cuts the line to PostgreSQL while it commits a
// completion: the user will exist, but the server cannot know.
func TestLostAcknowledgement(t *testing.T) {
	if !needsRealStores(t) {
		return
	}
	t.Parallel()
	database := realtest.Postgres(t)
	proxy := proxyTo(t, database)
	server := realtest.Program(t, realtest.ProgramOptions{Env: map[string]string{
		"REDIS_URL": realtest.Redis(t).URL, "DATABASE_URL": proxy.url,
	}})
	db := openDatabase(t, database)
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), slowCommit); err != nil {
		t.Fatal(err)
	}
	const email = "unheard@example.com"
	visitor := newClient(t, server)
	begin(t, visitor, email)
	code := visitor.code(t, email)

	other := visitor.clone() // the answer would bring a new token, but gets lost
	answered := make(chan attempted, 1)
	go func() {
		o, err := other.tryCheck("emailCode", code)
		answered <- attempted{o, err}
	}()
	eventually(t, answerLimit, func() string {
		var n int
		if err := db.QueryRowContext(t.Context(), committing).Scan(&n); err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			return "nothing commits"
		}
		return ""
	})
	proxy.LoseReplies()
	first := <-answered
	if !unavailable(first.err) {
		t.Errorf("the call whose acknowledgement was lost: %+v, %v; want UNAVAILABLE", first.outcome, first.err)
	}
	if got := count(t, database); got.users != 1 {
		t.Fatalf("the database has %+v, want the user whose commit went unheard", got)
	}
	proxy.Resume()
	done := retried(t, func() (outcome, error) { return visitor.tryCheck("emailCode", code) })
	if !done.complete() {
		t.Errorf("the same call again: %+v %v; want COMPLETE", done.SignUp, done.errorCodes())
	}
	if got := count(t, database); got != (counts{users: 1, identifiers: 1, sessions: 1, conversions: 1}) {
		t.Errorf("the database has %+v, want one of each", got)
	}
	var data struct {
		Client *struct{ ActiveSession *struct{ ID string } }
	}
	visitor.query(t, "{ client { activeSession { id } } }", nil, &data)
	if data.Client == nil || data.Client.ActiveSession == nil || data.Client.ActiveSession.ID != done.SignUp.CreatedSessionID {
		t.Errorf("the client's session: %+v, want %s", data.Client, done.SignUp.CreatedSessionID)
	}
}

// TestSettingsReachWatchersOverARestart restarts Redis under subscriptions, so
// that the connection for hints is replaced, and changes the settings after it.
func TestSettingsReachWatchersOverARestart(t *testing.T) {
	if !needsRealStores(t) {
		return
	}
	t.Parallel()
	redisServer := realtest.Redis(t, realtest.AppendOnly())
	server := realtest.Program(t, realtest.ProgramOptions{Env: map[string]string{"REDIS_URL": redisServer.URL}})
	administrator, visitor := newAdministrator(t, server), newClient(t, server)
	opened := begin(t, visitor, "restart@example.com")
	watched := visitor.watchBySocket(t, opened.ID)
	watched.next(t)

	redisServer.Kill()
	redisServer.Restart()
	administrator.changeSettings(t, map[string]any{"lastName": map[string]any{"required": true}})
	watched.await(t, "the new requirement", func(s signUp) bool { return slices.Contains(s.MissingFields, "LAST_NAME") })
	retried(t, func() (outcome, error) { return visitor.tryUpdate(map[string]any{"lastName": "Lovelace"}) })
	done := retried(t, func() (outcome, error) {
		return visitor.tryCheck("emailCode", visitor.code(t, "restart@example.com"))
	})
	watched.finishesWith(t, *done.SignUp)
}

// TestStartWithoutStores starts the program before its Redis: it says that it
// is not ready, and becomes so by itself.
func TestStartWithoutStores(t *testing.T) {
	if !needsRealStores(t) {
		return
	}
	t.Parallel()
	redisServer := realtest.Redis(t)
	redisServer.Kill()
	p := startByHand(t, map[string]string{"REDIS_URL": redisServer.URL}, nil)
	c := &client{url: p.awaitURL(t), http: &http.Client{Timeout: answerLimit}}
	if status, _, err := c.tryGet(context.Background(), "/readyz"); err != nil || status != http.StatusServiceUnavailable {
		t.Errorf("/readyz without Redis: %d, %v; want 503", status, err)
	}
	redisServer.Restart()
	awaitReady(t, c)
	p.stop(t)
}
