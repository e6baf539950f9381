package signup_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"stepwise/engine"
	"stepwise/internal/signup"
)

// comings are the ways to come back, each ready to be offered: proof returns it,
// as whom. Passwords make another session each time.
var comings = []struct {
	name  string
	once  bool // the same proof is the same session
	ready func(*world) (*client, signup.SessionProof)
}{
	{"password", false, func(w *world) (*client, signup.SessionProof) {
		c := w.client()
		c.create(signup.Input{})
		return c, byPassword("jane@example.com", goodPassword)
	}},
	{"code", true, func(w *world) (*client, signup.SessionProof) {
		c := w.client()
		challenge := c.askForCode("jane@example.com")
		return c, byCode(challenge, w.mail.code(w, "jane@example.com"))
	}},
	{"account", true, func(w *world) (*client, signup.SessionProof) {
		c := w.provenAgain(transfers[0])
		return c, c.moves()
	}},
	{"wallet", true, func(w *world) (*client, signup.SessionProof) {
		c := w.provenAgain(transfers[1])
		return c, c.moves()
	}},
}

// withEverybody returns a world in which somebody can come back in each way.
func withEverybody(t testing.TB) *world {
	t.Helper()
	w := newWorld(t, "")
	w.withElsewhere()
	c := w.client()
	c.create(signup.Input{Password: signup.Given(goodPassword)})
	c.proveWallet(janesWallet)
	wantStatus(t, c.proveAccount("jane"), engine.StatusComplete)
	return w
}

// sessionsOf counts the sessions of a client and checks that each was announced
// once.
func (w *world) sessionsOf(client string) int {
	w.Helper()
	n := w.count(`SELECT COUNT(*) FROM sessions WHERE client_id = $1`, client)
	if events := w.count(`SELECT COUNT(*) FROM outbox WHERE kind = 'session.created' AND json_extract(body, '$.clientId') = $1`, client); events != n {
		w.Errorf("%d sessions, %d events", n, events)
	}
	return n
}

// TestComingBackWithAStoreDown: whichever it is, nobody is told of success, and
// once it answers again the same proof is good.
func TestComingBackWithAStoreDown(t *testing.T) {
	needs := map[string][]string{
		"password": {"Budgets.Take", "Directory.Owner", "Directory.CreateSession"},
		"code":     {"Budgets.Take", "Directory.Owner", "Directory.CreateSession"},
		"account":  {"Attempts.Load", "Directory.Owner", "Directory.CreateSession"},
		"wallet":   {"Attempts.Load", "Directory.Owner", "Directory.CreateSession"},
	}
	for _, way := range comings {
		for _, port := range needs[way.name] {
			for _, f := range []fault{refused, unanswered} {
				t.Run(fmt.Sprintf("%s, %s %s", way.name, port, f), func(t *testing.T) {
					w := withEverybody(t)
					c, proof := way.ready(w)
					former, client := c.token, c.principal().Client
					out, err := w.failing(port, f).CreateSession(t.Context(), c.principal(), proof)
					wantCode(t, err, "UNAVAILABLE")
					if out.Session != nil || out.ClientToken != "" || strings.Contains(err.Error(), errStore.Error()) {
						t.Errorf("the answer is %+v, %v", out, err)
					}
					applied := port == "Directory.CreateSession" && f == unanswered
					if n := w.sessionsOf(client); n != map[bool]int{false: 0, true: 1}[applied] {
						t.Fatalf("%d sessions", n)
					}
					out, err = w.service.CreateSession(t.Context(), c.principal(), proof)
					if applied && way.name == "password" { // the old token is no proof of having made the call
						wantCode(t, err, "UNAUTHENTICATED")
						return
					}
					w.must(err)
					if out.Session == nil || w.sessionsOf(client) != 1 || out.ClientToken == former {
						t.Errorf("once all is well: %d sessions, problems %v", w.sessionsOf(client), out.Problems)
					}
				})
			}
		}
	}
}

// TestSessionOutlivesALostEnd: that the sign-up could not be ended takes nothing
// from the session.
func TestSessionOutlivesALostEnd(t *testing.T) {
	w := withEverybody(t)
	c, proof := comings[3].ready(w)
	out, err := w.failing("Attempts.Save", refused).CreateSession(t.Context(), c.principal(), proof)
	w.must(err)
	if out.Session == nil || out.ClientToken == "" {
		t.Fatalf("problems %v", out.Problems)
	}
	c.token = out.ClientToken
	if s := c.signUp(); s.Status != engine.StatusMissingRequirements {
		t.Fatalf("the sign-up is %s", s.Status)
	}
	again := c.comeBack(proof) // and ends it
	if again.Session.ID != out.Session.ID || c.signUp().Status != engine.StatusAbandoned {
		t.Errorf("again it is %s, the sign-up %s", again.Session.ID, c.signUp().Status)
	}
}

