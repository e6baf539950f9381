package identifier

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// Inputs that somebody may take for one another either share a Norm, or one of
// them is refused.
func TestUsernameCollisions(t *testing.T) {
	tests := []struct {
		raw     string
		display string
		norm    string
		code    Code
	}{
		{raw: "abc", display: "abc", norm: "abc"},
		{raw: "ABC", display: "ABC", norm: "abc"},
		{raw: "ＡＢＣ", display: "ABC", norm: "abc"},   // full width
		{raw: "𝐚𝐛𝐜", display: "abc", norm: "abc"},   // mathematical bold
		{raw: "ⓐⓑⓒ", display: "abc", norm: "abc"},   // circled
		{raw: "ﬁsh", display: "fish", norm: "fish"}, // ligature
		{raw: "Straße", display: "Straße", norm: "strasse"},
		{raw: "STRASSE", display: "STRASSE", norm: "strasse"},
		{raw: "STRAẞE", display: "STRAẞE", norm: "strasse"},
		{raw: "İstanbul", display: "İstanbul", norm: "istanbul"}, // dotted capital I
		{raw: "ISTANBUL", display: "ISTANBUL", norm: "istanbul"},
		{raw: "ıstanbul", display: "ıstanbul", norm: "istanbul"}, // dotless i
		{raw: "admın", display: "admın", norm: "admin"},
		{raw: "i\u0307stanbul", code: CodeInvalidCharacter}, // i with a combining dot
		{raw: "Kelvin", display: "Kelvin", norm: "kelvin"},  // Kelvin sign
		{raw: "ſam", display: "sam", norm: "sam"},           // long s
		{raw: "josé", display: "josé", norm: "josé"},
		{raw: "jose\u0301", display: "josé", norm: "josé"}, // decomposed
		{raw: "JOSÉ", display: "JOSÉ", norm: "josé"},
		{raw: "ΣΊΣΥΦΟΣ", display: "ΣΊΣΥΦΟΣ", norm: "σίσυφοσ"},
		{raw: "Σίσυφος", display: "Σίσυφος", norm: "σίσυφοσ"}, // final sigma
		{raw: "аdmin", code: CodeMixedScripts},                // Cyrillic a
		{raw: "pаypal", code: CodeMixedScripts},
		{raw: "gοοgle", code: CodeMixedScripts},          // Greek omicron
		{raw: "admin\u200b", code: CodeInvalidCharacter}, // zero-width space
		{raw: "ad\u200dmin", code: CodeInvalidCharacter}, // joiner
		{raw: "ad\u00admin", code: CodeInvalidCharacter}, // soft hyphen
		{raw: "admin\ufe0f", code: CodeInvalidCharacter}, // variation selector
		{raw: "admin\u202e", code: CodeInvalidCharacter}, // right-to-left override
		{raw: "admin\u3164", code: CodeInvalidCharacter}, // Hangul filler: a letter that shows nothing
		{raw: "admin\uffa0", code: CodeInvalidCharacter}, // its half-width twin
		{raw: "admin\x00", code: CodeInvalidCharacter},
		{raw: "ad\u0336min", code: CodeInvalidCharacter}, // combining stroke
		{raw: "user५", code: CodeInvalidCharacter},       // Devanagari digit
		{raw: "user①", display: "user1", norm: "user1"},
		{raw: "ᎪᎠᎷᏆΝ", code: CodeInvalidCharacter}, // Cherokee is not a recommended script
		{raw: "ꓮꓓꓟꓲꓠ", code: CodeInvalidCharacter}, // Lisu
	}
	for _, tt := range tests {
		got, err := ParseUsername(tt.raw, 1, 64)
		if code := codeOf(t, tt.raw, err); code != tt.code || got.Display != tt.display || got.Norm != tt.norm {
			t.Errorf("ParseUsername(%+q) = %+q, code %q; want %+q, code %q", tt.raw, got, code, Username{tt.display, tt.norm}, tt.code)
		}
	}
}

func TestUsernameWritingSystems(t *testing.T) {
	for _, raw := range []string{
		"Борис", "Борис_7", "Ελένη", "שרה", "محمد", "Անի", "ნინო", "अनिल", "สมชาย", "அருண்", "អនុជា",
		"김철수", "金철수", "山田太郎", "やまだ", "ヤマダー", "山田たろう", "タロー2", "佐々木", "李明", "ㄅㄆ李",
	} {
		if _, err := ParseUsername(raw, 1, 64); err != nil {
			t.Errorf("ParseUsername(%q): %v", raw, err)
		}
	}
	for _, raw := range []string{"Борисb", "aШ", "שara", "김a", "やまだa", "김やまだ", "ㄅ김", "ㄅア", "Ελenη"} {
		_, err := ParseUsername(raw, 1, 64)
		if code := codeOf(t, raw, err); code != CodeMixedScripts {
			t.Errorf("ParseUsername(%q): code %q, want %q", raw, code, CodeMixedScripts)
		}
	}
}

