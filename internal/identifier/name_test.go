package identifier

import (
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"
)

func TestPersonName(t *testing.T) {
	for raw, want := range map[string]string{
		"Jane": "Jane", "  Jane  ": "Jane", "\u3000山田\u3000": "山田", "Jose\u0301": "José",
		"O’Brien-Smith, Jr.": "O’Brien-Smith, Jr.", "Mary Ann": "Mary Ann", "X Æ A-12": "X Æ A-12",
		"Nguyễn": "Nguyễn", "علی\u200cرضا": "علی\u200cرضا", "Иван John": "Иван John",
		strings.Repeat("é", 100): strings.Repeat("é", 100), strings.Repeat("e\u0301", 100): strings.Repeat("é", 100),
	} {
		if got, err := PersonName(raw); err != nil || got != want {
			t.Errorf("PersonName(%+q) = %+q, %v; want %+q", raw, got, err, want)
		}
	}
	for raw, want := range map[string]Code{
		"\u200d": CodeEmpty, " \u200c ": CodeEmpty,
		"Jane\u202eeoD": CodeInvalidCharacter, "Ja\u200bne": CodeInvalidCharacter, "\ufeffJane": CodeInvalidCharacter,
		"\u3164": CodeInvalidCharacter, "Jane\ue000": CodeInvalidCharacter, "Jane\U000e0041": CodeInvalidCharacter, "Jane\uffff": CodeInvalidCharacter,
		strings.Repeat("a", 101): CodeTooLong, strings.Repeat("山", 101): CodeTooLong,
	} {
		got, err := PersonName(raw)
		if code := codeOf(t, raw, err); code != want {
			t.Errorf("PersonName(%+q) = %+q, code %q, want %q", raw, got, code, want)
		}
	}
}

func checkNameLaws(t interface{ Errorf(string, ...any) }, raw string) {
	name, err := PersonName(raw)
	if err != nil {
		return
	}
	if again, err := PersonName(name); err != nil || again != name {
		t.Errorf("%+q: %+q becomes %+q, %v", raw, name, again, err)
	}
	if n := utf8.RuneCountInString(name); n < 1 || n > maxNameLength {
		t.Errorf("%+q: %d code points", raw, n)
	}
	if !norm.NFC.IsNormalString(name) || strings.TrimSpace(name) != name || strings.ContainsFunc(name, isLineOrControl) {
		t.Errorf("%+q: %+q is not canonical", raw, name)
	}
}

func TestPersonNameLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { checkNameLaws(t, rapid.String().Draw(t, "raw")) })
}

func FuzzPersonName(f *testing.F) {
	for _, seed := range []string{" Jane ", "Jose\u0301", "\u200d", "a\u202eb", "\u2000\u0301"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) { checkNameLaws(t, raw) })
}
