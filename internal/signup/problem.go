package signup

import (
	"strconv"
	"strings"
	"time"

	"stepwise/engine"
)

// Code names a problem for programs; it is the GraphQL API's UserErrorCode.
type Code string

// Codes that do not come from the engine or from internal/identifier.
const (
	CodeEmpty            Code = "EMPTY"
	CodeTooShort         Code = "TOO_SHORT"
	CodeTooLong          Code = "TOO_LONG"
	CodeInvalidFormat    Code = "INVALID_FORMAT"
	CodeInvalidCharacter Code = "INVALID_CHARACTER"
	CodePasswordCommon   Code = "PASSWORD_TOO_COMMON"
	CodePasswordContext  Code = "PASSWORD_FROM_CONTEXT"
	CodeDeliveryFailed   Code = "DELIVERY_FAILED"
	CodeNotFound         Code = "SIGN_UP_NOT_FOUND"
	CodeRestricted       Code = "SIGN_UP_RESTRICTED"
	CodeSettingsChanged  Code = "SETTINGS_CHANGED"
	CodeRateLimited      Code = "RATE_LIMITED"
	CodeBusy             Code = "BUSY"
	CodeConflict         Code = "CONFLICT"
	CodeKeyReused        Code = "IDEMPOTENCY_KEY_REUSED"
	CodeSessionNotFound  Code = "SESSION_NOT_FOUND"
	CodeSessionEnded     Code = "SESSION_ENDED"
	CodeUserNotFound     Code = "USER_NOT_FOUND"
	CodeExternalIDTaken  Code = "EXTERNAL_ID_TAKEN"
	CodeStaleVersion     Code = "STALE_VERSION"
	CodeOutOfRange       Code = "OUT_OF_RANGE"
)

// Problem is an error that the caller can do something about.
type Problem struct {
	Code    Code
	Message string
	// Attribute is the field of the sign-up concerned, if one is.
	Attribute *engine.Attribute
	// Field is the path of the input concerned; nil where none is.
	Field []string
	// RetryAfter is when a try can succeed; zero where waiting does not help.
	RetryAfter time.Time
}

func inputPath(parts ...string) []string { return append([]string{"input"}, parts...) }

func fieldProblem(a engine.Attribute, code Code, message string) Problem {
	return Problem{Code: code, Message: message, Attribute: &a, Field: inputPath(inputName[a])}
}

// inputName is what the inputs call an attribute.
var inputName = [engine.NumAttributes]string{
	"emailAddress", "phoneNumber", "username", "web3Wallet", "externalAccount",
	"password", "firstName", "lastName", "legalAccepted",
}

// noun is what people call an attribute.
var noun = [engine.NumAttributes]string{
	"email address", "phone number", "username", "wallet", "external account",
	"password", "first name", "last name", "consent",
}

// article is the noun with its indefinite article.
var article = [engine.NumAttributes]string{
	"an email address", "a phone number", "a username", "a wallet", "an external account",
	"a password", "a first name", "a last name", "consent",
}

// sentences are the messages of the engine's codes; %s is the noun, %a the noun
// with its article.
var sentences = map[engine.Code]string{
	engine.CodeFieldDisabled:    "This app does not ask for %a.",
	engine.CodeTaken:            "This %s already belongs to an account. Sign in instead, or use another one.",
	engine.CodeSignUpComplete:   "This sign-up is complete and can no longer change.",
	engine.CodeSignUpAbandoned:  "This sign-up has ended. Please start again.",
	engine.CodeProofNeeded:      "The %s can only be set by verifying it.",
	engine.CodeValueMissing:     "Give %a before verifying it.",
	engine.CodeStrategyInvalid:  "This way to verify is not available.",
	engine.CodeCannotDeliver:    "This server cannot send messages to %a.",
	engine.CodeAlreadyVerified:  "The %s is verified already.",
	engine.CodeNotStarted:       "No code was sent to the %s in force. Start the verification first.",
	engine.CodeExpired:          "The code has expired. Ask for a new one.",
	engine.CodeTooManyGuesses:   "Too many wrong codes. Ask for a new one.",
	engine.CodeIncorrect:        "The code is not correct.",
	engine.CodeEmailNotVerified: "The provider does not vouch for an email address of this account.",
	engine.CodeTransferable:     "This %s already belongs to an account.",
}

// Sentence returns the message for people of an engine's code.
func Sentence(code engine.Code, a engine.Attribute) string {
	return strings.NewReplacer("%a", article[a], "%s", noun[a]).Replace(sentences[code])
}

// translate turns the engine's problems into what a caller sees. startPath says
// where the input names a verification to start.
func translate(problems []engine.Problem, startPath func(index int) []string) []Problem {
	list := make([]Problem, 0, len(problems))
	for _, p := range problems {
		t := Problem{Code: Code(p.Code), Message: Sentence(p.Code, p.Attribute)}
		if p.HasAttribute {
			a := p.Attribute
			t.Attribute = &a
		}
		switch p.Where {
		case engine.WhereChange:
			t.Field = inputPath(inputName[p.Attribute])
		case engine.WhereStart:
			t.Field = startPath(p.Index)
		case engine.WhereCheck:
			t.Field = inputPath("proof", proofName(p.Attribute))
		}
		list = append(list, t)
	}
	return list
}

func proofName(a engine.Attribute) string {
	if a == engine.PhoneNumber {
		return "phoneCode"
	}
	return "emailCode"
}

// startInList is where create and update list what to start.
func startInList(index int) []string {
	return inputPath("startVerifications", strconv.Itoa(index))
}

// startAlone is where the mutation that starts one verification names it.
func startAlone(int) []string { return inputPath("strategy") }

// Error is why a request as a whole was refused; it concerns the caller's
// standing or the server's state, not a field.
type Error struct {
	code    string
	message string
	cause   error
}

func (e *Error) Error() string { return e.message }

// Code is the GraphQL error's extensions.code.
func (e *Error) Code() string { return e.code }

// Unwrap returns what lies behind, for logs.
func (e *Error) Unwrap() error { return e.cause }

// Errors of requests.
var (
	ErrUnauthenticated = &Error{code: "UNAUTHENTICATED", message: "The token in Authorization (or the client's cookie) is unknown, or was replaced when a sign-up completed."}
	ErrUnknownInstance = &Error{code: "UNAUTHENTICATED", message: "No instance has this Publishable-Key; it begins with pk_."}
	ErrWrongSecretKey  = &Error{code: "UNAUTHENTICATED", message: "This is not the instance's secret key."}
	ErrNeedsClient     = &Error{code: "UNAUTHENTICATED", message: "This needs a client: call signUpCreate first, then send its cookie, or its token as `Authorization: Bearer ct_…`."}
	ErrNeedsSecretKey  = &Error{code: "UNAUTHENTICATED", message: "This needs the secret key: `Authorization: Bearer sk_…`."}
	ErrClientOnly      = &Error{code: "FORBIDDEN", message: "This is for clients; the secret key is not one."}
	ErrSecretKeyOnly   = &Error{code: "FORBIDDEN", message: "This is for the holder of the secret key; a client's token is not enough."}
	ErrNoSignUp        = &Error{code: "NOT_FOUND", message: "The caller has no such sign-up. The secret key must name one by its id."}
)

// unavailable wraps an error of a store: the caller learns that it did not
// answer, the log learns why.
func unavailable(cause error) error {
	return &Error{code: "UNAVAILABLE", message: "A part of the service does not answer. Nothing is lost; please try again.", cause: cause}
}
