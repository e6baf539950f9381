// Package landing serves the pages on which people land who come from somewhere
// else: from a provider, with its answer, and from a mail, by a link.
//
//	GET, POST        /oauth/callback/{provider}   hands the provider's answer over and sends the person on
//	GET, HEAD, POST  /verify                      asks before it follows a link, and says what came of it
//	GET, HEAD        /landing/style.css
//
// The pages have no scripts, load nothing but their style, and repeat nothing that
// came with the request but a link's token, in the form that follows it. Programs
// that look at links before people do, such as scanners of mail, use GET and HEAD:
// these change nothing at /verify. Neither token nor code is ever logged.
package landing

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"stepwise/internal/signup"
)

// Where a server mounts the handler.
const (
	CallbackPath = "/oauth/callback/" // and all below
	VerifyPath   = "/verify"
	StylePath    = "/landing/style.css"
)

// Service does what the pages are for. An error with a method Code() string is a
// refusal: the caller can see no more than that nothing under way belongs to what
// it presented. The code "UNAVAILABLE" and context.DeadlineExceeded ask to try
// again; any other error is one of the server. Errors contain no secrets.
type Service interface {
	// AccountCallback takes the provider's answer and returns the absolute address
	// at which the person goes on. A provider's error, too, is an answer.
	AccountCallback(ctx context.Context, a signup.AccountAnswer) (location string, err error)
	// OpenLink says what the link of that token is about. It changes nothing. The
	// error is a refusal where the token is not that of a link.
	OpenLink(ctx context.Context, token string) (signup.LinkPage, error)
	// FollowLink does what the link promises. Following it again has the same
	// outcome.
	FollowLink(ctx context.Context, p signup.Principal, token string) (signup.LinkResult, error)
}

// Config is what the pages are made of. Service, Authenticate and SetCookie are
// needed.
type Config struct {
	Service Service
	// Authenticate finds out whose browser sent r, by its cookie alone, at the only
	// instance. A browser without a valid cookie is a Principal without a client, and
	// no error.
	Authenticate func(r *http.Request) (signup.Principal, error)
	// SetCookie sends the browser its new client token of an instance with w. It
	// is called before w's header goes out.
	SetCookie func(w http.ResponseWriter, instance, token string)
	// PublicURL is the address under which browsers reach the server. Its origin
	// may follow links, whatever name a proxy gives the server.
	PublicURL *url.URL
	// Logger receives one record for each error of the server; default
	// slog.Default().
	Logger *slog.Logger
}

type handler struct {
	service      Service
	authenticate func(*http.Request) (signup.Principal, error)
	setCookie    func(http.ResponseWriter, string, string)
	sameOrigin   *http.CrossOriginProtection
	log          *slog.Logger
}

// New returns the handler of all the pages. It panics if something needed is
// missing, or if PublicURL has no origin.
func New(c Config) http.Handler {
	if c.Service == nil || c.Authenticate == nil || c.SetCookie == nil {
		panic("landing: Config lacks Service, Authenticate or SetCookie")
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	h := &handler{c.Service, c.Authenticate, c.SetCookie, http.NewCrossOriginProtection(), c.Logger}
	if c.PublicURL != nil {
		if err := h.sameOrigin.AddTrustedOrigin(c.PublicURL.Scheme + "://" + c.PublicURL.Host); err != nil {
			panic("landing: PublicURL has no origin")
		}
	}
	return h
}

// ServeHTTP implements [http.Handler].
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	setHeaders(w.Header())
	provider, isCallback := strings.CutPrefix(r.URL.Path, CallbackPath)
	switch {
	case isCallback:
		h.serveCallback(w, r, provider)
	case r.URL.Path == VerifyPath:
		h.serveVerify(w, r)
	case r.URL.Path == StylePath:
		serveStyle(w, r)
	default:
		notFound.write(w)
	}
}

func setHeaders(h http.Header) {
	h.Set("Content-Security-Policy", policy(""))
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer") // addresses here hold codes and tokens
	h.Set("Cache-Control", "no-store")
}

// policy is the Content-Security-Policy of a page whose form may lead to another
// origin, too: Chromium holds the redirect that answers a form to form-action.
func policy(formOrigin string) string {
	action := "'self'"
	if formOrigin != "" {
		action += " " + formOrigin
	}
	return "default-src 'none'; style-src 'self'; form-action " + action + "; base-uri 'none'; frame-ancestors 'none'"
}

// methods answers a request whose method is not among allowed, and reports
// whether it was.
func methods(w http.ResponseWriter, r *http.Request, allowed ...string) bool {
	for _, method := range allowed {
		if r.Method == method {
			return true
		}
	}
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	wrongMethod.write(w)
	return false
}

// goTo sends the person on by GET, whatever the request's method (RFC 9110
// section 15.4.4): what was posted here must not be posted there.
func (h *handler) goTo(w http.ResponseWriter, r *http.Request, location string) {
	u, err := url.Parse(location)
	if err != nil || !u.IsAbs() || !isPrintable(location) || strings.Contains(location, " ") {
		h.broken(w, r, errors.New("the address to go on to is not absolute"))
		return
	}
	w.Header().Set("Location", location)
	w.WriteHeader(http.StatusSeeOther)
}

// failed answers a request that ended with err; refused is the page where err is
// a refusal.
func (h *handler) failed(w http.ResponseWriter, r *http.Request, err error, refused page) {
	ctx := r.Context()
	if ctx.Err() != nil {
		return // nobody is there to read it
	}
	coded, isRefusal := errors.AsType[interface {
		error
		Code() string
	}](err)
	switch {
	case errors.Is(err, context.DeadlineExceeded), isRefusal && coded.Code() == "UNAVAILABLE":
		cause := err
		if behind := errors.Unwrap(coded); behind != nil { // its own words are for the caller
			cause = behind
		}
		h.log.WarnContext(ctx, "landing page not served", "error", cause)
		unavailable.write(w)
	case isRefusal:
		refused.write(w)
	default:
		h.broken(w, r, err)
	}
}

// broken answers a request that met a mistake of ours.
func (h *handler) broken(w http.ResponseWriter, r *http.Request, err error) {
	reference := rand.Text()[:10]
	h.log.ErrorContext(r.Context(), "landing page failed", "error", err, "reference", reference)
	mistake(reference).write(w)
}
