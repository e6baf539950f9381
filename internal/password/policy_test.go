package password

import (
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"
)

func codes(problems []Problem) []Code {
	var list []Code
	for _, p := range problems {
		list = append(list, p.Code)
	}
	return list
}

func TestLengthIsCountedInCodePoints(t *testing.T) {
	for _, tt := range []struct {
		password string
		min      int
		want     []Code
	}{
		{"", 8, []Code{CodeTooShort}},
		{"kx1 fqz", 8, []Code{CodeTooShort}},
		{"kx1 fqzw", 8, nil},
		{"kx1 fqzw dd mvp", 15, nil},
		{"kx1 fqzw dd mv", 15, []Code{CodeTooShort}},
		{"ключ зам", 8, nil}, {"ключ за", 8, []Code{CodeTooShort}},
		{"🐎🔋📎🍇🦊🎻🪁🧭", 8, nil}, {"🐎🔋📎🍇🦊🎻🪁", 8, []Code{CodeTooShort}},
		{"e\u0301a\u0308u\u0308o\u0308", 8, []Code{CodeTooShort}}, // eight bytes' worth of marks, four letters
		{strings.Repeat("long pass phrase! ", 4)[:64], 8, nil},
		{strings.Repeat("0123456789abcdef", 16), 8, nil},
		{strings.Repeat("0123456789abcdef", 16) + "x", 8, []Code{CodeTooLong}},
		{strings.Repeat("длинный пароль42", 16), 8, nil},
		{strings.Repeat("x", maxBytes+1), 8, []Code{CodeTooLong}},
		{"with\x00nul inside", 8, []Code{CodeInvalid}},
		{"not utf-8 \xff\xfe", 8, []Code{CodeInvalid}},
	} {
		got := Policy{MinLength: tt.min, MaxLength: 256}.Check(tt.password)
		if !slices.Equal(codes(got), tt.want) {
			t.Errorf("Check(%.40q) with at least %d: %v, want %v", tt.password, tt.min, codes(got), tt.want)
		}
	}
}

func TestNoCompositionRules(t *testing.T) {
	for _, good := range []string{"correct horse battery staple", "zanzibar kettle", "9274610385", "QWXZJKVB", "    spaced    out   "} {
		if got := DefaultPolicy.Check(good); got != nil {
			t.Errorf("Check(%q): %v", good, codes(got))
		}
	}
}

func TestCommonPasswords(t *testing.T) {
	for _, bad := range []string{
		"password", "Password", "PASSWORD", "ｐａｓｓｗｏｒｄ", "p@ssw0rd", "P@$$W0RD", "pa55word", "passw0rd!", "password1", "password123", "Password2024", "password!!", "P@ssw0rd2024",
		"12345678", "123456789", "87654321", "iloveyou", "sunshine", "football1", "qwertyuiop", "letmein1", "letmein!", "dragon2024", "m0nk3y12", "princess", "trustno1", "abcdefgh", "hgfedcba",
		"aaaaaaaa", "abababab", "AbabABab", "12341234", "xyzxyzxyz", "........",
	} {
		if got := codes(DefaultPolicy.Check(bad)); !slices.Equal(got, []Code{CodeTooCommon}) {
			t.Errorf("Check(%q): %v, want TOO_COMMON", bad, got)
		}
	}
	for _, good := range []string{
		"password-of-the-lighthouse", "my dragon sleeps", "dragon 2024 dragon x", "sunshinekettle", "12345678x",
		"password7351904", // seven digits are no trivial tail
		"abcabcabd", "love7351904", "abcdefgx",
	} {
		if got := DefaultPolicy.Check(good); got != nil {
			t.Errorf("Check(%q): %v", good, codes(got))
		}
	}
}

// The list and everything in it, as it is and as people disguise it.
func TestCommonList(t *testing.T) {
	words := strings.Split(strings.TrimSuffix(commonList, "\n"), "\n")
	if len(words) < 3000 {
		t.Errorf("the list has %d words", len(words))
	}
	for i, word := range words {
		if i > 0 && words[i-1] >= word {
			t.Fatalf("line %d is out of order", i+1)
		}
		if word == "" || word != strings.ToLower(word) || strings.ContainsAny(word, " \t\r") || norm.NFKC.String(word) != word {
			t.Fatalf("line %d is not in canonical form", i+1)
		}
		for _, disguise := range []string{word, strings.ToUpper(word), strings.NewReplacer("a", "@", "o", "0", "i", "1").Replace(word), word + "1", word + "2024"} {
			n := len([]rune(disguise))
			if n < DefaultPolicy.MinLength || len([]rune(word)) < minBase {
				continue
			}
			if !slices.Contains(codes(DefaultPolicy.Check(disguise)), CodeTooCommon) {
				t.Errorf("%q on line %d is acceptable", disguise, i+1)
			}
		}
	}
}

