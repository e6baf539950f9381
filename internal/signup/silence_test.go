package signup_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"stepwise/engine"
	"stepwise/internal/password"
	"stepwise/internal/signup"
)

// Attack 17: finding out who has an account. To whoever proves nothing, an
// identifier that somebody has and one that nobody has are alike: in the answer,
// in what it costs, in the work that is done before it.

// known are identifiers that differ in one letter and in what lies behind them.
// All masks of them are equal.
const (
	verifiedAddress   = "janea@example.com" // has a password
	unverifiedAddress = "janeb@example.com" // has a password
	accountAddress    = "janec@example.com" // has none
	nobodysAddress    = "janed@example.com"
)

var probed = []string{verifiedAddress, unverifiedAddress, accountAddress, nobodysAddress}

func withProbed(t testing.TB) *world {
	t.Helper()
	w := newWorld(t, "")
	w.withElsewhere()
	w.completed(verifiedAddress)
	w.set(`{"emailAddress": {"verifyAtSignUp": false}}`)
	wantStatus(t, w.client().create(signup.Input{EmailAddress: signup.Given(unverifiedAddress), Password: signup.Given(goodPassword)}), engine.StatusComplete)
	w.set(`{"emailAddress": {"verifyAtSignUp": true}}`)
	c := w.client()
	c.create(signup.Input{})
	wantStatus(t, c.proveAccount("janec"), engine.StatusComplete)
	w.clock.advance(24 * time.Hour)
	return w
}

// shape is an answer without what is random or named.
func shape(t testing.TB, w *world, value any, err error) string {
	t.Helper()
	answer := text(t, value)
	for _, address := range probed {
		answer = strings.ReplaceAll(answer, address, "ADDRESS")
	}
	return fmt.Sprintf("%s %s", answer, codeOf(err))
}

// challengeShape keeps of the ids only how long they are.
func challengeShape(t testing.TB, w *world, c signup.SessionChallenge, err error) string {
	t.Helper()
	c.ID = strings.Repeat("x", len(c.ID))
	c.ClientToken = strings.Repeat("x", len(c.ClientToken))
	return shape(t, w, c, err)
}

// TestAttack17ChallengesLookAlike: to ask for codes again and again, and to guess
// at them, tells nothing.
func TestAttack17ChallengesLookAlike(t *testing.T) {
	w := withProbed(t)
	talks := map[string]string{}
	start := w.clock.now()
	for _, address := range probed {
		w.clock.set(start)
		c := w.client()
		var talk strings.Builder
		for round := range 12 {
			challenge, err := w.service.StartSession(t.Context(), c.principal(), address, signup.Text{})
			w.must(err)
			w.service.Wait()
			fmt.Fprintln(&talk, challengeShape(t, w, challenge, err))
			if challenge.ClientToken != "" {
				c.token = challenge.ClientToken
			}
			for range engine.MaxGuesses + 1 {
				if challenge.ID == "" {
					break
				}
				out, err := w.service.CreateSession(t.Context(), c.principal(), byCode(challenge, w.neverSent()))
				fmt.Fprintln(&talk, shape(t, w, out, err))
			}
			w.clock.advance(time.Duration(round+1) * 10 * time.Second)
		}
		talks[address] = talk.String()
	}
	for _, address := range probed[1:] {
		compareTalks(t, talks[probed[0]], talks[address], probed[0], address)
	}
	if w.mail.sentTo(verifiedAddress) <= 1 || w.mail.sentTo(nobodysAddress) != 0 || w.mail.sentTo(unverifiedAddress) != 0 {
		t.Error("the test asks about nobody")
	}
	for _, want := range []string{"CODE_INCORRECT", "TOO_MANY_GUESSES", "RATE_LIMITED"} {
		if !strings.Contains(talks[nobodysAddress], want) {
			t.Errorf("nothing in the talk was answered with %s", want)
		}
	}
}

