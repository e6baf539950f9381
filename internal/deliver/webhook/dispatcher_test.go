package webhook

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// An endpoint that never recovers is tried eleven times over three days, at the
// pauses of the schedule, always with the same id and body and a fresh signature.
func TestScheduleToTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, saw := newOutbox(time.Now), &diary{}
		o.addEndpoint("whe_1", "http://a.test")
		transport := answers(func(r *http.Request) (*http.Response, error) { saw.note(r); return answer(500), nil })
		_, stop := start(t, Config{Source: o, Client: &http.Client{Transport: transport}, Interval: 5 * time.Second, Random: func() float64 { return 0.5 }})
		o.add("evt_1")
		time.Sleep(100 * time.Hour)
		stop()

		d, results := o.snapshot("evt_1", "whe_1")
		if d.Tries != 11 || d.FailedAt.IsZero() || d.LastStatus != 500 || d.LastError != "answered with status 500" || len(results) != 11 {
			t.Fatalf("%+v, %d results", d, len(results))
		}
		requests, signatures := saw.all(), map[string]bool{}
		for i, r := range requests {
			signatures[r.signature] = true
			if r.id != "evt_1" || r.body != requests[0].body {
				t.Errorf("try %d: id %s, body %s", i+1, r.id, r.body)
			}
			if r.timestamp != Timestamp(r.at) {
				t.Errorf("try %d: timestamp %s at %s", i+1, r.timestamp, Timestamp(r.at))
			}
			if want, err := Sign(testKey, r.id, r.at, []byte(r.body)); err != nil || r.signature != want {
				t.Errorf("try %d: signature %s, want %s", i+1, r.signature, want)
			}
			if i == 0 {
				continue
			}
			base := delays[i-1] + delays[i-1]/20
			if pause := results[i-1].RetryAt.Sub(results[i-1].At); pause != base {
				t.Errorf("after try %d: due again in %v, want %v", i, pause, base)
			}
			if gap := r.at.Sub(requests[i-1].at); gap < base || gap > base+6*time.Second {
				t.Errorf("after try %d: tried again in %v, want %v", i, gap, base)
			}
		}
		if len(requests) != 11 || len(signatures) != 11 {
			t.Errorf("%d tries with %d signatures", len(requests), len(signatures))
		}
	})
}

// What an endpoint asks for with Retry-After outweighs a shorter pause.
func TestRetryAfterIsHonoured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, saw := newOutbox(time.Now), &diary{}
		o.addEndpoint("whe_1", "http://a.test")
		transport := answers(func(r *http.Request) (*http.Response, error) {
			saw.note(r)
			if len(saw.all()) == 1 {
				return answer(503, "Retry-After", "3600"), nil
			}
			return answer(200), nil
		})
		_, stop := start(t, Config{Source: o, Client: &http.Client{Transport: transport}})
		o.add("evt_1")
		time.Sleep(2 * time.Hour)
		stop()
		requests := saw.all()
		if len(requests) != 2 || requests[1].at.Sub(requests[0].at) < time.Hour || requests[1].at.Sub(requests[0].at) > time.Hour+2*time.Second {
			t.Fatalf("%v", requests)
		}
		if d, _ := o.snapshot("evt_1", "whe_1"); d.DoneAt.IsZero() || d.LastError != "" || d.LastStatus != 200 {
			t.Errorf("%+v", d)
		}
	})
}

// 410 ends an endpoint: nothing more is sent, not even what was claimed before.
func TestGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, saw := newOutbox(time.Now), &diary{}
		o.addEndpoint("whe_1", "http://a.test")
		o.addEndpoint("whe_2", "http://b.test")
		failed := false
		o.fault = func(call string) (before, after error) {
			if call == "disable" && !failed {
				failed = true
				return errOutbox, nil
			}
			return nil, nil
		}
		transport := answers(func(r *http.Request) (*http.Response, error) {
			if saw.note(r).host == "a.test" {
				return answer(410), nil
			}
			return answer(200), nil
		})
		_, stop := start(t, Config{Source: o, Client: &http.Client{Transport: transport}})
		o.add(numbered("evt_", 10)...)
		time.Sleep(10 * time.Hour)
		stop()
		gone := 0
		for _, r := range saw.all() {
			if r.host == "a.test" {
				gone++
			}
		}
		if gone != 1 || o.count("disable") != 2 || !failed {
			t.Errorf("%d requests, disabled %d times", gone, o.count("disable"))
		}
		given, open := 0, 0
		for _, id := range numbered("evt_", 10) {
			d, _ := o.snapshot(id, "whe_1")
			switch {
			case !d.FailedAt.IsZero() && d.LastStatus == 410:
				given++
			case !isOver(d):
				open++ // goes out if the endpoint is enabled again
			}
			if d, _ := o.snapshot(id, "whe_2"); d.DoneAt.IsZero() {
				t.Errorf("the other endpoint has not got %s", id)
			}
		}
		if given != 1 || open != 9 {
			t.Errorf("%d given up, %d open", given, open)
		}
	})
}

