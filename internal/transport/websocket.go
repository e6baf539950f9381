package transport

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/coder/websocket"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

const subprotocol = "graphql-transport-ws"

func isWebSocketHandshake(r *http.Request) bool {
	return r.Method == http.MethodGet && strings.EqualFold(r.Header.Get("Upgrade"), "websocket")
}

// serveWebSocket upgrades the request and serves the socket until it closes.
//
// A browser adds cookies to a handshake whoever asks for it and shows the reply to
// any page, so the origin is checked before the upgrade, and once more when
// connection_init has named the instance.
func (s *Server) serveWebSocket(w http.ResponseWriter, r *http.Request) {
	if !s.originAllowed(r, r.Header.Get(HeaderPublishableKey)) {
		writeRefusal(w, mediaJSON, refusedOrigin)
		return
	}
	release, refused := s.connections.acquire(s.config.ClientAddress(r))
	if refused != nil {
		writeRefusal(w, mediaJSON, *refused)
		return
	}
	defer release()

	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		Subprotocols:       []string{subprotocol},
		InsecureSkipVerify: true, // the origin was checked above, by the instance's settings
	})
	if err != nil {
		return // not a WebSocket handshake; Accept has replied
	}
	newSocket(s, conn, r).serve()
}

// socket is one graphql-transport-ws connection. One goroutine reads it and each
// running operation has another; writes may come from all of them.
type socket struct {
	server  *Server
	conn    *websocket.Conn
	request *http.Request

	// ctx lives as long as the socket. Once acknowledged it carries the identity;
	// only the reading goroutine replaces it.
	ctx          context.Context
	cancel       context.CancelFunc
	acknowledged bool

	running sync.WaitGroup

	mu         sync.Mutex
	operations map[string]*socketOperation // by the client's id, until complete
	busy       int                         // operations whose goroutine has not ended
	initTimer  *time.Timer
	pingTimer  *time.Timer
}

type socketOperation struct {
	id     string
	cancel context.CancelFunc
}

// closure is the end of a socket by the server.
type closure struct {
	code   websocket.StatusCode
	reason string
}

// Close codes of the protocol. The reasons are the ones it gives.
var (
	closeInvalidMessage   = closure{4400, "Invalid message received"}
	closeUnauthorized     = closure{4401, "Unauthorized"}
	closeForbidden        = closure{4403, "Forbidden"}
	closeBadSubprotocol   = closure{4406, "Subprotocol not acceptable"}
	closeInitTimeout      = closure{4408, "Connection initialisation timeout"}
	closeSubscriberExists = closure{4409, "Subscriber already exists"}
	closeTooManyInits     = closure{4429, "Too many initialisation requests"}
	closeInternal         = closure{4500, "Internal server error"}
	closeGoingAway        = closure{websocket.StatusGoingAway, "Server is shutting down"}
	closeTryAgainLater    = closure{websocket.StatusTryAgainLater, "Try again later"}
)

func newSocket(s *Server, conn *websocket.Conn, r *http.Request) *socket {
	c := &socket{server: s, conn: conn, request: r, operations: map[string]*socketOperation{}}
	c.ctx, c.cancel = context.WithCancel(r.Context())
	conn.SetReadLimit(s.limits.BodyBytes)
	return c
}

func (c *socket) serve() {
	defer c.end()
	if c.conn.Subprotocol() != subprotocol {
		c.close(closeBadSubprotocol)
		return
	}
	defer context.AfterFunc(c.server.activity.draining, func() { c.close(closeGoingAway) })()
	c.startTimers()

	for {
		kind, data, err := c.conn.Read(context.Background())
		if err != nil {
			return // closed, by either side
		}
		if end := c.receive(kind, data); end != nil {
			c.close(*end)
			return
		}
	}
}

func (c *socket) startTimers() {
	// ping runs on a goroutine of its own and waits here for its timer to be set.
	c.mu.Lock()
	defer c.mu.Unlock()
	cancel := c.cancel
	c.initTimer = time.AfterFunc(c.server.limits.InitTimeout, func() {
		cancel() // ends an authentication that takes too long
		c.close(closeInitTimeout)
	})
	c.pingTimer = time.AfterFunc(c.server.limits.KeepAlive, c.ping)
}

