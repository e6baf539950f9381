package identifier

import "testing"

func TestMaskEmail(t *testing.T) {
	for address, want := range map[string]string{
		"alice@example.com": "a•••@example.com", "a@example.com": "a•••@example.com", "élan@example.com": "é•••@example.com",
		"": "•••", "alice": "•••", "@example.com": "•••",
	} {
		if got := MaskEmail(address); got != want {
			t.Errorf("MaskEmail(%q) = %q, want %q", address, got, want)
		}
	}
}

func TestMaskPhone(t *testing.T) {
	for e164, want := range map[string]string{
		"+12025550142": "+1 ••• ••• 0142", "+4930123456": "+49 ••• ••• 3456", "+390612345678": "+39 ••• ••• 5678",
		"+29051234": "+290 ••• ••• 34", // five national digits: four would leave one to guess
		"":          "•••", "2025550142": "•••", "+1 202 555 0142": "•••", "+9991234567": "•••",
	} {
		if got := MaskPhone(e164); got != want {
			t.Errorf("MaskPhone(%q) = %q, want %q", e164, got, want)
		}
	}
}
