package siwe

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"math"
	"os/exec"
	"testing"
	"time"

	"stepwise/internal/realtest"
	"stepwise/internal/signup"
)

// siweFields are the fields of a message as viem names them.
type siweFields struct {
	Domain         string `json:"domain"`
	Address        string `json:"address"`
	Statement      string `json:"statement,omitempty"`
	URI            string `json:"uri"`
	Version        string `json:"version"`
	ChainID        int64  `json:"chainId"`
	Nonce          string `json:"nonce"`
	IssuedAt       string `json:"issuedAt"`
	ExpirationTime string `json:"expirationTime"`
}

// walletRequest and walletAnswer are what wallet.mjs reads and writes.
type walletRequest struct {
	PrivateKey string      `json:"privateKey"`
	Message    string      `json:"message,omitempty"`
	Fields     *siweFields `json:"fields,omitempty"`
}

type walletAnswer struct {
	Address   string     `json:"address"`
	Message   string     `json:"message"`
	Signature string     `json:"signature"`
	Fields    siweFields `json:"fields"`
}

// ask asks the wallet of test/web, whose words count as an error's if it fails.
func ask(t *testing.T, request walletRequest) walletAnswer {
	t.Helper()
	in, err := json.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	node := exec.CommandContext(t.Context(), "node", "wallet.mjs")
	node.Dir = "../../../test/web"
	node.Stdin = bytes.NewReader(in)
	var out, complaints bytes.Buffer
	node.Stdout, node.Stderr = &out, &complaints
	if err := node.Run(); err != nil {
		t.Fatalf("node wallet.mjs: %v\n%s", err, &complaints)
	}
	var answer walletAnswer
	decoder := json.NewDecoder(&out)
	decoder.DisallowUnknownFields() // a field too many would be a field of the message
	if err := decoder.Decode(&answer); err != nil {
		t.Fatalf("node wallet.mjs answered what is no answer: %v", err)
	}
	return answer
}

// TestWalletOfAnotherMake has viem, which wallets and pages are made with, make
// the same message, read ours, and sign it.
func TestWalletOfAnotherMake(t *testing.T) {
	if !realtest.Wanted() {
		t.Log("STEPWISE_REAL is not set: no wallet was asked")
		return
	}
	for name, change := range map[string]func(*signup.WalletChallenge){
		"as it comes":   func(*signup.WalletChallenge) {},
		"no statement":  func(c *signup.WalletChallenge) { c.Statement = "" },
		"localhost":     func(c *signup.WalletChallenge) { c.Domain, c.URI = "localhost:3000", "http://localhost:3000" },
		"an address":    func(c *signup.WalletChallenge) { c.Domain, c.URI = "127.0.0.1:8080", "http://127.0.0.1:8080/sign-up" },
		"high chain":    func(c *signup.WalletChallenge) { c.ChainID = 1<<53 - 1 }, // the last that JavaScript counts
		"full second":   func(c *signup.WalletChallenge) { c.IssuedAt = time.Date(2031, 1, 1, 0, 0, 0, 0, time.UTC) },
		"fine clock":    func(c *signup.WalletChallenge) { c.IssuedAt = c.IssuedAt.Add(999 * time.Microsecond) },
		"all reserved":  func(c *signup.WalletChallenge) { c.Statement = "a :/?#[]@!$&'()*+,;=-._~ b" },
		"lasting years": func(c *signup.WalletChallenge) { c.ExpireAt = c.IssuedAt.Add(math.MaxInt64) },
	} {
		t.Run(name, func(t *testing.T) {
			key := keyOf(23)
			c := challengeFor(key)
			change(&c)
			text := prover.Message(c)
			const layout = "2006-01-02T15:04:05.000Z"
			fields := siweFields{
				Domain: c.Domain, Address: c.Address, Statement: c.Statement, URI: c.URI, Version: "1", ChainID: c.ChainID,
				Nonce: c.Nonce, IssuedAt: c.IssuedAt.Format(layout), ExpirationTime: c.ExpireAt.Format(layout),
			}
			privateKey := "0x" + hex.EncodeToString(key.Serialize())

			made := ask(t, walletRequest{PrivateKey: privateKey, Fields: &fields})
			if made.Message != text {
				t.Errorf("viem makes\n%s\nwe make\n%s", made.Message, text)
			}
			signed := ask(t, walletRequest{PrivateKey: privateKey, Message: text})
			if signed.Fields != fields {
				t.Errorf("viem reads %+v, want %+v", signed.Fields, fields)
			}
			for _, answer := range []walletAnswer{made, signed} {
				if answer.Address != c.Address {
					t.Errorf("viem's address %s, want %s", answer.Address, c.Address)
				}
				if err := prover.Verify(c, answer.Message, answer.Signature); err != nil {
					t.Errorf("signature of viem: %v", err)
				}
				if got := codeOf(t, prover.Verify(c, answer.Message, highS(answer.Signature))); got != signup.SignatureHighS {
					t.Errorf("with high s: got %q", got)
				}
			}
		})
	}
}
