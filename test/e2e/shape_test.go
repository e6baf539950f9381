package e2e

import "time"

// signUp is a sign-up as a client sees it.
type signUp struct {
	ID               string        `json:"id"`
	Status           string        `json:"status"`
	RequiredFields   []string      `json:"requiredFields"`
	OptionalFields   []string      `json:"optionalFields"`
	MissingFields    []string      `json:"missingFields"`
	UnverifiedFields []string      `json:"unverifiedFields"`
	Blockers         []blocker     `json:"blockers"`
	Requirements     []requirement `json:"requirements"`
	Verifications    verifications `json:"verifications"`
	EmailAddress     *string       `json:"emailAddress"`
	PhoneNumber      *string       `json:"phoneNumber"`
	Username         *string       `json:"username"`
	FirstName        *string       `json:"firstName"`
	LastName         *string       `json:"lastName"`
	Web3Wallet       *string       `json:"web3Wallet"`
	ExternalAccount  *struct {
		Provider string `json:"provider"`
	} `json:"externalAccount"`
	PasswordEnabled  bool           `json:"passwordEnabled"`
	UnsafeMetadata   map[string]any `json:"unsafeMetadata"`
	CreatedUserID    string         `json:"createdUserId"`
	CreatedSessionID string         `json:"createdSessionId"`
	CreatedAt        time.Time      `json:"createdAt"`
	AbandonAt        time.Time      `json:"abandonAt"`
	Revision         int            `json:"revision"`
	SettingsVersion  int            `json:"settingsVersion"`
	Locale           *string        `json:"locale"`
}

type blocker struct {
	Code      string `json:"code"`
	Attribute string `json:"attribute"`
}

type requirement struct {
	Field   string `json:"field"`
	State   string `json:"state"`
	Reason  string `json:"reason"`
	Actions []struct {
		Kind       string   `json:"kind"`
		Strategies []string `json:"strategies"`
	} `json:"actions"`
}

type verifications struct {
	EmailAddress    *verification `json:"emailAddress"`
	PhoneNumber     *verification `json:"phoneNumber"`
	Web3Wallet      *verification `json:"web3Wallet"`
	ExternalAccount *verification `json:"externalAccount"`
}

// verification has a challenge with SentTo and ResendAt, with URL or with
// Message.
type verification struct {
	Status       string `json:"status"`
	Strategy     string `json:"strategy"`
	AttemptsLeft *int   `json:"attemptsLeft"`
	Error        *struct {
		Code string `json:"code"`
	} `json:"error"`
	Challenge *struct {
		SentTo   string    `json:"sentTo"`
		ResendAt time.Time `json:"resendAt"`
		URL      string    `json:"url"`
		Message  string    `json:"message"`
	} `json:"challenge"`
}

// failure is the code for which the verification failed, or empty.
func (v *verification) failure() string {
	if v == nil || v.Error == nil {
		return ""
	}
	return v.Error.Code
}

const signUpFields = `
	id status requiredFields optionalFields missingFields unverifiedFields
	blockers { code attribute }
	requirements { field state reason actions { kind strategies } }
	verifications {
		emailAddress { ...verification } phoneNumber { ...verification }
		web3Wallet { ...verification } externalAccount { ...verification }
	}
	emailAddress phoneNumber username firstName lastName web3Wallet externalAccount { provider } passwordEnabled unsafeMetadata
	createdUserId createdSessionId createdAt abandonAt revision settingsVersion locale`

const verificationFragment = `
	fragment verification on SignUpVerification {
		status strategy attemptsLeft error { code }
		challenge { ... on CodeChallenge { sentTo resendAt } ... on RedirectChallenge { url } ... on MessageChallenge { message } }
	}`

type userError struct {
	Code       string     `json:"code"`
	Message    string     `json:"message"`
	Attribute  string     `json:"attribute"`
	Field      []string   `json:"field"`
	RetryAfter *time.Time `json:"retryAfter"`
}

// outcome is the payload of a mutation of a sign-up.
type outcome struct {
	SignUp     *signUp     `json:"signUp"`
	UserErrors []userError `json:"userErrors"`
	// TransferToken is in the answers of signUpVerificationCheck alone.
	TransferToken string `json:"transferToken"`
}

func (o outcome) errorCodes() []string {
	codes := []string{}
	for _, e := range o.UserErrors {
		codes = append(codes, e.Code)
	}
	return codes
}

func (o outcome) complete() bool { return o.SignUp != nil && o.SignUp.Status == "COMPLETE" }
