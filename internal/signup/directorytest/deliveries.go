package directorytest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"stepwise/internal/signup"
)

func (f *fixture) claim(now, until time.Time, limit int) []signup.Delivery {
	f.Helper()
	claimed, err := f.Directory.ClaimDeliveries(f.Context(), now, until, limit)
	f.must(err)
	return claimed
}

func (f *fixture) settle(d signup.Delivery, r signup.DeliveryResult) {
	f.Helper()
	f.must(f.Directory.SettleDelivery(f.Context(), d.Instance, d.ID, r))
}

func (f *fixture) delivery(id string) signup.Delivery {
	f.Helper()
	d, err := f.Directory.Delivery(f.Context(), inst, id)
	f.must(err)
	return d
}

// oneDelivery makes one event that has one endpoint.
func (f *fixture) oneDelivery() signup.Delivery {
	f.Helper()
	f.first()
	f.addEndpoint(endpoint("we_a"))
	f.happened("a", moment, "user.created")
	f.fanOut()
	all := f.deliveries(signup.DeliveryFilter{})
	want(f, "the number of deliveries", len(all), 1)
	return all[0]
}

func testClaims(f *fixture) {
	f.first()
	f.addEndpoint(endpoint("we_a"))
	f.addEndpoint(endpoint("we_off"))
	want(f, "the number of no claims", len(f.claim(moment, moment, 10)), 0)
	for i := range 3 { // each due a minute after the one before
		f.happened(fmt.Sprint(i), moment, "x")
		_, err := f.Directory.FanOut(f.Context(), moment.Add(time.Duration(2-i)*time.Minute), 10)
		f.must(err)
	}
	f.enable("we_off", false)

	until := moment.Add(time.Hour)
	for _, limit := range []int{0, -1} {
		want(f, "the number of no claims", len(f.claim(until, until, limit)), 0)
	}
	want(f, "claims before anything is due", len(f.claim(moment.Add(-time.Millisecond), until, 10)), 0)
	first := f.claim(moment.Add(time.Minute), until, 1)
	want(f, "the longest due", arrows(first), []string{"evt_2_0 → we_a"})
	want(f, "until and tries", []any{first[0].NotBefore, first[0].Tries}, []any{until, 1})
	want(f, "what is stored", f.delivery(first[0].ID), first[0])
	want(f, "what is due by now", arrows(f.claim(moment.Add(time.Minute), until, 10)), []string{"evt_1_0 → we_a"})

	// The claimed ones are due again if nobody settles them, after the others. What
	// waits for a disabled endpoint is not in their way.
	var again []signup.Delivery
	for range 3 {
		again = append(again, f.claim(until, until.Add(time.Hour), 1)...)
	}
	var order []string
	for _, d := range again {
		order = append(order, fmt.Sprint(d.Event.ID, d.Tries))
	}
	slices.Sort(order[1:]) // these two are due at the same time
	want(f, "the second claims", order, []string{"evt_0_01", "evt_1_02", "evt_2_02"})

	f.enable("we_off", true)
	want(f, "the number of claims when it is enabled", len(f.claim(until, until, 10)), 3)
	f.enable("we_off", false)
	want(f, "the number of claims when it is not", len(f.claim(until, until, 10)), 0)
	f.must(f.Directory.DeleteWebhookEndpoint(f.Context(), inst, "we_a"))
	want(f, "the number of claims when there is none", len(f.claim(until.Add(2*time.Hour), until, 10)), 0)
	want(f, "deliveries", f.Rows()["webhook_deliveries"], 3)
	f.enable("we_off", true)
	want(f, "the deliveries that are left", arrows(f.claim(until, until, 10)),
		[]string{"evt_0_0 → we_off", "evt_1_0 → we_off", "evt_2_0 → we_off"})
}

func testClaimRace(f *fixture) {
	f.first()
	f.addEndpoint(endpoint("we_a"))
	f.addEndpoint(endpoint("we_b"))
	const events, claimers = 150, 64
	var kinds []string
	for range events {
		kinds = append(kinds, "x")
	}
	f.happened("a", moment, kinds...)
	f.fanOut()
	var mu sync.Mutex
	times := map[string]int{}
	_, errs := together(f, claimers, func(d signup.Directory, i int) (none struct{}, err error) {
		for {
			claimed, err := d.ClaimDeliveries(f.Context(), moment, moment.Add(time.Minute), 1+i%7)
			if err != nil || len(claimed) == 0 {
				return none, err
			}
			if len(claimed) > 1+i%7 {
				return none, fmt.Errorf("%d deliveries instead of %d", len(claimed), 1+i%7)
			}
			mu.Lock()
			for _, c := range claimed {
				times[c.ID]++
			}
			mu.Unlock()
		}
	})
	f.must(errors.Join(errs...))
	want(f, "the number of deliveries", len(times), 2*events)
	for _, d := range f.deliveries(signup.DeliveryFilter{}) {
		want(f, "claims and tries", []int{times[d.ID], d.Tries}, []int{1, 1})
	}
}

