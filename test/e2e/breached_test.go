package e2e

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"stepwise/internal/realtest"
)

// rangeServer knows breached passwords by the first five digits of their hashes. It
// pads its answers.
type rangeServer struct {
	*httptest.Server
	mu       sync.Mutex
	breached []string
	requests []string
	// broken: it answers with something else.
	broken bool
}

func hashOf(password string) string {
	sum := sha1.Sum([]byte(password))
	return strings.ToUpper(hex.EncodeToString(sum[:]))
}

func startRangeServer(t testing.TB, breached ...string) *rangeServer {
	t.Helper()
	s := &rangeServer{breached: breached}
	s.Server = httptest.NewServer(http.HandlerFunc(s.answer))
	t.Cleanup(s.Close)
	return s
}

func (s *rangeServer) answer(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	s.requests = append(s.requests, fmt.Sprintf("%s %s %q %v", r.Method, r.RequestURI, body, r.Header))
	if s.broken {
		io.WriteString(w, "<html>maintenance</html>")
		return
	}
	for _, password := range s.breached {
		if suffix, ok := strings.CutPrefix(hashOf(password), strings.TrimPrefix(r.URL.Path, "/range/")); ok {
			fmt.Fprintf(w, "%s:23\r\n", suffix)
		}
	}
	for i := range 20 {
		fmt.Fprintf(w, "%035X:0\r\n", i)
	}
}

func (s *rangeServer) asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

func (s *rangeServer) setBroken(broken bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = broken
}

// TestBreachedPasswords: refused where the settings want it; the server that knows them
// learns five digits of the hash and nothing else, and people sign up without it.
// Production may ask one on its own machine, if that is the one it was started with.
func TestBreachedPasswords(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"development", "production"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			const breached, fine = "stolen canary otters", "fine canary otters"
			known := startRangeServer(t, breached)
			env := map[string]string{"BREACHED_PASSWORDS_URL": known.URL + "/"}
			if mode == "production" {
				env = with(production(), "BREACHED_PASSWORDS_URL", known.URL)
			}
			server := realtest.Program(t, realtest.ProgramOptions{Env: env})
			administrator := newAdministrator(t, server)
			input := func(password string) map[string]any {
				return map[string]any{"emailAddress": "ada@example.com", "password": password}
			}
			newClient(t, server).create(t, input(breached))
			if asked := known.asked(); len(asked) != 0 {
				t.Fatalf("asked although the settings do not want it: %v", asked)
			}
			administrator.changeSettings(t, map[string]any{"password": map[string]any{"rejectBreached": true, "rejectCommon": false}})
			refused := mustTry(t)(newClient(t, server).tryCreate(input(breached)))
			if !slices.Equal(refused.errorCodes(), []string{"PASSWORD_BREACHED"}) || refused.UserErrors[0].Attribute != "PASSWORD" ||
				!slices.Equal(refused.UserErrors[0].Field, []string{"input", "password"}) || !strings.Contains(refused.UserErrors[0].Message, "stolen") {
				t.Errorf("a breached password: %+v", refused.UserErrors)
			}
			newClient(t, server).create(t, input(fine))
			var want []string
			for _, password := range []string{breached, fine} {
				want = append(want, `GET /range/`+hashOf(password)[:5]+` "" map[Add-Padding:[true] User-Agent:[Stepwise]]`)
			}
			if asked := known.asked(); !slices.Equal(asked, want) {
				t.Errorf("the server was asked\n%s\nwant\n%s", strings.Join(asked, "\n"), strings.Join(want, "\n"))
			}

			known.setBroken(true)
			for range 3 {
				newClient(t, server).create(t, input(breached))
				common := mustTry(t)(newClient(t, server).tryCreate(input("password123")))
				if !slices.Equal(common.errorCodes(), []string{"PASSWORD_BREACHED"}) {
					t.Errorf("a common password, with nobody to ask: %+v", common.UserErrors)
				}
			}
			known.Close()
			newClient(t, server).create(t, input(breached))
			output := server.Stdout() + server.Stderr()
			if n := strings.Count(output, "breached passwords not asked for"); n != 1 {
				t.Errorf("%d warnings, want 1", n)
			}
			for _, secret := range []string{"canary", hashOf(breached)[:5], hashOf("password123")[:5]} {
				if strings.Contains(output, secret) {
					t.Errorf("the output has %q:\n%s", secret, output)
				}
			}
		})
	}
}
