package signup

import (
	"context"
	"time"

	"stepwise/engine"
)

// Provider is an OAuth 2.0 or OpenID Connect provider with all that is needed
// to talk to it.
type Provider struct {
	// Name is the provider's name in the settings.
	Name string
	// Issuer identifies the provider: the `iss` of its ID tokens and the place of
	// its discovery document (OpenID Connect Discovery 1.0), or, where it has
	// neither, a fixed address that stands for it.
	Issuer   string
	ClientID string
	// ClientSecret is in clear. With Preset.SignedSecret it is a private key
	// (PKCS #8, PEM) that signs the secret instead. Empty for a public client.
	ClientSecret string
	// TeamID and KeyID are claims of a signed secret.
	TeamID, KeyID string
	Scopes        []string
	Preset        Preset
}

// AuthorizationRequest is what ties an authorization to a challenge. All of it
// can be derived again from the sign-up; nothing is stored for it.
type AuthorizationRequest struct {
	RedirectURI string
	State       string
	Nonce       string
	// CodeVerifier is that of PKCE (RFC 7636); its S256 challenge is sent.
	CodeVerifier string
}

// AuthorizationResponse is what the provider's redirect brought back with the
// person (RFC 6749 section 4.1.2, RFC 9207).
type AuthorizationResponse struct {
	Code string
	// Issuer is the parameter `iss`, or empty.
	Issuer string
	// User is Apple's parameter `user`, JSON, or empty.
	User string
}

// ProvenAccount is an account whose ownership is proven: Issuer and Subject
// identify it, the rest is what the provider says about the person, as it says
// it, empty where it says nothing.
type ProvenAccount struct {
	Issuer, Subject string
	Email           string
	// EmailVerified is true only for a literal JSON true.
	EmailVerified       bool
	Phone               string
	FirstName, LastName string
}

// AccountProver speaks with providers. Its errors are *ProofError where the
// person or the app can do something about it; no error, and no log, contains a
// code, a token, a secret, or words of the provider's answer.
type AccountProver interface {
	// AuthorizationEndpoint returns where to send people. It may ask the provider
	// (and remember the answer), within the context's deadline.
	AuthorizationEndpoint(ctx context.Context, p Provider) (string, error)
	// AuthorizationURL makes the address of one authorization. It does no I/O and
	// is a pure function of its arguments.
	AuthorizationURL(p Provider, endpoint string, r AuthorizationRequest) string
	// Redeem exchanges the code for the provider's word about the account, and
	// checks all of it: issuer, audience, signature, times and nonce.
	Redeem(ctx context.Context, p Provider, r AuthorizationRequest, answer AuthorizationResponse) (ProvenAccount, error)
}

// WalletChallenge is what a wallet is asked to sign: a message of Sign-In with
// Ethereum (EIP-4361), version 1, without resources or a request id.
type WalletChallenge struct {
	// Domain is the authority of the page that asks, URI its origin.
	Domain, URI string
	// Address is in EIP-55 form.
	Address   string
	Statement string
	ChainID   int64
	Nonce     string
	IssuedAt  time.Time
	// ExpireAt is the first moment at which the message is worthless.
	ExpireAt time.Time
}

// WalletProver knows wallets whose addresses are keys of secp256k1
// ("externally owned accounts"). Contract wallets (EIP-1271) would need a node
// of the chain and are refused as any other wrong signature is.
type WalletProver interface {
	// Address returns an address in its one form, EIP-55: 0x and forty hexadecimal
	// digits whose case is a checksum. An address all in one case is accepted, one
	// with a wrong checksum is not. Errors are *ProofError.
	Address(text string) (string, error)
	// Message returns the text to sign. It is a pure function of the challenge.
	Message(c WalletChallenge) string
	// Verify returns nil if signature (0x and 65 bytes in hexadecimal, EIP-191
	// personal_sign) is that of the challenge's address under the challenge's
	// message. message is the text as the wallet signed it; empty means the
	// challenge's own. A text that differs is refused with a code that says where.
	// Times are not looked at: whether the challenge is still open is decided
	// before. Errors are *ProofError.
	Verify(c WalletChallenge, message, signature string) error
}

// ProofError says why a proof counts for nothing.
type ProofError struct {
	Code engine.Code
	// Cause is for logs: fixed words, or an error of the network.
	Cause error
}

func (e *ProofError) Error() string {
	if e.Cause != nil {
		return string(e.Code) + ": " + e.Cause.Error()
	}
	return string(e.Code)
}

func (e *ProofError) Unwrap() error { return e.Cause }

// Codes of proofs that failed.
const (
	// The provider could not be reached, or its configuration makes no sense.
	ProviderUnavailable engine.Code = "PROVIDER_UNAVAILABLE"
	// The person refused at the provider (access_denied).
	ProviderAccessDenied engine.Code = "PROVIDER_ACCESS_DENIED"
	// The provider answered the authorization with another error.
	ProviderRefused engine.Code = "PROVIDER_REFUSED"
	// The provider did not take the code: it was used, has expired, or the client
	// id and secret are wrong.
	ProviderExchangeFailed engine.Code = "PROVIDER_EXCHANGE_FAILED"
	// The answer came from another issuer than the one that was asked (mix-up).
	ProviderIssuerMismatch engine.Code = "PROVIDER_ISSUER_MISMATCH"
	// What the provider said about the account does not hold: signature, audience,
	// nonce, times, or no subject.
	ProviderTokenInvalid engine.Code = "PROVIDER_TOKEN_INVALID"

	// No address: not 0x and forty hexadecimal digits, or a wrong checksum.
	WalletAddressInvalid engine.Code = "WALLET_ADDRESS_INVALID"
	// The message is none of EIP-4361.
	SIWEMalformed engine.Code = "SIWE_MALFORMED"
	// The message differs from the challenge there.
	SIWEDomainMismatch     engine.Code = "SIWE_DOMAIN_MISMATCH"
	SIWEAddressMismatch    engine.Code = "SIWE_ADDRESS_MISMATCH"
	SIWEStatementMismatch  engine.Code = "SIWE_STATEMENT_MISMATCH"
	SIWEURIMismatch        engine.Code = "SIWE_URI_MISMATCH"
	SIWEVersionMismatch    engine.Code = "SIWE_VERSION_MISMATCH"
	SIWEChainMismatch      engine.Code = "SIWE_CHAIN_MISMATCH"
	SIWENonceMismatch      engine.Code = "SIWE_NONCE_MISMATCH"
	SIWEIssuedAtMismatch   engine.Code = "SIWE_ISSUED_AT_MISMATCH"
	SIWEExpirationMismatch engine.Code = "SIWE_EXPIRATION_MISMATCH"
	SIWENotBeforeMismatch  engine.Code = "SIWE_NOT_BEFORE_MISMATCH"
	SIWERequestIDMismatch  engine.Code = "SIWE_REQUEST_ID_MISMATCH"
	SIWEResourcesMismatch  engine.Code = "SIWE_RESOURCES_MISMATCH"
	// Not 65 bytes in hexadecimal, or values out of range.
	SignatureMalformed engine.Code = "SIGNATURE_MALFORMED"
	// s is in the upper half of the curve's order (EIP-2).
	SignatureHighS engine.Code = "SIGNATURE_HIGH_S"
	// Another key made it.
	SignatureMismatch engine.Code = "SIGNATURE_MISMATCH"
)
