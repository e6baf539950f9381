package redisstore

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"stepwise/engine"
	"stepwise/internal/realtest"
	"stepwise/internal/signup"
	"stepwise/internal/signup/attemptstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestEmbedded holds the embedded store to the ports' promises.
func TestEmbedded(t *testing.T) {
	attemptstest.Run(t, embeddedBackend)
}

// TestRealServers does the same for what operators run, where this is wanted.
func TestRealServers(t *testing.T) {
	if !realtest.Wanted() {
		t.Log("STEPWISE_REAL is not set: only the embedded store was tested")
		return
	}
	t.Run("Redis", func(t *testing.T) {
		server := realtest.Redis(t)
		attemptstest.Run(t, func(t *testing.T) attemptstest.Backend { return redisBackend(t, server) })
	})
	t.Run("Cluster", func(t *testing.T) {
		cluster := realtest.RedisCluster(t)
		attemptstest.Run(t, func(t *testing.T) attemptstest.Backend { return clusterBackend(t, cluster) })
	})
}

// clock is a time that a test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2031, 2, 3, 4, 5, 6, 789e6, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func process(s *Store) attemptstest.Process {
	return attemptstest.Process{Attempts: s, Hints: s, Budgets: s}
}

func closeAtEnd(t testing.TB, s *Store) {
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
}

