// Report runs `go test` and tells what came of it in a few lines: what failed,
// with its output, and one line for each package. Unlike `go test` it fails when
// a test was skipped: a test that did not run has not passed.
//
// Its arguments are those of `go test`; several runs are separated by "--".
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// event is a line of `go test -json` (see go doc test2json).
type event struct {
	Action     string
	Package    string
	ImportPath string // of build-output and build-fail
	Test       string
	Output     string
	Elapsed    float64
}

// tally counts top-level tests and keeps the output of those still running.
type tally struct {
	passed, failed, skipped int
	output                  map[string][]string
	out                     io.Writer
}

func main() {
	t := &tally{out: os.Stdout}
	began := time.Now()
	ok := true
	for _, args := range split(os.Args[1:]) {
		ok = t.run(args) && ok
	}
	fmt.Fprintf(t.out, "in %s\n%d passed, %d failed, %d skipped\n", time.Since(began).Round(time.Second), t.passed, t.failed, t.skipped)
	if !ok || t.failed > 0 || t.skipped > 0 || t.passed == 0 {
		os.Exit(1)
	}
}

func split(args []string) [][]string {
	var runs [][]string
	for len(args) > 0 {
		i := slices.Index(args, "--")
		if i < 0 {
			return append(runs, args)
		}
		runs, args = append(runs, args[:i]), args[i+1:]
	}
	return runs
}

func (t *tally) run(args []string) bool {
	t.output = map[string][]string{}
	cmd := exec.Command("go", append([]string{"test", "-json", "-count=1", "-timeout=20m"}, args...)...)
	cmd.Stderr = os.Stderr
	pipe, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		fmt.Fprintln(t.out, err)
		return false
	}
	lines := bufio.NewScanner(pipe)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			fmt.Fprintln(t.out, lines.Text())
			continue
		}
		t.take(e)
	}
	return cmd.Wait() == nil
}

func (t *tally) take(e event) {
	key := e.Package + e.ImportPath + " " + e.Test
	switch e.Action {
	case "output", "build-output":
		t.output[key] = append(t.output[key], e.Output)
		return
	case "pass", "fail", "skip", "build-fail":
	default:
		return
	}
	if e.Action == "fail" || e.Action == "build-fail" || e.Action == "skip" && e.Test != "" {
		fmt.Fprintf(t.out, "--- %s %s\n%s", strings.ToUpper(e.Action), strings.TrimSpace(key), strings.Join(t.output[key], ""))
	}
	delete(t.output, key)
	switch {
	case e.Test == "":
		if e.Action != "skip" { // a package without tests
			fmt.Fprintf(t.out, "%-5s %-50s %.1fs\n", e.Action, e.Package, e.Elapsed)
		}
	case e.Action == "skip":
		t.skipped++
	case strings.Contains(e.Test, "/"):
	case e.Action == "pass":
		t.passed++
	default:
		t.failed++
	}
}
