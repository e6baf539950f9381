package directorytest

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"stepwise/internal/signup"
)

// happened converts an attempt whose events are those kinds, a minute apart
// from at on, and returns the events: evt_<attempt>_0 and so on.
func (f *fixture) happened(attempt string, at time.Time, kinds ...string) []signup.Event {
	f.Helper()
	var events []signup.Event
	for n, kind := range kinds {
		events = append(events, signup.Event{
			ID: fmt.Sprintf("evt_%s_%d", attempt, n), Kind: kind, Body: []byte(`{"é":"` + attempt + `"}`),
			At: at.Add(time.Duration(n) * time.Minute),
		})
	}
	f.convert(changed(conversion(attempt, "client_1"), func(made *signup.Creation) { made.Events = events }))
	return events
}

func testFanOut(f *fixture) {
	f.first()
	f.AddInstance(newInstance("inst_2"))
	f.addEndpoint(endpoint("we_all"))
	f.addEndpoint(endpoint("we_user", "user.created", "user.deleted"))
	f.addEndpoint(endpoint("we_off"))
	f.enable("we_off", false)
	other := endpoint("we_other")
	other.Instance = "inst_2"
	f.addEndpoint(other)

	n, err := f.Directory.FanOut(f.Context(), moment, 10)
	f.must(err)
	want(f, "the number of no events", n, 0)
	events := f.happened("b", moment.Add(time.Hour), "user.created", "session.created")
	f.happened("z", moment, "user.created", "session.created")
	want(f, "deliveries that nobody has made", f.Rows()["webhook_deliveries"], 0)
	n, err = f.Directory.FanOut(f.Context(), moment, 0)
	f.must(err)
	want(f, "the number of no events", n, 0)

	// The oldest first, as many as asked for.
	now := moment.Add(2 * time.Hour)
	n, err = f.Directory.FanOut(f.Context(), now, 3)
	f.must(err)
	want(f, "the number of events", n, 3)
	firstOnes := []string{
		"evt_b_0 → we_all", "evt_b_0 → we_user", "evt_z_0 → we_all", "evt_z_0 → we_user", "evt_z_1 → we_all",
	}
	want(f, "deliveries", arrows(f.deliveries(signup.DeliveryFilter{})), firstOnes)
	made := f.deliveries(signup.DeliveryFilter{EndpointID: "we_user", EventID: "evt_b_0"})
	want(f, "the delivery", made[0], signup.Delivery{
		ID: made[0].ID, Instance: inst, EndpointID: "we_user", Event: events[0], CreatedAt: now, NotBefore: now,
	})

	// What the endpoints want when the event is looked at is what counts.
	f.addEndpoint(endpoint("we_late"))
	f.enable("we_all", false)
	n, err = f.Directory.FanOut(f.Context(), now, 3)
	f.must(err)
	want(f, "the number of events", n, 1)
	f.enable("we_all", true)
	for range 2 {
		want(f, "the number of events that are left", f.fanOut(), 0)
		want(f, "deliveries", arrows(f.deliveries(signup.DeliveryFilter{})), slices.Insert(slices.Clone(firstOnes), 2, "evt_b_1 → we_late"))
		f.Directory = f.Reopen()
	}
	c := conversion("c", "client_1")
	c.Instance = "inst_2"
	f.convert(changed(c, func(made *signup.Creation) { made.Events = made.Events[:1] }))
	want(f, "the number of events in another instance", f.fanOut(), 1)
	theirs, _, err := f.Directory.Deliveries(f.Context(), "inst_2", signup.DeliveryFilter{Limit: 10})
	f.must(err)
	want(f, "deliveries in another instance", arrows(theirs), []string{"evt_u_c → we_other"})
	f.convert(conversion("a2", "client_1"))
	f.must(errors.Join(f.session("sess_x"), f.session("sess_x")))
	want(f, "the number of events, those of a session included", f.fanOut(), 3)
}

// session creates a session of the user of attempt a2.
func (f *fixture) session(id string) error {
	c := comesBack(id, "client_9")
	c.Session.UserID = "user_a2"
	_, _, err := f.Directory.CreateSession(f.Context(), c)
	return err
}

