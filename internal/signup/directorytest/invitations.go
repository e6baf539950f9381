package directorytest

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"stepwise/engine"
	"stepwise/internal/signup"
)

// invitation is valid for an hour from moment on.
func invitation(id string) signup.Invitation {
	i := signup.Invitation{
		ID: id, Instance: inst, PublicMetadata: json.RawMessage(`{"team":"é"}`),
		CreatedAt: moment, ExpireAt: moment.Add(time.Hour),
	}
	i.Values[engine.EmailAddress] = engine.Value{Presence: engine.Given, Text: "Ada@Example.com", Key: "ada@example.com"}
	return i
}

func (f *fixture) invite(i signup.Invitation) {
	f.Helper()
	f.must(f.Directory.AddInvitation(f.Context(), i))
}

func (f *fixture) invitation(id string) signup.Invitation {
	f.Helper()
	i, err := f.Directory.Invitation(f.Context(), inst, id)
	f.must(err)
	return i
}

// with is a conversion that consumes an invitation.
func with(id string, c signup.Conversion) signup.Conversion {
	c.Invitation = id
	return c
}

func testInvitations(f *fixture) {
	f.first()
	f.AddInstance(newInstance("inst_2"))
	full := invitation("inv_full")
	for a := range engine.Attribute(engine.NumAttributes) {
		full.Values[a] = engine.Value{Presence: engine.Given, Text: "Ünï \"" + a.String() + `" <&>` + "\u2028", Key: "key of " + a.String()}
	}
	least := signup.Invitation{ID: "inv_least", Instance: inst, CreatedAt: moment, ExpireAt: moment.Add(time.Millisecond)}
	for _, i := range []signup.Invitation{full, least} {
		f.invite(i)
		want(f, "the invitation", f.invitation(i.ID), i)
	}
	empty := invitation("inv_empty")
	empty.Values[engine.EmailAddress] = engine.Value{Presence: engine.Given}
	f.invite(empty)
	want(f, "an empty value", f.invitation("inv_empty"), empty)

	f.wantError(f.Directory.AddInvitation(f.Context(), invitation("inv_least")), signup.ErrDuplicate)
	want(f, "the invitation that was there", f.invitation("inv_least"), least)
	nowhere := invitation("inv_nowhere")
	nowhere.Instance = "inst_none"
	f.wantError(f.Directory.AddInvitation(f.Context(), nowhere), signup.ErrNoRow)

	for _, no := range [][2]string{{inst, "inv_none"}, {inst, ""}, {inst, "\xff"}, {"inst_2", "inv_full"}, {"", "inv_full"}} {
		_, err := f.Directory.Invitation(f.Context(), no[0], no[1])
		f.wantError(err, signup.ErrNoRow)
		_, err = f.Directory.RevokeInvitation(f.Context(), no[0], no[1], moment)
		f.wantError(err, signup.ErrNoRow)
	}
	want(f, "the invitation that nobody has revoked", f.invitation("inv_full"), full)

	for _, bad := range []string{"\xff", "a\x00"} {
		i := invitation("inv_bad")
		i.Values[engine.FirstName] = engine.Value{Presence: engine.Given, Text: bad}
		if f.Directory.AddInvitation(f.Context(), i) == nil {
			f.Errorf("%q was stored as a value", bad)
		}
	}
	want(f, "the number of invitations", f.Rows()["invitations"], 3)
	f.Directory = f.Reopen()
	want(f, "the invitation after a restart", f.invitation("inv_full"), full)
}

func testRevocation(f *fixture) {
	f.first()
	later := moment.Add(2 * time.Hour) // all have expired by then
	f.invite(invitation("inv_a"))
	expected := invitation("inv_a")
	expected.RevokedAt = later
	for _, at := range []time.Time{later, later.Add(time.Minute), moment} {
		got, err := f.Directory.RevokeInvitation(f.Context(), inst, "inv_a", at)
		f.must(err)
		want(f, "the answer", got, expected)
		want(f, "the revoked invitation", f.invitation("inv_a"), expected)
	}

	f.invite(invitation("inv_b"))
	f.convert(with("inv_b", conversion("b", "client_1")))
	used := f.invitation("inv_b")
	want(f, "used at", used.UsedAt, moment)
	got, err := f.Directory.RevokeInvitation(f.Context(), inst, "inv_b", later)
	f.must(err)
	want(f, "the used invitation", got, used)
	want(f, "the used invitation as stored", f.invitation("inv_b"), used)
}

