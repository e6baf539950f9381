package deliver

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"stepwise/internal/signup"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var testTime = time.Date(2026, 3, 29, 1, 59, 0, 0, time.UTC)

func testClock() time.Time { return testTime }

func emailMessage() signup.Message {
	return signup.Message{Channel: signup.ChannelEmail, To: "jane@example.com", Code: "731946", AppName: "Acme", ExpireAt: testTime.Add(10 * time.Minute)}
}

func smsMessage() signup.Message {
	m := emailMessage()
	m.Channel, m.To = signup.ChannelSMS, "+12025550142"
	return m
}

// failureOf returns the *Error behind err and fails the test if there is none.
func failureOf(t *testing.T, err error) *Error {
	t.Helper()
	failure, ok := errors.AsType[*Error](err)
	if !ok {
		t.Fatalf("error %v of type %T, want *Error", err, err)
	}
	return failure
}

// unsendable are messages that no sender may let through.
func unsendable() map[string]signup.Message {
	list := map[string]signup.Message{}
	for _, base := range []signup.Message{emailMessage(), smsMessage()} {
		for name, change := range map[string]func(*signup.Message){
			"line break in the recipient":   func(m *signup.Message) { m.To += "\r\nBcc: x@example.com" },
			"line feed in the recipient":    func(m *signup.Message) { m.To += "\n" },
			"NUL in the recipient":          func(m *signup.Message) { m.To += "\x00" },
			"no recipient":                  func(m *signup.Message) { m.To = "" },
			"two recipients":                func(m *signup.Message) { m.To += "," + m.To },
			"recipient with a name":         func(m *signup.Message) { m.To = "Jane <" + m.To + ">" },
			"recipient with a parameter":    func(m *signup.Message) { m.To += "> NOTIFY=NEVER" },
			"line break in the application": func(m *signup.Message) { m.AppName = "Acme\r\nBcc: x@example.com" },
			"separator in the application":  func(m *signup.Message) { m.AppName = "Acme\u2028" },
			"reversed application":          func(m *signup.Message) { m.AppName = "Acme\u202e" },
			"application not UTF-8":         func(m *signup.Message) { m.AppName = "Acme\xff" },
			"no application":                func(m *signup.Message) { m.AppName = " " },
			"endless application":           func(m *signup.Message) { m.AppName = strings.Repeat("A", 201) },
			"line break in the code":        func(m *signup.Message) { m.Code = "73194\n" },
			"short code":                    func(m *signup.Message) { m.Code = "73194" },
			"text for a code":               func(m *signup.Message) { m.Code = "visit https://x.example" },
			"digits that are not ASCII":     func(m *signup.Message) { m.Code = "٧٣١٩٤٦" },
		} {
			m := base
			change(&m)
			list[string(base.Channel)+", "+name] = m
		}
	}
	return list
}

func TestCheck(t *testing.T) {
	for name, m := range unsendable() {
		err := check(m, testTime)
		if err == nil {
			t.Errorf("%s: accepted", name)
			continue
		}
		if failure := failureOf(t, err); failure.Reason != ReasonInvalid || failure.Temporary() {
			t.Errorf("%s: %v", name, failure)
		}
	}
	for _, m := range []signup.Message{emailMessage(), smsMessage()} {
		if err := check(m, testTime); err != nil {
			t.Errorf("%s: %v", m.Channel, err)
		}
		if err := check(m, m.ExpireAt.Add(-time.Nanosecond)); err != nil {
			t.Errorf("%s in its last moment: %v", m.Channel, err)
		}
		for _, late := range []time.Duration{0, time.Hour} {
			if failure := failureOf(t, check(m, m.ExpireAt.Add(late))); failure.Reason != ReasonExpired || failure.Temporary() {
				t.Errorf("%s, %v after its expiry: %v", m.Channel, late, failure)
			}
		}
	}
}

