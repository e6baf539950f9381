package signup_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"stepwise/engine"
	"stepwise/internal/signup"
)

// proofSeeds is how many random runs of proofs from elsewhere an ordinary test
// makes; they wait in real time for each other's exchanges.
const proofSeeds = 60

// TestRandomProofs lets several processes redeem the same callback, follow the
// same link, take signatures and look at the same invitation at once, while
// somebody else wants the same account.
func TestRandomProofs(t *testing.T) {
	const settings = `{"emailAddress": {"required": true}, "firstName": {"required": true}, "web3Wallet": {"enabled": true},
		"externalAccount": {"required": true, "providers": [{"name": "acme", "issuer": "https://acme.example", "clientId": "stepwise", "trustEmail": true}]}}`
	simulateAll(t, proofSeeds, settings, (*world).simulateProofs)
}

func (w *world) simulateProofs(seed uint64) {
	s := &simulation{
		world: w, random: rand.New(rand.NewPCG(seed, 2)), address: fmt.Sprintf("p%d@example.com", seed), events: make(chan event), leap: 60 * time.Second,
	}
	defer func() {
		for _, line := range s.log {
			if w.Failed() {
				w.Log(line)
			}
		}
	}()
	shared := member{subject: fmt.Sprintf("shared %d", seed), email: fmt.Sprintf("shared%d@acme.example", seed), emailVerified: true}
	own := walletOf(s.address)

	// Jane's sign-up wants the link, the account and a name; joan's only the account.
	jane, joan := w.client(), w.client()
	in := signup.Input{EmailAddress: signup.Given(s.address), Start: append(starts(engine.EmailLink), oauth("acme"), signing(own))}
	invitation := ""
	if s.random.IntN(2) == 0 {
		made, err := w.service.Invite(w.Context(), w.secret(), signup.InvitationInput{Input: signup.Input{LastName: signup.Given("Guest")}})
		w.must(err)
		in.Ticket, invitation = made.Ticket, made.Invitation.ID
	}
	wantProblems(w, jane.create(in))
	wantProblems(w, joan.create(signup.Input{EmailAddress: signup.Given("joan." + s.address), FirstName: signup.Given("Joan"), Start: append(starts(engine.EmailCode), oauth("acme"))}))
	wantProblems(w, joan.check(engine.EmailAddress, w.mail.code(w, "joan."+s.address)))
	handle := byHandle(w.handleOf(w.accounts.admit(w, jane.redirect(), shared)))
	joans := byHandle(w.handleOf(w.accounts.admit(w, joan.redirect(), shared)))
	link := signup.Proof{Attribute: engine.EmailAddress, Link: w.linkTo(s.address)}
	mine, hers := &browser{token: jane.token}, &browser{token: joan.token}
	requests := []request{s.offers(handle), s.offers(link), s.offers(own.proof(jane.asked())), s.updating(namePatch)}
	names := []string{"callback", "link", "signature", "name"}

	var actors []func(*process)
	add := func(who string, b *browser, r request) {
		actors = append(actors, func(p *process) { s.asks(p, who, b, r) })
	}
	add("jane's callback", mine, requests[0])
	add("jane's callback again", mine, requests[0])
	for range 1 + s.random.IntN(3) {
		i := s.random.IntN(len(requests))
		add("jane's "+names[i], mine, requests[i])
	}
	if s.random.IntN(2) == 0 {
		add("joan's callback", hers, s.offers(joans))
	}
	if s.random.IntN(3) == 0 {
		actors = append(actors, s.reads(jane.signUp().ID))
	}
	if invitation != "" && s.random.IntN(2) == 0 {
		actors = append(actors, s.revokes(invitation))
	}
	before := w.accounts.exchanges()
	s.run(actors)
	s.log = append(s.log, fmt.Sprintf("%d exchanges", w.accounts.exchanges()-before))

	w.clock.advance(exchangeLease)
	s.verifyAnswers()
	s.comesHome("jane", mine, s.address, shared, requests)
	s.comesHome("joan", hers, "joan."+s.address, shared, []request{s.offers(joans)})
	if n := w.count(`SELECT COUNT(*) FROM identifiers WHERE norm = $1`, shared.subject); n != 1 {
		w.Errorf("%d users have the account", n)
	}
}

