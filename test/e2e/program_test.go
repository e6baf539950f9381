package e2e

import (
	"encoding/json"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"stepwise/internal/realtest"
)

// settingNames are all settings of the program.
var settingNames = []string{
	"ADDR", "PUBLIC_URL", "MODE", "DATA_DIR", "DATABASE_URL", "REDIS_URL", "APP_KEY", "SECRET_KEY", "PUBLISHABLE_KEY",
	"SETTINGS_FILE", "SMTP_ADDR", "SMTP_USERNAME", "SMTP_PASSWORD", "SMTP_FROM", "SMTP_TLS",
	"SMS_BASE_URL", "SMS_ACCOUNT_SID", "SMS_AUTH_TOKEN", "SMS_FROM", "BREACHED_PASSWORDS_URL", "BOT_CHECK_URL",
	"PLAYGROUND", "INTROSPECTION", "LOG_FORMAT",
}

// secretSettings cannot be given as flags, which other users of a machine see.
var secretSettings = []string{"DATABASE_URL", "REDIS_URL", "APP_KEY", "SECRET_KEY", "SMTP_PASSWORD", "SMS_AUTH_TOKEN"}

func flagOf(setting string) string {
	return "-" + strings.ReplaceAll(strings.ToLower(setting), "_", "-")
}

func TestHelp(t *testing.T) {
	t.Parallel()
	for _, flag := range []string{"-h", "-help", "--help"} {
		p := startByHand(t, nil, []string{flag})
		if code := p.exit(t); code != 0 {
			t.Errorf("%s: exit code %d, want 0", flag, code)
		}
		help := p.stdout.String() + p.stderr.String()
		for _, name := range settingNames {
			if !strings.Contains(help, name) {
				t.Errorf("%s does not explain %s", flag, name)
			}
			if secret := slices.Contains(secretSettings, name); strings.Contains(help, flagOf(name)+",") == secret {
				t.Errorf("%s: %s as a flag is %v, want %v", flag, name, !secret, !secret)
			}
		}
		if _, err := os.Stat(p.dataDir); err == nil {
			t.Errorf("%s made the data folder", flag)
		}
	}
}

// refusedStart is a set-up with which the program must not start. What it says
// names the setting and the reason.
type refusedStart struct {
	name  string
	env   map[string]string
	flags []string
	names []string
	// secret must not be in what it says.
	secret string
}