func TestTemporary(t *testing.T) {
	for _, tt := range []struct {
		channel signup.Channel
		reason  Reason
		status  int
		want    bool
	}{
		{signup.ChannelEmail, ReasonUnreachable, 0, true}, {signup.ChannelEmail, ReasonTimeout, 0, true},
		{signup.ChannelEmail, ReasonRefused, 421, true}, {signup.ChannelEmail, ReasonRefused, 451, true},
		{signup.ChannelEmail, ReasonRefused, 550, false}, {signup.ChannelEmail, ReasonRefused, 0, false},
		{signup.ChannelEmail, ReasonInvalid, 0, false}, {signup.ChannelEmail, ReasonExpired, 0, false},
		{signup.ChannelSMS, ReasonRefused, 400, false}, {signup.ChannelSMS, ReasonRefused, 401, false}, {signup.ChannelSMS, ReasonRefused, 307, false},
		{signup.ChannelSMS, ReasonRefused, 408, true}, {signup.ChannelSMS, ReasonRefused, 429, true}, {signup.ChannelSMS, ReasonRefused, 503, true},
	} {
		e := &Error{Channel: tt.channel, Reason: tt.reason, Status: tt.status}
		if e.Temporary() != tt.want {
			t.Errorf("%v: Temporary is %v", e, !tt.want)
		}
	}
}

func TestWording(t *testing.T) {
	m := emailMessage()
	for left, want := range map[time.Duration]string{
		10 * time.Minute: "in 10 minutes.", 9*time.Minute + 59*time.Second: "in 10 minutes.", 90 * time.Second: "in 2 minutes.",
		89 * time.Second: "in 1 minute.", time.Second: "in 1 minute.", 24 * time.Hour: "in 1440 minutes.",
	} {
		w := wordingOf(m, m.ExpireAt.Add(-left))
		for name, text := range map[string]string{"email": w.emailText(), "SMS": w.smsText(), "HTML": w.emailHTML()} {
			for _, part := range []string{want, "731946", "Acme", "If this was not you, ignore this message."} {
				if !strings.Contains(text, part) {
					t.Errorf("%s with %v left: no %q in %q", name, left, part, text)
				}
			}
		}
		if strings.Contains(w.subject(), "731946") || !strings.Contains(w.subject(), "Acme") {
			t.Errorf("subject %q", w.subject())
		}
		if sms := w.smsText(); len(sms) > 160 || strings.Contains(sms, "\n") {
			t.Errorf("the text message has %d characters: %q", len(sms), sms)
		}
	}
}

func TestHTMLIsEscaped(t *testing.T) {
	m := emailMessage()
	m.AppName = `<img src=x onerror=alert(1)> & "Sons"`
	html := wordingOf(m, testTime).emailHTML()
	if strings.Contains(html, "<img") || !strings.Contains(html, "&lt;img") {
		t.Errorf("the application's name is markup: %s", html)
	}
}

// fakeMessenger notes what it got and answers with err.
type fakeMessenger struct {
	got []signup.Message
	err error
}

func (f *fakeMessenger) Deliver(_ context.Context, m signup.Message) error {
	f.got = append(f.got, m)
	return f.err
}

func TestRouter(t *testing.T) {
	failed := errors.New("no luck")
	email, sms := &fakeMessenger{}, &fakeMessenger{err: failed}
	router := Router{signup.ChannelEmail: email, signup.ChannelSMS: sms}
	if err := router.Deliver(t.Context(), emailMessage()); err != nil {
		t.Errorf("email: %v", err)
	}
	if err := router.Deliver(t.Context(), smsMessage()); err != failed {
		t.Errorf("SMS: %v, want the sender's own error", err)
	}
	if !slices.Equal(email.got, []signup.Message{emailMessage()}) || !slices.Equal(sms.got, []signup.Message{smsMessage()}) {
		t.Errorf("email got %v, SMS got %v", email.got, sms.got)
	}
	for _, r := range []Router{nil, {signup.ChannelEmail: email}, {signup.ChannelSMS: nil}} {
		if r.Sends(signup.ChannelSMS) {
			t.Errorf("%v sends text messages", r)
		}
		if err := r.Deliver(t.Context(), smsMessage()); !errors.Is(err, ErrNoSender) {
			t.Errorf("%v: %v, want ErrNoSender", r, err)
		}
	}
	if !router.Sends(signup.ChannelEmail) || router.Sends("PIGEON") {
		t.Error("Sends must be true exactly for channels with a sender")
	}
}
