package redisstore

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"stepwise/internal/realtest"
	"stepwise/internal/signup"
)

// BenchmarkStores compares the embedded store with redis-server in one run; the
// latter where real servers are wanted.
func BenchmarkStores(b *testing.B) {
	b.Run("embedded", func(b *testing.B) { benchmarkMethods(b, openEmbedded(b, Options{})) })
	if realtest.Wanted() {
		b.Run("redis-server", func(b *testing.B) { benchmarkMethods(b, openURL(b, realtest.Redis(b).URL)) })
	}
}

func benchmarkMethods(b *testing.B, s *Store) {
	key := signup.AttemptKey{Instance: "inst_1", Client: "client_1", ID: "a"}
	r := newRecord(1)
	r.Data = make([]byte, 600)
	run := func(name string, prepare func(), call func(i int) error) {
		b.Run(name, func(b *testing.B) {
			prepare()
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if err := call(i); err != nil {
					b.Fatal(err)
				}
				i++
			}
		})
	}
	run("Create", func() {}, func(i int) error {
		fresh, now := key, time.Now()
		fresh.Client = fmt.Sprintf("client_%d_%d", now.UnixNano(), i)
		_, _, err := s.Create(b.Context(), fresh, r, signup.Memory{}, now, now)
		return err
	})
	_, _, _ = s.Create(b.Context(), key, r, signup.Memory{}, time.Now(), time.Now())
	run("Load", func() {}, func(int) error {
		_, _, _, err := s.Load(b.Context(), key, "")
		return err
	})
	saved := r
	run("Save", func() {
		_, held, _, _ := s.Load(b.Context(), key, "")
		saved.Version = held.Version
	}, func(int) error {
		saved.Version++
		return s.Save(b.Context(), key, saved, signup.Memory{}, false)
	})
	run("Take", func() {}, func(i int) error {
		_, _, err := s.Take(b.Context(), time.Now(), signup.Budget{Key: fmt.Sprint(i % 1000), Burst: 1 << 30, Every: time.Millisecond})
		return err
	})
}

// BenchmarkEmbeddedGrowth shows what 100,000 sign-ups cost over 1,000: the time
// of a Load and a Save, expiry at work, as median and 99th percentile.
func BenchmarkEmbeddedGrowth(b *testing.B) {
	for _, live := range []int{1_000, 100_000} {
		b.Run(fmt.Sprint(live), func(b *testing.B) {
			s := openEmbedded(b, Options{})
			fill(s.embedded.(*embedded), live, time.Now().Add(time.Hour))
			key := signup.AttemptKey{Instance: "inst_1", Client: "client_1", ID: "a"}
			r := newRecord(1)
			if _, _, err := s.Create(b.Context(), key, r, signup.Memory{}, time.Now(), time.Now()); err != nil {
				b.Fatal(err)
			}
			var took []time.Duration
			for b.Loop() {
				began := time.Now()
				if _, _, _, err := s.Load(b.Context(), key, ""); err != nil {
					b.Fatal(err)
				}
				r.Version++
				if err := s.Save(b.Context(), key, r, signup.Memory{}, true); err != nil {
					b.Fatal(err)
				}
				took = append(took, time.Since(began))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-us")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-us")
			b.ReportMetric(float64(took[len(took)-1].Microseconds()), "max-us")
		})
	}
}

// BenchmarkRegister is what a sweeper and a preview ask of the register of 100,000
// sign-ups of which none is due: a look for what is, and a page of all.
func BenchmarkRegister(b *testing.B) {
	b.Run("embedded", func(b *testing.B) { benchmarkRegister(b, openEmbedded(b, Options{})) })
	if realtest.Wanted() {
		b.Run("redis-server", func(b *testing.B) { benchmarkRegister(b, openURL(b, realtest.Redis(b).URL)) })
	}
}

func benchmarkRegister(b *testing.B, s *Store) {
	r := newRecord(1)
	for i := range 100_000 {
		key := signup.AttemptKey{Instance: "inst_1", Client: fmt.Sprintf("client_%d", i), ID: "a"}
		r.AbandonAt = r.ExpireAt.Add(time.Duration(i) * time.Millisecond)
		if _, _, err := s.Create(b.Context(), key, r, signup.Memory{}, time.Now(), time.Now()); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("Due", func(b *testing.B) {
		for b.Loop() {
			if due, err := s.Due(b.Context(), "inst_1", time.Now(), 200); err != nil || len(due) > 0 {
				b.Fatal(due, err)
			}
		}
	})
	b.Run("Live and LoadMany of 200", func(b *testing.B) {
		cursor := ""
		for b.Loop() {
			page, next, err := s.Live(b.Context(), "inst_1", cursor, 200)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := s.LoadMany(b.Context(), page); err != nil {
				b.Fatal(err)
			}
			cursor = next
		}
	})
}
