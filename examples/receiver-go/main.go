// Receiver-go takes webhooks: it checks their signature (Standard Webhooks 1.0)
// with nothing but the standard library and prints a line for each event.
//
//	WEBHOOK_SECRET=whsec_… go run ./examples/receiver-go -addr 127.0.0.1:9000
package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// tolerance is how far the sender's clock may be from ours. What is older might be
// a copy that somebody kept.
const tolerance = 5 * time.Minute

func main() {
	addr := flag.String("addr", "127.0.0.1:9000", "where to listen")
	flag.Parse()
	encoded, ok := strings.CutPrefix(os.Getenv("WEBHOOK_SECRET"), "whsec_")
	key, err := base64.StdEncoding.DecodeString(encoded)
	if !ok || err != nil || len(key) < 24 {
		log.Fatal("WEBHOOK_SECRET must be the endpoint's secret, whsec_…")
	}
	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("listening on http://%s\n", listener.Addr())
	server := &http.Server{Handler: &receiver{key: key, seen: map[string]bool{}}, ReadTimeout: 10 * time.Second}
	log.Fatal(server.Serve(listener))
}

type receiver struct {
	key []byte
	mu  sync.Mutex
	// seen has the ids of events that were handled. Retries go on for days: an app
	// keeps the ids in its database, written with whatever the event leads to.
	seen map[string]bool
}

func (rc *receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// The signature is that of the bytes as they came, before any decoding.
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if err != nil || r.Method != http.MethodPost {
		http.Error(w, "send a POST of 1 MiB at most", http.StatusBadRequest)
		return
	}
	id, timestamp := r.Header.Get("webhook-id"), r.Header.Get("webhook-timestamp")
	if !isFresh(timestamp, time.Now()) || !isSigned(rc.key, id, timestamp, body, r.Header.Get("webhook-signature")) {
		http.Error(w, "wrong signature or old timestamp", http.StatusUnauthorized)
		return
	}
	var event struct{ Type, Timestamp string }
	if err := json.Unmarshal(body, &event); err != nil {
		http.Error(w, "not an event", http.StatusBadRequest)
		return
	}
	rc.mu.Lock()
	defer rc.mu.Unlock()
	if !rc.seen[id] {
		fmt.Printf("%s %q %q\n", id, event.Type, event.Timestamp) // your work goes here
		rc.seen[id] = true
	}
	w.WriteHeader(http.StatusNoContent) // also to what was seen before: it was handled
}

func isFresh(timestamp string, now time.Time) bool {
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	return err == nil && now.Sub(time.Unix(seconds, 0)).Abs() <= tolerance
}

// isSigned reports whether one of the signatures is ours; while a secret is being
// replaced there are several.
func isSigned(key []byte, id, timestamp string, body []byte, signatures string) bool {
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%s.%s", id, timestamp, body)
	want := []byte("v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	for signature := range strings.FieldsSeq(signatures) {
		if hmac.Equal([]byte(signature), want) {
			return true
		}
	}
	return false
}
