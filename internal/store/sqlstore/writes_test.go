package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"stepwise/internal/signup"
)

// writeTest is a write, which is done for many attempts. Whatever the others
// leave behind is theirs.
type writeTest struct {
	name string
	// prepare makes what the write needs.
	prepare func(s *Store, attempt string) error
	do      func(s *Store, attempt string) error
	// done fails unless the write was done once, and wholly.
	done func(s *Store, attempt string) error
}

func writeTests() []writeTest {
	ctx, at := context.Background(), testInstance.At
	inst := testInstance.ID
	nothing := func(*Store, string) error { return nil }

	invite := func(s *Store, attempt string) error { return s.AddInvitation(ctx, testInvitation(attempt)) }
	convert := func(s *Store, attempt string) error {
		_, err := s.Convert(ctx, testConversion(attempt))
		return err
	}
	abandon := func(s *Store, attempt string) error {
		_, err := s.CountAbandoned(ctx, inst, at, []signup.EndedAttempt{
			{AttemptID: testConversion(attempt).AttemptID, SettingsVersion: 1, Shape: "s", At: at},
			{AttemptID: "left_" + attempt, SettingsVersion: 1, Shape: "s", At: at},
		})
		return err
	}
	comeBack := wantComeback
	admission := func(s *Store, attempt string) error {
		_, err := s.Convert(ctx, testAdmission(attempt))
		return err
	}
	endpoint := func(s *Store, attempt string) error {
		e := testEndpoint
		e.ID = "we_" + attempt
		return s.AddWebhookEndpoint(ctx, e)
	}
	fanOut := func(s *Store, _ string) error {
		_, err := s.FanOut(ctx, at, 100)
		return err
	}
	claim := func(s *Store, _ string) error {
		_, err := s.ClaimDeliveries(ctx, at, at.Add(time.Hour), 100)
		return err
	}
	idOf := func(attempt string) string { return deliveryID("evt_u_"+attempt, testEndpoint.ID, 0) }
	settle := func(s *Store, attempt string) error {
		return s.SettleDelivery(ctx, inst, idOf(attempt), signup.DeliveryResult{At: at, Done: true, Status: 204})
	}
	replay := func(s *Store, attempt string) error {
		_, err := s.ReplayDelivery(ctx, inst, idOf(attempt), at)
		return err
	}
	inOrder := func(steps ...func(*Store, string) error) func(*Store, string) error {
		return func(s *Store, attempt string) error {
			for _, step := range steps {
				if err := step(s, attempt); err != nil {
					return err
				}
			}
			return nil
		}
	}
	oneEndpoint := func(s *Store, _ string) error {
		if err := s.AddWebhookEndpoint(ctx, testEndpoint); !errors.Is(err, signup.ErrDuplicate) {
			return err
		}
		return nil
	}
	purge := func(s *Store, _ string) error { return s.PurgeEvents(ctx, at.Add(time.Hour)) }
	// forget leaves neither events nor deliveries.
	forget := inOrder(func(s *Store, _ string) error {
		if err := s.DeleteWebhookEndpoint(ctx, inst, testEndpoint.ID); !errors.Is(err, signup.ErrNoRow) {
			return err
		}
		return nil
	}, fanOut, purge)
	wantDelivery := func(right func(signup.Delivery) bool) func(*Store, string) error {
		return func(s *Store, attempt string) error {
			for _, event := range []string{"evt_u_", "evt_s_"} {
				found, _, err := s.Deliveries(ctx, inst, signup.DeliveryFilter{EventID: event + attempt, Limit: 10})
				if err != nil || len(found) != 1 || !right(found[0]) && event == "evt_u_" {
					return fmt.Errorf("deliveries are %+v, %w", found, cmp.Or(err, errors.New("not as they should be")))
				}
			}
			return nil
		}
	}
	wantInvitation := func(right func(signup.Invitation) bool) func(*Store, string) error {
		return func(s *Store, attempt string) error {
			i, err := s.Invitation(ctx, inst, "inv_"+attempt)
			if err == nil && !right(i) {
				err = fmt.Errorf("the invitation is %+v", i)
			}
			return err
		}
	}
	wantEndpoint := func(right func(e signup.WebhookEndpoint, err error) bool) func(*Store, string) error {
		return func(s *Store, attempt string) error {
			e, err := s.WebhookEndpoint(ctx, inst, "we_"+attempt)
			if right(e, err) {
				return nil
			}
			return fmt.Errorf("the endpoint is %+v, %v", e, err)
		}
	}
	return []writeTest{
		{"invitation", nothing, invite, wantInvitation(func(i signup.Invitation) bool { return i.RevokedAt.IsZero() })},
		{"revocation", invite,
			func(s *Store, attempt string) error {
				_, err := s.RevokeInvitation(ctx, inst, "inv_"+attempt, at)
				return err
			},
			wantInvitation(func(i signup.Invitation) bool { return i.RevokedAt.Equal(at) })},
		{"admission", invite, admission,
			inOrder(wantInvitation(func(i signup.Invitation) bool { return i.UsedAt.Equal(at) && i.UserID == "user_"+i.ID[len("inv_"):] }),
				func(s *Store, attempt string) error {
					done, err := s.Convert(ctx, testAdmission(attempt))
					if err == nil && done != testConverted(attempt) {
						err = fmt.Errorf("the conversion is %+v", done)
					}
					return err
				})},
		{"abandonments", convert, abandon,
			func(s *Store, attempt string) error {
				const counted = `SELECT COUNT(*) FROM abandonments WHERE attempt_id = $1 OR attempt_id = $2`
				var n int
				err := queryRow(ctx, s.db.reader(), counted, []any{attempt, "left_" + attempt}, &n)
				if err == nil && n != 1 {
					err = fmt.Errorf("%d of a converted and an abandoned sign-up are counted as abandoned", n)
				}
				return errors.Join(err, reconciled(ctx, s))
			}},
		{"session", convert, comeBack, comeBack},
		{"endpoint", nothing, endpoint, wantEndpoint(func(e signup.WebhookEndpoint, err error) bool { return err == nil && e.Enabled })},
		{"endpoint change", endpoint,
			func(s *Store, attempt string) error {
				_, err := s.UpdateWebhookEndpoint(ctx, inst, "we_"+attempt, signup.WebhookChange{Enabled: new(false), At: at})
				return err
			},
			wantEndpoint(func(e signup.WebhookEndpoint, err error) bool { return err == nil && !e.Enabled })},
		{"deleted endpoint", inOrder(endpoint, convert, fanOut),
			func(s *Store, attempt string) error { return s.DeleteWebhookEndpoint(ctx, inst, "we_"+attempt) },
			inOrder(wantEndpoint(func(_ signup.WebhookEndpoint, err error) bool { return errors.Is(err, signup.ErrNoRow) }),
				func(s *Store, attempt string) error {
					found, _, err := s.Deliveries(ctx, inst, signup.DeliveryFilter{EventID: "evt_u_" + attempt, Limit: 1})
					return errors.Join(err, wantNoMore(found))
				})},
		{"fan out", inOrder(oneEndpoint, convert), fanOut, wantDelivery(func(d signup.Delivery) bool { return d.Tries == 0 })},
		{"claims", inOrder(oneEndpoint, convert, fanOut), claim, wantDelivery(func(d signup.Delivery) bool { return d.Tries == 1 })},
		{"outcome", inOrder(oneEndpoint, convert, fanOut, claim), settle,
			wantDelivery(func(d signup.Delivery) bool { return d.DoneAt.Equal(at) && d.LastStatus == 204 })},
		{"replay", inOrder(oneEndpoint, convert, fanOut, claim, settle), replay,
			wantDelivery(func(d signup.Delivery) bool { return d.DoneAt.IsZero() && d.LastStatus == 0 && d.Tries == 0 })},
		{"replay of events", inOrder(forget, oneEndpoint, convert),
			func(s *Store, _ string) error {
				_, err := s.ReplayEvents(ctx, inst, testEndpoint.ID, at, at)
				return err
			},
			wantDelivery(func(d signup.Delivery) bool { return d.NotBefore.Equal(at) })},
		{"purge", inOrder(convert, fanOut),
			purge,
			func(s *Store, _ string) error {
				left, err := events(ctx, s.db.reader(), "SELECT id, instance_id, kind, created_at, tries FROM outbox")
				if err == nil && len(left) == 0 {
					return nil
				}
				return fmt.Errorf("%d events are left, %v", len(left), err)
			}},
	}
}

