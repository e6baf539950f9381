package signup_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"stepwise/engine"
	"stepwise/internal/signup"
)

// TestListsAreKeptInOneSpelling: so that nobody gets past an entry by another one.
func TestListsAreKeptInOneSpelling(t *testing.T) {
	s := signup.DefaultSettings().Apply(patch(t, `{
		"restrictions": {
			"allowlist": [" Jane@BÜCHER.example ", "*.Example.COM", "Example.com", "*.edu", "+49 30 901820", "+4420*", "ＪＡＮＥ.example"],
			"blocklist": ["xn--bcher-kva.example"]
		},
		"phoneNumber": {"countries": ["de", "AT"]}, "username": {"reserved": ["Admin", "admın", "ＲＯＯＴ"]}
	}`))
	if found := s.Check(); len(found) > 0 {
		t.Fatalf("refused: %v", found)
	}
	for what, list := range map[string][2]any{
		"allowlist": {s.Restrictions.Allowlist, []string{"jane@xn--bcher-kva.example", "*.example.com", "example.com", "*.edu", "+4930901820", "+4420*", "jane.example"}},
		"blocklist": {s.Restrictions.Blocklist, []string{"xn--bcher-kva.example"}},
		"countries": {s.PhoneNumber.Countries, []string{"DE", "AT"}},
		"reserved":  {s.Username.Reserved, []string{"admin", "admin", "root"}},
	} {
		if got, want := text(t, list[0]), text(t, list[1]); got != want {
			t.Errorf("%s is %s, want %s", what, got, want)
		}
	}
	if again := s.Apply(patch(t, `{"restrictions": {"allowlist": `+text(t, s.Restrictions.Allowlist)+`}}`)); text(t, again) != text(t, s) {
		t.Errorf("the lists change when they are set to what they are: %s", text(t, again))
	}
}

func TestListsThatAreRefused(t *testing.T) {
	many := func(n int, entry string) string {
		return "[" + strings.TrimSuffix(strings.Repeat(fmt.Sprintf("%q,", entry), n), ",") + "]"
	}
	for setting, values := range map[string][]string{
		`INVALID_FORMAT restrictions.allowlist {"restrictions": {"allowlist": %s}}`: {
			`["jane"]`, `["jane@"]`, `["@example.com"]`, `["*@example.com"]`, `["*"]`, `["*."]`, `["*.*.com"]`, `["com"]`, `["example.*"]`, `["example.com."]`,
			`["+"]`, `["+*"]`, `["*44"]`, `["+44*20"]`, `["+44 20*"]`, `["+1234567890123456*"]`, `["+0*"]`, `["+999999"]`, `["4420*"]`, `["020 7183 8750"]`, `[""]`,
			`["example.com", "https://example.com"]`, `["` + strings.Repeat("a", 250) + `@example.com"]`, `["` + strings.Repeat(" ", 250) + `example.com"]`,
		},
		`INVALID_FORMAT restrictions.blocklist {"restrictions": {"blocklist": %s}}`: {`["jane"]`},
		`OUT_OF_RANGE restrictions.blocklist {"restrictions": {"blocklist": %s}}`:   {many(1001, "example.com")},
		`INVALID_FORMAT username.reserved {"username": {"reserved": %s}}`:           {`[""]`, `["a b"]`, `["1"]`, `["` + strings.Repeat("a", 65) + `"]`, `["аdmin"]`},
		`OUT_OF_RANGE username.reserved {"username": {"reserved": %s}}`:             {many(1001, "admin")},
		`INVALID_FORMAT phoneNumber.countries {"phoneNumber": {"countries": %s}}`:   {`["DEU"]`, `["XX"]`, `[""]`, `["001"]`, `["US", "+1"]`},
		`OUT_OF_RANGE phoneNumber.countries {"phoneNumber": {"countries": %s}}`:     {many(301, "DE")},
	} {
		parts := strings.SplitN(setting, " ", 3)
		for _, value := range values {
			found := signup.DefaultSettings().Apply(patch(t, fmt.Sprintf(parts[2], value))).Check()
			if len(found) != 1 || string(found[0].Code) != parts[0] || strings.TrimRight(strings.Join(found[0].Field[1:], "."), ".0123456789") != parts[1] || !strings.HasSuffix(found[0].Message, ".") && !strings.HasSuffix(found[0].Message, "bytes.") {
				t.Errorf("%s %.60s: %v", parts[1], value, found)
			}
		}
	}
	for _, taken := range []string{
		`{"restrictions": {"allowlist": ` + many(1000, "jane@example.com") + `, "blocklist": ` + many(1000, "+1*") + `}}`,
		`{"username": {"reserved": ` + many(1000, "a") + `}}`, `{"phoneNumber": {"countries": ` + many(300, "DE") + `}}`,
		`{"restrictions": {"allowlist": [], "blocklist": ["+123456789012345*", "+1*", "+12025550142"]}}`,
	} {
		if found := signup.DefaultSettings().Apply(patch(t, taken)).Check(); len(found) > 0 {
			t.Errorf("%.60s is refused: %v", taken, found)
		}
	}
}

