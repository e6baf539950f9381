package realtest

import (
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
)

// attendant is the program of a small shell that shares things between all
// tests of a test binary and clears up after the last one. It starts a command,
// if one is given, waits until this process is gone however it ended (its
// standard input then closes), stops the command and removes the directory.
//
// A Go test binary has no hook that runs after its last test and that a package
// like this one could use without the help of every importer.
const attendant = `
dir=$1; signal=$2; shift 2
pid=
if [ $# -gt 0 ]; then
	"$@" >"$dir/stdout.log" 2>"$dir/stderr.log" </dev/null &
	pid=$!
fi
while read -r _; do :; done
if [ -n "$pid" ]; then
	kill -s "$signal" "$pid"
	wait "$pid"
fi
rm -rf -- "$dir"
`

var attended struct {
	sync.Mutex
	// lifelines are the ends of the pipes that the attendants watch. They are
	// kept here because closing one is the signal to clear up.
	lifelines []*os.File
}

// attend keeps dir, and the command if there is one, until this process ends.
// The command is stopped by the named signal; note that shells start such
// commands with INT and QUIT ignored, which a program may undo. Both belong to
// the user of the credential, or to this process's if it is nil.
func attend(dir string, credential *syscall.Credential, signal string, command ...string) error {
	shell, err := exec.LookPath("sh")
	if err != nil {
		return fmt.Errorf("find a shell: %w", err)
	}
	watched, lifeline, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("make a pipe: %w", err)
	}
	defer watched.Close()
	cmd := exec.Command(shell, append([]string{"-c", attendant, "attendant", dir, signal}, command...)...)
	cmd.Stdin = watched
	cmd.Dir = "/"
	// A process group of its own keeps an interrupt from the terminal away
	// from the shell that has yet to clear up.
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: credential, Setpgid: true}
	if err := cmd.Start(); err != nil {
		lifeline.Close()
		return fmt.Errorf("start the attendant of %s: %w", dir, err)
	}
	attended.Lock()
	defer attended.Unlock()
	attended.lifelines = append(attended.lifelines, lifeline)
	return nil
}
