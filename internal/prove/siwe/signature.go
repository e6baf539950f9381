package siwe

import (
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"

	"stepwise/internal/signup"
)

const (
	// signatureBytes is the length of r, s and v, 32 + 32 + 1.
	signatureBytes = 65
	// legacyV is what v is counted from in personal_sign; some hardware wallets
	// count from 0.
	legacyV = 27
)

// checkSignature returns nil if signature is that of address, in EIP-55 form,
// under text.
func checkSignature(address, text, signature string) error {
	digits, ok := strings.CutPrefix(signature, "0x")
	if !ok || len(digits) != 2*signatureBytes {
		return refuse(signup.SignatureMalformed, "not 0x and 130 hexadecimal digits")
	}
	rsv, err := hex.DecodeString(digits)
	if err != nil { // whose words quote the input
		return refuse(signup.SignatureMalformed, "not 0x and 130 hexadecimal digits")
	}
	var r, s secp256k1.ModNScalar
	if r.SetByteSlice(rsv[:32]) || r.IsZero() || s.SetByteSlice(rsv[32:64]) || s.IsZero() {
		return refuse(signup.SignatureMalformed, "r or s is out of range")
	}
	v := rsv[64]
	if v < legacyV {
		v += legacyV
	}
	if v != legacyV && v != legacyV+1 {
		return refuse(signup.SignatureMalformed, "v is none of 0, 1, 27, 28")
	}
	if s.IsOverHalfOrder() {
		return refuse(signup.SignatureHighS, "s is over half the order")
	}
	// The library wants v first; 27 and 28 mean the same to it.
	key, _, err := ecdsa.RecoverCompact(append([]byte{v}, rsv[:64]...), personalHash(text))
	if err != nil {
		return refuse(signup.SignatureMismatch, "no key makes this signature")
	}
	if keyAddress(key) != address {
		return refuse(signup.SignatureMismatch, "another address signed, or another text")
	}
	return nil
}

// personalHash is what personal_sign signs (EIP-191, version 0x45); the length
// is that of the text's bytes.
func personalHash(text string) []byte {
	return keccak256([]byte("\x19Ethereum Signed Message:\n" + strconv.Itoa(len(text)) + text))
}

// keyAddress is the last 20 bytes of the hash of the key's coordinates.
func keyAddress(key *secp256k1.PublicKey) string {
	uncompressed := key.SerializeUncompressed() // 0x04, x, y
	return checksummed(keccak256(uncompressed[1:])[12:])
}
