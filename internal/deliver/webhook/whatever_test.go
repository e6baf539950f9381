package webhook

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// Two processes, endpoints that do anything, an outbox that fails before and after
// it has applied a call, processes that end at any time: in the end every delivery
// is over; what is done was answered with 2xx; what is given up was tried eleven
// times or told to go; and one event always has one body.
func TestWhateverHappens(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		seed := rapid.Uint64().Draw(rt, "seed")
		events := rapid.IntRange(1, 30).Draw(rt, "events")
		endpoints := rapid.IntRange(1, 3).Draw(rt, "endpoints")
		outboxFails := rapid.IntRange(0, 40).Draw(rt, "percent of calls that fail")
		endpointFails := rapid.IntRange(0, 95).Draw(rt, "percent of tries that fail")
		restarts := rapid.IntRange(0, 5).Draw(rt, "restarts")
		var problems []string
		synctest.Test(t, func(t *testing.T) {
			problems = whatever(t, rand.New(rand.NewPCG(seed, 0)), events, endpoints, outboxFails, endpointFails, restarts)
		})
		if len(problems) > 0 {
			rt.Fatal(strings.Join(problems, "\n"))
		}
	})
}

func whatever(t *testing.T, random *rand.Rand, events, endpoints, outboxFails, endpointFails, restarts int) (problems []string) {
	var mu sync.Mutex
	percent := func(n int) bool { mu.Lock(); defer mu.Unlock(); return random.IntN(100) < n }
	pick := func(n int) int { mu.Lock(); defer mu.Unlock(); return random.IntN(n) }
	o, saw := newOutbox(time.Now), &diary{}
	o.fault = func(string) (before, after error) {
		switch {
		case !percent(outboxFails):
			return nil, nil
		case percent(50):
			return errOutbox, nil
		}
		return nil, errOutbox
	}
	accepted := map[string]bool{} // event and endpoint
	transport := answers(func(r *http.Request) (*http.Response, error) {
		s := saw.note(r)
		if !percent(endpointFails) {
			mu.Lock()
			defer mu.Unlock()
			accepted[s.id+" "+s.host] = true
			return answer(200 + random.IntN(100)), nil
		}
		switch pick(5) {
		case 0:
			return hang(r)
		case 1:
			return nil, errors.New("broken")
		case 2:
			return answer(503, "Retry-After", fmt.Sprint(pick(200_000))), nil
		case 3:
			time.Sleep(time.Duration(pick(14_000)) * time.Millisecond)
		}
		return answer(300 + pick(110)), nil // up to 409
	})
	for i := range endpoints {
		o.addEndpoint(fmt.Sprintf("whe_%d", i), fmt.Sprintf("http://a%d.test", i))
	}
	config := Config{Source: o, Client: &http.Client{Transport: transport}, Interval: time.Minute, Concurrency: 1 + pick(4)}
	_, stopFirst := start(t, config)
	defer stopFirst()
	_, stop := start(t, config)
	ids := numbered("evt_", events)
	o.add(ids...)
	for range restarts {
		time.Sleep(time.Duration(pick(100_000)) * time.Millisecond)
		stop()
		_, stop = start(t, config)
	}
	defer func() { stop() }()
	for hours := 0; !o.allOver(); hours++ {
		if hours > 24*60 {
			return []string{"two months later something is still under way"}
		}
		time.Sleep(time.Hour)
	}
	for _, id := range ids {
		for i := range endpoints {
			d, results := o.snapshot(id, fmt.Sprintf("whe_%d", i))
			was := accepted[fmt.Sprintf("%s a%d.test", id, i)]
			if !d.DoneAt.IsZero() && !was {
				problems = append(problems, fmt.Sprintf("%s is done and was never accepted", d.ID))
			}
			if !d.FailedAt.IsZero() && d.Tries < 11 {
				problems = append(problems, fmt.Sprintf("%s was given up after %d tries: %+v", d.ID, d.Tries, results))
			}
		}
	}
	bodies := map[string]string{}
	for _, s := range saw.all() {
		if body, ok := bodies[s.id]; ok && body != s.body {
			problems = append(problems, s.id+" has two bodies")
		}
		bodies[s.id] = s.body
	}
	return problems
}
