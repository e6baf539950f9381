package oidc

import (
	"encoding/json"
	"strings"

	"stepwise/internal/signup"
)

// claims are the members of a JSON object, by their exact names.
type claims map[string]json.RawMessage

// maxText is in bytes. Longer texts are nobody's name or address.
const maxText = 1024

// text returns a claim that is a JSON string of at most maxText bytes; else "".
func (c claims) text(name string) string {
	var s string
	if json.Unmarshal(c[name], &s) != nil || len(s) > maxText {
		return ""
	}
	return s
}

// isTrue reports whether a claim is the literal true. The string "true" and 1
// are not: providers that take it lightly are not to be believed in this.
func (c claims) isTrue(name string) bool { return string(c[name]) == "true" }

// account reads the standard claims (OpenID Connect Core section 5.1).
func (c claims) account(issuer string) signup.ProvenAccount {
	email := c.text("email")
	return signup.ProvenAccount{
		Issuer:        issuer,
		Subject:       c.text("sub"),
		Email:         email,
		EmailVerified: email != "" && c.isTrue("email_verified"),
		Phone:         c.text("phone_number"),
		FirstName:     c.text("given_name"),
		LastName:      c.text("family_name"),
	}
}

// fillFrom adds what a has not from what b says. The address and whether it is
// verified come from the same place.
func fillFrom(a, b signup.ProvenAccount) signup.ProvenAccount {
	if a.Email == "" {
		a.Email, a.EmailVerified = b.Email, b.EmailVerified
	}
	if a.Phone == "" {
		a.Phone = b.Phone
	}
	return nameFrom(a, b.FirstName, b.LastName)
}

// nameFrom gives an account a name unless it has one: half of one and half of
// another would be nobody's.
func nameFrom(a signup.ProvenAccount, first, last string) signup.ProvenAccount {
	if a.FirstName == "" && a.LastName == "" {
		a.FirstName, a.LastName = first, last
	}
	return a
}

// nameByForm reads the name in Apple's parameter `user`. It comes by way of the
// browser, so that it is worth what the person could have typed, and the rest of
// it, an address among it, is not looked at.
func nameByForm(a signup.ProvenAccount, user string) signup.ProvenAccount {
	var said, name claims
	if len(user) > 8*maxText || json.Unmarshal([]byte(user), &said) != nil || json.Unmarshal(said["name"], &name) != nil {
		return a
	}
	return nameFrom(a, name.text("firstName"), name.text("lastName"))
}

// nameOfTwo splits a name of exactly two words. Others cannot be split without
// knowing whose they are.
func nameOfTwo(name string) (first, last string) {
	if words := strings.Fields(name); len(words) == 2 {
		return words[0], words[1]
	}
	return "", ""
}
