package deliver

import (
	"flag"
	"fmt"
	"html"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"stepwise/internal/signup"
)

var update = flag.Bool("update", false, "rewrite the messages in testdata/messages")

// in returns m in a language.
func in(language string, m signup.Message) signup.Message {
	m.Language = language
	return m
}

// everyMail has every mail in every language.
func everyMail() []signup.Message {
	var list []signup.Message
	for _, language := range signup.Languages {
		for _, m := range everyMessage() {
			if m.Channel == signup.ChannelEmail {
				list = append(list, in(language, m))
			}
		}
	}
	return list
}

// What people read, to the letter. Changes are looked at in testdata/messages, and as
// pictures in docs/screenshots/mails.
func TestMessagesReadAsWritten(t *testing.T) {
	written := map[string]string{}
	for _, language := range signup.Languages {
		for _, m := range everyMessage() {
			w := wordingOf(in(language, m), testTime)
			name := kinds[m.Purpose].texts + "." + language
			if m.Channel == signup.ChannelSMS {
				written[name+".sms.txt"] = w.smsText() + "\n"
				continue
			}
			written[name+".txt"] = "Subject: " + w.Subject + "\n\n" + w.emailText() + "\n"
			written[name+".html"] = w.emailHTML()
		}
	}
	const folder = "testdata/messages"
	for name, text := range written {
		file := filepath.Join(folder, name)
		if *update {
			if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if golden, err := os.ReadFile(file); err != nil || string(golden) != text {
			t.Errorf("%s: %v; look at what changed and run with -update. Now it is:\n%s", name, err, text)
		}
	}
	files, err := os.ReadDir(folder)
	if err != nil || len(files) != len(written) {
		t.Errorf("%d files for %d messages: %v", len(files), len(written), err)
	}
}

// gsm are the characters of a text message that takes 160 of them (3GPP TS 23.038);
// with any other it takes 70.
const gsm = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"

func TestTextMessagesFitIntoOne(t *testing.T) {
	for _, language := range signup.Languages {
		for _, m := range everyMessage() {
			if m.Channel != signup.ChannelSMS {
				continue
			}
			text := wordingOf(in(language, m), testTime).smsText()
			outside := strings.Map(func(r rune) rune {
				if strings.ContainsRune(gsm, r) {
					return -1
				}
				return r
			}, text)
			if text == "" || len([]rune(text)) > 160 || strings.Contains(text, "\n") || outside != "" {
				t.Errorf("%s in %s has %d characters, of which %q make it longer: %q", m.Purpose, language, len([]rune(text)), outside, text)
			}
		}
	}
}

var placeholders = regexp.MustCompile(`\{[^}]*\}?`)

// Every language has every text, about the same things, and nothing else.
func TestCataloguesAreComplete(t *testing.T) {
	first := catalogues[signup.Languages[0]]
	for _, language := range signup.Languages {
		c := catalogues[language]
		if c["dir"] != "ltr" && c["dir"] != "rtl" {
			t.Errorf("%s: dir %q", language, c["dir"])
		}
		for name, text := range first {
			other, ok := c[name]
			if !ok || strings.TrimSpace(other) != other || other == "" {
				t.Errorf("%s: %s is %q", language, name, other)
			}
			want, got := placeholders.FindAllString(text, -1), placeholders.FindAllString(other, -1)
			slices.Sort(want)
			slices.Sort(got)
			if !slices.Equal(want, got) {
				t.Errorf("%s: %s is about %q, not %q", language, name, got, want)
			}
			if language != signup.Languages[0] && other == text && name != "dir" {
				t.Errorf("%s: %s is not translated", language, name)
			}
			for _, p := range got {
				if !slices.Contains([]string{"{app}", "{left}", "{n}", "{code}"}, p) || p == "{code}" && !strings.HasSuffix(name, ".sms") {
					t.Errorf("%s: %s has %s", language, name, p)
				}
			}
		}
		for name := range c {
			if _, ok := first[name]; !ok {
				t.Errorf("%s: nothing reads %s", language, name)
			}
		}
	}
	files, err := textFiles.ReadDir("texts")
	if err != nil || len(files) != len(signup.Languages) {
		t.Errorf("%d files for %d languages: %v", len(files), len(signup.Languages), err)
	}
}

// The kinds use all texts there are, and no others: a text that is missing would be an
// empty line.
func TestEveryTextIsUsed(t *testing.T) {
	used := []string{"dir"}
	for _, unit := range []string{"minutes", "hours", "days"} {
		used = append(used, unit+".one", unit+".other")
	}
	for _, k := range kinds {
		names := []string{"subject", "preheader", "heading", "lead", "why", "ignore"}
		if k.code || k.link {
			names = append(names, "valid")
		}
		if k.link {
			names = append(names, "button", "address")
		} else {
			names = append(names, "sms")
		}
		if k.code && k.link {
			names = append(names, "elsewhere")
		}
		for _, name := range names {
			used = append(used, k.texts+"."+name)
		}
	}
	slices.Sort(used)
	var have []string
	for name := range catalogues[signup.Languages[0]] {
		have = append(have, name)
	}
	slices.Sort(have)
	if !slices.Equal(used, have) {
		t.Errorf("used %q\nhave %q", used, have)
	}
}

// What a message names as its language chooses a catalogue, and is in no text.
func TestOnlyKnownLanguagesAreWritten(t *testing.T) {
	for _, m := range everyMessage() {
		want := wordingOf(in("en", m), testTime)
		for _, language := range []string{"", "de", "EN", "es-MX", "Buy now at https://evil.example", "../en", "en\r\nBcc: x@example.com"} {
			if got := wordingOf(in(language, m), testTime); got != want {
				t.Errorf("%q: %+v", language, got)
			}
		}
	}
}

var tags = regexp.MustCompile(`(?s)<title>.*?</title>|<style>.*?</style>|<[^>]*>`)

// The HTML says what the text says, and has the link to press.
func TestHTMLOfEveryMessage(t *testing.T) {
	for _, m := range everyMail() {
		w := wordingOf(m, testTime)
		page := w.emailHTML()
		for _, want := range []string{
			`<!doctype html>`, `<html lang="` + m.Language + `" dir="ltr">`, `<title>` + w.Subject + `</title>`, `</html>`,
			`<meta name="color-scheme" content="light dark">`, `@media (prefers-color-scheme: dark)`, `<h1 `,
		} {
			if strings.Count(page, want) != 1 {
				t.Errorf("%s in %s: %q is not in the page once:\n%s", m.Purpose, m.Language, want, page)
			}
		}
		for _, never := range []string{"<img", "<script", "<link", "@import", "url(", "src=", "http-equiv", "position:"} {
			if strings.Contains(page, never) {
				t.Errorf("%s in %s: %q in the page", m.Purpose, m.Language, never)
			}
		}
		if strings.Count(page, "<table") != strings.Count(page, `<table role="presentation"`) {
			t.Errorf("%s: a table that is none", m.Purpose)
		}
		button := regexp.MustCompile(`<a class="button" href="([^"]*)"[^>]*>` + regexp.QuoteMeta(w.Button) + `</a>`).FindStringSubmatch(page)
		if (button != nil) != (m.Link != "") || button != nil && html.UnescapeString(button[1]) != m.Link {
			t.Errorf("%s: button %q", m.Purpose, button)
		}
		visible := html.UnescapeString(tags.ReplaceAllString(page, " "))
		for what, text := range map[string]string{"code": m.Code, "link": m.Link} {
			if text != "" && strings.Count(visible, text) != 1 {
				t.Errorf("%s: no %s in %q", m.Purpose, what, visible)
			}
		}
		for line := range strings.SplitSeq(w.emailText(), "\n") {
			if line = strings.TrimSpace(line); !strings.Contains(visible, line) {
				t.Errorf("%s in %s: %q is in the text alone", m.Purpose, m.Language, line)
			}
		}
	}
}

// What stands on what, in the light and in the dark, can be read by people who see
// little (WCAG 2.2, 1.4.3).
func TestHTMLHasContrast(t *testing.T) {
	page := wordingOf(linkMessage(), testTime).emailHTML()
	for _, pair := range [][2]string{
		{"#151b2b", "#ffffff"}, {"#4b5563", "#ffffff"}, {"#4b5563", "#f3f4f6"}, {"#151b2b", "#eef2ff"}, {"#ffffff", "#1d4ed8"}, {"#1d4ed8", "#ffffff"},
		{"#f3f4f6", "#161b26"}, {"#b6bdc9", "#161b26"}, {"#b6bdc9", "#0b0f17"}, {"#ffffff", "#232b3b"}, {"#0b0f17", "#8ab4ff"}, {"#8ab4ff", "#161b26"},
	} {
		for _, color := range pair {
			if !strings.Contains(page, color) {
				t.Errorf("%s is not in use", color)
			}
		}
		if got := contrast(t, pair[0], pair[1]); got < 4.5 {
			t.Errorf("%s on %s: %.1f to 1", pair[0], pair[1], got)
		}
	}
}

func contrast(t *testing.T, a, b string) float64 {
	t.Helper()
	light, dark := luminance(t, a), luminance(t, b)
	return (max(light, dark) + 0.05) / (min(light, dark) + 0.05)
}

func luminance(t *testing.T, color string) float64 {
	t.Helper()
	n, err := strconv.ParseUint(strings.TrimPrefix(color, "#"), 16, 32)
	if err != nil {
		t.Fatal(err)
	}
	linear := func(v uint64) float64 {
		s := float64(v&0xff) / 255
		if s <= 0.04045 {
			return s / 12.92
		}
		return math.Pow((s+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(n>>16) + 0.7152*linear(n>>8) + 0.0722*linear(n)
}

// A link stands on a line of its own, whole, so that every mail program sees
// where it ends.
func TestLinkHasItsOwnLine(t *testing.T) {
	for _, m := range everyMail() {
		if m.Link == "" {
			continue
		}
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
	for left, want := range map[time.Duration][2]string{
		time.Nanosecond: {"1 minute", "1 minuto"}, time.Second: {"1 minute", "1 minuto"}, 89 * time.Second: {"1 minute", "1 minuto"},
		90 * time.Second: {"2 minutes", "2 minutos"}, 9*time.Minute + 59*time.Second: {"10 minutes", "10 minutos"},
		10 * time.Minute: {"10 minutes", "10 minutos"}, 119 * time.Minute: {"119 minutes", "119 minutos"},
		2 * time.Hour: {"2 hours", "2 horas"}, day: {"24 hours", "24 horas"}, 2*day - time.Minute: {"48 hours", "48 horas"},
		2 * day: {"2 days", "2 días"}, 7*day - time.Second: {"7 days", "7 días"}, 30 * day: {"30 days", "30 días"},
	} {
		if got := [2]string{catalogues["en"].timeLeft(left), catalogues["es"].timeLeft(left)}; got != want {
			t.Errorf("%v: %q, want %q", left, got, want)
		}
	}
}

// Neither a subject nor the line that lists of mail show after it has what is secret.
func TestSubjectsKeepTheSecret(t *testing.T) {
	for _, m := range everyMail() {
		w := wordingOf(m, testTime)
		for _, text := range []string{w.Subject, w.Preheader} {
			if text == "" || strings.Contains(text, "731946") || strings.Contains(text, "canary") {
				t.Errorf("%s in %s: %q", m.Purpose, m.Language, text)
			}
		}
		if !strings.Contains(w.Subject, "Acme") {
			t.Errorf("%s in %s: subject %q", m.Purpose, m.Language, w.Subject)
		}
	}
}

func TestHTMLIsEscaped(t *testing.T) {
	for _, m := range everyMail() {
		m.AppName = `<img src=x onerror=alert(1)> & "Sons" %s {code} {left}`
		page := wordingOf(m, testTime).emailHTML()
		if strings.Contains(page, "<img") || !strings.Contains(page, "&lt;img") || strings.Contains(page, "%!") || !strings.Contains(page, "{code} {left}") {
			t.Errorf("%s: the application's name is markup: %s", m.Purpose, page)
		}
	}
}

// No message tells its reader who asked for it, or anything but what the template, the
// settings and the service itself have put there.
func TestMessagesHaveNothingOfTheRecipient(t *testing.T) {
	for _, language := range signup.Languages {
		for _, m := range everyMessage() {
			m.Language = language
			w := wordingOf(m, testTime)
			if all := fmt.Sprintf("%+v %s %s", w, w.emailText(), w.emailHTML()); strings.Contains(all, m.To) {
				t.Errorf("%s in %s: %s", m.Purpose, language, all)
			}
		}
	}
}
