package resolvers

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"stepwise/engine"
)

// impactTold is an impact as an administrator reads it.
type impactTold struct {
	SignUps, Unchanged, Asked, Blocked, Freed, Completing, Unknown int
	Effects                                                        []struct {
		Path, Provider, Kind, Field, Reason, Blocker string
		Counts                                       struct{ Opened, Completed, Abandoned, Open int }
	}
}

const impactFields = `{ signUps unchanged asked blocked freed completing unknown
	effects { path provider kind field reason blocker counts { opened completed abandoned open } } }`

type previewTold struct {
	Settings    *struct{ Version int }
	Changes     []struct{ Setting string }
	Open, Ended *impactTold
	UserErrors  []refusal
}

func (d *deployment) preview(settings toggled) previewTold {
	d.Helper()
	var data struct{ InstanceSettingsPreview previewTold }
	d.ask("admin", `query($input: InstanceSettingsUpdateInput!) { instanceSettingsPreview(input: $input) { settings { version } changes { setting }
		open `+impactFields+` ended `+impactFields+` userErrors { code message field } } }`, map[string]any{"input": settings}, &data)
	return data.InstanceSettingsPreview
}

// lines are the effects in words.
func (i impactTold) lines() (list []string) {
	for _, e := range i.Effects {
		by := strings.Join(strings.Fields(e.Path+" "+e.Provider), " ")
		what := strings.Join(strings.Fields(e.Field+" "+e.Reason+" "+e.Blocker), " ")
		list = append(list, fmt.Sprintf("%s: %s %s: %d completed, %d abandoned, %d open", by, e.Kind, what, e.Counts.Completed, e.Counts.Abandoned, e.Counts.Open))
	}
	return list
}

func (d *deployment) wantChange(settings toggled) {
	d.Helper()
	if refused := d.change(settings); len(refused) > 0 {
		d.Fatalf("%v are refused: %v", settings, refused)
	}
}

// leave begins another sign-up in the place of the one under way, and has what was
// abandoned counted.
func (p *performer) leave() {
	p.Helper()
	p.do("signUpCreate", map[string]any{})
	_, err := p.serves.SettleAbandoned(p.Context())
	p.must(err)
}

// by begins with an account of which the provider says this.
func (p *performer) by(provider string, sends engine.Arrival) *performer {
	p.Helper()
	p.do("signUpCreate", map[string]any{})
	p.start("OAUTH", provider)
	p.check("EXTERNAL_ACCOUNT", sends)
	return p
}

func (p *performer) gives(fields ...string) *performer {
	p.Helper()
	if p.now == nil {
		p.do("signUpCreate", map[string]any{})
	}
	for _, field := range fields {
		p.provide(field)
		if strategy := map[string]string{"EMAIL_ADDRESS": "EMAIL_CODE", "PHONE_NUMBER": "PHONE_CODE"}[field]; strategy != "" {
			p.start(strategy, "")
			p.check(field, "")
		}
	}
	return p
}

func (p *performer) is(status string) *performer {
	p.Helper()
	if p.now.Status != status {
		p.Fatalf("%s is %s, want %s: %+v", p.name, p.now.Status, status, p.now)
	}
	return p
}

var acme = toggled{"name": "acme", "issuer": "https://acme.example", "clientId": "stepwise", "trustEmail": true}

