package signup_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"stepwise/engine"
	"stepwise/internal/signup"
)

// TestTokensThatAreNotOurs: only a token that this server issued, to a client
// of this instance and not for a generation to come, makes a client of its
// bearer. As a cookie, which browsers send unasked, any other counts as none.
func TestTokensThatAreNotOurs(t *testing.T) {
	w := newWorld(t, "")
	c := w.client()
	c.create(signup.Input{})
	client := c.principal().Client
	otherKeys, err := signup.NewKeys([]byte(strings.Repeat("another master key ", 3)))
	w.must(err)
	sign := func(generation int64) string { return w.keys.ClientToken(w.first.ID, client, generation) }
	parts := strings.Split(c.token, ".")
	last := "A"
	if strings.HasSuffix(c.token, "A") {
		last = "B"
	}
	for name, token := range map[string]string{
		"of another server":         otherKeys.ClientToken(w.first.ID, client, 0),
		"of another instance":       w.keys.ClientToken("ins_other", client, 0),
		"of a generation to come":   sign(1),
		"of a negative generation":  sign(-1),
		"of a huge generation":      sign(1 << 62),
		"generation changed":        parts[0] + ".1." + parts[2],
		"generation written as 00":  parts[0] + ".00." + parts[2],
		"generation written as +0":  parts[0] + ".+0." + parts[2],
		"client changed":            "ct_" + strings.Repeat("A", 20) + "." + parts[1] + "." + parts[2],
		"signature changed":         c.token[:len(c.token)-2] + "x" + last,
		"signature cut off":         parts[0] + "." + parts[1] + ".",
		"no signature":              parts[0] + "." + parts[1],
		"a part too many":           c.token + ".x",
		"an empty prefix":           strings.TrimPrefix(c.token, "ct_"),
		"only the prefix":           "ct_",
		"upper-case prefix":         "CT_" + strings.TrimPrefix(c.token, "ct_"),
		"spaces":                    " " + c.token,
		"line break":                c.token + "\n",
		"NUL":                       c.token + "\x00",
		"quotation":                 "ct_'; DROP TABLE clients; --.0.x",
		"a sign-up's id":            c.signUp().ID,
		"the client's id":           client,
		"the publishable key":       w.first.PublishableKey,
		"a hundred kilobytes":       "ct_" + strings.Repeat("A", 100_000),
		"invalid UTF-8":             "ct_\xff\xfe.0.\xff",
		"a generation too large":    parts[0] + ".99999999999999999999." + parts[2],
		"a secret key of no one":    "sk_" + strings.Repeat("A", 40),
		"the secret key, cut":       w.first.SecretKey[:len(w.first.SecretKey)-1],
		"the secret key and more":   w.first.SecretKey + "A",
		"the prefix of secret keys": "sk_",
	} {
		t.Run(name, func(t *testing.T) {
			p, err := w.service.Authenticate(t.Context(), signup.Credentials{PublishableKey: w.first.PublishableKey, Bearer: token})
			if code := codeOf(err); code != "UNAUTHENTICATED" || p.Client != "" || p.Secret || p.Instance.ID != "" {
				t.Errorf("as bearer: %q, client %q, secret %t", code, p.Client, p.Secret)
			}
			p, err = w.service.Authenticate(t.Context(), signup.Credentials{PublishableKey: w.first.PublishableKey, Cookie: onlyCookie(w, token)})
			if err != nil || p.Client != "" || p.Secret || p.Instance.ID != w.first.ID {
				t.Errorf("as cookie: %v, client %q, secret %t", err, p.Client, p.Secret)
			}
		})
	}
}

// onlyCookie is a browser with this cookie for the instance.
func onlyCookie(w *world, value string) func(string) string {
	return func(name string) string {
		if name == signup.CookieName(w.first.ID) {
			return value
		}
		return ""
	}
}

