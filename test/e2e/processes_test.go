package e2e

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"stepwise/internal/realtest"
)

// pair starts two processes over one Redis and one PostgreSQL, with the same
// keys, as behind a load balancer.
func pair(t testing.TB, more ...string) (a, b *realtest.ServerProgram, databaseURL string) {
	t.Helper()
	env := with(redisPostgres.env(t), "APP_KEY", randomHex(32), "SECRET_KEY", "sk_"+randomHex(24), "PUBLISHABLE_KEY", "pk_"+randomHex(12))
	env = with(env, more...)
	a = realtest.Program(t, realtest.ProgramOptions{Env: env})
	b = realtest.Program(t, realtest.ProgramOptions{Env: env})
	return a, b, env["DATABASE_URL"]
}

// TestTwoProcesses shows that two processes over the same stores are one
// service.
func TestTwoProcesses(t *testing.T) {
	if !needsRealStores(t) {
		return
	}
	t.Parallel()
	a, b, database := pair(t)
	administrator := newAdministrator(t, a)
	administrator.changeSettings(t, map[string]any{"testMode": true})

	t.Run("a subscriber on one sees what happens on the other", func(t *testing.T) {
		for name, subscribe := range transports {
			visitor := newClient(t, b)
			email := fmt.Sprintf("%s-%s@example.com", name, randomHex(3))
			opened := begin(t, visitor, email)
			watched := subscribe(visitor.at(a), t, opened.ID)
			visitor.update(t, map[string]any{"firstName": "Grace"})
			watched.await(t, "the name", func(s signUp) bool { return s.FirstName != nil && *s.FirstName == "Grace" })
			done := visitor.check(t, "emailCode", visitor.code(t, email))
			watched.finishesWith(t, done)
		}
	})

	t.Run("the progressive switch reaches open sign-ups everywhere", func(t *testing.T) {
		testSwitch(t, administrator, a, b)
	})

	t.Run("50 identical final calls make one user and one session", func(t *testing.T) {
		testIdenticalCalls(t, administrator, a, b, database)
	})

	t.Run("20 sign-ups race for one address", func(t *testing.T) {
		testRace(t, administrator, a, b, database)
	})
}

// testSwitch turns Progressive Sign Up off on one process with sign-ups open on
// the other. Under it email and phone are both needed; without it one is enough.
func testSwitch(t *testing.T, administrator *client, a, b *realtest.ServerProgram) {
	complete := newClient(t, b)
	done := signUpWhole(t, complete, "before-the-switch@example.com")
	administrator.changeSettings(t, map[string]any{"phoneNumber": map[string]any{"enabled": true, "required": true}})
	t.Cleanup(func() {
		administrator.changeSettings(t, map[string]any{"progressiveSignUp": true, "phoneNumber": map[string]any{"enabled": false, "required": false}})
	})

	visitor := newClient(t, b)
	begin(t, visitor, "switch@example.com")
	verified := visitor.check(t, "emailCode", visitor.code(t, "switch@example.com"))
	if verified.Status != "MISSING_REQUIREMENTS" || !slices.Equal(verified.MissingFields, []string{"PHONE_NUMBER"}) {
		t.Fatalf("progressive: %s, missing %v; want PHONE_NUMBER to be missing", verified.Status, verified.MissingFields)
	}
	var watched []*subscription
	for _, name := range slices.Sorted(maps.Keys(transports)) {
		w := transports[name](visitor, t, verified.ID)
		w.next(t)
		watched = append(watched, w)
	}

	version := administrator.changeSettings(t, map[string]any{"progressiveSignUp": false})
	now := visitor.read(t, "")
	if now.SettingsVersion != version || len(now.MissingFields) != 0 || !slices.Contains(now.OptionalFields, "PHONE_NUMBER") {
		t.Errorf("next read on the other process: settings %d, missing %v, optional %v; want %d, nothing missing and the phone optional",
			now.SettingsVersion, now.MissingFields, now.OptionalFields, version)
	}
	if now.Status != "MISSING_REQUIREMENTS" {
		t.Errorf("an administrator's change alone made the sign-up %s", now.Status)
	}
	for _, w := range watched {
		w.await(t, "the change of settings", func(s signUp) bool { return len(s.MissingFields) == 0 })
	}
	if after := complete.read(t, done.ID); asJSON(t, after) != asJSON(t, done) {
		t.Errorf("the completed sign-up changed:\n%s\nwas\n%s", asJSON(t, after), asJSON(t, done))
	}
	final := visitor.update(t, map[string]any{})
	if final.Status != "COMPLETE" {
		t.Errorf("an empty update of its owner left the sign-up %s, want COMPLETE", final.Status)
	}
	for _, w := range watched {
		w.finishesWith(t, final)
	}
}

