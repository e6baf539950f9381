package engine

import "time"

// Lifecycle is where an attempt stands between its creation and its end.
type Lifecycle uint8

const (
	// Open accepts commands.
	Open Lifecycle = iota
	// Completing has everything it needs and is being converted; its values
	// are frozen and only the outcome of the conversion changes it.
	Completing
	// Complete has become a user. Final.
	Complete
	// Abandoned was replaced or reached its deadline. Final.
	Abandoned
)

// Final reports whether nothing can change any more.
func (l Lifecycle) Final() bool { return l == Complete || l == Abandoned }

// Status is what a client sees of the lifecycle.
type Status string

const (
	StatusMissingRequirements Status = "MISSING_REQUIREMENTS"
	StatusComplete            Status = "COMPLETE"
	StatusAbandoned           Status = "ABANDONED"
)

// Attempt is a sign-up as stored: values, proofs and the lifecycle. The engine
// never changes an attempt it was given; it returns another one.
type Attempt struct {
	Lifecycle Lifecycle
	Values    [NumAttributes]Value
	// Verifications in progress or done, for EMAIL_ADDRESS, PHONE_NUMBER,
	// WEB3_WALLET and EXTERNAL_ACCOUNT; nil until started. That of an address
	// always concerns the value in force: another value ends it.
	Verifications [NumAttributes]*Verification
	// Account is the verified external account; nil until there is one.
	Account *Account
	// Ticket is the invitation the sign-up began with, if any.
	Ticket *Ticket
	// Consent is the last consent given; nil when never given or withdrawn.
	Consent *Consent
	// Taken are the attributes whose value turned out to belong to a user. The
	// value itself is removed.
	Taken     Set
	CreatedAt time.Time
	// AbandonAt is the absolute deadline.
	AbandonAt time.Time
	// EndedAt is when the attempt became final; zero before.
	EndedAt time.Time
}

// Presence tells a value that was never given from one that was taken back.
type Presence uint8

const (
	Unset Presence = iota
	Given
	// Cleared was taken back by the person; a provider does not fill it again.
	Cleared
)

// Value is what the person gave for an attribute. For PASSWORD Key is the
// password's hash. For WEB3_WALLET it is set by the proof alone.
type Value struct {
	Presence Presence
	// Text is the value as shown.
	Text string
	// Key is the canonical form: two values are the same if and only if their
	// keys are equal.
	Key string
}

// Verification is the proof of control over an address, a wallet or an
// account, in progress or done.
type Verification struct {
	Strategy Strategy
	// Key is the canonical value that is verified: an address, a wallet, or the
	// [Account.Key] of an account, empty until that is known.
	Key string
	// Provider names the provider of an external account.
	Provider string
	// Detail is the shell's: what it has to know of the challenge later on.
	Detail   string
	Verified bool
	// Transferable: what was proven belongs to a user already.
	Transferable bool
	// Failure is the code of what went wrong for good; empty while nothing has.
	Failure Code
	// Refused is the account that failed for what its provider says of its address,
	// without issuer, subject and names: other settings may take such accounts.
	Refused *Account
	// Nonce and Generation bind a proof to one challenge.
	Nonce      string
	Generation uint32
	// Guesses are the wrong codes given since the last sending.
	Guesses  uint8
	SentAt   time.Time
	ResendAt time.Time
	// ExpireAt is the first moment at which the challenge is worthless. Once a
	// wallet or an account is proven, it is when the proof is too old to be
	// transferred.
	ExpireAt time.Time
	// Lapsed records that the passing of ExpireAt has been noted.
	Lapsed bool
}

// VerificationStatus is the state of a verification at a moment.
type VerificationStatus string

const (
	VerificationUnverified   VerificationStatus = "UNVERIFIED"
	VerificationVerified     VerificationStatus = "VERIFIED"
	VerificationTransferable VerificationStatus = "TRANSFERABLE"
	VerificationFailed       VerificationStatus = "FAILED"
	VerificationExpired      VerificationStatus = "EXPIRED"
)

// MaxGuesses is how many wrong codes one sending bears.
const MaxGuesses = 5

// Status returns the state at the given time. A challenge is expired from its
// ExpireAt on, that moment included.
func (v Verification) Status(now time.Time) VerificationStatus {
	switch {
	case v.Verified:
		return VerificationVerified
	case v.Transferable:
		return VerificationTransferable
	case v.Failure != "" || v.Guesses >= MaxGuesses:
		return VerificationFailed
	case v.Lapsed || !now.Before(v.ExpireAt):
		return VerificationExpired
	}
	return VerificationUnverified
}

// Strategy is a way to verify.
type Strategy string

const (
	EmailCode     Strategy = "EMAIL_CODE"
	EmailLink     Strategy = "EMAIL_LINK"
	PhoneCode     Strategy = "PHONE_CODE"
	Web3Signature Strategy = "WEB3_SIGNATURE"
	OAuth         Strategy = "OAUTH"
	FromTicket    Strategy = "TICKET"
	// FromOAuth marks an address that arrived with an external account.
	FromOAuth Strategy = "FROM_OAUTH"
)

// Attribute returns what the strategy verifies, for those a client can start.
func (s Strategy) Attribute() (Attribute, bool) {
	switch s {
	case EmailCode, EmailLink:
		return EmailAddress, true
	case PhoneCode:
		return PhoneNumber, true
	case Web3Signature:
		return Web3Wallet, true
	case OAuth:
		return ExternalAccount, true
	}
	return 0, false
}

// StrategiesFor returns the ways to verify an attribute; none for those that
// are not verified.
func StrategiesFor(a Attribute) []Strategy {
	var list []Strategy
	for _, s := range []Strategy{EmailCode, EmailLink, PhoneCode, Web3Signature, OAuth} {
		if verifies, _ := s.Attribute(); verifies == a {
			list = append(list, s)
		}
	}
	return list
}

// Account is an external account whose ownership is proven: issuer and subject
// are the identity, the rest is what the provider says about it.
type Account struct {
	// Provider is the provider's name in the settings, Asked the issuer that the
	// name stood for when the account was proven. Issuer is another where the one
	// asked speaks for many.
	Provider string
	Asked    string
	Issuer   string
	Subject  string
	// Sent are the values the provider sent, by attribute; Presence is Given
	// or Unset, or Cleared for one that turned out to belong to a user: it fills
	// nothing, also where what took its place is dropped.
	Sent [NumAttributes]Value
	// EmailVerified is the provider's claim about the address it sent, true
	// only for a literal JSON true.
	EmailVerified bool
}

// Key is the canonical form of the account's identity. The provider's name in
// the settings is no part of it: names change.
func (a Account) Key() string { return a.Issuer + " " + a.Subject }

// TicketState is what is known of a ticket at the last look.
type TicketState uint8

const (
	TicketValid TicketState = iota
	TicketRevoked
	TicketExpired
	TicketUsed
)

// Ticket is an invitation. Its addresses arrive verified.
type Ticket struct {
	ID    string
	State TicketState
	// Sent are the values the inviting side provided.
	Sent [NumAttributes]Value
}

// Consent is a receipt: to which document, when and on which path.
type Consent struct {
	Version string
	At      time.Time
	Path    Path
}

// Path is the way by which a sign-up came in.
type Path string

const (
	PathForm   Path = "FORM"
	PathOAuth  Path = "OAUTH"
	PathWallet Path = "WALLET"
	PathTicket Path = "TICKET"
)
