package identifier

import "strings"

// Domain returns a domain in the form that it has in a canonical email address: its
// ASCII form in lower case. A top-level domain is one too.
func Domain(raw string) (string, error) {
	if err := checkText(raw); err != nil {
		return "", err
	}
	if len(raw) > 2*maxEmailBytes {
		return "", refuse(CodeTooLong, "This domain is too long.")
	}
	// Below another label, for one that stands alone is no domain of an address.
	const below = "a."
	domain, err := canonicalDomain(below + strings.TrimSpace(raw))
	if err != nil {
		return "", refuse(CodeInvalidFormat, "This is not a domain name.")
	}
	return strings.TrimPrefix(domain, below), nil
}
