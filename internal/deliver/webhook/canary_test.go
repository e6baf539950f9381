package webhook

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"stepwise/internal/signup"
)

var discardLog = log.New(io.Discard, "", 0)

func mustParse(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// lines is a log that can be read.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *lines) logger() *slog.Logger {
	return slog.New(slog.NewJSONHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// Whatever goes wrong, neither the log nor what is recorded says the signing key,
// a signature, the endpoint's address, the event's body or the endpoint's words.
func TestNothingSecretIsLoggedOrRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &lines{}
		o := newOutbox(time.Now)
		o.addEndpoint("whe_1", "https://canary-user:canary-password@a.test/canary-path?token=canary-token")
		var calls atomic.Int64
		o.fault = func(string) (before, after error) {
			if calls.Add(1)%3 == 0 {
				return errOutbox, nil
			}
			return nil, nil
		}
		var signatures []string
		try := 0
		transport := answers(func(r *http.Request) (*http.Response, error) {
			signatures = append(signatures, r.Header.Get("webhook-signature"))
			switch try++; try {
			case 1:
				return nil, fmt.Errorf("%v failed: %v", r.URL, r.Header)
			case 2:
				panic(r)
			case 3:
				return hang(r)
			case 4:
				return answer(302, "Location", r.URL.String()), nil
			case 5:
				return answer(429, "Retry-After", "canary-words"), nil
			}
			return answer(410), nil
		})
		_, stop := start(t, Config{Source: o, Client: &http.Client{Transport: transport}, Logger: log.logger()})
		o.add("evt_1")
		time.Sleep(12 * time.Hour)
		stop()

		d, results := o.snapshot("evt_1", "whe_1")
		if d.FailedAt.IsZero() || d.LastStatus != 410 || try < 6 {
			t.Fatalf("%+v after %d tries: the test tests too little", d, try)
		}
		recorded, err := json.Marshal(results)
		if err != nil {
			t.Fatal(err)
		}
		claimed := signup.DueDelivery{Delivery: d, URL: o.endpoints["whe_1"].url, Secret: testKey}
		log.logger().Info("claimed", "delivery", claimed, "in a list", []signup.DueDelivery{claimed})
		said := log.String() + string(recorded) + fmt.Sprintf("%v %+v %#v %s %x %d", claimed, claimed, claimed, claimed, claimed, []signup.DueDelivery{claimed})
		for _, text := range []string{"the webhook outbox does not answer", "panicked", "endpoint disabled"} {
			if !strings.Contains(said, text) {
				t.Errorf("the log does not say %q: the test tests too little", text)
			}
		}
		secrets := append(signatures, string(testKey), base64.StdEncoding.EncodeToString(testKey), hex.EncodeToString(testKey),
			fmt.Sprint(testKey), "canary-", "words of the endpoint", "user_evt_1")
		for _, secret := range secrets {
			if at := strings.Index(said, secret); at >= 0 {
				t.Errorf("%q was let out: …%s", secret, said[max(0, at-200):min(len(said), at+50)])
			}
		}
	})
}
