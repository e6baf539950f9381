package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
	"golang.org/x/crypto/sha3"
)

// The program as a whole, over HTTP, with its embedded stores. Every figure is
// to be read against "floor", the cheapest GraphQL request of the same run.
func BenchmarkProgram(b *testing.B) {
	url := startForBenchmark(b)
	const signUp = `{ id status requiredFields optionalFields missingFields unverifiedFields revision emailAddress passwordEnabled
		verifications { emailAddress { status strategy attemptsLeft expireAt } } requirements { field state reason actions { kind strategies } } }`
	create := `mutation ($input: SignUpCreateInput!) { signUpCreate(input: $input) { signUp ` + signUp + ` userErrors { code } } }`
	check := `mutation ($input: SignUpVerificationCheckInput!) { signUpVerificationCheck(input: $input) { signUp ` + signUp + ` userErrors { code } } }`
	var n int

	b.Run("floor", func(b *testing.B) {
		for b.Loop() {
			post(b, url, "", `{ __typename }`, nil)
		}
	})
	b.Run("create", func(b *testing.B) {
		for b.Loop() {
			n++
			post(b, url, "", create, map[string]any{"emailAddress": fmt.Sprintf("a%d@example.com", n)})
		}
	})
	b.Run("complete email-code sign-up", func(b *testing.B) {
		for b.Loop() {
			n++
			_, token := post(b, url, "", create, map[string]any{
				"emailAddress": fmt.Sprintf("b%d+test@example.com", n), "startVerifications": []any{map[string]any{"strategy": "EMAIL_CODE"}},
			})
			body, _ := post(b, url, token, check, map[string]any{"proof": map[string]any{"emailCode": "424242"}})
			if !strings.Contains(body, `"COMPLETE"`) {
				b.Fatal(body)
			}
		}
	})
	b.Run("complete wallet sign-up", func(b *testing.B) {
		settings := `mutation { instanceSettingsUpdate(input: { emailAddress: { required: false }, web3Wallet: { enabled: true } }) { userErrors { code } } }`
		post(b, url, "sk_benchmark0123", settings, nil)
		start := `mutation ($input: SignUpCreateInput!) { signUpCreate(input: $input) { signUp { verifications { web3Wallet { challenge { ... on MessageChallenge { message } } } } } userErrors { code } } }`
		for b.Loop() {
			w := newBenchmarkWallet(b)
			body, token := post(b, url, "", start, map[string]any{"startVerifications": []any{map[string]any{"strategy": "WEB3_SIGNATURE", "web3Wallet": w.address}}})
			body, _ = post(b, url, token, check, map[string]any{"proof": map[string]any{"web3Signature": map[string]any{"signature": w.sign(b, body)}}})
			if !strings.Contains(body, `"COMPLETE"`) {
				b.Fatal(body)
			}
		}
	})
}

// benchmarkWallet is a key and its address.
type benchmarkWallet struct {
	key     *secp256k1.PrivateKey
	address string
}

func newBenchmarkWallet(b *testing.B) benchmarkWallet {
	key, err := secp256k1.GeneratePrivateKey()
	if err != nil {
		b.Fatal(err)
	}
	public := key.PubKey().SerializeUncompressed()[1:]
	return benchmarkWallet{key, "0x" + hex.EncodeToString(keccak(string(public))[12:])}
}

func keccak(text string) []byte {
	h := sha3.NewLegacyKeccak256()
	io.WriteString(h, text)
	return h.Sum(nil)
}

// sign signs the message that the answer asks for (EIP-191).
func (w benchmarkWallet) sign(b *testing.B, answer string) string {
	_, text, found := strings.Cut(answer, `"message":"`)
	text, _, closed := strings.Cut(text, `"}`)
	var message string
	if err := json.Unmarshal([]byte(`"`+text+`"`), &message); err != nil || !found || !closed {
		b.Fatal(answer)
	}
	compact := ecdsa.SignCompact(w.key, keccak(fmt.Sprintf("\x19Ethereum Signed Message:\n%d%s", len(message), message)), false)
	return "0x" + hex.EncodeToString(append(compact[1:], compact[0]))
}

func startForBenchmark(b *testing.B) string {
	ctx, stop := context.WithCancel(context.Background())
	var out lockedOutput
	done := make(chan error, 1)
	env := map[string]string{"ADDR": "127.0.0.1:0", "DATA_DIR": b.TempDir(), "SECRET_KEY": "sk_benchmark0123"}
	go func() { done <- run(ctx, nil, func(name string) string { return env[name] }, &out, io.Discard) }()
	b.Cleanup(func() { stop(); <-done })
	for range 200 {
		if m := regexp.MustCompile(`(http://\S+)/graphql`).FindStringSubmatch(out.String()); m != nil {
			settings := `mutation { instanceSettingsUpdate(input: { testMode: true, password: { required: false } }) { userErrors { code } } }`
			post(b, m[1]+"/graphql", "sk_benchmark0123", settings, nil)
			return m[1] + "/graphql"
		}
		time.Sleep(10 * time.Millisecond)
	}
	b.Fatal("the program did not start")
	return ""
}

func post(b *testing.B, url, token, query string, input map[string]any) (body, issued string) {
	data, err := json.Marshal(map[string]any{"query": query, "variables": map[string]any{"input": input}})
	if err != nil {
		b.Fatal(err)
	}
	r, err := http.NewRequest(http.MethodPost, url, bytes.NewReader(data))
	if err != nil {
		b.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Client-Mode", "bearer")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		b.Fatal(err)
	}
	defer answer.Body.Close()
	read, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK || !strings.Contains(string(read), `"data"`) {
		b.Fatalf("%v %s %s", err, answer.Status, read)
	}
	return string(read), answer.Header.Get("Client-Token")
}

type lockedOutput struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *lockedOutput) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *lockedOutput) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}
