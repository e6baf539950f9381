package transport_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"stepwise/internal/transport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	allowedOrigin = "https://app.example"
	foreignOrigin = "https://evil.example"
)

// testServer is a Server on a loopback port, with everything it did on record.
type testServer struct {
	*transport.Server
	t       testing.TB
	url     string
	client  *http.Client
	log     *logRecorder
	renamed atomic.Int32
	entered chan struct{} // one value for each `wait` that began to wait
	left    chan struct{} // one value for each subscription whose producer ended
}

type option func(*transport.Config)

func withLimits(limits transport.Limits) option {
	return func(c *transport.Config) { c.Limits = limits }
}

func inProduction(c *transport.Config) { c.Production = true }

func newTestServer(t testing.TB, options ...option) *testServer {
	t.Helper()
	s := &testServer{t: t, log: new(logRecorder), entered: make(chan struct{}, 1000), left: make(chan struct{}, 1000)}
	config := transport.Config{
		Schema: NewExecutableSchema(Config{Resolvers: &resolvers{
			renamed: func() { s.renamed.Add(1) },
			entered: func() { s.entered <- struct{}{} },
			left:    func() { s.left <- struct{}{} },
		}}),
		PublicURL: &url.URL{Scheme: "http", Host: "localhost:8080"},
		Authenticate: func(ctx context.Context, c transport.Credentials) (context.Context, error) {
			switch c.Bearer {
			case "refused":
				return nil, codedError{"UNAUTHENTICATED", "The token is not valid."}
			case "forbidden":
				return nil, codedError{"FORBIDDEN", "Not with this token."}
			case "unavailable":
				return nil, codedError{"UNAVAILABLE", "The store is down."}
			case "broken":
				return nil, io.ErrUnexpectedEOF
			case "panic":
				panic("secret panic")
			}
			caller := strings.Join([]string{c.PublishableKey, c.Bearer, c.Cookie("client")}, "|")
			return context.WithValue(ctx, callerKey{}, caller), nil
		},
		AllowOrigin: func(_ context.Context, key, origin string) bool {
			return origin == allowedOrigin && key != "pk_other"
		},
		Privileged: func(ctx context.Context) bool {
			caller, _ := ctx.Value(callerKey{}).(string)
			return strings.Contains(caller, "sk_")
		},
		Logger: slog.New(slog.NewTextHandler(s.log, nil)),
	}
	for _, apply := range options {
		apply(&config)
	}
	s.Server = transport.New(config)

	listener := httptest.NewServer(s.Server)
	s.url = listener.URL
	s.client = listener.Client()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := s.Drain(ctx); err != nil {
			t.Errorf("the server did not come to rest: %v", err)
		}
		listener.Close()
	})
	return s
}

// logRecorder keeps what was logged.
type logRecorder struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (l *logRecorder) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buffer.Write(p)
}

func (l *logRecorder) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buffer.String()
}

// reply is a response that was read to its end.
type reply struct {
	t      testing.TB
	status int
	header http.Header
	body   string
}

// do sends a request; headers are pairs of name and value.
func (s *testServer) do(method, body string, headers ...string) reply {
	s.t.Helper()
	request, err := http.NewRequest(method, s.url, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	for pair := range slices.Chunk(headers, 2) {
		request.Header.Add(pair[0], pair[1])
	}
	response, err := s.client.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return reply{s.t, response.StatusCode, response.Header, string(content)}
}

// post sends a JSON body with a Content-Type.
func (s *testServer) post(body string, headers ...string) reply {
	s.t.Helper()
	return s.do(http.MethodPost, body, append([]string{"Content-Type", "application/json"}, headers...)...)
}

// ask sends a document without variables.
func (s *testServer) ask(document string, headers ...string) reply {
	s.t.Helper()
	return s.post(request(document, nil), headers...)
}

// request is the body of a request.
func request(document string, variables map[string]any) string {
	body, err := json.Marshal(map[string]any{"query": document, "variables": variables})
	if err != nil {
		panic(err)
	}
	return string(body)
}

// result is a GraphQL response.
type result struct {
	Data   map[string]any
	Errors []struct {
		Message    string
		Path       []any
		Locations  []any
		Extensions map[string]any
	}
}

func (r reply) result() result {
	r.t.Helper()
	var decoded result
	if err := json.Unmarshal([]byte(r.body), &decoded); err != nil {
		r.t.Fatalf("not a GraphQL response: %v: %s", err, r.body)
	}
	return decoded
}

// code is the code of the first error, or empty.
func (r reply) code() string {
	r.t.Helper()
	decoded := r.result()
	if len(decoded.Errors) == 0 {
		return ""
	}
	code, _ := decoded.Errors[0].Extensions["code"].(string)
	return code
}

// wants checks status and code; the code is empty for a success.
func (r reply) wants(status int, code string) {
	r.t.Helper()
	if r.status != status || r.code() != code {
		r.t.Errorf("got %d %q, want %d %q: %s", r.status, r.code(), status, code, r.body)
	}
}

// lacks checks that none of the texts came back.
func (r reply) lacks(texts ...string) {
	r.t.Helper()
	for _, text := range texts {
		if strings.Contains(r.body, text) {
			r.t.Errorf("the reply repeats %q: %s", text, r.body)
		}
	}
}

func receive(t testing.TB, what string, signal <-chan struct{}) {
	t.Helper()
	select {
	case <-signal:
	case <-time.After(10 * time.Second):
		t.Fatalf("timed out waiting for: %s", what)
	}
}
