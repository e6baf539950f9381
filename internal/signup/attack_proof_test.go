package signup_test

import (
	"slices"
	"strings"
	"testing"

	"stepwise/engine"
	"stepwise/internal/signup"
)

// Attacks by mailed links, by addresses to be sent back to, and on wallets.

// TestAttack02TrojanAttempt: the attacker's sign-up carries the victim's address
// and everything else of the attacker's. The victim, who opens the mail, verifies
// nothing with it.
func TestAttack02TrojanAttempt(t *testing.T) {
	for name, back := range map[string]string{"on our page": "", "at the app": home} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, `{"phoneNumber": {"enabled": true}, "web3Wallet": {"enabled": true}}`)
			attacker := w.client()
			attacker.create(signup.Input{Password: signup.Given(goodPassword), PhoneNumber: signup.Given("+4930901820"), Start: starts(engine.PhoneCode)})
			attacker.check(engine.PhoneNumber, w.mail.code(t, "+4930901820"))
			attacker.signs(walletOf("attacker"))
			attacker.update(signup.Input{EmailAddress: signup.Given(victim), Start: []signup.Start{{Strategy: engine.EmailLink, RedirectURL: back}}})
			token := linkToken(t, w.mail.all()[1])
			before := text(t, attacker.signUp())

			joan := w.client()
			joan.create(signup.Input{})
			for who, p := range map[string]signup.Principal{"nobody": w.as(""), "another client": joan.principal()} {
				result, err := w.service.FollowLink(t.Context(), p, token)
				w.must(err)
				want := signup.LinkElsewhere
				if back != "" {
					want = signup.LinkReturn // where the app finds out
				}
				if result.Outcome != want || result.ClientToken != "" {
					t.Errorf("%s follows it: %+v", who, result)
				}
			}
			wantProblems(t, joan.offer(signup.Proof{Attribute: engine.EmailAddress, Link: token}), signup.CodeOtherClient)
			if _, err := w.service.CheckVerification(t.Context(), w.as(""), "", signup.Proof{Attribute: engine.EmailAddress, Link: token}, ""); err != nil {
				wantCode(t, err, "UNAUTHENTICATED")
			}
			if after := text(t, attacker.signUp()); after != before {
				t.Errorf("the attacker's sign-up was\n%s\nand is\n%s", before, after)
			}
			w.wantNoUser()

			// The victim signs up for themselves.
			wantProblems(t, joan.update(signup.Input{EmailAddress: signup.Given(victim), Password: signup.Given("a password of my own")}))
			w.clock.advance(engine.ResendInterval)
			joan.start(engine.EmailCode)
			wantStatus(t, joan.check(engine.EmailAddress, w.mail.code(t, victim)), engine.StatusComplete)
			w.wantOneUser(victim)
			if users := w.usersWith(victim); !slices.Equal(kinds(users[0]), []string{"EMAIL_ADDRESS"}) {
				t.Errorf("the victim has %v", kinds(users[0]))
			}
		})
	}
}

// TestAttack05ChangeOfAddress: another address voids the code, the link and the
// proof of the former one, and they stay void when it comes back.
func TestAttack05ChangeOfAddress(t *testing.T) {
	const changed = "changed@example.com"
	for name, take := range map[string]func(c *client, in signup.Input){
		"another address": func(c *client, in signup.Input) { c.update(in) },
		"cleared":         func(c *client, _ signup.Input) { c.update(signup.Input{EmailAddress: signup.Null()}) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "")
			c := w.client()
			c.create(signup.Input{EmailAddress: signup.Given(victim), Start: starts(engine.EmailLink)})
			mail := w.mail.all()[0]
			link := signup.Proof{Attribute: engine.EmailAddress, Link: linkToken(t, mail)}
			void := func(when string) {
				t.Helper()
				for proof, out := range map[string]signup.Outcome{"code": c.check(engine.EmailAddress, mail.Code), "link": c.offer(link)} {
					if got := codesOf(out.Problems); !slices.Equal(got, []signup.Code{signup.Code(engine.CodeNotStarted)}) {
						t.Errorf("%s, the %s: %v", when, proof, got)
					}
				}
				if result, err := w.service.FollowLink(t.Context(), c.principal(), link.Link); err != nil || result.Outcome != signup.LinkInvalid {
					t.Errorf("%s, followed: %+v, %v", when, result, err)
				}
			}
			take(c, signup.Input{EmailAddress: signup.Given(changed)})
			void("under the other")
			c.update(signup.Input{EmailAddress: signup.Given(victim)})
			void("back again")
			w.clock.advance(engine.ResendInterval)
			c.start(engine.EmailCode)
			next := w.mail.all()[1]
			wantProblems(t, c.offer(link), signup.Code(engine.CodeNotStarted))
			wantProblems(t, c.check(engine.EmailAddress, next.Code))

			// What was proven is void, too.
			c.update(signup.Input{EmailAddress: signup.Given(changed)})
			out := c.update(signup.Input{EmailAddress: signup.Given(victim), Password: signup.Given(goodPassword)})
			wantStatus(t, out, engine.StatusMissingRequirements)
			if out.SignUp.Verdict.Unverified != engine.SetOf(engine.EmailAddress) {
				t.Errorf("the sign-up is %s", describe(out))
			}
		})
	}
}

