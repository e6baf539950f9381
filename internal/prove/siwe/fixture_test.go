package siwe

import (
	"encoding/hex"
	"errors"
	"strings"
	"time"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
	"pgregory.net/rapid"

	"stepwise/engine"
	"stepwise/internal/signup"
)

var prover Prover

// keyOf is the private key with that number.
func keyOf(n byte) *secp256k1.PrivateKey {
	return secp256k1.PrivKeyFromBytes([]byte{n})
}

// challengeFor is a challenge that has every field a challenge can have.
func challengeFor(key *secp256k1.PrivateKey) signup.WalletChallenge {
	return signup.WalletChallenge{
		Domain: "app.example.com", URI: "https://app.example.com",
		Address: keyAddress(key.PubKey()), Statement: "Sign up to Example.",
		ChainID: 137, Nonce: "q2Wer4Tz6uI8",
		IssuedAt: time.Date(2031, 2, 3, 4, 5, 6, 789e6, time.UTC),
		ExpireAt: time.Date(2031, 2, 3, 4, 15, 6, 789e6, time.UTC),
	}
}

// sign does what a wallet does for personal_sign.
func sign(key *secp256k1.PrivateKey, text string) string {
	vrs := ecdsa.SignCompact(key, personalHash(text), false)
	return "0x" + hex.EncodeToString(append(vrs[1:], vrs[0]))
}

// codeOf returns the code of an error of this package, "" for nil. It fails the
// test for any other error, and for one that repeats what it was given.
func codeOf(t rapid.TB, err error, given ...string) engine.Code {
	t.Helper()
	if err == nil {
		return ""
	}
	var refused *signup.ProofError
	if !errors.As(err, &refused) {
		t.Fatalf("error of type %T, want *signup.ProofError", err)
	}
	for _, text := range given {
		for word := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == '\n' || r == ' ' }) {
			if len(word) >= 10 && strings.Contains(err.Error(), word) {
				t.Errorf("the error repeats its input: %q", err)
			}
		}
	}
	return refused.Code
}

// challenges draws challenges within the grammar.
func challenges(t *rapid.T) (signup.WalletChallenge, *secp256k1.PrivateKey) {
	key := secp256k1.PrivKeyFromBytes(append([]byte{1}, rapid.SliceOfN(rapid.Byte(), 31, 31).Draw(t, "key")...))
	host := rapid.StringMatching(`([a-z0-9-]{1,10}\.){0,3}[a-z0-9]{1,10}(:[0-9]{1,5})?`).Draw(t, "domain")
	// Years of four digits, which is all that RFC 3339 knows.
	moment := rapid.Int64Range(-62135596800000, 253402300799999)
	return signup.WalletChallenge{
		Domain: host, URI: rapid.SampledFrom([]string{"https://", "http://"}).Draw(t, "scheme") + host,
		Address:   keyAddress(key.PubKey()),
		Statement: rapid.StringMatching(`[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;= ]{0,40}`).Draw(t, "statement"),
		ChainID:   rapid.Int64Min(0).Draw(t, "chain"),
		Nonce:     rapid.StringMatching(`[A-Za-z0-9]{8,40}`).Draw(t, "nonce"),
		IssuedAt:  time.UnixMilli(moment.Draw(t, "issued")),
		ExpireAt:  time.UnixMilli(moment.Draw(t, "expires")),
	}, key
}
