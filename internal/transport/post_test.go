package transport_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"stepwise/internal/transport"
)

const (
	mediaJSON     = "application/json"
	mediaResponse = "application/graphql-response+json"
)

func TestPostAnswersInTheNegotiatedMediaType(t *testing.T) {
	s := newTestServer(t)
	for _, test := range []struct {
		accept string
		want   string // empty for 406
	}{
		{"", mediaJSON},
		{"*/*", mediaJSON},
		{"application/*", mediaJSON},
		{"application/json", mediaJSON},
		{"APPLICATION/JSON", mediaJSON},
		{"application/json; charset=utf-8", mediaJSON},
		{"application/graphql-response+json", mediaResponse},
		{"application/graphql-response+json, application/json;q=0.9", mediaResponse},
		{"application/json;q=0.9, application/graphql-response+json", mediaResponse},
		{"application/graphql-response+json;q=0.1, application/json", mediaJSON},
		{"application/json, application/graphql-response+json", mediaResponse},
		{"application/json, text/plain, */*", mediaJSON},
		{"application/graphql-response+json, */*;q=0.5", mediaResponse},
		{"application/json;q=0, */*", mediaResponse},
		{"application/graphql-response+json, application/graphql+json, application/json, text/event-stream, multipart/mixed", mediaResponse},
		{"application/json;q=nonsense, application/graphql-response+json", mediaResponse},
		{"text/html", ""},
		{"application/json;q=0", ""},
		{"application/json;q=2", ""},
		{"*/*;q=0", ""},
		{",;,", ""},
	} {
		t.Run(test.accept, func(t *testing.T) {
			var headers []string
			if test.accept != "" {
				headers = []string{"Accept", test.accept}
			}
			got := s.ask(`{ greeting }`, headers...)
			if test.want == "" {
				got.wants(http.StatusNotAcceptable, transport.CodeNotAcceptable)
				return
			}
			got.wants(http.StatusOK, "")
			if media := got.header.Get("Content-Type"); media != test.want+"; charset=utf-8" {
				t.Errorf("Content-Type %q, want %q", media, test.want)
			}
			if got.body != `{"data":{"greeting":"Hello, world"}}` {
				t.Errorf("body %s", got.body)
			}
		})
	}
}

