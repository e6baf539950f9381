package signup_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"stepwise/engine"
	"stepwise/internal/signup"
)

// TestFiveGuessesAChallenge: the sixth is not compared, not even where it is right.
func TestFiveGuessesAChallenge(t *testing.T) {
	w, _ := withJane(t)
	c := w.client()
	challenge := c.askForCode(janesPhone)
	code := w.mail.code(t, janesPhone)
	for range engine.MaxGuesses {
		wantNoSession(t, c.comeBack(byCode(challenge, wrong(code))), "CODE_INCORRECT")
		w.clock.advance(time.Minute)
	}
	for range 3 {
		wantNoSession(t, c.comeBack(byCode(challenge, code)), "TOO_MANY_GUESSES")
		w.clock.advance(time.Minute)
	}
}

// TestSpentChallengeCostsItsAddressNothing: otherwise one challenge would be enough
// to keep its owner from every code.
func TestSpentChallengeCostsItsAddressNothing(t *testing.T) {
	w, jane := withJane(t)
	mallory := w.client()
	spent := mallory.askForCode(janesPhone)
	code := w.mail.code(t, janesPhone)
	for range 3 * guessesAtOnce {
		mallory.comeBack(byCode(spent, wrong(code)))
	}
	c := w.client()
	challenge := c.askForCode(janesPhone)
	c.wantSession(c.comeBack(byCode(challenge, w.mail.code(t, janesPhone))), jane)
}

// TestAttack10GuessesPerAddress: sign-ins and sign-ups, of whatever client, share
// the guesses that an address has to bear.
func TestAttack10GuessesPerAddress(t *testing.T) {
	w, jane := withJane(t)
	w.clock.advance(24 * time.Hour)
	compared, limited := 0, 0
	for round := range 3 {
		for range sendsAtOnce {
			c := w.client()
			challenge := c.askForCode(janesPhone)
			if len(challenge.Problems) > 0 {
				t.Fatalf("round %d: %v", round, codesOf(challenge.Problems))
			}
			code := w.mail.code(t, janesPhone)
			for range engine.MaxGuesses {
				switch out := c.comeBack(byCode(challenge, wrong(code))); codesOf(out.Problems)[0] {
				case "CODE_INCORRECT":
					compared++
				case "RATE_LIMITED":
					limited++
					if !out.Problems[0].RetryAfter.After(w.clock.now()) || out.Problems[0].Field[1] != "proof" {
						t.Errorf("limited with %+v", out.Problems[0])
					}
				default:
					t.Fatalf("the answer is %v", codesOf(out.Problems))
				}
			}
		}
		w.clock.advance(sendsAtOnce * sendEvery)
	}
	if most := guessesAtOnce + int(2*sendsAtOnce*sendEvery/guessEvery); compared > most || limited == 0 {
		t.Errorf("%d guesses were compared, want at most %d; %d refused", compared, most, limited)
	}
	w.clock.advance(24 * time.Hour) // Jane can always come back later
	c := w.client()
	challenge := c.askForCode(janesPhone)
	c.wantSession(c.comeBack(byCode(challenge, w.mail.code(t, janesPhone))), jane)
}

// TestGuessesAtSignUpCountAtSignIn: the same address, another door.
func TestGuessesAtSignUpCountAtSignIn(t *testing.T) {
	w := newWorld(t, `{"phoneNumber": {"enabled": true}}`)
	const number = "+4930901822"
	for range guessesAtOnce / engine.MaxGuesses {
		c := w.client()
		c.create(signup.Input{PhoneNumber: signup.Given(number), Start: starts(engine.PhoneCode)})
		for range engine.MaxGuesses {
			wantProblems(t, c.check(engine.PhoneNumber, wrong(w.mail.code(t, number))), "CODE_INCORRECT")
		}
	}
	c := w.client()
	challenge := c.askForCode(number)
	wantNoSession(t, c.comeBack(byCode(challenge, "123456")), "RATE_LIMITED", "proof", "code", "code")
}

// TestAttack14SendsPerAddress: sign-ins and sign-ups share what an address gets,
// from however many clients they come.
func TestAttack14SendsPerAddress(t *testing.T) {
	w, _ := withJane(t)
	w.clock.advance(24 * time.Hour)
	before := w.mail.sentTo(janesPhone)
	limited := 0
	for i := range 40 {
		c := w.client()
		if i%2 == 0 {
			out := c.create(signup.Input{PhoneNumber: signup.Given(janesPhone), Start: starts(engine.PhoneCode)})
			wantProblems(t, out, "IDENTIFIER_TAKEN") // hers: no code is sent for a sign-up, and none is paid for
		}
		for _, p := range c.askForCode(janesPhone).Problems {
			if p.Code != "RATE_LIMITED" || p.RetryAfter.IsZero() || !slices.Equal(p.Field, []string{"input", "identifier"}) {
				t.Errorf("refused with %+v", p)
			}
			limited++
		}
		w.clock.advance(time.Minute)
	}
	allowed := sendsAtOnce + int(39*time.Minute/sendEvery)
	if sent := w.mail.sentTo(janesPhone) - before; sent != allowed || limited != 40-allowed {
		t.Errorf("%d messages, %d refused, want %d and %d", sent, limited, allowed, 40-allowed)
	}

	// A number that is nobody's yet bears the same from both.
	const number = "+4930901823"
	for range sendsAtOnce {
		wantProblems(t, w.client().create(signup.Input{PhoneNumber: signup.Given(number), Start: starts(engine.PhoneCode)}))
	}
	if out := w.client().askForCode(number); len(out.Problems) != 1 || out.Problems[0].Code != "RATE_LIMITED" {
		t.Errorf("the challenge is %+v", out)
	}
}

