package identifier

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestEmailCanonicalForms(t *testing.T) {
	tests := []struct{ raw, address, norm string }{
		{"jane@example.com", "jane@example.com", "jane@example.com"},
		{"  Jane.Doe@Example.COM ", "Jane.Doe@example.com", "jane.doe@example.com"},
		{"jane+test@example.com", "jane+test@example.com", "jane+test@example.com"},
		{"j.a.n.e@gmail.com", "j.a.n.e@gmail.com", "j.a.n.e@gmail.com"},
		{"o'brien!#$%&*-/=?^_`{|}~@example.com", "o'brien!#$%&*-/=?^_`{|}~@example.com", "o'brien!#$%&*-/=?^_`{|}~@example.com"},
		{"jane@bücher.example", "jane@xn--bcher-kva.example", "jane@xn--bcher-kva.example"},
		{"jane@bu\u0308cher.example", "jane@xn--bcher-kva.example", "jane@xn--bcher-kva.example"},
		{"jane@BÜCHER。example", "jane@xn--bcher-kva.example", "jane@xn--bcher-kva.example"},
		{"jane@ｅｘａｍｐｌｅ.com", "jane@example.com", "jane@example.com"},
		{"jane@faß.example", "jane@xn--fa-hia.example", "jane@xn--fa-hia.example"}, // not fass: RFC 5891 tells them apart
		{"jose\u0301@example.com", "josé@example.com", "josé@example.com"},
		{"JOSÉ@example.com", "JOSÉ@example.com", "josé@example.com"},
		{"Straße@example.com", "Straße@example.com", "straße@example.com"},
		{"Иван.Петров@example.com", "Иван.Петров@example.com", "иван.петров@example.com"},
		{"用户@example.com", "用户@example.com", "用户@example.com"},
		{strings.Repeat("a", 64) + "@example.com", strings.Repeat("a", 64) + "@example.com", strings.Repeat("a", 64) + "@example.com"},
	}
	for _, tt := range tests {
		got, err := ParseEmail(tt.raw)
		if err != nil {
			t.Errorf("ParseEmail(%q): %v", tt.raw, err)
			continue
		}
		if want := (Email{tt.address, tt.norm}); got != want {
			t.Errorf("ParseEmail(%q) = %+v, want %+v", tt.raw, got, want)
		}
	}
}

func TestEmailRefusals(t *testing.T) {
	tests := []struct {
		raw  string
		want Code
	}{
		{"jane", CodeInvalidFormat},
		{"@example.com", CodeInvalidFormat},
		{"jane@", CodeInvalidFormat},
		{"jane@localhost", CodeInvalidFormat},
		{"jane@example.com.", CodeInvalidFormat},
		{"jane@.example.com", CodeInvalidFormat},
		{"jane@example..com", CodeInvalidFormat},
		{"jane@-example.com", CodeInvalidFormat},
		{"jane@exam_ple.com", CodeInvalidFormat},
		{"jane@exam ple.com", CodeInvalidFormat},
		{"jane@example.c", CodeInvalidFormat},
		{"jane@127.0.0.1", CodeInvalidFormat},
		{"jane@１２７.0.0.1", CodeInvalidFormat},
		{"jane@[127.0.0.1]", CodeInvalidFormat},
		{"jane@[IPv6:::1]", CodeInvalidFormat},
		{"jane@xn--a.com", CodeInvalidFormat},
		{"jane@" + strings.Repeat("a", 64) + ".com", CodeInvalidFormat},
		{".jane@example.com", CodeInvalidFormat},
		{"jane.@example.com", CodeInvalidFormat},
		{"ja..ne@example.com", CodeInvalidFormat},
		{"jane@doe@example.com", CodeInvalidCharacter},
		{"Jane <jane@example.com>", CodeInvalidCharacter},
		{"<jane@example.com>", CodeInvalidCharacter},
		{"jane(comment)@example.com", CodeInvalidCharacter},
		{"jane@example.com (comment)", CodeInvalidFormat},
		{`"jane"@example.com`, CodeInvalidCharacter},
		{`"ja ne"@example.com`, CodeInvalidCharacter},
		{`ja\ne@example.com`, CodeInvalidCharacter},
		{"ja ne@example.com", CodeInvalidCharacter},
		{"jane@example.com,joe@example.com", CodeInvalidCharacter},
		{"jane@example.com;joe@example.com", CodeInvalidCharacter},
		{"mailto:jane@example.com", CodeInvalidCharacter},
		{"ja\u200bne@example.com", CodeInvalidCharacter},
		{"😀@example.com", CodeInvalidCharacter},
		{"ｊane@example.com", CodeInvalidCharacter}, // full width: a mailbox of its own, or the plain one?
		{"ﬁ@example.com", CodeInvalidCharacter},
		{"İ@example.com", CodeInvalidCharacter}, // lower case is a plain i
		{"ſ@example.com", CodeInvalidCharacter},
		{"аdmin@example.com", CodeMixedScripts},
		{"jаne@example.com", CodeMixedScripts},
		{strings.Repeat("a", 65) + "@example.com", CodeTooLong},
		{strings.Repeat("a", 60) + "@" + strings.Repeat(strings.Repeat("b", 60)+".", 3) + "example.com", CodeTooLong},
	}
	for _, tt := range tests {
		got, err := ParseEmail(tt.raw)
		if code := codeOf(t, tt.raw, err); code != tt.want {
			t.Errorf("ParseEmail(%q) = %+v, code %q, want %q", tt.raw, got, code, tt.want)
		}
	}
}

