package realtest

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// sharedPostgres is the server on which Postgres makes its databases. It starts
// at the first call and runs until the test binary ends.
var sharedPostgres struct {
	once sync.Once
	addr string
}

var databaseCount atomic.Int64

// Postgres returns the URL of a new, empty database, closed to everybody when
// the test ends. All databases of a test binary live on one PostgreSQL server, which
// syncs every commit to disk and allows 200 connections in all. A test that
// stops or starts the server needs [DedicatedPostgres].
func Postgres(t testing.TB) string {
	t.Helper()
	sharedPostgres.once.Do(func() { sharedPostgres.addr = startSharedPostgres(t) })
	if sharedPostgres.addr == "" {
		t.Fatal("the shared PostgreSQL server did not start, see the first test that asked for it")
	}
	url, name := newDatabase(t, sharedPostgres.addr)
	t.Cleanup(func() {
		// Dropping it would cost a checkpoint, which takes longer than most
		// tests; all databases go when the server does.
		const leave = "ALTER DATABASE %s ALLOW_CONNECTIONS false"
		const end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '%s'"
		for _, statement := range []string{leave, end} {
			if err := query(databaseURL(sharedPostgres.addr, "postgres"), fmt.Sprintf(statement, name)); err != nil {
				t.Errorf("close a database: %v", err)
			}
		}
	})
	return url
}

// PostgresServer is a PostgreSQL server that one test has for itself.
type PostgresServer struct {
	// URL is what DATABASE_URL takes. It names an empty database.
	URL string
	// Addr is host:port. Both stay the same over Kill and Restart.
	Addr string

	t       testing.TB
	dir     string
	process *process
}

// DedicatedPostgres starts a PostgreSQL server with one empty database, which
// takes a few seconds. Every commit is on disk before it is acknowledged.
func DedicatedPostgres(t testing.TB) *PostgresServer {
	t.Helper()
	dir, credential := newCluster(t)
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("remove the data of PostgreSQL: %v", err)
		}
	})
	addr := freeAddr(t)
	arguments := postgresArguments(t, dir, addr)
	p := &PostgresServer{Addr: addr, t: t, dir: dir}
	p.process = newProcess(t, "postgres", t.TempDir(), func() *exec.Cmd {
		cmd := exec.Command(arguments[0], arguments[1:]...)
		cmd.Dir = dir
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: credential}
		return cmd
	})
	p.awaitReady()
	p.URL, _ = newDatabase(t, addr)
	return p
}

