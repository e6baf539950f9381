package signup_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"stepwise/engine"
	"stepwise/internal/signup"
)

// TestRevoke: what is taken back admits nobody, and stays as it was taken back.
func TestRevoke(t *testing.T) {
	w := inviting(t)
	out := w.invite(toJane())
	id := out.Invitation.ID
	w.clock.advance(time.Hour)
	at := w.clock.now()
	for range 2 {
		i, problems, err := w.service.RevokeInvitation(t.Context(), w.secret(), id)
		w.must(err)
		if len(problems) > 0 || i.StateAt(w.clock.now()) != engine.TicketRevoked || !i.RevokedAt.Equal(at) {
			t.Errorf("revoked at %v, problems %v", i.RevokedAt, problems)
		}
		w.clock.advance(time.Hour)
	}
	refused := w.client().create(signup.Input{Ticket: out.Ticket})
	wantProblems(t, refused, "TICKET_INVALID")
	if refused.Problems[0].Message != "This invitation was taken back." || !slices.Equal(refused.Problems[0].Field, []string{"input", "ticket"}) {
		t.Errorf("the problem is %+v", refused.Problems[0])
	}

	// One that was used stays used, and its user stays.
	used := w.invite(toJane())
	done := w.client().create(signup.Input{Ticket: used.Ticket, Password: signup.Given(goodPassword)})
	wantStatus(t, done, engine.StatusComplete)
	i, problems, err := w.service.RevokeInvitation(t.Context(), w.secret(), used.Invitation.ID)
	w.must(err)
	if len(problems) > 0 || i.StateAt(w.clock.now()) != engine.TicketUsed || i.UserID != done.SignUp.CreatedUserID || !i.RevokedAt.IsZero() {
		t.Errorf("the invitation is %+v, problems %v", i, problems)
	}
	wantProblems(t, w.client().create(signup.Input{Ticket: used.Ticket}), "TICKET_INVALID")

	for _, unknown := range []string{"", "inv_", "inv_00000000000000000000", "\x00", "inv_\xff", out.Ticket, strings.Repeat("x", 10_000)} {
		i, problems, err := w.service.RevokeInvitation(t.Context(), w.secret(), unknown)
		w.must(err)
		if i != nil || len(problems) != 1 || problems[0].Code != "INVITATION_NOT_FOUND" || !slices.Equal(problems[0].Field, []string{"input", "id"}) {
			t.Errorf("%q: %v, %v", unknown, i, problems)
		}
		if i, err := w.service.Invitation(t.Context(), w.secret(), unknown); i != nil || err != nil {
			t.Errorf("%q is seen: %v, %v", unknown, i, err)
		}
	}
}

// TestRevocationIsToldToSubscribers of sign-ups that began with the ticket, at
// whichever process they are, at once.
func TestRevocationIsToldToSubscribers(t *testing.T) {
	inBubble(t, "", func(t *testing.T, w *world) {
		out := w.invite(toJane())
		c := w.client()
		wantProblems(t, c.create(signup.Input{Ticket: out.Ticket}))
		states := c.watch()
		<-states
		synctest.Wait()
		_, _, err := w.process(nil).RevokeInvitation(t.Context(), w.secret(), out.Invitation.ID)
		w.must(err)
		seen, ended := pending(states, time.Second) // sooner than it would look by itself
		if ended || len(seen) != 1 {
			t.Fatalf("%d states, ended %t", len(seen), ended)
		}
		blockers := seen[0].Verdict.Blockers
		if len(blockers) != 1 || blockers[0].Code != engine.BlockedTicket || blockers[0].Remedy == "" || seen[0].Status != engine.StatusMissingRequirements {
			t.Errorf("the state is %s, blockers %v", seen[0].Status, blockers)
		}
		wantStatus(t, c.update(signup.Input{Password: signup.Given(goodPassword)}), engine.StatusMissingRequirements)
		if len(w.usersWith("jane@example.com")) != 0 {
			t.Error("who was not wanted any more is in")
		}
	})
}

// TestInvitationsByState, page by page: each is on one page of its state, newest
// first, and the sum is right.
func TestInvitationsByState(t *testing.T) {
	w := newWorld(t, unverifiedEmail)
	want := map[engine.TicketState][]string{}
	const each = 5
	for n := range each {
		for _, state := range []engine.TicketState{engine.TicketUsed, engine.TicketRevoked, engine.TicketExpired, engine.TicketValid} {
			in := signup.InvitationInput{ExpiresIn: 365 * 24 * time.Hour}
			if state == engine.TicketExpired {
				in.ExpiresIn = time.Minute
			}
			out := w.invite(in)
			id := out.Invitation.ID
			switch state {
			case engine.TicketUsed:
				address := signup.Given(fmt.Sprintf("jane%d@example.com", n))
				done := w.client().create(signup.Input{Ticket: out.Ticket, EmailAddress: address, Password: signup.Given(goodPassword)})
				wantStatus(t, done, engine.StatusComplete)
			case engine.TicketRevoked:
				_, _, err := w.service.RevokeInvitation(t.Context(), w.secret(), id)
				w.must(err)
			}
			want[state] = append(want[state], id)
			if n%2 == 0 { // some at the same time
				w.clock.advance(time.Second)
			}
		}
	}
	w.clock.advance(time.Hour)
	seen := map[string]bool{}
	for state, ids := range want {
		got := w.pages(&state, 2, each)
		for _, i := range got {
			if i.StateAt(w.clock.now()) != state || seen[i.ID] || !slices.Contains(ids, i.ID) {
				t.Errorf("%s is listed under %d", i.ID, state)
			}
			seen[i.ID] = true
		}
		if len(got) != each {
			t.Errorf("%d of state %d, want %d", len(got), state, each)
		}
	}
	all := w.pages(nil, 3, 4*each)
	for i := range all[1:] {
		if all[i].CreatedAt.Before(all[i+1].CreatedAt) {
			t.Errorf("%s comes before %s", all[i].ID, all[i+1].ID)
		}
	}
	if len(all) != 4*each || len(seen) != 4*each {
		t.Errorf("%d in all, %d by state", len(all), len(seen))
	}
	for _, q := range []struct {
		first int
		after string
	}{{0, ""}, {-1, ""}, {signup.MaxPage + 1, ""}, {1, "x"}, {1, "!"}} {
		_, err := w.service.Invitations(t.Context(), w.secret(), nil, q.first, q.after)
		wantCode(t, err, "BAD_USER_INPUT")
	}
}

