package deliver

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/mail"
	"net/textproto"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	gomail "github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"

	"stepwise/internal/signup"
)

// TLSMode says how the connection to the mail server is protected. There is no
// opportunistic mode: whoever sits in between could switch it off.
type TLSMode string

const (
	TLSStartTLS TLSMode = "starttls" // STARTTLS (RFC 3207) or nothing is sent; usually port 587
	TLSImplicit TLSMode = "implicit" // TLS from the first byte (RFC 8314); usually port 465
	TLSNone     TLSMode = "none"     // no protection; on loopback addresses only
)

// SMTPConfig names the mail server that takes our mail.
type SMTPConfig struct {
	Addr     string // host:port
	Username string // empty: no authentication
	Password string
	From     string           // RFC 5322 address with or without a display name, in ASCII
	TLS      TLSMode          // default TLSStartTLS
	RootCAs  *x509.CertPool   // default: the system's
	Timeout  time.Duration    // for one message, also where the context allows more; default 30 s
	Now      func() time.Time // default time.Now
}

const (
	defaultSMTPTimeout = 30 * time.Second
	// quitTimeout bounds the farewell after a message was accepted.
	quitTimeout = time.Second
)

// SMTP sends mail over one connection for each message. It is safe for
// concurrent use.
type SMTP struct {
	addr, host         string
	username, password string
	from               *mail.Address
	mode               TLSMode
	tls                *tls.Config
	timeout            time.Duration
	now                func() time.Time
}

// NewSMTP returns a sender, or an error that says which setting is wrong. It
// makes no connection.
func NewSMTP(c SMTPConfig) (*SMTP, error) {
	host, _, err := net.SplitHostPort(c.Addr)
	if err != nil || host == "" {
		return nil, errors.New("deliver: the SMTP address must be host:port")
	}
	from, err := mail.ParseAddress(c.From)
	if err != nil || !isAddress(from.Address) || !isASCII(from.Address) || strings.ContainsFunc(from.Name, isUnprintable) {
		return nil, errors.New("deliver: the SMTP sender is not an ASCII email address")
	}
	if c.TLS == "" {
		c.TLS = TLSStartTLS
	}
	if c.Timeout == 0 {
		c.Timeout = defaultSMTPTimeout
	}
	switch {
	case c.TLS != TLSStartTLS && c.TLS != TLSImplicit && c.TLS != TLSNone:
		return nil, errors.New("deliver: the SMTP TLS mode must be starttls, implicit or none")
	case c.TLS == TLSNone && !isLoopback(host):
		return nil, errors.New("deliver: SMTP without TLS is for loopback addresses only")
	case (c.Username == "") != (c.Password == ""):
		return nil, errors.New("deliver: SMTP needs both a user name and a password, or neither")
	case c.Timeout < 0:
		return nil, errors.New("deliver: the SMTP timeout must not be negative")
	}
	return &SMTP{
		addr: c.Addr, host: host,
		username: c.Username, password: c.Password,
		from: from, mode: c.TLS,
		tls:     &tls.Config{ServerName: host, RootCAs: c.RootCAs, MinVersion: tls.VersionTLS12},
		timeout: c.Timeout, now: clockOr(c.Now),
	}, nil
}

// Deliver sends m and returns nil once the server has accepted it.
func (s *SMTP) Deliver(ctx context.Context, m signup.Message) error {
	if m.Channel != signup.ChannelEmail {
		return ErrNoSender
	}
	now := s.now()
	if err := check(m, now); err != nil {
		return err
	}
	message, err := s.compose(m, now)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", s.addr)
	if err != nil {
		return networkError(ctx, m.Channel, "connecting", err)
	}
	defer conn.Close()
	// Closing the connection is what ends a read or write in progress.
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()

	step, err := s.converse(ctx, conn, m.To, message)
	if err != nil {
		return smtpError(ctx, step, err)
	}
	return nil
}

// compose writes the message: plain text with an HTML alternative.
func (s *SMTP) compose(m signup.Message, now time.Time) (*gomail.Msg, error) {
	w := wordingOf(m, now)
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	msg.FromMailAddress(s.from)
	msg.ToMailAddress(&mail.Address{Address: m.To})
	msg.Subject(w.Subject)
	msg.SetDateWithValue(now)
	// The library's own id would give away the name of this machine.
	msg.SetMessageIDWithValue(rand.Text() + "@" + domainOf(s.from.Address))
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: no vacation notices, please
	msg.SetGenHeader("Content-Language", w.Language)
	msg.SetBodyString(gomail.TypeTextPlain, w.emailText()+"\n")
	msg.AddAlternativeString(gomail.TypeTextHTML, w.emailHTML())
	if len(msg.GetFrom()) != 1 || len(msg.GetTo()) != 1 {
		return nil, &Error{Channel: m.Channel, Reason: ReasonInvalid, Step: "composing the message"}
	}
	return msg, nil
}