func TestPostStatusOfRequestErrors(t *testing.T) {
	s := newTestServer(t)
	for _, test := range []struct {
		name, body string
		code       string
		json       int // status under application/json; 400 under the other type
	}{
		{"syntax", `{"query":"{"}`, transport.CodeParseFailed, 200},
		{"validation", `{"query":"{ nothing }"}`, transport.CodeValidationFailed, 200},
		{"variable", `{"query":"query($n: Int!) { failures(count: $n) { id } }"}`, transport.CodeBadUserInput, 200},
		{"no such operation", `{"query":"query A { greeting }","operationName":"B"}`, transport.CodeValidationFailed, 200},
		{"several operations, none chosen", `{"query":"query A { greeting } query B { greeting }"}`, transport.CodeValidationFailed, 200},
		{"document without operation", `{"query":"fragment F on Query { greeting }"}`, transport.CodeValidationFailed, 200},
		{"no query", `{}`, transport.CodeBadRequest, 400},
		{"null query", `{"query":null}`, transport.CodeBadRequest, 400},
		{"empty query", `{"query":""}`, transport.CodeBadRequest, 400},
		{"query is a number", `{"query":7}`, transport.CodeBadRequest, 400},
		{"operationName is a number", `{"query":"{ greeting }","operationName":7}`, transport.CodeBadRequest, 400},
		{"variables are a list", `{"query":"{ greeting }","variables":[]}`, transport.CodeBadRequest, 400},
		{"variables are a string", `{"query":"{ greeting }","variables":"{}"}`, transport.CodeBadRequest, 400},
		{"extensions are a string", `{"query":"{ greeting }","extensions":"{}"}`, transport.CodeBadRequest, 400},
		{"key in another case", `{"QUERY":"{ greeting }"}`, transport.CodeBadRequest, 400},
		{"key twice", `{"query":"{ greeting }","query":"{ caller }"}`, transport.CodeBadRequest, 400},
		{"not JSON", `query`, transport.CodeBadRequest, 400},
		{"nothing", ``, transport.CodeBadRequest, 400},
		{"cut short", `{"query":"{ greeting }"`, transport.CodeBadRequest, 400},
		{"a string", `"{ greeting }"`, transport.CodeBadRequest, 400},
		{"null", `null`, transport.CodeBadRequest, 400},
		{"trailing data", `{"query":"{ greeting }"} {}`, transport.CodeBadRequest, 400},
		{"trailing garbage", `{"query":"{ greeting }"}]`, transport.CodeBadRequest, 400},
		{"raw NUL", "{\"query\":\"{ greeting }\x00\"}", transport.CodeBadRequest, 400},
		{"escaped NUL in a variable", `{"query":"query($n: String) { greeting(name: $n) }","variables":{"n":"a\u0000b"}}`, transport.CodeBadRequest, 400},
		{"escaped NUL in a nested variable", `{"query":"{ greeting }","variables":{"a":[{"b":"\u0000"}]}}`, transport.CodeBadRequest, 400},
		{"escaped NUL in a key", `{"query":"{ greeting }","variables":{"\u0000":1}}`, transport.CodeBadRequest, 400},
		{"invalid UTF-8", "{\"query\":\"{ greeting }\",\"variables\":{\"n\":\"\xff\"}}", transport.CodeBadRequest, 400},
		{"batch", ` [{"query":"{ greeting }"}]`, transport.CodeBatchingNotSupported, 400},
		{"persisted query", `{"extensions":{"persistedQuery":{"version":1,"sha256Hash":"00"}}}`, transport.CodePersistedQueryNotSupported, 200},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := s.post(test.body)
			got.wants(test.json, test.code)
			if strings.Contains(got.body, `"data"`) {
				t.Errorf("a request error has an entry data: %s", got.body)
			}
			if test.code != transport.CodePersistedQueryNotSupported {
				s.post(test.body, "Accept", mediaResponse).wants(http.StatusBadRequest, test.code)
			}
		})
	}
}

func TestPostTakesWhatTheSpecificationTolerates(t *testing.T) {
	s := newTestServer(t)
	for name, body := range map[string]string{
		"null members":           `{"query":"{ greeting }","operationName":null,"variables":null,"extensions":null}`,
		"unknown members":        `{"query":"{ greeting }","id":7,"doc_id":{"a":[1]}}`,
		"extensions":             `{"query":"{ greeting }","extensions":{"persistedQuery":{"version":1}}}`,
		"white space":            "\r\n\t {\"query\":\"{ greeting }\"} \n",
		"surplus variables":      `{"query":"{ greeting }","variables":{"unused":1}}`,
		"the chosen of several":  `{"query":"query A { greeting } query B { caller } ","operationName":"A"}`,
		"an empty operationName": `{"query":"{ greeting }","operationName":""}`,
	} {
		t.Run(name, func(t *testing.T) {
			got := s.post(body)
			got.wants(http.StatusOK, "")
			if got.result().Data["greeting"] != "Hello, world" {
				t.Errorf("body %s", got.body)
			}
		})
	}
}

func TestTextThatOnlyLooksLikeNULIsAccepted(t *testing.T) {
	got := newTestServer(t).post(`{"query":"query($n: String) { greeting(name: $n) }","variables":{"n":"\\u0000"}}`)
	if greeting := got.result().Data["greeting"]; greeting != `Hello, \u0000` {
		t.Errorf("%q", greeting)
	}
}

