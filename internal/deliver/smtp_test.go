package deliver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"stepwise/internal/signup"
)

func newSMTP(t *testing.T, c SMTPConfig) *SMTP {
	t.Helper()
	if c.From == "" {
		c.From = "Acme <noreply@acme.example>"
	}
	c.RootCAs, c.Now = trustedCAs, testClock
	s, err := NewSMTP(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// parts returns the decoded text and HTML of a received message and its header.
func parts(t *testing.T, data []byte) (header mail.Header, text, html string) {
	t.Helper()
	message, err := mail.ReadMessage(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	mediaType, parameters, err := mime.ParseMediaType(message.Header.Get("Content-Type"))
	if err != nil || mediaType != "multipart/alternative" {
		t.Fatalf("content type %q, %v", mediaType, err)
	}
	reader := multipart.NewReader(message.Body, parameters["boundary"])
	bodies := map[string]string{}
	var order []string
	for {
		part, err := reader.NextRawPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if encoding := part.Header.Get("Content-Transfer-Encoding"); encoding != "quoted-printable" {
			t.Fatalf("part in %q", encoding)
		}
		body, err := io.ReadAll(quotedprintable.NewReader(part))
		if err != nil {
			t.Fatal(err)
		}
		partType, _, _ := mime.ParseMediaType(part.Header.Get("Content-Type"))
		bodies[partType] = strings.ReplaceAll(string(body), "\r\n", "\n")
		order = append(order, partType)
	}
	if fmt.Sprint(order) != "[text/plain text/html]" { // the best one last (RFC 2046, section 5.1.4)
		t.Fatalf("parts %v", order)
	}
	return message.Header, bodies["text/plain"], bodies["text/html"]
}

func TestSMTPDeliversTextAndHTML(t *testing.T) {
	for _, mode := range []TLSMode{TLSStartTLS, TLSImplicit, TLSNone} {
		t.Run(string(mode), func(t *testing.T) {
			server := startMailServer(t, mailServerOptions{tls: mode})
			m := emailMessage()
			m.AppName = "Café <Ω>"
			if err := newSMTP(t, SMTPConfig{Addr: server.addr, TLS: mode}).Deliver(t.Context(), m); err != nil {
				t.Fatal(err)
			}
			mails := server.mails()
			if len(mails) != 1 {
				t.Fatalf("%d messages", len(mails))
			}
			got := mails[0]
			if got.from != "noreply@acme.example" || got.to != "jane@example.com" || got.utf8 || got.secure != (mode != TLSNone) {
				t.Errorf("envelope from %q to %q, SMTPUTF8 %v, TLS %v", got.from, got.to, got.utf8, got.secure)
			}
			header, text, html := parts(t, got.data)
			subject, err := new(mime.WordDecoder).DecodeHeader(header.Get("Subject"))
			if err != nil || subject != "Your Café <Ω> verification code" {
				t.Errorf("subject %q, %v", subject, err)
			}
			for name, want := range map[string]string{
				"From": `"Acme" <noreply@acme.example>`, "To": "<jane@example.com>", "Auto-Submitted": "auto-generated", "Mime-Version": "1.0",
			} {
				if header.Get(name) != want {
					t.Errorf("%s: %q, want %q", name, header.Get(name), want)
				}
			}
			if date, err := header.Date(); err != nil || !date.Equal(testTime) {
				t.Errorf("date %v, %v", date, err)
			}
			wording := wordingOf(m, testTime)
			if strings.TrimSpace(text) != strings.TrimSpace(wording.emailText()) || strings.TrimSpace(html) != strings.TrimSpace(wording.emailHTML()) {
				t.Errorf("text %q\nHTML %q", text, html)
			}
		})
	}
}

// Every purpose arrives as it was worded, and a link of any length whole.
func TestSMTPDeliversEveryPurpose(t *testing.T) {
	server := startMailServer(t, mailServerOptions{})
	sender := newSMTP(t, SMTPConfig{Addr: server.addr, TLS: TLSNone})
	var sent []signup.Message
	for _, m := range everyMail() {
		sent = append(sent, m)
		for _, link := range []string{
			longLink(2048), "https://signup.example/?a=" + strings.Repeat("=3D", 200), "https://signup.example/" + strings.Repeat(".", 600),
		} {
			if m.Link != "" {
				m.Link = link
				sent = append(sent, m)
			}
		}
	}
	for _, m := range sent {
		if err := sender.Deliver(t.Context(), m); err != nil {
			t.Fatalf("%s: %v", m.Purpose, err)
		}
	}
	for i, got := range server.mails() {
		m, want := sent[i], wordingOf(sent[i], testTime)
		header, text, page := parts(t, got.data)
		subject, err := new(mime.WordDecoder).DecodeHeader(header.Get("Subject"))
		if err != nil || subject != want.Subject || header.Get("Content-Language") != m.Language || text != want.emailText()+"\n" || strings.TrimSpace(page) != strings.TrimSpace(want.emailHTML()) {
			t.Errorf("%s in %s: subject %q, language %q\ntext %q\nHTML %q", m.Purpose, m.Language, subject, header.Get("Content-Language"), text, page)
		}
		if m.Link != "" && !strings.Contains(text, "\n"+m.Link+"\n") {
			t.Errorf("%s: the link has no line of its own in %q", m.Purpose, text)
		}
		for line := range strings.SplitSeq(string(got.data), "\r\n") {
			if len(line) > 78 {
				t.Errorf("%s: a line of %d characters on the wire: %.100q", m.Purpose, len(line), line)
			}
		}
	}
	if got := len(server.mails()); got != len(sent) {
		t.Errorf("%d of %d messages arrived", got, len(sent))
	}
}

// Nothing in a message says which machine or program sent it, and neither code
// nor link is in a header.
func TestSMTPHeadersGiveNothingAway(t *testing.T) {
	server := startMailServer(t, mailServerOptions{})
	sender := newSMTP(t, SMTPConfig{Addr: server.addr, TLS: TLSNone})
	for _, m := range everyMail() {
		if err := sender.Deliver(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	for _, m := range server.mails() {
		header, _, _ := bytes.Cut(m.data, []byte("\r\n\r\n"))
		if bytes.Contains(header, []byte("731946")) || bytes.Contains(header, []byte("canary")) || bytes.Contains(header, []byte(host)) || bytes.Contains(bytes.ToLower(header), []byte("go-mail")) {
			t.Errorf("header:\n%s", header)
		}
		parsed, _, _ := parts(t, m.data)
		id := parsed.Get("Message-Id")
		if !strings.HasSuffix(id, "@acme.example>") || ids[id] {
			t.Errorf("message id %q", id)
		}
		ids[id] = true
	}
}

func TestSMTPAuthenticates(t *testing.T) {
	for _, mechanism := range []string{"PLAIN", "LOGIN"} {
		for _, mode := range []TLSMode{TLSStartTLS, TLSImplicit, TLSNone} {
			server := startMailServer(t, mailServerOptions{tls: mode, insecure: true})
			server.mechanism, server.user, server.password = mechanism, "mailer", "s3cret"
			config := SMTPConfig{Addr: server.addr, TLS: mode, Username: "mailer", Password: "s3cret"}
			if err := newSMTP(t, config).Deliver(t.Context(), emailMessage()); err != nil {
				t.Errorf("%s over %s: %v", mechanism, mode, err)
			} else if got := server.mails()[0].user; got != "mailer" {
				t.Errorf("%s over %s: sent as %q", mechanism, mode, got)
			}
			config.Password = "wrong"
			failure := failureOf(t, newSMTP(t, config).Deliver(t.Context(), emailMessage()))
			if failure.Reason != ReasonRefused || failure.Step != "AUTH" || failure.Status != 535 || failure.Temporary() {
				t.Errorf("%s over %s with the wrong password: %v", mechanism, mode, failure)
			}
		}
	}
}

func TestSMTPWithCredentialsNeedsAUTH(t *testing.T) {
	for _, mechanism := range []string{"", "CRAM-MD5"} {
		server := startMailServer(t, mailServerOptions{tls: TLSStartTLS})
		server.mechanism = mechanism
		sender := newSMTP(t, SMTPConfig{Addr: server.addr, Username: "mailer", Password: "s3cret"})
		if failure := failureOf(t, sender.Deliver(t.Context(), emailMessage())); failure.Reason != ReasonRefused || !errors.Is(failure, errNoAUTH) {
			t.Errorf("server with AUTH %q: %v", mechanism, failure)
		}
		if len(server.mails()) != 0 {
			t.Errorf("server with AUTH %q: sent without authentication", mechanism)
		}
	}
}

// A server, or somebody between us and it, that offers no encryption gets
// neither the credentials nor the message.
func TestSMTPRefusesToGoWithoutTLS(t *testing.T) {
	server := startMailServer(t, mailServerOptions{insecure: true})
	server.mechanism, server.user, server.password = "PLAIN", "mailer", "s3cret"
	server.answer["AUTH"] = errors.New("the credentials were sent in clear")
	sender := newSMTP(t, SMTPConfig{Addr: server.addr, Username: "mailer", Password: "s3cret"})
	failure := failureOf(t, sender.Deliver(t.Context(), emailMessage()))
	if failure.Reason != ReasonRefused || failure.Step != "STARTTLS" || !errors.Is(failure, errNoSTARTTLS) {
		t.Errorf("%v", failure)
	}
	if len(server.mails()) != 0 {
		t.Error("the message was sent in clear")
	}
}

func TestSMTPVerifiesTheCertificate(t *testing.T) {
	for _, mode := range []TLSMode{TLSStartTLS, TLSImplicit} {
		server := startMailServer(t, mailServerOptions{tls: mode})
		sender, err := NewSMTP(SMTPConfig{Addr: server.addr, TLS: mode, From: "noreply@acme.example", Now: testClock}) // without the test's root
		if err != nil {
			t.Fatal(err)
		}
		failure := failureOf(t, sender.Deliver(t.Context(), emailMessage()))
		if failure.Reason != ReasonUnreachable || !strings.Contains(failure.Error(), "certificate") {
			t.Errorf("%s: %v", mode, failure)
		}
		if len(server.mails()) != 0 {
			t.Errorf("%s: sent to a server with an unknown certificate", mode)
		}
	}
}

func TestSMTPRefusalsOfTheServer(t *testing.T) {
	for _, command := range []string{"MAIL", "RCPT", "DATA"} {
		for _, code := range []int{421, 451, 452, 550, 552, 554} {
			server := startMailServer(t, mailServerOptions{})
			server.answer[command] = &smtp.SMTPError{Code: code, EnhancedCode: smtp.EnhancedCode{code / 100, 7, 1}, Message: "no 731946 for jane@example.com"}
			failure := failureOf(t, newSMTP(t, SMTPConfig{Addr: server.addr, TLS: TLSNone}).Deliver(t.Context(), emailMessage()))
			if failure.Reason != ReasonRefused || failure.Status != code || failure.Temporary() != (code < 500) || failure.Detail != fmt.Sprintf("%d.7.1", code/100) {
				t.Errorf("%s answered with %d: %v", command, code, failure)
			}
			if strings.Contains(failure.Error(), "731946") || strings.Contains(failure.Error(), "jane") {
				t.Errorf("%s: the error repeats the answer: %v", command, failure)
			}
		}
	}
}

func TestSMTPAddressOutsideASCII(t *testing.T) {
	m := emailMessage()
	m.To = "用户.josé@example.com"
	able := startMailServer(t, mailServerOptions{utf8: true})
	if err := newSMTP(t, SMTPConfig{Addr: able.addr, TLS: TLSNone}).Deliver(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	got := able.mails()[0]
	if got.to != m.To || !got.utf8 {
		t.Errorf("recipient %q, SMTPUTF8 %v", got.to, got.utf8)
	}
	unable := startMailServer(t, mailServerOptions{})
	failure := failureOf(t, newSMTP(t, SMTPConfig{Addr: unable.addr, TLS: TLSNone}).Deliver(t.Context(), m))
	if failure.Reason != ReasonRefused || failure.Temporary() || !errors.Is(failure, errNoSMTPUTF8) {
		t.Errorf("%v", failure)
	}
	// Plain addresses do not ask for it even where it is offered.
	if err := newSMTP(t, SMTPConfig{Addr: able.addr, TLS: TLSNone}).Deliver(t.Context(), emailMessage()); err != nil || able.mails()[1].utf8 {
		t.Errorf("plain address: SMTPUTF8 %v, %v", able.mails()[1].utf8, err)
	}
}

// The replies of a dialogue without TLS and AUTH, in order.
const (
	repliesBeforeAcceptance = 5 // greeting, EHLO, MAIL, RCPT, DATA
	repliesWithAcceptance   = 6
)

func TestSMTPConnectionCutAfterEveryReply(t *testing.T) {
	for replies := range repliesWithAcceptance + 1 {
		server := startMailServer(t, mailServerOptions{})
		sender := newSMTP(t, SMTPConfig{Addr: startProxy(t, server.addr, replies, true), TLS: TLSNone})
		err := sender.Deliver(t.Context(), emailMessage())
		if replies > repliesBeforeAcceptance {
			if err != nil {
				t.Errorf("cut after acceptance: %v", err)
			}
			continue
		}
		if failure := failureOf(t, err); failure.Reason != ReasonUnreachable || !failure.Temporary() {
			t.Errorf("cut after %d replies: %v", replies, failure)
		}
	}
}

func TestSMTPServerHangsAfterEveryReply(t *testing.T) {
	const patience = 100 * time.Millisecond
	for replies := range repliesWithAcceptance + 1 {
		server := startMailServer(t, mailServerOptions{})
		addr := startProxy(t, server.addr, replies, false)
		start := time.Now()
		var err error
		if replies%2 == 0 { // the sender's own limit and the context's are the same to it
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			err = newSMTP(t, SMTPConfig{Addr: addr, TLS: TLSNone}).Deliver(ctx, emailMessage())
			cancel()
		} else {
			err = newSMTP(t, SMTPConfig{Addr: addr, TLS: TLSNone, Timeout: patience}).Deliver(t.Context(), emailMessage())
		}
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("hanging after %d replies took %v", replies, took)
		}
		if replies > repliesBeforeAcceptance {
			if err != nil {
				t.Errorf("hanging after acceptance: %v", err)
			}
			continue
		}
		if failure := failureOf(t, err); failure.Reason != ReasonTimeout || !errors.Is(failure, context.DeadlineExceeded) || !failure.Temporary() {
			t.Errorf("hanging after %d replies: %v", replies, failure)
		}
	}
}

// A server that has accepted the message and then falls silent does not keep us
// for as long as we would have waited for it to accept.
func TestSMTPFarewellIsShort(t *testing.T) {
	server := startMailServer(t, mailServerOptions{})
	sender := newSMTP(t, SMTPConfig{Addr: startProxy(t, server.addr, repliesWithAcceptance, false), TLS: TLSNone, Timeout: time.Minute})
	start := time.Now()
	if err := sender.Deliver(t.Context(), emailMessage()); err != nil {
		t.Error(err)
	}
	if took := time.Since(start); took > 10*quitTimeout {
		t.Errorf("took %v", took)
	}
}

// TLS handshakes hang, too.
func TestSMTPHangingHandshake(t *testing.T) {
	silent := startRaw(t, func(conn net.Conn) { io.Copy(io.Discard, conn) })
	sender := newSMTP(t, SMTPConfig{Addr: silent, TLS: TLSImplicit, Timeout: 50 * time.Millisecond})
	if failure := failureOf(t, sender.Deliver(t.Context(), emailMessage())); failure.Reason != ReasonTimeout || failure.Step != "securing the connection" {
		t.Errorf("%v", failure)
	}
}

func TestSMTPCancelledWhileSending(t *testing.T) {
	greeted := make(chan struct{})
	silent := startRaw(t, func(conn net.Conn) {
		io.WriteString(conn, "220 localhost\r\n")
		close(greeted)
		io.Copy(io.Discard, conn)
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-greeted; cancel() }()
	err := newSMTP(t, SMTPConfig{Addr: silent, TLS: TLSNone}).Deliver(ctx, emailMessage())
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want context.Canceled", err)
	}
}

func TestSMTPServerTalksNonsense(t *testing.T) {
	for name, tt := range map[string]struct {
		greeting string
		want     Reason
	}{
		"another protocol":     {"SSH-2.0-OpenSSH_9.9\r\n", ReasonUnreachable},
		"nothing":              {"", ReasonUnreachable},
		"half a line":          {"22", ReasonUnreachable},
		"no service":           {"554 5.3.2 go away\r\n", ReasonRefused},
		"too busy":             {"421 4.3.2 come back\r\n", ReasonRefused},
		"no EHLO, no STARTTLS": {"220 hello\r\n500 what?\r\n250 hello\r\n", ReasonRefused},
	} {
		addr := startRaw(t, func(conn net.Conn) {
			io.WriteString(conn, tt.greeting)
			conn.(*net.TCPConn).CloseWrite()
			io.Copy(io.Discard, conn)
		})
		if failure := failureOf(t, newSMTP(t, SMTPConfig{Addr: addr}).Deliver(t.Context(), emailMessage())); failure.Reason != tt.want {
			t.Errorf("%s: %v, want %s", name, failure, tt.want)
		}
	}
}

func TestSMTPNobodyListens(t *testing.T) {
	listener := listen(t)
	addr := listener.Addr().String()
	listener.Close()
	failure := failureOf(t, newSMTP(t, SMTPConfig{Addr: addr, TLS: TLSNone}).Deliver(t.Context(), emailMessage()))
	if _, network := errors.AsType[*net.OpError](failure); failure.Reason != ReasonUnreachable || !network || !failure.Temporary() {
		t.Errorf("%v", failure)
	}
}

func TestSMTPSendsNothingUnfit(t *testing.T) {
	server := startMailServer(t, mailServerOptions{})
	sender := newSMTP(t, SMTPConfig{Addr: server.addr, TLS: TLSNone})
	for name, m := range unsendable() {
		if m.Channel != signup.ChannelEmail {
			continue
		}
		if failure := failureOf(t, sender.Deliver(t.Context(), m)); failure.Reason != ReasonInvalid {
			t.Errorf("%s: %v", name, failure)
		}
	}
	expired := emailMessage()
	expired.ExpireAt = testTime
	if failure := failureOf(t, sender.Deliver(t.Context(), expired)); failure.Reason != ReasonExpired {
		t.Errorf("expired: %v", failure)
	}
	if err := sender.Deliver(t.Context(), smsMessage()); !errors.Is(err, ErrNoSender) {
		t.Errorf("text message: %v, want ErrNoSender", err)
	}
	if server.sessions != 0 {
		t.Errorf("%d connections were made", server.sessions)
	}
}

func TestNewSMTPChecksItsConfiguration(t *testing.T) {
	good := SMTPConfig{Addr: "mail.example.com:587", From: "noreply@acme.example"}
	if _, err := NewSMTP(good); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*SMTPConfig){
		"no port":            func(c *SMTPConfig) { c.Addr = "mail.example.com" },
		"no host":            func(c *SMTPConfig) { c.Addr = ":587" },
		"no sender":          func(c *SMTPConfig) { c.From = "" },
		"sender injection":   func(c *SMTPConfig) { c.From = "a@b.example\r\nBcc: x@example.com" },
		"sender not ASCII":   func(c *SMTPConfig) { c.From = "josé@acme.example" },
		"TLS none, far away": func(c *SMTPConfig) { c.TLS = TLSNone },
		"unknown TLS mode":   func(c *SMTPConfig) { c.TLS = "opportunistic" },
		"user only":          func(c *SMTPConfig) { c.Username = "mailer" },
		"password only":      func(c *SMTPConfig) { c.Password = "s3cret" },
		"negative timeout":   func(c *SMTPConfig) { c.Timeout = -1 },
	} {
		c := good
		change(&c)
		if _, err := NewSMTP(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	for _, host := range []string{"localhost:25", "127.0.0.1:25", "[::1]:25"} {
		if _, err := NewSMTP(SMTPConfig{Addr: host, From: good.From, TLS: TLSNone}); err != nil {
			t.Errorf("%s without TLS: %v", host, err)
		}
	}
}
