package sqlstore

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// What a child process of this test binary is to do, and on which database.
const (
	childTask = "STEPWISE_SQLSTORE_TASK"
	childURL  = "STEPWISE_SQLSTORE_URL"

	taskConvert = "convert" // until it is killed
	taskOpen    = "open"    // and make the first instance
	taskAdmit   = "admit"   // until it is killed, see admit
)

// runChild is main of a child process.
func runChild(task string) error {
	ctx := context.Background()
	s, err := Open(ctx, Options{URL: os.Getenv(childURL), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	_, created, err := s.EnsureInstance(ctx, testInstance)
	if err != nil {
		return err
	}
	if task == taskOpen {
		fmt.Println("created", created)
		return s.Close()
	}
	if task == taskAdmit {
		return admit(ctx, s)
	}
	var running sync.WaitGroup
	failed := make(chan error, 16)
	for worker := range cap(failed) {
		running.Go(func() {
			for n := 0; ; n++ {
				attempt := fmt.Sprintf("%d_%d_%d", os.Getpid(), worker, n)
				if _, err := s.Convert(ctx, testConversion(attempt)); err != nil {
					failed <- err
					return
				}
				fmt.Println("converted", attempt) // one write, not buffered
			}
		})
	}
	running.Wait()
	return <-failed
}

func childCommand(t *testing.T, task, url string) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childTask+"="+task, childURL+"="+url)
	cmd.Stderr = os.Stderr
	return cmd
}

// killAfter kills a child in the middle of its work, after that many lines, and
// returns all it has written.
func killAfter(t *testing.T, task, url string, lines int) (written []string) {
	t.Helper()
	cmd := childCommand(t, task, url)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for scanner := bufio.NewScanner(out); scanner.Scan(); {
		written = append(written, scanner.Text())
		if len(written) == lines {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = cmd.Wait() // says that it was killed
	if len(written) < lines {
		t.Fatalf("the child ended by itself, after %d lines", len(written))
	}
	return written
}

// Whatever a process has acknowledged is there after it was killed, and every
// user is whole.
func TestKilledProcess(t *testing.T) {
	url := filepath.Join(t.TempDir(), "stepwise.db")
	var acknowledged []string
	for round := range 5 {
		for _, line := range killAfter(t, taskConvert, url, 20+37*round) {
			if attempt, ok := strings.CutPrefix(line, "converted "); ok {
				acknowledged = append(acknowledged, attempt)
			}
		}
		s, err := Open(t.Context(), Options{URL: url, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		for _, attempt := range acknowledged {
			done, err := s.Convert(t.Context(), testConversion(attempt))
			if err != nil || done != testConverted(attempt) {
				t.Fatalf("%s was acknowledged and is now %+v, %v", attempt, done, err)
			}
		}
		wantWholeUsers(t, s, len(acknowledged))
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d acknowledged conversions over 5 kills", len(acknowledged))
}

// wantWholeUsers fails unless the database holds some number of conversions,
// at least that many, each with everything that belongs to it, and nothing else.
func wantWholeUsers(t *testing.T, s *Store, least int) {
	t.Helper()
	rows := countRows(t, s)
	n := rows["conversions"]
	if n < least {
		t.Errorf("%d conversions, of which %d were acknowledged", n, least)
	}
	for table, each := range rowsOfConversion {
		if rows[table] != n*each {
			t.Errorf("%d conversions and %d rows in %s", n, rows[table], table)
		}
	}
	const unrelated = `
		SELECT COUNT(*) FROM conversions c
		LEFT JOIN users u ON u.id = c.user_id
		LEFT JOIN sessions s ON s.id = c.session_id AND s.user_id = c.user_id
		LEFT JOIN clients k ON k.instance_id = c.instance_id AND k.last_session_id = c.session_id
		WHERE u.id IS NULL OR s.id IS NULL OR k.id IS NULL OR c.generation <> 1 OR c.settings_version <> 1
			OR (SELECT COUNT(*) FROM identifiers i WHERE i.user_id = c.user_id) <> 2`
	var wrong int
	if err := queryRow(t.Context(), s.db.reader(), unrelated, nil, &wrong); err != nil || wrong > 0 {
		t.Errorf("%d conversions without what belongs to them (%v)", wrong, err)
	}
}

// Processes and stores that start together on an empty database all come up,
// and one of them makes the first instance.
func TestStartTogether(t *testing.T) {
	onEachBackend(t, func(t *testing.T, url string) {
		const n = 6
		outputs, errs := make([]string, n), make([]error, n)
		var running sync.WaitGroup
		for i := range n {
			running.Go(func() {
				out, err := childCommand(t, taskOpen, url).Output()
				outputs[i], errs[i] = string(out), err
			})
		}
		running.Wait()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		if created := strings.Count(strings.Join(outputs, ""), "created true"); created != 1 {
			t.Errorf("%d processes have made the first instance", created)
		}
		s := mustOpen(t, Options{URL: url})
		if rows := countRows(t, s); rows["instances"] != 1 {
			t.Errorf("rows are %v", rows)
		}
	})
}
