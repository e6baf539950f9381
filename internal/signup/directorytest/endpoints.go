package directorytest

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"stepwise/internal/signup"
)

// endpoint wants those events, all if there are none.
func endpoint(id string, events ...string) signup.WebhookEndpoint {
	return signup.WebhookEndpoint{
		ID: id, Instance: inst, URL: "https://example.com/" + id, Events: events,
		SealedSecret: []byte{0, 0xff, 's'}, Enabled: true, CreatedAt: moment, UpdatedAt: moment,
	}
}

func (f *fixture) addEndpoint(e signup.WebhookEndpoint) {
	f.Helper()
	f.must(f.Directory.AddWebhookEndpoint(f.Context(), e))
}

func (f *fixture) enable(id string, enabled bool) {
	f.Helper()
	e, err := f.Directory.UpdateWebhookEndpoint(f.Context(), inst, id, signup.WebhookChange{Enabled: &enabled, At: moment})
	f.must(err)
	want(f, "enabled", e.Enabled, enabled)
}

func testEndpoints(f *fixture) {
	f.first()
	f.AddInstance(newInstance("inst_2"))
	var ids []string
	for n := range 4 {
		e := endpoint(fmt.Sprintf("we_%d", n))
		e.CreatedAt = moment.Add(time.Duration(n/2) * time.Second)
		e.UpdatedAt = e.CreatedAt.Add(time.Minute)
		if n%2 == 1 {
			e.Events, e.Enabled = []string{"user.created", "x \"é\" <&>"}, false
		}
		f.addEndpoint(e)
		got, err := f.Directory.WebhookEndpoint(f.Context(), inst, e.ID)
		f.must(err)
		want(f, "the endpoint", got, e)
		ids = append([]string{e.ID}, ids...)
	}
	other := endpoint("we_other")
	other.Instance = "inst_2"
	f.addEndpoint(other)
	list, err := f.Directory.WebhookEndpoints(f.Context(), inst)
	f.must(err)
	var listed []string
	for _, e := range list {
		listed = append(listed, e.ID)
		got, err := f.Directory.WebhookEndpoint(f.Context(), inst, e.ID)
		f.must(err)
		want(f, "the listed endpoint", e, got)
	}
	want(f, "the endpoints", listed, ids)

	f.wantError(f.Directory.AddWebhookEndpoint(f.Context(), endpoint("we_other")), signup.ErrDuplicate)
	nowhere := endpoint("we_nowhere")
	nowhere.Instance = "inst_none"
	f.wantError(f.Directory.AddWebhookEndpoint(f.Context(), nowhere), signup.ErrNoRow)
	if f.Directory.AddWebhookEndpoint(f.Context(), endpoint("we_bad", "\xff")) == nil {
		f.Error("a kind of events that is no text was stored")
	}
	for _, no := range [][2]string{{inst, "we_none"}, {inst, ""}, {inst, "\xff"}, {"inst_2", "we_0"}, {"", "we_0"}} {
		_, err := f.Directory.WebhookEndpoint(f.Context(), no[0], no[1])
		f.wantError(err, signup.ErrNoRow)
		_, err = f.Directory.UpdateWebhookEndpoint(f.Context(), no[0], no[1], signup.WebhookChange{At: moment})
		f.wantError(err, signup.ErrNoRow)
		f.wantError(f.Directory.DeleteWebhookEndpoint(f.Context(), no[0], no[1]), signup.ErrNoRow)
		_, err = f.Directory.ReplayEvents(f.Context(), no[0], no[1], time.Time{}, moment)
		f.wantError(err, signup.ErrNoRow)
	}
	want(f, "endpoints", f.Rows()["webhook_endpoints"], 5)
	f.must(f.Directory.DeleteWebhookEndpoint(f.Context(), inst, "we_0"))
	f.wantError(f.Directory.DeleteWebhookEndpoint(f.Context(), inst, "we_0"), signup.ErrNoRow)
	want(f, "endpoints", f.Rows()["webhook_endpoints"], 4)
}

