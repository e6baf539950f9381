package deliver

import (
	"embed"
	htmltemplate "html/template"
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
	texts      string // what the names of its texts begin with
	code, link bool   // has one; a message with a link goes by mail
}

var kinds = map[signup.Purpose]kind{
	signup.PurposeCode:       {texts: "code", code: true},
	signup.PurposeLink:       {texts: "link", code: true, link: true},
	signup.PurposeSignIn:     {texts: "signin", code: true},
	signup.PurposeInvitation: {texts: "invitation", link: true},

	signup.PurposeAccountExists: {texts: "exists"},
}

// wording is what the templates know of a message. The recipient is not part of
// it, nor anything else a person may have typed.
type wording struct {
	Language, Dir string
	AppName       string
	Code          string
	Link          string
	// Subject and Preheader contain neither code nor link: relays log subjects, and
	// locked screens show both.
	Subject, Preheader string
	Heading, Lead      string
	Button, Address    string // where there is a link
	Elsewhere          string // leads to the code of a message that has a link too
	Valid              string // how long code and link are good for
	Why, Ignore        string

	sms string
}

// wordingOf is for messages that check has let through.
func wordingOf(m signup.Message, now time.Time) wording {
	language, k := languageOf(m), kinds[m.Purpose]
	texts := catalogues[language]
	// One pass: what is put in is not looked at again.
	values := strings.NewReplacer("{app}", m.AppName, "{code}", m.Code, "{left}", texts.timeLeft(m.ExpireAt.Sub(now)))
	text := func(name string) string { return values.Replace(texts[k.texts+"."+name]) }
	return wording{
		Language: language, Dir: texts["dir"], AppName: m.AppName, Code: m.Code, Link: m.Link,
		Subject: text("subject"), Preheader: text("preheader"), Heading: text("heading"), Lead: text("lead"),
		Button: text("button"), Address: text("address"), Elsewhere: text("elsewhere"),
		Valid: text("valid"), Why: text("why"), Ignore: text("ignore"), sms: text("sms"),
	}
}

func (w wording) smsText() string { return w.sms }

func (w wording) emailText() string {
	var b strings.Builder
	if err := textTemplates.ExecuteTemplate(&b, "mail.txt", w); err != nil {
		panic("deliver: mail.txt does not fit its data") // found by any test that renders it
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func (w wording) emailHTML() string {
	var b strings.Builder
	if err := htmlTemplates.ExecuteTemplate(&b, "mail.html", w); err != nil {
		panic("deliver: mail.html does not fit its data")
	}
	return b.String()
}
