package signup_test

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"stepwise/engine"
	"stepwise/internal/signup"
)

// oneProvider is a provider to whom the authorization code is the account: it
// gives "jane" the account jane with the address jane@example.com.
type oneProvider struct{}

func (oneProvider) AuthorizationEndpoint(context.Context, signup.Provider) (string, error) {
	return "https://forum.example/authorize", nil
}

func (oneProvider) AuthorizationURL(_ signup.Provider, endpoint string, r signup.AuthorizationRequest) string {
	return endpoint + "?" + url.Values{"state": {r.State}, "nonce": {r.Nonce}}.Encode()
}

func (oneProvider) Redeem(_ context.Context, p signup.Provider, _ signup.AuthorizationRequest, a signup.AuthorizationResponse) (signup.ProvenAccount, error) {
	return signup.ProvenAccount{Issuer: p.Issuer, Subject: a.Code, Email: a.Code + "@example.com", EmailVerified: true}, nil
}

// oneWallet takes "signed" for everybody's signature.
type oneWallet struct{}

func (oneWallet) Address(text string) (string, error)     { return text, nil }
func (oneWallet) Message(c signup.WalletChallenge) string { return "sign " + c.Nonce }
func (oneWallet) Verify(_ signup.WalletChallenge, _, signature string) error {
	if signature != "signed" {
		return &signup.ProofError{Code: signup.SignatureMismatch}
	}
	return nil
}

const (
	janesWallet = "0xA11CE00000000000000000000000000000000001"
	backHome    = "https://app.example/back"

	elsewhereSettings = `{
		"externalAccount": {"providers": [{"name": "forum", "issuer": "https://forum.example", "clientId": "app", "clientSecret": "canary client secret", "trustEmail": true}]},
		"web3Wallet": {"enabled": true}, "allowedRedirects": ["https://app.example/back"]
	}`
)

// withElsewhere lets services of the world prove accounts and wallets.
func (w *world) withElsewhere() {
	w.Helper()
	w.config.Accounts, w.config.Wallets = oneProvider{}, oneWallet{}
	w.service = signup.New(w.config)
	w.set(elsewhereSettings)
}

// proveAccount goes to the provider and comes back with the account.
func (c *client) proveAccount(subject string) signup.Outcome {
	c.Helper()
	out := c.keep(c.service.StartVerification(c.Context(), c.principal(), "", signup.Start{Strategy: engine.OAuth, Provider: "forum", RedirectURL: backHome}, ""))
	if len(out.Problems) > 0 {
		c.Fatalf("there is no way to the provider: %v", out.Problems)
	}
	there, err := url.Parse(out.SignUp.Verifications[engine.ExternalAccount].RedirectURL)
	c.must(err)
	back, err := c.service.AccountCallback(c.Context(), signup.AccountAnswer{Provider: "forum", State: there.Query().Get("state"), Code: subject})
	c.must(err)
	home, err := url.Parse(back)
	c.must(err)
	return c.keep(c.offering(signup.Proof{Attribute: engine.ExternalAccount, Handle: home.Query().Get(signup.HandleParameter)}))
}

func (c *client) offering(proof signup.Proof) (signup.Outcome, error) {
	c.proof = proof
	return c.service.CheckVerification(c.Context(), c.principal(), "", proof, c.proofKey)
}

func (c *client) proveWallet(address string) signup.Outcome {
	c.Helper()
	c.keep(c.service.StartVerification(c.Context(), c.principal(), "", signup.Start{Strategy: engine.Web3Signature, Wallet: address}, ""))
	return c.keep(c.offering(signup.Proof{Attribute: engine.Web3Wallet, Signature: "signed"}))
}

// transferring is what there is to hand over, for each kind.
type transferring struct {
	name      string
	attribute engine.Attribute
	prove     func(*client) signup.Outcome
}

var transfers = []transferring{
	{"account", engine.ExternalAccount, func(c *client) signup.Outcome { return c.proveAccount("jane") }},
	{"wallet", engine.Web3Wallet, func(c *client) signup.Outcome { return c.proveWallet(janesWallet) }},
}

// withOwner returns a world in which somebody has an account at the provider and a
// wallet, and who that is.
func withOwner(t testing.TB) (w *world, user string) {
	t.Helper()
	w = newWorld(t, "")
	return w, w.signUpOwner()
}

