package signup_test

import (
	"strings"
	"testing"

	"stepwise/engine"
	"stepwise/internal/signup"
)

// TestSentencesFitWhatTheySpeakOf: nobody has a code for a wallet or an account.
func TestSentencesFitWhatTheySpeakOf(t *testing.T) {
	codes := []engine.Code{engine.CodeValueMissing, engine.CodeNotStarted, engine.CodeExpired, engine.CodeTooManyGuesses, engine.CodeIncorrect}
	for _, a := range engine.All.List() {
		for _, code := range codes {
			sentence := signup.Sentence(code, a)
			if sentence == "" || strings.Contains(sentence, "%") {
				t.Errorf("%v, %v: %q", a, code, sentence)
			}
			if speaksOfCodes := strings.Contains(sentence, " code"); engine.Proven.Has(a) && speaksOfCodes {
				t.Errorf("%v, %v: %q", a, code, sentence)
			}
		}
	}
}
