package directorytest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"stepwise/internal/signup"
)

func testConversion(f *fixture) {
	f.first()
	user := signup.User{
		ID: "user_a", Instance: inst, ExternalID: "crm-7", FirstName: "Ada", LastName: "Lovelace",
		Identifiers: []signup.Identifier{
			{Kind: "USERNAME", Norm: "ada", Display: "Ada"},
			{Kind: "EMAIL_ADDRESS", Norm: "ada@example.com", Display: "Ada@Example.com", VerifiedAt: moment},
			{Kind: "OAUTH:google", Norm: "1234", Display: "ada@gmail.example", VerifiedAt: moment.Add(time.Second)},
		},
		PublicMetadata: json.RawMessage(`{"plan":"pro"}`), PrivateMetadata: json.RawMessage(`{"n":[1,2]}`),
		UnsafeMetadata: json.RawMessage(`{"é":"\u0000"}`),
		Consent:        &signup.Consent{DocumentVersion: "v3", At: moment, Path: "form"},
		CreatedAt:      moment, UpdatedAt: moment.Add(time.Minute),
	}
	done := f.convert(changed(conversion("a", "client_1"), func(made *signup.Creation) {
		made.User, made.PasswordHash = user, "$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA"
	}))
	want(f, "the outcome", done, signup.Converted{UserID: "user_a", SessionID: "sess_a", Generation: 1, SettingsVersion: 1})

	user.HasPassword = true
	user.Identifiers = []signup.Identifier{user.Identifiers[1], user.Identifiers[2], user.Identifiers[0]}
	want(f, "the user", f.user("user_a"), user)

	session, err := f.Directory.Session(f.Context(), inst, "sess_a")
	f.must(err)
	want(f, "the session", session, creation("a", "client_1").Session)
	f.wantRows(map[string]int{
		"instances": 1, "settings_versions": 1, "users": 1, "identifiers": 3, "sessions": 1,
		"clients": 1, "conversions": 1, "outbox": 2, "signing_keys": 0,
	})
}

func testSmallConversion(f *fixture) {
	f.first()
	f.convert(changed(conversion("a", "client_1"), func(made *signup.Creation) { made.Events = nil }))
	u := f.user("user_a")
	if u.HasPassword || len(u.Identifiers) > 0 || u.Consent != nil || u.ExternalID != "" {
		f.Errorf("the user is %+v", u)
	}
	if u.PublicMetadata != nil || u.PrivateMetadata != nil || u.UnsafeMetadata != nil {
		f.Errorf("the documents are %q, %q and %q", u.PublicMetadata, u.PrivateMetadata, u.UnsafeMetadata)
	}
}

func testConversionTwice(f *fixture) {
	f.first()
	first := f.convert(conversion("a", "client_1", email("a@example.com")))
	before := f.Rows()
	for _, open := range []func() signup.Directory{func() signup.Directory { return f.Directory }, f.Peer, f.Reopen} {
		f.Directory = open()
		again := conversion("a", "client_1", email("a@example.com"))
		again.Build = func(signup.SettingsVersion, *signup.Invitation) (signup.Creation, bool) {
			f.Error("Build was asked about a conversion that was made")
			return signup.Creation{}, false
		}
		want(f, "the outcome", f.convert(again), first)
	}
	f.wantRows(before)
}

func testConversionRace(f *fixture) {
	f.first()
	results, errs := together(f, 64, func(d signup.Directory, i int) (signup.Converted, error) {
		return d.Convert(f.Context(), conversion("a", "client_1", email("a@example.com"), username("a")))
	})
	f.must(errors.Join(errs...))
	for _, r := range results {
		want(f, "the outcome", r, signup.Converted{UserID: "user_a", SessionID: "sess_a", Generation: 1, SettingsVersion: 1})
	}
	f.wantRows(map[string]int{
		"instances": 1, "settings_versions": 1, "users": 1, "identifiers": 2, "sessions": 1,
		"clients": 1, "conversions": 1, "outbox": 2, "signing_keys": 0,
	})
}

func testGenerations(f *fixture) {
	f.first()
	const n = 20
	results, errs := together(f, n, func(d signup.Directory, i int) (signup.Converted, error) {
		return d.Convert(f.Context(), conversion(fmt.Sprint(i), "client_1", email(fmt.Sprintf("%d@example.com", i))))
	})
	f.must(errors.Join(errs...))
	generations := map[int64]bool{}
	for _, r := range results {
		generations[r.Generation] = true
	}
	want(f, "the number of generations", len(generations), n)
	g, err := f.Directory.Gate(f.Context(), "", "client_1")
	f.must(err)
	want(f, "the last generation", g.Generation, n)

	// What an earlier conversion has answered does not change.
	for i, r := range results {
		want(f, "the outcome", f.convert(conversion(fmt.Sprint(i), "client_1")), r)
	}
	want(f, "another client's generation", f.convert(conversion("other", "client_2")).Generation, 1)
}