func testFanOutRace(f *fixture) {
	f.first()
	f.addEndpoint(endpoint("we_a"))
	f.addEndpoint(endpoint("we_b"))
	const conversions = 60
	for i := range conversions {
		f.convert(conversion(fmt.Sprint(i), "client_1"))
	}
	var looked atomic.Int64
	_, errs := together(f, 16, func(d signup.Directory, i int) (none struct{}, err error) {
		for {
			n, err := d.FanOut(f.Context(), moment, 5)
			if n == 0 || err != nil {
				return none, err
			}
			looked.Add(int64(n))
		}
	})
	f.must(errors.Join(errs...))
	want(f, "the number of events", looked.Load(), 2*conversions)
	all := arrows(f.deliveries(signup.DeliveryFilter{}))
	want(f, "the number of deliveries", len(all), 4*conversions)
	want(f, "the number of different deliveries", len(slices.Compact(all)), 4*conversions)
}

func testReplayEvents(f *fixture) {
	f.first()
	f.AddInstance(newInstance("inst_2"))
	f.happened("a", moment, "user.created", "session.created", "user.created") // three minutes
	other := conversion("other", "client_1")
	other.Instance = "inst_2"
	f.convert(other)
	f.addEndpoint(endpoint("we_a", "user.created"))
	f.addEndpoint(endpoint("we_b"))
	f.fanOut()
	claimed, err := f.Directory.ClaimDeliveries(f.Context(), moment, moment, 1)
	f.must(err)
	f.must(f.Directory.SettleDelivery(f.Context(), inst, claimed[0].ID, signup.DeliveryResult{At: moment, Done: true}))
	before := f.deliveries(signup.DeliveryFilter{})

	now := moment.Add(time.Hour)
	f.enable("we_a", false) // what is made for it waits
	for _, c := range []struct {
		endpoint string
		since    time.Time
		arrows   []string
	}{
		{"we_a", time.Time{}, []string{"evt_a_0 → we_a", "evt_a_2 → we_a"}},
		{"we_a", moment, []string{"evt_a_0 → we_a", "evt_a_2 → we_a"}},
		{"we_a", moment.Add(time.Millisecond), []string{"evt_a_2 → we_a"}},
		{"we_b", moment.Add(time.Minute), []string{"evt_a_1 → we_b", "evt_a_2 → we_b"}},
		{"we_b", moment.Add(time.Hour), []string{}},
	} {
		now = now.Add(time.Second)
		n, err := f.Directory.ReplayEvents(f.Context(), inst, c.endpoint, c.since, now)
		f.must(err)
		want(f, "the number of events", n, len(c.arrows))
		var made []signup.Delivery
		for _, d := range f.deliveries(signup.DeliveryFilter{}) {
			if d.CreatedAt.Equal(now) {
				made = append(made, d)
				want(f, "due and tries", []any{d.NotBefore, d.Tries}, []any{now, 0})
			}
		}
		want(f, "the deliveries that were made", arrows(made), c.arrows)
	}
	all := f.deliveries(signup.DeliveryFilter{})
	want(f, "the deliveries from before", all[len(all)-len(before):], before)
	want(f, "the number of events that were not looked at", f.fanOut(), 0)

	const replays = 8
	counts, errs := together(f, replays, func(d signup.Directory, i int) (int, error) {
		return d.ReplayEvents(f.Context(), inst, "we_b", moment, now)
	})
	f.must(errors.Join(errs...))
	for _, n := range counts {
		want(f, "the number of events", n, 3)
	}
	want(f, "the number of deliveries", len(f.deliveries(signup.DeliveryFilter{})), len(all)+3*replays)
}

