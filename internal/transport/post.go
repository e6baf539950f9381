package transport

import (
	"context"
	"errors"
	"net/http"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// servePost answers one request by POST: as JSON, or as an event stream if that is
// what the client wants or the operation is a subscription.
func (s *Server) servePost(w http.ResponseWriter, r *http.Request) {
	accepted, refused := negotiate(r.Header["Accept"])
	if refused != nil {
		writeRefusal(w, mediaJSON, *refused)
		return
	}
	credentials := s.credentials(r)
	if s.crossSite(r, credentials) {
		writeRefusal(w, accepted.media, refusedOrigin)
		return
	}
	if refused := checkContentType(r); refused != nil {
		writeRefusal(w, accepted.media, *refused)
		return
	}
	params, refused := readParams(w, r, s.limits.BodyBytes)
	if refused != nil {
		writeRefusal(w, accepted.media, *refused)
		return
	}

	ctx, cancel := context.WithTimeout(graphql.StartOperationTrace(r.Context()), s.limits.RequestTimeout)
	defer cancel()
	issuer := &tokenIssuer{server: s, bearer: !credentials.byCookie(), header: w.Header()}
	defer issuer.close()
	ctx, err := s.config.Authenticate(context.WithValue(ctx, tokenIssuerKey{}, issuer), credentials)
	if err != nil {
		refused := s.reporter.authenticationRefusal(r.Context(), err)
		if refused.status == http.StatusUnauthorized && accepted.media == mediaJSON && !accepted.streamOnly {
			// Refused as a whole it looks as it does where a field refuses: 200, as
			// "GraphQL over HTTP" wants for every well-formed request.
			refused.status = http.StatusOK
		}
		writeRefusal(w, accepted.media, refused)
		return
	}

	operation, errs := s.prepare(ctx, params)
	if accepted.streamOnly || operation != nil && operation.Operation.Operation == ast.Subscription {
		issuer.close()
		s.serveStream(ctx, w, r, accepted, operation, errs)
		return
	}
	if len(errs) > 0 {
		writeErrors(w, accepted.media, requestErrorStatus(accepted.media, errs), errs...)
		return
	}
	response := s.execute(ctx, operation)
	issuer.close()
	if response == nil {
		return // the client has gone away
	}
	status := http.StatusOK
	if response.Data == nil {
		status = requestErrorStatus(accepted.media, response.Errors)
	}
	writeResponse(w, accepted.media, status, response, s.limits.Errors)
}

// prepare parses, validates and limits an operation. The errors are fit for the
// client; with them there is no operation.
func (s *Server) prepare(ctx context.Context, params *graphql.RawParams) (_ *graphql.OperationContext, errs gqlerror.List) {
	defer func() {
		if v := recover(); v != nil {
			errs = gqlerror.List{s.reporter.internal(ctx, newPanicError(v), nil)}
		}
	}()
	operation, errs := s.executor.CreateOperationContext(ctx, params)
	if len(errs) > 0 {
		return nil, requestErrors(errs, s.limits.Errors)
	}
	return operation, nil
}

// execute runs a query or mutation and returns its response: one without data if the
// time was up before it began, nil if the client went away before it began.
func (s *Server) execute(ctx context.Context, operation *graphql.OperationContext) *graphql.Response {
	responses, ctx := s.executor.DispatchOperation(ctx, operation)
	response := responses(ctx)
	if response == nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return &graphql.Response{Errors: gqlerror.List{codedError(CodeUnavailable, timeoutMessage)}}
	}
	return response
}
