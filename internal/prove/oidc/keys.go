package oidc

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	gooidc "github.com/coreos/go-oidc/v3/oidc"

	"stepwise/internal/outbound"
)

const maxKeys = 256 << 10 // bytes of a key set

// newKeys returns the signing keys at an address (RFC 7517), fetched when they
// are first needed, and again when a token was signed with none of them, but not
// more often than every retryAfter.
func (p *Prover) newKeys(address string) gooidc.KeySet {
	client := *p.client
	client.Timeout = p.timeout // the key set's own requests have no context that ends
	client.Transport = &keyGate{next: p.client.Transport, now: p.now}
	return gooidc.NewRemoteKeySet(gooidc.ClientContext(context.Background(), &client), address)
}

// errKeysAreNew: the keys were fetched a moment ago, so that one which is not
// among them is no key of the provider.
var errKeysAreNew = errors.New("the keys were fetched a moment ago")

// keyGate keeps forged tokens from making us ask the provider for each of them.
type keyGate struct {
	next http.RoundTripper
	now  func() time.Time

	mu      sync.Mutex
	closed  time.Time // until then
	outcome error     // of the last request; what callers get while closed
}

func (g *keyGate) RoundTrip(r *http.Request) (*http.Response, error) {
	g.mu.Lock()
	defer g.mu.Unlock() // the key set makes one request at a time anyway
	if g.now().Before(g.closed) {
		return nil, g.outcome
	}
	response, err := g.fetch(r)
	g.closed, g.outcome = g.now().Add(retryAfter), err
	if err == nil {
		g.outcome = errKeysAreNew
	}
	return response, err
}

// fetch fails unless the answer is a JSON document, so that whatever the key set
// finds wrong afterwards is the token's fault.
func (g *keyGate) fetch(r *http.Request) (*http.Response, error) {
	next := g.next
	if next == nil {
		next = http.DefaultTransport
	}
	response, err := next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := outbound.ReadAll(response.Body, maxKeys)
	switch {
	case err != nil:
		return nil, err
	case response.StatusCode != http.StatusOK || !json.Valid(body):
		return nil, errors.New("the keys are not there")
	}
	response.Body = io.NopCloser(bytes.NewReader(body))
	return response, nil
}

// watchedKeys remembers how a key set failed, since the verifier of ID tokens
// does not pass it on.
type watchedKeys struct {
	gooidc.KeySet
	err error
}

func (w *watchedKeys) VerifySignature(ctx context.Context, jwt string) (payload []byte, err error) {
	payload, w.err = w.KeySet.VerifySignature(ctx, jwt)
	if errors.Is(w.err, errKeysAreNew) {
		// Somebody else's request may have ended between this call's look at the
		// remembered keys and its own request, so that it has not seen them yet.
		payload, w.err = w.KeySet.VerifySignature(ctx, jwt)
	}
	return payload, w.err
}
