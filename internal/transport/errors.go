package transport

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"runtime/debug"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/errcode"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// Codes found in extensions.code of errors that this package raises. Resolvers add
// their own by returning errors with a method Code() string.
const (
	CodeBadRequest                 = "BAD_REQUEST"
	CodeBadUserInput               = "BAD_USER_INPUT"
	CodeParseFailed                = errcode.ParseFailed
	CodeValidationFailed           = errcode.ValidationFailed
	CodeLimitExceeded              = "LIMIT_EXCEEDED"
	CodeRateLimited                = "RATE_LIMITED"
	CodeUnauthenticated            = "UNAUTHENTICATED"
	CodeForbidden                  = "FORBIDDEN"
	CodeForbiddenOrigin            = "FORBIDDEN_ORIGIN"
	CodeUnavailable                = "UNAVAILABLE"
	CodeInternal                   = "INTERNAL"
	CodeMethodNotAllowed           = "METHOD_NOT_ALLOWED"
	CodeNotAcceptable              = "NOT_ACCEPTABLE"
	CodeUnsupportedMediaType       = "UNSUPPORTED_MEDIA_TYPE"
	CodeUnsupportedOperation       = "UNSUPPORTED_OPERATION"
	CodeBatchingNotSupported       = "BATCHING_NOT_SUPPORTED"
	CodePersistedQueryNotSupported = "PERSISTED_QUERY_NOT_SUPPORTED"
)

const timeoutMessage = "The server could not answer in time. Try again."

func codedError(code, message string) *gqlerror.Error {
	return &gqlerror.Error{Message: message, Extensions: map[string]any{"code": code}}
}

// coded is an error meant for the client: its text and its code go out as they are.
type coded interface {
	error
	Code() string
}

// panicError is a recovered panic on its way to the log.
type panicError struct {
	value any
	stack []byte
}

