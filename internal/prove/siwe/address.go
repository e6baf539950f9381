package siwe

import (
	"encoding/hex"
	"strings"

	"golang.org/x/crypto/sha3"

	"stepwise/internal/signup"
)

// addressDigits is the number of hexadecimal digits of an address.
const addressDigits = 40

// Address implements signup.WalletProver. White space around the address is no
// part of one, and neither is the prefix 0X.
func (Prover) Address(text string) (string, error) {
	digits, ok := strings.CutPrefix(text, "0x")
	if !ok || len(digits) != addressDigits {
		return "", refuse(signup.WalletAddressInvalid, "not 0x and 40 hexadecimal digits")
	}
	account, err := hex.DecodeString(digits)
	if err != nil { // whose words quote the input
		return "", refuse(signup.WalletAddressInvalid, "not 0x and 40 hexadecimal digits")
	}
	address := checksummed(account)
	oneCase := digits == strings.ToLower(digits) || digits == strings.ToUpper(digits)
	if text != address && !oneCase {
		return "", refuse(signup.WalletAddressInvalid, "wrong checksum")
	}
	return address, nil
}

// checksummed returns the EIP-55 form of an account's 20 bytes: a letter is a
// capital where the digit at its place of the hash is 8 or more.
func checksummed(account []byte) string {
	digits := []byte(hex.EncodeToString(account))
	hash := hex.EncodeToString(keccak256(digits))
	for i, d := range digits {
		if d >= 'a' && hash[i] >= '8' { // '8' to '9' and 'a' to 'f'
			digits[i] = d - 'a' + 'A'
		}
	}
	return "0x" + string(digits)
}

// keccak256 is the hash that Ethereum uses: SHA-3 as it was submitted, with
// another padding than the standard's.
func keccak256(data []byte) []byte {
	h := sha3.NewLegacyKeccak256()
	h.Write(data) // never fails
	return h.Sum(nil)
}
