package signup_test

import (
	"slices"
	"testing"
	"time"

	"stepwise/internal/signup"
)

// deliveries lists all of an endpoint's, of all endpoints where it is empty.
func (w *world) deliveries(endpoint string) (all []signup.Delivery) {
	w.Helper()
	after := ""
	for range 100 {
		page, err := w.service.Deliveries(w.Context(), w.secret(), endpoint, 3, after)
		w.must(err)
		if len(page.Items) > 3 || len(page.Cursors) != len(page.Items) {
			w.Fatalf("a page of %d with %d cursors", len(page.Items), len(page.Cursors))
		}
		all = append(all, page.Items...)
		if !page.More {
			return all
		}
		after = page.Cursors[len(page.Cursors)-1]
	}
	w.Fatal("the pages have no end")
	return nil
}

func kindsOf(list []signup.Delivery) []string {
	var kinds []string
	for _, d := range list {
		kinds = append(kinds, d.Event.Kind)
	}
	slices.Sort(kinds)
	return kinds
}

// TestDeliveries: each event once to each endpoint that wants it at that time, on
// one page, newest first.
func TestDeliveries(t *testing.T) {
	w := newWorld(t, "")
	off := false
	all := w.endpoint(at(hook + "/all")).Endpoint
	in := at(hook + "/sessions")
	in.Events = &[]string{signup.EventSessionCreated}
	sessions := w.endpoint(in).Endpoint
	in = at(hook + "/off")
	in.Enabled = &off
	disabled := w.endpoint(in).Endpoint
	for _, address := range []string{"jane@example.com", "joan@example.com", "jill@example.com"} {
		w.completed(address)
		w.clock.advance(time.Second)
		w.claim(0)
	}
	late := w.endpoint(at(hook + "/late")).Endpoint
	w.claim(0)
	if got := kindsOf(w.deliveries(all.ID)); len(got) != 6 || got[0] != signup.EventSessionCreated || got[5] != signup.EventUserCreated {
		t.Errorf("to the one that wants all: %v", got)
	}
	if got := kindsOf(w.deliveries(sessions.ID)); !slices.Equal(got, slices.Repeat([]string{signup.EventSessionCreated}, 3)) {
		t.Errorf("to the one that wants sessions: %v", got)
	}
	if n := len(w.deliveries(disabled.ID)) + len(w.deliveries(late.ID)); n != 0 {
		t.Errorf("to those that were off or not there: %d", n)
	}
	list := w.deliveries("")
	seen := map[string]bool{}
	for i, d := range list {
		if seen[d.ID] || i > 0 && list[i-1].CreatedAt.Before(d.CreatedAt) {
			t.Errorf("%s is listed twice, or out of order", d.ID)
		}
		seen[d.ID] = true
	}
	if len(list) != 9 {
		t.Errorf("%d deliveries", len(list))
	}
	for _, unknown := range []string{"whe_x", "\x00"} {
		if n := len(w.deliveries(unknown)); n != 0 {
			t.Errorf("%q has %d deliveries", unknown, n)
		}
	}
	for _, first := range []int{0, signup.MaxPage + 1} {
		_, err := w.service.Deliveries(t.Context(), w.secret(), "", first, "")
		wantCode(t, err, "BAD_USER_INPUT")
	}
}

// settle ends a claimed delivery.
func (w *world) settle(d signup.DueDelivery, r signup.DeliveryResult) {
	w.Helper()
	r.At = w.clock.now()
	w.must(w.service.SettleDelivery(w.Context(), d.Delivery, r))
}

