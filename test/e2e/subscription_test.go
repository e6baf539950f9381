package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

const subscriptionDocument = "subscription($id: ID) { signUpStatusChanged(id: $id) {" + signUpFields + "} }" + verificationFragment

// event is what a subscription brings: a state or, last of all, its end.
type event struct {
	state *signUp
	end   string // "complete", "closed 1001", or what went wrong
}

// subscription follows one sign-up over either transport.
type subscription struct {
	name   string
	events chan event
	seen   []signUp
}

// transports are the two ways to subscribe.
var transports = map[string]func(*client, testing.TB, string) *subscription{
	"WebSocket": (*client).watchBySocket,
	"SSE":       (*client).watchByStream,
}

// watchBySocket subscribes over graphql-transport-ws.
func (c *client) watchBySocket(t testing.TB, id string) *subscription {
	t.Helper()
	s := c.openSocket(t)
	s.subscribe(t, "1", id)
	watched := &subscription{name: "WebSocket", events: make(chan event, 256)}
	go s.pump(func(_ string, e event) { watched.events <- e })
	return watched
}

// socket is an acknowledged graphql-transport-ws connection.
type socket struct {
	conn *websocket.Conn
}

type socketMessage struct {
	Type    string          `json:"type"`
	ID      string          `json:"id,omitempty"`
	Payload json.RawMessage `json:"payload,omitempty"`
}

func (c *client) dial(header http.Header) (*websocket.Conn, *http.Response, error) {
	ctx, cancel := context.WithTimeout(context.Background(), answerLimit)
	defer cancel()
	return websocket.Dial(ctx, "ws"+strings.TrimPrefix(c.url, "http")+"/graphql", &websocket.DialOptions{
		HTTPHeader: header, Subprotocols: []string{"graphql-transport-ws"},
	})
}

// openSocket connects, presents the credentials in connection_init and awaits
// connection_ack.
func (c *client) openSocket(t testing.TB) *socket {
	t.Helper()
	conn, _, err := c.dial(nil)
	if err != nil {
		t.Fatalf("open a WebSocket: %v", err)
	}
	t.Cleanup(func() { _ = conn.CloseNow() })
	conn.SetReadLimit(1 << 20)
	s := &socket{conn: conn}
	s.send(t, socketMessage{Type: "connection_init", Payload: encode(t, map[string]string{
		"Publishable-Key": c.publishableKey, "Authorization": "Bearer " + c.bearer,
	})})
	if m, err := s.receive(); err != nil || m.Type != "connection_ack" {
		t.Fatalf("connection_init: got %+v, %v", m, err)
	}
	return s
}

func encode(t testing.TB, value any) json.RawMessage {
	t.Helper()
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func (s *socket) send(t testing.TB, m socketMessage) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), answerLimit)
	defer cancel()
	if err := s.conn.Write(ctx, websocket.MessageText, encode(t, m)); err != nil {
		t.Fatalf("send %s: %v", m.Type, err)
	}
}

func (s *socket) receive() (m socketMessage, err error) {
	for {
		_, data, err := s.conn.Read(context.Background())
		if err != nil {
			return m, err
		}
		if err := json.Unmarshal(data, &m); err != nil || m.Type != "ping" && m.Type != "pong" {
			return m, err
		}
	}
}

func (s *socket) subscribe(t testing.TB, operation, id string) {
	t.Helper()
	s.send(t, socketMessage{ID: operation, Type: "subscribe", Payload: encode(t, map[string]any{
		"query": subscriptionDocument, "variables": map[string]any{"id": nullIfEmpty(id)},
	})})
}

func nullIfEmpty(id string) any {
	if id == "" {
		return nil
	}
	return id
}

// pump passes on what arrives until the socket closes.
func (s *socket) pump(deliver func(operation string, e event)) {
	for {
		m, err := s.receive()
		if err != nil {
			var closed websocket.CloseError
			if errors.As(err, &closed) {
				deliver("", event{end: fmt.Sprintf("closed %d", closed.Code)})
			} else {
				deliver("", event{end: "broken: " + err.Error()})
			}
			return
		}
		switch m.Type {
		case "next":
			deliver(m.ID, eventOf(m.Payload))
		case "complete":
			deliver(m.ID, event{end: "complete"})
		default:
			deliver(m.ID, event{end: fmt.Sprintf("%s: %s", m.Type, m.Payload)})
		}
	}
}

