package signup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"
	"golang.org/x/sync/singleflight"

	"stepwise/engine"
	"stepwise/internal/identifier"
)

// PasswordHasher turns a password into a PHC string. It fails with an error
// that is password.ErrBusy when it has too much to do.
type PasswordHasher interface {
	Hash(ctx context.Context, password string) (string, error)
	// Verify reports whether the PHC string was made from the password.
	Verify(ctx context.Context, phc, password string) (bool, error)
}

// Config is what a Service is made of. What is not said to be optional is needed.
type Config struct {
	Attempts  Attempts
	Hints     Hints
	Budgets   Budgets
	Directory Directory
	Messenger Messenger
	// Accounts and Wallets prove what their names say; nil where the deployment
	// cannot.
	Accounts AccountProver
	Wallets  WalletProver
	Hasher   PasswordHasher
	// Breached knows passwords from breaches; where nil, a list that is part of this
	// program stands in.
	Breached BreachedPasswords
	// Bots asks who tells people from programs; where nil, nobody can sign up while the
	// settings want it.
	Bots BotCheck
	Keys *Keys
	// Issuer is the service's public address, without a slash at the end, and the
	// `iss` of session tokens.
	Issuer string
	// EventsPending, if not nil, is called when events were written. It must not
	// block.
	EventsPending func()
	// Development allows redirects to, and pages from, this machine.
	Development bool
	// Can is what this deployment is able to send; what it can prove follows from
	// Accounts and Wallets.
	Can engine.Capabilities
	// Now is the clock; time.Now where nil.
	Now func() time.Time
	// Logger is optional.
	Logger *slog.Logger
}

// Service is the sign-up service. It is safe for concurrent use, and any number
// of processes may run one over the same stores.
type Service struct {
	attempts    Attempts
	hints       Hints
	budgets     Budgets
	directory   Directory
	messenger   Messenger
	accounts    AccountProver
	wallets     WalletProver
	hasher      PasswordHasher
	breached    BreachedPasswords
	bots        BotCheck
	keys        *Keys
	issuer      string
	development bool
	pending     func()
	can         engine.Capabilities
	clock       func() time.Time
	log         *slog.Logger

	instances sync.Map // publishable key → instance id
	settings  settingsCache
	asking    singleflight.Group
	signers   sync.Map // instance id → jose.Signer
	sending   *semaphore.Weighted
	promised  sync.WaitGroup
	decoy     atomic.Pointer[string]
	// unasked is what the log says of passwords that nobody could be asked about,
	// unchecked of bot tokens, unsent of messages beyond the limits.
	unasked, unchecked, unsent seldom
}

// New returns a service over the given ports.
func New(c Config) *Service {
	s := &Service{
		attempts: c.Attempts, hints: c.Hints, budgets: c.Budgets, directory: c.Directory,
		messenger: c.Messenger, accounts: c.Accounts, wallets: c.Wallets, development: c.Development, pending: c.EventsPending, hasher: c.Hasher, keys: c.Keys, issuer: c.Issuer, can: c.Can,
		clock: c.Now, log: c.Logger, breached: c.Breached, bots: c.Bots,
	}
	s.can.ProveAccount, s.can.ProveWallet = c.Accounts != nil, c.Wallets != nil
	if s.clock == nil {
		s.clock = time.Now
	}
	s.sending = semaphore.NewWeighted(maxSending)
	if s.pending == nil {
		s.pending = func() {}
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	return s
}

// now is the time in the stores' precision.
func (s *Service) now() time.Time { return s.clock().UTC().Truncate(time.Millisecond) }

// Outcome is the answer to a mutation of a sign-up.
type Outcome struct {
	// SignUp is the sign-up as it is now; nil where there is none.
	SignUp   *SignUp
	Problems []Problem
	// ClientToken is set where the caller gets a new token.
	ClientToken string
	// TransferToken is set where the call has proven what belongs to a user.
	TransferToken string
}

// currentSettings are an instance's settings as of some version.
type currentSettings struct {
	Settings
	Version int64
	By      string
	At      time.Time
}

// settingsCache keeps the newest settings seen of each instance. Versions never
// change once written, so a version in the cache is right for good.
type settingsCache struct {
	mu         sync.Mutex
	byInstance map[string]currentSettings
}

func (c *settingsCache) newest(instance string) (currentSettings, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	settings, ok := c.byInstance[instance]
	return settings, ok
}

func (c *settingsCache) keep(instance string, settings currentSettings) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byInstance == nil {
		c.byInstance = map[string]currentSettings{}
	}
	if settings.Version > c.byInstance[instance].Version {
		c.byInstance[instance] = settings
	}
}

