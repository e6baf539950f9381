package signup_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"stepwise/engine"
	"stepwise/internal/signup"
)

// What an address has to bear, over all sign-ups and clients: so many at once,
// and one more each time the interval has passed.
const (
	guessesAtOnce = 20
	guessEvery    = 5 * time.Minute
	sendsAtOnce   = 5
	sendEvery     = 12 * time.Minute
)

// wrong returns a code that is not the given one.
func wrong(code string) string {
	if code == "000000" {
		return "000001"
	}
	return "000000"
}

// compared reports whether an answer tells if the code was right.
func compared(out signup.Outcome) bool {
	for _, p := range out.Problems {
		if p.Code != signup.Code(engine.CodeIncorrect) {
			return false
		}
	}
	return true
}

func TestFiveGuessesACodeWhateverTheOrder(t *testing.T) {
	w := newWorld(t, "")
	c := w.client()
	c.create(withEmail("jane@example.com"))
	code := w.mail.code(t, "jane@example.com")
	for guess := range 5 {
		out := c.check(engine.EmailAddress, wrong(code))
		wantProblems(t, out, "CODE_INCORRECT")
		if left := out.SignUp.Verifications[engine.EmailAddress].AttemptsLeft; left != 4-guess {
			t.Errorf("%d tries left after %d, want %d", left, guess+1, 4-guess)
		}
	}
	for range 3 {
		wantProblems(t, c.check(engine.EmailAddress, code), "TOO_MANY_GUESSES")
	}
	if w.count(`SELECT COUNT(*) FROM users`) != 0 {
		t.Error("there is a user")
	}
}

// TestParallelGuesses: whatever the number of simultaneous guesses, at most
// five answers tell whether the code was right.
func TestParallelGuesses(t *testing.T) {
	w := newWorld(t, "")
	c := w.client()
	c.create(withEmail("jane@example.com"))
	code := w.mail.code(t, "jane@example.com")
	other := w.process(nil)
	caller := c.principal()
	const guesses = 200
	outs, errs := together(guesses, func(i int) (signup.Outcome, error) {
		service := w.service
		if i%2 == 1 {
			service = other
		}
		return service.CheckVerification(t.Context(), caller, "", signup.Proof{Attribute: engine.EmailAddress, Code: wrong(code)}, "")
	})
	revealed, answers := 0, map[string]int{}
	for i := range guesses {
		w.must(errs[i])
		answers[fmt.Sprint(codesOf(outs[i].Problems))]++
		if compared(outs[i]) {
			revealed++
		}
	}
	t.Log(answers)
	if revealed < 1 || revealed > engine.MaxGuesses {
		t.Errorf("%d answers tell whether the code was right, want 1 to %d", revealed, engine.MaxGuesses)
	}
	if left := c.signUp().Verifications[engine.EmailAddress].AttemptsLeft; left != engine.MaxGuesses-revealed {
		t.Errorf("%d tries left after %d comparisons", left, revealed)
	}

	// The owner's turn comes once the budget has refilled.
	w.clock.advance(guessEvery)
	wantProblems(t, c.start(engine.EmailCode))
	wantStatus(t, c.check(engine.EmailAddress, w.mail.code(t, "jane@example.com")), engine.StatusComplete)
}

// TestGuessesPerAddress: new sign-ups, clients and sendings give no new budget.
func TestGuessesPerAddress(t *testing.T) {
	w := newWorld(t, "")
	const attackers = 50
	total := 0
	for i := range attackers {
		c := &client{world: w, service: w.process(nil)}
		in := withEmail([]string{"jane@example.com", "JANE@example.com", " jane@EXAMPLE.COM"}[i%3])
		if out := c.create(in); out.SignUp == nil {
			wantProblems(t, out, "RATE_LIMITED") // no more messages; the code of another sign-up is of no use here
			continue
		}
		for range 7 {
			if out := c.check(engine.EmailAddress, "000000"); compared(out) {
				total++
			} else if out.Problems[0].RetryAfter.IsZero() && out.Problems[0].Code == "RATE_LIMITED" {
				t.Error("a refusal does not say when to come again")
			}
		}
	}
	if total != guessesAtOnce {
		t.Errorf("%d guesses at one address, want %d", total, guessesAtOnce)
	}
}

// TestGuessesAreCountedWhateverTheSending: sending again starts a new code but
// no new budget, and the budget refills one by one.
func TestGuessesAreCountedWhateverTheSending(t *testing.T) {
	w := newWorld(t, "")
	c := w.client()
	c.create(withEmail("jane@example.com"))
	total := 0
	for range sendsAtOnce {
		for range engine.MaxGuesses {
			if compared(c.check(engine.EmailAddress, wrong(w.mail.code(t, "jane@example.com")))) {
				total++
			}
		}
		w.clock.advance(engine.ResendInterval)
		c.start(engine.EmailCode)
	}
	if total != guessesAtOnce {
		t.Errorf("%d guesses in %v, want %d", total, sendsAtOnce*engine.ResendInterval, guessesAtOnce)
	}
	out := c.check(engine.EmailAddress, w.mail.code(t, "jane@example.com"))
	wantProblems(t, out, "RATE_LIMITED") // the right code would be compared too
	retry := out.Problems[0].RetryAfter
	w.clock.advance(retry.Sub(w.clock.now()) - time.Millisecond)
	wantProblems(t, c.check(engine.EmailAddress, w.mail.code(t, "jane@example.com")), "RATE_LIMITED")
	w.clock.advance(time.Millisecond)
	wantStatus(t, c.check(engine.EmailAddress, w.mail.code(t, "jane@example.com")), engine.StatusComplete)
}

