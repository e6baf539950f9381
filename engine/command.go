package engine

import "time"

// Command is what a client wants of a sign-up. Its parts are applied in the
// order of the fields, all of them or, where any is refused, none; a wrong code
// is the one exception, for it must be counted.
type Command struct {
	// Check is the proof offered for one verification.
	Check   *Check
	Changes [NumAttributes]Change
	// Outcome is what a prover found out about a wallet or an account.
	Outcome *Outcome
	// Start lists the verifications to start; an address needs a value by then.
	Start []Start
}

// ChangeKind is what a command does to an attribute.
type ChangeKind uint8

const (
	Keep ChangeKind = iota
	Give
	Clear
)

// Change gives an attribute a value or takes it back. For LEGAL_ACCEPTED Give
// is consent to the document in force.
type Change struct {
	Kind ChangeKind
	Text string
	Key  string
}

// Start asks for a verification to begin. Nonce is fresh randomness from the
// caller; it is used only if a challenge is really issued.
type Start struct {
	Strategy Strategy
	Nonce    string
	// Provider is the one that OAUTH goes to.
	Provider string
	// Wallet is the canonical address that WEB3_SIGNATURE is to prove.
	Wallet string
	// Detail is kept with the challenge as it is.
	Detail string
}

// Check offers a proof: a code, a link, or a wallet's signature. Matches says
// whether it is the one that the open challenge asks for; it means nothing where
// there is no open challenge.
type Check struct {
	Attribute Attribute
	// Nonce is that of the challenge which the proof names; empty where it names
	// none, as a code does not.
	Nonce   string
	Matches bool
	// Wrong says what is wrong with a proof that does not match; CODE_INCORRECT
	// where empty.
	Wrong Code
}

// Outcome is the result of a proof made elsewhere: exactly one of Account,
// Wallet and Failure is set. Attribute is EXTERNAL_ACCOUNT or WEB3_WALLET.
type Outcome struct {
	Attribute Attribute
	// Nonce is that of the challenge which the proof answers; it must be open.
	// Empty where there was none.
	Nonce   string
	Account *Account
	// Wallet is the canonical address whose control is proven.
	Wallet  string
	Failure Code
}

// Facts are what the world has to say about a command.
type Facts struct {
	// Now is the time of the decision. A deadline has passed at its own moment.
	Now time.Time
	// Taken are the attributes whose value in this command belongs to a user of
	// the instance already.
	Taken Set
	// SentTaken are those of the values sent with the command's Account that do.
	SentTaken Set
	// Can is what this deployment can do.
	Can Capabilities
}

// Code names a problem for programs.
type Code string

const (
	CodeFieldDisabled    Code = "FIELD_DISABLED"
	CodeTaken            Code = "IDENTIFIER_TAKEN"
	CodeSignUpComplete   Code = "SIGN_UP_COMPLETE"
	CodeSignUpAbandoned  Code = "SIGN_UP_ABANDONED"
	CodeProofNeeded      Code = "PROOF_NEEDED"
	CodeValueMissing     Code = "VALUE_MISSING"
	CodeStrategyInvalid  Code = "STRATEGY_NOT_AVAILABLE"
	CodeCannotDeliver    Code = "CANNOT_DELIVER"
	CodeAlreadyVerified  Code = "ALREADY_VERIFIED"
	CodeNotStarted       Code = "VERIFICATION_NOT_STARTED"
	CodeExpired          Code = "VERIFICATION_EXPIRED"
	CodeTooManyGuesses   Code = "TOO_MANY_GUESSES"
	CodeIncorrect        Code = "CODE_INCORRECT"
	CodeEmailNotVerified Code = "PROVIDER_EMAIL_NOT_VERIFIED"
	CodeTransferable     Code = "BELONGS_TO_EXISTING_USER"
	CodeProviderDisabled Code = "PROVIDER_NOT_ENABLED"
	CodeRestricted       Code = "SIGN_UP_RESTRICTED"
	CodeNotAllowed       Code = "IDENTIFIER_NOT_ALLOWED"
)

// Where tells which part of a command a problem concerns.
type Where uint8

const (
	WhereCommand Where = iota
	WhereChange
	WhereStart
	WhereCheck
)

// Problem is why a command, or a part of it, was refused.
type Problem struct {
	Code         Code
	Where        Where
	Attribute    Attribute
	HasAttribute bool
	// Index is the position in Command.Start.
	Index int
}

// Send is the effect of a started verification: derive the code for Nonce and
// Generation and send it to the address.
type Send struct {
	Attribute  Attribute
	Strategy   Strategy
	Address    Value
	Nonce      string
	Generation uint32
	ExpireAt   time.Time
	// Index is the position in Command.Start that asked for it.
	Index int
}

// Decision is the answer to a command.
type Decision struct {
	// Attempt is what to store; it equals the one given where nothing changed.
	Attempt Attempt
	// Changed reports whether Attempt must be stored.
	Changed  bool
	Problems []Problem
	// Sends are to be performed once Attempt is stored.
	Sends []Send
	// Verdict is that of Attempt.
	Verdict Verdict
	// Convert reports that the sign-up has all it needs: the attempt is to be
	// turned into a user.
	Convert bool
}
