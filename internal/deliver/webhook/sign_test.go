package webhook

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	reference "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// What we sign, the specification's own library accepts, under the secret as
// people copy it; and it accepts nothing that differs.
func FuzzSign(f *testing.F) {
	f.Add(testKey, "evt_1", int64(1774749540), []byte(`{"type":"user.created"}`))
	f.Add([]byte(strings.Repeat("k", 24)), "evt_2", int64(0), []byte(""))
	f.Add([]byte(strings.Repeat("\x00", 64)), "msg_ä", int64(-1), []byte("not JSON\xff."))
	f.Add([]byte("short"), "evt_3", int64(1), []byte("{}"))
	f.Fuzz(func(t *testing.T, key []byte, id string, seconds int64, body []byte) {
		at := time.Unix(seconds, 999)
		signature, err := Sign(key, id, at, body)
		if len(key) < 24 || len(key) > 64 {
			if err == nil || signature != "" {
				t.Fatalf("signed with a key of %d bytes", len(key))
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		verifier, err := reference.NewWebhook("whsec_" + base64.StdEncoding.EncodeToString(key))
		if err != nil {
			t.Fatal(err)
		}
		accepts := func(id, timestamp, signature string, body []byte) bool {
			h := http.Header{}
			h.Set("webhook-id", id)
			h.Set("webhook-timestamp", timestamp)
			h.Set("webhook-signature", signature)
			return verifier.VerifyIgnoringTimestamp(body, h) == nil
		}
		if id != "" && !accepts(id, Timestamp(at), signature, body) {
			t.Errorf("%q at %d is not accepted", id, seconds)
		}
		for _, changed := range []bool{
			accepts(id+"x", Timestamp(at), signature, body),
			accepts(id, Timestamp(at.Add(time.Second)), signature, body),
			accepts(id, Timestamp(at), signature, append(body[:len(body):len(body)], 'x')),
			accepts(id, Timestamp(at), "v1,"+base64.StdEncoding.EncodeToString(make([]byte, 32)), body),
		} {
			if changed {
				t.Errorf("%q at %d: a changed message is accepted", id, seconds)
			}
		}
	})
}

// The example of the specification's libraries.
func TestSignExample(t *testing.T) {
	key, err := base64.StdEncoding.DecodeString("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		t.Fatal(err)
	}
	got, err := Sign(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`))
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want || err != nil {
		t.Errorf("%q %v, want %q", got, err, want)
	}
}