// badRedirects are near to https://app.example.com/in, which is allowed, or lead
// elsewhere than they look.
var badRedirects = []string{
	"//evil.example", "//app.example.com/in", `\evil.example`, `\\evil.example`, `/\evil.example`, "/in", "in", "",
	"https://evil.example/in", "https://app.example.com@evil.example/in", "https://user:pass@app.example.com/in",
	"https://app.example.com.evil.example/in", "https://evilapp.example.com/in", "https://example.com/in",
	`https://app.example.com\@evil.example/in`, `https://evil.example\@app.example.com/in`,
	"javascript:alert(1)", "javascript://app.example.com/in%0aalert(1)", "data:text/html,in", "http://app.example.com/in",
	"https://app.example.com/%69n", "https://app.example.com/%2569n", "https://app.example.com%2fin", "https://app.example.com/in%00",
	"HTTPS://app.example.com/in", "https://APP.example.com/in", "https://app.example.com/IN", "https://app.example.com:443/in",
	"https://app.example.com/in/", "https://app.example.com/in/..", "https://app.example.com/", "https://app.example.com", "https://app.example.com//in",
	"https://app.example.com/in?", "https://app.example.com/in?next=https://evil.example", "https://app.example.com/in#x", "https://app.example.com/in#",
	" https://app.example.com/in", "https://app.example.com/in ", "https://app.example.com/in\n", "https://app.example.com./in", "https://аpp.example.com/in",
	"http://localhost.evil.example/", "http://localhost@evil.example/", "http://127.0.0.1.evil.example/", "javascript://localhost/%0aalert(1)",
	`http://localhost:3000\@evil.example/`, "http://user@localhost/", "//localhost/", "http://localhost:3000/done#x", "ftp://localhost/",
}

// TestAttack09Redirects: people are sent back to addresses of the list, each
// exactly as it is; in development also to this machine.
func TestAttack09Redirects(t *testing.T) {
	const allowed, withQuery = "https://app.example.com/in", "https://app.example.com/in?from=mail"
	w := newWorld(t, `{"allowedRedirects": ["`+allowed+`", "`+withQuery+`"], `+providerSettings+`}`)
	production := w.process(func(c *signup.Config) { c.Development = false })
	local := []string{home, "http://localhost/", "https://127.0.0.1:8443/x?y=z", "http://[::1]:3000/"}

	for name, service := range map[string]*signup.Service{"development": w.service, "production": production} {
		c := &client{world: w, service: service}
		c.create(signup.Input{EmailAddress: signup.Given(victim)})
		tries := map[string]func(back string) []signup.Problem{
			"OAUTH": func(back string) []signup.Problem {
				return c.starting(signup.Start{Strategy: engine.OAuth, Provider: "acme", RedirectURL: back}).Problems
			},
			"EMAIL_LINK": func(back string) []signup.Problem {
				return c.starting(signup.Start{Strategy: engine.EmailLink, RedirectURL: back}).Problems
			},
			"invitation": func(back string) []signup.Problem {
				made, err := service.Invite(t.Context(), w.secret(), signup.InvitationInput{RedirectURL: back})
				w.must(err)
				return made.Problems
			},
		}
		bad := badRedirects
		if name == "production" {
			bad = append(slices.Clone(bad), local...)
		}
		for what, try := range tries {
			for _, back := range bad {
				if back == "" && what != "OAUTH" {
					continue // none is needed there
				}
				if got := codesOf(try(back)); !slices.Equal(got, []signup.Code{signup.CodeRedirectNotAllowed}) {
					t.Errorf("%s, %s to %q: %v", name, what, back, got)
				}
			}
			good := []string{allowed, withQuery}
			if name == "development" {
				good = append(good, local...)
			}
			for _, back := range good {
				if got := try(back); len(got) > 0 {
					t.Errorf("%s, %s to %q: %v", name, what, back, got)
				}
			}
		}
		if seen := c.signUp().Verifications[engine.ExternalAccount]; seen == nil || seen.Status != engine.VerificationUnverified {
			t.Errorf("%s: nothing was started", name)
		}
	}

	// The address is kept as it is; the handle is added to it.
	c := w.client()
	c.create(signup.Input{})
	for back, want := range map[string]string{allowed: allowed + "?", withQuery: withQuery + "&"} {
		wantProblems(t, c.starting(signup.Start{Strategy: engine.OAuth, Provider: "acme", RedirectURL: back}))
		location, err := w.service.AccountCallback(t.Context(), w.accounts.admit(t, c.redirect(), ada))
		w.must(err)
		if !strings.HasPrefix(location, want+signup.HandleParameter+"=") || strings.ContainsAny(location, "\r\n ") {
			t.Errorf("from %s people come to %s", back, location)
		}
	}
}

