package deliver

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// receivedMail is what the test's server got.
type receivedMail struct {
	from, to string
	utf8     bool
	user     string
	secure   bool
	data     []byte
}

// mailServer is a real SMTP server on a loopback port whose answers a test
// can change.
type mailServer struct {
	addr string

	// Set before the first connection.
	mechanism string // offered for AUTH if not empty
	user      string
	password  string
	answer    map[string]error // by command: MAIL, RCPT, DATA, AUTH

	mu       sync.Mutex
	sessions int
	received []receivedMail
}

type mailServerOptions struct {
	tls      TLSMode
	utf8     bool
	insecure bool // offer AUTH without TLS
}

// startMailServer starts a server that is stopped with the test. The options
// choose the protection it offers.
func startMailServer(t *testing.T, o mailServerOptions) *mailServer {
	t.Helper()
	backend := &mailServer{answer: map[string]error{}}
	server := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		backend.mu.Lock()
		defer backend.mu.Unlock()
		backend.sessions++
		return &mailSession{server: backend, conn: c}, nil
	}))
	server.Domain = "localhost"
	server.EnableSMTPUTF8 = o.utf8
	server.AllowInsecureAuth = o.insecure
	server.ErrorLog = quietLog{}
	listener := listen(t)
	backend.addr = listener.Addr().String()
	switch o.tls {
	case TLSStartTLS:
		server.TLSConfig = serverTLS
	case TLSImplicit:
		listener = tls.NewListener(listener, serverTLS)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := server.Serve(listener); err != nil && !errors.Is(err, smtp.ErrServerClosed) {
			t.Errorf("mail server: %v", err)
		}
	}()
	t.Cleanup(func() {
		server.Close()
		listener.Close() // Close knows only of listeners that Serve has got round to
		<-done
	})
	return backend
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return listener
}

func (s *mailServer) mails() []receivedMail {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]receivedMail(nil), s.received...)
}

type quietLog struct{}

func (quietLog) Printf(string, ...any) {}
func (quietLog) Println(...any)        {}

type mailSession struct {
	server *mailServer
	conn   *smtp.Conn
	mail   receivedMail
}

func (s *mailSession) AuthMechanisms() []string {
	if s.server.mechanism == "" {
		return nil
	}
	return []string{s.server.mechanism}
}

func (s *mailSession) Auth(mechanism string) (sasl.Server, error) {
	login := func(_, user, password string) error {
		if err := s.server.answer["AUTH"]; err != nil {
			return err
		}
		if user != s.server.user || password != s.server.password {
			return smtp.ErrAuthFailed
		}
		s.mail.user = user
		return nil
	}
	if mechanism == "LOGIN" {
		return &loginServer{login: login}, nil
	}
	return sasl.NewPlainServer(login), nil
}

// loginServer is the server's side of AUTH LOGIN.
type loginServer struct {
	login func(identity, user, password string) error
	step  int
	user  string
}

func (l *loginServer) Next(response []byte) (challenge []byte, done bool, err error) {
	l.step++
	switch l.step {
	case 1:
		return []byte("Username:"), false, nil
	case 2:
		l.user = string(response)
		return []byte("Password:"), false, nil
	default:
		return nil, true, l.login("", l.user, string(response))
	}
}

func (s *mailSession) Mail(from string, options *smtp.MailOptions) error {
	_, s.mail.secure = s.conn.TLSConnectionState()
	s.mail.from, s.mail.utf8 = from, options.UTF8
	return s.server.answer["MAIL"]
}

func (s *mailSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.mail.to = to
	return s.server.answer["RCPT"]
}

func (s *mailSession) Data(r io.Reader) error {
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if err := s.server.answer["DATA"]; err != nil {
		return err
	}
	s.mail.data = data
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	s.server.received = append(s.server.received, s.mail)
	return nil
}

func (s *mailSession) Reset()        {}
func (s *mailSession) Logout() error { return nil }

// serverTLS and its certificate, valid for 127.0.0.1, live as long as the tests.
var serverTLS, trustedCAs = func() (*tls.Config, *x509.CertPool) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotBefore:    time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage:    x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(certificate)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, pool
}()

// startProxy forwards connections to addr until the server has sent the given
// number of complete replies, and then either hangs or cuts the connection: the
// reply after those never arrives.
func startProxy(t *testing.T, addr string, replies int, cut bool) string {
	t.Helper()
	return startRaw(t, func(client net.Conn) {
		server, err := net.Dial("tcp", addr)
		if err != nil {
			t.Errorf("proxy: %v", err)
			return
		}
		defer server.Close()
		clientGone := make(chan struct{})
		go func() {
			defer close(clientGone)
			io.Copy(server, client)
		}()
		lines := bufio.NewScanner(server)
		for n := 0; n < replies && lines.Scan(); {
			line := lines.Text()
			if len(line) > 3 && line[3] == ' ' {
				n++
			}
			io.WriteString(client, line+"\r\n")
		}
		if cut {
			client.Close()
		}
		<-clientGone
	})
}

// startRaw serves each connection by serve and closes it afterwards. It is
// stopped with the test.
func startRaw(t *testing.T, serve func(net.Conn)) (addr string) {
	t.Helper()
	listener := listen(t)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer conn.Close()
				serve(conn)
			})
		}
	})
	t.Cleanup(func() { listener.Close(); wg.Wait() })
	return listener.Addr().String()
}
