package deliver

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"stepwise/internal/signup"
)

const (
	testAccount = "AC0123"
	testToken   = "token-4f9a"
	testSender  = "+12025550100"
)

func newSMS(t *testing.T, base string, timeout time.Duration) *SMS {
	t.Helper()
	s, err := NewSMS(SMSConfig{BaseURL: base, AccountSID: testAccount, AuthToken: testToken, From: testSender, Timeout: timeout, Now: testClock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func startHTTP(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

func TestSMSRequest(t *testing.T) {
	var calls atomic.Int32
	base := startHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		user, password, _ := r.BasicAuth()
		if r.Method != http.MethodPost || r.URL.Path != "/2010-04-01/Accounts/AC0123/Messages.json" || user != testAccount || password != testToken {
			t.Errorf("%s %s as %q", r.Method, r.URL, user)
		}
		if got := r.Header.Get("Content-Type"); got != "application/x-www-form-urlencoded" {
			t.Errorf("content type %q", got)
		}
		body, _ := io.ReadAll(r.Body)
		form, err := url.ParseQuery(string(body))
		if err != nil || len(form) != 3 || form.Get("To") != "+12025550142" || form.Get("From") != testSender ||
			form.Get("Body") != "731946 is your Acme verification code. It expires in 10 minutes. If this was not you, ignore this message." {
			t.Errorf("form %v, %v", form, err)
		}
		w.WriteHeader(http.StatusCreated)
		io.WriteString(w, `{"sid": "SM1", "status": "queued", "error_code": null}`)
	})
	for _, suffix := range []string{"", "/"} {
		if err := newSMS(t, base+suffix, 0).Deliver(t.Context(), smsMessage()); err != nil {
			t.Errorf("base URL ending in %q: %v", suffix, err)
		}
	}
	if calls.Load() != 2 {
		t.Errorf("%d calls", calls.Load())
	}
}

func TestSMSSignInCode(t *testing.T) {
	got := make(chan string, 1)
	base := startHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		got <- r.PostFormValue("Body")
		w.WriteHeader(http.StatusCreated)
		io.WriteString(w, `{"sid": "SM1"}`)
	})
	m := bySMS(signInMessage())
	if err := newSMS(t, base, 0).Deliver(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if text := <-got; text != wordingOf(m, testTime).smsText() {
		t.Errorf("text %q", text)
	}
}

func TestSMSAnswers(t *testing.T) {
	for name, tt := range map[string]struct {
		status    int
		body      string
		detail    string
		temporary bool
	}{
		"invalid number":       {400, `{"code": 21211, "message": "The 'To' number +12025550142 is not valid", "status": 400}`, "service error 21211", false},
		"wrong credentials":    {401, `{"code": 20003, "message": "Authenticate"}`, "service error 20003", false},
		"too many":             {429, `{"code": 20429}`, "service error 20429", true},
		"broken":               {500, `oops 731946`, "", true},
		"unavailable":          {503, ``, "", true},
		"accepted, yet failed": {201, `{"sid": "SM1", "error_code": 30007}`, "service error 30007", false},
		"no id":                {201, `{}`, "", false},
		"somebody else's page": {200, `<html>Log in to the hotel's network`, "", false},
		"an array":             {200, `["sid"]`, "", false},
		"the code for a code":  {400, `{"code": 731946}`, "", false},
		"no content":           {204, ``, "", false},
	} {
		base := startHTTP(t, func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(tt.status)
			io.WriteString(w, tt.body)
		})
		failure := failureOf(t, newSMS(t, base, 0).Deliver(t.Context(), smsMessage()))
		if failure.Reason != ReasonRefused || failure.Status != tt.status || failure.Detail != tt.detail || failure.Temporary() != tt.temporary {
			t.Errorf("%s: %v, temporary %v", name, failure, failure.Temporary())
		}
		for _, secret := range []string{"731946", "+12025550142", testToken, testAccount} {
			if strings.Contains(failure.Error(), secret) {
				t.Errorf("%s: the error contains %q: %v", name, secret, failure)
			}
		}
	}
}

// A redirect would hand the code and the credentials to whoever it names.
func TestSMSFollowsNoRedirect(t *testing.T) {
	elsewhere := startHTTP(t, func(w http.ResponseWriter, r *http.Request) { t.Error("the redirect was followed") })
	for _, status := range []int{301, 302, 303, 307, 308} {
		base := startHTTP(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere, status) })
		failure := failureOf(t, newSMS(t, base, 0).Deliver(t.Context(), smsMessage()))
		if failure.Reason != ReasonRefused || failure.Status != status || failure.Temporary() {
			t.Errorf("%d: %v", status, failure)
		}
	}
}

