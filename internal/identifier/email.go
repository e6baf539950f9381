package identifier

import (
	"net/mail"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"
)

// Email is an e-mail address in the two forms that are kept.
type Email struct {
	Address string // where mail goes: local part as typed (in NFC), domain in lower-case ASCII
	Norm    string // what uniqueness compares: Address with its local part in lower case
}

const (
	maxEmailBytes = 254 // RFC 5321, section 4.5.3.1.3, less the angle brackets
	maxLocalBytes = 64  // RFC 5321, section 4.5.3.1.1
)

// ParseEmail returns the canonical forms of an e-mail address.
//
// Accepted is a bare addr-spec (RFC 5322, section 3.4.1) whose local part is
// a dot-atom and whose domain is a host name of at least two labels; domains in
// other scripts become their ASCII form (IDNA 2008 with the UTS #46 mapping).
// Display names, comments, quoted local parts, address literals and a final dot
// in the domain are refused. Neither dots nor sub-addresses are stripped from
// the local part: whether a+b is a is for the mailbox's host to say.
//
// Local parts outside ASCII (RFC 6531) are accepted if their letters are of one
// writing system. They are kept in NFC, and compatibility characters and
// letters whose lower case is ASCII (such as the Turkish dotted capital I) are
// refused: otherwise somebody else's mailbox could have the Norm of a plain one.
func ParseEmail(raw string) (Email, error) {
	if err := checkText(raw); err != nil {
		return Email{}, err
	}
	trimmed := strings.TrimSpace(raw)
	if trimmed == "" {
		return Email{}, refuse(CodeEmpty, "Enter an email address.")
	}
	if len(trimmed) > 2*maxEmailBytes { // bounds the work; the real limit comes below, once the domain is ASCII
		return Email{}, refuse(CodeTooLong, "This email address is too long.")
	}
	at := strings.LastIndexByte(trimmed, '@')
	if at < 0 {
		return Email{}, refuse(CodeInvalidFormat, "An email address needs an @ sign.")
	}
	local, domain := norm.NFC.String(trimmed[:at]), trimmed[at+1:]
	if err := checkLocalPart(local); err != nil {
		return Email{}, err
	}
	domain, err := canonicalDomain(domain)
	if err != nil {
		return Email{}, err
	}
	address := local + "@" + domain
	if len(address) > maxEmailBytes {
		return Email{}, refuse(CodeTooLong, "This email address is too long.")
	}
	// A second opinion from an independent parser, in case a rule above has a hole.
	if parsed, err := mail.ParseAddress(address); err != nil || parsed.Name != "" || parsed.Address != address {
		return Email{}, refuse(CodeInvalidFormat, "This is not an email address.")
	}
	lower := norm.NFC.String(strings.ToLower(local))
	if len(lower) > maxLocalBytes { // a few letters take more bytes in lower case
		return Email{}, refuse(CodeTooLong, "The part before the @ sign is too long.")
	}
	return Email{Address: address, Norm: lower + "@" + domain}, nil
}

// atomSymbols are the characters of an atom that are neither letters nor
// digits (RFC 5322, section 3.2.3).
const atomSymbols = "!#$%&'*+-/=?^_`{|}~"

func checkLocalPart(local string) error {
	switch {
	case len(local) > maxLocalBytes:
		return refuse(CodeTooLong, "The part before the @ sign is too long.")
	case local == "" || local[0] == '.' || local[len(local)-1] == '.' || strings.Contains(local, ".."):
		return refuse(CodeInvalidFormat, "The part before the @ sign is not complete.")
	case norm.NFKC.String(local) != local:
		return refuse(CodeInvalidCharacter, "The part before the @ sign contains a character that is not allowed.")
	}
	letters := newLettering()
	for _, r := range local {
		switch {
		case r == '.' || '0' <= r && r <= '9' || r < utf8.RuneSelf && strings.ContainsRune(atomSymbols, r):
			letters.other()
		case !letters.letter(r) || r >= utf8.RuneSelf && unicode.ToLower(r) < utf8.RuneSelf:
			return refuse(CodeInvalidCharacter, "The part before the @ sign contains a character that is not allowed.")
		}
	}
	if letters.mixed() {
		return refuse(CodeMixedScripts, "Use letters of one alphabet only before the @ sign.")
	}
	return nil
}

var domains = idna.New(
	idna.MapForLookup(),
	idna.Transitional(false),
	idna.BidiRule(),
	idna.StrictDomainName(true),
	idna.VerifyDNSLength(true),
)

func canonicalDomain(domain string) (string, error) {
	ascii, err := domains.ToASCII(domain)
	if err != nil {
		return "", refuse(CodeInvalidFormat, "The part after the @ sign is not a domain name.")
	}
	dot := strings.LastIndexByte(ascii, '.')
	top := ascii[dot+1:]
	// A last label without a letter is an IPv4 address or a root dot.
	if dot < 0 || len(top) < 2 || !strings.ContainsFunc(top, isASCIILetter) {
		return "", refuse(CodeInvalidFormat, "The part after the @ sign is not a domain name.")
	}
	return ascii, nil
}

func isASCIILetter(r rune) bool { return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' }

// HasSubaddress reports whether the local part of a canonical address (Email.Norm) has
// a plus sign, behind which many hosts let their users write what they like (RFC 5233).
func HasSubaddress(norm string) bool {
	local, _, _ := strings.Cut(norm, "@")
	return strings.Contains(local, "+")
}
