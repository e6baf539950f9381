package deliver

import (
	"embed"
	"fmt"
	htmltemplate "html/template"
	"math"
	"strings"
	texttemplate "text/template"
	"time"

	"stepwise/internal/signup"
)

//go:embed templates
var templateFiles embed.FS

var (
	textTemplates = texttemplate.Must(texttemplate.ParseFS(templateFiles, "templates/*.txt"))
	htmlTemplates = htmltemplate.Must(htmltemplate.ParseFS(templateFiles, "templates/*.html"))
)

// kind is what messages of one purpose have and look like.
type kind struct {
	template   string // the names of its templates without their endings
	subject    string // %s is the application's name
	code, link bool   // has one; a message with a link goes by mail
}

var kinds = map[signup.Purpose]kind{
	signup.PurposeCode:       {template: "code", subject: "Your %s verification code", code: true},
	signup.PurposeLink:       {template: "link", subject: "Confirm your email address for %s", code: true, link: true},
	signup.PurposeSignIn:     {template: "signin", subject: "Your %s sign-in code", code: true},
	signup.PurposeInvitation: {template: "invitation", subject: "You are invited to %s", link: true},

	signup.PurposeAccountExists: {template: "exists", subject: "You already have an account at %s"},
}

// wording is what the templates know of a message. The recipient is not part of
// it, nor anything else a person may have typed.
type wording struct {
	template string
	// Subject contains neither code nor link: relays log subjects, and locked
	// screens show them.
	Subject string
	AppName string
	Code    string
	Link    string
	Left    string // time until code and link expire, such as "10 minutes"
}

// wordingOf is for messages that check has let through.
func wordingOf(m signup.Message, now time.Time) wording {
	k := kinds[m.Purpose]
	return wording{
		template: k.template, Subject: fmt.Sprintf(k.subject, m.AppName),
		AppName: m.AppName, Code: m.Code, Link: m.Link, Left: timeLeft(m.ExpireAt.Sub(now)),
	}
}

// timeLeft is a duration as people say it, rounded, and one minute at least.
func timeLeft(d time.Duration) string {
	count := func(unit time.Duration, name string) string {
		n := max(1, int(math.Round(float64(d)/float64(unit))))
		if n != 1 {
			name += "s"
		}
		return fmt.Sprintf("%d %s", n, name)
	}
	const day = 24 * time.Hour
	switch {
	case d < 2*time.Hour:
		return count(time.Minute, "minute")
	case d < 2*day:
		return count(time.Hour, "hour")
	}
	return count(day, "day")
}

func (w wording) emailText() string { return w.text(".txt") }

func (w wording) smsText() string { return w.text(".sms.txt") }

func (w wording) text(ending string) string {
	var b strings.Builder
	if err := textTemplates.ExecuteTemplate(&b, w.template+ending, w); err != nil {
		panic("deliver: " + w.template + ending + " does not fit its data") // found by any test that renders it
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func (w wording) emailHTML() string {
	var b strings.Builder
	if err := htmlTemplates.ExecuteTemplate(&b, w.template+".html", w); err != nil {
		panic("deliver: " + w.template + ".html does not fit its data")
	}
	return b.String()
}
