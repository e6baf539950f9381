// Package readme takes the README at its word: from a fresh copy of the project
// it runs the commands as written and compares what they print.
package readme

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"stepwise/internal/realtest"
)

const root = "../.."

// step is a block of commands of the tour and what it is said to print.
type step struct{ commands, printed string }

var block = regexp.MustCompile("(?s)<!-- tour -->\n```sh\n(.*?)```\n(?:```json\n(.*?)```\n)?")

func tour(t *testing.T) []step {
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	var steps []step
	for _, m := range block.FindAllStringSubmatch(string(text), -1) {
		steps = append(steps, step{m[1], m[2]})
	}
	if len(steps) < 8 {
		t.Fatalf("the README's tour has %d steps; the pattern no longer finds them", len(steps))
	}
	return steps
}

// What differs from run to run stands in the README as "…".
var varying = regexp.MustCompile(`\b(sua_|user_|sess_|sk_|ey)[A-Za-z0-9._-]+`)

func settled(s string) string { return varying.ReplaceAllString(s, "${1}…") }

// TestTour runs the two things a newcomer does: `go run .`, and the tour.
func TestTour(t *testing.T) {
	if !realtest.Wanted() {
		return
	}
	steps := tour(t)
	clone := freshCopy(t)
	greeting := start(t, clone)
	secret := regexp.MustCompile(`sk_[A-Za-z0-9]+`).FindString(greeting)
	if secret == "" {
		t.Fatalf("the server did not print a secret key:\n%s", greeting)
	}

	// One shell goes through the whole tour; a marker ends each step's output.
	var script, want strings.Builder
	const marker = "=== next step ==="
	for _, s := range steps {
		script.WriteString(strings.Replace(s.commands, "SECRET_KEY=sk_…", "SECRET_KEY="+secret, 1))
		script.WriteString("echo '" + marker + "'\n")
		want.WriteString(s.printed + marker + "\n")
	}
	shell := exec.CommandContext(deadline(t, time.Minute), "bash", "-c", script.String())
	shell.Dir = t.TempDir()
	out, err := shell.Output()
	if err != nil {
		t.Errorf("the tour: %v\n%s", err, out)
	}
	if got := settled(string(out)); got != want.String() {
		t.Errorf("the tour prints\n%s\nbut the README says\n%s", got, want.String())
	}
	checkToken(t, string(out))
}

func deadline(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// freshCopy copies what is, or would be, committed.
func freshCopy(t *testing.T) string {
	list := exec.Command("git", "ls-files", "--cached", "--others", "--exclude-standard", "-z")
	list.Dir = root
	names, err := list.Output()
	if err != nil {
		t.Fatalf("git ls-files: %v", err)
	}
	to := t.TempDir()
	for name := range strings.SplitSeq(strings.TrimRight(string(names), "\x00"), "\x00") {
		data, err := os.ReadFile(filepath.Join(root, name))
		if os.IsNotExist(err) {
			continue // deleted, not yet committed
		}
		if err == nil {
			err = os.MkdirAll(filepath.Dir(filepath.Join(to, name)), 0o755)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(to, name), data, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return to
}

// start runs `go run .` and returns what it printed once it is ready.
func start(t *testing.T, dir string) string {
	server := exec.Command("go", "run", ".")
	server.Dir = dir
	server.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // go run starts a child of its own
	printed := &lockedBuffer{}
	server.Stdout, server.Stderr = printed, printed
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		syscall.Kill(-server.Process.Pid, syscall.SIGINT)
		server.Wait()
	})
	for began := time.Now(); time.Since(began) < 5*time.Minute; time.Sleep(100 * time.Millisecond) {
		if strings.Contains(printed.String(), "Secret key") && ready() {
			return printed.String()
		}
	}
	t.Fatalf("go run . was not ready in time\n%s", printed.String())
	return ""
}

func ready() bool {
	r, err := http.Get("http://localhost:8080/readyz")
	if err != nil {
		return false
	}
	r.Body.Close()
	return r.StatusCode == http.StatusOK
}

// checkToken verifies the session token that the tour ended with, as a backend
// would.
func checkToken(t *testing.T, out string) {
	token := regexp.MustCompile(`ey[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+`).FindString(out)
	r, err := http.Get("http://localhost:8080/.well-known/jwks.json")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	var keys jose.JSONWebKeySet
	if err := json.NewDecoder(r.Body).Decode(&keys); err != nil {
		t.Fatal(err)
	}
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatalf("session token: %v", err)
	}
	var claims jwt.Claims
	if err := parsed.Claims(keys.Key(parsed.Headers[0].KeyID)[0], &claims); err != nil {
		t.Fatalf("session token: %v", err)
	}
	if err := claims.Validate(jwt.Expected{Issuer: "http://localhost:8080", Time: time.Now()}); err != nil {
		t.Error(err)
	}
	if !strings.HasPrefix(claims.Subject, "user_") {
		t.Errorf("the token's subject is %q", claims.Subject)
	}
}
