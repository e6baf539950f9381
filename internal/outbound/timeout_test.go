package outbound

import (
	"context"
	"net/http"
	"testing"
	"time"
)

// TestContextInsteadOfTimeout: a caller whose contexts end may take the client's own
// timeout away, and wait longer than that.
func TestContextInsteadOfTimeout(t *testing.T) {
	const timeout = 50 * time.Millisecond
	late := startServer(t, false, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-time.After(4 * timeout):
		case <-r.Context().Done():
		}
	})
	c := newClient(t, Options{AllowPrivate: true, Timeout: timeout})
	c.Timeout = 0
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, late.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := c.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
}
