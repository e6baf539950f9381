package landing

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"
)

// maxBody is how many bytes of a form are read.
const maxBody = 64 << 10

// parameters are those of a query or a form.
type parameters url.Values

// readQuery returns the parameters of the request's address, and false where it
// is not well-formed.
func readQuery(r *http.Request) (parameters, bool) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	return parameters(values), err == nil
}

// readForm returns the parameters of the request's body, or answers the request
// with what is wrong with it and returns false.
func readForm(w http.ResponseWriter, r *http.Request) (parameters, bool) {
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || mediaType != "application/x-www-form-urlencoded" {
		noForm.write(w)
		return nil, false
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		tooMuch.write(w)
		return nil, false
	}
	if err != nil {
		badForm.write(w)
		return nil, false
	}
	values, err := url.ParseQuery(string(body))
	if err != nil {
		badForm.write(w)
		return nil, false
	}
	return parameters(values), true
}

// one returns the parameter of that name, or "" where there is none. It fails for
// one that is there twice (RFC 6749 section 3.1), or that has more than max bytes
// or others than valid likes.
func (p parameters) one(name string, max int, valid func(string) bool) (value string, ok bool) {
	switch values := p[name]; len(values) {
	case 0:
		return "", true
	case 1:
		return values[0], len(values[0]) <= max && valid(values[0])
	}
	return "", false
}

// isPrintable reports whether s is made of the characters that RFC 6749 allows in
// codes and states (VSCHAR, appendix A).
func isPrintable(s string) bool {
	return !strings.ContainsFunc(s, func(c rune) bool { return c < 0x20 || c > 0x7e })
}

var isText = utf8.ValidString
