package outbound

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"testing"
)

// TestReasonQuotesNothing: errors of the network and of time are themselves, all others
// are the words.
func TestReasonQuotesNothing(t *testing.T) {
	const address = "https://example.com/canary"
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	for name, test := range map[string]struct {
		ctx  context.Context
		err  error
		want error
	}{
		"private":   {t.Context(), &url.Error{Op: "Get", URL: address, Err: fmt.Errorf("dial: %w", ErrPrivateAddress)}, ErrPrivateAddress},
		"plain":     {t.Context(), &url.Error{Op: "Get", URL: address, Err: ErrPlainHTTP}, ErrPlainHTTP},
		"large":     {t.Context(), fmt.Errorf("canary: %w", ErrTooLarge), ErrTooLarge},
		"late":      {t.Context(), &url.Error{Op: "Get", URL: address, Err: context.DeadlineExceeded}, context.DeadlineExceeded},
		"refused":   {t.Context(), &url.Error{Op: "Get", URL: address, Err: refused}, refused},
		"left":      {over, &url.Error{Op: "Get", URL: address, Err: refused}, context.Canceled},
		"malformed": {t.Context(), &url.Error{Op: "Get", URL: address, Err: errors.New("malformed HTTP response \"canary\"")}, nil},
	} {
		got := Reason(test.ctx, test.err, "the words")
		if test.want == nil && got.Error() != "the words" || test.want != nil && !errors.Is(got, test.want) || strings.Contains(got.Error(), "canary") {
			t.Errorf("%s: %v", name, got)
		}
	}
}
