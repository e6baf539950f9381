package sqlstore

import (
	"context"
	"testing"
	"time"

	"stepwise/internal/signup"
)

// Between looking at what is due and claiming it, anything may happen.
func TestClaimOfWhatHasChanged(t *testing.T) {
	for name, meanwhile := range map[string]struct {
		do      func(s *Store, d signup.Delivery) error
		claimed int
	}{
		"nothing": {func(*Store, signup.Delivery) error { return nil }, 1},
		"disabled": {func(s *Store, d signup.Delivery) error {
			_, err := s.UpdateWebhookEndpoint(context.Background(), d.Instance, d.EndpointID, signup.WebhookChange{Enabled: new(false)})
			return err
		}, 0},
		"deleted": {func(s *Store, d signup.Delivery) error {
			return s.DeleteWebhookEndpoint(context.Background(), d.Instance, d.EndpointID)
		}, 0},
		"claimed": {func(s *Store, d signup.Delivery) error {
			// Until a time that has passed, so that it is due, but another's.
			_, err := s.ClaimDeliveries(context.Background(), d.NotBefore, d.NotBefore, 1)
			return err
		}, 0},
		"replayed": {func(s *Store, d signup.Delivery) error {
			_, err := s.ReplayDelivery(context.Background(), d.Instance, d.ID, d.NotBefore.Add(-time.Minute))
			return err
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			onEachBackend(t, func(t *testing.T, url string) {
				s := mustOpen(t, Options{URL: url})
				mustEnsureInstance(t, s)
				mustDeliverOne(t, s)
				due, err := dueDeliveries(t.Context(), s.db.reader(), testInstance.At, 10)
				if len(due) != 1 || err != nil {
					t.Fatal(due, err)
				}
				if err := meanwhile.do(s, due[0]); err != nil {
					t.Fatal(err)
				}
				claimed, err := write(t.Context(), s, "claim", func(ctx context.Context, x executor) ([]signup.Delivery, error) {
					return claim(ctx, x, due, testInstance.At.Add(time.Hour))
				})
				if len(claimed) != meanwhile.claimed || err != nil {
					t.Errorf("claimed are %+v, %v", claimed, err)
				}
			})
		})
	}
}

// mustDeliverOne makes one delivery to testEndpoint.
func mustDeliverOne(t *testing.T, s *Store) {
	t.Helper()
	c := testConversion("a")
	build := c.Build
	c.Build = func(v signup.SettingsVersion, i *signup.Invitation) (signup.Creation, bool) {
		made, ok := build(v, i)
		made.Events = made.Events[:1]
		return made, ok
	}
	if _, err := s.Convert(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if err := s.AddWebhookEndpoint(t.Context(), testEndpoint); err != nil {
		t.Fatal(err)
	}
	if n, err := s.FanOut(t.Context(), testInstance.At, 10); n != 1 || err != nil {
		t.Fatal(n, err)
	}
}

// Between looking at what is old and purging it, it may be replayed.
func TestPurgeOfWhatHasChanged(t *testing.T) {
	ctx, at := context.Background(), testInstance.At
	id := deliveryID("evt_u_a", testEndpoint.ID, 0)
	for name, meanwhile := range map[string]struct {
		do     func(s *Store) error
		purged int
	}{
		"nothing": {func(*Store) error { return nil }, 1},
		"replay":  {func(s *Store) error { _, err := s.ReplayDelivery(ctx, testInstance.ID, id, at); return err }, 0},
		"replay of events": {func(s *Store) error {
			_, err := s.ReplayEvents(ctx, testInstance.ID, testEndpoint.ID, at, at)
			return err
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			onEachBackend(t, func(t *testing.T, url string) {
				s := mustOpen(t, Options{URL: url})
				mustEnsureInstance(t, s)
				mustDeliverOne(t, s)
				if err := deliver(ctx, s, at, func(string) {}, func() bool { return true }); err != nil {
					t.Fatal(err)
				}
				old, err := events(ctx, s.db.reader(), selectOldEvents, 0, "", millis(at)+1, 10)
				if len(old) != 1 || err != nil {
					t.Fatal(old, err)
				}
				if err := meanwhile.do(s); err != nil {
					t.Fatal(err)
				}
				purged, err := write(ctx, s, "purge", func(ctx context.Context, x executor) ([]event, error) {
					return eachOnce(ctx, x, old, deleteEvent, func(e event) []any { return []any{e.id, e.replays} })
				})
				if len(purged) != meanwhile.purged || err != nil {
					t.Errorf("purged are %+v, %v", purged, err)
				}
			})
		})
	}
}
