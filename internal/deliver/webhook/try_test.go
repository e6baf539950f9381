package webhook

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	reference "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"stepwise/internal/signup"
)

// newClient returns a client without keep-alive beyond the test.
func newClient(t *testing.T) *http.Client {
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func newServer(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

// newRaw answers every connection by hand.
func newRaw(t *testing.T, answer func(net.Conn)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			answer(conn)
			conn.Close()
		}
	}()
	t.Cleanup(func() { listener.Close(); <-done })
	return "http://" + listener.Addr().String()
}

func due(url string, tries int) signup.DueDelivery {
	return signup.DueDelivery{
		Delivery: signup.Delivery{ID: "whd_1", Instance: "ins_1", EndpointID: "whe_1", Tries: tries,
			Event: signup.Event{ID: "evt_1", Kind: "user.created", Body: []byte(`{"id":"user_1"}`), At: testTime}},
		URL: url, Secret: testKey,
	}
}

func newDispatcher(c Config) *Dispatcher {
	c.Source = newOutbox(time.Now)
	c.Random = func() float64 { return 0 }
	return New(c)
}

// The request is one that the specification's library verifies.
func TestRequest(t *testing.T) {
	verifier, err := reference.NewWebhook("whsec_" + base64.StdEncoding.EncodeToString(testKey))
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	url := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if err := verifier.Verify(body, r.Header); err != nil {
			t.Error(err)
		}
		if r.Method != "POST" || r.URL.RequestURI() != "/hook?a=1" || r.Header.Get("Content-Type") != "application/json" ||
			r.Header.Get("webhook-id") != "evt_1" || !strings.HasPrefix(r.Header.Get("User-Agent"), "Stepwise") || r.ContentLength != int64(len(body)) {
			t.Errorf("%s %s %v", r.Method, r.URL, r.Header)
		}
		var message struct {
			Type, Timestamp string
			Data            map[string]string
		}
		if err := json.Unmarshal(body, &message); err != nil || message.Type != "user.created" || message.Data["id"] != "user_1" ||
			message.Timestamp != "2026-03-29T01:59:00.123Z" {
			t.Errorf("%s %v", body, err)
		}
		checked++
		w.WriteHeader(http.StatusAccepted)
	})
	o := newDispatcher(Config{Client: newClient(t)}).try(t.Context(), due(url+"/hook?a=1", 1))
	if !o.Done || o.Status != 202 || o.Error != "" || checked != 1 {
		t.Errorf("%+v after %d requests", o, checked)
	}
}

