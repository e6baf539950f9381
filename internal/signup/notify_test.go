package signup_test

import (
	"encoding/base64"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"stepwise/internal/signup"
)

const hook = "https://backend.example/hooks"

func at(address string) signup.WebhookInput { return signup.WebhookInput{URL: &address} }

// endpoint adds one that must be taken.
func (w *world) endpoint(in signup.WebhookInput) signup.WebhookOutcome {
	w.Helper()
	out, err := w.service.AddWebhookEndpoint(w.Context(), w.secret(), in)
	w.must(err)
	if len(out.Problems) > 0 || out.Endpoint == nil {
		w.Fatalf("the endpoint is refused: %+v", out.Problems)
	}
	return out
}

// inProduction is a world whose service does not take this machine's pages for the
// app's.
func inProduction(t *testing.T) *world {
	w := newWorld(t, "")
	w.service = w.process(func(c *signup.Config) { c.Development = false })
	return w
}

// TestEndpointAddresses: what events may be sent to.
func TestEndpointAddresses(t *testing.T) {
	w := inProduction(t)
	development := w.process(func(c *signup.Config) { c.Development = true })
	for address, want := range map[string]struct{ production, development bool }{
		"https://backend.example/hooks":                       {true, true},
		"https://backend.example":                             {true, true},
		"https://backend.example:8443/a?b=c":                  {true, true},
		"https://8.8.8.8/hooks":                               {true, true},
		"http://backend.example/hooks":                        {false, true},
		"http://localhost:3000/hooks":                         {false, true},
		"https://localhost/hooks":                             {false, true},
		"https://LocalHost/hooks":                             {false, true},
		"https://127.0.0.1/hooks":                             {false, true},
		"https://[::1]/hooks":                                 {false, true},
		"https://[::ffff:10.0.0.1]/hooks":                     {false, true},
		"https://10.0.0.1/hooks":                              {false, true},
		"https://192.168.1.1/hooks":                           {false, true},
		"https://169.254.169.254/latest/meta-data":            {false, true},
		"https://[fe80::1]/hooks":                             {false, true},
		"https://[fd00::1]/hooks":                             {false, true},
		"https://0.0.0.0/hooks":                               {false, true},
		"":                                                    {},
		"backend.example/hooks":                               {},
		"//backend.example/hooks":                             {},
		"ftp://backend.example/hooks":                         {},
		"https://backend.example/hooks#part":                  {},
		"https://user:word@backend.example/hooks":             {},
		"https:///hooks":                                      {},
		"https://backend.example/a b":                         {},
		"https://backend.example\\@evil.example/":             {},
		"https://backend.example/\r\nHost: x":                 {},
		"https://bäckend.example/":                            {},
		"https://backend.example/" + strings.Repeat("x", 500): {},
		"javascript:alert(1)":                                 {},
	} {
		for s, want := range map[*signup.Service]bool{w.service: want.production, development: want.development} {
			out, err := s.AddWebhookEndpoint(t.Context(), w.secret(), at(address))
			w.must(err)
			if got := len(out.Problems) == 0; got != want {
				t.Errorf("%.60q, development %t: problems %v", address, s == development, out.Problems)
			}
			if len(out.Problems) > 0 {
				if p := out.Problems[0]; p.Code != "INVALID_FORMAT" || !slices.Equal(p.Field, []string{"input", "url"}) || out.Endpoint != nil || out.Secret != "" {
					t.Errorf("%.60q: %+v", address, out)
				}
				continue
			}
			problems, err := s.DeleteWebhookEndpoint(t.Context(), w.secret(), out.Endpoint.ID)
			w.must(err)
			if len(problems) > 0 {
				t.Errorf("it cannot be deleted: %v", problems)
			}
		}
	}
}

// TestPrivateEndpointIsToldSo: an address may be https and without a fragment.
func TestPrivateEndpointIsToldSo(t *testing.T) {
	w := inProduction(t)
	out, err := w.service.AddWebhookEndpoint(t.Context(), w.secret(), at("https://10.0.0.1/hooks"))
	w.must(err)
	if len(out.Problems) != 1 || !strings.Contains(out.Problems[0].Message, "private") {
		t.Errorf("problems %+v", out.Problems)
	}
}

