package siwe

import (
	"encoding/hex"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"stepwise/internal/signup"
)

// The examples of EIP-55.
var checksumExamples = []string{
	"0x52908400098527886E0F7030069857D2E4169EE7", "0x8617E340B3D01FA5F11F306F4090FD50E238070D",
	"0xde709f2102306220921060314715629080e2fb77", "0x27b1fdb04752bbc536007a920d24acb045561c26",
	"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
	"0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB", "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
}

func TestAddressHasOneForm(t *testing.T) {
	for _, want := range checksumExamples {
		for _, text := range []string{want, strings.ToLower(want), "0x" + strings.ToUpper(want[2:])} {
			if got, err := prover.Address(text); err != nil || got != want {
				t.Errorf("%s: got %q, %v; want %s", text, got, err, want)
			}
		}
	}
}

// A letter in the wrong case is a wrong checksum, wherever it stands.
func TestAddressChecksItsChecksum(t *testing.T) {
	for _, address := range checksumExamples[4:] {
		for i := 2; i < len(address); i++ {
			if address[i] <= '9' {
				continue
			}
			text := address[:i] + string(address[i]^0x20) + address[i+1:]
			if _, err := prover.Address(text); codeOf(t, err, text) != signup.WalletAddressInvalid {
				t.Errorf("%s: accepted", text)
			}
		}
	}
}

func TestAddressIsRefused(t *testing.T) {
	const good = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
	for name, text := range map[string]string{
		"empty": "", "prefix only": "0x", "no prefix": good[2:], "prefix in capitals": "0X" + good[2:],
		"no prefix, one case": strings.ToLower(good[2:]), "prefix in capitals, one case": "0X" + strings.ToLower(good[2:]),
		"all in capitals": strings.ToUpper(good), "one digit less": good[:41], "one digit more": good + "0",
		"a byte more": good + "00", "a name": "vitalik.eth", "space before": " " + good, "space after": good + " ",
		"line break": good + "\n", "space for a digit": good[:41] + " ", "no digit": good[:41] + "g",
		"NUL": good[:41] + "\x00", "full-width digits": "0x" + strings.Repeat("１", 40),
		"full-width in bytes": "0x" + strings.Repeat("１", 13) + "a", "two prefixes": "0x0x" + good[2:40],
		"Cyrillic letters": strings.Replace(good, "A", "А", 1), "not UTF-8": good[:41] + "\xff",
		"swapped digits": "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAde", "a key": "0x" + strings.Repeat("ab", 32),
	} {
		got, err := prover.Address(text)
		if got != "" || codeOf(t, err, text) != signup.WalletAddressInvalid {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
}

func TestAddressFormIsAFixedPoint(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		account := rapid.SliceOfN(rapid.Byte(), 20, 20).Draw(t, "account")
		digits := hex.EncodeToString(account)
		once, err := prover.Address("0x" + digits)
		if err != nil || !strings.EqualFold(once[2:], digits) {
			t.Fatalf("got %q, %v", once, err)
		}
		if twice, err := prover.Address(once); err != nil || twice != once {
			t.Fatalf("got %q, %v; want %s", twice, err, once)
		}
	})
}

func TestKeccakIsTheOneBeforeTheStandard(t *testing.T) {
	const want = "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
	if got := hex.EncodeToString(keccak256(nil)); got != want {
		t.Errorf("hash of nothing: got %s, want %s", got, want)
	}
}

// Addresses of the keys 1 to 3, which everybody can look up.
func TestAddressOfAKey(t *testing.T) {
	for n, want := range map[byte]string{
		1: "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf",
		2: "0x2B5AD5c4795c026514f8317c7a215E218DcCD6cF",
		3: "0x6813Eb9362372EEF6200f3b1dbC3f819671cBA69",
	} {
		if got := keyAddress(keyOf(n).PubKey()); got != want {
			t.Errorf("key %d: got %s, want %s", n, got, want)
		}
	}
}
