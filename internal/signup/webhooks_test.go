package signup_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	reference "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"stepwise/engine"
	"stepwise/internal/deliver/webhook"
	"stepwise/internal/signup"
)

// backend is an app's, that takes events as the specification's own library does.
type backend struct {
	testing.TB
	*httptest.Server
	mu     sync.Mutex
	secret string
	status int
	taken  []notice
	tries  int
}

// notice is one request that was in order.
type notice struct {
	id, timestamp string
	Type          string
	Data          map[string]any
}

func newBackend(t testing.TB) *backend {
	b := &backend{TB: t, status: http.StatusNoContent}
	b.Server = httptest.NewServer(b)
	t.Cleanup(b.Server.Close)
	return b
}

func (b *backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tries++
	verifier, wrong := reference.NewWebhook(b.secret)
	if err != nil || wrong != nil {
		b.Errorf("%v, %v", err, wrong)
		return
	}
	if err := verifier.VerifyIgnoringTimestamp(body, r.Header); err != nil { // the clock of the test is years ahead
		b.Errorf("the signature does not hold: %v", err)
	}
	n := notice{id: r.Header.Get("webhook-id"), timestamp: r.Header.Get("webhook-timestamp")}
	if err := json.Unmarshal(body, &n); err != nil {
		b.Errorf("%v: %s", err, body)
	}
	if b.status < 300 {
		b.taken = append(b.taken, n)
	}
	w.WriteHeader(b.status)
}

func (b *backend) answer(status int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.status = status
}

// notices returns what was taken since the last call.
func (b *backend) notices() []notice {
	b.mu.Lock()
	defer b.mu.Unlock()
	taken := b.taken
	b.taken = nil
	slices.SortFunc(taken, func(x, y notice) int { return -slices.Compare([]byte(x.Type), []byte(y.Type)) }) // users first
	return taken
}

// dispatching runs a Dispatcher over the world's service.
func (w *world) dispatching() {
	w.Helper()
	transport := &http.Transport{}
	var events *webhook.Dispatcher
	w.config.Development = true // the backend is on this machine
	w.config.EventsPending = func() { events.Wake() }
	w.service = signup.New(w.config)
	events = webhook.New(webhook.Config{
		Source: w.service, Client: &http.Client{Transport: transport}, Now: w.clock.now, Interval: 5 * time.Millisecond,
	})
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { w.noError(events.Run(ctx)) })
	w.Cleanup(func() {
		stop()
		running.Wait()
		transport.CloseIdleConnections()
	})
}

// await asks until every delivery is as wanted.
func (w *world) await(what string, n int, as func(signup.Delivery) bool) {
	w.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		list := w.deliveries("")
		fits := 0
		for _, d := range list {
			if as(d) {
				fits++
			}
		}
		if len(list) == n && fits == n {
			return
		}
		if time.Now().After(deadline) {
			w.Fatalf("%s: %d of %d deliveries, want all of %d", what, fits, len(list), n)
		}
		time.Sleep(time.Millisecond)
	}
}

func delivered(d signup.Delivery) bool { return !d.DoneAt.IsZero() }