// ping drops a peer that no longer answers, and keeps proxies from taking a quiet
// socket for a dead one. Browsers answer by themselves.
func (c *socket) ping() {
	ctx, cancel := context.WithTimeout(context.Background(), c.server.limits.WriteTimeout)
	defer cancel()
	if err := c.conn.Ping(ctx); err != nil {
		_ = c.conn.CloseNow()
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pingTimer.Reset(c.server.limits.KeepAlive)
}

// end cleans up behind a socket that is closed or about to be.
func (c *socket) end() {
	c.cancel()
	// Writes of operations that are still running fail from here on.
	_ = c.conn.CloseNow()
	c.running.Wait()

	c.mu.Lock()
	defer c.mu.Unlock()
	if c.initTimer != nil {
		c.initTimer.Stop()
		c.pingTimer.Stop()
	}
}

// close says why and waits a while for the peer to agree. A socket closes once; what
// comes later is ignored.
func (c *socket) close(end closure) { _ = c.conn.Close(end.code, end.reason) }

// receive handles one message; a result means that the client broke the protocol or
// was refused, and the socket must be closed.
func (c *socket) receive(kind websocket.MessageType, data []byte) *closure {
	if kind != websocket.MessageText {
		return &closeInvalidMessage
	}
	message, ok := decodeMessage(data)
	if !ok {
		return &closeInvalidMessage
	}
	switch message.Type {
	case messageInit:
		return c.initialise(message)
	case messagePing:
		c.send(&outgoing{kind: messagePong, payload: message.Payload})
		return nil
	case messagePong:
		return nil
	case messageSubscribe:
		if !c.acknowledged {
			return &closeUnauthorized
		}
		return c.subscribe(message)
	case messageComplete:
		return c.cancelOperation(message)
	}
	return &closeInvalidMessage
}

func (c *socket) initialise(message *incoming) *closure {
	if c.acknowledged {
		return &closeTooManyInits
	}
	credentials, ok := c.server.socketCredentials(c.request, message.Payload)
	if !ok {
		return &closeInvalidMessage
	}
	if !c.server.originAllowed(c.request, credentials.PublishableKey) {
		return &closeForbidden
	}
	ctx, refused := c.authenticate(credentials)
	c.mu.Lock()
	inTime := c.initTimer.Stop()
	c.mu.Unlock()
	if !inTime {
		// The authentication was cancelled; why it says it failed does not matter.
		return &closeInitTimeout
	}
	if refused != nil {
		return refused
	}
	c.ctx, c.acknowledged = ctx, true
	c.send(&outgoing{kind: messageAck})
	return nil
}

// authenticate lets the client try again later if the fault is ours, and tells it not
// to bother if it is not.
func (c *socket) authenticate(credentials Credentials) (_ context.Context, refused *closure) {
	defer func() {
		if v := recover(); v != nil {
			c.server.reporter.internal(c.ctx, newPanicError(v), nil)
			refused = &closeInternal
		}
	}()
	ctx, err := c.server.config.Authenticate(c.ctx, credentials)
	if err == nil {
		return ctx, nil
	}
	switch c.server.reporter.authenticationRefusal(c.ctx, err).code {
	case CodeInternal:
		return nil, &closeInternal
	case CodeUnavailable, CodeRateLimited:
		return nil, &closeTryAgainLater
	default:
		return nil, &closeForbidden
	}
}

func (c *socket) subscribe(message *incoming) *closure {
	if message.ID == "" {
		return &closeInvalidMessage
	}
	params, refused := decodeParams(message.Payload)
	if refused != nil {
		return &closeInvalidMessage
	}
	ctx, cancel := context.WithCancel(c.ctx)
	operation := &socketOperation{id: message.ID, cancel: cancel}

	c.mu.Lock()
	_, exists := c.operations[message.ID]
	full := c.busy >= c.server.limits.OperationsPerSocket
	if !exists && !full {
		c.operations[message.ID] = operation
		c.busy++
	}
	c.mu.Unlock()

	switch {
	case exists:
		cancel()
		return &closeSubscriberExists
	case full:
		cancel()
		c.sendErrors(message.ID, codedError(CodeLimitExceeded, "Too many operations are running on this socket."))
		return nil
	}
	c.running.Go(func() { c.run(ctx, operation, params) })
	return nil
}

// cancelOperation ends an operation at the client's wish. It may have ended already.
func (c *socket) cancelOperation(message *incoming) *closure {
	if message.ID == "" {
		return &closeInvalidMessage
	}
	c.mu.Lock()
	operation := c.operations[message.ID]
	delete(c.operations, message.ID)
	c.mu.Unlock()
	if operation != nil {
		operation.cancel()
	}
	return nil
}

// run executes one operation from its first message to `complete` or `error`.
func (c *socket) run(ctx context.Context, operation *socketOperation, params *graphql.RawParams) {
	defer func() {
		operation.cancel()
		c.mu.Lock()
		defer c.mu.Unlock()
		c.busy--
	}()
	defer func() {
		if v := recover(); v != nil {
			c.fail(operation, c.server.reporter.internal(ctx, newPanicError(v), nil))
		}
	}()
	ctx = graphql.StartOperationTrace(ctx)
	prepared, errs := c.server.prepare(ctx, params)
	if len(errs) > 0 {
		c.fail(operation, errs...)
		return
	}
	switch prepared.Operation.Operation {
	case ast.Mutation:
		// Whoever counts requests counts mutations by counting POSTs.
		c.fail(operation, mutationNeedsPOST)
	case ast.Subscription:
		c.stream(ctx, operation, prepared)
	default:
		c.answer(ctx, operation, prepared)
	}
}

func (c *socket) answer(ctx context.Context, operation *socketOperation, prepared *graphql.OperationContext) {
	ctx, cancel := context.WithTimeout(ctx, c.server.limits.RequestTimeout)
	defer cancel()
	response := c.server.execute(ctx, prepared)
	if response == nil {
		return // cancelled by the client
	}
	c.sendNext(operation, response)
	c.complete(operation)
}

func (c *socket) stream(ctx context.Context, operation *socketOperation, prepared *graphql.OperationContext) {
	responses, ctx := c.server.executor.DispatchOperation(ctx, prepared)
	for response := responses(ctx); response != nil; response = responses(ctx) {
		if !c.sendNext(operation, response) {
			return
		}
	}
	c.complete(operation)
}

// release forgets an operation, so that the client may use its id again, and reports
// whether the client still waited for it.
func (c *socket) release(operation *socketOperation) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.operations[operation.id] != operation {
		return false
	}
	delete(c.operations, operation.id)
	return true
}

