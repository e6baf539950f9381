package transport

import (
	"context"
	"net/netip"
	"sync"
)

// activity counts the requests that are running, so that a shutdown can wait for
// them, and tells those that would not end by themselves when it begins.
type activity struct {
	// draining ends when the shutdown begins.
	draining context.Context
	startEnd context.CancelFunc

	mu      sync.Mutex
	running int
	idle    chan struct{} // closed when draining and nothing runs
}

func newActivity() *activity {
	a := &activity{idle: make(chan struct{})}
	a.draining, a.startEnd = context.WithCancel(context.Background())
	return a
}

// begin counts a request in, or reports false if no more are taken.
func (a *activity) begin() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.draining.Err() != nil {
		return false
	}
	a.running++
	return true
}

func (a *activity) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.running--
	if a.running == 0 && a.draining.Err() != nil {
		close(a.idle)
	}
}

func (a *activity) drain(ctx context.Context) error {
	a.mu.Lock()
	if a.draining.Err() == nil {
		a.startEnd()
		if a.running == 0 {
			close(a.idle)
		}
	}
	a.mu.Unlock()

	select {
	case <-a.idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// connectionCounter caps the connections that stay open, in all and for each client.
type connectionCounter struct {
	total, perAddress int

	mu        sync.Mutex
	open      int
	byAddress map[string]int
}

func newConnectionCounter(total, perAddress int) *connectionCounter {
	return &connectionCounter{total: total, perAddress: perAddress, byAddress: map[string]int{}}
}

// acquire counts a connection in and returns the function that counts it out again,
// or the refusal to send instead.
func (c *connectionCounter) acquire(address string) (release func(), refused *refusal) {
	key := network(address)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open >= c.total {
		return nil, &tooManyConnections
	}
	if c.byAddress[key] >= c.perAddress {
		return nil, &tooManyConnectionsOfClient
	}
	c.open++
	c.byAddress[key]++
	return func() { c.release(key) }, nil
}

func (c *connectionCounter) release(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open--
	c.byAddress[key]--
	if c.byAddress[key] == 0 {
		delete(c.byAddress, key)
	}
}

// network is what counts as one client: an IPv4 address, or an IPv6 network of 64
// bits, because that is what a single subscriber is given.
func network(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	ip = ip.Unmap()
	if ip.Is4() {
		return ip.String()
	}
	return netip.PrefixFrom(ip.WithZone(""), 64).Masked().String()
}
