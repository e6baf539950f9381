// Package web runs the JavaScript suites of this folder against the real
// server: the clients, browser and audits that judge it from outside.
package web

import (
	"os"
	"os/exec"
	"testing"

	"stepwise/internal/realtest"
)

// TestJavaScriptClients has one server judged by all suites. Without
// STEPWISE_REAL there are no suites to run, see package realtest.
func TestJavaScriptClients(t *testing.T) {
	if !realtest.Wanted() {
		t.Log("STEPWISE_REAL is not set: the suites in JavaScript were not run")
		return
	}
	server := realtest.Program(t, realtest.ProgramOptions{})
	node := exec.CommandContext(t.Context(), "node", "--test", "--test-reporter=spec")
	node.Env = append(os.Environ(), "BASE_URL="+server.URL, "SECRET_KEY="+server.SecretKey)
	output, err := node.CombinedOutput()
	t.Logf("%s", output)
	if err != nil {
		t.Errorf("node --test: %v", err)
	}
}