func TestPostRunsOnlyTheChosenOperation(t *testing.T) {
	s := newTestServer(t)
	document := `query A { greeting } mutation B { rename(id: 1, name: \"x\") { id } }`
	s.post(`{"query":"`+document+`","operationName":"A"}`).wants(http.StatusOK, "")
	if n := s.renamed.Load(); n != 0 {
		t.Errorf("the other operation ran %d times", n)
	}
	s.post(`{"query":"`+document+`","operationName":"B"}`).wants(http.StatusOK, "")
	if n := s.renamed.Load(); n != 1 {
		t.Errorf("the chosen operation ran %d times", n)
	}
}

func TestOnlyJSONIsAccepted(t *testing.T) {
	s := newTestServer(t)
	body := request(`mutation { rename(id: 1, name: "x") { id } }`, nil)
	for _, headers := range [][]string{
		{"Content-Type", ""},
		{"Content-Type", "text/plain"},
		{"Content-Type", "application/graphql"},
		{"Content-Type", "application/x-www-form-urlencoded"},
		{"Content-Type", "multipart/form-data; boundary=x"},
		{"Content-Type", "application/json; charset=iso-8859-1"},
		{"Content-Type", "application/json, text/plain"},
		{"Content-Type", "application/json;;;=;"},
		{"Content-Type", "application/json", "Content-Encoding", "gzip"},
	} {
		t.Run(strings.Join(headers, " "), func(t *testing.T) {
			s.do(http.MethodPost, body, headers...).wants(http.StatusUnsupportedMediaType, transport.CodeUnsupportedMediaType)
		})
	}
	for _, contentType := range []string{"application/json;charset=UTF-8", "Application/JSON"} {
		s.do(http.MethodPost, request(`{ greeting }`, nil), "Content-Type", contentType).wants(http.StatusOK, "")
	}
	if n := s.renamed.Load(); n != 0 {
		t.Errorf("%d of them ran", n)
	}
}

func TestOtherMethodsAreRefused(t *testing.T) {
	s := newTestServer(t)
	for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete, http.MethodPatch} {
		got := s.do(method, "", "Accept", "text/event-stream")
		got.wants(http.StatusMethodNotAllowed, transport.CodeMethodNotAllowed)
		if allow := got.header.Get("Allow"); allow != "POST" {
			t.Errorf("%s: Allow %q", method, allow)
		}
	}
	got := s.do(http.MethodOptions, "")
	if got.status != http.StatusNoContent || got.header.Get("Allow") != "OPTIONS, POST" {
		t.Errorf("OPTIONS: %d, Allow %q", got.status, got.header.Get("Allow"))
	}
}

func TestEveryReplyForbidsStoringAndSniffing(t *testing.T) {
	s := newTestServer(t)
	for _, got := range []reply{
		s.ask(`{ greeting }`), s.ask(`{`), s.do(http.MethodGet, ""), s.do(http.MethodOptions, ""),
		s.post(`{ greeting }`, "Authorization", "Bearer broken"),
	} {
		if got.header.Get("Cache-Control") != "no-store" || got.header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%d: %v", got.status, got.header)
		}
	}
}

func TestBodyLimit(t *testing.T) {
	s := newTestServer(t)
	padded := func(size int) string {
		head := `{"query":"{ greeting }","pad":"`
		return head + strings.Repeat("x", size-len(head)-2) + `"}`
	}
	s.post(padded(256<<10)).wants(http.StatusOK, "")
	s.post(padded(256<<10+1)).wants(http.StatusRequestEntityTooLarge, transport.CodeLimitExceeded)

	// Without a Content-Length the limit is met while reading.
	request, err := http.NewRequest(http.MethodPost, s.url, io.MultiReader(strings.NewReader(padded(256<<10+1))))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := s.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	reply{t, response.StatusCode, response.Header, string(body)}.wants(http.StatusRequestEntityTooLarge, transport.CodeLimitExceeded)
}

