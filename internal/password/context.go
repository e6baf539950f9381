package password

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// minContextWord is the length in code points from which a context word
// counts. Shorter ones occur in good passwords by chance.
const minContextWord = 4

// isMostly reports whether at least half of a normalized password is made of
// context words, in any case and with trivial substitutions.
func isMostly(normal string, context []string) bool {
	password := []rune(skeleton(normal))
	covered := make([]bool, len(password))
	for _, word := range contextWords(context) {
		for start := 0; start+len(word) <= len(password); start++ {
			if string(password[start:start+len(word)]) != string(word) {
				continue
			}
			for i := range word {
				covered[start+i] = true
			}
		}
	}
	n := 0
	for _, c := range covered {
		if c {
			n++
		}
	}
	return 2*n >= len(password)
}

// contextWords splits what is known into words: an e-mail address counts by
// its mailbox, its sub-address and the first label of its domain, and a text of
// several words counts by each of them, by all of them written together, and as
// it stands.
func contextWords(context []string) [][]rune {
	var words [][]rune
	add := func(text string) {
		if utf8.RuneCountInString(text) >= minContextWord {
			words = append(words, []rune(skeleton(text)))
		}
	}
	for _, text := range context {
		text = norm.NFKC.String(strings.ToValidUTF8(text, ""))
		local, domain, isAddress := strings.Cut(text, "@")
		if isAddress {
			label, _, _ := strings.Cut(domain, ".")
			add(label)
			mailbox, tag, _ := strings.Cut(local, "+")
			add(tag)
			text = mailbox
		}
		parts := strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) })
		for _, part := range parts {
			add(part)
		}
		if len(parts) > 1 {
			add(strings.Join(parts, ""))
			add(text)
		}
	}
	return words
}
