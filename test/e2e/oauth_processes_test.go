package e2e

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"

	"stepwise/internal/realtest"
)

// samePublicURL starts two processes as behind one load balancer: over the same
// stores, with the same keys, and known to the world under the first one's
// address.
func samePublicURL(t testing.TB) (a, b *realtest.ServerProgram, env map[string]string) {
	t.Helper()
	env = with(redisPostgres.env(t), "APP_KEY", randomHex(32), "SECRET_KEY", "sk_"+randomHex(24), "PUBLISHABLE_KEY", "pk_"+randomHex(12))
	a = realtest.Program(t, realtest.ProgramOptions{Env: env})
	b = realtest.Program(t, realtest.ProgramOptions{Env: with(env, "PUBLIC_URL", a.URL)})
	return a, b, env
}

// TestAccountOnTwoProcesses lets the same callback arrive many times, and the
// same handle be redeemed many times, at two processes at once.
func TestAccountOnTwoProcesses(t *testing.T) {
	if !needsRealStores(t) {
		return
	}
	t.Parallel()
	a, b, env := samePublicURL(t)
	p, administrator := startProvider(t, a), newAdministrator(t, a)
	administrator.changeSettings(t, map[string]any{"externalAccount": p.settings()})

	t.Run("the callback and its handle, twice", func(t *testing.T) {
		visitor := newClient(t, a)
		_, challenge := createWithAccount(t, visitor)
		callback := p.authorize(t, challenge, "verified-named")
		first, second := comeBack(t, callback), comeBack(t, strings.Replace(callback, a.URL, b.URL, 1))
		before, asked := count(t, env["DATABASE_URL"]), p.requests("POST /token")
		retry := visitor.clone() // as if the answer had been lost, and the new token with it
		done := visitor.check(t, "oauthHandle", first)
		if done.Status != "COMPLETE" {
			t.Fatalf("%s, want COMPLETE", done.Status)
		}
		again := retry.clone().at(b).check(t, "oauthHandle", first)
		if again.CreatedUserID != done.CreatedUserID || again.CreatedSessionID != done.CreatedSessionID {
			t.Errorf("the same call again: user %s, session %s; want what the first one got", again.CreatedUserID, again.CreatedSessionID)
		}
		// The second handle seals the same answer: redeeming it is the same call.
		if again := retry.clone().at(b).check(t, "oauthHandle", second); again.CreatedSessionID != done.CreatedSessionID {
			t.Errorf("the other handle of the same answer: session %s, want %s", again.CreatedSessionID, done.CreatedSessionID)
		}
		checkMadeOnce(t, env, before, p.requests("POST /token")-asked)
		lateCallback(t, b, visitor, callback, done)
	})

	t.Run("at once", func(t *testing.T) {
		visitor := newClient(t, b)
		_, challenge := createWithAccount(t, visitor)
		callback := p.authorize(t, challenge, "verified-nameless")
		before, asked := count(t, env["DATABASE_URL"]), p.requests("POST /token")
		handles := make([]string, 10)
		var landings sync.WaitGroup
		for i := range handles {
			landings.Go(func() {
				address := callback
				if i%2 == 1 {
					address = strings.Replace(callback, a.URL, b.URL, 1)
				}
				_, location := fetch(t, http.MethodGet, address)
				handles[i] = mustURL(t, location).Query().Get("sign_up_handle")
			})
		}
		landings.Wait()
		calls := atOnce(20, func(i int) (outcome, error) {
			return visitor.clone().at([]*realtest.ServerProgram{a, b}[i%2]).tryCheck("oauthHandle", handles[i/2])
		})
		checkSameAnswer(t, finalCall{}, calls)
		checkMadeOnce(t, env, before, p.requests("POST /token")-asked)
		for _, call := range calls {
			if s := call.outcome.SignUp; s != nil && asJSON(t, s) != asJSON(t, calls[0].outcome.SignUp) {
				t.Errorf("two answers:\n%s\n%s", asJSON(t, s), asJSON(t, calls[0].outcome.SignUp))
			}
		}
	})

	t.Run("after the sign-up was given up for another", func(t *testing.T) {
		visitor := newClient(t, a)
		left, challenge := createWithAccount(t, visitor)
		callback := p.authorize(t, challenge, "absent-named")
		asked := p.requests("POST /token")
		opened := visitor.create(t, map[string]any{})
		late := visitor.clone().at(b)
		o := mustTry(t)(late.tryCheck("oauthHandle", comeBack(t, callback)))
		if !slices.Equal(o.errorCodes(), []string{"SIGN_UP_ABANDONED"}) || o.SignUp == nil || o.SignUp.ID != left.ID || o.SignUp.Status != "ABANDONED" {
			t.Errorf("%+v, user errors %+v; want the abandoned one, and SIGN_UP_ABANDONED", o.SignUp, o.UserErrors)
		}
		if now := visitor.read(t, ""); asJSON(t, now) != asJSON(t, opened) {
			t.Errorf("the new sign-up changed:\n%s\nwas\n%s", asJSON(t, now), asJSON(t, opened))
		}
		if n := p.requests("POST /token") - asked; n != 0 {
			t.Errorf("the provider was asked %d times", n)
		}
	})

	t.Run("after the sign-up is forgotten", func(t *testing.T) {
		visitor := newClient(t, a)
		opened, challenge := createWithAccount(t, visitor)
		callback := p.authorize(t, challenge, "absent-nameless")
		asked := p.requests("POST /token")
		expire(t, env["REDIS_URL"], opened.ID)
		for _, server := range []*realtest.ServerProgram{a, b} {
			o := mustTry(t)(visitor.at(server).tryCheck("oauthHandle", comeBack(t, callback)))
			if !slices.Equal(o.errorCodes(), []string{"SIGN_UP_NOT_FOUND"}) || o.SignUp != nil {
				t.Errorf("%+v, user errors %+v; want SIGN_UP_NOT_FOUND", o.SignUp, o.UserErrors)
			}
		}
		if n := p.requests("POST /token") - asked; n != 0 {
			t.Errorf("the provider was asked %d times", n)
		}
		completesByNewSignUp(t, visitor)
	})
}

