package identifier

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/nyaruka/phonenumbers"
	"golang.org/x/text/unicode/norm"
)

// maxPhoneLength is the limit of what a person may type, in code points. The
// longest number has 15 digits; the rest is room for separators.
const maxPhoneLength = 64

// Phone returns a telephone number in E.164 form, such as +12025550142.
//
// defaultRegion is an ISO 3166-1 alpha-2 code; it says how a number without
// a country code is read. With an empty or unknown region such numbers are
// refused. Digits of all scripts and the usual separators are accepted; letters
// and extensions are refused. The number must be possible in its country's
// numbering plan and of a kind that belongs to a person or a household, with one
// exception: the numbers for use in fiction, +1 XXX 555 0100 to 0199, are
// accepted in every area code because they are our test range.
func Phone(raw, defaultRegion string) (string, error) {
	if err := checkText(raw); err != nil {
		return "", err
	}
	if utf8.RuneCountInString(raw) > maxPhoneLength {
		return "", refuse(CodeTooLong, "This phone number is too long.")
	}
	text := strings.TrimSpace(strings.Map(dropDirectionMark, norm.NFKC.String(raw)))
	if text == "" {
		return "", refuse(CodeEmpty, "Enter a phone number.")
	}
	if err := checkPhoneText(text); err != nil {
		return "", err
	}
	number, err := phonenumbers.Parse(text, strings.ToUpper(defaultRegion))
	if err != nil {
		return "", refuse(CodeInvalidNumber, "Enter a phone number with its country code, such as +1 202 555 0142.")
	}
	e164 := phonenumbers.Format(number, phonenumbers.E164)
	if IsTestPhone(e164) {
		return e164, nil
	}
	if !phonenumbers.IsValidNumber(number) {
		return "", refuse(CodeInvalidNumber, "There is no such phone number.")
	}
	switch phonenumbers.GetNumberType(number) {
	case phonenumbers.PREMIUM_RATE, phonenumbers.SHARED_COST, phonenumbers.TOLL_FREE,
		phonenumbers.UAN, phonenumbers.PAGER, phonenumbers.VOICEMAIL:
		return "", refuse(CodeUnsupportedNumber, "Enter a personal phone number.")
	}
	return e164, nil
}

// dropDirectionMark removes the invisible characters that address books wrap
// around a number when it is copied.
func dropDirectionMark(r rune) rune {
	if unicode.Is(unicode.Bidi_Control, r) {
		return -1
	}
	return r
}

// checkPhoneText admits digits, one leading plus sign and separators only. The
// parser below is made to find numbers in running text and would skip the rest.
func checkPhoneText(text string) error {
	plus, digits := 0, 0
	for _, r := range text {
		switch {
		case unicode.IsDigit(r):
			digits++
		case r == '+':
			if plus++; plus > 1 || digits > 0 {
				return refuse(CodeInvalidFormat, "The plus sign may only stand at the beginning.")
			}
		case r == ' ' || strings.ContainsRune("()-./", r) || unicode.Is(unicode.Pd, r) || r == minusSign:
		default:
			return refuse(CodeInvalidCharacter, "Use digits only, without an extension.")
		}
	}
	if digits == 0 {
		return refuse(CodeInvalidFormat, "Enter a phone number.")
	}
	return nil
}

const minusSign = '\u2212'

// Region returns the ISO 3166-1 alpha-2 code of the country or territory a
// canonical number belongs to, "001" for numbers of no country (such as
// satellite telephones), and "" if e164 is not in E.164 form.
func Region(e164 string) string {
	number, ok := parseE164(e164)
	if !ok {
		return ""
	}
	if region := phonenumbers.GetRegionCodeForNumber(number); region != "" && region != unknownRegion {
		return region
	}
	// Test numbers may be in an area code that does not exist.
	if region := phonenumbers.GetRegionCodeForCountryCode(int(number.GetCountryCode())); region != unknownRegion {
		return region
	}
	return ""
}

const unknownRegion = "ZZ"

func parseE164(e164 string) (*phonenumbers.PhoneNumber, bool) {
	if !e164Form.MatchString(e164) {
		return nil, false
	}
	number, err := phonenumbers.Parse(e164, "")
	return number, err == nil
}

var e164Form = regexp.MustCompile(`^\+[1-9][0-9]{3,14}$`)

// IsRegion reports whether code is the ISO 3166-1 alpha-2 code, in capitals, of
// a country or territory that Phone can read numbers of.
func IsRegion(code string) bool { return phonenumbers.GetSupportedRegions()[code] }
