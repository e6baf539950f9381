// Package config reads what an operator sets: flags first, then the
// environment, then defaults under which `go run .` works untouched.
package config

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/mail"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"stepwise/internal/signup"
)

// Mode is how careful the server is.
type Mode string

const (
	Development Mode = "development"
	Production  Mode = "production"
)

// Config is everything that is set at the start.
type Config struct {
	Addr           string
	PublicURL      *url.URL // nil until Listening where it follows from the address
	Mode           Mode
	DataDir        string
	DatabaseURL    string
	RedisURL       string
	AppKey         []byte
	SecretKey      string
	PublishableKey string
	Settings       signup.SettingsPatch
	SettingsFile   bool // whether Settings were given
	SMTPAddr       string
	SMTPUsername   string
	SMTPPassword   string
	SMTPFrom       string
	SMTPTLS        string
	SMSBaseURL     string
	SMSAccountSID  string
	SMSAuthToken   string
	SMSFrom        string
	// BreachedPasswordsURL is where the range interface is, without a slash at the end.
	BreachedPasswordsURL *url.URL
	// BotCheckURL takes the place of the providers' addresses; empty but in tests.
	BotCheckURL   string
	Playground    bool
	Introspection bool
	LogFormat     string

	getenv func(string) string // for the secrets that the settings file names
}

// setting is one thing to set. Secrets have no flag: other users of the machine
// can read a process's arguments.
type setting struct {
	env, fallback, usage string
	secret               bool
	read                 func(c *Config, value string) error
}

func (s setting) flag() string { return strings.ReplaceAll(strings.ToLower(s.env), "_", "-") }

func text(field func(*Config) *string) func(*Config, string) error {
	return func(c *Config, value string) error {
		*field(c) = value
		return nil
	}
}

func choice(field func(*Config) *string, options ...string) func(*Config, string) error {
	return func(c *Config, value string) error {
		for _, o := range options {
			if value == o {
				*field(c) = value
				return nil
			}
		}
		return fmt.Errorf("must be %s", strings.Join(options, " or "))
	}
}

