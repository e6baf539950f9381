package signup

import (
	"context"
	"encoding/json"
	"errors"
	"time"
)

// Instance is a tenant.
type Instance struct {
	ID             string
	PublishableKey string
	// SettingsVersion is the newest version of its settings.
	SettingsVersion int64
}

// NewInstance is the first instance and what it starts with.
type NewInstance struct {
	ID             string
	PublishableKey string
	// SecretKeyHash is a keyed hash; the key itself is not stored in clear.
	SecretKeyHash []byte
	// SealedKeys holds the two keys, encrypted under the master key, so that a
	// later start can print them again.
	SealedKeys []byte
	Settings   []byte
	At         time.Time
}

// StoredInstance is an instance as the store keeps it.
type StoredInstance struct {
	Instance
	SecretKeyHash []byte
	SealedKeys    []byte
}

// SettingsVersion is one version of an instance's settings; versions count
// from 1 without gaps.
type SettingsVersion struct {
	Version int64
	Body    []byte // JSON
	By      string // who made it, as they say, or "secret key", "first start"
	At      time.Time
}

// ExternalAccountKind begins the kind of an identifier that is an external
// account; the provider's issuer follows.
const ExternalAccountKind = "OAUTH:"

// Identifier is something by which a user is found. Kind is the attribute's
// name; for external accounts ExternalAccountKind and the issuer, with the
// subject as Norm and the provider's name as Display.
type Identifier struct {
	Kind string
	// Norm is the canonical form; within an instance, kind and norm are unique.
	Norm string
	// Display is the value as the person wrote it.
	Display    string
	VerifiedAt time.Time // zero: never verified
}

// User is a person who has signed up.
type User struct {
	ID              string
	Instance        string
	ExternalID      string
	FirstName       string
	LastName        string
	HasPassword     bool
	Identifiers     []Identifier // in the order of their kinds
	PublicMetadata  json.RawMessage
	PrivateMetadata json.RawMessage
	UnsafeMetadata  json.RawMessage
	Consent         *Consent
	CreatedAt       time.Time
	UpdatedAt       time.Time
}

// Consent is the receipt kept on a user.
type Consent struct {
	DocumentVersion string    `json:"documentVersion"`
	At              time.Time `json:"at"`
	Path            string    `json:"path"`
}

// Session is a user's session on a client.
type Session struct {
	ID        string
	Instance  string
	UserID    string
	ClientID  string
	CreatedAt time.Time
	ExpireAt  time.Time
	EndedAt   time.Time // zero while not ended
}

// ActiveAt reports whether the session can be used at that time.
func (s Session) ActiveAt(now time.Time) bool { return s.StatusAt(now) == SessionActive }

// Event is something the rest of the app's system is told.
type Event struct {
	ID   string
	Kind string // user.created, session.created
	Body []byte // JSON
	At   time.Time
}

// Conversion turns an attempt into a user. All its ids were chosen before and
// are the same at every retry.
type Conversion struct {
	AttemptID string
	// Try names this attempt at converting. A try that was refused once is
	// refused for ever, so that nobody who still holds it can convert what has
	// changed since.
	Try      string
	Instance string
	Client   string
	At       time.Time
	// Invitation is the id of the invitation that the conversion consumes, or
	// empty.
	Invitation string
	// Build is called inside the transaction with the settings in force there and
	// the invitation as it is there, nil where Invitation is empty or the instance
	// has none of that id. It returns what to create, or ok=false if the attempt
	// does not have what these settings need. It is pure and may be called more
	// than once.
	Build func(SettingsVersion, *Invitation) (Creation, bool)
}

// Creation is what a conversion writes.
type Creation struct {
	User         User
	PasswordHash string // PHC string, or empty
	Session      Session
	Events       []Event
	// Shape is that of the sign-up, under which it is counted; opaque here.
	Shape string
}

// Converted is the outcome of a conversion, the same for every retry.
type Converted struct {
	UserID    string
	SessionID string
	// Generation is that of the client's token from now on.
	Generation int64
	// SettingsVersion is the version under which the conversion was made.
	SettingsVersion int64
}

// Errors of a Directory; anything else means that it could not be reached or
// answered, and that the outcome of a write is unknown.
var (
	// ErrNoRow: there is no such instance, version, user, session, invitation,
	// endpoint or delivery.
	ErrNoRow = errors.New("not found")
	// ErrStale: the settings were changed meanwhile.
	ErrStale = errors.New("settings were changed meanwhile")
	// ErrNotSatisfied: Build said no, or the invitation was not valid any more.
	// Nothing was written.
	ErrNotSatisfied = errors.New("requirements are not met under the settings in force")
	// ErrDuplicate: the external id belongs to another user, or the id to
	// something else.
	ErrDuplicate = errors.New("already in use")
)

