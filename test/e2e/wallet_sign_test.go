package e2e

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"math/big"
	"os/exec"
	"strings"
	"testing"
)

// wallet is a key of the library viem, which signs in a process of its own.
type wallet struct {
	privateKey, address string
}

// Keys that anybody may know.
var (
	firstWallet  = wallet{"0x" + strings.Repeat("01", 32), "0x1a642f0E3c3aF545E7AcBD38b07251B3990914F1"}
	secondWallet = wallet{"0x" + strings.Repeat("02", 32), "0x5050A4F4b3f9338C3472dcC01A87C76A144b3c9c"}
)

// signed is what came out of the wallet.
type signed struct {
	Address, Message, Signature string
	Fields                      map[string]any
}

// sign signs the message as it is, as personal_sign does.
func (w wallet) sign(t testing.TB, message string) signed {
	t.Helper()
	return w.ask(t, map[string]any{"message": message})
}

// signFields has viem make a message of EIP-4361 out of its fields, and signs it.
func (w wallet) signFields(t testing.TB, fields map[string]any) signed {
	t.Helper()
	return w.ask(t, map[string]any{"fields": fields})
}

func (w wallet) ask(t testing.TB, request map[string]any) signed {
	t.Helper()
	request["privateKey"] = w.privateKey
	command := exec.CommandContext(t.Context(), "node", "wallet.mjs")
	command.Dir, command.Stdin = webFolder, bytes.NewReader(encode(t, request))
	var stderr bytes.Buffer
	command.Stderr = &stderr
	answer, err := command.Output()
	if err != nil {
		t.Fatalf("wallet: %v: %s", err, stderr.String())
	}
	var s signed
	if err := json.Unmarshal(answer, &s); err != nil {
		t.Fatal(err)
	}
	if s.Address != w.address {
		t.Fatalf("the wallet's address is %s, want %s", s.Address, w.address)
	}
	return s
}

// start is what begins the wallet's verification.
func (w wallet) start(more ...any) map[string]any {
	return changed(map[string]any{"strategy": "WEB3_SIGNATURE", "web3Wallet": w.address}, more...)
}

// proof is what is offered then.
func (s signed) proof() map[string]any {
	return map[string]any{"signature": s.Signature, "message": s.Message}
}

func walletMessage(t testing.TB, s signUp) string {
	t.Helper()
	v := s.Verifications.Web3Wallet
	if v == nil || v.Challenge == nil || v.Challenge.Message == "" {
		t.Fatalf("no message to sign: %+v", v)
	}
	return v.Challenge.Message
}

// order is that of the group of secp256k1.
var order, _ = new(big.Int).SetString("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141", 16)

// highS returns the other signature of the same key under the same message, which
// EIP-2 rules out.
func highS(t testing.TB, signature string) string {
	t.Helper()
	raw, err := hex.DecodeString(strings.TrimPrefix(signature, "0x"))
	if err != nil || len(raw) != 65 {
		t.Fatalf("signature %s: %v", signature, err)
	}
	s := new(big.Int).SetBytes(raw[32:64])
	s.Sub(order, s).FillBytes(raw[32:64])
	raw[64] ^= 27 ^ 28 // the other of the two points
	return "0x" + hex.EncodeToString(raw)
}