// TestWrongEntriesAreNamed by their places, ten in each list at most.
func TestWrongEntriesAreNamed(t *testing.T) {
	places := func(change string) string {
		var places []string
		for _, p := range signup.DefaultSettings().Apply(patch(t, change)).Check() {
			places = append(places, strings.Join(p.Field[1:], "."))
		}
		return strings.Join(places, " ")
	}
	for change, want := range map[string]string{
		`{"restrictions": {"allowlist": ["example.com", "jane@", "+44*", "com"], "blocklist": ["jane"]}}`: "restrictions.allowlist.1 restrictions.allowlist.3 restrictions.blocklist.0",
		`{"username": {"reserved": ["admin", "a b"]}, "phoneNumber": {"countries": ["US", "de", "UK"]}}`:  "username.reserved.1 phoneNumber.countries.2",
		`{"allowedOrigins": ["https://a.example", "a"], "allowedRedirects": ["https://a.example/", "a"]}`: "allowedOrigins.1 allowedRedirects.1",
		`{"web3Wallet": {"chainIds": [1, 0, -1]}}`:                                                        "web3Wallet.chainIds.1 web3Wallet.chainIds.2",
		`{"phoneNumber": {"countries": [` + strings.Repeat(`"DE", "", `, 30) + `"DE"]}}`: "phoneNumber.countries.1 phoneNumber.countries.3 phoneNumber.countries.5 phoneNumber.countries.7 phoneNumber.countries.9 " +
			"phoneNumber.countries.11 phoneNumber.countries.13 phoneNumber.countries.15 phoneNumber.countries.17 phoneNumber.countries.19",
	} {
		if got := places(change); got != want {
			t.Errorf("%.80s: %s, want %s", change, got, want)
		}
	}
}

const blocking = `{"restrictions": {"blocklist": ["bücher.example", "*.mail.example", "mallory@example.com", "+4930*"]}`

// TestNobodyGetsPastTheBlocklist by another spelling, a subdomain, or a test address.
func TestNobodyGetsPastTheBlocklist(t *testing.T) {
	w := newWorld(t, blocking+`, "phoneNumber": {"enabled": true}, "defaultCountry": "DE", "testMode": true}`)
	for _, address := range []string{
		"jane@bücher.example", "jane@BÜCHER.example", "Jane@xn--bcher-kva.example", "jane@ｂücher.example", "jane@bücher。example", "jane+test@bücher.example",
		"jane@a.mail.example", "jane@b.A.mail.example", "MALLORY@example.com", " mallory@EXAMPLE.com ",
	} {
		out := w.client().create(withEmail(address))
		wantListed(t, out.Problems, "\nIDENTIFIER_NOT_ALLOWED EMAIL_ADDRESS emailAddress")
	}
	for _, number := range []string{"+4930901820", "030 901820", "+49 (0)30 90 18 20", "+４９ 30 901820"} {
		out := w.client().create(signup.Input{PhoneNumber: signup.Given(number), Start: starts(engine.PhoneCode)})
		wantListed(t, out.Problems, "\nIDENTIFIER_NOT_ALLOWED PHONE_NUMBER phoneNumber")
	}
	for _, address := range []string{"jane@mail.example", "jane@books.example", "mallory@example.org", "mallory+x@example.com"} {
		wantProblems(t, w.client().create(withEmail(address)))
	}
	if n := len(w.mail.all()); n != 4 {
		t.Errorf("%d messages were sent, want 4", n)
	}
	// Known from the address of a user or not, the answer is the same.
	w.completed("joan@example.com")
	w.set(`{"restrictions": {"blocklist": ["example.com"]}}`)
	for _, address := range []string{"joan@example.com", "nobody@example.com"} {
		wantProblems(t, w.client().create(withEmail(address)), "IDENTIFIER_NOT_ALLOWED")
	}
}

