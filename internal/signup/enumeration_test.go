package signup_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"stepwise/engine"
	"stepwise/internal/signup"
	"stepwise/internal/store/sqlstore"
)

// Attack 17 under enumeration protection: whoever has not shown that an address is
// theirs cannot tell whether it is somebody's, by no call, answer, or work done for it.

// Masks of the pairs are equal.
const (
	takenEmail, freeEmail = "jane@example.com", "joan@example.com"
	takenPhone, freePhone = "+4930901820", "+4930911820"
)

const protection = `"enumerationProtection": true, "phoneNumber": {"enabled": true}`

// overheard is what a caller can observe of a talk with the service: each answer, and
// each call of a port that was made for it.
type overheard struct {
	*client
	address string
	talk    []string
}

// hear notes an answer, without what is random in it.
func (o *overheard) hear(out signup.Outcome) signup.Outcome {
	o.Helper()
	shown := out
	if out.SignUp != nil {
		s := *out.SignUp
		s.ID, s.Client = "id", "client"
		for i, v := range s.Verifications {
			if v != nil && v.RedirectURL != "" {
				copied := *v
				copied.RedirectURL = "url"
				s.Verifications[i] = &copied
			}
		}
		shown.SignUp = &s
	}
	shown.ClientToken = strings.Repeat("x", len(shown.ClientToken))
	o.talk = append(o.talk, strings.NewReplacer(o.address, "ADDRESS", capital(o.address), "Address").Replace(text(o, shown)))
	return out
}

func capital(address string) string { return strings.ToUpper(address[:1]) + address[1:] }

// wrongly guesses a code that is not right.
func (o *overheard) wrongly(a engine.Attribute) {
	o.Helper()
	right, err := o.world.service.DerivedCode(o.Context(), o.principal(), a)
	o.must(err)
	o.hear(o.check(a, wrong(right)))
}

type recordingHasher struct {
	signup.PasswordHasher
	note func(string)
}

func (h recordingHasher) Hash(ctx context.Context, plain string) (string, error) {
	h.note("Hasher.Hash")
	return h.PasswordHasher.Hash(ctx, plain)
}

// overhear runs a talk about an address in a process all of whose calls are noted.
func (w *world) overhear(address string, start time.Time, talk func(*overheard)) []string {
	w.Helper()
	w.clock.set(start)
	o := &overheard{client: w.client(), address: address}
	note := func(port string) { o.talk = append(o.talk, port) }
	plain := w.config.Hasher
	w.config.Hasher = recordingHasher{plain, note}
	o.client.service = w.newBackDoor(func(port string) fault { note(port); return served }).Service
	w.config.Hasher = plain
	talk(o)
	return o.talk
}