// An answer without end is neither kept nor waited for.
func TestSMSReadsABoundedAnswer(t *testing.T) {
	var wrote atomic.Int64
	base := startHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusCreated)
		chunk := []byte(strings.Repeat(" ", 4096))
		for r.Context().Err() == nil {
			n, err := w.Write(chunk)
			wrote.Add(int64(n))
			if err != nil {
				return
			}
		}
	})
	failure := failureOf(t, newSMS(t, base, 10*time.Second).Deliver(t.Context(), smsMessage()))
	if failure.Reason != ReasonRefused {
		t.Errorf("%v", failure)
	}
	if wrote.Load() > 64<<20 {
		t.Errorf("the server could write %d bytes", wrote.Load())
	}
}

func TestSMSTimeouts(t *testing.T) {
	const patience = 50 * time.Millisecond
	for name, begin := range map[string]func(http.ResponseWriter){
		"before the header": func(http.ResponseWriter) {},
		"inside the answer": func(w http.ResponseWriter) {
			w.WriteHeader(http.StatusCreated)
			io.WriteString(w, `{"sid": `)
			w.(http.Flusher).Flush()
		},
	} {
		base := startHTTP(t, func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			begin(w)
			<-r.Context().Done()
		})
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		for which, err := range map[string]error{
			"context's": newSMS(t, base, 0).Deliver(ctx, smsMessage()),
			"own":       newSMS(t, base, patience).Deliver(t.Context(), smsMessage()),
		} {
			failure := failureOf(t, err)
			if failure.Reason != ReasonTimeout || !errors.Is(failure, context.DeadlineExceeded) || !failure.Temporary() {
				t.Errorf("%s, %s limit: %v", name, which, failure)
			}
		}
		cancel()
	}
}

func TestSMSConnectionCut(t *testing.T) {
	for name, begin := range map[string]string{
		"before the header": "", "inside the header": "HTTP/1.1 201 Cre", "inside the answer": "HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\n{\"sid\": \"SM1\"",
	} {
		var calls atomic.Int32
		base := startHTTP(t, func(w http.ResponseWriter, r *http.Request) {
			calls.Add(1)
			conn, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			io.WriteString(conn, begin)
			conn.Close()
		})
		failure := failureOf(t, newSMS(t, base, 0).Deliver(t.Context(), smsMessage()))
		if failure.Reason != ReasonUnreachable || !failure.Temporary() || calls.Load() != 1 {
			t.Errorf("%s: %v after %d calls", name, failure, calls.Load())
		}
	}
}

func TestSMSSendsNothingUnfit(t *testing.T) {
	base := startHTTP(t, func(http.ResponseWriter, *http.Request) { t.Error("a request was made") })
	sender := newSMS(t, base, 0)
	for name, m := range unsendable() {
		if m.Channel != signup.ChannelSMS {
			continue
		}
		if failure := failureOf(t, sender.Deliver(t.Context(), m)); failure.Reason != ReasonInvalid {
			t.Errorf("%s: %v", name, failure)
		}
	}
	if err := sender.Deliver(t.Context(), emailMessage()); !errors.Is(err, ErrNoSender) {
		t.Errorf("email: %v, want ErrNoSender", err)
	}
}

func TestNewSMSChecksItsConfiguration(t *testing.T) {
	good := SMSConfig{AccountSID: testAccount, AuthToken: testToken, From: testSender}
	if _, err := NewSMS(good); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*SMSConfig){
		"not a URL":              func(c *SMSConfig) { c.BaseURL = "://" },
		"no host":                func(c *SMSConfig) { c.BaseURL = "https:///path" },
		"plain http":             func(c *SMSConfig) { c.BaseURL = "http://sms.example.com" },
		"another scheme":         func(c *SMSConfig) { c.BaseURL = "ftp://127.0.0.1" },
		"credentials in the URL": func(c *SMSConfig) { c.BaseURL = "https://user:pass@sms.example.com" },
		"query":                  func(c *SMSConfig) { c.BaseURL = "https://sms.example.com?x=1" },
		"no account":             func(c *SMSConfig) { c.AccountSID = "" },
		"no token":               func(c *SMSConfig) { c.AuthToken = "" },
		"no sender":              func(c *SMSConfig) { c.From = "" },
		"line break":             func(c *SMSConfig) { c.From += "\r\n" },
		"negative timeout":       func(c *SMSConfig) { c.Timeout = -1 },
	} {
		c := good
		change(&c)
		if _, err := NewSMS(c); err == nil {
			t.Errorf("%s: accepted", name)
		} else if strings.Contains(err.Error(), testToken) || strings.Contains(err.Error(), "pass@") {
			t.Errorf("%s: the error contains a secret: %v", name, err)
		}
	}
	if s, err := NewSMS(SMSConfig{AccountSID: "a/b?c", AuthToken: testToken, From: testSender}); err != nil || !strings.HasSuffix(s.endpoint, "/Accounts/a%2Fb%3Fc/Messages.json") {
		t.Errorf("an account with odd characters: %v", err)
	}
}

var _ = []signup.Messenger{(*SMS)(nil), (*SMTP)(nil), (*Outbox)(nil), Router(nil)}