// What an endpoint answers, and what is made of it.
func TestAnswers(t *testing.T) {
	now := func() time.Time { return testTime }
	for _, c := range []struct {
		name   string
		status int
		header string // Retry-After
		tries  int
		want   signup.DeliveryResult
		gone   bool
	}{
		{"200", 200, "", 1, signup.DeliveryResult{Done: true, Status: 200}, false},
		{"204", 204, "", 11, signup.DeliveryResult{Done: true, Status: 204}, false},
		{"299", 299, "", 1, signup.DeliveryResult{Done: true, Status: 299}, false},
		{"301", 301, "", 1, signup.DeliveryResult{Status: 301, Error: "answered with status 301", RetryAt: testTime.Add(5 * time.Second)}, false},
		{"307", 307, "", 2, signup.DeliveryResult{Status: 307, Error: "answered with status 307", RetryAt: testTime.Add(time.Minute)}, false},
		{"304", 304, "", 1, signup.DeliveryResult{Status: 304, Error: "answered with status 304", RetryAt: testTime.Add(5 * time.Second)}, false},
		{"400", 400, "", 1, signup.DeliveryResult{Status: 400, Error: "answered with status 400", RetryAt: testTime.Add(5 * time.Second)}, false},
		{"404, tenth", 404, "", 10, signup.DeliveryResult{Status: 404, Error: "answered with status 404", RetryAt: testTime.Add(24 * time.Hour)}, false},
		{"500, eleventh", 500, "", 11, signup.DeliveryResult{Status: 500, Error: "answered with status 500"}, false},
		{"410", 410, "", 1, signup.DeliveryResult{Status: 410, Error: "answered with status 410"}, true},
		{"429", 429, "90", 1, signup.DeliveryResult{Status: 429, Error: "answered with status 429", RetryAt: testTime.Add(90 * time.Second)}, false},
		{"503, sooner than the schedule", 503, "90", 4, signup.DeliveryResult{Status: 503, Error: "answered with status 503", RetryAt: testTime.Add(30 * time.Minute)}, false},
		{"503, far too late", 503, "31536000", 1, signup.DeliveryResult{Status: 503, Error: "answered with status 503", RetryAt: testTime.Add(24 * time.Hour)}, false},
		{"503, eleventh", 503, "90", 11, signup.DeliveryResult{Status: 503, Error: "answered with status 503"}, false},
		{"500 with Retry-After", 500, "90", 1, signup.DeliveryResult{Status: 500, Error: "answered with status 500", RetryAt: testTime.Add(5 * time.Second)}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			requests := 0
			url := newServer(t, func(w http.ResponseWriter, r *http.Request) {
				requests++
				w.Header().Set("Location", "/elsewhere")
				w.Header().Set("Set-Cookie", "a=b")
				if c.header != "" {
					w.Header().Set("Retry-After", c.header)
				}
				w.WriteHeader(c.status)
			})
			client := newClient(t)
			client.Jar, _ = cookiejar.New(nil)
			d := newDispatcher(Config{Client: client, Now: now})
			want := outcome{c.want, c.gone}
			want.At = testTime
			if got := d.try(t.Context(), due(url, c.tries)); got != want {
				t.Errorf("%+v, want %+v", got, want)
			}
			if requests != 1 || len(client.Jar.Cookies(mustParse(t, url))) != 0 {
				t.Errorf("%d requests, cookies %v", requests, client.Jar.Cookies(mustParse(t, url)))
			}
			if client.CheckRedirect != nil {
				t.Error("the client that was handed in has changed")
			}
		})
	}
}

// Failures of the network are named in fixed words, and tried again.
func TestNetworkFailures(t *testing.T) {
	errPrivate := errors.New("10.0.0.1 is canary-private")
	dial := func(err error) *http.Client {
		return &http.Client{Transport: answers(func(*http.Request) (*http.Response, error) { return nil, err })}
	}
	closed := newRaw(t, func(net.Conn) {})
	reset := newRaw(t, func(c net.Conn) {
		io.ReadFull(c, make([]byte, 10))
		c.(*net.TCPConn).SetLinger(0)
	})
	garbage := newRaw(t, func(c net.Conn) {
		io.ReadFull(c, make([]byte, 10))
		io.WriteString(c, "canary is not HTTP\r\n\r\n")
	})
	refused := newRaw(t, func(net.Conn) {})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refused = "http://" + listener.Addr().String()
	listener.Close()
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = discardLog
	secure.StartTLS()
	t.Cleanup(secure.Close)
	plain := newServer(t, func(http.ResponseWriter, *http.Request) {})

	for _, c := range []struct {
		name, url string
		client    *http.Client
		want      string
	}{
		{"nobody listens", refused, newClient(t), "connection refused"},
		{"closed at once", closed, newClient(t), "connection closed before the answer"},
		{"reset", reset, newClient(t), "connection closed before the answer"},
		{"not HTTP", garbage, newClient(t), "request failed"},
		{"unknown certificate", secure.URL, newClient(t), "no secure connection"},
		{"TLS to a plain server", "https" + strings.TrimPrefix(plain, "http"), newClient(t), "no secure connection"},
		{"TLS alert", "http://a.test", dial(tls.AlertError(42)), "no secure connection"},
		{"unknown host", "http://a.test", dial(&net.DNSError{Err: "no such host", Name: "canary", IsNotFound: true}), "host not found"},
		{"name server too slow", "http://a.test", dial(&net.DNSError{Err: "i/o timeout", Name: "canary", IsTimeout: true}), "timed out"},
		{"private", "http://a.test", dial(fmt.Errorf("dial: %w", errPrivate)), "private address refused"},
		{"anything else", "http://a.test", dial(errors.New("canary")), "request failed"},
		{"panic", "http://a.test", &http.Client{Transport: answers(func(*http.Request) (*http.Response, error) { panic("canary") })}, "internal error"},
		{"no URL", "://canary", newClient(t), "the endpoint's address cannot be used"},
		{"no HTTP URL", "file:///etc/passwd", newClient(t), "request failed"},
		{"no host", "http://", newClient(t), "request failed"},
	} {
		d := newDispatcher(Config{Client: c.client, IsPrivate: func(err error) bool { return errors.Is(err, errPrivate) }, Now: func() time.Time { return testTime }})
		got := d.try(t.Context(), due(c.url, 1))
		want := outcome{DeliveryResult: signup.DeliveryResult{At: testTime, Error: c.want, RetryAt: testTime.Add(5 * time.Second)}}
		if got != want {
			t.Errorf("%s: %+v, want %+v", c.name, got, want)
		}
	}
}