func testInvitationLists(f *fixture) {
	f.first()
	f.AddInstance(newInstance("inst_2"))
	var all []signup.Invitation // newest first
	for n := range 24 {
		i := invitation(fmt.Sprintf("inv_%02d", n))
		i.CreatedAt = moment.Add(time.Duration(n/5) * time.Millisecond)
		i.ExpireAt = moment.Add(time.Duration(n%4) * time.Hour)
		if n%3 == 1 {
			i.RevokedAt = moment
		}
		if n%6 == 2 || n%12 == 1 {
			i.UsedAt, i.UserID = moment, "user_x"
		}
		f.invite(i)
		all = append([]signup.Invitation{i}, all...)
	}
	other := invitation("inv_other")
	other.Instance = "inst_2"
	f.invite(other)

	states := []*engine.TicketState{nil}
	for state := engine.TicketValid; state <= engine.TicketUsed; state++ {
		states = append(states, &state)
	}
	for _, state := range states {
		for _, now := range []time.Time{
			moment, moment.Add(time.Hour - time.Millisecond), moment.Add(time.Hour - 1), moment.Add(time.Hour), moment.Add(5 * time.Hour),
		} {
			var expected []string
			for _, i := range all {
				if state == nil || i.StateAt(now) == *state {
					expected = append(expected, i.ID)
				}
			}
			filter := signup.InvitationFilter{State: state, Now: now, Limit: 3}
			var got []string
			for more := true; more; {
				page, m, err := f.Directory.Invitations(f.Context(), inst, filter)
				f.must(err)
				if m && len(page) != filter.Limit {
					f.Fatalf("a page of %d, and more", len(page))
				}
				for _, i := range page {
					got = append(got, i.ID)
					want(f, "a listed invitation", i, f.invitation(i.ID))
					filter.After = &signup.Position{At: i.CreatedAt, ID: i.ID}
				}
				more = m
			}
			want(f, fmt.Sprintf("the invitations of %v", text(state)), got, expected)
			count, err := f.Directory.CountInvitations(f.Context(), inst, filter) // whatever the page
			f.must(err)
			want(f, "their number", count, len(expected))
		}
	}
	for _, limit := range []int{0, -1} {
		page, more, err := f.Directory.Invitations(f.Context(), inst, signup.InvitationFilter{Limit: limit})
		f.must(err)
		want(f, "no invitations, but more", []any{len(page), more}, []any{0, true})
	}
	page, more, err := f.Directory.Invitations(f.Context(), "\xff", signup.InvitationFilter{Limit: 1})
	f.must(err)
	want(f, "no invitations, nor more", []any{len(page), more}, []any{0, false})
}

func testConsume(f *fixture) {
	f.first()
	f.AddInstance(newInstance("inst_2"))
	f.invite(invitation("inv_a"))
	other := invitation("inv_other")
	other.Instance = "inst_2"
	f.invite(other)

	var seen []*signup.Invitation
	watched := func(c signup.Conversion) signup.Conversion {
		build := c.Build
		c.Build = func(v signup.SettingsVersion, i *signup.Invitation) (signup.Creation, bool) {
			seen = append(seen, i)
			return build(v, i)
		}
		return c
	}
	// With none, one that does not exist, and one of another instance.
	for _, id := range []string{"", "inv_none", "\xff", "inv_other"} {
		f.convert(watched(with(id, conversion("no"+text(id), "client_1"))))
		if last := seen[len(seen)-1]; last != nil {
			f.Errorf("Build was given %+v for %q", *last, id)
		}
	}
	want(f, "the invitation of none of them", f.invitation("inv_a"), invitation("inv_a"))

	a := with("inv_a", conversion("a", "client_1"))
	a.At = moment.Add(time.Minute)
	done := f.convert(watched(a))
	want(f, "what Build was given", seen[len(seen)-1], new(invitation("inv_a")))
	used := invitation("inv_a")
	used.UsedAt, used.UserID = a.At, "user_a"
	want(f, "the used invitation", f.invitation("inv_a"), used)

	before := f.Rows()
	want(f, "the outcome of the same conversion", f.convert(a), done)
	want(f, "the invitation after that", f.invitation("inv_a"), used)
	f.wantRows(before)
	stranger, err := f.Directory.Invitation(f.Context(), "inst_2", "inv_other")
	f.must(err)
	want(f, "the other instance's invitation", stranger, other)
}

