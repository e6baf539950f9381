package deliver

import (
	"net/mail"
	"net/url"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"stepwise/internal/signup"
)

var (
	codeForm = regexp.MustCompile(`^[0-9]{6}$`)
	e164Form = regexp.MustCompile(`^\+[1-9][0-9]{3,14}$`)
	// linkForm has the characters of a URI (RFC 3986 section 2). Mail programs end
	// a link at any other.
	linkForm = regexp.MustCompile(`^(?:[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+$`)
)

const (
	maxAppName = 200 // code points
	maxLink    = 2048
)

// check refuses a message that must not reach the wire. It is the last line of
// defence against header injection: whoever composed the message should have
// seen to it already. Its errors repeat nothing of the message.
func check(m signup.Message, now time.Time) error {
	invalid := func(what string) error {
		return &Error{Channel: m.Channel, Reason: ReasonInvalid, Step: what}
	}
	for _, text := range []string{m.To, m.Code, m.Link, m.AppName} {
		if !utf8.ValidString(text) || strings.ContainsFunc(text, isUnprintable) {
			return invalid("the message contains control characters")
		}
	}
	k, known := kinds[m.Purpose]
	switch {
	case !known:
		return invalid("the purpose is unknown")
	case k.code && !codeForm.MatchString(m.Code):
		return invalid("the code is not six digits")
	case !k.code && m.Code != "":
		return invalid("a message of this purpose has no code")
	case k.link && !isLink(m.Link):
		return invalid("the link is not an absolute http or https address")
	case !k.link && m.Link != "":
		return invalid("a message of this purpose has no link")
	case k.link && m.Channel != signup.ChannelEmail:
		return invalid("a message with a link goes by email only")
	case strings.TrimSpace(m.AppName) == "" || utf8.RuneCountInString(m.AppName) > maxAppName:
		return invalid("the application name is empty or too long")
	case m.Channel == signup.ChannelEmail && !isAddress(m.To):
		return invalid("the recipient is not an email address")
	case m.Channel == signup.ChannelSMS && !e164Form.MatchString(m.To):
		return invalid("the recipient is not an E.164 number")
	case !m.ExpireAt.After(now):
		return &Error{Channel: m.Channel, Reason: ReasonExpired, Step: "what the message carries has expired"}
	}
	return nil
}

// isUnprintable is true of control characters, line and paragraph separators,
// and characters that change the direction of the text around them.
func isUnprintable(r rune) bool {
	return unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp, unicode.Bidi_Control)
}

func isAddress(s string) bool {
	a, err := mail.ParseAddress(s)
	return err == nil && a.Name == "" && a.Address == s && !strings.ContainsAny(s, " \"<>,;:()[]\\")
}

// isLink reports whether s can be sent as a link. User information is refused:
// before the @ stands a name that is not where the link leads.
func isLink(s string) bool {
	if len(s) > maxLink || !linkForm.MatchString(s) {
		return false
	}
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Hostname() != "" && u.User == nil
}
