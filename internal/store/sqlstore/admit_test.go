package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"stepwise/internal/signup"
)

var testEndpoint = signup.WebhookEndpoint{
	ID: "we_1", Instance: testInstance.ID, URL: "https://example.com", Enabled: true, CreatedAt: testInstance.At,
}

func testInvitation(attempt string) signup.Invitation {
	return signup.Invitation{
		ID: "inv_" + attempt, Instance: testInstance.ID, CreatedAt: testInstance.At, ExpireAt: testInstance.At.Add(time.Hour),
	}
}

// testAdmission is a conversion that consumes the invitation of the attempt.
func testAdmission(attempt string) signup.Conversion {
	c := testConversion(attempt)
	c.Invitation = "inv_" + attempt
	return c
}

// testComeback is one more session of the attempt's client, and one event.
func testComeback(attempt string) signup.SessionCreation {
	at := testInstance.At.Add(time.Minute)
	return signup.SessionCreation{
		Session: signup.Session{
			ID: "sess_again_" + attempt, Instance: testInstance.ID, UserID: "user_" + attempt, ClientID: "client_" + attempt,
			CreatedAt: at, ExpireAt: at.Add(time.Hour),
		},
		Events: []signup.Event{{ID: "evt_a_" + attempt, Kind: "session.created", Body: []byte(`{}`), At: at}},
	}
}

func wantComeback(s *Store, attempt string) error {
	c := testComeback(attempt)
	c.Session.CreatedAt, c.Session.ExpireAt = c.Session.CreatedAt.UTC(), c.Session.ExpireAt.UTC()
	session, generation, err := s.CreateSession(context.Background(), c)
	if err == nil && (generation != 2 || session != c.Session) {
		err = fmt.Errorf("session %+v of generation %d", session, generation)
	}
	return err
}

// admit invites people, who sign up and come back, while deliveries are made
// and settled. It says what is done.
func admit(ctx context.Context, s *Store) error {
	if err := s.AddWebhookEndpoint(ctx, testEndpoint); err != nil && !errors.Is(err, signup.ErrDuplicate) {
		return err
	}
	var running sync.WaitGroup
	failed := make(chan error, 10)
	for worker := range cap(failed) - 2 {
		running.Go(func() {
			for n := 0; ; n++ {
				attempt := fmt.Sprintf("%d_%d_%d", os.Getpid(), worker, n)
				_, err := s.Convert(ctx, testConversion("x"+attempt)) // without one
				if err == nil {
					err = s.AddInvitation(ctx, testInvitation(attempt))
				}
				if err == nil {
					_, err = s.Convert(ctx, testAdmission(attempt))
				}
				if err == nil {
					err = wantComeback(s, attempt)
				}
				if err != nil {
					failed <- err
					return
				}
				fmt.Println("admitted", attempt) // one write, not buffered
			}
		})
	}
	say := func(id string) { fmt.Println("delivered", id) }
	for range 2 {
		running.Go(func() { failed <- deliver(ctx, s, testInstance.At.Add(time.Hour), say, func() bool { return false }) })
	}
	running.Wait()
	return <-failed
}

// deliver makes and settles deliveries, and says which, until it is told to stop
// when there is nothing to do. Whatever it claims is due again an hour later.
func deliver(ctx context.Context, s *Store, now time.Time, delivered func(id string), stop func() bool) error {
	for {
		made, err := s.FanOut(ctx, now.Add(-time.Minute), 7)
		if err != nil {
			return err
		}
		claimed, err := s.ClaimDeliveries(ctx, now, now.Add(time.Hour), 5)
		if err != nil {
			return err
		}
		if made+len(claimed) == 0 && stop() {
			return nil
		}
		for _, d := range claimed {
			if err := s.SettleDelivery(ctx, d.Instance, d.ID, signup.DeliveryResult{At: now, Done: true, Status: 200}); err != nil {
				return err
			}
			delivered(d.ID)
		}
	}
}

