package signup_test

import (
	"testing"
	"time"

	"stepwise/internal/deliver"
	"stepwise/internal/signup"
)

// TestAddressesToReturnTo: whatever the settings take survives the way through a
// mail, and browsers agree on where it leads.
func TestAddressesToReturnTo(t *testing.T) {
	outbox := deliver.NewOutbox(nil)
	w := newWorld(t, "")
	w.config.Messenger = outbox
	w.service = signup.New(w.config)
	for address, want := range map[string]bool{
		"https://app.example.com": true, "https://app.example.com/in?a=1&b=%20;'()!$,@:+~": true, "http://[::1]:3000/": true,
		"https://app.example.com/#": false, "https://app.example.com/*": false, "https://*.example.com": false,
		`https://app.example.com\@evil.example`: false, "https://jane@app.example.com": false, "//app.example.com": false,
		"https://app.example.com/ ": false, "https://app.example.com/é": false, "https://app.example.com/?a={b}": false,
		`https://app.example.com/?a="b"`: false, "https://app.example.com/?a=<b>": false, "https://app.example.com/?a=b|c^d`e": false,
		"https://app.example.com/?a=%2": false, "https://app.example.com/?a=%zz": false, "javascript:alert(1)": false, "app://back": false, "": false,
	} {
		_, problems, err := w.service.UpdateSettings(t.Context(), w.secret(), signup.SettingsPatch{AllowedRedirects: []string{address}})
		w.must(err)
		if taken := len(problems) == 0; taken != want {
			t.Errorf("%q is taken: %t", address, taken)
		}
		if !want {
			continue
		}
		w.clock.advance(time.Hour) // mails to one address are counted
		out, err := w.service.Invite(t.Context(), w.secret(), signup.InvitationInput{
			Input: signup.Input{EmailAddress: signup.Given("ada@example.com")}, RedirectURL: address, SendEmail: true,
		})
		if w.must(err); len(out.Problems) > 0 {
			t.Errorf("an invitation to %q: %v", address, out.Problems)
		}
	}
}
