package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"stepwise/internal/signup"
)

const (
	// tryTimeout bounds a try, from looking up the host to the end of the answer.
	tryTimeout = 15 * time.Second
	// maxAnswer is how many bytes of an answer's body are read, and thrown away,
	// so that the connection can be used again.
	maxAnswer = 64 << 10
)

// errStopping is why tries are cut short at shutdown.
var errStopping = errors.New("the server is stopping")

// What DeliveryResult.Error says, besides "answered with status …". None of it is
// taken from an answer or from an error's text.
const (
	saysTimedOut     = "timed out"
	saysRefused      = "connection refused"
	saysPrivate      = "private address refused"
	saysBroken       = "connection closed before the answer"
	saysUnreachable  = "host unreachable"
	saysUnknownHost  = "host not found"
	saysNoTLS        = "no secure connection"
	saysNoConnection = "request failed"
	saysBadURL       = "the endpoint's address cannot be used"
	saysBadKey       = "the endpoint's secret cannot be used"
	saysUnsendable   = "the event cannot be sent"
	saysInternal     = "internal error"
	saysStopped      = "the server stopped first"
	saysBusy         = "put off because the endpoint is slow"
)

// outcome is what came of a try.
type outcome struct {
	signup.DeliveryResult
	// gone: the endpoint wants nothing any more (status 410).
	gone bool
}

// try makes one request and judges the answer. It returns within tryTimeout, and
// soon after ctx has ended.
func (d *Dispatcher) try(ctx context.Context, due signup.DueDelivery) (o outcome) {
	defer func() {
		if recover() != nil {
			// The value is kept out of the log: it may hold anything.
			d.log.ErrorContext(ctx, "a webhook delivery panicked", "delivery", due.ID, "endpoint", due.EndpointID, "stack", string(debug.Stack()))
			o = d.failed(due.Delivery, 0, saysInternal, 0)
		}
	}()
	body, err := payload(due.Event)
	if err != nil {
		return outcome{DeliveryResult: signup.DeliveryResult{At: d.now(), Error: saysUnsendable}}
	}
	ctx, cancel := context.WithTimeout(ctx, tryTimeout)
	defer cancel()
	request, words := d.request(ctx, due, body)
	if words != "" {
		return d.failed(due.Delivery, 0, words, 0)
	}
	response, err := d.client.Do(request)
	switch {
	case err == nil:
	case context.Cause(ctx) == errStopping:
		return outcome{DeliveryResult: d.stopped(due.Delivery)}
	default:
		return d.failed(due.Delivery, 0, d.words(err), 0)
	}
	defer response.Body.Close()
	// What counts is the status; how the body ends does not matter.
	_, _ = io.CopyN(io.Discard, response.Body, maxAnswer)
	return d.judge(due.Delivery, response)
}

// request returns the signed request, or says in fixed words why there is none.
func (d *Dispatcher) request(ctx context.Context, due signup.DueDelivery, body []byte) (request *http.Request, words string) {
	at := d.now()
	signature, err := Sign(due.Secret, due.Event.ID, at, body)
	if err != nil {
		return nil, saysBadKey
	}
	request, err = http.NewRequestWithContext(ctx, http.MethodPost, due.URL, bytes.NewReader(body))
	if err != nil {
		return nil, saysBadURL
	}
	request.Header = http.Header{
		"Content-Type":      {"application/json"},
		"User-Agent":        {"Stepwise-Webhooks/1.0"},
		"Accept-Encoding":   {"identity"}, // nothing to unpack that is thrown away
		"Webhook-Id":        {due.Event.ID},
		"Webhook-Timestamp": {Timestamp(at)},
		"Webhook-Signature": {signature},
	}
	return request, ""
}

func (d *Dispatcher) judge(delivery signup.Delivery, response *http.Response) outcome {
	status := response.StatusCode
	if 200 <= status && status <= 299 {
		return outcome{DeliveryResult: signup.DeliveryResult{At: d.now(), Done: true, Status: status}}
	}
	says := fmt.Sprintf("answered with status %d", status)
	if status == http.StatusGone {
		return outcome{gone: true, DeliveryResult: signup.DeliveryResult{At: d.now(), Status: status, Error: says}}
	}
	return d.failed(delivery, status, says, retryAfter(status, response.Header.Get("Retry-After"), d.now()))
}

// failed is the outcome of a try that did not succeed: it is made again by the
// schedule, or later if the endpoint asked for that, or never.
func (d *Dispatcher) failed(delivery signup.Delivery, status int, says string, wait time.Duration) outcome {
	r := signup.DeliveryResult{At: d.now(), Status: status, Error: says}
	if pause, ok := pauseAfter(delivery.Tries, d.random()); ok {
		r.RetryAt = r.At.Add(max(pause, wait))
	}
	return outcome{DeliveryResult: r}
}

// putOff is the outcome of a claim that came to nothing because the endpoint is
// slow. It follows the schedule too, but nothing is given up untried.
func (d *Dispatcher) putOff(delivery signup.Delivery) signup.DeliveryResult {
	pause, _ := pauseAfter(min(delivery.Tries, len(delays)), d.random())
	at := d.now()
	return signup.DeliveryResult{At: at, Error: saysBusy, RetryAt: at.Add(pause)}
}

// stopped is the outcome of a claim that shutdown came in the way of: whoever runs
// next may have it at once.
func (d *Dispatcher) stopped(signup.Delivery) signup.DeliveryResult {
	at := d.now()
	return signup.DeliveryResult{At: at, Error: saysStopped, RetryAt: at}
}

// words says what kind of failure an error of the client is.
func (d *Dispatcher) words(err error) string {
	var lookup *net.DNSError
	var timeout net.Error
	switch {
	case d.isPrivate(err):
		return saysPrivate
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return saysTimedOut
	case errors.As(err, &lookup):
		return saysUnknownHost
	case errors.Is(err, syscall.ECONNREFUSED):
		return saysRefused
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return saysUnreachable
	case isTLS(err):
		return saysNoTLS
	case isBroken(err):
		return saysBroken
	default:
		return saysNoConnection
	}
}

// isBroken reports whether the other side hung up. net/http has no name for the
// error of one that does so before the request was written.
func isBroken(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		strings.HasSuffix(err.Error(), "http: server closed idle connection")
}

func isTLS(err error) bool {
	var certificate *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	return errors.As(err, &certificate) || errors.As(err, &record) || errors.As(err, &alert) || errors.Is(err, http.ErrSchemeMismatch)
}