// pages lists all invitations of a state.
func (w *world) pages(state *engine.TicketState, size, total int) (all []signup.Invitation) {
	w.Helper()
	after := ""
	for range 100 {
		page, err := w.service.Invitations(w.Context(), w.secret(), state, size, after)
		w.must(err)
		if page.Total != total || len(page.Items) > size || len(page.Cursors) != len(page.Items) {
			w.Fatalf("a page of %d with %d cursors, %d in all, want %d", len(page.Items), len(page.Cursors), page.Total, total)
		}
		all = append(all, page.Items...)
		if !page.More {
			return all
		}
		after = page.Cursors[len(page.Cursors)-1]
	}
	w.Fatal("the pages have no end")
	return nil
}

// TestAttackTicketGuessing: what is no ticket of this instance is refused in one
// way, whatever is wrong with it, and admits nobody.
func TestAttackTicketGuessing(t *testing.T) {
	w, other := inviting(t), inviting(t) // two instances under one master key
	out := w.invite(toJane())
	foreign := other.invite(toJane())
	id, sum, _ := strings.Cut(strings.TrimPrefix(out.Ticket, "tkt_"), ".")
	strange := w.process(func(c *signup.Config) {
		var err error
		c.Keys, err = signup.NewKeys([]byte(strings.Repeat("another master key ", 3)))
		w.must(err)
	})
	forged, err := strange.Invite(t.Context(), w.secret(), toJane())
	w.must(err)
	flipped := "A"
	if strings.HasPrefix(sum, "A") {
		flipped = "B"
	}
	answers := map[string]bool{}
	for name, ticket := range map[string]string{
		"another instance's":        foreign.Ticket,
		"another master key's":      forged.Ticket,
		"cut":                       out.Ticket[:len(out.Ticket)-1],
		"longer":                    out.Ticket + "A",
		"padded":                    out.Ticket + "=",
		"another signature":         "tkt_" + id + "." + flipped + sum[1:],
		"no signature":              "tkt_" + id + ".",
		"only the id":               "tkt_" + id,
		"the invitation's id":       out.Invitation.ID,
		"another id":                "tkt_" + strings.Repeat("0", len(id)) + "." + sum,
		"no prefix":                 strings.TrimPrefix(out.Ticket, "tkt_"),
		"the prefix twice":          "tkt_" + out.Ticket,
		"upper case":                strings.ToUpper(out.Ticket),
		"spaces":                    " " + out.Ticket,
		"a line break":              out.Ticket + "\n",
		"NUL":                       "\x00",
		"a hundred kilobytes":       "tkt_" + strings.Repeat("A", 100_000),
		"nothing behind the prefix": "tkt_",
	} {
		t.Run(name, func(t *testing.T) {
			c := w.client()
			refused := c.create(signup.Input{Ticket: ticket, Password: signup.Given(goodPassword)})
			wantProblems(t, refused, "TICKET_INVALID")
			if refused.SignUp != nil || refused.ClientToken != "" {
				t.Error("a sign-up has begun")
			}
			answers[text(t, refused)] = true
		})
	}
	if len(answers) != 1 {
		t.Errorf("the refusals differ: %v", answers)
	}
	if n := len(sum); n < 22 { // base64 of 128 bits
		t.Errorf("a signature of %d characters can be guessed", n)
	}
	wantStatus(t, w.client().create(signup.Input{Ticket: out.Ticket, Password: signup.Given(goodPassword)}), engine.StatusComplete)
}

// TestTicketsAreNotStored: neither in SQL nor in Redis, nor in what an
// administrator sees later.
func TestTicketsAreNotStored(t *testing.T) {
	w := inviting(t)
	server, log := w.overRedis()
	stop := published(server)
	in := toJane()
	in.RedirectURL, in.SendEmail = "https://app.example/join", true
	s := secrets{}
	for i := range 3 {
		out := w.invite(in)
		_, sum, _ := strings.Cut(out.Ticket, ".")
		s.add(fmt.Sprintf("ticket %d", i), sum)
		c := w.client()
		wantProblems(t, c.create(signup.Input{Ticket: out.Ticket, IdempotencyKey: "key"}))
		if i == 0 {
			wantStatus(t, c.update(signup.Input{Password: signup.Given(goodPassword)}), engine.StatusComplete)
			in.EmailAddress = signup.Given("joan@example.com")
		}
	}
	page, err := w.service.Invitations(t.Context(), w.secret(), nil, 10, "")
	w.must(err)
	s.wantNoneIn(t, "the list", text(t, page))
	s.wantNoneIn(t, "Redis", fmt.Sprint(contents(t, server)))
	s.wantNoneIn(t, "SQLite", w.databaseBytes())
	s.wantNoneIn(t, "events", w.outbox())
	s.wantNoneIn(t, "hints and logs", stop()+log.String()+" ")
}