var settings = []setting{
	{env: "ADDR", fallback: "127.0.0.1:8080", usage: "host:port to listen on", read: readAddr},
	{env: "PUBLIC_URL", usage: "address under which browsers reach the server (default http://localhost and the port of ADDR)", read: readPublicURL},
	{env: "MODE", fallback: "development", usage: "development or production; production refuses unsafe set-ups", read: choice(func(c *Config) *string { return (*string)(&c.Mode) }, "development", "production")},
	{env: "DATA_DIR", fallback: "data", usage: "folder of the SQLite file and, in development, of the master key", read: text(func(c *Config) *string { return &c.DataDir })},
	{env: "DATABASE_URL", usage: "postgres://… or sqlite:PATH (default: stepwise.db in DATA_DIR)", secret: true, read: text(func(c *Config) *string { return &c.DatabaseURL })},
	{env: "REDIS_URL", usage: "redis://, rediss://, redis+sentinel:// or redis+cluster:// (default: a Redis inside this process; sign-ups in flight end with it)", secret: true, read: text(func(c *Config) *string { return &c.RedisURL })},
	{env: "APP_KEY", usage: "master key, at least 32 characters; seals signing keys and codes; required in production (development: kept in DATA_DIR/key)", secret: true, read: readAppKey},
	{env: "SECRET_KEY", usage: "secret key of the first instance, sk_… (default: generated)", secret: true, read: readKey("sk_", func(c *Config) *string { return &c.SecretKey })},
	{env: "PUBLISHABLE_KEY", usage: "publishable key of the first instance, pk_… (default: generated)", read: readKey("pk_", func(c *Config) *string { return &c.PublishableKey })},
	{env: "SETTINGS_FILE", usage: "JSON file with the first instance's settings, in the shape of InstanceSettingsUpdateInput (secrets also as clientSecretEnv and secretKeyEnv: names of variables); read at the very first start", read: readSettings},
	{env: "SMTP_ADDR", usage: "host:port of the mail server (development without it: /dev/outbox)", read: text(func(c *Config) *string { return &c.SMTPAddr })},
	{env: "SMTP_USERNAME", usage: "user of the mail server", read: text(func(c *Config) *string { return &c.SMTPUsername })},
	{env: "SMTP_PASSWORD", usage: "password of the mail server", secret: true, read: text(func(c *Config) *string { return &c.SMTPPassword })},
	{env: "SMTP_FROM", usage: "sender, such as App <no-reply@example.com>", read: text(func(c *Config) *string { return &c.SMTPFrom })},
	{env: "SMTP_TLS", fallback: "starttls", usage: "starttls, implicit, or none (loopback only)", read: choice(func(c *Config) *string { return &c.SMTPTLS }, "starttls", "implicit", "none")},
	{env: "SMS_BASE_URL", usage: "text message service with Twilio's message API (default https://api.twilio.com)", read: text(func(c *Config) *string { return &c.SMSBaseURL })},
	{env: "SMS_ACCOUNT_SID", usage: "account at the text message service (development without it: /dev/outbox)", read: text(func(c *Config) *string { return &c.SMSAccountSID })},
	{env: "SMS_AUTH_TOKEN", usage: "token of that account", secret: true, read: text(func(c *Config) *string { return &c.SMSAuthToken })},
	{env: "SMS_FROM", usage: "sending number in E.164, or sender id", read: text(func(c *Config) *string { return &c.SMSFrom })},
	{env: "BREACHED_PASSWORDS_URL", fallback: "https://api.pwnedpasswords.com", usage: "server with the range interface of Have I Been Pwned; asked where an instance's settings reject breached passwords", read: readBreachedPasswordsURL},
	{env: "BOT_CHECK_URL", usage: "for tests in development: an address on this machine that is asked in place of the providers of bot protection", read: readBotCheckURL},
	{env: "PLAYGROUND", usage: "true or false: serve /playground (default: in development)", read: readBool(func(c *Config) *bool { return &c.Playground })},
	{env: "INTROSPECTION", usage: "true or false: let everybody introspect the schema (default: in development)", read: readBool(func(c *Config) *bool { return &c.Introspection })},
	{env: "LOG_FORMAT", fallback: "text", usage: "text or json", read: choice(func(c *Config) *string { return &c.LogFormat }, "text", "json")},
}

// Load reads the settings. args are those after the program's name; getenv is
// os.Getenv. Every value that is wrong is named. It returns flag.ErrHelp after
// having explained every setting on out.
func Load(args []string, getenv func(string) string, out io.Writer) (Config, error) {
	flags := flag.NewFlagSet("stepwise", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.Usage = func() { usage(out) }
	given := map[string]*string{}
	for _, s := range settings {
		if !s.secret {
			given[s.env] = flags.String(s.flag(), "", s.usage)
		}
	}
	if err := flags.Parse(args); err != nil {
		return Config{}, err
	}
	if flags.NArg() > 0 {
		return Config{}, fmt.Errorf("unexpected argument %q; -h explains every setting", flags.Arg(0))
	}
	return read(getenv, given)
}

func read(getenv func(string) string, given map[string]*string) (Config, error) {
	c := Config{getenv: getenv}
	var wrong []error
	for _, s := range settings {
		value := getenv(s.env)
		if f := given[s.env]; f != nil && *f != "" {
			value = *f
		}
		if value == "" {
			value = s.fallback
		}
		if s.env == "PLAYGROUND" || s.env == "INTROSPECTION" {
			if value == "" {
				value = fmt.Sprint(c.Mode == Development)
			}
		}
		if value == "" {
			continue
		}
		if err := s.read(&c, value); err != nil {
			wrong = append(wrong, fmt.Errorf("%s: %w", s.env, err))
		}
	}
	if len(wrong) == 0 {
		wrong = c.check()
	}
	return c, errors.Join(wrong...)
}

// check looks at the settings together.
func (c *Config) check() []error {
	var wrong []error
	refuse := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf(format, args...)) }
	host, _, _ := net.SplitHostPort(c.Addr)
	if c.Mode == Development && !loopback(host) {
		refuse("ADDR: MODE=development shows every code at /dev/outbox, so it listens on loopback only, not on %q; use MODE=production", host)
	}
	if c.Mode == Production {
		if len(c.AppKey) == 0 {
			refuse("APP_KEY: is required in production: every process must have the same, and losing it voids sessions' signing keys; openssl rand -hex 32 makes one")
		}
		if c.PublicURL == nil {
			refuse("PUBLIC_URL: is required in production")
		} else if c.PublicURL.Scheme != "https" && !loopback(c.PublicURL.Hostname()) {
			refuse("PUBLIC_URL: must be https in production: client tokens travel as cookies")
		}
		if c.RedisURL == "" && strings.HasPrefix(c.DatabaseURL, "postgres") {
			refuse("REDIS_URL: is required with PostgreSQL in production: several processes must see the same sign-ups")
		}
		if c.SecretKey != "" && len(c.SecretKey) < 32 {
			refuse("SECRET_KEY: is too short for production; 32 characters at least")
		}
		if c.BotCheckURL != "" {
			refuse("BOT_CHECK_URL: is for tests in development; production asks the providers themselves")
		}
	}
	wrong = append(wrong, c.checkSMTP()...)
	wrong = append(wrong, c.checkSMS()...)
	return wrong
}

