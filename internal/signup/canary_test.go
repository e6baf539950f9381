package signup_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"stepwise/engine"
	"stepwise/internal/signup"
	"stepwise/internal/store/redisstore"
)

// overRedis puts the world's sign-ups into a Redis that can be looked into, and
// everything that is logged into the returned lines.
func (w *world) overRedis() (*miniredis.Miniredis, *lines) {
	w.Helper()
	log := &lines{}
	logger := slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	server := miniredis.NewMiniRedis()
	w.must(server.Start())
	w.Cleanup(server.Close)
	store, err := redisstore.Open(w.Context(), redisstore.Options{URL: "redis://" + server.Addr(), Clock: w.clock.now, Logger: logger})
	w.must(err)
	w.Cleanup(func() { w.noError(store.Close()) })
	w.config.Attempts, w.config.Hints, w.config.Budgets, w.config.Logger = store, store, store, logger
	w.service = signup.New(w.config)
	return server, log
}

// contents is everything in a Redis: each key with its value.
func contents(t testing.TB, server *miniredis.Miniredis) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, key := range server.Keys() {
		switch kind := server.Type(key); kind {
		case "string":
			value, err := server.Get(key)
			if err != nil {
				t.Fatal(err)
			}
			all[key] = value
		case "hash":
			fields, err := server.HKeys(key)
			if err != nil {
				t.Fatal(err)
			}
			for _, field := range fields {
				all[key] += field + server.HGet(key, field)
			}
		case "zset":
			members, err := server.ZMembers(key)
			if err != nil {
				t.Fatal(err)
			}
			all[key] = strings.Join(members, " ")
		default:
			t.Fatalf("%s is a %s", key, kind)
		}
		if server.TTL(key) <= 0 {
			t.Errorf("%s never expires", key)
		}
	}
	return all
}

// published collects what goes through the channels of a Redis until stopped.
func published(server *miniredis.Miniredis) (stop func() string) {
	subscriber := server.NewSubscriber()
	subscriber.Psubscribe("*")
	var b strings.Builder
	var reading sync.WaitGroup
	reading.Go(func() {
		for m := range subscriber.Pmessages() {
			fmt.Fprintln(&b, m.Channel, m.Message)
		}
	})
	return func() string {
		subscriber.Close()
		reading.Wait()
		return b.String()
	}
}

// secrets finds what must not be where it is looked for.
type secrets map[string]*regexp.Regexp

func (s secrets) add(name, secret string) { s[name] = regexp.MustCompile(regexp.QuoteMeta(secret)) }

// addCode: six digits count only where they stand alone.
func (s secrets) addCode(name, code string) {
	s[name] = regexp.MustCompile(`(^|[^0-9])` + code + `([^0-9]|$)`)
}

func (s secrets) wantNoneIn(t testing.TB, place, content string) {
	t.Helper()
	if content == "" {
		t.Errorf("%s: nothing to search", place)
	}
	for name, pattern := range s {
		if at := pattern.FindStringIndex(content); at != nil {
			t.Errorf("%s: the %s is there: %q", place, name, content[max(0, at[0]-80):min(len(content), at[1]+20)])
		}
	}
}