// revokes is an administrator who takes the invitation back.
func (s *simulation) revokes(id string) func(*process) {
	return func(p *process) {
		caller, err := p.Authenticate(s.Context(), signup.Credentials{Bearer: s.first.SecretKey})
		if err == nil {
			_, _, err = p.RevokeInvitation(s.Context(), caller, id)
		}
		s.log = append(s.log, fmt.Sprintf("administrator: revoked: %v, dead %v", err, p.dead))
	}
}

// comesHome does without further faults what is asked of the browser's sign-up,
// to its end: one user, whose browser is signed in. earlier are the requests one
// of which may have completed it, and whose answer was lost.
func (s *simulation) comesHome(who string, b *browser, address string, m member, earlier []request) {
	s.Helper()
	fresh := s.newProcess(alwaysServed)
	c := &client{world: s.world, service: fresh.Service, token: b.token}
	// known repeats what may have completed the sign-up, for whoever looked at it
	// since has voided the token.
	known := func() {
		s.Helper()
		for _, r := range earlier {
			caller := c.principal()
			if !caller.Stale {
				return
			}
			if out, err := r(fresh, caller); err == nil && out.ClientToken != "" {
				c.token = out.ClientToken
			}
		}
		if c.principal().Stale {
			s.Fatalf("%s is shut out: none of the calls is known", who)
		}
	}
	known()
	for try := range 12 {
		now := c.signUp()
		if now.Status == engine.StatusComplete {
			known()
			user, session := s.wantOneUser(address)
			me, err := s.service.Client(s.Context(), c.principal())
			s.must(err)
			if now.CreatedUserID != user || now.CreatedSession != session || me.Active == nil || me.Active.ID != session {
				s.Errorf("%s is told user %s, session %s; there are %s and %s", who, now.CreatedUserID, now.CreatedSession, user, session)
			}
			return
		}
		missing, unverified := now.Verdict.Missing, now.Verdict.Unverified
		account := now.Verifications[engine.ExternalAccount]
		s.log = append(s.log, fmt.Sprintf("%s goes on: %s, %+v", who, describe(signup.Outcome{SignUp: now}), account))
		switch {
		case len(now.Verdict.Blockers) > 0 && now.Verdict.Blockers[0].Code == engine.BlockedTicket:
			unlessTaken(s, c.create(signup.Input{EmailAddress: signup.Given(address)}))
		case missing.Has(engine.EmailAddress):
			unlessTaken(s, c.update(signup.Input{EmailAddress: signup.Given(address)}))
		case missing.Has(engine.FirstName):
			unlessTaken(s, c.update(signup.Input{FirstName: signup.Given("Jane")}))
		case missing.Has(engine.ExternalAccount):
			with := m
			if account != nil && account.Status == engine.VerificationTransferable || now.Verdict.Reasons[engine.ExternalAccount] == engine.ReasonTaken {
				with = member{subject: m.subject + " of " + who}
			}
			s.clock.advance(engine.ResendInterval)
			unlessTaken(s, c.connect("acme", with))
		case unverified.Has(engine.EmailAddress):
			s.clock.advance(engine.ResendInterval)
			unlessTaken(s, c.start(engine.EmailCode))
			unlessTaken(s, c.check(engine.EmailAddress, s.mail.code(s, address)))
		default:
			unlessTaken(s, c.update(signup.Input{}))
		}
		if try == 11 {
			s.Errorf("%s comes to no end: %s", who, describe(signup.Outcome{SignUp: c.signUp()}))
		}
	}
}

// unlessTaken expects no problem but that somebody else was faster: with the last
// thing that was missing it may turn out that the account is gone.
func unlessTaken(t testing.TB, out signup.Outcome) {
	t.Helper()
	for _, code := range codesOf(out.Problems) {
		if code != signup.Code(engine.CodeTaken) {
			t.Fatalf("problems are %v", codesOf(out.Problems))
		}
	}
}
