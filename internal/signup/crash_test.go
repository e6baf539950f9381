package signup_test

import (
	"cmp"
	"fmt"
	"testing"
	"time"

	"stepwise/engine"
	"stepwise/internal/signup"
)

// afterLease is long enough for a conversion that was begun to be anybody's.
const afterLease = 3 * time.Second

// person is somebody at a client who, whatever happens, tries again: a request
// without an answer is made anew, the same way, at a new process.
type person struct {
	*world
	process *process
	token   string
	// restart gives the process that takes the place of a dead one.
	restart func() *process
	// between happens before each further try; nil: only time passes.
	between func(*person)
	// wait is how long that is; afterLease where zero.
	wait time.Duration
}

func (w *world) person(p *process) *person {
	return &person{world: w, process: p, restart: func() *process { return w.newProcess(alwaysServed) }}
}

func alwaysServed(string) fault { return served }

// request is one mutation by a caller.
type request func(*process, signup.Principal) (signup.Outcome, error)

func (w *world) creating(in signup.Input) request {
	return func(p *process, caller signup.Principal) (signup.Outcome, error) {
		return p.Create(w.Context(), caller, in)
	}
}

func (w *world) updating(in signup.Input) request {
	return func(p *process, caller signup.Principal) (signup.Outcome, error) {
		return p.Update(w.Context(), caller, "", in)
	}
}

// offering offers a code for the email address.
func (w *world) offering(code string) request {
	return func(p *process, caller signup.Principal) (signup.Outcome, error) {
		return p.CheckVerification(w.Context(), caller, "", signup.Proof{Attribute: engine.EmailAddress, Code: code}, "")
	}
}

// try makes the request once; answered is false where nobody hears the answer.
func (p *person) try(r request) (out signup.Outcome, err error, answered bool) {
	p.Helper()
	caller, err := p.process.Authenticate(p.Context(), signup.Credentials{PublishableKey: p.first.PublishableKey, Bearer: p.token})
	if err == nil {
		out, err = r(p.process, caller)
	}
	if p.process.dead {
		p.process = p.restart()
		return signup.Outcome{}, nil, false
	}
	if err != nil {
		if code := codeOf(err); code != "UNAVAILABLE" {
			p.Fatalf("refused with %s: %v", code, err)
		}
		return signup.Outcome{}, err, true
	}
	if out.ClientToken != "" {
		p.token = out.ClientToken
	}
	p.wantTrue(out)
	return out, nil, true
}

// insist repeats the request until it is answered.
func (p *person) insist(r request) signup.Outcome {
	p.Helper()
	for range 20 {
		out, err, answered := p.try(r)
		if answered && err == nil {
			return out
		}
		p.clock.advance(cmp.Or(p.wait, afterLease))
		if p.between != nil {
			p.between(p)
		}
	}
	p.Fatal("the request was never answered")
	return signup.Outcome{}
}

// wantTrue compares an answer with what the database holds.
func (w *world) wantTrue(out signup.Outcome) {
	w.Helper()
	s := out.SignUp
	if s == nil {
		return
	}
	complete := s.Status == engine.StatusComplete
	if complete != (s.CreatedUserID != "") || complete != (s.CreatedSession != "") {
		w.Errorf("%s with user %q and session %q", s.Status, s.CreatedUserID, s.CreatedSession)
	}
	if complete && w.count(`SELECT COUNT(*) FROM conversions WHERE attempt_id = $1 AND user_id = $2 AND session_id = $3`,
		s.ID, s.CreatedUserID, s.CreatedSession) != 1 {
		w.Errorf("reported complete with user %s, session %s: the database knows nothing of it", s.CreatedUserID, s.CreatedSession)
	}
	if !complete && s.Final() && w.count(`SELECT COUNT(*) FROM conversions WHERE attempt_id = $1`, s.ID) != 0 {
		w.Errorf("reported as %s, but there is a user", s.Status)
	}
}