func TestEndpoints(t *testing.T) {
	w := newWorld(t, "")
	off, none := false, []string{}
	first := w.endpoint(at(hook)).Endpoint
	if !first.Enabled || first.URL != hook || len(first.Events) != 0 || !first.CreatedAt.Equal(dawn) {
		t.Errorf("the endpoint is %+v", first)
	}
	w.clock.advance(time.Second)
	in := at(hook + "/2")
	in.Enabled, in.Events = &off, &[]string{signup.EventUserCreated}
	second := w.endpoint(in).Endpoint
	list, err := w.service.WebhookEndpoints(t.Context(), w.secret())
	w.must(err)
	if len(list) != 2 || text(t, list[0]) != text(t, second) || list[1].ID != first.ID || len(list[1].Events) != 0 {
		t.Errorf("the endpoints are %s", text(t, list))
	}

	// A change changes what it names.
	w.clock.advance(time.Second)
	other := hook + "/3"
	out, err := w.service.UpdateWebhookEndpoint(t.Context(), w.secret(), signup.WebhookInput{ID: first.ID, URL: &other})
	w.must(err)
	if e := out.Endpoint; e.URL != other || !e.Enabled || !e.UpdatedAt.Equal(w.clock.now()) || !e.CreatedAt.Equal(dawn) || out.Secret != "" || string(e.SealedSecret) != string(first.SealedSecret) {
		t.Errorf("changed to %+v", e)
	}
	out, err = w.service.UpdateWebhookEndpoint(t.Context(), w.secret(), signup.WebhookInput{ID: second.ID, Events: &none})
	w.must(err)
	if e := out.Endpoint; e.Enabled || len(e.Events) != 0 || e.URL != hook+"/2" {
		t.Errorf("changed to %+v", e)
	}

	bad := "ftp://x"
	unknown := []string{"user.deleted"}
	for _, test := range []struct {
		name string
		in   signup.WebhookInput
		want []string
	}{
		{"an unknown id", signup.WebhookInput{ID: "whe_x"}, []string{"WEBHOOK_ENDPOINT_NOT_FOUND id"}},
		{"no id", signup.WebhookInput{}, []string{"WEBHOOK_ENDPOINT_NOT_FOUND id"}},
		{"NUL as id", signup.WebhookInput{ID: "\x00", RotateSecret: true}, []string{"WEBHOOK_ENDPOINT_NOT_FOUND id"}},
		{"a bad address and an unknown event", signup.WebhookInput{ID: first.ID, URL: &bad, Events: &unknown}, []string{"INVALID_FORMAT url", "INVALID_FORMAT events"}},
	} {
		out, err := w.service.UpdateWebhookEndpoint(t.Context(), w.secret(), test.in)
		w.must(err)
		var got []string
		for _, p := range out.Problems {
			got = append(got, fmt.Sprintf("%s %s", p.Code, strings.Join(p.Field[1:], ".")))
		}
		if !slices.Equal(got, test.want) || out.Endpoint != nil || out.Secret != "" {
			t.Errorf("%s: refused with %v", test.name, got)
		}
	}
	problems, err := w.service.DeleteWebhookEndpoint(t.Context(), w.secret(), first.ID)
	w.must(err)
	again, err := w.service.DeleteWebhookEndpoint(t.Context(), w.secret(), first.ID)
	w.must(err)
	if len(problems) != 0 || !slices.Equal(codesOf(again), []signup.Code{"WEBHOOK_ENDPOINT_NOT_FOUND"}) {
		t.Errorf("deleted with %v, and again with %v", problems, again)
	}
}

// TestTwentyEndpoints are the most.
func TestTwentyEndpoints(t *testing.T) {
	w := newWorld(t, "")
	var last string
	for i := range 20 {
		last = w.endpoint(at(fmt.Sprintf("%s/%d", hook, i))).Endpoint.ID
	}
	out, err := w.service.AddWebhookEndpoint(t.Context(), w.secret(), at(hook))
	w.must(err)
	if !slices.Equal(codesOf(out.Problems), []signup.Code{"OUT_OF_RANGE"}) || out.Secret != "" {
		t.Errorf("one more: %+v", out)
	}
	_, err = w.service.DeleteWebhookEndpoint(t.Context(), w.secret(), last)
	w.must(err)
	w.endpoint(at(hook))
}

// secretForm is what Standard Webhooks wants: 24 to 64 bytes; ours has 32.
var secretForm = regexp.MustCompile(`^whsec_[A-Za-z0-9+/]{43}=$`)