// TestWhoIsWho: credentials and what they make of the caller.
func TestWhoIsWho(t *testing.T) {
	w := newWorld(t, "")
	c := w.client()
	c.create(withEmail("jane@example.com"))
	former := c.token
	c.check(engine.EmailAddress, w.mail.code(t, "jane@example.com"))
	client := c.principal().Client

	tests := []struct {
		name        string
		credentials signup.Credentials
		want        string
	}{
		{"nobody", signup.Credentials{}, "client , secret false, stale false, cookie false"},
		{"nobody with the publishable key", signup.Credentials{PublishableKey: w.first.PublishableKey}, "client , secret false, stale false, cookie false"},
		{"a client", signup.Credentials{Bearer: c.token}, "client " + client + ", secret false, stale false, cookie false"},
		{"a client's cookie", signup.Credentials{Cookie: onlyCookie(w, c.token)}, "client " + client + ", secret false, stale false, cookie true"},
		{"a former token", signup.Credentials{Bearer: former}, "client " + client + ", secret false, stale true, cookie false"},
		{"a former token as cookie", signup.Credentials{Cookie: onlyCookie(w, former)}, "client " + client + ", secret false, stale true, cookie true"},
		{"the secret key", signup.Credentials{Bearer: w.first.SecretKey}, "client , secret true, stale false, cookie false"},
		{"the secret key beside a cookie", signup.Credentials{Bearer: w.first.SecretKey, Cookie: onlyCookie(w, c.token)}, "client , secret true, stale false, cookie false"},
		{"the secret key as cookie", signup.Credentials{Cookie: onlyCookie(w, w.first.SecretKey)}, "client , secret false, stale false, cookie true"},
		{"a bearer token beside a cookie", signup.Credentials{Bearer: c.token, Cookie: onlyCookie(w, former)}, "client " + client + ", secret false, stale false, cookie false"},
		{"an unknown instance", signup.Credentials{PublishableKey: "pk_unknown", Bearer: c.token}, "UNAUTHENTICATED"},
		{"an unknown instance, with a cookie", signup.Credentials{PublishableKey: "pk_unknown", Cookie: onlyCookie(w, c.token)}, "UNAUTHENTICATED"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p, err := w.service.Authenticate(t.Context(), test.credentials)
			got := codeOf(err)
			if err == nil {
				cookie := p.FromCookie && p.Client != ""
				got = fmt.Sprintf("client %s, secret %t, stale %t, cookie %t", p.Client, p.Secret, p.Stale, cookie)
				if p.Client == "" && strings.HasSuffix(test.want, "cookie true") {
					got = fmt.Sprintf("client , secret %t, stale %t, cookie true", p.Secret, p.Stale)
				}
			}
			if got != test.want {
				t.Errorf("is %s, want %s", got, test.want)
			}
		})
	}
}

