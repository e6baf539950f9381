package signup_test

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
	"golang.org/x/crypto/sha3"

	"stepwise/engine"
	"stepwise/internal/prove/siwe"
	"stepwise/internal/signup"
)

// wallet holds one key.
type wallet struct {
	key *secp256k1.PrivateKey
	// address is in the form that the service shows (EIP-55).
	address string
}

// walletOf is always the same for the same owner.
func walletOf(owner string) wallet {
	seed := sha256.Sum256([]byte("wallet of " + owner))
	w := wallet{key: secp256k1.PrivKeyFromBytes(seed[:])}
	point := w.key.PubKey().SerializeUncompressed()
	address, err := siwe.Prover{}.Address("0x" + hex.EncodeToString(keccak(point[1:])[12:]))
	if err != nil {
		panic(err) // twenty bytes are an address
	}
	w.address = address
	return w
}

func keccak(data []byte) []byte {
	h := sha3.NewLegacyKeccak256()
	h.Write(data)
	return h.Sum(nil)
}

// sign does what a wallet does for personal_sign.
func (w wallet) sign(message string) string {
	hash := keccak([]byte("\x19Ethereum Signed Message:\n" + strconv.Itoa(len(message)) + message))
	vrs := ecdsa.SignCompact(w.key, hash, false)
	return "0x" + hex.EncodeToString(append(vrs[1:], vrs[0]))
}

// prove signs a message and offers the signature.
func (w wallet) proof(message string) signup.Proof {
	return signup.Proof{Attribute: engine.Web3Wallet, Message: message, Signature: w.sign(message)}
}

func signing(w wallet) signup.Start {
	return signup.Start{Strategy: engine.Web3Signature, Wallet: w.address}
}

// asked is the message that the current sign-up asks a wallet to sign.
func (c *client) asked() string {
	c.Helper()
	v := c.signUp().Verifications[engine.Web3Wallet]
	if v == nil || !strings.Contains(v.Message, "wants you to sign in") {
		c.Fatalf("no wallet is asked for anything: %+v", v)
	}
	return v.Message
}

// signs proves a wallet.
func (c *client) signs(w wallet) signup.Outcome {
	c.Helper()
	wantProblems(c, c.starting(signing(w)))
	return c.offer(w.proof(c.asked()))
}
