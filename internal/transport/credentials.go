package transport

import (
	"net/http"
	"strings"
)

// Names of the headers that carry credentials, and of the keys that carry the same
// in the payload of connection_init, where case does not matter.
const (
	HeaderPublishableKey = "Publishable-Key"
	HeaderAuthorization  = "Authorization"
	HeaderClientMode     = "Client-Mode"
)

// Credentials are what one HTTP request or one connection_init presented, unchecked.
type Credentials struct {
	// PublishableKey names the instance; empty if it was left out.
	PublishableKey string
	// Bearer is the token of an `Authorization: Bearer` header, or empty.
	Bearer string
	// BearerMode is true for clients that sent `Client-Mode: bearer`: they keep their
	// token themselves and want no cookie.
	BearerMode bool
	// Cookie returns the value of the cookie that [IssueClientToken] set under name,
	// or the empty string. It is empty for every request that carries a bearer token
	// or asks for bearer mode, so that the two cannot be mixed.
	Cookie func(name string) string
	// RemoteAddr is the client's address as Config.ClientAddress gives it.
	RemoteAddr string
	// AcceptLanguage is the header of that name, unread.
	AcceptLanguage string
}

// byCookie reports whether the credentials rest on what a browser adds on its own.
func (c Credentials) byCookie() bool { return c.Bearer == "" && !c.BearerMode }

func (s *Server) credentials(r *http.Request) Credentials {
	c := Credentials{
		PublishableKey: r.Header.Get(HeaderPublishableKey),
		Bearer:         bearerToken(r.Header.Get(HeaderAuthorization)),
		BearerMode:     isBearerMode(r.Header.Get(HeaderClientMode)),
		RemoteAddr:     s.config.ClientAddress(r),
		AcceptLanguage: r.Header.Get("Accept-Language"),
	}
	c.Cookie = s.cookieReader(r, c)
	return c
}

func (s *Server) cookieReader(r *http.Request, c Credentials) func(string) string {
	if !c.byCookie() {
		return func(string) string { return "" }
	}
	return func(name string) string { return s.CookieValue(r, name) }
}

func bearerToken(authorization string) string {
	scheme, token, _ := strings.Cut(authorization, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

func isBearerMode(value string) bool { return strings.EqualFold(value, "bearer") }
