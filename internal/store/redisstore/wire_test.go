package redisstore

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"stepwise/engine"
	"stepwise/internal/realtest"
	"stepwise/internal/signup"
)

// overTCP runs a test on servers that are reached through a proxy: an embedded
// server that listens, and the real one where this is wanted.
func overTCP(t *testing.T, run func(t *testing.T, proxy *realtest.FaultProxy)) {
	t.Run("miniredis", func(t *testing.T) {
		run(t, realtest.RedisProxy(t, miniredis.RunT(t).Addr()))
	})
	if realtest.Wanted() {
		t.Run("Redis", func(t *testing.T) {
			run(t, realtest.RedisProxy(t, realtest.Redis(t).Addr))
		})
	}
}

func newRecord(version int64) signup.Record {
	return signup.Record{Version: version, Data: []byte("data"), AbandonAt: time.Now().Add(time.Hour), ExpireAt: time.Now().Add(time.Hour)}
}

// methods are all that cost round trips, on a sign-up of version 1 that exists.
// Each may be called once.
func methods(s *Store, key signup.AttemptKey) map[string]func(context.Context) error {
	memory := signup.Memory{Key: "memory", ExpireAt: time.Now().Add(time.Hour)}
	budget := signup.Budget{Key: key.Client, Burst: 1, Every: time.Second}
	next, now := key, time.Now()
	next.ID = "next"
	return map[string]func(context.Context) error{
		"1 Load": func(ctx context.Context) error { _, _, _, err := s.Load(ctx, key, "memory"); return err },
		"2 Load current": func(ctx context.Context) error {
			_, _, _, err := s.Load(ctx, signup.AttemptKey{Instance: key.Instance, Client: key.Client}, "memory")
			return err
		},
		"3 Save":         func(ctx context.Context) error { return s.Save(ctx, key, newRecord(2), memory, false) },
		"4 Save quietly": func(ctx context.Context) error { return s.Save(ctx, key, newRecord(3), signup.Memory{}, true) },
		"5 Create": func(ctx context.Context) error {
			_, _, err := s.Create(ctx, next, newRecord(1), memory, now, now)
			return err
		},
		"6 Take":             func(ctx context.Context) error { _, _, err := s.Take(ctx, now, budget); return err },
		"7 AnnounceSettings": func(ctx context.Context) error { return s.AnnounceSettings(ctx, key.Instance) },
		"8 Ping":             s.Ping,
		"9 Due": func(ctx context.Context) error {
			_, err := s.Due(ctx, key.Instance, now.Add(2*time.Hour), 10)
			return err
		},
		"A LoadMany": func(ctx context.Context) error {
			_, err := s.LoadMany(ctx, []signup.AttemptKey{key, next, {Instance: "i", Client: "another", ID: "a"}})
			return err
		},
		"B Save when complete": func(ctx context.Context) error {
			complete := newRecord(4)
			complete.Lifecycle = engine.Complete
			return s.Save(ctx, key, complete, signup.Memory{}, true)
		},
		"C Forget": func(ctx context.Context) error {
			return s.Forget(ctx, key.Instance, []signup.AttemptKey{key, {Instance: "i", Client: "another", ID: "a"}})
		},
	}
}

