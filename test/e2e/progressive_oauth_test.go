package e2e

import (
	"testing"

	"stepwise/internal/realtest"
)

// The announcement of Progressive Sign Up, sentence by sentence, with a real
// provider. Each conversation is in testdata, under both algorithms, to be read;
// what must be so whatever the transcript says is asserted here.

// algorithms are the two states of the switch.
var algorithms = []struct {
	name        string
	progressive bool
}{{"Progressive Sign Up", true}, {"The legacy algorithm", false}}

// stage is a program with a provider of its own, under one algorithm.
type stage struct {
	t             *testing.T
	told          *transcript
	server        *realtest.ServerProgram
	provider      *provider
	administrator *client
}

// onStage plays a part under both algorithms and compares what was said.
func onStage(t *testing.T, file, sentence string, settings map[string]any, play func(s stage, progressive bool)) {
	t.Helper()
	if !needsNode(t) {
		return
	}
	t.Parallel()
	told := &transcript{}
	told.heading("%s", sentence)
	for _, algorithm := range algorithms {
		server := realtest.Program(t, realtest.ProgramOptions{})
		s := stage{t, told, server, startProvider(t, server), newAdministrator(t, server)}
		told.heading("%s", algorithm.name)
		told.says("settings beside those of a new instance: %s", literal(changed(settings, "progressiveSignUp", algorithm.progressive)))
		s.administrator.changeSettings(t, changed(settings, "progressiveSignUp", algorithm.progressive, "externalAccount", s.provider.settings()))
		play(s, algorithm.progressive)
	}
	told.compare(t, file)
}

func changed(settings map[string]any, more ...any) map[string]any {
	all := map[string]any{}
	for name, value := range settings {
		all[name] = value
	}
	for i := 0; i < len(more); i += 2 {
		all[more[i].(string)] = more[i+1]
	}
	return all
}

// signsUp opens a sign-up at the provider and comes back as a person.
func (s stage) signsUp(person string) (storyteller, signUp) {
	s.t.Helper()
	s.told.scene("%s:", person)
	who := storyteller{newClient(s.t, s.server), s.t, s.told}
	opened := who.ask("signUpCreate", map[string]any{"startVerifications": []any{oauthStart}})
	handle := s.provider.visit(s.t, accountChallenge(s.t, opened), person)
	s.told.says("the person goes to the challenge's url and comes back to %s?sign_up_handle=HANDLE", landingPage)
	s.told.mask(handle, "HANDLE")
	return who, who.ask("signUpVerificationCheck", map[string]any{"proof": map[string]any{"oauthHandle": handle}})
}

// on is a field that is required.
var on = map[string]any{"enabled": true, "required": true}

func TestAccountAndRequiredNamesAndPhone(t *testing.T) {
	onStage(t, "oauth-names-and-phone.txt",
		"With an account, required names and a required phone number were passed over; now they are collected before the sign-up completes: "+
			"after a successful OAuth flow the status may be MISSING_REQUIREMENTS, and missingFields need not be empty",
		map[string]any{"firstName": on, "lastName": on, "phoneNumber": on},
		func(s stage, progressive bool) {
			for i, person := range []string{"verified-named", "verified-nameless"} {
				who, back := s.signsUp(person)
				if complete := back.Status == "COMPLETE"; complete == progressive {
					t.Errorf("%s: %s after the account, progressive %v", person, back.Status, progressive)
				}
				done := who.goesOn(back, map[string]any{"PHONE_NUMBER": []string{"+12025550142", "+12025550143"}[i]})
				u := s.told.becomes(t, s.administrator, done)
				if has := u.PhoneNumber != nil; has != progressive {
					t.Errorf("%s: phone number %v, progressive %v", person, u.PhoneNumber, progressive)
				}
				if has := u.FirstName != nil; has != (progressive || person == "verified-named") {
					t.Errorf("%s: first name %v, progressive %v", person, u.FirstName, progressive)
				}
			}
		})
}

func TestAccountsWithoutAVerifiedEmail(t *testing.T) {
	onStage(t, "oauth-email.txt",
		"An account without a verified email address ended in an error; now the address is asked for and verified: "+
			"after a successful OAuth flow unverifiedFields need not be empty",
		nil,
		func(s stage, progressive bool) {
			for _, person := range []string{
				"verified-named", "verified-nameless", "unverified-named", "unverified-nameless", "absent-named", "absent-nameless",
				"string-named", "string-nameless", "unclaimed-named", "unclaimed-nameless",
			} {
				who, back := s.signsUp(person)
				verified := person == "verified-named" || person == "verified-nameless"
				if (back.Status == "COMPLETE") != verified {
					t.Errorf("%s: %s after the account", person, back.Status)
				}
				failure := back.Verifications.ExternalAccount.failure()
				if refused := failure == "PROVIDER_EMAIL_NOT_VERIFIED"; refused == (progressive || verified) {
					t.Errorf("%s: failure %q, progressive %v", person, failure, progressive)
				}
				done := who.goesOn(back, map[string]any{"EMAIL_ADDRESS": "own-" + person + "@example.com"})
				u := s.told.becomes(t, s.administrator, done)
				if len(u.Identifiers) == 0 || u.EmailAddress == nil {
					t.Errorf("%s: a user without an address: %+v", person, u)
				}
				for _, i := range u.Identifiers {
					if i.VerifiedAt == nil || i.Field == "EXTERNAL_ACCOUNT" && (i.Issuer != s.provider.issuer || i.Subject != person) {
						t.Errorf("%s: %+v", person, i)
					}
				}
			}
		})
}

func TestAccountsAndOptionalAddresses(t *testing.T) {
	onStage(t, "oauth-addresses.txt",
		"Emails and phones can be required or optional, and sign-ups honour it",
		map[string]any{
			"emailAddress": map[string]any{"enabled": true, "required": false}, "phoneNumber": on,
			"password": map[string]any{"enabled": true, "required": false},
		},
		func(s stage, progressive bool) {
			for i, person := range []string{"verified-named", "absent-named", "unverified-named"} {
				who, back := s.signsUp(person)
				done := who.goesOn(back, map[string]any{
					"EMAIL_ADDRESS": "own-" + person + "@example.com", "PHONE_NUMBER": []string{"+12025550142", "+12025550143", "+12025550144"}[i],
				})
				u := s.told.becomes(t, s.administrator, done)
				if progressive && (u.PhoneNumber == nil || (u.EmailAddress == nil) != (person == "absent-named")) {
					t.Errorf("%s: %+v; want a phone number, and the address that the provider sent", person, u)
				}
			}
			s.told.scene("somebody who fills in the form:")
			who := storyteller{newClient(t, s.server), t, s.told}
			opened := who.ask("signUpCreate", map[string]any{"emailAddress": "form@example.com"})
			done := who.goesOn(opened, map[string]any{"PHONE_NUMBER": "+12025550145"})
			if u := s.told.becomes(t, s.administrator, done); (u.PhoneNumber != nil) != progressive || u.EmailAddress == nil {
				t.Errorf("by the form: %+v, progressive %v", u, progressive)
			}
		})
}
