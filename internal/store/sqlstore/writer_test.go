package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"stepwise/internal/signup"
)

// busy starts a transaction that keeps the writer until release is called,
// which returns what the transaction's caller was told.
func busy(t *testing.T, ctx context.Context, s *Store) (release func() error) {
	t.Helper()
	running, go_, answered := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		_, err := write(ctx, s, "keep the writer", func(context.Context, executor) (none struct{}, err error) {
			close(running)
			<-go_
			return none, nil
		})
		answered <- err
	}()
	<-running
	return func() error {
		close(go_)
		return <-answered
	}
}

func sqliteStore(t *testing.T) (*Store, *interposer) {
	var i interposer
	s := mustOpenWrapped(t, Options{URL: filepath.Join(t.TempDir(), "stepwise.db")}, i.wrap)
	mustEnsureInstance(t, s)
	return s, &i
}

// waiting starts n conversions, which wait for the busy writer.
func waiting(s *Store, n int, conversion func(i int) signup.Conversion) (answers func() []error) {
	errs := make([]error, n)
	var running sync.WaitGroup
	for i := range n {
		asked := make(chan struct{})
		running.Go(func() {
			ctx := &announcing{Context: context.Background(), asked: asked}
			_, errs[i] = s.Convert(ctx, conversion(i))
		})
		<-asked
	}
	return func() []error {
		running.Wait()
		return errs
	}
}

// announcing is a context that tells when its call has begun.
type announcing struct {
	context.Context
	once  sync.Once
	asked chan struct{}
}

func (a *announcing) Done() <-chan struct{} {
	a.once.Do(func() { close(a.asked) })
	return a.Context.Done()
}

func TestGroupCommit(t *testing.T) {
	s, i := sqliteStore(t)
	const n = 150
	release := busy(t, t.Context(), s)
	answers := waiting(s, n, func(k int) signup.Conversion {
		if k%3 == 0 {
			return testConversion("same") // one of them is first, the others repeat it
		}
		c := testConversion(fmt.Sprint(k))
		if k%3 == 1 {
			c.Build = func(signup.SettingsVersion, *signup.Invitation) (signup.Creation, bool) {
				return signup.Creation{}, false
			}
		}
		return c
	})
	i.arm(0, faultBefore)
	if err := release(); err != nil {
		t.Error(err)
	}
	for k, err := range answers() {
		if k%3 == 1 && !errors.Is(err, signup.ErrNotSatisfied) || k%3 != 1 && err != nil {
			t.Errorf("conversion %d: %v", k, err)
		}
	}
	if rows := countRows(t, s); !maps.Equal(rows, rowsOfConversions(n/3+1)) {
		t.Errorf("rows are %v", rows)
	}
	log, _ := i.disarm()
	commits := count(log, "COMMIT")
	// Some may queue up only when the writer has begun with the others.
	if commits < n/groupLimit || commits > n/4 {
		t.Errorf("%d commits for %d conversions", commits, n)
	}
	for start := 0; ; {
		end := slices.Index(log[start:], "COMMIT")
		if end < 0 {
			break
		}
		if jobs := count(log[start:start+end], "SAVEPOINT job"); jobs > groupLimit {
			t.Errorf("%d jobs in one transaction", jobs)
		}
		start += end + 1
	}
}

func count(log []string, statement string) (n int) {
	for _, s := range log {
		if s == statement {
			n++
		}
	}
	return n
}

func TestNobodyIsAnsweredBeforeTheCommit(t *testing.T) {
	s, i := sqliteStore(t)
	answered := make(chan error, 1)
	early := false
	i.mu.Lock()
	i.onCommit = func() { early = len(answered) > 0 || len(readUsers(t, s)) > 0 }
	i.mu.Unlock()
	go func() {
		_, err := s.Convert(t.Context(), testConversion("a"))
		answered <- err
	}()
	if err := <-answered; err != nil {
		t.Error(err)
	}
	if early {
		t.Error("somebody has seen the user before it was on disk")
	}
}