func newPanicError(value any) *panicError {
	return &panicError{value: value, stack: debug.Stack()}
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v", e.value) }

// reporter decides which part of an error the client may read and logs the rest.
type reporter struct {
	logger *slog.Logger
}

// present is the executor's error presenter. It sees the errors of execution only:
// coded ones pass, a lack of time and a value that an argument's type refused are
// named, and everything else becomes an internal error.
func (p reporter) present(ctx context.Context, err error) *gqlerror.Error {
	located := gqlerror.WrapIfUnwrapped(err)
	presented := p.classify(ctx, err)
	presented.Path, presented.Locations = located.Path, located.Locations
	return presented
}

func (p reporter) classify(ctx context.Context, err error) *gqlerror.Error {
	if public, ok := errors.AsType[coded](err); ok {
		return codedError(public.Code(), public.Error())
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return codedError(CodeUnavailable, timeoutMessage)
	}
	field := graphql.GetFieldContext(ctx)
	if argumentRefused(field) {
		return codedError(CodeBadUserInput, "An argument of "+field.Field.Name+" has a value that its type does not allow.")
	}
	if errors.Is(err, context.Canceled) && errors.Is(ctx.Err(), context.Canceled) {
		return codedError(CodeUnavailable, "The request was cancelled.")
	}
	return p.internal(ctx, err, graphql.GetPath(ctx))
}

// argumentRefused reports whether decoding the arguments of a field failed. Generated
// code then leaves them nil, and the resolver was never called. The decoder's own
// words are not passed on, because they tend to repeat the value.
func argumentRefused(field *graphql.FieldContext) bool {
	return field != nil && field.Args == nil && field.Field.Field != nil &&
		field.Field.Definition != nil && len(field.Field.Definition.Arguments) > 0
}

// recovered is the executor's recover function.
func (p reporter) recovered(_ context.Context, value any) error { return newPanicError(value) }

// internal logs err and returns what the client is told instead.
func (p reporter) internal(ctx context.Context, err error, path ast.Path) *gqlerror.Error {
	reference := rand.Text()[:12]
	attributes := []any{"reference", reference, "error", err.Error()}
	if name := operationName(ctx); name != "" {
		attributes = append(attributes, "operation", name)
	}
	if len(path) > 0 {
		attributes = append(attributes, "path", path.String())
	}
	if panicked, ok := errors.AsType[*panicError](err); ok {
		attributes = append(attributes, "stack", string(panicked.stack))
	}
	p.logger.ErrorContext(ctx, "graphql: internal error", attributes...)

	presented := codedError(CodeInternal, "Something went wrong on our side. Reference: "+reference)
	presented.Extensions["reference"] = reference
	return presented
}

// longestLoggedName bounds what a client can write into the log with the name of its
// operation.
const longestLoggedName = 80

func operationName(ctx context.Context) string {
	if !graphql.HasOperationContext(ctx) {
		return ""
	}
	operation := graphql.GetOperationContext(ctx)
	name := operation.OperationName
	if name == "" && operation.Operation != nil {
		name = operation.Operation.Name
	}
	return truncate(name, longestLoggedName)
}

func truncate(text string, length int) string {
	if len(text) <= length {
		return text
	}
	return strings.ToValidUTF8(text[:length], "") + "…"
}

// authenticationRefusal turns an error of Config.Authenticate into an answer.
func (p reporter) authenticationRefusal(ctx context.Context, err error) refusal {
	public := p.classify(ctx, err)
	code, _ := public.Extensions["code"].(string)
	answer := refusal{code: code, message: public.Message, status: http.StatusBadRequest}
	switch code {
	case CodeUnauthenticated:
		answer.status = http.StatusUnauthorized
	case CodeForbidden, CodeForbiddenOrigin:
		answer.status = http.StatusForbidden
	case CodeRateLimited:
		answer.status = http.StatusTooManyRequests
	case CodeUnavailable:
		answer.status = http.StatusServiceUnavailable
	case CodeInternal:
		answer.status = http.StatusInternalServerError
	}
	if later, ok := errors.AsType[interface {
		error
		RetryAfter() time.Duration
	}](err); ok {
		answer.retryAfter = later.RetryAfter()
	}
	return answer
}

// requestErrors makes the errors that gqlgen and gqlparser raise before execution fit
// for the client: at most limit of them, each with a code, none with a literal taken
// from the document or from a variable.
func requestErrors(errs gqlerror.List, limit int) gqlerror.List {
	if len(errs) > limit {
		errs = errs[:limit]
	}
	public := make(gqlerror.List, len(errs))
	for i, err := range errs {
		public[i] = requestError(err)
	}
	return public
}

func requestError(err *gqlerror.Error) *gqlerror.Error {
	code, _ := err.Extensions["code"].(string)
	message := err.Message
	switch {
	case code == CodeParseFailed && strings.HasPrefix(message, "exceeded token limit"):
		code, message = CodeLimitExceeded, "The document is too long."
	case code == CodeParseFailed:
		message = syntaxErrorMessage(message)
	case code != CodeValidationFailed:
		// Raised by this package, with a message of its own.
	case err.Rule != "":
		message = withoutLiteral(err.Rule, message)
	case len(err.Path) > 0 && err.Path[0] == ast.PathName("variable"):
		code, message = CodeBadUserInput, variableErrorMessage(err)
	default:
		message = "The document has no operation of that name. If it has several, operationName must choose one."
	}
	public := codedError(code, message)
	public.Locations = err.Locations
	return public
}

// The parser names a token by its kind and, for names and strings, by its text, and
// the lexer repeats the rest of the document after a bad escape. Kinds are enough.
var tokenKinds = regexp.MustCompile(`^(Expected \S+, found \S+|Unexpected \S+|expected at least one definition, found \S+)`)

func syntaxErrorMessage(message string) string {
	found := tokenKinds.FindString(message)
	if found == "" {
		return "Syntax error."
	}
	return "Syntax error: " + found + "."
}

// withoutLiteral removes the value that the rule about values repeats, and keeps the
// suggestion that may follow it.
func withoutLiteral(rule, message string) string {
	if !strings.HasPrefix(rule, "ValuesOfCorrectType") {
		return message
	}
	suggestion := ""
	if at := strings.LastIndex(message, " Did you mean"); at >= 0 {
		message, suggestion = message[:at], message[at:]
	}
	for _, marker := range []string{": ", ", found "} {
		if before, _, found := strings.Cut(message, marker); found {
			return before + "." + suggestion
		}
	}
	return message + suggestion
}

// longestNamedPath bounds how much of a variable's path, whose keys are the client's,
// comes back in an error.
const longestNamedPath = 120

// variableErrorMessage names the variable and, by gqlparser's own words where these
// hold no value, what is wrong with it.
func variableErrorMessage(err *gqlerror.Error) string {
	reason := "is not valid"
	for _, known := range []string{
		"must be defined", "cannot be null", "unknown field", "must an input type",
		"enums must be ints or strings", "must be a ", "cannot use ",
	} {
		if strings.HasPrefix(err.Message, known) {
			reason = err.Message
		}
	}
	switch {
	case strings.HasPrefix(reason, "cannot use value"):
		reason = "is not valid"
	case strings.HasPrefix(reason, "cannot use "):
		reason = "is not valid: " + reason
	case reason == "unknown field":
		reason = "is not a field of its type"
	case reason == "enums must be ints or strings":
		reason = "must be the name of an enum value"
	}
	if at := strings.LastIndex(err.Message, "is not a valid "); at >= 0 && reason == "is not valid" {
		reason = err.Message[at:]
	}
	path := strings.TrimPrefix(err.Path[1:].String(), ".")
	return "Variable $" + truncate(path, longestNamedPath) + " " + reason + "."
}
