package e2e

import (
	"net/http"
	"strings"
	"testing"

	"stepwise/internal/realtest"
)

// TestMailsInTheBrowsersLanguage: what the browser says of itself is enough, and what the
// app names counts more.
func TestMailsInTheBrowsersLanguage(t *testing.T) {
	t.Parallel()
	server := realtest.Program(t, realtest.ProgramOptions{})
	for name, c := range map[string]struct {
		header string
		input  map[string]any
		locale string
		says   string
	}{
		"nothing": {"", nil, "", "Your "},
		"header":  {"es-MX,es;q=0.9,en;q=0.8", nil, "es", "Su "},
		"input":   {"en", map[string]any{"locale": "es-cl"}, "es-CL", "Su "},
		"null":    {"es", map[string]any{"locale": nil}, "", "Your "},
	} {
		to := name + "@example.com"
		input := map[string]any{"emailAddress": to, "startVerifications": []any{map[string]any{"strategy": "EMAIL_CODE"}}}
		for member, value := range c.input {
			input[member] = value
		}
		person := newClient(t, server)
		if c.header != "" {
			person.headers = http.Header{"Accept-Language": {c.header}}
		}
		s := person.create(t, input)
		got := ""
		if s.Locale != nil {
			got = *s.Locale
		}
		messages := person.outbox(t, to)
		if got != c.locale || len(messages) != 1 || !strings.HasPrefix(messages[0].Subject, c.says) {
			t.Errorf("%s: locale %q, messages %+v", name, got, messages)
		}
	}
}
