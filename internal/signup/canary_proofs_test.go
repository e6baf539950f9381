package signup_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"stepwise/engine"
	"stepwise/internal/signup"
)

// Secrets of the canaries' provider and wallet.
const (
	canaryClientSecret = "canary-client-secret-5520"
	canaryCode         = "canary-authorization-code-8841"
	canarySignature    = "0xcanary-signature-3319"
	canaryPassword     = "canary badger 9902"
)

// canaryProvider keeps the verifiers that it was given, and fails when told to.
type canaryProvider struct {
	oneProvider
	verifiers []string
	fails     error
}

func (p *canaryProvider) Redeem(_ context.Context, to signup.Provider, r signup.AuthorizationRequest, a signup.AuthorizationResponse) (signup.ProvenAccount, error) {
	p.verifiers = append(p.verifiers, r.CodeVerifier)
	if to.ClientSecret != canaryClientSecret || a.Code != canaryCode {
		return signup.ProvenAccount{}, &signup.ProofError{Code: signup.ProviderExchangeFailed}
	}
	return signup.ProvenAccount{Issuer: to.Issuer, Subject: "jane", Email: "jane@example.com", EmailVerified: true}, p.fails
}

type canaryWallet struct{ oneWallet }

func (canaryWallet) Verify(_ signup.WalletChallenge, _, signature string) error {
	if signature != canarySignature {
		return &signup.ProofError{Code: signup.SignatureMismatch}
	}
	return nil
}

// canaries is a deployment in which everything secret is known to the test.
type canaries struct {
	*world
	secrets
	provider *canaryProvider
	shown    strings.Builder // answers and errors, without what is issued to the one it is for
}

func (c *canaries) note(values ...any) {
	for _, v := range values {
		if err, ok := v.(error); ok {
			fmt.Fprintln(&c.shown, err)
			continue
		}
		fmt.Fprintln(&c.shown, text(c, v))
	}
}

// noteOutcome leaves out the token, and the challenge's address, which its client
// may see.
func (c *canaries) noteOutcome(out signup.Outcome, err error) signup.Outcome {
	shown := out
	shown.ClientToken = ""
	if s := out.SignUp; s != nil {
		copied := *s
		for i, v := range s.Verifications {
			if v != nil {
				hidden := *v
				hidden.RedirectURL, hidden.Message = "", ""
				copied.Verifications[i] = &hidden
			}
		}
		shown.SignUp = &copied
	}
	c.note(shown, errors.Join(err, errors.New("-")))
	return out
}

// TestSecretsOfProofs plays every proof there is, wrong and right, with stores and
// providers that fail, and then looks everywhere.
func TestSecretsOfProofs(t *testing.T) {
	w := newWorld(t, "")
	server, log := w.overRedis()
	c := &canaries{world: w, secrets: secrets{}, provider: &canaryProvider{}}
	w.config.Accounts, w.config.Wallets = c.provider, canaryWallet{}
	w.service = signup.New(w.config)
	stop := published(server)
	c.add("client secret", canaryClientSecret)
	c.add("authorization code", canaryCode)
	c.add("signature", canarySignature)
	c.add("password at sign-in", canaryPassword)
	c.note(w.set(strings.ReplaceAll(elsewhereSettings, "canary client secret", canaryClientSecret)))

	c.webhooks()
	ticket := c.invitation()
	c.elsewhere(ticket)
	c.link()
	c.signIns()

	for i, v := range c.provider.verifiers {
		c.add(fmt.Sprintf("verifier %d", i), v)
	}
	if len(c.provider.verifiers) == 0 || !strings.Contains(log.String(), "message not delivered") {
		t.Fatal("the story has not gone where the secrets are")
	}
	c.wantNoneIn(t, "answers and errors", c.shown.String())
	c.wantNoneIn(t, "logs", log.String())
	c.wantNoneIn(t, "hints", stop())
	c.wantNoneIn(t, "events", w.outbox())
	c.wantNoneIn(t, "Redis", fmt.Sprint(contents(t, server)))
	c.wantNoneIn(t, "SQLite", w.databaseBytes())
}

