package realtest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// leaveBehind is the environment variable that makes this test binary hand the
// directory it names to an attendant and die without any cleanup.
const leaveBehind = "REALTEST_LEAVE_BEHIND"

func TestMain(m *testing.M) {
	if dir := os.Getenv(leaveBehind); dir != "" {
		if err := attend(dir, nil, "TERM", "sleep", "600"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		self, _ := os.FindProcess(os.Getpid())
		_ = self.Kill()
		select {}
	}
	os.Exit(m.Run())
}

// TestRealPrograms runs what needs installed programs. Like every suite in this
// repository it has fewer backends, here none, unless they are wanted.
func TestRealPrograms(t *testing.T) {
	if !Wanted() {
		t.Log("STEPWISE_REAL is not set: only what needs no installed program was tested")
		return
	}
	t.Run("Redis", testRedis)
	t.Run("RedisAppendOnly", testRedisAppendOnly)
	t.Run("RedisPause", testRedisPause)
	t.Run("RedisStopsWithItsTest", testRedisStopsWithItsTest)
	t.Run("RedisCluster", testRedisCluster)
	t.Run("RedisProxy", testRedisProxy)
	t.Run("Postgres", testPostgres)
	t.Run("DedicatedPostgres", testDedicatedPostgres)
}

func TestWantedFollowsEnvironment(t *testing.T) {
	t.Setenv("STEPWISE_REAL", "")
	if Wanted() {
		t.Error("wanted although STEPWISE_REAL is empty")
	}
	t.Setenv("STEPWISE_REAL", "1")
	if !Wanted() {
		t.Error("not wanted although STEPWISE_REAL is 1")
	}
}

func TestMissingProgramFailsNamingItsPackage(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	for debianPackage, start := range map[string]func(testing.TB){
		"redis-server": func(t testing.TB) { Redis(t) },
		"postgresql":   func(t testing.TB) { requireProgram(t, "postgres", "postgresql") },
	} {
		failure := failureOf(t, start)
		if !strings.HasSuffix(failure, "apt-get install "+debianPackage) {
			t.Errorf("without %s: failed with %q, want the package named", debianPackage, failure)
		}
	}
}

func TestStartFailsWhenProgramEnds(t *testing.T) {
	failure := failureOf(t, func(t testing.TB) {
		p := newProcess(t, "false", t.TempDir(), func() *exec.Cmd { return exec.Command("false") })
		_, exited := p.current()
		eventually(t, "false", exited, startLimit, func() error { return fmt.Errorf("no answer") })
	})
	if want := "false: the process ended; last answer: no answer"; failure != want {
		t.Errorf("failed with %q, want %q", failure, want)
	}
}

func TestAttendantClearsUpAfterCrash(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "attended")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	crash := exec.Command(os.Args[0])
	crash.Env = append(os.Environ(), leaveBehind+"="+dir)
	if err := crash.Run(); err == nil || crash.ProcessState.ExitCode() != -1 {
		t.Fatalf("the process that should have killed itself: %v", err)
	}
	eventually(t, "the attendant", nil, stopLimit, func() error {
		if _, err := os.Stat(dir); !os.IsNotExist(err) {
			return fmt.Errorf("the directory is still there (%v)", err)
		}
		return nil
	})
}

func TestFreeAddrsAreDistinctAndFree(t *testing.T) {
	seen := make(map[string]bool)
	for range 50 {
		addr := freeAddr(t)
		if seen[addr] {
			t.Fatalf("%s was handed out twice", addr)
		}
		seen[addr] = true
		listener, err := net.Listen("tcp", addr)
		if err != nil {
			t.Fatalf("not free: %v", err)
		}
		if err := listener.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// recorder is a test that notes how it failed. Its cleanups belong to the test
// around it.
type recorder struct {
	testing.TB
	failure string
}

func (r *recorder) Helper()                           {}
func (r *recorder) Fatal(arguments ...any)            { r.end(fmt.Sprint(arguments...)) }
func (r *recorder) Fatalf(f string, arguments ...any) { r.end(fmt.Sprintf(f, arguments...)) }
func (r *recorder) end(failure string) {
	r.failure = failure
	runtime.Goexit()
}

// failureOf returns the message with which a test ended, "" if it did not fail.
func failureOf(t testing.TB, test func(testing.TB)) string {
	t.Helper()
	r := &recorder{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		test(r)
	}()
	<-done
	return r.failure
}