// TakenError says which identifiers of a conversion belong to users already.
// Nothing was written.
type TakenError struct{ Identifiers []Identifier }

func (*TakenError) Error() string { return "identifiers belong to existing users" }

// Gate is what authenticating a request needs to know, in one query.
type Gate struct {
	Instance StoredInstance
	// Generation is that of the client's token; 0 for a client that never
	// completed a sign-up.
	Generation int64
}

// UserFilter selects users of an instance, newest first. After and Limit page
// through them by the position of the last one seen.
type UserFilter struct {
	ExternalID string
	// Norm finds users by the canonical form of any of their identifiers.
	Norm  string
	After *Position
	Limit int
}

// UserChange is what a backend may set on a user; nil leaves as is.
type UserChange struct {
	ExternalID      *string // empty removes it
	PublicMetadata  json.RawMessage
	PrivateMetadata json.RawMessage
	At              time.Time
}

// SigningKey is a key that signs session tokens.
type SigningKey struct {
	ID        string // kid
	Public    []byte // JWK, JSON
	Sealed    []byte // private JWK, encrypted under the master key
	CreatedAt time.Time
}

// Directory is the durable store: instances, settings, users, sessions,
// conversions and their counts, invitations and webhooks. What it acknowledges survives a crash.
// Times are kept to the millisecond. Every method honours the context's deadline.
type Directory interface {
	Invitations
	Webhooks
	Returning
	Shapes

	// EnsureInstance creates the first instance with version 1 of its settings
	// unless there is one already, and returns the one there is. Of several
	// callers one creates.
	EnsureInstance(ctx context.Context, n NewInstance) (i StoredInstance, created bool, err error)

	// Gate finds an instance by its publishable key, the only one where the key
	// is empty, and the generation of the client's token (0 where client is
	// empty or unknown). ErrNoRow where there is no such instance, or several
	// and no key.
	Gate(ctx context.Context, publishableKey, client string) (Gate, error)

	// Settings returns a version, the newest where version is 0.
	Settings(ctx context.Context, instance string, version int64) (SettingsVersion, error)
	// SettingsVersions returns the versions before that one, or all where it is 0,
	// newest first, at most as many as limit says; none of an unknown instance.
	SettingsVersions(ctx context.Context, instance string, before int64, limit int) ([]SettingsVersion, error)
	// SaveSettings stores v as the newest version if v.Version is one more than
	// the newest; else ErrStale.
	SaveSettings(ctx context.Context, instance string, v SettingsVersion) error

	// Taken returns those of the identifiers that belong to users.
	Taken(ctx context.Context, instance string, identifiers []Identifier) ([]Identifier, error)

	// Convert creates user, identifiers, password, session, events and the
	// conversion itself together, or nothing; the client's generation rises by
	// one, and so does the count of the creation's shape. An invitation that Build
	// was given is marked as used at c.At by the new user, unless it was used or
	// revoked or has expired by then: no other conversion can have it. A conversion
	// made before is returned as it was. It fails with ErrNotSatisfied or a
	// *TakenError; either is durable, and every later call with the same Try fails
	// too.
	Convert(ctx context.Context, c Conversion) (Converted, error)

	User(ctx context.Context, instance, id string) (User, error)
	// Users returns the page and whether more follow.
	Users(ctx context.Context, instance string, f UserFilter) (users []User, more bool, err error)
	CountUsers(ctx context.Context, instance string, f UserFilter) (int, error)
	// UpdateUser returns the user as changed.
	UpdateUser(ctx context.Context, instance, id string, c UserChange) (User, error)

	Session(ctx context.Context, instance, id string) (Session, error)
	// Sessions returns the sessions of a client, newest first, ended ones
	// included for a day.
	Sessions(ctx context.Context, instance, client string) ([]Session, error)
	// EndSession ends a session of the client; ending an ended one changes
	// nothing. ErrNoRow if the client has no such session.
	EndSession(ctx context.Context, instance, client, id string, at time.Time) (Session, error)

	// SigningKeys returns the keys of an instance, newest first.
	SigningKeys(ctx context.Context, instance string) ([]SigningKey, error)
	// AddSigningKey stores k unless there is a key already, and returns the
	// newest one there is.
	AddSigningKey(ctx context.Context, instance string, k SigningKey) (SigningKey, error)
}
