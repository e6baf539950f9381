package directorytest

import (
	"errors"
	"fmt"
	"time"

	"stepwise/internal/signup"
)

func testOwner(f *fixture) {
	f.first()
	f.AddInstance(newInstance("inst_2"))
	account := signup.Identifier{Kind: signup.ExternalAccountKind + "google", Norm: "1234", Display: "google", VerifiedAt: moment}
	unverified := signup.Identifier{Kind: "EMAIL_ADDRESS", Norm: "a@example.com", Display: "A@Example.com"}
	f.convert(changed(conversion("a", "client_1", unverified, account), func(made *signup.Creation) { made.PasswordHash = "$hash" }))
	f.convert(conversion("b", "client_1", username("b"), email("b@example.com")))
	other := conversion("c", "client_1", username("c"))
	other.Instance = "inst_2"
	f.convert(other)

	a := func(i signup.Identifier) *signup.Owner {
		return &signup.Owner{UserID: "user_a", PasswordHash: "$hash", Identifier: i}
	}
	b := func(i signup.Identifier) *signup.Owner { return &signup.Owner{UserID: "user_b", Identifier: i} }
	asked := func(kind, norm string) signup.Identifier { return signup.Identifier{Kind: kind, Norm: norm} }
	for _, c := range []struct {
		instance string
		asked    []signup.Identifier
		owner    *signup.Owner
	}{
		{inst, []signup.Identifier{asked("EMAIL_ADDRESS", "a@example.com")}, a(unverified)},
		{inst, []signup.Identifier{{Kind: account.Kind, Norm: "1234", Display: "asked", VerifiedAt: moment.Add(1)}}, a(account)},
		// The first that belongs to anybody decides.
		{inst, []signup.Identifier{username("b"), unverified}, b(username("b"))},
		{inst, []signup.Identifier{unverified, username("b")}, a(unverified)},
		{inst, []signup.Identifier{username("nobody"), {Kind: "\x00", Norm: "\xff"}, email("b@example.com"), account}, b(email("b@example.com"))},
		{inst, []signup.Identifier{account, unverified, account}, a(account)},
		// Kind and norm belong together.
		{inst, []signup.Identifier{username("a@example.com"), asked("EMAIL_ADDRESS", "b"), asked("EMAIL_ADDRESS", "A@Example.com")}, nil},
		{inst, []signup.Identifier{username("c")}, nil},
		{"inst_2", []signup.Identifier{username("b"), unverified}, nil},
		{"inst_none", []signup.Identifier{unverified}, nil},
		{inst, []signup.Identifier{{Kind: "USERNAME", Norm: "\xff"}}, nil},
		{inst, nil, nil},
	} {
		got, err := f.Directory.Owner(f.Context(), c.instance, c.asked)
		if c.owner == nil {
			f.wantError(err, signup.ErrNoRow)
			continue
		}
		f.must(err)
		want(f, fmt.Sprintf("the owner of %v", c.asked), got, *c.owner)
	}
}

// comesBack is a new session of the user that conversion a has made.
func comesBack(id, client string) signup.SessionCreation {
	at := moment.Add(time.Hour)
	return signup.SessionCreation{
		Session: signup.Session{
			ID: id, Instance: inst, UserID: "user_a", ClientID: client, CreatedAt: at, ExpireAt: at.Add(1000 * 24 * time.Hour),
		},
		Events: []signup.Event{{ID: "evt_" + id, Kind: "session.created", Body: []byte(`{"id":"` + id + `"}`), At: at}},
	}
}

func (f *fixture) wantSession(c signup.SessionCreation, generation int64) {
	f.Helper()
	s, g, err := f.Directory.CreateSession(f.Context(), c)
	f.must(err)
	want(f, "the session", s, c.Session)
	want(f, "the generation", g, generation)
	stored, err := f.Directory.Session(f.Context(), inst, c.Session.ID)
	f.must(err)
	want(f, "the stored session", stored, c.Session)
	gate, err := f.Directory.Gate(f.Context(), newInstance(inst).PublishableKey, c.Session.ClientID)
	f.must(err)
	want(f, "the client's generation", gate.Generation, generation)
}

