package realtest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"
)

// process is one child process that can be ended and started again. Its output
// goes to files, never to pipes, so that waiting for it does not wait for its
// own children as well.
type process struct {
	t       testing.TB
	name    string
	logs    string // directory of the stdout and stderr files
	command func() *exec.Cmd

	mu  sync.Mutex
	cmd *exec.Cmd
	// exited is closed once the current cmd has ended and was reaped.
	exited chan struct{}
}

// newProcess starts the program that command describes and stops it when the
// test ends. If the test failed by then, what the program wrote is logged.
func newProcess(t testing.TB, name, logs string, command func() *exec.Cmd) *process {
	t.Helper()
	p := &process{t: t, name: name, logs: logs, command: command}
	p.start()
	t.Cleanup(func() {
		if err := p.stop(syscall.SIGTERM); err != nil {
			t.Errorf("stop %s: %v", name, err)
		}
		if t.Failed() {
			t.Logf("%s wrote:\n%s", name, lastLines(p.output("stdout")+p.output("stderr"), 60))
		}
	})
	return p
}

// start runs the program anew. The previous run must have ended.
func (p *process) start() {
	p.t.Helper()
	cmd := p.command()
	files := make([]*os.File, 0, 2)
	for _, stream := range []string{"stdout", "stderr"} {
		f, err := os.OpenFile(p.logFile(stream), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			p.t.Fatalf("start %s: %v", p.name, err)
		}
		defer f.Close()
		files = append(files, f)
	}
	cmd.Stdout, cmd.Stderr = files[0], files[1]
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	dieWithParent(cmd.SysProcAttr)

	started := make(chan error)
	exited := make(chan struct{})
	go func() {
		// The kernel counts the end of the starting thread as the parent's
		// death, so that thread has to stay for as long as the child runs.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // the exit state is read from cmd.ProcessState
		}
		close(exited)
	}()
	if err := <-started; err != nil {
		p.t.Fatalf("start %s: %v", p.name, err)
	}
	p.mu.Lock()
	p.cmd, p.exited = cmd, exited
	p.mu.Unlock()
}

// current returns the process id of the run in progress and the channel that
// is closed when it has ended.
func (p *process) current() (pid int, exited <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cmd.Process.Pid, p.exited
}

// signal sends a signal to the running program; one that has ended is let be.
func (p *process) signal(sig syscall.Signal) {
	p.mu.Lock()
	cmd, exited := p.cmd, p.exited
	p.mu.Unlock()
	select {
	case <-exited:
		return
	default:
	}
	if err := cmd.Process.Signal(sig); err != nil && !isGone(err) {
		p.t.Errorf("%v to %s: %v", sig, p.name, err)
	}
}

// stop asks the program to end by the given signal and waits for it. It is
// killed when it takes too long, which is an error.
func (p *process) stop(sig syscall.Signal) error {
	_, exited := p.current()
	p.signal(sig)
	p.signal(syscall.SIGCONT) // a paused process acts on no other signal
	select {
	case <-exited:
		return nil
	case <-time.After(stopLimit):
	}
	p.kill()
	return fmt.Errorf("still running %v after %v, killed", stopLimit, sig)
}

// kill ends the program as a crash would and waits until it is gone.
func (p *process) kill() {
	_, exited := p.current()
	p.signal(syscall.SIGKILL)
	<-exited
}

// pause freezes the program: it holds its connections and answers nothing.
func (p *process) pause() {
	pid, exited := p.current()
	p.signal(syscall.SIGSTOP)
	for isRunning(pid) {
		select {
		case <-exited:
			p.t.Errorf("pause %s: it has ended", p.name)
			return
		case <-time.After(time.Millisecond):
		}
	}
}

// resume lets a paused program go on.
func (p *process) resume() {
	p.signal(syscall.SIGCONT)
}

// exitCode returns the code of the last run, which must have ended: -1 when a
// signal ended it.
func (p *process) exitCode() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	<-p.exited
	return p.cmd.ProcessState.ExitCode()
}

// output returns everything that all runs wrote to "stdout" or "stderr".
func (p *process) output(stream string) string {
	text, err := os.ReadFile(p.logFile(stream))
	if err != nil {
		p.t.Errorf("output of %s: %v", p.name, err)
	}
	return string(text)
}

func (p *process) logFile(stream string) string {
	return filepath.Join(p.logs, stream+".log")
}

// isRunning reports whether the process may still execute instructions, as far
// as this system tells: where there is no /proc it takes the signal's word.
func isRunning(pid int) bool {
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return false
	}
	// The state follows the command, which stands in parentheses and may
	// itself contain spaces and parentheses.
	after := stat[bytes.LastIndexByte(stat, ')')+1:]
	fields := bytes.Fields(after)
	return len(fields) > 0 && !bytes.ContainsAny(fields[0], "TtZX")
}

// isGone reports whether a signal failed because its target has ended.
func isGone(err error) bool {
	return errors.Is(err, os.ErrProcessDone) || errors.Is(err, syscall.ESRCH)
}

// lastLines returns the last n lines of a text.
func lastLines(text string, n int) string {
	lines := bytes.SplitAfter([]byte(text), []byte("\n"))
	return string(bytes.Join(lines[max(0, len(lines)-n):], nil))
}

// requireProgram returns the path of a program, or ends the test naming the
// Debian package that brings it.
func requireProgram(t testing.TB, name, debianPackage string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%s is not installed: apt-get install %s", name, debianPackage)
	}
	return path
}
