package webhook

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"stepwise/internal/signup"
)

// A process that dies between the endpoint's answer and the record of it leaves an
// event that is sent again, with the same id and body.
func TestDiedBeforeSettling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, saw := newOutbox(time.Now), &diary{}
		o.addEndpoint("whe_1", "http://a.test")
		dead := true
		o.fault = func(call string) (before, after error) {
			if call == "settle" && dead {
				return errOutbox, nil
			}
			return nil, nil
		}
		transport := answers(func(r *http.Request) (*http.Response, error) { saw.note(r); return answer(200), nil })
		config := Config{Source: o, Client: &http.Client{Transport: transport}}
		_, kill := start(t, config)
		o.add("evt_1")
		time.Sleep(10 * time.Second)
		kill()
		if d, _ := o.snapshot("evt_1", "whe_1"); isOver(d) {
			t.Fatal("it was settled: the test tests nothing")
		}
		dead = false
		_, stop := start(t, config)
		time.Sleep(lease + time.Second)
		stop()
		requests := saw.all()
		if len(requests) != 2 || requests[0].id != requests[1].id || requests[0].body != requests[1].body || requests[0].signature == requests[1].signature {
			t.Errorf("%+v", requests)
		}
		if requests[1].at.Sub(requests[0].at) < lease {
			t.Errorf("sent again after %v, while it was still claimed", requests[1].at.Sub(requests[0].at))
		}
		if d, _ := o.snapshot("evt_1", "whe_1"); d.DoneAt.IsZero() || d.Tries != 2 {
			t.Errorf("%+v", d)
		}
	})
}

// While the outbox cannot be reached, pauses grow, the log says so once, and
// nothing that was delivered is sent again once it is back in time.
func TestOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, saw, log := newOutbox(time.Now), &diary{}, &lines{}
		o.addEndpoint("whe_1", "http://a.test")
		var mu sync.Mutex
		down := false
		set := func(to bool) { mu.Lock(); defer mu.Unlock(); down = to }
		o.fault = func(string) (before, after error) {
			mu.Lock()
			defer mu.Unlock()
			if down {
				return errOutbox, nil
			}
			return nil, nil
		}
		transport := answers(func(r *http.Request) (*http.Response, error) {
			saw.note(r)
			set(true) // the answer comes, and the outbox goes
			return answer(200), nil
		})
		d, stop := start(t, Config{Source: o, Client: &http.Client{Transport: transport}, Logger: log.logger()})
		for outage := range 2 {
			o.add(fmt.Sprintf("evt_%d", outage))
			d.Wake()
			time.Sleep(gather)
			synctest.Wait() // the event is brought, and the outbox is down
			before, settled := o.count("fan out"), o.count("settle")
			for range 120 {
				d.Wake() // must not shorten a pause
				time.Sleep(time.Second)
			}
			if asked := o.count("fan out") - before; asked < 5 || asked > 9 { // after 1, 2, 4, 8, 16, 30, 30, 30 s
				t.Errorf("asked %d times in two minutes", asked)
			}
			if tried := o.count("settle") - settled; tried < 4 || tried > 9 {
				t.Errorf("tried to settle %d times in two minutes", tried)
			}
			set(false)
			time.Sleep(time.Minute)
		}
		time.Sleep(time.Hour)
		stop()
		if n := len(saw.all()); n != 2 || !o.allOver() {
			t.Errorf("%d requests, all over: %v", n, o.allOver())
		}
		for _, text := range []string{`"the webhook outbox does not answer"`, `"the webhook outbox does not answer: over"`, `"outcomes of webhook deliveries cannot be recorded"`} {
			if n := strings.Count(log.String(), text); n != 2 {
				t.Errorf("%s was logged %d times in two outages", text, n)
			}
		}
	})
}

