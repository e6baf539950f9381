package transport_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"stepwise/internal/transport"
)

// socket is a client of graphql-transport-ws that says exactly what it is told to.
type socket struct {
	t    testing.TB
	ctx  context.Context
	conn *websocket.Conn
}

// message is what the server sends.
type message struct {
	Type    string
	ID      string
	Payload json.RawMessage
}

func (s *testServer) dial(headers ...string) (*socket, *http.Response, error) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	s.t.Cleanup(cancel)
	options := &websocket.DialOptions{Subprotocols: []string{"graphql-transport-ws"}, HTTPHeader: http.Header{}}
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Sec-WebSocket-Protocol" {
			options.Subprotocols = strings.Fields(headers[i+1])
			continue
		}
		options.HTTPHeader.Set(headers[i], headers[i+1])
	}
	conn, response, err := websocket.Dial(ctx, s.url, options)
	if err != nil {
		return nil, response, err
	}
	conn.SetReadLimit(1 << 20)
	s.t.Cleanup(func() { conn.CloseNow() })
	return &socket{s.t, ctx, conn}, response, nil
}

// connect opens a socket that has not been initialised.
func (s *testServer) connect(headers ...string) *socket {
	s.t.Helper()
	socket, _, err := s.dial(headers...)
	if err != nil {
		s.t.Fatal(err)
	}
	return socket
}

// connected opens a socket and waits until it is acknowledged.
func (s *testServer) connected(payload string, headers ...string) *socket {
	s.t.Helper()
	socket := s.connect(headers...)
	socket.say(`{"type":"connection_init","payload":` + payload + `}`)
	socket.hears("connection_ack", "", "")
	return socket
}

func (c *socket) say(text string) {
	c.t.Helper()
	if err := c.conn.Write(c.ctx, websocket.MessageText, []byte(text)); err != nil {
		c.t.Fatalf("saying %s: %v", text, err)
	}
}

func (c *socket) subscribe(id, document string) {
	c.t.Helper()
	c.say(fmt.Sprintf(`{"type":"subscribe","id":%q,"payload":%s}`, id, request(document, nil)))
}

func (c *socket) hear() message {
	c.t.Helper()
	_, data, err := c.conn.Read(c.ctx)
	if err != nil {
		c.t.Fatalf("hearing: %v", err)
	}
	var got message
	if err := json.Unmarshal(data, &got); err != nil {
		c.t.Fatalf("%v: %s", err, data)
	}
	return got
}

func (c *socket) hears(kind, id, payload string) {
	c.t.Helper()
	if got := c.hear(); got.Type != kind || got.ID != id || string(got.Payload) != payload {
		c.t.Fatalf("heard %s %q %s, want %s %q %s", got.Type, got.ID, got.Payload, kind, id, payload)
	}
}

// hearsError expects an error message whose first error has a code.
func (c *socket) hearsError(id, code string) {
	c.t.Helper()
	got := c.hear()
	var errs []struct{ Extensions struct{ Code string } }
	if got.Type != "error" || got.ID != id || json.Unmarshal(got.Payload, &errs) != nil || len(errs) == 0 || errs[0].Extensions.Code != code {
		c.t.Fatalf("heard %s %q %s, want an error %s", got.Type, got.ID, got.Payload, code)
	}
}

// closesWith reads until the server closes and checks the code.
func (c *socket) closesWith(code websocket.StatusCode) {
	c.t.Helper()
	for {
		_, _, err := c.conn.Read(c.ctx)
		if err == nil {
			continue
		}
		if got := websocket.CloseStatus(err); got != code {
			c.t.Errorf("closed with %v, want %d", err, code)
		}
		return
	}
}