func (c *Config) checkSMTP() []error {
	var wrong []error
	refuse := func(text string) { wrong = append(wrong, errors.New(text)) }
	if c.SMTPAddr == "" {
		if c.SMTPFrom != "" || c.SMTPUsername != "" || c.SMTPPassword != "" {
			refuse("SMTP_ADDR: is missing, and without it the other SMTP settings do nothing")
		}
		return wrong
	}
	host, port, err := net.SplitHostPort(c.SMTPAddr)
	if err != nil || host == "" || port == "" {
		refuse("SMTP_ADDR: must be host:port, such as smtp.example.com:587")
	}
	if c.SMTPFrom == "" {
		refuse("SMTP_FROM: is required with SMTP_ADDR")
	} else if _, err := mail.ParseAddress(c.SMTPFrom); err != nil {
		refuse("SMTP_FROM: must be an address, such as App <no-reply@example.com>")
	}
	if c.SMTPUsername != "" && c.SMTPPassword == "" {
		refuse("SMTP_PASSWORD: is required with SMTP_USERNAME")
	}
	if c.SMTPPassword != "" && c.SMTPUsername == "" {
		refuse("SMTP_USERNAME: is required with SMTP_PASSWORD")
	}
	if c.SMTPTLS == "none" && !loopback(host) {
		refuse("SMTP_TLS: none is for loopback addresses only; codes would travel in clear")
	}
	return wrong
}

func (c *Config) checkSMS() []error {
	var wrong []error
	refuse := func(text string) { wrong = append(wrong, errors.New(text)) }
	if c.SMSAccountSID == "" {
		if c.SMSAuthToken != "" || c.SMSFrom != "" || c.SMSBaseURL != "" {
			refuse("SMS_ACCOUNT_SID: is missing, and without it the other SMS settings do nothing")
		}
		return wrong
	}
	if c.SMSAuthToken == "" {
		refuse("SMS_AUTH_TOKEN: is required with SMS_ACCOUNT_SID")
	}
	if c.SMSFrom == "" {
		refuse("SMS_FROM: is required with SMS_ACCOUNT_SID")
	} else if strings.ContainsAny(c.SMSFrom, "\r\n\x00") {
		refuse("SMS_FROM: must be on one line")
	}
	if c.SMSBaseURL != "" {
		u, err := url.Parse(c.SMSBaseURL)
		if err != nil || u.Host == "" || u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())) {
			refuse("SMS_BASE_URL: must be https, or http on a loopback address")
		}
	}
	return wrong
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Listening settles what depends on the port that was got.
func (c *Config) Listening(addr net.Addr) {
	if c.PublicURL == nil {
		_, port, _ := net.SplitHostPort(addr.String())
		c.PublicURL = &url.URL{Scheme: "http", Host: net.JoinHostPort("localhost", port)}
	}
	if c.DatabaseURL == "" {
		c.DatabaseURL = filepath.Join(c.DataDir, "stepwise.db")
	}
}

