package transport_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"stepwise/internal/transport"
)

// event is one server-sent event; a comment has neither name nor data.
type event struct{ name, data string }

// eventReader reads the events of one response as a browser would.
type eventReader struct {
	t        testing.TB
	response *http.Response
	lines    *bufio.Scanner
	cancel   context.CancelFunc
}

func (s *testServer) stream(document string, headers ...string) *eventReader {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	s.t.Cleanup(cancel)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, strings.NewReader(request(document, nil)))
	if err != nil {
		s.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "text/event-stream")
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := s.client.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { response.Body.Close() })
	return &eventReader{s.t, response, bufio.NewScanner(response.Body), cancel}
}

// next returns the next event that is not a comment, and false at the stream's end.
func (e *eventReader) next() (event, bool) {
	for {
		next, ok := e.block()
		if !ok || next != (event{}) {
			return next, ok
		}
	}
}

func (e *eventReader) block() (next event, ok bool) {
	for e.lines.Scan() {
		line := e.lines.Text()
		field, value, _ := strings.Cut(line, ":")
		switch {
		case line == "":
			return next, true
		case field == "event":
			next.name = strings.TrimPrefix(value, " ")
		case field == "data":
			next.data += strings.TrimPrefix(value, " ")
		case field != "":
			e.t.Errorf("a line that is no field: %q", line)
		}
	}
	return next, false
}

func (e *eventReader) wants(want ...event) {
	e.t.Helper()
	for _, expected := range want {
		got, ok := e.next()
		if !ok || got != expected {
			e.t.Fatalf("got %+v (%v), want %+v", got, ok, expected)
		}
	}
}

// ends checks that the stream completes and then closes.
func (e *eventReader) ends() {
	e.t.Helper()
	e.wants(event{"complete", ""})
	if extra, ok := e.next(); ok {
		e.t.Errorf("after complete: %+v", extra)
	}
}

func TestStreamOfASubscription(t *testing.T) {
	s := newTestServer(t)
	stream := s.stream(`subscription { count(to: 3) }`)
	if r := stream.response; r.StatusCode != http.StatusOK || r.Header.Get("Content-Type") != "text/event-stream; charset=utf-8" || r.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%d %v", r.StatusCode, r.Header)
	}
	stream.wants(
		event{"next", `{"data":{"count":1}}`},
		event{"next", `{"data":{"count":2}}`},
		event{"next", `{"data":{"count":3}}`},
	)
	stream.ends()
	receive(t, "the producer to end", s.left)
}

func TestStreamOfOtherOperations(t *testing.T) {
	s := newTestServer(t)
	stream := s.stream(`{ greeting }`)
	stream.wants(event{"next", `{"data":{"greeting":"Hello, world"}}`})
	stream.ends()

	// Line breaks in JSON would end the data early.
	stream = s.stream(`{ metadata }`)
	stream.wants(event{"next", `{"data":{"metadata":{"line":"one\ntwo"} }}`})
	stream.ends()

	for document, code := range map[string]string{
		`mutation { rename(id: 1, name: "x") { id } }`: transport.CodeUnsupportedOperation,
		`{ nothing }`:                            transport.CodeValidationFailed,
		`{`:                                      transport.CodeParseFailed,
		`subscription { a: forever b: forever }`: transport.CodeLimitExceeded,
		`subscription { refused }`:               "NOT_FOUND",
	} {
		stream := s.stream(document)
		got, _ := stream.next()
		if got.name != "next" || !strings.Contains(got.data, `"code":"`+code+`"`) || strings.Contains(got.data, `"data":`) {
			t.Errorf("%s: %+v", document, got)
		}
		stream.ends()
	}
	if s.renamed.Load() != 0 {
		t.Error("a mutation ran")
	}
	// What is not even a GraphQL request is refused by HTTP.
	s.post(`[]`, "Accept", "text/event-stream").wants(http.StatusBadRequest, transport.CodeBatchingNotSupported)
	s.do(http.MethodPost, `{}`, "Accept", "text/event-stream", "Content-Type", "text/plain").wants(http.StatusUnsupportedMediaType, transport.CodeUnsupportedMediaType)
	s.do(http.MethodPost, `{}`, "Accept", "text/event-stream", "Origin", foreignOrigin).wants(http.StatusForbidden, transport.CodeForbiddenOrigin)
}

func TestSubscriptionByPostNeedsAnEventStream(t *testing.T) {
	s := newTestServer(t)
	s.ask(`subscription { count(to: 1) }`).wants(http.StatusNotAcceptable, transport.CodeNotAcceptable)
	// Clients that list every type they know get what the operation needs.
	const all = "application/graphql-response+json, application/json, text/event-stream, multipart/mixed"
	stream := s.stream(`subscription { count(to: 1) }`, "Accept", all)
	stream.wants(event{"next", `{"data":{"count":1}}`})
	stream.ends()
}

