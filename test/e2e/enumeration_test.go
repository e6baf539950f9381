package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"stepwise/internal/realtest"
)

// pairs is how many taken and free addresses are compared.
const pairs = 200

// probe is a call that somebody makes to find out whether an address is taken. The
// calls of one visitor go on from each other.
type probe struct {
	name string
	// document takes an input.
	document, inputType string
	input               func(address string, seen map[string]string) map[string]any
	// hashes: a password is hashed or compared in it.
	hashes bool
}

const probedPassword = "seven purple otters"

// probesOfAddresses are all calls by which an address can be named.
var probesOfAddresses = []probe{
	{
		name: "signUpCreate with a password, and a code sent", inputType: "SignUpCreateInput", document: "signUpCreate", hashes: true,
		input: func(address string, _ map[string]string) map[string]any {
			return map[string]any{"emailAddress": address, "password": probedPassword, "startVerifications": []any{map[string]any{"strategy": "EMAIL_CODE"}}}
		},
	}, {
		name: "signUpVerificationCheck of a wrong code", inputType: "SignUpVerificationCheckInput", document: "signUpVerificationCheck",
		input: func(string, map[string]string) map[string]any {
			return map[string]any{"proof": map[string]any{"emailCode": "123456"}}
		},
	}, {
		name: "signUpUpdate to the address", inputType: "SignUpUpdateInput", document: "signUpUpdate",
		input: func(address string, _ map[string]string) map[string]any {
			return map[string]any{"emailAddress": strings.ToUpper(address[:1]) + address[1:]}
		},
	}, {
		name: "sessionVerificationStart", inputType: "SessionVerificationStartInput", document: "sessionVerificationStart",
		input: func(address string, _ map[string]string) map[string]any { return map[string]any{"identifier": address} },
	}, {
		name: "sessionCreate with a wrong code", inputType: "SessionCreateInput", document: "sessionCreate",
		input: func(_ string, seen map[string]string) map[string]any {
			return map[string]any{"proof": map[string]any{"code": map[string]any{"challengeId": seen["challenge"], "code": "123456"}}}
		},
	}, {
		name: "sessionCreate with a wrong password", inputType: "SessionCreateInput", document: "sessionCreate", hashes: true,
		input: func(address string, _ map[string]string) map[string]any {
			return map[string]any{"proof": map[string]any{"password": map[string]any{"identifier": address, "password": "wrong otters"}}}
		},
	},
}

// payloads is what is selected of each: everything.
var payloads = map[string]string{
	"signUpCreate": signUpPayload, "signUpUpdate": signUpPayload, "signUpVerificationCheck": signUpPayload,
	"sessionVerificationStart": "challenge { id sentTo resendAt expireAt } " + errorsPayload,
	"sessionCreate":            "session { id } " + errorsPayload,
}

const (
	errorsPayload = "userErrors { code message attribute field retryAfter }"
	signUpPayload = "signUp {" + signUpFields + "} " + errorsPayload
)

// observation is what one call shows to whoever made it, and to the stores.
type observation struct {
	shape             string
	took              time.Duration
	statements, trips int
}

// watched are a server and the ways to its stores.
type watched struct {
	server *realtest.ServerProgram
	sql    *countingProxy
	redis  *realtest.FaultProxy
}

func startWatched(t testing.TB) watched {
	t.Helper()
	database := mustURL(t, realtest.Postgres(t))
	w := watched{sql: startCountingProxy(t, database.Host), redis: realtest.RedisProxy(t, realtest.Redis(t).Addr)}
	database.Host = w.sql.addr
	w.server = realtest.Program(t, realtest.ProgramOptions{Env: map[string]string{
		"REDIS_URL": "redis://" + w.redis.Addr, "DATABASE_URL": database.String(),
	}})
	return w
}

var (
	randomID   = regexp.MustCompile(`\b(sua|ins|cli|user|sess)_[A-Za-z0-9]+`)
	momentForm = regexp.MustCompile(`20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z`)
	challenge  = regexp.MustCompile(`"challenge":\{"id":"([^"]+)"`)
)

// untilQuiet waits until nothing more is asked of Redis.
func (w watched) untilQuiet() {
	for before := -1; before != w.redis.RoundTrips(); time.Sleep(10 * time.Millisecond) {
		before = w.redis.RoundTrips()
	}
}

// probeOnce makes a call and observes it.
func (w watched) probeOnce(t testing.TB, c *client, p probe, address string, seen map[string]string) observation {
	t.Helper()
	document := "mutation($input: " + p.inputType + "!) { " + p.document + "(input: $input) { " + payloads[p.document] + " } }"
	if strings.HasPrefix(p.document, "signUp") {
		document += verificationFragment
	}
	statements, trips := w.sql.statements.Load(), w.redis.RoundTrips()
	r, err := c.ask(document, map[string]any{"input": p.input(address, seen)})
	if err != nil || r.Status != http.StatusOK {
		t.Fatalf("%s: %v, status %d", p.name, err, r.Status)
	}
	if p.document == "sessionVerificationStart" { // which goes on after its answer
		w.untilQuiet()
	}
	o := observation{took: r.Took, statements: int(w.sql.statements.Load() - statements), trips: w.redis.RoundTrips() - trips}
	if token := r.Header.Get("Client-Token"); token != "" {
		c.bearer = token
	}
	body := string(r.Body)
	if m := challenge.FindStringSubmatch(body); m != nil {
		seen["challenge"] = m[1]
		body = strings.ReplaceAll(body, m[1], strings.Repeat("x", len(m[1])))
	}
	body = randomID.ReplaceAllString(body, "$1")
	body = momentForm.ReplaceAllString(body, "moment")
	body = strings.ReplaceAll(body, address, "ADDRESS")
	body = strings.ReplaceAll(body, strings.ToUpper(address[:1])+address[1:], "Address")
	headers := slices.Sorted(maps.Keys(r.Header))
	o.shape = fmt.Sprintf("%d %v %s", r.Status, headers, body)
	return o
}

