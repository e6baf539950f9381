package landing

import (
	"bytes"
	_ "embed"
	"html/template"
	"net/http"
	"net/url"
	"regexp"

	"stepwise/internal/signup"
)

//go:embed page.html
var pageSource string

//go:embed style.css
var style []byte

var pageTemplate = template.Must(template.New("page").Parse(pageSource))

// page is what a person sees. Its texts are ours, but for the app's name, from
// the settings, and the sentence of a refusal, from the service.
type page struct {
	Status  int
	Heading string
	Text    string
	AppName string // empty where it is not known
	// Token makes the page one with a button that follows the link.
	Token string
}

// of returns the page in the name of the link's app.
func (p page) of(link signup.LinkPage) page {
	p.AppName = link.AppName
	return p
}

var (
	confirm = page{
		Status: http.StatusOK, Heading: "Confirm your email address",
		Text: "Press the button to confirm that this is your email address. If you did not ask for this, close the page: nothing has happened.",
	}
	confirmed = page{
		Status: http.StatusOK, Heading: "Confirmed",
		Text: "Your email address is confirmed. Go back to the tab where you began; it continues by itself.",
	}
	elsewhere = page{
		Status: http.StatusForbidden, Heading: "Not in this browser",
		Text: "Type the code from the mail where you began. This browser did not begin the sign-up.",
	}
	expiredLink = page{
		Status: http.StatusGone, Heading: "This link has expired",
		Text: "Go back to where you began and ask for a new one.",
	}
	invalidLink = page{
		Status: http.StatusBadRequest, Heading: "This link does not work",
		Text: "It may have been cut short, or replaced by a newer one. Open the link of the newest mail, or go back to where you began.",
	}
	notUnderWay = page{
		Status: http.StatusBadRequest, Heading: "Please start again",
		Text: "This link does not belong to a sign-up that is under way. Go back to the app and start again.",
	}
	foreignForm = page{
		Status: http.StatusForbidden, Heading: "This came from another site",
		Text: "Open the link in your mail and press the button there.",
	}
	noForm = page{
		Status: http.StatusUnsupportedMediaType, Heading: "This is not a form",
		Text: "Go back to the app and start again.",
	}
	badForm = page{
		Status: http.StatusBadRequest, Heading: "This form cannot be read",
		Text: "Go back to the app and start again.",
	}
	tooMuch = page{
		Status: http.StatusRequestEntityTooLarge, Heading: "This form is too long",
		Text: "Go back to the app and start again.",
	}
	notFound = page{
		Status: http.StatusNotFound, Heading: "There is nothing here",
		Text: "Go back to the app and start again.",
	}
	wrongMethod = page{
		Status: http.StatusMethodNotAllowed, Heading: "This cannot be done here",
		Text: "Go back to the app and start again.",
	}
	unavailable = page{
		Status: http.StatusServiceUnavailable, Heading: "Please try again",
		Text: "A part of the service does not answer. Wait a moment, then load this page again.",
	}
)

func refusedLink(reason string) page {
	return page{Status: http.StatusUnprocessableEntity, Heading: "Not confirmed", Text: reason}
}

func mistake(reference string) page {
	return page{
		Status: http.StatusInternalServerError, Heading: "Something went wrong",
		Text: "This is our mistake. If it happens again, tell the app's people this reference: " + reference + ".",
	}
}

// write sends the page; nothing else may be written.
func (p page) write(w http.ResponseWriter) {
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, p); err != nil {
		panic("landing: page.html does not fit its data") // found by any test that renders it
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(p.Status)
	_, _ = w.Write(b.Bytes()) // fails only if the browser has gone
}

func serveStyle(w http.ResponseWriter, r *http.Request) {
	if !methods(w, r, http.MethodGet, http.MethodHead) {
		return
	}
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	w.Header().Set("Cache-Control", "public, max-age=3600")
	_, _ = w.Write(style)
}

// appScheme is the private-use scheme of a native app (RFC 8252 section 7.1), as a
// Content-Security-Policy names it.
var appScheme = regexp.MustCompile(`^[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)+:$`)

// isOrigin reports whether s is an origin of the web, or a native app's scheme, that
// can stand in a Content-Security-Policy.
func isOrigin(s string) bool {
	if appScheme.MatchString(s) {
		return true
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || s != u.Scheme+"://"+u.Host {
		return false
	}
	for _, c := range u.Host {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '.', c == '-', c == ':', c == '[', c == ']':
		default:
			return false
		}
	}
	return true
}
