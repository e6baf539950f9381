package e2e

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/emersion/go-smtp"

	"stepwise/internal/realtest"
)

// mailServer is a real SMTP server in this process.
type mailServer struct {
	addr string

	mu       sync.Mutex
	messages []mailMessage
	held     *heldMessage
}

type mailMessage struct{ to, text string }

// heldMessage lets a test see a message arrive and answer it when it likes.
type heldMessage struct{ arrived, release chan struct{} }

func startMailServer(t testing.TB) *mailServer {
	t.Helper()
	m := &mailServer{}
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &mailSession{server: m}, nil }))
	server.Domain = "localhost"
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m.addr = listener.Addr().String()
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := server.Serve(listener); err != nil && !errors.Is(err, smtp.ErrServerClosed) {
			t.Errorf("mail server: %v", err)
		}
	}()
	t.Cleanup(func() { _ = server.Close(); <-done })
	return m
}

// settings make the program send its mail here.
func (m *mailServer) settings() map[string]string {
	return map[string]string{"SMTP_ADDR": m.addr, "SMTP_FROM": "Stepwise <no-reply@example.com>", "SMTP_TLS": "none"}
}

// holdMessages makes the next message wait.
func (m *mailServer) holdMessages() *heldMessage {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.held = &heldMessage{make(chan struct{}), make(chan struct{})}
	return m.held
}

// code returns the code in the newest message to an address.
func (m *mailServer) code(t testing.TB, to string) string {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, message := range slices.Backward(m.messages) {
		if message.to != to {
			continue
		}
		if _, err := mail.ReadMessage(strings.NewReader(message.text)); err != nil {
			t.Errorf("what was sent is no mail: %v", err)
		}
		_, body, _ := strings.Cut(message.text, "verification code")
		return codeIn(t, body)
	}
	t.Fatalf("no mail to %s", to)
	return ""
}

var codePattern = regexp.MustCompile(`\b[0-9]{6}\b`)

func codeIn(t testing.TB, text string) string {
	t.Helper()
	code := codePattern.FindString(text)
	if code == "" {
		t.Fatalf("no code in:\n%s", text)
	}
	return code
}

type mailSession struct {
	server *mailServer
	to     string
}

func (s *mailSession) Mail(string, *smtp.MailOptions) error { return nil }
func (s *mailSession) Reset()                               {}
func (s *mailSession) Logout() error                        { return nil }

func (s *mailSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.to = to
	return nil
}

func (s *mailSession) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.server.mu.Lock()
	held := s.server.held
	s.server.held = nil
	s.server.messages = append(s.server.messages, mailMessage{s.to, string(text)})
	s.server.mu.Unlock()
	if held != nil {
		close(held.arrived)
		<-held.release
	}
	return nil
}

// textService is a fake of the text message service's HTTP API.
type textService struct {
	*httptest.Server
	mu       sync.Mutex
	messages []string
	down     bool
}

func startTextService(t testing.TB) *textService {
	s := &textService{}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /2010-04-01/Accounts/AC123/Messages.json", func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		user, token, _ := r.BasicAuth()
		switch {
		case user != "AC123" || token != "the token":
			http.Error(w, `{"code":20003}`, http.StatusUnauthorized)
		case s.down:
			http.Error(w, `{"code":20500}`, http.StatusInternalServerError)
		default:
			s.messages = append(s.messages, r.FormValue("To")+"\n"+r.FormValue("Body"))
			w.WriteHeader(http.StatusCreated)
			fmt.Fprintf(w, `{"sid":"SM%d","status":"queued"}`, len(s.messages))
		}
	})
	s.Server = httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

func (s *textService) setDown(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
}

func (s *textService) code(t testing.TB, to string) string {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range slices.Backward(s.messages) {
		if text, found := strings.CutPrefix(m, to+"\n"); found {
			return codeIn(t, text)
		}
	}
	t.Fatalf("no text message to %s", to)
	return ""
}

// TestMail completes a sign-up with the code from a real mail, and once with the
// mail server down at first.
func TestMail(t *testing.T) {
	t.Parallel()
	mail := startMailServer(t)
	line := realtest.Proxy(t, mail.addr)
	server := realtest.Program(t, realtest.ProgramOptions{Env: with(mail.settings(), "SMTP_ADDR", line.Addr)})

	t.Run("up", func(t *testing.T) {
		c := newClient(t, server)
		begin(t, c, "up@example.com")
		if done := c.check(t, "emailCode", mail.code(t, "up@example.com")); done.Status != "COMPLETE" {
			t.Errorf("%s, want COMPLETE", done.Status)
		}
		if sent := c.outbox(t, "up@example.com"); len(sent) != 0 {
			t.Errorf("the mail is in the outbox as well: %+v", sent)
		}
	})
	t.Run("down", func(t *testing.T) {
		c := newClient(t, server)
		c.create(t, map[string]any{"emailAddress": "down@example.com", "password": goodPassword})
		line.RefuseNew()
		checkDelivery(t, c, "EMAIL_CODE", "EMAIL_ADDRESS", line.Resume)
		if done := c.check(t, "emailCode", mail.code(t, "down@example.com")); done.Status != "COMPLETE" {
			t.Errorf("%s, want COMPLETE", done.Status)
		}
	})
	if strings.Contains(server.Stderr(), mail.code(t, "down@example.com")) {
		t.Error("a code is in the log")
	}
}

// checkDelivery starts a verification whose message cannot be handed over, lets
// recover bring the service back, and starts again: that sends at once.
func checkDelivery(t *testing.T, c *client, strategy, attribute string, recover func()) {
	t.Helper()
	failed := mustTry(t)(c.tryStart(strategy))
	if !slices.Equal(failed.errorCodes(), []string{"DELIVERY_FAILED"}) || failed.UserErrors[0].Attribute != attribute ||
		!slices.Equal(failed.UserErrors[0].Field, []string{"input", "strategy"}) {
		t.Errorf("start with the service down: %+v; want DELIVERY_FAILED for the strategy of %s", failed.UserErrors, attribute)
	}
	recover()
	c.start(t, strategy)
}

// TestTextMessages does the same for the phone.
func TestTextMessages(t *testing.T) {
	t.Parallel()
	texts := startTextService(t)
	server := realtest.Program(t, realtest.ProgramOptions{Env: map[string]string{
		"SMS_BASE_URL": texts.URL, "SMS_ACCOUNT_SID": "AC123", "SMS_AUTH_TOKEN": "the token", "SMS_FROM": "+15005550006",
	}})
	newAdministrator(t, server).changeSettings(t, map[string]any{
		"emailAddress": map[string]any{"enabled": false, "required": false},
		"phoneNumber":  map[string]any{"enabled": true, "required": true},
	})
	const number = "+12025550142"
	c := newClient(t, server)
	c.create(t, map[string]any{"phoneNumber": "+1 (202) 555-0142", "password": goodPassword})
	texts.setDown(true)
	checkDelivery(t, c, "PHONE_CODE", "PHONE_NUMBER", func() { texts.setDown(false) })
	done := c.check(t, "phoneCode", texts.code(t, number))
	if done.Status != "COMPLETE" || done.PhoneNumber == nil || *done.PhoneNumber != number {
		t.Errorf("%s with phone %v, want COMPLETE with %s", done.Status, done.PhoneNumber, number)
	}
	if strings.Contains(server.Stdout()+server.Stderr(), "the token") {
		t.Error("the token of the service is in the output")
	}
}