// TestAttack17Pairs probes 200 pairs of taken and free addresses in turn, through
// everything that names an address. Both have the same answers, headers, statements
// and round trips; the medians of their times differ by less than half of what one
// hash of a password costs here and now.
func TestAttack17Pairs(t *testing.T) {
	if !needsRealStores(t) {
		return
	}
	w := startWatched(t)
	administrator := newAdministrator(t, w.server)
	names := func(kind string, i int) string { return fmt.Sprintf("probe-%s%03d@example.com", kind, i) }
	for i := range pairs {
		signUpWhole(t, newClient(t, w.server), names("a", i))
	}
	administrator.changeSettings(t, map[string]any{"enumerationProtection": true})
	hash := w.costOfAHash(t)

	observed := make([][2][]observation, len(probesOfAddresses))
	for i := range pairs {
		visitors := [2]*client{newClient(t, w.server), newClient(t, w.server)}
		seen := [2]map[string]string{{}, {}}
		for n, p := range probesOfAddresses {
			for turn := range 2 {
				kind := (i + n + turn) % 2 // who is first takes turns too
				observed[n][kind] = append(observed[n][kind], w.probeOnce(t, visitors[kind], p, names([]string{"a", "b"}[kind], i), seen[kind]))
			}
		}
	}
	for n, p := range probesOfAddresses {
		taken, free := observed[n][0], observed[n][1]
		for i := range pairs {
			if taken[i].shape != free[i].shape {
				t.Fatalf("%s, pair %d:\n%s\n%s", p.name, i, taken[i].shape, free[i].shape)
			}
		}
		count := func(of func(observation) int) [2]int { return [2]int{most(taken, of), most(free, of)} }
		statements := count(func(o observation) int { return o.statements })
		trips := count(func(o observation) int { return o.trips })
		if statements[0] != statements[1] || trips[0] != trips[1] {
			t.Errorf("%s: %v statements and %v round trips for a taken and a free address", p.name, statements, trips)
		}
		times := [2]time.Duration{medianTime(taken), medianTime(free)}
		difference := medianDifference(taken, free)
		t.Logf("| %s | %.2f ms | %.2f ms | %+.2f ms | %d | %d |", p.name, ms(times[0]), ms(times[1]), ms(difference), statements[0], trips[0])
		if difference.Abs() > hash/2 {
			t.Errorf("%s: a taken address takes %v longer in the median of the pairs; a hash takes %v", p.name, difference, hash)
		}
	}
	for i := range pairs {
		messages := administrator.outbox(t, names("a", i))
		told := slices.ContainsFunc(messages, func(m message) bool { return m.Code == "" && strings.Contains(m.Text, "already") })
		if i >= pairs-20 && !told { // the outbox keeps the last ones
			t.Errorf("the owner of %s was not told", names("a", i))
		}
	}
}

// costOfAHash is the difference that a password makes to a sign-up here and now.
func (w watched) costOfAHash(t testing.TB) time.Duration {
	t.Helper()
	var with, without []observation
	for i := range 15 {
		for _, password := range []bool{true, false} {
			input := map[string]any{"emailAddress": fmt.Sprintf("hash%d-%t@example.com", i, password)}
			if password {
				input["password"] = probedPassword
			}
			body, err := json.Marshal(map[string]any{
				"query":     "mutation($input: SignUpCreateInput!) { signUpCreate(input: $input) { signUp { id } } }",
				"variables": map[string]any{"input": input},
			})
			if err != nil {
				t.Fatal(err)
			}
			r, err := newClient(t, w.server).post(body, nil)
			if err != nil {
				t.Fatal(err)
			}
			if password {
				with = append(with, observation{took: r.Took})
			} else {
				without = append(without, observation{took: r.Took})
			}
		}
	}
	cost := medianTime(with) - medianTime(without)
	t.Logf("a hash costs %v", cost)
	if cost < 2*time.Millisecond {
		t.Fatalf("a hash costs %v: nothing can be told from it", cost)
	}
	return cost
}

func medianTime(list []observation) time.Duration {
	var times []time.Duration
	for _, o := range list {
		times = append(times, o.took)
	}
	slices.Sort(times)
	return times[len(times)/2]
}

// medianDifference is that of the pairs, whose two calls were made one after the other
// under much the same load.
func medianDifference(a, b []observation) time.Duration {
	var differences []observation
	for i := range a {
		differences = append(differences, observation{took: a[i].took - b[i].took})
	}
	return medianTime(differences)
}

// most is the number that most observations have: what the server does in the
// background now and then adds to a few.
func most(list []observation, of func(observation) int) int {
	counts := map[int]int{}
	best := -1
	for _, o := range list {
		n := of(o)
		if counts[n]++; best < 0 || counts[n] > counts[best] {
			best = n
		}
	}
	return best
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