// checkMadeOnce expects one user with an account and an address, one session, and
// one question to the provider.
func checkMadeOnce(t *testing.T, env map[string]string, before counts, asked int) {
	t.Helper()
	want := before.plus(1)
	want.identifiers++
	if got := count(t, env["DATABASE_URL"]); got != want {
		t.Errorf("the database has %+v, want %+v", got, want)
	}
	if asked != 1 {
		t.Errorf("the provider was asked for a token %d times, want once", asked)
	}
}

// lateCallback arrives after the completion: it leads to the app as before, and
// the handle brings whoever has the new token the user that there is.
func lateCallback(t *testing.T, server *realtest.ServerProgram, visitor *client, callback string, done signUp) {
	t.Helper()
	late := visitor.clone().at(server)
	o, err := late.tryCheck("oauthHandle", comeBack(t, callback))
	if err != nil || o.SignUp == nil || o.SignUp.CreatedUserID != done.CreatedUserID || o.SignUp.CreatedSessionID != done.CreatedSessionID {
		t.Errorf("after the completion: %+v, %v, %v; want the sign-up as it ended", o.SignUp, o.errorCodes(), err)
	}
}

// expire lets the records of a sign-up go, as Redis does when their time is up.
func expire(t testing.TB, redisURL, id string) {
	t.Helper()
	options, err := redis.ParseURL(redisURL)
	if err != nil {
		t.Fatal(err)
	}
	db := redis.NewClient(options)
	defer db.Close()
	keys, err := db.Keys(t.Context(), "*"+id+"*").Result()
	if err != nil || len(keys) == 0 {
		t.Fatalf("no record of %s: %v", id, err)
	}
	for _, key := range keys {
		if err := db.PExpire(t.Context(), key, 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
}

func completesByNewSignUp(t *testing.T, c *client) {
	t.Helper()
	c.create(t, map[string]any{})
	completesByForm(t, c)
}
