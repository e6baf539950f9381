package signup_test

import (
	"stepwise/engine"
	"stepwise/internal/signup"
)

// Stories of proofs from elsewhere in which a call of a port fails, or the process
// dies: at a provider, with a wallet, with a link, with an invitation.

// elsewherePerson is somebody who waits long enough for an exchange that nobody
// brings to its end.
func (w *world) elsewherePerson(p *process, between func(*person)) *person {
	jane := w.person(p)
	jane.between, jane.wait = between, exchangeLease
	return jane
}

// offers offers a proof of any kind.
func (w *world) offers(proof signup.Proof) request {
	return func(p *process, caller signup.Principal) (signup.Outcome, error) {
		return p.CheckVerification(w.Context(), caller, "", proof, "")
	}
}

func (w *world) starts(s signup.Start) request {
	return func(p *process, caller signup.Principal) (signup.Outcome, error) {
		return p.StartVerification(w.Context(), caller, "", s, "")
	}
}

// seen is the sign-up as the person's page shows it, asked for at a process that
// is well.
func (p *person) seen() *signup.SignUp {
	p.Helper()
	s, err := p.service.SignUp(p.Context(), p.as(p.token), "")
	p.must(err)
	return s
}

// connects goes to the provider until the account is proven: a code that a
// process took along when it died is spent.
func (p *person) connects(provider string, m member) signup.Outcome {
	p.Helper()
	for range 3 {
		if out := p.insist(p.starts(oauth(provider))); len(out.Problems) > 0 {
			wantProblems(p, out, signup.Code(signup.ProviderUnavailable))
			continue
		}
		v := p.seen().Verifications[engine.ExternalAccount]
		out := p.insist(p.offers(byHandle(p.handleOf(p.accounts.admit(p, v.RedirectURL, m)))))
		switch v := out.SignUp.Verifications[engine.ExternalAccount]; {
		case len(out.Problems) > 0:
			p.Fatalf("the handle is answered with %s", describe(out))
		case v != nil && v.Status == engine.VerificationVerified:
			return out
		case v == nil || v.Error != signup.ProviderExchangeFailed && v.Error != signup.ProviderUnavailable:
			p.Fatalf("the account is not proven: %+v", v)
		}
	}
	p.Fatal("the account is never proven")
	return signup.Outcome{}
}

// linkTo is the token in the last mail to the address.
func (w *world) linkTo(address string) string {
	w.Helper()
	var last signup.Message
	for _, m := range w.mail.all() {
		if m.To == address {
			last = m
		}
	}
	return linkToken(w, last)
}

var elsewhereStories = []crashStory{
	{"with an account", `{` + providerSettings + `}`, false, func(w *world, p *process, address string, between func(*person)) {
		jane := w.elsewherePerson(p, between)
		jane.insist(w.creating(signup.Input{}))
		jane.wantHome(address, jane.connects("acme", member{subject: "of " + address, email: address, emailVerified: true}))
	}},
	{"with an account and a name", `{"firstName": {"required": true}, ` + providerSettings + `}`, true, func(w *world, p *process, address string, between func(*person)) {
		jane := w.elsewherePerson(p, between)
		jane.insist(w.creating(signup.Input{}))
		jane.connects("acme", member{subject: "of " + address, email: address, emailVerified: true})
		jane.wantHome(address, jane.insist(w.updating(namePatch)))
	}},
	{"with a wallet", `{"emailAddress": {"required": false}, "web3Wallet": {"enabled": true}}`, false, func(w *world, p *process, address string, between func(*person)) {
		jane, own := w.elsewherePerson(p, between), walletOf(address)
		jane.insist(w.creating(signup.Input{}))
		jane.insist(w.starts(signing(own)))
		message := jane.seen().Verifications[engine.Web3Wallet].Message
		jane.wantHome(own.address, jane.insist(w.offers(own.proof(message))))
	}},
	{"with a link", "", false, func(w *world, p *process, address string, between func(*person)) {
		jane := w.elsewherePerson(p, between)
		in := withEmail(address)
		in.Start = starts(engine.EmailLink)
		jane.insist(w.creating(in))
		jane.haveCode(address, 0)
		proof := signup.Proof{Attribute: engine.EmailAddress, Code: w.mail.code(w, address)}
		if m := w.mail.all(); m[len(m)-1].Link != "" { // haveCode may have had to ask for a code
			proof = signup.Proof{Attribute: engine.EmailAddress, Link: w.linkTo(address)}
		}
		jane.wantHome(address, jane.insist(w.offers(proof)))
	}},
	{"with a ticket", `{"signUpMode": "RESTRICTED"}`, false, func(w *world, p *process, address string, between func(*person)) {
		made, err := w.service.Invite(w.Context(), w.secret(), signup.InvitationInput{Input: signup.Input{EmailAddress: signup.Given(address)}})
		w.must(err)
		jane := w.elsewherePerson(p, between)
		jane.insist(w.creating(signup.Input{Ticket: made.Ticket}))
		jane.wantHome(address, jane.insist(w.updating(signup.Input{Password: signup.Given(goodPassword)})))
		if i, err := w.service.Invitation(w.Context(), w.secret(), made.Invitation.ID); err != nil || i.StateAt(w.clock.now()) != engine.TicketUsed {
			w.Errorf("the invitation is %+v, %v", i, err)
		}
	}},
	{"race for an account", `{"firstName": {"required": true}, ` + providerSettings + `}`, true, func(w *world, p *process, address string, between func(*person)) {
		jane, joan := w.elsewherePerson(p, between), w.elsewherePerson(p, between)
		m := member{subject: "of " + address, email: address, emailVerified: true}
		named := w.updating(namePatch)
		jane.insist(w.creating(signup.Input{}))
		jane.connects("acme", m)
		joan.process = jane.process
		joan.insist(w.creating(signup.Input{}))
		joan.connects("acme", m) // it belongs to nobody yet
		jane.process = joan.process
		won := jane.insist(named)
		joan.process = jane.process
		lost := joan.insist(named)
		wantVerification(w, lost, engine.ExternalAccount, engine.VerificationTransferable, engine.CodeTransferable)
		for _, b := range lost.SignUp.Verdict.Blockers {
			if b.Code != engine.BlockedTaken {
				w.Errorf("the loser is blocked by %+v", b)
			}
		}
		wantStatus(w, lost, engine.StatusMissingRequirements)
		jane.wantHome(address, won)
	}},
}