func testCreateSession(f *fixture) {
	f.first()
	f.AddInstance(newInstance("inst_2"))
	f.convert(conversion("a", "client_1"))
	f.convert(conversion("b", "client_3"))
	other := conversion("c", "client_1")
	other.Instance = "inst_2"
	f.convert(other)

	f.wantSession(comesBack("sess_1", "client_1"), 2)
	f.wantSession(comesBack("sess_2", "client_2"), 1) // a client of which nothing was known
	before := f.Rows()
	want(f, "sessions and events", []int{before["sessions"], before["outbox"]}, []int{5, 8})

	// The same proof again: what it has made stands.
	for _, open := range []func() signup.Directory{func() signup.Directory { return f.Directory }, f.Peer, f.Reopen} {
		f.Directory = open()
		again := comesBack("sess_1", "client_1")
		again.Session.CreatedAt, again.Session.ExpireAt = moment.Add(2*time.Hour), moment.Add(3*time.Hour)
		again.Events[0].ID = "evt_again"
		s, g, err := f.Directory.CreateSession(f.Context(), again)
		f.must(err)
		want(f, "the session as it was made", s, comesBack("sess_1", "client_1").Session)
		want(f, "its generation", g, 2)
		f.wantRows(before)
	}

	refused := func(err error, c signup.SessionCreation) {
		f.Helper()
		s, g, got := f.Directory.CreateSession(f.Context(), c)
		f.wantError(got, err)
		want(f, "the answer", []any{s, g}, []any{signup.Session{}, 0})
		f.wantRows(before)
	}
	changedSession := func(change func(*signup.Session)) signup.SessionCreation {
		c := comesBack("sess_1", "client_1")
		change(&c.Session)
		return c
	}
	refused(signup.ErrDuplicate, comesBack("sess_1", "client_2"))
	refused(signup.ErrDuplicate, comesBack("sess_1", "client_none"))
	refused(signup.ErrDuplicate, comesBack("sess_a", "client_1")) // of the conversion, and no longer the last
	refused(signup.ErrDuplicate, changedSession(func(s *signup.Session) { s.UserID = "user_b" }))
	refused(signup.ErrDuplicate, changedSession(func(s *signup.Session) { s.Instance, s.UserID = "inst_2", "user_c" }))
	for _, change := range []func(*signup.Session){
		func(s *signup.Session) { s.ID, s.UserID = "sess_new", "user_none" },
		func(s *signup.Session) { s.ID, s.UserID = "sess_new", "user_c" },
		func(s *signup.Session) { s.ID, s.Instance = "sess_new", "inst_2" },
		func(s *signup.Session) { s.ID, s.Instance = "sess_new", "inst_none" },
		func(s *signup.Session) { s.ID, s.UserID = "sess_new", "\xff" },
	} {
		refused(signup.ErrNoRow, changedSession(change))
	}

	// The client moves on, by a session or by a conversion.
	f.wantSession(comesBack("sess_3", "client_1"), 3)
	before = f.Rows()
	refused(signup.ErrDuplicate, comesBack("sess_1", "client_1"))
	f.wantSession(comesBack("sess_3", "client_1"), 3)
	want(f, "the generation of a conversion", f.convert(conversion("d", "client_1")).Generation, 4)
	before = f.Rows()
	refused(signup.ErrDuplicate, comesBack("sess_3", "client_1"))
}

// A session that was ended is not returned as if it went on.
func testCreateSessionEnded(f *fixture) {
	f.first()
	f.convert(conversion("a", "client_1"))
	c := comesBack("sess_1", "client_1")
	f.wantSession(c, 2)
	ended, err := f.Directory.EndSession(f.Context(), inst, "client_1", "sess_1", moment.Add(2*time.Hour))
	f.must(err)
	s, g, err := f.Directory.CreateSession(f.Context(), c)
	f.must(err)
	want(f, "the session", s, ended)
	want(f, "the generation", g, 2)
}

func testCreateSessionRace(f *fixture) {
	f.first()
	f.convert(conversion("a", "client_1"))
	type created struct {
		session    signup.Session
		generation int64
	}
	results, errs := together(f, 32, func(d signup.Directory, i int) (created, error) {
		s, g, err := d.CreateSession(f.Context(), comesBack("sess_1", "client_1"))
		return created{s, g}, err
	})
	f.must(errors.Join(errs...))
	for _, r := range results {
		want(f, "the session", r.session, comesBack("sess_1", "client_1").Session)
		want(f, "the generation", r.generation, 2)
	}
	want(f, "sessions", f.Rows()["sessions"], 2)
	want(f, "events", f.Rows()["outbox"], 3)

	results, errs = together(f, 20, func(d signup.Directory, i int) (created, error) {
		s, g, err := d.CreateSession(f.Context(), comesBack(fmt.Sprintf("sess_r%d", i), "client_1"))
		return created{s, g}, err
	})
	f.must(errors.Join(errs...))
	generations := map[int64]bool{}
	for _, r := range results {
		generations[r.generation] = true
	}
	want(f, "the number of generations", len(generations), 20)
	gate, err := f.Directory.Gate(f.Context(), "", "client_1")
	f.must(err)
	want(f, "the last generation", gate.Generation, 22)
}
