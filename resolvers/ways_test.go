package resolvers

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"stepwise/engine"
)

// Settings drawn from all that an operator can have, on deployments that lack one
// thing or none.

type toggled = map[string]any

func oneOf[T any](r *rand.Rand, list ...T) T { return list[r.IntN(len(list))] }

func draw(r *rand.Rand) toggled {
	field := func() toggled {
		return oneOf(r, toggled{"enabled": false, "required": false}, toggled{"enabled": true, "required": false}, toggled{"enabled": true, "required": true})
	}
	address := func() toggled {
		f := field()
		f["verifyAtSignUp"] = r.IntN(4) > 0
		return f
	}
	provider := func(name string, trusted bool) toggled {
		return toggled{"name": name, "issuer": "https://" + name + ".example", "clientId": "stepwise", "trustEmail": trusted, "enabled": r.IntN(2) == 0}
	}
	return toggled{
		"progressiveSignUp": r.IntN(3) > 0, "signUpMode": oneOf(r, "PUBLIC", "PUBLIC", "PUBLIC", "RESTRICTED"),
		"emailAddress": address(), "phoneNumber": address(), "username": field(), "web3Wallet": field(), "password": field(),
		"firstName": field(), "lastName": field(), "legalConsent": toggled{"enabled": r.IntN(3) == 0},
		"externalAccount": toggled{"required": r.IntN(4) == 0, "providers": []any{provider("acme", true), provider("forum", false)}},
	}
}

func drawAbilities(r *rand.Rand) engine.Capabilities {
	can := engine.Capabilities{SendEmail: true, SendSMS: true, ProveWallet: true, ProveAccount: true}
	switch r.IntN(8) {
	case 0:
		can.SendEmail = false
	case 1:
		can.SendSMS = false
	case 2:
		can.ProveWallet = false
	case 3:
		can.ProveAccount = false
	}
	return can
}

// change applies settings and returns why they are refused.
func (d *deployment) change(settings toggled) []refusal {
	d.Helper()
	var data struct {
		InstanceSettingsUpdate struct{ UserErrors []refusal }
	}
	d.ask("admin", `mutation($input: InstanceSettingsUpdateInput!) { instanceSettingsUpdate(input: $input) { userErrors { code message field } } }`,
		map[string]any{"input": settings}, &data)
	return data.InstanceSettingsUpdate.UserErrors
}

// way is one of `instanceSettings.ways`, as a client reads it.
type way struct {
	Path, Provider, Outlook string
	Cases                   []struct {
		Arrival   engine.Arrival
		Completes bool
		Steps     []struct {
			Kind, Field, Strategy, Provider string
			Sends                           engine.Arrival
		}
		Stop *struct {
			Field, Reason, Blocker string
			Source                 struct{ Kind, Name string }
		}
	}
}

func (d *deployment) ways() []way {
	d.Helper()
	var data struct{ InstanceSettings struct{ Ways []way } }
	d.ask("admin", `{ instanceSettings { ways { path provider outlook cases { arrival completes
		steps { kind field strategy provider sends } stop { field reason blocker source { kind name } } } } } }`, nil, &data)
	return data.InstanceSettings.Ways
}

// arrive opens a sign-up that comes in with an invitation, or with nothing.
func (p *performer) arrive(path string, arrival engine.Arrival) []refusal {
	p.Helper()
	if path != "TICKET" {
		return p.do("signUpCreate", map[string]any{})
	}
	input := map[string]any{}
	switch arrival {
	case engine.ArrivesVerifiedEmail:
		input["emailAddress"] = p.name + "@invited.example"
	case engine.ArrivesVerifiedPhone:
		_, number := p.value("PHONE_NUMBER")
		input["phoneNumber"] = number.(string)[:len(number.(string))-7] + "5" + number.(string)[len(number.(string))-6:]
	}
	var data struct {
		InvitationCreate struct {
			Ticket     string
			UserErrors []refusal
		}
	}
	p.ask("admin", `mutation($input: InvitationCreateInput!) { invitationCreate(input: $input) { ticket userErrors { code message } } }`, map[string]any{"input": input}, &data)
	if e := data.InvitationCreate.UserErrors; len(e) > 0 {
		return e
	}
	return p.do("signUpCreate", map[string]any{"ticket": data.InvitationCreate.Ticket})
}

// rounds is how many settings an ordinary run draws; a campaign draws many more.
func rounds(ordinary, campaign int) int {
	if os.Getenv("CAMPAIGN") != "" {
		return campaign
	}
	return ordinary
}

// TestWitnessesReplay does what each way's proof says, through GraphQL: the sign-up
// completes with the last step, and not before. Where a way is impossible, the change
// that made it so was refused.
func TestWitnessesReplay(t *testing.T) {
	d := newDeployment(t)
	r := rand.New(rand.NewPCG(1, 2))
	n, replayed, impossible := 0, 0, 0
	for range rounds(200, 5000) {
		settings, can := draw(r), drawAbilities(r)
		d.able(can)
		if refused := d.change(settings); len(refused) > 0 {
			if refused[0].Code == "WAY_IMPOSSIBLE" {
				impossible++
			}
			continue
		}
		for _, w := range d.ways() {
			for _, c := range w.Cases {
				if !c.Completes {
					continue
				}
				n++
				replayed++
				p := d.performer(n)
				refused := p.arrive(w.Path, c.Arrival)
				for _, step := range c.Steps {
					if len(refused) > 0 || p.now.Status != "MISSING_REQUIREMENTS" {
						break
					}
					switch step.Kind {
					case "PROVIDE":
						refused = p.provide(step.Field)
					case "CLEAR":
						refused = p.clear(step.Field)
					case "START_VERIFICATION":
						refused = p.start(step.Strategy, step.Provider)
					case "CHECK_VERIFICATION":
						refused = p.check(step.Field, step.Sends)
					}
					if len(refused) > 0 {
						t.Fatalf("%v, %+v, by %s %s with %s: %+v is refused: %v", settings, can, w.Path, w.Provider, c.Arrival, step, refused)
					}
				}
				if len(refused) > 0 || p.now.Status != "COMPLETE" || p.now.CreatedUserID == nil {
					t.Fatalf("%v, %+v, by %s %s with %s: after %+v it is %+v, refused %v", settings, can, w.Path, w.Provider, c.Arrival, c.Steps, p.now, refused)
				}
			}
		}
	}
	t.Logf("replayed %d witnesses; %d changes would have made a way impossible", replayed, impossible)
	if replayed < 100 || impossible == 0 {
		t.Error("too little was tried")
	}
}