var badValues = []refusedStart{
	{name: "ADDR without port", env: map[string]string{"ADDR": "localhost"}, names: []string{"ADDR: must be host:port"}},
	{name: "ADDR with a port out of range", env: map[string]string{"ADDR": "127.0.0.1:99999"}, names: []string{"ADDR: ", "99999"}},
	{name: "PUBLIC_URL with a path", env: map[string]string{"PUBLIC_URL": "https://example.com/app"}, names: []string{"PUBLIC_URL: must be an address without a path"}},
	{name: "PUBLIC_URL with credentials", env: map[string]string{"PUBLIC_URL": "https://user:hunter2@example.com"}, names: []string{"PUBLIC_URL: "}, secret: "hunter2"},
	{name: "PUBLIC_URL without scheme", env: map[string]string{"PUBLIC_URL": "example.com"}, names: []string{"PUBLIC_URL: "}},
	{name: "MODE", env: map[string]string{"MODE": "prod"}, names: []string{"MODE: must be development or production"}},
	{name: "DATA_DIR that is a file", env: map[string]string{"DATA_DIR": "/dev/null"}, names: []string{"DATA_DIR: "}},
	{name: "DATABASE_URL that cannot be parsed", env: map[string]string{"DATABASE_URL": "postgres://user:hunter2@:notaport/%zz"}, names: []string{"DATABASE_URL: "}, secret: "hunter2"},
	{name: "DATABASE_URL of nobody", env: map[string]string{"DATABASE_URL": "postgres://user:hunter2@127.0.0.1:1/x"}, names: []string{"DATABASE_URL: ", "127.0.0.1"}, secret: "hunter2"},
	{name: "DATABASE_URL in a folder that cannot be", env: map[string]string{"DATABASE_URL": "sqlite:/dev/null/stepwise.db"}, names: []string{"DATABASE_URL: "}},
	{name: "REDIS_URL of another scheme", env: map[string]string{"REDIS_URL": "http://:hunter2@localhost"}, names: []string{"REDIS_URL: ", "scheme must be redis"}, secret: "hunter2"},
	{name: "REDIS_URL with an unknown parameter", env: map[string]string{"REDIS_URL": "redis://:hunter2@localhost?clustr=true"}, names: []string{"REDIS_URL: ", "clustr"}, secret: "hunter2"},
	{name: "APP_KEY too short", env: map[string]string{"APP_KEY": "hunter2"}, names: []string{"APP_KEY: has 7 characters; it needs 32"}, secret: "hunter2"},
	{name: "SECRET_KEY without prefix", env: map[string]string{"SECRET_KEY": "hunter2hunter2"}, names: []string{"SECRET_KEY: must begin with sk_"}, secret: "hunter2"},
	{name: "PUBLISHABLE_KEY too short", env: map[string]string{"PUBLISHABLE_KEY": "pk_1"}, names: []string{"PUBLISHABLE_KEY: must begin with pk_ and have at least 12"}},
	{name: "SETTINGS_FILE that is not there", env: map[string]string{"SETTINGS_FILE": "/nowhere.json"}, names: []string{"SETTINGS_FILE: ", "/nowhere.json"}},
	{name: "SMTP_ADDR without port", env: map[string]string{"SMTP_ADDR": "mail", "SMTP_FROM": "a@example.com"}, names: []string{"SMTP_ADDR"}},
	{name: "SMTP_ADDR without sender", env: map[string]string{"SMTP_ADDR": "127.0.0.1:25"}, names: []string{"SMTP_FROM: is required with SMTP_ADDR"}},
	{name: "SMTP_FROM that is no address", env: map[string]string{"SMTP_ADDR": "127.0.0.1:25", "SMTP_FROM": "nobody"}, names: []string{"SMTP_FROM"}},
	{name: "SMTP_FROM without SMTP_ADDR", env: map[string]string{"SMTP_FROM": "a@example.com"}, names: []string{"SMTP_ADDR"}},
	{name: "SMTP_USERNAME without password", env: map[string]string{"SMTP_ADDR": "127.0.0.1:25", "SMTP_FROM": "a@example.com", "SMTP_USERNAME": "u"}, names: []string{"SMTP_PASSWORD"}},
	{name: "SMTP_PASSWORD without user", env: map[string]string{"SMTP_ADDR": "127.0.0.1:25", "SMTP_FROM": "a@example.com", "SMTP_PASSWORD": "hunter2"}, names: []string{"SMTP_USERNAME"}, secret: "hunter2"},
	{name: "SMTP_TLS", env: map[string]string{"SMTP_TLS": "maybe"}, names: []string{"SMTP_TLS: must be starttls or implicit or none"}},
	{name: "SMTP_TLS none beyond loopback", env: map[string]string{"SMTP_ADDR": "mail.example.com:25", "SMTP_FROM": "a@example.com", "SMTP_TLS": "none"}, names: []string{"SMTP_TLS"}},
	{name: "SMS_ACCOUNT_SID alone", env: map[string]string{"SMS_ACCOUNT_SID": "AC1"}, names: []string{"SMS_AUTH_TOKEN", "SMS_FROM"}},
	{name: "SMS_BASE_URL without TLS", env: map[string]string{"SMS_BASE_URL": "http://sms.example.com", "SMS_ACCOUNT_SID": "AC1", "SMS_AUTH_TOKEN": "hunter2", "SMS_FROM": "+15005550006"}, names: []string{"SMS_BASE_URL"}, secret: "hunter2"},
	{name: "SMS_AUTH_TOKEN without account", env: map[string]string{"SMS_AUTH_TOKEN": "hunter2", "SMS_FROM": "+15005550006"}, names: []string{"SMS_ACCOUNT_SID"}, secret: "hunter2"},
	{name: "SMS_FROM with a line break", env: map[string]string{"SMS_ACCOUNT_SID": "AC1", "SMS_AUTH_TOKEN": "x", "SMS_FROM": "a\nb"}, names: []string{"SMS_FROM"}},
	{name: "BREACHED_PASSWORDS_URL without TLS", env: map[string]string{"BREACHED_PASSWORDS_URL": "http://range.example.com"}, names: []string{"BREACHED_PASSWORDS_URL: must be https"}},
	{name: "BREACHED_PASSWORDS_URL with credentials", env: map[string]string{"BREACHED_PASSWORDS_URL": "https://user:hunter2@range.example.com"}, names: []string{"BREACHED_PASSWORDS_URL: "}, secret: "hunter2"},
	{name: "BREACHED_PASSWORDS_URL with a query", env: map[string]string{"BREACHED_PASSWORDS_URL": "https://range.example.com?key=hunter2"}, names: []string{"BREACHED_PASSWORDS_URL: "}, secret: "hunter2"},
	{name: "BOT_CHECK_URL elsewhere", env: map[string]string{"BOT_CHECK_URL": "https://check.example.com/siteverify"}, names: []string{"BOT_CHECK_URL: must be an address on this machine"}},
	{name: "PLAYGROUND", env: map[string]string{"PLAYGROUND": "yes"}, names: []string{"PLAYGROUND: must be true or false"}},
	{name: "INTROSPECTION", env: map[string]string{"INTROSPECTION": "1"}, names: []string{"INTROSPECTION: must be true or false"}},
	{name: "LOG_FORMAT", env: map[string]string{"LOG_FORMAT": "xml"}, names: []string{"LOG_FORMAT: must be text or json"}},
	{name: "several at once", env: map[string]string{"MODE": "x", "LOG_FORMAT": "y"}, flags: []string{"-addr", "z"}, names: []string{"MODE: ", "LOG_FORMAT: ", "ADDR: "}},
	{name: "an unknown flag", flags: []string{"-colour", "red"}, names: []string{"colour"}},
	{name: "a secret as a flag", flags: []string{"-secret-key", "sk_hunter2hunter2"}, names: []string{"secret-key"}},
	{name: "an argument", flags: []string{"serve"}, names: []string{`unexpected argument "serve"`}},
}