func testConversionAfterSettings(f *fixture) {
	f.first()
	var seen []signup.SettingsVersion
	convert := func(attempt string) signup.Converted {
		c := conversion(attempt, "client_1")
		build := c.Build
		c.Build = func(v signup.SettingsVersion, ticket *signup.Invitation) (signup.Creation, bool) {
			seen = append(seen, v)
			return build(v, ticket)
		}
		return f.convert(c)
	}
	one := convert("a")
	f.must(f.Directory.SaveSettings(f.Context(), inst, signup.SettingsVersion{Version: 2, Body: []byte(`{"v":2}`), By: "x", At: moment}))
	two := convert("b")
	want(f, "the versions", []int64{one.SettingsVersion, two.SettingsVersion}, []int64{1, 2})
	want(f, "the earlier outcome", convert("a"), one)

	want(f, "the number of times that Build was asked", len(seen), 2)
	want(f, "the first settings", string(seen[0].Body), `{"of":"inst_1"}`)
	want(f, "the second settings", seen[1], signup.SettingsVersion{Version: 2, Body: []byte(`{"v":2}`), By: "x", At: moment})
}

func testNotSatisfied(f *fixture) {
	f.first()
	before := f.Rows()
	c := conversion("a", "client_1", email("a@example.com"))
	refused := c
	refused.Build = func(signup.SettingsVersion, *signup.Invitation) (signup.Creation, bool) {
		return signup.Creation{}, false
	}
	_, err := f.Directory.Convert(f.Context(), refused)
	f.wantError(err, signup.ErrNotSatisfied)
	f.wantRows(before)

	// Whoever still holds the try that was refused comes too late, also where it
	// would be satisfied now. The attempt itself may be tried again.
	for _, d := range []signup.Directory{f.Directory, f.Peer()} {
		_, err := d.Convert(f.Context(), c)
		f.wantError(err, signup.ErrNotSatisfied)
	}
	f.wantRows(before)
	want(f, "the outcome of another try", f.convert(conversion("a", "client_1", email("a@example.com"))).Generation, 1)
}

func testConversionWithoutInstance(f *fixture) {
	f.first()
	before := f.Rows()
	c := conversion("a", "client_1", email("a@example.com"))
	c.Instance = "inst_none"
	_, err := f.Directory.Convert(f.Context(), c)
	f.wantError(err, signup.ErrNoRow)
	f.wantRows(before)
}

// takenBy returns the identifiers of a TakenError.
func (f *fixture) takenBy(err error) []signup.Identifier {
	f.Helper()
	taken, ok := errors.AsType[*signup.TakenError](err)
	if !ok {
		f.Fatalf("error is %v, want a TakenError", err)
	}
	return taken.Identifiers
}

func testTaken(f *fixture) {
	f.first()
	f.AddInstance(newInstance("inst_2"))
	f.convert(conversion("a", "client_1", email("a@example.com"), username("ada")))
	before := f.Rows()

	free, mine := email("b@example.com"), username("ada")
	mine.Display = "ADA"
	_, err := f.Directory.Convert(f.Context(), conversion("b", "client_2", mine, free))
	want(f, "what is taken", f.takenBy(err), []signup.Identifier{mine})
	f.wantRows(before)

	_, err = f.Directory.Convert(f.Context(), conversion("b", "client_2", username("ada"), free, email("a@example.com")))
	taken := f.takenBy(err)
	slices.SortFunc(taken, func(a, b signup.Identifier) int { return len(a.Norm) - len(b.Norm) })
	want(f, "what is taken", taken, []signup.Identifier{username("ada"), email("a@example.com")})
	f.wantRows(before)

	for _, c := range []struct {
		instance     string
		asked, taken []signup.Identifier
	}{
		{inst, nil, nil},
		{inst, []signup.Identifier{free}, nil},
		{inst, []signup.Identifier{mine, free, email("a@example.com")}, []signup.Identifier{mine, email("a@example.com")}},
		{inst, []signup.Identifier{{Kind: "EMAIL_ADDRESS", Norm: "ada"}, {Kind: "USERNAME", Norm: "a@example.com"}}, nil},
		{inst, []signup.Identifier{{Kind: "USERNAME", Norm: "Ada"}, {Kind: "USERNAME", Norm: ""}, {}}, nil},
		{inst, []signup.Identifier{{Kind: "USERNAME", Norm: "\xff"}, {Kind: "\x00", Norm: "ada"}}, nil},
		{inst, []signup.Identifier{{Kind: "USERNAME", Norm: "\xff"}, mine}, []signup.Identifier{mine}},
		{"inst_2", []signup.Identifier{mine, email("a@example.com")}, nil},
	} {
		got, err := f.Directory.Taken(f.Context(), c.instance, c.asked)
		f.must(err)
		want(f, fmt.Sprintf("what is taken of %v", c.asked), got, c.taken)
	}

	// What is taken in one instance is free in another, and the same value as
	// another kind is another identifier.
	other := conversion("c", "client_1", email("a@example.com"))
	other.Instance = "inst_2"
	f.convert(other)
	f.convert(conversion("d", "client_1", username("a@example.com")))
	// After a refusal the same attempt may try with another identifier.
	want(f, "the outcome of another try", f.convert(conversion("b", "client_2", free)).UserID, "user_b")
}