// settingsAt returns the settings of that version, or a newer one.
func (s *Service) settingsAt(ctx context.Context, instance string, version int64) (currentSettings, error) {
	if c, ok := s.settings.newest(instance); ok && version > 0 && c.Version >= version {
		return c, nil
	}
	v, err := s.directory.Settings(ctx, instance, 0)
	if err != nil {
		return currentSettings{}, unavailable(err)
	}
	c, err := parseSettings(v)
	if err != nil {
		return currentSettings{}, err
	}
	s.settings.keep(instance, c)
	return c, nil
}

func parseSettings(v SettingsVersion) (currentSettings, error) {
	c := currentSettings{Settings: DefaultSettings(), Version: v.Version, By: v.By, At: v.At}
	if err := json.Unmarshal(v.Body, &c.Settings); err != nil {
		return c, fmt.Errorf("settings version %d: %w", v.Version, err)
	}
	return c, nil
}

// Bounds of the guesses that one address has to bear, over all sign-ups and clients.
const (
	guessBurst = 20
	guessEvery = 5 * time.Minute
)

func guessBudget(instance string, a engine.Attribute, key string) Budget {
	return Budget{Key: "guess:" + instance + ":" + a.String() + ":" + key, Burst: guessBurst, Every: guessEvery}
}

// repeatBudget bounds how often an outdated token may try to be recognized by
// the call that made it so: enough for fifty copies of one call at once, and some
// 120 tries in the hour that a final sign-up can be read.
func repeatBudget(p Principal) Budget {
	return Budget{Key: "repeat:" + p.Instance.ID + ":" + p.Client, Burst: 60, Every: time.Minute}
}

// testCode is what test addresses take; nothing is sent to them.
const testCode = "424242"

// isTestAddress reports whether the settings make the address a test address.
func isTestAddress(settings Settings, a engine.Attribute, key string) bool {
	if !settings.TestMode {
		return false
	}
	return a == engine.EmailAddress && identifier.IsTestEmail(key) || a == engine.PhoneNumber && identifier.IsTestPhone(key)
}

// take uses a budget and returns the problem if it is spent.
func (s *Service) take(ctx context.Context, b Budget, field []string, a engine.Attribute) (*Problem, error) {
	return s.takeAll(ctx, []Budget{b}, field, a)
}

// takeAll uses budgets in their order and returns the problem if one is spent.
func (s *Service) takeAll(ctx context.Context, budgets []Budget, field []string, a engine.Attribute) (*Problem, error) {
	allowed, retryAt, err := s.budgets.Take(ctx, s.now(), budgets...)
	if err != nil {
		return nil, unavailable(err)
	}
	if allowed {
		return nil, nil
	}
	return &Problem{Code: CodeRateLimited, Attribute: &a, Field: field, RetryAfter: retryAt,
		Message: "Too many tries. Please wait a little."}, nil
}

// storeError translates what an Attempts store says, apart from ErrConflict.
func storeError(err error) error {
	var coded *Error
	if err == nil || errors.As(err, &coded) {
		return err
	}
	return unavailable(err)
}

// AllowsOrigin reports whether the instance's settings let pages of the origin
// call the API. Where the settings cannot be read, the answer is no.
func (s *Service) AllowsOrigin(ctx context.Context, publishableKey, origin string) bool {
	instance, err := s.instanceID(ctx, publishableKey)
	if err != nil {
		return false
	}
	version, err := s.newestSettings(ctx, instance)
	if err != nil {
		return false
	}
	settings, err := s.settingsAt(ctx, instance, version)
	return err == nil && slices.Contains(settings.AllowedOrigins, origin)
}

// IsLocalOrigin reports whether the origin is a page served on this machine.
func IsLocalOrigin(origin string) bool {
	u, err := url.Parse(origin)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}
