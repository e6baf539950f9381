package engine

// Reason says why an attribute stands where it stands. The codes are public
// and stay as they are.
type Reason string

const (
	// Why an attribute is required.
	ReasonRequired         Reason = "REQUIRED_BY_SETTINGS"
	ReasonOneOf            Reason = "ONE_OF_REQUIRED"
	ReasonOnlyIdentifier   Reason = "ONLY_IDENTIFIER"
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

// SourceKind says what sort of thing is behind a reason.
type SourceKind string

const (
	// SourceSetting: the operator's word. Name is the path of the setting.
	SourceSetting SourceKind = "SETTING"
	// SourcePath: the way by which the sign-up comes in. Name is the [Path].
	SourcePath SourceKind = "PATH"
	// SourceEvent: something that happened in the life of the sign-up. Name is
	// the [Event].
	SourceEvent SourceKind = "EVENT"
)

// Event is something that happened to a sign-up and changed what it needs.
type Event string

const (
	EventIdentifierGiven Event = "IDENTIFIER_GIVEN"
	// EventWeakIdentifiers: identifiers were given, none of which can be signed
	// in with alone.
	EventWeakIdentifiers Event = "ONLY_WEAK_IDENTIFIERS_GIVEN"
	EventAccountVerified Event = "EXTERNAL_ACCOUNT_VERIFIED"
	EventWalletVerified  Event = "WALLET_VERIFIED"
	EventValueTaken      Event = "VALUE_TAKEN"
	EventTicketEnded     Event = "TICKET_ENDED"
)

// Source is what demands, waives or blocks: a setting, a way in, or an event.
type Source struct {
	Kind SourceKind
	Name string
}

func setting(path string) Source { return Source{SourceSetting, path} }
func event(e Event) Source       { return Source{SourceEvent, string(e)} }

// Source returns what is behind a reason for an attribute.
func (r Reason) Source(a Attribute) Source {
	switch r {
	case ReasonRequired, ReasonOptional:
		return setting(a.Setting() + ".required")
	case ReasonOneOf, ReasonOnlyIdentifier, ReasonDisabled:
		return setting(a.enabledSetting())
	case ReasonMustBeVerified:
		return setting(a.Setting() + ".verifyAtSignUp")
	case ReasonConsent:
		return setting("legalConsent.enabled")
	case ReasonConsentOutdated:
		return setting("legalConsent.documentVersion")
	case ReasonEmailNotVerified:
		return setting("progressiveSignUp")
	case ReasonLegacyOAuth:
		return Source{SourcePath, string(PathOAuth)}
	case ReasonLegacyWallet:
		return Source{SourcePath, string(PathWallet)}
	case ReasonOneOfSatisfied:
		return event(EventIdentifierGiven)
	case ReasonSoleIdentifier:
		return event(EventWeakIdentifiers)
	case ReasonWaivedByAccount:
		return event(EventAccountVerified)
	case ReasonWaivedByWallet:
		return event(EventWalletVerified)
	case ReasonTaken:
		return event(EventValueTaken)
	case ReasonNotAllowed:
		return setting("restrictions")
	}
	return Source{}
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

// Source returns what is behind the blocker.
func (b Blocker) Source() Source {
	switch b.Code {
	case BlockedTaken:
		return event(EventValueTaken)
	case BlockedTicket:
		return event(EventTicketEnded)
	case BlockedRestricted:
		return setting("signUpMode")
	case BlockedNotAllowed:
		return setting("restrictions")
	case BlockedNoIdentifier:
		return setting("emailAddress.enabled")
	case BlockedUnprovable:
		if Proven.Has(b.Attribute) {
			return setting(b.Attribute.enabledSetting())
		}
		return setting(b.Attribute.Setting() + ".verifyAtSignUp")
	}
	return Source{}
}