// TestSecretsAreWhereTheyBelong plays a story with all that can go wrong in it,
// and then looks everywhere.
func TestSecretsAreWhereTheyBelong(t *testing.T) {
	const (
		address = "jane@example.com"
		plain   = "canary otter 7141"
	)
	w := newWorld(t, "")
	server, log := w.overRedis()
	stop := published(server)
	s := secrets{}
	s.add("password", plain)
	s.add("secret key", w.first.SecretKey)
	s.add("master key", masterKey)
	var shown strings.Builder // answers and errors, without the tokens that are issued
	note := func(out signup.Outcome, err error) signup.Outcome {
		out.ClientToken = ""
		fmt.Fprintf(&shown, "%s %v\n", text(t, out.Problems), err)
		if out.SignUp != nil {
			fmt.Fprintf(&shown, "%s %s\n", text(t, out.SignUp.Verifications), text(t, out.SignUp.UnsafeMetadata))
		}
		return out
	}

	// All that is refused.
	c := w.client()
	in := withEmail(address)
	in.Password, in.IdempotencyKey = signup.Given(plain), "canary idempotency key"
	w.mail.refuse(errors.New("no route to host"))
	out, err := c.service.Create(t.Context(), c.principal(), in)
	c.token = out.ClientToken
	note(out, err)
	w.mail.refuse(nil)
	note(c.start(engine.EmailCode), nil)
	note(c.update(signup.Input{Password: signup.Given(plain), FirstName: signup.Given(plain + "\x00"), Username: signup.Given(plain)}), nil)
	note(c.update(signup.Input{Password: signup.Given(plain + strings.Repeat("x", 300))}), nil)
	note(c.update(signup.Input{Password: signup.Given(plain)}), nil)
	w.set(`{"firstName": {"required": true}}`)
	for range 2 {
		note(c.check(engine.EmailAddress, wrong(w.mail.code(t, address))), nil)
	}
	w.clock.advance(time.Minute)
	note(c.start(engine.EmailCode), nil)
	note(c.check(engine.EmailAddress, w.mail.code(t, address)), nil)

	s.add("hash of the password", "argon2id")
	s.wantNoneIn(t, "Redis before the end", fmt.Sprint(contents(t, server)))
	delete(s, "hash of the password") // the database has it, and nothing else

	// A completion during which everything fails once.
	first := c.token
	s.add("token", first)
	fail := map[string]bool{"Directory.Convert": true, "Attempts.Save": true, "Budgets.Take": true}
	for range 4 {
		p := w.newProcess(func(port string) fault {
			if fail[port] {
				delete(fail, port)
				return refused
			}
			return served
		})
		out, err := p.Update(t.Context(), c.principal(), "", signup.Input{FirstName: signup.Given("Jane"), Password: signup.Given(plain)})
		if out.ClientToken != "" {
			c.token = out.ClientToken
		}
		note(out, err)
		w.clock.advance(afterLease)
	}
	seen := c.signUp()
	if seen.Status != engine.StatusComplete {
		t.Fatalf("the story ends with %s", seen.Status)
	}
	s.add("new token", c.token)
	session, err := w.service.CreateSessionToken(t.Context(), c.principal(), "")
	w.must(err)
	s.add("session token", session.Token)
	_, err = w.service.Authenticate(t.Context(), signup.Credentials{Bearer: first + "x"})
	note(signup.Outcome{}, err)
	_, err = w.service.Authenticate(t.Context(), signup.Credentials{Bearer: w.first.SecretKey + "x"})
	note(signup.Outcome{}, err)
	for i, m := range w.mail.all() {
		s.addCode(fmt.Sprintf("code %d", i+1), m.Code)
	}

	all := fmt.Sprint(contents(t, server))
	s.wantNoneIn(t, "answers and errors", shown.String())
	s.wantNoneIn(t, "logs", log.String())
	s.wantNoneIn(t, "hints", stop())
	s.wantNoneIn(t, "events", w.outbox())
	s.wantNoneIn(t, "SQLite", w.databaseBytes())
	s.add("hash of the password", "argon2id")
	s.wantNoneIn(t, "Redis after the end", all)
	s.wantNoneIn(t, "logs", log.String())
	s.wantNoneIn(t, "answers and errors", shown.String())
	s.wantNoneIn(t, "events", w.outbox())
	if !strings.Contains(w.databaseBytes(), "$argon2id$") {
		t.Error("the database has no hash of the password")
	}
}

// sealedHash is what the hash of a password looks like while it waits in Redis.
var sealedHash = regexp.MustCompile(`[A-Za-z0-9+/]{140,}`)

// TestHashesEndWithTheSignUp: whatever the end of a sign-up, what is kept of it
// has no hash of a password, sealed or not.
func TestHashesEndWithTheSignUp(t *testing.T) {
	w := newWorld(t, "")
	server, _ := w.overRedis()
	c := w.client()
	c.create(withEmail("jane@example.com"))
	if all := fmt.Sprint(contents(t, server)); !sealedHash.MatchString(all) {
		t.Fatal("an open sign-up has no hash: the test looks in the wrong place")
	}
	c.check(engine.EmailAddress, w.mail.code(t, "jane@example.com"))
	secrets{"hash": sealedHash}.wantNoneIn(t, "complete", fmt.Sprint(contents(t, server)))

	c.create(withEmail("joan@example.com"))
	w.clock.advance(24 * time.Hour)
	if s := c.signUp(); s.Status != engine.StatusAbandoned {
		t.Fatalf("the sign-up is %s", s.Status)
	}
	secrets{"hash": sealedHash}.wantNoneIn(t, "abandoned", fmt.Sprint(contents(t, server)))
}

