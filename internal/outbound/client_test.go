package outbound

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/net/dns/dnsmessage"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// server is a web server on loopback that counts what reaches it.
type server struct {
	*httptest.Server
	hits atomic.Int64
}

func startServer(t *testing.T, secure bool, handle http.HandlerFunc) *server {
	t.Helper()
	s := &server{}
	counted := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.hits.Add(1)
		handle(w, r)
	})
	s.Server = httptest.NewUnstartedServer(counted)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	if secure {
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return s
}

func (s *server) port() string {
	_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	return port
}

// pool trusts the server's certificate, which is for example.com and 127.0.0.1.
func (s *server) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	return pool
}

func newClient(t *testing.T, o Options) *http.Client {
	t.Helper()
	c := NewClient(o)
	t.Cleanup(c.CloseIdleConnections)
	return c
}

func ok(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") }

// get returns the status and body of an answer.
func get(t *testing.T, c *http.Client, address string) (int, string, error) {
	t.Helper()
	response, err := c.Get(address)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return response.StatusCode, string(body), err
}

// startDNS answers every question for an IPv4 address with the next of the
// addresses, and goes on with the last; there are no IPv6 addresses.
func startDNS(t *testing.T, addresses ...[4]byte) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { conn.Close(); <-done })
	go func() {
		defer close(done)
		buffer := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(buffer)
			if err != nil {
				return
			}
			var question dnsmessage.Message
			if question.Unpack(buffer[:n]) != nil || len(question.Questions) != 1 {
				continue
			}
			asked := question.Questions[0]
			answer := dnsmessage.Message{
				Header:    dnsmessage.Header{ID: question.ID, Response: true, Authoritative: true},
				Questions: question.Questions,
			}
			if asked.Type == dnsmessage.TypeA {
				answer.Answers = []dnsmessage.Resource{{
					Header: dnsmessage.ResourceHeader{Name: asked.Name, Class: dnsmessage.ClassINET},
					Body:   &dnsmessage.AResource{A: addresses[0]},
				}}
				if len(addresses) > 1 {
					addresses = addresses[1:]
				}
			}
			packed, err := answer.Pack()
			if err == nil {
				conn.WriteTo(packed, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

// A name that is public when it is first looked up and ours the next time is
// refused then.
func TestNameThatComesToMeanUs(t *testing.T) {
	target := startServer(t, true, ok)
	errPublic := errors.New("would have connected")
	var passed []string
	c := newClient(t, Options{
		Resolver: startDNS(t, [4]byte{8, 8, 8, 8}, [4]byte{127, 0, 0, 1}),
		RootCAs:  target.pool(),
		passed: func(address string) error {
			passed = append(passed, address)
			return errPublic
		},
	})
	address := "https://example.com:" + target.port()
	if _, _, err := get(t, c, address); !errors.Is(err, errPublic) {
		t.Fatalf("a public address: %v", err)
	}
	if _, _, err := get(t, c, address); !errors.Is(err, ErrPrivateAddress) {
		t.Errorf("after the name changed: %v", err)
	}
	if len(passed) != 1 || passed[0] != "8.8.8.8:"+target.port() {
		t.Errorf("passed: %q", passed)
	}
	if target.hits.Load() != 0 {
		t.Error("the server was reached")
	}

	// The same name and server, where it is allowed: the address alone was why.
	development := newClient(t, Options{AllowPrivate: true, Resolver: startDNS(t, [4]byte{127, 0, 0, 1}), RootCAs: target.pool()})
	if _, body, err := get(t, development, address); err != nil || body != "hello" {
		t.Errorf("in development: %q, %v", body, err)
	}
}

func TestLiteralAddressesAreLookedAt(t *testing.T) {
	target := startServer(t, true, ok)
	c := newClient(t, Options{RootCAs: target.pool(), Timeout: 5 * time.Second})
	for _, host := range []string{
		"127.0.0.1", "localhost", "[::1]", "0.0.0.0", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]",
		"169.254.169.254", "10.0.0.1", "192.168.1.1", "100.64.0.1", "[64:ff9b::7f00:1]", "[fe80::1%25lo]", "[fd00:ec2::254]",
	} {
		_, _, err := get(t, c, "https://"+host+":"+target.port())
		if !errors.Is(err, ErrPrivateAddress) {
			t.Errorf("%s: %v", host, err)
		}
	}
	// Spelled in ways that only some programs take for addresses.
	for _, host := range []string{"2130706433", "0x7f000001", "0177.0.0.1", "127.1"} {
		if _, _, err := get(t, c, "https://"+host+":"+target.port()); err == nil {
			t.Errorf("%s was reached", host)
		}
	}
	if target.hits.Load() != 0 {
		t.Error("the server was reached")
	}
}

func TestPlainHTTP(t *testing.T) {
	target := startServer(t, false, ok)
	c := newClient(t, Options{})
	if _, _, err := get(t, c, target.URL); !errors.Is(err, ErrPlainHTTP) {
		t.Errorf("http in production: %v", err)
	}
	body := &closing{Reader: strings.NewReader("secret")}
	if _, err := c.Post(target.URL, "text/plain", body); !errors.Is(err, ErrPlainHTTP) || !body.closed {
		t.Errorf("a body: %v, closed %t", err, body.closed)
	}
	development := newClient(t, Options{AllowPrivate: true})
	if status, body, err := get(t, development, target.URL); status != 200 || body != "hello" || err != nil {
		t.Errorf("http in development: %d %q %v", status, body, err)
	}
	if AllowsPrivate(c) || AllowsPrivate(http.DefaultClient) || !AllowsPrivate(development) {
		t.Error("what is allowed is told wrongly")
	}
}

type closing struct {
	io.Reader
	closed bool
}

func (c *closing) Close() error { c.closed = true; return nil }

func TestRedirectsAreNotFollowed(t *testing.T) {
	elsewhere := startServer(t, false, ok)
	for _, status := range []int{301, 302, 303, 307, 308} {
		from := startServer(t, false, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", elsewhere.URL)
			w.WriteHeader(status)
		})
		c := newClient(t, Options{AllowPrivate: true})
		if got, _, err := get(t, c, from.URL); err != nil || got != status {
			t.Errorf("%d: %d, %v", status, got, err)
		}
		response, err := c.Post(from.URL, "text/plain", strings.NewReader("secret"))
		if err != nil || response.StatusCode != status {
			t.Fatalf("POST, %d: %v", status, err)
		}
		response.Body.Close()
	}
	if elsewhere.hits.Load() != 0 {
		t.Error("a redirect was followed")
	}
}

func TestProxiesOfTheEnvironmentAreNotUsed(t *testing.T) {
	proxy := startServer(t, false, ok)
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy"} {
		t.Setenv(name, proxy.URL)
	}
	// The variables are read once a process; what the transport holds says it for
	// every order of tests.
	c := newClient(t, Options{})
	if c.Transport.(*transport).inner.Proxy != nil {
		t.Error("there is a proxy")
	}
	_, _, err := get(t, newClient(t, Options{AllowPrivate: true, Resolver: startDNS(t, [4]byte{127, 0, 0, 1})}), "http://example.com:"+proxy.port()+"/x")
	if err != nil {
		t.Error(err)
	}
	if got := proxy.hits.Load(); got != 1 {
		t.Errorf("%d requests", got)
	}
}

