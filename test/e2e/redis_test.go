package e2e

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"stepwise/internal/realtest"
)

// roundTrips is what an operation costs at Redis.
type roundTrips struct {
	attempts int // at the slot of the client; what is said to the register goes with them
	budgets  int // at the slots of what an address has to bear, and of the instance's day
}

func (r roundTrips) String() string { return fmt.Sprintf("%d + %d budgets", r.attempts, r.budgets) }

// TestRoundTrips counts what each operation asks of Redis: at the proxy how
// often, at Redis itself for which keys.
func TestRoundTrips(t *testing.T) {
	if !needsRealStores(t) {
		return
	}
	t.Parallel()
	server := realtest.Redis(t)
	proxy := realtest.RedisProxy(t, server.Addr)
	program := realtest.Program(t, realtest.ProgramOptions{Env: map[string]string{"REDIS_URL": "redis://" + proxy.Addr}})
	signUpWhole(t, newClient(t, program), "warm-up@example.com") // loads the scripts
	people := startProvider(t, program)
	newAdministrator(t, program).changeSettings(t, map[string]any{"externalAccount": people.settings(), "web3Wallet": map[string]any{"enabled": true}})
	monitor := watchCommands(t, server)

	const email = "counted@example.com"
	c := newClient(t, program)
	var open signUp
	var handle string
	var signature map[string]any
	wrong := func() string { // a code that is not the one sent
		if c.code(t, email) == "111111" {
			return "222222"
		}
		return "111111"
	}
	for _, operation := range []struct {
		name string
		run  func()
		want roundTrips
	}{
		{"create", func() { c.create(t, map[string]any{"emailAddress": email}) }, roundTrips{1, 0}},
		{"read", func() { c.read(t, "") }, roundTrips{1, 0}},
		{"update", func() { c.update(t, map[string]any{"firstName": "Ada"}) }, roundTrips{2, 0}},
		{"update that changes nothing", func() { c.update(t, map[string]any{"firstName": "Ada"}) }, roundTrips{1, 0}},
		{"update with an idempotency key", func() { c.update(t, map[string]any{"firstName": "Eve", "idempotencyKey": "k"}) }, roundTrips{2, 0}},
		{"start", func() { c.start(t, "EMAIL_CODE") }, roundTrips{2, 2}},
		{"start again before resendAt", func() { c.start(t, "EMAIL_CODE") }, roundTrips{1, 0}},
		{"check of a wrong code", func() { mustTry(t)(c.tryCheck("emailCode", wrong())) }, roundTrips{2, 1}},
		{"check", func() { c.check(t, "emailCode", c.code(t, email)) }, roundTrips{2, 1}},
		{"update that completes", func() { c.update(t, map[string]any{"password": goodPassword}) }, roundTrips{3, 0}},
		{"create that starts", func() { begin(t, c, "counted-2@example.com") }, roundTrips{1, 2}},
		{"check that completes", func() { c.check(t, "emailCode", c.code(t, "counted-2@example.com")) }, roundTrips{3, 1}},
		{"create that starts OAuth", func() { open, _ = createWithAccount(t, c) }, roundTrips{1, 0}},
		{"provider and callback", func() { handle = people.visit(t, accountChallenge(t, open), "absent-named") }, roundTrips{0, 0}},
		{"check that redeems", func() { c.check(t, "oauthHandle", handle) }, roundTrips{3, 0}},
		{"check that redeems again", func() { c.check(t, "oauthHandle", handle) }, roundTrips{1, 0}},
		{"start of a wallet", func() {
			signature = firstWallet.sign(t, walletMessage(t, c.startOf(t, firstWallet.start()))).proof()
		}, roundTrips{2, 0}},
		{"check of a signature", func() { c.check(t, "web3Signature", signature) }, roundTrips{2, 0}},
		{"publicSettings", func() { drawsForm(t, c) }, roundTrips{0, 0}},
	} {
		before := proxy.RoundTrips()
		operation.run()
		counted := proxy.RoundTrips() - before
		got := monitor.since(t)
		t.Logf("%-32s %s", operation.name, got)
		if got != operation.want {
			t.Errorf("%s: %s round trips, want %s", operation.name, got, operation.want)
		}
		if counted != got.attempts+got.budgets {
			t.Errorf("%s: the proxy counted %d round trips, Redis commands make %s", operation.name, counted, got)
		}
	}
}