func TestContextWords(t *testing.T) {
	context := []string{"Stepwise", "jane.doe+news@example.com", "jane_the_3rd", "Jane", "Ó Súilleabháin", ""}
	for _, bad := range []string{
		"stepwise", "Stepwise!", "STEPWISE2024", "st3pw1s3", "$tepwise99", "my-stepwise", "stepwisestepwise",
		"janedoe1985", "jane.doe1", "jane.doe+news", "JaneJane99", "example2024", "jane_the_3rd", "janethe3rd!", "janestepwise42x",
		"súilleabháin7", "su\u0301illeabha\u0301in7",
	} {
		if got := codes(DefaultPolicy.Check(bad, context...)); !slices.Contains(got, CodeContext) {
			t.Errorf("Check(%q): %v, want CONTEXT", bad, got)
		}
	}
	for _, good := range []string{
		"stepwise is what I climb", "jane kettle zanzibar", "doe a deer a female", // mentions are fine, and words of three letters are chance
		"correct horse battery staple", "комната с видом",
	} {
		if got := DefaultPolicy.Check(good, context...); got != nil {
			t.Errorf("Check(%q): %v", good, codes(got))
		}
	}
	if got := DefaultPolicy.Check("stepwise2024"); got != nil {
		t.Errorf("without context: %v", codes(got))
	}
	if got := codes(DefaultPolicy.Check("sunshine", "sunshine@example.com")); !slices.Equal(got, []Code{CodeTooCommon, CodeContext}) {
		t.Errorf("both at once: %v", got)
	}
}

func TestMessagesAreSentencesWithoutThePassword(t *testing.T) {
	for _, password := range []string{"", "short77", "sunshine", "jane.doe77", "nul\x00nul\x00nul", strings.Repeat("verylong", 100)} {
		for _, problem := range DefaultPolicy.Check(password, "jane.doe@example.com") {
			if !strings.HasSuffix(problem.Message, ".") || password != "" && strings.Contains(problem.Message, password) {
				t.Errorf("%s: %q", problem.Code, problem.Message)
			}
		}
	}
}

// A password is judged by its text: every normalization form of it is judged
// alike, whatever it and the context contain.
func checkPolicyLaws(t interface{ Errorf(string, ...any) }, password, context string) {
	got := DefaultPolicy.Check(password, context)
	if len(got) == 0 {
		if _, err := Normal(password); err != nil {
			t.Errorf("%+q is acceptable but cannot be hashed", password)
		}
	}
	if again := DefaultPolicy.Check(norm.NFKC.String(password), context); !slices.Equal(got, again) && len(password) <= maxBytes/20 {
		t.Errorf("%+q with %+q: %v, normalized %v", password, context, codes(got), codes(again))
	}
}

func TestPolicyLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		checkPolicyLaws(t, rapid.String().Draw(t, "password"), rapid.String().Draw(t, "context"))
	})
}

func FuzzPolicy(f *testing.F) {
	f.Add("p@ssw0rd2024", "jane.doe@example.com")
	f.Add("e\u0301e\u0301e\u0301e\u0301", "\xff@.")
	f.Add("ﷺﷺ\x00", "@")
	f.Fuzz(func(t *testing.T, password, context string) { checkPolicyLaws(t, password, context) })
}

// Each comparison can be left out; the lengths and what is no text cannot.
func TestRulesLeftOut(t *testing.T) {
	for _, tt := range []struct {
		password              string
		common, context, both []Code
	}{
		{"password123", nil, []Code{CodeTooCommon}, nil},
		{"jane jane 1", []Code{CodeContext}, nil, nil},
		{"short", []Code{CodeTooShort}, []Code{CodeTooShort}, []Code{CodeTooShort}},
		{"with\x00nul inside", []Code{CodeInvalid}, []Code{CodeInvalid}, []Code{CodeInvalid}},
	} {
		for _, try := range []struct {
			policy Policy
			want   []Code
		}{
			{Policy{MinLength: 8, MaxLength: 256, AllowCommon: true}, tt.common},
			{Policy{MinLength: 8, MaxLength: 256, AllowContext: true}, tt.context},
			{Policy{MinLength: 8, MaxLength: 256, AllowCommon: true, AllowContext: true}, tt.both},
		} {
			if got := codes(try.policy.Check(tt.password, "Jane")); !slices.Equal(got, try.want) {
				t.Errorf("%q with %+v: %v, want %v", tt.password, try.policy, got, try.want)
			}
		}
	}
}

func TestIsCommon(t *testing.T) {
	for password, want := range map[string]bool{
		"P@ssw0rd2024": true, "ｐａｓｓｗｏｒｄ": true, "abababab": true, "seven purple otters": false, "": false, "password\x00": false, "password\xff": false,
	} {
		if got := IsCommon(password); got != want {
			t.Errorf("IsCommon(%q) is %v", password, got)
		}
	}
}