func (w *world) signUpOwner() (user string) {
	w.Helper()
	w.withElsewhere()
	c := w.client()
	c.create(signup.Input{})
	c.proveWallet(janesWallet)
	out := c.proveAccount("jane")
	wantStatus(w, out, engine.StatusComplete)
	return out.SignUp.CreatedUserID
}

// provenAgain is a client in whose open sign-up somebody has proven what belongs
// to a user.
func (w *world) provenAgain(x transferring) *client {
	w.Helper()
	c := w.client()
	c.create(signup.Input{})
	out := x.prove(c)
	wantProblems(w, out)
	wantStatus(w, out, engine.StatusMissingRequirements)
	v := out.SignUp.Verifications[x.attribute]
	if v == nil || v.Status != engine.VerificationTransferable || !v.ExpireAt.Equal(w.service.Now().Add(engine.CodeLifetime)) {
		w.Fatalf("%s: the verification is %+v", x.name, v)
	}
	return c
}

// TestTransfer: what was proven in a sign-up and belongs to a user becomes a
// session of that user, and the sign-up ends.
func TestTransfer(t *testing.T) {
	for _, x := range transfers {
		t.Run(x.name, func(t *testing.T) {
			w, owner := withOwner(t)
			c := w.provenAgain(x)
			former, id := c.token, c.signUp().ID
			w.clock.advance(engine.CodeLifetime - time.Millisecond)
			out := c.comeBack(c.moves())
			c.wantSession(out, owner)
			if s := c.signUp(); s.ID != id || s.Status != engine.StatusAbandoned {
				t.Errorf("the sign-up is %s", s.Status)
			}

			w.clock.advance(time.Millisecond) // ten minutes later it is too old
			wantNoSession(t, c.comeBack(c.moves()), "VERIFICATION_EXPIRED", "proof", "transfer")
			_, err := w.service.CreateSession(t.Context(), w.as(former), signup.SessionProof{Transfer: "none"})
			wantCode(t, err, "UNAUTHENTICATED")
			if n := w.count(`SELECT COUNT(*) FROM sessions WHERE client_id = $1`, out.Session.ClientID); n != 1 {
				t.Errorf("%d sessions", n)
			}
			if n := w.count(`SELECT COUNT(*) FROM users`); n != 1 {
				t.Errorf("%d users", n)
			}
		})
	}
}

// TestTransferTokenOfALostAnswer: the same call has the same answer, by its key where
// a proof is good for once, for as long as it is that proof which is in force.
func TestTransferTokenOfALostAnswer(t *testing.T) {
	for _, x := range transfers {
		t.Run(x.name, func(t *testing.T) {
			w, _ := withOwner(t)
			c := w.client()
			c.create(signup.Input{})
			c.proofKey = "the first"
			first := x.prove(c)
			proof := c.proof
			repeat := func() signup.Outcome {
				out, err := w.process(nil).CheckVerification(t.Context(), c.principal(), "", proof, "the first")
				w.must(err)
				return out
			}
			if again := repeat(); first.TransferToken == "" || text(t, again) != text(t, first) {
				t.Errorf("the answer is\n%s\nand was\n%s", text(t, again), text(t, first))
			}
			c.proofKey = ""
			if second := x.prove(c); second.TransferToken == "" || second.TransferToken == first.TransferToken {
				t.Errorf("another proof has the token %q, the first %q", second.TransferToken, first.TransferToken)
			}
			if again := repeat(); again.TransferToken != "" {
				t.Error("the first proof brings a token after another took its place")
			}
			wantNoSession(t, c.comeBack(signup.SessionProof{Transfer: first.TransferToken}), "NOTHING_TO_TRANSFER", "proof", "transfer")
		})
	}
}

