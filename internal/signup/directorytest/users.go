package directorytest

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"stepwise/internal/signup"
)

func testUsers(f *fixture) {
	f.first()
	f.AddInstance(newInstance("inst_2"))
	f.convert(conversion("a", "client_1", email("a@example.com")))
	for _, missing := range [][2]string{{inst, "user_none"}, {inst, ""}, {inst, "USER_A"}, {"inst_2", "user_a"}, {"", "user_a"}} {
		_, err := f.Directory.User(f.Context(), missing[0], missing[1])
		f.wantError(err, signup.ErrNoRow)
		_, err = f.Directory.UpdateUser(f.Context(), missing[0], missing[1], signup.UserChange{At: moment})
		f.wantError(err, signup.ErrNoRow)
	}
	users, more, err := f.Directory.Users(f.Context(), "inst_2", signup.UserFilter{Limit: 10})
	f.must(err)
	if len(users) > 0 || more {
		f.Errorf("another instance has %v, more: %v", users, more)
	}
}

func (f *fixture) list(filter signup.UserFilter) (ids []string, more bool) {
	f.Helper()
	users, more, err := f.Directory.Users(f.Context(), inst, filter)
	f.must(err)
	for _, u := range users {
		ids = append(ids, u.ID)
	}
	return ids, more
}

func testUserFilters(f *fixture) {
	f.first()
	f.AddInstance(newInstance("inst_2"))
	for i, attempt := range []string{"a", "b", "c"} {
		f.convert(changed(conversion(attempt, "client_1", email(attempt+"@example.com"), username(attempt)),
			func(made *signup.Creation) {
				made.User.CreatedAt = moment.Add(time.Duration(i) * time.Second)
				made.User.ExternalID = "crm-" + attempt
			}))
	}
	// The same text as another kind of identifier, of another user.
	f.convert(changed(conversion("d", "client_1", username("a@example.com")), func(made *signup.Creation) {
		made.User.CreatedAt = moment.Add(time.Hour)
	}))
	other := conversion("e", "client_1", email("a@example.com"))
	other.Instance = "inst_2"
	f.convert(other)

	for _, c := range []struct {
		filter signup.UserFilter
		users  []string
	}{
		{signup.UserFilter{}, []string{"user_d", "user_c", "user_b", "user_a"}},
		{signup.UserFilter{ExternalID: "crm-b"}, []string{"user_b"}},
		{signup.UserFilter{ExternalID: "crm"}, nil},
		{signup.UserFilter{Norm: "b"}, []string{"user_b"}},
		{signup.UserFilter{Norm: "b@example.com"}, []string{"user_b"}},
		{signup.UserFilter{Norm: "a@example.com"}, []string{"user_d", "user_a"}},
		{signup.UserFilter{Norm: "A@example.com"}, nil},
		{signup.UserFilter{Norm: "%"}, nil},
		{signup.UserFilter{ExternalID: "crm-a", Norm: "a@example.com"}, []string{"user_a"}},
		{signup.UserFilter{ExternalID: "crm-b", Norm: "a@example.com"}, nil},
		{signup.UserFilter{ExternalID: "\xff"}, nil},
		{signup.UserFilter{Norm: "\x00"}, nil},
		{signup.UserFilter{Norm: "a@example.com", After: &signup.Position{At: moment.Add(time.Hour), ID: "user_d"}}, []string{"user_a"}},
	} {
		c.filter.Limit = 10
		ids, more := f.list(c.filter)
		want(f, fmt.Sprintf("users of %+v", c.filter), ids, c.users)
		want(f, "more", more, false)
		if c.filter.After != nil {
			continue
		}
		count, err := f.Directory.CountUsers(f.Context(), inst, c.filter)
		f.must(err)
		want(f, fmt.Sprintf("the number of users of %+v", c.filter), count, len(c.users))
	}
	users, _, err := f.Directory.Users(f.Context(), inst, signup.UserFilter{ExternalID: "crm-b", Limit: 1})
	f.must(err)
	want(f, "a listed user", users[0], f.user("user_b"))

	ids, more := f.list(signup.UserFilter{Norm: "a@example.com", Limit: 1})
	want(f, "the first of two", ids, []string{"user_d"})
	want(f, "more", more, true)
	count, err := f.Directory.CountUsers(f.Context(), inst, signup.UserFilter{
		Limit: 1, After: &signup.Position{At: moment, ID: "user_a"},
	})
	f.must(err)
	want(f, "the number of users, whatever the page", count, 4)
	for _, limit := range []int{0, -1} {
		ids, more = f.list(signup.UserFilter{Limit: limit})
		want(f, "no users", len(ids), 0)
		want(f, "more", more, true)
	}
}

