package password

import (
	"context"
	"errors"
	"runtime/metrics"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// cheap keeps tests that are not about cost fast.
var cheap = Params{MemoryKiB: 64, Time: 1, Parallelism: 1}

func newHasher(t *testing.T, c Config) *Hasher {
	t.Helper()
	h, err := NewHasher(c)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestHashAndVerify(t *testing.T) {
	h := newHasher(t, Config{})
	phc, err := h.Hash(t.Context(), "correct horse battery staple")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(phc, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("hash %q does not carry the default parameters", phc)
	}
	for password, want := range map[string]bool{
		"correct horse battery staple": true, "correct horse battery stapl": false, "Correct horse battery staple": false, "": false,
		"correct horse battery staple\x00": false, "correct horse battery staple ": false,
	} {
		if got, err := h.Verify(t.Context(), phc, password); err != nil || got != want {
			t.Errorf("Verify(%q) = %v, %v; want %v", password, got, err, want)
		}
	}
}

// The string the authors' own program prints for argon2id, "password",
// "somesalt": whoever can verify theirs can verify ours.
func TestVerifyReferenceHash(t *testing.T) {
	const reference = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	h := newHasher(t, Config{})
	if ok, err := h.Verify(t.Context(), reference, "password"); !ok || err != nil {
		t.Errorf("Verify = %v, %v", ok, err)
	}
	if !h.NeedsRehash(reference) {
		t.Error("a hash with other parameters does not need a new one")
	}
}

func TestSaltIsFresh(t *testing.T) {
	h := newHasher(t, Config{Params: cheap})
	seen := map[string]bool{}
	for range 200 {
		phc, err := h.Hash(t.Context(), "the same password")
		if err != nil {
			t.Fatal(err)
		}
		_, salt, key, err := decode(phc)
		if err != nil || len(salt) != 16 || len(key) != 32 {
			t.Fatalf("salt of %d bytes, key of %d, %v", len(salt), len(key), err)
		}
		if seen[string(salt)] {
			t.Fatal("a salt came twice")
		}
		seen[string(salt)] = true
	}
}

// The same text typed on two devices arrives as different bytes.
func TestPasswordIsTextNotBytes(t *testing.T) {
	h := newHasher(t, Config{Params: cheap})
	for signUp, signIn := range map[string]string{
		"pa\u0308sswo\u0308rter":               "p\u00e4ssw\u00f6rter", // NFD, NFC
		"ｐａｓｓｗｏｒｄ１２":                           "password12",           // full width
		"ﬁne passwords":                        "fine passwords",       // ligature
		"non\u00a0breaking space":              "non breaking space",   // another space bar
		"\u1112\u1161\u11ab\u1100\u1173\u11af": "\ud55c\uae00",         // Hangul in letters
	} {
		phc, err := h.Hash(t.Context(), signUp)
		if err != nil {
			t.Fatal(err)
		}
		if ok, err := h.Verify(t.Context(), phc, signIn); !ok || err != nil {
			t.Errorf("%+q does not match %+q: %v", signIn, signUp, err)
		}
	}
}

// bcrypt would ignore all that follows byte 72.
func TestNothingIsTruncated(t *testing.T) {
	h := newHasher(t, Config{Params: cheap})
	for _, n := range []int{64, 72, 73, 256, 1000, maxBytes - 1} {
		long := strings.Repeat("x", n)
		phc, err := h.Hash(t.Context(), long+"a")
		if err != nil {
			t.Fatal(err)
		}
		for _, other := range []string{long, long + "b"} {
			if ok, err := h.Verify(t.Context(), phc, other); ok || err != nil {
				t.Errorf("%d bytes and one more: the last does not matter (%v)", n, err)
			}
		}
	}
}

func TestHashRefusesWhatIsNoPassword(t *testing.T) {
	h := newHasher(t, Config{Params: cheap})
	phc, _ := h.Hash(t.Context(), "a good password")
	for _, bad := range []string{"", "nul\x00inside", "not utf-8 \xff", strings.Repeat("a", maxBytes+1)} {
		if _, err := h.Hash(t.Context(), bad); !errors.Is(err, ErrInvalid) {
			t.Errorf("Hash of %.20q: %v, want ErrInvalid", bad, err)
		}
		if ok, err := h.Verify(t.Context(), phc, bad); ok || err != nil {
			t.Errorf("Verify of %.20q: %v, %v", bad, ok, err)
		}
	}
}

func TestNeedsRehash(t *testing.T) {
	old := newHasher(t, Config{Params: cheap})
	current := newHasher(t, Config{Params: Params{MemoryKiB: 128, Time: 1, Parallelism: 1}})
	phc, err := old.Hash(t.Context(), "a good password")
	if err != nil {
		t.Fatal(err)
	}
	if old.NeedsRehash(phc) || !current.NeedsRehash(phc) || !current.NeedsRehash("damaged") {
		t.Error("NeedsRehash must be true exactly for other parameters and for damage")
	}
	if ok, err := current.Verify(t.Context(), phc, "a good password"); !ok || err != nil {
		t.Errorf("an older hash no longer verifies: %v, %v", ok, err)
	}
}

func TestNewHasherChecksItsConfiguration(t *testing.T) {
	for _, c := range []Config{
		{Concurrency: -1}, {MaxQueue: -1},
		{Params: Params{MemoryKiB: 19456, Time: 0, Parallelism: 1}},
		{Params: Params{MemoryKiB: 19456, Time: 1, Parallelism: 0}},
		{Params: Params{MemoryKiB: 7, Time: 1, Parallelism: 1}},
		{Params: Params{MemoryKiB: maxMemoryKiB + 1, Time: 1, Parallelism: 1}},
		{Params: Params{MemoryKiB: 19456, Time: maxTime + 1, Parallelism: 1}},
	} {
		if _, err := NewHasher(c); err == nil {
			t.Errorf("%+v was accepted", c)
		}
	}
}

// occupy takes every slot until the returned function is called.
func occupy(t *testing.T, h *Hasher, slots int64) (release func()) {
	t.Helper()
	if !h.slots.TryAcquire(slots) {
		t.Fatal("the hasher is in use")
	}
	return func() { h.slots.Release(slots) }
}

func TestWaitingEndsWithTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHasher(t, Config{Params: cheap, Concurrency: 1})
		defer occupy(t, h, 1)()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		start := time.Now()
		_, err := h.Hash(ctx, "a good password")
		if !errors.Is(err, ErrBusy) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v, want ErrBusy and DeadlineExceeded", err)
		}
		if waited := time.Since(start); waited != 3*time.Second {
			t.Errorf("waited %v", waited)
		}
		if n := h.waiting.Load(); n != 0 {
			t.Errorf("%d still in the queue", n)
		}
	})
}

func TestCancelledCallerLeavesTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHasher(t, Config{Params: cheap, Concurrency: 1, MaxQueue: 1})
		release := occupy(t, h, 1)
		ctx, cancel := context.WithCancel(t.Context())
		result := make(chan error, 1)
		go func() { _, err := h.Hash(ctx, "a good password"); result <- err }()
		synctest.Wait()
		if _, err := h.Hash(t.Context(), "another good password"); !errors.Is(err, ErrBusy) || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("with the queue full: %v, want a plain ErrBusy at once", err)
		}
		cancel()
		if err := <-result; !errors.Is(err, context.Canceled) || errors.Is(err, ErrBusy) {
			t.Errorf("cancelled: %v, want context.Canceled only", err)
		}
		// The place is free again, and so is the slot in the end.
		go func() { _, err := h.Hash(t.Context(), "a third good password"); result <- err }()
		synctest.Wait()
		release()
		if err := <-result; err != nil {
			t.Errorf("after the queue emptied: %v", err)
		}
	})
}

func TestEndedContextDoesNotHash(t *testing.T) {
	h := newHasher(t, Config{Params: cheap})
	phc, _ := h.Hash(t.Context(), "a good password")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.Hash(ctx, "a good password"); !errors.Is(err, context.Canceled) {
		t.Errorf("Hash: %v", err)
	}
	if ok, err := h.Verify(ctx, phc, "a good password"); ok || !errors.Is(err, context.Canceled) {
		t.Errorf("Verify: %v, %v", ok, err)
	}
}

// Five hundred sign-ups at once: two are hashed at a time, sixteen wait, the
// rest is told to come back, and memory stays that of two hashes (with the
// garbage the collector may leave between cycles). All at once would take over
// nine gibibytes.
func TestMemoryIsBoundedUnderLoad(t *testing.T) {
	const (
		callers, concurrency, queue = 500, 2, 16
		limit                       = 200 << 20
	)
	h := newHasher(t, Config{Params: Params{MemoryKiB: 19 * 1024, Time: 1, Parallelism: 1}, Concurrency: concurrency, MaxQueue: queue})
	stop, peak := make(chan struct{}), make(chan uint64)
	go func() { peak <- peakHeap(stop) }()

	var done, busy atomic.Int64
	var wg sync.WaitGroup
	start := make(chan struct{})
	for range callers {
		wg.Go(func() {
			<-start
			switch _, err := h.Hash(t.Context(), "a good password"); {
			case err == nil:
				done.Add(1)
			case errors.Is(err, ErrBusy):
				busy.Add(1)
			default:
				t.Errorf("unexpected error: %v", err)
			}
		})
	}
	close(start)
	wg.Wait()
	close(stop)

	if got := <-peak; got > limit {
		t.Errorf("heap grew to %d MiB", got>>20)
	}
	if done.Load() < concurrency+queue || busy.Load() == 0 || done.Load()+busy.Load() != callers {
		t.Errorf("%d hashed, %d refused", done.Load(), busy.Load())
	}
	if _, err := h.Hash(t.Context(), "a good password"); err != nil {
		t.Errorf("after the storm: %v", err)
	}
}

// peakHeap samples the bytes in heap objects, dead ones included, until stop.
func peakHeap(stop <-chan struct{}) (peak uint64) {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		metrics.Read(sample)
		peak = max(peak, sample[0].Value.Uint64())
		select {
		case <-stop:
			return peak
		case <-tick.C:
		}
	}
}

func BenchmarkHash(b *testing.B) {
	h, err := NewHasher(Config{})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := h.Hash(context.Background(), "a good password"); err != nil {
			b.Fatal(err)
		}
	}
}
