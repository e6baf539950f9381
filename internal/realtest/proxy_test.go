package realtest

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

func TestProxyPassesBytes(t *testing.T) {
	p := Proxy(t, echoServer(t).addr)
	c := dial(t, p)
	c.exchange("hello")
	c.exchange("again")
	second := dial(t, p)
	second.exchange("beside")
	if p.Connections() != 2 || p.Open() != 2 {
		t.Errorf("%d connections accepted and %d open, want 2 and 2", p.Connections(), p.Open())
	}
	if p.RoundTrips() != 0 || len(p.Flushes()) != 0 {
		t.Error("round trips are counted without knowing the protocol")
	}
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the proxy", nil, stopLimit, func() error {
		if p.Open() != 1 {
			return errors.New("the closed connection is still open")
		}
		return nil
	})
	c.exchange("still here")
}

func TestProxyEndsWithTarget(t *testing.T) {
	target := echoServer(t)
	p := Proxy(t, target.addr)
	c := dial(t, p)
	c.exchange("hello")
	target.stop()
	if _, err := c.reader.ReadString('\n'); err != io.EOF {
		t.Errorf("read after the target closed: %v, want EOF", err)
	}
	if _, err := dial(t, p).reader.ReadString('\n'); err == nil {
		t.Error("a connection stands although the target is down")
	}
}

func TestProxyCut(t *testing.T) {
	p := Proxy(t, echoServer(t).addr)
	c := dial(t, p)
	c.exchange("hello")
	p.Cut()
	if _, err := c.reader.ReadString('\n'); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("read after Cut: %v, want a reset", err)
	}
	dial(t, p).exchange("new ones are served")
}

func TestProxyRefuseNew(t *testing.T) {
	p := Proxy(t, echoServer(t).addr)
	c := dial(t, p)
	c.exchange("hello")
	p.RefuseNew()
	p.RefuseNew() // twice is once
	if _, err := net.Dial("tcp", p.Addr); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("dial: %v, want refused", err)
	}
	c.exchange("the old one is served")
	p.Resume()
	dial(t, p).exchange("on the same address")
}

func TestProxyDelay(t *testing.T) {
	p := Proxy(t, echoServer(t).addr)
	c := dial(t, p)
	const delay = 120 * time.Millisecond
	p.Delay(delay)
	begin := time.Now()
	c.exchange("slow")
	if took := time.Since(begin); took < delay {
		t.Errorf("took %v, want at least %v", took, delay)
	}
	p.Delay(time.Hour)
	c.send("held back")
	p.Cut() // and nothing waits an hour for it
	p.Resume()
	dial(t, p).exchange("fast")
}