// Whatever becomes of the invitation before the conversion, its ticket is worth
// what its state says; a refusal is final for the try.
func testConsumeRefused(f *fixture) {
	f.first()
	spoiled := map[string]func(*signup.Invitation){
		"used":        func(i *signup.Invitation) { i.UsedAt, i.UserID = moment, "user_x" },
		"revoked":     func(i *signup.Invitation) { i.RevokedAt = moment },
		"expired":     func(i *signup.Invitation) { i.ExpireAt = moment.Add(-time.Hour) },
		"expires now": func(i *signup.Invitation) { i.ExpireAt = moment },
	}
	for name, spoil := range spoiled {
		i := invitation("inv_" + name)
		spoil(&i)
		f.invite(i)
		before := f.Rows()
		c := with(i.ID, conversion(name, "client_1", email(name)))
		_, err := f.Directory.Convert(f.Context(), c)
		f.wantError(err, signup.ErrNotSatisfied)
		want(f, "the invitation", f.invitation(i.ID), i)
		c.Invitation = ""
		_, err = f.Directory.Convert(f.Context(), c)
		f.wantError(err, signup.ErrNotSatisfied) // the same try
		f.wantRows(before)
		f.convert(conversion(name, "client_1", email(name))) // another
	}

	last := invitation("inv_last")
	last.ExpireAt = moment.Add(time.Millisecond)
	f.invite(last)
	refused := with("inv_last", conversion("last", "client_1"))
	refused.Build = func(signup.SettingsVersion, *signup.Invitation) (signup.Creation, bool) {
		return signup.Creation{}, false
	}
	_, err := f.Directory.Convert(f.Context(), refused)
	f.wantError(err, signup.ErrNotSatisfied)
	_, err = f.Directory.Convert(f.Context(), with("inv_last", conversion("last", "client_1", email("used"))))
	f.takenBy(err)
	want(f, "the invitation that nobody has used", f.invitation("inv_last"), last)
	f.convert(with("inv_last", conversion("last", "client_1")))
}

func testConsumeRace(f *fixture) {
	f.first()
	f.invite(invitation("inv_a"))
	results, errs := together(f, 64, func(d signup.Directory, i int) (signup.Converted, error) {
		attempt := fmt.Sprint(i)
		return d.Convert(f.Context(), with("inv_a", conversion(attempt, "client_"+attempt, username(attempt))))
	})
	winner := f.oneWinner(errs)
	want(f, "who has used the invitation", f.invitation("inv_a").UserID, results[winner].UserID)
	f.wantRows(map[string]int{
		"instances": 1, "settings_versions": 1, "users": 1, "identifiers": 1, "sessions": 1,
		"clients": 1, "conversions": 1, "outbox": 2, "invitations": 1,
	})
}

// oneWinner returns which one did not fail; the others failed with ErrNotSatisfied.
func (f *fixture) oneWinner(errs []error) int {
	f.Helper()
	winner, winners := 0, 0
	for i, err := range errs {
		if err == nil {
			winner, winners = i, winners+1
			continue
		}
		f.wantError(err, signup.ErrNotSatisfied)
	}
	want(f, "the number of winners", winners, 1)
	return winner
}

// An invitation is used or revoked, never both.
func testConsumeOrRevoke(f *fixture) {
	f.first()
	for round := range 12 {
		id := fmt.Sprintf("inv_%d", round)
		f.invite(invitation(id))
		_, errs := together(f, 4, func(d signup.Directory, i int) (none struct{}, err error) {
			if i < 2 {
				_, err = d.RevokeInvitation(f.Context(), inst, id, moment)
				return none, err
			}
			_, err = d.Convert(f.Context(), with(id, conversion(fmt.Sprint(round, i), "client_1")))
			return none, err
		})
		f.must(errors.Join(errs[:2]...))
		i := f.invitation(id)
		if i.RevokedAt.IsZero() == i.UsedAt.IsZero() {
			f.Errorf("revoked at %v, used at %v", i.RevokedAt, i.UsedAt)
		}
		if !i.UsedAt.IsZero() {
			f.oneWinner(errs[2:])
			continue
		}
		for _, err := range errs[2:] {
			f.wantError(err, signup.ErrNotSatisfied)
		}
	}
}