func testTakenRace(f *fixture) {
	f.first()
	const n = 32
	results, errs := together(f, n, func(d signup.Directory, i int) (signup.Converted, error) {
		attempt := fmt.Sprint(i)
		return d.Convert(f.Context(), conversion(attempt, "client_"+attempt, email("a@example.com"), username(attempt)))
	})
	owner := ""
	for i, err := range errs {
		if err == nil {
			if owner != "" {
				f.Errorf("both %s and %s own the address", owner, results[i].UserID)
			}
			owner = results[i].UserID
			continue
		}
		want(f, "what is taken", f.takenBy(err), []signup.Identifier{email("a@example.com")})
	}
	f.wantRows(map[string]int{
		"instances": 1, "settings_versions": 1, "users": 1, "identifiers": 2, "sessions": 1,
		"clients": 1, "conversions": 1, "outbox": 2, "signing_keys": 0,
	})
	want(f, "the number of identifiers", len(f.user(owner).Identifiers), 2)
}

// Whoever holds one identifier wants the other: somebody wins, nobody waits
// for ever.
func testCrossedIdentifiers(f *fixture) {
	f.first()
	const rounds, crossing = 8, 8
	for round := range rounds {
		a, b := email(fmt.Sprintf("%d@example.com", round)), username(fmt.Sprint(round))
		_, errs := together(f, crossing, func(d signup.Directory, i int) (signup.Converted, error) {
			identifiers := []signup.Identifier{a, b}
			if i%4 < 2 {
				identifiers = []signup.Identifier{b, a}
			}
			attempt := fmt.Sprintf("%d_%d", round, i)
			return d.Convert(f.Context(), conversion(attempt, "client_1", identifiers...))
		})
		winners := 0
		for _, err := range errs {
			if err == nil {
				winners++
				continue
			}
			want(f, "the number of taken identifiers", len(f.takenBy(err)), 2)
		}
		want(f, "the number of winners", winners, 1)
	}
}

func testConversionDuplicate(f *fixture) {
	f.first()
	withID := func(attempt string) signup.Conversion {
		return changed(conversion(attempt, "client_1", username(attempt)), func(made *signup.Creation) {
			made.User.ExternalID = "crm-7"
		})
	}
	f.convert(withID("a"))
	before := f.Rows()
	_, err := f.Directory.Convert(f.Context(), withID("b"))
	f.wantError(err, signup.ErrDuplicate)
	f.wantRows(before)
}

// A panic is the caller's, and nobody else's.
func testPanic(f *fixture) {
	f.first()
	before := f.Rows()
	func() {
		defer func() {
			if recover() == nil {
				f.Error("the caller did not get the panic")
			}
		}()
		c := conversion("a", "client_1", email("a@example.com"))
		c.Build = func(signup.SettingsVersion, *signup.Invitation) (signup.Creation, bool) { panic("a bug") }
		_, err := f.Directory.Convert(f.Context(), c)
		f.Errorf("Convert returned %v", err)
	}()
	f.wantRows(before)
	f.convert(conversion("a", "client_1", email("a@example.com")))
}

