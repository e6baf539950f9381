package realtest

import (
	"context"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"
)

// FaultProxy passes TCP connections on to a target until it is told to do
// otherwise. In front of Redis it also counts round trips. All methods may be
// called from any goroutine; a fault lasts until Resume.
type FaultProxy struct {
	// Addr is the loopback address to connect to instead of the target's.
	Addr string

	t          testing.TB
	target     string
	speaksRESP bool
	running    sync.WaitGroup

	mu       sync.Mutex
	listener net.Listener // nil while new connections are refused
	open     map[*proxied]bool
	accepted int
	flushes  []Flush

	closed    bool
	delay     time.Duration
	loseReply bool
	// stall is closed while bytes may pass.
	stall chan struct{}
}

// Flush is one burst of commands on one connection to Redis: what a client
// sends before it needs an answer, a single command or a whole pipeline.
type Flush struct {
	Connection int      // counted from 1 in the order of acceptance
	Commands   []string // names in upper case, in order
}

// setUp are the commands with which clients prepare a connection.
var setUp = []string{"AUTH", "CLIENT", "HELLO", "READONLY", "SELECT"}

// proxied is one connection of a client and, once it stands, ours to the target.
type proxied struct {
	number int
	client net.Conn
	ctx    context.Context // done when the connection has ended or was cut
	end    context.CancelFunc

	mu     sync.Mutex
	target net.Conn
	// What follows is only used in front of Redis.
	requests, replies respScanner
	awaited           int  // commands without a reply so far
	subscribed        bool // replies no longer pair up with commands
}

// Proxy starts a proxy in front of any TCP server, given as host:port.
func Proxy(t testing.TB, target string) *FaultProxy {
	t.Helper()
	return startProxy(t, target, false)
}

// RedisProxy starts a proxy in front of a Redis server, given as host:port,
// which counts round trips besides.
func RedisProxy(t testing.TB, target string) *FaultProxy {
	t.Helper()
	return startProxy(t, target, true)
}

func startProxy(t testing.TB, target string, speaksRESP bool) *FaultProxy {
	t.Helper()
	p := &FaultProxy{
		Addr: freeAddr(t), t: t, target: target, speaksRESP: speaksRESP,
		open: make(map[*proxied]bool), stall: make(chan struct{}),
	}
	close(p.stall)
	p.listen()
	t.Cleanup(p.close)
	return p
}

// Flushes returns every flush so far, in the order of their starts. Empty
// unless the proxy was made by RedisProxy.
//
// A flush ends when all its commands are answered: what a client sends before
// that belongs to it, what it sends afterwards is the next flush and costs
// another round trip. On a connection that subscribes, where replies do not
// pair up with commands, each write counts as a flush.
func (p *FaultProxy) Flushes() []Flush {
	p.mu.Lock()
	defer p.mu.Unlock()
	flushes := slices.Clone(p.flushes)
	for i := range flushes {
		flushes[i].Commands = slices.Clone(flushes[i].Commands)
	}
	return flushes
}

// RoundTrips counts the flushes so far that asked Redis for anything: not those
// which only prepare a fresh connection (HELLO, AUTH, CLIENT, SELECT, READONLY).
func (p *FaultProxy) RoundTrips() int {
	count := 0
	for _, flush := range p.Flushes() {
		if slices.ContainsFunc(flush.Commands, func(name string) bool { return !slices.Contains(setUp, name) }) {
			count++
		}
	}
	return count
}

// Connections returns how many connections were accepted so far.
func (p *FaultProxy) Connections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.accepted
}

// Open returns how many connections stand now.
func (p *FaultProxy) Open() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.open)
}

// Cut resets every connection that stands. New ones are still accepted.
func (p *FaultProxy) Cut() {
	p.mu.Lock()
	connections := make([]*proxied, 0, len(p.open))
	for c := range p.open {
		connections = append(connections, c)
	}
	p.mu.Unlock()
	for _, c := range connections {
		c.abort()
		p.drop(c)
	}
}

// RefuseNew refuses new connections and leaves the standing ones alone. With
// Cut, the target looks as if it were down.
func (p *FaultProxy) RefuseNew() {
	p.mu.Lock()
	listener := p.listener
	p.listener = nil
	p.mu.Unlock()
	if listener != nil {
		_ = listener.Close()
	}
}

// Delay holds back whatever a client sends by d, so that every round trip
// takes that much longer.
func (p *FaultProxy) Delay(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = d
}

// Blackhole lets nothing through in either direction and closes nothing: new
// connections are accepted and stall as well. What was sent meanwhile arrives
// after Resume.
func (p *FaultProxy) Blackhole() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if isClosed(p.stall) {
		p.stall = make(chan struct{})
	}
}

// LoseReplies lets requests through and cuts a connection instead of passing
// on the first byte that comes back: the target has done what it was asked,
// and the client cannot know.
func (p *FaultProxy) LoseReplies() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.loseReply = true
}

