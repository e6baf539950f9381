package webhook

import (
	"net/http"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestPauseAfter(t *testing.T) {
	total := time.Duration(0)
	for tries, want := range []time.Duration{
		5 * time.Second, // a delivery that was never counted is treated as a first try
		5 * time.Second, time.Minute, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour,
		5 * time.Hour, 10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
	} {
		got, ok := pauseAfter(tries, 0)
		if got != want || !ok {
			t.Errorf("after %d tries: %v %v, want %v", tries, got, ok, want)
		}
		if got, _ := pauseAfter(tries, 0.5); got != want+want/20 {
			t.Errorf("after %d tries, with half the jitter: %v", tries, got)
		}
		if tries > 0 {
			total += got
		}
	}
	if _, ok := pauseAfter(11, 0); ok {
		t.Error("not given up after 11 tries")
	}
	if total != 75*time.Hour+36*time.Minute+5*time.Second {
		t.Errorf("the pauses last %v", total)
	}
}

func TestJitterIsATenthAtMost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tries := rapid.IntRange(-1, 40).Draw(t, "tries")
		pause, ok := pauseAfter(tries, rapid.Float64Range(0, 1).Draw(t, "random"))
		if ok != (tries <= 10) {
			t.Fatalf("ok is %v", ok)
		}
		if ok {
			if base := delays[max(tries, 1)-1]; pause < base || pause > base+base/10 {
				t.Fatalf("%v for %v", pause, base)
			}
		}
	})
}

func TestRetryAfter(t *testing.T) {
	for _, c := range []struct {
		status int
		header string
		want   time.Duration
	}{
		{429, "120", 2 * time.Minute},
		{503, "120", 2 * time.Minute},
		{503, " 7 ", 7 * time.Second},
		{503, "0", 0},
		{500, "120", 0},
		{302, "120", 0},
		{429, "", 0},
		{429, "86400", 24 * time.Hour},
		{429, "86401", 24 * time.Hour},
		{429, "99999999999999999999999999", 24 * time.Hour},
		{429, "-5", 0},
		{429, "1.5", 0},
		{429, "soon", 0},
		{429, testTime.Add(time.Hour).Truncate(time.Second).Format(http.TimeFormat), time.Hour - 123*time.Millisecond},
		{429, testTime.Add(-time.Hour).Format(http.TimeFormat), 0},
		{429, testTime.Add(48 * time.Hour).Format(http.TimeFormat), 24 * time.Hour},
		{429, "Fri, 31 Dec 9999 23:59:59 GMT", 24 * time.Hour},
	} {
		if got := retryAfter(c.status, c.header, testTime); got != c.want {
			t.Errorf("%d, %q: %v, want %v", c.status, c.header, got, c.want)
		}
	}
}

func FuzzRetryAfter(f *testing.F) {
	for _, seed := range []string{"120", "-1", "Sun, 29 Mar 2026 02:00:00 GMT", "Sunday, 29-Mar-26 02:00:00 GMT", "9e9", "\x00", "٣"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		if got := retryAfter(503, header, testTime); got < 0 || got > maxRetryAfter {
			t.Errorf("%q: %v", header, got)
		}
	})
}
