// Stepwise is a sign-up service with a GraphQL API. `go run .` starts it with
// embedded stores; `go run . -h` explains every setting.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"stepwise/engine"
	"stepwise/graph"
	"stepwise/internal/config"
	"stepwise/internal/deliver"
	"stepwise/internal/deliver/webhook"
	"stepwise/internal/landing"
	"stepwise/internal/outbound"
	"stepwise/internal/password"
	"stepwise/internal/prove/botcheck"
	"stepwise/internal/prove/breached"
	"stepwise/internal/prove/oidc"
	"stepwise/internal/prove/siwe"
	"stepwise/internal/signup"
	"stepwise/internal/store/redisstore"
	"stepwise/internal/store/sqlstore"
	"stepwise/internal/transport"
	"stepwise/resolvers"
	"stepwise/web/playground"
)

// drainTimeout is how long running requests may take to end at shutdown.
const drainTimeout = 10 * time.Second

// clientCookieAge is as long as browsers keep a cookie.
const clientCookieAge = 400 * 24 * time.Hour

func main() {
	// Small objects dominate: rarer collections cost little memory and save a
	// tenth of the processor's time. GOGC and GOMEMLIMIT overrule.
	if os.Getenv("GOGC") == "" && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetGCPercent(400)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr)
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "stepwise:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends.
func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) error {
	c, err := config.Load(args, getenv, stderr)
	if err != nil {
		return err
	}
	log := logger(c, stderr)
	// Whatever can be wrong with the settings is found before anything is made.
	senders, outbox, err := messengers(c)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", c.Addr)
	if err != nil {
		return fmt.Errorf("ADDR: %w", err)
	}
	defer listener.Close()
	c.Listening(listener.Addr())

	master, err := c.MasterKey()
	if err != nil {
		return err
	}
	keys, err := signup.NewKeys(master)
	if err != nil {
		return fmt.Errorf("APP_KEY: %w", err)
	}
	attempts, err := openAttempts(ctx, c, log)
	if err != nil {
		return fmt.Errorf("REDIS_URL: %w", err)
	}
	defer attempts.Close()
	directory, err := sqlstore.Open(ctx, sqlstore.Options{URL: c.DatabaseURL, Logger: log})
	if err != nil {
		return fmt.Errorf("DATABASE_URL: %w", err)
	}
	defer directory.Close()
	can := engine.Capabilities{
		SendEmail: senders.Sends(signup.ChannelEmail), SendSMS: senders.Sends(signup.ChannelSMS), ProveAccount: true, ProveWallet: true,
	}
	first, err := signup.EnsureFirstInstance(ctx, directory, keys, signup.Bootstrap{
		PublishableKey: c.PublishableKey, SecretKey: c.SecretKey, Settings: c.Settings, Can: &can, EnumerationProtection: c.Mode == config.Production,
	}, time.Now())
	if err != nil {
		return err
	}
	hasher, err := password.NewHasher(password.Config{})
	if err != nil {
		return err
	}
	development := c.Mode == config.Development
	client := outbound.NewClient(outbound.Options{AllowPrivate: development})
	var events *webhook.Dispatcher
	service := signup.New(signup.Config{
		Attempts: attempts, Hints: attempts, Budgets: attempts, Directory: directory, Messenger: senders,
		Accounts: oidc.New(oidc.Options{Client: client, Logger: log}), Wallets: siwe.Prover{},
		Breached: breachedPasswords(c, client), Bots: botcheck.New(client, c.BotCheckURL),
		Hasher: hasher, Keys: keys, Issuer: c.PublicURL.String(), Development: development, Logger: log,
		Can:           can,
		EventsPending: func() { events.Wake() },
	})
	events = webhook.New(webhook.Config{
		Source: service, Client: client, Logger: log,
		IsPrivate: func(err error) bool {
			return errors.Is(err, outbound.ErrPrivateAddress) || errors.Is(err, outbound.ErrPlainHTTP)
		},
	})
	stopEvents := background(ctx, events.Run)
	defer stopEvents()
	defer background(ctx, service.KeepSettling)()
	defer service.Wait()
	if c.SettingsFile && !first.Created {
		log.Info("SETTINGS_FILE is not applied: the instance has settings already, which instanceSettingsUpdate changes")
	}
	warn(ctx, service, first, log)
	api := graphqlServer(c, service, log)
	server := &http.Server{
		Handler:           routes(c, service, api, outbox, log, attempts, directory),
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	greet(stdout, c, first, outbox != nil)
	return serve(ctx, server, api, listener, log)
}

// breachedPasswords asks the server that the deployment names. One on this machine
// may be asked in production too: it is not instances that name it.
func breachedPasswords(c config.Config, client *http.Client) *breached.Passwords {
	at := c.BreachedPasswordsURL
	if signup.IsLocalOrigin(at.Scheme + "://" + at.Host) {
		client = outbound.NewClient(outbound.Options{AllowPrivate: true})
	}
	return breached.At(at.String(), client)
}

// background runs something until ctx ends or stop is called, which waits for its
// end.
func background(ctx context.Context, run func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = run(ctx) // ends with ctx
	}()
	return func() {
		cancel()
		<-done
	}
}

