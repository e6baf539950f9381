// Package deliver brings codes and links to people: by SMTP, by a text message
// service, or, during development, to a page in the browser. Each sender
// implements signup.Messenger and keeps its promises: nil means that the next
// hop has taken responsibility, nothing is retried here, and no error contains a
// code, a link, a credential, the recipient, or words of the other side's answer
// (which may quote any of them).
package deliver

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"stepwise/internal/signup"
)

// Reason says why a message was not handed over.
type Reason string

const (
	ReasonInvalid     Reason = "INVALID"     // the message itself can never be sent
	ReasonExpired     Reason = "EXPIRED"     // its code or link is already worthless
	ReasonUnreachable Reason = "UNREACHABLE" // no connection, or none that is secure, or it broke off
	ReasonTimeout     Reason = "TIMEOUT"     // the time allowed was over first
	ReasonRefused     Reason = "REFUSED"     // the next hop said no
)

// Error is what every sender returns when it did not deliver.
type Error struct {
	Channel signup.Channel
	Reason  Reason
	Step    string // what was being done, in fixed words
	Status  int    // the SMTP reply code or HTTP status, 0 if there was none
	Detail  string // the enhanced SMTP status or the service's error number, "" if there was none
	cause   error
}

// Error describes the failure for an operator.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "deliver %s: %s: %s", e.Channel, e.Reason, e.Step)
	if e.Status != 0 {
		b.WriteString(": status " + strconv.Itoa(e.Status))
	}
	if e.Detail != "" {
		b.WriteString(" (" + e.Detail + ")")
	}
	if e.cause != nil {
		b.WriteString(": " + e.cause.Error())
	}
	return b.String()
}

// Unwrap returns the context's error or the network's, if one was the cause.
func (e *Error) Unwrap() error { return e.cause }

// Temporary reports whether the same message may well be accepted later.
func (e *Error) Temporary() bool {
	switch e.Reason {
	case ReasonUnreachable, ReasonTimeout:
		return true
	case ReasonRefused:
		if e.Channel == signup.ChannelEmail {
			return 400 <= e.Status && e.Status < 500
		}
		return e.Status == 408 || e.Status == 429 || e.Status >= 500
	default:
		return false
	}
}

// contextError returns the error for a context that has ended, or nil.
func contextError(ctx context.Context, channel signup.Channel, step string) error {
	err := ctx.Err()
	if err == nil {
		return nil
	}
	return &Error{Channel: channel, Reason: ReasonTimeout, Step: step, cause: err}
}

// ErrNoSender says that the server has nothing to send a channel's messages
// with.
var ErrNoSender = errors.New("deliver: no sender for this channel")

// Router sends every message by its channel's own sender. It must not be
// changed once in use.
type Router map[signup.Channel]signup.Messenger

// Deliver passes m on to the sender of its channel, whose error it returns as
// it is, or returns ErrNoSender.
func (r Router) Deliver(ctx context.Context, m signup.Message) error {
	if !r.Sends(m.Channel) {
		return ErrNoSender
	}
	return r[m.Channel].Deliver(ctx, m)
}

// Sends reports whether the channel has a sender.
func (r Router) Sends(channel signup.Channel) bool { return r[channel] != nil }