// production is the least with which production starts.
func production() map[string]string {
	return map[string]string{
		"MODE": "production", "APP_KEY": strings.Repeat("k", 32), "PUBLIC_URL": "https://signup.example.com",
		"SECRET_KEY": "sk_" + strings.Repeat("s", 32), "PUBLISHABLE_KEY": "pk_publishable",
	}
}

var unsafeSetUps = []refusedStart{
	{name: "development on all addresses", env: map[string]string{"ADDR": "0.0.0.0:0"}, names: []string{"ADDR: ", "loopback", "MODE=production"}},
	{name: "development on every interface by an empty host", env: map[string]string{"ADDR": ":0"}, names: []string{"ADDR: ", "loopback"}},
	{name: "production without APP_KEY", env: with(production(), "APP_KEY", ""), names: []string{"APP_KEY: is required in production"}},
	{name: "production without PUBLIC_URL", env: with(production(), "PUBLIC_URL", ""), names: []string{"PUBLIC_URL: is required in production"}},
	{name: "production without TLS", env: with(production(), "PUBLIC_URL", "http://signup.example.com"), names: []string{"PUBLIC_URL: must be https"}},
	{name: "production with a short secret key", env: with(production(), "SECRET_KEY", "sk_short0123"), names: []string{"SECRET_KEY: is too short"}, secret: "sk_short0123"},
	{name: "production with the bot check of tests", env: with(production(), "BOT_CHECK_URL", "http://127.0.0.1:9/siteverify"), names: []string{"BOT_CHECK_URL: ", "production"}},
	{name: "production with all of it", env: map[string]string{"MODE": "production"}, names: []string{"APP_KEY: ", "PUBLIC_URL: "}},
}

// TestRefusedStarts gives each setting a bad value, and production each unsafe
// set-up.
func TestRefusedStarts(t *testing.T) {
	t.Parallel()
	named := map[string]bool{}
	for _, c := range append(badValues, unsafeSetUps...) {
		for name := range c.env {
			named[name] = true
		}
		t.Run(c.name, func(t *testing.T) {
			p := startByHand(t, c.env, c.flags)
			said := p.refuses(t)
			for _, want := range c.names {
				if !strings.Contains(said, want) {
					t.Errorf("it does not say %q:\n%s", want, said)
				}
			}
			if c.secret != "" && strings.Contains(said+p.stdout.String(), c.secret) {
				t.Errorf("it shows the secret:\n%s", said)
			}
		})
	}
	for _, name := range settingNames {
		if !named[name] {
			t.Errorf("no bad value of %s was tried", name)
		}
	}
}

