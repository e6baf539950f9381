package deliver

import (
	"html"
	"regexp"
	"strings"
	"testing"
	"time"

	"stepwise/internal/signup"
)

// What people read, to the letter.
func TestTextOfEveryMessage(t *testing.T) {
	for _, tt := range []struct {
		message       signup.Message
		subject, text string
	}{
		{emailMessage(), "Your Acme verification code", `Your Acme verification code is:

    731946

It expires in 10 minutes. Enter it where you began, and give it to nobody.

If this was not you, ignore this message. Nothing happens without the code.`},
		{linkMessage(), "Confirm your email address for Acme", `Confirm your email address to continue with Acme:

` + testLink + `

Opened on another device? Type this code where you began:

    731946

Both expire in 10 minutes. Give them to nobody.

If this was not you, ignore this message. Nothing happens without the link or the code.`},
		{signInMessage(), "Your Acme sign-in code", `Your Acme sign-in code is:

    731946

It expires in 10 minutes. Enter it where you began, and give it to nobody.

If this was not you, ignore this message: nobody can sign in without this code.`},
		{invitationMessage(), "You are invited to Acme", `You are invited to Acme. Open this address to begin:

` + testLink + `

It is for you alone and expires in 7 days.

If you do not want it, ignore this message. Nothing happens without the link.`},
		{accountMessage(), "You already have an account at Acme", `Somebody, perhaps you, tried to sign up at Acme with this address. You have an account already: sign in instead.

If this was not you, ignore this message. Nobody gets into your account by it.`},
		{bySMS(accountMessage()), "", "You already have an account at Acme. Somebody, perhaps you, tried to sign up with this number: sign in instead."},
		{smsMessage(), "", "731946 is your Acme verification code. It expires in 10 minutes. If this was not you, ignore this message."},
		{bySMS(signInMessage()), "", "731946 is your Acme sign-in code. It expires in 10 minutes. If this was not you, ignore this message: nobody can sign in without this code."},
	} {
		w := wordingOf(tt.message, testTime)
		text := w.emailText()
		if tt.message.Channel == signup.ChannelSMS {
			text = w.smsText()
			if len(text) > 160 || strings.Contains(text, "\n") {
				t.Errorf("the text message has %d characters: %q", len(text), text)
			}
		} else if w.Subject != tt.subject {
			t.Errorf("subject %q, want %q", w.Subject, tt.subject)
		}
		if text != tt.text {
			t.Errorf("%s by %s:\n%s\nwant:\n%s", tt.message.Purpose, tt.message.Channel, text, tt.text)
		}
	}
}

var tags = regexp.MustCompile(`(?s)<title>.*?</title>|<[^>]*>`)

// The HTML says what the text says, and has the link to press.
func TestHTMLOfEveryMessage(t *testing.T) {
	for _, m := range everyMessage() {
		if m.Channel != signup.ChannelEmail {
			continue
		}
		w := wordingOf(m, testTime)
		page := w.emailHTML()
		for _, want := range []string{`<!doctype html>`, `<html lang="en">`, `<title>` + w.Subject + `</title>`, `</html>`} {
			if strings.Count(page, want) != 1 {
				t.Errorf("%s: %q is not in the page once:\n%s", m.Purpose, want, page)
			}
		}
		button := regexp.MustCompile(`<a href="([^"]*)" style="[^"]*">Continue</a>`).FindStringSubmatch(page)
		if (button != nil) != (m.Link != "") || button != nil && html.UnescapeString(button[1]) != m.Link {
			t.Errorf("%s: button %q", m.Purpose, button)
		}
		visible := html.UnescapeString(tags.ReplaceAllString(page, " "))
		if m.Code != "" && strings.Count(visible, m.Code) != 1 {
			t.Errorf("%s: no code in %q", m.Purpose, visible)
		}
		for line := range strings.SplitSeq(w.emailText(), "\n") {
			line = strings.TrimSpace(line)
			sentence := strings.TrimSuffix(line, " Open this address to begin:")
			if line != m.Link && !strings.Contains(visible, sentence) {
				t.Errorf("%s: %q is in the text alone", m.Purpose, sentence)
			}
		}
	}
}

// A link stands on a line of its own, whole, so that every mail program sees
// where it ends.
func TestLinkHasItsOwnLine(t *testing.T) {
	for _, m := range []signup.Message{linkMessage(), invitationMessage()} {
		m.Link = longLink(2048)
		found := 0
		for line := range strings.SplitSeq(wordingOf(m, testTime).emailText(), "\n") {
			if line == m.Link {
				found++
			}
		}
		if found != 1 {
			t.Errorf("%s: the link has %d lines of its own", m.Purpose, found)
		}
	}
}

func TestTimeLeft(t *testing.T) {
	const day = 24 * time.Hour
	for left, want := range map[time.Duration]string{
		time.Nanosecond: "1 minute", time.Second: "1 minute", 89 * time.Second: "1 minute", 90 * time.Second: "2 minutes",
		9*time.Minute + 59*time.Second: "10 minutes", 10 * time.Minute: "10 minutes", 119 * time.Minute: "119 minutes",
		2 * time.Hour: "2 hours", day: "24 hours", 2*day - time.Minute: "48 hours", 2 * day: "2 days", 7*day - time.Second: "7 days", 30 * day: "30 days",
	} {
		if got := timeLeft(left); got != want {
			t.Errorf("%v: %q, want %q", left, got, want)
		}
	}
}

func TestSubjectsKeepTheSecret(t *testing.T) {
	for _, m := range everyMessage() {
		subject := wordingOf(m, testTime).Subject
		if strings.Contains(subject, "731946") || strings.Contains(subject, "canary") || !strings.Contains(subject, "Acme") {
			t.Errorf("%s: subject %q", m.Purpose, subject)
		}
	}
}

func TestHTMLIsEscaped(t *testing.T) {
	for _, m := range everyMessage() {
		m.AppName = `<img src=x onerror=alert(1)> & "Sons" %s`
		page := wordingOf(m, testTime).emailHTML()
		if strings.Contains(page, "<img") || !strings.Contains(page, "&lt;img") || strings.Contains(page, "%!") {
			t.Errorf("%s: the application's name is markup: %s", m.Purpose, page)
		}
	}
}
