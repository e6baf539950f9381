package webhook

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// delays are the pauses after the first, second, … failed try. Ten of them make
// eleven tries over three days.
var delays = [...]time.Duration{
	5 * time.Second, time.Minute, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour,
	5 * time.Hour, 10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
}

const (
	// jitter is by how much of itself a pause may grow, so that what failed
	// together does not come back together.
	jitter = 0.1
	// maxRetryAfter is how long an endpoint can put a try off.
	maxRetryAfter = 24 * time.Hour
)

// pauseAfter returns how long to wait after so many tries, all failed; ok is
// false once it is time to give up. random is in [0, 1).
func pauseAfter(tries int, random float64) (pause time.Duration, ok bool) {
	if tries > len(delays) {
		return 0, false
	}
	pause = delays[max(tries, 1)-1]
	return pause + time.Duration(random*jitter*float64(pause)), true
}

// retryAfter returns the wait that the answer asks for (RFC 9110 section 10.2.3:
// seconds or a date), at most maxRetryAfter; 0 where it asks for none. Only 429
// and 503 are listened to.
func retryAfter(status int, header string, now time.Time) time.Duration {
	if status != http.StatusTooManyRequests && status != http.StatusServiceUnavailable {
		return 0
	}
	header = strings.TrimSpace(header)
	if header == "" {
		return 0
	}
	if strings.Trim(header, "0123456789") == "" {
		seconds, err := strconv.Atoi(header)
		if err != nil || seconds > int(maxRetryAfter/time.Second) {
			return maxRetryAfter
		}
		return time.Duration(seconds) * time.Second
	}
	at, err := http.ParseTime(header)
	if err != nil {
		return 0
	}
	return min(max(at.Sub(now), 0), maxRetryAfter)
}