// TestClientThatKnowsNoOrder: a program that reads nothing but `requirements` brings
// every sign-up to its end, whatever the settings, and never reads two things that
// contradict each other.
func TestClientThatKnowsNoOrder(t *testing.T) {
	d := newDeployment(t)
	r := rand.New(rand.NewPCG(3, 4))
	n, walked := 0, 0
	for range rounds(200, 5000) {
		settings := draw(r)
		if len(d.change(settings)) > 0 {
			continue
		}
		for _, path := range []string{"FORM", "TICKET"} {
			if path == "FORM" && settings["signUpMode"] == "RESTRICTED" {
				continue
			}
			n++
			walked++
			p := d.performer(n)
			arrivals := []engine.Arrival{engine.ArrivesBare}
			if settings["emailAddress"].(toggled)["enabled"] == true {
				arrivals = append(arrivals, engine.ArrivesVerifiedEmail)
			}
			if settings["phoneNumber"].(toggled)["enabled"] == true {
				arrivals = append(arrivals, engine.ArrivesVerifiedPhone)
			}
			if refused := p.arrive(path, oneOf(r, arrivals...)); len(refused) > 0 {
				t.Fatalf("%v: nobody can come by %s: %v", settings, path, refused)
			}
			for step := 0; p.now.Status != "COMPLETE"; step++ {
				if why := p.contradiction(); why != "" {
					t.Fatalf("%v: %s: %+v", settings, why, p.now)
				}
				if step == 100 {
					t.Fatalf("%v: no end: %+v", settings, p.now)
				}
				p.follow(r)
			}
			if why := p.contradiction(); why != "" {
				t.Fatalf("%v: at the end %s: %+v", settings, why, p.now)
			}
		}
	}
	t.Logf("walked %d sign-ups", walked)
	if walked < 50 {
		t.Error("too few were walked")
	}
}

// contradiction says where lists, states, blockers and status disagree.
func (p *performer) contradiction() string {
	outstanding := false
	for _, q := range p.now.Requirements {
		missing, unverified := q.State == "MISSING", q.State == "UNVERIFIED"
		outstanding = outstanding || missing || unverified
		listed := slices.Contains(p.now.RequiredFields, q.Field) || slices.Contains(p.now.OptionalFields, q.Field)
		switch {
		case missing != slices.Contains(p.now.MissingFields, q.Field), unverified != slices.Contains(p.now.UnverifiedFields, q.Field):
			return fmt.Sprintf("%s is %s", q.Field, q.State)
		case listed == (q.State == "DISABLED"):
			return fmt.Sprintf("%s is %s and listed: %t", q.Field, q.State, listed)
		case q.Source.Kind == "" || q.Source.Name == "":
			return fmt.Sprintf("%s is %s for %s, which nothing is behind", q.Field, q.State, q.Reason)
		}
	}
	if (p.now.Status == "COMPLETE") == (outstanding || len(p.now.Blockers) > 0) {
		return fmt.Sprintf("the status is %s", p.now.Status)
	}
	return ""
}

// follow takes any field that is missing or unverified and does what is offered.
func (p *performer) follow(r *rand.Rand) {
	p.Helper()
	var todo []int
	for i, q := range p.now.Requirements {
		if (q.State == "MISSING" || q.State == "UNVERIFIED") && len(q.Actions) > 0 {
			todo = append(todo, i)
		}
	}
	if len(todo) == 0 {
		p.Fatalf("nothing is offered: %+v", p.now)
	}
	q := p.now.Requirements[oneOf(r, todo...)]
	offers := map[string][]string{}
	for _, a := range q.Actions {
		offers[a.Kind] = append([]string{}, a.Strategies...)
	}
	var refused []refusal
	switch _, can := offers["CHECK_VERIFICATION"]; {
	case can:
		refused = p.check(q.Field, engine.ArrivesVerifiedEmail)
	case q.State == "MISSING" && offers["PROVIDE"] != nil:
		refused = p.provide(q.Field)
	case offers["START_VERIFICATION"] != nil:
		refused = p.start(offers["START_VERIFICATION"][0], p.someProvider())
	default:
		refused = p.clear(q.Field)
	}
	if len(refused) > 0 {
		p.Fatalf("what is offered for %s is refused: %v; %+v", q.Field, refused, p.now)
	}
}

// someProvider is one of those that a form would have buttons for.
func (p *performer) someProvider() string {
	p.Helper()
	var data struct {
		PublicSettings struct{ Providers []struct{ Name string } }
	}
	p.ask(p.name, "{ publicSettings { providers { name } } }", nil, &data)
	if len(data.PublicSettings.Providers) == 0 {
		return ""
	}
	return data.PublicSettings.Providers[0].Name
}
