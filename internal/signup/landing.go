package signup

// AccountAnswer is what a provider sent back with the person: the path of the
// address they came to, and the parameters of the authorization response (RFC
// 6749 section 4.1.2, RFC 9207). All of it is as it came, within bounds of length,
// and nothing of it can be trusted. Exactly one of Code and Error is set.
type AccountAnswer struct {
	// Provider is the name in the path.
	Provider string
	// State, Code, Issuer (`iss`) and Error are printable ASCII; empty where absent.
	State, Code, Issuer, Error string
	// User is Apple's parameter `user`, in UTF-8, or empty.
	User string
}

// LinkPage is what the page of a link needs to know before the link is followed.
type LinkPage struct {
	AppName string
	// ReturnOrigin is the origin (scheme://host[:port]) of the address to which
	// following the link may lead, or just the scheme of a native app's, with its
	// colon; empty where it leads nowhere.
	ReturnOrigin string
	// Expired: following it would only say so.
	Expired bool
}

// LinkOutcome is what became of following a link.
type LinkOutcome string

const (
	// LinkConfirmed: the address is verified, by this call or one before.
	LinkConfirmed LinkOutcome = "CONFIRMED"
	// LinkElsewhere: another browser began the sign-up; nothing was verified.
	LinkElsewhere LinkOutcome = "ELSEWHERE"
	// LinkExpired: it was right once.
	LinkExpired LinkOutcome = "EXPIRED"
	// LinkInvalid: it never was one, or its sign-up or its address has changed.
	LinkInvalid LinkOutcome = "INVALID"
	// LinkRefused: for the reason in Message.
	LinkRefused LinkOutcome = "REFUSED"
	// LinkReturn: nothing is verified yet. The app wants the person at ReturnTo and
	// offers the link itself, as the client that began.
	LinkReturn LinkOutcome = "RETURN"
)

// LinkResult is the answer to following a link.
type LinkResult struct {
	Outcome LinkOutcome
	// ClientToken is set where the client gets a new token, at Instance.
	ClientToken string
	Instance    string
	// ReturnTo is an absolute address, set with LinkReturn.
	ReturnTo string
	// Message is a sentence for the person, set with LinkRefused.
	Message string
}
