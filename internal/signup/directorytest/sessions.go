package directorytest

import (
	"fmt"
	"time"

	"stepwise/internal/signup"
)

func testSessions(f *fixture) {
	f.first()
	f.AddInstance(newInstance("inst_2"))
	now := time.Now().UTC().Truncate(time.Millisecond)
	for i, attempt := range []string{"a", "b", "c"} {
		f.convert(changed(conversion(attempt, "client_1"), func(made *signup.Creation) {
			made.Session.CreatedAt = now.Add(time.Duration(i) * time.Minute)
			made.Session.ExpireAt = now.Add(time.Hour)
		}))
	}
	f.convert(conversion("d", "client_2"))

	list := func(instance, client string) (ids []string) {
		sessions, err := f.Directory.Sessions(f.Context(), instance, client)
		f.must(err)
		for _, s := range sessions {
			ids = append(ids, s.ID)
		}
		return ids
	}
	want(f, "the sessions", list(inst, "client_1"), []string{"sess_c", "sess_b", "sess_a"})
	want(f, "the other client's sessions", list(inst, "client_2"), []string{"sess_d"})
	want(f, "the sessions in another instance", list("inst_2", "client_1"), nil)
	want(f, "the sessions of nobody", list(inst, ""), nil)

	for _, no := range [][3]string{
		{inst, "client_2", "sess_a"}, {inst, "", "sess_a"}, {inst, "client_1", "sess_none"}, {"inst_2", "client_1", "sess_a"},
	} {
		_, err := f.Directory.EndSession(f.Context(), no[0], no[1], no[2], now)
		f.wantError(err, signup.ErrNoRow)
	}
	for _, no := range [][2]string{{inst, "sess_none"}, {"inst_2", "sess_a"}, {inst, ""}} {
		_, err := f.Directory.Session(f.Context(), no[0], no[1])
		f.wantError(err, signup.ErrNoRow)
	}
	running, err := f.Directory.Session(f.Context(), inst, "sess_b")
	f.must(err)
	want(f, "active", running.ActiveAt(now), true)

	ended, err := f.Directory.EndSession(f.Context(), inst, "client_1", "sess_b", now)
	f.must(err)
	running.EndedAt = now
	want(f, "the ended session", ended, running)
	again, err := f.Directory.EndSession(f.Context(), inst, "client_1", "sess_b", now.Add(time.Minute))
	f.must(err)
	want(f, "the session that was ended twice", again, ended)
	stored, err := f.Directory.Session(f.Context(), inst, "sess_b")
	f.must(err)
	want(f, "the stored session", stored, ended)
	want(f, "the sessions, the ended one included", list(inst, "client_1"), []string{"sess_c", "sess_b", "sess_a"})
}

func testOldSessions(f *fixture) {
	f.first()
	now := time.Now()
	for i, c := range []struct {
		expire, end time.Duration // from now; 0: did not end
	}{
		{expire: time.Hour},
		{expire: time.Hour, end: -23 * time.Hour},
		{expire: time.Hour, end: -25 * time.Hour},
		{expire: -23 * time.Hour},
		{expire: -25 * time.Hour},
	} {
		f.convert(changed(conversion(fmt.Sprint(i), "client_1"), func(made *signup.Creation) {
			made.Session.CreatedAt = now.Add(-100 * time.Hour).Add(time.Duration(-i) * time.Hour)
			made.Session.ExpireAt = now.Add(c.expire)
		}))
		if c.end != 0 {
			_, err := f.Directory.EndSession(f.Context(), inst, "client_1", fmt.Sprintf("sess_%d", i), now.Add(c.end))
			f.must(err)
		}
	}
	sessions, err := f.Directory.Sessions(f.Context(), inst, "client_1")
	f.must(err)
	var ids []string
	for _, s := range sessions {
		ids = append(ids, s.ID)
	}
	want(f, "the sessions", ids, []string{"sess_0", "sess_1", "sess_3"})
	_, err = f.Directory.Session(f.Context(), inst, "sess_2")
	f.must(err) // not listed, but not forgotten
}
