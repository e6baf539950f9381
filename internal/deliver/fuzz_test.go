package deliver

import (
	"html"
	"mime"
	"net/mail"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// Whatever is asked for as a link or an application's name either is refused or
// arrives as it was: whole, in its place, and without anything becoming markup
// or a header.
func FuzzMessage(f *testing.F) {
	for _, link := range notLinks() {
		f.Add(link, "Acme")
	}
	f.Add(testLink, "Café <Ω> & \"Sons\"")
	f.Add(longLink(2048), "Acme\r\nBcc: x@example.com")
	f.Fuzz(func(t *testing.T, link, name string) {
		m := linkMessage()
		m.Link, m.AppName = link, name
		if check(m, testTime) != nil {
			return
		}
		u, err := url.Parse(link)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || len(link) > 2048 || !isASCII(link) || strings.ContainsAny(link, " <>\"\r\n\t") {
			t.Fatalf("accepted %q", link)
		}
		w := wordingOf(m, testTime)
		if !strings.Contains(w.emailText(), "\n"+link+"\n") {
			t.Errorf("%q has no line of its own", link)
		}
		page := w.emailHTML()
		_, rest, _ := strings.Cut(page, `<a class="button" href="`)
		target, _, _ := strings.Cut(rest, `"`)
		if got, err := url.PathUnescape(html.UnescapeString(target)); err != nil || got != unescaped(t, link) {
			t.Errorf("the button of %q leads to %q", link, target)
		}
		if strings.Count(page, "<a ") != 2 || strings.Count(page, "<p") != strings.Count(wordingOf(linkMessage(), testTime).emailHTML(), "<p") {
			t.Errorf("markup was added: %s", page)
		}
		sender := &SMTP{from: &mail.Address{Address: "noreply@acme.example"}}
		message, err := sender.compose(m, testTime)
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		if _, err := message.WriteTo(&b); err != nil {
			t.Fatal(err)
		}
		parsed, err := mail.ReadMessage(strings.NewReader(b.String()))
		if err != nil {
			t.Fatal(err)
		}
		subject, err := new(mime.WordDecoder).DecodeHeader(parsed.Header.Get("Subject"))
		// How many spaces stand between words is for readers of headers to decide.
		if err != nil || !slices.Equal(strings.Fields(subject), strings.Fields(w.Subject)) {
			t.Errorf("subject %q, want %q: %v", subject, w.Subject, err)
		}
		if len(parsed.Header) != 9 {
			t.Errorf("header %v", parsed.Header)
		}
	})
}

// unescaped undoes escapes of what need not be escaped too: HTML may write an
// apostrophe as %27.
func unescaped(t *testing.T, link string) string {
	t.Helper()
	text, err := url.PathUnescape(link)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
