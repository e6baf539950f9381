package deliver

import (
	"embed"
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

// wording is what the templates know of a message. The recipient is not part of
// it, nor anything else a person may have typed.
type wording struct {
	AppName string
	Code    string
	Minutes int // until the code expires, at least 1
}

func wordingOf(m signup.Message, now time.Time) wording {
	minutes := int(math.Round(m.ExpireAt.Sub(now).Minutes()))
	return wording{AppName: m.AppName, Code: m.Code, Minutes: max(1, minutes)}
}

// subject does not contain the code: relays log subjects, and locked screens
// show them.
func (w wording) subject() string { return "Your " + w.AppName + " verification code" }

func (w wording) emailText() string { return w.render("email.txt") }

func (w wording) smsText() string { return w.render("sms.txt") }

func (w wording) render(name string) string {
	var b strings.Builder
	if err := textTemplates.ExecuteTemplate(&b, name, w); err != nil {
		panic("deliver: " + name + " does not fit its data") // found by any test that renders it
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func (w wording) emailHTML() string {
	var b strings.Builder
	if err := htmlTemplates.ExecuteTemplate(&b, "email.html", w); err != nil {
		panic("deliver: email.html does not fit its data")
	}
	return b.String()
}
