package signup_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"stepwise/engine"
	"stepwise/internal/signup"
)

var update = flag.Bool("update", false, "write the stories' transcripts anew")

// TestStories tells the stories in testdata: what follows a line that begins
// with ">" is what the service answers. Run with -update to write the answers
// anew, and read the difference.
func TestStories(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no stories", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			written, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			told := tell(t, string(written))
			if *update {
				if err := os.WriteFile(file, []byte(told), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			compareLines(t, strings.Split(told, "\n"), strings.Split(string(written), "\n"))
		})
	}
}

func compareLines(t *testing.T, got, want []string) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		var g, w string
		if i < len(got) {
			g = got[i]
		}
		if i < len(want) {
			w = want[i]
		}
		if g != w && !*update {
			t.Fatalf("line %d is\n\t%s\nwant\n\t%s\nall of it:\n%s", i+1, g, w, strings.Join(got, "\n"))
		}
	}
}

// tell plays the commands of a transcript and returns it with the answers.
func tell(t *testing.T, script string) string {
	n := &narrator{world: newWorld(t, ""), people: map[string]*client{}, members: map[string]member{}}
	n.switchTo("jane")
	var told strings.Builder
	answering := false
	for line := range strings.Lines(script) {
		switch {
		case strings.HasPrefix(line, ">"):
			told.WriteString(line)
			n.command(strings.TrimSpace(line[1:]))
			told.WriteString(n.out.String())
			n.out.Reset()
			answering = true
		case strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#"):
			told.WriteString(line)
			answering = false
		case !answering:
			t.Fatalf("neither a command nor an answer: %s", line)
		}
	}
	return told.String()
}

// narrator plays a story and writes down what happens. Ids and codes are random
// and are called by numbers.
type narrator struct {
	*world
	people  map[string]*client
	who     *client
	out     bytes.Buffer
	aliases []string
	told    int // messages already written down

	members                       map[string]member
	handles, tickets, invitations []string
	signed                        signup.Proof
}

func (n *narrator) say(format string, args ...any) { fmt.Fprintf(&n.out, format+"\n", args...) }

func (n *narrator) switchTo(name string) {
	if n.people[name] == nil {
		n.people[name] = n.client()
	}
	n.who = n.people[name]
}

func (n *narrator) command(line string) {
	words := split(n, line)
	args := words[1:]
	switch words[0] {
	case "as":
		n.switchTo(args[0])
	case "wait":
		d, err := time.ParseDuration(args[0])
		n.must(err)
		n.clock.advance(d)
	case "settings":
		n.settings(args)
	case "delivery":
		n.mail.refuse(map[string]error{"fails": errors.New("no route to host"), "works": nil}[args[0]])
	case "show":
		n.show()
	case "user":
		n.user()
	default:
		if !n.elsewhere(words[0], args) {
			n.mutate(words[0], args)
		}
	}
	n.messages()
}

// split takes a line apart at its spaces; quotation marks keep some together.
func split(t testing.TB, line string) []string {
	var words []string
	quoted := false
	word := ""
	for _, r := range line + " " {
		switch {
		case r == '"':
			quoted = !quoted
		case r == ' ' && !quoted:
			if word != "" {
				words = append(words, word)
			}
			word = ""
		default:
			word += string(r)
		}
	}
	if quoted || len(words) == 0 {
		t.Fatalf("not a command: %s", line)
	}
	return words
}

func (n *narrator) settings(args []string) {
	body := map[string]any{}
	for _, arg := range args {
		path, value, _ := strings.Cut(arg, "=")
		var v any
		if list, ok := strings.CutPrefix(value, "["); ok {
			v = strings.Split(strings.TrimSuffix(list, "]"), ",")
		} else if json.Unmarshal([]byte(value), &v) != nil {
			v = value
		}
		at := body
		steps := strings.Split(path, ".")
		for _, step := range steps[:len(steps)-1] {
			if at[step] == nil {
				at[step] = map[string]any{}
			}
			at = at[step].(map[string]any)
		}
		at[steps[len(steps)-1]] = v
	}
	n.saveSettings(patch(n, text(n, body)))
}

func (n *narrator) saveSettings(p signup.SettingsPatch) {
	saved, problems, err := n.service.UpdateSettings(n.Context(), n.secret(), p)
	n.must(err)
	n.problems(problems)
	if len(problems) == 0 {
		n.say("settings version %d", saved.Version)
		foreseen, err := n.service.Foresee(n.Context(), n.secret(), saved)
		n.must(err)
		for _, w := range foreseen.Warnings {
			n.say("  warning %s %s", w.Code, w.Path)
		}
	}
}

func (n *narrator) mutate(name string, args []string) {
	caller := n.who.principal()
	var out signup.Outcome
	var err error
	id, in, proof := n.input(args)
	switch name {
	case "create":
		out, err = n.service.Create(n.Context(), caller, in)
	case "update":
		out, err = n.service.Update(n.Context(), caller, id, in)
	case "start":
		out, err = n.service.StartVerification(n.Context(), caller, id, in.Start[0], in.IdempotencyKey)
	case "check":
		out, err = n.service.CheckVerification(n.Context(), caller, id, proof, in.IdempotencyKey)
	default:
		n.Fatalf("unknown command %s", name)
	}
	if err != nil {
		n.say("error %s", codeOf(err))
		return
	}
	n.problems(out.Problems)
	n.signUp(out.SignUp)
	if out.ClientToken != "" {
		n.who.token = out.ClientToken
		n.say("a new token")
	}
	if out.TransferToken != "" {
		n.who.transferToken = out.TransferToken
		n.say("a token to come back by")
	}
}

