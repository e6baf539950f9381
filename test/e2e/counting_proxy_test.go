package e2e

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// countingProxy stands before PostgreSQL and counts the statements that are run
// (PostgreSQL's protocol 3.0: the messages Query and Execute).
type countingProxy struct {
	addr       string
	statements atomic.Int64
}

func startCountingProxy(t testing.TB, target string) *countingProxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &countingProxy{addr: listener.Addr().String()}
	var running sync.WaitGroup
	var mu sync.Mutex
	var open []net.Conn
	t.Cleanup(func() {
		listener.Close()
		mu.Lock()
		for _, c := range open {
			c.Close()
		}
		mu.Unlock()
		running.Wait()
	})
	running.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", target)
			if err != nil {
				client.Close()
				continue
			}
			mu.Lock()
			open = append(open, client, server)
			mu.Unlock()
			running.Go(func() {
				defer client.Close()
				_, _ = io.Copy(client, server)
			})
			running.Go(func() {
				defer server.Close()
				_ = p.pass(client, server)
			})
		}
	})
	return p
}

// pass copies the client's messages, of which the first has no type.
func (p *countingProxy) pass(client io.Reader, server io.Writer) error {
	header := make([]byte, 5)
	for prefix := 4; ; prefix = 5 {
		if _, err := io.ReadFull(client, header[:prefix]); err != nil {
			return err
		}
		size := binary.BigEndian.Uint32(header[prefix-4 : prefix])
		if size < 4 || size > 1<<26 {
			return errors.New("not a message of PostgreSQL")
		}
		if prefix == 5 && (header[0] == 'Q' || header[0] == 'E') {
			p.statements.Add(1)
		}
		message := make([]byte, int(size)-4)
		if _, err := io.ReadFull(client, message); err != nil {
			return err
		}
		if _, err := server.Write(append(header[:prefix:prefix], message...)); err != nil {
			return err
		}
	}
}