func testPurge(f *fixture) {
	f.first()
	f.addEndpoint(endpoint("we_a", "done", "failed", "waiting", "claimed", "replayed"))
	f.happened("a", moment, "nobody", "done", "failed", "waiting", "claimed", "replayed")
	f.fanOut()
	f.happened("b", moment, "new")
	claimed, err := f.Directory.ClaimDeliveries(f.Context(), moment, moment, 100)
	f.must(err)
	want(f, "the number of deliveries", len(claimed), 5)
	for _, d := range claimed {
		switch d.Event.Kind {
		case "done", "replayed":
			f.settle(d, signup.DeliveryResult{At: moment, Done: true})
		case "failed":
			f.settle(d, signup.DeliveryResult{At: moment})
		case "waiting":
			f.settle(d, signup.DeliveryResult{At: moment, RetryAt: moment.Add(time.Second)})
		}
		if d.Event.Kind == "replayed" {
			_, err := f.Directory.ReplayDelivery(f.Context(), inst, d.ID, moment)
			f.must(err)
		}
	}
	left := func(before time.Time) (events, deliveries int) {
		f.must(f.Directory.PurgeEvents(f.Context(), before))
		return f.Rows()["outbox"], f.Rows()["webhook_deliveries"]
	}
	for _, c := range []struct {
		before             time.Time
		events, deliveries int
	}{
		{moment, 7, 5},
		{moment.Add(time.Millisecond), 6, 5}, // nobody
		{moment.Add(time.Minute), 6, 5},
		{moment.Add(time.Minute + time.Millisecond), 5, 4}, // done
		{moment.Add(time.Hour), 4, 3},                      // failed
		{moment.Add(time.Hour), 4, 3},
	} {
		events, deliveries := left(c.before)
		want(f, "what is left", []int{events, deliveries}, []int{c.events, c.deliveries})
	}
	want(f, "the deliveries under way", arrows(f.deliveries(signup.DeliveryFilter{})),
		[]string{"evt_a_3 → we_a", "evt_a_4 → we_a", "evt_a_5 → we_a"})
	f.addEndpoint(endpoint("we_off", "off"))
	f.happened("c", moment, "off")
	f.fanOut()
	off := false
	_, err = f.Directory.UpdateWebhookEndpoint(f.Context(), inst, "we_off", signup.WebhookChange{Enabled: &off, At: moment})
	f.must(err)
	if events, deliveries := left(moment.Add(time.Hour)); events != 3 || deliveries != 3 { // nobody wants "new" either
		f.Errorf("what waits for an endpoint that is off keeps %d events and %d deliveries", events, deliveries)
	}

	f.fanOut()
	claimed, err = f.Directory.ClaimDeliveries(f.Context(), moment.Add(time.Minute), moment, 100)
	f.must(err)
	for _, d := range claimed {
		f.settle(d, signup.DeliveryResult{At: moment, Done: true})
	}
	const many = 450 // more than are purged in one step
	var kinds []string
	for range many {
		kinds = append(kinds, "x")
	}
	f.happened("many", moment, kinds...)
	f.fanOut()
	_, errs := together(f, 4, func(d signup.Directory, i int) (none struct{}, err error) {
		return none, d.PurgeEvents(f.Context(), moment.Add(1000*time.Hour))
	})
	f.must(errors.Join(errs...))
	want(f, "events", f.Rows()["outbox"], 0)
	want(f, "deliveries", f.Rows()["webhook_deliveries"], 0)
}

// A replay that was acknowledged is not purged.
func testPurgeOrReplay(f *fixture) {
	f.first()
	f.addEndpoint(endpoint("we_a"))
	const n = 60
	var kinds []string
	for range n {
		kinds = append(kinds, "x")
	}
	f.happened("a", moment, kinds...)
	f.fanOut()
	claimed, err := f.Directory.ClaimDeliveries(f.Context(), moment, moment, n)
	f.must(err)
	for _, d := range claimed {
		f.settle(d, signup.DeliveryResult{At: moment, Done: true})
	}
	_, errs := together(f, n+2, func(d signup.Directory, i int) (none struct{}, err error) {
		switch {
		case i == n/2:
			return none, d.PurgeEvents(f.Context(), moment.Add(1000*time.Hour))
		case i == n/4:
			_, err = d.ReplayEvents(f.Context(), inst, "we_a", moment.Add(50*time.Minute), moment)
		case i < n:
			_, err = d.ReplayDelivery(f.Context(), inst, claimed[i].ID, moment)
		}
		return none, err
	})
	for i, err := range errs {
		if i >= n || i == n/2 || i == n/4 {
			f.must(err)
			continue
		}
		_, missing := f.Directory.Delivery(f.Context(), inst, claimed[i].ID)
		if err == nil {
			f.must(missing)
			continue
		}
		f.wantError(err, signup.ErrNoRow)
		f.wantError(missing, signup.ErrNoRow)
	}
}