// TestResendOfAClient: once within the interval.
func TestResendOfAClient(t *testing.T) {
	w, _ := withJane(t)
	c := w.client()
	first := c.askForCode(janesPhone)
	out := c.askForCode(janesPhone)
	if len(out.Problems) != 1 || out.Problems[0].Code != "RATE_LIMITED" || !out.Problems[0].RetryAfter.Equal(first.ResendAt) || out.ID != "" {
		t.Errorf("at once: %+v", out)
	}
	w.clock.advance(engine.ResendInterval)
	if out := c.askForCode(janesPhone); len(out.Problems) > 0 {
		t.Errorf("at resendAt: %v", codesOf(out.Problems))
	}
}

// TestPasswordBudgets: by what was typed, in any spelling. Another identifier has
// another budget, whoever has it: else a spent one would tell whose they are.
func TestPasswordBudgets(t *testing.T) {
	w, jane := withJane(t)
	w.completed("joan@example.com")
	try := func(identifier string) signup.Code {
		out := w.client().comeBack(byPassword(identifier, "wrong otter"))
		if len(out.Problems) != 1 {
			t.Fatalf("%s: problems %v", identifier, out.Problems)
		}
		return out.Problems[0].Code
	}
	spellings := []string{janesEmail, "jane.doe@example.com", " JANE.DOE@EXAMPLE.COM"}
	for i := range guessesAtOnce {
		if got := try(spellings[i%len(spellings)]); got != "CREDENTIALS_INVALID" {
			t.Fatalf("guess %d: %s", i+1, got)
		}
	}
	for _, identifier := range spellings {
		if got := try(identifier); got != "RATE_LIMITED" {
			t.Errorf("%s: %s", identifier, got)
		}
	}
	for _, identifier := range []string{janesName, janesPhone, "joanna@example.com"} {
		if got := try(identifier); got != "CREDENTIALS_INVALID" {
			t.Errorf("%s: %s", identifier, got)
		}
	}
	out := w.client().comeBack(byPassword(janesEmail, janesPassword))
	wantNoSession(t, out, "RATE_LIMITED", "proof", "password")
	if !out.Problems[0].RetryAfter.Equal(w.clock.now().Add(guessEvery)) {
		t.Errorf("try again at %v", out.Problems[0].RetryAfter)
	}
	if u, problems, err := w.service.VerifyPassword(t.Context(), w.secret(), janesEmail, janesPassword); err != nil || u != nil || codesOf(problems)[0] != "RATE_LIMITED" {
		t.Errorf("a backend may try on: %v, %v", problems, err)
	}
	if got := try("joan@example.com"); got != "CREDENTIALS_INVALID" {
		t.Errorf("somebody else: %s", got)
	}
	for i := range guessesAtOnce + 1 {
		want := signup.Code("CREDENTIALS_INVALID")
		if i == guessesAtOnce {
			want = "RATE_LIMITED"
		}
		if got := try("nobody@example.com"); got != want {
			t.Fatalf("nobody, guess %d: %s", i+1, got)
		}
	}
	w.clock.advance(2 * guessEvery) // several budgets were spent in vain meanwhile
	c := w.client()
	c.wantSession(c.comeBack(byPassword(janesEmail, janesPassword)), jane)
}

// TestBudgetsAreAnInstances: they name it, so that two instances over one Redis
// do not spend each other's.
func TestBudgetsAreAnInstances(t *testing.T) {
	w, _ := withJane(t)
	var keys []string
	spy := w.process(func(c *signup.Config) { c.Budgets = &budgetSpy{Budgets: c.Budgets, keys: &keys} })
	c := w.client()
	c.service = spy
	challenge := c.askForCode(janesPhone)
	c.comeBack(byCode(challenge, w.mail.code(t, janesPhone)))
	c.comeBack(byPassword(janesName, janesPassword))
	if len(keys) != 7 {
		t.Errorf("budgets %v", keys)
	}
	for _, key := range keys {
		if nonce, ok := strings.CutPrefix(key, "guess:"); ok && !strings.Contains(nonce, ":") {
			continue // of one challenge, by a name that nobody else has
		}
		if !strings.Contains(key, ":"+w.first.ID+":") {
			t.Errorf("%s names no instance", key)
		}
	}
	if len(slices.Compact(slices.Sorted(slices.Values(keys)))) != len(keys) {
		t.Errorf("two of these are one: %v", keys)
	}
}