// TestWebhookSecrets are shown once, kept sealed, and made anew on demand; the
// former one is void at once.
func TestWebhookSecrets(t *testing.T) {
	w := newWorld(t, "")
	s := secrets{}
	out := w.endpoint(at(hook))
	other := w.endpoint(at(hook))
	first := out.Secret
	if !secretForm.MatchString(first) || first == other.Secret {
		t.Fatalf("the secrets are %q and %q", first, other.Secret)
	}
	w.completed("jane@example.com")
	wantKey := func(secret string) {
		t.Helper()
		w.clock.advance(time.Hour)
		for _, d := range w.claim(10) {
			want := secret
			if d.EndpointID == other.Endpoint.ID {
				want = other.Secret
			}
			if got := "whsec_" + base64.StdEncoding.EncodeToString(d.Secret); got != want || d.URL != hook {
				t.Errorf("a delivery to %s is signed with %s, want %s", d.EndpointID, got, want)
			}
		}
	}
	wantKey(first)
	rotated, err := w.service.UpdateWebhookEndpoint(t.Context(), w.secret(), signup.WebhookInput{ID: out.Endpoint.ID, RotateSecret: true})
	w.must(err)
	if !secretForm.MatchString(rotated.Secret) || rotated.Secret == first {
		t.Fatalf("the new secret is %q", rotated.Secret)
	}
	wantKey(rotated.Secret)
	list, err := w.service.WebhookEndpoints(t.Context(), w.secret())
	w.must(err)
	for i, secret := range []string{first, other.Secret, rotated.Secret} {
		raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
		w.must(err)
		s.add(fmt.Sprintf("secret %d", i), strings.TrimPrefix(secret, "whsec_"))
		if strings.Contains(w.databaseBytes(), string(raw)) {
			t.Errorf("SQLite has the key %d", i)
		}
	}
	s.wantNoneIn(t, "the list", text(t, list))
	s.wantNoneIn(t, "SQLite", w.databaseBytes())
}

// claim fans events out and claims what is due.
func (w *world) claim(limit int) []signup.DueDelivery {
	w.Helper()
	_, err := w.service.FanOutEvents(w.Context())
	w.must(err)
	due, err := w.service.ClaimDeliveries(w.Context(), limit, time.Minute)
	w.must(err)
	return due
}

// TestUnreadableSecretConcernsItsEndpoint alone: the others get their events, the
// operator sees why this one does not, and a new secret helps.
func TestUnreadableSecretConcernsItsEndpoint(t *testing.T) {
	w := newWorld(t, "")
	strange := w.process(func(c *signup.Config) {
		var err error
		c.Keys, err = signup.NewKeys([]byte(strings.Repeat("another master key ", 3)))
		w.must(err)
	})
	lost, err := strange.AddWebhookEndpoint(t.Context(), w.secret(), at(hook+"/lost"))
	w.must(err)
	good := w.endpoint(at(hook + "/good")).Endpoint
	w.completed("jane@example.com")
	due := w.claim(10)
	if len(due) != 2 {
		t.Fatalf("%d deliveries are due", len(due))
	}
	for _, d := range due {
		if d.EndpointID != good.ID {
			t.Errorf("a delivery to %s with the key %x", d.URL, d.Secret)
		}
	}
	page, err := w.service.Deliveries(t.Context(), w.secret(), lost.Endpoint.ID, 10, "")
	w.must(err)
	for _, d := range page.Items {
		if d.LastError != "the endpoint's secret cannot be read" || !d.NotBefore.Equal(w.clock.now().Add(time.Hour)) || !d.FailedAt.IsZero() {
			t.Errorf("the delivery is %+v", d)
		}
	}
	rotated, err := w.service.UpdateWebhookEndpoint(t.Context(), w.secret(), signup.WebhookInput{ID: lost.Endpoint.ID, RotateSecret: true})
	w.must(err)
	w.clock.advance(time.Hour)
	found := 0
	for _, d := range w.claim(10) {
		if d.EndpointID == lost.Endpoint.ID && "whsec_"+base64.StdEncoding.EncodeToString(d.Secret) == rotated.Secret {
			found++
		}
	}
	if found != 2 {
		t.Errorf("with a new secret %d deliveries are due", found)
	}
}

// TestUnreadableSecretIsGivenUp once the event is as old as events get, so that it
// can be forgotten.
func TestUnreadableSecretIsGivenUp(t *testing.T) {
	w := newWorld(t, "")
	strange := w.process(func(c *signup.Config) {
		var err error
		c.Keys, err = signup.NewKeys([]byte(strings.Repeat("another master key ", 3)))
		w.must(err)
	})
	_, err := strange.AddWebhookEndpoint(t.Context(), w.secret(), at(hook))
	w.must(err)
	w.completed("jane@example.com")
	w.claim(10)
	w.clock.advance(30 * 24 * time.Hour)
	w.claim(10)
	page, err := w.service.Deliveries(t.Context(), w.secret(), "", 10, "")
	w.must(err)
	for _, d := range page.Items {
		if !d.FailedAt.Equal(w.clock.now()) {
			t.Errorf("the delivery is %+v", d)
		}
	}
	if len(page.Items) != 2 {
		t.Errorf("%d deliveries", len(page.Items))
	}
}