// A process that is killed leaves no half invitation, session or delivery, and
// what it has acknowledged is there.
func TestKilledWhileAdmitting(t *testing.T) {
	onEachBackend(t, func(t *testing.T, url string) {
		var admitted, delivered []string
		for round := range 4 {
			for _, line := range killAfter(t, taskAdmit, url, 25+41*round) {
				if attempt, ok := strings.CutPrefix(line, "admitted "); ok {
					admitted = append(admitted, attempt)
				}
				if id, ok := strings.CutPrefix(line, "delivered "); ok {
					delivered = append(delivered, id)
				}
			}
		}
		if len(admitted) == 0 || len(delivered) == 0 {
			t.Fatalf("%d people were admitted, %d events delivered", len(admitted), len(delivered))
		}
		s := mustOpen(t, Options{URL: url})
		wantWholeAdmissions(t, s)
		for _, attempt := range admitted {
			i, err := s.Invitation(t.Context(), testInstance.ID, "inv_"+attempt)
			if err != nil || i.UserID != "user_"+attempt || i.UsedAt.IsZero() {
				t.Fatalf("the invitation is %+v, %v", i, err)
			}
			if done, err := s.Convert(t.Context(), testAdmission(attempt)); err != nil || done != testConverted(attempt) {
				t.Fatalf("%s was acknowledged and is now %+v, %v", attempt, done, err)
			}
			if err := wantComeback(s, attempt); err != nil {
				t.Fatal(err)
			}
		}
		wantDelivered := func(id string) {
			t.Helper()
			if d, err := s.Delivery(t.Context(), testInstance.ID, id); err != nil || d.DoneAt.IsZero() {
				t.Fatalf("the delivery is %+v, %v", d, err)
			}
		}
		for _, id := range delivered {
			wantDelivered(id)
		}
		// Somebody else does what is left, once the claims of the dead have run out.
		if err := deliver(t.Context(), s, testInstance.At.Add(3*time.Hour), wantDelivered, func() bool { return true }); err != nil {
			t.Fatal(err)
		}
		wantWholeAdmissions(t, s)
		wantNone(t, s, "deliveries that nobody has settled", `SELECT COUNT(*) FROM webhook_deliveries WHERE done_at = 0`)
		wantNone(t, s, "events that nobody has looked at", `SELECT COUNT(*) FROM outbox WHERE done_at = 0`)
	})
}

func wantNone(t *testing.T, s *Store, what, statement string) {
	t.Helper()
	var n int
	if err := queryRow(t.Context(), s.db.reader(), statement, nil, &n); err != nil || n != 0 {
		t.Errorf("%d %s, %v", n, what, err)
	}
}

func wantWholeAdmissions(t *testing.T, s *Store) {
	t.Helper()
	wantNone(t, s, "used invitations without their user", `
		SELECT COUNT(*) FROM invitations i LEFT JOIN conversions c ON c.user_id = i.user_id
		WHERE i.used_at <> 0 AND c.user_id IS NULL OR (i.used_at = 0) <> (i.user_id = '')`)
	wantNone(t, s, "invited users whose invitation is not used", `
		SELECT COUNT(*) FROM conversions c JOIN invitations i ON c.user_id = REPLACE(i.id, 'inv_', 'user_') WHERE i.used_at = 0`)
	wantNone(t, s, "sessions without a generation of their own", `
		SELECT COUNT(*) FROM clients c WHERE c.generation <> (
			SELECT COUNT(*) FROM sessions s WHERE s.instance_id = c.instance_id AND s.client_id = c.id)`)
	wantNone(t, s, "sessions without their event", `
		SELECT COUNT(*) FROM clients c WHERE c.generation = 2 AND NOT EXISTS (
			SELECT 1 FROM outbox e WHERE e.id = REPLACE(c.id, 'client_', 'evt_a_'))`)
	wantNone(t, s, "events with too many deliveries or too few", `
		SELECT COUNT(*) FROM outbox e
		WHERE (SELECT COUNT(*) FROM webhook_deliveries d WHERE d.event_id = e.id) <> CASE WHEN e.done_at = 0 THEN 0 ELSE 1 END`)
}
