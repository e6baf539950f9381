package engine

// Reason says why an attribute stands where it stands. The codes are public
// and stay as they are.
type Reason string

const (
	// Why an attribute is required.
	ReasonRequired         Reason = "REQUIRED_BY_SETTINGS"
	ReasonOneOf            Reason = "ONE_OF_REQUIRED"
	ReasonSoleIdentifier   Reason = "NO_OTHER_WAY_TO_SIGN_IN"
	ReasonConsent          Reason = "CONSENT_REQUIRED"
	ReasonConsentOutdated  Reason = "CONSENT_OUTDATED"
	ReasonTaken            Reason = "TAKEN"
	ReasonMustBeVerified   Reason = "MUST_BE_VERIFIED"
	ReasonEmailNotVerified Reason = "PROVIDER_EMAIL_NOT_VERIFIED"

	// Why it is not.
	ReasonOptional        Reason = "OPTIONAL_BY_SETTINGS"
	ReasonOneOfSatisfied  Reason = "ONE_OF_SATISFIED"
	ReasonWaivedByAccount Reason = "WAIVED_BY_EXTERNAL_ACCOUNT"
	ReasonWaivedByWallet  Reason = "WAIVED_BY_WALLET"
	ReasonLegacyOAuth     Reason = "LEGACY_OAUTH_COMPLETES_ALONE"
	ReasonLegacyWallet    Reason = "LEGACY_WALLET_COMPLETES_ALONE"
	ReasonDisabled        Reason = "DISABLED_BY_SETTINGS"

	// ReasonNotAllowed stands over all others: the value in force must be replaced or
	// cleared, whatever list its attribute is in.
	ReasonNotAllowed Reason = "NOT_ALLOWED"
)

// Source names what is behind a reason for an attribute: the path of a
// setting, or an event in the life of the sign-up.
func (r Reason) Source(a Attribute) string {
	switch r {
	case ReasonRequired, ReasonOptional:
		return a.Setting() + ".required"
	case ReasonMustBeVerified:
		return a.Setting() + ".verifyAtSignUp"
	case ReasonDisabled:
		return a.Setting() + ".enabled"
	case ReasonConsent:
		return "legalConsent.enabled"
	case ReasonConsentOutdated:
		return "legalConsent.documentVersion"
	case ReasonLegacyOAuth, ReasonLegacyWallet, ReasonEmailNotVerified:
		return "progressiveSignUp"
	case ReasonOneOf:
		return "no identifier is required by the settings, so one of several is"
	case ReasonOneOfSatisfied:
		return "another identifier was given"
	case ReasonSoleIdentifier:
		return "none of the identifiers given can be used to sign in alone"
	case ReasonWaivedByAccount:
		return "an external account was verified"
	case ReasonWaivedByWallet:
		return "a wallet was verified"
	case ReasonTaken:
		return "the value belongs to an existing user"
	case ReasonNotAllowed:
		return "restrictions"
	}
	return ""
}

// BlockerCode says what, besides fields, stands in the way.
type BlockerCode string

const (
	BlockedTaken        BlockerCode = "IDENTIFIER_TAKEN"
	BlockedNotAllowed   BlockerCode = "IDENTIFIER_NOT_ALLOWED"
	BlockedRestricted   BlockerCode = "SIGN_UP_RESTRICTED"
	BlockedTicket       BlockerCode = "TICKET_INVALID"
	BlockedNoIdentifier BlockerCode = "NO_IDENTIFIER_ENABLED"
	BlockedUnprovable   BlockerCode = "CANNOT_BE_VERIFIED"
)

// Remedy says what removes a blocker.
type Remedy string

const (
	// ReplaceOrClear: give another value, or clear the field.
	ReplaceOrClear Remedy = "REPLACE_OR_CLEAR"
	// UseInvitation: begin again with a valid invitation.
	UseInvitation Remedy = "USE_INVITATION"
	// WaitForOperator: only a change of settings helps.
	WaitForOperator Remedy = "WAIT_FOR_OPERATOR"
)

// Blocker stands in the way of completion although no field is missing or
// unverified for it. Attribute is meaningful where HasAttribute says so.
type Blocker struct {
	Code         BlockerCode
	Remedy       Remedy
	Attribute    Attribute
	HasAttribute bool
}