// Of users with equal times none is left out or shown twice, while others
// sign up.
func testPages(f *fixture) {
	f.first()
	add := func(attempt string, at time.Time) {
		f.convert(changed(conversion(attempt, "client_"+attempt, username(attempt+"-a"), username(attempt+"-b")),
			func(made *signup.Creation) { made.User.CreatedAt = at }))
	}
	const n = 25
	for i := range n {
		add(fmt.Sprintf("%02d", i), moment.Add(time.Duration(i/10)*time.Millisecond)) // 10, 10 and 5 at once
	}
	seen := map[string]int{}
	var previous *signup.Position
	filter := signup.UserFilter{Limit: 4}
	for pages := 1; ; pages++ {
		users, more, err := f.Directory.Users(f.Context(), inst, filter)
		f.must(err)
		if more && len(users) != filter.Limit {
			f.Fatalf("a page of %d, and more", len(users))
		}
		for _, u := range users {
			seen[u.ID]++
			want(f, "the number of identifiers", len(u.Identifiers), 2)
			if previous != nil && u.CreatedAt.After(previous.At) {
				f.Errorf("%s is newer than %s before it", u.ID, previous.ID)
			}
			previous = &signup.Position{At: u.CreatedAt, ID: u.ID}
		}
		if !more {
			break
		}
		if pages > n {
			f.Fatal("the pages do not end")
		}
		filter.After = previous
		add(fmt.Sprintf("new%d", pages), moment.Add(time.Hour))
		add(fmt.Sprintf("old%d", pages), moment) // may appear or not
	}
	for i := range n {
		id := fmt.Sprintf("user_%02d", i)
		want(f, "how often "+id+" was seen", seen[id], 1)
	}
	for id, times := range seen {
		if times > 1 || strings.HasPrefix(id, "user_new") {
			f.Errorf("%s was seen %d times", id, times)
		}
	}
}

func testUserChanges(f *fixture) {
	f.first()
	f.convert(changed(conversion("a", "client_1", email("a@example.com")), func(made *signup.Creation) {
		made.User.UnsafeMetadata, made.PasswordHash = json.RawMessage(`{"u":1}`), "$hash"
	}))
	expected := f.user("user_a")
	externalID := func(s string) *string { return &s }
	for i, c := range []struct {
		change signup.UserChange
		apply  func(*signup.User)
	}{
		{signup.UserChange{}, func(*signup.User) {}},
		{signup.UserChange{ExternalID: externalID("crm-1")}, func(u *signup.User) { u.ExternalID = "crm-1" }},
		{signup.UserChange{PublicMetadata: json.RawMessage(`{"a":1}`)}, func(u *signup.User) { u.PublicMetadata = json.RawMessage(`{"a":1}`) }},
		{signup.UserChange{PrivateMetadata: json.RawMessage(`{"b":2}`)}, func(u *signup.User) { u.PrivateMetadata = json.RawMessage(`{"b":2}`) }},
		{signup.UserChange{PublicMetadata: json.RawMessage(`{}`)}, func(u *signup.User) { u.PublicMetadata = json.RawMessage(`{}`) }},
		{signup.UserChange{ExternalID: externalID("crm-1")}, func(*signup.User) {}},
		{signup.UserChange{ExternalID: externalID("")}, func(u *signup.User) { u.ExternalID = "" }},
		{signup.UserChange{ExternalID: externalID("")}, func(*signup.User) {}},
	} {
		c.change.At = moment.Add(time.Duration(i+1) * time.Minute)
		c.apply(&expected)
		expected.UpdatedAt = c.change.At
		got, err := f.Directory.UpdateUser(f.Context(), inst, "user_a", c.change)
		f.must(err)
		want(f, "the answer", got, expected)
		want(f, "the user", f.user("user_a"), expected)
	}
}

