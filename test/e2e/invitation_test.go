package e2e

import (
	"slices"
	"strings"
	"testing"

	"stepwise/internal/realtest"
)

// invited is what an administrator is told of a new invitation.
type invited struct {
	Invitation *struct{ ID, Status, UserID string }
	Ticket     string
	URL        string
	UserErrors []userError
}

func (c *client) invite(t testing.TB, input map[string]any) invited {
	t.Helper()
	var data struct{ InvitationCreate invited }
	c.query(t, `mutation($input: InvitationCreateInput!) {
		invitationCreate(input: $input) { invitation { id status userId } ticket url userErrors { code message field } }
	}`, map[string]any{"input": input}, &data)
	if len(data.InvitationCreate.UserErrors) > 0 {
		t.Fatalf("invite: %+v", data.InvitationCreate.UserErrors)
	}
	return data.InvitationCreate
}

func (c *client) revoke(t testing.TB, id string) (status string) {
	t.Helper()
	var data struct {
		InvitationRevoke struct {
			Invitation *struct{ Status string }
			UserErrors []userError
		}
	}
	c.query(t, `mutation($input: InvitationRevokeInput!) {
		invitationRevoke(input: $input) { invitation { status } userErrors { code } }
	}`, map[string]any{"input": map[string]any{"id": id}}, &data)
	if data.InvitationRevoke.Invitation == nil {
		t.Fatalf("revoke: %+v", data.InvitationRevoke.UserErrors)
	}
	return data.InvitationRevoke.Invitation.Status
}

// invitationState reads the invitation back.
func (c *client) invitationState(t testing.TB, id string) (status, user string) {
	t.Helper()
	var data struct {
		Node *struct{ Status, UserID string }
	}
	c.query(t, "query($id: ID!) { node(id: $id) { ... on Invitation { status userId } } }", map[string]any{"id": id}, &data)
	if data.Node == nil {
		t.Fatalf("there is no invitation %s", id)
	}
	return data.Node.Status, data.Node.UserID
}

// ticketIn is what the mail's link leads to.
func ticketIn(t testing.TB, link string) string {
	t.Helper()
	ticket := mustURL(t, link).Query().Get("ticket")
	if !strings.HasPrefix(link, landingPage+"?") || !strings.HasPrefix(ticket, "tkt_") {
		t.Fatalf("the link of the invitation is %s", link)
	}
	return ticket
}

// refusedTicket expects a sign-up not to begin.
func refusedTicket(t *testing.T, c *client, ticket, want, says string) {
	t.Helper()
	o := mustTry(t)(c.tryCreate(map[string]any{"ticket": ticket, "password": goodPassword}))
	if o.SignUp != nil || !slices.Equal(o.errorCodes(), []string{want}) || !strings.Contains(o.UserErrors[0].Message, says) || !slices.Equal(o.UserErrors[0].Field, []string{"input", "ticket"}) {
		t.Errorf("ticket %.12s…: %+v, user errors %+v; want %s that says %q", ticket, o.SignUp, o.UserErrors, want, says)
	}
}