func TestAllowlist(t *testing.T) {
	w := newWorld(t, `{"restrictions": {"allowlist": ["example.com"], "blocklist": ["jane@example.com", "+49*"]}, "phoneNumber": {"enabled": true}}`)
	wantProblems(t, w.client().create(withEmail("jane@example.com")))
	wantProblems(t, w.client().create(withEmail("jane@example.org")), "IDENTIFIER_NOT_ALLOWED")
	wantProblems(t, w.client().create(signup.Input{PhoneNumber: signup.Given("+12025550142")}))
	wantProblems(t, w.client().create(signup.Input{PhoneNumber: signup.Given("+4930901820")}), "IDENTIFIER_NOT_ALLOWED")
}

// TestListsApplyToWhatIsStored: at the next look, also to what was verified. Nothing
// more is sent to it, and another address is the way on.
func TestListsApplyToWhatIsStored(t *testing.T) {
	w := newWorld(t, "")
	c := w.client()
	c.create(withEmail("jane@bücher.example"))
	code := w.mail.code(t, "jane@xn--bcher-kva.example")
	before := c.signUp().Revision
	w.set(blocking + `}`)
	s := c.signUp()
	blocker := engine.Blocker{Code: engine.BlockedNotAllowed, Remedy: engine.ReplaceOrClear, Attribute: engine.EmailAddress, HasAttribute: true}
	if !slices.Contains(s.Verdict.Blockers, blocker) || s.Revision <= before || !s.Verdict.Unverified.Has(engine.EmailAddress) {
		t.Errorf("revision %d, blocked by %v", s.Revision, s.Verdict.Blockers)
	}
	if r := s.Requirements[engine.EmailAddress]; r.Reason != engine.ReasonNotAllowed || slices.ContainsFunc(r.Actions, func(a engine.Action) bool { return a.Kind == engine.ActionStart }) {
		t.Errorf("what is asked for is %+v", r)
	}
	wantListed(t, c.start(engine.EmailCode).Problems, "\nIDENTIFIER_NOT_ALLOWED EMAIL_ADDRESS strategy")
	wantStatus(t, c.check(engine.EmailAddress, code), engine.StatusMissingRequirements)
	wantStatus(t, c.update(signup.Input{}), engine.StatusMissingRequirements)
	c.update(signup.Input{EmailAddress: signup.Given("jane@example.com"), Start: starts(engine.EmailCode)})
	wantStatus(t, c.check(engine.EmailAddress, w.mail.code(t, "jane@example.com")), engine.StatusComplete)
	if n := w.mail.sentTo("jane@xn--bcher-kva.example"); n != 1 {
		t.Errorf("%d messages went to the blocked address", n)
	}
}

// TestListsChangeWithinTheConversion: what the directory reads there decides.
func TestListsChangeWithinTheConversion(t *testing.T) {
	w := newWorld(t, "")
	c := w.client()
	c.create(withEmail("jane@bücher.example"))
	c.service = w.newProcess(func(port string) fault {
		if port == "Directory.Convert" {
			w.set(blocking + `}`)
		}
		return served
	}).Service
	out := c.check(engine.EmailAddress, w.mail.code(t, "jane@xn--bcher-kva.example"))
	wantProblems(t, out, signup.CodeSettingsChanged)
	wantStatus(t, out, engine.StatusMissingRequirements)
	if b := out.SignUp.Verdict.Blockers; len(b) != 1 || b[0].Code != engine.BlockedNotAllowed || w.count(`SELECT COUNT(*) FROM users`) != 0 {
		t.Errorf("blocked by %v", b)
	}
}