// TestPreviewOfTheFourDifferences plays under the legacy algorithm what Progressive
// Sign Up was made for, and asks what the switch would do.
func TestPreviewOfTheFourDifferences(t *testing.T) {
	d := newDeployment(t)
	d.wantChange(toggled{
		"progressiveSignUp": false, "externalAccount": toggled{"providers": []any{acme}}, "firstName": toggled{"required": true},
		"phoneNumber": toggled{"enabled": true, "required": true},
	})
	// 1. Names and phone are ignored where somebody comes by an account.
	d.performer(1).by("acme", engine.ArrivesVerifiedEmail).is("COMPLETE")
	// 2. An account without a verified address is an error.
	d.performer(2).by("acme", engine.ArrivesBare).is("MISSING_REQUIREMENTS").leave()
	d.performer(3).by("acme", engine.ArrivesUnverifiedEmail).is("MISSING_REQUIREMENTS").leave()
	// 4. Email and phone: either will do.
	d.performer(4).gives("EMAIL_ADDRESS", "PASSWORD", "FIRST_NAME").is("COMPLETE")
	d.performer(5).gives("PHONE_NUMBER", "PASSWORD", "FIRST_NAME").is("COMPLETE")
	// Nothing is different for somebody who gave both, at the end.
	d.performer(6).gives("EMAIL_ADDRESS", "PHONE_NUMBER", "FIRST_NAME", "PASSWORD").is("COMPLETE")

	version := d.preview(toggled{}).Settings.Version
	p := d.preview(toggled{"progressiveSignUp": true})
	want := []string{
		"FORM: ASKED EMAIL_ADDRESS REQUIRED_BY_SETTINGS: 1 completed, 0 abandoned, 0 open",
		"FORM: ASKED PHONE_NUMBER REQUIRED_BY_SETTINGS: 1 completed, 0 abandoned, 0 open",
		"OAUTH acme: ASKED PHONE_NUMBER REQUIRED_BY_SETTINGS: 1 completed, 0 abandoned, 0 open",
		"OAUTH acme: FREED EXTERNAL_ACCOUNT OPTIONAL_BY_SETTINGS: 0 completed, 2 abandoned, 0 open",
		"OAUTH acme: FREED PASSWORD WAIVED_BY_EXTERNAL_ACCOUNT: 0 completed, 2 abandoned, 0 open",
		"OAUTH acme: ASKED FIRST_NAME REQUIRED_BY_SETTINGS: 1 completed, 0 abandoned, 0 open",
	}
	if got := p.Ended.lines(); !slices.Equal(got, want) {
		t.Errorf("the switch does\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if e := p.Ended; e.SignUps != 6 || e.Asked != 3 || e.Freed != 2 || e.Blocked != 0 || e.Unchanged != 1 || e.Unknown != 0 {
		t.Errorf("of those who ended: %+v", e)
	}
	if len(p.Changes) != 1 || p.Changes[0].Setting != "progressiveSignUp" || p.Settings.Version != version {
		t.Errorf("changes %v, version %d", p.Changes, p.Settings.Version)
	}
	if after := d.preview(toggled{}).Settings.Version; after != version {
		t.Errorf("the preview wrote version %d", after)
	}
}

// TestPreviewOfWallets is the third difference: they stand alone, until the switch lets
// them be combined.
func TestPreviewOfWallets(t *testing.T) {
	d := newDeployment(t)
	d.wantChange(toggled{"progressiveSignUp": false, "emailAddress": toggled{"required": false}, "password": toggled{"required": false}, "web3Wallet": toggled{"enabled": true}})
	p := d.performer(1)
	p.do("signUpCreate", map[string]any{})
	p.start("WEB3_SIGNATURE", "")
	p.check("WEB3_WALLET", "")
	p.is("COMPLETE")
	want := []string{"WALLET: ASKED EMAIL_ADDRESS REQUIRED_BY_SETTINGS: 1 completed, 0 abandoned, 0 open"}
	if got := d.preview(toggled{"progressiveSignUp": true, "emailAddress": toggled{"required": true}}).Ended.lines(); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	refused := d.preview(toggled{"emailAddress": toggled{"required": true}})
	if len(refused.UserErrors) != 1 || refused.UserErrors[0].Code != "FEATURE_REQUIRES_PROGRESSIVE_SIGN_UP" || refused.Ended != nil || refused.Settings != nil {
		t.Errorf("a change that is refused: %+v", refused)
	}
}

// standing is what of a sign-up a change of settings can change.
type standing struct {
	outstanding []string
	blockers    []string
	refused     bool
}

func (t *told) standing() standing {
	s := standing{outstanding: slices.Concat(t.MissingFields, t.UnverifiedFields)}
	for _, b := range t.Blockers {
		if b.Code != "CANNOT_BE_VERIFIED" { // the deployment's, whatever the settings
			s.blockers = append(s.blockers, strings.TrimSpace(b.Code+" "+b.Attribute))
		}
	}
	for _, q := range t.Requirements {
		if q.Field == "EXTERNAL_ACCOUNT" {
			v := t.Verifications.ExternalAccount
			s.refused = q.Reason == "PROVIDER_EMAIL_NOT_VERIFIED" || q.State != "DISABLED" && v != nil && v.Error != nil && v.Error.Code == "PROVIDER_EMAIL_NOT_VERIFIED"
		}
	}
	return s
}

// effects are what has become otherwise, as the preview words it.
func (s standing) effects(after standing) (list []string) {
	diff := func(was, is []string, came, went string) {
		for _, x := range is {
			if !slices.Contains(was, x) && !(x == "EXTERNAL_ACCOUNT" && s.refused != after.refused) {
				list = append(list, came+" "+x)
			}
		}
		for _, x := range was {
			if !slices.Contains(is, x) && !(x == "EXTERNAL_ACCOUNT" && s.refused != after.refused) {
				list = append(list, went+" "+x)
			}
		}
	}
	diff(s.outstanding, after.outstanding, "ASKED", "FREED")
	diff(s.blockers, after.blockers, "BLOCKED", "FREED")
	if s.refused != after.refused {
		list = append(list, map[bool]string{true: "BLOCKED", false: "FREED"}[after.refused]+" EXTERNAL_ACCOUNT")
	}
	return list
}

// begun is an open sign-up and how it came.
type begun struct{ id, way string }

// wander opens a sign-up and does some of what it asks for, or may have. It is empty if
// the sign-up completed.
func (p *performer) wander(r *rand.Rand, settings toggled) begun {
	p.Helper()
	base := "FORM"
	if settings["signUpMode"] == "RESTRICTED" || r.IntN(5) == 0 {
		base = "TICKET"
	}
	p.arrive(base, engine.ArrivesBare)
	account, refused := "", ""
	for range r.IntN(8) {
		if p.now.Status != "MISSING_REQUIREMENTS" {
			return begun{}
		}
		q := oneOf(r, p.now.Requirements...)
		if len(q.Actions) == 0 {
			continue
		}
		elsewhere := q.Field == "EXTERNAL_ACCOUNT" || q.Field == "WEB3_WALLET"
		switch action := oneOf(r, q.Actions...); {
		case action.Kind == "PROVIDE":
			p.provide(q.Field)
		case action.Kind == "CLEAR" && !elsewhere:
			p.clear(q.Field)
		case action.Kind == "START_VERIFICATION":
			if len(p.start(action.Strategies[0], oneOf(r, "acme", "forum"))) == 0 && q.Field == "EXTERNAL_ACCOUNT" {
				refused = "" // forgotten with the challenge it was the answer to
			}
		case action.Kind == "CHECK_VERIFICATION":
			sends := oneOf(r, engine.ArrivesBare, engine.ArrivesVerifiedEmail, engine.ArrivesUnverifiedEmail)
			if len(p.check(q.Field, sends)) > 0 {
				continue
			}
			switch v := p.now.Verifications.ExternalAccount; {
			case q.Field == "WEB3_WALLET":
				base = "WALLET"
			case q.Field != "EXTERNAL_ACCOUNT":
			case v.Status == "VERIFIED":
				account = "OAUTH " + v.Provider
			case v.Error != nil && v.Error.Code == "PROVIDER_EMAIL_NOT_VERIFIED":
				refused = "OAUTH " + v.Provider
			}
		}
	}
	if p.now.Status != "MISSING_REQUIREMENTS" {
		return begun{}
	}
	return begun{p.now.ID, cmp.Or(account, refused, base)}
}

// look reads a sign-up as the administrator does.
func (d *deployment) look(id string) *told {
	d.Helper()
	var data struct{ SignUp *told }
	d.ask("admin", "query($id: ID) { signUp(id: $id) "+toldFields+" }", map[string]any{"id": id}, &data)
	return data.SignUp
}

// drawChange draws other settings, or another one of the settings.
func drawChange(r *rand.Rand, settings toggled) toggled {
	next := draw(r)
	next["restrictions"] = toggled{"blocklist": oneOf(r, []string{}, []string{}, []string{"own.example"}, []string{"sent.example"})}
	if len(settings) == 0 || r.IntN(2) == 0 {
		return next
	}
	one := maps.Clone(settings)
	name := oneOf(r, slices.Sorted(maps.Keys(next))...)
	one[name] = next[name]
	return one
}

// TestPreviewsComeTrue: over random sign-ups and random changes, what a preview says of
// the open ones is what they are told once the change is made; and the funnel has each
// sign-up once.
func TestPreviewsComeTrue(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	compared, changed := 0, 0
	for range rounds(15, 400) {
		d := newDeployment(t)
		settings := toggled{}
		var open []begun
		n := 0
		for range 6 {
			for {
				next := drawChange(r, settings)
				before := map[string]standing{}
				for _, b := range open {
					before[b.id] = d.look(b.id).standing()
				}
				p := d.preview(next)
				refused := d.change(next)
				if len(refused) != len(p.UserErrors) {
					t.Fatalf("%v: refused for %v, the preview says %v", next, refused, p.UserErrors)
				}
				if len(refused) > 0 {
					continue
				}
				settings = next
				got, want := p.Open.sums(), map[string]int{}
				unchanged, completing := 0, 0
				for _, b := range open {
					after := d.look(b.id)
					effects := before[b.id].effects(after.standing())
					for _, e := range effects {
						want[b.way+": "+e]++
					}
					if len(effects) == 0 {
						unchanged++
					}
					if was := before[b.id]; after.AwaitsOwner && len(was.outstanding)+len(was.blockers) > 0 {
						completing++
					}
					compared++
				}
				changed += len(open) - unchanged
				if !maps.Equal(got, want) || p.Open.SignUps != len(open) || p.Open.Unchanged != unchanged || p.Open.Completing != completing {
					t.Fatalf("the preview of %v says\n%v, %d of %d unchanged, %d completing\nand it does\n%v, %d of %d unchanged, %d completing", next,
						got, p.Open.Unchanged, p.Open.SignUps, p.Open.Completing, want, unchanged, len(open), completing)
				}
				break
			}
			for range 12 {
				n++
				p := d.performer(n)
				if b := p.wander(r, settings); b.id != "" {
					open = append(open, b)
				}
			}
		}
		d.wantFunnel(n, len(open))
	}
	t.Logf("compared %d sign-ups, of which %d were met by the change", compared, changed)
	if changed < 100 {
		t.Error("too few were met")
	}
}

// sums are the effects on open sign-ups by way, kind and what is meant.
func (i impactTold) sums() map[string]int {
	sums := map[string]int{}
	for _, e := range i.Effects {
		sums[strings.TrimSpace(e.Path+" "+e.Provider)+": "+e.Kind+" "+strings.TrimSpace(e.Blocker+" "+e.Field)] += e.Counts.Open
	}
	return sums
}

// wantFunnel: every sign-up is in the funnel once, completed ones as many as there are
// users.
func (d *deployment) wantFunnel(opened, open int) {
	d.Helper()
	_, err := d.serves.SettleAbandoned(d.Context())
	d.must(err)
	var data struct {
		Users        struct{ TotalCount int }
		SignUpFunnel struct {
			Total    struct{ Opened, Completed, Abandoned, Open int }
			Ways     []struct{ Counts struct{ Opened int } }
			Versions []struct{ Counts struct{ Completed int } }
		}
	}
	d.ask("admin", `{ users { totalCount } signUpFunnel { total { opened completed abandoned open } ways { counts { opened } } versions { counts { completed } } } }`, nil, &data)
	byWay, completed := 0, 0
	for _, w := range data.SignUpFunnel.Ways {
		byWay += w.Counts.Opened
	}
	for _, v := range data.SignUpFunnel.Versions {
		completed += v.Counts.Completed
	}
	if f := data.SignUpFunnel.Total; f.Opened != opened || f.Open != open || f.Completed != data.Users.TotalCount || byWay != opened || completed != f.Completed {
		d.Errorf("the funnel has %+v, by way %d, completed by version %d; want %d opened, %d open, %d completed", f, byWay, completed, opened, open, data.Users.TotalCount)
	}
}