// webhooks makes endpoints, changes their secrets and claims deliveries.
func (c *canaries) webhooks() {
	ctx := c.Context()
	out := c.endpoint(at(hook))
	c.add("webhook secret", strings.TrimPrefix(out.Secret, "whsec_"))
	rotated, err := c.service.UpdateWebhookEndpoint(ctx, c.world.secret(), signup.WebhookInput{ID: out.Endpoint.ID, RotateSecret: true})
	c.must(err)
	c.add("new webhook secret", strings.TrimPrefix(rotated.Secret, "whsec_"))
	bad := "ftp://x"
	refused, err := c.service.UpdateWebhookEndpoint(ctx, c.world.secret(), signup.WebhookInput{ID: out.Endpoint.ID, URL: &bad, RotateSecret: true})
	c.must(err)
	list, err := c.service.WebhookEndpoints(ctx, c.world.secret())
	c.must(err)
	c.note(out.Endpoint, rotated.Endpoint, refused, list)
	c.world.completed("joan@example.com")
	for _, d := range c.claim(10) {
		c.note(d.Delivery, fmt.Sprintf("%v %+v %#v %s", d, d, d, d), d)
	}
}

// invitation makes one whose mail fails, and has it refused where it is not good.
func (c *canaries) invitation() (ticket string) {
	ctx := c.Context()
	c.set(`{"allowedRedirects": ["https://app.example/back", "https://app.example/join"]}`)
	c.mail.refuse(errors.New("no route to host"))
	in := toJane()
	in.RedirectURL, in.SendEmail = "https://app.example/join", true
	out, err := c.service.Invite(ctx, c.world.secret(), in)
	c.must(err)
	c.mail.refuse(nil)
	_, sum, _ := strings.Cut(out.Ticket, ".")
	c.add("ticket", sum)
	page, err := c.service.Invitations(ctx, c.world.secret(), nil, 10, "")
	c.must(err)
	c.note(out.Invitation, out.Problems, page)
	for _, port := range []string{"Directory.Invitation", "Attempts.Create"} {
		c.noteOutcome(c.failing(port, refused).Create(ctx, c.as(""), signup.Input{Ticket: out.Ticket}))
	}
	c.noteOutcome(c.service.Create(ctx, c.as(""), signup.Input{Ticket: out.Ticket + "x"}))
	return out.Ticket
}

// elsewhere goes to the provider and asks the wallet, with all that can fail there.
func (c *canaries) elsewhere(ticket string) {
	ctx := c.Context()
	who := c.client()
	c.noteOutcome(who.create(signup.Input{Ticket: ticket}), nil)
	handle := c.handleFor(who)
	proof := signup.Proof{Attribute: engine.ExternalAccount, Handle: handle}
	mallory := c.client()
	mallory.create(signup.Input{})
	c.noteOutcome(c.service.CheckVerification(ctx, mallory.principal(), "", proof, ""))
	c.noteOutcome(c.failing("Attempts.Load", refused).CheckVerification(ctx, who.principal(), "", proof, ""))
	c.provider.fails = &signup.ProofError{Code: signup.ProviderTokenInvalid, Cause: errors.New("the signature does not hold")}
	c.noteOutcome(c.service.CheckVerification(ctx, who.principal(), "", proof, "a key"))
	c.provider.fails = nil
	c.clock.advance(engine.ResendInterval)
	again := signup.Proof{Attribute: engine.ExternalAccount, Handle: c.handleFor(who)}
	c.noteOutcome(c.failing("Directory.Convert", diedBefore).CheckVerification(ctx, who.principal(), "", again, ""))
	c.clock.advance(afterLease)
	out := c.noteOutcome(who.keep(c.service.CheckVerification(ctx, who.principal(), "", again, "")), nil)
	wantProblems(c, out)
	c.noteOutcome(who.update(signup.Input{Password: signup.Given(canaryPassword)}), nil)
	c.wallet()
}

// wallet signs wrongly, and then rightly.
func (c *canaries) wallet() {
	ctx := c.Context()
	who := c.client()
	who.create(signup.Input{})
	wallet := signup.Start{Strategy: engine.Web3Signature, Wallet: janesWallet}
	c.noteOutcome(who.keep(c.service.StartVerification(ctx, who.principal(), "", wallet, "")), nil)
	for i, signature := range []string{canarySignature + "x", canarySignature} {
		p := signup.Proof{Attribute: engine.Web3Wallet, Signature: signature}
		c.noteOutcome(c.failing("Attempts.Save", refused).CheckVerification(ctx, who.principal(), "", p, ""))
		c.noteOutcome(who.keep(c.service.CheckVerification(ctx, who.principal(), "", p, fmt.Sprintf("key %d", i))), nil)
	}
	if v := who.signUp().Verifications[engine.Web3Wallet]; v == nil || v.Status != engine.VerificationVerified {
		c.Errorf("the wallet is %+v", v)
	}
}