func TestSocketRunsSubscriptionsAndQueries(t *testing.T) {
	s := newTestServer(t)
	c := s.connected(`{}`)
	c.subscribe("1", `subscription { count(to: 2) }`)
	c.hears("next", "1", `{"data":{"count":1}}`)
	c.hears("next", "1", `{"data":{"count":2}}`)
	c.hears("complete", "1", "")
	c.subscribe("1", `{ greeting }`) // the id is free again
	c.hears("next", "1", `{"data":{"greeting":"Hello, world"}}`)
	c.hears("complete", "1", "")
	c.say(`{"type":"subscribe","id":"\"2\"","payload":{"query":"query A { greeting } query B { caller }","operationName":"B","variables":{}}}`)
	c.hears("next", `"2"`, `{"data":{"caller":"||"}}`)
	c.hears("complete", `"2"`, "")
}

func TestSocketPingPong(t *testing.T) {
	s := newTestServer(t)
	c := s.connect()
	c.say(`{"type":"ping"}`) // also before connection_init
	c.hears("pong", "", "")
	c.say(`{"type":"connection_init"}`)
	c.hears("connection_ack", "", "")
	c.say(`{"type":"ping","payload":{"a":1}}`)
	c.hears("pong", "", `{"a":1}`)
	c.say(`{"type":"pong"}`)
	c.subscribe("1", `{ greeting }`)
	c.hears("next", "1", `{"data":{"greeting":"Hello, world"}}`)
}

func TestSocketCloseCodes(t *testing.T) {
	s := newTestServer(t)
	const (
		initialise = `{"type":"connection_init"}`
		forever    = `{"type":"subscribe","id":"1","payload":{"query":"subscription { forever }"}}`
	)
	for _, test := range []struct {
		name string
		code websocket.StatusCode
		says []string
	}{
		{"not JSON", 4400, []string{`hello`}},
		{"invalid UTF-8", 4400, []string{"{\"type\":\"ping\",\"payload\":{\"a\":\"\xff\"}}"}},
		{"a list", 4400, []string{`[]`}},
		{"trailing data", 4400, []string{`{"type":"ping"} {}`}},
		{"no type", 4400, []string{`{}`}},
		{"unknown type", 4400, []string{`{"type":"start"}`}},
		{"a server's message", 4400, []string{initialise, `{"type":"next","id":"1","payload":{}}`}},
		{"init with a list", 4400, []string{`{"type":"connection_init","payload":[]}`}},
		{"init with a number for a token", 4400, []string{`{"type":"connection_init","payload":{"Authorization":7}}`}},
		{"subscribe before init", 4401, []string{forever}},
		{"refused credentials", 4403, []string{`{"type":"connection_init","payload":{"Authorization":"Bearer refused"}}`}},
		{"forbidden credentials", 4403, []string{`{"type":"connection_init","payload":{"Authorization":"Bearer forbidden"}}`}},
		{"store down", 1013, []string{`{"type":"connection_init","payload":{"Authorization":"Bearer unavailable"}}`}},
		{"fault of ours", 4500, []string{`{"type":"connection_init","payload":{"Authorization":"Bearer broken"}}`}},
		{"panic of ours", 4500, []string{`{"type":"connection_init","payload":{"Authorization":"Bearer panic"}}`}},
		{"second init", 4429, []string{initialise, initialise}},
		{"no id", 4400, []string{initialise, `{"type":"subscribe","payload":{"query":"{ greeting }"}}`}},
		{"id is a number", 4400, []string{initialise, `{"type":"subscribe","id":1,"payload":{"query":"{ greeting }"}}`}},
		{"no payload", 4400, []string{initialise, `{"type":"subscribe","id":"1"}`}},
		{"no query", 4400, []string{initialise, `{"type":"subscribe","id":"1","payload":{}}`}},
		{"variables are a list", 4400, []string{initialise, `{"type":"subscribe","id":"1","payload":{"query":"{ greeting }","variables":[]}}`}},
		{"complete without id", 4400, []string{initialise, `{"type":"complete"}`}},
		{"id in use", 4409, []string{initialise, forever, forever}},
		{"message too big", 1009, []string{`{"type":"ping","payload":{"a":"` + strings.Repeat("x", 256<<10) + `"}}`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := s.connect()
			c.t = t
			for _, text := range test.says {
				c.say(text)
			}
			c.closesWith(test.code)
		})
	}
	t.Run("binary", func(t *testing.T) {
		c := s.connect()
		c.t = t
		if err := c.conn.Write(c.ctx, websocket.MessageBinary, []byte(initialise)); err != nil {
			t.Fatal(err)
		}
		c.closesWith(4400)
	})
	t.Run("other subprotocol", func(t *testing.T) {
		c := s.connect("Sec-WebSocket-Protocol", "graphql-ws")
		c.t = t
		c.closesWith(4406)
	})
	t.Run("no subprotocol", func(t *testing.T) {
		c := s.connect("Sec-WebSocket-Protocol", "")
		c.t = t
		c.closesWith(4406)
	})
}