// probes are talks by which somebody might want to find out.
var probes = []struct {
	name, settings string
	phone          bool
	talk           func(*overheard)
}{
	{name: "a code, guesses and new codes", talk: func(o *overheard) {
		o.hear(o.create(withEmail(o.address)))
		for range 3 {
			o.wrongly(engine.EmailAddress)
			o.hear(o.start(engine.EmailCode)) // too soon
			o.clock.advance(engine.ResendInterval)
			o.hear(o.start(engine.EmailCode))
		}
		for range engine.MaxGuesses + 1 {
			o.wrongly(engine.EmailAddress)
		}
		o.hear(signup.Outcome{SignUp: o.signUp()})
		o.clock.advance(engine.CodeLifetime)
		o.wrongly(engine.EmailAddress)
	}},
	{name: "a link, with the address given later", talk: func(o *overheard) {
		o.hear(o.create(signup.Input{FirstName: signup.Given("Jo"), Password: signup.Given(goodPassword)}))
		o.hear(o.update(signup.Input{EmailAddress: signup.Given(capital(o.address))}))
		o.hear(o.starting(signup.Start{Strategy: engine.EmailLink, RedirectURL: home}))
		o.wrongly(engine.EmailAddress)
		o.hear(o.update(signup.Input{Clear: []engine.Attribute{engine.EmailAddress}}))
		o.hear(o.update(signup.Input{EmailAddress: signup.Given(o.address), Start: starts(engine.EmailCode)}))
	}},
	{name: "a phone number", phone: true, talk: func(o *overheard) {
		o.hear(o.create(signup.Input{PhoneNumber: signup.Given(o.address), Password: signup.Given(goodPassword), Start: starts(engine.PhoneCode)}))
		o.wrongly(engine.PhoneNumber)
		o.clock.advance(engine.ResendInterval)
		o.hear(o.start(engine.PhoneCode))
	}},
	{name: "the legacy algorithm", settings: `{"progressiveSignUp": false, "externalAccount": {"removeProviders": ["forum"]}}`, talk: func(o *overheard) {
		o.hear(o.create(withEmail(o.address)))
		o.wrongly(engine.EmailAddress)
		o.hear(o.update(signup.Input{EmailAddress: signup.Given("else@example.com")}))
		o.hear(o.update(signup.Input{EmailAddress: signup.Given(o.address)}))
	}},
	{name: "calls made again", talk: func(o *overheard) {
		in := withEmail(o.address)
		in.IdempotencyKey = "once"
		o.hear(o.create(in))
		o.hear(o.create(in))
		for range 2 {
			o.hear(o.keep(o.client.service.StartVerification(o.Context(), o.principal(), "", signup.Start{Strategy: engine.EmailCode}, "again")))
			o.clock.advance(engine.ResendInterval)
		}
	}},
	{name: "with what is wrong besides", settings: `{"username": {"enabled": true}}`, talk: func(o *overheard) {
		in := withEmail(o.address)
		in.Password = signup.Given("short")
		o.hear(o.create(in))
		in = withEmail(o.address)
		in.Username = signup.Given("janes_name")
		o.hear(o.create(in)) // which is told
		in = withEmail(o.address)
		in.Password = signup.Given(o.address)
		o.hear(o.create(in))
	}},
	{name: "until no more is sent", talk: func(o *overheard) {
		o.hear(o.create(withEmail(o.address)))
		for range 7 {
			o.clock.advance(engine.ResendInterval)
			o.hear(o.start(engine.EmailCode))
		}
	}},
	{name: "while no mail goes out", talk: func(o *overheard) {
		o.mail.refuse(errors.New("no mail today"))
		defer o.mail.refuse(nil)
		o.hear(o.create(withEmail(o.address)))
		o.hear(o.start(engine.EmailCode))
	}},
	{name: "an address that a provider claims", talk: func(o *overheard) {
		o.hear(o.create(signup.Input{}))
		o.hear(o.connect("forum", member{subject: "claims", email: o.address, emailVerified: true}))
		o.hear(o.start(engine.EmailCode))
		o.wrongly(engine.EmailAddress)
	}},
	{name: "an address that a trusted provider has not verified", talk: func(o *overheard) {
		o.hear(o.create(signup.Input{}))
		o.hear(o.connect("acme", member{subject: "claims", email: o.address}))
		o.hear(o.start(engine.EmailCode))
	}},
	{name: "a phone number that a provider claims", phone: true, talk: func(o *overheard) {
		o.hear(o.create(signup.Input{}))
		o.hear(o.connect("acme", member{subject: "claims", email: "else@acme.example", emailVerified: true, phone: o.address}))
		o.hear(o.start(engine.PhoneCode))
	}},
	{name: "a field that is switched on later", settings: `{"phoneNumber": {"enabled": false}, "lastName": {"required": true}}`, phone: true, talk: func(o *overheard) {
		o.hear(o.create(signup.Input{}))
		o.hear(o.connect("acme", member{subject: "claims", email: "else@acme.example", emailVerified: true, phone: o.address}))
		o.set(`{"phoneNumber": {"enabled": true}}`)
		o.hear(o.update(signup.Input{}))
		o.set(`{"phoneNumber": {"enabled": false}}`)
	}},
}