// TestListsOutliveTheProcess: another one reads them from the database.
func TestListsOutliveTheProcess(t *testing.T) {
	w := newWorld(t, blocking+`}`)
	c := w.client()
	c.service = w.process(nil)
	wantProblems(t, c.create(withEmail("mallory@example.com")), "IDENTIFIER_NOT_ALLOWED")
}

// TestAccountsOfAddressesThatAreNotTaken come in neither with the address nor without
// it; who is a user already comes back.
func TestAccountsOfAddressesThatAreNotTaken(t *testing.T) {
	blocked := member{subject: "m", email: "Mallory@example.com", emailVerified: true, firstName: "Mallory"}
	for name, settings := range algorithms {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, settings)
			w.set(`{"emailAddress": {"required": false}, "password": {"required": false}, "restrictions": {"blocklist": ["mallory@example.com"]}}`)
			c := w.client()
			c.create(signup.Input{EmailAddress: signup.Given("own@example.com")})
			out := c.connect("acme", blocked)
			v := out.SignUp.Verifications[engine.ExternalAccount]
			if v == nil || v.Status != engine.VerificationFailed || v.Error != engine.CodeNotAllowed || !strings.HasSuffix(v.ErrorMessage, ".") {
				t.Fatalf("the verification is %+v", v)
			}
			if s := out.SignUp; s.Values[engine.ExternalAccount].Presence == engine.Given || s.Values[engine.FirstName].Text != "" || s.Status == engine.StatusComplete {
				t.Errorf("the sign-up is %s with %v", describe(out), s.Values)
			}
			if left := c.update(signup.Input{EmailAddress: signup.Null()}); left.SignUp.Values[engine.EmailAddress].Text != "" || left.SignUp.Status == engine.StatusComplete {
				t.Errorf("without an address it is %s", describe(left))
			}

			w.set(`{"restrictions": {"blocklist": []}}`)
			wantStatus(t, c.connect("acme", blocked), engine.StatusComplete)
			w.set(`{"restrictions": {"blocklist": ["example.com"]}}`)
			again := w.client()
			again.create(signup.Input{})
			if v := again.connect("acme", blocked).SignUp.Verifications[engine.ExternalAccount]; v.Status != engine.VerificationTransferable {
				t.Errorf("who comes back is %+v", v)
			}
			if out := again.comeBack(again.moves()); out.Session == nil {
				t.Errorf("who comes back gets %v", out.Problems)
			}
		})
	}
}

// TestTheInvitedNeedNotBeOnTheAllowlist, and need only stay at the address they were
// invited at.
func TestTheInvitedNeedNotBeOnTheAllowlist(t *testing.T) {
	w := newWorld(t, `{"restrictions": {"allowlist": ["example.org"]}}`)
	in := signup.InvitationInput{Input: signup.Input{EmailAddress: signup.Given("jane@example.com")}}
	c := w.client()
	out := c.create(signup.Input{Ticket: w.invite(in).Ticket, EmailAddress: signup.Given("JANE@example.com"), Password: signup.Given(goodPassword)})
	wantStatus(t, out, engine.StatusComplete)
	in.EmailAddress = signup.Given("joan@example.com")
	ticket := w.invite(in)
	wantProblems(t, w.client().create(signup.Input{Ticket: ticket.Ticket, EmailAddress: signup.Given("other@example.com")}), "IDENTIFIER_NOT_ALLOWED")
	c = w.client()
	c.create(signup.Input{Ticket: ticket.Ticket})
	_, _, err := w.service.RevokeInvitation(t.Context(), w.secret(), ticket.Invitation.ID)
	w.must(err)
	wantProblems(t, c.update(signup.Input{EmailAddress: signup.Given("joan@example.com")}), "IDENTIFIER_NOT_ALLOWED")
}