func TestOnlyTheFirstErrorsAreSent(t *testing.T) {
	s := newTestServer(t)
	if n := len(s.ask(`{ a1 a2 a3 a4 a5 a6 a7 }`).result().Errors); n != 5 {
		t.Errorf("%d validation errors", n)
	}
	got := s.ask(`{ failures(count: 9) { id broken } }`).result()
	if n := len(got.Errors); n != 5 {
		t.Errorf("%d execution errors", n)
	}
	if items, _ := got.Data["failures"].([]any); len(items) != 9 {
		t.Errorf("data %v", got.Data)
	}
}

func TestRequestDeadline(t *testing.T) {
	s := newTestServer(t, withLimits(transport.Limits{RequestTimeout: 250 * time.Millisecond}))
	s.ask(`{ wait }`).wants(http.StatusOK, transport.CodeUnavailable)

	// A request whose time is up before it is executed has no data at all.
	slow := newTestServer(t, withLimits(transport.Limits{RequestTimeout: time.Millisecond}), func(c *transport.Config) {
		c.Authenticate = func(ctx context.Context, _ transport.Credentials) (context.Context, error) {
			<-ctx.Done()
			return ctx, nil
		}
	})
	got := slow.ask(`mutation { rename(id: 1, name: "x") { id } }`)
	got.wants(http.StatusServiceUnavailable, transport.CodeUnavailable)
	if slow.renamed.Load() != 0 || strings.Contains(got.body, "data") {
		t.Errorf("it ran: %s", got.body)
	}
}

func TestClientThatLeavesEndsItsRequest(t *testing.T) {
	s := newTestServer(t)
	ctx, cancel := context.WithCancel(context.Background())
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, strings.NewReader(request(`{ wait }`, nil)))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	go func() {
		<-s.entered
		cancel()
	}()
	if _, err := s.client.Do(request); !errors.Is(err, context.Canceled) {
		t.Fatalf("%v", err)
	}
	drain(t, s)
	if text := s.log.String(); text != "" {
		t.Errorf("a client that leaves is no error of ours: %s", text)
	}
}

func TestDrainWaitsForRunningRequests(t *testing.T) {
	s := newTestServer(t, withLimits(transport.Limits{RequestTimeout: 200 * time.Millisecond}))
	answered := make(chan reply, 1)
	go func() { answered <- s.ask(`{ wait }`) }()
	receive(t, "the request to run", s.entered)

	short, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Drain(short); !errors.Is(err, context.Canceled) {
		t.Errorf("Drain gave up with %v", err)
	}
	got := s.ask(`{ greeting }`)
	got.wants(http.StatusServiceUnavailable, transport.CodeUnavailable)
	drain(t, s)
	(<-answered).wants(http.StatusOK, transport.CodeUnavailable)
}

func drain(t testing.TB, s *testServer) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := s.Drain(ctx); err != nil {
		t.Errorf("Drain: %v", err)
	}
}

func TestBodyCutShortIsRefused(t *testing.T) {
	s := newTestServer(t)
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"query\":\"mutation { rename(id: 1, name: 2) { id } }\"}")
	conn.(*net.TCPConn).CloseWrite()
	answer, _ := io.ReadAll(conn)
	if !strings.HasPrefix(string(answer), "HTTP/1.1 400 ") {
		t.Errorf("%s", answer)
	}
}

func TestServerWithASchemaAlone(t *testing.T) {
	s := newTestServer(t, func(c *transport.Config) { *c = transport.Config{Schema: c.Schema, Logger: c.Logger} })
	s.ask(`{ greeting }`).wants(http.StatusOK, "")
	s.ask(`{ greeting }`, "Origin", allowedOrigin).wants(http.StatusForbidden, transport.CodeForbiddenOrigin)
	s.connected(`{}`)

	defer func() {
		if recover() == nil {
			t.Error("New took a Config without a schema")
		}
	}()
	transport.New(transport.Config{})
}