func (n *narrator) input(args []string) (id string, in signup.Input, proof signup.Proof) {
	var start signup.Start
	for _, arg := range args {
		name, value, _ := strings.Cut(arg, "=")
		if n.startFromElsewhere(&start, name, value) {
			continue
		}
		if p, ok := n.proofFromElsewhere(name, value); ok {
			proof = p
			continue
		}
		given := signup.Given(value)
		if value == "null" {
			given = signup.Null()
		}
		switch name {
		case "id":
			number, err := strconv.Atoi(value)
			n.must(err)
			id = n.aliases[number-1]
		case "emailAddress":
			in.EmailAddress = given
		case "phoneNumber":
			in.PhoneNumber = given
		case "username":
			in.Username = given
		case "password":
			in.Password = given
		case "firstName":
			in.FirstName = given
		case "lastName":
			in.LastName = given
		case "legalAccepted":
			accepted := value == "true"
			in.LegalAccepted = &accepted
		case "unsafeMetadata":
			in.UnsafeMetadata = map[string]any{"note": value}
		case "start":
			in.Start = append(in.Start, signup.Start{Strategy: engine.Strategy(value)})
		case arg: // a strategy alone
			in.Start = append(in.Start, signup.Start{Strategy: engine.Strategy(arg)})
		case "locale":
			in.Locale = given
		case "key":
			in.IdempotencyKey = value
		case "ticket":
			in.Ticket = n.ticketCalled(value)
		case "clear":
			a, _ := engine.ParseAttribute(value)
			in.Clear = append(in.Clear, a)
		case "email":
			proof = signup.Proof{Attribute: engine.EmailAddress, Code: n.codeCalled(value)}
		case "phone":
			proof = signup.Proof{Attribute: engine.PhoneNumber, Code: n.codeCalled(value)}
		default:
			n.Fatalf("unknown argument %s", arg)
		}
	}
	if len(in.Start) > 0 && start != (signup.Start{}) { // it is for the last one
		start.Strategy = in.Start[len(in.Start)-1].Strategy
		in.Start[len(in.Start)-1] = start
	}
	return id, in, proof
}

// codeCalled returns the code of the message with that number; "wrong" is one
// that is in none, "right" the one that is in the last.
func (n *narrator) codeCalled(name string) string {
	sent := n.mail.all()
	if name == "right" {
		return sent[len(sent)-1].Code
	}
	if name == "wrong" {
		for guess := 0; ; guess++ {
			code := fmt.Sprintf("%06d", guess)
			if !slices.ContainsFunc(sent, func(m signup.Message) bool { return m.Code == code }) {
				return code
			}
		}
	}
	if number, ok := strings.CutPrefix(name, "#"); ok {
		i, err := strconv.Atoi(number)
		n.must(err)
		return sent[i-1].Code
	}
	return name
}

func (n *narrator) show() {
	seen, err := n.service.SignUp(n.Context(), n.who.principal(), "")
	if err != nil {
		n.say("error %s", codeOf(err))
		return
	}
	n.signUp(seen)
}

// user shows what the person's sign-up has become.
func (n *narrator) user() {
	me, err := n.service.Client(n.Context(), n.who.principal())
	n.must(err)
	if me == nil || me.Active == nil {
		n.say("no session")
		return
	}
	u, err := n.service.User(n.Context(), n.secret(), me.Active.UserID)
	n.must(err)
	n.say("user %d, session %d", n.alias(u.ID), n.alias(me.Active.ID))
	for _, i := range u.Identifiers {
		verified := "unverified"
		if !i.VerifiedAt.IsZero() {
			verified = "verified at " + n.moment(i.VerifiedAt)
		}
		n.say("  %s %s, %s", i.Kind, i.Display, verified)
	}
	n.say("  name %q %q", u.FirstName, u.LastName)
	n.say("  password %t, metadata %s", u.HasPassword, u.UnsafeMetadata)
	if string(u.PublicMetadata) != "{}" {
		n.say("  public metadata %s", u.PublicMetadata)
	}
	if c := u.Consent; c != nil {
		n.say("  consent to %s at %s by %s", c.DocumentVersion, n.moment(c.At), c.Path)
	}
}

// alias numbers the ids in the order in which they appear.
func (n *narrator) alias(id string) int {
	i := slices.Index(n.aliases, id)
	if i < 0 {
		i = len(n.aliases)
		n.aliases = append(n.aliases, id)
	}
	return i + 1
}

func (n *narrator) moment(at time.Time) string { return "+" + at.Sub(dawn).String() }

func (n *narrator) messages() {
	sent := n.mail.all()
	for ; n.told < len(sent); n.told++ {
		m := sent[n.told]
		line := fmt.Sprintf("message #%d: %s to %s, good until %s", n.told+1, m.Channel, m.To, n.moment(m.ExpireAt))
		if m.Link != "" {
			line += ", with a link"
		}
		n.say("%s", line)
	}
}

func (n *narrator) problems(problems []signup.Problem) {
	for _, p := range problems {
		line := "refused " + string(p.Code)
		if p.Attribute != nil {
			line += " " + p.Attribute.String()
		}
		if len(p.Field) > 0 {
			line += " " + strings.Join(p.Field, ".")
		}
		if !p.RetryAfter.IsZero() {
			line += " until " + n.moment(p.RetryAfter)
		}
		n.say("%s", line)
	}
}
