package signup_test

import (
	"context"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"stepwise/engine"
	"stepwise/internal/signup"
)

// What somebody could try to come into the place of somebody else, and what
// happens around a provider that takes its time.

// walletsByName is a WalletProver whose signatures are what everybody can read:
// that of a wallet is "signed by" and its name.
type walletsByName struct{}

func (walletsByName) Address(text string) (string, error)     { return text, nil }
func (walletsByName) Message(c signup.WalletChallenge) string { return c.Address + " " + c.Nonce }
func (walletsByName) Verify(c signup.WalletChallenge, _, s string) error {
	if s != "signed by "+c.Address {
		return &signup.ProofError{Code: signup.SignatureMismatch}
	}
	return nil
}

// accountsByCode is an AccountProver to whom an authorization code says whose
// account it is.
type accountsByCode struct {
	mu        sync.Mutex
	accounts  map[string]signup.ProvenAccount
	exchanged []string
	asked     []signup.Provider
	// during, if not nil, happens while a code is exchanged.
	during func()
}

func (*accountsByCode) AuthorizationEndpoint(_ context.Context, p signup.Provider) (string, error) {
	return p.Issuer + "/authorize", nil
}

func (*accountsByCode) AuthorizationURL(_ signup.Provider, endpoint string, r signup.AuthorizationRequest) string {
	return endpoint + "?state=" + r.State
}

func (f *accountsByCode) Redeem(_ context.Context, p signup.Provider, _ signup.AuthorizationRequest, answer signup.AuthorizationResponse) (signup.ProvenAccount, error) {
	f.mu.Lock()
	used := false
	for _, code := range f.exchanged {
		used = used || code == answer.Code
	}
	f.exchanged, f.asked = append(f.exchanged, answer.Code), append(f.asked, p)
	account, ok := f.accounts[answer.Code]
	during := f.during
	f.mu.Unlock()
	if during != nil {
		during()
	}
	if used || !ok {
		return signup.ProvenAccount{}, &signup.ProofError{Code: signup.ProviderExchangeFailed}
	}
	return account, nil
}

func (f *accountsByCode) times(code string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, used := range f.exchanged {
		if used == code {
			n++
		}
	}
	return n
}

const (
	backAtApp = "https://app.example.com/back"
	// withCorp has a provider that is not trusted for addresses, and wallets.
	withCorp = `{"allowedRedirects": ["` + backAtApp + `"], "web3Wallet": {"enabled": true},
		"externalAccount": {"providers": [{"name": "corp", "issuer": "https://one.example.com", "clientId": "app"}]}}`
)

// newProvingWorld can prove wallets and accounts.
func newProvingWorld(t testing.TB, settings string) (*world, *accountsByCode) {
	t.Helper()
	w := newWorld(t, settings)
	accounts := &accountsByCode{accounts: map[string]signup.ProvenAccount{}}
	w.config.Wallets, w.config.Accounts = walletsByName{}, accounts
	w.service = signup.New(w.config)
	return w, accounts
}

func (c *client) startsWallet(address string) signup.Outcome {
	c.Helper()
	return c.keep(c.service.StartVerification(c.Context(), c.principal(), "", signup.Start{Strategy: engine.Web3Signature, Wallet: address}, ""))
}

func (c *client) signsAs(by string) signup.Outcome {
	c.Helper()
	return c.offers(signup.Proof{Attribute: engine.Web3Wallet, Signature: "signed by " + by})
}

func (c *client) offers(proof signup.Proof) signup.Outcome {
	c.Helper()
	return c.keep(c.service.CheckVerification(c.Context(), c.principal(), "", proof, ""))
}

// goesTo starts OAUTH and returns the state that travels to the provider.
func (c *client) goesTo(provider string) (state string) {
	c.Helper()
	out := c.keep(c.service.StartVerification(c.Context(), c.principal(), "", signup.Start{Strategy: engine.OAuth, Provider: provider, RedirectURL: backAtApp}, ""))
	wantProblems(c, out)
	return parameterOf(c, out.SignUp.Verifications[engine.ExternalAccount].RedirectURL, "state")
}

// handleFor is what the provider's redirect becomes on its way through the service.
func (w *world) handleFor(provider, state, code string) signup.Proof {
	w.Helper()
	location, err := w.service.AccountCallback(w.Context(), signup.AccountAnswer{Provider: provider, State: state, Code: code})
	w.must(err)
	return signup.Proof{Attribute: engine.ExternalAccount, Handle: parameterOf(w, location, signup.HandleParameter)}
}