// TestAttack19SignatureReplayed: a signature is good for one challenge of one
// sign-up, once.
func TestAttack19SignatureReplayed(t *testing.T) {
	w := newWorld(t, `{"web3Wallet": {"enabled": true, "chainIds": [1, 10]}, "allowedOrigins": ["https://app.example.com"]}`)
	mine := walletOf("victim")
	victims := w.client()
	victims.create(signup.Input{Start: []signup.Start{signing(mine)}})
	stolen := mine.proof(victims.asked())

	attacker := w.client()
	attacker.create(signup.Input{Start: []signup.Start{signing(mine)}})
	wantProblems(t, attacker.offer(stolen), signup.Code(signup.SIWENonceMismatch))
	bare := stolen
	bare.Message = "" // as if it were of the text asked for
	wantProblems(t, attacker.offer(bare), signup.Code(signup.SignatureMismatch))

	wantProblems(t, victims.starting(signup.Start{Strategy: engine.Web3Signature, Wallet: mine.address, ChainID: 10}))
	wantProblems(t, victims.offer(stolen), signup.Code(signup.SIWEChainMismatch)) // the challenge it was for is void
	w.clock.advance(engine.ResendInterval)
	wantProblems(t, victims.starting(signing(mine)))
	wantProblems(t, victims.offer(stolen), signup.Code(signup.SIWENonceMismatch))

	good := mine.proof(victims.asked())
	wantProblems(t, victims.offer(good))
	wantProblems(t, victims.offer(good), signup.Code(engine.CodeAlreadyVerified))
	another := &client{world: w, service: w.process(nil), token: victims.token}
	wantProblems(t, another.offer(good), signup.Code(engine.CodeAlreadyVerified))
	another.update(signup.Input{Clear: []engine.Attribute{engine.Web3Wallet}})
	wantProblems(t, another.offer(good), signup.Code(engine.CodeNotStarted))

	late := w.client()
	late.create(signup.Input{Start: []signup.Start{signing(mine)}})
	proof := mine.proof(late.asked())
	w.clock.advance(engine.CodeLifetime)
	wantProblems(t, late.offer(proof), signup.Code(engine.CodeExpired))
	w.wantNoUser()
}

