package webhook

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// However many endpoints hang, and however much waits for them, the others get
// their events at once, and those that hang are never tried twice at a time.
func TestHangingEndpointsHoldUpNobody(t *testing.T) {
	for _, hanging := range []int{1, 4, 20} {
		t.Run(fmt.Sprint(hanging), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o, saw, busy := newOutbox(time.Now), &diary{}, &underWay{}
				for i := range hanging {
					o.addEndpoint(fmt.Sprintf("whe_bad%d", i), fmt.Sprintf("http://bad%d.test", i))
				}
				transport := answers(func(r *http.Request) (*http.Response, error) {
					defer busy.enter(t, r.URL.Hostname())()
					s := saw.note(r)
					claim, _ := o.snapshot(s.id, "whe_"+strings.TrimSuffix(s.host, ".test"))
					if time.Until(claim.NotBefore) < tryTimeout {
						t.Errorf("%s is tried %v before its lease is over", claim.ID, time.Until(claim.NotBefore))
					}
					if strings.HasPrefix(s.host, "bad") {
						return hang(r)
					}
					return answer(200), nil
				})
				d, stop := start(t, Config{Source: o, Client: &http.Client{Transport: transport}})
				o.add(numbered("evt_old", 300)...)
				time.Sleep(time.Minute)
				o.addEndpoint("whe_good", "http://good.test")
				for i := range 40 {
					id := fmt.Sprintf("evt_new%d", i)
					added := time.Now()
					o.add(id)
					d.Wake()
					time.Sleep(7 * time.Second)
					delivery, _ := o.snapshot(id, "whe_good")
					if delivery.DoneAt.IsZero() || delivery.DoneAt.Sub(added) > 500*time.Millisecond {
						t.Fatalf("%s was brought in %v", id, delivery.DoneAt.Sub(added))
					}
				}
				tried := map[string]int{}
				for _, r := range saw.all() {
					tried[r.host]++
				}
				for i := range hanging {
					if host := fmt.Sprintf("bad%d.test", i); tried[host] < 2 {
						t.Errorf("%s was tried %d times", host, tried[host])
					}
				}
				if n := busy.highest(); n > 40 {
					t.Errorf("%d tries at once", n)
				}
				stop()
			})
		})
	}
}

// underWay counts requests at once, of which a host must not have two.
type underWay struct {
	mu    sync.Mutex
	hosts map[string]bool
	most  int
}

func (u *underWay) enter(t *testing.T, host string) (leave func()) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.hosts == nil {
		u.hosts = map[string]bool{}
	}
	if u.hosts[host] {
		t.Errorf("%s is tried twice at a time", host)
	}
	u.hosts[host] = true
	u.most = max(u.most, len(u.hosts))
	return func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		delete(u.hosts, host)
	}
}

func (u *underWay) highest() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.most
}

// A burst for endpoints that answer goes through without a pause, each event once.
func TestBurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, saw := newOutbox(time.Now), &diary{}
		transport := answers(func(r *http.Request) (*http.Response, error) {
			saw.note(r)
			time.Sleep(20 * time.Millisecond)
			return answer(200), nil
		})
		for i := range 3 {
			o.addEndpoint(fmt.Sprintf("whe_%d", i), fmt.Sprintf("http://a%d.test", i))
		}
		_, stop := start(t, Config{Source: o, Client: &http.Client{Transport: transport}})
		o.add(numbered("evt_", 500)...)
		time.Sleep(15 * time.Second) // 500 × 20 ms are 10 s
		stop()
		times := map[string]int{}
		for _, r := range saw.all() {
			times[r.host+" "+r.id]++
		}
		for key, n := range times {
			if n != 1 {
				t.Errorf("%s: %d times", key, n)
			}
		}
		if len(times) != 1500 || !o.allOver() {
			t.Errorf("%d of 1500 were brought", len(times))
		}
	})
}

// A slow endpoint that answers gets everything, and nothing is given up for
// having waited.
func TestSlowEndpointGetsEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, saw := newOutbox(time.Now), &diary{}
		o.addEndpoint("whe_1", "http://a.test")
		transport := answers(func(r *http.Request) (*http.Response, error) {
			saw.note(r)
			time.Sleep(10 * time.Second)
			return answer(200), nil
		})
		_, stop := start(t, Config{Source: o, Client: &http.Client{Transport: transport}, Interval: 10 * time.Second})
		o.add(numbered("evt_", 100)...)
		time.Sleep(45 * time.Second)
		claimed := 0
		for _, id := range numbered("evt_", 100) {
			if d, results := o.snapshot(id, "whe_1"); d.Tries > 0 && len(results) == 0 {
				claimed++
			}
		}
		if claimed > slowQueue+1 {
			t.Errorf("%d claims are held for a slow endpoint", claimed)
		}
		time.Sleep(200 * time.Hour)
		stop()
		for _, id := range numbered("evt_", 100) {
			if d, _ := o.snapshot(id, "whe_1"); d.DoneAt.IsZero() {
				t.Errorf("%s: %+v", id, d)
			}
		}
		if n := len(saw.all()); n != 100 {
			t.Errorf("%d requests for 100 events", n)
		}
	})
}

// Once it answers quickly again, an endpoint counts as any other.
func TestSlowForATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, saw := newOutbox(time.Now), &diary{}
		o.addEndpoint("whe_1", "http://a.test")
		transport := answers(func(r *http.Request) (*http.Response, error) {
			if saw.note(r).id == "evt_slow" {
				time.Sleep(5 * time.Second)
			}
			return answer(200), nil
		})
		_, stop := start(t, Config{Source: o, Client: &http.Client{Transport: transport}})
		o.add("evt_slow", "evt_quick")
		time.Sleep(10 * time.Second)
		o.add(numbered("evt_", 50)...)
		time.Sleep(5 * time.Second)
		stop()
		for _, id := range numbered("evt_", 50) {
			if d, _ := o.snapshot(id, "whe_1"); d.DoneAt.IsZero() || d.Tries != 1 {
				t.Errorf("%s: %+v", id, d)
			}
		}
	})
}
