package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"stepwise/internal/signup"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	errOutbox = errors.New("the outbox does not answer")
	testKey   = []byte("canary-key-of-thirty-two-bytes!!")
	testTime  = time.Date(2026, 3, 29, 1, 59, 0, 123_000_000, time.UTC)
)

// outbox is a Source in memory.
type outbox struct {
	now func() time.Time
	// fault, if set, decides what befalls a call: before it is applied, or after.
	fault func(call string) (before, after error)

	mu         sync.Mutex
	endpoints  map[string]*endpoint
	events     []signup.Event
	deliveries []*signup.Delivery // as they were made
	calls      map[string]int
	results    map[string][]signup.DeliveryResult // by delivery
	purged     []time.Time
}

type endpoint struct {
	url      string
	secret   []byte
	disabled bool
}

func newOutbox(now func() time.Time) *outbox {
	return &outbox{now: now, endpoints: map[string]*endpoint{}, calls: map[string]int{}, results: map[string][]signup.DeliveryResult{}}
}

func (o *outbox) addEndpoint(id, url string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.endpoints[id] = &endpoint{url: url, secret: testKey}
}

// add makes events that have not been fanned out.
func (o *outbox) add(ids ...string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, id := range ids {
		o.events = append(o.events, signup.Event{ID: id, Kind: "user.created", Body: []byte(`{"id":"user_` + id + `"}`), At: o.now()})
	}
}

func (o *outbox) call(name string, apply func() error) error {
	var before, after error
	if o.fault != nil {
		before, after = o.fault(name)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.calls[name]++
	if before != nil {
		return before
	}
	if err := apply(); err != nil {
		return err
	}
	return after
}

func (o *outbox) FanOutEvents(context.Context) (n int, err error) {
	err = o.call("fan out", func() error {
		n = min(len(o.events), 10)
		for _, e := range o.events[:n] {
			for id := range o.endpoints {
				o.deliveries = append(o.deliveries, &signup.Delivery{
					ID: "whd_" + e.ID + "_" + id, Instance: "ins_1", EndpointID: id, Event: e, CreatedAt: o.now(), NotBefore: o.now(),
				})
			}
		}
		o.events = o.events[n:]
		return nil
	})
	return n, err
}

func (o *outbox) ClaimDeliveries(_ context.Context, limit int, lease time.Duration) (claimed []signup.DueDelivery, err error) {
	err = o.call("claim", func() error {
		due := slices.Clone(o.deliveries)
		slices.SortStableFunc(due, func(a, b *signup.Delivery) int { return a.NotBefore.Compare(b.NotBefore) })
		for _, d := range due {
			e := o.endpoints[d.EndpointID]
			if len(claimed) == limit || isOver(*d) || d.NotBefore.After(o.now()) || e.disabled {
				continue
			}
			d.NotBefore = o.now().Add(lease)
			d.Tries++
			claimed = append(claimed, signup.DueDelivery{Delivery: *d, URL: e.url, Secret: e.secret})
		}
		return nil
	})
	return claimed, err
}

func isOver(d signup.Delivery) bool { return !d.DoneAt.IsZero() || !d.FailedAt.IsZero() }

func (o *outbox) SettleDelivery(_ context.Context, d signup.Delivery, r signup.DeliveryResult) error {
	return o.call("settle", func() error {
		i := slices.IndexFunc(o.deliveries, func(has *signup.Delivery) bool { return has.ID == d.ID })
		if i < 0 {
			return signup.ErrNoRow
		}
		o.results[d.ID] = append(o.results[d.ID], r)
		row := o.deliveries[i]
		switch {
		case isOver(*row):
			return nil
		case r.Done:
			row.DoneAt = r.At
		case r.RetryAt.IsZero():
			row.FailedAt = r.At
		default:
			row.NotBefore = r.RetryAt
		}
		row.LastStatus, row.LastError = r.Status, r.Error
		return nil
	})
}

func (o *outbox) DisableEndpoint(_ context.Context, instance, id string) error {
	return o.call("disable", func() error {
		if instance != "ins_1" || o.endpoints[id] == nil {
			return signup.ErrNoRow
		}
		o.endpoints[id].disabled = true
		return nil
	})
}

func (o *outbox) PurgeEvents(_ context.Context, before time.Time) error {
	return o.call("purge", func() error { o.purged = append(o.purged, before); return nil })
}

// snapshot returns the delivery of an event to an endpoint and its results.
func (o *outbox) snapshot(event, endpoint string) (signup.Delivery, []signup.DeliveryResult) {
	o.mu.Lock()
	defer o.mu.Unlock()
	id := "whd_" + event + "_" + endpoint
	for _, d := range o.deliveries {
		if d.ID == id {
			return *d, slices.Clone(o.results[id])
		}
	}
	return signup.Delivery{}, nil
}

func (o *outbox) count(call string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.calls[call]
}

// allOver reports whether there is nothing left to do.
func (o *outbox) allOver() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.events) == 0 && !slices.ContainsFunc(o.deliveries, func(d *signup.Delivery) bool { return !isOver(*d) })
}

// answers plays all endpoints at once, without a network.
type answers func(r *http.Request) (*http.Response, error)

func (f answers) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func answer(status int, header ...string) *http.Response {
	h := http.Header{}
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader("words of the endpoint"))}
}

// hang is an endpoint that never answers.
func hang(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// seen is a request as an endpoint saw it.
type seen struct {
	at            time.Time
	host          string
	id, timestamp string
	signature     string
	body          string
}

// diary keeps what endpoints saw.
type diary struct {
	mu   sync.Mutex
	list []seen
}

func (d *diary) note(r *http.Request) seen {
	var body bytes.Buffer
	io.Copy(&body, r.Body)
	s := seen{time.Now(), r.URL.Hostname(), r.Header.Get("webhook-id"), r.Header.Get("webhook-timestamp"), r.Header.Get("webhook-signature"), body.String()}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.list = append(d.list, s)
	return s
}

func (d *diary) all() []seen {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.list)
}

// start runs a dispatcher and returns how to end it.
func start(t *testing.T, c Config) (d *Dispatcher, stop func()) {
	t.Helper()
	d = New(c)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	return d, sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

func numbered(prefix string, n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("%s%d", prefix, i)
	}
	return ids
}
