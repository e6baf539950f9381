package landing

import (
	"errors"
	"net/http"
	"strings"

	"stepwise/internal/signup"
)

const maxToken = 1024

// serveVerify serves the page of a link and what its button does.
func (h *handler) serveVerify(w http.ResponseWriter, r *http.Request) {
	if !methods(w, r, http.MethodGet, http.MethodHead, http.MethodPost) {
		return
	}
	if r.Method == http.MethodPost {
		h.followLink(w, r)
		return
	}
	given, ok := readQuery(r)
	token, fits := token(given)
	if !ok || !fits {
		invalidLink.write(w)
		return
	}
	link, err := h.service.OpenLink(r.Context(), token)
	switch {
	case err != nil:
		h.failed(w, r, err, invalidLink)
	case link.Expired:
		expiredLink.of(link).write(w)
	default:
		if link.ReturnOrigin != "" && !isOrigin(link.ReturnOrigin) {
			h.broken(w, r, errors.New("the origin to return to is none"))
			return
		}
		w.Header().Set("Content-Security-Policy", policy(link.ReturnOrigin))
		p := confirm.of(link)
		p.Token = token
		p.write(w)
	}
}

// followLink is what the button does.
func (h *handler) followLink(w http.ResponseWriter, r *http.Request) {
	if h.sameOrigin.Check(r) != nil {
		foreignForm.write(w)
		return
	}
	given, ok := readForm(w, r)
	if !ok {
		return
	}
	token, ok := token(given)
	if !ok {
		invalidLink.write(w)
		return
	}
	ctx := r.Context()
	link, err := h.service.OpenLink(ctx, token)
	if err != nil {
		h.failed(w, r, err, invalidLink)
		return
	}
	principal, err := h.authenticate(r)
	if err != nil {
		h.failed(w, r, err, invalidLink)
		return
	}
	result, err := h.service.FollowLink(ctx, principal, token)
	if err != nil {
		h.failed(w, r, err, invalidLink)
		return
	}
	if result.ClientToken != "" {
		h.setCookie(w, result.Instance, result.ClientToken)
	}
	switch result.Outcome {
	case signup.LinkConfirmed:
		confirmed.of(link).write(w)
	case signup.LinkElsewhere:
		elsewhere.of(link).write(w)
	case signup.LinkExpired:
		expiredLink.of(link).write(w)
	case signup.LinkInvalid:
		invalidLink.of(link).write(w)
	case signup.LinkRefused:
		refusedLink(result.Message).of(link).write(w)
	case signup.LinkReturn:
		h.goTo(w, r, result.ReturnTo)
	default:
		h.broken(w, r, errors.New("following a link had an outcome that is not known"))
	}
}

// token returns the token of a link, which has no spaces.
func token(given parameters) (token string, ok bool) {
	token, ok = given.one("token", maxToken, isPrintable)
	return token, ok && token != "" && !strings.Contains(token, " ")
}