// TestInvitation lets in nobody but who is invited, by a mail's link.
func TestInvitation(t *testing.T) {
	t.Parallel()
	post := startMailServer(t)
	server := realtest.Program(t, realtest.ProgramOptions{Env: post.settings()})
	administrator := newAdministrator(t, server)
	before := newClient(t, server)
	early := begin(t, before, "early@example.com")
	watched := before.watchByStream(t, early.ID)
	watched.next(t)
	administrator.changeSettings(t, map[string]any{"signUpMode": "RESTRICTED"})
	blocked := watched.await(t, "the restriction", func(s signUp) bool { return len(s.Blockers) > 0 })
	if blocked.Blockers[0].Code != "SIGN_UP_RESTRICTED" {
		t.Errorf("blockers %+v, want SIGN_UP_RESTRICTED", blocked.Blockers)
	}
	if o := mustTry(t)(before.tryCheck("emailCode", post.code(t, "early@example.com"))); o.complete() {
		t.Error("a sign-up that began before the restriction completed under it")
	}
	o := mustTry(t)(newClient(t, server).tryCreate(map[string]any{"emailAddress": "nobody@example.com"}))
	if o.SignUp != nil || !slices.Equal(o.errorCodes(), []string{"SIGN_UP_RESTRICTED"}) {
		t.Errorf("without a ticket: %+v; want SIGN_UP_RESTRICTED", o.UserErrors)
	}

	const email = "guest@example.com"
	sent := administrator.invite(t, map[string]any{
		"emailAddress": email, "firstName": "Grace", "sendEmail": true, "redirectUrl": landingPage, "publicMetadata": map[string]any{"team": "blue"},
	})
	link := linkPattern.FindString(plainText(t, post.newest(t, email)))
	ticket := ticketIn(t, link)
	if ticket != sent.Ticket || link != sent.URL {
		t.Errorf("the mail leads to %s, the administrator was told %s", link, sent.URL)
	}
	guest := newClient(t, server)
	retry := guest.clone()
	opened := guest.create(t, map[string]any{"ticket": ticket})
	if opened.EmailAddress == nil || *opened.EmailAddress != email || orEmpty(opened.FirstName) != "Grace" ||
		!slices.Equal(opened.MissingFields, []string{"PASSWORD"}) || len(opened.UnverifiedFields) != 0 {
		t.Errorf("with the ticket: %+v; want the address verified, and the password missing", opened)
	}
	if v := opened.Verifications.EmailAddress; v == nil || v.Status != "VERIFIED" || v.Strategy != "TICKET" {
		t.Errorf("the address is %s; want VERIFIED by TICKET", encode(t, v))
	}
	done := guest.update(t, map[string]any{"password": goodPassword})
	if done.Status != "COMPLETE" {
		t.Fatalf("%s, want COMPLETE", done.Status)
	}
	if status, user := administrator.invitationState(t, sent.Invitation.ID); status != "USED" || user != done.CreatedUserID {
		t.Errorf("the invitation is %s by %s, want USED by %s", status, user, done.CreatedUserID)
	}
	var data struct {
		User *struct{ PublicMetadata map[string]any }
	}
	administrator.query(t, "query($id: ID!) { user(id: $id) { publicMetadata } }", map[string]any{"id": done.CreatedUserID}, &data)
	if data.User == nil || data.User.PublicMetadata["team"] != "blue" {
		t.Errorf("the user's public metadata: %+v", data.User)
	}

	refusedTicket(t, retry, ticket, "TICKET_INVALID", "used already")
	refusedTicket(t, retry, ticket[:len(ticket)-1]+"x", "TICKET_INVALID", "not valid")
	refusedTicket(t, retry, "tkt_", "TICKET_INVALID", "not valid")
	if status := administrator.revoke(t, sent.Invitation.ID); status != "USED" {
		t.Errorf("an invitation that was used is %s after its revocation", status)
	}
	if log := server.Stdout() + server.Stderr(); strings.Contains(log, ticket) {
		t.Error("a ticket is in the log")
	}
}

// TestInvitationRevoked takes invitations back before and while they are used.
func TestInvitationRevoked(t *testing.T) {
	t.Parallel()
	server := realtest.Program(t, realtest.ProgramOptions{})
	administrator := newAdministrator(t, server)
	administrator.changeSettings(t, map[string]any{"signUpMode": "RESTRICTED"})
	one := administrator.invite(t, map[string]any{"emailAddress": "one@example.com"})
	guest := newClient(t, server)
	opened := guest.create(t, map[string]any{"ticket": one.Ticket})
	var watched []*subscription
	for _, subscribe := range transports {
		w := subscribe(guest, t, opened.ID)
		w.next(t)
		watched = append(watched, w)
	}
	if status := administrator.revoke(t, one.Invitation.ID); status != "REVOKED" {
		t.Errorf("it is %s, want REVOKED", status)
	}
	for _, w := range watched {
		s := w.await(t, "the revocation", func(s signUp) bool { return len(s.Blockers) > 0 })
		if s.Blockers[0].Code != "TICKET_INVALID" {
			t.Errorf("%s: blockers %+v, want TICKET_INVALID", w.name, s.Blockers)
		}
	}
	o := mustTry(t)(guest.tryUpdate(map[string]any{"password": goodPassword}))
	if o.SignUp == nil || o.SignUp.Status != "MISSING_REQUIREMENTS" || !blockedBy(*o.SignUp, "TICKET_INVALID") {
		t.Fatalf("%+v; want it blocked", o.SignUp)
	}
	// What the ticket brought, and vouched for, is worth nothing any more.
	if o.SignUp.EmailAddress != nil || !slices.Equal(o.SignUp.MissingFields, []string{"EMAIL_ADDRESS"}) {
		t.Errorf("address %v, missing %v; want the ticket's address gone", o.SignUp.EmailAddress, o.SignUp.MissingFields)
	}
	guest.update(t, map[string]any{"emailAddress": "one@example.com"})
	guest.start(t, "EMAIL_CODE")
	if o := mustTry(t)(guest.tryCheck("emailCode", guest.code(t, "one@example.com"))); o.complete() || !blockedBy(*o.SignUp, "TICKET_INVALID") {
		t.Errorf("with everything proven in another way: %s, blockers %+v; want it blocked", o.SignUp.Status, o.SignUp.Blockers)
	}
	refusedTicket(t, newClient(t, server), one.Ticket, "TICKET_INVALID", "taken back")
	if found := administrator.users(t, ""); len(found) != 0 {
		t.Errorf("users: %+v, want none", found)
	}
	two := administrator.invite(t, map[string]any{"emailAddress": "one@example.com"})
	guest.create(t, map[string]any{"ticket": two.Ticket})
	if done := guest.update(t, map[string]any{"password": goodPassword}); done.Status != "COMPLETE" {
		t.Errorf("with another invitation: %s, want COMPLETE", done.Status)
	}
}

