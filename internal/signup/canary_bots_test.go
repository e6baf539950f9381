package signup_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"stepwise/engine"
	"stepwise/internal/signup"
)

// TestSecretsOfChecks: the secret key of the bot check's provider, people's tokens and
// their passwords, taken, refused and unchecked, are nowhere to be read.
func TestSecretsOfChecks(t *testing.T) {
	const token, plain = "person canary-token-6613", "canary stoat 5180"
	w := newWorld(t, "")
	server, log := w.overRedis()
	stop := published(server)
	s := secrets{}
	s.add("secret key", botSecret)
	s.add("bot token", "canary-token-6613")
	s.add("password", "stoat")
	g, b := &gatekeeper{used: map[string]bool{}}, &breaches{}
	w.config.Bots, w.config.Breached = g, b
	w.service = signup.New(w.config)
	var shown strings.Builder
	note := func(values ...any) {
		for _, v := range values {
			fmt.Fprintln(&shown, text(t, v))
		}
	}
	note(w.set(guarded), w.set(rejectingBreached))
	_, problems, err := w.service.UpdateSettings(t.Context(), w.secret(), patch(t, `{"botProtection": {"siteKey": "", "secretKey": "`+botSecret+`"}}`))
	w.must(err)
	note(problems)

	in := withPassword(plain)
	in.IdempotencyKey = "key"
	g.refusal, b.refusal = errors.New("the provider was not reached"), errors.New("the server was not reached")
	note(w.client().create(withToken(token, in)))
	g.refusal, b.refusal = nil, nil
	c := w.client()
	out := c.create(withToken(token, in))
	wantProblems(t, out)
	out.ClientToken = ""
	note(out)
	again := w.client().create(withToken(token, in))
	wantProblems(t, again, "BOT_TOKEN_REFUSED")
	note(again)
	b.known = map[string]bool{plain: true}
	refused := c.update(signup.Input{Password: signup.Given(plain)})
	wantProblems(t, refused, "PASSWORD_BREACHED")
	note(refused)

	c.start(engine.EmailCode)
	wantStatus(t, c.check(engine.EmailAddress, w.mail.code(t, "jane@example.com")), engine.StatusComplete)

	if !strings.Contains(log.String(), "bot token not checked") || !strings.Contains(log.String(), "breached passwords not asked for") {
		t.Fatal("the story has not gone where the secrets are")
	}
	s.wantNoneIn(t, "answers", shown.String())
	s.wantNoneIn(t, "logs", log.String())
	s.wantNoneIn(t, "hints", stop())
	s.wantNoneIn(t, "events", w.outbox())
	s.wantNoneIn(t, "Redis", fmt.Sprint(contents(t, server)))
	s.wantNoneIn(t, "SQLite", w.databaseBytes())
}