func wantNoMore(found []signup.Delivery) error {
	if len(found) > 0 {
		return fmt.Errorf("there are deliveries: %+v", found)
	}
	return nil
}

// Whichever statement of a write fails, and however, all of it is there or
// nothing, and a retry makes it whole.
func TestEveryStatementOfAWriteFails(t *testing.T) {
	for _, test := range writeTests() {
		t.Run(test.name, func(t *testing.T) {
			onEachBackend(t, func(t *testing.T, url string) {
				var i interposer
				s := mustOpenWrapped(t, Options{URL: url}, i.wrap)
				mustEnsureInstance(t, s)
				for _, f := range []fault{faultBefore, faultAfter, faultLost} {
					failEveryStatement(t, s, &i, test, f)
				}
			})
		})
	}
}

func failEveryStatement(t *testing.T, s *Store, i *interposer, test writeTest, f fault) {
	t.Helper()
	must := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	for n := 1; ; n++ {
		attempt := fmt.Sprintf("%v_%d", f, n)
		must("prepare", test.prepare(s, attempt))
		before := contents(t, s)
		i.arm(n, f)
		err := test.do(s, attempt)
		log, fired := i.disarm()
		if !fired {
			must("nothing was made to fail", err)
			must("nothing was made to fail", test.done(s, attempt))
			if n < 4 {
				t.Fatalf("there are only %d statements:\n%s", len(log), strings.Join(log, "\n"))
			}
			return
		}
		what := fmt.Sprintf("%v %q", f, log[n-1])
		if !errors.Is(err, errInjected) {
			t.Fatalf("%s: %v", what, err)
		}
		if changed := contents(t, s); f == faultAfter && log[n-1] == "COMMIT" {
			if slices.Equal(changed, before) {
				t.Fatalf("%s: nothing was changed", what)
			}
		} else {
			if !slices.Equal(changed, before) {
				isIn := func(lines []string) func(string) bool {
					return func(l string) bool { return slices.Contains(lines, l) }
				}
				t.Fatalf("%s has added\n%s\nand removed\n%s", what,
					strings.Join(slices.DeleteFunc(slices.Clone(changed), isIn(before)), "\n"),
					strings.Join(slices.DeleteFunc(slices.Clone(before), isIn(changed)), "\n"))
			}
			must("the retry after "+what, test.do(s, attempt))
		}
		must(what, test.done(s, attempt))
	}
}

// contents is all that is stored, as text, a line each row.
func contents(t *testing.T, s *Store) (lines []string) {
	t.Helper()
	for _, table := range append([]string{"refusals", "shapes"}, tables...) {
		err := query(t.Context(), s.db.reader(), "SELECT * FROM "+table, nil, func(row *sql.Rows) error {
			columns, err := row.Columns()
			if err != nil {
				return err
			}
			values, targets := make([]sql.NullString, len(columns)), make([]any, len(columns))
			for i := range values {
				targets[i] = &values[i]
			}
			err = row.Scan(targets...)
			lines = append(lines, fmt.Sprint(table, values))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(lines)
	return lines
}
