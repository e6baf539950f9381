package signup_test

import (
	"slices"
	"strings"
	"testing"

	"stepwise/engine"
	"stepwise/internal/signup"
)

// Attacks on sign-ups by external account. What is wanted of each is in the
// comments; "the victim" has the address, "the attacker" wants what it leads to.

// victim is the one whose address it is.
const victim = "victim@example.com"

// algorithms are settings under which an account with a verified address has all
// it needs, for both.
var algorithms = map[string]string{
	"progressive": `{` + providerSettings + `}`,
	"legacy":      `{"progressiveSignUp": false, ` + providerSettings + `}`,
}

// wantVerification expects the state of a verification, and its error.
func wantVerification(t testing.TB, out signup.Outcome, a engine.Attribute, status engine.VerificationStatus, failure engine.Code) {
	t.Helper()
	if out.SignUp == nil {
		t.Fatalf("no sign-up: %s", describe(out))
	}
	v := out.SignUp.Verifications[a]
	if v == nil || v.Status != status || v.Error != failure {
		t.Fatalf("the verification of %s is %+v, want %s %s", a, v, status, failure)
	}
}

// wantNoUser expects that nobody has been signed up.
func (w *world) wantNoUser() {
	w.Helper()
	for _, table := range []string{"users", "sessions", "conversions", "identifiers"} {
		if n := w.count(`SELECT COUNT(*) FROM ` + table); n != 0 {
			w.Errorf("%d %s", n, table)
		}
	}
}

// altered is the text with another first character.
func altered(s string) string {
	if s[0] == 'A' {
		return "B" + s[1:]
	}
	return "A" + s[1:]
}

// kinds lists a user's identifiers by their kinds.
func kinds(u signup.User) []string {
	var list []string
	for _, i := range u.Identifiers {
		list = append(list, i.Kind)
	}
	slices.Sort(list)
	return list
}

// TestAttack01FederatedMerge: an account whose provider vouches for a user's
// address is not merged into that user; "sign in instead" is the answer.
func TestAttack01FederatedMerge(t *testing.T) {
	for name, settings := range algorithms {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, settings)
			_, owned := w.completed(victim)
			attacker := w.client()
			attacker.create(signup.Input{})
			out := attacker.connect("acme", member{subject: "attacker", email: strings.ToUpper(victim), emailVerified: true})
			wantStatus(w, out, engine.StatusMissingRequirements)
			v := out.SignUp.Verdict
			if !v.Missing.Has(engine.EmailAddress) || v.Reasons[engine.EmailAddress] != engine.ReasonTaken ||
				len(v.Blockers) != 1 || v.Blockers[0].Code != engine.BlockedTaken || out.SignUp.Values[engine.EmailAddress].Text != "" {
				t.Errorf("the sign-up is %s, blocked by %v", describe(out), v.Blockers)
			}
			if again := attacker.update(signup.Input{}); again.SignUp.Status != engine.StatusMissingRequirements {
				t.Errorf("asked again, it is %s", describe(again))
			}
			users := w.usersWith(victim)
			if len(users) != 1 || users[0].ID != owned.CreatedUserID || !slices.Equal(kinds(users[0]), []string{"EMAIL_ADDRESS"}) {
				t.Errorf("the address has the users %+v", users)
			}

			// Without the address the account is a user of its own.
			out = attacker.update(signup.Input{EmailAddress: signup.Null()})
			if name == "progressive" {
				wantStatus(w, out, engine.StatusMissingRequirements)
				attacker.update(signup.Input{EmailAddress: signup.Given("own@example.com"), Start: starts(engine.EmailCode)})
				out = attacker.check(engine.EmailAddress, w.mail.code(w, "own@example.com"))
			}
			wantStatus(w, out, engine.StatusComplete)
			if out.SignUp.CreatedUserID == owned.CreatedUserID {
				t.Error("they became one user")
			}
			w.wantNoHalves()
		})
	}
}

// TestAttack01ToldAtOnce: that the address belongs to a user is known before
// anything else is asked for, unless the person gave another one.
func TestAttack01ToldAtOnce(t *testing.T) {
	w := newWorld(t, `{`+providerSettings+`}`)
	w.completed(victim)
	w.set(`{"lastName": {"required": true}}`)
	m := member{subject: "attacker", email: victim, emailVerified: true}
	taken, other := w.client(), w.client()
	taken.create(signup.Input{})
	out := taken.connect("acme", m)
	if v := out.SignUp.Verdict; v.Missing != engine.SetOf(engine.EmailAddress, engine.LastName) || v.Reasons[engine.EmailAddress] != engine.ReasonTaken {
		t.Errorf("the sign-up is %s, the address %s", describe(out), v.Reasons[engine.EmailAddress])
	}
	other.create(signup.Input{EmailAddress: signup.Given("own@example.com")})
	out = other.connect("acme", m)
	if v := out.SignUp.Verdict; v.Missing != engine.SetOf(engine.LastName) || len(v.Blockers) > 0 {
		t.Errorf("with another address the sign-up is %s", describe(out))
	}
}

