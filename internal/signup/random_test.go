package signup_test

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"stepwise/engine"
	"stepwise/internal/signup"
)

// ordinarySeeds is how many random runs an ordinary test makes. CAMPAIGN sets
// another number; SEED runs one again.
const ordinarySeeds = 300

// TestRandomInterleavings lets several processes work on the sign-ups of one
// address at once. One call of a port happens at a time, chosen by the seed,
// as are the faults and the passing of time.
func TestRandomInterleavings(t *testing.T) {
	simulateAll(t, ordinarySeeds, "", (*world).simulate)
}

func simulateAll(t *testing.T, ordinary uint64, settings string, simulate func(*world, uint64)) {
	first, seeds := uint64(rand.Uint32()), ordinary
	if n, err := strconv.ParseUint(os.Getenv("CAMPAIGN"), 10, 32); err == nil {
		seeds = max(n*ordinary/ordinarySeeds, 20*ordinary)
	}
	if n, err := strconv.ParseUint(os.Getenv("SEED"), 10, 64); err == nil {
		first, seeds = n, 1
	}
	t.Logf("seeds from %d", first)
	const perWorld = 50
	for from := uint64(0); from < seeds && !t.Failed(); from += perWorld {
		t.Run(fmt.Sprintf("from %d", first+from), func(t *testing.T) {
			w := newWorld(t, settings)
			for seed := first + from; seed < first+min(from+perWorld, seeds); seed++ {
				simulate(w, seed)
				w.sweep() // as one would have been often by now
				if t.Failed() {
					t.Fatalf("SEED=%d fails", seed)
				}
			}
			w.wantNoHalves()
			w.wantEachInOneBucket()
		})
	}
}

// answer is what somebody was told, and whether the sign-up's user existed
// before they asked.
type answer struct {
	who     string
	out     signup.Outcome
	err     error
	existed bool
	mutates bool
}

// simulation is one seed.
type simulation struct {
	*world
	random  *rand.Rand
	address string
	events  chan event
	grants  []chan fault
	answers []answer
	log     []string
	// leap is how far time goes at most, now and then; three seconds where zero.
	leap time.Duration
}

// event: an actor asks to call a port, or has finished where port is empty.
type event struct {
	actor int
	port  string
}

// browser is what the tabs of one share.
type browser struct {
	token string
	// code is what was mailed to the sign-up.
	code string
}

func (w *world) simulate(seed uint64) {
	s := &simulation{
		world: w, random: rand.New(rand.NewPCG(seed, 1)), address: fmt.Sprintf("s%d@example.com", seed), events: make(chan event),
	}
	jane, joan := s.begin(), s.begin()
	mine := s.idOf(jane)

	actors := []func(*process){s.checks("jane's tab", jane), s.checks("jane's other tab", jane)}
	further := []func(*process){
		s.updates("jane's third tab", jane), s.startsOver("jane's fourth tab", jane),
		s.checks("joan", joan), s.reads(mine), s.demandsName(), s.settles(),
	}
	s.random.Shuffle(len(further), func(i, j int) { further[i], further[j] = further[j], further[i] })
	actors = append(actors, further[:s.random.IntN(4)]...)
	s.run(actors)

	w.set(`{"firstName": {"required": false}}`)
	w.clock.advance(afterLease)
	s.verifyAnswers()
	s.ends(jane, joan)
	if w.Failed() {
		for _, line := range s.log {
			w.Log(line)
		}
	}
}

// begin opens a sign-up for the address at a new browser.
func (s *simulation) begin() *browser {
	s.Helper()
	c := s.client()
	wantProblems(s, c.create(withEmail(s.address)))
	s.sweep()                  // nobody waits as long as an hour with it
	s.clock.advance(time.Hour) // the address's budgets refill
	c.start(engine.EmailCode)
	return &browser{token: c.token, code: s.mail.code(s, s.address)}
}

func (s *simulation) idOf(b *browser) string {
	s.Helper()
	c := &client{world: s.world, service: s.service, token: b.token}
	return c.signUp().ID
}

