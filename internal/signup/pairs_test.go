package signup_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"stepwise/engine"
	"stepwise/internal/signup"
)

// method is one way to tell something of oneself, done from its beginning to its
// end; n tells one sign-up's values from another's.
type method struct {
	name string
	// of are the attributes it is about: two that share one are not expected to
	// mean the same in both orders.
	of engine.Set
	do func(p *pairing)
}

var methods = []method{
	{"ticket", 0, nil}, // with the creation alone
	{"email typed", email, func(p *pairing) {
		p.email = p.called("jane%d@example.com")
		p.out = p.c.update(signup.Input{EmailAddress: signup.Given(p.email)})
	}},
	{"email code", email, func(p *pairing) { p.mails(engine.EmailCode) }},
	{"email link", email, func(p *pairing) { p.mails(engine.EmailLink) }},
	{"phone code", phone, func(p *pairing) {
		p.phone = p.called("+493090%05d")
		wantProblems(p.c, p.c.update(signup.Input{PhoneNumber: signup.Given(p.phone), Start: starts(engine.PhoneCode)}))
		p.proves(engine.PhoneNumber, p.phone)
	}},
	{"account, verified email", account, func(p *pairing) {
		p.comes("acme", member{subject: p.called("a%d"), email: p.called("verified%d@acme.example"), emailVerified: true, firstName: "Adalie"})
	}},
	{"account, unverified email", account, func(p *pairing) {
		p.comes("acme", member{subject: p.called("b%d"), email: p.called("unverified%d@acme.example"), lastName: "Lovelace"})
	}},
	{"account, untrusted email", account, func(p *pairing) {
		p.comes("forum", member{subject: p.called("c%d"), email: p.called("untrusted%d@forum.example"), emailVerified: true})
	}},
	{"account, no email", account, func(p *pairing) { p.comes("acme", member{subject: p.called("d%d")}) }},
	{"wallet", web3, func(p *pairing) {
		w := walletOf(p.called("pair %d"))
		p.wallet = w.address
		p.out = p.c.signs(w)
	}},
	{"password", secret, func(p *pairing) {
		p.password = true
		p.out = p.c.update(signup.Input{Password: signup.Given(goodPassword)})
	}},
	{"names", names, func(p *pairing) {
		p.first, p.last = "Jane", "Doe"
		p.out = p.c.update(signup.Input{FirstName: signup.Given("Jane"), LastName: signup.Given("Doe")})
	}},
	{"username", username, func(p *pairing) {
		p.username = p.called("jane%d")
		p.out = p.c.update(signup.Input{Username: signup.Given(p.username)})
	}},
}

// everyone are the settings under which the pairs are told.
var everyone = map[string]demands{
	"all required, consent":       {true, email | phone | username | web3 | account | secret | names, email | phone | username | web3 | account | secret | names, true},
	"email required":              {true, email | phone | username | web3 | account | secret | names, email, false},
	"email, password, consent":    {true, email | phone | username | web3 | account | secret | names, email | secret, true},
	"one of them":                 {true, email | phone | username | web3 | account | secret | names, 0, false},
	"one of them, consent":        {true, email | phone | username | web3 | account | secret | names, 0, true},
	"legacy":                      {false, email | phone | username | account | secret | names, email | phone | username | secret | names, false},
	"legacy, consent":             {false, email | phone | username | account | secret | names, email | phone | username | secret | names, true},
	"legacy with wallet":          {false, email | phone | username | web3 | account | secret | names, 0, false},
	"legacy with wallet, consent": {false, email | phone | username | web3 | account | secret | names, 0, true},
}

// pairing is one sign-up by two methods.
type pairing struct {
	given
	t   *testing.T
	c   *client
	d   demands
	n   int
	out signup.Outcome
}

func (p *pairing) called(format string) string { return fmt.Sprintf(format, p.n) }

// mails gives an address and proves it, unless that was done.
func (p *pairing) mails(strategy engine.Strategy) {
	p.email = p.called("jane%d@example.com")
	out := p.c.update(signup.Input{EmailAddress: signup.Given(p.email), Start: starts(strategy)})
	if p.proved[p.email] {
		wantProblems(p.c, out, signup.Code(engine.CodeAlreadyVerified))
		return
	}
	wantProblems(p.c, out)
	if strategy == engine.EmailLink {
		mail := p.c.mail.all()
		p.proved[p.email] = true
		p.out = p.c.offer(signup.Proof{Attribute: engine.EmailAddress, Link: linkToken(p.t, mail[len(mail)-1])})
		return
	}
	p.proves(engine.EmailAddress, p.email)
}