// TestTransferTwice within the ten minutes: the same session, the same token.
func TestTransferTwice(t *testing.T) {
	for _, x := range transfers {
		t.Run(x.name, func(t *testing.T) {
			w, owner := withOwner(t)
			c := w.provenAgain(x)
			former := c.token
			first := c.comeBack(c.moves())
			c.wantSession(first, owner)
			w.clock.advance(time.Minute)
			for _, token := range []string{c.token, former} { // the answer may have been lost, and the new token with it
				again, err := w.process(nil).CreateSession(t.Context(), w.as(token), c.moves())
				w.must(err)
				if text(t, again) != text(t, first) {
					t.Errorf("the answer is\n%s\nand was\n%s", text(t, again), text(t, first))
				}
			}
			// The former token may be in other hands: without the secret it is good for
			// nothing.
			_, err := w.service.CreateSession(t.Context(), w.as(former), signup.SessionProof{Transfer: "none"})
			wantCode(t, err, "UNAUTHENTICATED")
		})
	}
}

func TestTransferRefusals(t *testing.T) {
	w, _ := withOwner(t)
	c := w.provenAgain(transfers[1])
	mallory := w.client()
	mallory.create(signup.Input{})
	unproven := w.client()
	unproven.create(signup.Input{})
	unproven.keep(w.service.StartVerification(t.Context(), unproven.principal(), "", signup.Start{Strategy: engine.Web3Signature, Wallet: janesWallet}, ""))
	fresh := w.client()
	fresh.create(signup.Input{})
	fresh.proveWallet("0xB0B") // nobody's yet: verified, and nothing to transfer
	for name, other := range map[string]*client{"what was only asked for": unproven, "what is nobody's": fresh} {
		if other.transferToken != "" {
			t.Errorf("%s: there is a token", name)
		}
	}
	for _, test := range []struct {
		name  string
		by    *client
		proof signup.SessionProof
		want  signup.Code
	}{
		{"no token", c, signup.SessionProof{Transfer: "none"}, "INVALID_FORMAT"},
		{"an altered one", c, signup.SessionProof{Transfer: altered(c.transferToken)}, "INVALID_FORMAT"},
		{"another client's", mallory, c.moves(), "BEGUN_ELSEWHERE"},
	} {
		t.Run(test.name, func(t *testing.T) {
			wantNoSession(t, test.by.comeBack(test.proof), test.want, "proof", "transfer")
		})
	}
	_, err := w.service.CreateSession(t.Context(), w.as(""), c.moves())
	wantCode(t, err, "UNAUTHENTICATED")

	gone := w.process(func(cfg *signup.Config) {
		cfg.Directory = ownerOf{cfg.Directory, func() (signup.Owner, error) { return signup.Owner{}, signup.ErrNoRow }}
	})
	out, err := gone.CreateSession(t.Context(), c.principal(), c.moves())
	w.must(err)
	wantNoSession(t, out, "NOTHING_TO_TRANSFER", "proof", "transfer")

	w.clock.advance(engine.CodeLifetime) // that moment included
	wantNoSession(t, c.comeBack(c.moves()), "VERIFICATION_EXPIRED", "proof", "transfer")
	if s := c.signUp(); s.Status != engine.StatusMissingRequirements {
		t.Errorf("a refused transfer leaves the sign-up %s", s.Status)
	}
	former := c.moves()
	c.proveWallet(janesWallet) // and can be proven anew
	wantNoSession(t, c.comeBack(former), "NOTHING_TO_TRANSFER", "proof", "transfer")
	if out := c.comeBack(c.moves()); out.Session == nil {
		t.Errorf("problems %v", out.Problems)
	}
}

