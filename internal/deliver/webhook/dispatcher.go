// Package webhook brings events from the SQL outbox to the app's backend, signed
// as Standard Webhooks 1.0 prescribes.
//
// A [Dispatcher] looks every second for what is due, sends it, and records what
// came of it. It promises at least once: a process may die between an endpoint's
// answer and the record of it, and the event is sent again then. The header
// webhook-id is the event's id at every try, by which receivers tell that they
// have seen it. Events may arrive out of order.
//
// Any number of processes may run a Dispatcher over the same Source.
package webhook

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"time"

	"stepwise/internal/signup"
)

// Source is the outbox. Errors mean that it could not be reached or answered, and
// that the outcome of a write is unknown; every call may be repeated.
type Source interface {
	// FanOutEvents makes deliveries of events that nobody has looked at, oldest
	// first, and says of how many. It does not have to do all at once.
	FanOutEvents(ctx context.Context) (int, error)
	// ClaimDeliveries returns up to limit deliveries that are due to enabled
	// endpoints. Nobody else gets them, and they are not due again, before lease is
	// over; then they are, unless they were settled.
	ClaimDeliveries(ctx context.Context, limit int, lease time.Duration) ([]signup.DueDelivery, error)
	// SettleDelivery records the outcome of a claim. One that is over already stays
	// as it is. signup.ErrNoRow where the delivery was deleted meanwhile.
	SettleDelivery(ctx context.Context, d signup.Delivery, r signup.DeliveryResult) error
	// DisableEndpoint stops all deliveries to the endpoint until an operator enables
	// it again. signup.ErrNoRow where it was deleted meanwhile.
	DisableEndpoint(ctx context.Context, instance, endpointID string) error
	// PurgeEvents forgets old events that are not on their way any more.
	PurgeEvents(ctx context.Context, before time.Time) error
}

// Config is what a Dispatcher is made of. Source and Client are needed.
type Config struct {
	Source Source
	// Client sends the requests. It is the one that refuses addresses that must
	// not be reached; redirects it does not get to follow, nor cookies to keep.
	Client *http.Client
	// IsPrivate recognizes the error by which Client refuses an address; without
	// it, such a refusal is recorded as a request that failed.
	IsPrivate func(error) bool
	// Now is the clock of timestamps and retries; time.Now where nil.
	Now    func() time.Time
	Logger *slog.Logger
	// Random spreads retries: a number in [0, 1); math/rand's where nil. It is
	// called from several goroutines.
	Random func() float64
	// Interval is how often to look for what is due; 1 s where zero.
	Interval time.Duration
	// Concurrency is how many deliveries are under way at once, one to an endpoint;
	// 4 where zero. Endpoints that are slow to answer are counted apart, as many
	// again, so that they keep nobody else waiting.
	Concurrency int
	// Retention is how long events are kept; [signup.EventRetention] where zero.
	Retention time.Duration
}

// Dispatcher brings events to endpoints. It is safe for concurrent use.
type Dispatcher struct {
	source      Source
	client      *http.Client
	isPrivate   func(error) bool
	clock       func() time.Time
	log         *slog.Logger
	random      func() float64
	interval    time.Duration
	concurrency int
	retention   time.Duration

	wake    chan struct{} // of one: more wake-ups than that say nothing new
	running atomic.Bool
}

// New returns a Dispatcher, which does nothing before Run. It panics where Source
// or Client is missing.
func New(c Config) *Dispatcher {
	if c.Source == nil || c.Client == nil {
		panic("webhook: a Dispatcher needs a Source and a Client")
	}
	client := *c.Client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	client.Jar, client.Timeout = nil, 0
	d := &Dispatcher{
		source: c.Source, client: &client, isPrivate: c.IsPrivate, clock: c.Now, log: c.Logger, random: c.Random,
		interval: c.Interval, concurrency: c.Concurrency, retention: c.Retention,
		wake: make(chan struct{}, 1),
	}
	if d.isPrivate == nil {
		d.isPrivate = func(error) bool { return false }
	}
	if d.clock == nil {
		d.clock = time.Now
	}
	if d.log == nil {
		d.log = slog.New(slog.DiscardHandler)
	}
	if d.random == nil {
		d.random = rand.Float64
	}
	if d.interval <= 0 {
		d.interval = time.Second
	}
	if d.concurrency <= 0 {
		d.concurrency = 4
	}
	if d.retention <= 0 {
		d.retention = signup.EventRetention
	}
	return d
}

// now is the time in the stores' precision.
func (d *Dispatcher) now() time.Time { return d.clock().UTC().Truncate(time.Millisecond) }

// Wake says that something may have become due. It does not block, and may be
// called whether or not Run is running.
func (d *Dispatcher) Wake() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// gather is how long after a wake to look: under load each sign-up wakes, and one
// look serves many.
const gather = 20 * time.Millisecond

// Run sends what is due until ctx ends. Then it claims nothing more, gives back
// what it has not begun, lets requests under way finish for a few seconds, and
// returns nil within 20 s. Only one Run of a Dispatcher may be running; a second
// one returns an error at once.
func (d *Dispatcher) Run(ctx context.Context) error {
	if !d.running.CompareAndSwap(false, true) {
		return errors.New("webhook: the dispatcher is running already")
	}
	defer d.running.Store(false)
	r := newRun(ctx, d)
	defer r.cancel(nil)
	next := time.NewTimer(0)
	defer next.Stop()
	var gathered <-chan time.Time // set while more may be waking
	for {
		select {
		case <-ctx.Done():
			r.stop()
			return nil
		case e := <-r.ended:
			r.end(e)
			if r.begin(); !r.more || r.waiting() > holdLimit/2 {
				continue
			}
		case <-d.wake:
			if gathered == nil {
				gathered = time.After(gather)
			}
			continue
		case <-gathered:
			gathered = nil
		case <-next.C:
		}
		if ctx.Err() == nil && !r.paused(time.Now()) {
			next.Reset(r.round(ctx))
		}
	}
}