func (p *pairing) proves(a engine.Attribute, address string) {
	p.proved[address] = true
	p.out = p.c.check(a, p.c.mail.code(p.t, address))
}

// comes with an account. Under the legacy algorithm one without a verified address
// is an error, and leaves an earlier one in force.
func (p *pairing) comes(provider string, m member) {
	before, former := p.account, p.provider
	p.account, p.provider = &m, provider
	p.out = p.c.connect(provider, m)
	if !p.d.progressive && !p.vouched() {
		wantVerification(p.t, p.out, engine.ExternalAccount, engine.VerificationFailed, engine.CodeEmailNotVerified)
		p.account, p.provider = before, former
	}
}

// wantPredicted compares the sign-up with the rules, and with the engine.
func (p *pairing) wantPredicted(settings engine.Settings) {
	p.t.Helper()
	s := p.c.signUp()
	want, got := p.d.predict(p.given), s.Verdict
	if got.Required != want.required || got.Missing != want.missing || got.Unverified != want.unverified || got.Present != want.present ||
		got.Optional != settings.Enabled()&^want.required {
		p.t.Fatalf("required %s, missing %s, unverified %s, present %s;\nthe rules say %s, %s, %s, %s", got.Required, got.Missing, got.Unverified, got.Present,
			want.required, want.missing, want.unverified, want.present)
	}
	if evaluated := engine.Evaluate(settings, p.attempt()); !evaluated.Equal(got) {
		p.t.Fatalf("the verdict is\n%+v\nthe engine says\n%+v", got, evaluated)
	}
	if complete := s.Status == engine.StatusComplete; complete != want.complete() {
		p.t.Fatalf("the status is %s, with %s", s.Status, describe(signup.Outcome{SignUp: s}))
	}
	values := s.Values
	if shown := [...]string{values[engine.EmailAddress].Text, values[engine.PhoneNumber].Text, values[engine.Username].Text, values[engine.FirstName].Text, values[engine.LastName].Text, values[engine.Web3Wallet].Text}; shown != [...]string{want.email, want.phone, want.username, want.first, want.last, want.wallet} {
		p.t.Fatalf("the values are %q, the rules say %+v", shown, want)
	}
}

// finish does what is asked, one thing after the other, whatever asks for it.
func (p *pairing) finish() {
	by := func(name string) {
		methods[slices.IndexFunc(methods, func(m method) bool { return m.name == name })].do(p)
	}
	s := p.c.signUp()
	if len(s.Verdict.Missing.List()) == 0 {
		a := s.Verdict.Unverified.List()[0]
		strategy := map[engine.Attribute]engine.Strategy{engine.EmailAddress: engine.EmailCode, engine.PhoneNumber: engine.PhoneCode}[a]
		wantProblems(p.c, p.c.start(strategy))
		p.proves(a, s.Values[a].Text)
		return
	}
	switch s.Verdict.Missing.List()[0] {
	case engine.EmailAddress:
		by("email code")
	case engine.PhoneNumber:
		by("phone code")
	case engine.Username:
		by("username")
	case engine.Web3Wallet:
		by("wallet")
	case engine.ExternalAccount:
		by("account, verified email")
	case engine.Password:
		by("password")
	case engine.FirstName, engine.LastName:
		by("names")
	case engine.LegalAccepted:
		p.consent = true
		p.out = p.c.update(signup.Input{LegalAccepted: yes()})
	}
}

