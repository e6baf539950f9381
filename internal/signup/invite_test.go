package signup_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"stepwise/engine"
	"stepwise/internal/signup"
)

// inviting is a world in which links of invitations may lead home.
func inviting(t testing.TB) *world {
	t.Helper()
	return newWorld(t, `{"allowedRedirects": ["https://app.example/join", "https://app.example/join?campaign=otters"]}`)
}

// toJane is an invitation of everything that the default settings have.
func toJane() signup.InvitationInput {
	return signup.InvitationInput{Input: signup.Input{
		EmailAddress: signup.Given("Jane@Example.com"), FirstName: signup.Given("Jane"), LastName: signup.Given("Doe"),
	}}
}

// invite makes an invitation that must be taken.
func (w *world) invite(in signup.InvitationInput) signup.NewInvitation {
	w.Helper()
	out, err := w.service.Invite(w.Context(), w.secret(), in)
	w.must(err)
	if len(out.Problems) > 0 || out.Invitation == nil || !strings.HasPrefix(out.Ticket, "tkt_") {
		w.Fatalf("the invitation is %v, problems %v", out.Invitation, out.Problems)
	}
	return out
}

// invitation is one as an administrator sees it.
func (w *world) invitation(id string) signup.Invitation {
	w.Helper()
	i, err := w.service.Invitation(w.Context(), w.secret(), id)
	w.must(err)
	if i == nil {
		w.Fatalf("there is no invitation %s", id)
	}
	return *i
}

// TestInvitation: what is said in it arrives on the user, once.
func TestInvitation(t *testing.T) {
	w := inviting(t)
	in := toJane()
	in.PublicMetadata = map[string]any{"plan": "gold", "seats": 3}
	out := w.invite(in)
	i := *out.Invitation
	if i.StateAt(w.clock.now()) != engine.TicketValid || !i.ExpireAt.Equal(dawn.Add(30*24*time.Hour)) || !i.CreatedAt.Equal(dawn) || i.UserID != "" || out.URL != "" {
		t.Errorf("the invitation is %+v, its address %q", i, out.URL)
	}
	if got := i.Values[engine.EmailAddress]; got.Text != "Jane@example.com" || got.Key != "jane@example.com" {
		t.Errorf("the address is %+v", got)
	}
	if text(t, w.invitation(i.ID)) != text(t, i) {
		t.Errorf("it is kept as %+v, want %+v", w.invitation(i.ID), i)
	}
	if n := len(w.mail.all()); n != 0 {
		t.Errorf("%d messages nobody asked for", n)
	}

	w.clock.advance(time.Hour)
	c := w.client()
	done := c.create(signup.Input{Ticket: out.Ticket, Password: signup.Given(goodPassword)})
	wantStatus(t, done, engine.StatusComplete)
	u, err := w.service.User(t.Context(), w.secret(), done.SignUp.CreatedUserID)
	w.must(err)
	if string(u.PublicMetadata) != `{"plan":"gold","seats":3}` || string(u.PrivateMetadata) != "{}" || u.FirstName != "Jane" || u.LastName != "Doe" ||
		len(u.Identifiers) != 1 || !u.Identifiers[0].VerifiedAt.Equal(w.clock.now()) {
		t.Errorf("the user is %+v", u)
	}
	used := w.invitation(i.ID)
	if used.StateAt(w.clock.now()) != engine.TicketUsed || used.UserID != u.ID || !used.UsedAt.Equal(w.clock.now()) {
		t.Errorf("the invitation is %+v", used)
	}
}

// TestEmptyInvitation admits whoever has the ticket, as whoever they are.
func TestEmptyInvitation(t *testing.T) {
	w := inviting(t)
	w.set(`{"signUpMode": "RESTRICTED"}`)
	out := w.invite(signup.InvitationInput{})
	if string(out.Invitation.PublicMetadata) != "{}" {
		t.Errorf("the metadata is %s", out.Invitation.PublicMetadata)
	}
	c := w.client()
	wantProblems(t, c.create(withEmail("jane@example.com")), "SIGN_UP_RESTRICTED")
	in := withEmail("jane@example.com")
	in.Ticket = out.Ticket
	wantProblems(t, c.create(in))
	wantStatus(t, c.check(engine.EmailAddress, w.mail.code(t, "jane@example.com")), engine.StatusComplete)
}

