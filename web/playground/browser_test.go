package playground

import (
	"context"
	"os"
	"os/exec"
	"testing"
	"time"

	"stepwise/internal/realtest"
)

// The story of the playground in Chromium, tab by tab as a person would. It
// needs Chromium, Node and the packages of web/package.json, and so runs only
// where real programs are wanted.
func TestStoryInBrowser(t *testing.T) {
	if !realtest.Wanted() {
		return
	}
	server := realtest.Program(t, realtest.ProgramOptions{})
	output := os.Getenv("PLAYGROUND_SCREENSHOTS")
	if output == "" {
		output = t.TempDir()
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	run := exec.CommandContext(ctx, "node", "playground.e2e.mjs", server.URL, output)
	run.Env = append(os.Environ(), "SECRET_KEY="+server.SecretKey)
	if printed, err := run.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, printed)
	}
}