// TestReplay: one delivery again, or all events since a moment, also to an endpoint
// that was not there.
func TestReplay(t *testing.T) {
	w := newWorld(t, "")
	e := w.endpoint(at(hook)).Endpoint
	w.completed("jane@example.com")
	between := w.clock.now().Add(time.Second)
	w.clock.advance(time.Minute)
	w.completed("joan@example.com")
	due := w.claim(10)
	for i, d := range due {
		w.settle(d, signup.DeliveryResult{Done: i > 0, Status: 200 + 300*(1-min(i, 1))})
	}
	w.clock.advance(time.Hour)
	if n := len(w.claim(10)); len(due) != 4 || n != 0 {
		t.Fatalf("%d were due, %d still are", len(due), n)
	}

	// A failed one, and one that arrived: each once more, under the same id.
	for _, again := range due[:2] {
		d, problems, err := w.service.ReplayDelivery(t.Context(), w.secret(), again.ID)
		w.must(err)
		if len(problems) > 0 || d.ID != again.ID || d.Tries != 0 || !d.DoneAt.IsZero() || !d.FailedAt.IsZero() {
			t.Errorf("replayed as %+v, problems %v", d, problems)
		}
		got := w.claim(10)
		if len(got) != 1 || got[0].ID != again.ID || got[0].Event.ID != again.Event.ID || string(got[0].Event.Body) != string(again.Event.Body) {
			t.Fatalf("due are %v", got)
		}
		w.settle(got[0], signup.DeliveryResult{Done: true, Status: 200})
	}

	n, problems, err := w.service.ReplayEvents(t.Context(), w.secret(), e.ID, between)
	w.must(err)
	got := w.claim(10)
	if n != 2 || len(problems) > 0 || len(got) != 2 {
		t.Errorf("replayed %d, due %d, problems %v", n, len(got), problems)
	}
	in := at(hook + "/late")
	in.Events = &[]string{signup.EventUserCreated}
	late := w.endpoint(in).Endpoint
	n, _, err = w.service.ReplayEvents(t.Context(), w.secret(), late.ID, time.Time{})
	w.must(err)
	if list := w.deliveries(late.ID); n != 2 || !slices.Equal(kindsOf(list), []string{signup.EventUserCreated, signup.EventUserCreated}) {
		t.Errorf("replayed %d, of which are listed %v", n, kindsOf(list))
	}
	n, _, err = w.service.ReplayEvents(t.Context(), w.secret(), late.ID, w.clock.now().Add(time.Hour))
	w.must(err)
	if n != 0 {
		t.Errorf("%d events of the future", n)
	}

	for _, unknown := range []string{"", "dlv_x", "\x00", e.ID} {
		d, problems, err := w.service.ReplayDelivery(t.Context(), w.secret(), unknown)
		w.must(err)
		if d != nil || len(problems) != 1 || problems[0].Code != "WEBHOOK_DELIVERY_NOT_FOUND" || !slices.Equal(problems[0].Field, []string{"input", "deliveryId"}) {
			t.Errorf("%q: %v, %+v", unknown, d, problems)
		}
	}
	for _, unknown := range []string{"", "whe_x", "\x00", due[0].ID} {
		n, problems, err := w.service.ReplayEvents(t.Context(), w.secret(), unknown, time.Time{})
		w.must(err)
		if n != 0 || len(problems) != 1 || problems[0].Code != "WEBHOOK_ENDPOINT_NOT_FOUND" || !slices.Equal(problems[0].Field, []string{"input", "since", "endpointId"}) {
			t.Errorf("%q: %d, %+v", unknown, n, problems)
		}
	}
}

// TestDisableEndpoint: one that has said 410 hears no more until an operator
// enables it again; then it gets what waited.
func TestDisableEndpoint(t *testing.T) {
	w := newWorld(t, "")
	e := w.endpoint(at(hook)).Endpoint
	w.completed("jane@example.com")
	if n, err := w.service.FanOutEvents(t.Context()); n != 2 || err != nil {
		t.Fatalf("%d events: %v", n, err)
	}
	for range 2 {
		w.must(w.service.DisableEndpoint(t.Context(), w.first.ID, e.ID))
	}
	w.must(w.service.DisableEndpoint(t.Context(), w.first.ID, "whe_x"))
	w.must(w.service.DisableEndpoint(t.Context(), "ins_other", e.ID))
	list, err := w.service.WebhookEndpoints(t.Context(), w.secret())
	w.must(err)
	if list[0].Enabled || len(w.claim(10)) != 0 {
		t.Error("it still hears")
	}
	w.completed("joan@example.com") // which it will not hear of
	w.claim(0)
	on := true
	told := 0
	s := w.process(func(c *signup.Config) { c.EventsPending = func() { told++ } })
	_, err = s.UpdateWebhookEndpoint(t.Context(), w.secret(), signup.WebhookInput{ID: e.ID, Enabled: &on})
	w.must(err)
	if due := w.claim(10); len(due) != 2 || told != 1 {
		t.Errorf("%d wait for it, told %d times", len(due), told)
	}
}

// TestPurge: events are forgotten with their deliveries, but for those under way.
func TestPurge(t *testing.T) {
	w := newWorld(t, "")
	w.endpoint(at(hook))
	w.completed("jane@example.com")
	due := w.claim(10)
	w.settle(due[0], signup.DeliveryResult{Done: true, Status: 200})
	w.settle(due[1], signup.DeliveryResult{RetryAt: w.clock.now().Add(time.Hour), Status: 500, Error: "answered with status 500"})
	w.clock.advance(31 * 24 * time.Hour)
	w.must(w.service.PurgeEvents(t.Context(), w.clock.now().Add(-30*24*time.Hour)))
	list := w.deliveries("")
	if len(list) != 1 || list[0].ID != due[1].ID || list[0].LastStatus != 500 || list[0].LastError == "" {
		t.Errorf("left are %v", list)
	}
	if n := w.count(`SELECT COUNT(*) FROM outbox`); n != 1 {
		t.Errorf("%d events", n)
	}
	w.settle(w.claim(10)[0], signup.DeliveryResult{Done: true, Status: 200})
	w.must(w.service.PurgeEvents(t.Context(), w.clock.now().Add(-30*24*time.Hour)))
	if n := w.count(`SELECT COUNT(*) FROM outbox`); n != 0 || len(w.deliveries("")) != 0 {
		t.Errorf("%d events", n)
	}
}