func openEmbedded(t testing.TB, options Options) *Store {
	t.Helper()
	s, err := OpenEmbedded(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	closeAtEnd(t, s)
	return s
}

func openURL(t testing.TB, url string) *Store {
	t.Helper()
	s, err := Open(t.Context(), Options{URL: url, Logger: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	closeAtEnd(t, s)
	return s
}

func embeddedBackend(t *testing.T) attemptstest.Backend {
	clock := newClock()
	s := openEmbedded(t, Options{Clock: clock.Now})
	server := s.embedded.(*embedded)
	options := Options{Clock: clock.Now}
	options.setDefaults()
	other := server.open(options)
	closeAtEnd(t, other)
	return attemptstest.Backend{
		Process: process(s), Other: process(other), Now: clock.Now,
		Advance: func(d time.Duration) {
			clock.Advance(d)
			if err := server.sweep(context.Background()); err != nil {
				t.Error(err)
			}
		},
		Keys: func(t testing.TB) map[string]time.Duration { return keysOf(t, s.client) },
	}
}

// redisBackend reaches the server through a proxy, which breaks connections.
func redisBackend(t *testing.T, server *realtest.RedisServer) attemptstest.Backend {
	proxy := realtest.RedisProxy(t, server.Addr)
	s, other := openURL(t, "redis://"+proxy.Addr), openURL(t, "redis://"+proxy.Addr)
	return attemptstest.Backend{
		Process: process(s), Other: process(other), Now: time.Now,
		Keys: func(t testing.TB) map[string]time.Duration { return keysOf(t, s.client) },
		Outages: map[string]func() func(){
			"killed":            func() func() { server.Kill(); return server.Restart },
			attemptstest.Frozen: func() func() { server.Pause(); return server.Resume },
			"refusing":          func() func() { proxy.RefuseNew(); proxy.Cut(); return proxy.Resume },
		},
		Disturb: func() {
			// Some writes happen whose writers never hear of it.
			proxy.LoseReplies()
			time.Sleep(5 * time.Millisecond)
			proxy.Cut()
			proxy.Resume()
		},
	}
}

func clusterBackend(t *testing.T, cluster *realtest.RedisClusterServers) attemptstest.Backend {
	url := cluster.URL + "&cluster=true"
	s, other := openURL(t, url), openURL(t, url)
	each := func(do func(*realtest.RedisServer)) {
		for _, node := range cluster.Nodes {
			do(node)
		}
	}
	return attemptstest.Backend{
		Process: process(s), Other: process(other), Now: time.Now,
		Keys: func(t testing.TB) map[string]time.Duration {
			all := make(map[string]time.Duration)
			var mu sync.Mutex
			if err := s.client.(*redis.ClusterClient).ForEachMaster(t.Context(), func(_ context.Context, node *redis.Client) error {
				keys := keysOf(t, node)
				mu.Lock()
				defer mu.Unlock()
				for name, left := range keys {
					all[name] = left
				}
				return nil
			}); err != nil {
				t.Error(err)
			}
			return all
		},
		Outages: map[string]func() func(){
			"killed": func() func() {
				each((*realtest.RedisServer).Kill)
				return func() { each((*realtest.RedisServer).Restart); cluster.AwaitReady() }
			},
			attemptstest.Frozen: func() func() {
				each((*realtest.RedisServer).Pause)
				return func() { each((*realtest.RedisServer).Resume); cluster.AwaitReady() }
			},
		},
	}
}

// keysOf returns every key of a server that has not expired meanwhile.
func keysOf(t testing.TB, client redis.Cmdable) map[string]time.Duration {
	t.Helper()
	keys := make(map[string]time.Duration)
	names, err := client.Keys(t.Context(), "*").Result()
	if err != nil {
		t.Errorf("keys: %v", err)
	}
	for _, name := range names {
		left, err := client.PTTL(t.Context(), name).Result()
		if err != nil {
			t.Errorf("expiry of %s: %v", name, err)
		}
		if left != -2 { // -2: it has expired
			keys[name] = left
		}
	}
	return keys
}

// TestLifecycleNumbers pins what the scripts and stored records rely on.
func TestLifecycleNumbers(t *testing.T) {
	numbers := [...]engine.Lifecycle{engine.Open, engine.Completing, engine.Complete, engine.Abandoned}
	for number, lifecycle := range numbers {
		if int(lifecycle) != number {
			t.Errorf("lifecycle %d is stored as %d", lifecycle, number)
		}
	}
}

// TestKeyNames pins the names under which a store keeps things: another version
// of the program must find them.
func TestKeyNames(t *testing.T) {
	s := openEmbedded(t, Options{})
	key := signup.AttemptKey{Instance: "inst_1", Client: "client_2", ID: "sua_3"}
	expireAt := time.Now().Add(time.Hour)
	memory := signup.Memory{Key: "memory", ExpireAt: expireAt}
	if _, _, err := s.Create(t.Context(), key, signup.Record{Version: 1, AbandonAt: expireAt, ExpireAt: expireAt}, memory, time.Now(), expireAt); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Take(t.Context(), time.Now(), signup.Budget{Key: "budget", Burst: 1, Every: time.Second}); err != nil {
		t.Fatal(err)
	}
	keys := keysOf(t, s.client)
	for _, want := range []string{
		"su1:{inst_1:client_2}:a:sua_3", "su1:{inst_1:client_2}:cur",
		"su1:{inst_1:client_2}:idem:" + hash("memory"), "su1:due:{inst_1:3}", "su1:rl:{" + hash("budget") + "}",
	} {
		if _, ok := keys[want]; !ok {
			t.Errorf("no key %s", want)
		}
		delete(keys, want)
	}
	if len(keys) > 0 {
		t.Errorf("further keys: %v", keys)
	}
	if got, want := hash("memory"), "O3sTzzOpzCcuIExzdSCgdmSShRzYM4eCIQgpV2_dOzk"; len(got) != len(want) {
		t.Errorf("hash %s", got)
	}
}

func TestCreateRefusesWhatCannotBeStored(t *testing.T) {
	s := openEmbedded(t, Options{})
	good := signup.AttemptKey{Instance: "i", Client: "c", ID: "a"}
	for name, change := range map[string]func(*signup.AttemptKey, *signup.Record){
		"no instance":       func(k *signup.AttemptKey, _ *signup.Record) { k.Instance = "" },
		"no client":         func(k *signup.AttemptKey, _ *signup.Record) { k.Client = "" },
		"no id":             func(k *signup.AttemptKey, _ *signup.Record) { k.ID = "" },
		"tag in client":     func(k *signup.AttemptKey, _ *signup.Record) { k.Client = "c}:x{" },
		"colon in instance": func(k *signup.AttemptKey, _ *signup.Record) { k.Instance = "i:c" },
		"version 0":         func(_ *signup.AttemptKey, r *signup.Record) { r.Version = 0 },
		"version 2":         func(_ *signup.AttemptKey, r *signup.Record) { r.Version = 2 },
		"no end":            func(_ *signup.AttemptKey, r *signup.Record) { r.AbandonAt = time.Time{} },
	} {
		key, r := good, signup.Record{Version: 1, AbandonAt: time.Now().Add(time.Hour), ExpireAt: time.Now().Add(time.Hour)}
		change(&key, &r)
		if _, _, err := s.Create(t.Context(), key, r, signup.Memory{}, time.Now(), time.Now()); err == nil {
			t.Errorf("%s: was stored", name)
		}
	}
	if keys := keysOf(t, s.client); len(keys) > 0 {
		t.Errorf("stored: %v", keys)
	}
}

func TestTakeRefusesWhatIsNoBudget(t *testing.T) {
	s := openEmbedded(t, Options{})
	for _, budget := range []signup.Budget{
		{Key: "", Burst: 1, Every: time.Second}, {Key: "k", Burst: 0, Every: time.Second}, {Key: "k", Burst: -1, Every: time.Second},
		{Key: "k", Burst: 1}, {Key: "k", Burst: 1, Every: -time.Second}, {Key: "k", Burst: 1, Every: time.Microsecond},
		{Key: "k", Burst: 1, Every: time.Second + time.Microsecond},
	} {
		good := signup.Budget{Key: "good", Burst: 1, Every: time.Second}
		if allowed, _, err := s.Take(t.Context(), time.Now(), good, budget); err == nil || allowed {
			t.Errorf("%+v: allowed %v, %v", budget, allowed, err)
		}
	}
	if keys := keysOf(t, s.client); len(keys) > 0 {
		t.Errorf("stored: %v", keys)
	}
}

// TestUnexpectedRepliesAreErrors: whatever stands under our names, and whatever
// a server says, is never taken for success.
func TestUnexpectedRepliesAreErrors(t *testing.T) {
	s := openEmbedded(t, Options{})
	key := signup.AttemptKey{Instance: "i", Client: "c", ID: "a"}
	r := signup.Record{Version: 2, ExpireAt: time.Now().Add(time.Hour)}
	record := "su1:{i:c}:a:a"
	for name, prepare := range map[string]func(){
		"a hash in place of a record": func() { s.client.HSet(t.Context(), record, "v", "1") },
		"nothing":                     func() { s.client.Set(t.Context(), record, "", time.Minute) },
		"a record cut short":          func() { s.client.Set(t.Context(), record, "1 0 0", time.Minute) },
		"a version that is no number": func() { s.client.Set(t.Context(), record, "one 0 0 1900000000000 data", time.Minute) },
	} {
		s.client.Del(t.Context(), record)
		prepare()
		if _, _, _, err := s.Load(t.Context(), key, ""); err == nil || isPortError(err) {
			t.Errorf("%s: load: %v", name, err)
		}
		if err := s.Save(t.Context(), key, r, signup.Memory{}, false); err == nil || isPortError(err) {
			t.Errorf("%s: save: %v", name, err)
		}
	}
	s.client.Set(t.Context(), budgetKey("b"), "x", time.Minute)
	if allowed, _, err := s.Take(t.Context(), time.Now(), signup.Budget{Key: "b", Burst: 1, Every: time.Second}); err == nil || allowed {
		t.Errorf("take: %v, %v", allowed, err)
	}

	for _, value := range []any{nil, "OK", int64(1), []any{}, []any{int64(1)}, []any{nil}, []any{"created"}, []any{"created", "", ""}, []any{"new"}} {
		reply := newReply(value)
		outcome := reply.text()
		if outcome == "created" {
			reply.text()
		}
		if err := reply.end(); err == nil && outcome != "new" {
			t.Errorf("%v passed", value)
		}
	}
}

func isPortError(err error) bool {
	return err == signup.ErrConflict || err == signup.ErrNotFound || err == signup.ErrCompleting
}

func TestPing(t *testing.T) {
	s := openEmbedded(t, Options{})
	if err := s.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	nobody, err := Open(t.Context(), Options{URL: "redis://127.0.0.1:1"})
	if err != nil {
		t.Fatalf("a Redis that is down must not keep the program from starting: %v", err)
	}
	closeAtEnd(t, nobody)
	if err := nobody.Ping(t.Context()); err == nil {
		t.Error("nobody answers, and yet: no error")
	}
}

func TestCloseEndsEverything(t *testing.T) {
	s, err := OpenEmbedded(t.Context(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	key := signup.AttemptKey{Instance: "i", Client: "c", ID: "a"}
	hints, stop := s.WatchAttempt(key)
	<-hints
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	stop()
	if _, _, _, err := s.Load(t.Context(), key, ""); err == nil || isPortError(err) {
		t.Errorf("load after Close: %v", err)
	}
	if err := s.Ping(t.Context()); err == nil {
		t.Error("ping after Close")
	}
	late, stop := s.WatchAttempt(key)
	stop()
	select {
	case <-late:
		t.Error("hint after Close")
	default:
	}
	// That no goroutine is left is checked once for all tests.
}

func ExampleOptions() {
	for _, url := range []string{
		"redis://user:secret@cache.internal:6380/2",
		"redis://user:secret@cache.internal:port",
	} {
		settings, err := parseURL(url)
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println(settings.Addrs, settings.DB)
	}
	// Output:
	// [cache.internal:6380] 2
	// URL of Redis, redis://cache.internal:port: want redis://[user:password@]host:port[/db]
}
