package signup_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"stepwise/engine"
	"stepwise/internal/signup"
)

// What leaves costs money, and reputation. The limits hold over all sign-ups, clients
// and processes.

func withPhone(number string) signup.Input {
	return signup.Input{PhoneNumber: signup.Given(number), Start: starts(engine.PhoneCode)}
}

// refusedSend reports whether the answer is that no more messages are sent for now.
func refusedSend(t *testing.T, out signup.Outcome) bool {
	t.Helper()
	if len(out.Problems) == 0 {
		return false
	}
	if p := out.Problems[0]; len(out.Problems) > 1 || p.Code != signup.CodeRateLimited || p.RetryAfter.IsZero() || p.Field[1] != "startVerifications" || !strings.HasPrefix(p.Message, "Too many messages ") {
		t.Fatalf("refused with %+v", out.Problems)
	}
	return true
}

func TestMessagesToOneAddress(t *testing.T) {
	w := newWorld(t, `{"sendingLimits": {"perAddressPerHour": 7}}`)
	for range 7 {
		wantProblems(t, w.client().create(withEmail("jane@example.com")))
	}
	out := w.client().create(withEmail("jane@example.com"))
	if !refusedSend(t, out) {
		t.Fatal("an eighth message was sent")
	}
	if wait := out.Problems[0].RetryAfter.Sub(w.clock.now()); wait < time.Hour/7 || wait > time.Hour/7+time.Millisecond {
		t.Errorf("one more after %v", wait)
	}
	w.clock.advance(time.Hour/7 + time.Millisecond)
	wantProblems(t, w.client().create(withEmail("jane@example.com")))
	w.set(`{"sendingLimits": {"perAddressPerHour": 60}}`)
	w.clock.advance(2 * time.Minute)
	wantProblems(t, w.client().create(withEmail("jane@example.com")))
}

// TestAttack15SMSPumping: who has texts sent to one number after another of a range
// that pays, is cut off there; other ranges live.
func TestAttack15SMSPumping(t *testing.T) {
	w := newWorld(t, `{"phoneNumber": {"enabled": true}, "sendingLimits": {"textMessagesPerRangePerHour": 10}}`)
	others := []*signup.Service{w.service, w.process(nil)}
	sent := 0
	for i := range 40 {
		c := w.client()
		c.service = others[i%2]
		if !refusedSend(t, c.create(withPhone(fmt.Sprintf("+493090%04d", 1820+i)))) {
			sent++
		}
	}
	if sent != 10 || len(w.mail.all()) != 10 {
		t.Errorf("%d messages went to the range", sent)
	}
	wantProblems(t, w.client().create(withPhone("+493091182001")))
	wantProblems(t, w.client().create(withPhone("+12024561414")))
	wantProblems(t, w.client().create(withEmail("jane@example.com")))
	w.clock.advance(6 * time.Minute)
	wantProblems(t, w.client().create(withPhone("+4930901890")))
	if !refusedSend(t, w.client().create(withPhone("+4930901891"))) {
		t.Error("the range lives again at once")
	}
}

// TestMessagesOfADay: a twenty-fourth at once, twenty where that is less, and then one
// after another, evenly.
func TestMessagesOfADay(t *testing.T) {
	for _, test := range []struct {
		perDay, atOnce int
		every          time.Duration
	}{
		{1, 1, 24 * time.Hour}, {20, 20, 72 * time.Minute}, {48, 20, 30 * time.Minute}, {960, 40, 90 * time.Second},
	} {
		t.Run(fmt.Sprint(test.perDay), func(t *testing.T) {
			w := newWorld(t, fmt.Sprintf(`{"phoneNumber": {"enabled": true}, "sendingLimits": {"emailsPerDay": %d, "textMessagesPerDay": %d}}`, test.perDay, test.perDay))
			n := 0
			inputs := map[string]func() signup.Input{
				"mail": func() signup.Input { n++; return withEmail(fmt.Sprintf("jane%d@example%d.com", n, n)) },
				"text": func() signup.Input { n++; return withPhone(fmt.Sprintf("+1202%03d0123", 456+n)) },
			}
			for kind, next := range inputs {
				for i := range test.atOnce {
					if refusedSend(t, w.client().create(next())) {
						t.Fatalf("%s %d is refused", kind, i+1)
					}
				}
				out := w.client().create(next())
				if !refusedSend(t, out) || !out.Problems[0].RetryAfter.Equal(w.clock.now().Add(test.every)) {
					t.Errorf("%s: one more at %v", kind, out.Problems)
				}
			}
			w.clock.advance(test.every)
			for kind, next := range inputs {
				if refusedSend(t, w.client().create(next())) || !refusedSend(t, w.client().create(next())) {
					t.Errorf("%s: not one more after %v", kind, test.every)
				}
			}
		})
	}
}

// TestAnotherLimitOfTheDayCountsAtOnce: whoever raises it when it is reached need not
// wait for the former one to refill.
func TestAnotherLimitOfTheDayCountsAtOnce(t *testing.T) {
	w := newWorld(t, `{"sendingLimits": {"emailsPerDay": 1}}`)
	wantProblems(t, w.client().create(withEmail("jane@example.com")))
	if !refusedSend(t, w.client().create(withEmail("joan@example.com"))) {
		t.Error("two of one")
	}
	w.set(`{"sendingLimits": {"emailsPerDay": 1000}}`)
	wantProblems(t, w.client().create(withEmail("joan@example.com")))
}

