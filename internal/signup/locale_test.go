package signup_test

import (
	"fmt"
	"strings"
	"testing"

	"stepwise/engine"
	"stepwise/internal/signup"
)

// languages are those of the messages that went out, oldest first.
func (m *mailbox) languages() string {
	var list []string
	for _, message := range m.all() {
		list = append(list, message.Language)
	}
	return strings.Join(list, " ")
}

// TestMessagesSpeakTheLanguageAskedFor: what the input names counts first, then what
// the browser asks for, then the instance's default.
func TestMessagesSpeakTheLanguageAskedFor(t *testing.T) {
	for _, test := range []struct {
		defaultLocale, header string
		locale                signup.Text
		shown, language       string
	}{
		{"en", "", signup.Text{}, "", "en"},
		{"es", "", signup.Text{}, "", "es"},
		{"en", "es-AR, en;q=0.5", signup.Text{}, "es", "es"},
		{"es", "de, en;q=0.5", signup.Text{}, "en", "en"},
		{"es", "de", signup.Text{}, "", "es"},
		{"en", "en", signup.Given("es-mx"), "es-MX", "es"},
		{"es", "en", signup.Given("de-AT"), "de-AT", "es"},
		{"en", "es", signup.Null(), "", "en"},
	} {
		t.Run(fmt.Sprintf("%s %s %v", test.defaultLocale, test.header, test.shown), func(t *testing.T) {
			w := newWorld(t, `{"defaultLocale": "`+test.defaultLocale+`"}`)
			in := signup.Input{EmailAddress: signup.Given(janesEmail), Start: starts(engine.EmailCode), Locale: test.locale}
			caller := w.as("")
			caller.AcceptLanguage = test.header
			out, err := w.service.Create(t.Context(), caller, in)
			w.must(err)
			if len(out.Problems) > 0 || out.SignUp.Locale != test.shown {
				t.Fatalf("locale %q, problems %v", out.SignUp.Locale, out.Problems)
			}
			if got := w.mail.languages(); got != test.language {
				t.Errorf("the message is in %q, want %q", got, test.language)
			}
		})
	}
}

// TestLocaleIsKept: it holds until the client gives another; the header counts on
// creation alone.
func TestLocaleIsKept(t *testing.T) {
	w := newWorld(t, "")
	c := w.client()
	c.create(signup.Input{EmailAddress: signup.Given(janesEmail), Locale: signup.Given("es")})
	again := func(in signup.Input) *signup.SignUp {
		t.Helper()
		w.clock.advance(engine.ResendInterval)
		in.Start = starts(engine.EmailCode)
		caller := c.principal()
		caller.AcceptLanguage = "en"
		out, err := w.service.Update(t.Context(), caller, "", in)
		w.must(err)
		if len(out.Problems) > 0 {
			t.Fatal(out.Problems)
		}
		return out.SignUp
	}
	for _, step := range []struct {
		locale signup.Text
		shown  string
	}{{signup.Text{}, "es"}, {signup.Given("en-GB"), "en-GB"}, {signup.Text{}, "en-GB"}, {signup.Null(), ""}} {
		if s := again(signup.Input{Locale: step.locale}); s.Locale != step.shown {
			t.Errorf("locale %q, want %q", s.Locale, step.shown)
		}
	}
	if got := w.mail.languages(); got != "es en en en" {
		t.Errorf("the messages are in %s", got)
	}
	// A change of it alone is a change.
	before, err := w.service.SignUp(t.Context(), c.principal(), "")
	w.must(err)
	out, err := w.service.Update(t.Context(), c.principal(), "", signup.Input{Locale: signup.Given("es")})
	w.must(err)
	if out.SignUp.Locale != "es" || out.SignUp.Revision != before.Revision+1 {
		t.Errorf("locale %q, revision %d after %d", out.SignUp.Locale, out.SignUp.Revision, before.Revision)
	}
	// What is refused changes none.
	out, err = w.service.Update(t.Context(), c.principal(), "", signup.Input{Locale: signup.Given("en"), FirstName: signup.Given("")})
	w.must(err)
	if len(out.Problems) != 1 || out.SignUp.Locale != "es" {
		t.Errorf("locale %q, problems %v", out.SignUp.Locale, out.Problems)
	}
}