// withTaken is a world in which the taken addresses are a user's.
func withTaken(t testing.TB, settings string) *world {
	t.Helper()
	w := newWorld(t, `{`+protection+`, "username": {"enabled": true}, `+providerSettings+`}`)
	c := w.client()
	in := withEmail(takenEmail)
	in.PhoneNumber, in.Username = signup.Given(takenPhone), signup.Given("janes_name")
	in.Start = starts(engine.EmailCode, engine.PhoneCode)
	wantProblems(t, c.create(in))
	wantProblems(t, c.check(engine.EmailAddress, w.mail.code(t, takenEmail)))
	wantStatus(t, c.check(engine.PhoneNumber, w.mail.code(t, takenPhone)), engine.StatusComplete)
	w.set(`{"username": {"enabled": false}}`)
	if settings != "" {
		w.set(settings)
	}
	w.clock.advance(24 * time.Hour)
	return w
}

// TestAttack17SignUpsLookAlike: the same answers, and the same calls of the same ports
// in the same order.
func TestAttack17SignUpsLookAlike(t *testing.T) {
	for _, probe := range probes {
		t.Run(probe.name, func(t *testing.T) {
			w := withTaken(t, probe.settings)
			taken, free := takenEmail, freeEmail
			if probe.phone {
				taken, free = takenPhone, freePhone
			}
			start := w.clock.now()
			one, other := w.overhear(taken, start, probe.talk), w.overhear(free, start, probe.talk)
			withoutVersions(one, other)
			compareTalks(t, strings.Join(one, "\n"), strings.Join(other, "\n"), "taken", "free")
			for _, m := range w.mail.all() {
				told := m.Purpose == signup.PurposeAccountExists
				if m.ExpireAt.After(start) && told != strings.EqualFold(m.To, taken) {
					t.Errorf("%s was sent %s", m.To, m.Purpose)
				}
				if told && (m.Code != "" || m.Link != "") {
					t.Errorf("the message to the owner has something to verify with: %+v", m)
				}
			}
		})
	}
}

// TestAttack17SharedLimitsTellNothing: a code to come back with goes to users only. How
// many messages it leaves to sign-ups must not tell that it went.
func TestAttack17SharedLimitsTellNothing(t *testing.T) {
	for _, limit := range []string{`{"textMessagesPerRangePerHour": 10}`, `{"textMessagesPerDay": 10}`} {
		w := withTaken(t, `{"sendingLimits": `+limit+`}`)
		left := func(address string) (n int) {
			w.clock.advance(48 * time.Hour)
			for range 5 {
				out, err := w.service.StartSession(t.Context(), w.as(""), address, signup.Text{})
				w.must(err)
				if len(out.Problems) > 0 {
					t.Fatal(out.Problems)
				}
			}
			w.service.Wait()
			for !refusedSend(t, w.client().create(withPhone(fmt.Sprintf("%s%04d", address[:len(address)-4], 1900+n)))) {
				n++
			}
			return n
		}
		if taken, free := left(takenPhone), left(freePhone); taken != 10 || free != 10 {
			t.Errorf("%s: %d are left after a taken number, %d after a free one", limit, taken, free)
		}
	}
}

// TestWithoutProtectionItIsTold: so that people learn at once that they have an
// account, where that matters more.
func TestWithoutProtectionItIsTold(t *testing.T) {
	w := withTaken(t, `{"enumerationProtection": false}`)
	wantProblems(t, w.client().create(withEmail(takenEmail)), "IDENTIFIER_TAKEN")
	wantProblems(t, w.client().create(signup.Input{PhoneNumber: signup.Given(takenPhone)}), "IDENTIFIER_TAKEN")
	c := w.client()
	c.create(signup.Input{})
	wantBlocked(t, c.connect("forum", member{subject: "claims", email: takenEmail}), engine.BlockedTaken)
}

// withoutVersions drops the version of settings that one of the talks changed anew.
func withoutVersions(talks ...[]string) {
	for _, talk := range talks {
		for i, line := range talk {
			if before, after, ok := strings.Cut(line, `"SettingsVersion":`); ok {
				talk[i] = before + strings.TrimLeft(after, "0123456789")
			}
		}
	}
}