// TestLogsNameNobody: what is logged when things fail names sign-ups, not
// people.
func TestLogsNameNobody(t *testing.T) {
	w := newWorld(t, "")
	_, log := w.overRedis()
	w.mail.refuse(errors.New("no route to host"))
	c := w.client()
	wantProblems(t, c.create(withEmail("jane.personal@example.com")), "DELIVERY_FAILED")
	got := log.String()
	if !strings.Contains(got, c.signUp().ID) || !strings.Contains(got, "no route to host") {
		t.Errorf("the failure is not logged: %s", got)
	}
	if strings.Contains(got, "jane") {
		t.Errorf("the address is logged: %s", got)
	}
}

// outbox returns every event.
func (w *world) outbox() string {
	w.Helper()
	rows, err := w.rows.QueryContext(w.Context(), `SELECT kind, body FROM outbox`)
	w.must(err)
	defer rows.Close()
	var b strings.Builder
	for rows.Next() {
		var kind, body string
		w.must(rows.Scan(&kind, &body))
		if !json.Valid([]byte(body)) {
			w.Errorf("the event %s is no JSON: %s", kind, body)
		}
		fmt.Fprintln(&b, kind, body)
	}
	w.must(rows.Err())
	return b.String()
}

// databaseBytes returns what lies on disk.
func (w *world) databaseBytes() string {
	w.Helper()
	var all []byte
	for _, suffix := range []string{"", "-wal"} {
		data, err := os.ReadFile(w.path + suffix)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			w.Fatal(err)
		}
		all = append(all, data...)
	}
	return string(all)
}

// TestKeysOpenOnlyWhatTheyClosed: what is sealed for one purpose, or under one
// master key, is of no use for another.
func TestKeysOpenOnlyWhatTheyClosed(t *testing.T) {
	keys, err := signup.NewKeys([]byte(masterKey))
	if err != nil {
		t.Fatal(err)
	}
	other, err := signup.NewKeys([]byte(masterKey + "."))
	if err != nil {
		t.Fatal(err)
	}
	sealed := keys.Seal([]byte("otters"), "purpose")
	if plain, err := keys.Open(sealed, "purpose"); err != nil || string(plain) != "otters" {
		t.Errorf("opened as %q: %v", plain, err)
	}
	if again := keys.Seal([]byte("otters"), "purpose"); string(again) == string(sealed) {
		t.Error("sealing twice gives the same")
	}
	broken := append([]byte(nil), sealed...)
	broken[len(broken)-1] ^= 1
	for name, open := range map[string]func() ([]byte, error){
		"another purpose":    func() ([]byte, error) { return keys.Open(sealed, "other") },
		"another master key": func() ([]byte, error) { return other.Open(sealed, "purpose") },
		"changed":            func() ([]byte, error) { return keys.Open(broken, "purpose") },
		"cut":                func() ([]byte, error) { return keys.Open(sealed[:5], "purpose") },
		"empty":              func() ([]byte, error) { return keys.Open(nil, "purpose") },
	} {
		if plain, err := open(); err == nil || len(plain) > 0 || strings.Contains(err.Error(), "otters") {
			t.Errorf("%s: %q, %v", name, plain, err)
		}
	}
	for _, short := range []string{"", masterKey[:31]} {
		if _, err := signup.NewKeys([]byte(short)); err == nil {
			t.Errorf("a master key of %d bytes is taken", len(short))
		}
	}
}

// TestViewHasNoHash: what callers are shown of a sign-up holds no hash of the
// password, so that nobody can print it by mistake.
func TestViewHasNoHash(t *testing.T) {
	w := newWorld(t, "")
	c := w.client()
	out := c.create(withEmail("jane@example.com"))
	if shown := text(t, out.SignUp); strings.Contains(shown, "argon2id") || sealedHash.MatchString(shown) {
		t.Error("SignUp.Values holds the hash of the password")
	}
}

// TestNoHashInTheStoreOfSignUps: the hash of a password waits sealed, so that
// also a sign-up that was abandoned for another gives nothing away.
func TestNoHashInTheStoreOfSignUps(t *testing.T) {
	w := newWorld(t, "")
	server, _ := w.overRedis()
	c := w.client()
	c.create(withEmail("jane@example.com"))
	c.create(withEmail("joan@example.com"))
	for key, value := range contents(t, server) {
		if strings.Contains(value, "argon2id") {
			t.Errorf("%s holds the hash of a password", key)
		}
	}
}
