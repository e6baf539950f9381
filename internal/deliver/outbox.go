package deliver

import (
	"context"
	"encoding/json"
	"io"
	"mime"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"stepwise/internal/signup"
)

// outboxLimit is how many messages an Outbox keeps.
const outboxLimit = 200

// Outbox keeps messages instead of sending them, the last 200 of all channels,
// and shows them in the browser. It exists for development: whoever can reach its
// page can read every code and follow every link. The zero value is not ready,
// use NewOutbox; an Outbox is safe for concurrent use.
type Outbox struct {
	now     func() time.Time
	mu      sync.Mutex
	entries []OutboxEntry // oldest first
	kept    int           // how many there were
}

// OutboxEntry is a message as the outbox shows it.
type OutboxEntry struct {
	To      string         `json:"to"`
	Channel signup.Channel `json:"channel"`
	Code    string         `json:"code"` // empty for an invitation
	Link    string         `json:"link"` // empty for a message with nothing but a code
	Text    string         `json:"text"` // the plain text as it would have been sent
	At      time.Time      `json:"at"`

	Language string `json:"language"`
	Subject  string `json:"subject"` // empty for a text message, as is HTML
	HTML     string `json:"html"`

	// Number tells the entries of one outbox apart; the first has 1.
	Number int `json:"-"`
}

// NewOutbox returns an empty Outbox that reads the time from now, or from the
// system's clock if now is nil.
func NewOutbox(now func() time.Time) *Outbox {
	return &Outbox{now: clockOr(now)}
}

func clockOr(now func() time.Time) func() time.Time {
	if now == nil {
		return time.Now
	}
	return now
}

// Deliver keeps m. It refuses what a real sender would refuse.
func (o *Outbox) Deliver(ctx context.Context, m signup.Message) error {
	if err := contextError(ctx, m.Channel, "keeping the message"); err != nil {
		return err
	}
	now := o.now()
	if err := check(m, now); err != nil {
		return err
	}
	w := wordingOf(m, now)
	entry := OutboxEntry{To: m.To, Channel: m.Channel, Code: m.Code, Link: m.Link, Language: w.Language, At: now.UTC()}
	switch m.Channel {
	case signup.ChannelEmail:
		entry.Text, entry.Subject, entry.HTML = w.emailText(), w.Subject, w.emailHTML()
	case signup.ChannelSMS:
		entry.Text = w.smsText()
	default:
		return ErrNoSender
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.entries) == outboxLimit {
		o.entries = slices.Delete(o.entries, 0, 1)
	}
	o.kept++
	entry.Number = o.kept
	o.entries = append(o.entries, entry)
	return nil
}

// Entries returns the messages to one address or number, or all of them if to
// is empty, newest first. Case does not matter.
func (o *Outbox) Entries(to string) []OutboxEntry {
	o.mu.Lock()
	defer o.mu.Unlock()
	entries := make([]OutboxEntry, 0, len(o.entries))
	for _, e := range slices.Backward(o.entries) {
		if to == "" || strings.EqualFold(e.To, to) {
			entries = append(entries, e)
		}
	}
	return entries
}

// Handler serves GET /dev/outbox as a page, or as a JSON array if the request
// prefers application/json or says ?format=json; ?to= keeps the messages to one
// recipient.
//
// Requests must name localhost, a loopback address or one of allowedHosts (with
// or without a port) as their host. Without this check any website could point
// its own name at 127.0.0.1 and read the codes as its own content.
func (o *Outbox) Handler(allowedHosts ...string) http.Handler {
	hosts := map[string]bool{"localhost": true, "127.0.0.1": true, "::1": true}
	for _, host := range allowedHosts {
		hosts[hostname(host)] = true
	}
	delete(hosts, "")
	mux := http.NewServeMux()
	mux.HandleFunc("GET /dev/outbox", o.serveList)
	mux.HandleFunc("GET /dev/outbox/mails/{number}", o.serveMail)
	mux.HandleFunc("GET /dev/outbox/style.css", serveStyle)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		setOutboxHeaders(w.Header())
		if !hosts[hostname(r.Host)] {
			http.Error(w, "The outbox answers to localhost and to the configured public host only.", http.StatusMisdirectedRequest)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func hostname(hostport string) string {
	if host, _, err := net.SplitHostPort(hostport); err == nil {
		hostport = host
	}
	return strings.ToLower(strings.TrimSuffix(strings.TrimPrefix(hostport, "["), "]"))
}

func setOutboxHeaders(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	h.Set("Vary", "Accept")
}

func (o *Outbox) serveList(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	// A plus sign that was not escaped arrives as a space, and neither
	// addresses nor numbers contain spaces.
	to := strings.ReplaceAll(query.Get("to"), " ", "+")
	entries := o.Entries(to)
	if query.Get("format") == "json" || prefersJSON(r.Header.Get("Accept")) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		_ = json.NewEncoder(w).Encode(entries) // fails only if the client has gone
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = htmlTemplates.ExecuteTemplate(w, "outbox.html", struct {
		To      string
		Limit   int
		Entries []OutboxEntry
	}{to, outboxLimit, entries})
}

// serveMail shows a mail as its reader sees it, in a frame of the page. It has an
// address of its own, since what stands in a page is bound by the page's policy, and
// mails bring their style with them. Their own policy allows that and nothing else.
func (o *Outbox) serveMail(w http.ResponseWriter, r *http.Request) {
	number, _ := strconv.Atoi(r.PathValue("number")) // none has 0
	for _, e := range o.Entries("") {
		if e.Number == number && e.HTML != "" {
			w.Header().Set("Content-Security-Policy", "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'")
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			_, _ = io.WriteString(w, e.HTML) // fails only if the client has gone
			return
		}
	}
	http.NotFound(w, r)
}

// prefersJSON reports whether an Accept header names JSON before HTML.
func prefersJSON(accept string) bool {
	for item := range strings.SplitSeq(accept, ",") {
		switch mediaType, _, _ := mime.ParseMediaType(item); mediaType {
		case "application/json":
			return true
		case "text/html":
			return false
		}
	}
	return false
}

func serveStyle(w http.ResponseWriter, r *http.Request) {
	http.ServeFileFS(w, r, templateFiles, "templates/outbox.css")
}