// wantHome expects the person to be signed in as the one user with the address.
func (p *person) wantHome(norm string, out signup.Outcome) {
	p.Helper()
	user, session := p.wantOneUser(norm)
	s := out.SignUp
	if s == nil || s.Status != engine.StatusComplete || s.CreatedUserID != user || s.CreatedSession != session {
		p.Fatalf("the last answer was %s; the database has user %s, session %s", describe(out), user, session)
	}
	caller := p.as(p.token)
	me, err := p.service.Client(p.Context(), caller)
	p.must(err)
	if me == nil || me.Active == nil || me.Active.ID != session {
		p.Fatalf("the client's active session is not %s", session)
	}
	p.clock.advance(afterLease) // until then readers leave a conversion alone
	seen, err := p.service.SignUp(p.Context(), p.secret(), s.ID)
	p.must(err)
	if seen == nil || seen.Status != engine.StatusComplete || seen.CreatedUserID != user || seen.CreatedSession != session {
		p.Errorf("the secret key sees %s", describe(signup.Outcome{SignUp: seen}))
	}
}

type crashStory struct {
	name     string
	settings string
	// long ones are told with one kind of aftermath.
	long bool
	tell func(w *world, p *process, address string, between func(*person))
}

// The stories of crash_elsewhere_test.go are among them.
func init() { crashStories = append(crashStories, elsewhereStories...) }

// stories go on until they come to their end, whatever happens at p.
var crashStories = []crashStory{
	{"step by step", "", false, func(w *world, p *process, address string, between func(*person)) {
		jane := w.person(p)
		jane.between = between
		jane.insist(w.creating(withEmail(address)))
		jane.haveCode(address, 0)
		jane.wantHome(address, jane.insist(w.offering(w.mail.code(w, address))))
	}},
	{"all at once", unverifiedEmail, false, func(w *world, p *process, address string, between func(*person)) {
		jane := w.person(p)
		jane.between = between
		jane.insist(w.creating(signup.Input{}))
		out := jane.insist(w.creating(signup.Input{EmailAddress: signup.Given(address), Password: signup.Given(goodPassword)}))
		jane.wantHome(address, out)
	}},
	{"all at once with a key", unverifiedEmail, false, func(w *world, p *process, address string, between func(*person)) {
		jane := w.person(p)
		jane.between = between
		jane.insist(w.creating(signup.Input{}))
		all := w.creating(signup.Input{EmailAddress: signup.Given(address), Password: signup.Given(goodPassword), IdempotencyKey: "once"})
		jane.wantHome(address, jane.insist(all))
	}},
	{"by an update", unverifiedEmail, false, func(w *world, p *process, address string, between func(*person)) {
		jane := w.person(p)
		jane.between = between
		jane.insist(w.creating(signup.Input{EmailAddress: signup.Given(address)}))
		jane.wantHome(address, jane.insist(w.updating(signup.Input{Password: signup.Given(goodPassword)})))
	}},
	{"race for an address", "", true, func(w *world, p *process, address string, between func(*person)) {
		jane, joan := w.person(p), w.person(p)
		jane.between, joan.between = between, between
		jane.insist(w.creating(withEmail(address)))
		jane.haveCode(address, 0)
		janes, sent := w.offering(w.mail.code(w, address)), w.mail.sentTo(address)
		joan.process = jane.process
		joan.insist(w.creating(withEmail(address)))
		joan.haveCode(address, sent)
		joans := w.offering(w.mail.code(w, address))
		jane.process = joan.process
		won := jane.insist(janes)
		joan.process = jane.process
		lost := joan.insist(joans)
		if blockers := lost.SignUp.Verdict.Blockers; len(blockers) != 1 || blockers[0].Code != engine.BlockedTaken {
			w.Fatalf("the loser is told: %s", describe(lost))
		}
		jane.wantHome(address, won)

		other := "joan." + address
		joan.insist(w.updating(withEmail(other)))
		joan.haveCode(other, 0)
		joan.wantHome(other, joan.insist(w.offering(w.mail.code(w, other))))
		jane.wantHome(address, won)
	}},
}