// handleFor goes to the provider and comes back with a handle.
func (c *canaries) handleFor(who *client) (handle string) {
	ctx := c.Context()
	start := signup.Start{Strategy: engine.OAuth, Provider: "forum", RedirectURL: backHome}
	out := c.noteOutcome(who.keep(c.service.StartVerification(ctx, who.principal(), "", start, "")), nil)
	there, err := url.Parse(out.SignUp.Verifications[engine.ExternalAccount].RedirectURL)
	c.must(err)
	state := there.Query().Get("state")
	_, sum, _ := strings.Cut(state, ".")
	c.add(fmt.Sprintf("state %d", len(c.secrets)), sum)
	_, err = c.service.AccountCallback(ctx, signup.AccountAnswer{Provider: "another", State: state, Code: canaryCode})
	c.note(err)
	_, err = c.service.AccountCallback(ctx, signup.AccountAnswer{Provider: "forum", State: state + "x", Code: canaryCode})
	c.note(err)
	back, err := c.service.AccountCallback(ctx, signup.AccountAnswer{Provider: "forum", State: state, Code: canaryCode})
	c.must(err)
	home, err := url.Parse(back)
	c.must(err)
	handle = home.Query().Get(signup.HandleParameter)
	c.add(fmt.Sprintf("handle %d", len(c.secrets)), handle)
	if strings.Contains(back, canaryCode) {
		c.Error("the app's address has the authorization code in clear")
	}
	return handle
}

// link has one sent, and tries it where it does not work.
func (c *canaries) link() {
	ctx := c.Context()
	who, mallory := c.client(), c.client()
	mallory.create(signup.Input{})
	c.noteOutcome(who.create(signup.Input{EmailAddress: signup.Given("jill@example.com"), Start: starts(engine.EmailLink)}), nil)
	sent := c.mail.all()
	link, err := url.Parse(sent[len(sent)-1].Link)
	c.must(err)
	token := link.Query().Get("token")
	_, sum, _ := strings.Cut(token, ".")
	c.add("link", sum)
	c.addCode("code beside the link", sent[len(sent)-1].Code)
	page, err := c.service.OpenLink(ctx, token)
	c.note(page, errors.Join(err, errors.New("-")))
	for _, p := range []signup.Principal{mallory.principal(), c.as("")} {
		result, err := c.service.FollowLink(ctx, p, token)
		c.note(result, errors.Join(err, errors.New("-")))
	}
	result, err := c.failing("Attempts.Save", refused).FollowLink(ctx, who.principal(), token)
	c.note(result, err)
	c.noteOutcome(who.keep(c.service.CheckVerification(ctx, who.principal(), "", signup.Proof{Attribute: engine.EmailAddress, Link: token}, "a key")), nil)
}

// signIns come back by code and by password, wrongly, over stores that fail, and
// at last rightly.
func (c *canaries) signIns() {
	ctx := c.Context()
	who := c.client()
	note := func(out signup.SessionOutcome, err error) signup.SessionOutcome {
		out.ClientToken = ""
		c.note(out, errors.Join(err, errors.New("-")))
		return out
	}
	c.clock.advance(24 * time.Hour)
	c.mail.refuse(errors.New("no route to host"))
	who.askForCode("joan@example.com")
	c.mail.refuse(nil)
	c.clock.advance(engine.ResendInterval)
	challenge := who.askForCode("joan@example.com")
	_, sum, _ := strings.Cut(challenge.ID, ".")
	c.add("challenge", sum)
	code := c.mail.code(c, "joan@example.com")
	c.addCode("sign-in code", code)
	for _, proof := range []signup.SessionProof{
		byCode(challenge, code), byPassword("joan@example.com", canaryPassword), byPassword("nobody@example.com", canaryPassword),
	} {
		for _, port := range []string{"Directory.Owner", "Budgets.Take"} {
			note(c.failing(port, refused).CreateSession(ctx, who.principal(), proof))
		}
		if proof.Challenge == "" {
			note(c.service.CreateSession(ctx, who.principal(), proof))
			_, problems, err := c.service.VerifyPassword(ctx, c.world.secret(), proof.Identifier, proof.Password)
			c.note(problems, errors.Join(err, errors.New("-")))
		}
	}
	other := c.client()
	other.create(signup.Input{})
	note(c.service.CreateSession(ctx, other.principal(), byCode(challenge, code)))
	note(c.failing("Directory.CreateSession", unanswered).CreateSession(ctx, who.principal(), byCode(challenge, code)))
	out := who.comeBack(byCode(challenge, code))
	c.add("token", who.token)
	if note(out, nil).Session == nil {
		c.Errorf("problems %v", out.Problems)
	}
}
