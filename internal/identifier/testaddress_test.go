package identifier

import "testing"

func TestIsTestEmail(t *testing.T) {
	for address, want := range map[string]bool{
		"jane+test@example.com": true, "jane+test1@example.com": true, "jane+test_a-2@example.com": true, "jane+x+test@example.com": true,
		"jane@example.com": false, "test@example.com": false, "+test@example.com": false, "jane+tes@example.com": false,
		"jane+attest@example.com": false, "jane+test.x@example.com": false, "jane+test+x@example.com": false, "jane+testé@example.com": false,
		"jane@test.example.com": false, "jane@x+test": false, "": false, "jane+test@example.com\n": false,
	} {
		if got := IsTestEmail(address); got != want {
			t.Errorf("IsTestEmail(%q) = %v, want %v", address, got, want)
		}
	}
}

func TestIsTestPhone(t *testing.T) {
	for e164, want := range map[string]bool{
		"+12025550100": true, "+12025550199": true, "+15555550142": true, "+19895550142": true,
		"+12025550099": false, "+12025550200": false, "+12025551100": false, "+12024560142": false,
		"+11025550142": false, "+12115550142": false, "+12905550142": false,
		"+442025550142": false, "12025550142": false, "+120255501420": false, "+1202555014": false, "+12025550142\n": false,
	} {
		if got := IsTestPhone(e164); got != want {
			t.Errorf("IsTestPhone(%q) = %v, want %v", e164, got, want)
		}
	}
}