// userWithWallet is a user who has the wallet and nothing else.
func (w *world) userWithWallet(address string) *client {
	w.Helper()
	c := w.client()
	c.create(signup.Input{})
	c.startsWallet(address)
	wantStatus(w, c.signsAs(address), engine.StatusComplete)
	return c
}

func (c *client) movesIn() signup.SessionOutcome {
	c.Helper()
	out, err := c.service.CreateSession(c.Context(), c.principal(), c.moves())
	c.must(err)
	return out
}

// TestSomebodyElsesWalletIsNotTransferred: Mallory has a sign-up with a wallet of
// his, starts to prove Alice's, which everybody can, and lets the conversion fail
// because his own wallet belongs to another user of his by then.
func TestSomebodyElsesWalletIsNotTransferred(t *testing.T) {
	const anything = `{"emailAddress": {"required": false}, "password": {"required": false}, "firstName": {"required": true}, "web3Wallet": {"enabled": true}}`
	w, _ := newProvingWorld(t, `{"emailAddress": {"required": false}, "password": {"required": false}, "web3Wallet": {"enabled": true}}`)
	w.userWithWallet("alice's")

	mallory := w.client()
	w.set(anything)
	mallory.create(signup.Input{})
	mallory.startsWallet("mallory's")
	wantProblems(t, mallory.signsAs("mallory's"))
	w.set(`{"firstName": {"required": false}}`)
	w.userWithWallet("mallory's")
	w.set(anything)
	wantProblems(t, mallory.startsWallet("alice's"))
	wantProblems(t, mallory.update(signup.Input{FirstName: signup.Given("Mallory")}), signup.Code(engine.CodeTaken))

	if mallory.transferToken != "" {
		t.Error("Mallory has a token to transfer a wallet that he has not proven")
	}
	out := mallory.movesIn()
	if out.Session != nil || out.ClientToken != "" {
		t.Fatalf("Mallory has a session of the user %s", out.Session.UserID)
	}
	if codes := codesOf(out.Problems); len(codes) != 1 || codes[0] != signup.CodeInvalidFormat {
		t.Errorf("problems are %v", codes)
	}
}

// TestOneExchangeWhateverHappensMeanwhile: a change of another field while a code
// is exchanged does not let a second delivery of the callback exchange it again,
// whose refusal would take the place of the proof.
func TestOneExchangeWhateverHappensMeanwhile(t *testing.T) {
	w, accounts := newProvingWorld(t, withCorp)
	accounts.accounts["code-1"] = signup.ProvenAccount{Issuer: "https://one.example.com", Subject: "1"}
	c := w.client()
	c.create(signup.Input{})
	proof := w.handleFor("corp", c.goesTo("corp"), "code-1")
	accounts.during = func() {
		accounts.during = nil
		c.update(signup.Input{FirstName: signup.Given("Ada")})
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		_, err := c.service.CheckVerification(ctx, c.principal(), "", proof, "")
		wantCode(t, err, "UNAVAILABLE") // it has waited for the first
	}
	out := c.offers(proof)
	wantProblems(t, out)
	if v := out.SignUp.Verifications[engine.ExternalAccount]; v.Status != engine.VerificationVerified {
		t.Errorf("the account is %v, %v", v.Status, v.Error)
	}
	if out.SignUp.Values[engine.FirstName].Text != "Ada" {
		t.Error("the change made meanwhile is lost")
	}
	if n := accounts.times("code-1"); n != 1 {
		t.Errorf("the code was sent %d times", n)
	}
	if again := c.offers(proof); again.SignUp.Revision != out.SignUp.Revision {
		t.Error("offering it once more has changed the sign-up")
	}
}

