package redisstore

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/alicebob/miniredis/v2/server"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

const (
	// sweepInterval is how often the embedded server removes what has expired.
	sweepInterval = time.Second
	// sweepBatch bounds how long one step of a sweep holds up other commands:
	// about a millisecond.
	sweepBatch = 100
	// embeddedConnections are enough for a server that does one thing at a time.
	embeddedConnections = 8
)

// OpenEmbedded returns a store with a Redis of its own inside this process,
// which listens nowhere and ends with Close. Nothing survives it. URL is not
// used.
func OpenEmbedded(ctx context.Context, options Options) (*Store, error) {
	options.setDefaults()
	e, err := startEmbedded(options.Logger, options.Clock)
	if err != nil {
		return nil, err
	}
	s := e.open(options)
	s.embedded = e
	return s, s.Ping(ctx)
}

// embedded is a miniredis whose keys expire.
//
// By itself miniredis forgets nothing: the expiry of a key counts down only
// when FastForward, or ClockTTL before every command, walks over all keys in
// sorted order with the server locked, some 100 ms for 100,000 sign-ups. So
// the deadlines are noted here as PEXPIREAT passes by, ordered by time, and
// once a second those keys are deleted whose time has come. That costs nothing
// while nothing expires, however many keys there are.
type embedded struct {
	server    *miniredis.Miniredis
	scripts   *interpreter
	client    *redis.Client
	clock     func() time.Time
	logger    *slog.Logger
	deadlines deadlines
	cancel    context.CancelFunc
	done      chan struct{}
}

func startEmbedded(logger *slog.Logger, clock func() time.Time) (*embedded, error) {
	e := &embedded{server: miniredis.NewMiniRedis(), clock: clock, logger: logger, done: make(chan struct{})}
	// Before the first command, not only at the first sweep: PEXPIREAT counts
	// from this time.
	e.server.SetTime(clock())
	// The first connection brings up the server without a listener.
	connection, err := e.server.Dial()
	if err != nil {
		return nil, fmt.Errorf("embedded Redis: %w", err)
	}
	_ = connection.Close()
	if e.scripts, err = newInterpreter(e.server.Server(), createScript, loadScript, saveScript, takeScript, expireScript); err != nil {
		return nil, fmt.Errorf("embedded Redis: %w", err)
	}
	e.server.Server().SetPreHook(e.beforeCommand)
	if err := e.server.Server().Register("STEPWISE.EXPIRED", e.answerExpired); err != nil {
		return nil, fmt.Errorf("embedded Redis: %w", err)
	}
	e.client = redis.NewClient(&redis.Options{
		Dialer: e.dial, Protocol: 2, PoolSize: 1, PipelinePoolSize: -1, DisableIdentity: true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
	ctx, cancel := context.WithCancel(context.Background())
	e.cancel = cancel
	go e.keepSweeping(ctx)
	return e, nil
}

// open returns a store on this server, as another process would have it.
func (e *embedded) open(options Options) *Store {
	s := newStore(options, &redis.UniversalOptions{
		Addrs: []string{"embedded"}, Dialer: e.dial, PoolSize: embeddedConnections,
	})
	s.local = e
	return s
}

func (e *embedded) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return e.server.Dial()
}

// Close ends the server and forgets everything.
func (e *embedded) Close() error {
	e.cancel()
	<-e.done
	err := e.client.Close()
	e.server.Close()
	e.scripts.close()
	return err
}

// beforeCommand sees every command, those inside of scripts included. It returns
// true where it has executed it.
func (e *embedded) beforeCommand(peer *server.Peer, name string, arguments ...string) bool {
	switch name {
	case "EVALSHA":
		return e.scripts.run(peer, arguments)
	case "PEXPIREAT":
		if len(arguments) != 2 {
			break
		}
		if at, err := strconv.ParseInt(arguments[1], 10, 64); err == nil {
			e.deadlines.set(arguments[0], at)
		}
	}
	return false
}

// answerExpired executes STEPWISE.EXPIRED, which a script uses to find out
// whether a key is still due: it may have been written meanwhile.
func (e *embedded) answerExpired(peer *server.Peer, _ string, arguments []string) {
	answer := 0
	if len(arguments) == 1 && e.deadlines.remove(arguments[0], e.clock().UnixMilli()) {
		answer = 1
	}
	peer.WriteInt(answer)
}

// register does what the scripts register and strike do. It comes with every
// create, of which as a script it would cost a third.
func (e *embedded) register(r registration) {
	e.scripts.mu.Lock() // or the register could expire in the middle
	defer e.scripts.mu.Unlock()
	if r.due.IsZero() {
		_, _ = e.server.ZRem(r.key, r.member) // what is not there is struck out
		return
	}
	// Errors say that something else has the name, which nothing has.
	_, _ = e.server.ZAdd(r.key, float64(millis(r.due)), r.member)
	expireAt := r.expireAt()
	if kept, _ := e.server.ZScore(r.key, ""); kept < float64(millis(expireAt)) {
		_, _ = e.server.ZAdd(r.key, float64(millis(expireAt)), "")
		e.server.SetTTL(r.key, expireAt.Sub(e.clock()))
		e.deadlines.set(r.key, millis(expireAt))
	}
}

func (e *embedded) keepSweeping(ctx context.Context) {
	defer close(e.done)
	ticker := time.NewTicker(sweepInterval)
	defer ticker.Stop()
	for {
		if err := e.sweep(ctx); err != nil && ctx.Err() == nil {
			e.logger.ErrorContext(ctx, "embedded Redis: cannot remove what has expired", "error", err)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// sweep deletes every key whose time has come.
func (e *embedded) sweep(ctx context.Context) error {
	now := e.clock()
	e.server.SetTime(now) // or PEXPIREAT would compare with another clock
	for ctx.Err() == nil {
		keys := e.deadlines.due(now.UnixMilli(), sweepBatch)
		if len(keys) == 0 {
			return nil
		}
		if _, err := expireScript.run(ctx, e.client, keys); err != nil {
			return err
		}
	}
	return ctx.Err()
}