func TestSocketInitTimeout(t *testing.T) {
	s := newTestServer(t, withLimits(transport.Limits{InitTimeout: 30 * time.Millisecond}))
	s.connect().closesWith(4408)

	// It covers the authentication, and leaves an acknowledged socket alone.
	slow := newTestServer(t, withLimits(transport.Limits{InitTimeout: 250 * time.Millisecond}), func(c *transport.Config) {
		c.Authenticate = func(ctx context.Context, c transport.Credentials) (context.Context, error) {
			if c.Bearer == "slow" {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return ctx, nil
		}
	})
	late := slow.connect()
	late.say(`{"type":"connection_init","payload":{"Authorization":"Bearer slow"}}`)
	late.closesWith(4408)

	c := slow.connected(`{}`)
	time.Sleep(400 * time.Millisecond) // longer than the limit
	c.subscribe("1", `{ greeting }`)
	c.hears("next", "1", `{"data":{"greeting":"Hello, world"}}`)
}

func TestSocketErrors(t *testing.T) {
	s := newTestServer(t)
	c := s.connected(`{}`)
	for document, code := range map[string]string{
		`{`:           transport.CodeParseFailed,
		`{ nothing }`: transport.CodeValidationFailed,
		`mutation { rename(id: 1, name: "x") { id } }`: transport.CodeUnsupportedOperation,
		`subscription { a: forever b: forever }`:       transport.CodeLimitExceeded,
		`subscription { forever nothing }`:             transport.CodeLimitExceeded,
		`subscription { nothing }`:                     transport.CodeValidationFailed,
	} {
		c.subscribe("1", document)
		c.hearsError("1", code)
		c.subscribe("1", `{ greeting }`) // an error ends the operation: nothing follows, the id is free
		c.hears("next", "1", `{"data":{"greeting":"Hello, world"}}`)
		c.hears("complete", "1", "")
	}
	if n := s.renamed.Load(); n != 0 {
		t.Errorf("%d mutations ran", n)
	}
	c.say(`{"type":"subscribe","id":"1","payload":{"query":"query($n: Int!) { failures(count: $n) { id } }"}}`)
	c.hearsError("1", transport.CodeBadUserInput)

	// Errors of execution are results.
	c.subscribe("2", `subscription { refused }`)
	c.hears("next", "2", `{"errors":[{"message":"There is no such thing.","path":["refused"],"locations":[{"line":1,"column":16}],"extensions":{"code":"NOT_FOUND"}}]}`)
	c.hears("complete", "2", "")
	c.subscribe("3", `{ failure(kind: "panic") }`)
	if got := c.hear(); got.Type != "next" || !strings.Contains(string(got.Payload), transport.CodeInternal) || strings.Contains(string(got.Payload), "secret") {
		t.Errorf("%s %s", got.Type, got.Payload)
	}
	c.hears("complete", "3", "")
}

func TestSocketGuessesNeverRun(t *testing.T) {
	s := newTestServer(t)
	c := s.connected(`{}`)
	for i := range 200 {
		id := fmt.Sprint(i)
		c.subscribe(id, `mutation { rename(id: 1, name: "x") { id } }`)
		c.hearsError(id, transport.CodeUnsupportedOperation)
	}
	if n := s.renamed.Load(); n != 0 {
		t.Errorf("%d ran", n)
	}
}

func TestSocketQueryDeadline(t *testing.T) {
	s := newTestServer(t, withLimits(transport.Limits{RequestTimeout: 30 * time.Millisecond}))
	c := s.connected(`{}`)
	c.subscribe("1", `{ wait }`)
	if got := c.hear(); got.Type != "next" || !strings.Contains(string(got.Payload), transport.CodeUnavailable) {
		t.Errorf("%s %s", got.Type, got.Payload)
	}
	c.hears("complete", "1", "")
	c.subscribe("2", `subscription { forever }`)
	c.hears("next", "2", `{"data":{"forever":1}}`)
	time.Sleep(60 * time.Millisecond) // twice the limit: a subscription has none
	c.say(`{"type":"complete","id":"2"}`)
	receive(t, "the producer to end", s.left)
}

func TestClientCompletesAnOperation(t *testing.T) {
	s := newTestServer(t)
	c := s.connected(`{}`)
	c.subscribe("1", `subscription { forever }`)
	c.hears("next", "1", `{"data":{"forever":1}}`)
	c.say(`{"type":"complete","id":"1"}`)
	c.say(`{"type":"complete","id":"1"}`) // crossed on the wire
	c.subscribe("1", `{ greeting }`)
	c.hears("next", "1", `{"data":{"greeting":"Hello, world"}}`) // and no complete of the first
	c.hears("complete", "1", "")
	receive(t, "the producer to end", s.left)
}

func TestClientThatDisconnectsEndsItsOperations(t *testing.T) {
	s := newTestServer(t)
	c := s.connected(`{}`)
	for i := range 3 {
		c.subscribe(fmt.Sprint(i), `subscription { forever }`)
		c.hear()
	}
	c.conn.CloseNow()
	for range 3 {
		receive(t, "the producer to end", s.left)
	}
}

func TestOperationsPerSocket(t *testing.T) {
	s := newTestServer(t)
	c := s.connected(`{}`)
	for i := range 20 {
		c.subscribe(fmt.Sprint(i), `subscription { forever }`)
		c.hear()
	}
	c.subscribe("one too many", `subscription { forever }`)
	c.hearsError("one too many", transport.CodeLimitExceeded)
	c.say(`{"type":"complete","id":"0"}`)
	receive(t, "the producer to end", s.left)
	waitFor(t, func() bool {
		c.subscribe("next", `{ greeting }`)
		if got := c.hear(); got.Type != "next" {
			return false
		}
		c.hears("complete", "next", "")
		return true
	})
}

func TestSocketsPerAddress(t *testing.T) {
	s := newTestServer(t, withLimits(transport.Limits{ConnectionsPerAddress: 2}))
	first := s.connected(`{}`)
	s.connected(`{}`)
	if _, response, err := s.dial(); err == nil || response.StatusCode != http.StatusTooManyRequests {
		t.Fatalf("a third socket: %v", err)
	}
	first.conn.Close(websocket.StatusNormalClosure, "")
	waitFor(t, func() bool { _, _, err := s.dial(); return err == nil })
}

func TestSocketOrigin(t *testing.T) {
	s := newTestServer(t)
	host := strings.TrimPrefix(s.url, "http://")
	for origin, allowed := range map[string]bool{
		allowedOrigin: true, "http://" + host: true,
		foreignOrigin: false, "null": false, allowedOrigin + ".evil.example": false, "http://" + host + ".evil.example": false,
	} {
		_, response, err := s.dial("Origin", origin, "Cookie", "client=ct_1")
		if (err == nil) != allowed || !allowed && response.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %v", origin, err)
		}
	}
	// The key is known only now, and the instance may not allow what another does.
	c := s.connect("Origin", allowedOrigin)
	c.say(`{"type":"connection_init","payload":{"Publishable-Key":"pk_other"}}`)
	c.closesWith(4403)
	// Without an Origin there is no page whose origin could be wrong.
	s.connected(`{"Publishable-Key":"pk_other"}`)
}

