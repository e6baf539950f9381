// Package examples tests that the receivers in the folders below take what the
// server sends, and nothing else.
package examples

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"stepwise/internal/deliver/webhook"
	"stepwise/internal/realtest"
)

func TestGoReceiver(t *testing.T) {
	program := filepath.Join(t.TempDir(), "receiver")
	if output, err := exec.Command("go", "build", "-o", program, "./receiver-go").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	testReceiver(t, program, "-addr")
}

func TestNodeReceiver(t *testing.T) {
	if !realtest.Wanted() {
		t.Log("STEPWISE_REAL is not set: the receiver in Node.js was not run")
		return
	}
	testReceiver(t, "node", "receiver-node/receiver.mjs", "--addr")
}

// testReceiver runs the program, to whose arguments an address is added.
func testReceiver(t *testing.T, program string, arguments ...string) {
	key := make([]byte, 32)
	rand.Read(key)
	secret := "whsec_" + base64.StdEncoding.EncodeToString(key)
	arguments = append(arguments, "127.0.0.1:0")

	t.Run("no secret", func(t *testing.T) {
		for _, unusable := range []string{"", "whsec_", "whsec_%", strings.TrimPrefix(secret, "whsec_")} {
			command := exec.CommandContext(t.Context(), program, arguments...)
			command.Env = append(os.Environ(), "WEBHOOK_SECRET="+unusable)
			if output, err := command.CombinedOutput(); err == nil || !strings.Contains(string(output), "WEBHOOK_SECRET must be") &&
				!strings.Contains(string(output), "and WEBHOOK_SECRET the endpoint's secret") {
				t.Errorf("%q: %v, %s", unusable, err, output)
			}
		}
	})

	command := exec.Command(program, arguments...)
	command.Env = append(os.Environ(), "WEBHOOK_SECRET="+secret)
	command.Stderr = os.Stderr
	output, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	// What never comes is not waited for: a killed program's output ends.
	defer time.AfterFunc(time.Minute, func() { _ = command.Process.Kill() }).Stop()
	ended := false
	end := func() {
		if !ended {
			ended = true
			_ = command.Process.Kill()
			_ = command.Wait() // says that it was killed
		}
	}
	defer end()
	lines := bufio.NewScanner(output)
	lines.Scan()
	url, ok := strings.CutPrefix(lines.Text(), "listening on ")
	if !ok {
		t.Fatalf("it says %q", lines.Text())
	}

	now := time.Now()
	message := func(id string, at time.Time, body string) *http.Request {
		signature, err := webhook.Sign(key, id, at, []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		r, err := http.NewRequest("POST", url, bytes.NewReader([]byte(body)))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("webhook-id", id)
		r.Header.Set("webhook-timestamp", webhook.Timestamp(at))
		r.Header.Set("webhook-signature", signature)
		return r
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	const body = `{"type":"user.created","timestamp":"2026-03-29T01:59:00.123Z","data":{"name":"ü"}}`
	another, err := webhook.Sign(bytes.Repeat([]byte("x"), 32), "evt_several", now, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		r      *http.Request
		change func(*http.Request)
		want   int
	}{
		{"wrong key", message("evt_wrong", now, body), func(r *http.Request) { r.Header.Set("webhook-signature", another) }, 401},
		{"another id", message("evt_wrong", now, body), func(r *http.Request) { r.Header.Set("webhook-id", "evt_other") }, 401},
		{"another version", message("evt_wrong", now, body), func(r *http.Request) {
			r.Header.Set("webhook-signature", strings.Replace(r.Header.Get("webhook-signature"), "v1,", "v1a,", 1))
		}, 401},
		{"a part of the signature", message("evt_wrong", now, body), func(r *http.Request) {
			r.Header.Set("webhook-signature", r.Header.Get("webhook-signature")[:20])
		}, 401},
		{"no signature", message("evt_wrong", now, body), func(r *http.Request) { r.Header.Del("webhook-signature") }, 401},
		{"no timestamp", message("evt_wrong", now, body), func(r *http.Request) { r.Header.Del("webhook-timestamp") }, 401},
		{"another timestamp", message("evt_wrong", now, body), func(r *http.Request) { r.Header.Set("webhook-timestamp", webhook.Timestamp(now.Add(1e9))) }, 401},
		{"old", message("evt_wrong", now.Add(-6*time.Minute), body), nil, 401},
		{"from the future", message("evt_wrong", now.Add(6*time.Minute), body), nil, 401},
		{"no POST", message("evt_wrong", now, body), func(r *http.Request) { r.Method = "PUT" }, 400},
		{"no JSON", message("evt_wrong", now, "{"), nil, 400},
		{"right", message("evt_1", now, body), nil, 204},
		{"right, again", message("evt_1", now.Add(time.Second), body), nil, 204},
		{"four minutes old", message("evt_2", now.Add(-4*time.Minute), body), nil, 204},
		{"several signatures", message("evt_several", now, body), func(r *http.Request) {
			r.Header.Set("webhook-signature", another+" v1a,AAAA "+r.Header.Get("webhook-signature"))
		}, 204},
		{"a kind that would break the line", message("evt_3", now, `{"type":"a\nb","timestamp":"now"}`), nil, 204},
	} {
		if c.change != nil {
			c.change(c.r)
		}
		response, err := client.Do(c.r)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		response.Body.Close()
		if response.StatusCode != c.want {
			t.Errorf("%s: %d, want %d", c.name, response.StatusCode, c.want)
		}
	}
	if response, err := client.Do(message("evt_wrong", now, strings.Repeat("x", 2<<20))); err == nil {
		response.Body.Close()
		if response.StatusCode != 400 {
			t.Errorf("2 MiB: %d", response.StatusCode)
		}
	}

	const event = ` "user.created" "2026-03-29T01:59:00.123Z"`
	for _, want := range []string{"evt_1" + event, "evt_2" + event, "evt_several" + event, `evt_3 "a\nb" "now"`} {
		if lines.Scan(); lines.Text() != want {
			t.Errorf("it says %q, want %q", lines.Text(), want)
		}
	}
	end()
	if lines.Scan() {
		t.Errorf("it also says %q", lines.Text())
	}
}