// TestSettingsFile tries what can be wrong with a file of settings, and that a
// right one counts at the very first start.
func TestSettingsFile(t *testing.T) {
	t.Parallel()
	file := func(t *testing.T, text string) string {
		path := filepath.Join(t.TempDir(), "settings.json")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, c := range map[string]struct {
		text, says string
	}{
		"not JSON":     {"appName: x", "SETTINGS_FILE"},
		"unknown name": {`{"appNam": "x"}`, "appNam"},
		"wrong type":   {`{"testMode": "yes"}`, "testMode"},
		"out of range": {`{"password": {"minLength": 1}}`, "password.minLength"},
		"two objects":  {`{} {}`, "SETTINGS_FILE"},
		"empty":        {``, "SETTINGS_FILE"},
		"nobody could sign up through a provider": {`{"progressiveSignUp": false,
			"externalAccount": {"providers": [{"name": "forum", "issuer": "https://forum.example", "clientId": "a"}]}}`, "WAY_IMPOSSIBLE"},
	} {
		t.Run(name, func(t *testing.T) {
			p := startByHand(t, map[string]string{"SETTINGS_FILE": file(t, c.text)}, nil)
			if said := p.refuses(t); !strings.Contains(said, c.says) {
				t.Errorf("it does not name %q: %s", c.says, said)
			}
		})
	}
	server := realtest.Program(t, realtest.ProgramOptions{Env: map[string]string{
		"SETTINGS_FILE": file(t, `{"appName": "From the file", "testMode": true, "firstName": {"required": true}}`),
	}})
	var data struct {
		PublicSettings struct {
			AppName  string
			TestMode bool
		}
	}
	newClient(t, server).query(t, "{ publicSettings { appName testMode } }", nil, &data)
	if got := data.PublicSettings; got.AppName != "From the file" || !got.TestMode {
		t.Errorf("settings: %+v, want those of the file", got)
	}
}

// TestPortInUse starts a second program on the first one's address.
func TestPortInUse(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	addr := listener.Addr().String()
	p := startByHand(t, map[string]string{"ADDR": addr}, nil)
	said := p.refuses(t)
	for _, want := range []string{"ADDR", addr, "in use"} {
		if !strings.Contains(said, want) {
			t.Errorf("it does not say %q: %s", want, said)
		}
	}
	if _, err := os.Stat(p.dataDir); err == nil {
		t.Error("a program that cannot listen made its data folder")
	}
}

// TestKeysOfAnotherDatabase starts the program on its own data with other keys.
func TestKeysOfAnotherDatabase(t *testing.T) {
	t.Parallel()
	server := realtest.Program(t, realtest.ProgramOptions{})
	server.Stop()
	for name, c := range map[string]struct {
		env  map[string]string
		says string
	}{
		"another master key": {map[string]string{"APP_KEY": randomHex(32)}, "APP_KEY"},
		"another secret key": {map[string]string{"SECRET_KEY": "sk_" + randomHex(20)}, "SECRET_KEY"},
	} {
		t.Run(name, func(t *testing.T) {
			p := startByHand(t, with(c.env, "DATA_DIR", server.DataDir), nil)
			said := p.refuses(t)
			if !strings.Contains(said, c.says) {
				t.Errorf("it does not name %s: %s", c.says, said)
			}
			for _, secret := range c.env {
				if strings.Contains(said, secret) {
					t.Errorf("it shows the key: %s", said)
				}
			}
		})
	}
}

// TestGreeting reads what the program prints at its start: in development all
// that one needs to begin, in production no secret that the operator knows.
func TestGreeting(t *testing.T) {
	t.Parallel()
	t.Run("development", func(t *testing.T) {
		p := startByHand(t, nil, nil)
		p.awaitURL(t)
		first := p.stdout.String()
		for _, want := range []string{"/graphql", "/playground", "/dev/outbox", "pk_", "sk_", "end with it"} {
			if !strings.Contains(first, want) {
				t.Errorf("the greeting lacks %q:\n%s", want, first)
			}
		}
		p.stop(t)
		second := startByHand(t, map[string]string{"DATA_DIR": p.dataDir}, nil)
		second.awaitURL(t)
		for _, key := range []string{"pk_", "sk_"} {
			if lineWith(first, key) != lineWith(second.stdout.String(), key) {
				t.Errorf("the second start shows another key %s", key)
			}
		}
		second.stop(t)
	})
	t.Run("production, secret key given", func(t *testing.T) {
		p := startByHand(t, production(), nil)
		p.awaitURL(t)
		p.stop(t)
		if said := p.stdout.String() + p.stderr.String(); strings.Contains(said, "sk_") || strings.Contains(said, "outbox") || strings.Contains(said, strings.Repeat("k", 32)) {
			t.Errorf("the greeting of production shows too much:\n%s", said)
		}
		if _, err := os.Stat(filepath.Join(p.dataDir, "key")); err == nil {
			t.Error("production wrote the master key to a file")
		}
	})
	t.Run("production, secret key made", func(t *testing.T) {
		env := with(production(), "SECRET_KEY", "")
		p := startByHand(t, env, nil)
		p.awaitURL(t)
		p.stop(t)
		if !strings.Contains(p.stdout.String(), "sk_") {
			t.Errorf("the secret key that was made is not shown once:\n%s", p.stdout.String())
		}
		second := startByHand(t, with(env, "DATA_DIR", p.dataDir), nil)
		second.awaitURL(t)
		second.stop(t)
		if strings.Contains(second.stdout.String(), "sk_") {
			t.Errorf("the secret key is shown a second time:\n%s", second.stdout.String())
		}
	})
}

// TestSecretKeySurvivesAFailedFirstStart lets the very first start in production
// fail for a setting that has nothing to do with keys. The secret key that is
// made must be shown by the start that succeeds: it is nowhere else in clear.
func TestSecretKeySurvivesAFailedFirstStart(t *testing.T) {
	t.Parallel()
	env := with(production(), "SECRET_KEY", "", "SMTP_ADDR", "127.0.0.1:25", "SMTP_FROM", "nobody")
	failed := startByHand(t, env, nil)
	failed.refuses(t)
	second := startByHand(t, with(env, "SMTP_FROM", "no-reply@example.com", "DATA_DIR", failed.dataDir), nil)
	second.awaitURL(t)
	second.stop(t)
	if !strings.Contains(failed.stdout.String()+second.stdout.String(), "sk_") {
		t.Errorf("nobody can know the secret key:\n%s", second.stdout.String())
	}
}

func lineWith(text, part string) string {
	for line := range strings.Lines(text) {
		if strings.Contains(line, part) {
			return line
		}
	}
	return ""
}

// TestProduction looks at what production must not show.
func TestProduction(t *testing.T) {
	t.Parallel()
	server := realtest.Program(t, realtest.ProgramOptions{Env: map[string]string{
		"MODE": "production", "APP_KEY": randomHex(32), "PUBLIC_URL": "https://signup.example.com",
	}})
	c, administrator := newClient(t, server), newAdministrator(t, server)
	for _, path := range []string{"/dev/outbox", "/dev/outbox?format=json", "/playground", "/"} {
		if status, _ := c.get(t, path); status != http.StatusNotFound {
			t.Errorf("GET %s: %d, want 404", path, status)
		}
	}
	const introspection = "{ __schema { queryType { name } } }"
	if r, err := c.ask(introspection, nil); err != nil || !slices.Equal(r.codes(), []string{"FORBIDDEN"}) {
		t.Errorf("introspection without the secret key: %v, %v; want FORBIDDEN", r.codes(), err)
	}
	if r, err := administrator.ask(introspection, nil); err != nil || len(r.Errors) > 0 {
		t.Errorf("introspection with the secret key: %v, %v; want the schema", r.codes(), err)
	}
	for _, document := range []string{
		"{ publicSetting { appName } }", "{ publicSettings { appNam } }", "{ user(ids: 1) { id } }",
		"mutation { signUpCreate(input: {emailAddres: \"a\"}) { signUp { id } } }", "query($a: Strin) { publicSettings { appName } }",
		"mutation { signUpVerificationStart(input: {strategy: EMAIL_COD}) { signUp { id } } }",
	} {
		r, err := c.ask(document, nil)
		if err != nil || len(r.Errors) == 0 || strings.Contains(string(r.Body), "Did you mean") {
			t.Errorf("%s: %s, %v; want an error without suggestions", document, r.Body, err)
		}
	}
	// Messages cannot be sent without a mail server; the API says so.
	o, err := c.tryCreate(map[string]any{"emailAddress": "a@example.com", "startVerifications": []any{map[string]any{"strategy": "EMAIL_CODE"}}})
	if err != nil || !slices.Contains(o.errorCodes(), "CANNOT_DELIVER") {
		t.Errorf("a code in production without a mail server: %v, %v; want CANNOT_DELIVER", o.errorCodes(), err)
	}
	var settings struct {
		InstanceSettings struct {
			Warnings []struct{ Code, Setting string }
		}
	}
	administrator.query(t, "{ instanceSettings { warnings { code setting } } }", nil, &settings)
	if len(settings.InstanceSettings.Warnings) == 0 {
		t.Error("the settings have no warning that the email address cannot be verified")
	}
	checkSecureCookie(t, c)
}

// checkSecureCookie looks at the cookie of a service that is reached over TLS.
func checkSecureCookie(t *testing.T, c *client) {
	t.Helper()
	browser := c.clone()
	browser.cookies = true
	r, err := browser.ask("mutation { signUpCreate(input: {}) { signUp { id } } }", nil)
	if err != nil {
		t.Fatal(err)
	}
	cookie := r.Header.Get("Set-Cookie")
	for _, want := range []string{"__Host-client_", "; Path=/", "; HttpOnly", "; Secure", "; SameSite=Lax"} {
		if !strings.Contains(cookie, want) {
			t.Errorf("the cookie %q lacks %q", cookie, want)
		}
	}
	if strings.Contains(cookie, "Domain") {
		t.Errorf("the cookie %q names a domain", cookie)
	}
}

// TestLogFormat expects every line of a program that logs as JSON to be JSON.
func TestLogFormat(t *testing.T) {
	t.Parallel()
	p := startByHand(t, map[string]string{"LOG_FORMAT": "json"}, nil)
	p.awaitURL(t)
	p.stop(t)
	for line := range strings.Lines(p.stderr.String()) {
		if !json.Valid([]byte(line)) {
			t.Errorf("not JSON: %s", line)
		}
	}
}

// TestShutdown asks the program to end while a request waits for the mail server,
// with a socket and a stream open.
func TestShutdown(t *testing.T) {
	t.Parallel()
	mail := startMailServer(t)
	hold := mail.holdMessages()
	server := realtest.Program(t, realtest.ProgramOptions{Env: mail.settings()})
	watcher, slow := newClient(t, server), newClient(t, server)
	opened := watcher.create(t, map[string]any{})
	socket, stream := watcher.openSocket(t), watcher.watchByStream(t, opened.ID)
	stream.next(t)

	inFlight := make(chan attempted, 1)
	go func() {
		o, err := slow.tryCreate(map[string]any{
			"emailAddress": "slow@example.com", "startVerifications": []any{map[string]any{"strategy": "EMAIL_CODE"}},
		})
		inFlight <- attempted{o, err}
	}()
	<-hold.arrived
	closed := socket.watchEnd()
	code := make(chan int, 1)
	go func() {
		// The socket is closed while the request still waits.
		select {
		case c := <-closed:
			code <- c
		case <-time.After(answerLimit):
			code <- 0
		}
		close(hold.release)
	}()
	server.Stop() // fails the test unless the exit code is 0
	if c := <-code; c != 1001 {
		t.Errorf("the WebSocket was closed with %d, want 1001", c)
	}
	if end := stream.awaitEnd(t); end != "complete" {
		t.Errorf("the event stream ended with %q, want complete", end)
	}
	if got := <-inFlight; got.err != nil || got.outcome.SignUp == nil || len(got.outcome.UserErrors) > 0 {
		t.Errorf("the request in flight: %+v, %v; want its answer", got.outcome, got.err)
	}
	server.Restart()
}
