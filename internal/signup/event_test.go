package signup_test

import (
	"bytes"
	"encoding/json"
	"os"
	"regexp"
	"testing"
	"time"

	"stepwise/engine"
	"stepwise/internal/signup"
)

// random is what differs between two runs of one story.
var random = regexp.MustCompile(`(user|sess|client)_[0-9A-Za-z]{20}`)

// TestEventBodies: what the app's backend reads, to the letter. The bodies are a
// contract: members are added, never renamed. Run with -update to write
// testdata/events.golden anew.
func TestEventBodies(t *testing.T) {
	w := newWorld(t, `{"phoneNumber": {"enabled": true, "verifyAtSignUp": false}, "username": {"enabled": true},
		"legalConsent": {"enabled": true, "documentVersion": "2041-05"}}`)
	w.withElsewhere()
	agreed := true

	// One with all there is.
	out := w.invite(signup.InvitationInput{PublicMetadata: map[string]any{"plan": "gold"}})
	c := w.client()
	wantProblems(t, c.create(signup.Input{
		Ticket: out.Ticket, PhoneNumber: signup.Given(janesPhone), Username: signup.Given(janesName), FirstName: signup.Given("Jane <3"), LastName: signup.Given("Ötter"),
		Password: signup.Given(goodPassword), UnsafeMetadata: map[string]any{"theme": "dark"},
	}))
	c.proveWallet(janesWallet)
	c.proveAccount("jane")
	w.clock.advance(1500 * time.Millisecond)
	wantStatus(t, c.update(signup.Input{LegalAccepted: &agreed}), engine.StatusComplete)

	// One with as little as can be, who comes back.
	w.set(`{"legalConsent": {"enabled": false}}`)
	w.clock.advance(time.Hour)
	w.completed("joan@example.com")
	w.clock.advance(time.Second)
	back := w.client()
	back.comeBack(byPassword("joan@example.com", goodPassword))

	var got bytes.Buffer
	rows, err := w.rows.QueryContext(t.Context(), `SELECT kind, body FROM outbox ORDER BY created_at, kind DESC`)
	w.must(err)
	defer rows.Close()
	for rows.Next() {
		var kind, body string
		w.must(rows.Scan(&kind, &body))
		got.WriteString(kind + " ")
		w.must(json.Indent(&got, []byte(body), "", "  "))
		got.WriteString("\n")
	}
	w.must(rows.Err())
	names := map[string]string{}
	told := random.ReplaceAllStringFunc(got.String(), func(id string) string {
		if names[id] == "" {
			names[id] = random.FindStringSubmatch(id)[1] + "_" + string(rune('a'+len(names)))
		}
		return names[id]
	})
	const file = "testdata/events.golden"
	if *update {
		w.must(os.WriteFile(file, []byte(told), 0o644))
	}
	want, err := os.ReadFile(file)
	w.must(err)
	if told != string(want) {
		t.Errorf("the events are\n%s\nwant\n%s", told, want)
	}
}
