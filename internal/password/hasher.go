package password

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"

	"golang.org/x/crypto/argon2"
	"golang.org/x/sync/semaphore"
)

// ErrBusy says that the hasher has no room now: the queue is full, or the
// caller's deadline passed while it waited. Trying again later may succeed.
var ErrBusy = errors.New("password: too many passwords are being checked")

// ErrMalformed says that a stored string is not a hash this package can
// verify. The stored data are wrong, not the password.
var ErrMalformed = errors.New("password: malformed hash")

// Config sets up a Hasher. Zero fields take their defaults.
type Config struct {
	Params      Params // default DefaultParams
	Concurrency int    // hashes computed at the same time; default GOMAXPROCS
	MaxQueue    int    // callers that may wait for their turn; default 32 for each of Concurrency
}

const queuePerWorker = 32

// Hasher computes and verifies hashes. Memory in use at any time is about
// Concurrency times Params.MemoryKiB, whatever the number of callers. It is safe
// for concurrent use.
type Hasher struct {
	params   Params
	slots    *semaphore.Weighted
	waiting  atomic.Int64
	maxQueue int64
}

// NewHasher returns a Hasher, or an error if the parameters are out of range.
func NewHasher(c Config) (*Hasher, error) {
	if c.Params == (Params{}) {
		c.Params = DefaultParams
	}
	if c.Concurrency == 0 {
		c.Concurrency = runtime.GOMAXPROCS(0)
	}
	if c.MaxQueue == 0 {
		c.MaxQueue = queuePerWorker * c.Concurrency
	}
	if c.Concurrency < 0 || c.MaxQueue < 0 {
		return nil, errors.New("password: concurrency and queue length must not be negative")
	}
	if err := c.Params.check(); err != nil {
		return nil, err
	}
	return &Hasher{
		params:   c.Params,
		slots:    semaphore.NewWeighted(int64(c.Concurrency)),
		maxQueue: int64(c.MaxQueue),
	}, nil
}

// Hash returns the hash of a password as a PHC string with a fresh 128-bit
// salt. It waits for its turn until ctx ends.
//
// Errors: ErrInvalid; ErrBusy; ctx's error if ctx was cancelled (a deadline
// that passes in the queue is both ErrBusy and context.DeadlineExceeded).
func (h *Hasher) Hash(ctx context.Context, password string) (string, error) {
	normal, err := Normal(password)
	if err != nil {
		return "", err
	}
	salt := make([]byte, saltBytes)
	rand.Read(salt) // never fails
	key, err := h.derive(ctx, normal, h.params, salt, keyBytes)
	if err != nil {
		return "", err
	}
	return encode(h.params, salt, key), nil
}

// Verify reports whether password is the one that phc was made from. The
// parameters are those in phc, so that hashes made under older settings keep
// working. The comparison takes the same time wherever the keys differ.
//
// A password that Hash would refuse matches nothing. Errors: ErrMalformed;
// ErrBusy; ctx's error.
func (h *Hasher) Verify(ctx context.Context, phc, password string) (bool, error) {
	params, salt, want, err := decode(phc)
	if err != nil {
		return false, err
	}
	normal, err := Normal(password)
	if err != nil {
		return false, nil
	}
	key, err := h.derive(ctx, normal, params, salt, uint32(len(want)))
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(key, want) == 1, nil
}

// NeedsRehash reports whether phc was made with other parameters than the
// hasher's, or cannot be read. The next time the password is known, it should be
// hashed again.
func (h *Hasher) NeedsRehash(phc string) bool {
	params, salt, key, err := decode(phc)
	return err != nil || params != h.params || len(salt) != saltBytes || len(key) != keyBytes
}

func (h *Hasher) derive(ctx context.Context, normal string, p Params, salt []byte, size uint32) ([]byte, error) {
	if err := h.acquire(ctx); err != nil {
		return nil, err
	}
	defer h.slots.Release(1)
	return argon2.IDKey([]byte(normal), salt, p.Time, p.MemoryKiB, p.Parallelism, size), nil
}

func (h *Hasher) acquire(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return waitError(err)
	}
	if h.slots.TryAcquire(1) {
		return nil
	}
	if h.waiting.Add(1) > h.maxQueue {
		h.waiting.Add(-1)
		return ErrBusy
	}
	defer h.waiting.Add(-1)
	if err := h.slots.Acquire(ctx, 1); err != nil {
		return waitError(err)
	}
	return nil
}

func waitError(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w: %w", ErrBusy, err)
	}
	return fmt.Errorf("password: %w", err)
}
