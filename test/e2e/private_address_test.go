package e2e

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync/atomic"
	"testing"

	"stepwise/internal/realtest"
)

// trap is a port of this machine at which nobody may knock.
type trap struct {
	port  string
	knock atomic.Int64
}

func setTrap(t testing.TB) *trap {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	tr := &trap{}
	_, tr.port, _ = net.SplitHostPort(listener.Addr().String())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			tr.knock.Add(1)
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() { _ = listener.Close(); <-done })
	return tr
}

// nameOfThisMachine is one that only looking it up gives away.
func nameOfThisMachine(t testing.TB) string {
	t.Helper()
	own, _ := os.Hostname()
	for _, name := range []string{own, "ip6-localhost", "LOCALHOST"} {
		addresses, err := net.DefaultResolver.LookupNetIP(t.Context(), "ip", name)
		private := func(a netip.Addr) bool { return a.IsLoopback() || a.IsPrivate() }
		if err == nil && len(addresses) > 0 && !slices.ContainsFunc(addresses, func(a netip.Addr) bool { return !private(a.Unmap()) }) {
			return name
		}
	}
	t.Fatalf("neither %q nor another name means this machine", own)
	return ""
}

// Attack 26: in production, an operator's address that leads into our own network,
// by its looks or by what its name means when it is dialled.
func TestAttack26PrivateAddresses(t *testing.T) {
	t.Parallel()
	server := realtest.Program(t, realtest.ProgramOptions{Env: map[string]string{
		"MODE": "production", "APP_KEY": randomHex(32), "PUBLIC_URL": "https://signup.example.com",
	}})
	administrator, tr := newAdministrator(t, server), setTrap(t)
	hidden := "https://" + nameOfThisMachine(t) + ":" + tr.port
	administrator.changeSettings(t, map[string]any{
		"emailAddress":     map[string]any{"verifyAtSignUp": false},
		"allowedRedirects": []any{"https://app.example.com/welcome"},
	})

	for _, address := range []string{
		"https://127.0.0.1:" + tr.port, "https://localhost:" + tr.port, "https://[::1]:" + tr.port, "https://10.1.2.3", "https://192.168.0.1",
		"https://169.254.169.254/latest/meta-data", "https://0.0.0.0:" + tr.port, "http://hooks.example.com", "https://user@hooks.example.com#x", "ftp://hooks.example.com",
	} {
		var data struct {
			WebhookEndpointCreate struct{ UserErrors []userError }
		}
		administrator.query(t, "mutation($input: WebhookEndpointCreateInput!) { webhookEndpointCreate(input: $input) { userErrors { code field } } }",
			map[string]any{"input": map[string]any{"url": address}}, &data)
		if e := data.WebhookEndpointCreate.UserErrors; len(e) != 1 || e[0].Code != "INVALID_FORMAT" || !slices.Equal(e[0].Field, []string{"input", "url"}) {
			t.Errorf("%s: %+v; want INVALID_FORMAT", address, e)
		}
	}
	e := administrator.addEndpoint(t, map[string]any{"url": hidden + "/hook"})
	visitor := newClient(t, server)
	if done := visitor.create(t, map[string]any{"emailAddress": "claimed@example.com", "password": goodPassword}); done.Status != "COMPLETE" {
		t.Fatalf("%s, missing %v; want COMPLETE", done.Status, done.MissingFields)
	}
	eventually(t, answerLimit, func() string {
		got := administrator.deliveries(t, e)
		for _, d := range got {
			if d.LastError != nil && *d.LastError != "private address refused" {
				t.Fatalf("%s: %s; want it refused", hidden, *d.LastError)
			}
		}
		if len(got) != 2 || got[0].LastError == nil || got[1].LastError == nil {
			return fmt.Sprintf("deliveries %s; want both tried", encode(t, got))
		}
		return ""
	})

	for name, issuer := range map[string]string{"hidden": hidden, "address": "https://127.0.0.1:" + tr.port, "plain": "http://127.0.0.1:" + tr.port, "name": "https://localhost:" + tr.port} {
		administrator.changeSettings(t, map[string]any{"externalAccount": map[string]any{"providers": []any{
			map[string]any{"name": name, "issuer": issuer, "clientId": "x", "clientSecret": "y"},
		}}})
		o := mustTry(t)(newClient(t, server).tryCreate(map[string]any{"startVerifications": []any{
			map[string]any{"strategy": "OAUTH", "provider": name, "redirectUrl": "https://app.example.com/welcome"},
		}}))
		if !slices.Equal(o.errorCodes(), []string{"PROVIDER_UNAVAILABLE"}) {
			t.Errorf("an issuer at %s: %+v; want PROVIDER_UNAVAILABLE", issuer, o.UserErrors)
		}
	}
	if n := tr.knock.Load(); n != 0 {
		t.Errorf("%d connections were made to this machine", n)
	}
	for _, redirect := range []string{"http://localhost:5173/welcome", "https://app.example.com/welcome?x", "https://app.example.com/welcome/"} {
		o := mustTry(t)(newClient(t, server).tryCreate(map[string]any{"startVerifications": []any{
			map[string]any{"strategy": "OAUTH", "provider": "hidden", "redirectUrl": redirect},
		}}))
		if !slices.Equal(o.errorCodes(), []string{"REDIRECT_NOT_ALLOWED"}) {
			t.Errorf("back to %s in production: %+v; want REDIRECT_NOT_ALLOWED", redirect, o.UserErrors)
		}
	}
}