func logger(c config.Config, out io.Writer) *slog.Logger {
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(out, nil))
	}
	return slog.New(slog.NewTextHandler(out, nil))
}

func openAttempts(ctx context.Context, c config.Config, log *slog.Logger) (*redisstore.Store, error) {
	if c.RedisURL == "" {
		return redisstore.OpenEmbedded(ctx, redisstore.Options{Logger: log})
	}
	return redisstore.Open(ctx, redisstore.Options{URL: c.RedisURL, Logger: log})
}

// messengers returns the senders that are set up and, in development, the
// outbox, which takes the place of those that are not.
func messengers(c config.Config) (deliver.Router, *deliver.Outbox, error) {
	senders := deliver.Router{}
	var outbox *deliver.Outbox
	if c.Mode == config.Development {
		outbox = deliver.NewOutbox(nil)
		senders[signup.ChannelEmail], senders[signup.ChannelSMS] = outbox, outbox
	}
	if c.SMTPAddr != "" {
		smtp, err := deliver.NewSMTP(deliver.SMTPConfig{
			Addr: c.SMTPAddr, Username: c.SMTPUsername, Password: c.SMTPPassword, From: c.SMTPFrom, TLS: deliver.TLSMode(c.SMTPTLS),
		})
		if err != nil {
			return nil, nil, fmt.Errorf("SMTP: %w", err)
		}
		senders[signup.ChannelEmail] = smtp
	}
	if c.SMSAccountSID != "" {
		sms, err := deliver.NewSMS(deliver.SMSConfig{
			BaseURL: c.SMSBaseURL, AccountSID: c.SMSAccountSID, AuthToken: c.SMSAuthToken, From: c.SMSFrom,
		})
		if err != nil {
			return nil, nil, fmt.Errorf("SMS: %w", err)
		}
		senders[signup.ChannelSMS] = sms
	}
	return senders, outbox, nil
}

func graphqlServer(c config.Config, service *signup.Service, log *slog.Logger) *transport.Server {
	resolver := &resolvers.Resolver{
		Service: service,
		IssueToken: func(ctx context.Context, instance, token string) {
			if err := transport.IssueClientToken(ctx, signup.CookieName(instance), token, clientCookieAge); err != nil {
				log.ErrorContext(ctx, "client token not issued", "error", err)
			}
		},
	}
	return transport.New(transport.Config{
		Schema:     graph.NewExecutableSchema(graph.Config{Resolvers: resolver, Complexity: resolvers.Complexity()}),
		Production: c.Mode == config.Production, Introspection: c.Introspection, PublicURL: c.PublicURL,
		Authenticate: func(ctx context.Context, given transport.Credentials) (context.Context, error) {
			p, err := service.Authenticate(ctx, signup.Credentials{PublishableKey: given.PublishableKey, Bearer: given.Bearer, Cookie: given.Cookie})
			p.AcceptLanguage = given.AcceptLanguage
			return resolvers.WithPrincipal(ctx, p), err
		},
		AllowOrigin: func(ctx context.Context, publishableKey, origin string) bool {
			return origin == c.PublicURL.String() || c.Mode == config.Development && signup.IsLocalOrigin(origin) || service.AllowsOrigin(ctx, publishableKey, origin)
		},
		Privileged: func(ctx context.Context) bool { return resolvers.PrincipalOf(ctx).Secret },
		Authorize:  resolvers.Authorize, AuthorizeSubscription: resolvers.AuthorizeSubscription,
		Logger: log,
	})
}

