package signup

import (
	"regexp"
	"strconv"
	"strings"
)

// Languages are those that messages are written in (BCP 47); the first is written
// where none is asked for that we know. Whatever else a caller names as a locale is
// looked up in these, and is in no message.
var Languages = []string{"en", "es"}

const (
	maxLocale = 35 // characters of a language tag (RFC 5646 section 4.4.1)
	// maxAcceptLanguage bounds what of a request's header is read, in bytes.
	maxAcceptLanguage = 1000
)

var localeForm = regexp.MustCompile(`^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$`)

// parseLocale returns a language tag with its letters as usual (RFC 5646 section
// 2.1.1). Whether anybody speaks it is not asked.
func parseLocale(text string) (string, bool) {
	if len(text) > maxLocale || !localeForm.MatchString(text) {
		return "", false
	}
	parts := strings.Split(strings.ToLower(text), "-")
	for i, part := range parts {
		switch {
		case len(part) == 1: // what follows stays small
			return strings.Join(parts, "-"), true
		case i > 0 && len(part) == 2:
			parts[i] = strings.ToUpper(part)
		case i > 0 && len(part) == 4:
			parts[i] = strings.ToUpper(part[:1]) + part[1:]
		}
	}
	return strings.Join(parts, "-"), true
}

// lookUp finds the language for a locale (RFC 4647 section 3.4): the locale without
// its last parts, until there is one of that name.
func lookUp(locale string) (string, bool) {
	for locale != "" {
		for _, known := range Languages {
			if strings.EqualFold(known, locale) {
				return known, true
			}
		}
		locale = locale[:max(0, strings.LastIndexByte(locale, '-'))]
		if n := len(locale) - 2; n >= 0 && locale[n] == '-' { // begins an extension that is gone now
			locale = locale[:n]
		}
	}
	return "", false
}

// languageFor is the language for somebody who asks for a locale, or for none.
func (s Settings) languageFor(locale string) string {
	for _, wanted := range []string{locale, s.DefaultLocale} {
		if known, ok := lookUp(wanted); ok {
			return known
		}
	}
	return Languages[0]
}

// acceptedLanguage is the language of ours that an Accept-Language header (RFC 9110
// section 12.5.4) wants most, or "". What makes no sense in it is no reason to refuse
// anything.
func acceptedLanguage(header string) string {
	if len(header) > maxAcceptLanguage {
		return ""
	}
	best, most := "", 0.0
	for item := range strings.SplitSeq(header, ",") {
		locale, parameter, _ := strings.Cut(item, ";")
		known, ok := lookUp(strings.TrimSpace(locale))
		if weight := weightOf(parameter); ok && weight > most { // the first of equals
			best, most = known, weight
		}
	}
	return best
}

// weightOf is 1 where nothing is said, and 0 where nothing sensible is.
func weightOf(parameter string) float64 {
	text, given := strings.CutPrefix(strings.ToLower(strings.TrimSpace(parameter)), "q=")
	if !given {
		return 1
	}
	weight, err := strconv.ParseFloat(text, 64)
	if err != nil || !(0 <= weight && weight <= 1) {
		return 0
	}
	return weight
}

// localeOf reads the locale of an input: "" for null, and what the caller's program
// asks for where it is left out.
func localeOf(text Text, p Principal) (string, *Problem) {
	switch {
	case !text.Set:
		return acceptedLanguage(p.AcceptLanguage), nil
	case text.Value == nil:
		return "", nil
	}
	locale, ok := parseLocale(*text.Value)
	if !ok {
		return "", &Problem{Code: CodeInvalidFormat, Field: inputPath("locale"), Message: "Must be a language tag of at most 35 characters, such as en or es-MX."}
	}
	return locale, nil
}

// speak takes the locale of the input, if there is one.
func (u *understood) speak(text Text) {
	if !text.Set {
		return
	}
	locale, problem := localeOf(text, Principal{})
	if problem != nil {
		u.problems = append(u.problems, *problem)
		return
	}
	u.locale = &locale
}

func (c *call) changesLocale(a attempt) bool { return c.locale != nil && *c.locale != a.Locale }
