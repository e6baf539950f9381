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
	CodePasswordBreached Code = "PASSWORD_BREACHED"
	CodeBotTokenMissing  Code = "BOT_TOKEN_MISSING"
	CodeBotTokenRefused  Code = "BOT_TOKEN_REFUSED"
	CodeBotUnavailable   Code = "BOT_CHECK_UNAVAILABLE"
	CodeDeliveryFailed   Code = "DELIVERY_FAILED"
	CodeNotFound         Code = "SIGN_UP_NOT_FOUND"
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

	CodeRedirectNotAllowed Code = "REDIRECT_NOT_ALLOWED"
	CodeOriginNotAllowed   Code = "ORIGIN_NOT_ALLOWED"
	CodeChainNotAllowed    Code = "CHAIN_NOT_ALLOWED"
	CodeOtherClient        Code = "BEGUN_ELSEWHERE"
	CodeTicketInvalid      Code = "TICKET_INVALID"
	CodeCredentials        Code = "CREDENTIALS_INVALID"
	CodeNotTransferable    Code = "NOTHING_TO_TRANSFER"
	CodeInvitationNotFound Code = "INVITATION_NOT_FOUND"
	CodeEndpointNotFound   Code = "WEBHOOK_ENDPOINT_NOT_FOUND"
	CodeDeliveryNotFound   Code = "WEBHOOK_DELIVERY_NOT_FOUND"
	CodeSubaddress         Code = "SUBADDRESS_NOT_ALLOWED"
	CodeReserved           Code = "USERNAME_RESERVED"
	CodeCountry            Code = "COUNTRY_NOT_ALLOWED"
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

const restrictedSentence = "Only invited people can sign up."

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
	engine.CodeTransferable:     "This %s belongs to a user already. Sign in with it instead.",
	engine.CodeProviderDisabled: "This app has no such provider.",
	engine.CodeRestricted:       restrictedSentence,
	engine.CodeNotAllowed:       "This %s cannot be used to sign up here.",

	ProviderUnavailable:    "The provider cannot be reached at the moment. Please try again.",
	ProviderAccessDenied:   "You did not allow the provider to share your account.",
	ProviderRefused:        "The provider refused. Please try again.",
	ProviderExchangeFailed: "The provider did not confirm the account. Please try again.",
	ProviderIssuerMismatch: "The answer came from another provider than the one that was asked.",
	ProviderTokenInvalid:   "What the provider says about the account cannot be trusted.",

	WalletAddressInvalid:   "This is not the address of a wallet: 0x and forty hexadecimal digits, whose capitals must be right where there are any (EIP-55).",
	SIWEMalformed:          "This is not a message of Sign-In with Ethereum.",
	SIWEDomainMismatch:     "The message was made for another site.",
	SIWEAddressMismatch:    "The message is of another wallet.",
	SIWEStatementMismatch:  "The statement in the message was changed.",
	SIWEURIMismatch:        "The URI in the message was changed.",
	SIWEVersionMismatch:    "The version in the message was changed.",
	SIWEChainMismatch:      "The message names another chain.",
	SIWENonceMismatch:      "The message answers another challenge. Start the verification again.",
	SIWEIssuedAtMismatch:   "The time of issue in the message was changed.",
	SIWEExpirationMismatch: "The expiration time in the message was changed.",
	SIWENotBeforeMismatch:  "The message must not name a time before which it is not good.",
	SIWERequestIDMismatch:  "The message must not have a request id.",
	SIWEResourcesMismatch:  "The message must not list resources.",
	SignatureMalformed:     "This is not a signature: 0x and 130 hexadecimal digits, that is r, s and v, as wallets return it.",
	SignatureHighS:         "This form of the signature is not accepted: s must be in the lower half.",
	SignatureMismatch:      "The signature was not made by this wallet for this message.",
}

// withoutCodes are those for wallets and accounts, where nobody has a code to type.
var withoutCodes = map[engine.Code]string{
	engine.CodeValueMissing:   "Say which wallet is to be verified.",
	engine.CodeNotStarted:     "No verification of %a waits for this. Start it again.",
	engine.CodeExpired:        "That took too long. Start the verification again.",
	engine.CodeTooManyGuesses: "Too many wrong proofs. Start the verification again.",
	engine.CodeIncorrect:      "The proof is not right.",
	engine.CodeNotAllowed:     "This account's email address cannot be used to sign up here.",
}

// Sentence returns the message for people of an engine's code.
func Sentence(code engine.Code, a engine.Attribute) string {
	sentence := sentences[code]
	if other, ok := withoutCodes[code]; ok && engine.Proven.Has(a) {
		sentence = other
	}
	return strings.NewReplacer("%a", article[a], "%s", noun[a]).Replace(sentence)
}

// translate turns the engine's problems into what a caller sees. startPath says
// where the input names a verification to start, proof where it has the proof.
func translate(problems []engine.Problem, startPath func(index int) []string, proof []string) []Problem {
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
			switch {
			case p.Code == engine.CodeProviderDisabled:
				t.Field = memberOf(t.Field, "provider")
			case p.Code == engine.CodeValueMissing && p.Attribute == engine.Web3Wallet:
				t.Field, t.Message = memberOf(t.Field, "web3Wallet"), "Give the address of the wallet that is to sign."
			}
		case engine.WhereCheck:
			t.Field = proof
		}
		list = append(list, t)
	}
	return list
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
	ErrUnauthenticated = &Error{code: "UNAUTHENTICATED", message: "The token in Authorization (or the client's cookie) is unknown, or was replaced when a sign-up completed or somebody signed in."}
	ErrUnknownInstance = &Error{code: "UNAUTHENTICATED", message: "No instance has this Publishable-Key; it begins with pk_."}
	ErrWrongSecretKey  = &Error{code: "UNAUTHENTICATED", message: "This is not the instance's secret key."}
	ErrNeedsClient     = &Error{code: "UNAUTHENTICATED", message: "This needs a client: call signUpCreate first (or sessionVerificationStart, to come back), then send its cookie, or its token as `Authorization: Bearer ct_…`."}
	ErrNeedsSecretKey  = &Error{code: "UNAUTHENTICATED", message: "This needs the secret key: `Authorization: Bearer sk_…`."}
	ErrClientOnly      = &Error{code: "FORBIDDEN", message: "This is for clients; the secret key is not one."}
	ErrSecretKeyOnly   = &Error{code: "FORBIDDEN", message: "This is for the holder of the secret key; a client's token is not enough."}
	ErrUnknownLink     = &Error{code: "NOT_FOUND", message: "This is no link of this service."}
	ErrUnknownState    = &Error{code: "NOT_FOUND", message: "This does not belong to a sign-up that is under way."}
	ErrNoSignUp        = &Error{code: "NOT_FOUND", message: "The caller has no such sign-up. The secret key must name one by its id."}
)

// unavailable wraps an error of a store: the caller learns that it did not
// answer, the log learns why.
func unavailable(cause error) error {
	return &Error{code: "UNAVAILABLE", message: "A part of the service does not answer. Nothing is lost; please try again.", cause: cause}
}
