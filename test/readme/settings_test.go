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

// TestGuidesThatRun runs the commands of guides as they stand, each on a fresh copy.
func TestGuidesThatRun(t *testing.T) {
	if !realtest.Wanted() {
		return
	}
	for _, guide := range []string{"settings-as-code.md", "before-changing-settings.md"} {
		t.Run(guide, func(t *testing.T) { runGuide(t, guide) })
	}
}

func runGuide(t *testing.T, guide string) {
	text, err := os.ReadFile(filepath.Join(root, "docs", "guides", guide))
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
	if guide != "settings-as-code.md" {
		return
	}
	file, err := os.ReadFile(filepath.Join(shell.Dir, "settings.json"))
	var exported map[string]any
	if err != nil || json.Unmarshal(file, &exported) != nil || exported["appName"] == nil {
		t.Errorf("settings.json: %v, %s", err, file)
	}
}
