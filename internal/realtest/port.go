package realtest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"testing"
)

// The range ports are taken from. It lies below the range from which kernels
// pick the local port of an outgoing connection, so that nothing can take the
// port of a server that is down between Kill and Restart, and so that a client
// that dials a dead server cannot end up connected to itself.
const (
	lowestPort  = 11000
	highestPort = 32000
)

var handedOut struct {
	sync.Mutex
	ports map[int]bool
}

// freeAddr returns a loopback address on which nobody listens. It is not given
// out a second time in this process.
func freeAddr(t testing.TB) string {
	t.Helper()
	handedOut.Lock()
	defer handedOut.Unlock()
	if handedOut.ports == nil {
		handedOut.ports = make(map[int]bool)
	}
	for range 1000 {
		port := lowestPort + rand.IntN(highestPort-lowestPort)
		if handedOut.ports[port] {
			continue
		}
		addr := fmt.Sprintf("127.0.0.1:%d", port)
		listener, err := net.Listen("tcp", addr)
		if err != nil {
			continue
		}
		if err := listener.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
			t.Fatalf("release port %d: %v", port, err)
		}
		handedOut.ports[port] = true
		return addr
	}
	t.Fatalf("no free port between %d and %d", lowestPort, highestPort)
	return ""
}

// portOf returns the port of an address made by freeAddr.
func portOf(t testing.TB, addr string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatalf("address %q: %v", addr, err)
	}
	return port
}