// TestAttack01SquattingBeforehand: a sign-up with a password that waits under the
// victim's address has no part in the victim, who comes with an account.
func TestAttack01SquattingBeforehand(t *testing.T) {
	for name, settings := range algorithms {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, settings)
			attacker := w.client()
			wantProblems(w, attacker.create(withEmail(victim)))
			w.wantNoUser()

			owner := w.client()
			owner.create(signup.Input{})
			out := owner.connect("acme", member{subject: "victim", email: victim, emailVerified: true})
			wantStatus(w, out, engine.StatusComplete)
			user, _ := w.wantOneUser(victim)
			if users := w.usersWith(victim); users[0].HasPassword {
				t.Error("the victim has a password")
			}

			signIn, err := w.service.CreateSession(t.Context(), w.as(""), signup.SessionProof{Identifier: victim, Password: goodPassword})
			w.must(err)
			if got := codesOf(signIn.Problems); !slices.Equal(got, []signup.Code{signup.CodeCredentials}) || signIn.Session != nil {
				t.Errorf("the attacker's password is answered with %v", got)
			}
			// Even with the code, the address is gone.
			out = attacker.check(engine.EmailAddress, w.mail.code(w, victim))
			wantProblems(w, out, signup.Code(engine.CodeTaken))
			wantStatus(w, out, engine.StatusMissingRequirements)
			if again, _ := w.wantOneUser(victim); again != user {
				t.Errorf("the address moved from %s to %s", user, again)
			}
		})
	}
}

// TestAttack06UnverifiedProvider: an address counts as verified only if the
// provider is trusted for it and claims it.
func TestAttack06UnverifiedProvider(t *testing.T) {
	for name, settings := range algorithms {
		for claim, attempt := range map[string]struct {
			provider string
			verified bool
		}{
			"not claimed":               {"acme", false},
			"claimed by the untrusted":  {"forum", true},
			"not even by the untrusted": {"forum", false},
		} {
			t.Run(name+"/"+claim, func(t *testing.T) {
				w := newWorld(t, settings)
				attacker := w.client()
				attacker.create(signup.Input{})
				out := attacker.connect(attempt.provider, member{subject: "attacker", email: victim, emailVerified: attempt.verified})
				wantStatus(w, out, engine.StatusMissingRequirements)
				if name == "legacy" {
					wantVerification(w, out, engine.ExternalAccount, engine.VerificationFailed, engine.CodeEmailNotVerified)
					if v := out.SignUp.Verdict; !v.Missing.Has(engine.EmailAddress) || v.Present != 0 {
						t.Errorf("the sign-up is %s and has %s", describe(out), v.Present)
					}
				} else {
					wantVerification(w, out, engine.ExternalAccount, engine.VerificationVerified, "")
					if v := out.SignUp.Verdict; v.Unverified != engine.SetOf(engine.EmailAddress) || !v.Missing.Empty() {
						t.Errorf("the sign-up is %s", describe(out))
					}
					if v := out.SignUp.Verifications[engine.EmailAddress]; v != nil {
						t.Errorf("the address has the verification %+v", v)
					}
				}
				w.wantNoUser()
			})
		}
	}
}

// TestAttack06TrustWithdrawn: an operator who stops trusting a provider is heard
// by the sign-ups that are open.
func TestAttack06TrustWithdrawn(t *testing.T) {
	w := newWorld(t, `{"firstName": {"required": true}, `+providerSettings+`}`)
	c := w.client()
	c.create(signup.Input{})
	out := c.connect("acme", member{subject: "attacker", email: victim, emailVerified: true})
	if v := out.SignUp.Verdict; !v.Unverified.Empty() || v.Missing != engine.SetOf(engine.FirstName) {
		t.Fatalf("the sign-up is %s", describe(out))
	}
	w.set(`{"externalAccount": {"providers": [{"name": "acme", "trustEmail": false}]}}`)
	out = c.update(signup.Input{FirstName: signup.Given("Ada")})
	wantStatus(w, out, engine.StatusMissingRequirements)
	if v := out.SignUp.Verdict; v.Unverified != engine.SetOf(engine.EmailAddress) {
		t.Errorf("the sign-up is %s", describe(out))
	}
	w.wantNoUser()
}