// finalCall is a call that completes a sign-up whose email address is given.
type finalCall struct {
	name, email string
	// needs is the field that the settings require besides, if any.
	needs string
	call  func(c *client) (outcome, error)
	// refusable are codes that some of the calls may get.
	refusable []string
}

var finalCalls = []finalCall{
	{
		name: "check", email: "check+test@example.com",
		call: func(c *client) (outcome, error) { return c.tryCheck("emailCode", "424242") },
	}, {
		name: "update", email: "update+test@example.com", needs: "lastName",
		call: func(c *client) (outcome, error) { return c.tryUpdate(map[string]any{"lastName": "Lovelace"}) },
	}, {
		name: "update with an idempotency key", email: "key+test@example.com", needs: "lastName",
		call: func(c *client) (outcome, error) {
			return c.tryUpdate(map[string]any{"lastName": "Lovelace", "idempotencyKey": "the last step"})
		},
	}, {
		// The username that is looked up may be the sign-up's own, converted a
		// moment ago.
		name: "update with a username", email: "username+test@example.com", needs: "username",
		call: func(c *client) (outcome, error) { return c.tryUpdate(map[string]any{"username": "patience"}) },
	}, {
		// An address bears 20 guesses at once, right ones included.
		name: "check at an address with a budget", email: "budget@example.com", refusable: []string{"RATE_LIMITED"},
	},
}

// testIdenticalCalls sends the call that completes 50 times at once, as an
// impatient person with a bad line does.
func testIdenticalCalls(t *testing.T, administrator *client, a, b *realtest.ServerProgram, database string) {
	for _, final := range finalCalls {
		t.Run(final.name, func(t *testing.T) {
			visitor := newClient(t, a)
			begin(t, visitor, final.email)
			if final.needs != "" {
				require := func(required bool) {
					administrator.changeSettings(t, map[string]any{final.needs: map[string]any{"enabled": true, "required": required}})
				}
				require(true)
				defer require(false)
				visitor.check(t, "emailCode", "424242")
			}
			if final.call == nil {
				code := visitor.code(t, final.email)
				final.call = func(c *client) (outcome, error) { return c.tryCheck("emailCode", code) }
			}
			before := count(t, database)
			checkSameAnswer(t, final, atOnce(50, func(i int) (outcome, error) {
				if i%2 == 1 {
					return final.call(visitor.at(b))
				}
				return final.call(visitor.clone())
			}))
			want := before.plus(1)
			if final.needs == "username" {
				want.identifiers++
			}
			if got := count(t, database); got != want {
				t.Errorf("the database has %+v, want %+v", got, want)
			}
			if found := administrator.users(t, final.email); len(found) != 1 {
				t.Errorf("%d users with the address, want 1", len(found))
			}
		})
	}
}

// checkSameAnswer expects every call to have got the same user and session.
func checkSameAnswer(t *testing.T, final finalCall, calls []attempted) {
	t.Helper()
	answers := map[string]int{}
	for _, c := range calls {
		switch {
		case c.err != nil:
			answers[c.err.Error()]++
		case c.outcome.complete() && len(c.outcome.UserErrors) == 0:
			answers["COMPLETE "+c.outcome.SignUp.CreatedUserID+" "+c.outcome.SignUp.CreatedSessionID]++
		case len(c.outcome.UserErrors) == 1 && slices.Contains(final.refusable, c.outcome.UserErrors[0].Code):
		default:
			answers[fmt.Sprintf("%s %v", c.outcome.SignUp.Status, c.outcome.errorCodes())]++
		}
	}
	if len(answers) != 1 {
		t.Errorf("identical calls got different answers: %v", answers)
	}
	for answer := range answers {
		if !strings.HasPrefix(answer, "COMPLETE ") {
			t.Errorf("answer %q, want COMPLETE", answer)
		}
	}
}

