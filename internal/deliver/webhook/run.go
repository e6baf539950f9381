package webhook

import (
	"context"
	"errors"
	"runtime/debug"
	"time"

	"stepwise/internal/signup"
)

const (
	// callTimeout bounds a call of the Source.
	callTimeout = 10 * time.Second
	// maxPause is the longest pause between attempts at a Source that is down.
	maxPause = 30 * time.Second
	// writeTimeout bounds the record of an outcome.
	writeTimeout = 5 * time.Second
	// stopGrace is how long tries may go on at shutdown.
	stopGrace  = 5 * time.Second
	purgeEvery = time.Hour
)

// run is the state of a Run. It belongs to Run's goroutine, but for deliver and
// settle, which run in the tries'.
type run struct {
	d *Dispatcher
	// ctx ends when Run shall end; tries go by tryCtx, which outlasts it a little.
	ctx    context.Context
	tryCtx context.Context
	cancel context.CancelCauseFunc

	lanes map[string]*lane // by endpoint
	ended chan ending
	// failing are the endpoints of which it was logged.
	failing map[string]bool
	// more: the last claim got all it asked for, so that more may be due.
	more bool

	pause  time.Duration // the last one, while the Source is down
	resume time.Time     // when it is asked again
	purged time.Time
	asking outage
	// settling fails apart from asking: a single record may be at fault.
	settling outage
}

func newRun(ctx context.Context, d *Dispatcher) *run {
	r := &run{d: d, ctx: ctx, lanes: map[string]*lane{}, ended: make(chan ending), failing: map[string]bool{}}
	r.tryCtx, r.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	r.asking = outage{log: d.log, what: "the webhook outbox does not answer"}
	r.settling = outage{log: d.log, what: "outcomes of webhook deliveries cannot be recorded"}
	return r
}

// paused reports whether the Source shall be left alone.
func (r *run) paused(now time.Time) bool { return now.Before(r.resume) }

// round asks the Source for all there is room for, begins it, and says when to
// ask again.
func (r *run) round(ctx context.Context) time.Duration {
	r.relieve(ctx)
	fanned, err := r.ask(ctx)
	r.begin()
	switch {
	case err == nil:
		r.asking.over(ctx)
		r.pause = 0
		if fanned > 0 {
			return 0 // there may be more events
		}
		return r.d.interval
	case ctx.Err() != nil:
		return r.d.interval
	}
	r.asking.note(ctx, err)
	r.pause = min(max(r.d.interval, 2*r.pause), max(maxPause, r.d.interval))
	r.resume = time.Now().Add(r.pause)
	return r.pause
}

// ask has events fanned out and claims what is due. A panic of the Source counts
// as an error.
func (r *run) ask(ctx context.Context) (fanned int, err error) {
	defer func() {
		if recover() != nil {
			r.d.log.ErrorContext(ctx, "the webhook outbox panicked", "stack", string(debug.Stack()))
			err = errors.New("panic")
		}
	}()
	r.more = false
	fanned, err = call(ctx, r.d.source.FanOutEvents)
	if err != nil {
		return fanned, err
	}
	for room := holdLimit - r.waiting(); room > 0 && ctx.Err() == nil; room = holdLimit - r.waiting() {
		asked := time.Now()
		claimed, err := call(ctx, func(ctx context.Context) ([]signup.DueDelivery, error) {
			return r.d.source.ClaimDeliveries(ctx, room, lease)
		})
		if err != nil {
			return fanned, err
		}
		for _, due := range claimed {
			r.take(held{due, asked.Add(lease - tryTimeout - callTimeout), asked.Add(lease)})
		}
		r.relieve(ctx)
		if r.more = len(claimed) >= room; !r.more {
			break
		}
	}
	r.purge(ctx)
	return fanned, nil
}

// purge forgets old events, once an hour. Nothing waits for that, so a failure is
// logged and no more.
func (r *run) purge(ctx context.Context) {
	now := r.d.now()
	if now.Sub(r.purged) < purgeEvery {
		return
	}
	r.purged = now
	_, err := call(ctx, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, r.d.source.PurgeEvents(ctx, now.Add(-r.d.retention))
	})
	if err != nil && ctx.Err() == nil {
		r.d.log.WarnContext(ctx, "old webhook events were not deleted", "error", err)
	}
}

// call bounds a call of the Source.
func call[T any](ctx context.Context, f func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return f(ctx)
}

// deliver makes a try and records what came of it.
func (r *run) deliver(h held) {
	e := ending{instance: h.Instance, endpoint: h.EndpointID, cut: true} // unless it comes to an outcome
	defer func() {
		if recover() != nil { // of the Source; the claim is due again when its lease is over
			r.d.log.ErrorContext(r.ctx, "recording a webhook delivery panicked", "delivery", h.ID, "stack", string(debug.Stack()))
		}
		r.ended <- e
	}()
	began := time.Now()
	o := r.d.try(r.tryCtx, h.DueDelivery)
	e.took, e.gone, e.says = time.Since(began), o.gone, o.Error
	e.cut = o.Error == saysStopped || o.Error == saysUnsendable || o.Error == saysInternal
	if o.gone {
		disabled := r.record(h, func(ctx context.Context) error {
			return r.d.source.DisableEndpoint(ctx, h.Instance, h.EndpointID)
		})
		if !disabled {
			return // it will say so again
		}
		r.d.log.WarnContext(r.ctx, "webhook endpoint disabled: it answered with status 410", "instance", h.Instance, "endpoint", h.EndpointID)
	}
	r.record(h, func(ctx context.Context) error {
		return r.d.source.SettleDelivery(ctx, h.Delivery, o.DeliveryResult)
	})
}

// record writes until it succeeds, the lease is over, or Run shall end, and says
// whether it succeeded. What is not recorded is found out again by the next try.
func (r *run) record(h held, write func(context.Context) error) bool {
	for pause := time.Second; ; pause = min(2*pause, maxPause) {
		err := r.write(context.WithoutCancel(r.ctx), write)
		if err == nil || !time.Now().Add(pause).Before(h.leaseEnd) {
			return err == nil
		}
		select {
		case <-time.After(pause):
		case <-r.ctx.Done():
			return false
		}
	}
}

// write calls the Source once, and takes a row that has gone for written.
func (r *run) write(ctx context.Context, write func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	err := write(ctx)
	switch {
	case err == nil, errors.Is(err, signup.ErrNoRow):
		r.settling.over(ctx)
		return nil
	case !errors.Is(err, context.Canceled): // that is shutdown
		r.settling.note(ctx, err)
	}
	return err
}

// giveBack settles claims that are not tried, until that fails, which it reports.
// What is left, and what is not ours any more, is due again when its lease is over.
func (r *run) giveBack(ctx context.Context, claims []held, as func(signup.Delivery) signup.DeliveryResult) (ok bool) {
	for _, h := range claims {
		if !time.Now().Before(h.lastStart) {
			continue
		}
		err := r.write(ctx, func(ctx context.Context) error {
			return r.d.source.SettleDelivery(ctx, h.Delivery, as(h.Delivery))
		})
		if err != nil {
			return false
		}
	}
	return true
}

// stop gives back what was not begun and waits for the tries.
func (r *run) stop() {
	grace := time.AfterFunc(stopGrace, func() { r.cancel(errStopping) })
	defer grace.Stop()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.ctx), writeTimeout)
	defer cancel()
	busy, ok := 0, true
	for _, l := range r.lanes {
		if l.busy {
			busy++
		}
		ok = ok && r.giveBack(ctx, l.queue, r.d.stopped)
	}
	for ; busy > 0; busy-- {
		<-r.ended
	}
}
