package engine_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// mistake is one that somebody could make in the engine, and the test that
// must notice it.
type mistake struct {
	name     string
	file     string
	right    string
	wrong    string
	caughtBy string
}

var mistakes = []mistake{
	{"an account needs no consent", "evaluate.go",
		"v.demandConsent(enabled, a)", "if !f.account { v.demandConsent(enabled, a) }", "TestConsentChangesNoOtherVerdict"},
	{"a ticket waives the password", "evaluate.go",
		"case f.account || f.wallet:", "case f.account || f.wallet || f.ticket:", "TestTruthTable"},
	{"the claim of an untrusted provider counts", "collected.go",
		"ok && p.TrustEmail && account.EmailVerified", "ok && (p.TrustEmail || ok) && account.EmailVerified", "TestTruthTable"},
	{"legacy honours the flags of email and phone", "settings.go",
		"demanded &^= Verifiable", "demanded &^= 0", "TestTruthTable"},
	{"a taken value that was optional is not missed", "evaluate.go",
		"v.demandReplacements(a.Taken & enabled)", "v.demandReplacements(a.Taken & enabled & v.Required)", "TestTruthTable"},
	{"an open group asks for nothing", "evaluate.go",
		"v.require(group, ReasonOneOf)", "v.explain(group, ReasonOneOf)", "TestTruthTable"},
	{"clearing brings back what the provider sent", "collected.go",
		"if list[0].Presence == Cleared || ", "if ", "TestTruthTable"},
	{"a proof holds for any value", "collected.go",
		"v != nil && v.Verified && v.Key == key", "v != nil && v.Verified", "TestTruthTable"},
	{"legacy keeps what was typed and never verified", "collected.go",
		"dropped := c.alone() &&", "dropped := c.alone() && c.ticket &&", "TestTruthTable"},
	{"a username alone needs no password", "collected.go",
		"c.waysBack = c.present &", "c.waysBack = c.present | c.present &", "TestTruthTable"},
	{"a code lives a moment too long", "attempt.go",
		"!now.Before(v.ExpireAt)", "now.After(v.ExpireAt)", "TestVerificationStatus"},
	{"a wrong guess is not counted", "verify.go",
		"v.Guesses++", "v.Guesses += 0", "TestFiveGuesses"},
	{"a link is good for any challenge", "verify.go",
		`nonce != "" && nonce != v.Nonce`, `nonce != "" && v.Nonce == ""`, "TestLinkVerifiesLikeItsCode"},
	{"an account is proven by an answer to no challenge", "verify.go",
		`if o.Nonce != "" {`, `if o.Nonce == "?" {`, "TestAccountAnswersTheOpenChallengeOnce"},
	{"a signature is good twice", "verify.go",
		"c.Matches && Verifiable.Has(c.Attribute)", "c.Matches", "TestSignatureAnswersTheOpenChallengeOnce"},
	{"the prover does not think of taking an address back", "prospect.go",
		"at.Values[a] = Value{Presence: Cleared} }}}", "_ = at }}}", "TestProspects"},
	{"the blocklist wins", "restrictions.go",
		"if cover(l.Allow, key) {", "if cover(l.Allow, key) && !cover(l.Block, key) {", "TestAdmits"},
	{"an allowlist of addresses is one of numbers", "restrictions.go",
		`strings.HasPrefix(entry, "+") && `, `strings.HasPrefix(entry, "?") && `, "TestAdmits"},
	{"an account comes in without the address it sends", "verify.go",
		"!d.admitted(*o.Account)", "!d.admitted(*o.Account) && d.settings.Fields[EmailAddress].Enabled", "TestAccountWithAnAddressThatIsNotAllowed"},
	{"the invited need to be on a list", "restrictions.go",
		" || TicketVouches(a, attribute, key)", "", "TestTheInvitedNeedNotBeOnAList"},
	{"what was stored before the lists changed stands", "restrictions.go",
		"if !s.admits(a, attribute, c.values[attribute].Key) {", "if false {", "TestRestrictionsChangeBlockersAndReasonsOnly"},
	{"a way to verify that is not offered can be started", "verify.go",
		"!slices.Contains(d.settings.Strategies(a), s.Strategy)", "slices.Contains([]Strategy{}, s.Strategy)", "TestOnlyWaysOnTheListAreStartedAndOffered"},
	{"a challenge lives as long as any other instance's", "verify.go",
		"SentAt: d.facts.Now, ResendAt: d.facts.Now.Add(d.settings.resendInterval()), ExpireAt: d.facts.Now.Add(d.settings.codeLifetime())",
		"SentAt: d.facts.Now, ResendAt: d.facts.Now.Add(d.settings.resendInterval()), ExpireAt: d.facts.Now.Add(CodeLifetime)", "TestTimesOfAChallengeAreSettings"},
	{"another value keeps the code of the former", "decide.go",
		"if v != nil && v.Key != d.address(a).Key {", "if v != nil && d.address(a).Presence != Given {", "TestAnotherValueVoidsProofAndCode"},
}

// TestMistakesAreNoticed makes each mistake, in a copy that only the compiler
// sees, and expects the test to fail that is there to notice it.
func TestMistakesAreNoticed(t *testing.T) {
	for _, m := range mistakes {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			output, err := testWithOverlay(t, m)
			if err == nil {
				t.Fatalf("%s does not notice it", m.caughtBy)
			}
			if !strings.Contains(output, "--- FAIL: "+m.caughtBy) {
				t.Fatalf("%s did not come to fail: %v\n%s", m.caughtBy, err, output)
			}
		})
	}
}

// testWithOverlay runs the test over the sources with the mistake in them.
func testWithOverlay(t *testing.T, m mistake) (output string, err error) {
	t.Helper()
	source, err := os.ReadFile(m.file)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(source), m.right); n != 1 {
		t.Fatalf("%q stands in %s %d times, want once", m.right, m.file, n)
	}
	original, err := filepath.Abs(m.file)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	mutated, overlay := filepath.Join(folder, m.file), filepath.Join(folder, "overlay.json")
	replaced, err := json.Marshal(map[string]map[string]string{"Replace": {original: mutated}})
	if err != nil {
		t.Fatal(err)
	}
	for path, content := range map[string]string{
		mutated: strings.Replace(string(source), m.right, m.wrong, 1),
		overlay: string(replaced),
	} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	command := exec.Command("go", "test", "-vet=off", "-short", "-overlay", overlay, "-run", "^"+m.caughtBy+"$", ".")
	printed, err := command.CombinedOutput()
	return string(printed), err
}