func TestSocketCredentials(t *testing.T) {
	s := newTestServer(t)
	for _, test := range []struct {
		payload string
		headers []string
		want    string
	}{
		{`{"Publishable-Key":"pk_1","Authorization":"Bearer ct_1"}`, nil, "pk_1|ct_1|"},
		{`{"publishable-key":"pk_1","AUTHORIZATION":"bearer ct_1","other":{"a":1}}`, nil, "pk_1|ct_1|"},
		{`null`, []string{"Cookie", "client=ct_1"}, "||ct_1"},
		{`{"Authorization":"Bearer sk_1"}`, []string{"Cookie", "client=ct_1"}, "|sk_1|"},
		{`{"Client-Mode":"bearer"}`, []string{"Cookie", "client=ct_1"}, "||"},
		{`{"Authorization":null}`, []string{"Publishable-Key", "pk_1", "Authorization", "Bearer ct_1"}, "pk_1||"},
		{`{}`, []string{"Publishable-Key", "pk_1", "Authorization", "Bearer ct_1"}, "pk_1|ct_1|"},
	} {
		c := s.connected(test.payload, test.headers...)
		c.subscribe("1", `{ caller }`)
		c.hears("next", "1", `{"data":{"caller":"`+test.want+`"}}`)
	}
}

func TestDrainClosesSockets(t *testing.T) {
	s := newTestServer(t)
	c := s.connected(`{}`)
	c.subscribe("1", `subscription { forever }`)
	c.hears("next", "1", `{"data":{"forever":1}}`)
	uninitialised := s.connect()
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		drain(t, s)
	}()
	c.closesWith(websocket.StatusGoingAway)
	uninitialised.closesWith(websocket.StatusGoingAway)
	receive(t, "Drain to return", drained)
	receive(t, "the producer to end", s.left)
	if _, response, err := s.dial(); err == nil || response.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a new socket: %v", err)
	}
}

