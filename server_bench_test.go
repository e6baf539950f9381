package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
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
