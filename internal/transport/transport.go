// Package transport carries GraphQL over HTTP, WebSocket and server-sent events.
//
// It stands between the network and gqlgen's executor and owns everything that a
// schema cannot say: who may call from which page (origins, cookies, credentials),
// how much one request may ask for (bytes, tokens, depth, aliases, complexity), how
// answers look on the wire (media types, status codes, close codes) and which errors
// a stranger may read. gqlgen parses, validates and executes; its own transports are
// not used.
//
//   - POST follows "GraphQL over HTTP" for application/json and
//     application/graphql-response+json. It is the only way to run a mutation.
//   - WebSocket speaks graphql-transport-ws and nothing older.
//   - Server-sent events follow the distinct connections mode of graphql-sse: the
//     same POST, answered as text/event-stream.
//
// The package knows nothing about sign-ups. What it needs to know about clients and
// instances is handed to it as functions in [Config].
package transport

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/url"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/executor"
	"github.com/vektah/gqlparser/v2/ast"
)

// Config is what a [Server] is made of. Only Schema is required.
type Config struct {
	Schema graphql.ExecutableSchema

	// Production switches suggestions ("Did you mean …") off, and introspection
	// except for privileged callers.
	Production bool
	// Introspection leaves introspection open to everybody in production.
	Introspection bool

	// PublicURL is the address under which browsers reach the server. Its scheme
	// decides whether cookies are Secure and carry the __Host- prefix.
	PublicURL *url.URL

	// Authenticate turns credentials into a context that resolvers understand; the
	// result must be derived from ctx. It runs once for an HTTP request and once for
	// a WebSocket (at connection_init). An error with a method Code() string refuses
	// the request with that code, any other error is an internal one. An error may
	// also have a method RetryAfter() time.Duration.
	Authenticate func(ctx context.Context, c Credentials) (context.Context, error)

	// AllowOrigin reports whether pages of origin (scheme://host[:port], as the
	// browser sent it) may use the instance of publishableKey. The key is empty where
	// it cannot be known yet, in a CORS preflight and in a WebSocket handshake: then
	// the question is whether any instance allows the origin. It may be asked more
	// than once for a request. The server's own host is allowed without asking.
	AllowOrigin func(ctx context.Context, publishableKey, origin string) bool

	// Privileged reports whether the authenticated caller is an operator, who may ask
	// more complex questions and introspect in production.
	Privileged func(ctx context.Context) bool

	// Authorize runs round every root field of a query or a mutation.
	Authorize graphql.RootFieldMiddleware
	// AuthorizeSubscription is asked about the root field of a subscription, which
	// gqlgen does not lead through Authorize. An error with a method Code() string
	// refuses the operation.
	AuthorizeSubscription func(ctx context.Context, field *ast.FieldDefinition) error

	// ClientAddress gives the address by which connections are counted. The default
	// is the peer's IP address; a server behind trusted proxies replaces it.
	ClientAddress func(r *http.Request) string

	// Logger receives one record for each internal error, with the reference that
	// the client was given. Never variables, documents, bodies or tokens.
	Logger *slog.Logger

	// Limits that are zero have their documented defaults.
	Limits Limits
}

// Server is the http.Handler of a GraphQL endpoint. It relies on the http.Server
// round it for the time limits of reading a request's header and body.
type Server struct {
	config      Config
	limits      Limits
	executor    *executor.Executor
	reporter    reporter
	handler     http.Handler
	activity    *activity
	connections *connectionCounter
}

// New returns a Server. It panics if the schema is missing, as every request would.
func New(config Config) *Server {
	if config.Schema == nil {
		panic("transport: Config.Schema is missing")
	}
	if config.Authenticate == nil {
		config.Authenticate = func(ctx context.Context, _ Credentials) (context.Context, error) { return ctx, nil }
	}
	if config.AllowOrigin == nil {
		config.AllowOrigin = func(context.Context, string, string) bool { return false }
	}
	if config.Privileged == nil {
		config.Privileged = func(context.Context) bool { return false }
	}
	if config.ClientAddress == nil {
		config.ClientAddress = peerAddress
	}
	if config.Logger == nil {
		config.Logger = slog.Default()
	}
	if config.PublicURL == nil {
		config.PublicURL = &url.URL{}
	}
	config.Limits = config.Limits.withDefaults()

	s := &Server{
		config:      config,
		limits:      config.Limits,
		reporter:    reporter{logger: config.Logger},
		activity:    newActivity(),
		connections: newConnectionCounter(config.Limits.Connections, config.Limits.ConnectionsPerAddress),
	}
	s.executor = newExecutor(config, s.reporter)
	s.handler = s.corsPolicy().Handler(http.HandlerFunc(s.route))
	return s
}

// Header values that every reply shares, which spares it their allocation.
var (
	noStore = []string{"no-store"}
	noSniff = []string{"nosniff"}
)

// ServeHTTP implements [http.Handler].
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header["Cache-Control"] = noStore
	header["X-Content-Type-Options"] = noSniff
	s.handler.ServeHTTP(w, r)
}

// Drain refuses new requests, closes every WebSocket with 1001 (going away), ends
// every event stream with `complete`, and waits until the last running request has
// been answered or ctx ends, in which case it returns the error of ctx. It may be
// called more than once.
func (s *Server) Drain(ctx context.Context) error {
	return s.activity.drain(ctx)
}

func (s *Server) route(w http.ResponseWriter, r *http.Request) {
	defer s.recoverPanic(w, r)
	if !s.activity.begin() {
		w.Header().Set("Connection", "close")
		writeRefusal(w, mediaJSON, refusal{
			status: http.StatusServiceUnavailable, code: CodeUnavailable,
			message: "The server is shutting down. Try again.",
		})
		return
	}
	defer s.activity.end()

	switch {
	case isWebSocketHandshake(r):
		s.serveWebSocket(w, r)
	case r.Method == http.MethodPost:
		s.servePost(w, r)
	case r.Method == http.MethodOptions:
		w.Header().Set("Allow", "OPTIONS, POST")
		w.WriteHeader(http.StatusNoContent)
	default:
		w.Header().Set("Allow", http.MethodPost)
		writeRefusal(w, mediaJSON, refusal{
			status: http.StatusMethodNotAllowed, code: CodeMethodNotAllowed,
			message: "GraphQL requests are sent by POST, or over a WebSocket.",
		})
	}
}

// recoverPanic answers a request whose handling panicked outside of a resolver, for
// instance in Authenticate. Once a reply has begun, nothing can be added to it.
func (s *Server) recoverPanic(w http.ResponseWriter, r *http.Request) {
	v := recover()
	if v == nil {
		return
	}
	if v == http.ErrAbortHandler {
		panic(v)
	}
	err := s.reporter.internal(r.Context(), newPanicError(v), nil)
	writeErrors(w, mediaJSON, http.StatusInternalServerError, err)
}

func peerAddress(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
