package realtest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// ProgramOptions say how the server is started.
type ProgramOptions struct {
	// Env is added to the defaults, or replaces them: ADDR and PUBLIC_URL on a
	// free port, MODE=development, DATA_DIR, SECRET_KEY and PUBLISHABLE_KEY.
	// Nothing else of this process's environment is passed on but PATH, HOME
	// and TMPDIR. An empty value takes a default away.
	Env map[string]string
	// Args are command-line flags.
	Args []string
}

// ServerProgram is this repository's server, running as a process of its own.
type ServerProgram struct {
	// URL is the server's base, http://127.0.0.1:port. It stays the same over
	// Kill and Restart, as do all the others.
	URL string
	// SecretKey and PublishableKey are the keys of the first instance.
	SecretKey, PublishableKey string
	// DataDir holds the SQLite file and the development key, unless the
	// options name other stores.
	DataDir string

	t       testing.TB
	process *process
}

// Program builds the server, with the race detector if the test has it, and
// starts it. It returns once /readyz answers 200. One build serves all tests of
// a test binary.
//
// Under the race detector a detected race fails the test when it ends.
func Program(t testing.TB, options ProgramOptions) *ServerProgram {
	t.Helper()
	return startProgram(t, ".", options)
}

// startProgram does the same for any main package, named from the module root.
func startProgram(t testing.TB, mainPackage string, options ProgramOptions) *ServerProgram {
	t.Helper()
	executable := build(t, mainPackage)
	addr := freeAddr(t)
	env := map[string]string{
		"PATH": os.Getenv("PATH"), "HOME": os.Getenv("HOME"), "TMPDIR": os.Getenv("TMPDIR"),
		"ADDR": addr, "PUBLIC_URL": "http://" + addr, "MODE": "development",
		"DATA_DIR":   t.TempDir(),
		"SECRET_KEY": "sk_" + randomHex(), "PUBLISHABLE_KEY": "pk_" + randomHex(),
	}
	for name, value := range options.Env {
		env[name] = value
	}
	s := &ServerProgram{
		URL:       "http://" + env["ADDR"],
		SecretKey: env["SECRET_KEY"], PublishableKey: env["PUBLISHABLE_KEY"],
		DataDir: env["DATA_DIR"],
		t:       t,
	}
	logs := t.TempDir()
	t.Cleanup(s.checkRaces) // runs after the server has stopped
	s.process = newProcess(t, "server", logs, func() *exec.Cmd {
		cmd := exec.Command(executable, options.Args...)
		cmd.Dir = logs
		for name, value := range env {
			if value != "" {
				cmd.Env = append(cmd.Env, name+"="+value)
			}
		}
		slices.Sort(cmd.Env)
		return cmd
	})
	s.awaitReady()
	return s
}

// PID returns the id of the process that runs now.
func (s *ServerProgram) PID() int {
	pid, _ := s.process.current()
	return pid
}

// Stdout returns what the server has written to standard output so far, over
// all its runs. It may be called from any goroutine.
func (s *ServerProgram) Stdout() string { return s.process.output("stdout") }

// Stderr does the same for standard error.
func (s *ServerProgram) Stderr() string { return s.process.output("stderr") }

// Kill ends the server as a crash would and returns when it is gone. It may be
// called from any goroutine.
func (s *ServerProgram) Kill() { s.process.kill() }

// Stop asks the server to shut down and waits for it. The test fails unless it
// exits by itself, in bounded time and with code 0.
func (s *ServerProgram) Stop() {
	s.t.Helper()
	if err := s.process.stop(syscall.SIGTERM); err != nil {
		s.t.Errorf("stop the server: %v", err)
		return
	}
	if code := s.process.exitCode(); code != 0 {
		s.t.Errorf("stop the server: exit code %d, want 0", code)
	}
}

// Restart starts the server again, on the same address and with the same
// options, after Kill or Stop, and returns once it is ready.
func (s *ServerProgram) Restart() {
	s.t.Helper()
	if _, exited := s.process.current(); !isClosed(exited) {
		s.t.Fatal("restart the server: it still runs")
	}
	s.process.start()
	s.awaitReady()
}

// Pause freezes the server: it holds its connections and answers nothing. It
// may be called from any goroutine.
func (s *ServerProgram) Pause() { s.process.pause() }

// Resume lets a paused server go on. It may be called from any goroutine.
func (s *ServerProgram) Resume() { s.process.resume() }

func (s *ServerProgram) awaitReady() {
	s.t.Helper()
	_, exited := s.process.current()
	eventually(s.t, "server", exited, startLimit, func() error {
		ctx, cancel := context.WithTimeout(context.Background(), startLimit)
		defer cancel()
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/readyz", nil)
		if err != nil {
			return err
		}
		request.Close = true // a kept connection would outlast the test
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return err
		}
		body, err := io.ReadAll(io.LimitReader(response.Body, 4<<10))
		if err := errors.Join(err, response.Body.Close()); err != nil {
			return err
		}
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("/readyz: %s: %s", response.Status, body)
		}
		return nil
	})
}

// checkRaces fails the test if the race detector of the server spoke.
func (s *ServerProgram) checkRaces() {
	if raceEnabled && strings.Contains(s.Stderr(), "WARNING: DATA RACE") {
		s.t.Errorf("the race detector found a data race in the server:\n%s", s.Stderr())
	}
}

// builds holds the executables made so far by main package. A build that
// failed is kept as "", so that it fails once and the other tests say so.
var builds struct {
	sync.Mutex
	executables map[string]string
}

func build(t testing.TB, mainPackage string) (executable string) {
	t.Helper()
	builds.Lock()
	defer builds.Unlock()
	if executable, done := builds.executables[mainPackage]; done {
		if executable == "" {
			t.Fatalf("build %s: failed in an earlier test", mainPackage)
		}
		return executable
	}
	if builds.executables == nil {
		builds.executables = make(map[string]string)
	}
	builds.executables[mainPackage] = ""

	dir, err := os.MkdirTemp("", "server-")
	if err != nil {
		t.Fatalf("build %s: %v", mainPackage, err)
	}
	if err := attend(dir, nil, "TERM"); err != nil {
		t.Fatalf("build %s: %v", mainPackage, err)
	}
	executable = filepath.Join(dir, "server")
	arguments := []string{"build", "-o", executable}
	if raceEnabled {
		arguments = append(arguments, "-race")
	}
	cmd := exec.Command("go", append(arguments, mainPackage)...)
	cmd.Dir = moduleRoot(t)
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", mainPackage, err, output)
	}
	builds.executables[mainPackage] = executable
	return executable
}

// moduleRoot returns the nearest directory upwards that has a go.mod. Tests run
// in the directory of their package.
func moduleRoot(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatalf("find the module: %v", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("find the module: no go.mod above the test's directory")
		}
		dir = parent
	}
}

func randomHex() string {
	random := make([]byte, 24)
	_, _ = rand.Read(random) // never fails
	return hex.EncodeToString(random)
}
