package e2e

import (
	"bufio"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"stepwise/internal/realtest"
)

// examplesFolder has the receivers that apps can begin with.
var examplesFolder = filepath.Join("..", "..", "examples")

// endpoint is an address that the program tells of events.
type endpoint struct{ id, secret string }

func (c *client) addEndpoint(t testing.TB, input map[string]any) endpoint {
	t.Helper()
	var data struct {
		WebhookEndpointCreate struct {
			Endpoint   *struct{ ID string }
			Secret     string
			UserErrors []userError
		}
	}
	c.query(t, `mutation($input: WebhookEndpointCreateInput!) {
		webhookEndpointCreate(input: $input) { endpoint { id } secret userErrors { code message field } }
	}`, map[string]any{"input": input}, &data)
	made := data.WebhookEndpointCreate
	if made.Endpoint == nil || !strings.HasPrefix(made.Secret, "whsec_") {
		t.Fatalf("endpoint at %v: %+v", input["url"], made.UserErrors)
	}
	return endpoint{made.Endpoint.ID, made.Secret}
}

func (c *client) changeEndpoint(t testing.TB, input map[string]any) {
	t.Helper()
	var data struct {
		WebhookEndpointUpdate struct{ UserErrors []userError }
	}
	c.query(t, "mutation($input: WebhookEndpointUpdateInput!) { webhookEndpointUpdate(input: $input) { userErrors { code message } } }",
		map[string]any{"input": input}, &data)
	if e := data.WebhookEndpointUpdate.UserErrors; len(e) > 0 {
		t.Fatalf("change the endpoint: %+v", e)
	}
}

type delivery struct {
	EventID, Event, Status string
	Tries                  int
	LastStatus             *int
	LastError              *string
}

func (c *client) deliveries(t testing.TB, e endpoint) []delivery {
	t.Helper()
	var data struct {
		WebhookDeliveries struct{ Nodes []delivery }
	}
	c.query(t, `query($id: ID) { webhookDeliveries(endpointId: $id, first: 100) {
		nodes { eventId event status tries lastStatus lastError }
	} }`, map[string]any{"id": e.id}, &data)
	return data.WebhookDeliveries.Nodes
}

// receiver is one of the examples, run for real. It prints a line for each event
// whose signature it has verified, once.
type receiver struct {
	url     string
	command *exec.Cmd

	mu    sync.Mutex
	lines []string
}

// startReceiver runs an example with that secret, until the test ends.
func startReceiver(t testing.TB, language, secret string) *receiver {
	t.Helper()
	r := &receiver{}
	if language == "go" {
		program := filepath.Join(t.TempDir(), "receiver")
		if output, err := exec.Command("go", "build", "-o", program, "../../examples/receiver-go").CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, output)
		}
		r.command = exec.Command(program, "-addr", "127.0.0.1:0")
	} else {
		r.command = exec.Command("node", filepath.Join(examplesFolder, "receiver-node", "receiver.mjs"), "--addr", "127.0.0.1:0")
	}
	r.command.Env = append(os.Environ(), "WEBHOOK_SECRET="+secret)
	r.command.Stderr = os.Stderr
	stdout, err := r.command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.command.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	t.Cleanup(func() {
		_ = r.command.Process.Kill()
		<-ended
		_ = r.command.Wait() // says that it was killed
	})
	began := make(chan string, 1)
	go func() {
		defer close(ended)
		defer close(began)
		for said := bufio.NewScanner(stdout); said.Scan(); {
			if url, ok := strings.CutPrefix(said.Text(), "listening on "); ok {
				began <- url
				continue
			}
			r.mu.Lock()
			r.lines = append(r.lines, said.Text())
			r.mu.Unlock()
		}
	}()
	if r.url = <-began; r.url == "" {
		t.Fatalf("the receiver in %s does not listen", language)
	}
	return r
}

// events lists the ids of the events of a kind that were verified.
func (r *receiver) events(kind string) (ids []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, line := range r.lines {
		if fields := strings.Fields(line); len(fields) == 3 && fields[1] == `"`+kind+`"` {
			ids = append(ids, fields[0])
		}
	}
	return ids
}

