package transport

import (
	"bytes"
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

var (
	streamNotAccepted = refusal{
		status: http.StatusNotAcceptable, code: CodeNotAcceptable,
		message: "A subscription is answered as text/event-stream, or over a WebSocket; accept that type.",
	}
	tooManyConnections = refusal{
		status: http.StatusServiceUnavailable, code: CodeUnavailable, retryAfter: 5 * time.Second,
		message: "The server holds as many open connections as it can. Try again.",
	}
	tooManyConnectionsOfClient = refusal{
		status: http.StatusTooManyRequests, code: CodeRateLimited, retryAfter: 5 * time.Second,
		message: "There are too many open connections from this address.",
	}
	mutationNeedsPOST = codedError(CodeUnsupportedOperation, "Mutations are sent by POST and answered as JSON.")
)

// serveStream answers a POST as an event stream, by graphql-sse's distinct connections
// mode: an event `next` for each response, then `complete`. Errors of the request are
// responses too, since the protocol's clients take an HTTP error for a reason to retry.
//
// ctx carries the identity and the deadline of a request; subscriptions outlive that
// deadline, and end when the client leaves or the server drains.
func (s *Server) serveStream(
	ctx context.Context, w http.ResponseWriter, r *http.Request,
	accepted acceptance, operation *graphql.OperationContext, errs gqlerror.List,
) {
	if !accepted.stream {
		writeRefusal(w, accepted.media, streamNotAccepted)
		return
	}
	release, refused := s.connections.acquire(s.config.ClientAddress(r))
	if refused != nil {
		writeRefusal(w, accepted.media, *refused)
		return
	}
	defer release()

	stream := s.openEventStream(w)
	defer stream.close()
	defer stream.complete()
	defer func() {
		if v := recover(); v != nil {
			err := s.reporter.internal(ctx, newPanicError(v), nil)
			stream.next(&graphql.Response{Errors: gqlerror.List{err}})
		}
	}()
	switch {
	case len(errs) > 0:
		stream.next(&graphql.Response{Errors: errs})
	case operation.Operation.Operation == ast.Mutation:
		stream.next(&graphql.Response{Errors: gqlerror.List{mutationNeedsPOST}})
	case operation.Operation.Operation == ast.Subscription:
		s.streamSubscription(ctx, r.Context(), stream, operation)
	default:
		if response := s.execute(ctx, operation); response != nil {
			stream.next(response)
		}
	}
}

func (s *Server) streamSubscription(
	ctx, request context.Context, stream *eventStream, operation *graphql.OperationContext,
) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(request, cancel)()
	defer context.AfterFunc(s.activity.draining, cancel)()

	responses, ctx := s.executor.DispatchOperation(ctx, operation)
	for response := responses(ctx); response != nil; response = responses(ctx) {
		if !stream.next(response) {
			return
		}
	}
}

// eventStream writes events to one client. A client that does not read loses the
// connection when a write has waited for the write timeout.
type eventStream struct {
	writer     http.ResponseWriter
	controller *http.ResponseController
	limits     Limits

	mu        sync.Mutex
	buffer    bytes.Buffer
	keepAlive *time.Timer
	broken    bool // a write failed, or the stream was closed
}

func (s *Server) openEventStream(w http.ResponseWriter) *eventStream {
	e := &eventStream{writer: w, controller: http.NewResponseController(w), limits: s.limits}
	header := w.Header()
	header.Set("Content-Type", mediaStream+"; charset=utf-8")
	header.Set("X-Accel-Buffering", "no") // asks proxies to pass events on at once
	w.WriteHeader(http.StatusOK)

	e.mu.Lock()
	defer e.mu.Unlock()
	e.keepAlive = time.AfterFunc(e.limits.KeepAlive, e.comment)
	e.writeLocked([]byte(":\n\n"))
	return e
}

// next sends a response and reports whether the client is still there.
func (e *eventStream) next(response *graphql.Response) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.buffer.Reset()
	e.buffer.WriteString("event: next\ndata: ")
	start := e.buffer.Len()
	encodeResponse(&e.buffer, response, e.limits.Errors)
	joinLines(e.buffer.Bytes()[start:])
	e.buffer.WriteString("\n\n")
	e.writeLocked(e.buffer.Bytes())
	return !e.broken
}

func (e *eventStream) complete() {
	e.mu.Lock()
	defer e.mu.Unlock()
	// Browsers drop events without a line of data, hence the empty one.
	e.writeLocked([]byte("event: complete\ndata:\n\n"))
}

func (e *eventStream) close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.keepAlive.Stop()
	e.broken = true
	_ = e.controller.SetWriteDeadline(time.Time{})
}

// comment keeps proxies from taking a quiet stream for a dead one.
func (e *eventStream) comment() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.writeLocked([]byte(":\n\n"))
}

func (e *eventStream) writeLocked(event []byte) {
	if e.broken {
		return
	}
	// Also replaces the server's own deadline, which is for whole replies. Writers
	// without deadlines, as in tests of handlers, do not need one.
	_ = e.controller.SetWriteDeadline(time.Now().Add(e.limits.WriteTimeout))
	_, err := e.writer.Write(event)
	if err == nil {
		err = e.controller.Flush()
	}
	if err != nil {
		e.broken = true
		return
	}
	e.keepAlive.Reset(e.limits.KeepAlive)
}

// joinLines turns the line breaks in JSON into spaces, because a line break ends the
// data of an event. In JSON they can only stand between tokens.
func joinLines(json []byte) {
	for i, b := range json {
		if b == '\n' || b == '\r' {
			json[i] = ' '
		}
	}
}