// TestInvitationsCountToo, in the same budgets.
func TestInvitationsCountToo(t *testing.T) {
	w := inviting(t)
	w.set(`{"sendingLimits": {"emailsPerDay": 2}}`)
	mailed := func(address string) []signup.Code {
		in := signup.InvitationInput{Input: signup.Input{EmailAddress: signup.Given(address)}, RedirectURL: "https://app.example/join", SendEmail: true}
		out, err := w.service.Invite(t.Context(), w.secret(), in)
		w.must(err)
		return codesOf(out.Problems)
	}
	if got := mailed("jane@example.com"); len(got) > 0 {
		t.Fatalf("refused: %v", got)
	}
	wantProblems(t, w.client().create(withEmail("joan@example.com")))
	if got := mailed("june@example.com"); len(got) != 1 || got[0] != signup.CodeRateLimited {
		t.Errorf("the third mail of two: %v", got)
	}
	if n := len(w.mail.all()); n != 2 || w.count(`SELECT COUNT(*) FROM invitations`) != 1 {
		t.Errorf("%d mails", n)
	}
}

// TestNarrowLimitsSpareTheWide: who hammers at one address, or range, uses up nothing
// of what everybody needs; neither does a call that is refused for its other address.
func TestNarrowLimitsSpareTheWide(t *testing.T) {
	w := newWorld(t, `{"phoneNumber": {"enabled": true}, "sendingLimits": {"perAddressPerHour": 2, "emailsPerDay": 8, "textMessagesPerDay": 8, "textMessagesPerRangePerHour": 4}}`)
	for range 20 {
		w.client().create(withEmail("jane@example.com"))
		w.client().create(withPhone("+4930901820"))
	}
	for i := range 20 {
		w.client().create(withPhone(fmt.Sprint("+493090", 1830+i)))
	}
	// One text went to the number twice, two to its range: four of eight.
	for i := range 20 {
		both := withEmail(fmt.Sprintf("joan%d@example.com", i))
		both.PhoneNumber, both.Start = signup.Given("+4930901820"), starts(engine.EmailCode, engine.PhoneCode)
		if !refusedSend(t, w.client().create(both)) {
			t.Fatal("a message went to the number")
		}
	}
	for i := range 6 {
		wantProblems(t, w.client().create(withEmail(fmt.Sprintf("june%d@example.com", i))))
	}
	for i := range 4 {
		wantProblems(t, w.client().create(withPhone(fmt.Sprintf("+1202%03d0123", 456+i))))
	}
	if !refusedSend(t, w.client().create(withEmail("june@example.com"))) || !refusedSend(t, w.client().create(withPhone("+12023450123"))) {
		t.Error("more than the day has")
	}
}

// TestLimitsAreSilentToWhoComesBack: a message that the shared limits stop is not
// sent, the answer is the same, and asking for strangers' codes spends nothing.
func TestLimitsAreSilentToWhoComesBack(t *testing.T) {
	for name, limit := range map[string]string{"the day": `"textMessagesPerDay": 2`, "the range": `"textMessagesPerRangePerHour": 2`} {
		t.Run(name, func(t *testing.T) {
			w, _ := withJane(t)
			w.clock.advance(48 * time.Hour)
			w.set(`{"sendingLimits": {` + limit + `}}`)
			for i := range 30 {
				w.client().askForCode(fmt.Sprint("+493090", 1830+i))
			}
			before := w.mail.sentTo(janesPhone)
			for i := range 4 {
				challenge := w.client().askForCode(janesPhone)
				if len(challenge.Problems) > 0 || challenge.ID == "" {
					t.Errorf("request %d is told %v", i, challenge.Problems)
				}
			}
			if sent := w.mail.sentTo(janesPhone) - before; sent != 2 {
				t.Errorf("%d messages went out, want 2", sent)
			}
		})
	}
}

// TestMessagesAreOneCallOfTheBudgets: one round of asking, and none goes out where the
// budgets do not answer.
func TestMessagesAreOneCallOfTheBudgets(t *testing.T) {
	w := newWorld(t, `{"phoneNumber": {"enabled": true}}`)
	calls := &callsOfBudgets{Budgets: w.redis}
	c := w.client()
	c.service = w.process(func(c *signup.Config) { c.Budgets = calls })
	c.create(withPhone("+4930901820"))
	if len(calls.sizes) != 1 || calls.sizes[0] != 3 {
		t.Errorf("calls of the budgets: %v", calls.sizes)
	}

	w, _ = withJane(t)
	before := w.mail.sentTo(janesPhone)
	asked, answered := 0, make(chan struct{})
	p := w.newBackDoor(func(port string) fault {
		if port != "Budgets.Take" {
			return served
		}
		if asked++; asked == 1 {
			return served
		}
		<-answered // which comes first
		return refused
	})
	challenge, err := p.StartSession(t.Context(), w.as(""), janesPhone, signup.Text{})
	close(answered)
	p.Wait()
	if err != nil || len(challenge.Problems) > 0 || asked != 2 || w.mail.sentTo(janesPhone) != before {
		t.Errorf("%v, %v after %d calls", challenge.Problems, err, asked)
	}
}

type callsOfBudgets struct {
	signup.Budgets
	sizes []int
}

func (b *callsOfBudgets) Take(ctx context.Context, now time.Time, budgets ...signup.Budget) (bool, time.Time, error) {
	b.sizes = append(b.sizes, len(budgets))
	return b.Budgets.Take(ctx, now, budgets...)
}
