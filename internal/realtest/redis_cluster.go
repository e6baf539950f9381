package realtest

import (
	"context"
	"fmt"
	"strings"
	"testing"
)

// clusterSlots is the number of hash slots of every Redis Cluster.
const clusterSlots = 16384

// RedisClusterServers is a running Redis Cluster of three primaries without
// replicas, each holding a third of the slots.
type RedisClusterServers struct {
	// Nodes are the primaries in the order of their slots. A node can be
	// killed, restarted or paused on its own; call AwaitReady afterwards.
	Nodes []*RedisServer
	// Addrs and URLs list host:port and redis://host:port of every node.
	Addrs, URLs []string
	// URL names all nodes in the form that go-redis' ParseClusterURL reads:
	// redis://first?addr=second&addr=third.
	URL string

	t testing.TB
}

// RedisCluster starts three redis-servers as one cluster and returns once every
// node says that the whole cluster is reachable.
func RedisCluster(t testing.TB) *RedisClusterServers {
	t.Helper()
	const size = 3
	c := &RedisClusterServers{t: t}
	buses := make([]string, size)
	for i := range size {
		buses[i] = portOf(t, freeAddr(t))
		node := Redis(t,
			RedisDirective("cluster-enabled", "yes"),
			RedisDirective("cluster-config-file", "nodes.conf"),
			RedisDirective("cluster-node-timeout", "2000"),
			RedisDirective("cluster-port", buses[i]),
		)
		c.Nodes = append(c.Nodes, node)
		c.Addrs = append(c.Addrs, node.Addr)
		c.URLs = append(c.URLs, node.URL)
	}
	c.URL = c.URLs[0] + "?addr=" + strings.Join(c.Addrs[1:], "&addr=")

	for i, node := range c.Nodes {
		first, last := i*clusterSlots/size, (i+1)*clusterSlots/size-1
		c.do(node, "CLUSTER", "SET-CONFIG-EPOCH", i+1)
		c.do(node, "CLUSTER", "ADDSLOTSRANGE", first, last)
	}
	for _, node := range c.Nodes[1:] {
		c.do(node, "CLUSTER", "MEET", "127.0.0.1", portOf(t, c.Addrs[0]), buses[0])
	}
	c.AwaitReady()
	return c
}

// AwaitReady returns once every node knows every other and reports
// cluster_state:ok with all slots served.
func (c *RedisClusterServers) AwaitReady() {
	c.t.Helper()
	for _, node := range c.Nodes {
		client := node.client()
		_, exited := node.process.current()
		eventually(c.t, "cluster node "+node.Addr, exited, startLimit, func() error {
			info, err := client.ClusterInfo(context.Background()).Result()
			if err != nil {
				return fmt.Errorf("CLUSTER INFO: %w", err)
			}
			for _, want := range []string{
				"cluster_state:ok",
				fmt.Sprintf("cluster_slots_ok:%d", clusterSlots),
				fmt.Sprintf("cluster_size:%d", len(c.Nodes)),
				fmt.Sprintf("cluster_known_nodes:%d", len(c.Nodes)),
			} {
				if !strings.Contains(info, want+"\r\n") {
					return fmt.Errorf("no %s in %q", want, info)
				}
			}
			return nil
		})
		_ = client.Close()
	}
}

func (c *RedisClusterServers) do(node *RedisServer, command ...any) {
	c.t.Helper()
	client := node.client()
	defer client.Close()
	if err := client.Do(context.Background(), command...).Err(); err != nil {
		c.t.Fatalf("%v on %s: %v", command[:2], node.Addr, err)
	}
}
