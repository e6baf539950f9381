package redisstore

import (
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"stepwise/internal/realtest"
	"stepwise/internal/signup"
)

func wantHint(t testing.TB, hints <-chan struct{}, about string) {
	t.Helper()
	select {
	case <-hints:
	case <-time.After(10 * time.Second):
		t.Fatalf("no hint: %s", about)
	}
}

func watchedKey(i int) signup.AttemptKey {
	return signup.AttemptKey{Instance: "i", Client: "c", ID: fmt.Sprintf("a%d", i)}
}

// subscribing returns the numbers of the connections that ever subscribed.
func subscribing(proxy *realtest.FaultProxy) map[int]bool {
	connections := make(map[int]bool)
	for _, flush := range proxy.Flushes() {
		if slices.Contains(flush.Commands, "SUBSCRIBE") {
			connections[flush.Connection] = true
		}
	}
	return connections
}

func TestWatchersShareOneConnection(t *testing.T) {
	overTCP(t, func(t *testing.T, proxy *realtest.FaultProxy) {
		const watchers = 3*subscribeBatch + 7
		s := openURL(t, "redis://"+proxy.Addr)
		if open := proxy.Open(); open != 1 {
			t.Errorf("%d connections before the first watcher", open)
		}
		var all []<-chan struct{}
		var stops []func()
		for i := range watchers {
			hints, stop := s.WatchAttempt(watchedKey(i))
			all, stops = append(all, hints), append(stops, stop)
		}
		for i, hints := range all {
			wantHint(t, hints, fmt.Sprintf("watch %d came into force", i))
		}
		if connections := subscribing(proxy); len(connections) != 1 || proxy.Open() != 2 {
			t.Errorf("%d watchers on %d connections, %d open in all", watchers, len(connections), proxy.Open())
		}
		commands := 0
		for _, flush := range proxy.Flushes() {
			for _, command := range flush.Commands {
				if command == "SUBSCRIBE" {
					commands++
				}
			}
		}
		if commands > watchers/50 {
			t.Errorf("%d watchers took %d commands", watchers, commands)
		}

		for _, stop := range stops {
			stop()
		}
		deadline := time.Now().Add(10 * time.Second)
		for {
			left, err := s.client.PubSubChannels(t.Context(), "su1:*").Result()
			if err != nil {
				t.Fatal(err)
			}
			if slices.Equal(left, []string{anchor}) {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%d channels are still subscribed after every stop", len(left))
			}
			time.Sleep(time.Millisecond)
		}
		if len(s.topics)+len(s.stale) > 0 {
			t.Errorf("%d topics and %d changes are left", len(s.topics), len(s.stale))
		}
	})
}

func TestReconnectionHintsAtEverybodyOnce(t *testing.T) {
	overTCP(t, func(t *testing.T, proxy *realtest.FaultProxy) {
		s := openURL(t, "redis://"+proxy.Addr)
		var all []<-chan struct{}
		for i := range 20 {
			hints, stop := s.WatchAttempt(watchedKey(i))
			defer stop()
			wantHint(t, hints, "watch")
			all = append(all, hints)
		}
		proxy.RefuseNew()
		proxy.Cut()
		// Whoever comes and goes while there is no connection is no exception.
		_, stop := s.WatchAttempt(watchedKey(100))
		stop()
		late, stop := s.WatchSettings("i")
		defer stop()
		for i, hints := range all {
			select {
			case <-hints:
				t.Errorf("watcher %d was hinted at when the connection was lost", i)
			default:
			}
		}
		proxy.Resume()
		wantHint(t, late, "watch begun without a connection")
		for i, hints := range all {
			wantHint(t, hints, fmt.Sprintf("reconnection, to watcher %d", i))
		}
		if n := len(subscribing(proxy)); n != 2 {
			t.Errorf("%d connections subscribed, want 2", n)
		}
		if err := s.AnnounceSettings(t.Context(), "i"); err != nil {
			t.Fatal(err)
		}
		wantHint(t, late, "settings")
		for i, hints := range all {
			select {
			case <-hints:
				t.Errorf("watcher %d was hinted at twice", i)
			default:
			}
		}
	})
}

// TestSilentConnectionIsReplaced: a connection can be dead without being closed.
func TestSilentConnectionIsReplaced(t *testing.T) {
	overTCP(t, func(t *testing.T, proxy *realtest.FaultProxy) {
		s, err := Open(t.Context(), Options{
			URL: "redis://" + proxy.Addr, Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
			heartbeat: 20 * time.Millisecond, silence: 200 * time.Millisecond,
		})
		if err != nil {
			t.Fatal(err)
		}
		closeAtEnd(t, s)
		hints, stop := s.WatchSettings("i")
		defer stop()
		wantHint(t, hints, "watch")
		// The heartbeat keeps a quiet connection that is in order.
		select {
		case <-hints:
			t.Error("a connection in order was replaced")
		case <-time.After(500 * time.Millisecond):
		}
		proxy.Blackhole()
		time.Sleep(300 * time.Millisecond)
		proxy.Resume()
		wantHint(t, hints, "reconnection")
		if n := len(subscribing(proxy)); n != 2 {
			t.Errorf("%d connections subscribed, want 2", n)
		}
	})
}
