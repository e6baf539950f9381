package identifier

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// maxNameLength is the limit of a first or last name, in code points.
const maxNameLength = 100

// maxNameBytes bounds the work done before the length is known.
const maxNameBytes = 4096

// PersonName returns a first or last name in NFC without surrounding white
// space, at most 100 code points long. It is not an identifier and nothing
// compares it; names are taken as people write them, in any mix of scripts.
// Refused are control characters, line breaks, invisible and direction-changing
// characters (the two joiners, which some languages need, excepted) and private
// or unassigned code points.
func PersonName(raw string) (string, error) {
	if err := checkText(raw); err != nil {
		return "", err
	}
	if len(raw) > maxNameBytes {
		return "", refuse(CodeTooLong, "A name can have at most 100 characters.")
	}
	name := strings.TrimSpace(norm.NFC.String(raw))
	visible := false
	for _, r := range name {
		switch {
		case r == zeroWidthNonJoiner || r == zeroWidthJoiner || unicode.IsSpace(r):
		case !unicode.IsGraphic(r) || unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r):
			return "", refuse(CodeInvalidCharacter, "This name contains a character that cannot be shown.")
		default:
			visible = true
		}
	}
	if !visible {
		return "", refuse(CodeEmpty, "Enter a name.")
	}
	if utf8.RuneCountInString(name) > maxNameLength {
		return "", refuse(CodeTooLong, "A name can have at most 100 characters.")
	}
	return name, nil
}

const (
	zeroWidthNonJoiner = '\u200c'
	zeroWidthJoiner    = '\u200d'
)