// TestAskingForACodeWithAStoreDown: nothing goes out, and nothing is promised.
func TestAskingForACodeWithAStoreDown(t *testing.T) {
	w := withEverybody(t)
	for _, port := range []string{"Budgets.Take", "Directory.Owner"} {
		sent := len(w.mail.all())
		p := w.failing(port, refused)
		for _, address := range []string{"jane@example.com", "nobody@example.com"} {
			out, err := p.StartSession(t.Context(), w.as(""), address, signup.Text{})
			p.Wait()
			wantCode(t, err, "UNAVAILABLE")
			if out.ID != "" || out.ClientToken != "" || len(w.mail.all()) != sent {
				t.Errorf("%s, %s: %+v", port, address, out)
			}
		}
	}
}

// TestBackendWithAStoreDown: the same for what backends call.
func TestBackendWithAStoreDown(t *testing.T) {
	w := withEverybody(t)
	user := w.usersWith("jane@example.com")[0].ID
	for _, port := range []string{"Budgets.Take", "Directory.Owner", "Directory.User"} {
		u, problems, err := w.failing(port, refused).VerifyPassword(t.Context(), w.secret(), "jane@example.com", goodPassword)
		wantCode(t, err, "UNAVAILABLE")
		if u != nil || len(problems) > 0 {
			t.Errorf("%s: %v, %v", port, u, problems)
		}
	}
	out, err := w.failing("Directory.CreateSession", refused).CreateUserSession(t.Context(), w.secret(), user)
	wantCode(t, err, "UNAVAILABLE")
	if out.Session != nil || out.ClientToken != "" {
		t.Errorf("the answer is %+v", out)
	}
}

// TestLostAnswerWithTheOldToken: the process dies after the session is stored; a
// code is offered again, with the token of before, at another process.
func TestLostAnswerWithTheOldToken(t *testing.T) {
	w := withEverybody(t)
	c, proof := comings[1].ready(w)
	dying := w.failing("Directory.CreateSession", diedAfter)
	_, err := dying.CreateSession(t.Context(), c.principal(), proof)
	wantCode(t, err, "UNAVAILABLE")
	if !c.principal().Stale {
		t.Fatal("the token was not replaced")
	}
	out := c.comeBack(proof)
	if out.Session == nil || w.sessionsOf(out.Session.ClientID) != 1 || c.principal().Stale {
		t.Errorf("problems %v", out.Problems)
	}
	for _, port := range []string{"Directory.Session", "Directory.CreateSession"} {
		_, err = w.failing(port, refused).CreateSession(t.Context(), w.stale(c), proof)
		wantCode(t, err, "UNAVAILABLE")
	}
}

// stale is the client with the token before its present one.
func (w *world) stale(c *client) signup.Principal {
	w.Helper()
	p := c.principal()
	return w.as(w.keys.ClientToken(w.first.ID, p.Client, p.Generation-1))
}

// TestAttack33SameProofFiftyTimes at once, at two processes: one session, and
// everybody who is answered with a session hears of the same one.
func TestAttack33SameProofFiftyTimes(t *testing.T) {
	for _, way := range comings {
		if !way.once {
			continue
		}
		t.Run(way.name, func(t *testing.T) {
			w := withEverybody(t)
			c, proof := way.ready(w)
			caller := c.principal()
			services := []*signup.Service{w.service, w.process(nil)}
			outs, errs := together(50, func(i int) (signup.SessionOutcome, error) {
				return services[i%2].CreateSession(t.Context(), caller, proof)
			})
			w.must(errors.Join(errs...))
			answers := map[string]int{}
			for _, out := range outs {
				if out.Session == nil {
					answers[string(codesOf(out.Problems)[0])]++
					continue
				}
				answers[text(t, out)]++
			}
			want := map[bool]int{true: engine.MaxGuesses, false: 50}[way.name == "code"] // one code bears five tries, right ones too
			delete(answers, "TOO_MANY_GUESSES")
			if len(answers) != 1 || w.sessionsOf(caller.Client) != 1 {
				t.Fatalf("%d sessions, answers %v", w.sessionsOf(caller.Client), answers)
			}
			for _, n := range answers {
				if n != want {
					t.Errorf("%d have a session, want %d", n, want)
				}
			}
		})
	}
}

// TestAttack12ParallelGuesses: of many at once five are compared.
func TestAttack12ParallelGuesses(t *testing.T) {
	w := withEverybody(t)
	c, proof := comings[1].ready(w)
	caller := c.principal()
	services := []*signup.Service{w.service, w.process(nil)}
	outs, errs := together(200, func(i int) (signup.SessionOutcome, error) {
		guess := proof
		guess.Code = fmt.Sprintf("%06d", i)
		if guess.Code == proof.Code {
			guess.Code = "999999"
		}
		return services[i%2].CreateSession(t.Context(), caller, guess)
	})
	w.must(errors.Join(errs...))
	compared := 0
	for _, out := range outs {
		switch codes := codesOf(out.Problems); {
		case slices.Equal(codes, []signup.Code{"CODE_INCORRECT"}):
			compared++
		case !slices.Equal(codes, []signup.Code{"TOO_MANY_GUESSES"}) && !slices.Equal(codes, []signup.Code{"RATE_LIMITED"}):
			t.Errorf("the answer is %v", codes)
		}
	}
	if compared != engine.MaxGuesses {
		t.Errorf("%d guesses were compared", compared)
	}
}