// TestListsStopNobodyWhoComesBack: they are about sign-ups.
func TestListsStopNobodyWhoComesBack(t *testing.T) {
	w, jane := withJane(t)
	w.set(`{"restrictions": {"blocklist": ["example.com", "+49*"]}, "emailAddress": {"allowSubaddresses": false}, "username": {"reserved": ["jane_doe"]}}`)
	for _, address := range []string{janesEmail, janesPhone} {
		c := w.client()
		challenge := c.askForCode(address)
		if address == janesEmail {
			address = "Jane.Doe@example.com"
		}
		c.wantSession(c.comeBack(byCode(challenge, w.mail.code(t, address))), jane)
	}
	c := w.client()
	c.wantSession(c.comeBack(byPassword(janesName, janesPassword)), jane)
}

func TestSubaddresses(t *testing.T) {
	const refused = `{"emailAddress": {"allowSubaddresses": false}`
	w := newWorld(t, refused+`, "testMode": true}`)
	for _, address := range []string{"jane+news@example.com", "jane＋news@example.com", "jane+@example.com", "+jane@example.com", "jane+news+test@example.com.invalid+x@example.com"} {
		out := w.client().create(withEmail(address))
		if len(out.Problems) != 1 || out.Problems[0].Code != "SUBADDRESS_NOT_ALLOWED" && out.Problems[0].Code != "INVALID_CHARACTER" {
			t.Errorf("%s: %v", address, out.Problems)
		}
	}
	out := w.client().create(withEmail("jane+news@example.com"))
	wantListed(t, out.Problems, "\nSUBADDRESS_NOT_ALLOWED EMAIL_ADDRESS emailAddress")
	for _, address := range []string{"jane@example.com", "jane+test@example.com", "jane.news@example.com"} {
		wantProblems(t, w.client().create(withEmail(address)))
	}
	w.set(`{"testMode": false}`)
	wantProblems(t, w.client().create(withEmail("jane+test@example.com")), "SUBADDRESS_NOT_ALLOWED")

	// The operator's own words stand, also when a form says them again.
	in := signup.InvitationInput{Input: signup.Input{EmailAddress: signup.Given("joan+work@example.com")}}
	done := w.client().create(signup.Input{Ticket: w.invite(in).Ticket, EmailAddress: signup.Given("joan+work@example.com"), Password: signup.Given(goodPassword)})
	wantStatus(t, done, engine.StatusComplete)

	// So does what was stored before.
	w = newWorld(t, "")
	c := w.client()
	c.create(withEmail("jane+news@example.com"))
	w.set(refused + `}`)
	wantStatus(t, c.check(engine.EmailAddress, w.mail.code(t, "jane+news@example.com")), engine.StatusComplete)

	// And what a provider sends.
	w = newWorld(t, algorithms["progressive"])
	w.set(refused + `}`)
	c = w.client()
	c.create(signup.Input{})
	wantStatus(t, c.connect("acme", member{subject: "a", email: "jane+news@example.com", emailVerified: true}), engine.StatusComplete)
}

func TestReservedNames(t *testing.T) {
	w := newWorld(t, `{"username": {"enabled": true, "reserved": ["admin", "Straße"]}}`)
	for _, name := range []string{"admin", "ADMIN", "admın", "ａｄｍｉｎ", "strasse"} {
		out := w.client().create(signup.Input{Username: signup.Given(name)})
		wantListed(t, out.Problems, "\nUSERNAME_RESERVED USERNAME username")
	}
	wantProblems(t, w.client().create(signup.Input{Username: signup.Given("admin2")}))
	in := signup.InvitationInput{Input: signup.Input{EmailAddress: signup.Given("jane@example.com"), Username: signup.Given("Admin")}}
	done := w.client().create(signup.Input{Ticket: w.invite(in).Ticket, Username: signup.Given("admin"), Password: signup.Given(goodPassword)})
	wantStatus(t, done, engine.StatusComplete)
}

