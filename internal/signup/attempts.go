package signup

import (
	"context"
	"errors"
	"time"

	"stepwise/engine"
)

// AttemptKey addresses one sign-up. The client is part of the address: a
// sign-up cannot be found under another client or instance.
type AttemptKey struct {
	Instance string
	Client   string
	ID       string
}

// Record is a stored sign-up. Data is opaque to the store; times are kept to the
// millisecond.
type Record struct {
	// Version counts the changes of the record, from 1.
	Version   int64
	Lifecycle engine.Lifecycle
	// EndedAt is when Create abandoned the record; otherwise as given.
	EndedAt time.Time
	Data    []byte
	// AbandonAt is the time under which Create registers the sign-up. It is not
	// kept with the record.
	AbandonAt time.Time
	// ExpireAt is when the store forgets the record.
	ExpireAt time.Time
}

// Remembered is what a store keeps of a request that carried an idempotency
// key. Fingerprint identifies the request's content, Outcome what was answered.
type Remembered struct {
	AttemptID   string
	Fingerprint string
	Outcome     []byte
}

// Memory asks a store to remember a request under a key of the client's choice
// until ExpireAt. The zero value asks nothing.
type Memory struct {
	Key      string
	ExpireAt time.Time
	Remembered
}

// Errors of an Attempts store; anything else means that it could not be
// reached or answered, and that the outcome of a write is unknown.
var (
	// ErrNotFound: there is no such record, or it was forgotten.
	ErrNotFound = errors.New("sign-up not found")
	// ErrConflict: the record's version is not the expected one.
	ErrConflict = errors.New("sign-up was changed meanwhile")
	// ErrCompleting: the client's current sign-up is being converted and must
	// be settled before another takes its place.
	ErrCompleting = errors.New("the current sign-up is completing")
)

// Attempts stores sign-ups and which one is its client's current one.
//
// Each method is one atomic step and one round trip to the store; a Create that
// replaces a sign-up takes two, and what it does to the register is a step of its
// own. Time comes
// with the arguments; nothing is kept beyond its ExpireAt, to the second.
// Every method honours the context's deadline. After a successful write, every
// process that watches the record gets a hint.
type Attempts interface {
	Register

	// Create stores the first version of a sign-up and makes it the client's
	// current one; r.Version is 1, and an id in use fails with ErrConflict. A former current one that is OPEN becomes ABANDONED: its
	// version rises, its EndedAt is now, and it expires at formerExpireAt. One
	// that is COMPLETING makes Create fail with ErrCompleting and change
	// nothing; replaced then holds its id.
	//
	// If memory names a key under which a request of this client is remembered
	// already, Create changes nothing and returns what is remembered.
	Create(ctx context.Context, key AttemptKey, r Record, memory Memory, now, formerExpireAt time.Time) (replaced string, remembered *Remembered, err error)

	// Load returns the record, the current one of the client where key.ID is
	// empty (id tells which), and what is remembered under memoryKey, if that is
	// not empty. A remembered request is returned even when there is no such
	// record; err is then ErrNotFound all the same.
	Load(ctx context.Context, key AttemptKey, memoryKey string) (id string, r Record, remembered *Remembered, err error)

	// Save replaces the record if its version is r.Version-1; else ErrConflict,
	// or ErrNotFound where there is none. quiet suppresses the hint. The record,
	// and its being the client's current one, then expire at r.ExpireAt.
	Save(ctx context.Context, key AttemptKey, r Record, memory Memory, quiet bool) error
}

// Hints tell that something may have changed. They can be lost, doubled or
// late: whoever is hinted at reads again, and reads now and then without being
// told. The first hint comes once the watch is in force, so that nothing between
// the first reading and the watching is missed, and one comes to every watcher
// after a lost connection.
type Hints interface {
	// WatchAttempt returns a channel that holds at most one pending hint about
	// the record. stop ends it and may be called twice; the channel is never
	// closed. A process holds one connection to the store, whatever the number
	// of watchers.
	WatchAttempt(key AttemptKey) (hints <-chan struct{}, stop func())
	// WatchSettings does the same for the settings of an instance.
	WatchSettings(instance string) (hints <-chan struct{}, stop func())
	// AnnounceSettings hints at every process that the settings changed.
	AnnounceSettings(ctx context.Context, instance string) error
}

// Budget allows Burst uses of Key at once, at least one, and one more each Every,
// in whole milliseconds.
type Budget struct {
	Key   string
	Burst int
	Every time.Duration
}

// Budgets limit how often something happens, across all processes.
type Budgets interface {
	// Take uses each of the budgets once, atomically each, in order, and stops
	// at the first that is spent: allowed is then false, and retryAt the moment
	// from which a try can succeed. Those taken before stay taken.
	Take(ctx context.Context, now time.Time, budgets ...Budget) (allowed bool, retryAt time.Time, err error)
}

// Pinger tells whether a store answers; used by /readyz.
type Pinger interface {
	Ping(ctx context.Context) error
}