// Whatever a server does to keep us waiting ends with the time.
func TestSlowServersAreBounded(t *testing.T) {
	const timeout = 150 * time.Millisecond
	drip := func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			io.WriteString(w, "x")
			w.(http.Flusher).Flush()
			select {
			case <-r.Context().Done():
			case <-time.After(10 * time.Millisecond):
			}
		}
	}
	silent := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	for name, address := range map[string]string{
		"no answer":       startServer(t, false, silent).URL,
		"endless answer":  startServer(t, false, drip).URL,
		"no handshake":    "https://" + startMute(t),
		"no http":         "http://" + startMute(t),
		"secure, endless": startServer(t, true, drip).URL,
	} {
		c := newClient(t, Options{AllowPrivate: true, Timeout: timeout})
		c.Transport.(*transport).inner.TLSClientConfig.InsecureSkipVerify = true
		began := time.Now()
		_, _, err := get(t, c, address)
		if timedOut, ok := errors.AsType[net.Error](err); !ok || !timedOut.Timeout() {
			t.Errorf("%s: %v", name, err)
		}
		if took := time.Since(began); took > 20*timeout {
			t.Errorf("%s took %s", name, took)
		}
	}
}

// startMute takes connections and says nothing.
func startMute(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			defer conn.Close()
		}
	}()
	t.Cleanup(func() { listener.Close(); <-done })
	return listener.Addr().String()
}