func testReopen(f *fixture) {
	f.first()
	done := f.convert(conversion("a", "client_1", email("a@example.com")))
	f.must(f.Directory.SaveSettings(f.Context(), inst, signup.SettingsVersion{Version: 2, Body: []byte(`{}`), By: "x", At: moment}))
	_, err := f.Directory.AddSigningKey(f.Context(), inst, signup.SigningKey{ID: "k", Public: []byte(`{}`), Sealed: []byte("s"), CreatedAt: moment})
	f.must(err)
	before, user := f.Rows(), f.user("user_a")

	f.Directory = f.Reopen()
	f.wantRows(before)
	want(f, "the user", f.user("user_a"), user)
	want(f, "the outcome", f.convert(conversion("a", "client_1")), done)
	_, created, err := f.Directory.EnsureInstance(f.Context(), newInstance("inst_late"))
	f.must(err)
	want(f, "created", created, false)
	v, err := f.Directory.Settings(f.Context(), inst, 0)
	f.must(err)
	want(f, "the version", v.Version, 2)
}

// A caller that gives up at any moment leaves all of a conversion or none, and
// everybody else undisturbed.
func testCancelled(f *fixture) {
	f.first()
	before := f.Rows()
	gone, cancel := context.WithCancel(f.Context())
	cancel()
	for name, call := range map[string]func() error{
		"Convert": func() error {
			_, err := f.Directory.Convert(gone, conversion("gone", "client_1"))
			return err
		},
		"SaveSettings": func() error {
			return f.Directory.SaveSettings(gone, inst, signup.SettingsVersion{Version: 2, Body: []byte(`{}`), At: moment})
		},
		"CountAbandoned": func() error {
			_, err := f.Directory.CountAbandoned(gone, inst, moment, []signup.EndedAttempt{ended("gone", 1, "form")})
			return err
		},
		"Shapes":        func() error { _, err := f.Directory.Shapes(gone, inst); return err },
		"AddInvitation": func() error { return f.Directory.AddInvitation(gone, invitation("inv_gone")) },
		"CreateSession": func() error {
			_, _, err := f.Directory.CreateSession(gone, comesBack("sess_gone", "client_1"))
			return err
		},
		"Owner": func() error {
			_, err := f.Directory.Owner(gone, inst, []signup.Identifier{username("a")})
			return err
		},
		"FanOut":          func() error { _, err := f.Directory.FanOut(gone, moment, 1); return err },
		"ClaimDeliveries": func() error { _, err := f.Directory.ClaimDeliveries(gone, moment, moment, 1); return err },
		"PurgeEvents":     func() error { return f.Directory.PurgeEvents(gone, moment) },
		"Gate":            func() error { _, err := f.Directory.Gate(gone, "", ""); return err },
		"Users":           func() error { _, _, err := f.Directory.Users(gone, inst, signup.UserFilter{Limit: 1}); return err },
	} {
		if err := call(); !errors.Is(err, context.Canceled) {
			f.Errorf("%s with a cancelled context: %v", name, err)
		}
	}
	f.wantRows(before)

	const n = 40
	givesUp := func(i int) bool { return i%4 < 2 } // half of those on either store
	var builds atomic.Int64
	_, errs := together(f, n, func(d signup.Directory, i int) (signup.Converted, error) {
		ctx, cancel := context.WithCancel(f.Context())
		defer cancel()
		attempt := fmt.Sprint(i)
		c := conversion(attempt, "client_"+attempt, username(attempt))
		build := c.Build
		c.Build = func(v signup.SettingsVersion, ticket *signup.Invitation) (signup.Creation, bool) {
			builds.Add(1)
			if givesUp(i) {
				cancel()
			}
			return build(v, ticket)
		}
		return d.Convert(ctx, c)
	})
	for i, err := range errs {
		if !givesUp(i) && err != nil {
			f.Errorf("the conversion of somebody else: %v", err)
		}
		if givesUp(i) && err != nil && !errors.Is(err, context.Canceled) {
			f.Errorf("the conversion of one who gave up: %v", err)
		}
		attempt := fmt.Sprint(i)
		done := f.convert(conversion(attempt, "client_"+attempt, username(attempt)))
		want(f, "the outcome of a retry", done, signup.Converted{
			UserID: "user_" + attempt, SessionID: "sess_" + attempt, Generation: 1, SettingsVersion: 1,
		})
	}
	if builds.Load() < n {
		f.Errorf("Build was asked %d times", builds.Load())
	}
	f.wantRows(map[string]int{
		"instances": 1, "settings_versions": 1, "users": n, "identifiers": n, "sessions": n,
		"clients": n, "conversions": n, "outbox": 2 * n, "signing_keys": 0,
	})
}