// TestWebhooksArrive, from the mutation to the backend, over real stores: once
// each, signed, also after an outage, and again where somebody asks.
func TestWebhooksArrive(t *testing.T) {
	w, b := newWorld(t, ""), newBackend(t)
	w.dispatching()
	w.withElsewhere()
	out, err := w.service.AddWebhookEndpoint(t.Context(), w.secret(), at(b.URL+"/hooks"))
	w.must(err)
	b.secret = out.Secret

	// A sign-up completes.
	c := w.client()
	c.create(signup.Input{Password: signup.Given(goodPassword), FirstName: signup.Given("Jane")})
	done := c.proveAccount("jane")
	wantStatus(t, done, engine.StatusComplete)
	w.await("a sign-up", 2, delivered)
	got := b.notices()
	if len(got) != 2 || got[0].Type != signup.EventUserCreated || got[1].Type != signup.EventSessionCreated || got[0].id == got[1].id {
		t.Fatalf("the backend took %v", got)
	}
	user, session := got[0].Data, got[1].Data
	if user["id"] != done.SignUp.CreatedUserID || user["firstName"] != "Jane" || user["passwordEnabled"] != true {
		t.Errorf("the user is %v", user)
	}
	if session["id"] != done.SignUp.CreatedSession || session["userId"] != user["id"] || session["clientId"] != c.principal().Client {
		t.Errorf("the session is %v", session)
	}
	wanted := []any{
		map[string]any{"field": "EMAIL_ADDRESS", "value": "jane@example.com", "verified": true},
		map[string]any{"field": "EXTERNAL_ACCOUNT", "value": "forum", "verified": true, "issuer": "https://forum.example", "subject": "jane"},
	}
	if text(t, user["identifiers"]) != text(t, wanted) {
		t.Errorf("the identifiers are %s", text(t, user["identifiers"]))
	}
	if want := webhook.Timestamp(w.clock.now()); got[0].timestamp != want {
		t.Errorf("the timestamp is %s, want %s", got[0].timestamp, want)
	}

	// Somebody comes back while the backend is down.
	b.answer(http.StatusServiceUnavailable)
	w.clock.advance(time.Minute)
	back := w.client().comeBack(byPassword("jane@example.com", goodPassword)).Session
	w.await("an outage", 3, func(d signup.Delivery) bool { return delivered(d) || d.LastStatus == http.StatusServiceUnavailable })
	if n := len(b.notices()); n != 0 {
		t.Errorf("a backend that is down took %d", n)
	}
	b.answer(http.StatusOK)
	w.clock.advance(time.Minute)
	w.await("the end of the outage", 3, delivered)
	got = b.notices()
	if len(got) != 1 || got[0].Type != signup.EventSessionCreated || got[0].Data["id"] != back.ID {
		t.Errorf("after the outage it took %v", got)
	}

	// Once more: one of them, then all.
	first := w.deliveries("")[2]
	w.clock.advance(time.Minute)
	_, _, err = w.service.ReplayDelivery(t.Context(), w.secret(), first.ID)
	w.must(err)
	w.await("a replay", 3, delivered)
	if got = b.notices(); len(got) != 1 || got[0].id != first.Event.ID {
		t.Errorf("it took %v again", got)
	}
	n, _, err := w.service.ReplayEvents(t.Context(), w.secret(), out.Endpoint.ID, dawn)
	w.must(err)
	w.await("a replay of all", 6, delivered)
	if got = b.notices(); n != 3 || len(got) != 3 {
		t.Errorf("of %d it took %v again", n, got)
	}

	// Gone is gone.
	b.answer(http.StatusGone)
	w.client().comeBack(byPassword("jane@example.com", goodPassword))
	w.await("an endpoint that is gone", 7, func(d signup.Delivery) bool { return delivered(d) || d.LastStatus == http.StatusGone })
	list, err := w.service.WebhookEndpoints(t.Context(), w.secret())
	w.must(err)
	if list[0].Enabled {
		t.Error("an endpoint that has said 410 is still told")
	}
}

// TestSignUpWhileWebhooksFail: that nobody can be told takes nothing from a
// sign-up.
func TestSignUpWhileWebhooksFail(t *testing.T) {
	w, b := newWorld(t, ""), newBackend(t)
	w.dispatching()
	out, err := w.service.AddWebhookEndpoint(t.Context(), w.secret(), at(b.URL))
	w.must(err)
	b.secret = out.Secret
	b.answer(http.StatusInternalServerError)
	_, done := w.completed("jane@example.com")
	if user, _ := w.wantOneUser("jane@example.com"); user != done.CreatedUserID {
		t.Errorf("the user is %s", user)
	}
	w.await("failures", 2, func(d signup.Delivery) bool { return d.LastStatus == http.StatusInternalServerError && !delivered(d) })
}
