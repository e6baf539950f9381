package redisstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"stepwise/internal/signup"
)

// Whatever happens to Redis, an answer comes within answerLimit. The other
// limits only decide what is noticed earlier.
const (
	answerLimit  = 2 * time.Second
	dialTimeout  = time.Second
	readTimeout  = 1500 * time.Millisecond
	writeTimeout = time.Second
	// poolPerCPU times the processors is how many connections there are to each
	// server at most, besides the one for hints.
	poolPerCPU = 10
)

// Options say where the store is and what it uses.
type Options struct {
	// URL is redis://[user:password@]host:port[/db] or rediss:// for TLS, with
	// several hosts separated by commas where there are several:
	//
	//	redis+sentinel://host:port,host:port/[db]?master_name=name
	//	redis+cluster://host:port,host:port
	//
	// also as rediss+…; or redis:// with ?master_name= or ?cluster=true, and
	// with further hosts as &addr=. sentinel_username and sentinel_password
	// are for the Sentinels themselves.
	URL string
	// Logger gets what operators should know; nil discards it.
	Logger *slog.Logger
	// Clock is time.Now where nil. The times that callers pass in should come
	// from the same clock.
	Clock func() time.Time

	// heartbeat and silence are shortened by tests.
	heartbeat, silence time.Duration
}

func (o *Options) setDefaults() {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.heartbeat == 0 {
		o.heartbeat, o.silence = heartbeat, silenceLimit
	}
}

// Store is [signup.Attempts], [signup.Hints], [signup.Budgets] and
// [signup.Pinger] on one Redis. Its methods may be called concurrently.
type Store struct {
	*hints
	client redis.UniversalClient
	clock  func() time.Time
	// embedded is the server this store brought along, nil where it did not.
	embedded io.Closer
	// local is the embedded server, whoever brought it along; nil where Redis is
	// elsewhere.
	local *embedded
}

var _ signup.Pinger = (*Store)(nil)

// Open returns a store on the Redis at the URL. Only a URL that makes no sense
// is an error: a Redis that does not answer is logged, and used as soon as it
// does. ctx bounds the one attempt to reach it.
func Open(ctx context.Context, options Options) (*Store, error) {
	options.setDefaults()
	settings, err := parseURL(options.URL)
	if err != nil {
		return nil, err
	}
	s := newStore(options, settings)
	if err := s.Ping(ctx); err != nil {
		options.Logger.WarnContext(ctx, "Redis does not answer yet", "url", redact(options.URL), "error", err)
	}
	return s, nil
}

// silence keeps go-redis from writing to standard error: what it has to say is
// in the errors it returns.
type silence struct{}

func (silence) Printf(context.Context, string, ...any) {}

func init() { redis.SetLogger(silence{}) }

// newStore completes the settings by what is the same for every Redis.
func newStore(options Options, settings *redis.UniversalOptions) *Store {
	settings.Protocol = 2 // version 3 adds only what is not used here
	settings.DisableIdentity = true
	settings.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	settings.ContextTimeoutEnabled = true
	settings.DialTimeout = dialTimeout
	settings.DialerRetries = 1
	settings.ReadTimeout = readTimeout
	settings.WriteTimeout = writeTimeout
	settings.PoolTimeout = readTimeout
	settings.MaxRetries = -1
	settings.PipelinePoolSize = -1
	if settings.PoolSize == 0 {
		settings.PoolSize = poolPerCPU * runtime.GOMAXPROCS(0)
	}
	client := redis.NewUniversalClient(settings)
	return &Store{client: client, clock: options.Clock, hints: newHints(client, options)}
}

// Ping reports whether Redis answers.
func (s *Store) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	if err := s.client.Ping(ctx).Err(); err != nil {
		return fmt.Errorf("redis: %w", err)
	}
	return nil
}

// Close ends every connection and the embedded server, if there is one. No
// watcher gets a hint afterwards, and every other method fails.
func (s *Store) Close() error {
	s.hints.close()
	err := s.client.Close()
	if s.embedded != nil {
		err = errors.Join(err, s.embedded.Close())
	}
	return err
}

// run executes a script within the time in which a store must answer.
func (s *Store) run(ctx context.Context, script script, keys []string, arguments ...any) (any, error) {
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("redis: %w", err)
	}
	return script.run(ctx, s.client, keys, arguments...)
}

// flush sends commands together, on a cluster to each server its own, and leaves
// with each what became of it. The embedded server gets one after the other: there
// is no way to it to save, and with an answer that nobody reads yet it would not
// read on.
func (s *Store) flush(ctx context.Context, commands ...redis.Cmder) {
	if s.local != nil {
		for _, command := range commands {
			_ = s.client.Process(ctx, command)
		}
		return
	}
	pipe := s.client.Pipeline()
	for _, command := range commands {
		_ = pipe.Process(ctx, command) // only adds it
	}
	_, _ = pipe.Exec(ctx)
}
