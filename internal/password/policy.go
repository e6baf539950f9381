package password

import (
	"fmt"
	"unicode/utf8"
)

// Code says what is wrong with a password. The list is closed and public.
type Code string

const (
	CodeTooShort  Code = "TOO_SHORT"
	CodeTooLong   Code = "TOO_LONG"
	CodeTooCommon Code = "TOO_COMMON" // on the list of common passwords, or a trivial variation or pattern
	CodeContext   Code = "CONTEXT"    // mostly a word that belongs to the person or the application
	CodeInvalid   Code = "INVALID"    // not valid UTF-8, or contains NUL
)

// Problem is one reason to refuse a password. Message is a sentence for the
// person choosing it and repeats nothing of it.
type Problem struct {
	Code    Code
	Message string
}

// Policy says which passwords are acceptable. Lengths are in code points
// after NFKC normalization. There are no composition rules: they make
// passwords harder to remember and no harder to guess.
type Policy struct {
	MinLength int
	MaxLength int
	// AllowCommon and AllowContext leave out the comparison with what everybody tries
	// first, and with what is known of the person.
	AllowCommon, AllowContext bool
}

// DefaultPolicy is the least that NIST SP 800-63B asks for where the password
// is not the only factor.
var DefaultPolicy = Policy{MinLength: 8, MaxLength: 256}

// Check returns everything that speaks against a password, and nothing if it
// is acceptable. context are words that somebody who knows the person would
// try: the application's name, the e-mail address, the user name, first and
// last name; empty ones are ignored. Only a sound password that keeps to the
// lengths is compared with anything, so the work is bounded by MaxLength.
func (p Policy) Check(password string, context ...string) []Problem {
	if password == "" {
		return []Problem{p.tooShort()}
	}
	if len(password) > maxBytes {
		return []Problem{p.tooLong()}
	}
	normal, err := Normal(password)
	if err != nil {
		return []Problem{{CodeInvalid, "This password contains something that is not text."}}
	}
	switch n := utf8.RuneCountInString(normal); {
	case n < p.MinLength:
		return []Problem{p.tooShort()}
	case n > p.MaxLength:
		return []Problem{p.tooLong()}
	}
	var problems []Problem
	if !p.AllowCommon && isCommon(normal) {
		problems = append(problems, Problem{CodeTooCommon, "This password is among the first that others would try."})
	}
	if !p.AllowContext && isMostly(normal, context) {
		problems = append(problems, Problem{CodeContext, "Choose a password that is not made from your name, your address or the name of this service."})
	}
	return problems
}

func (p Policy) tooShort() Problem {
	return Problem{CodeTooShort, fmt.Sprintf("Use at least %d characters.", p.MinLength)}
}

func (p Policy) tooLong() Problem {
	return Problem{CodeTooLong, fmt.Sprintf("Use at most %d characters.", p.MaxLength)}
}