func TestEveryMethodIsOneRoundTrip(t *testing.T) {
	overTCP(t, func(t *testing.T, proxy *realtest.FaultProxy) {
		s := openURL(t, "redis://"+proxy.Addr)
		warm := signup.AttemptKey{Instance: "i", Client: "warm", ID: "a"}
		if _, _, err := s.Create(t.Context(), warm, newRecord(1), signup.Memory{}, time.Now(), time.Now()); err != nil {
			t.Fatal(err)
		}
		for _, call := range methods(s, warm) { // in any order: only the scripts matter
			_ = call(t.Context())
		}
		key := signup.AttemptKey{Instance: "i", Client: "c", ID: "a"}
		if _, _, err := s.Create(t.Context(), key, newRecord(1), signup.Memory{}, time.Now(), time.Now()); err != nil {
			t.Fatal(err)
		}
		calls := methods(s, key)
		names := make([]string, 0, len(calls))
		for name := range calls {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			before, connections := proxy.RoundTrips(), proxy.Connections()
			if err := calls[name](t.Context()); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if trips := proxy.RoundTrips() - before; trips != 1 {
				t.Errorf("%s: %d round trips", name, trips)
			}
			if proxy.Connections() != connections {
				t.Errorf("%s: needed another connection", name)
			}
		}
		former, before := signup.AttemptKey{Instance: "i", Client: "former", ID: "a"}, 0
		for _, id := range []string{"a", "b"} {
			former.ID, before = id, proxy.RoundTrips()
			if _, _, err := s.Create(t.Context(), former, newRecord(1), signup.Memory{}, time.Now(), time.Now()); err != nil {
				t.Fatal(err)
			}
		}
		if trips := proxy.RoundTrips() - before; trips != 2 {
			t.Errorf("Create that replaces: %d round trips", trips)
		}
		before = proxy.RoundTrips()
		if allowed, _, err := s.Take(t.Context(), time.Now(),
			signup.Budget{Key: "x", Burst: 1, Every: time.Second}, signup.Budget{Key: "y", Burst: 1, Every: time.Second}); err != nil || !allowed {
			t.Errorf("take: %v, %v", allowed, err)
		}
		if trips := proxy.RoundTrips() - before; trips != 2 {
			t.Errorf("two budgets: %d round trips", trips)
		}
	})
}

func TestScriptsComeBackAfterTheyWereForgotten(t *testing.T) {
	overTCP(t, func(t *testing.T, proxy *realtest.FaultProxy) {
		s := openURL(t, "redis://"+proxy.Addr)
		key := signup.AttemptKey{Instance: "i", Client: "c", ID: "a"}
		if _, _, err := s.Create(t.Context(), key, newRecord(1), signup.Memory{}, time.Now(), time.Now()); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := s.client.ScriptFlush(t.Context()).Err(); err != nil {
				t.Fatal(err)
			}
			if _, r, _, err := s.Load(t.Context(), key, ""); err != nil || r.Version != 1 {
				t.Errorf("load: %v, %v", r, err)
			}
		}
	})
}

// TestWritesAreNeverRepeated: when a reply is lost the write may have happened,
// and sending it again would find a conflict with itself.
func TestWritesAreNeverRepeated(t *testing.T) {
	addr := miniredis.RunT(t).Addr()
	run := func(t *testing.T, settings redis.UniversalOptions) {
		proxy := realtest.RedisProxy(t, addr)
		var lose atomic.Bool
		settings.Addrs = []string{addr}
		settings.Dialer = func(ctx context.Context, network, _ string) (net.Conn, error) {
			connection, err := new(net.Dialer).DialContext(ctx, network, proxy.Addr)
			return &forgetful{connection, &lose}, err
		}
		options := Options{}
		options.setDefaults()
		s := newStore(options, &settings)
		closeAtEnd(t, s)
		key := signup.AttemptKey{Instance: "i", Client: "c", ID: rand.Text()}
		if _, _, err := s.Create(t.Context(), key, newRecord(1), signup.Memory{}, time.Now(), time.Now()); err != nil {
			t.Fatal(err)
		}
		if err := s.Save(t.Context(), key, newRecord(2), signup.Memory{}, false); err != nil {
			t.Fatal(err)
		}
		sent := scriptsSent(proxy)
		lose.Store(true)
		err := s.Save(t.Context(), key, newRecord(3), signup.Memory{}, false)
		if err == nil || isPortError(err) || lose.Load() {
			t.Errorf("save without an answer: %v", err)
		}
		if times := scriptsSent(proxy) - sent; times != 1 {
			t.Errorf("the script was sent %d times", times)
		}
		if _, r, _, err := s.Load(t.Context(), key, ""); err != nil || r.Version != 3 {
			t.Errorf("after the lost reply: version %d, %v", r.Version, err)
		}
		// Two scripts in one flush are sent once each, too.
		next := signup.AttemptKey{Instance: "i", Client: rand.Text(), ID: "a"} // it may happen late, and replaces nobody's
		sent = scriptsSent(proxy)
		lose.Store(true)
		if _, _, err := s.Create(t.Context(), next, newRecord(1), signup.Memory{}, time.Now(), time.Now()); err == nil || isPortError(err) || lose.Load() {
			t.Errorf("create without an answer: %v", err)
		}
		if times := scriptsSent(proxy) - sent; times != 2 {
			t.Errorf("two scripts were sent %d times", times)
		}
	}
	t.Run("one server", func(t *testing.T) { run(t, redis.UniversalOptions{}) })
	// A cluster client repeats what it can, unless it is kept from it.
	t.Run("cluster", func(t *testing.T) { run(t, redis.UniversalOptions{IsClusterMode: true}) })
}

