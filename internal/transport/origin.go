package transport

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/rs/cors"
)

// corsMaxAge is how long, in seconds, a browser may remember a preflight. The request
// itself is checked every time, so this only bounds how long a withdrawn origin still
// sees its requests leave the browser.
const corsMaxAge = 600

func (s *Server) corsPolicy() *cors.Cors {
	return cors.New(cors.Options{
		AllowOriginVaryRequestFunc: func(r *http.Request, origin string) (bool, []string) {
			if origin == "" {
				return false, nil
			}
			return s.originAllowed(r, r.Header.Get(HeaderPublishableKey)), nil
		},
		AllowedMethods:   []string{http.MethodPost},
		AllowedHeaders:   []string{"Content-Type", HeaderAuthorization, HeaderPublishableKey, HeaderClientMode},
		ExposedHeaders:   []string{HeaderClientToken, "Retry-After", "X-Request-Id"},
		AllowCredentials: true,
		MaxAge:           corsMaxAge,
	})
}

// originAllowed reports whether the page that sent r may use the instance of
// publishableKey. Requests without an Origin do not come from another site's page.
func (s *Server) originAllowed(r *http.Request, publishableKey string) bool {
	origin := r.Header.Get("Origin")
	switch {
	case origin == "":
		return true
	case origin == "null":
		return false
	case sameHost(r, origin):
		return true
	}
	return s.config.AllowOrigin(r.Context(), publishableKey, origin)
}

func sameHost(r *http.Request, origin string) bool {
	u, err := url.Parse(origin)
	return err == nil && u.Host != "" && strings.EqualFold(u.Host, r.Host)
}

var refusedOrigin = refusal{
	status: http.StatusForbidden, code: CodeForbiddenOrigin,
	message: "This origin is not among the allowed origins of the instance.",
}

// crossSite reports whether a request could be a page of another site acting with
// cookies that the browser adds, or planting a cookie of its own. Bearer tokens and
// bearer mode are exempt, because no page can make a browser add them.
func (s *Server) crossSite(r *http.Request, c Credentials) bool {
	if !c.byCookie() {
		return false
	}
	origin := r.Header.Get("Origin")
	if origin != "" && s.originAllowed(r, c.PublishableKey) {
		return false
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "same-origin", "none":
		return false
	case "":
		return origin != ""
	default:
		return true
	}
}
