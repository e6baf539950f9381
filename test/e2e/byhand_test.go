package e2e

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"syscall"
	"testing"
	"time"
)

// built is the program as these tests start it by hand, where they expect it to
// refuse to start or want it on terms that package realtest has no use for.
var built struct {
	once sync.Once
	path string
	err  error
}

// TestMain removes what executable has built.
func TestMain(m *testing.M) {
	code := m.Run()
	if built.path != "" {
		_ = os.RemoveAll(filepath.Dir(built.path))
	}
	os.Exit(code)
}

func executable(t testing.TB) string {
	t.Helper()
	built.once.Do(func() {
		dir, err := os.MkdirTemp("", "program-")
		if err != nil {
			built.err = err
			return
		}
		built.path = filepath.Join(dir, "stepwise")
		output, err := exec.Command("go", "build", "-o", built.path, "stepwise").CombinedOutput()
		if err != nil {
			built.err = errors.New(err.Error() + ": " + string(output))
		}
	})
	if built.err != nil {
		t.Fatalf("build the program: %v", built.err)
	}
	return built.path
}

// programByHand is the program as a person starts it.
type programByHand struct {
	command        *exec.Cmd
	stdout, stderr output
	ended          chan struct{}
	dataDir        string
}

// output can be read while it is written.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

var _ io.Writer = (*output)(nil)

// startByHand runs the program on a free port with these settings only. It is
// killed with the test if it still runs.
func startByHand(t testing.TB, env map[string]string, arguments []string) *programByHand {
	t.Helper()
	dir := t.TempDir()
	p := &programByHand{ended: make(chan struct{}), dataDir: filepath.Join(dir, "data")}
	ctx, cancel := context.WithCancel(context.Background())
	p.command = exec.CommandContext(ctx, executable(t), arguments...)
	p.command.Dir = dir
	p.command.Stdout, p.command.Stderr = &p.stdout, &p.stderr
	for name, value := range with(map[string]string{"ADDR": "127.0.0.1:0", "DATA_DIR": p.dataDir}, flatten(env)...) {
		if value != "" {
			p.command.Env = append(p.command.Env, name+"="+value)
		}
	}
	if err := p.command.Start(); err != nil {
		cancel()
		t.Fatal(err)
	}
	go func() {
		_ = p.command.Wait() // the exit state is read from ProcessState
		close(p.ended)
	}()
	t.Cleanup(func() { cancel(); <-p.ended })
	return p
}

func flatten(env map[string]string) (list []string) {
	for name, value := range env {
		list = append(list, name, value)
	}
	return list
}

var apiLine = regexp.MustCompile(`API\s+(http\S+)/graphql`)

// awaitURL waits for the greeting and returns the address that it names.
func (p *programByHand) awaitURL(t testing.TB) (url string) {
	t.Helper()
	eventually(t, answerLimit, func() string {
		select {
		case <-p.ended:
			t.Fatalf("the program ended: %s", p.stderr.String())
		default:
		}
		found := apiLine.FindStringSubmatch(p.stdout.String())
		if found == nil {
			return "no greeting: " + p.stdout.String() + p.stderr.String()
		}
		url = found[1]
		return ""
	})
	return url
}

// exit waits until the program has ended by itself and returns its exit code.
func (p *programByHand) exit(t testing.TB) int {
	t.Helper()
	select {
	case <-p.ended:
		return p.command.ProcessState.ExitCode()
	case <-time.After(answerLimit):
		t.Fatalf("the program still runs after %v: %s%s", answerLimit, p.stdout.String(), p.stderr.String())
		return 0
	}
}

// refuses waits until the program has ended by itself with a failure. It fails
// at once if the program greets, and so has started.
func (p *programByHand) refuses(t testing.TB) (said string) {
	t.Helper()
	eventually(t, answerLimit, func() string {
		select {
		case <-p.ended:
			return ""
		default:
		}
		if apiLine.MatchString(p.stdout.String()) {
			t.Fatalf("it started:\n%s", p.stdout.String())
		}
		return "it neither starts nor ends: " + p.stderr.String()
	})
	if code := p.exit(t); code != 1 && code != 2 {
		t.Errorf("exit code %d, want a failure", code)
	}
	if apiLine.MatchString(p.stdout.String()) {
		t.Errorf("it greets before it fails:\n%s", p.stdout.String())
	}
	return p.stderr.String()
}

// stop asks the program to end, which it must do with code 0.
func (p *programByHand) stop(t testing.TB) {
	t.Helper()
	if err := p.command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := p.exit(t); code != 0 {
		t.Errorf("after SIGTERM: exit code %d, want 0: %s", code, p.stderr.String())
	}
}