// neverSent is a code that no message has.
func (w *world) neverSent() string {
	for guess := 0; ; guess++ {
		code := fmt.Sprintf("%06d", guess)
		if !slices.ContainsFunc(w.mail.all(), func(m signup.Message) bool { return m.Code == code }) {
			return code
		}
	}
}

func compareTalks(t *testing.T, a, b, nameA, nameB string) {
	t.Helper()
	as, bs := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range max(len(as), len(bs)) {
		if i >= len(as) || i >= len(bs) || as[i] != bs[i] {
			t.Fatalf("line %d: %s and %s differ:\n%s\n%s", i+1, nameA, nameB, as[min(i, len(as)-1)], bs[min(i, len(bs)-1)])
		}
	}
}

// TestAttack17PasswordsLookAlike: fifty wrong ones each, over two hours.
func TestAttack17PasswordsLookAlike(t *testing.T) {
	w := withProbed(t)
	talks := map[string]string{}
	start := w.clock.now()
	for _, address := range probed {
		w.clock.set(start)
		var talk strings.Builder
		for round := range 50 {
			out, err := w.service.CreateSession(t.Context(), w.as(""), byPassword(address, "wrong otter"))
			fmt.Fprintln(&talk, shape(t, w, out, err))
			u, problems, err := w.service.VerifyPassword(t.Context(), w.secret(), address, "wrong otter")
			fmt.Fprintln(&talk, shape(t, w, u, err), shape(t, w, problems, nil))
			w.clock.advance(time.Duration(round) * 5 * time.Second)
		}
		talks[address] = talk.String()
	}
	for _, address := range probed[1:] {
		compareTalks(t, talks[probed[0]], talks[address], probed[0], address)
	}
	if !strings.Contains(talks[nobodysAddress], "RATE_LIMITED") || !strings.Contains(talks[nobodysAddress], "CREDENTIALS_INVALID") {
		t.Error("the budgets were never spent")
	}
}

// set puts the clock back; only budgets of keys that were not used notice.
func (c *clock) set(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = at
}

// countedHasher counts what is asked of it.
type countedHasher struct {
	signup.PasswordHasher
	note func(string) fault
}

func (h countedHasher) Hash(ctx context.Context, plain string) (string, error) {
	h.note("Hasher.Hash")
	return h.PasswordHasher.Hash(ctx, plain)
}

func (h countedHasher) Verify(ctx context.Context, phc, plain string) (bool, error) {
	h.note("Hasher.Verify")
	return h.PasswordHasher.Verify(ctx, phc, plain)
}

// TestAttack17SameWork: 200 paired probes make the same calls of the same ports
// in the same order, and one verification of a password each. Messages to those
// who are known go out after the answer; they alone are no part of it.
func TestAttack17SameWork(t *testing.T) {
	w := withProbed(t)
	var work diary
	w.config.Hasher = countedHasher{w.config.Hasher, work.note}
	p := w.newBackDoor(work.note)
	defer p.Wait()
	probes := map[string]func(address string) error{
		"password": func(address string) error {
			_, err := p.CreateSession(t.Context(), w.as(""), byPassword(address, "wrong otter"))
			return err
		},
		"backend": func(address string) error {
			_, _, err := p.VerifyPassword(t.Context(), w.secret(), address, "wrong otter")
			return err
		},
		"code": func(address string) error {
			_, err := p.StartSession(t.Context(), w.as(""), address, signup.Text{})
			return err
		},
	}
	for kind, probe := range probes {
		t.Run(kind, func(t *testing.T) {
			w.must(probe(nobodysAddress)) // the decoy is made once
			p.Wait()
			work.tear()
			for range 200 / 2 {
				traces := map[string]bool{}
				for _, address := range probed {
					w.must(probe(address))
					p.Wait()
					calls := slices.DeleteFunc(work.tear(), func(call string) bool { return call == "Messenger.Deliver" })
					traces[strings.Join(calls, " ")] = true
					if kind != "code" && strings.Count(strings.Join(calls, " "), "Hasher.") != 1 {
						t.Fatalf("%s: %v", address, calls)
					}
				}
				if len(traces) != 1 {
					t.Fatalf("the work differs: %v", traces)
				}
				w.clock.advance(time.Hour)
			}
		})
	}
}