func domainOf(address string) string { return address[strings.LastIndexByte(address, '@')+1:] }

var (
	errNoSTARTTLS = errors.New("the server offers no STARTTLS")
	errNoAUTH     = errors.New("the server offers neither AUTH PLAIN nor AUTH LOGIN")
	errNoSMTPUTF8 = errors.New("the server cannot take addresses outside ASCII")
)

// converse holds the whole dialogue and returns the step that failed.
func (s *SMTP) converse(ctx context.Context, conn net.Conn, to string, message *gomail.Msg) (step string, err error) {
	if s.mode == TLSImplicit {
		secure := tls.Client(conn, s.tls)
		if err := secure.HandshakeContext(ctx); err != nil {
			return "securing the connection", err
		}
		conn = secure
	}
	client, err := smtp.NewClient(conn, s.host)
	if err != nil {
		return "waiting for the greeting", err
	}
	if err := client.Hello(domainOf(s.from.Address)); err != nil {
		return "EHLO", err
	}
	if s.mode == TLSStartTLS {
		if offered, _ := client.Extension("STARTTLS"); !offered {
			return "STARTTLS", errNoSTARTTLS
		}
		if err := client.StartTLS(s.tls); err != nil {
			return "STARTTLS", err
		}
	}
	if err := s.authenticate(client); err != nil {
		return "AUTH", err
	}
	// Asking for SMTPUTF8 without need would make the mail undeliverable at
	// hosts further on that do not know it.
	client.SkipSMTPUTF8(isASCII(to))
	if offered, _ := client.Extension("SMTPUTF8"); !offered && !isASCII(to) {
		return "MAIL", errNoSMTPUTF8
	}
	if err := client.Mail("<" + s.from.Address + ">"); err != nil {
		return "MAIL", err
	}
	if err := client.Rcpt("<" + to + ">"); err != nil {
		return "RCPT", err
	}
	body, err := client.Data()
	if err != nil {
		return "DATA", err
	}
	if _, err := message.WriteTo(body); err != nil {
		return "sending the message", err
	}
	if err := body.Close(); err != nil {
		return "sending the message", err
	}
	// The server has the message now; what happens to the farewell is no matter.
	_ = client.UpdateDeadline(quitTimeout)
	_ = client.Quit()
	return "", nil
}

func (s *SMTP) authenticate(client *smtp.Client) error {
	if s.username == "" {
		return nil
	}
	_, offered := client.Extension("AUTH")
	mechanisms := strings.Fields(strings.ToUpper(offered))
	for _, mechanism := range mechanisms {
		switch mechanism {
		case "PLAIN":
			return client.Auth(smtp.PlainAuth("", s.username, s.password, s.host, s.mode == TLSNone))
		case "LOGIN":
			return client.Auth(smtp.LoginAuth(s.username, s.password, s.host, s.mode == TLSNone))
		}
	}
	return errNoAUTH
}

// enhancedStatus is the machine-readable start of a reply's text (RFC 3463).
var enhancedStatus = regexp.MustCompile(`^[245]\.[0-9]{1,3}\.[0-9]{1,3}\b`)

// smtpError translates a failure. Of a reply only the numbers are kept: its
// words may quote the command or the message they answer.
func smtpError(ctx context.Context, step string, err error) error {
	if ended := contextError(ctx, signup.ChannelEmail, step); ended != nil {
		return ended
	}
	failure := &Error{Channel: signup.ChannelEmail, Step: step}
	if reply, ok := errors.AsType[*textproto.Error](err); ok {
		failure.Reason, failure.Status, failure.Detail = ReasonRefused, reply.Code, enhancedStatus.FindString(reply.Msg)
		return failure
	}
	switch {
	case errors.Is(err, errNoSTARTTLS), errors.Is(err, errNoAUTH), errors.Is(err, errNoSMTPUTF8):
		failure.Reason, failure.cause = ReasonRefused, err
		return failure
	}
	if untrusted, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		failure.Reason, failure.cause = ReasonUnreachable, untrusted
		return failure
	}
	return networkError(ctx, failure.Channel, step, err)
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r >= utf8.RuneSelf })
}
