package readme

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"stepwise/internal/realtest"
)

var guideBlock = regexp.MustCompile("(?s)<!-- run -->\n```sh\n(.*?)```\n(?:```json\n(.*?)```\n)?")

// runGuide runs the guide's commands as they stand, on a fresh copy, and returns the
// folder that they were run in.
func runGuide(t *testing.T, name string) (folder string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "docs", "guides", name))
	if err != nil {
		t.Fatal(err)
	}
	blocks := guideBlock.FindAllStringSubmatch(string(text), -1)
	if len(blocks) < 5 {
		t.Fatalf("the guide has %d blocks; the pattern no longer finds them", len(blocks))
	}
	secret := regexp.MustCompile(`sk_[A-Za-z0-9]+`).FindString(start(t, freshCopy(t)))
	var script, want strings.Builder
	for _, block := range blocks {
		script.WriteString(strings.Replace(block[1], "SECRET_KEY=sk_…", "SECRET_KEY="+secret, 1))
		want.WriteString(block[2])
	}
	shell := exec.CommandContext(deadline(t, time.Minute), "bash", "-c", script.String())
	shell.Dir = t.TempDir()
	out, err := shell.Output()
	if err != nil || string(out) != want.String() {
		t.Errorf("the guide's commands: %v\n%s\nbut the guide says\n%s", err, out, want.String())
	}
	return shell.Dir
}

func TestSettingsAsCode(t *testing.T) {
	if !realtest.Wanted() {
		return
	}
	file, err := os.ReadFile(filepath.Join(runGuide(t, "settings-as-code.md"), "settings.json"))
	var exported map[string]any
	if err != nil || json.Unmarshal(file, &exported) != nil || exported["appName"] == nil {
		t.Errorf("settings.json: %v, %s", err, file)
	}
}

func TestChangingSettings(t *testing.T) {
	if realtest.Wanted() {
		runGuide(t, "changing-settings.md")
	}
}
