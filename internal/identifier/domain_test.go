package identifier

import (
	"strings"
	"testing"
)

func TestDomain(t *testing.T) {
	for raw, want := range map[string]string{
		"example.com": "example.com", " EXAMPLE.com ": "example.com", "ｅxample。com": "example.com", "edu": "edu", "co.uk": "co.uk",
		"bücher.example": "xn--bcher-kva.example", "BÜCHER.example": "xn--bcher-kva.example", "xn--bcher-kva.example": "xn--bcher-kva.example",
	} {
		got, err := Domain(raw)
		if err != nil || got != want {
			t.Errorf("%q: %q, %v; want %q", raw, got, err, want)
		}
		if again, err := Domain(got); again != got || err != nil {
			t.Errorf("%q changes: %q, %v", got, again, err)
		}
		if email, err := ParseEmail("jane@a." + strings.TrimSpace(raw)); err != nil || email.Norm != "jane@a."+want {
			t.Errorf("in an address: %q, %v", email.Norm, err)
		}
	}
	for _, raw := range []string{
		"", " ", ".", "example.com.", ".example.com", "example..com", "*.example.com", "jane@example.com", "exa mple.com", "example.com\n",
		"127.0.0.1", "-example.com", "example.com/path", strings.Repeat("a", 64) + ".com", strings.Repeat("a.", 200) + "com", strings.Repeat("a", 600), "\xff.com",
	} {
		if got, err := Domain(raw); err == nil {
			t.Errorf("%q is %q", raw, got)
		}
	}
}