// An endpoint that cannot be disabled for longer than a claim lasts is asked once
// more; the delivery is not given up before.
func TestGoneWhileTheOutboxCannotBeWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, saw, began := newOutbox(time.Now), &diary{}, time.Now()
		o.addEndpoint("whe_1", "http://a.test")
		o.fault = func(call string) (before, after error) {
			if call == "disable" && time.Since(began) < lease+30*time.Second {
				return errOutbox, nil
			}
			return nil, nil
		}
		transport := answers(func(r *http.Request) (*http.Response, error) { saw.note(r); return answer(410), nil })
		_, stop := start(t, Config{Source: o, Client: &http.Client{Transport: transport}})
		o.add("evt_1")
		time.Sleep(time.Hour)
		stop()
		d, results := o.snapshot("evt_1", "whe_1")
		if len(saw.all()) != 2 || len(results) != 1 || d.FailedAt.IsZero() || !o.endpoints["whe_1"].disabled {
			t.Errorf("%d requests, %+v", len(saw.all()), d)
		}
	})
}

// An endpoint deleted during a try leaves nothing to record, and no complaint.
func TestDeletedMeanwhile(t *testing.T) {
	for _, status := range []int{200, 410, 500} {
		synctest.Test(t, func(t *testing.T) {
			o, log := newOutbox(time.Now), &lines{}
			o.addEndpoint("whe_1", "http://a.test")
			transport := answers(func(r *http.Request) (*http.Response, error) {
				o.mu.Lock()
				defer o.mu.Unlock()
				o.deliveries = nil
				delete(o.endpoints, "whe_1")
				return answer(status), nil
			})
			_, stop := start(t, Config{Source: o, Client: &http.Client{Transport: transport}, Logger: log.logger()})
			o.add("evt_1")
			time.Sleep(time.Hour)
			stop()
			if n := o.count("settle"); n != 1 || strings.Contains(log.String(), "ERROR") {
				t.Errorf("%d: settled %d times, log %s", status, n, log)
			}
		})
	}
}

// A panic ends one try, not the loop.
func TestPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, saw := newOutbox(time.Now), &diary{}
		o.addEndpoint("whe_1", "http://a.test")
		var calls, tries atomic.Int64
		o.fault = func(call string) (before, after error) {
			if calls.Add(1)%5 == 0 {
				panic("the outbox breaks")
			}
			return nil, nil
		}
		transport := answers(func(r *http.Request) (*http.Response, error) {
			if tries.Add(1)%2 == 1 {
				panic("the client breaks")
			}
			saw.note(r)
			return answer(200), nil
		})
		_, stop := start(t, Config{Source: o, Client: &http.Client{Transport: transport}, Interval: time.Minute})
		o.add(numbered("evt_", 5)...)
		time.Sleep(100 * time.Hour)
		stop()
		if !o.allOver() || len(saw.all()) < 5 {
			t.Errorf("%d requests, all over: %v", len(saw.all()), o.allOver())
		}
	})
}

// Wake does not block, means something before Run too, and saves waiting.
func TestWake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, saw := newOutbox(time.Now), &diary{}
		o.addEndpoint("whe_1", "http://a.test")
		transport := answers(func(r *http.Request) (*http.Response, error) { saw.note(r); return answer(200), nil })
		d, stop := start(t, Config{Source: o, Client: &http.Client{Transport: transport}, Interval: time.Hour})
		synctest.Wait()
		o.add("evt_1")
		var all sync.WaitGroup
		for range 100 {
			all.Go(d.Wake)
		}
		all.Wait()
		time.Sleep(time.Second)
		if n := len(saw.all()); n != 1 {
			t.Errorf("%d requests a second after waking", n)
		}
		stop()
		for range 100 {
			d.Wake()
		}
	})
}

func TestOnlyOneRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, stop := start(t, Config{Source: newOutbox(time.Now), Client: &http.Client{}})
		synctest.Wait()
		if err := d.Run(context.Background()); err == nil {
			t.Error("a second Run ran")
		}
		stop()
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := d.Run(ctx); err != nil {
			t.Errorf("a later Run: %v", err)
		}
	})
}

// Old events are purged at the beginning and once an hour; a failure stops nothing.
func TestPurge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutbox(time.Now)
		o.fault = func(call string) (before, after error) {
			if call == "purge" && o.count("purge") == 1 {
				return errOutbox, nil
			}
			return nil, nil
		}
		began := time.Now().UTC()
		_, stop := start(t, Config{Source: o, Client: &http.Client{}})
		time.Sleep(3*time.Hour + time.Minute)
		stop()
		if len(o.purged) != 3 || o.count("purge") != 4 || !o.purged[0].Equal(began.Add(-30*24*time.Hour)) {
			t.Errorf("purged before %v in %d calls", o.purged, o.count("purge"))
		}
	})
}

// Whoever wakes at every event does not have the outbox asked at every event, and
// waits no longer for that than gather.
func TestWakesAreGathered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, saw := newOutbox(time.Now), &diary{}
		o.addEndpoint("whe_1", "http://a.test")
		transport := answers(func(r *http.Request) (*http.Response, error) {
			saw.note(r)
			return answer(200), nil
		})
		d, stop := start(t, Config{Source: o, Client: &http.Client{Transport: transport}, Interval: time.Hour})
		defer stop()
		synctest.Wait()
		before := o.count("fan out")
		for range 1000 {
			d.Wake()
			time.Sleep(time.Millisecond)
		}
		if asked := o.count("fan out") - before; asked < 40 || asked > 51 {
			t.Errorf("asked %d times in a second of wakes", asked)
		}
		time.Sleep(time.Minute)
		o.add("evt_1")
		d.Wake()
		time.Sleep(gather)
		synctest.Wait()
		if n := len(saw.all()); n != 1 {
			t.Errorf("%d requests", n)
		}
	})
}

// An endpoint that is down is logged once, and once when it is back, however many
// tries fail meanwhile; a shutdown in the middle of a try is none of its doing.
func TestEndpointOutageIsLoggedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, log := newOutbox(time.Now), &lines{}
		o.addEndpoint("whe_1", "http://a.test")
		o.addEndpoint("whe_2", "http://b.test")
		var status atomic.Int64
		transport := answers(func(r *http.Request) (*http.Response, error) {
			switch status := int(status.Load()); {
			case r.URL.Host == "b.test":
				return answer(200), nil
			case status == 0:
				return hang(r)
			default:
				return answer(status), nil
			}
		})
		d, stop := start(t, Config{Source: o, Client: &http.Client{Transport: transport}, Logger: log.logger()})
		said := func() (down, up int) {
			return strings.Count(log.String(), `"webhook endpoint does not take events, which are tried again"`), strings.Count(log.String(), `"webhook endpoint takes events again"`)
		}
		for outage := 1; outage <= 2; outage++ {
			status.Store(503)
			o.add(numbered(fmt.Sprintf("evt_%d_", outage), 3)...)
			d.Wake()
			time.Sleep(10 * time.Minute)
			if down, up := said(); down != outage || up != outage-1 {
				t.Errorf("in outage %d: down was logged %d times, up %d times:\n%s", outage, down, up, log)
			}
			status.Store(200)
			time.Sleep(time.Hour)
			if down, up := said(); down != outage || up != outage {
				t.Errorf("after outage %d: down was logged %d times, up %d times:\n%s", outage, down, up, log)
			}
		}
		status.Store(0)
		o.add("evt_last")
		d.Wake()
		synctest.Wait()
		stop()
		if down, _ := said(); down != 2 || strings.Contains(log.String(), "whe_2") || strings.Contains(log.String(), "a.test") {
			t.Errorf("logged:\n%s", log)
		}
	})
}
