// Package web runs the JavaScript suites of this folder against the real
// server: the clients, browser and audits that judge it from outside.
package web

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"stepwise/internal/realtest"
)

// ownServer are the suites that change the settings, and so have a server of their own:
// that of the React example and that of the package web/client.
var ownServer = []string{"react.test.mjs", "client-live.test.mjs"}

// TestJavaScriptClients has one server judged by all suites but those of ownServer.
// Without STEPWISE_REAL there are no suites to run, see package realtest.
func TestJavaScriptClients(t *testing.T) {
	if !realtest.Wanted() {
		t.Log("STEPWISE_REAL is not set: the suites in JavaScript were not run")
		return
	}
	suites, err := filepath.Glob("*.test.mjs")
	if err != nil {
		t.Fatal(err)
	}
	shared := slices.DeleteFunc(slices.Clone(suites), func(name string) bool { return slices.Contains(ownServer, name) })
	if len(shared)+len(ownServer) != len(suites) {
		t.Fatalf("the suites are %v, without one of %v", suites, ownServer)
	}
	t.Run("clients", func(t *testing.T) { judge(t, shared) })
	for _, suite := range ownServer {
		t.Run(strings.TrimSuffix(suite, ".test.mjs"), func(t *testing.T) { judge(t, []string{suite}) })
	}
}

// judge runs suites against a fresh server.
func judge(t *testing.T, suites []string) {
	t.Helper()
	server := realtest.Program(t, realtest.ProgramOptions{})
	node := exec.CommandContext(t.Context(), "node", append([]string{"--test", "--test-reporter=spec"}, suites...)...)
	node.Env = append(os.Environ(), "BASE_URL="+server.URL, "SECRET_KEY="+server.SecretKey, "PUBLISHABLE_KEY="+server.PublishableKey)
	output, err := node.CombinedOutput()
	t.Logf("%s", output)
	if err != nil {
		t.Errorf("node --test: %v", err)
	}
}
