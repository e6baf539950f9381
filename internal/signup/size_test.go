package signup_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"stepwise/internal/realtest"
	"stepwise/internal/signup"
	"stepwise/internal/store/redisstore"
)

// TestSizeOfALiveSignUp: most sign-ups are begun and never ended, and wait in
// memory for their deadline. This is what one takes, with a code sent to it.
func TestSizeOfALiveSignUp(t *testing.T) {
	w := newWorld(t, "")
	server, _ := w.overRedis()
	in := withEmail("jane.doe@example.com")
	in.FirstName, in.LastName = signup.Given("Jane"), signup.Given("Doe")
	wantProblems(t, w.client().create(in))
	record, rest := 0, 0
	for key, value := range contents(t, server) {
		switch {
		case strings.Contains(key, ":a:"):
			record += len(key) + len(value)
		case strings.HasSuffix(key, ":cur"):
			rest += len(key) + len(value)
		}
	}
	t.Logf("keys and values: record %d bytes, current %d bytes", record, rest)
	const most = 768
	if record+rest > most {
		t.Errorf("a live sign-up takes %d bytes, want at most %d", record+rest, most)
	}
	if realtest.Wanted() {
		w.sizeInRedis(in)
	}
}

// TestSizeOfAnOpenChallenge: what is kept for an authorization can be derived
// again, but for where it goes and leads back to.
func TestSizeOfAnOpenChallenge(t *testing.T) {
	w := newWorld(t, `{"web3Wallet": {"enabled": true}, `+providerSettings+`}`)
	server, _ := w.overRedis()
	size := func() (n int) {
		for key, value := range contents(t, server) {
			if strings.Contains(key, ":a:") {
				n += len(value)
			}
		}
		return n
	}
	c := w.client()
	in := withEmail("jane.doe@example.com")
	c.create(in)
	before := size()
	c.starting(oauth("acme"))
	account := size() - before
	c.starting(signing(walletOf("jane")))
	wallet := size() - before - account
	t.Logf("an authorization takes %d bytes, a message to sign %d", account, wallet)
	const most = 256
	if account > most || wallet > most {
		t.Errorf("an authorization takes %d bytes, a message to sign %d, want at most %d", account, wallet, most)
	}
}

// sizeInRedis measures what a real server takes, its overhead included.
func (w *world) sizeInRedis(in signup.Input) {
	server := realtest.Redis(w)
	store, err := redisstore.Open(w.Context(), redisstore.Options{URL: server.URL, Clock: w.clock.now})
	w.must(err)
	defer store.Close()
	w.config.Attempts, w.config.Hints = store, store // budgets are of addresses and stay elsewhere
	w.service = signup.New(w.config)
	client := redis.NewClient(&redis.Options{Addr: server.Addr})
	defer client.Close()
	used := func() int {
		info, err := client.Info(w.Context(), "memory").Result()
		w.must(err)
		_, after, _ := strings.Cut(info, "used_memory:")
		n, err := strconv.Atoi(strings.TrimSpace(strings.SplitN(after, "\n", 2)[0]))
		w.must(err)
		return n
	}
	const n = 4096 // a power of two, so that the table of keys is full
	before := used()
	for i := range n {
		in.EmailAddress = signup.Given(fmt.Sprintf("jane.doe%04d@example.com", i))
		wantProblems(w, w.client().create(in))
	}
	w.Logf("in redis-server: %d bytes each", (used()-before)/n)
}