func TestSlowSocketReaderIsDropped(t *testing.T) {
	s := newTestServer(t, withLimits(transport.Limits{WriteTimeout: 50 * time.Millisecond}))
	c := s.connected(`{}`)
	c.subscribe("1", `subscription { flood(bytes: 65536) }`)
	receive(t, "the producer to be stopped", s.left)
}

func TestPeerThatDoesNotAnswerPingsIsDropped(t *testing.T) {
	s := newTestServer(t, withLimits(transport.Limits{KeepAlive: 20 * time.Millisecond, WriteTimeout: 50 * time.Millisecond}))
	silent := s.connected(`{}`)
	silent.subscribe("1", `subscription { forever }`)
	silent.hear()
	// A client that does not read does not answer pings either.
	receive(t, "the producer to be stopped", s.left)

	patient := newTestServer(t, withLimits(transport.Limits{KeepAlive: 10 * time.Millisecond, WriteTimeout: 5 * time.Second}))
	answering := patient.connected(`{}`)
	answering.subscribe("1", `subscription { forever }`)
	answering.hear()
	answering.conn.CloseRead(answering.ctx) // reads, and so answers, in the background
	select {
	case <-patient.left:
		t.Error("a peer that answers was dropped")
	case <-time.After(200 * time.Millisecond): // many pings later
	}
}

func TestMalformedHandshake(t *testing.T) {
	s := newTestServer(t)
	got := s.do(http.MethodGet, "", "Connection", "Upgrade", "Upgrade", "websocket")
	if got.status != http.StatusBadRequest && got.status != http.StatusUpgradeRequired {
		t.Errorf("%d %s", got.status, got.body)
	}
}
