package deliver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"stepwise/internal/signup"
)

func filledOutbox(t *testing.T) *Outbox {
	t.Helper()
	now := testTime
	o := NewOutbox(func() time.Time { now = now.Add(time.Second); return now })
	for i, m := range []signup.Message{emailMessage(), smsMessage(), emailMessage()} {
		m.Code = fmt.Sprintf("00000%d", i)
		if i == 2 {
			m.To = "jane+test@example.com"
		}
		if err := o.Deliver(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	return o
}

func request(o *Outbox, method, target string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, nil)
	r.Host = "localhost:8080"
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Host" {
			r.Host = header[i+1]
		} else {
			r.Header.Set(header[i], header[i+1])
		}
	}
	w := httptest.NewRecorder()
	o.Handler("Signup.Example:8443", "[2001:db8::1]:80", "").ServeHTTP(w, r)
	return w
}

func jsonEntries(t *testing.T, w *httptest.ResponseRecorder) []map[string]any {
	t.Helper()
	var list []map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil || list == nil {
		t.Fatalf("%q is not a JSON array: %v", w.Body, err)
	}
	return list
}

func TestOutboxJSON(t *testing.T) {
	o := filledOutbox(t)
	for _, w := range []*httptest.ResponseRecorder{
		request(o, "GET", "/dev/outbox", "Accept", "application/json"),
		request(o, "GET", "/dev/outbox", "Accept", "application/json;q=0.9, */*"),
		request(o, "GET", "/dev/outbox?format=json"),
		request(o, "GET", "/dev/outbox?format=json", "Accept", "text/html"),
	} {
		if w.Code != 200 || w.Header().Get("Content-Type") != "application/json; charset=utf-8" {
			t.Fatalf("%d %s", w.Code, w.Header())
		}
		list := jsonEntries(t, w)
		if len(list) != 3 || list[0]["code"] != "000002" || list[1]["code"] != "000001" || list[2]["code"] != "000000" {
			t.Fatalf("not newest first: %v", list)
		}
		sms := list[1]
		if len(sms) != 9 || sms["language"] != "en" || sms["subject"] != "" || sms["html"] != "" || sms["to"] != "+12025550142" || sms["channel"] != "SMS" || sms["link"] != "" ||
			sms["text"] != "000001 is your Acme verification code. It expires in 10 minutes. If this was not you, ignore this message." ||
			sms["at"] != "2026-03-29T01:59:02Z" {
			t.Errorf("entry %v", sms)
		}
	}
	if err := o.Deliver(t.Context(), linkMessage()); err != nil {
		t.Fatal(err)
	}
	if err := o.Deliver(t.Context(), invitationMessage()); err != nil {
		t.Fatal(err)
	}
	list := jsonEntries(t, request(o, "GET", "/dev/outbox?format=json"))
	if link := list[1]; link["link"] != testLink || link["subject"] != "Confirm your email address for Acme" || link["html"] != wordingOf(linkMessage(), testTime).emailHTML() || link["code"] != "731946" || link["text"] != wordingOf(linkMessage(), testTime).emailText() {
		t.Errorf("link: %v", link)
	}
	if invitation := list[0]; invitation["link"] != testLink || invitation["code"] != "" {
		t.Errorf("invitation: %v", invitation)
	}
	if w := request(NewOutbox(nil), "GET", "/dev/outbox?format=json"); strings.TrimSpace(w.Body.String()) != "[]" {
		t.Errorf("empty outbox: %q", w.Body)
	}
}

func TestOutboxFilter(t *testing.T) {
	o := filledOutbox(t)
	for query, want := range map[string]int{
		"to=jane@example.com": 1, "to=JANE@EXAMPLE.COM": 1, "to=%2B12025550142": 1,
		"to=+12025550142": 1, "to=jane+test@example.com": 1, "to=jane%2Btest@example.com": 1, // escaped or not
		"to=nobody@example.com": 0, "to=": 3, "to=jane": 0,
	} {
		if got := jsonEntries(t, request(o, "GET", "/dev/outbox?format=json&"+query)); len(got) != want {
			t.Errorf("%s: %d messages, want %d", query, len(got), want)
		}
	}
}

