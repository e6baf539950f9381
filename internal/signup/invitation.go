package signup

import (
	"context"
	"encoding/json"
	"time"

	"stepwise/engine"
)

// Invitation admits one person. Whoever holds its ticket begins a sign-up with
// its values.
type Invitation struct {
	ID       string
	Instance string
	// Values are what the sign-up starts with, by attribute. An address among them
	// counts as verified: the ticket was sent there.
	Values [engine.NumAttributes]engine.Value
	// PublicMetadata becomes the user's.
	PublicMetadata json.RawMessage
	CreatedAt      time.Time
	// ExpireAt is the first moment at which the ticket is worthless.
	ExpireAt time.Time
	// RevokedAt and UsedAt are zero while it is not.
	RevokedAt time.Time
	UsedAt    time.Time
	// UserID is who it became, once used.
	UserID string
}

// StateAt returns what a ticket of the invitation is worth at that time. One
// that was used stays used; one that was revoked stays revoked.
func (i Invitation) StateAt(now time.Time) engine.TicketState {
	switch {
	case !i.UsedAt.IsZero():
		return engine.TicketUsed
	case !i.RevokedAt.IsZero():
		return engine.TicketRevoked
	case !now.Before(i.ExpireAt):
		return engine.TicketExpired
	}
	return engine.TicketValid
}

// InvitationFilter selects invitations of an instance, newest first. State nil
// selects all; Now decides which have expired. After and Limit page through them.
type InvitationFilter struct {
	State *engine.TicketState
	Now   time.Time
	After *Position
	Limit int
}

// Position is the place of a row in a list that is sorted by time and id,
// newest first.
type Position struct {
	At time.Time
	ID string
}

// Invitations keeps invitations. It is part of a [Directory], and a conversion
// consumes the invitation that it names.
type Invitations interface {
	AddInvitation(ctx context.Context, i Invitation) error
	// Invitation fails with ErrNoRow where there is none.
	Invitation(ctx context.Context, instance, id string) (Invitation, error)
	// Invitations returns the page and whether more follow.
	Invitations(ctx context.Context, instance string, f InvitationFilter) (page []Invitation, more bool, err error)
	CountInvitations(ctx context.Context, instance string, f InvitationFilter) (int, error)
	// RevokeInvitation revokes an invitation that was neither used nor revoked
	// (one that has expired can be), changes nothing otherwise, and returns the
	// invitation as it is then. ErrNoRow where there is none.
	RevokeInvitation(ctx context.Context, instance, id string, at time.Time) (Invitation, error)
}
