package transport_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"stepwise/internal/transport"
)

// What the client's program says of its language comes with its credentials: of a
// WebSocket, from the handshake.
func TestAcceptLanguageIsPassedOn(t *testing.T) {
	heard := make(chan string, 1)
	s := newTestServer(t, func(c *transport.Config) {
		c.Authenticate = func(ctx context.Context, given transport.Credentials) (context.Context, error) {
			heard <- given.AcceptLanguage
			return ctx, nil
		}
	})
	for _, header := range []string{"", "es-MX,es;q=0.9"} {
		request, err := http.NewRequest(http.MethodPost, s.url, strings.NewReader(`{"query":"{ __typename }"}`))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("Accept-Language", header)
		response, err := s.client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if got := <-heard; got != header {
			t.Errorf("over HTTP %q arrives as %q", header, got)
		}
		s.connected(`{}`, "Accept-Language", header)
		if got := <-heard; got != header {
			t.Errorf("on a WebSocket %q arrives as %q", header, got)
		}
	}
}