// run lets the actors act until all are done. Each is a process of its own,
// and of all of them one runs at a time.
func (s *simulation) run(actors []func(*process)) {
	waiting := map[int]string{}
	next := func() {
		if e := <-s.events; e.port != "" {
			waiting[e.actor] = e.port
		}
	}
	for i, act := range actors {
		grant := make(chan fault)
		s.grants = append(s.grants, grant)
		p := s.newProcess(func(port string) fault {
			s.events <- event{i, port}
			return <-grant
		})
		go func() {
			defer func() { s.events <- event{actor: i} }()
			act(p)
		}()
		next()
	}
	for len(waiting) > 0 {
		var asking []int
		for i := range actors {
			if waiting[i] != "" {
				asking = append(asking, i)
			}
		}
		chosen := asking[s.random.IntN(len(asking))]
		f := s.fault()
		s.log = append(s.log, fmt.Sprintf("%v actor %d: %s %s", s.clock.now().Sub(dawn), chosen, waiting[chosen], f))
		delete(waiting, chosen)
		s.grants[chosen] <- f
		next()
	}
}

// fault chooses what befalls a call, and lets time pass now and then.
func (s *simulation) fault() fault {
	if s.random.IntN(8) == 0 {
		s.clock.advance(time.Duration(s.random.Int64N(int64(cmp.Or(s.leap, 3*time.Second)))).Truncate(time.Millisecond))
	}
	if s.random.IntN(12) == 0 {
		return fault(1 + s.random.IntN(4))
	}
	return served
}

// asks makes a request at the process until it is answered or the process dies.
func (s *simulation) asks(p *process, who string, b *browser, r request) {
	for range 3 {
		existed := s.userExists(s.currentOf(b))
		caller, err := p.Authenticate(s.Context(), signup.Credentials{PublishableKey: s.first.PublishableKey, Bearer: b.token})
		var out signup.Outcome
		if err == nil {
			out, err = r(p, caller)
		}
		s.log = append(s.log, fmt.Sprintf("%s: %s %v, dead %v", who, describe(out), err, p.dead))
		if p.dead {
			return
		}
		if out.ClientToken != "" {
			b.token = out.ClientToken
		}
		s.answers = append(s.answers, answer{who, out, err, existed, true})
		if codeOf(err) != "UNAVAILABLE" {
			return
		}
	}
}

// currentOf is the id of the current sign-up of the browser's client.
func (s *simulation) currentOf(b *browser) string {
	caller, err := s.service.Authenticate(s.Context(), signup.Credentials{PublishableKey: s.first.PublishableKey, Bearer: b.token})
	if err != nil {
		return ""
	}
	id, _, _, err := s.redis.Load(s.Context(), signup.AttemptKey{Instance: s.first.ID, Client: caller.Client}, "")
	if err != nil {
		return ""
	}
	return id
}

func (s *simulation) userExists(signUp string) bool {
	var n int
	err := s.rows.QueryRowContext(s.Context(), `SELECT COUNT(*) FROM conversions WHERE attempt_id = $1`, signUp).Scan(&n)
	return err == nil && n > 0
}

func (s *simulation) checks(who string, b *browser) func(*process) {
	return func(p *process) { s.asks(p, who, b, s.offering(b.code)) }
}

// namePatch is the update that jane's third tab makes; its key makes it hers.
var namePatch = signup.Input{FirstName: signup.Given("Jane"), IdempotencyKey: "name"}

func (s *simulation) updates(who string, b *browser) func(*process) {
	return func(p *process) { s.asks(p, who, b, s.updating(namePatch)) }
}

func (s *simulation) startsOver(who string, b *browser) func(*process) {
	return func(p *process) { s.asks(p, who, b, s.creating(signup.Input{})) }
}

// reads is a backend that looks at a sign-up.
func (s *simulation) reads(id string) func(*process) {
	return func(p *process) {
		for range 3 {
			existed := s.userExists(id)
			caller, err := p.Authenticate(s.Context(), signup.Credentials{Bearer: s.first.SecretKey})
			var seen *signup.SignUp
			if err == nil {
				seen, err = p.SignUp(s.Context(), caller, id)
			}
			s.log = append(s.log, fmt.Sprintf("backend: %s %v, dead %v", describe(signup.Outcome{SignUp: seen}), err, p.dead))
			if p.dead {
				return
			}
			s.answers = append(s.answers, answer{"backend", signup.Outcome{SignUp: seen}, err, existed, false})
		}
	}
}

