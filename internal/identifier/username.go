package identifier

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Username is a user name in the two forms that are kept.
type Username struct {
	Display string // as typed, in NFKC: capitals kept, ligatures and full width replaced
	Norm    string // what uniqueness compares
}

// maxUsernameBytes bounds the work done before the length is known.
const maxUsernameBytes = 1024

// ParseUsername returns the canonical forms of a user name of at least min
// and at most max code points, counted in Norm (so that a stored Norm always
// parses to itself).
//
// Allowed are letters with their combining marks, the digits 0 to 9, and the
// full stop, the underscore and the hyphen, the latter three neither first,
// nor last, nor next to each other; at least one letter; all letters of one
// writing system. Digits of other scripts are refused because some look like
// a different ASCII digit.
//
// Norm is NFKC followed by full case folding (Unicode, chapter 3.13), with one
// addition: the dotted and the dotless Turkish i are the same as i, since
// "admın" is too close to "admin" to be somebody else.
func ParseUsername(raw string, min, max int) (Username, error) {
	if err := checkText(raw); err != nil {
		return Username{}, err
	}
	if len(raw) > maxUsernameBytes {
		return Username{}, refuse(CodeTooLong, "This user name is too long.")
	}
	display := strings.TrimSpace(norm.NFKC.String(raw))
	if display == "" {
		return Username{}, refuse(CodeEmpty, "Enter a user name.")
	}
	if err := checkUsername(display); err != nil {
		return Username{}, err
	}
	folded := foldUsername(display)
	switch n := utf8.RuneCountInString(folded); {
	case n < min:
		return Username{}, refuse(CodeTooShort, "This user name is too short.")
	case n > max:
		return Username{}, refuse(CodeTooLong, "This user name is too long.")
	}
	return Username{Display: display, Norm: folded}, nil
}

func checkUsername(name string) error {
	letters := newLettering()
	afterPunctuation := true // so that none may come first
	for _, r := range name {
		switch {
		case r == '.' || r == '_' || r == '-':
			if afterPunctuation {
				return refuse(CodeInvalidFormat, "Full stops, underscores and hyphens may only stand between letters and digits.")
			}
			afterPunctuation = true
			letters.other()
			continue
		case '0' <= r && r <= '9':
			letters.other()
		case !letters.letter(r):
			return refuse(CodeInvalidCharacter, "Use letters, the digits 0 to 9, full stops, underscores and hyphens.")
		}
		afterPunctuation = false
	}
	switch {
	case afterPunctuation:
		return refuse(CodeInvalidFormat, "Full stops, underscores and hyphens may only stand between letters and digits.")
	case letters.letters == 0:
		return refuse(CodeInvalidFormat, "A user name needs at least one letter.")
	case letters.mixed():
		return refuse(CodeMixedScripts, "Use letters of one alphabet only.")
	}
	return nil
}

var turkishI = strings.NewReplacer("i\u0307", "i", "\u0131", "i")

// foldUsername folds until nothing changes: folding can undo normalization
// and the other way round, and one more round settles it.
func foldUsername(name string) string {
	fold := cases.Fold()
	for {
		next := norm.NFKC.String(turkishI.Replace(fold.String(name)))
		if next == name {
			return name
		}
		name = next
	}
}
