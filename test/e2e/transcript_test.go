package e2e

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// transcript is a conversation in the terms of GraphQL, to be read and reviewed:
// what was asked, and of each answer what a client needs to go on. What differs
// from run to run is masked.
type transcript struct {
	strings.Builder
	masks []string // pairs for strings.NewReplacer
}

func (s *transcript) mask(secret, name string) { s.masks = append(s.masks, secret, name) }

// heading begins a part.
func (s *transcript) heading(format string, arguments ...any) {
	if s.Len() > 0 {
		s.WriteString("\n")
	}
	fmt.Fprintf(s, "# "+format+"\n", arguments...)
}

// scene begins a conversation within a part.
func (s *transcript) scene(format string, arguments ...any) {
	fmt.Fprintf(s, "\n"+format+"\n", arguments...)
}

// says writes down what happens beside the API.
func (s *transcript) says(format string, arguments ...any) {
	fmt.Fprintf(s, "  … "+format+"\n", arguments...)
}

// asked writes down a mutation and its answer.
func (s *transcript) asked(mutation string, input map[string]any, o outcome) {
	fmt.Fprintf(s, "  %s(input: %s)\n", mutation, literal(input))
	if o.SignUp != nil {
		s.WriteString(shown(*o.SignUp))
	}
	for _, e := range o.UserErrors {
		fmt.Fprintf(s, "      userErrors: %s %s %v: %s\n", e.Code, e.Attribute, e.Field, e.Message)
	}
}

// compare compares the transcript with testdata.
func (s *transcript) compare(t *testing.T, name string) {
	t.Helper()
	compareTranscript(t, name, strings.NewReplacer(s.masks...).Replace(s.String()))
}

// shown are the lists, the values, and where verifications stand.
func shown(s signUp) string {
	var b strings.Builder
	fmt.Fprintf(&b, "      status: %s\n", s.Status)
	for _, list := range []struct {
		name   string
		fields []string
	}{
		{"requiredFields", s.RequiredFields}, {"optionalFields", s.OptionalFields},
		{"missingFields", s.MissingFields}, {"unverifiedFields", s.UnverifiedFields},
	} {
		if len(list.fields) > 0 {
			fmt.Fprintf(&b, "      %s: %s\n", list.name, strings.Join(list.fields, " "))
		}
	}
	for _, x := range s.Blockers {
		fmt.Fprintf(&b, "      blockers: %s %s\n", x.Code, x.Attribute)
	}
	for _, v := range []struct {
		name  string
		state *verification
	}{
		{"emailAddress", s.Verifications.EmailAddress}, {"phoneNumber", s.Verifications.PhoneNumber},
		{"web3Wallet", s.Verifications.Web3Wallet}, {"externalAccount", s.Verifications.ExternalAccount},
	} {
		if v.state == nil {
			continue
		}
		fmt.Fprintf(&b, "      verifications.%s: %s", v.name, strings.TrimSpace(v.state.Status+" "+v.state.failure()))
		fmt.Fprintf(&b, " (%s)\n", v.state.Strategy)
	}
	for _, v := range []struct {
		name string
		text *string
	}{
		{"emailAddress", s.EmailAddress}, {"phoneNumber", s.PhoneNumber}, {"firstName", s.FirstName}, {"lastName", s.LastName}, {"web3Wallet", s.Web3Wallet},
	} {
		if v.text != nil {
			fmt.Fprintf(&b, "      %s: %q\n", v.name, *v.text)
		}
	}
	return b.String()
}

var enumValue = regexp.MustCompile(`^[A-Z][A-Z0-9]*(_[A-Z0-9]+)*$`)

// literal writes a value as a document would have it.
func literal(value any) string {
	switch v := value.(type) {
	case map[string]any:
		var members []string
		for _, name := range slices.Sorted(maps.Keys(v)) {
			members = append(members, name+": "+literal(v[name]))
		}
		return "{" + strings.Join(members, ", ") + "}"
	case []any:
		var members []string
		for _, member := range v {
			members = append(members, literal(member))
		}
		return "[" + strings.Join(members, ", ") + "]"
	case string:
		if enumValue.MatchString(v) {
			return v
		}
		return fmt.Sprintf("%q", v)
	}
	return fmt.Sprint(value)
}

// storyteller is a client whose conversation is written down.
type storyteller struct {
	*client
	t    testing.TB
	told *transcript
}

