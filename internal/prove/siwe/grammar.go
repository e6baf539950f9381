package siwe

import (
	"net/netip"
	"regexp"
	"strings"
	"time"
)

// Rules of RFC 3986, appendix A, as regular expressions.
const (
	unreserved = `A-Za-z0-9\-._~`
	subDelims  = `!$&'()*+,;=`
	percent    = `%[0-9A-Fa-f]{2}`
	pcharRule  = `(?:[` + unreserved + subDelims + `:@]|` + percent + `)`
	schemeRule = `[A-Za-z][A-Za-z0-9+\-.]*`

	userinfoRule = `(?:[` + unreserved + subDelims + `:]|` + percent + `)*`
	// hostRule leaves what may be an IPv6 address in a group. An IPv4 address is
	// a registered name as well.
	hostRule = `(?:\[(?:([0-9A-Fa-f:.]+)|v[0-9A-Fa-f]+\.[` + unreserved + subDelims + `:]+)\]` +
		`|(?:[` + unreserved + subDelims + `]|` + percent + `)*)`
	authorityRule = `(?:` + userinfoRule + `@)?` + hostRule + `(?::[0-9]*)?`

	segmentsRule = `(?:/` + pcharRule + `*)*`
	// A path without an authority before it does not begin with two slashes.
	hierRule  = `(?://` + authorityRule + segmentsRule + `|/?` + pcharRule + `+` + segmentsRule + `|/?)`
	queryRule = `(?:[` + unreserved + subDelims + `:@/?]|` + percent + `)*` // and that of a fragment
	uriRule   = schemeRule + `:` + hierRule + `(?:\?` + queryRule + `)?(?:#` + queryRule + `)?`
)

var (
	schemeForm    = regexp.MustCompile(`^` + schemeRule + `$`)
	authorityForm = regexp.MustCompile(`^` + authorityRule + `$`)
	uriForm       = regexp.MustCompile(`^` + uriRule + `$`)

	// The fields of EIP-4361 that have rules of their own.
	statementForm = regexp.MustCompile(`^[` + unreserved + subDelims + `:/?#\[\]@ ]*$`)
	numberForm    = regexp.MustCompile(`^[0-9]+$`)
	nonceForm     = regexp.MustCompile(`^[A-Za-z0-9]{8,}$`)
	requestIDForm = regexp.MustCompile(`^` + pcharRule + `*$`)

	// dateTimeForm is date-time of RFC 3339, section 5.6, but for the days that
	// months have. Seconds are group 2, what stands around them groups 1 and 3.
	dateTimeForm = regexp.MustCompile(`^([0-9]{4}-[0-9]{2}-[0-9]{2}[Tt](?:[01][0-9]|2[0-3]):[0-5][0-9]:)` +
		`([0-5][0-9]|60)((?:\.[0-9]+)?(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9]))$`)
)

func isEmpty(s string) bool     { return s == "" }
func isScheme(s string) bool    { return schemeForm.MatchString(s) }
func isStatement(s string) bool { return statementForm.MatchString(s) }
func isNumber(s string) bool    { return numberForm.MatchString(s) }
func isNonce(s string) bool     { return nonceForm.MatchString(s) }
func isRequestID(s string) bool { return requestIDForm.MatchString(s) }

// isURI reports whether s is a URI (RFC 3986, section 3), not a relative one.
func isURI(s string) bool { return matchesWithIPv6(uriForm, s) }

// isAuthority reports whether s is an authority (RFC 3986, section 3.2). The
// RFC's may be empty; one that has to name an app may not.
func isAuthority(s string) bool { return s != "" && matchesWithIPv6(authorityForm, s) }

// matchesWithIPv6 matches s with a form whose group 1 has to be an IPv6
// address where it took part.
func matchesWithIPv6(form *regexp.Regexp, s string) bool {
	groups := form.FindStringSubmatch(s)
	if groups == nil {
		return false
	}
	if groups[1] == "" {
		return true
	}
	ip, err := netip.ParseAddr(groups[1])
	return err == nil && ip.Is6()
}

func isAddress(s string) bool {
	_, err := Prover{}.Address(s)
	return err == nil
}

func isDateTime(s string) bool {
	_, ok := parseDateTime(s)
	return ok
}

// parseDateTime returns the moment that a date-time of RFC 3339 stands for, to
// the nanosecond. A leap second is the moment after it; it may be at the end of
// any month (UTC), since which months had one is for the astronomers to say.
func parseDateTime(s string) (time.Time, bool) {
	groups := dateTimeForm.FindStringSubmatch(s)
	if groups == nil {
		return time.Time{}, false
	}
	leap := groups[2] == "60"
	if leap {
		s = groups[1] + "59" + groups[3]
	}
	t, err := time.Parse(time.RFC3339, strings.ToUpper(s))
	if err != nil {
		return time.Time{}, false
	}
	if leap {
		t = t.Add(time.Second)
		if y, m, _ := t.UTC().Date(); !t.Truncate(time.Second).Equal(time.Date(y, m, 1, 0, 0, 0, 0, time.UTC)) {
			return time.Time{}, false
		}
	}
	return t, true
}