// Kill ends the server and all its backends as a power cut would, without a
// checkpoint or a word to the clients, and returns when they are gone. It may
// be called from any goroutine.
func (p *PostgresServer) Kill() {
	pid, _ := p.process.current()
	p.process.pause() // so that it starts no backend while they are counted
	backends := childrenOf(pid)
	p.process.kill()
	for _, backend := range backends {
		if err := syscall.Kill(backend, syscall.SIGKILL); err != nil && !isGone(err) {
			p.t.Errorf("kill a backend of PostgreSQL: %v", err)
		}
	}
	deadline := time.Now().Add(stopLimit)
	for slices.ContainsFunc(backends, isRunning) {
		if time.Now().After(deadline) {
			p.t.Errorf("backends of PostgreSQL still run %v after they were killed", stopLimit)
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// Restart starts the server again on the same address and data directory and
// returns once it has recovered and answers. One that still runs is stopped in
// order first, which ends its connections.
func (p *PostgresServer) Restart() {
	p.t.Helper()
	if err := p.process.stop(syscall.SIGINT); err != nil {
		p.t.Fatalf("restart PostgreSQL: %v", err)
	}
	p.process.start()
	p.awaitReady()
}

func (p *PostgresServer) awaitReady() {
	p.t.Helper()
	_, exited := p.process.current()
	awaitPostgres(p.t, p.Addr, p.dir, exited)
}

func startSharedPostgres(t testing.TB) (addr string) {
	t.Helper()
	dir, credential := newCluster(t)
	addr = freeAddr(t)
	const immediateShutdown = "QUIT" // of a server whose data is about to be removed
	if err := attend(dir, credential, immediateShutdown, postgresArguments(t, dir, addr)...); err != nil {
		_ = os.RemoveAll(dir)
		t.Fatalf("start PostgreSQL: %v", err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			text, err := os.ReadFile(filepath.Join(dir, "stderr.log"))
			t.Logf("the shared PostgreSQL server wrote (%v):\n%s", err, lastLines(string(text), 60))
		}
	})
	awaitPostgres(t, addr, dir, nil)
	return addr
}

// newCluster makes a new database cluster, in the words of PostgreSQL: a data
// directory. PostgreSQL refuses to run as root, so in that case the directory
// belongs to another user, as whom the server then has to be run.
func newCluster(t testing.TB) (dir string, credential *syscall.Credential) {
	t.Helper()
	// Not below t.TempDir, whose parent no other user may enter.
	dir, err := os.MkdirTemp("", "postgres-")
	if err != nil {
		t.Fatalf("make a directory for PostgreSQL: %v", err)
	}
	credential = unprivileged(t)
	if credential != nil {
		if err := os.Chown(dir, int(credential.Uid), int(credential.Gid)); err != nil {
			t.Fatalf("hand a directory to PostgreSQL: %v", err)
		}
	}
	cmd := exec.Command(postgresProgram(t, "initdb"), "--pgdata", dir, "--username", "postgres",
		"--auth", "trust", "--encoding", "UTF8", "--locale", "C", "--no-sync", "--no-instructions")
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: credential}
	if output, err := cmd.CombinedOutput(); err != nil {
		_ = os.RemoveAll(dir)
		t.Fatalf("initdb: %v\n%s", err, output)
	}
	return dir, credential
}

func postgresArguments(t testing.TB, dir, addr string) []string {
	t.Helper()
	return []string{
		postgresProgram(t, "postgres"), "-D", dir,
		"-c", "listen_addresses=127.0.0.1", "-c", "port=" + portOf(t, addr), "-c", "unix_socket_directories=",
		"-c", "fsync=on", "-c", "synchronous_commit=on",
		"-c", "max_connections=200", "-c", "shared_buffers=32MB",
	}
}

// unprivileged returns the user as whom to run PostgreSQL, nil for our own.
func unprivileged(t testing.TB) *syscall.Credential {
	t.Helper()
	if os.Getuid() != 0 {
		return nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		account, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, errUID := strconv.ParseUint(account.Uid, 10, 32)
		gid, errGID := strconv.ParseUint(account.Gid, 10, 32)
		if errUID == nil && errGID == nil {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		}
	}
	t.Fatal("PostgreSQL does not run as root, and there is neither a user postgres nor nobody")
	return nil
}

// postgresProgram finds a server program of PostgreSQL. Debian keeps them in a
// directory for each major version, outside PATH; the newest is taken.
func postgresProgram(t testing.TB, name string) string {
	t.Helper()
	candidates, err := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if err != nil {
		t.Fatalf("look for %s: %v", name, err)
	}
	if len(candidates) == 0 {
		return requireProgram(t, name, "postgresql")
	}
	return slices.MaxFunc(candidates, func(a, b string) int {
		return cmp.Compare(majorVersion(a), majorVersion(b))
	})
}

// majorVersion reads 15 from /usr/lib/postgresql/15/bin/postgres, and 0 from
// what is not a number.
func majorVersion(path string) int {
	version, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
	return version
}

// childrenOf lists the direct children of a process; none where the system has
// no /proc.
func childrenOf(pid int) []int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", pid))
	if err != nil {
		return nil
	}
	var children []int
	for _, field := range strings.Fields(string(text)) {
		if child, err := strconv.Atoi(field); err == nil {
			children = append(children, child)
		}
	}
	return children
}

// awaitPostgres waits until the server has recovered and takes queries, and
// makes sure that the one that answers is ours.
func awaitPostgres(t testing.TB, addr, dir string, exited <-chan struct{}) {
	t.Helper()
	eventually(t, "postgres", exited, startLimit, func() error {
		var answering string
		err := query(databaseURL(addr, "postgres"), "SHOW data_directory", &answering)
		if err == nil && answering != dir {
			return fmt.Errorf("another server answers on %s", addr)
		}
		return err
	})
}

// newDatabase makes an empty database.
func newDatabase(t testing.TB, addr string) (url, name string) {
	t.Helper()
	name = fmt.Sprintf("test_%d", databaseCount.Add(1))
	if err := query(databaseURL(addr, "postgres"), "CREATE DATABASE "+name+" TEMPLATE template0"); err != nil {
		t.Fatalf("make a database: %v", err)
	}
	return databaseURL(addr, name), name
}

func databaseURL(addr, database string) string {
	return "postgres://postgres@" + addr + "/" + database + "?sslmode=disable"
}

// query runs one statement on a connection of its own and reads its first row
// into the targets, if there are any.
func query(url, statement string, targets ...any) error {
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	connection, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer connection.Close(ctx)
	if len(targets) > 0 {
		return connection.QueryRow(ctx, statement).Scan(targets...)
	}
	_, err = connection.Exec(ctx, statement)
	return err
}
