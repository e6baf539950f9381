package playground

import (
	"context"
	"os"
	"os/exec"
	"testing"
	"time"

	"stepwise/internal/realtest"
)

// The story of the playground in Chromium, against the stand-in. It needs
// Chromium, Node and the packages of web/package.json, and so runs only where
// real programs are wanted.
func TestStoryInBrowser(t *testing.T) {
	if !realtest.Wanted() {
		return
	}
	s, server := startStandIn(t)
	output := os.Getenv("PLAYGROUND_SCREENSHOTS")
	if output == "" {
		output = t.TempDir()
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	run := exec.CommandContext(ctx, "node", "playground.e2e.mjs", server.URL, output)
	run.Env = append(os.Environ(), "SECRET_KEY="+standInSecretKey)
	if printed, err := run.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, printed)
	}
	if len(s.payloads) == 0 || s.streams != len(s.payloads)+1 {
		t.Errorf("%d sockets and %d streams, want one stream without a socket: one over server-sent events", len(s.payloads), s.streams)
	}
	for _, payload := range s.payloads {
		if payload["Publishable-Key"] != standInPublishableKey {
			t.Errorf("the headers of the tab are not in connection_init: %v", payload)
		}
	}
}