func TestProxyBlackhole(t *testing.T) {
	p := Proxy(t, echoServer(t).addr)
	old := dial(t, p)
	old.exchange("hello")
	p.Blackhole()
	p.Blackhole() // twice is once
	fresh := dial(t, p)
	for _, c := range []*line{old, fresh} {
		c.send("lost?")
		if err := c.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		_, err := c.reader.ReadString('\n')
		if timeout, ok := errors.AsType[net.Error](err); !ok || !timeout.Timeout() {
			t.Errorf("read from a black hole: %v, want a timeout", err)
		}
		if err := c.SetReadDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	p.Resume()
	for _, c := range []*line{old, fresh} {
		c.expect("lost?")
		c.exchange("served")
	}
	p.Blackhole() // and the cleanup does not wait for it
	old.send("never arrives")
}

func TestProxyLoseReplies(t *testing.T) {
	target := echoServer(t)
	p := Proxy(t, target.addr)
	c := dial(t, p)
	c.exchange("hello")
	p.LoseReplies()
	c.send("done, but who knows")
	if text, err := c.reader.ReadString('\n'); err == nil {
		t.Errorf("a reply came through: %q", text)
	}
	if got := target.received(); !slices.Contains(got, "done, but who knows\n") {
		t.Errorf("the target received %q, want the request among it", got)
	}
	p.Resume()
	dial(t, p).exchange("served")
}

func testRedisProxy(t *testing.T) {
	ctx := context.Background()
	p := RedisProxy(t, Redis(t).Addr)
	c := redis.NewClient(&redis.Options{
		Addr: p.Addr, MaxRetries: -1, PoolSize: 1,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
	defer c.Close()

	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	count := func(name string, want int, act func()) {
		t.Helper()
		before := p.RoundTrips()
		act()
		if got := p.RoundTrips() - before; got != want {
			t.Errorf("%s: %d round trips, want %d: %v", name, got, want, p.Flushes())
		}
	}
	count("first command, on a fresh connection", 1, func() { must(c.Set(ctx, "a", 1, 0).Err()) })
	count("two commands", 2, func() {
		must(c.Get(ctx, "a").Err())
		must(c.Get(ctx, "a").Err())
	})
	count("pipeline", 1, func() {
		_, err := c.Pipelined(ctx, func(pipe redis.Pipeliner) error {
			pipe.Set(ctx, "b", make([]byte, 20<<10), 0)
			pipe.HGetAll(ctx, "none")
			pipe.LRange(ctx, "none", 0, -1)
			pipe.Get(ctx, "b")
			return nil
		})
		must(err)
	})
	count("transaction", 1, func() {
		_, err := c.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
			pipe.Incr(ctx, "a")
			return nil
		})
		must(err)
	})
	flushes := p.Flushes()
	if got, want := flushes[len(flushes)-2].Commands, []string{"SET", "HGETALL", "LRANGE", "GET"}; !slices.Equal(got, want) {
		t.Errorf("the pipeline's commands are %v, want %v", got, want)
	}
	if got, want := flushes[len(flushes)-1].Commands, []string{"MULTI", "INCR", "EXEC"}; !slices.Equal(got, want) {
		t.Errorf("the transaction's commands are %v, want %v", got, want)
	}
	if p.Connections() != 2 { // go-redis keeps a pool for pipelines beside the one for single commands
		t.Errorf("%d connections, want one of each pool: %v", p.Connections(), flushes)
	}

	subscription := c.Subscribe(ctx, "channel")
	defer subscription.Close()
	_, err := subscription.Receive(ctx)
	must(err)
	count("publish to a subscriber", 1, func() {
		must(c.Publish(ctx, "channel", "event").Err())
		_, err := subscription.ReceiveMessage(ctx)
		must(err)
	})
	count("script, not cached", 2, func() { must(redis.NewScript("return 1").Run(ctx, c, nil).Err()) })
	count("script, cached", 1, func() { must(redis.NewScript("return 1").Run(ctx, c, nil).Err()) })
}

// echo is a server that sends back every line it receives.
type echo struct {
	addr  string
	stop  func()
	lines chan string
}

func echoServer(t *testing.T) *echo {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	e := &echo{addr: listener.Addr().String(), lines: make(chan string, 100)}
	e.stop = func() {
		cancel()
		_ = listener.Close()
	}
	t.Cleanup(e.stop)
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			context.AfterFunc(ctx, func() { _ = connection.Close() })
			go func() {
				reader := bufio.NewReader(connection)
				for {
					text, err := reader.ReadString('\n')
					if err != nil {
						_ = connection.Close()
						return
					}
					e.lines <- text
					if _, err := io.WriteString(connection, text); err != nil {
						return
					}
				}
			}()
		}
	}()
	return e
}

// received returns the lines that came in since the last call.
func (e *echo) received() []string {
	var lines []string
	for len(e.lines) > 0 {
		lines = append(lines, <-e.lines)
	}
	return lines
}

// line is a client of an echo server.
type line struct {
	net.Conn
	t      *testing.T
	reader *bufio.Reader
}

func dial(t *testing.T, p *FaultProxy) *line {
	t.Helper()
	connection, err := net.Dial("tcp", p.Addr)
	if err != nil {
		t.Fatalf("dial: %v", err)
	}
	t.Cleanup(func() { _ = connection.Close() })
	return &line{Conn: connection, t: t, reader: bufio.NewReader(connection)}
}

func (l *line) send(text string) {
	l.t.Helper()
	if _, err := io.WriteString(l, text+"\n"); err != nil {
		l.t.Fatalf("send %q: %v", text, err)
	}
}

func (l *line) expect(text string) {
	l.t.Helper()
	got, err := l.reader.ReadString('\n')
	if err != nil || got != text+"\n" {
		l.t.Fatalf("received %q, %v, want %q", got, err, text)
	}
}

func (l *line) exchange(text string) {
	l.t.Helper()
	l.send(text)
	l.expect(text)
}
