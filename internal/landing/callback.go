package landing

import (
	"net/http"
	"regexp"

	"stepwise/internal/signup"
)

// How many bytes of each parameter are taken. Codes of some providers are whole
// tokens.
const (
	maxState  = 1024
	maxCode   = 4096
	maxIssuer = 2048
	maxError  = 256
	maxUser   = 4096
)

var providerForm = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// serveCallback takes the redirect of a provider. It comes by GET, or by POST
// from providers that answer with a form (OAuth 2.0 Form Post Response Mode); that
// POST is cross-site by nature, and no cookie is looked at. HEAD is refused: an
// answer can be taken once, and HEAD has nobody to send on.
func (h *handler) serveCallback(w http.ResponseWriter, r *http.Request, provider string) {
	if !methods(w, r, http.MethodGet, http.MethodPost) {
		return
	}
	given, ok := readQuery(r)
	if r.Method == http.MethodPost {
		if given, ok = readForm(w, r); !ok {
			return
		}
	}
	answer, fits := accountAnswer(provider, given)
	if !ok || !fits {
		notUnderWay.write(w)
		return
	}
	location, err := h.service.AccountCallback(r.Context(), answer)
	if err != nil {
		h.failed(w, r, err, notUnderWay)
		return
	}
	h.goTo(w, r, location)
}

// accountAnswer reads the parameters; those it does not know are ignored, as
// section 4.1.2 of RFC 6749 wants.
func accountAnswer(provider string, given parameters) (a signup.AccountAnswer, ok bool) {
	a.Provider, ok = provider, providerForm.MatchString(provider)
	for _, p := range []struct {
		name  string
		max   int
		valid func(string) bool
		value *string
	}{
		{"state", maxState, isPrintable, &a.State},
		{"code", maxCode, isPrintable, &a.Code},
		{"iss", maxIssuer, isPrintable, &a.Issuer},
		{"error", maxError, isPrintable, &a.Error},
		{"user", maxUser, isText, &a.User},
	} {
		value, fits := given.one(p.name, p.max, p.valid)
		*p.value, ok = value, ok && fits
	}
	return a, ok && a.State != "" && (a.Code == "") != (a.Error == "")
}
