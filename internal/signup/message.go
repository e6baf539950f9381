package signup

import (
	"context"
	"time"
)

// Channel is the way a message travels.
type Channel string

const (
	ChannelEmail Channel = "EMAIL"
	ChannelSMS   Channel = "SMS"
)

// Message carries a verification code to the one who owns the address. It
// holds no text that the person signing up has written: our mail must not
// carry somebody else's words to a stranger.
type Message struct {
	Channel  Channel
	To       string    // canonical address: RFC 5322 addr-spec, or E.164
	Code     string    // six decimal digits
	AppName  string    // from the instance's settings
	ExpireAt time.Time // the code is worthless from this moment on
}

// Messenger sends messages. Deliver returns nil only once the next hop has
// taken responsibility for the message; it must return within the context's
// deadline, must not retry on its own, and must keep the code out of its
// errors and logs. Sending the same message twice is allowed.
type Messenger interface {
	Deliver(ctx context.Context, m Message) error
}
