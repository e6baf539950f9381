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

// Purpose says what a message is for.
type Purpose string

const (
	// PurposeCode verifies an address of a sign-up; the message has a code.
	PurposeCode Purpose = "CODE"
	// PurposeLink does the same with a link, and a code for those who open their
	// mail elsewhere. EMAIL only.
	PurposeLink Purpose = "LINK"
	// PurposeSignIn lets the owner of an address come back; the message has a code.
	PurposeSignIn Purpose = "SIGN_IN"
	// PurposeInvitation brings a ticket; the message has a link and no code. EMAIL
	// only.
	PurposeInvitation Purpose = "INVITATION"
	// PurposeAccountExists tells a user that somebody tried to sign up with their
	// address; the message has neither code nor link.
	PurposeAccountExists Purpose = "ACCOUNT_EXISTS"
)

// Message goes to the one who owns the address. It holds no text that the person
// signing up has written: our mail must not carry somebody else's words to a
// stranger.
type Message struct {
	Channel Channel
	Purpose Purpose
	To      string // canonical address: RFC 5322 addr-spec, or E.164
	Code    string // six decimal digits, or empty, see Purpose
	// Link is an absolute http or https address in ASCII without spaces, at most
	// 2,048 bytes, or empty, see Purpose. It is as secret as the code.
	Link     string
	AppName  string    // from the instance's settings
	Language string    // one of Languages
	ExpireAt time.Time // code and link are worthless from this moment on
}

// Messenger sends messages. Deliver returns nil only once the next hop has
// taken responsibility for the message; it must return within the context's
// deadline, must not retry on its own, and must keep the code out of its
// errors and logs. Sending the same message twice is allowed.
type Messenger interface {
	Deliver(ctx context.Context, m Message) error
}
