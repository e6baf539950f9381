package deliver

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"stepwise/internal/signup"
)

// No way of failing lets a secret out: not in an error however it is printed,
// and not in a log. The servers of this test repeat everything they are told.
func TestNoErrorOrLogContainsASecret(t *testing.T) {
	const smtpPassword, smsToken = "canary-smtp-password", "canary-sms-token"
	var logged bytes.Buffer
	defaultSlog, defaultLog := slog.Default(), log.Writer()
	log.SetOutput(&logged)
	slog.SetDefault(slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug})))
	defer func() { slog.SetDefault(defaultSlog); log.SetOutput(defaultLog) }()

	var failures []error
	fail := func(sender signup.Messenger, m signup.Message) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		err := sender.Deliver(ctx, m)
		if err == nil {
			t.Error("expected a failure")
		}
		failures = append(failures, err)
	}
	sendEmail := func(addr string, mode TLSMode) {
		t.Helper()
		fail(newSMTP(t, SMTPConfig{Addr: addr, TLS: mode, Username: "mailer", Password: smtpPassword}), linkMessage())
	}

	for _, command := range []string{"AUTH", "MAIL", "RCPT", "DATA"} {
		server := startMailServer(t, mailServerOptions{insecure: true})
		server.mechanism, server.user, server.password = "PLAIN", "mailer", smtpPassword
		server.answer[command] = &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "refusing 731946, " + testLink + " and " + smtpPassword}
		sendEmail(server.addr, TLSNone)
	}
	for _, greeting := range []string{
		"", "garbage 731946\r\n", "220 731946\r\n250-731946\r\n250 AUTH PLAIN\r\n535 " + smtpPassword + " 731946\r\n",
		"220 x\r\n250 AUTH LOGIN\r\n334 %%%\r\n", "220 x\r\n250 AUTH PLAIN\r\nmalformed " + smtpPassword + "\r\n",
		"220 x\r\n250 AUTH PLAIN\r\n235 ok\r\n250 ok\r\n250 ok\r\n354 go\r\nmalformed 731946 " + testLink + "\r\n",
	} {
		for _, mode := range []TLSMode{TLSNone, TLSStartTLS, TLSImplicit} {
			sendEmail(startRaw(t, func(conn net.Conn) {
				io.WriteString(conn, greeting)
				io.Copy(io.Discard, conn)
			}), mode)
		}
	}

	echo := func(status int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			w.Header().Set("Location", "/"+string(body))
			w.WriteHeader(status)
			fmt.Fprintf(w, `{"code": 21211, "message": %q, "more_info": %q}`, body, r.Header.Get("Authorization"))
		}
	}
	for _, handler := range []http.HandlerFunc{
		echo(400), echo(401), echo(307), echo(500), echo(200),
		func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) },
		func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body); <-r.Context().Done() },
	} {
		sender, err := NewSMS(SMSConfig{BaseURL: startHTTP(t, handler), AccountSID: testAccount, AuthToken: smsToken, From: testSender, Now: testClock})
		if err != nil {
			t.Fatal(err)
		}
		fail(sender, smsMessage())
		sender.Close()
	}
	for _, m := range unsendable() {
		if !strings.Contains(m.Code, "731946") {
			m.Code += " 731946" // still unfit
		}
		if !strings.Contains(m.Link, "canary") {
			m.Link += " canary"
		}
		fail(NewOutbox(testClock), m)
	}
	for _, m := range everyMessage() {
		fail(Router{}, m)
		m.ExpireAt = testTime
		fail(NewOutbox(testClock), m)
	}

	basic := base64.StdEncoding.EncodeToString([]byte(testAccount + ":" + smsToken))
	plain := base64.StdEncoding.EncodeToString([]byte("\x00mailer\x00" + smtpPassword))
	said := logged.String()
	for _, err := range failures {
		said += fmt.Sprintf("%v\n%+v\n%#v\n", err, err, err)
	}
	for _, secret := range []string{"731946", "canary", basic, plain, "jane@example.com", "+12025550142"} {
		if at := strings.Index(said, secret); at >= 0 {
			t.Errorf("%q was let out: …%s", secret, said[max(0, at-200):min(len(said), at+50)])
		}
	}
}
