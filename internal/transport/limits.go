package transport

import "time"

// Limits bound what one request, one connection and one client may cost. A zero
// field takes the default named in its comment.
type Limits struct {
	// BodyBytes is the size of a request body and of a WebSocket message: 256 KiB.
	BodyBytes int64
	// Tokens is the number of lexical tokens in a document: 2,000.
	Tokens int
	// Selections is the number of selections in a document, counted each time a
	// fragment is spread: 1,000. Everything that walks fragments relies on it.
	Selections int
	// RepeatedFields is the number of fields in a document that are selected again
	// where they are selected already, counted through fragments: 100. Validation
	// compares every two of them.
	RepeatedFields int
	// Depth is how deep fields may nest: 12.
	Depth int
	// IntrospectionDepth is the depth allowed below __schema and __type: 18, enough
	// for the introspection query of the usual tools.
	IntrospectionDepth int
	// Aliases is the number of aliased fields in an operation, counted through
	// fragments: 15.
	Aliases int
	// Directives is the number of directives in an operation, counted through
	// fragments: 20.
	Directives int
	// Complexity is the cost of an operation, by the schema's complexity functions
	// and otherwise one for each field: 200, and 2,000 for privileged callers.
	Complexity           int
	PrivilegedComplexity int
	// Errors is the number of errors in a reply: 5. The others are dropped.
	Errors int

	// CachedDocuments is the number of validated documents kept: 1,000, and
	// CachedDocumentBytes their estimated size together: 32 MiB.
	CachedDocuments     int
	CachedDocumentBytes int

	// RequestTimeout is how long a query or mutation may run: 10 s.
	RequestTimeout time.Duration
	// InitTimeout is how long a WebSocket may take to be acknowledged, the
	// authentication included: 10 s.
	InitTimeout time.Duration
	// KeepAlive is the interval of WebSocket pings and of the comments in an event
	// stream: 20 s.
	KeepAlive time.Duration
	// WriteTimeout is how long a peer may take to accept one message of a stream, or
	// to answer a ping, before it is disconnected: 10 s.
	WriteTimeout time.Duration

	// OperationsPerSocket is the number of operations running on a WebSocket: 20.
	OperationsPerSocket int
	// ConnectionsPerAddress is the number of WebSockets and event streams together
	// that one client address may hold open: 100. An IPv6 network of 64 bits counts
	// as one address.
	ConnectionsPerAddress int
	// Connections is the number of WebSockets and event streams together that the
	// server holds open: 10,000.
	Connections int
}

func (l Limits) withDefaults() Limits {
	setDefault(&l.BodyBytes, 256<<10)
	setDefault(&l.Tokens, 2000)
	setDefault(&l.Selections, 1000)
	setDefault(&l.RepeatedFields, 100)
	setDefault(&l.Depth, 12)
	setDefault(&l.IntrospectionDepth, 18)
	setDefault(&l.Aliases, 15)
	setDefault(&l.Directives, 20)
	setDefault(&l.Complexity, 200)
	setDefault(&l.PrivilegedComplexity, 2000)
	setDefault(&l.Errors, 5)
	setDefault(&l.CachedDocuments, 1000)
	setDefault(&l.CachedDocumentBytes, 32<<20)
	setDefault(&l.RequestTimeout, 10*time.Second)
	setDefault(&l.InitTimeout, 10*time.Second)
	setDefault(&l.KeepAlive, 20*time.Second)
	setDefault(&l.WriteTimeout, 10*time.Second)
	setDefault(&l.OperationsPerSocket, 20)
	setDefault(&l.ConnectionsPerAddress, 100)
	setDefault(&l.Connections, 10_000)
	return l
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
