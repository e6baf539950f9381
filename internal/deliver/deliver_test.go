package deliver

import (
	"context"
	"errors"
	"fmt"
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

const testLink = "https://signup.example/verify?token=canary-link_Z.9~1&lang=en%2Dus"

// emailMessage verifies an address by a code.
func emailMessage() signup.Message {
	return signup.Message{
		Channel: signup.ChannelEmail, Purpose: signup.PurposeCode,
		To: "jane@example.com", Code: "731946", AppName: "Acme", ExpireAt: testTime.Add(10 * time.Minute),
	}
}

func smsMessage() signup.Message { return bySMS(emailMessage()) }

func bySMS(m signup.Message) signup.Message {
	m.Channel, m.To = signup.ChannelSMS, "+12025550142"
	return m
}

func linkMessage() signup.Message {
	m := emailMessage()
	m.Purpose, m.Link = signup.PurposeLink, testLink
	return m
}

func signInMessage() signup.Message {
	m := emailMessage()
	m.Purpose = signup.PurposeSignIn
	return m
}

func invitationMessage() signup.Message {
	m := linkMessage()
	m.Purpose, m.Code, m.ExpireAt = signup.PurposeInvitation, "", testTime.Add(7*24*time.Hour)
	return m
}

func accountMessage() signup.Message {
	m := emailMessage()
	m.Purpose, m.Code = signup.PurposeAccountExists, ""
	return m
}

// everyMessage has one of every purpose and channel that go together.
func everyMessage() []signup.Message {
	return []signup.Message{
		emailMessage(), smsMessage(), linkMessage(), signInMessage(), bySMS(signInMessage()), invitationMessage(), accountMessage(), bySMS(accountMessage()),
	}
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
	add := func(base signup.Message, name string, change func(*signup.Message)) {
		m := base
		change(&m)
		list[fmt.Sprintf("%s by %s, %s", base.Purpose, base.Channel, name)] = m
	}
	for _, base := range everyMessage() {
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
			"line break in the link":        func(m *signup.Message) { m.Link += "\r\nBcc: x@example.com" },
			"no purpose":                    func(m *signup.Message) { m.Purpose = "" },
			"unknown purpose":               func(m *signup.Message) { m.Purpose = "NEWS" },
			"purpose in another case":       func(m *signup.Message) { m.Purpose = signup.Purpose(strings.ToLower(string(m.Purpose))) },
		} {
			add(base, name, change)
		}
	}
	for _, base := range []signup.Message{emailMessage(), smsMessage(), linkMessage(), signInMessage(), bySMS(signInMessage())} {
		add(base, "no code", func(m *signup.Message) { m.Code = "" })
	}
	for _, base := range []signup.Message{emailMessage(), smsMessage(), signInMessage(), bySMS(signInMessage()), accountMessage(), bySMS(accountMessage())} {
		add(base, "a link", func(m *signup.Message) { m.Link = testLink })
	}
	for _, base := range []signup.Message{invitationMessage(), accountMessage(), bySMS(accountMessage())} {
		add(base, "a code", func(m *signup.Message) { m.Code = "731946" })
	}
	for _, base := range []signup.Message{linkMessage(), invitationMessage()} {
		list[string(base.Purpose)+" by text message"] = bySMS(base)
		for name, link := range notLinks() {
			add(base, name, func(m *signup.Message) { m.Link = link })
		}
	}
	return list
}

// notLinks are no links that a message may carry.
func notLinks() map[string]string {
	list := map[string]string{
		"no link": "", "path only": "/verify?token=1", "no scheme": "//signup.example/", "no host": "https:///verify",
		"no host, but a port": "https://:443/", "opaque": "https:signup.example", "script": "javascript:alert(1)",
		"data": "data:text/html,hello", "another scheme": "ftp://signup.example/", "user": "https://bank.example@evil.example/",
		"user and password": "https://a:b@signup.example/", "no user": "https://@signup.example/",
		"not ASCII": "https://signup.example/é", "host not ASCII": "https://sígnup.example/", "bad escape": "https://signup.example/%zz",
		"bad escape in the query": "https://signup.example/?token=%zx", "half an escape": "https://signup.example/?token=%2",
		"bad port": "https://signup.example:port/", "half an IPv6 address": "http://[::1/", "too long": longLink(2049),
	}
	for _, c := range " \t\r\n\x00\x1f\x7f\u0085\u00a0\u2028\u202e\u3000<>\"\\^`{|}" {
		for place, text := range map[string]string{"before": "%chttps://signup.example/", "inside": "https://signup.example/%c1", "after": "https://signup.example/%c"} {
			list[fmt.Sprintf("%q %s", c, place)] = fmt.Sprintf(text, c)
		}
	}
	return list
}

// longLink returns a link of n bytes.
func longLink(n int) string {
	const start = "https://signup.example/verify?token="
	return start + strings.Repeat("Aa0-_.~", n/7+1)[:n-len(start)]
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
	for _, m := range everyMessage() {
		name := fmt.Sprintf("%s by %s", m.Purpose, m.Channel)
		if err := check(m, testTime); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := check(m, m.ExpireAt.Add(-time.Nanosecond)); err != nil {
			t.Errorf("%s in its last moment: %v", name, err)
		}
		for _, late := range []time.Duration{0, time.Hour} {
			if failure := failureOf(t, check(m, m.ExpireAt.Add(late))); failure.Reason != ReasonExpired || failure.Temporary() {
				t.Errorf("%s, %v after its expiry: %v", name, late, failure)
			}
		}
	}
	for _, link := range []string{
		testLink, "http://localhost:8080/verify?token=1", "HTTPS://signup.example", "http://[::1]:8080/#a", "https://signup.example/?a=b@c!$&'()*+,;=:[]", longLink(2048),
	} {
		m := linkMessage()
		m.Link = link
		if err := check(m, testTime); err != nil {
			t.Errorf("%.80s: %v", link, err)
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