// TestAttack19SignatureForAnotherSite: the message names the page that asks, and
// only pages of the list may.
func TestAttack19SignatureForAnotherSite(t *testing.T) {
	w := newWorld(t, `{"web3Wallet": {"enabled": true, "chainIds": [10, 8453]}, "allowedOrigins": ["https://app.example.com"]}`)
	mine := walletOf("victim")
	production := &client{world: w, service: w.process(func(c *signup.Config) { c.Development = false })}
	production.create(signup.Input{})
	start := func(change func(*signup.Start)) signup.Outcome {
		s := signing(mine)
		change(&s)
		return production.starting(s)
	}
	for _, origin := range []string{
		"https://evil.example", "https://app.example.com.evil.example", "https://APP.example.com", "https://app.example.com/", "app.example.com",
		"https://app.example.com:444", "http://app.example.com", "null", "http://localhost:3000", "https://app.example.com\nURI: https://evil.example",
	} {
		out := start(func(s *signup.Start) { s.Origin = origin })
		if got := codesOf(out.Problems); !slices.Equal(got, []signup.Code{signup.CodeOriginNotAllowed}) {
			t.Errorf("from %q: %v", origin, got)
		}
	}
	for _, chain := range []int64{1, -1, 11, 1 << 40} {
		wantProblems(t, start(func(s *signup.Start) { s.ChainID = chain }), signup.CodeChainNotAllowed)
	}
	for _, address := range []string{"0x", "ada.eth", mine.address[:41], strings.ToLower(mine.address[:4]) + strings.ToUpper(mine.address[4:]) + "0"} {
		wantProblems(t, start(func(s *signup.Start) { s.Wallet = address }), signup.Code(signup.WalletAddressInvalid))
	}
	wantProblems(t, start(func(s *signup.Start) { s.Wallet, s.ChainID, s.Origin = "0x", 1, "null" }),
		signup.Code(signup.WalletAddressInvalid), signup.CodeChainNotAllowed, signup.CodeOriginNotAllowed)
	if v := production.signUp().Verifications[engine.Web3Wallet]; v != nil {
		t.Fatalf("a refused start has begun %+v", v)
	}

	wantProblems(t, start(func(s *signup.Start) { s.Origin = "https://app.example.com" }))
	asked := production.asked()
	if !strings.HasPrefix(asked, "app.example.com wants you") || !strings.Contains(asked, "\nURI: https://app.example.com\n") || !strings.Contains(asked, "\nChain ID: 10\n") {
		t.Errorf("the wallet is asked to sign\n%s", asked)
	}
	for change, code := range map[[2]string]engine.Code{
		{"app.example.com wants", "evil.example wants"}:               signup.SIWEDomainMismatch,
		{"URI: https://app.example.com", "URI: https://evil.example"}: signup.SIWEURIMismatch,
		{"Chain ID: 10", "Chain ID: 8453"}:                            signup.SIWEChainMismatch,
		{mine.address, walletOf("attacker").address}:                  signup.SIWEAddressMismatch,
		{"moves nothing", "moves everything"}:                         signup.SIWEStatementMismatch,
	} {
		phished := strings.Replace(asked, change[0], change[1], 1)
		wantProblems(t, production.offer(mine.proof(phished)), signup.Code(code))
	}
	// Five wrong ones, and the challenge is spent.
	wantProblems(t, production.offer(mine.proof(asked)), signup.Code(engine.CodeTooManyGuesses))
	wantProblems(t, start(func(s *signup.Start) { s.Origin = "https://app.example.com" }))
	wantProblems(t, production.offer(walletOf("attacker").proof(production.asked())), signup.Code(signup.SignatureMismatch))
	wantProblems(t, production.offer(mine.proof(production.asked())))
}

// TestAttack19SignatureRaced: twenty copies at two processes make one user.
func TestAttack19SignatureRaced(t *testing.T) {
	w := newWorld(t, `{"web3Wallet": {"enabled": true}, "emailAddress": {"required": false}}`)
	mine := walletOf("victim")
	c := w.client()
	c.create(signup.Input{Start: []signup.Start{signing(mine)}})
	proof, caller := mine.proof(c.asked()), c.principal()
	services := []*signup.Service{w.service, w.process(nil)}
	outcomes, errs := together(20, func(i int) (signup.Outcome, error) {
		return services[i%2].CheckVerification(t.Context(), caller, "", proof, "")
	})
	user, session := w.wantOneUser(mine.address)
	for i, out := range outcomes {
		w.must(errs[i])
		wantProblems(t, out)
		if out.SignUp.CreatedUserID != user || out.SignUp.CreatedSession != session || out.ClientToken != outcomes[0].ClientToken {
			t.Errorf("call %d was told %s, user %s", i, describe(out), out.SignUp.CreatedUserID)
		}
	}
}

// TestAttack20Prefetcher: what visits links on its own uses nothing up.
func TestAttack20Prefetcher(t *testing.T) {
	w := newWorld(t, "")
	c := w.client()
	in := withEmail(victim)
	in.Start = starts(engine.EmailLink)
	c.create(in)
	token, before := linkToken(t, w.mail.all()[0]), text(t, c.signUp())
	_, errs := together(10, func(int) (signup.LinkPage, error) { return w.service.OpenLink(t.Context(), token) })
	for _, err := range errs {
		w.must(err)
	}
	if after := text(t, c.signUp()); after != before {
		t.Errorf("looked at, the sign-up was\n%s\nand is\n%s", before, after)
	}
	w.wantNoUser()
	caller := c.principal()
	results, errs := together(10, func(int) (signup.LinkResult, error) { return w.service.FollowLink(t.Context(), caller, token) })
	for i, r := range results {
		w.must(errs[i])
		if r.Outcome != signup.LinkConfirmed || r.ClientToken == "" || r.ClientToken != results[0].ClientToken {
			t.Errorf("followed, it is %+v", r)
		}
	}
	w.wantOneUser(victim)
	for _, nonsense := range []string{"", "nonsense", altered(token), token + "x"} {
		if _, err := w.service.OpenLink(t.Context(), nonsense); codeOf(err) != "NOT_FOUND" {
			t.Errorf("the link %q is opened: %v", nonsense, err)
		}
		if r, err := w.service.FollowLink(t.Context(), caller, nonsense); err != nil || r.Outcome != signup.LinkInvalid {
			t.Errorf("the link %q is followed: %+v, %v", nonsense, r, err)
		}
	}
}