// TestOneTicketTwoSignUps lets many sign-ups race with one ticket.
func TestOneTicketTwoSignUps(t *testing.T) {
	if !needsRealStores(t) {
		return
	}
	t.Parallel()
	a, b, env := samePublicURL(t)
	administrator := newAdministrator(t, a)
	administrator.changeSettings(t, map[string]any{
		"signUpMode": "RESTRICTED", "username": on, "emailAddress": map[string]any{"enabled": false, "required": false},
	})
	// Without an address in it the ticket alone is what they race for.
	sent := administrator.invite(t, map[string]any{"firstName": "Grace"})
	racers := make([]*client, 10)
	for i := range racers {
		racers[i] = newClient(t, []*realtest.ServerProgram{a, b}[i%2])
		racers[i].create(t, map[string]any{"ticket": sent.Ticket, "username": "racer_" + randomHex(4)})
	}
	before := count(t, env["DATABASE_URL"])
	winner := ""
	for i, o := range atOnce(len(racers), func(i int) (outcome, error) { return racers[i].tryUpdate(map[string]any{"password": goodPassword}) }) {
		switch {
		case o.err != nil:
			t.Errorf("racer %d: %v", i, o.err)
		case o.outcome.complete() && winner == "":
			winner = o.outcome.SignUp.CreatedUserID
		case o.outcome.complete():
			t.Errorf("racer %d won as well", i)
		case !slices.Equal(o.outcome.errorCodes(), []string{"TICKET_INVALID"}) && !blockedBy(*o.outcome.SignUp, "TICKET_INVALID"):
			t.Errorf("racer %d: user errors %v, blockers %+v; want TICKET_INVALID", i, o.outcome.errorCodes(), o.outcome.SignUp.Blockers)
		}
	}
	if got, want := count(t, env["DATABASE_URL"]), before.plus(1); got != want {
		t.Errorf("the database has %+v, want %+v", got, want)
	}
	if status, user := administrator.invitationState(t, sent.Invitation.ID); status != "USED" || user != winner || winner == "" {
		t.Errorf("the invitation is %s by %q, want USED by %q", status, user, winner)
	}
	for i, racer := range racers {
		if s := racer.read(t, ""); s.CreatedUserID != winner && !blockedBy(*s, "TICKET_INVALID") {
			t.Errorf("racer %d, who lost: %s, blockers %+v", i, s.Status, s.Blockers)
		}
	}
}

func blockedBy(s signUp, code string) bool {
	return slices.ContainsFunc(s.Blockers, func(b blocker) bool { return b.Code == code })
}

// newest returns the newest message to an address, as it was sent.
func (m *mailServer) newest(t testing.TB, to string) string {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, message := range slices.Backward(m.messages) {
		if message.to == to {
			return message.text
		}
	}
	t.Fatalf("no mail to %s", to)
	return ""
}
