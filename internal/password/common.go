package password

import (
	_ "embed"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

//go:generate go run ./commonlist -out common.txt

// commonList holds common passwords in lower case, sorted, one a line. Its
// origin and licence are in NOTICE.
//
//go:embed common.txt
var commonList string

// commonSkeletons is the list as it is searched: the skeletons, sorted.
var commonSkeletons = sync.OnceValue(func() []string {
	words := strings.Fields(commonList)
	for i, word := range words {
		words[i] = skeleton(word)
	}
	slices.Sort(words)
	return slices.Compact(words)
})

// look maps the characters that people swap for letters, and the letters they
// look like, to one of them.
var look = strings.NewReplacer(
	"0", "o",
	"1", "i", "!", "i", "|", "i", "l", "i",
	"3", "e",
	"4", "a", "@", "a",
	"5", "s", "$", "s",
	"7", "t", "+", "t",
	"8", "b",
)

// skeleton is equal for passwords that differ only in case and in trivial
// substitutions, such as p@ssw0rd and Password.
func skeleton(s string) string { return look.Replace(strings.ToLower(s)) }

const (
	maxSuffix = 4 // digits and symbols at the end that do not make a common password uncommon
	minBase   = 4 // code points that must be left without them
)

// IsCommon reports whether a password is among the first that others would try. What
// is no password is not.
func IsCommon(password string) bool {
	normal, err := Normal(password)
	return err == nil && isCommon(normal)
}

// isCommon reports whether a normalized password is on the list, is on the
// list but for its case, trivial substitutions or a short tail of digits and
// symbols, or is an obvious pattern.
func isCommon(normal string) bool {
	if isRepetition(normal) || isRun(normal) {
		return true
	}
	base := normal
	for range maxSuffix + 1 {
		if _, found := slices.BinarySearch(commonSkeletons(), skeleton(base)); found {
			return true
		}
		last, size := utf8.DecodeLastRuneInString(base)
		base = base[:len(base)-size]
		if unicode.IsLetter(last) || utf8.RuneCountInString(base) < minBase {
			return false
		}
	}
	return false
}

// maxBlock is the longest block whose repetition counts as a pattern.
const maxBlock = 4

// isRepetition reports whether the password is a short block again and again:
// aaaaaaaa, abababab, 12341234.
func isRepetition(normal string) bool {
	runes := []rune(strings.ToLower(normal))
	for block := 1; block <= maxBlock && 2*block <= len(runes); block++ {
		if slices.Equal(runes[block:], runes[:len(runes)-block]) {
			return true
		}
	}
	return false
}

// isRun reports whether every character follows the one before it, upwards or
// downwards: abcdefgh, 98765432.
func isRun(normal string) bool {
	runes := []rune(strings.ToLower(normal))
	if len(runes) < 2 {
		return false
	}
	step := runes[1] - runes[0]
	if step != 1 && step != -1 {
		return false
	}
	for i := 1; i < len(runes); i++ {
		if runes[i]-runes[i-1] != step {
			return false
		}
	}
	return true
}
