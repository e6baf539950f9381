package breached

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"stepwise/internal/outbound"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const canary = "canary badger 4471"

// nameOf is the hash of a password as such servers write it.
func nameOf(password string) (prefix, suffix string) {
	sum := sha1.Sum([]byte(password))
	name := strings.ToUpper(hex.EncodeToString(sum[:]))
	return name[:5], name[5:]
}

// at asks a server that answers with handle, as in development.
func at(t *testing.T, handle http.HandlerFunc) *Passwords {
	t.Helper()
	server := httptest.NewServer(handle)
	t.Cleanup(server.Close)
	client := outbound.NewClient(outbound.Options{AllowPrivate: true})
	t.Cleanup(client.CloseIdleConnections)
	return At(server.URL+"/", client)
}

func says(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

// wantSilent expects an error that says nothing of the password.
func wantSilent(t *testing.T, name string, err error) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: no error", name)
		return
	}
	prefix, suffix := nameOf(canary)
	for _, secret := range []string{"canary", "badger", prefix, suffix, strings.ToLower(prefix), "/range"} {
		if said := fmt.Sprintf("%v %+v %#v", err, err, err); strings.Contains(said, secret) {
			t.Errorf("%s: %s has %q", name, said, secret)
		}
	}
}

// TestKnown: a suffix is listed, in either case and with either end of line, unless
// its count is that of padding.
func TestKnown(t *testing.T) {
	_, suffix := nameOf(canary)
	other := strings.Repeat("0", 35)
	for body, want := range map[string]bool{
		other + ":5\r\n" + suffix + ":12\r\n":                true,
		suffix + ":1":                                        true,
		strings.ToLower(suffix) + ":3\n":                     true,
		"\n" + suffix + ":3\n\n":                             true,
		suffix + ":0\r\n" + other + ":7\r\n":                 false, // padding
		suffix + ":0\n" + suffix + ":2\n":                    true,
		other + ":0\r\n":                                     false,
		other + ":99999999999\r\n":                           false,
		strings.Repeat(other+":1\r\n", 2000):                 false,
		strings.Repeat(other+":0\r\n", 2000) + suffix + ":4": true,
	} {
		known, err := at(t, says(200, body)).Known(t.Context(), canary)
		if err != nil || known != want {
			t.Errorf("%.50q: %v, %v", body, known, err)
		}
	}
}

// TestNobodyKnows: of anything but a list nothing is believed, not even its beginning.
func TestNobodyKnows(t *testing.T) {
	_, suffix := nameOf(canary)
	good := suffix + ":12\r\n"
	for name, handle := range map[string]http.HandlerFunc{
		"not found":       says(404, good),
		"out of order":    says(500, good),
		"created":         says(201, good),
		"empty":           says(200, ""),
		"blank":           says(200, "\r\n\r\n"),
		"a page":          says(200, "<html>"+suffix+":12"),
		"no count":        says(200, suffix+"\r\n"),
		"a count of none": says(200, suffix+":\r\n"),
		"a negative one":  says(200, suffix+":-1\r\n"),
		"more after it":   says(200, good+"and more\r\n"),
		"whole hashes":    says(200, strings.Repeat("0", 40)+":1\r\n"),
		"short ones":      says(200, suffix[1:]+":1\r\n"),
		"not hex":         says(200, strings.Repeat("g", 35)+":1\r\n"),
		"huge":            says(200, strings.Repeat(good, 40_000)),
		"a redirect":      func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) },
		"broken off": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "1000")
			io.WriteString(w, good)
		},
		"hung up": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		known, err := at(t, handle).Known(t.Context(), canary)
		wantSilent(t, name, err)
		if known {
			t.Errorf("%s: believed", name)
		}
	}
	followed := false
	passwords := at(t, func(w http.ResponseWriter, r *http.Request) {
		if followed = r.URL.Path == "/elsewhere"; !followed {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		}
	})
	if _, err := passwords.Known(t.Context(), canary); err == nil || followed {
		t.Errorf("a redirect was followed: %v", err)
	}
}

// TestDeadline: the caller's, however slowly the server answers.
func TestDeadline(t *testing.T) {
	_, suffix := nameOf(canary)
	for name, begin := range map[string]func(w http.ResponseWriter){
		"nothing": func(http.ResponseWriter) {},
		"half a line": func(w http.ResponseWriter) {
			io.WriteString(w, suffix)
			w.(http.Flusher).Flush()
		},
	} {
		passwords := at(t, func(w http.ResponseWriter, r *http.Request) {
			begin(w)
			<-r.Context().Done()
		})
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		_, err := passwords.Known(ctx, canary)
		cancel()
		wantSilent(t, name, err)
	}
}

// TestWhatIsSent is five digits, and a wish for padding; nothing else depends on the
// password.
func TestWhatIsSent(t *testing.T) {
	var mu sync.Mutex
	var seen []string
	passwords := at(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, fmt.Sprintf("%s %s %q %v", r.Method, r.RequestURI, body, r.Header))
		io.WriteString(w, strings.Repeat("0", 35)+":0\n")
	})
	const another = "another password"
	for _, password := range []string{canary, another} {
		if _, err := passwords.Known(t.Context(), password); err != nil {
			t.Fatal(err)
		}
	}
	for i, password := range []string{canary, another} {
		prefix, _ := nameOf(password)
		if want := `GET /range/` + prefix + ` "" map[Add-Padding:[true] User-Agent:[Stepwise]]`; seen[i] != want {
			t.Errorf("sent %s, want %s", seen[i], want)
		}
	}
}

// TestOnlyPublicServers: production asks nobody in its own network.
func TestOnlyPublicServers(t *testing.T) {
	asked := false
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	defer server.Close()
	for _, address := range []string{server.URL, "http://example.com"} {
		_, err := At(address, outbound.NewClient(outbound.Options{})).Known(t.Context(), canary)
		wantSilent(t, address, err)
	}
	if asked {
		t.Error("a server on this machine was asked")
	}
}
