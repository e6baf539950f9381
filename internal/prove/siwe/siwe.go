// Package siwe proves that somebody holds the key of an Ethereum address, by
// Sign-In with Ethereum: the wallet signs a text that names the app, the
// address, a nonce and two times (EIP-4361, version 1), and the address is
// recovered from the signature (EIP-191 personal_sign, secp256k1).
//
// There is one valid text for each challenge, and only its exact bytes count.
// A text that differs is taken apart just to say where.
//
// Only addresses that are keys ("externally owned accounts") can be proven.
// What a contract wallet answers (EIP-1271) means what the contract says at that
// moment, which only a node of its chain can tell; this service has none. Such
// answers, and compact signatures (ERC-2098), are not 65 bytes and are refused
// for that. Of the two signatures that a signer's (r, s) and (r, -s) stand for,
// only the one with the lower s is accepted (EIP-2), so that nobody can make a
// second valid one out of one they have seen.
package siwe

import (
	"errors"

	"stepwise/engine"
	"stepwise/internal/signup"
)

// Prover implements signup.WalletProver. Its zero value is ready to use; it
// keeps nothing, does no I/O and looks at no clock.
type Prover struct{}

var _ signup.WalletProver = Prover{}

// Message returns the text of EIP-4361 for c, in which times are RFC 3339 in
// UTC with three digits of milliseconds, the rest cut off. The statement's line
// is left out where it is empty.
//
// What c holds is not checked: its fields are the server's own. Wallets may warn
// about a text whose fields break the grammar, for which the statement must be
// ASCII without any of "%<>\^`{|} and the nonce at least eight letters and digits.
func (Prover) Message(c signup.WalletChallenge) string {
	return challengeMessage(c).String()
}

// Verify implements signup.WalletProver. Of several differences between message
// and the challenge, the code is that of the first in the text's order. The
// differences are those of meaning: a text that says the same in other bytes,
// such as a time in another zone, is SIWE_MALFORMED. So is one outside the
// grammar. A text with a scheme before the domain differs in its domain.
func (Prover) Verify(c signup.WalletChallenge, message, signature string) error {
	want := challengeMessage(c)
	text := want.String()
	if message != "" && message != text {
		got, err := parse(message)
		if err != nil {
			return &signup.ProofError{Code: signup.SIWEMalformed, Cause: err}
		}
		return refuse(difference(got, want), "the message differs from the challenge")
	}
	return checkSignature(c.Address, text, signature)
}

// refuse makes an error of this package; cause must be fixed words.
func refuse(code engine.Code, cause string) error {
	return &signup.ProofError{Code: code, Cause: errors.New(cause)}
}
