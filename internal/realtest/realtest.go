// Package realtest gives tests the real thing: redis-server, a Redis Cluster,
// PostgreSQL, a TCP proxy that breaks connections on command, and this
// repository's own server as a separate process.
//
// Everything listens on 127.0.0.1 only, keeps its data in a directory of its
// own and is stopped by process id when the test ends. A server counts as
// started once it answers its own protocol. A missing program fails the test
// and names the Debian package that has it: a backend that was asked for is
// never left out quietly.
//
// Plain `go test ./...` needs none of these programs. A suite that also runs
// against embedded stores asks [Wanted] which backends to list:
//
//	backends := map[string]func(testing.TB) signup.Store{"embedded": embedded}
//	if realtest.Wanted() {
//		backends["redis-server"] = real
//	}
//
// Unless a method says otherwise it may only be called from the goroutine that
// runs the test, because it ends the test when it fails.
package realtest

import (
	"os"
	"testing"
	"time"
)

// Limits within which every program here starts or stops, even on a small and
// busy machine. They only decide how soon a hang is reported.
const (
	startLimit   = 60 * time.Second
	stopLimit    = 20 * time.Second
	pollInterval = 5 * time.Millisecond
)

// Wanted reports whether this run of the tests should include the real
// programs: whether STEPWISE_REAL is set to anything but the empty string.
func Wanted() bool {
	return os.Getenv("STEPWISE_REAL") != ""
}

// eventually asks ready again and again until it answers nil. It ends the test
// with ready's last answer when gone is closed or the limit has passed.
func eventually(t testing.TB, what string, gone <-chan struct{}, limit time.Duration, ready func() error) {
	t.Helper()
	deadline := time.After(limit)
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		err := ready()
		if err == nil {
			return
		}
		select {
		case <-ticker.C:
		case <-gone:
			t.Fatalf("%s: the process ended; last answer: %v", what, err)
		case <-deadline:
			t.Fatalf("%s: not within %v: %v", what, limit, err)
		}
	}
}
