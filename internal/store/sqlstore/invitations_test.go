package sqlstore

import (
	"context"
	"testing"

	"stepwise/engine"
	"stepwise/internal/signup"
)

// Another version of the program may know attributes that this one does not.
func TestUnknownValuesOfAnInvitation(t *testing.T) {
	onEachBackend(t, func(t *testing.T, url string) {
		s := mustOpen(t, Options{URL: url})
		mustEnsureInstance(t, s)
		i := testInvitation("a")
		i.Values[engine.FirstName] = engine.Value{Presence: engine.Given, Text: "Ada", Key: "Ada"}
		i.Values[engine.LastName] = engine.Value{Presence: engine.Cleared, Text: "taken back"}
		if err := s.AddInvitation(t.Context(), i); err != nil {
			t.Fatal(err)
		}
		stored := func() (text string) {
			t.Helper()
			if err := queryRow(t.Context(), s.db.reader(), "SELECT sent_values FROM invitations", nil, &text); err != nil {
				t.Fatal(err)
			}
			return text
		}
		if got := stored(); got != `{"FIRST_NAME":{"text":"Ada","key":"Ada"}}` {
			t.Errorf("stored are %s", got)
		}
		i.Values[engine.LastName] = engine.Value{}
		for _, text := range []string{
			`{"FIRST_NAME":{"text":"Ada","key":"Ada"},"NICKNAME":{"text":"x","key":"x"}}`,
			`{"NICKNAME":{"text":"x"},"FIRST_NAME":{"key":"Ada","text":"Ada","more":{}}}`,
			`{}`, `null`,
		} {
			_, err := write(t.Context(), s, "change", func(ctx context.Context, x executor) (int64, error) {
				return execute(ctx, x, "UPDATE invitations SET sent_values = $1", text)
			})
			if err != nil {
				t.Fatal(err)
			}
			if len(text) < 5 {
				i.Values[engine.FirstName] = engine.Value{}
			}
			if got, err := s.Invitation(t.Context(), i.Instance, i.ID); err != nil || got.Values != i.Values {
				t.Errorf("%s is read as %+v, %v", text, got.Values, err)
			}
		}
	})
}

// What a conversion is told about its invitation is what it consumes: the
// whole transaction is undone with it.
func TestConsumedInvitationIsUndoneWithItsConversion(t *testing.T) {
	onEachBackend(t, func(t *testing.T, url string) {
		s := mustOpen(t, Options{URL: url})
		mustEnsureInstance(t, s)
		if err := s.AddInvitation(t.Context(), testInvitation("a")); err != nil {
			t.Fatal(err)
		}
		c := testAdmission("a")
		build := c.Build
		c.Build = func(v signup.SettingsVersion, i *signup.Invitation) (signup.Creation, bool) {
			made, ok := build(v, i)
			made.Events[1].ID = made.Events[0].ID // cannot be stored
			return made, ok
		}
		if _, err := s.Convert(t.Context(), c); err == nil {
			t.Error("two events with one id were stored")
		}
		if i, err := s.Invitation(t.Context(), testInstance.ID, "inv_a"); err != nil || !i.UsedAt.IsZero() || i.UserID != "" {
			t.Errorf("the invitation is %+v, %v", i, err)
		}
		if done, err := s.Convert(t.Context(), testAdmission("a")); err != nil || done != testConverted("a") {
			t.Errorf("the retry returned %+v, %v", done, err)
		}
	})
}
