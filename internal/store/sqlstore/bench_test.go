package sqlstore

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Conversions per second and how long the slowest percent took:
//
//	STEPWISE_REAL=1 go test -run '^$' -bench . -benchtime 3s ./internal/store/sqlstore
func BenchmarkConvert(b *testing.B) {
	for name, url := range backends() {
		for _, workers := range []int{1, 32} {
			b.Run(fmt.Sprintf("%s/workers=%d", name, workers), func(b *testing.B) {
				s := mustOpen(b, Options{URL: url(b)})
				mustEnsureInstance(b, s)
				measure(b, workers, func(n int64) error {
					_, err := s.Convert(b.Context(), testConversion(fmt.Sprint(n)))
					return err
				})
			})
		}
	}
}

// BenchmarkGate is what every request costs.
func BenchmarkGate(b *testing.B) {
	for name, url := range backends() {
		for _, workers := range []int{1, 32} {
			b.Run(fmt.Sprintf("%s/workers=%d", name, workers), func(b *testing.B) {
				s := mustOpen(b, Options{URL: url(b)})
				mustEnsureInstance(b, s)
				measure(b, workers, func(int64) error {
					_, err := s.Gate(b.Context(), testInstance.PublishableKey, "client")
					return err
				})
			})
		}
	}
}

func measure(b *testing.B, workers int, call func(n int64) error) {
	b.Helper()
	b.ReportAllocs()
	var next atomic.Int64
	var mu sync.Mutex
	var all []time.Duration
	b.ResetTimer()
	var running sync.WaitGroup
	for range workers {
		running.Go(func() {
			var mine []time.Duration
			for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
				begin := time.Now()
				if err := call(n); err != nil {
					b.Error(err)
					return
				}
				mine = append(mine, time.Since(begin))
			}
			mu.Lock()
			defer mu.Unlock()
			all = append(all, mine...)
		})
	}
	running.Wait()
	b.StopTimer()
	if len(all) == 0 {
		return
	}
	slices.Sort(all)
	b.ReportMetric(float64(len(all))/b.Elapsed().Seconds(), "calls/s")
	b.ReportMetric(float64(all[len(all)*99/100].Microseconds())/1000, "ms-p99")
}