func TestInvitationRefusals(t *testing.T) {
	w := inviting(t)
	w.completed("joan@example.com")
	mailless := w.process(func(c *signup.Config) { c.Can.SendEmail = false })
	const home = "https://app.example/join"
	change := func(change func(*signup.InvitationInput)) signup.InvitationInput {
		in := toJane()
		in.RedirectURL = home
		change(&in)
		return in
	}
	for _, test := range []struct {
		name    string
		service *signup.Service
		in      signup.InvitationInput
		want    []string // code and field
	}{
		{"no address", w.service, change(func(in *signup.InvitationInput) { in.EmailAddress = signup.Given("jane") }), []string{"INVALID_FORMAT emailAddress"}},
		{"a header for an address", w.service, change(func(in *signup.InvitationInput) { in.EmailAddress = signup.Given("jane@example.com\r\nBcc: x@y.z") }), []string{"INVALID_CHARACTER emailAddress"}},
		{"a name on two lines", w.service, change(func(in *signup.InvitationInput) { in.FirstName = signup.Given("Jane\nDoe") }), []string{"INVALID_CHARACTER firstName"}},
		{"a field that is off", w.service, change(func(in *signup.InvitationInput) { in.PhoneNumber = signup.Given("+4930901820") }), []string{"FIELD_DISABLED phoneNumber"}},
		{"a name that is off", w.service, change(func(in *signup.InvitationInput) { in.Username = signup.Given("") }), []string{"FIELD_DISABLED username"}},
		{"somebody's address", w.service, change(func(in *signup.InvitationInput) { in.EmailAddress = signup.Given("JOAN@example.com") }), []string{"IDENTIFIER_TAKEN emailAddress"}},
		{"large metadata", w.service, change(func(in *signup.InvitationInput) {
			in.PublicMetadata = map[string]any{"x": strings.Repeat("x", 9<<10)}
		}), []string{"TOO_LONG publicMetadata"}},
		{"metadata that is no JSON", w.service, change(func(in *signup.InvitationInput) { in.PublicMetadata = map[string]any{"x": math.Inf(1)} }), []string{"INVALID_FORMAT publicMetadata"}},
		{"less than a minute", w.service, change(func(in *signup.InvitationInput) { in.ExpiresIn = time.Minute - 1 }), []string{"OUT_OF_RANGE expiresInSeconds"}},
		{"the past", w.service, change(func(in *signup.InvitationInput) { in.ExpiresIn = -time.Hour }), []string{"OUT_OF_RANGE expiresInSeconds"}},
		{"more than a year", w.service, change(func(in *signup.InvitationInput) { in.ExpiresIn = 365*24*time.Hour + 1 }), []string{"OUT_OF_RANGE expiresInSeconds"}},
		{"another site", w.service, change(func(in *signup.InvitationInput) { in.RedirectURL = "https://evil.example/join" }), []string{"REDIRECT_NOT_ALLOWED redirectUrl"}},
		{"mail without a link", w.service, change(func(in *signup.InvitationInput) { in.RedirectURL, in.SendEmail = "", true }), []string{"EMPTY redirectUrl"}},
		{"mail to nobody", w.service, change(func(in *signup.InvitationInput) { in.EmailAddress, in.SendEmail = signup.Text{}, true }), []string{"VALUE_MISSING emailAddress"}},
		{"mail to null", w.service, change(func(in *signup.InvitationInput) { in.EmailAddress, in.SendEmail = signup.Null(), true }), []string{"VALUE_MISSING emailAddress"}},
		{"mail to nobody, without a link", w.service, signup.InvitationInput{SendEmail: true}, []string{"VALUE_MISSING emailAddress", "EMPTY redirectUrl"}},
		{"mail where none goes out", mailless, change(func(in *signup.InvitationInput) { in.SendEmail = true }), []string{"CANNOT_DELIVER sendEmail"}},
		{"all at once", w.service, change(func(in *signup.InvitationInput) {
			in.EmailAddress, in.LastName, in.Username = signup.Given("jane@"), signup.Given(""), signup.Given("jane")
			in.ExpiresIn, in.RedirectURL, in.SendEmail = time.Second, "", true
		}), []string{"INVALID_FORMAT emailAddress", "FIELD_DISABLED username", "EMPTY lastName", "OUT_OF_RANGE expiresInSeconds", "EMPTY redirectUrl"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			out, err := test.service.Invite(t.Context(), w.secret(), test.in)
			w.must(err)
			var got []string
			for _, p := range out.Problems {
				got = append(got, fmt.Sprintf("%s %s", p.Code, strings.Join(p.Field[1:], ".")))
				if p.Message == "" || p.Field[0] != "input" {
					t.Errorf("the problem is %+v", p)
				}
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("refused with %v, want %v", got, test.want)
			}
			if out.Invitation != nil || out.Ticket != "" || out.URL != "" {
				t.Error("there is an invitation all the same")
			}
		})
	}
	if n := w.count(`SELECT COUNT(*) FROM invitations`); n != 0 || len(w.mail.all()) != 1 {
		t.Errorf("%d invitations, %d messages", n, len(w.mail.all()))
	}
}