// TestWebhookReceivers lets both examples hear of a sign-up.
func TestWebhookReceivers(t *testing.T) {
	t.Parallel()
	server := realtest.Program(t, realtest.ProgramOptions{})
	administrator := newAdministrator(t, server)
	languages := []string{"go"}
	if realtest.Wanted() {
		languages = append(languages, "node")
	}
	endpoints, receivers := map[string]endpoint{}, map[string]*receiver{}
	for _, language := range languages {
		// The secret is known once there is an endpoint, the address once there is a
		// receiver.
		e := administrator.addEndpoint(t, map[string]any{"url": "http://127.0.0.1:1", "enabled": false, "events": []any{"USER_CREATED"}})
		r := startReceiver(t, language, e.secret)
		administrator.changeEndpoint(t, map[string]any{"id": e.id, "url": r.url + "/hook", "enabled": true})
		endpoints[language], receivers[language] = e, r
	}
	stranger := startReceiver(t, "go", "whsec_"+strings.Repeat("A", 43)+"=")
	lost := administrator.addEndpoint(t, map[string]any{"url": stranger.url})
	done := signUpWhole(t, newClient(t, server), "hooked@example.com")
	for _, language := range languages {
		eventually(t, answerLimit, func() string {
			if n := len(receivers[language].events("user.created")); n != 1 {
				return fmt.Sprintf("the receiver in %s has verified %d events", language, n)
			}
			return ""
		})
		// The answer comes before the note of it.
		eventually(t, answerLimit, func() string {
			got := administrator.deliveries(t, endpoints[language])
			if len(got) != 1 || got[0].Event != "USER_CREATED" || got[0].Status != "DELIVERED" || got[0].Tries != 1 || *got[0].LastStatus != 204 {
				return fmt.Sprintf("deliveries %s; want one of USER_CREATED, at the first try", encode(t, got))
			}
			if id := receivers[language].events("user.created")[0]; id != got[0].EventID {
				t.Fatalf("event %s was sent as %s", got[0].EventID, id)
			}
			return ""
		})
		if others := receivers[language].events("session.created"); len(others) != 0 {
			t.Errorf("the receiver in %s was told of %v, which it did not ask for", language, others)
		}
	}
	eventually(t, answerLimit, func() string {
		got := administrator.deliveries(t, lost)
		if len(got) != 2 || got[0].LastStatus == nil || got[1].LastStatus == nil {
			return fmt.Sprintf("deliveries %s; want both events tried", encode(t, got))
		}
		if *got[0].LastStatus != 401 || got[0].Status != "PENDING" {
			t.Fatalf("a receiver with another secret: %s; want 401, to be tried again", encode(t, got))
		}
		return ""
	})
	if said := server.Stdout() + server.Stderr(); strings.Contains(said, endpoints["go"].secret) || done.Status != "COMPLETE" {
		t.Error("a signing secret is in the log")
	}
}

// TestWebhookSurvivesAKill kills the program when users are committed and their
// events are not delivered: after a try that failed, and in the moment of the
// acknowledgement, whatever the program is doing then.
func TestWebhookSurvivesAKill(t *testing.T) {
	t.Parallel()
	server := realtest.Program(t, realtest.ProgramOptions{})
	administrator := newAdministrator(t, server)
	administrator.changeSettings(t, map[string]any{"testMode": true})
	e := administrator.addEndpoint(t, map[string]any{"url": "http://127.0.0.1:1", "events": []any{"USER_CREATED"}, "enabled": false})
	r := startReceiver(t, "go", e.secret)
	line := realtest.Proxy(t, mustURL(t, r.url).Host)
	line.RefuseNew()
	administrator.changeEndpoint(t, map[string]any{"id": e.id, "url": "http://" + line.Addr, "enabled": true})
	complete := func() {
		c := newClient(t, server)
		begin(t, c, "w"+randomHex(6)+"+test@example.com")
		c.check(t, "emailCode", "424242")
	}
	complete()
	eventually(t, answerLimit, func() string {
		if got := administrator.deliveries(t, e); len(got) != 1 || got[0].LastError == nil {
			return fmt.Sprintf("deliveries %s; want one that has failed", encode(t, got))
		}
		return ""
	})
	const more = 5
	for range more {
		complete()
		server.Kill()
		server.Restart()
	}
	if got := r.events("user.created"); len(got) != 0 {
		t.Fatalf("%d events came through a line that was cut", len(got))
	}
	server.Kill()
	line.Resume()
	makeDue(t, filepath.Join(server.DataDir, "stepwise.db"))
	server.Restart()
	eventually(t, answerLimit, func() string {
		if got := r.events("user.created"); len(got) != 1+more {
			return fmt.Sprintf("%d events of %d were delivered: %s", len(got), 1+more, encode(t, administrator.deliveries(t, e)))
		}
		return ""
	})
	eventually(t, answerLimit, func() string {
		got := administrator.deliveries(t, e)
		if len(got) != 1+more || slices.ContainsFunc(got, func(d delivery) bool { return d.Status != "DELIVERED" }) {
			return fmt.Sprintf("deliveries %s; want all done", encode(t, got))
		}
		return ""
	})
}

// makeDue lets the pauses between tries, and the claims of a program that is gone,
// be over, as they are after some minutes.
func makeDue(t testing.TB, path string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), "UPDATE webhook_deliveries SET not_before = created_at"); err != nil {
		t.Fatal(err)
	}
}