func testSettle(f *fixture) {
	fresh := f.oneDelivery()
	minute := func(n int) time.Time { return moment.Add(time.Duration(n) * time.Minute) }

	// Nobody has tried yet.
	f.settle(fresh, signup.DeliveryResult{At: minute(1), Done: true, Status: 200})
	want(f, "the delivery that nobody has tried", f.delivery(fresh.ID), fresh)

	d := f.claim(moment, minute(5), 1)[0]
	f.settle(d, signup.DeliveryResult{At: minute(1), Status: 503, Error: "the endpoint has answered with an error", RetryAt: minute(9)})
	d.NotBefore, d.LastStatus, d.LastError = minute(9), 503, "the endpoint has answered with an error"
	want(f, "the delivery that is tried again", f.delivery(d.ID), d)
	want(f, "claims before that", len(f.claim(minute(9).Add(-time.Millisecond), minute(20), 1)), 0)

	d = f.claim(minute(9), minute(20), 1)[0]
	want(f, "tries", d.Tries, 2)
	f.settle(d, signup.DeliveryResult{At: minute(10), Status: 0, Error: "no connection"})
	d.FailedAt, d.LastStatus, d.LastError = minute(10), 0, "no connection"
	over := func() {
		f.Helper()
		want(f, "the delivery that is over", f.delivery(d.ID), d)
		for _, r := range []signup.DeliveryResult{
			{At: minute(11), Done: true, Status: 200}, {At: minute(11), Error: "x"}, {At: minute(11), RetryAt: minute(12)},
		} {
			f.settle(d, r)
			want(f, "the delivery that is over", f.delivery(d.ID), d)
		}
		want(f, "claims of what is over", len(f.claim(minute(1000), minute(1000), 1)), 0)
	}
	over()

	replayed, err := f.Directory.ReplayDelivery(f.Context(), inst, d.ID, minute(30))
	f.must(err)
	fresh.NotBefore = minute(30)
	want(f, "the replayed delivery", replayed, fresh)
	want(f, "the replayed delivery as stored", f.delivery(d.ID), fresh)
	d = f.claim(minute(30), minute(40), 1)[0]
	want(f, "tries", d.Tries, 1)
	f.settle(d, signup.DeliveryResult{At: minute(31), Done: true, Status: 204})
	d.DoneAt, d.LastStatus = minute(31), 204
	over()

	for _, no := range [][2]string{{inst, "dlv_none"}, {inst, ""}, {inst, "\xff"}, {"inst_2", d.ID}, {"", d.ID}} {
		_, err := f.Directory.Delivery(f.Context(), no[0], no[1])
		f.wantError(err, signup.ErrNoRow)
		_, err = f.Directory.ReplayDelivery(f.Context(), no[0], no[1], moment)
		f.wantError(err, signup.ErrNoRow)
		f.wantError(f.Directory.SettleDelivery(f.Context(), no[0], no[1], signup.DeliveryResult{At: moment, Done: true}), signup.ErrNoRow)
	}
	f.Directory = f.Reopen()
	want(f, "the delivery after a restart", f.delivery(d.ID), d)
}

// A delivery that is replayed while somebody tries it is due at once, and that
// try does not end it.
func testReplayUnderWay(f *fixture) {
	f.oneDelivery()
	d := f.claim(moment, moment.Add(time.Hour), 1)[0]
	replayed, err := f.Directory.ReplayDelivery(f.Context(), inst, d.ID, moment.Add(time.Second))
	f.must(err)
	want(f, "due and tries", []any{replayed.NotBefore, replayed.Tries}, []any{moment.Add(time.Second), 0})
	f.settle(d, signup.DeliveryResult{At: moment.Add(2 * time.Second), Done: true, Status: 200})
	want(f, "the replayed delivery", f.delivery(d.ID), replayed)
	want(f, "claims", len(f.claim(moment.Add(time.Second), moment.Add(time.Hour), 1)), 1)
}

func testDeliveryLists(f *fixture) {
	f.first()
	f.AddInstance(newInstance("inst_2"))
	f.addEndpoint(endpoint("we_a"))
	f.addEndpoint(endpoint("we_b"))
	for i := range 5 {
		f.happened(fmt.Sprint(i), moment, "x", "y")
		_, err := f.Directory.FanOut(f.Context(), moment.Add(time.Duration(i/2)*time.Millisecond), 10)
		f.must(err)
	}
	all := f.deliveries(signup.DeliveryFilter{})
	want(f, "the number of deliveries", len(all), 20)
	for _, filter := range []signup.DeliveryFilter{
		{}, {EndpointID: "we_a"}, {EventID: "evt_3_1"}, {EndpointID: "we_b", EventID: "evt_3_1"}, {EndpointID: "we_none"},
		{EventID: "evt_none"}, {EventID: "\xff"},
	} {
		var expected, got []string
		for _, d := range all {
			if (filter.EndpointID == "" || d.EndpointID == filter.EndpointID) && (filter.EventID == "" || d.Event.ID == filter.EventID) {
				expected = append(expected, d.ID)
			}
		}
		filter.Limit = 3
		previous := moment.Add(time.Hour)
		for more := true; more; {
			page, m, err := f.Directory.Deliveries(f.Context(), inst, filter)
			f.must(err)
			if m && len(page) != filter.Limit {
				f.Fatalf("a page of %d, and more", len(page))
			}
			for _, d := range page {
				if d.CreatedAt.After(previous) {
					f.Errorf("%s is newer than what is before it", d.ID)
				}
				previous = d.CreatedAt
				got = append(got, d.ID)
				want(f, "a listed delivery", d, f.delivery(d.ID))
				filter.After = &signup.Position{At: d.CreatedAt, ID: d.ID}
			}
			more = m
		}
		want(f, fmt.Sprintf("the deliveries of %+v", filter), got, expected)
	}
	for _, limit := range []int{0, -1} {
		page, more, err := f.Directory.Deliveries(f.Context(), inst, signup.DeliveryFilter{Limit: limit})
		f.must(err)
		want(f, "no deliveries, but more", []any{len(page), more}, []any{0, true})
	}
	page, more, err := f.Directory.Deliveries(f.Context(), "inst_2", signup.DeliveryFilter{Limit: 1})
	f.must(err)
	want(f, "no deliveries, nor more", []any{len(page), more}, []any{0, false})
}