// eventOf reads the response that carries one state.
func eventOf(response []byte) event {
	var r struct {
		Data   struct{ SignUpStatusChanged *signUp }
		Errors []graphqlError
	}
	if err := json.Unmarshal(response, &r); err != nil || len(r.Errors) > 0 || r.Data.SignUpStatusChanged == nil {
		return event{end: fmt.Sprintf("error: %s", response)}
	}
	return event{state: r.Data.SignUpStatusChanged}
}

// watchByStream subscribes by graphql-sse's distinct connections mode.
func (c *client) watchByStream(t testing.TB, id string) *subscription {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	body := encode(t, map[string]any{"query": subscriptionDocument, "variables": map[string]any{"id": nullIfEmpty(id)}})
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+"/graphql", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	c.identify(request.Header)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "text/event-stream")
	endless := &http.Client{Transport: c.http.Transport}
	response, err := endless.Do(request)
	if err != nil {
		t.Fatalf("open an event stream: %v", err)
	}
	if kind := response.Header.Get("Content-Type"); !strings.HasPrefix(kind, "text/event-stream") {
		t.Fatalf("open an event stream: status %d, %s", response.StatusCode, kind)
	}
	watched := &subscription{name: "SSE", events: make(chan event, 256)}
	go func() {
		defer response.Body.Close()
		pumpStream(bufio.NewReader(response.Body), watched.events)
	}()
	return watched
}

// pumpStream reads events until the stream ends.
func pumpStream(stream *bufio.Reader, events chan<- event) {
	var kind, data string
	for {
		line, err := stream.ReadString('\n')
		if err != nil {
			events <- event{end: "broken: " + err.Error()}
			return
		}
		name, value, _ := strings.Cut(strings.TrimRight(line, "\r\n"), ":")
		switch {
		case name == "event":
			kind = strings.TrimSpace(value)
		case name == "data":
			data = strings.TrimSpace(value)
		case line == "\n" && kind == "next":
			events <- eventOf([]byte(data))
			kind = ""
		case line == "\n" && kind == "complete":
			events <- event{end: "complete"}
			return
		}
	}
}

// next returns the next event; waiting too long ends the test.
func (s *subscription) next(t testing.TB) event {
	t.Helper()
	select {
	case e := <-s.events:
		if e.state != nil {
			if n := len(s.seen); n > 0 && e.state.Revision <= s.seen[n-1].Revision {
				t.Errorf("%s: revision %d after %d, want rising ones", s.name, e.state.Revision, s.seen[n-1].Revision)
			}
			s.seen = append(s.seen, *e.state)
		}
		return e
	case <-time.After(answerLimit):
		t.Fatalf("%s: no event within %v; so far %s", s.name, answerLimit, s.history())
		return event{}
	}
}

// await reads on until a state satisfies want, and returns it.
func (s *subscription) await(t testing.TB, what string, want func(signUp) bool) signUp {
	t.Helper()
	for {
		e := s.next(t)
		if e.state == nil {
			t.Fatalf("%s: ended (%s) before %s; so far %s", s.name, e.end, what, s.history())
		}
		if want(*e.state) {
			return *e.state
		}
	}
}

// awaitEnd reads on until the subscription ends, and returns how it did.
func (s *subscription) awaitEnd(t testing.TB) string {
	t.Helper()
	for {
		if e := s.next(t); e.state == nil {
			return e.end
		}
	}
}

// finishesWith expects the final state, told last, and then the end.
func (s *subscription) finishesWith(t testing.TB, final signUp) {
	t.Helper()
	if end := s.awaitEnd(t); end != "complete" {
		t.Errorf("%s: ended with %q, want complete", s.name, end)
	}
	if len(s.seen) == 0 {
		t.Fatalf("%s: ended without a state", s.name)
	}
	if got, want := asJSON(t, s.seen[len(s.seen)-1]), asJSON(t, final); got != want {
		t.Errorf("%s: the last state is\n%s\nwant that of a fresh query\n%s", s.name, got, want)
	}
}

func asJSON(t testing.TB, value any) string { return string(encode(t, value)) }

func (s *subscription) history() string {
	var b strings.Builder
	for _, state := range s.seen {
		fmt.Fprintf(&b, "[%d %s missing %v unverified %v] ", state.Revision, state.Status, state.MissingFields, state.UnverifiedFields)
	}
	return b.String()
}

// watchEnd reads the socket until it is closed and then brings the close code, -1
// where it was not closed in order. A peer that does not read is one that a
// server which shuts down waits for.
func (s *socket) watchEnd() <-chan int {
	end := make(chan int, 1)
	go func() {
		for {
			if _, err := s.receive(); err != nil {
				end <- int(websocket.CloseStatus(err))
				return
			}
		}
	}()
	return end
}