// TestAttack21PlantedClientAndTransfer: whoever planted the token in the browser of
// somebody who proves an account or a wallet can read the sign-up, and forge answers
// to a challenge that is closed; none brings the secret that the proof was answered
// with, and without it nobody comes in.
func TestAttack21PlantedClientAndTransfer(t *testing.T) {
	for _, x := range transfers {
		t.Run(x.name, func(t *testing.T) {
			w, owner := withOwner(t)
			victim := w.client()
			victim.create(signup.Input{})
			attacker := &client{world: w, service: w.service, token: victim.token}
			started := victim.keep(w.service.StartVerification(t.Context(), victim.principal(), "", signup.Start{
				Strategy: engine.StrategiesFor(x.attribute)[0], Provider: "forum", RedirectURL: backHome, Wallet: janesWallet,
			}, ""))
			forged := signup.Proof{Attribute: engine.Web3Wallet, Signature: "forged"}
			if x.attribute == engine.ExternalAccount {
				state := parameterOf(t, started.SignUp.Verifications[x.attribute].RedirectURL, "state")
				back, err := w.service.AccountCallback(t.Context(), signup.AccountAnswer{Provider: "forum", State: state, Code: "made up"})
				w.must(err)
				forged = signup.Proof{Attribute: x.attribute, Handle: parameterOf(t, back, signup.HandleParameter)}
			}
			x.prove(victim)
			if victim.transferToken == "" {
				t.Fatal("the proof brings no token")
			}
			out, err := w.service.CheckVerification(t.Context(), attacker.principal(), "", forged, "")
			w.must(err)
			attacker.update(signup.Input{FirstName: signup.Given("Mallory")})
			seen := text(t, attacker.signUp()) + text(t, out)
			if out.TransferToken != "" || attacker.transferToken != "" || strings.Contains(seen, victim.transferToken) {
				t.Errorf("the attacker has the token: %s", seen)
			}
			wantNoSession(t, attacker.comeBack(attacker.moves()), "INVALID_FORMAT", "proof", "transfer")
			victim.wantSession(victim.comeBack(victim.moves()), owner)
			if _, err := w.service.CreateSession(t.Context(), attacker.principal(), attacker.moves()); codeOf(err) != "UNAUTHENTICATED" {
				t.Errorf("the attacker comes in after all: %v", err)
			}
		})
	}
}

// TestUserWhoIsGone in the moment between proof and session.
func TestUserWhoIsGone(t *testing.T) {
	w, _ := withJane(t)
	c := w.client()
	challenge := c.askForCode(janesPhone)
	owner := signup.Owner{UserID: "user_00000000000000000000", Identifier: signup.Identifier{VerifiedAt: dawn}}
	c.service = w.process(func(cfg *signup.Config) {
		cfg.Directory = ownerOf{cfg.Directory, func() (signup.Owner, error) { return owner, nil }}
	})
	wantNoSession(t, c.comeBack(byCode(challenge, w.mail.code(t, janesPhone))), "USER_NOT_FOUND")
	if n := w.count(`SELECT COUNT(*) FROM sessions WHERE user_id = $1`, owner.UserID); n != 0 {
		t.Errorf("nobody has %d sessions", n)
	}
}

// TestTransferredSignUpTellsItsSubscriber that it has ended.
func TestTransferredSignUpTellsItsSubscriber(t *testing.T) {
	inBubble(t, "", func(t *testing.T, w *world) {
		owner := w.signUpOwner()
		c := w.provenAgain(transfers[1])
		states := c.watch()
		if s := <-states; s.Status != engine.StatusMissingRequirements {
			t.Fatalf("the first state is %s", s.Status)
		}
		synctest.Wait()
		out := c.comeBack(c.moves())
		if out.Session == nil || out.Session.UserID != owner {
			t.Fatalf("problems %v", out.Problems)
		}
		seen, ended := pending(states, time.Second) // sooner than it would look by itself
		if !ended || len(seen) != 1 || seen[0].Status != engine.StatusAbandoned {
			t.Errorf("%d states, ended %t", len(seen), ended)
		}
	})
}

// TestTransferLeavesWhatIsFinal: a sign-up that went on to be somebody else stays
// complete, and so does what it became.
func TestTransferLeavesWhatIsFinal(t *testing.T) {
	w, owner := withOwner(t)
	c := w.provenAgain(transfers[1])
	c.update(withEmail("joan@example.com"))
	done := c.check(engine.EmailAddress, w.mail.code(t, "joan@example.com"))
	wantStatus(t, done, engine.StatusComplete)
	w.clock.advance(time.Second)
	out := c.comeBack(c.moves())
	c.wantSession(out, owner)
	if s := c.signUp(); s.Status != engine.StatusComplete || s.CreatedUserID == owner {
		t.Errorf("the sign-up is %s", s.Status)
	}
	me, err := w.service.Client(t.Context(), c.principal())
	w.must(err)
	var users []string
	for _, s := range me.Sessions {
		users = append(users, s.UserID)
	}
	if !slices.Equal(users, []string{owner, done.SignUp.CreatedUserID}) {
		t.Errorf("the client has sessions of %v", users)
	}
}