func TestOutboxKeepsTheLast200(t *testing.T) {
	o := NewOutbox(testClock)
	for i := range 250 {
		m := smsMessage()
		m.Code = fmt.Sprintf("%06d", i)
		if err := o.Deliver(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	entries := o.Entries("")
	if len(entries) != 200 || entries[0].Code != "000249" || entries[199].Code != "000050" {
		t.Errorf("%d messages, from %s to %s", len(entries), entries[0].Code, entries[len(entries)-1].Code)
	}
}

func TestOutboxPage(t *testing.T) {
	o := NewOutbox(testClock)
	m := emailMessage()
	m.AppName = `<script>alert(1)</script>`
	if err := o.Deliver(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	w := request(o, "GET", `/dev/outbox?to=`+`jane@example.com`, "Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
	body := w.Body.String()
	if w.Code != 200 || w.Header().Get("Content-Type") != "text/html; charset=utf-8" {
		t.Fatalf("%d %s", w.Code, w.Header())
	}
	for _, want := range []string{
		`<html lang="en">`, "<title>", "<h1>", "<main>", "<h2>1 message</h2>", `<label for="to">`, `id="to"`,
		"731946", "jane@example.com", "&lt;script&gt;", `href="/dev/outbox/style.css"`, `datetime="2026-03-29T01:59:00Z"`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("no %q in the page", want)
		}
	}
	for _, never := range []string{"<script", "<style", "style=", "onclick"} {
		if strings.Contains(body, never) {
			t.Errorf("%q in the page, which its policy forbids", never)
		}
	}
	hostile := request(o, "GET", `/dev/outbox?to=%22%3E%3Cscript%3Ealert(1)%3C/script%3E`).Body.String()
	if strings.Contains(hostile, "<script") || !strings.Contains(hostile, "No messages.") {
		t.Errorf("the filter is markup:\n%s", hostile)
	}
}

// A link can be pressed, opens beside the outbox, and does not tell where it was
// pressed. A message without one has no anchor.
func TestOutboxLinks(t *testing.T) {
	for _, m := range everyMessage() {
		o := NewOutbox(testClock)
		if err := o.Deliver(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		anchor := strings.ReplaceAll(`<a href="`+m.Link+`" target="_blank" rel="noreferrer">`+m.Link+`</a>`, "&", "&amp;")
		body := request(o, "GET", "/dev/outbox").Body.String()
		if strings.Contains(body, anchor) != (m.Link != "") || strings.Contains(body, `class="link"`) != (m.Link != "") {
			t.Errorf("%s by %s: the anchor %s:\n%s", m.Purpose, m.Channel, anchor, body)
		}
		if strings.Contains(body, `class="code"`) != (m.Code != "") {
			t.Errorf("%s by %s: the code:\n%s", m.Purpose, m.Channel, body)
		}
	}
}

// A mail is shown as its reader sees it, in a frame that runs nothing and can do
// nothing but open links beside itself; text messages are text.
func TestOutboxShowsMails(t *testing.T) {
	o := NewOutbox(testClock)
	for _, m := range everyMessage() {
		if err := o.Deliver(t.Context(), in("es", m)); err != nil {
			t.Fatal(err)
		}
	}
	page := request(o, "GET", "/dev/outbox").Body.String()
	for i, m := range everyMessage() {
		path := fmt.Sprintf("/dev/outbox/mails/%d", i+1)
		w := request(o, "GET", path)
		if m.Channel == signup.ChannelSMS {
			if w.Code != 404 || strings.Contains(page, path+`"`) {
				t.Errorf("%s: a text message is shown as a mail: %d", path, w.Code)
			}
			continue
		}
		frame := regexp.MustCompile(`<iframe src="` + path + `" title="[^"]+" sandbox="allow-popups allow-popups-to-escape-sandbox" loading="lazy"></iframe>`)
		if !frame.MatchString(page) {
			t.Errorf("no frame of %s in\n%s", path, page)
		}
		policy := w.Header().Get("Content-Security-Policy")
		if w.Code != 200 || w.Body.String() != wordingOf(in("es", m), testTime).emailHTML() || w.Header().Get("Content-Type") != "text/html; charset=utf-8" ||
			policy != "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'" {
			t.Errorf("%s: %d %v\n%s", path, w.Code, w.Header(), w.Body)
		}
		if w := request(o, "GET", path, "Host", "evil.example"); w.Code != http.StatusMisdirectedRequest || strings.Contains(w.Body.String(), "Acme") {
			t.Errorf("%s for another host: %d", path, w.Code)
		}
	}
	for _, path := range []string{"0", "-1", "99", "x", ""} {
		if w := request(o, "GET", "/dev/outbox/mails/"+path); w.Code != 404 {
			t.Errorf("%q: %d", path, w.Code)
		}
	}
}

func TestOutboxHeaders(t *testing.T) {
	o := filledOutbox(t)
	for _, w := range []*httptest.ResponseRecorder{
		request(o, "GET", "/dev/outbox", "Origin", "https://evil.example"), request(o, "GET", "/dev/outbox?format=json", "Origin", "https://evil.example"),
		request(o, "GET", "/dev/outbox/style.css"), request(o, "GET", "/dev/outbox", "Host", "evil.example"),
	} {
		h := w.Header()
		if h.Get("Content-Security-Policy") != "default-src 'none'; style-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'" ||
			h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Cache-Control") != "no-store" || h.Get("Referrer-Policy") != "no-referrer" ||
			h.Get("Cross-Origin-Resource-Policy") != "same-origin" {
			t.Errorf("headers %v", h)
		}
		for name := range h {
			if strings.HasPrefix(name, "Access-Control-") || name == "Set-Cookie" {
				t.Errorf("header %s", name)
			}
		}
	}
	css := request(o, "GET", "/dev/outbox/style.css")
	if css.Code != 200 || !strings.HasPrefix(css.Header().Get("Content-Type"), "text/css") || css.Body.Len() == 0 {
		t.Errorf("style: %d %v", css.Code, css.Header())
	}
}

// A website that points its own name at this machine is refused.
func TestOutboxChecksTheHost(t *testing.T) {
	o := filledOutbox(t)
	for _, host := range []string{"localhost", "localhost:8080", "LOCALHOST:1", "127.0.0.1", "127.0.0.1:8080", "[::1]", "[::1]:8080", "signup.example", "signup.example:9", "[2001:db8::1]"} {
		if w := request(o, "GET", "/dev/outbox", "Host", host); w.Code != 200 {
			t.Errorf("host %q: %d", host, w.Code)
		}
	}
	for _, host := range []string{"", "evil.example", "evil.example:8080", "localhost.evil.example", "evil-localhost", "127.0.0.1.evil.example", "signup.example.evil.example", "127.0.0.2", "0.0.0.0", ":8080", "[::2]"} {
		for _, target := range []string{"/dev/outbox", "/dev/outbox?format=json", "/dev/outbox/style.css"} {
			if w := request(o, "GET", target, "Host", host); w.Code != http.StatusMisdirectedRequest || strings.Contains(w.Body.String(), "00000") {
				t.Errorf("host %q, %s: %d %s", host, target, w.Code, w.Body)
			}
		}
	}
}

func TestOutboxMethodsAndPaths(t *testing.T) {
	o := filledOutbox(t)
	for target, want := range map[string]int{
		"GET /dev/outbox": 200, "HEAD /dev/outbox": 200, "POST /dev/outbox": 405, "DELETE /dev/outbox": 405, "OPTIONS /dev/outbox": 405,
		"GET /dev/outbox/": 404, "GET /dev/outbox/email.html": 404, "GET /": 404,
	} {
		method, path, _ := strings.Cut(target, " ")
		if w := request(o, method, path); w.Code != want {
			t.Errorf("%s: %d, want %d", target, w.Code, want)
		}
	}
}

func TestOutboxRefusesWhatASenderWould(t *testing.T) {
	o := NewOutbox(testClock)
	for name, m := range unsendable() {
		if failure := failureOf(t, o.Deliver(t.Context(), m)); failure.Reason != ReasonInvalid {
			t.Errorf("%s: %v", name, failure)
		}
	}
	late := emailMessage()
	late.ExpireAt = testTime
	if failure := failureOf(t, o.Deliver(t.Context(), late)); failure.Reason != ReasonExpired {
		t.Errorf("expired: %v", failure)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := o.Deliver(ctx, emailMessage()); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	pigeon := emailMessage()
	pigeon.Channel = "PIGEON"
	if err := o.Deliver(t.Context(), pigeon); !errors.Is(err, ErrNoSender) {
		t.Errorf("unknown channel: %v", err)
	}
	if n := len(o.Entries("")); n != 0 {
		t.Errorf("%d messages were kept", n)
	}
}

func TestOutboxIsSafeForConcurrentUse(t *testing.T) {
	o := NewOutbox(testClock)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				if err := o.Deliver(t.Context(), emailMessage()); err != nil {
					t.Error(err)
				}
				if w := request(o, "GET", "/dev/outbox?format=json"); w.Code != 200 {
					t.Error(w.Code)
				}
			}
		})
	}
	wg.Wait()
	if n := len(o.Entries("")); n != outboxLimit {
		t.Errorf("%d messages", n)
	}
}
