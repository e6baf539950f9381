package realtest

import (
	"context"
	"errors"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

func testRedis(t *testing.T) {
	ctx := context.Background()
	r := Redis(t)
	options, err := redis.ParseURL(r.URL)
	if err != nil || options.Addr != r.Addr {
		t.Fatalf("URL %s: address %v, %v", r.URL, options, err)
	}
	if err := r.client().Set(ctx, "key", "value", 0).Err(); err != nil {
		t.Fatal(err)
	}

	r.Kill()
	if connection, err := net.Dial("tcp", r.Addr); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Fatalf("after Kill: connection %v, error %v, want refused", connection, err)
	}
	r.Restart()
	if n := r.client().DBSize(ctx).Val(); n != 0 {
		t.Errorf("%d keys survived without persistence", n)
	}
	r.Restart() // one that runs is stopped first
	if err := r.client().Ping(ctx).Err(); err != nil {
		t.Error(err)
	}
}

func testRedisAppendOnly(t *testing.T) {
	ctx := context.Background()
	r := Redis(t, AppendOnly(), RedisDirective("maxmemory", "7mb"))
	if err := r.client().Set(ctx, "key", "value", 0).Err(); err != nil {
		t.Fatal(err)
	}
	r.Kill()
	r.Restart()
	if value, err := r.client().Get(ctx, "key").Result(); err != nil || value != "value" {
		t.Errorf("an acknowledged write did not survive Kill: %q, %v", value, err)
	}
	if limit := r.client().ConfigGet(ctx, "maxmemory").Val()["maxmemory"]; limit != "7340032" {
		t.Errorf("maxmemory is %s, want the directive's 7 MiB", limit)
	}
}

func testRedisPause(t *testing.T) {
	r := Redis(t)
	c := redis.NewClient(&redis.Options{
		Addr: r.Addr, MaxRetries: -1, ReadTimeout: 50 * time.Millisecond,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
	defer c.Close()
	ctx := context.Background()
	if err := c.Ping(ctx).Err(); err != nil {
		t.Fatal(err)
	}
	r.Pause()
	err := c.Ping(ctx).Err()
	if timeout, ok := errors.AsType[net.Error](err); !ok || !timeout.Timeout() {
		t.Errorf("paused: %v, want a timeout", err)
	}
	r.Resume()
	if err := r.client().Ping(ctx).Err(); err != nil {
		t.Errorf("resumed: %v", err)
	}
	r.Pause() // and the cleanup ends a paused server all the same
}

func testRedisStopsWithItsTest(t *testing.T) {
	var r *RedisServer
	t.Run("inner", func(t *testing.T) { r = Redis(t) })
	if code := r.process.exitCode(); code != 0 {
		t.Errorf("exit code %d, want an orderly end", code)
	}
}

func testRedisCluster(t *testing.T) {
	ctx := context.Background()
	c := RedisCluster(t)
	options, err := redis.ParseClusterURL(c.URL)
	if err != nil || len(options.Addrs) != 3 {
		t.Fatalf("URL %s: %v, %v", c.URL, options, err)
	}
	options.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	client := redis.NewClusterClient(options)
	defer client.Close()
	for _, key := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
		if err := client.Set(ctx, key, key, 0).Err(); err != nil {
			t.Fatalf("SET %s: %v", key, err)
		}
	}
	for _, node := range c.Nodes {
		if n := node.client().DBSize(ctx).Val(); n == 0 || n == 8 {
			t.Errorf("%s holds %d of 8 keys, want them spread", node.Addr, n)
		}
	}
	if err := client.MSet(ctx, "a", "1", "b", "2").Err(); err == nil || !strings.HasPrefix(err.Error(), "CROSSSLOT") {
		t.Errorf("keys in two slots: %v, want CROSSSLOT", err)
	}

	c.Nodes[1].Kill()
	c.Nodes[1].Restart()
	c.AwaitReady()
	if err := client.Set(ctx, "b", "2", 0).Err(); err != nil {
		t.Errorf("after a node's restart: %v", err)
	}
}
