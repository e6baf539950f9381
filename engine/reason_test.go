package engine_test

import (
	"os"
	"strings"
	"testing"

	"stepwise/engine"
)

var everyReason = []engine.Reason{
	engine.ReasonRequired, engine.ReasonOneOf, engine.ReasonOnlyIdentifier, engine.ReasonSoleIdentifier,
	engine.ReasonConsent, engine.ReasonConsentOutdated, engine.ReasonTaken, engine.ReasonMustBeVerified, engine.ReasonEmailNotVerified,
	engine.ReasonOptional, engine.ReasonOneOfSatisfied, engine.ReasonWaivedByAccount, engine.ReasonWaivedByWallet,
	engine.ReasonLegacyOAuth, engine.ReasonLegacyWallet, engine.ReasonDisabled, engine.ReasonNotAllowed,
}

var everyBlocker = []engine.BlockerCode{
	engine.BlockedTaken, engine.BlockedRestricted, engine.BlockedTicket, engine.BlockedNoIdentifier, engine.BlockedUnprovable, engine.BlockedNotAllowed,
}

// reasonsPage is the one table of codes that the product's users read.
const reasonsPage = "../docs/guides/reasons.md"

// tableRows are the rows of the page's tables by their code.
func tableRows(t *testing.T) map[string][]string {
	t.Helper()
	page, err := os.ReadFile(reasonsPage)
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string][]string{}
	for line := range strings.Lines(string(page)) {
		columns := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range columns {
			columns[i] = strings.Trim(strings.TrimSpace(columns[i]), "`")
		}
		if code := columns[0]; len(columns) > 2 && code == strings.ToUpper(code) && !strings.HasPrefix(code, "-") {
			if rows[code] != nil {
				t.Errorf("%s stands there twice", code)
			}
			rows[code] = columns
		}
	}
	return rows
}

// TestEveryReasonIsDocumentedWithItsSource pins the table: its codes are the
// engine's, and so is what it says to be behind each.
func TestEveryReasonIsDocumentedWithItsSource(t *testing.T) {
	rows := tableRows(t)
	check := func(code string, a engine.Attribute, source engine.Source) {
		t.Helper()
		row := rows[code]
		if row == nil {
			t.Errorf("%s is not documented", code)
			return
		}
		name := strings.ReplaceAll(row[2], "<field>", a.Setting())
		if a == engine.ExternalAccount {
			name = strings.ReplaceAll(name, "externalAccount.enabled", "externalAccount.providers")
		}
		if row[1] != string(source.Kind) || name != source.Name {
			t.Errorf("%s of %v: the page says %s %s, the engine %+v", code, a, row[1], name, source)
		}
	}
	for _, a := range engine.All.List() {
		for _, reason := range everyReason {
			check(string(reason), a, reason.Source(a))
		}
	}
	for _, code := range everyBlocker {
		check(string(code), engine.PhoneNumber, engine.Blocker{Code: code, Attribute: engine.PhoneNumber, HasAttribute: true}.Source())
	}
	if got, want := len(rows), len(everyReason)+len(everyBlocker); got != want {
		t.Errorf("the page has %d codes, the engine %d", got, want)
	}
	wallet := engine.Blocker{Code: engine.BlockedUnprovable, Attribute: engine.Web3Wallet, HasAttribute: true}
	if got := wallet.Source().Name; got != "web3Wallet.enabled" {
		t.Errorf("a wallet that cannot be verified is blocked by %s", got)
	}
}

// TestEveryReasonOccurs: no code in the table is for nothing.
func TestEveryReasonOccurs(t *testing.T) {
	seen := map[engine.Reason]bool{}
	columns := truthTable()
	note := func(s engine.Settings, a engine.Attempt) {
		for _, reason := range engine.Evaluate(s, a).Reasons {
			seen[reason] = true
		}
	}
	for i := 0; i < rows(columns); i += 997 {
		s, a := instance(), attempt()
		row(columns, i, &s, &a)
		note(s, a)
		taken(email)(&a)
		consentAsked(&s)
		note(s, a)
		consented("another")(&a)
		note(s, a)
		a.Taken = none
		given(engine.EmailAddress, ownEmail)(&a)
		s.Restrictions = engine.Restrict(nil, []string{ownEmail})
		note(s, a)
	}
	for _, reason := range everyReason {
		if !seen[reason] {
			t.Errorf("%s never occurs", reason)
		}
	}
	for reason := range seen {
		if !strings.Contains(strings.Join(names(everyReason), " "), string(reason)) {
			t.Errorf("%s is not among those that this test knows", reason)
		}
	}
}

func names[T ~string](list []T) (texts []string) {
	for _, v := range list {
		texts = append(texts, string(v))
	}
	return texts
}
