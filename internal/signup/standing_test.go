package signup_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"stepwise/internal/signup"
)

// TestWhoMayCallWhat: every method that came with people who come back,
// invitations and webhooks, by every kind of caller. "ok" means no more than that
// the caller's standing is good enough.
func TestWhoMayCallWhat(t *testing.T) {
	w, jane := withJane(t)
	c := w.client()
	c.create(signup.Input{})
	former := c.token
	c.comeBack(byPassword(janesName, janesPassword))
	c.create(signup.Input{})
	challenge := c.askForCode(janesPhone)
	endpoint := w.endpoint(at(hook)).Endpoint.ID
	ctx := t.Context()
	session := func(proof signup.SessionProof) func(signup.Principal) error {
		return func(p signup.Principal) error {
			_, err := w.service.CreateSession(ctx, p, proof)
			return err
		}
	}
	const (
		wrongCode = "000000"
		public    = "ok ok UNAUTHENTICATED ok FORBIDDEN"
		client    = "UNAUTHENTICATED ok UNAUTHENTICATED UNAUTHENTICATED FORBIDDEN"
		secret    = "FORBIDDEN FORBIDDEN FORBIDDEN FORBIDDEN ok"
	)
	methods := []struct {
		name string
		call func(signup.Principal) error
		want string // nobody, client, stale, stale by cookie, secret key
	}{
		{"StartSession", func(p signup.Principal) error {
			_, err := w.service.StartSession(ctx, p, janesEmail, signup.Text{})
			return err
		}, public},
		{"CreateSession by password", session(byPassword(janesName, "wrong otter")), public},
		{"CreateSession by nothing", session(signup.SessionProof{}), public},
		{"CreateSession by code", session(byCode(challenge, wrongCode)), "UNAUTHENTICATED ok ok ok FORBIDDEN"},
		{"CreateSession by transfer", session(signup.SessionProof{Transfer: "none"}), client},
		{"VerifyPassword", func(p signup.Principal) error {
			_, _, err := w.service.VerifyPassword(ctx, p, janesName, "wrong otter")
			return err
		}, secret},
		{"CreateUserSession", func(p signup.Principal) error { _, err := w.service.CreateUserSession(ctx, p, jane); return err }, secret},
		{"Invite", func(p signup.Principal) error {
			_, err := w.service.Invite(ctx, p, signup.InvitationInput{})
			return err
		}, secret},
		{"RevokeInvitation", func(p signup.Principal) error {
			_, _, err := w.service.RevokeInvitation(ctx, p, "inv_x")
			return err
		}, secret},
		{"Invitation", func(p signup.Principal) error { _, err := w.service.Invitation(ctx, p, "inv_x"); return err }, secret},
		{"Invitations", func(p signup.Principal) error { _, err := w.service.Invitations(ctx, p, nil, 1, ""); return err }, secret},
		{"AddWebhookEndpoint", func(p signup.Principal) error { _, err := w.service.AddWebhookEndpoint(ctx, p, at(hook)); return err }, secret},
		{"UpdateWebhookEndpoint", func(p signup.Principal) error {
			_, err := w.service.UpdateWebhookEndpoint(ctx, p, signup.WebhookInput{ID: endpoint, RotateSecret: true})
			return err
		}, secret},
		{"DeleteWebhookEndpoint", func(p signup.Principal) error {
			_, err := w.service.DeleteWebhookEndpoint(ctx, p, "whe_x")
			return err
		}, secret},
		{"WebhookEndpoints", func(p signup.Principal) error { _, err := w.service.WebhookEndpoints(ctx, p); return err }, secret},
		{"Deliveries", func(p signup.Principal) error { _, err := w.service.Deliveries(ctx, p, "", 1, ""); return err }, secret},
		{"ReplayDelivery", func(p signup.Principal) error { _, _, err := w.service.ReplayDelivery(ctx, p, "dlv_x"); return err }, secret},
		{"ReplayEvents", func(p signup.Principal) error {
			_, _, err := w.service.ReplayEvents(ctx, p, endpoint, time.Time{})
			return err
		}, secret},
	}
	stale := w.as(former)
	browser := stale
	browser.FromCookie = true
	state := func() string {
		endpoints, err := w.service.WebhookEndpoints(ctx, w.secret())
		w.must(err)
		return text(t, endpoints) + text(t, w.count(`SELECT COUNT(*) FROM invitations`)) + text(t, w.count(`SELECT COUNT(*) FROM sessions`))
	}
	for _, m := range methods {
		var got []string
		for _, p := range []signup.Principal{w.as(""), c.principal(), stale, browser, w.secret()} {
			before := state()
			code := codeOf(m.call(p))
			if code != "" && state() != before {
				t.Errorf("%s, refused with %s, has changed something", m.name, code)
			}
			if code == "" {
				code = "ok"
			}
			got = append(got, code)
			w.clock.advance(time.Minute)
		}
		if !slices.Equal(got, strings.Fields(m.want)) {
			t.Errorf("%s: %v, want %s", m.name, got, m.want)
		}
	}
}

// TestAttack25OtherInstance: a challenge of another instance is none here, also
// where both are under one master key and the client is the same.
func TestAttack25OtherInstance(t *testing.T) {
	here, _ := withJane(t)
	there, _ := withJane(t)
	c := there.client()
	challenge := c.askForCode(janesPhone)
	guest := signup.Principal{Instance: here.as("").Instance, Client: c.principal().Client}
	out, err := here.service.CreateSession(t.Context(), guest, byCode(challenge, there.mail.code(t, janesPhone)))
	here.must(err)
	wantNoSession(t, out, "INVALID_FORMAT", "proof", "code", "challengeId")

	endpoint, invitation := there.endpoint(at(hook)).Endpoint.ID, there.invite(signup.InvitationInput{}).Invitation.ID
	if i, err := here.service.Invitation(t.Context(), here.secret(), invitation); i != nil || err != nil {
		t.Errorf("another instance's invitation is seen: %v", err)
	}
	if problems, err := here.service.DeleteWebhookEndpoint(t.Context(), here.secret(), endpoint); err != nil || len(problems) != 1 {
		t.Errorf("another instance's endpoint is deleted: %v, %v", problems, err)
	}
}