func routes(c config.Config, service *signup.Service, api *transport.Server, outbox *deliver.Outbox, log *slog.Logger, stores ...signup.Pinger) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/graphql", api)
	mux.HandleFunc("GET /.well-known/jwks.json", func(w http.ResponseWriter, r *http.Request) {
		set, err := service.JWKS(r.Context(), r.Header.Get(transport.HeaderPublishableKey))
		if errors.Is(err, signup.ErrUnknownInstance) {
			http.Error(w, "no instance has this publishable key", http.StatusNotFound)
			return
		}
		if err != nil {
			log.ErrorContext(r.Context(), "keys not shown", "error", err)
			http.Error(w, "a store does not answer", http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "application/jwk-set+json")
		w.Header().Set("Access-Control-Allow-Origin", "*")
		w.Header().Set("Cache-Control", "public, max-age=60")
		w.Write(set)
	})
	pages := landing.New(landing.Config{
		Service: service, PublicURL: c.PublicURL, Logger: log,
		Authenticate: func(r *http.Request) (signup.Principal, error) {
			return service.Authenticate(r.Context(), signup.Credentials{
				Cookie: func(name string) string { return api.CookieValue(r, name) },
			})
		},
		SetCookie: func(w http.ResponseWriter, instance, token string) {
			api.SetClientCookie(w, signup.CookieName(instance), token, clientCookieAge)
		},
	})
	for _, path := range []string{landing.CallbackPath, landing.VerifyPath, landing.StylePath} {
		mux.Handle(path, pages)
	}
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
		defer cancel()
		for _, store := range stores {
			if err := store.Ping(ctx); err != nil {
				http.Error(w, "a store does not answer", http.StatusServiceUnavailable)
				return
			}
		}
		fmt.Fprintln(w, "ready")
	})
	if c.Playground {
		outboxPath := ""
		if outbox != nil {
			outboxPath = "/dev/outbox"
		}
		page := playground.Handler(playground.Options{Enabled: true, PublicURL: c.PublicURL, GraphQLPath: "/graphql", OutboxPath: outboxPath, Mode: string(c.Mode)})
		mux.Handle(playground.Path, page)
		mux.Handle(playground.Path+"/", page)
		mux.Handle("GET /{$}", http.RedirectHandler(playground.Path, http.StatusSeeOther))
	}
	if outbox != nil {
		page := outbox.Handler(c.PublicURL.Host)
		mux.Handle("/dev/outbox", page)
		mux.Handle("/dev/outbox/", page)
	}
	return mux
}

// warn logs what an operator should know of the settings in force.
func warn(ctx context.Context, service *signup.Service, first signup.FirstInstance, log *slog.Logger) {
	operator := signup.Principal{Instance: signup.StoredInstance{Instance: signup.Instance{ID: first.ID}}, Secret: true}
	settings, err := service.Settings(ctx, operator)
	if err != nil {
		log.WarnContext(ctx, "settings not looked at", "error", err)
		return
	}
	foreseen, err := service.Foresee(ctx, operator, settings)
	if err != nil {
		log.WarnContext(ctx, "settings not looked at", "error", err)
		return
	}
	for _, w := range foreseen.Warnings {
		log.WarnContext(ctx, "settings: "+w.Message, "code", w.Code, "setting", w.Path)
	}
}

// greet tells people where to go. Only in development does it show the secret
// key: in production output ends up in logs.
func greet(out io.Writer, c config.Config, first signup.FirstInstance, outbox bool) {
	at := c.PublicURL.String()
	var text strings.Builder
	fmt.Fprintf(&text, "Stepwise (%s)\n\n  API              %s/graphql\n", c.Mode, at)
	if c.Playground {
		fmt.Fprintf(&text, "  Playground       %s/playground\n", at)
	}
	if outbox {
		fmt.Fprintf(&text, "  Outbox           %s/dev/outbox\n", at)
	}
	fmt.Fprintf(&text, "  Publishable key  %s\n", first.PublishableKey)
	if c.Mode == config.Development || first.Created && c.SecretKey == "" {
		fmt.Fprintf(&text, "  Secret key       %s\n", first.SecretKey)
	}
	if c.RedisURL == "" {
		fmt.Fprint(&text, "\n  Sign-ups in flight are kept in this process and end with it; users and settings stay.\n")
	}
	fmt.Fprintln(out, text.String()) // in one piece
}

// serve runs until ctx ends, then lets running requests finish and tells open
// sockets and streams to come back later.
func serve(ctx context.Context, server *http.Server, api *transport.Server, listener net.Listener, log *slog.Logger) error {
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	log.Info("shutting down")
	drain, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	return errors.Join(api.Drain(drain), server.Shutdown(drain))
}
