package signup

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"stepwise/internal/identifier"
)

// Check returns why the settings cannot be used; empty means they can. Each
// problem's Field is the path below "input".
func (s Settings) Check() []Problem {
	var found []Problem
	refuse := func(code Code, path, message string) {
		found = append(found, Problem{Code: code, Message: message, Field: inputPath(strings.Split(path, ".")...)})
	}
	between := func(path string, value, low, high int) {
		if value < low || value > high {
			refuse(CodeOutOfRange, path, fmt.Sprintf("Must be between %d and %d.", low, high))
		}
	}
	for _, f := range s.Requirements().Refusals() {
		refuse(Code(f.Code), f.Path, f.Message)
	}
	between("username.minLength", s.Username.MinLength, 1, 64)
	between("username.maxLength", s.Username.MaxLength, min(max(1, s.Username.MinLength), 64), 64)
	between("password.minLength", s.Password.MinLength, 8, 64)
	between("password.maxLength", s.Password.MaxLength, 64, 256)
	between("codeLifetimeSeconds", s.CodeLifetimeSeconds, 60, int(maxCodeLifetime.Seconds()))
	between("resendIntervalSeconds", s.ResendIntervalSeconds, 10, 600)
	if s.CodeLifetimeSeconds >= 60 && s.ResendIntervalSeconds <= 600 && s.ResendIntervalSeconds > s.CodeLifetimeSeconds {
		refuse(CodeOutOfRange, "resendIntervalSeconds", "Must be at most codeLifetimeSeconds: a code that has expired could not be sent again.")
	}
	between("invitationLifetimeSeconds", s.InvitationLifetimeSeconds, 60, 365*24*3600)
	between("sendingLimits.perAddressPerHour", s.SendingLimits.PerAddressPerHour, 1, 60)
	between("sendingLimits.emailsPerDay", s.SendingLimits.EmailsPerDay, 1, 10_000_000)
	between("sendingLimits.textMessagesPerDay", s.SendingLimits.TextMessagesPerDay, 1, 10_000_000)
	between("sendingLimits.textMessagesPerRangePerHour", s.SendingLimits.TextMessagesPerRangePerHour, 1, 100_000)
	between("signUpLifetimeSeconds", s.SignUpLifetimeSeconds, 60, 7*24*3600)
	between("sessionLifetimeSeconds", s.SessionLifetimeSeconds, 60, 400*24*3600)
	if s.SignUpMode != ModePublic && s.SignUpMode != ModeRestricted {
		refuse(CodeInvalidFormat, "signUpMode", "Must be PUBLIC or RESTRICTED.")
	}
	if n := len([]rune(s.AppName)); n < 1 || n > 60 || strings.ContainsFunc(s.AppName, isControl) {
		refuse(CodeInvalidFormat, "appName", "Must be 1 to 60 characters on one line.")
	}
	if v := s.LegalConsent.DocumentVersion; v == "" || len(v) > 64 || strings.ContainsFunc(v, isControl) {
		refuse(CodeInvalidFormat, "legalConsent.documentVersion", "Must be 1 to 64 characters on one line.")
	}
	if u := s.LegalConsent.DocumentURL; u != "" && !isWebAddress(u) {
		refuse(CodeInvalidFormat, "legalConsent.documentUrl", "Must be an absolute http or https address.")
	}
	if len(s.LegalConsent.Documents) > 10 {
		refuse(CodeOutOfRange, "legalConsent.documents", "Must be at most 10 documents.")
	}
	for _, d := range s.LegalConsent.Documents {
		if n := len([]rune(d.Name)); n < 1 || n > 60 || strings.ContainsFunc(d.Name, isControl) || !isWebAddress(d.URL) {
			refuse(CodeInvalidFormat, "legalConsent.documents", "Each has a name of 1 to 60 characters on one line, and an absolute http or https address.")
			break
		}
	}
	if c := s.DefaultCountry; c != "" && !identifier.IsRegion(c) {
		refuse(CodeInvalidFormat, "defaultCountry", "Must be the code of a country, two letters such as US.")
	}
	if !slices.Contains(Languages, s.DefaultLocale) {
		refuse(CodeInvalidFormat, "defaultLocale", "Must be a language that messages are written in: "+strings.Join(Languages, ", ")+".")
	}
	if len(s.AllowedOrigins) > 100 {
		refuse(CodeOutOfRange, "allowedOrigins", "Must be at most 100 origins.")
	}
	refuseEach(s.AllowedOrigins, isOrigin, func(at string) {
		refuse(CodeInvalidFormat, "allowedOrigins"+at, "Must be an origin such as https://app.example.com, without a path and in lower case.")
	})
	if len(s.AllowedRedirects) > 100 {
		refuse(CodeOutOfRange, "allowedRedirects", "Must be at most 100 addresses.")
	}
	refuseEach(s.AllowedRedirects, func(address string) bool { return isRedirect(address) || isAppRedirect(address) }, func(at string) {
		refuse(CodeInvalidFormat, "allowedRedirects"+at, "Must be an absolute http or https address without a fragment, such as https://app.example.com/sign-up, or a native app's, such as com.example.app:/sign-up.")
	})
	if n := len(s.Web3Wallet.ChainIDs); n < 1 || n > 50 {
		refuse(CodeOutOfRange, "web3Wallet.chainIds", "Must be 1 to 50 chains.")
	}
	refuseEach(s.Web3Wallet.ChainIDs, func(id int64) bool { return id >= 1 }, func(at string) {
		refuse(CodeOutOfRange, "web3Wallet.chainIds"+at, "A chain's id is 1 or more.")
	})
	s.checkLists(refuse)
	for _, p := range slices.Concat(s.EmailAddress.check(), s.BotProtection.check(), s.ExternalAccount.check()) {
		refuse(p.Code, p.Field[0], p.Message)
	}
	return found
}

func isControl(r rune) bool { return r < 0x20 || r >= 0x7f && r < 0xa0 }

func isWebAddress(s string) bool {
	u, err := url.Parse(s)
	return err == nil && len(s) <= 2048 && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.User == nil
}

// redirectForm has the characters of a URI (RFC 3986 section 2) but for # and *.
// Browsers resolve others (a backslash, a space) in unlike ways, and mail programs
// end a link at them.
var redirectForm = regexp.MustCompile(`^(?:[A-Za-z0-9._~:/?\[\]@!$&'()+,;=-]|%[0-9A-Fa-f]{2})+$`)

// isRedirect: it travels within other addresses, so it is short.
func isRedirect(s string) bool {
	return len(s) <= 512 && redirectForm.MatchString(s) && isWebAddress(s)
}

var appScheme = regexp.MustCompile(`^[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)+$`)

// isAppRedirect: a native app's address has a private-use scheme, which is a
// domain name of the app's owner turned round (RFC 8252 section 7.1).
func isAppRedirect(s string) bool {
	u, err := url.Parse(s)
	return err == nil && len(s) <= 512 && redirectForm.MatchString(s) && appScheme.MatchString(u.Scheme) && u.User == nil
}

func isOrigin(s string) bool {
	u, err := url.Parse(s)
	return err == nil && isWebAddress(s) && !strings.Contains(s, "*") && s == u.Scheme+"://"+u.Host && s == strings.ToLower(s)
}
