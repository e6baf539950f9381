package siwe

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"

	"stepwise/engine"
	"stepwise/internal/signup"
)

const (
	order     = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"
	halfOrder = "7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0"
)

// number is an integer as 32 bytes in hexadecimal.
func number(n uint32) string { return fmt.Sprintf("%064x", n) }

// highS is the other signature of the same key under the same text: s negated,
// and v turned.
func highS(signature string) string {
	rsv, err := hex.DecodeString(signature[2:])
	if err != nil {
		panic(err)
	}
	var s secp256k1.ModNScalar
	s.SetByteSlice(rsv[32:64])
	high := s.Negate().Bytes()
	return "0x" + hex.EncodeToString(rsv[:32]) + hex.EncodeToString(high[:]) + hex.EncodeToString([]byte{rsv[64] ^ 7}) // 27 <-> 28
}

func TestSignatures(t *testing.T) {
	key := keyOf(9)
	c := challengeFor(key)
	right := sign(key, prover.Message(c))
	r, s, v := right[2:66], right[66:130], right[130:]
	other, plain, otherPlain := "1b", "01", "00"
	if v == other {
		other, plain, otherPlain = "1c", "00", "01"
	}
	digits := func(r, s, v string) string { return "0x" + r + s + v }

	for _, test := range []struct {
		name, signature string
		want            engine.Code
	}{
		{"as the wallet makes it", right, ""},
		{"v counted from 0", digits(r, s, plain), ""},
		{"capital digits", "0x" + strings.ToUpper(right[2:]), ""},

		{"the other v", digits(r, s, other), signup.SignatureMismatch},
		{"the other v counted from 0", digits(r, s, otherPlain), signup.SignatureMismatch},
		{"another key", sign(keyOf(8), prover.Message(c)), signup.SignatureMismatch},
		{"another text", sign(key, prover.Message(c)+" "), signup.SignatureMismatch},
		{"s is half the order", digits(r, halfOrder, v), signup.SignatureMismatch},
		{"r is the last", digits(order[:63]+"0", s, v), signup.SignatureMismatch},

		{"high s", highS(right), signup.SignatureHighS},
		{"high s with v as it was", highS(right)[:130] + v, signup.SignatureHighS},
		{"s is just over half the order", digits(r, halfOrder[:63]+"1", v), signup.SignatureHighS},
		{"s is the last", digits(r, order[:63]+"0", v), signup.SignatureHighS},

		{"r is 0", digits(number(0), s, v), signup.SignatureMalformed},
		{"s is 0", digits(r, number(0), v), signup.SignatureMalformed},
		{"r is the order", digits(order, s, v), signup.SignatureMalformed},
		{"s is the order", digits(r, order, v), signup.SignatureMalformed},
		{"r is over the order", digits(strings.Repeat("f", 64), s, v), signup.SignatureMalformed},
		{"s is over the order", digits(r, strings.Repeat("f", 64), v), signup.SignatureMalformed},
		{"empty", "", signup.SignatureMalformed},
		{"prefix only", "0x", signup.SignatureMalformed},
		{"no prefix", right[2:], signup.SignatureMalformed},
		{"prefix in capitals", "0X" + right[2:], signup.SignatureMalformed},
		{"no v", right[:130], signup.SignatureMalformed},
		{"compact (ERC-2098)", digits(r, s, ""), signup.SignatureMalformed},
		{"of a contract (EIP-1271)", "0x" + strings.Repeat("00", 20), signup.SignatureMalformed},
		{"of a contract yet to be made (ERC-6492)", right + strings.Repeat("6492", 16), signup.SignatureMalformed},
		{"one digit less", right[:131], signup.SignatureMalformed},
		{"a byte more", right + "00", signup.SignatureMalformed},
		{"no digit", right[:131] + "g", signup.SignatureMalformed},
		{"space", right[:131] + " ", signup.SignatureMalformed},
		{"line break after", right + "\n", signup.SignatureMalformed},
		{"space before", " " + right, signup.SignatureMalformed},
		{"not UTF-8", right[:131] + "\xff", signup.SignatureMalformed},
		{"v with a chain (EIP-155)", digits(r, s, "25"), signup.SignatureMalformed},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := codeOf(t, prover.Verify(c, "", test.signature), test.signature, r, s); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// Of all values of v four are known, and two of these are right.
func TestEveryV(t *testing.T) {
	key := keyOf(9)
	c := challengeFor(key)
	right := sign(key, prover.Message(c))
	counted := map[engine.Code]int{}
	for v := range 256 {
		counted[codeOf(t, prover.Verify(c, "", fmt.Sprintf("%s%02x", right[:130], v)))]++
	}
	if counted[""] != 2 || counted[signup.SignatureMismatch] != 2 || counted[signup.SignatureMalformed] != 252 {
		t.Errorf("got %v", counted)
	}
}

// No bit of r and s can be another.
func TestEveryBitOfTheSignatureCounts(t *testing.T) {
	key := keyOf(9)
	c := challengeFor(key)
	right, err := hex.DecodeString(sign(key, prover.Message(c))[2:])
	if err != nil {
		t.Fatal(err)
	}
	for bit := range 64 * 8 {
		right[bit/8] ^= 1 << (bit % 8)
		if prover.Verify(c, "", "0x"+hex.EncodeToString(right)) == nil {
			t.Errorf("bit %d can be another", bit)
		}
		right[bit/8] ^= 1 << (bit % 8)
	}
}

// An r that is no point's is nobody's signature.
func TestNoPointOfTheCurve(t *testing.T) {
	c := challengeFor(keyOf(9))
	tried := 0
	for x := range uint16(20) {
		var fx, fy secp256k1.FieldVal
		if secp256k1.DecompressY(fx.SetInt(x), false, &fy) || x == 0 {
			continue
		}
		tried++
		got := codeOf(t, prover.Verify(c, "", "0x"+number(uint32(x))+number(1)+"1b"))
		if got != signup.SignatureMismatch {
			t.Errorf("r = %d: got %q", x, got)
		}
	}
	if tried == 0 {
		t.Error("every x is a point's")
	}
}

// With r and s chosen so that the point at infinity is what is recovered,
// which takes no key, nothing is proven.
func TestPointAtInfinityIsNoKey(t *testing.T) {
	c := challengeFor(keyOf(9))
	// For R = kG the key is (sR - eG)/r: with k = 1 and s = e it is nothing, and
	// with k = -1 and s = -e too.
	var s secp256k1.ModNScalar
	s.SetByteSlice(personalHash(prover.Message(c)))
	v := "1b"
	if s.IsOverHalfOrder() {
		s.Negate()
		v = "1c"
	}
	generator := keyOf(1).PubKey().X()
	scalar := s.Bytes()
	got := codeOf(t, prover.Verify(c, "", fmt.Sprintf("0x%064x%x%s", generator, scalar[:], v)))
	if got != signup.SignatureMismatch {
		t.Errorf("got %q", got)
	}
}

// A published example of personal_sign: the documentation of web3.js signs
// "Some data" with this key.
func TestPersonalSign(t *testing.T) {
	raw, err := hex.DecodeString("4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318")
	if err != nil {
		t.Fatal(err)
	}
	const (
		text      = "Some data"
		hash      = "1da44b586eb0729ff70a73c326926f6ed5a25f5b056e7f47fbc6e58d86871655"
		signature = "0xb91467e570a6466aa9e9876cbcd013baba02900b8979d43fe208a4a4f339f5fd6007e74cd82e037b800186422fc2da167c747ef045e5d18a5f5d4300f8e1a0291c"
		address   = "0x2c7536E3605D9C16a7a3D7b1898e529396a65c23"
	)
	if got := hex.EncodeToString(personalHash(text)); got != hash {
		t.Errorf("hash %s, want %s", got, hash)
	}
	if got := sign(secp256k1.PrivKeyFromBytes(raw), text); got != signature {
		t.Errorf("signature %s, want %s", got, signature)
	}
	if err := checkSignature(address, text, signature); err != nil {
		t.Error(err)
	}
}

// The length in what is signed is that of bytes, not of letters.
func TestPersonalSignCountsBytes(t *testing.T) {
	if got, want := personalHash("é"), keccak256([]byte("\x19Ethereum Signed Message:\n2é")); string(got) != string(want) {
		t.Errorf("got %x, want %x", got, want)
	}
}