func (c *socket) awaited(operation *socketOperation) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.operations[operation.id] == operation
}

func (c *socket) complete(operation *socketOperation) {
	if c.release(operation) {
		c.send(&outgoing{kind: messageComplete, id: operation.id})
	}
}

func (c *socket) fail(operation *socketOperation, errs ...*gqlerror.Error) {
	if c.release(operation) {
		c.sendErrors(operation.id, errs...)
	}
}

// sendNext sends one response and reports whether more are wanted.
func (c *socket) sendNext(operation *socketOperation, response *graphql.Response) bool {
	if !c.awaited(operation) {
		return false
	}
	message := &outgoing{kind: messageNext, id: operation.id, encode: func(buffer *bytes.Buffer) {
		encodeResponse(buffer, response, c.server.limits.Errors)
	}}
	return c.send(message)
}

func (c *socket) sendErrors(id string, errs ...*gqlerror.Error) {
	c.send(&outgoing{kind: messageError, id: id, encode: func(buffer *bytes.Buffer) {
		encodeErrors(buffer, errs, c.server.limits.Errors)
	}})
}

// send writes a message and reports success. A peer that does not take it within the
// write timeout loses the connection.
func (c *socket) send(message *outgoing) bool {
	buffer := replies.Get().(*bytes.Buffer)
	defer recycle(&replies, buffer)
	message.appendTo(buffer)

	ctx, cancel := context.WithTimeout(context.Background(), c.server.limits.WriteTimeout)
	defer cancel()
	return c.conn.Write(ctx, websocket.MessageText, buffer.Bytes()) == nil
}
