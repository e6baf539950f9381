package transport

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// refusal is an answer given before there is a GraphQL operation to execute.
type refusal struct {
	status     int
	code       string
	message    string
	retryAfter time.Duration
}

func badRequest(message string) *refusal {
	return &refusal{status: http.StatusBadRequest, code: CodeBadRequest, message: message}
}

func (r refusal) graphql() *gqlerror.Error { return codedError(r.code, r.message) }

func writeRefusal(w http.ResponseWriter, media string, r refusal) {
	if r.retryAfter > 0 {
		// Whole seconds, rounded up: earlier would be refused again.
		seconds := int64((r.retryAfter + time.Second - 1) / time.Second)
		w.Header().Set("Retry-After", strconv.FormatInt(seconds, 10))
	}
	if r.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	writeErrors(w, media, r.status, r.graphql())
}

func writeErrors(w http.ResponseWriter, media string, status int, errs ...*gqlerror.Error) {
	writeResponse(w, media, status, &graphql.Response{Errors: errs}, len(errs))
}

// requestErrorStatus is the status of a well-formed request whose document or
// variables are wrong. Under application/json a client cannot tell our 400 from a
// proxy's, so there it is 200; see "GraphQL over HTTP", status codes.
func requestErrorStatus(media string, errs gqlerror.List) int {
	for _, err := range errs {
		switch err.Extensions["code"] {
		case CodeInternal:
			return http.StatusInternalServerError
		case CodeUnavailable:
			return http.StatusServiceUnavailable
		}
	}
	if media == mediaResponse {
		return http.StatusBadRequest
	}
	return http.StatusOK
}

var replies = sync.Pool{New: func() any { return new(bytes.Buffer) }}

func writeResponse(w http.ResponseWriter, media string, status int, response *graphql.Response, maxErrors int) {
	buffer := replies.Get().(*bytes.Buffer)
	defer recycle(&replies, buffer)
	encodeResponse(buffer, response, maxErrors)

	w.Header().Set("Content-Type", media+"; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(buffer.Len()))
	w.WriteHeader(status)
	// If the client is gone there is nobody left to tell.
	_, _ = w.Write(buffer.Bytes())
}

// encodeResponse writes a GraphQL response by hand: gqlgen's data is JSON already,
// and marshalling it again would cost as much as producing it. A response whose
// execution never began has no entry "data", as the specification demands.
func encodeResponse(buffer *bytes.Buffer, response *graphql.Response, maxErrors int) {
	buffer.WriteByte('{')
	separator := ""
	if len(response.Errors) > 0 {
		buffer.WriteString(`"errors":`)
		encodeErrors(buffer, response.Errors, maxErrors)
		separator = ","
	}
	if response.Data != nil {
		buffer.WriteString(separator)
		buffer.WriteString(`"data":`)
		buffer.Write(response.Data)
		separator = ","
	}
	if len(response.Extensions) > 0 {
		if extensions, err := json.Marshal(response.Extensions); err == nil {
			buffer.WriteString(separator)
			buffer.WriteString(`"extensions":`)
			buffer.Write(extensions)
		}
	}
	buffer.WriteByte('}')
}

func encodeErrors(buffer *bytes.Buffer, errs gqlerror.List, maxErrors int) {
	if len(errs) > maxErrors {
		errs = errs[:maxErrors]
	}
	encoded, err := json.Marshal(errs)
	if err != nil {
		// Errors are made of strings and numbers by this package alone.
		panic(err)
	}
	buffer.Write(encoded)
}