// TestInvitationExpires at the moment it says, that moment included; both bounds
// of its life are taken.
func TestInvitationExpires(t *testing.T) {
	for _, life := range []time.Duration{time.Minute, 365 * 24 * time.Hour} {
		w := inviting(t)
		out := w.invite(signup.InvitationInput{ExpiresIn: life})
		w.clock.advance(life - time.Millisecond)
		wantProblems(t, w.client().create(signup.Input{Ticket: out.Ticket}))
		w.clock.advance(time.Millisecond)
		refused := w.client().create(signup.Input{Ticket: out.Ticket})
		wantProblems(t, refused, "TICKET_INVALID")
		if !strings.Contains(refused.Problems[0].Message, "expired") {
			t.Errorf("after %v: %s", life, refused.Problems[0].Message)
		}
	}
}

// TestInvitationByMail: the link that the administrator sees is the one that is
// sent, and sends are within the budget of the address.
func TestInvitationByMail(t *testing.T) {
	w := inviting(t)
	in := toJane()
	in.SendEmail = true
	for home, want := range map[string]string{
		"https://app.example/join":                 "https://app.example/join?ticket=",
		"https://app.example/join?campaign=otters": "https://app.example/join?campaign=otters&ticket=",
	} {
		in.RedirectURL = home
		out := w.invite(in)
		if out.URL != want+out.Ticket { // tickets need no escape
			t.Errorf("the address is %s", out.URL)
		}
		m := w.mail.all()[len(w.mail.all())-1]
		if m.Channel != signup.ChannelEmail || m.Purpose != signup.PurposeInvitation || m.To != "Jane@example.com" || m.Link != out.URL ||
			m.Code != "" || !m.ExpireAt.Equal(out.Invitation.ExpireAt) || m.AppName == "" {
			t.Errorf("the message is %+v", m)
		}
	}
	for range sendsAtOnce - 2 {
		w.invite(in)
	}
	before := w.count(`SELECT COUNT(*) FROM invitations`)
	out, err := w.service.Invite(t.Context(), w.secret(), in)
	w.must(err)
	if !slices.Equal(codesOf(out.Problems), []signup.Code{"RATE_LIMITED"}) || out.Problems[0].RetryAfter.IsZero() || out.Ticket != "" || w.count(`SELECT COUNT(*) FROM invitations`) != before {
		t.Errorf("the sixth: %+v", out)
	}
	in.SendEmail = false
	w.invite(in) // which costs no message
	if n := w.mail.sentTo("Jane@example.com"); n != sendsAtOnce {
		t.Errorf("%d messages", n)
	}
}

// TestInvitationWhoseMailFails stands, and the administrator is told to send the
// link.
func TestInvitationWhoseMailFails(t *testing.T) {
	w := inviting(t)
	var log lines
	w.config.Logger = slog.New(slog.NewTextHandler(&log, nil))
	w.service = signup.New(w.config)
	w.mail.refuse(errors.New("no route to host"))
	in := toJane()
	in.RedirectURL, in.SendEmail = "https://app.example/join", true
	out, err := w.service.Invite(t.Context(), w.secret(), in)
	w.must(err)
	if !slices.Equal(codesOf(out.Problems), []signup.Code{"DELIVERY_FAILED"}) || !slices.Equal(out.Problems[0].Field, []string{"input", "sendEmail"}) {
		t.Errorf("problems %+v", out.Problems)
	}
	if out.Invitation == nil || out.URL == "" || w.invitation(out.Invitation.ID).StateAt(w.clock.now()) != engine.TicketValid {
		t.Fatalf("the invitation is %+v", out)
	}
	wantStatus(t, w.client().create(signup.Input{Ticket: out.Ticket, Password: signup.Given(goodPassword)}), engine.StatusComplete)
	if got := log.String(); !strings.Contains(got, "no route to host") || strings.Contains(got, out.Ticket) || strings.Contains(strings.ToLower(got), "jane") {
		t.Errorf("the log: %s", got)
	}
}