// TestBudgetIsTakenBeforeComparing: without an answer from the budgets' store
// nothing is compared, and nothing is counted for it.
func TestBudgetIsTakenBeforeComparing(t *testing.T) {
	w := newWorld(t, "")
	c := w.client()
	c.create(withEmail("jane@example.com"))
	code := w.mail.code(t, "jane@example.com")
	before := text(t, c.signUp())
	for _, offered := range []string{code, wrong(code)} {
		p := w.newProcess(func(port string) fault {
			if port == "Budgets.Take" {
				return refused
			}
			return served
		})
		out, err := p.CheckVerification(t.Context(), c.principal(), "", signup.Proof{Attribute: engine.EmailAddress, Code: offered}, "")
		wantCode(t, err, "UNAVAILABLE")
		if out.SignUp != nil || len(out.Problems) > 0 {
			t.Errorf("the answer is %s", describe(out))
		}
	}
	if after := text(t, c.signUp()); after != before {
		t.Errorf("the sign-up was\n%s\nand is\n%s", before, after)
	}
}

// TestSendsPerAddress: sign-ups, clients and ways to ask share one budget.
func TestSendsPerAddress(t *testing.T) {
	for _, address := range []struct {
		name  string
		input signup.Input
		to    string
	}{
		{"email", withEmail("jane@example.com"), "jane@example.com"},
		{"phone", signup.Input{PhoneNumber: signup.Given("+49 30 901820"), Start: starts(engine.PhoneCode)}, "+4930901820"},
	} {
		t.Run(address.name, func(t *testing.T) {
			w := newWorld(t, `{"phoneNumber": {"enabled": true}}`)
			began := w.clock.now()
			limited := 0
			for i := range 40 {
				c := w.client()
				out := c.create(signup.Input{})
				if i%2 == 0 {
					out = c.update(address.input)
				} else {
					out = c.create(address.input)
				}
				for _, p := range out.Problems {
					if p.Code != "RATE_LIMITED" || p.RetryAfter.IsZero() || p.Field[1] != "startVerifications" {
						t.Errorf("refused with %+v", p)
					}
					limited++
				}
				w.clock.advance(time.Minute)
			}
			allowed := sendsAtOnce + int(w.clock.now().Add(-time.Minute).Sub(began)/sendEvery)
			if sent := w.mail.sentTo(address.to); sent != allowed || limited != 40-allowed {
				t.Errorf("%d messages went to %s and %d were refused, want %d and %d", sent, address.to, limited, allowed, 40-allowed)
			}
		})
	}
}

// TestRefusedSendChangesNothing: where the budget is spent, the input is not
// taken either.
func TestRefusedSendChangesNothing(t *testing.T) {
	w := newWorld(t, "")
	for range sendsAtOnce {
		wantProblems(t, w.client().create(withEmail("jane@example.com")))
	}
	c := w.client()
	c.create(signup.Input{})
	before := text(t, c.signUp())
	wantProblems(t, c.update(withEmail("jane@example.com")), "RATE_LIMITED")
	if after := text(t, c.signUp()); after != before {
		t.Errorf("the sign-up was\n%s\nand is\n%s", before, after)
	}
}

// TestTestAddressesCostNothing: nothing is sent to them and everybody knows the
// code, so they have no budgets; five guesses a code they have all the same.
func TestTestAddressesCostNothing(t *testing.T) {
	w := newWorld(t, `{"testMode": true}`)
	for range 3 * sendsAtOnce {
		c := w.client()
		wantProblems(t, c.create(withEmail("jane+test@example.com")))
		for range engine.MaxGuesses {
			wantProblems(t, c.check(engine.EmailAddress, "000000"), "CODE_INCORRECT")
		}
		wantProblems(t, c.check(engine.EmailAddress, "424242"), "TOO_MANY_GUESSES")
	}
	if n := len(w.mail.all()); n != 0 {
		t.Errorf("%d messages were sent", n)
	}
}

// TestRefusedCheckComparesNothing: a check that is refused for its idempotency
// key must not tell whether the code is right, because it is not counted: with
// it a code would bear more than five guesses.
func TestRefusedCheckComparesNothing(t *testing.T) {
	w := newWorld(t, "")
	c := w.client()
	c.create(withEmail("jane@example.com"))
	code := w.mail.code(t, "jane@example.com")
	tooLong := strings.Repeat("k", 129)
	answers := map[string]bool{}
	for _, offered := range []string{code, wrong(code)} {
		out, err := w.service.CheckVerification(t.Context(), c.principal(), "", signup.Proof{Attribute: engine.EmailAddress, Code: offered}, tooLong)
		w.must(err)
		answers[text(t, out.Problems)] = true
	}
	if len(answers) != 1 {
		t.Errorf("the answers tell which code is right: %v", answers)
	}
	if left := c.signUp().Verifications[engine.EmailAddress].AttemptsLeft; left != engine.MaxGuesses {
		t.Errorf("%d tries are left", left)
	}
}