// Shutdown lets a request under way finish, cuts short one that hangs, gives back
// what was not begun, and claims nothing more.
func TestShutdown(t *testing.T) {
	for _, c := range []struct {
		name   string
		takes  time.Duration // the first request
		within time.Duration
		done   bool
	}{
		{"finishes", 4 * time.Second, 4 * time.Second, true},
		{"hangs", time.Hour, 5 * time.Second, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o, saw := newOutbox(time.Now), &diary{}
				o.addEndpoint("whe_1", "http://a.test")
				transport := answers(func(r *http.Request) (*http.Response, error) {
					saw.note(r)
					select {
					case <-time.After(c.takes):
						return answer(200), nil
					case <-r.Context().Done():
						return nil, r.Context().Err()
					}
				})
				d, stop := start(t, Config{Source: o, Client: &http.Client{Transport: transport}})
				o.add(numbered("evt_", 5)...)
				d.Wake()
				synctest.Wait()
				asked, now := o.count("claim"), time.Now()
				stop()
				if took := time.Since(now); took != c.within {
					t.Errorf("it took %v", took)
				}
				if n := len(saw.all()); n != 1 || o.count("claim") != asked {
					t.Errorf("%d requests, %d claims after the end", n, o.count("claim")-asked)
				}
				for i, id := range numbered("evt_", 5) {
					delivery, results := o.snapshot(id, "whe_1")
					if i == 0 && c.done {
						if delivery.DoneAt.IsZero() {
							t.Errorf("%s: %+v", id, delivery)
						}
						continue
					}
					if len(results) != 1 || results[0].Error != "the server stopped first" || isOver(delivery) || delivery.NotBefore.After(time.Now()) {
						t.Errorf("%s is not due at once: %+v", id, delivery)
					}
				}
			})
		})
	}
}

// An outbox that does not take what is recorded keeps neither Run from ending nor
// other endpoints from their events for long.
func TestTheOutboxTakesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hanging, saw := hangingOutbox{newOutbox(time.Now)}, &diary{}
		for _, host := range []string{"gone", "slow", "other"} {
			hanging.addEndpoint("whe_"+host, "http://"+host+".test")
		}
		transport := answers(func(r *http.Request) (*http.Response, error) {
			switch saw.note(r).host {
			case "gone.test":
				return answer(410), nil
			case "slow.test":
				return hang(r)
			}
			return answer(200), nil
		})
		d, stop := start(t, Config{Source: hanging, Client: &http.Client{Transport: transport}})
		hanging.add(numbered("evt_", 60)...)
		time.Sleep(30 * time.Second)
		hanging.addEndpoint("whe_new", "http://new.test")
		hanging.add("evt_new")
		d.Wake()
		time.Sleep(2*writeTimeout + time.Second)
		if requests := saw.all(); !slices.ContainsFunc(requests, func(s seen) bool { return s.host == "new.test" }) {
			t.Error("another endpoint has not got its event")
		}
		now := time.Now()
		stop()
		if took := time.Since(now); took > 20*time.Second {
			t.Errorf("it took %v to end", took)
		}
	})
}

// Claims are given back only while they are ours; whoever has them by now is not
// disturbed. What the end of Run cuts short is no outage.
func TestGiveBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, log := newOutbox(time.Now), &lines{}
		o.addEndpoint("whe_1", "http://a.test")
		o.add("evt_1", "evt_2", "evt_3")
		ctx, cancel := context.WithCancel(t.Context())
		d := New(Config{Source: cancellable{o}, Client: &http.Client{}, Logger: log.logger(), Concurrency: 1})
		r := newRun(ctx, d)
		defer r.cancel(nil)
		if _, err := o.FanOutEvents(ctx); err != nil {
			t.Fatal(err)
		}
		claimed, err := o.ClaimDeliveries(ctx, 3, lease)
		if err != nil || len(claimed) != 3 {
			t.Fatal(claimed, err)
		}
		claim := func(i int, ours time.Duration) held {
			return held{claimed[i], time.Now().Add(ours), time.Now().Add(lease)}
		}
		r.giveBack(ctx, []held{claim(0, 0), claim(1, time.Nanosecond)}, d.putOff)
		cancel()
		r.giveBack(ctx, []held{claim(2, time.Minute)}, d.putOff)
		r.take(claim(2, time.Minute))
		if r.begin(); r.lanes["whe_1"].busy {
			t.Error("a try began after the end")
		}
		for i, want := range []int{0, 1, 0} {
			if _, results := o.snapshot(claimed[i].Event.ID, "whe_1"); len(results) != want {
				t.Errorf("claim %d was settled %d times", i, len(results))
			}
		}
		if log.String() != "" {
			t.Errorf("logged: %s", log)
		}
	})
}

// cancellable honours contexts.
type cancellable struct{ *outbox }

func (c cancellable) SettleDelivery(ctx context.Context, d signup.Delivery, r signup.DeliveryResult) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return c.outbox.SettleDelivery(ctx, d, r)
}

// hangingOutbox records nothing.
type hangingOutbox struct{ *outbox }

func (hangingOutbox) SettleDelivery(ctx context.Context, _ signup.Delivery, _ signup.DeliveryResult) error {
	<-ctx.Done()
	return ctx.Err()
}

func (hangingOutbox) DisableEndpoint(ctx context.Context, _, _ string) error {
	<-ctx.Done()
	return ctx.Err()
}