func readUsers(t *testing.T, s *Store) []signup.User {
	users, _, err := s.Users(t.Context(), testInstance.ID, signup.UserFilter{Limit: 10})
	if err != nil {
		t.Error(err)
	}
	return users
}

func TestFailedCommitFailsEveryJob(t *testing.T) {
	for _, f := range []fault{faultBefore, faultLost} {
		t.Run(f.String(), func(t *testing.T) {
			s, i := sqliteStore(t)
			release := busy(t, t.Context(), s)
			answers := waiting(s, 10, func(k int) signup.Conversion {
				if k == 5 {
					c := testConversion("refused")
					c.Build = func(signup.SettingsVersion, *signup.Invitation) (signup.Creation, bool) {
						return signup.Creation{}, false
					}
					return c
				}
				return testConversion("same") // all but the first rest on a row that is going to be lost
			})
			i.armAll("COMMIT", f)
			for k, err := range append([]error{release()}, answers()...) {
				if !errors.Is(err, errInjected) || errors.Is(err, signup.ErrNotSatisfied) {
					t.Errorf("caller %d was told %v", k, err)
				}
			}
			i.disarm()
			if rows := countRows(t, s); !maps.Equal(rows, rowsOfConversions(0)) {
				t.Errorf("rows are %v", rows)
			}
			if done, err := s.Convert(t.Context(), testConversion("same")); err != nil || done != testConverted("same") {
				t.Errorf("the retry returned %+v, %v", done, err)
			}
		})
	}
}

func TestCallerThatLeavesTheQueue(t *testing.T) {
	s, _ := sqliteStore(t)
	release := busy(t, t.Context(), s)
	ctx, cancel := context.WithCancel(t.Context())
	c := testConversion("a")
	c.Build = func(signup.SettingsVersion, *signup.Invitation) (signup.Creation, bool) {
		t.Error("the conversion was made although nobody waits for it")
		return signup.Creation{}, false
	}
	answered := make(chan error, 1)
	go func() {
		_, err := s.Convert(ctx, c)
		answered <- err
	}()
	cancel()
	if err := <-answered; !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
	if err := release(); err != nil {
		t.Error(err)
	}
	if err := s.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestCallerThatLeavesARunningTransaction(t *testing.T) {
	s, _ := sqliteStore(t)
	ctx, cancel := context.WithCancel(t.Context())
	building, finish := make(chan struct{}), make(chan struct{})
	c := testConversion("a")
	build := c.Build
	c.Build = func(v signup.SettingsVersion, ticket *signup.Invitation) (signup.Creation, bool) {
		close(building)
		<-finish
		return build(v, ticket)
	}
	answered := make(chan error, 1)
	go func() {
		_, err := s.Convert(ctx, c)
		answered <- err
	}()
	<-building
	cancel()
	if err := <-answered; !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "outcome") {
		t.Errorf("error is %v", err)
	}
	close(finish)
	done, err := s.Convert(t.Context(), testConversion("a"))
	if err != nil || done != testConverted("a") {
		t.Errorf("the retry returned %+v, %v", done, err)
	}
	if rows := countRows(t, s); !maps.Equal(rows, rowsOfConversions(1)) {
		t.Errorf("rows are %v", rows)
	}
}

func TestClosedStore(t *testing.T) {
	onEachBackend(t, func(t *testing.T, url string) {
		s, err := Open(t.Context(), Options{URL: url})
		if err != nil {
			t.Fatal(err)
		}
		mustEnsureInstance(t, s)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Convert(t.Context(), testConversion("a")); err == nil {
			t.Error("a closed store has converted")
		}
		if _, err := s.Gate(t.Context(), "", ""); err == nil || errors.Is(err, signup.ErrNoRow) {
			t.Errorf("a closed store answers %v", err)
		}
	})
}