// MasterKey returns the master key; in development it is made once and kept in
// the data folder, readable by its owner only.
func (c *Config) MasterKey() ([]byte, error) {
	if len(c.AppKey) > 0 {
		return c.AppKey, nil
	}
	path := filepath.Join(c.DataDir, "key")
	key, err := os.ReadFile(path)
	if err == nil {
		return []byte(strings.TrimSpace(string(key))), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("DATA_DIR: master key: %w", err)
	}
	if err := os.MkdirAll(c.DataDir, 0o700); err != nil {
		return nil, fmt.Errorf("DATA_DIR: %w", err)
	}
	fresh := make([]byte, 32)
	rand.Read(fresh)
	if err := keepKey(path, hex.EncodeToString(fresh)); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("DATA_DIR: master key: %w", err)
	}
	return c.MasterKey() // of two processes starting at once, both take the first one's
}

// keepKey makes the file with its content at once, or fails with ErrExist.
func keepKey(path, key string) error {
	f, err := os.CreateTemp(filepath.Dir(path), "key-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(key + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Link(f.Name(), path)
}

func readAddr(c *Config, value string) error {
	if _, _, err := net.SplitHostPort(value); err != nil {
		return errors.New("must be host:port, such as 127.0.0.1:8080")
	}
	c.Addr = value
	return nil
}

func readPublicURL(c *Config, value string) error {
	u, err := url.Parse(value)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return errors.New("must be an address without a path, such as https://signup.example.com")
	}
	c.PublicURL = &url.URL{Scheme: u.Scheme, Host: u.Host}
	return nil
}

// readBreachedPasswordsURL: part of a hash travels there, and what comes back is
// believed.
func readBreachedPasswordsURL(c *Config, value string) error {
	u, err := url.Parse(value)
	if err != nil || u.Host == "" || u.User != nil || strings.ContainsAny(value, "?#") || u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())) {
		return errors.New("must be https, or http on a loopback address, without a query")
	}
	c.BreachedPasswordsURL = u
	return nil
}

func readBotCheckURL(c *Config, value string) error {
	u, err := url.Parse(value)
	if err != nil || u.User != nil || u.Scheme != "https" && u.Scheme != "http" || !loopback(u.Hostname()) {
		return errors.New("must be an address on this machine, such as http://127.0.0.1:9000/siteverify")
	}
	c.BotCheckURL = value
	return nil
}

func readAppKey(c *Config, value string) error {
	if len(value) < signup.MinMasterKey {
		return fmt.Errorf("has %d characters; it needs %d", len(value), signup.MinMasterKey)
	}
	c.AppKey = []byte(value)
	return nil
}

func readKey(prefix string, field func(*Config) *string) func(*Config, string) error {
	return func(c *Config, value string) error {
		if len(value) < 12 || !strings.HasPrefix(value, prefix) || strings.ContainsAny(value, " \t\r\n") {
			return fmt.Errorf("must begin with %s and have at least 12 characters", prefix)
		}
		*field(c) = value
		return nil
	}
}

func readSettings(c *Config, value string) error {
	data, err := os.ReadFile(value)
	if err != nil {
		return err
	}
	c.SettingsFile = true
	c.Settings, err = signup.ParseSettingsFile(data, c.getenv)
	return err
}

func readBool(field func(*Config) *bool) func(*Config, string) error {
	return func(c *Config, value string) error {
		if value != "true" && value != "false" {
			return errors.New("must be true or false")
		}
		*field(c) = value == "true"
		return nil
	}
}

func usage(out io.Writer) {
	fmt.Fprint(out, "Stepwise, a sign-up service with a GraphQL API.\n\nEvery setting is optional in development. Secrets are taken from the environment only.\n\n")
	for _, s := range settings {
		name := "    -" + s.flag() + ", " + s.env
		if s.secret {
			name = "    " + s.env + " (environment only)"
		}
		fmt.Fprintln(out, name)
		fmt.Fprint(out, "        ", s.usage)
		if s.fallback != "" {
			fmt.Fprintf(out, " (default %s)", s.fallback)
		}
		fmt.Fprintln(out)
	}
}