// TestAttack09InvitationsLeadHome: to an address of the list, to the letter; in
// development also to this machine.
func TestAttack09InvitationsLeadHome(t *testing.T) {
	w := inviting(t)
	development := w.service
	w.service = w.process(func(c *signup.Config) { c.Development = false })
	for address, want := range map[string]struct{ production, development bool }{
		"https://app.example/join":                  {true, true},
		"https://app.example/join?campaign=otters":  {true, true},
		"https://app.example/join/":                 {},
		"https://app.example/join?campaign=beavers": {},
		"https://app.example/join#x":                {},
		"HTTPS://app.example/join":                  {},
		"https://app.example:443/join":              {},
		"https://app.example.evil.example/join":     {},
		"https://app.example@evil.example/join":     {},
		"//app.example/join":                        {},
		"javascript:alert(1)":                       {},
		"data:text/html,x":                          {},
		"http://localhost:3000/join":                {false, true},
		"http://127.0.0.1/join":                     {false, true},
		"http://localhost:3000/join#x":              {},
		"http://localhost\\@evil.example/":          {},
		"http://user:word@localhost/":               {},
		"http://localhost.evil.example/":            {},
		"ftp://localhost/":                          {},
		" http://localhost/":                        {},
	} {
		for s, want := range map[*signup.Service]bool{w.service: want.production, development: want.development} {
			out, err := s.Invite(t.Context(), w.secret(), signup.InvitationInput{RedirectURL: address})
			w.must(err)
			if got := len(out.Problems) == 0; got != want {
				t.Errorf("%q, development %t: problems %v", address, s == development, codesOf(out.Problems))
			}
		}
	}
}

// TestInvitationWithAStoreDown: nobody gets a ticket of what may not be there.
func TestInvitationWithAStoreDown(t *testing.T) {
	w := inviting(t)
	in := toJane()
	in.RedirectURL, in.SendEmail = "https://app.example/join", true
	for _, port := range []string{"Directory.Taken", "Budgets.Take", "Directory.AddInvitation"} {
		for _, f := range []fault{refused, unanswered} {
			out, err := w.failing(port, f).Invite(t.Context(), w.secret(), in)
			wantCode(t, err, "UNAVAILABLE")
			if out.Ticket != "" || out.URL != "" || out.Invitation != nil || len(w.mail.all()) != 0 {
				t.Errorf("%s %s: %+v", port, f, out)
			}
		}
	}
	id := w.invite(toJane()).Invitation.ID
	_, err := w.failing("Directory.Invitation", refused).Invitation(t.Context(), w.secret(), id)
	wantCode(t, err, "UNAVAILABLE")
	_, err = w.failing("Directory.Invitations", refused).Invitations(t.Context(), w.secret(), nil, 1, "")
	wantCode(t, err, "UNAVAILABLE")
	i, _, err := w.failing("Directory.RevokeInvitation", refused).RevokeInvitation(t.Context(), w.secret(), id)
	wantCode(t, err, "UNAVAILABLE")
	if i != nil || w.invitation(id).StateAt(w.clock.now()) != engine.TicketValid {
		t.Error("it is revoked")
	}
	i, problems, err := w.failing("Hints.AnnounceSettings", refused).RevokeInvitation(t.Context(), w.secret(), id)
	w.must(err)
	if len(problems) > 0 || i == nil || i.StateAt(w.clock.now()) != engine.TicketRevoked {
		t.Error("a revocation that nobody hears of is none")
	}
}

// TestMetadataOfAnInvitation is kept as it was written.
func TestMetadataOfAnInvitation(t *testing.T) {
	w := inviting(t)
	deep := map[string]any{"a": []any{1.5, true, nil, "<ä&\u2028>"}, "": map[string]any{"b": "\x00"}}
	out := w.invite(signup.InvitationInput{PublicMetadata: deep})
	var got map[string]any
	w.must(json.Unmarshal(w.invitation(out.Invitation.ID).PublicMetadata, &got))
	if text(t, got) != text(t, deep) {
		t.Errorf("the metadata is %s", text(t, got))
	}
	if out := w.invite(signup.InvitationInput{PublicMetadata: map[string]any{}}); string(out.Invitation.PublicMetadata) != "{}" {
		t.Errorf("empty metadata is %s", out.Invitation.PublicMetadata)
	}
}