func mustTry(t testing.TB) func(outcome, error) outcome {
	return func(o outcome, err error) outcome {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
}

// commandMonitor reads what redis-server's MONITOR tells of every command.
type commandMonitor struct {
	addr  string
	lines *bufio.Scanner
	marks int
}

func watchCommands(t testing.TB, server *realtest.RedisServer) *commandMonitor {
	t.Helper()
	conn, err := net.Dial("tcp", server.Addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if _, err := fmt.Fprint(conn, "MONITOR\r\n"); err != nil {
		t.Fatal(err)
	}
	m := &commandMonitor{addr: server.Addr, lines: bufio.NewScanner(conn)}
	m.lines.Buffer(nil, 1<<20)
	if !m.lines.Scan() || m.lines.Text() != "+OK" {
		t.Fatalf("MONITOR: %q", m.lines.Text())
	}
	return m
}

// since counts the clients' commands since it was asked last. A mark of its own
// tells it where to stop.
func (m *commandMonitor) since(t testing.TB) (counted roundTrips) {
	t.Helper()
	m.marks++
	mark := fmt.Sprintf("mark-%d", m.marks)
	client := redis.NewClient(&redis.Options{Addr: m.addr})
	defer client.Close()
	if err := client.Echo(context.Background(), mark).Err(); err != nil {
		t.Fatal(err)
	}
	for m.lines.Scan() {
		line := m.lines.Text()
		switch {
		case strings.Contains(line, mark):
			return counted
		case strings.Contains(line, "[0 lua]"), !strings.Contains(strings.ToLower(line), `"evalsha"`):
		case strings.Contains(line, `"su1:rl:`):
			counted.budgets++
		case strings.Contains(line, `"1" "su1:due:`): // in the flush of another, or the proxy would count one more
		default:
			counted.attempts++
		}
	}
	t.Fatalf("MONITOR ended: %v", m.lines.Err())
	return counted
}

// TestOneConnectionForAllSubscriptions opens 200 subscriptions of 200 clients
// and counts the connections that subscribe at Redis.
func TestOneConnectionForAllSubscriptions(t *testing.T) {
	if !needsRealStores(t) {
		return
	}
	t.Parallel()
	server := realtest.Redis(t)
	proxy := realtest.RedisProxy(t, server.Addr)
	program := realtest.Program(t, realtest.ProgramOptions{Env: map[string]string{"REDIS_URL": "redis://" + proxy.Addr}})
	administrator := newAdministrator(t, program)

	const sockets, perSocket = 10, 20
	clients := make([]*client, 0, sockets*perSocket)
	states := make(chan event, 4*sockets*perSocket)
	for range sockets {
		// The secret key sees every sign-up, so one socket can watch many.
		s := administrator.openSocket(t)
		for i := range perSocket {
			c := newClient(t, program)
			opened := c.create(t, map[string]any{"firstName": "One of many"})
			s.subscribe(t, fmt.Sprint(i), opened.ID)
			clients = append(clients, c)
		}
		go s.pump(func(_ string, e event) { states <- e })
	}
	await := func(what string, want func(signUp) bool) {
		t.Helper()
		seen := map[string]bool{}
		for len(seen) < len(clients) {
			select {
			case e := <-states:
				if e.state == nil {
					t.Fatalf("%s: a subscription ended: %s", what, e.end)
				}
				if want(*e.state) {
					seen[e.state.ID] = true
				}
			case <-time.After(answerLimit):
				t.Fatalf("%s: %d of %d subscriptions", what, len(seen), len(clients))
			}
		}
	}
	await("present states", func(signUp) bool { return true })
	for _, c := range clients {
		c.update(t, map[string]any{"lastName": "Changed"})
	}
	await("changes", func(s signUp) bool { return s.LastName != nil })

	subscribing := map[int]bool{}
	for _, flush := range proxy.Flushes() {
		if slices.Contains(flush.Commands, "SUBSCRIBE") || slices.Contains(flush.Commands, "PSUBSCRIBE") {
			subscribing[flush.Connection] = true
		}
	}
	if len(subscribing) != 1 {
		t.Errorf("%d connections subscribed, want 1", len(subscribing))
	}
	raw := redis.NewClient(&redis.Options{Addr: server.Addr})
	defer raw.Close()
	list, err := raw.Do(t.Context(), "CLIENT", "LIST", "TYPE", "pubsub").Text()
	if err != nil {
		t.Fatal(err)
	}
	if n := len(strings.Fields(strings.ReplaceAll(strings.TrimSpace(list), " ", ""))); n != 1 {
		t.Errorf("Redis knows %d subscribers, want 1:\n%s", n, list)
	}
}

// TestEveryKeyExpires leaves something of every kind in Redis, and looks at the
// expiry of each key. For the embedded Redis, the suite of its store shows that
// what has expired is gone.
func TestEveryKeyExpires(t *testing.T) {
	if !needsRealStores(t) {
		return
	}
	t.Parallel()
	server := realtest.Redis(t)
	program := realtest.Program(t, realtest.ProgramOptions{Env: map[string]string{"REDIS_URL": server.URL}})
	administrator := newAdministrator(t, program)
	const lifetime = 60 * time.Second
	administrator.changeSettings(t, map[string]any{"signUpLifetimeSeconds": int(lifetime.Seconds())})

	started := time.Now()
	open := newClient(t, program)
	opened := open.create(t, map[string]any{
		"emailAddress": "open@example.com", "idempotencyKey": "create",
		"startVerifications": []any{map[string]any{"strategy": "EMAIL_CODE"}},
	})
	open.update(t, map[string]any{"firstName": "Ada", "idempotencyKey": "update"})
	mustTry(t)(open.tryCheck("emailCode", "000000"))
	if d := opened.AbandonAt.Sub(opened.CreatedAt); d != lifetime {
		t.Errorf("abandonAt is %v after createdAt, want %v", d, lifetime)
	}
	replaced := newClient(t, program)
	former := replaced.create(t, map[string]any{})
	replaced.create(t, map[string]any{})
	if s := replaced.read(t, former.ID); s == nil || s.Status != "ABANDONED" {
		t.Errorf("the replaced sign-up: %+v, want ABANDONED", s)
	}
	complete := newClient(t, program)
	done := signUpWhole(t, complete, "complete@example.com")

	raw := redis.NewClient(&redis.Options{Addr: server.Addr})
	defer raw.Close()
	kinds := map[string]int{}
	for iterator := raw.Scan(t.Context(), 0, "*", 100).Iterator(); iterator.Next(t.Context()); {
		key := iterator.Val()
		kind := kindOf(key)
		kinds[kind]++
		at, err := raw.PExpireTime(t.Context(), key).Result()
		if err != nil {
			t.Fatal(err)
		}
		if at < 0 {
			t.Errorf("%s has no expiry", key)
			continue
		}
		expires, latest := time.UnixMilli(at.Milliseconds()), latestExpiry(kind, started, lifetime)
		if expires.After(latest) {
			t.Errorf("%s expires at %v, want at most %v", key, expires, latest)
		}
		if strings.HasSuffix(key, opened.ID) && !expires.Equal(opened.AbandonAt.Add(time.Hour)) {
			t.Errorf("the open sign-up expires at %v, want an hour after abandonAt %v", expires, opened.AbandonAt)
		}
		if strings.HasSuffix(key, done.ID) && expires.Before(started.Add(time.Hour)) {
			t.Errorf("the completed sign-up expires at %v, before an hour has passed", expires)
		}
	}
	for _, kind := range []string{"sign-up", "current", "idempotency", "budget", "register"} {
		if kinds[kind] == 0 {
			t.Errorf("there was no key of kind %s: %v", kind, kinds)
		}
	}
	if kinds["unknown"] > 0 {
		t.Errorf("%d keys of unknown kind", kinds["unknown"])
	}
}

func kindOf(key string) string {
	switch {
	case strings.Contains(key, "}:a:"):
		return "sign-up"
	case strings.HasSuffix(key, "}:cur"):
		return "current"
	case strings.Contains(key, "}:idem:"):
		return "idempotency"
	case strings.HasPrefix(key, "su1:rl:"):
		return "budget"
	case strings.HasPrefix(key, "su1:due:"):
		return "register"
	}
	return "unknown"
}

// latestExpiry is when a key written by this test must be gone at the latest.
func latestExpiry(kind string, started time.Time, lifetime time.Duration) time.Time {
	const writing = 2 * time.Minute // more than the test takes
	keep := map[string]time.Duration{
		"sign-up": lifetime + time.Hour, "current": lifetime + time.Hour,
		"idempotency": 10 * time.Minute,
		"register":    lifetime + 25*time.Hour, // a day and what is left of the hour
		"budget":      time.Hour + time.Minute, // five sends, one more every twelve minutes
	}
	return started.Add(writing + keep[kind])
}
