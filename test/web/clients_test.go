// Package web runs the JavaScript suites of this folder against the real
// server: the clients, browser and audits that judge it from outside.
package web

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"stepwise/internal/realtest"
)

// TestJavaScriptClients has one server judged by all suites but that of the React
// example, which changes the settings and so has a server of its own. Without
// STEPWISE_REAL there are no suites to run, see package realtest.
func TestJavaScriptClients(t *testing.T) {
	if !realtest.Wanted() {
		t.Log("STEPWISE_REAL is not set: the suites in JavaScript were not run")
		return
	}
	const example = "react.test.mjs"
	suites, err := filepath.Glob("*.test.mjs")
	if err != nil || !slices.Contains(suites, example) {
		t.Fatalf("the suites are %v, without %s (%v)", suites, example, err)
	}
	t.Run("clients", func(t *testing.T) {
		judge(t, slices.DeleteFunc(slices.Clone(suites), func(name string) bool { return name == example }))
	})
	t.Run("react", func(t *testing.T) { judge(t, []string{example}) })
}

// judge runs suites against a fresh server.
func judge(t *testing.T, suites []string) {
	t.Helper()
	server := realtest.Program(t, realtest.ProgramOptions{})
	node := exec.CommandContext(t.Context(), "node", append([]string{"--test", "--test-reporter=spec"}, suites...)...)
	node.Env = append(os.Environ(), "BASE_URL="+server.URL, "SECRET_KEY="+server.SecretKey)
	output, err := node.CombinedOutput()
	t.Logf("%s", output)
	if err != nil {
		t.Errorf("node --test: %v", err)
	}
}
