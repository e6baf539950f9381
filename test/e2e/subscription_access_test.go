package e2e

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"stepwise/internal/realtest"
)

// TestSubscriptionNeedsAClient: @access holds for subscriptions as for the rest,
// on the wire.
func TestSubscriptionNeedsAClient(t *testing.T) {
	t.Parallel()
	server := realtest.Program(t, realtest.ProgramOptions{})
	for _, query := range []string{
		`subscription { signUpStatusChanged { id } }`,
		`subscription { ... F } fragment F on Subscription { signUpStatusChanged { id } }`,
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/graphql", strings.NewReader(`{"query": "`+query+`"}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Accept", "text/event-stream")
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil || !strings.Contains(string(body), `"UNAUTHENTICATED"`) || !strings.Contains(string(body), "signUpCreate first") {
			t.Errorf("%s is answered with %s, %v", query, body, err)
		}
	}
}
