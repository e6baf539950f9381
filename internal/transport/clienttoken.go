package transport

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"
)

// HeaderClientToken is the response header that brings a client in bearer mode its
// new token.
const HeaderClientToken = "Client-Token"

// ErrNoReply is returned by [IssueClientToken] where there is no reply that could
// carry a token: over a WebSocket, in an event stream, or after the reply was sent.
// It is a mistake of the programmer, as only a mutation issues tokens.
var ErrNoReply = errors.New("transport: a client token can only be sent in the reply to a POST")

// IssueClientToken sends the client its new token with the reply to the current
// POST: in the header Client-Token if the request carried a bearer token or
// `Client-Mode: bearer`, otherwise as a cookie that scripts cannot read (HttpOnly,
// SameSite=Lax, Path=/; where PublicURL is https also Secure and named with the
// prefix __Host-). The last token issued in a request is the one that is sent.
//
// The cookie lives for maxAge, or as long as the browser's session if maxAge is 0; a
// negative maxAge deletes it.
func IssueClientToken(ctx context.Context, cookieName, token string, maxAge time.Duration) error {
	issuer, ok := ctx.Value(tokenIssuerKey{}).(*tokenIssuer)
	if !ok {
		return ErrNoReply
	}
	return issuer.issue(cookieName, token, maxAge)
}

type tokenIssuerKey struct{}

// tokenIssuer writes tokens into the header of a reply until it is closed, which
// happens before that header goes out.
type tokenIssuer struct {
	server *Server
	bearer bool

	mu     sync.Mutex
	header http.Header
}

func (t *tokenIssuer) issue(cookieName, token string, maxAge time.Duration) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.header == nil {
		return ErrNoReply
	}
	if t.bearer {
		t.header.Set(HeaderClientToken, token)
		return nil
	}
	t.server.setCookie(t.header, cookieName, token, maxAge)
	return nil
}

func (t *tokenIssuer) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.header = nil
}

// SetClientCookie sends the client its token with w, as [IssueClientToken] sends it
// to clients that use cookies, from a page outside of GraphQL. It must come before
// w's header goes out, and takes the place of any other cookie of the reply. The
// caller has seen to it that the request was not another site's.
func (s *Server) SetClientCookie(w http.ResponseWriter, name, token string, maxAge time.Duration) {
	s.setCookie(w.Header(), name, token, maxAge)
}

// CookieValue returns the value of the cookie that [IssueClientToken] or
// [Server.SetClientCookie] set under name, or the empty string where r has none.
func (s *Server) CookieValue(r *http.Request, name string) string {
	cookie, err := r.Cookie(s.cookieName(name))
	if err != nil {
		return ""
	}
	return cookie.Value
}

func (s *Server) setCookie(header http.Header, name, token string, maxAge time.Duration) {
	cookie := http.Cookie{
		Name:     s.cookieName(name),
		Value:    token,
		Path:     "/",
		HttpOnly: true,
		Secure:   s.secureCookies(),
		SameSite: http.SameSiteLaxMode,
		MaxAge:   int(maxAge / time.Second),
	}
	header.Set("Set-Cookie", cookie.String())
}

func (s *Server) secureCookies() bool { return s.config.PublicURL.Scheme == "https" }

// cookieName is the name on the wire. The prefix makes browsers refuse a cookie of
// that name from a sub-domain or over plain http.
func (s *Server) cookieName(name string) string {
	if s.secureCookies() {
		return "__Host-" + name
	}
	return name
}
