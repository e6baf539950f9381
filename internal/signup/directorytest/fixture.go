package directorytest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"stepwise/internal/signup"
)

// inst is the instance that nearly every test has.
const inst = "inst_1"

// moment has no more precision than a directory keeps.
var moment = time.Date(2026, 3, 1, 12, 30, 15, 123_000_000, time.UTC)

type fixture struct {
	*testing.T
	Backend
}

func (f *fixture) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) wantError(err, want error) {
	f.Helper()
	if !errors.Is(err, want) {
		f.Fatalf("error is %v, want %v", err, want)
	}
}

func newInstance(id string) signup.NewInstance {
	return signup.NewInstance{
		ID: id, PublishableKey: "pk_" + id,
		SecretKeyHash: []byte{0, 1, 0xff, 'h'}, SealedKeys: []byte{0xfe, 0, 's'},
		Settings: []byte(`{"of":"` + id + `"}`), At: moment,
	}
}

// first makes the first instance.
func (f *fixture) first() {
	f.Helper()
	_, created, err := f.Directory.EnsureInstance(f.Context(), newInstance(inst))
	f.must(err)
	if !created {
		f.Fatal("an empty database has an instance")
	}
}

// conversion is that of the attempt with the given name into a user with the
// given identifiers, session and events, all named after the attempt.
// tries numbers the tries at converting.
var tries atomic.Int64

// conversion is a new try at converting an attempt.
func conversion(attempt, client string, identifiers ...signup.Identifier) signup.Conversion {
	return signup.Conversion{
		AttemptID: "sua_" + attempt, Try: fmt.Sprint(tries.Add(1)), Instance: inst, Client: client, At: moment,
		Build: func(signup.SettingsVersion, *signup.Invitation) (signup.Creation, bool) {
			return creation(attempt, client, identifiers...), true
		},
	}
}

func creation(attempt, client string, identifiers ...signup.Identifier) signup.Creation {
	return signup.Creation{
		User: signup.User{
			ID: "user_" + attempt, Instance: inst, Identifiers: identifiers, CreatedAt: moment, UpdatedAt: moment,
		},
		Session: signup.Session{
			ID: "sess_" + attempt, Instance: inst, UserID: "user_" + attempt, ClientID: client,
			CreatedAt: moment, ExpireAt: moment.Add(1000 * 24 * time.Hour),
		},
		Events: []signup.Event{
			{ID: "evt_u_" + attempt, Kind: "user.created", Body: []byte(`{}`), At: moment},
			{ID: "evt_s_" + attempt, Kind: "session.created", Body: []byte(`{}`), At: moment},
		},
	}
}

// changed is a conversion whose creation was changed.
func changed(c signup.Conversion, change func(*signup.Creation)) signup.Conversion {
	build := c.Build
	c.Build = func(v signup.SettingsVersion, ticket *signup.Invitation) (signup.Creation, bool) {
		made, ok := build(v, ticket)
		change(&made)
		return made, ok
	}
	return c
}

func email(norm string) signup.Identifier {
	return signup.Identifier{Kind: "EMAIL_ADDRESS", Norm: norm, Display: norm, VerifiedAt: moment}
}

func username(norm string) signup.Identifier {
	return signup.Identifier{Kind: "USERNAME", Norm: norm, Display: norm}
}

func (f *fixture) convert(c signup.Conversion) signup.Converted {
	f.Helper()
	done, err := f.Directory.Convert(f.Context(), c)
	f.must(err)
	return done
}

func (f *fixture) user(id string) signup.User {
	f.Helper()
	u, err := f.Directory.User(f.Context(), inst, id)
	f.must(err)
	return u
}

// wantRows takes tables that are not named as empty.
func (f *fixture) wantRows(want map[string]int) {
	f.Helper()
	filled := func(rows map[string]int) map[string]int {
		rows = maps.Clone(rows)
		maps.DeleteFunc(rows, func(_ string, n int) bool { return n == 0 })
		return rows
	}
	if got := f.Rows(); !maps.Equal(filled(got), filled(want)) {
		f.Fatalf("rows are %v, want %v", got, want)
	}
}

// want compares by what a person would read.
func want[T any](f *fixture, what string, got, want T) {
	f.Helper()
	g, w := text(got), text(want)
	if g != w {
		f.Fatalf("%s is\n\t%s\nwant\n\t%s", what, g, w)
	}
}

func text(value any) string {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return fmt.Sprintf("%+v", value)
	}
	return b.String()
}

// together runs n calls at once, spread over two stores of the database, and
// returns what each has answered.
func together[T any](f *fixture, n int, call func(d signup.Directory, i int) (T, error)) ([]T, []error) {
	stores := []signup.Directory{f.Directory, f.Peer()}
	results, errs := make([]T, n), make([]error, n)
	start := make(chan struct{})
	var running sync.WaitGroup
	for i := range n {
		running.Go(func() {
			<-start
			results[i], errs[i] = call(stores[i%len(stores)], i)
		})
	}
	close(start)
	running.Wait()
	return results, errs
}