func TestUsernamePunctuation(t *testing.T) {
	for _, raw := range []string{"a", "a.b", "a_b-c.d", "1a", "a1", "007.bond", "  jane "} {
		if _, err := ParseUsername(raw, 1, 64); err != nil {
			t.Errorf("ParseUsername(%q): %v", raw, err)
		}
	}
	for raw, want := range map[string]Code{
		".a": CodeInvalidFormat, "a.": CodeInvalidFormat, "a..b": CodeInvalidFormat, "a._b": CodeInvalidFormat,
		"-a": CodeInvalidFormat, "a_": CodeInvalidFormat, "123": CodeInvalidFormat, "1.2": CodeInvalidFormat,
		"_": CodeInvalidFormat, "a…b": CodeInvalidFormat, // an ellipsis is three full stops
		"a b": CodeInvalidCharacter, "a@b": CodeInvalidCharacter, "a/b": CodeInvalidCharacter, "<b>": CodeInvalidCharacter,
		"a+b": CodeInvalidCharacter, "a😀": CodeInvalidCharacter, "½a": CodeInvalidCharacter, "a’b": CodeInvalidCharacter,
		"\u0301a": CodeInvalidCharacter, "a1\u0301": CodeInvalidCharacter, // a mark needs a letter
		"ก\u0e48\u0e48\u0e48\u0e48": CodeInvalidCharacter, // a tower of marks
	} {
		_, err := ParseUsername(raw, 1, 64)
		if code := codeOf(t, raw, err); code != want {
			t.Errorf("ParseUsername(%+q): code %q, want %q", raw, code, want)
		}
	}
}

// Length is counted in code points of the folded form: ß counts twice, ＡＢＣ
// three times.
func TestUsernameLength(t *testing.T) {
	for _, tt := range []struct {
		raw  string
		want Code
	}{
		{"abc", CodeTooShort}, {"abcd", ""}, {"ßß", ""}, {"ß", CodeTooShort}, {"山田", CodeTooShort}, {"山田太郎", ""},
		{"abcdefgh", ""}, {"abcdefghi", CodeTooLong}, {"ßßßß", ""}, {"ßßßßa", CodeTooLong}, {"ＡＢＣＤＥＦＧＨ", ""},
		{strings.Repeat("a", maxUsernameBytes+1), CodeTooLong},
	} {
		_, err := ParseUsername(tt.raw, 4, 8)
		if code := codeOf(t, tt.raw, err); code != tt.want {
			t.Errorf("ParseUsername(%q, 4, 8): code %q, want %q", tt.raw, code, tt.want)
		}
	}
}

func checkUsernameLaws(t interface{ Errorf(string, ...any) }, raw string) {
	const min, max = 1, 64
	u, err := ParseUsername(raw, min, max)
	if err != nil {
		return
	}
	for _, form := range []string{u.Norm, u.Display, strings.ToUpper(u.Norm), " " + u.Display + " "} {
		if again, err := ParseUsername(form, min, max); err != nil || again.Norm != u.Norm {
			t.Errorf("%+q: its form %+q parses to %+q, %v; want Norm %+q", raw, form, again, err, u.Norm)
		}
	}
	if again, _ := ParseUsername(u.Norm, min, max); again.Display != u.Norm {
		t.Errorf("%+q: Norm %+q is displayed as %+q", raw, u.Norm, again.Display)
	}
	if n := utf8.RuneCountInString(u.Norm); n < min || n > max {
		t.Errorf("%+q: Norm of %d code points", raw, n)
	}
}

func TestUsernameLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		checkUsernameLaws(t, rapid.StringMatching(`[A-Za-z0-9._\-éßİıſﬁςΣǰΐᾳŉẖ]{1,20}`).Draw(t, "raw"))
	})
	rapid.Check(t, func(t *rapid.T) {
		checkUsernameLaws(t, rapid.String().Draw(t, "raw"))
	})
}

// Every code point there is, alone and between Latin, Greek and Cyrillic
// letters: the laws hold for each.
func TestUsernameLawsForEveryRune(t *testing.T) {
	for r := range everyRune() {
		checkUsernameLaws(t, string(r))
		checkUsernameLaws(t, "a"+string(r)+"i")
		if r >= 0x300 && r < 0x3000 {
			checkUsernameLaws(t, "α"+string(r))
			checkUsernameLaws(t, "я"+string(r))
		}
	}
}

func FuzzUsername(f *testing.F) {
	for _, seed := range []string{"Jane_Doe", "İßﬁ", "ＡＢＣ", "山田ー", "a..b", "аdmin", "i\u0307\u0307"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) { checkUsernameLaws(t, raw) })
}