func testUserChangeRace(f *fixture) {
	f.first()
	f.convert(conversion("a", "client_1"))
	document, externalID := json.RawMessage(`{"x":1}`), "crm-1"
	changes := []signup.UserChange{{ExternalID: &externalID}, {PublicMetadata: document}, {PrivateMetadata: document}}
	_, errs := together(f, 30, func(d signup.Directory, i int) (signup.User, error) {
		c := changes[i%len(changes)]
		c.At = moment
		return d.UpdateUser(f.Context(), inst, "user_a", c)
	})
	f.must(errors.Join(errs...))
	u := f.user("user_a")
	want(f, "the external id", u.ExternalID, externalID)
	want(f, "the documents", []json.RawMessage{u.PublicMetadata, u.PrivateMetadata}, []json.RawMessage{document, document})
}

func testExternalID(f *fixture) {
	f.first()
	f.AddInstance(newInstance("inst_2"))
	f.convert(conversion("a", "client_1"))
	f.convert(conversion("b", "client_1"))
	other := conversion("c", "client_1")
	other.Instance = "inst_2"
	f.convert(other)

	id := "crm-1"
	set := signup.UserChange{ExternalID: &id, PublicMetadata: json.RawMessage(`{"x":1}`), At: moment.Add(time.Hour)}
	_, err := f.Directory.UpdateUser(f.Context(), inst, "user_a", set)
	f.must(err)
	before := f.user("user_b")
	_, err = f.Directory.UpdateUser(f.Context(), inst, "user_b", set)
	f.wantError(err, signup.ErrDuplicate)
	want(f, "the user that was refused", f.user("user_b"), before)
	_, err = f.Directory.UpdateUser(f.Context(), "inst_2", "user_c", set)
	f.must(err)

	none := ""
	_, err = f.Directory.UpdateUser(f.Context(), inst, "user_a", signup.UserChange{ExternalID: &none, At: moment})
	f.must(err)
	_, errs := together(f, 2, func(d signup.Directory, i int) (signup.User, error) {
		return d.UpdateUser(f.Context(), inst, []string{"user_a", "user_b"}[i], set)
	})
	if (errs[0] == nil) == (errs[1] == nil) {
		f.Errorf("two users asked for one external id: %v", errs)
	}
	f.wantError(errors.Join(errs...), signup.ErrDuplicate)
}

func testText(f *fixture) {
	f.first()
	samples := []string{
		"Zoë O'Brien; DROP TABLE users; --", `"quoted" \ $1 %s ?`, "müller", "mu\u0308ller", "MÜLLER", "ﬁ", "İstanbul",
		"名前", "👩‍👩‍👧‍👦", "\u202eevil", "a\tb\nc", " leading", "ß", "ss", "\U0010ffff", "\u00a0",
	}
	for i, sample := range samples {
		attempt := fmt.Sprint(i)
		f.convert(changed(conversion(attempt, "client_"+attempt, username(sample)), func(made *signup.Creation) {
			made.User.FirstName, made.User.LastName, made.User.ExternalID = sample, sample, sample
			made.User.Consent = &signup.Consent{DocumentVersion: sample, At: moment, Path: sample}
			made.User.PublicMetadata = json.RawMessage(text(map[string]string{sample: sample}))
			made.Session.ID = sample
		}))
	}
	for i, sample := range samples {
		u := f.user(fmt.Sprintf("user_%d", i))
		want(f, "the identifier", u.Identifiers, []signup.Identifier{username(sample)})
		want(f, "the names", []string{u.FirstName, u.LastName, u.ExternalID}, []string{sample, sample, sample})
		want(f, "the consent", *u.Consent, signup.Consent{DocumentVersion: sample, At: moment, Path: sample})
		want(f, "the document", string(u.PublicMetadata), text(map[string]string{sample: sample}))
		for _, filter := range []signup.UserFilter{{Norm: sample, Limit: 2}, {ExternalID: sample, Limit: 2}} {
			ids, _ := f.list(filter)
			want(f, fmt.Sprintf("the users of %+v", filter), ids, []string{u.ID})
		}
		s, err := f.Directory.Session(f.Context(), inst, sample)
		f.must(err)
		want(f, "the session's user", s.UserID, u.ID)
	}
}

