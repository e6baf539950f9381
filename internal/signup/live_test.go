package signup_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"stepwise/engine"
	"stepwise/internal/signup"
)

// wantLive expects exactly these sign-ups to be read as open.
func (w *world) wantLive(ids ...string) {
	w.Helper()
	got, cut, err := w.service.LiveIDs(w.Context(), w.first.ID, 100_000)
	w.must(err)
	slices.Sort(got)
	slices.Sort(ids)
	if cut || !slices.Equal(got, ids) {
		w.Errorf("%d are live, cut %v, want %d", len(got), cut, len(ids))
	}
}

// TestLive: every open sign-up, and nothing that has ended, is completing or whose
// time is over.
func TestLive(t *testing.T) {
	w := newWorld(t, "")
	w.wantLive()
	c := w.client()
	wantProblems(t, c.create(signup.Input{FirstName: signup.Given("Jane")}))
	if id, name := w.service.FirstLive(t.Context(), w.first.ID); id != c.signUp().ID || name != "Jane" {
		t.Errorf("the first is %s of %s", id, name)
	}
	var open []string
	for i := range 450 { // more than two batches
		out := w.client().create(signup.Input{FirstName: signup.Given(fmt.Sprint("Jane ", i))})
		wantProblems(t, out)
		open = append(open, out.SignUp.ID)
	}
	wantProblems(t, c.create(signup.Input{FirstName: signup.Given("Jane")}))
	open = append(open, c.signUp().ID)
	w.completed("joan@example.com")
	p := w.newProcess(func(port string) fault {
		if port == "Directory.Convert" {
			return diedBefore
		}
		return served
	})
	completing := w.client()
	wantProblems(t, completing.create(withEmail("jill@example.com")))
	_, err := p.CheckVerification(t.Context(), completing.principal(), "", signup.Proof{Attribute: engine.EmailAddress, Code: w.mail.code(t, "jill@example.com")}, "")
	wantCode(t, err, "UNAVAILABLE")
	w.wantLive(open...)
	w.sweep()
	w.wantLive(open...)
	w.clock.advance(lifetime - time.Millisecond)
	w.wantLive(open...)
	w.clock.advance(time.Millisecond)
	w.wantLive()
}

func TestLiveStopsEarly(t *testing.T) {
	w := newWorld(t, "")
	for range 30 {
		wantProblems(t, w.client().create(signup.Input{}))
	}
	for most, wantCut := range map[int]bool{1: true, 10: true, 29: true, 31: false, 1000: false} {
		ids, cut, err := w.service.LiveIDs(t.Context(), w.first.ID, most)
		w.must(err)
		if len(ids) != min(most, 30) || cut != wantCut {
			t.Errorf("of at most %d: %d, cut %v", most, len(ids), cut)
		}
	}
}

func TestLiveTellsOfAnOutage(t *testing.T) {
	w := newWorld(t, "")
	wantProblems(t, w.client().create(signup.Input{}))
	for _, port := range []string{"Register.Live", "Register.LoadMany"} {
		p := w.newProcess(func(called string) fault {
			if called == port {
				return refused
			}
			return served
		})
		if ids, _, err := p.LiveIDs(t.Context(), w.first.ID, 100); !errors.Is(err, errStore) || len(ids) > 0 {
			t.Errorf("%s: %v, %v", port, ids, err)
		}
	}
}
