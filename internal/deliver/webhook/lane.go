package webhook

import (
	"context"
	"slices"
	"time"

	"stepwise/internal/signup"
)

const (
	// slowAfter is how long a try may take before its endpoint counts as slow,
	// until a try is faster again.
	slowAfter = 2 * time.Second
	// slowQueue is how many claims wait for a slow endpoint. Even if all of them
	// time out, the last is tried before its lease is over.
	slowQueue = 8
	// holdLimit is how many claims wait for, or are under way to, endpoints that
	// are not slow.
	holdLimit = 64
	// lease is how long a claim is ours.
	lease = 5 * time.Minute
)

// held is a claim. It must not be tried once lastStart has passed: the lease might
// be over before the outcome is settled, and somebody else try too.
type held struct {
	signup.DueDelivery
	lastStart time.Time
	leaseEnd  time.Time
}

// lane is the queue of an endpoint, which is sent one event at a time.
type lane struct {
	queue []held
	busy  bool
	began time.Time // of the last try; zero where there was none
	slow  bool
}

// ending is how a try ended.
type ending struct {
	instance, endpoint string
	took               time.Duration
	gone               bool
	// says is what went wrong, empty if nothing did; cut is true where that was no
	// doing of the endpoint's.
	says string
	cut  bool
}

// take adds a claim to its endpoint's lane.
func (r *run) take(h held) {
	l := r.lanes[h.EndpointID]
	if l == nil {
		l = &lane{}
		r.lanes[h.EndpointID] = l
	}
	l.queue = append(l.queue, h)
}

// relieve finds the endpoints that have become slow during a try, and puts off
// what slow ones should not hold.
func (r *run) relieve(ctx context.Context) {
	failed := false
	for _, l := range r.lanes {
		if l.busy && time.Since(l.began) > slowAfter {
			l.slow = true
		}
		if !l.slow || len(l.queue) <= slowQueue || failed {
			continue
		}
		rest := l.queue[slowQueue:]
		l.queue = l.queue[:slowQueue:slowQueue]
		failed = !r.giveBack(ctx, rest, r.d.putOff) // one wait for the Source is enough
	}
}

// begin starts all tries for which there is room, beginning with the endpoint that
// has been left alone longest.
func (r *run) begin() {
	if r.ctx.Err() != nil {
		return
	}
	now := time.Now()
	var idle []*lane
	quick, slow := r.d.concurrency, r.d.concurrency // room for so many
	for endpoint, l := range r.lanes {
		for len(l.queue) > 0 && !now.Before(l.queue[0].lastStart) {
			l.queue = l.queue[1:] // due again once the lease is over
		}
		switch {
		case l.busy && l.slow:
			slow--
		case l.busy:
			quick--
		case len(l.queue) > 0:
			idle = append(idle, l)
		case !l.slow:
			delete(r.lanes, endpoint)
		}
	}
	slices.SortFunc(idle, func(a, b *lane) int { return a.began.Compare(b.began) })
	for _, l := range idle {
		room := &quick
		if l.slow {
			room = &slow
		}
		if *room <= 0 {
			continue
		}
		*room--
		h := l.queue[0]
		l.queue, l.busy, l.began = l.queue[1:], true, now
		go r.deliver(h)
	}
}

// end takes note of how a try ended.
func (r *run) end(e ending) {
	l := r.lanes[e.endpoint]
	l.busy, l.slow = false, e.took > slowAfter
	if e.gone {
		l.queue = nil // claimed, and not due again while the endpoint is disabled
	}
	r.tell(e)
}

// tell logs once when an endpoint begins to fail, and once when it takes events
// again; what came of each delivery is in the outbox.
func (r *run) tell(e ending) {
	switch failing := r.failing[e.endpoint]; {
	case e.cut:
	case e.gone:
		delete(r.failing, e.endpoint) // which was logged
	case e.says != "" && !failing:
		r.failing[e.endpoint] = true
		r.d.log.WarnContext(r.ctx, "webhook endpoint does not take events, which are tried again", "instance", e.instance, "endpoint", e.endpoint, "error", e.says)
	case e.says == "" && failing:
		delete(r.failing, e.endpoint)
		r.d.log.InfoContext(r.ctx, "webhook endpoint takes events again", "instance", e.instance, "endpoint", e.endpoint)
	}
}

// waiting counts the claims of endpoints that are not slow.
func (r *run) waiting() int {
	n := 0
	for _, l := range r.lanes {
		if l.slow {
			continue
		}
		n += len(l.queue)
		if l.busy {
			n++
		}
	}
	return n
}