// TestCountries: numbers that share a country code are told apart.
func TestCountries(t *testing.T) {
	w := newWorld(t, `{"phoneNumber": {"enabled": true, "countries": ["us", "DE"]}}`)
	for _, number := range []string{"+1 604 555 1234", "+44 20 7183 8750", "+7 701 123 4567", "+881 612 345678"} {
		out := w.client().create(signup.Input{PhoneNumber: signup.Given(number), Start: starts(engine.PhoneCode)})
		if len(out.Problems) != 1 || out.Problems[0].Code != "COUNTRY_NOT_ALLOWED" || text(t, out.Problems[0].Field) != `["input","phoneNumber"]` {
			t.Errorf("%s: %v", number, out.Problems)
		}
	}
	for _, number := range []string{"+1 202 456 1414", "+49 30 901820"} {
		wantProblems(t, w.client().create(signup.Input{PhoneNumber: signup.Given(number), Start: starts(engine.PhoneCode)}))
	}
	if n := len(w.mail.all()); n != 2 {
		t.Errorf("%d messages were sent", n)
	}
}

// TestNoTextMessageLeavesForAnotherCountry, whoever asks for it and however the number
// came to be there.
func TestNoTextMessageLeavesForAnotherCountry(t *testing.T) {
	w, _ := withJane(t)
	stored := w.client()
	wantProblems(t, stored.create(signup.Input{PhoneNumber: signup.Given("+4989123456")}))
	sent := len(w.mail.all())
	w.set(`{"phoneNumber": {"countries": ["US"]}, ` + providerSettings + `}`)
	wantListed(t, stored.start(engine.PhoneCode).Problems, "\nCOUNTRY_NOT_ALLOWED PHONE_NUMBER strategy")
	out := stored.update(signup.Input{FirstName: signup.Given("Jane"), Start: starts(engine.PhoneCode)})
	wantListed(t, out.Problems, "\nCOUNTRY_NOT_ALLOWED PHONE_NUMBER startVerifications.0")
	r := out.SignUp.Requirements[engine.PhoneNumber]
	if out.SignUp.Values[engine.FirstName].Text != "" || slices.ContainsFunc(r.Actions, func(a engine.Action) bool { return a.Kind == engine.ActionStart }) || len(r.Actions) == 0 {
		t.Errorf("taken in part, or offered all the same: %s, %+v", describe(out), r)
	}

	sentAlong := w.client()
	sentAlong.create(signup.Input{})
	sentAlong.connect("acme", member{subject: "a", email: "a@example.com", emailVerified: true, phone: "+49 30 901821"})
	if got := sentAlong.signUp().Values[engine.PhoneNumber].Text; got != "+4930901821" {
		t.Fatalf("the provider's number is %q", got)
	}
	wantProblems(t, sentAlong.start(engine.PhoneCode), "COUNTRY_NOT_ALLOWED")

	known, unknown := w.client().askForCode(janesPhone), w.client().askForCode("+4989123457")
	if len(known.Problems)+len(unknown.Problems) > 0 || known.ID == "" || !known.ResendAt.Equal(unknown.ResendAt) {
		t.Errorf("who comes back is told %v, a stranger %v", known.Problems, unknown.Problems)
	}
	if n := len(w.mail.all()); n != sent {
		t.Errorf("%d messages left", n-sent)
	}
}

func TestAllCountriesAreWarnedOf(t *testing.T) {
	w := newWorld(t, "")
	for _, test := range []struct {
		settings string
		warned   bool
	}{
		{`{}`, false}, {`{"phoneNumber": {"enabled": true}}`, true}, {`{"phoneNumber": {"countries": ["DE"]}}`, false},
		{`{"phoneNumber": {"countries": [], "verifyAtSignUp": false}}`, false},
	} {
		warned := slices.ContainsFunc(w.set(test.settings).Warnings, func(f engine.Finding) bool {
			return f.Code == "ALL_COUNTRIES" && f.Path == "phoneNumber.countries" && strings.HasSuffix(f.Message, ".")
		})
		if warned != test.warned {
			t.Errorf("%s: warned %t", test.settings, warned)
		}
	}
}