// TestForeignSignUpsAreNone: the id of another client's sign-up, in whatever
// state, gets the same answers as an id that does not exist.
func TestForeignSignUpsAreNone(t *testing.T) {
	w := newWorld(t, "")
	_, complete := w.completed("complete@example.com")
	jane := w.client()
	jane.create(withEmail("jane@example.com"))
	open := jane.signUp().ID
	code := w.mail.code(t, "jane@example.com")
	other := w.client()
	other.create(signup.Input{})
	abandoned := other.signUp().ID
	other.create(signup.Input{})

	mallory := w.client()
	mallory.create(signup.Input{})
	own := mallory.principal()
	nobody := own
	nobody.Client = ""
	none := "sua_" + strings.Repeat("A", 32)
	grafted := "sua_" + strings.TrimPrefix(own.Client, "client_") + open[len(open)-12:]
	before := text(t, jane.signUp())

	for name, caller := range map[string]signup.Principal{"another client": own, "a caller without a client": nobody} {
		want := w.answersFor(caller, none, code)
		for what, id := range map[string]string{
			"open": open, "complete": complete.ID, "abandoned": abandoned, "grafted on the own client": grafted,
			"cut": open[:len(open)-1], "no id": "x", "NUL": "\x00", "breaking out": "}:x", "long": strings.Repeat("A", 10_000),
		} {
			if got := w.answersFor(caller, id, code); got != want {
				t.Errorf("%s, %s: the answers are\n%s\nto an unknown id they are\n%s", name, what, got, want)
			}
		}
	}
	if after := text(t, jane.signUp()); after != before {
		t.Errorf("the sign-up was\n%s\nand is\n%s", before, after)
	}

	// The secret key sees each; an id it does not know is none to it as well.
	for _, id := range []string{open, complete.ID, abandoned} {
		if seen, err := w.service.SignUp(t.Context(), w.secret(), id); err != nil || seen == nil || seen.ID != id {
			t.Errorf("the secret key does not see %s: %v", id, err)
		}
	}
	for _, id := range []string{"", none, grafted, "x", "sua_" + strings.Repeat("}", 32)} {
		if seen, err := w.service.SignUp(t.Context(), w.secret(), id); err != nil || seen != nil {
			t.Errorf("the secret key sees %q: %v", id, err)
		}
		if states, err := w.service.Watch(t.Context(), w.secret(), id); err != nil || states != nil {
			t.Errorf("the secret key can watch %q: %v", id, err)
		}
	}
}

// answersFor tries everything that takes the id of a sign-up.
func (w *world) answersFor(caller signup.Principal, id, code string) string {
	w.Helper()
	ctx := w.Context()
	var b strings.Builder
	note := func(name string, out signup.Outcome, err error) {
		fmt.Fprintf(&b, "%s: %v %s %s\n", name, out.SignUp, text(w, out.Problems), codeOf(err))
	}
	out, err := w.service.Update(ctx, caller, id, signup.Input{FirstName: signup.Given("Mallory")})
	note("update", out, err)
	out, err = w.service.Update(ctx, caller, id, signup.Input{EmailAddress: signup.Given("nonsense"), IdempotencyKey: "key"})
	note("update with nonsense", out, err)
	out, err = w.service.StartVerification(ctx, caller, id, signup.Start{Strategy: engine.EmailCode}, "")
	note("start", out, err)
	out, err = w.service.CheckVerification(ctx, caller, id, signup.Proof{Attribute: engine.EmailAddress, Code: code}, "")
	note("check", out, err)
	seen, err := w.service.SignUp(ctx, caller, id)
	note("read", signup.Outcome{SignUp: seen}, err)
	states, err := w.service.Watch(ctx, caller, id)
	note("watch", signup.Outcome{}, err)
	if states != nil {
		w.Error("there is something to watch")
	}
	return b.String()
}

// TestSecretKeyIsNoClient: a backend administers; it does not sign up.
func TestSecretKeyIsNoClient(t *testing.T) {
	w := newWorld(t, "")
	c := w.client()
	c.create(withEmail("jane@example.com"))
	id := c.signUp().ID
	_, err := w.service.Create(t.Context(), w.secret(), signup.Input{})
	wantCode(t, err, "FORBIDDEN")
	_, err = w.service.Update(t.Context(), w.secret(), id, signup.Input{})
	wantCode(t, err, "FORBIDDEN")
	_, err = w.service.StartVerification(t.Context(), w.secret(), id, signup.Start{Strategy: engine.EmailCode}, "")
	wantCode(t, err, "FORBIDDEN")
	_, err = w.service.CheckVerification(t.Context(), w.secret(), id, signup.Proof{}, "")
	wantCode(t, err, "FORBIDDEN")

	// And a client does not administer.
	for _, caller := range []signup.Principal{c.principal(), w.as("")} {
		_, _, err = w.service.UpdateSettings(t.Context(), caller, signup.SettingsPatch{})
		wantCode(t, err, "FORBIDDEN")
		_, err = w.service.User(t.Context(), caller, "user_x")
		wantCode(t, err, "FORBIDDEN")
		_, err = w.service.Users(t.Context(), caller, signup.UserQuery{First: 1})
		wantCode(t, err, "FORBIDDEN")
		_, _, err = w.service.UpdateUser(t.Context(), caller, signup.UserInput{})
		wantCode(t, err, "FORBIDDEN")
	}
}