// TestProofOutlastsItsCaller: whoever leaves while the code is exchanged finds the
// account proven; the code would not be taken again. A change made at the same
// time makes no difference.
func TestProofOutlastsItsCaller(t *testing.T) {
	for _, meanwhile := range []bool{false, true} {
		w, accounts := newProvingWorld(t, withCorp)
		accounts.accounts["code-1"] = signup.ProvenAccount{Issuer: "https://one.example.com", Subject: "1"}
		c := w.client()
		c.create(signup.Input{})
		proof := w.handleFor("corp", c.goesTo("corp"), "code-1")
		ctx, leave := context.WithCancel(t.Context())
		accounts.during = func() {
			if meanwhile {
				c.update(signup.Input{FirstName: signup.Given("Ada")})
			}
			leave()
		}
		_, _ = c.service.CheckVerification(ctx, c.principal(), "", proof, "") // nobody is there to hear it
		if v := c.signUp().Verifications[engine.ExternalAccount]; v.Status != engine.VerificationVerified {
			t.Errorf("with another change %t: the account is %v, %v", meanwhile, v.Status, v.Error)
		}
		if n := accounts.times("code-1"); n != 1 {
			t.Errorf("with another change %t: the code was sent %d times", meanwhile, n)
		}
	}
}

// TestNameOfAProviderIsGivenToAnotherMeanwhile: what was proven with the former
// one counts for nothing, least of all an address that only the new one is trusted
// for, and no code of the former one is sent to the new one.
func TestNameOfAProviderIsGivenToAnotherMeanwhile(t *testing.T) {
	const another = `{"externalAccount": {"providers": [{"name": "corp", "issuer": "https://two.example.com", "trustEmail": true}]}}`
	w, accounts := newProvingWorld(t, withCorp)
	for _, code := range []string{"before", "meanwhile"} {
		accounts.accounts[code] = signup.ProvenAccount{Issuer: "https://one.example.com", Subject: code, Email: "victim@example.com", EmailVerified: true}
	}
	c := w.client()
	c.create(signup.Input{})
	out := c.offers(w.handleFor("corp", c.goesTo("corp"), "before"))
	wantProblems(t, out)
	if !out.SignUp.Verdict.Unverified.Has(engine.EmailAddress) {
		t.Fatalf("the answer is %s", describe(out))
	}
	d := w.client()
	d.create(signup.Input{})
	proof := w.handleFor("corp", d.goesTo("corp"), "meanwhile")

	w.set(another)
	if out = c.update(signup.Input{}); out.SignUp.Status == engine.StatusComplete || out.SignUp.Values[engine.ExternalAccount].Text != "" || !out.SignUp.Verdict.Missing.Has(engine.EmailAddress) {
		t.Errorf("under another provider of that name: %s", describe(out))
	}
	if v := d.signUp().Verifications[engine.ExternalAccount]; v.RedirectURL != "" {
		t.Errorf("people are still sent to %s", v.RedirectURL)
	}
	if v := d.offers(proof).SignUp.Verifications[engine.ExternalAccount]; v.Status != engine.VerificationFailed {
		t.Errorf("the account is %v", v.Status)
	}
	if n := accounts.times("meanwhile"); n != 0 {
		t.Error("another provider got the code")
	}
}

// TestNothingIsTransferredOnceItsWayIsOff: an operator who turns a provider, or
// wallets, off wants nobody in that way from that moment on.
func TestNothingIsTransferredOnceItsWayIsOff(t *testing.T) {
	for _, test := range []struct {
		a        engine.Attribute
		off      string
		on       string
		wantCode engine.Code
	}{
		{engine.ExternalAccount, `{"externalAccount": {"providers": [{"name": "corp", "enabled": false}]}}`, `{"externalAccount": {"providers": [{"name": "corp", "enabled": true}]}}`, engine.CodeFieldDisabled},
		{engine.ExternalAccount, `{"externalAccount": {"providers": [{"name": "corp", "issuer": "https://two.example.com"}]}}`, `{"externalAccount": {"providers": [{"name": "corp", "issuer": "https://one.example.com"}]}}`, engine.CodeProviderDisabled},
		{engine.Web3Wallet, `{"web3Wallet": {"enabled": false}}`, `{"web3Wallet": {"enabled": true}}`, engine.CodeFieldDisabled},
	} {
		w, accounts := newProvingWorld(t, withCorp)
		for _, code := range []string{"1", "2"} {
			accounts.accounts[code] = signup.ProvenAccount{Issuer: "https://one.example.com", Subject: "ada", Email: "ada@example.com", EmailVerified: true}
		}
		proves := func(c *client, code string) signup.Outcome {
			if test.a == engine.Web3Wallet {
				c.startsWallet("ada's")
				return c.signsAs("ada's")
			}
			return c.offers(w.handleFor("corp", c.goesTo("corp"), code))
		}
		ada := w.client()
		ada.create(withEmail("ada@example.com"))
		wantProblems(t, proves(ada, "1"))
		wantStatus(t, ada.check(engine.EmailAddress, w.mail.code(w, "ada@example.com")), engine.StatusComplete)

		elsewhere := w.client()
		elsewhere.create(signup.Input{})
		if v := proves(elsewhere, "2").SignUp.Verifications[test.a]; v.Status != engine.VerificationTransferable {
			t.Fatalf("%v is %v", test.a, v.Status)
		}
		w.set(test.off)
		out := elsewhere.movesIn()
		if codes := codesOf(out.Problems); out.Session != nil || len(codes) != 1 || codes[0] != signup.Code(test.wantCode) {
			t.Errorf("%v, %s: session %v, problems %v", test.a, test.off, out.Session, codes)
		}
		w.set(test.on)
		if out := elsewhere.movesIn(); out.Session == nil {
			t.Errorf("%v, turned on again: problems %v", test.a, codesOf(out.Problems))
		}
	}
}