func (s storyteller) ask(mutation string, input map[string]any) signUp {
	s.t.Helper()
	o, err := s.try(mutation, strings.ToUpper(mutation[:1])+mutation[1:]+"Input", input)
	if err != nil {
		s.t.Fatalf("%s: %v", mutation, err)
	}
	s.told.asked(mutation, input, o)
	if o.SignUp == nil {
		s.t.Fatalf("%s: no sign-up: %+v", mutation, o.UserErrors)
	}
	return *o.SignUp
}

// agreed is ask where nothing may be refused.
func (s storyteller) agreed(mutation string, input map[string]any) signUp {
	s.t.Helper()
	before := s.told.Len()
	now := s.ask(mutation, input)
	if said := s.told.String()[before:]; strings.Contains(said, "userErrors: ") {
		s.t.Fatalf("refused:\n%s", said)
	}
	return now
}

// answers are what the people of the transcripts give where they are asked.
var answers = map[string]any{
	"EMAIL_ADDRESS": "given@example.com", "PHONE_NUMBER": "+12025550142", "PASSWORD": goodPassword,
	"FIRST_NAME": "Grace", "LAST_NAME": "Hopper",
}

var inputOf = map[string]string{
	"EMAIL_ADDRESS": "emailAddress", "PHONE_NUMBER": "phoneNumber", "PASSWORD": "password", "FIRST_NAME": "firstName", "LAST_NAME": "lastName",
}

// goesOn does what the sign-up asks for, knowing nothing but its lists and its
// actions, until it is complete.
func (s storyteller) goesOn(now signUp, given map[string]any) signUp {
	s.t.Helper()
	for range 10 {
		if now.Status != "MISSING_REQUIREMENTS" {
			return now
		}
		now = s.step(now, given)
	}
	s.t.Fatalf("ten steps and no end: %+v", now)
	return now
}

func (s storyteller) step(now signUp, given map[string]any) signUp {
	s.t.Helper()
	if len(now.MissingFields) > 0 {
		input := map[string]any{}
		for _, field := range now.MissingFields {
			value, ok := given[field]
			if !ok {
				value, ok = answers[field]
			}
			if ok {
				input[inputOf[field]] = value
			}
		}
		return s.agreed("signUpUpdate", input)
	}
	if len(now.UnverifiedFields) == 0 {
		s.t.Fatalf("nothing is missing or unverified, and it is not complete: %+v", now)
	}
	field := now.UnverifiedFields[0]
	strategy := map[string]string{"EMAIL_ADDRESS": "EMAIL_CODE", "PHONE_NUMBER": "PHONE_CODE"}[field]
	proof, address := "emailCode", now.EmailAddress
	if field == "PHONE_NUMBER" {
		proof, address = "phoneCode", now.PhoneNumber
	}
	if !slices.Contains(actionsOf(now, field), "CHECK_VERIFICATION") {
		return s.agreed("signUpVerificationStart", map[string]any{"strategy": strategy})
	}
	code := s.code(s.t, *address)
	s.told.mask(`"`+code+`"`, "THE_CODE_SENT")
	return s.agreed("signUpVerificationCheck", map[string]any{"proof": map[string]any{proof: code}})
}

func actionsOf(s signUp, field string) (kinds []string) {
	for _, r := range s.Requirements {
		if r.Field != field {
			continue
		}
		for _, a := range r.Actions {
			kinds = append(kinds, a.Kind)
		}
	}
	return kinds
}

// becomes writes down the user that a sign-up has become.
func (s *transcript) becomes(t testing.TB, administrator *client, done signUp) user {
	t.Helper()
	for _, u := range administrator.users(t, "") {
		if u.ID != done.CreatedUserID {
			continue
		}
		var has []string
		for _, i := range u.Identifiers {
			verified := "verified"
			if i.VerifiedAt == nil {
				verified = "unverified"
			}
			has = append(has, fmt.Sprintf("%s %s (%s)", i.Field, i.Value, verified))
		}
		name := strings.TrimSpace(orEmpty(u.FirstName) + " " + orEmpty(u.LastName))
		s.says("the user has the name %q, a password: %v, and %s", name, u.PasswordEnabled, strings.Join(has, ", "))
		return u
	}
	t.Errorf("there is no user %q", done.CreatedUserID)
	return user{}
}

func orEmpty(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}
