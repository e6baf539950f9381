// Package identifier gives every identifier of a person one canonical form.
//
// People write the same address in many ways: with capitals, with spaces, in
// full width, in decomposed accents, with or without a country code. Accounts
// are unique by canonical form, so two properties carry everything built on
// this package:
//
//   - two inputs name the same identifier if and only if their canonical forms
//     are equal byte for byte;
//   - the canonical form of a canonical form is itself.
//
// Where being generous would let two different mailboxes or two look-alike
// names share a form, the input is refused instead. Nothing here knows about
// instances, settings or storage, and no function has side effects.
package identifier

import (
	"unicode"
	"unicode/utf8"
)

// Code says what is wrong with an input. The list is closed and public:
// clients switch on it, so a code that has shipped keeps its name and meaning.
type Code string

const (
	CodeEmpty             Code = "EMPTY"              // nothing but white space
	CodeTooShort          Code = "TOO_SHORT"          // fewer characters than allowed
	CodeTooLong           Code = "TOO_LONG"           // more characters or bytes than allowed
	CodeInvalidFormat     Code = "INVALID_FORMAT"     // the characters are fine, their arrangement is not
	CodeInvalidCharacter  Code = "INVALID_CHARACTER"  // a character that may not occur at all, or text that is not UTF-8
	CodeMixedScripts      Code = "MIXED_SCRIPTS"      // letters of several writing systems, such as Latin and Cyrillic
	CodeInvalidNumber     Code = "INVALID_NUMBER"     // no such telephone number can exist
	CodeUnsupportedNumber Code = "UNSUPPORTED_NUMBER" // a premium-rate, toll-free or other number that belongs to no person
)

// Error is the only error type this package returns. Message is a sentence
// for the person who typed the input; it never repeats the input.
type Error struct {
	Code    Code
	Message string
}

// Error returns the code and the sentence. It does not contain the input.
func (e *Error) Error() string { return string(e.Code) + ": " + e.Message }

func refuse(code Code, message string) error { return &Error{Code: code, Message: message} }

// checkText refuses what no identifier may contain: bytes that are not UTF-8,
// and control characters, line breaks and NUL among them. It runs before
// white space is trimmed, so that a trailing line break is refused rather
// than forgiven: it has no business in something that ends up in a header.
func checkText(raw string) error {
	if !utf8.ValidString(raw) {
		return refuse(CodeInvalidCharacter, "This is not valid text.")
	}
	for _, r := range raw {
		if isLineOrControl(r) {
			return refuse(CodeInvalidCharacter, "Line breaks and control characters are not allowed.")
		}
	}
	return nil
}

func isLineOrControl(r rune) bool {
	return unicode.Is(unicode.Cc, r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r)
}