// TestSessionsAreTheClients: a session is seen, used and ended by its client.
func TestSessionsAreTheClients(t *testing.T) {
	w := newWorld(t, `{"sessionLifetimeSeconds": 3600}`)
	jane, done := w.completed("jane@example.com")
	joan, _ := w.completed("joan@example.com")
	id := done.CreatedSession
	if s, err := w.service.Session(t.Context(), joan.principal(), id); s != nil || err != nil {
		t.Errorf("another client sees the session: %v", err)
	}
	token, err := w.service.CreateSessionToken(t.Context(), joan.principal(), id)
	w.must(err)
	if token.Token != "" || codesOf(token.Problems)[0] != "SESSION_NOT_FOUND" {
		t.Error("another client gets a token for the session")
	}
	_, problems, err := w.service.EndSession(t.Context(), joan.principal(), id)
	w.must(err)
	if len(problems) != 1 || problems[0].Code != "SESSION_NOT_FOUND" {
		t.Error("another client ends the session")
	}

	token, err = w.service.CreateSessionToken(t.Context(), jane.principal(), "")
	w.must(err)
	if token.Token == "" || token.Session.ID != id || !token.ExpireAt.Equal(w.clock.now().Truncate(time.Second).Add(time.Minute)) {
		t.Errorf("the token is for %s until %v", token.Session.ID, token.ExpireAt)
	}
	w.clock.advance(time.Hour)
	token, err = w.service.CreateSessionToken(t.Context(), jane.principal(), id)
	w.must(err)
	if token.Token != "" || codesOf(token.Problems)[0] != "SESSION_ENDED" {
		t.Error("an expired session gets a token")
	}
}

// TestOrigins: pages of the origins in the settings may call, to the letter.
func TestOrigins(t *testing.T) {
	w := newWorld(t, `{"allowedOrigins": ["https://app.example.com", "http://localhost:3000"]}`)
	for origin, want := range map[string]bool{
		"https://app.example.com": true, "http://localhost:3000": true,
		"http://app.example.com": false, "https://app.example.com:443": false, "https://app.example.com.evil.example": false,
		"https://evil.example/https://app.example.com": false, "HTTPS://APP.EXAMPLE.COM": false, "null": false, "": false, "http://localhost": false,
	} {
		if got := w.service.AllowsOrigin(t.Context(), w.first.PublishableKey, origin); got != want {
			t.Errorf("%q: %t", origin, got)
		}
	}
	if w.service.AllowsOrigin(t.Context(), "pk_unknown", "https://app.example.com") {
		t.Error("an unknown instance allows an origin")
	}
	w.set(`{"allowedOrigins": []}`)
	if w.service.AllowsOrigin(t.Context(), w.first.PublishableKey, "https://app.example.com") {
		t.Error("an origin that was removed is still allowed")
	}
	down := w.newProcess(func(string) fault { return refused })
	if down.AllowsOrigin(t.Context(), w.first.PublishableKey, "http://localhost:3000") {
		t.Error("an origin is allowed though nobody knows")
	}
	for origin, want := range map[string]bool{
		"http://localhost:3000": true, "https://localhost": true, "http://127.0.0.1:8080": true, "http://[::1]:1": true, "http://127.9.9.9": true,
		"http://localhost.evil.example": false, "http://127.0.0.1.evil.example": false, "ftp://localhost": false, "localhost": false,
		"http://192.168.0.1": false, "http://0.0.0.0": false, "null": false, "": false, "http://evil.example#localhost": false,
	} {
		if got := signup.IsLocalOrigin(origin); got != want {
			t.Errorf("%q is local: %t", origin, got)
		}
	}
}