// testRace lets 20 clients prove control over one address at the same moment.
func testRace(t *testing.T, administrator *client, a, b *realtest.ServerProgram, database string) {
	const email = "race+test@example.com"
	racers := make([]*client, 20)
	for i := range racers {
		racers[i] = newClient(t, []*realtest.ServerProgram{a, b}[i%2])
		begin(t, racers[i], email)
	}
	before := count(t, database)
	outcomes := atOnce(len(racers), func(i int) (outcome, error) { return racers[i].tryCheck("emailCode", "424242") })
	winners := 0
	for i, o := range outcomes {
		switch {
		case o.err != nil:
			t.Errorf("racer %d: %v", i, o.err)
		case o.outcome.complete():
			winners++
		case !learntThatTaken(o.outcome):
			t.Errorf("racer %d: user errors %v, blockers %v; want IDENTIFIER_TAKEN", i, o.outcome.errorCodes(), o.outcome.SignUp.Blockers)
		}
	}
	if winners != 1 {
		t.Errorf("%d winners, want 1", winners)
	}
	if got, want := count(t, database), before.plus(1); got != want {
		t.Errorf("the database has %+v, want %+v", got, want)
	}
	if found := administrator.users(t, email); len(found) != 1 {
		t.Errorf("%d users with the address, want 1", len(found))
	}
	for i, racer := range racers {
		if outcomes[i].outcome.complete() {
			continue
		}
		racer.update(t, map[string]any{"emailAddress": fmt.Sprintf("loser%d+test@example.com", i)})
		racer.start(t, "EMAIL_CODE")
		if done := racer.check(t, "emailCode", "424242"); done.Status != "COMPLETE" {
			t.Errorf("loser %d with another address: %s, want COMPLETE", i, done.Status)
		}
		break // one shows it
	}
}

// learntThatTaken reports whether a loser was told why it lost.
func learntThatTaken(o outcome) bool {
	taken := func(b blocker) bool { return b.Code == "IDENTIFIER_TAKEN" && b.Attribute == "EMAIL_ADDRESS" }
	return slices.Contains(o.errorCodes(), "IDENTIFIER_TAKEN") || o.SignUp != nil && slices.ContainsFunc(o.SignUp.Blockers, taken)
}

type attempted struct {
	outcome outcome
	err     error
}

// atOnce makes n calls that begin at the same moment.
func atOnce(n int, call func(i int) (outcome, error)) []attempted {
	results := make([]attempted, n)
	begin := make(chan struct{})
	var calls sync.WaitGroup
	for i := range n {
		calls.Go(func() {
			<-begin
			results[i].outcome, results[i].err = call(i)
		})
	}
	close(begin)
	calls.Wait()
	return results
}

// TestRepeatedCallDoesNotMeetItself holds back the second of two identical
// calls between its reading the sign-up and its asking whose the username is,
// until the first has made the user. The username then belongs to this very
// sign-up.
func TestRepeatedCallDoesNotMeetItself(t *testing.T) {
	if !needsRealStores(t) {
		return
	}
	t.Parallel()
	redis, database := realtest.Redis(t), realtest.Postgres(t)
	keys := map[string]string{"APP_KEY": randomHex(32), "SECRET_KEY": "sk_" + randomHex(24), "PUBLISHABLE_KEY": "pk_" + randomHex(12)}
	fast := realtest.Program(t, realtest.ProgramOptions{Env: with(keys, "REDIS_URL", redis.URL, "DATABASE_URL", database)})
	slowRedis, slowDatabase := realtest.RedisProxy(t, redis.Addr), proxyTo(t, database)
	slow := realtest.Program(t, realtest.ProgramOptions{
		Env: with(keys, "REDIS_URL", "redis://"+slowRedis.Addr, "DATABASE_URL", slowDatabase.url),
	})
	newAdministrator(t, fast).changeSettings(t, map[string]any{
		"testMode": true, "username": map[string]any{"enabled": true, "required": true},
	})
	visitor := newClient(t, fast)
	begin(t, visitor, "self+test@example.com")
	visitor.check(t, "emailCode", "424242")
	final := map[string]any{"username": "ouroboros"}
	second := visitor.at(slow)
	second.read(t, "") // warms the connections up

	slowDatabase.Delay(time.Second)
	before := slowRedis.RoundTrips()
	answered := make(chan attempted, 1)
	go func() {
		o, err := second.tryUpdate(final)
		answered <- attempted{o, err}
	}()
	eventually(t, answerLimit, func() string {
		if slowRedis.RoundTrips() == before {
			return "the second call has not read the sign-up"
		}
		return ""
	})
	done := visitor.update(t, final)
	if done.Status != "COMPLETE" {
		t.Fatalf("the first call: %s, want COMPLETE", done.Status)
	}
	repeated := <-answered
	if repeated.err != nil || !repeated.outcome.complete() || repeated.outcome.SignUp.CreatedUserID != done.CreatedUserID {
		t.Errorf("the second call: %v, %+v, user errors %v; want what the first one got",
			repeated.err, repeated.outcome.SignUp, repeated.outcome.errorCodes())
	}
}
