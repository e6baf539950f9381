package identifier

import (
	"errors"
	"iter"
	"strings"
	"testing"
)

// codeOf returns the code of an error of this package and fails the test for
// any other error and for a message that is not fit to be shown.
func codeOf(t *testing.T, input string, err error) Code {
	t.Helper()
	if err == nil {
		return ""
	}
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("%+q: error of type %T, want *Error", input, err)
	}
	if e.Message == "" || !strings.HasSuffix(e.Message, ".") {
		t.Errorf("%+q: message %q is not a sentence", input, e.Message)
	}
	if len(input) > 8 && strings.Contains(e.Error(), strings.TrimSpace(input)) {
		t.Errorf("%+q: the error repeats the input: %q", input, e.Error())
	}
	return e.Code
}

func TestCodesArePublicAndFixed(t *testing.T) {
	want := map[Code]string{
		CodeEmpty: "EMPTY", CodeTooShort: "TOO_SHORT", CodeTooLong: "TOO_LONG",
		CodeInvalidFormat: "INVALID_FORMAT", CodeInvalidCharacter: "INVALID_CHARACTER",
		CodeMixedScripts: "MIXED_SCRIPTS", CodeInvalidNumber: "INVALID_NUMBER",
		CodeUnsupportedNumber: "UNSUPPORTED_NUMBER",
	}
	for code, name := range want {
		if string(code) != name {
			t.Errorf("code %q was published as %q", code, name)
		}
	}
}

// What no identifier may contain is refused by all four alike, at either end
// too, where white space would have been trimmed.
func TestControlCharactersAreRefusedEverywhere(t *testing.T) {
	parsers := map[string]struct {
		valid string
		parse func(string) error
	}{
		"email":    {"jane@example.com", func(s string) error { _, err := ParseEmail(s); return err }},
		"phone":    {"+12024561111", func(s string) error { _, err := Phone(s, "US"); return err }},
		"username": {"jane", func(s string) error { _, err := ParseUsername(s, 1, 64); return err }},
		"name":     {"Jane", func(s string) error { _, err := PersonName(s); return err }},
	}
	for name, p := range parsers {
		if err := p.parse(p.valid); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, bad := range []string{"\x00", "\r", "\n", "\r\nBcc: x@example.com", "\t", "\x1b[0m", "\x7f", "\u0085", "\u2028", "\u2029", "\xff", "\xc3"} {
			for _, input := range []string{p.valid + bad, bad + p.valid, p.valid[:2] + bad + p.valid[2:]} {
				if got := codeOf(t, input, p.parse(input)); got != CodeInvalidCharacter {
					t.Errorf("%s %+q: code %q, want %q", name, input, got, CodeInvalidCharacter)
				}
			}
		}
		for _, blank := range []string{"", " ", "\u00a0\u3000 "} {
			if got := codeOf(t, blank, p.parse(blank)); got != CodeEmpty {
				t.Errorf("%s %+q: code %q, want %q", name, blank, got, CodeEmpty)
			}
		}
		long := strings.Repeat("a", 1<<20)
		if got := codeOf(t, long, p.parse(long)); got != CodeTooLong {
			t.Errorf("%s of a mebibyte: code %q, want %q", name, got, CodeTooLong)
		}
	}
}

// everyRune yields every code point that may be a character: the Basic and
// Supplementary Multilingual Planes, the ideographs, and the tags. The planes
// left out are empty or for private use.
func everyRune() iter.Seq[rune] {
	return func(yield func(rune) bool) {
		for _, planes := range [][2]rune{{1, 0x3ffff}, {0xe0000, 0xe0fff}} {
			for r := planes[0]; r <= planes[1]; r++ {
				if !yield(r) {
					return
				}
			}
		}
	}
}