func testEndpointChanges(f *fixture) {
	f.first()
	f.addEndpoint(endpoint("we_a", "user.created"))
	f.addEndpoint(endpoint("we_b"))
	expected := endpoint("we_a", "user.created")
	for i, c := range []struct {
		change signup.WebhookChange
		apply  func(*signup.WebhookEndpoint)
	}{
		{signup.WebhookChange{}, func(*signup.WebhookEndpoint) {}},
		{signup.WebhookChange{URL: new("https://example.com/new")}, func(e *signup.WebhookEndpoint) { e.URL = "https://example.com/new" }},
		{signup.WebhookChange{Enabled: new(false)}, func(e *signup.WebhookEndpoint) { e.Enabled = false }},
		{signup.WebhookChange{Events: new([]string{"a", "b"})}, func(e *signup.WebhookEndpoint) { e.Events = []string{"a", "b"} }},
		{signup.WebhookChange{Events: new([]string{})}, func(e *signup.WebhookEndpoint) { e.Events = nil }},
		{signup.WebhookChange{SealedSecret: []byte{1}}, func(e *signup.WebhookEndpoint) { e.SealedSecret = []byte{1} }},
		{signup.WebhookChange{Enabled: new(true)}, func(e *signup.WebhookEndpoint) { e.Enabled = true }},
	} {
		c.change.At = moment.Add(time.Duration(i+1) * time.Minute)
		c.apply(&expected)
		expected.UpdatedAt = c.change.At
		got, err := f.Directory.UpdateWebhookEndpoint(f.Context(), inst, "we_a", c.change)
		f.must(err)
		want(f, "the answer", got, expected)
		got, err = f.Directory.WebhookEndpoint(f.Context(), inst, "we_a")
		f.must(err)
		want(f, "the endpoint", got, expected)
	}
	b, err := f.Directory.WebhookEndpoint(f.Context(), inst, "we_b")
	f.must(err)
	want(f, "the endpoint that nobody has changed", b, endpoint("we_b"))
}

// Deliveries go with their endpoint, also those that are being made, and
// nobody fails for it.
func testEndpointDeletedWhileFanningOut(f *fixture) {
	f.first()
	for round := range 10 {
		id := fmt.Sprintf("we_%d", round)
		f.addEndpoint(endpoint(id))
		f.convert(conversion(fmt.Sprint(round), "client_1"))
		_, errs := together(f, 6, func(d signup.Directory, i int) (none struct{}, err error) {
			if i == 3 {
				return none, d.DeleteWebhookEndpoint(f.Context(), inst, id)
			}
			_, err = d.FanOut(f.Context(), moment, 1)
			return none, err
		})
		f.must(errors.Join(errs...))
		f.fanOut()
		want(f, "deliveries to an endpoint that is gone", f.Rows()["webhook_deliveries"], 0)
	}
	want(f, "what is left to be made", f.fanOut(), 0)
}

// fanOut makes all deliveries there are to be made, and says of how many events.
func (f *fixture) fanOut() (events int) {
	f.Helper()
	for {
		n, err := f.Directory.FanOut(f.Context(), moment, 7)
		f.must(err)
		if n == 0 {
			return events
		}
		events += n
	}
}

// deliveries are those of the instance that a filter selects, newest first.
func (f *fixture) deliveries(filter signup.DeliveryFilter) []signup.Delivery {
	f.Helper()
	filter.Limit = 1000
	page, more, err := f.Directory.Deliveries(f.Context(), inst, filter)
	f.must(err)
	want(f, "more", more, false)
	return page
}

// arrows says which event goes to which endpoint, in alphabetical order.
func arrows(deliveries []signup.Delivery) []string {
	list := []string{}
	for _, d := range deliveries {
		list = append(list, d.Event.ID+" → "+d.EndpointID)
	}
	slices.Sort(list)
	return list
}