func TestEmailLengthLimitIs254Bytes(t *testing.T) {
	fill := strings.Repeat(strings.Repeat("b", 60)+".", 2) // 122 bytes
	address := strings.Repeat("a", 64) + "@" + fill + strings.Repeat("c", 63) + ".com"
	if len(address) != 254 {
		t.Fatalf("the test's address has %d bytes", len(address))
	}
	if _, err := ParseEmail(address); err != nil {
		t.Errorf("254 bytes: %v", err)
	}
	_, err := ParseEmail(address + "m")
	if code := codeOf(t, address, err); code != CodeTooLong {
		t.Errorf("255 bytes: code %q, want %q", code, CodeTooLong)
	}
}

// The laws hold for whatever is accepted, wherever it came from.
func checkEmailLaws(t interface{ Errorf(string, ...any) }, raw string) {
	e, err := ParseEmail(raw)
	if err != nil {
		return
	}
	if again, err := ParseEmail(e.Address); err != nil || again != e {
		t.Errorf("%+q: Address %+q parses to %+v, %v", raw, e.Address, again, err)
	}
	if again, err := ParseEmail(e.Norm); err != nil || again.Norm != e.Norm || again.Address != e.Norm {
		t.Errorf("%+q: Norm %+q parses to %+v, %v", raw, e.Norm, again, err)
	}
	if upper, err := ParseEmail(strings.ToUpper(e.Norm)); isASCII(e.Norm) && (err != nil || upper.Norm != e.Norm) {
		t.Errorf("%+q: in capitals it is %+v, %v", raw, upper, err)
	}
	if isASCII(e.Norm) && !isASCII(e.Address) {
		t.Errorf("%+q: the non-ASCII address %+q shares the Norm of an ASCII one", raw, e.Address)
	}
	if len(e.Address) > maxEmailBytes || strings.ContainsAny(e.Address, " <>\",;:\\()[]") || !utf8.ValidString(e.Address) {
		t.Errorf("%+q: unsafe address %+q", raw, e.Address)
	}
}

func isASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r >= utf8.RuneSelf }) < 0
}

func TestEmailLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		local := rapid.StringMatching(`[A-Za-z0-9.+_'éÉßİıſκΣςЯя-]{1,12}`).Draw(t, "local")
		domain := rapid.StringMatching(`[A-Za-z0-9üÜßäａ。.-]{1,12}\.(com|example|рф|XN--P1AI)`).Draw(t, "domain")
		checkEmailLaws(t, local+"@"+domain)
	})
	rapid.Check(t, func(t *rapid.T) {
		checkEmailLaws(t, rapid.String().Draw(t, "local")+"@"+rapid.String().Draw(t, "domain")+".com")
	})
}

// Every rune on its own in the local part: mail for an address whose Norm is
// ASCII goes to an ASCII mailbox. (The Kelvin sign, for one, is canonically
// equivalent to K and is written as K; the long s is not an s.)
func TestNoOtherMailboxSharesAnASCIINorm(t *testing.T) {
	for r := range everyRune() {
		e, err := ParseEmail(string(r) + "@example.com")
		if err == nil && isASCII(e.Norm) && !isASCII(e.Address) {
			t.Errorf("%+q has the Norm %q", r, e.Norm)
		}
	}
}

func FuzzEmail(f *testing.F) {
	for _, seed := range []string{"Jane.Doe+test@Example.COM", "josé@bücher.example", "İ@xn--p1ai.com", "\"a b\"@c.d", "a@[127.0.0.1]", "a@b。com\r\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) { checkEmailLaws(t, raw) })
}
