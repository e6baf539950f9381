package realtest

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// RedisServer is one running redis-server.
type RedisServer struct {
	// URL is what REDIS_URL takes: redis://127.0.0.1:port.
	URL string
	// Addr is host:port. Both stay the same over Kill and Restart.
	Addr string

	t       testing.TB
	process *process
}

// RedisOption changes how a redis-server is started.
type RedisOption func(arguments *[]string)

// AppendOnly makes Redis durable: every write is in the append-only file, on
// disk, before it is acknowledged. Without it nothing survives Kill or Restart.
func AppendOnly() RedisOption {
	return func(arguments *[]string) {
		*arguments = append(*arguments, "--appendonly", "yes", "--appendfsync", "always")
	}
}

// RedisDirective sets one directive of redis.conf, such as maxmemory.
func RedisDirective(name, value string) RedisOption {
	return func(arguments *[]string) {
		*arguments = append(*arguments, "--"+name, value)
	}
}

// Redis starts a redis-server of the test's own, empty and without
// persistence, and returns once it answers.
func Redis(t testing.TB, options ...RedisOption) *RedisServer {
	t.Helper()
	program := requireProgram(t, "redis-server", "redis-server")
	addr := freeAddr(t)
	dir := t.TempDir()
	arguments := []string{
		"--bind", "127.0.0.1", "--port", portOf(t, addr), "--dir", dir,
		"--daemonize", "no", "--save", "", "--appendonly", "no",
	}
	for _, option := range options {
		option(&arguments)
	}
	r := &RedisServer{URL: "redis://" + addr, Addr: addr, t: t}
	r.process = newProcess(t, "redis-server", dir, func() *exec.Cmd {
		return exec.Command(program, arguments...)
	})
	r.awaitReady()
	return r
}

// Kill ends the server as a crash would and returns when it is gone. It may be
// called from any goroutine.
func (r *RedisServer) Kill() { r.process.kill() }

// Restart starts the server again on the same address and data directory and
// returns once it answers. One that still runs is stopped in order first.
func (r *RedisServer) Restart() {
	r.t.Helper()
	if err := r.process.stop(syscall.SIGTERM); err != nil {
		r.t.Fatalf("restart redis-server: %v", err)
	}
	r.process.start()
	r.awaitReady()
}

// Pause freezes the server: connections stay open, new ones are accepted by
// the kernel, nothing is answered. It may be called from any goroutine.
func (r *RedisServer) Pause() { r.process.pause() }

// Resume lets a paused server go on; it then answers what was asked meanwhile.
// It may be called from any goroutine.
func (r *RedisServer) Resume() { r.process.resume() }

// client returns a go-redis client without retries, closed when the test ends.
func (r *RedisServer) client() *redis.Client {
	c := redis.NewClient(&redis.Options{
		Addr:                     r.Addr,
		MaxRetries:               -1,
		PoolSize:                 1,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
	r.t.Cleanup(func() { _ = c.Close() })
	return c
}

// awaitReady waits until the server has loaded its data, and makes sure that
// the one that answers is ours.
func (r *RedisServer) awaitReady() {
	r.t.Helper()
	c := r.client()
	defer c.Close()
	pid, exited := r.process.current()
	eventually(r.t, "redis-server", exited, startLimit, func() error {
		ctx := context.Background()
		if err := c.Ping(ctx).Err(); err != nil {
			return fmt.Errorf("PING: %w", err)
		}
		info, err := c.Info(ctx, "server").Result()
		if err != nil {
			return fmt.Errorf("INFO: %w", err)
		}
		if !strings.Contains(info, fmt.Sprintf("\r\nprocess_id:%d\r\n", pid)) {
			return fmt.Errorf("another process answers on %s", r.Addr)
		}
		return nil
	})
}