// TestOldStateLeadsNowhere: for a while the app learns that the answer is late;
// after that the address it went to is not visited any more.
func TestOldStateLeadsNowhere(t *testing.T) {
	w, _ := newProvingWorld(t, withCorp)
	c := w.client()
	c.create(signup.Input{})
	state := c.goesTo("corp")
	w.clock.advance(engine.CodeLifetime + time.Hour - time.Millisecond)
	wantProblems(t, c.offers(w.handleFor("corp", state, "late")), signup.Code(engine.CodeExpired))
	w.clock.advance(time.Millisecond)
	location, err := w.service.AccountCallback(t.Context(), signup.AccountAnswer{Provider: "corp", State: state, Code: "late"})
	if wantCode(t, err, "NOT_FOUND"); location != "" {
		t.Errorf("the person is sent to %s", location)
	}
}

// TestLongestAddressToReturnToFits into what the callback and the page of a link
// take of a state or a token.
func TestLongestAddressToReturnToFits(t *testing.T) {
	longest := "https://app.example.com/?" + strings.Repeat("&", 512-25)
	w, _ := newProvingWorld(t, withCorp)
	w.set(`{"allowedRedirects": ["` + longest + `"], "externalAccount": {"providers": [{"name": "` + strings.Repeat("n", 32) + `", "issuer": "https://one.example.com", "clientId": "app"}]}}`)
	c := w.client()
	c.create(signup.Input{EmailAddress: signup.Given("ada@example.com"), Start: []signup.Start{
		{Strategy: engine.EmailLink, RedirectURL: longest},
		{Strategy: engine.OAuth, RedirectURL: longest, Provider: strings.Repeat("n", 32)},
	}})
	state := parameterOf(t, c.signUp().Verifications[engine.ExternalAccount].RedirectURL, "state")
	token := parameterOf(t, w.mail.all()[0].Link, "token")
	for _, text := range []string{state, token} {
		if len(text) > 1024 {
			t.Errorf("%d bytes", len(text))
		}
	}
}

// TestWhoIsTurnedAwayCostsNobody: the budget of an address is not for those to
// use up who may not begin at all.
func TestWhoIsTurnedAwayCostsNobody(t *testing.T) {
	w := newWorld(t, `{"signUpMode": "RESTRICTED"}`)
	in := withEmail("ada@example.com")
	for i := range 20 {
		in.Ticket = ""
		want := signup.Code(engine.CodeRestricted)
		if i%2 == 1 {
			in.Ticket, want = "tkt_forged", signup.CodeTicketInvalid
		}
		wantProblems(t, w.client().create(in), want)
	}
	in.EmailAddress = signup.Given("nobody")
	wantProblems(t, w.client().create(in), signup.CodeInvalidFormat, signup.CodeTicketInvalid)

	invitation, err := w.service.Invite(t.Context(), w.secret(), signup.InvitationInput{})
	w.must(err)
	in = withEmail("ada@example.com")
	in.Ticket = invitation.Ticket
	wantProblems(t, w.client().create(in))
	if n := w.mail.sentTo("ada@example.com"); n != 1 {
		t.Errorf("%d messages were sent", n)
	}
}

// parameterOf returns a parameter of the query of an address.
func parameterOf(t testing.TB, address, name string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil || u.Query().Get(name) == "" {
		t.Fatalf("%s has no %s", address, name)
	}
	return u.Query().Get(name)
}