// forgetful is a connection that breaks in place of the next read, once.
type forgetful struct {
	net.Conn
	lose *atomic.Bool
}

func (f *forgetful) Read(p []byte) (int, error) {
	n, err := f.Conn.Read(p)
	if err == nil && f.lose.CompareAndSwap(true, false) {
		_ = f.Close()
		return 0, io.EOF
	}
	return n, err
}

func scriptsSent(proxy *realtest.FaultProxy) int {
	count := 0
	for _, flush := range proxy.Flushes() {
		for _, command := range flush.Commands {
			if strings.HasPrefix(command, "EVAL") {
				count++
			}
		}
	}
	return count
}

// TestPoolIsBounded: a burst of requests does not become a burst of connections.
func TestPoolIsBounded(t *testing.T) {
	overTCP(t, func(t *testing.T, proxy *realtest.FaultProxy) {
		s := openURL(t, "redis://"+proxy.Addr)
		key := signup.AttemptKey{Instance: "i", Client: "c", ID: "a"}
		proxy.Delay(2 * time.Millisecond)
		var all sync.WaitGroup
		for range 300 {
			all.Go(func() {
				if _, _, _, err := s.Load(t.Context(), key, ""); !errors.Is(err, signup.ErrNotFound) {
					t.Errorf("load: %v", err)
				}
			})
		}
		all.Wait()
		if most := poolPerCPU*runtime.GOMAXPROCS(0) + 1; proxy.Connections() > most {
			t.Errorf("%d connections, want at most %d", proxy.Connections(), most)
		}
	})
}

// TestDeadServersAreNoticed: however a server is dead, every method returns in
// time, with an error that claims nothing.
func TestDeadServersAreNoticed(t *testing.T) {
	overTCP(t, func(t *testing.T, proxy *realtest.FaultProxy) {
		for name, die := range map[string]func(){
			"silent":    proxy.Blackhole,
			"slow":      func() { proxy.Delay(time.Minute) },
			"gone":      func() { proxy.RefuseNew(); proxy.Cut() },
			"cut short": proxy.LoseReplies,
		} {
			s := openURL(t, "redis://"+proxy.Addr)
			key := signup.AttemptKey{Instance: "i", Client: "c" + strings.ReplaceAll(name, " ", "_"), ID: "a"}
			if _, _, err := s.Create(t.Context(), key, newRecord(1), signup.Memory{}, time.Now(), time.Now()); err != nil {
				t.Fatal(err)
			}
			die()
			var all sync.WaitGroup
			for method, call := range methods(s, key) {
				all.Go(func() {
					began := time.Now()
					if err := call(t.Context()); err == nil || isPortError(err) {
						t.Errorf("%s: %s: %v", name, method, err)
					}
					if took := time.Since(began); took > answerLimit+500*time.Millisecond {
						t.Errorf("%s: %s returned after %v", name, method, took)
					}
				})
			}
			all.Wait()
			proxy.Resume()
			proxy.Cut()
			began := time.Now()
			for s.Ping(t.Context()) != nil {
				if time.Since(began) > 5*time.Second {
					t.Fatalf("%s: no recovery", name)
				}
			}
		}
	})
}