// unverifiedEmail are settings under which one call can complete.
const unverifiedEmail = `{"emailAddress": {"verifyAtSignUp": false}}`

// haveCode asks again for a code that never came, as people do; before tells
// how many were sent to the address before.
func (p *person) haveCode(address string, before int) {
	p.Helper()
	for try := 0; p.mail.sentTo(address) <= before; try++ {
		if try == 3 {
			p.Fatal("no code was sent")
		}
		p.clock.advance(engine.ResendInterval)
		p.insist(func(process *process, caller signup.Principal) (signup.Outcome, error) {
			return process.StartVerification(p.Context(), caller, "", signup.Start{Strategy: engine.EmailCode}, "")
		})
	}
}

// What happens between a crash and the next try.
var afterwards = []struct {
	name string
	do   func(*person)
}{
	{"the client tries again", nil},
	{"the client reads", func(p *person) {
		if _, err := p.service.SignUp(p.Context(), p.as(p.token), ""); err != nil && codeOf(err) != "UNAUTHENTICATED" {
			p.Errorf("read: %v", err)
		}
	}},
	{"a backend watches", func(p *person) {
		id := p.lastSignUp()
		if id == "" {
			return
		}
		seen, err := p.service.SignUp(p.Context(), p.secret(), id)
		p.must(err)
		states, err := p.service.Watch(p.Context(), p.secret(), id)
		p.must(err)
		first := <-states
		if first.Revision < seen.Revision {
			p.Errorf("the watch begins at revision %d, a read before saw %d", first.Revision, seen.Revision)
		}
		p.wantTrue(signup.Outcome{SignUp: first})
	}},
}

// lastSignUp is the id of the current sign-up of the person's client.
func (p *person) lastSignUp() string {
	caller := p.as(p.token)
	if caller.Client == "" {
		return ""
	}
	id, _, _, err := p.redis.Load(p.Context(), signup.AttemptKey{Instance: p.first.ID, Client: caller.Client}, "")
	if err != nil {
		return ""
	}
	return id
}

// TestCrashAtEveryStep lets each call of a port in each story fail once, in
// every way it can.
func TestCrashAtEveryStep(t *testing.T) {
	for _, story := range crashStories {
		for i, after := range afterwards {
			if story.long && i > 0 {
				continue // the shorter ones have told
			}
			t.Run(story.name+"/"+after.name, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, story.settings)
				calls := 0
				w.tellFailing(&calls, -1, served, story.tell, after.do, "undisturbed@example.com")
				for n := range calls {
					for _, f := range []fault{refused, unanswered, diedBefore, diedAfter} {
						name := fmt.Sprintf("call %02d %s", n, f)
						t.Run(name, func(t *testing.T) {
							// The stores go on: what happened before is in the way of nobody.
							here := *w
							here.TB = t
							made := 0
							here.tellFailing(&made, n, f, story.tell, after.do, fmt.Sprintf("n%d.f%d@example.com", n, f))
							if made <= n {
								t.Fatalf("the story made %d calls", made)
							}
						})
					}
				}
				w.wantNoHalves()
			})
		}
	}
}

// tellFailing tells a story in which the n-th call of the first process fails.
func (w *world) tellFailing(calls *int, n int, f fault, tell func(*world, *process, string, func(*person)), between func(*person), address string) {
	var log []string
	p := w.newProcess(func(port string) fault {
		log = append(log, port)
		*calls++
		if *calls-1 == n {
			return f
		}
		return served
	})
	w.Cleanup(func() {
		if w.Failed() && n >= 0 && n < len(log) {
			w.Logf("call %d was %s", n, log[n])
		}
	})
	tell(w, p, address, between)
}