// Resume ends every fault. Connections that were cut stay cut.
func (p *FaultProxy) Resume() {
	p.mu.Lock()
	p.delay, p.loseReply = 0, false
	if !isClosed(p.stall) {
		close(p.stall)
	}
	refusing := p.listener == nil && !p.closed
	p.mu.Unlock()
	if refusing {
		p.listen()
	}
}

func (p *FaultProxy) listen() {
	listener, err := net.Listen("tcp", p.Addr)
	if err != nil {
		p.t.Errorf("proxy: %v", err)
		return
	}
	p.mu.Lock()
	p.listener = listener
	p.mu.Unlock()
	p.running.Go(func() { p.accept(listener) })
}

func (p *FaultProxy) accept(listener net.Listener) {
	for {
		client, err := listener.Accept()
		if err != nil {
			return // closed by RefuseNew or close
		}
		p.mu.Lock()
		p.accepted++
		c := &proxied{number: p.accepted, client: client}
		c.ctx, c.end = context.WithCancel(context.Background())
		p.open[c] = true
		closed := p.closed
		p.mu.Unlock()
		if closed {
			p.drop(c)
			return
		}
		p.running.Go(func() { p.serve(c) })
	}
}

// serve passes bytes both ways until either side ends or the connection is cut.
func (p *FaultProxy) serve(c *proxied) {
	defer p.drop(c)
	if !p.pass(c) {
		return
	}
	target, err := new(net.Dialer).DialContext(c.ctx, "tcp", p.target)
	if err != nil {
		return // the client sees what a target that is down looks like
	}
	c.mu.Lock()
	c.target = target
	c.mu.Unlock()
	if c.ctx.Err() != nil {
		_ = target.Close() // cut in between, so drop has not seen it
		return
	}
	p.running.Go(func() {
		defer p.drop(c)
		p.copy(c, target, c.client, p.fromTarget)
	})
	p.copy(c, c.client, target, p.fromClient)
}

// copy passes on what it reads, unless inspect says that the connection ends.
func (p *FaultProxy) copy(c *proxied, from io.Reader, to io.Writer, inspect func(*proxied, []byte) bool) {
	buffer := make([]byte, 256<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			if !inspect(c, buffer[:n]) || !p.pass(c) {
				return
			}
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// fromClient notes the commands of a request and holds them back by the delay.
func (p *FaultProxy) fromClient(c *proxied, data []byte) bool {
	p.mu.Lock()
	if p.speaksRESP {
		p.countRequest(c, data)
	}
	delay := p.delay
	p.mu.Unlock()
	if delay == 0 {
		return true
	}
	select {
	case <-time.After(delay):
		return true
	case <-c.ctx.Done():
		return false
	}
}

// fromTarget notes the replies; it says no when replies are to be lost.
func (p *FaultProxy) fromTarget(c *proxied, data []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.speaksRESP {
		p.countReply(c, data)
	}
	return !p.loseReply
}

func (p *FaultProxy) countRequest(c *proxied, data []byte) {
	if (c.awaited == 0 || c.subscribed) && !c.requests.midway() {
		p.flushes = append(p.flushes, Flush{Connection: c.number})
	}
	var flush *Flush
	for i := len(p.flushes) - 1; flush == nil; i-- {
		if p.flushes[i].Connection == c.number {
			flush = &p.flushes[i]
		}
	}
	for _, command := range c.requests.scan(data) {
		flush.Commands = append(flush.Commands, command.first)
		switch command.first {
		case "SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE":
			c.subscribed = true
		default:
			c.awaited++
		}
	}
}

func (p *FaultProxy) countReply(c *proxied, data []byte) {
	for _, reply := range c.replies.scan(data) {
		if reply.kind != '>' && c.awaited > 0 {
			c.awaited--
		}
	}
}

// pass waits while the proxy is a black hole and reports whether the
// connection still stands afterwards.
func (p *FaultProxy) pass(c *proxied) bool {
	for {
		p.mu.Lock()
		stall := p.stall
		p.mu.Unlock()
		if isClosed(stall) {
			return c.ctx.Err() == nil
		}
		select {
		case <-stall:
		case <-c.ctx.Done():
			return false
		}
	}
}

// drop closes a connection on both sides.
func (p *FaultProxy) drop(c *proxied) {
	c.end()
	_ = c.client.Close() // an error says that it is closed already
	c.mu.Lock()
	if c.target != nil {
		_ = c.target.Close()
	}
	c.mu.Unlock()
	p.mu.Lock()
	delete(p.open, c)
	p.mu.Unlock()
}

// abort makes both sides see a reset, not an orderly end, when they are closed.
func (c *proxied) abort() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, connection := range []net.Conn{c.client, c.target} {
		if tcp, ok := connection.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // fails only on a connection already closed
		}
	}
}

func (p *FaultProxy) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.RefuseNew()
	p.Cut()
	p.running.Wait()
}

func isClosed(channel <-chan struct{}) bool {
	select {
	case <-channel:
		return true
	default:
		return false
	}
}