// TestAddressesAreNotAskedFor: where nothing is sent, nothing is looked up, so that no
// answer can depend on it.
func TestAddressesAreNotAskedFor(t *testing.T) {
	w := withTaken(t, "")
	talk := w.overhear(takenEmail, w.clock.now(), func(o *overheard) {
		in := withEmail(o.address)
		in.Start, in.PhoneNumber = nil, signup.Given(takenPhone)
		o.hear(o.create(in))
		o.hear(o.update(signup.Input{EmailAddress: signup.Given(freeEmail)}))
		o.hear(o.update(signup.Input{EmailAddress: signup.Given(o.address)}))
	})
	if slices.Contains(talk, "Directory.Taken") || !slices.Contains(talk, "Hasher.Hash") {
		t.Errorf("the calls are %v", talk)
	}
}

// TestOwnerIsToldInTheMessage: what goes to the owner's address has no code, and the
// one that a newcomer would have got is wrong.
func TestOwnerIsToldInTheMessage(t *testing.T) {
	w := withTaken(t, "")
	c := w.client()
	for _, test := range []struct {
		in signup.Input
		a  engine.Attribute
		to string
	}{
		{withEmail(takenEmail), engine.EmailAddress, takenEmail},
		{signup.Input{PhoneNumber: signup.Given(takenPhone), Start: starts(engine.PhoneCode)}, engine.PhoneNumber, takenPhone},
	} {
		wantProblems(t, c.create(test.in))
		all := w.mail.all()
		m := all[len(all)-1]
		if m.Purpose != signup.PurposeAccountExists || m.To != test.to || m.Code != "" || m.Link != "" || m.AppName == "" || (m.Channel == signup.ChannelSMS) != (test.a == engine.PhoneNumber) {
			t.Errorf("the owner got %+v", m)
		}
		right, err := w.service.DerivedCode(t.Context(), c.principal(), test.a)
		w.must(err)
		wantProblems(t, c.check(test.a, right), "CODE_INCORRECT")
	}
	free := w.client()
	wantProblems(t, free.create(withEmail(freeEmail)))
	right, err := w.service.DerivedCode(t.Context(), free.principal(), engine.EmailAddress)
	w.must(err)
	wantStatus(t, free.check(engine.EmailAddress, right), engine.StatusComplete)
}

// TestProvenAddressesAreTold: who has shown that an address is theirs may know whose
// it is; usernames are nobody's secret.
func TestProvenAddressesAreTold(t *testing.T) {
	w := withTaken(t, `{"username": {"enabled": true}}`)
	in := withEmail(freeEmail)
	in.Username = signup.Given("Janes_Name")
	wantProblems(t, w.client().create(in), "IDENTIFIER_TAKEN")

	first, second := w.client(), w.client()
	first.create(withEmail(freeEmail))
	firstCode := w.mail.code(t, freeEmail)
	second.create(withEmail(freeEmail))
	secondCode := w.mail.code(t, freeEmail)
	wantStatus(t, first.check(engine.EmailAddress, firstCode), engine.StatusComplete)
	out := second.check(engine.EmailAddress, secondCode)
	wantProblems(t, out, "IDENTIFIER_TAKEN")
	wantBlocked(t, out, engine.BlockedTaken)

	w.set(`{"lastName": {"required": true}}`) // so that there is no conversion that tells
	byAccount := w.client()
	byAccount.create(signup.Input{})
	wantBlocked(t, byAccount.connect("acme", member{subject: "owner", email: takenEmail, emailVerified: true}), engine.BlockedTaken)
}

func wantBlocked(t testing.TB, out signup.Outcome, code engine.BlockerCode) {
	t.Helper()
	if out.SignUp == nil || !slices.ContainsFunc(out.SignUp.Verdict.Blockers, func(b engine.Blocker) bool { return b.Code == code }) {
		t.Fatalf("the answer is %s, want the blocker %s", describe(out), code)
	}
}

