package outbound

import (
	"context"
	"errors"
	"net"
)

// Reason returns what may be said of an error of a client's: that of the network or
// of time. All others may quote what was sent or answered, and the words take their
// place. The context is that of the request.
func Reason(ctx context.Context, err error, words string) error {
	timeout, isNet := errors.AsType[net.Error](err)
	operation, isOp := errors.AsType[*net.OpError](err)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, ErrPrivateAddress):
		return ErrPrivateAddress
	case errors.Is(err, ErrPlainHTTP):
		return ErrPlainHTTP
	case errors.Is(err, ErrTooLarge):
		return ErrTooLarge
	case isNet && timeout.Timeout():
		return context.DeadlineExceeded
	case isOp:
		return operation
	}
	return errors.New(words)
}