// TestSignInSpeaksTheLanguageAskedFor: as on signing up.
func TestSignInSpeaksTheLanguageAskedFor(t *testing.T) {
	w := newWorld(t, manyWaysBack)
	w.signUpJane()
	before := len(w.mail.all())
	for _, ask := range []struct {
		header string
		locale signup.Text
		want   string
	}{{"", signup.Text{}, "en"}, {"es-ES", signup.Text{}, "es"}, {"en", signup.Given("es-CL"), "es"}, {"es", signup.Null(), "en"}} {
		caller := w.as("")
		caller.AcceptLanguage = ask.header
		out, err := w.service.StartSession(t.Context(), caller, janesEmail, ask.locale)
		w.must(err)
		w.service.Wait()
		sent := w.mail.all()
		if len(out.Problems) > 0 || len(sent) != before+1 || sent[before].Language != ask.want || sent[before].Purpose != signup.PurposeSignIn {
			t.Fatalf("%+v: %v, %+v", ask, out.Problems, sent[before:])
		}
		before++
	}
	out, err := w.service.StartSession(t.Context(), w.as(""), "nobody at all", signup.Given("es_ES"))
	w.must(err)
	if got := codesOf(out.Problems); fmt.Sprint(got) != "[INVALID_FORMAT INVALID_FORMAT]" || out.ID != "" || len(w.mail.all()) != before {
		t.Errorf("problems %v", out.Problems)
	}
}

// TestInvitationSpeaksTheLanguageAskedFor: the language of the one who invites says
// nothing about the guest's.
func TestInvitationSpeaksTheLanguageAskedFor(t *testing.T) {
	w := inviting(t)
	for i, ask := range []struct {
		locale signup.Text
		want   string
	}{{signup.Text{}, "en"}, {signup.Given("es"), "es"}, {signup.Null(), "en"}} {
		caller := w.secret()
		caller.AcceptLanguage = "es"
		in := signup.InvitationInput{
			Input:     signup.Input{EmailAddress: signup.Given(fmt.Sprintf("guest%d@example.com", i)), Locale: ask.locale},
			SendEmail: true, RedirectURL: "https://app.example/join",
		}
		out, err := w.service.Invite(t.Context(), caller, in)
		w.must(err)
		if sent := w.mail.all(); len(out.Problems) > 0 || len(sent) != i+1 || sent[i].Language != ask.want {
			t.Fatalf("%v: %v, %+v", ask, out.Problems, sent)
		}
	}
	out, err := w.service.Invite(t.Context(), w.secret(), signup.InvitationInput{Input: signup.Input{Locale: signup.Given("no language at all")}})
	w.must(err)
	if out.Invitation != nil || len(out.Problems) != 1 || out.Problems[0].Code != signup.CodeInvalidFormat || strings.Join(out.Problems[0].Field, ".") != "input.locale" {
		t.Errorf("%+v", out)
	}
}

// TestOwnersAreToldInTheLanguageAskedFor: the message to a user in the place of a code
// is in the language of the sign-up, as the code would be.
func TestOwnersAreToldInTheLanguageAskedFor(t *testing.T) {
	w := newWorld(t, `{"enumerationProtection": true}`)
	w.completed(verifiedAddress)
	c := w.client()
	c.create(signup.Input{EmailAddress: signup.Given(verifiedAddress), Start: starts(engine.EmailCode), Locale: signup.Given("es")})
	sent := w.mail.all()
	if last := sent[len(sent)-1]; last.Purpose != signup.PurposeAccountExists || last.Language != "es" {
		t.Errorf("%+v", last)
	}
}

// TestNoMessageCarriesWordsOfTheCaller: neither names nor usernames nor locales, in no
// language, for no purpose.
func TestNoMessageCarriesWordsOfTheCaller(t *testing.T) {
	for _, locale := range []string{"en", "es", "es-x-canary", "qaa-x-canary"} {
		w := newWorld(t, `{"username": {"enabled": true}, "allowedRedirects": ["https://app.example/join"], "enumerationProtection": true}`)
		words := func() signup.Input {
			return signup.Input{
				EmailAddress: signup.Given(verifiedAddress), Username: signup.Given("canary_name"), FirstName: signup.Given("Canary"), LastName: signup.Given("canary"),
				UnsafeMetadata: map[string]any{"note": "canary"}, Locale: signup.Given(locale),
			}
		}
		c := w.client()
		in := words()
		in.Start, in.Password = starts(engine.EmailCode), signup.Given(janesPassword)
		c.create(in)
		c.check(engine.EmailAddress, w.mail.code(w, verifiedAddress))
		in = words()
		in.Username, in.Start = signup.Given("canary_2"), starts(engine.EmailCode)
		w.client().create(in) // a user's address: the other message
		_, err := w.service.StartSession(t.Context(), w.as(""), verifiedAddress, signup.Given(locale))
		w.must(err)
		w.service.Wait()
		in = words()
		in.EmailAddress, in.Username = signup.Given("guest@example.com"), signup.Given("canary_3")
		w.invite(signup.InvitationInput{Input: in, SendEmail: true, RedirectURL: "https://app.example/join"})
		purposes := map[signup.Purpose]bool{}
		for _, m := range w.mail.all() {
			purposes[m.Purpose] = true
			if said := strings.ToLower(fmt.Sprintf("%+v", m)); strings.Contains(said, "canary") {
				t.Errorf("%s: %s", locale, said)
			}
		}
		if len(purposes) != 4 {
			t.Errorf("%s: purposes %v", locale, purposes)
		}
	}
}