// wantUser compares the user that the sign-up became with the rules, and returns
// how it reads without the number.
func (p *pairing) wantUser() string {
	p.t.Helper()
	s, want := p.c.signUp(), p.d.predict(p.given)
	u, err := p.c.service.User(p.t.Context(), p.c.secret(), s.CreatedUserID)
	p.c.must(err)
	var got []string
	for _, i := range u.Identifiers {
		verified := !i.VerifiedAt.IsZero()
		if verified == (i.Kind == "USERNAME") {
			p.t.Errorf("%s is verified: %t", i.Kind, verified)
		}
		got = append(got, i.Norm)
	}
	expected := slices.DeleteFunc([]string{want.email, want.phone, want.username, want.wallet, want.subject}, func(s string) bool { return s == "" })
	slices.Sort(got)
	slices.Sort(expected)
	if !slices.Equal(got, expected) || u.FirstName != want.first || u.LastName != want.last || u.HasPassword != p.password {
		p.t.Fatalf("the user has %v, %q %q, password %t; the rules say %v, %q %q", got, u.FirstName, u.LastName, u.HasPassword, expected, want.first, want.last)
	}
	p.c.wantOneUser(expected[0])
	reads := fmt.Sprint(kinds(*u), u.FirstName, u.LastName, u.HasPassword, got)
	return strings.NewReplacer(fmt.Sprintf("%05d", p.n), "N", fmt.Sprint(p.n), "N", want.wallet, "wallet").Replace(reads)
}

// TestEveryPairOfMethods tells of every two methods, in both orders: after each
// step the lists are what the rules say, every sign-up comes to its end, and where
// neither method completes it alone, the order makes no difference to the user.
func TestEveryPairOfMethods(t *testing.T) {
	for name, d := range everyone {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, d.settings())
			w.set(`{"sendingLimits": {"textMessagesPerRangePerHour": 1000}}`) // all numbers are of one
			settings, err := w.service.Settings(t.Context(), w.secret())
			w.must(err)
			become := map[[2]string]string{}
			n := 10000
			for _, first := range methods {
				for _, second := range methods {
					if first.name == second.name || second.do == nil || (first.of|second.of)&^d.enabled != 0 {
						continue
					}
					n++
					t.Run(first.name+" then "+second.name, func(t *testing.T) {
						here := *w
						here.TB = t
						p := &pairing{t: t, c: here.client(), d: d, n: n, given: given{proved: map[string]bool{}}}
						user, comparable := p.tell(first, second, settings.Requirements())
						if comparable && first.of&second.of == 0 {
							become[[2]string{first.name, second.name}] = user
						}
					})
				}
			}
			compared := 0
			for pair, user := range become {
				other, ok := become[[2]string{pair[1], pair[0]}]
				if ok && other != user {
					t.Errorf("%s then %s becomes\n%s\nthe other way round\n%s", pair[0], pair[1], user, other)
				}
				if ok {
					compared++
				}
			}
			t.Logf("%d pairs, %d of them compared with their reverse", n-10000, compared)
			if compared == 0 {
				t.Error("no order was compared")
			}
			w.wantNoHalves()
		})
	}
}

// tell goes through the two methods and on to the end. comparable is false where
// the first completed the sign-up, so that the second came too late.
func (p *pairing) tell(first, second method, settings engine.Settings) (user string, comparable bool) {
	in := signup.Input{}
	if first.do == nil {
		p.ticketEmail, p.ticketFirst = p.called("invited%d@example.com"), "Guest"
		made, err := p.c.service.Invite(p.t.Context(), p.c.secret(), signup.InvitationInput{Input: signup.Input{
			EmailAddress: signup.Given(p.ticketEmail), FirstName: signup.Given(p.ticketFirst)}})
		p.c.must(err)
		in.Ticket = made.Ticket
	}
	p.out = p.c.create(in)
	wantProblems(p.c, p.out)
	p.wantPredicted(settings)
	for _, m := range []method{first, second} {
		if m.do == nil {
			continue
		}
		if p.c.signUp().Final() {
			wantProblems(p.c, p.c.update(signup.Input{FirstName: signup.Given("Late")}), signup.Code(engine.CodeSignUpComplete))
			return p.wantUser(), false
		}
		m.do(p)
		wantProblems(p.c, p.out)
		p.wantPredicted(settings)
	}
	for range 12 {
		if p.c.signUp().Status == engine.StatusComplete {
			return p.wantUser(), true
		}
		p.finish()
		wantProblems(p.c, p.out)
		p.wantPredicted(settings)
	}
	p.t.Fatalf("no end: %s", describe(signup.Outcome{SignUp: p.c.signUp()}))
	return "", false
}