// What cannot be sent is given up without a request; a bad key can be replaced.
func TestUnsendable(t *testing.T) {
	d := newDispatcher(Config{Client: &http.Client{Transport: answers(func(*http.Request) (*http.Response, error) {
		t.Error("a request was made")
		return nil, io.EOF
	})}, Now: func() time.Time { return testTime }})
	broken := due("http://a.test", 1)
	broken.Event.Body = []byte("{")
	if got := d.try(t.Context(), broken); got != (outcome{DeliveryResult: signup.DeliveryResult{At: testTime, Error: "the event cannot be sent"}}) {
		t.Errorf("broken body: %+v", got)
	}
	short := due("http://a.test", 1)
	short.Secret = short.Secret[:23]
	if got := d.try(t.Context(), short); got.Error != "the endpoint's secret cannot be used" || !got.RetryAt.Equal(testTime.Add(5*time.Second)) {
		t.Errorf("short key: %+v", got)
	}
}

// An answer without end costs 64 KiB and no more, and counts by its status.
func TestGiantAnswer(t *testing.T) {
	written := make(chan int, 1)
	url := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		chunk, n := make([]byte, 32<<10), 0
		for n < 1<<30 {
			more, err := w.Write(chunk)
			n += more
			if err != nil {
				break
			}
		}
		written <- n
	})
	if o := newDispatcher(Config{Client: newClient(t)}).try(t.Context(), due(url, 1)); !o.Done || o.Status != 200 {
		t.Errorf("%+v", o)
	}
	// Buffers of both sides hold some more than what was read.
	if n := <-written; n > 64<<20 {
		t.Errorf("%d bytes were taken", n)
	}
}

// At shutdown a try is cut short, and due again at once.
func TestStoppedTry(t *testing.T) {
	d := newDispatcher(Config{Client: &http.Client{Transport: answers(hang)}, Now: func() time.Time { return testTime }})
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errStopping)
	if got := d.try(ctx, due("http://a.test", 11)); got != (outcome{DeliveryResult: signup.DeliveryResult{At: testTime, Error: "the server stopped first", RetryAt: testTime}}) {
		t.Errorf("%+v", got)
	}
}

// What is put off waits by the schedule too, and is never given up for it.
func TestPutOff(t *testing.T) {
	d := newDispatcher(Config{Client: &http.Client{}, Now: func() time.Time { return testTime }})
	for tries, want := range map[int]time.Duration{1: 5 * time.Second, 3: 5 * time.Minute, 10: 24 * time.Hour, 11: 24 * time.Hour, 99: 24 * time.Hour} {
		got := d.putOff(signup.Delivery{Tries: tries})
		if got != (signup.DeliveryResult{At: testTime, Error: "put off because the endpoint is slow", RetryAt: testTime.Add(want)}) {
			t.Errorf("after %d tries: %+v", tries, got)
		}
	}
}