func TestContextEndsARequest(t *testing.T) {
	slow := startServer(t, false, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, slow.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := newClient(t, Options{AllowPrivate: true}).Do(request); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

func TestOldTLSIsRefused(t *testing.T) {
	old := httptest.NewUnstartedServer(http.HandlerFunc(ok))
	old.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	old.Config.ErrorLog = log.New(io.Discard, "", 0)
	old.StartTLS()
	t.Cleanup(old.Close)
	pool := x509.NewCertPool()
	pool.AddCert(old.Certificate())
	if _, _, err := get(t, newClient(t, Options{AllowPrivate: true, RootCAs: pool}), old.URL); err == nil {
		t.Error("TLS 1.1 was spoken")
	}
}

func TestUnknownCertificatesAreRefused(t *testing.T) {
	target := startServer(t, true, ok)
	for _, allow := range []bool{false, true} {
		if _, _, err := get(t, newClient(t, Options{AllowPrivate: allow}), target.URL); err == nil {
			t.Error("a certificate of nobody was trusted")
		}
	}
	if target.hits.Load() != 0 {
		t.Error("the server was reached")
	}
}

func TestAnswersAreBounded(t *testing.T) {
	const limit = 1000
	for _, test := range []struct {
		size int
		fits bool
	}{{0, true}, {1, true}, {limit - 1, true}, {limit, true}, {limit + 1, false}, {10 * limit, false}, {1 << 20, false}} {
		for _, chunked := range []bool{false, true} {
			s := startServer(t, false, func(w http.ResponseWriter, r *http.Request) {
				if !chunked {
					w.Header().Set("Content-Length", fmt.Sprint(test.size))
				}
				w.WriteHeader(200)
				io.WriteString(w, strings.Repeat("x", test.size))
			})
			_, body, err := get(t, newClient(t, Options{AllowPrivate: true, MaxBody: limit}), s.URL)
			if test.fits && (err != nil || len(body) != test.size) || !test.fits && (!errors.Is(err, ErrTooLarge) || len(body) > limit) {
				t.Errorf("%d bytes (chunked %t): %d, %v", test.size, chunked, len(body), err)
			}
		}
	}
}

func TestHeadersAreBounded(t *testing.T) {
	s := startServer(t, false, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X", strings.Repeat("x", 2*maxHeader))
	})
	if _, _, err := get(t, newClient(t, Options{AllowPrivate: true}), s.URL); err == nil {
		t.Error("endless headers were read")
	}
}

func TestReadAll(t *testing.T) {
	for _, test := range []struct {
		size, limit int
		fits        bool
	}{{0, 0, true}, {0, 5, true}, {1, 0, false}, {5, 5, true}, {6, 5, false}, {100_000, 100_000, true}, {100_001, 100_000, false}} {
		got, err := ReadAll(strings.NewReader(strings.Repeat("x", test.size)), int64(test.limit))
		if test.fits && (err != nil || len(got) != test.size) || !test.fits && (!errors.Is(err, ErrTooLarge) || len(got) > test.limit) {
			t.Errorf("%d of %d: %d, %v", test.size, test.limit, len(got), err)
		}
	}
	broken := errors.New("broken")
	if _, err := ReadAll(io.MultiReader(strings.NewReader("x"), failing{broken}), 100); !errors.Is(err, broken) {
		t.Error(err)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
