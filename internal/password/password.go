// Package password decides whether a password may be used and keeps it as an
// Argon2id hash.
//
// Two things are easy to get wrong and are settled here. A password is text,
// and the same text arrives as different bytes from different keyboards: it is
// normalized to NFKC before it is measured, checked or hashed, as NIST SP
// 800-63B advises, so that a password set on one device works on another. And
// hashing is deliberately expensive, which makes it the easiest way to bring a
// server down: a Hasher does only as many hashes at once as there are
// processors, lets a limited number of callers wait, and tells the rest at once
// that it is busy.
//
// No error and no message of this package contains a password, a part of one,
// or a hash.
package password

import (
	"errors"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// ErrInvalid says that a string cannot be a password: it is empty, is not
// UTF-8, contains NUL, or is larger than 4096 bytes. Nothing is ever truncated.
var ErrInvalid = errors.New("password: empty, too large, or not valid text")

// maxBytes bounds the work before any other limit applies. It is well above
// what 256 code points need in any normalization form people type.
const maxBytes = 4096

// Normal returns the form of a password that is measured, checked and hashed, or
// ErrInvalid.
func Normal(password string) (string, error) {
	if password == "" || len(password) > maxBytes || !utf8.ValidString(password) || strings.ContainsRune(password, 0) {
		return "", ErrInvalid
	}
	return norm.NFKC.String(password), nil
}
