package redisstore

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"stepwise/internal/realtest"
	"stepwise/internal/signup"
)

// TestSentinel finds the server by asking a Sentinel, where real servers are
// wanted. What happens after that is the same as without.
func TestSentinel(t *testing.T) {
	if !realtest.Wanted() {
		t.Log("STEPWISE_REAL is not set: nothing was tested")
		return
	}
	server := realtest.Redis(t)
	s := openURL(t, "redis+sentinel://"+startSentinel(t, server.Addr)+"?master_name=main")
	deadline := time.Now().Add(20 * time.Second)
	for s.Ping(t.Context()) != nil {
		if time.Now().After(deadline) {
			t.Fatal("the Sentinel does not lead to the server")
		}
		time.Sleep(20 * time.Millisecond)
	}
	key := signup.AttemptKey{Instance: "i", Client: "c", ID: "a"}
	hints, stop := s.WatchAttempt(key)
	defer stop()
	wantHint(t, hints, "watch")
	if _, _, err := s.Create(t.Context(), key, newRecord(1), signup.Memory{}, time.Now(), time.Now()); err != nil {
		t.Fatal(err)
	}
	wantHint(t, hints, "Create")
	if _, r, _, err := openURL(t, server.URL).Load(t.Context(), key, ""); err != nil || r.Version != 1 {
		t.Errorf("the server itself has %v, %v", r, err)
	}
}

// startSentinel returns the address of a Sentinel that watches the server.
func startSentinel(t *testing.T, watched string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(addr)
	host, watchedPort, _ := net.SplitHostPort(watched)
	dir := t.TempDir()
	file := filepath.Join(dir, "sentinel.conf") // Sentinel writes to it as well
	text := fmt.Sprintf("bind 127.0.0.1\nport %s\ndir %s\nsentinel monitor main %s %s 1\n", port, dir, host, watchedPort)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	sentinel := exec.Command("redis-server", file, "--sentinel")
	if err := sentinel.Start(); err != nil {
		t.Fatalf("apt-get install redis-server: %v", err)
	}
	t.Cleanup(func() {
		_ = sentinel.Process.Kill()
		_ = sentinel.Wait()
	})
	return addr
}
