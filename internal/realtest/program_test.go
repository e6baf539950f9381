package realtest

import (
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
)

// standIn starts the small server in testdata, which keeps these tests
// independent of what the real one does.
func standIn(t testing.TB, options ProgramOptions) *ServerProgram {
	t.Helper()
	return startProgram(t, "./internal/realtest/testdata/server", options)
}

func TestProgramLifeCycle(t *testing.T) {
	s := standIn(t, ProgramOptions{Args: []string{"-flag", "value"}})
	if got := get(t, s.URL+"/arguments"); got != "-flag\nvalue" {
		t.Errorf("arguments %q", got)
	}
	first := s.PID()
	s.Kill()
	if _, err := http.Get(s.URL + "/readyz"); err == nil {
		t.Fatal("answers after Kill")
	}
	s.Restart()
	if s.PID() == first {
		t.Error("Restart has not started a new process")
	}
	s.Stop()
	if got, want := s.Stdout(), strings.Repeat("listening on "+strings.TrimPrefix(s.URL, "http://")+"\n", 2); got != want {
		t.Errorf("standard output is %q, want %q", got, want)
	}
	if got := s.Stderr(); got != "" {
		t.Errorf("standard error is %q", got)
	}
}

func TestProgramEnvironment(t *testing.T) {
	t.Setenv("REDIS_URL", "redis://of-the-developer")
	s := standIn(t, ProgramOptions{Env: map[string]string{"MODE": "production", "DATABASE_URL": "postgres://x", "PUBLIC_URL": ""}})
	got := make(map[string]string)
	for assignment := range strings.SplitSeq(get(t, s.URL+"/environment"), "\n") {
		name, value, _ := strings.Cut(assignment, "=")
		got[name] = value
	}
	for name, want := range map[string]string{
		"ADDR": strings.TrimPrefix(s.URL, "http://"), "MODE": "production", "DATABASE_URL": "postgres://x",
		"DATA_DIR": s.DataDir, "SECRET_KEY": s.SecretKey, "PUBLISHABLE_KEY": s.PublishableKey, "PATH": os.Getenv("PATH"),
	} {
		if got[name] != want || want == "" {
			t.Errorf("%s is %q, want %q", name, got[name], want)
		}
	}
	for _, name := range []string{"REDIS_URL", "PUBLIC_URL"} {
		if value, set := got[name]; set {
			t.Errorf("%s is set to %q", name, value)
		}
	}
}

func TestProgramStopDemandsExitCodeZero(t *testing.T) {
	s := standIn(t, ProgramOptions{Env: map[string]string{"EXIT": "3"}})
	judge := &verdict{TB: t}
	s.t = judge
	s.Stop()
	if !judge.failed {
		t.Error("Stop accepts exit code 3")
	}
}

func TestProgramReportsRaces(t *testing.T) {
	s := standIn(t, ProgramOptions{})
	if _, err := http.Get(s.URL + "/race"); err != nil {
		t.Fatal(err)
	}
	judge := &verdict{TB: t}
	s.t = judge
	s.checkRaces()
	if judge.failed != raceEnabled {
		t.Errorf("race reported: %v, want %v as this binary was built", judge.failed, raceEnabled)
	}
	// The cleanup looks again and would fail this test.
	if err := os.Truncate(s.process.logFile("stderr"), 0); err != nil {
		t.Fatal(err)
	}
}

func TestProgramThatDoesNotStart(t *testing.T) {
	occupied := standIn(t, ProgramOptions{})
	failure := failureOf(t, func(r testing.TB) {
		standIn(r, ProgramOptions{Env: map[string]string{"ADDR": "127.0.0.1:1x"}})
	})
	if !strings.Contains(failure, "server: the process ended") {
		t.Errorf("failed with %q", failure)
	}
	if get(t, occupied.URL+"/readyz") != "" {
		t.Error("the other server is gone")
	}
}

// verdict is a test that can fail without the test around it failing.
type verdict struct {
	testing.TB
	failed bool
}

func (v *verdict) Helper()               {}
func (v *verdict) Errorf(string, ...any) { v.failed = true }

func get(t *testing.T, url string) string {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}