// Asked for text that cannot be there, a directory finds nothing; it refuses
// to store it.
func testUnstorableText(f *fixture) {
	f.first()
	f.convert(conversion("a", "client_1"))
	before := f.Rows()
	for _, bad := range []string{"\x00", "a\x00b", "\xff", "a\xc3"} {
		_, err := f.Directory.User(f.Context(), inst, bad)
		f.wantError(err, signup.ErrNoRow)
		_, err = f.Directory.UpdateUser(f.Context(), inst, bad, signup.UserChange{At: moment})
		f.wantError(err, signup.ErrNoRow)
		_, err = f.Directory.Session(f.Context(), inst, bad)
		f.wantError(err, signup.ErrNoRow)
		_, err = f.Directory.EndSession(f.Context(), inst, "client_1", bad, moment)
		f.wantError(err, signup.ErrNoRow)
		_, err = f.Directory.EndSession(f.Context(), inst, bad, "sess_a", moment)
		f.wantError(err, signup.ErrNoRow)
		sessions, err := f.Directory.Sessions(f.Context(), inst, bad)
		f.must(err)
		want(f, "the number of sessions", len(sessions), 0)

		if _, err := f.Directory.UpdateUser(f.Context(), inst, "user_a", signup.UserChange{ExternalID: &bad, At: moment}); err == nil {
			f.Errorf("%q was stored as an external id", bad)
		}
		if _, err := f.Directory.Convert(f.Context(), conversion("b", "client_1", username(bad))); err == nil {
			f.Errorf("%q was stored as an identifier", bad)
		}
		c := changed(conversion("b", "client_1"), func(made *signup.Creation) { made.User.FirstName = bad })
		if _, err := f.Directory.Convert(f.Context(), c); err == nil {
			f.Errorf("%q was stored as a name", bad)
		}
	}
	f.wantRows(before)
}

func testLargeDocuments(f *fixture) {
	f.first()
	const size = 64 << 10
	document := func(letter string) json.RawMessage {
		return json.RawMessage(`{"x":"` + strings.Repeat(letter, size-8) + `"}`)
	}
	f.convert(changed(conversion("a", "client_1", email("a@example.com"), username("a")), func(made *signup.Creation) {
		made.User.PublicMetadata, made.User.PrivateMetadata, made.User.UnsafeMetadata = document("a"), document("b"), document("c")
		made.Events[0].Body = document("d")
	}))
	u, err := f.Directory.UpdateUser(f.Context(), inst, "user_a", signup.UserChange{PublicMetadata: document("e"), At: moment})
	f.must(err)
	for i, got := range []json.RawMessage{u.PublicMetadata, u.PrivateMetadata, u.UnsafeMetadata} {
		if letter := []string{"e", "b", "c"}[i]; string(got) != string(document(letter)) {
			f.Errorf("document %s came back with %d bytes", letter, len(got))
		}
	}
	f.must(f.Directory.SaveSettings(f.Context(), inst, signup.SettingsVersion{Version: 2, Body: document("s"), By: "x", At: moment}))
	v, err := f.Directory.Settings(f.Context(), inst, 2)
	f.must(err)
	want(f, "the size of the settings", len(v.Body), size)
}

// Times keep their milliseconds, whatever their zone.
func testTimes(f *fixture) {
	f.first()
	fine := time.Date(2031, 12, 31, 23, 59, 59, 999_999_999, time.FixedZone("somewhere", 5*3600+1800))
	kept := time.Date(2031, 12, 31, 18, 29, 59, 999_000_000, time.UTC)
	identifier := signup.Identifier{Kind: "EMAIL_ADDRESS", Norm: "a", Display: "a", VerifiedAt: fine}
	c := changed(conversion("a", "client_1", identifier), func(made *signup.Creation) {
		made.User.CreatedAt, made.User.UpdatedAt = fine, fine
		made.User.Consent = &signup.Consent{At: fine}
		made.Session.CreatedAt, made.Session.ExpireAt = fine, fine
	})
	c.At = fine
	f.convert(c)
	u := f.user("user_a")
	s, err := f.Directory.Session(f.Context(), inst, "sess_a")
	f.must(err)
	ended, err := f.Directory.EndSession(f.Context(), inst, "client_1", "sess_a", fine)
	f.must(err)
	for what, got := range map[string]time.Time{
		"created": u.CreatedAt, "updated": u.UpdatedAt, "consent": u.Consent.At, "verified": u.Identifiers[0].VerifiedAt,
		"session created": s.CreatedAt, "session expires": s.ExpireAt, "session ended": ended.EndedAt,
	} {
		if !got.Equal(kept) {
			f.Errorf("%s: %v, want %v", what, got, kept)
		}
	}
	if !s.EndedAt.IsZero() {
		f.Errorf("a session that goes on has ended at %v", s.EndedAt)
	}
	page, more := f.list(signup.UserFilter{Limit: 5, After: &signup.Position{At: u.CreatedAt, ID: u.ID}})
	want(f, "users after the only one", len(page), 0)
	want(f, "more", more, false)
}