func TestStreamOutlivesTheRequestDeadline(t *testing.T) {
	s := newTestServer(t, withLimits(transport.Limits{RequestTimeout: 20 * time.Millisecond, KeepAlive: 20 * time.Millisecond}))
	stream := s.stream(`subscription { forever }`)
	stream.wants(event{"next", `{"data":{"forever":1}}`})
	for range 3 { // comments, later than the deadline
		if got, ok := stream.block(); !ok || got != (event{}) {
			t.Fatalf("%+v %v", got, ok)
		}
	}
	stream.cancel()
	receive(t, "the producer to notice that the client left", s.left)

	query := s.stream(`{ wait }`)
	got, _ := query.next()
	if !strings.Contains(got.data, transport.CodeUnavailable) {
		t.Errorf("a query has no deadline: %+v", got)
	}
}

func TestStreamSurvivesTheServersTimeouts(t *testing.T) {
	s := newTestServer(t, withLimits(transport.Limits{KeepAlive: 50 * time.Millisecond}))
	listener := httptest.NewUnstartedServer(s.Server)
	listener.Config.ReadTimeout = 200 * time.Millisecond
	listener.Config.WriteTimeout = 200 * time.Millisecond
	listener.Start()
	defer listener.Close()
	s.url = listener.URL
	stream := s.stream(`subscription { forever }`)
	stream.wants(event{"next", `{"data":{"forever":1}}`})
	for range 10 {
		if got, ok := stream.block(); !ok {
			t.Fatalf("the stream was cut: %+v", got)
		}
	}
	stream.cancel()
	receive(t, "the producer to end", s.left)
}

func TestSlowStreamReaderIsDropped(t *testing.T) {
	s := newTestServer(t, withLimits(transport.Limits{WriteTimeout: 50 * time.Millisecond}))
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	body := request(`subscription { flood(bytes: 65536) }`, nil)
	fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAccept: text/event-stream\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	receive(t, "the producer to be stopped", s.left)
}

func TestConnectionLimits(t *testing.T) {
	s := newTestServer(t,
		withLimits(transport.Limits{ConnectionsPerAddress: 2, Connections: 3}),
		func(c *transport.Config) {
			c.ClientAddress = func(r *http.Request) string { return r.Header.Get("X-Test-Address") }
		})
	const forever = `subscription { forever }`
	var open []*eventReader
	hold := func(address string) *eventReader {
		stream := s.stream(forever, "X-Test-Address", address)
		stream.wants(event{"next", `{"data":{"forever":1}}`})
		open = append(open, stream)
		return stream
	}
	refuse := func(address string, status int, code string) {
		t.Helper()
		got := s.ask(forever, "X-Test-Address", address, "Accept", "text/event-stream")
		got.wants(status, code)
		if got.header.Get("Retry-After") == "" {
			t.Error("Retry-After is missing")
		}
	}
	hold("2001:db8::1")
	hold("2001:db8::ffff:2") // the same subscriber
	refuse("2001:db8::3", http.StatusTooManyRequests, transport.CodeRateLimited)
	refuse("2001:db8:0:0:1::", http.StatusTooManyRequests, transport.CodeRateLimited)
	hold("2001:db8:0:1::1")
	refuse("192.0.2.1", http.StatusServiceUnavailable, transport.CodeUnavailable)

	open[0].cancel()
	receive(t, "the first stream to end", s.left)
	waitFor(t, func() bool {
		got := s.ask(`{ greeting }`, "X-Test-Address", "192.0.2.1", "Accept", "text/event-stream")
		return got.status == http.StatusOK
	})
	// A plain request is never counted.
	s.ask(`{ greeting }`, "X-Test-Address", "2001:db8::1").wants(http.StatusOK, "")
}

// waitFor repeats a question whose answer changes very soon after an event that can
// be observed.
func waitFor(t testing.TB, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if condition() {
			return
		}
	}
	t.Fatal("timed out")
}

func TestDrainCompletesStreams(t *testing.T) {
	s := newTestServer(t)
	stream := s.stream(`subscription { forever }`)
	stream.wants(event{"next", `{"data":{"forever":1}}`})
	drain(t, s)
	stream.ends()
	receive(t, "the producer to end", s.left)
}

func TestTokensAreNotIssuedByStreams(t *testing.T) {
	s := newTestServer(t)
	stream := s.stream(`mutation { issueToken(token: "ct_new") }`)
	content, _ := io.ReadAll(stream.response.Body)
	if stream.response.Header.Get("Set-Cookie") != "" || strings.Contains(string(content), `"issueToken":true`) {
		t.Errorf("%v %s", stream.response.Header, content)
	}
}
