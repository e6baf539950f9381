package siwe

import (
	"errors"
	"strings"
)

// parse reads a text by the grammar of EIP-4361, to which it holds strictly:
// lines end in LF alone, every field stands once and in order, and nothing
// follows the last. Two things are its own: the address needs a right EIP-55
// checksum unless all its letters are of one case, and the version may be any
// number, so that another version can be told from no message at all. The error
// names what is wrong in fixed words.
func parse(text string) (message, error) {
	r := reader{lines: strings.Split(text, "\n")}
	var m message
	m.scheme, m.domain = r.origin()
	m.address = r.line("address", "", isAddress)
	r.line("line after the address", "", isEmpty)
	m.statement = r.statement()
	m.uri = r.line("URI", "URI: ", isURI)
	m.version = r.line("version", "Version: ", isNumber)
	m.chainID = r.line("chain id", "Chain ID: ", isNumber)
	m.nonce = r.line("nonce", "Nonce: ", isNonce)
	m.issuedAt = r.line("time of issue", "Issued At: ", isDateTime)
	if r.at("Expiration Time: ") {
		m.expirationTime = r.line("time of expiry", "Expiration Time: ", isDateTime)
	}
	if r.at("Not Before: ") {
		m.notBefore = r.line("time of beginning", "Not Before: ", isDateTime)
	}
	if r.at("Request ID: ") {
		id := r.line("request id", "Request ID: ", isRequestID)
		m.requestID = &id
	}
	if len(r.lines) > 0 && r.lines[0] == "Resources:" {
		r.lines = r.lines[1:]
		m.resources = []string{}
		for r.at("- ") {
			m.resources = append(m.resources, r.line("resource", "- ", isURI))
		}
	}
	if r.wrong == "" && len(r.lines) > 0 {
		r.wrong = "end"
	}
	if r.wrong != "" {
		return message{}, errors.New("not a message of EIP-4361: see its " + r.wrong)
	}
	return m, nil
}

// reader goes through the lines of a text. After the first that is not as it
// should be, whose name it keeps in wrong, it has nothing more to read.
type reader struct {
	lines []string
	wrong string
}

// fail ends the reading.
func (r *reader) fail(what string) {
	if r.wrong == "" {
		r.wrong, r.lines = what, nil
	}
}

// at reports whether the next line begins with prefix.
func (r *reader) at(prefix string) bool {
	return len(r.lines) > 0 && strings.HasPrefix(r.lines[0], prefix)
}

// line takes the next line, which must be prefix and something valid, and
// returns the latter.
func (r *reader) line(what, prefix string, valid func(string) bool) string {
	if !r.at(prefix) || !valid(r.lines[0][len(prefix):]) {
		r.fail(what)
		return ""
	}
	value := r.lines[0][len(prefix):]
	r.lines = r.lines[1:]
	return value
}

// origin takes the first line.
func (r *reader) origin() (scheme, domain string) {
	first := r.line("first line", "", func(line string) bool { return strings.HasSuffix(line, greeting) })
	domain = strings.TrimSuffix(first, greeting)
	// An authority has no slash, hence the first "://" ends a scheme.
	if before, after, found := strings.Cut(domain, "://"); found {
		if !isScheme(before) {
			r.fail("scheme")
		}
		scheme, domain = before, after
	}
	if !isAuthority(domain) {
		r.fail("domain")
	}
	return scheme, domain
}

// statement takes the statement, if there is one, and the empty line after it.
// Where there is none, a single empty line stands before the next field; an
// empty statement makes it two.
func (r *reader) statement() *string {
	if len(r.lines) >= 2 && r.lines[0] == "" && r.lines[1] != "" {
		r.lines = r.lines[1:]
		return nil
	}
	text := r.line("statement", "", isStatement)
	r.line("line after the statement", "", isEmpty)
	return &text
}