// heldMail does not take a message before it is released.
type heldMail struct {
	release chan struct{}
	mu      sync.Mutex
	taken   []signup.Message
}

func (h *heldMail) Deliver(ctx context.Context, m signup.Message) error {
	<-h.release
	h.mu.Lock()
	defer h.mu.Unlock()
	if ctx.Err() == nil {
		h.taken = append(h.taken, m)
	}
	return ctx.Err()
}

// TestAttack17AnswerDoesNotWaitForTheMail, however slow the next hop is, nor for
// whoever asked: it goes out even if they have left.
func TestAttack17AnswerDoesNotWaitForTheMail(t *testing.T) {
	w := withProbed(t)
	held := &heldMail{release: make(chan struct{})}
	s := w.process(func(c *signup.Config) { c.Messenger = held })
	ctx, leave := context.WithCancel(t.Context())
	answered := make(chan error)
	go func() {
		_, err := s.StartSession(ctx, w.as(""), verifiedAddress, signup.Text{})
		answered <- err
	}()
	select {
	case err := <-answered:
		w.must(err)
	case <-time.After(time.Minute):
		t.Fatal("the answer waits for the message")
	}
	leave()
	close(held.release)
	s.Wait()
	if len(held.taken) != 1 || held.taken[0].To != verifiedAddress {
		t.Errorf("taken: %d messages", len(held.taken))
	}
}

// TestAttack17FailedMailIsNotTold to the one who asked, but logged, without code
// and address.
func TestAttack17FailedMailIsNotTold(t *testing.T) {
	w := withProbed(t)
	var log lines
	w.config.Logger = slog.New(slog.NewTextHandler(&log, nil))
	w.service = signup.New(w.config)
	w.mail.refuse(errors.New("no route to host"))
	var shapes []string
	for _, address := range []string{verifiedAddress, nobodysAddress} {
		out, err := w.service.StartSession(t.Context(), w.as(""), address, signup.Text{})
		shapes = append(shapes, challengeShape(t, w, out, err))
	}
	w.service.Wait()
	compareTalks(t, shapes[0], shapes[1], verifiedAddress, nobodysAddress)
	if got := log.String(); !strings.Contains(got, "no route to host") || !strings.Contains(got, "SIGN_IN") || strings.Contains(got, "jane") {
		t.Errorf("the log: %s", got)
	}
}

// TestAttack17RealTime is a coarse look at a real clock with a hasher that takes
// its time: without a decoy the answers would be a hundred times apart.
func TestAttack17RealTime(t *testing.T) {
	w := newWorld(t, "")
	hasher, err := password.NewHasher(password.Config{Params: password.Params{MemoryKiB: 4096, Time: 1, Parallelism: 1}, MaxQueue: 1000})
	w.must(err)
	w.config.Hasher = hasher
	w.service = signup.New(w.config)
	w.completed(verifiedAddress)
	took := map[string][]time.Duration{}
	for range 15 {
		for _, address := range []string{verifiedAddress, nobodysAddress} {
			began := time.Now()
			_, err := w.service.CreateSession(t.Context(), w.as(""), byPassword(address, "wrong otter"))
			took[address] = append(took[address], time.Since(began))
			w.must(err)
		}
		w.clock.advance(time.Hour)
	}
	median := func(address string) time.Duration {
		slices.Sort(took[address])
		return took[address][len(took[address])/2]
	}
	a, b := median(verifiedAddress), median(nobodysAddress)
	t.Logf("known %v, unknown %v", a, b)
	if a > 5*b || b > 5*a {
		t.Errorf("known %v, unknown %v", a, b)
	}
}