// TestInvitedAddressIsTold: a ticket was sent to it.
func TestInvitedAddressIsTold(t *testing.T) {
	w := withTaken(t, "")
	invitation := w.invite(signup.InvitationInput{Input: signup.Input{EmailAddress: signup.Given(freeEmail)}})
	w.completed(freeEmail)
	out := w.client().create(signup.Input{Ticket: invitation.Ticket, Password: signup.Given(goodPassword)})
	wantProblems(t, out)
	wantBlocked(t, out, engine.BlockedTaken)
}

// TestOwnersCannotBeLookedFor: where the directory does not answer, nothing is sent to
// anybody, and nothing was spent.
func TestOwnersCannotBeLookedFor(t *testing.T) {
	w := withTaken(t, "")
	sent := len(w.mail.all())
	for _, address := range []string{takenEmail, freeEmail} {
		c := w.client()
		c.service = w.failing("Directory.Taken", refused).Service
		for range 8 {
			_, err := c.service.Create(t.Context(), c.principal(), withEmail(address))
			wantCode(t, err, "UNAVAILABLE")
		}
		c.service = w.service
		wantProblems(t, c.create(withEmail(address)))
	}
	if n := len(w.mail.all()) - sent; n != 2 {
		t.Errorf("%d messages, want one to each", n)
	}
}

// TestEnumerationWarning: what nobody verifies cannot be concealed.
func TestEnumerationWarning(t *testing.T) {
	w := newWorld(t, "")
	warned := func(settings string) string {
		var paths []string
		for _, warning := range w.set(settings).Warnings {
			if warning.Code == "ENUMERATION_POSSIBLE" {
				paths = append(paths, warning.Path)
			}
		}
		return strings.Join(paths, " ")
	}
	for _, c := range []struct{ settings, want string }{
		{`{"emailAddress": {"verifyAtSignUp": false}, "phoneNumber": {"verifyAtSignUp": false}}`, ""},
		{`{"enumerationProtection": true}`, "emailAddress.verifyAtSignUp"},
		{`{"phoneNumber": {"enabled": true}}`, "emailAddress.verifyAtSignUp phoneNumber.verifyAtSignUp"},
		{`{"emailAddress": {"verifyAtSignUp": true}, "phoneNumber": {"verifyAtSignUp": true}}`, ""},
	} {
		if got := warned(c.settings); got != c.want {
			t.Errorf("%s: warned of %q, want %q", c.settings, got, c.want)
		}
	}
}

// TestUnverifiedAddressesAreTold: they cannot be concealed, and are told at once.
func TestUnverifiedAddressesAreTold(t *testing.T) {
	w := withTaken(t, `{"emailAddress": {"verifyAtSignUp": false}}`)
	wantProblems(t, w.client().create(signup.Input{EmailAddress: signup.Given(takenEmail), Password: signup.Given(goodPassword)}), "IDENTIFIER_TAKEN")
}

// TestProtectionOfANewInstance: the first start says what it begins with, unless the
// settings do.
func TestProtectionOfANewInstance(t *testing.T) {
	for _, c := range []struct {
		production bool
		settings   string
		want       bool
	}{{false, "", false}, {true, "", true}, {true, `{"enumerationProtection": false}`, false}, {false, `{"enumerationProtection": true}`, true}} {
		t.Run(fmt.Sprintf("%+v", c), func(t *testing.T) {
			d := newDirectory(t)
			keys, err := signup.NewKeys([]byte(masterKey))
			if err != nil {
				t.Fatal(err)
			}
			first, err := signup.EnsureFirstInstance(t.Context(), d, keys, signup.Bootstrap{EnumerationProtection: c.production, Settings: patch(t, c.settings)}, dawn)
			if err != nil {
				t.Fatal(err)
			}
			v, err := d.Settings(t.Context(), first.ID, 1)
			if err != nil || strings.Contains(string(v.Body), `"enumerationProtection":true`) != c.want {
				t.Errorf("it begins with %s, %v; want %t", v.Body, err, c.want)
			}
		})
	}
}

func newDirectory(t testing.TB) *sqlstore.Store {
	t.Helper()
	d, err := sqlstore.Open(t.Context(), sqlstore.Options{URL: filepath.Join(t.TempDir(), "new.db"), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}