// settles is a sweeper that comes along.
func (s *simulation) settles() func(*process) {
	return func(p *process) {
		n, err := p.SettleAbandoned(s.Context())
		s.log = append(s.log, fmt.Sprintf("sweeper: %d, %v, dead %v", n, err, p.dead))
	}
}

// demandsName is an administrator who requires a first name, and thinks again.
func (s *simulation) demandsName() func(*process) {
	return func(p *process) {
		for _, required := range []string{"true", "false"} {
			caller, err := p.Authenticate(s.Context(), signup.Credentials{Bearer: s.first.SecretKey})
			if err == nil {
				_, _, err = p.UpdateSettings(s.Context(), caller, patch(s, `{"firstName": {"required": `+required+`}}`))
			}
			s.log = append(s.log, fmt.Sprintf("administrator: required %s: %v, dead %v", required, err, p.dead))
		}
	}
}

// verifyAnswers: nobody was told what is not true.
func (s *simulation) verifyAnswers() {
	s.Helper()
	for _, a := range s.answers {
		if code := codeOf(a.err); a.err != nil && code != "UNAVAILABLE" && code != "UNAUTHENTICATED" {
			s.Errorf("%s got the error %v", a.who, a.err)
		}
		if a.err != nil {
			continue
		}
		s.wantTrue(a.out)
		if a.out.SignUp == nil {
			s.Errorf("%s was told there is no sign-up: %s", a.who, describe(a.out))
		} else if a.existed && a.mutates && s.userExists(a.out.SignUp.ID) && a.out.SignUp.Status != engine.StatusComplete {
			s.Errorf("%s was told %s after the user had been made", a.who, describe(a.out))
		}
	}
}

// ends brings both browsers to their end without further faults: there is one
// user, whose browser is signed in; the other learns that it was too late.
func (s *simulation) ends(jane, joan *browser) {
	s.Helper()
	winners := 0
	for who, b := range map[string]*browser{"jane": jane, "joan": joan} {
		if s.finishes(who, b) {
			winners++
		}
	}
	if winners != 1 {
		s.Errorf("%d browsers are signed in", winners)
	}
	s.wantOneUser(s.address)
}

// finishes does what a client can to be signed in, and reports whether it is.
func (s *simulation) finishes(who string, b *browser) bool {
	s.Helper()
	fresh := s.newProcess(alwaysServed)
	ask := func(r request) (signup.Outcome, error) {
		caller, err := fresh.Authenticate(s.Context(), signup.Credentials{PublishableKey: s.first.PublishableKey, Bearer: b.token})
		s.must(err)
		out, err := r(fresh, caller)
		if err == nil {
			s.wantTrue(out)
			if out.ClientToken != "" {
				b.token = out.ClientToken
			}
		}
		return out, err
	}
	for try := range 6 {
		out, err := ask(s.offering(b.code))
		if errors.Is(err, signup.ErrUnauthenticated) {
			out, err = ask(s.updating(namePatch)) // perhaps it was this that completed
		}
		s.must(err)
		switch {
		case out.SignUp == nil:
			s.Fatalf("%s finally: %s", who, describe(out))
		case out.SignUp.Status == engine.StatusComplete:
			me, err := s.service.Client(s.Context(), s.as(b.token))
			s.must(err)
			return me != nil && me.Active != nil && me.Active.ID == out.SignUp.CreatedSession
		case len(out.SignUp.Verdict.Blockers) > 0:
			return false
		}
		if try > 0 {
			out, err = ask(s.updating(withEmail(s.address)))
			s.must(err)
			if len(out.Problems) > 0 && out.Problems[0].Code == signup.Code(engine.CodeTaken) {
				return false
			}
		}
		s.clock.advance(engine.ResendInterval)
		sent := s.mail.sentTo(s.address)
		_, err = ask(func(p *process, caller signup.Principal) (signup.Outcome, error) {
			return p.StartVerification(s.Context(), caller, "", signup.Start{Strategy: engine.EmailCode}, "")
		})
		s.must(err)
		if s.mail.sentTo(s.address) > sent {
			b.code = s.mail.code(s, s.address)
		}
	}
	s.Errorf("%s comes to no end", who)
	return false
}
