package signup

import (
	"context"
	"crypto/hmac"
	"encoding/base64"
	"errors"
	"strings"
	"time"

	"stepwise/engine"
)

const (
	invitationPrefix = "inv_"
	ticketPrefix     = "tkt_"
)

// ticket returns what admits the holder of an invitation. It is not stored, and
// nobody else can make one.
func (k *Keys) ticketOf(instance, invitation string) string {
	sum := mac(k.ticket, instance, invitation)
	return ticketPrefix + strings.TrimPrefix(invitation, invitationPrefix) + "." + base64.RawURLEncoding.EncodeToString(sum[:16])
}

// openTicket returns the invitation that a ticket belongs to.
func (k *Keys) openTicket(instance, ticket string) (invitation string, ok bool) {
	id, _, ok := strings.Cut(strings.TrimPrefix(ticket, ticketPrefix), ".")
	invitation = invitationPrefix + id
	return invitation, ok && isID(id, idLength) && hmac.Equal([]byte(ticket), []byte(k.ticketOf(instance, invitation)))
}

// admit lets the attempt begin with the invitation that the input's ticket
// belongs to.
func (c *call) admit(ctx context.Context, a *attempt, now time.Time) ([]Problem, error) {
	if c.input.Ticket == "" {
		return nil, nil
	}
	s := c.service
	refused := []Problem{{Code: CodeTicketInvalid, Field: inputPath("ticket"), Message: "This invitation is not valid. Ask for another one."}}
	id, ok := s.keys.openTicket(a.key.Instance, c.input.Ticket)
	if !ok {
		return refused, nil
	}
	invitation, err := s.directory.Invitation(ctx, a.key.Instance, id)
	if errors.Is(err, ErrNoRow) {
		return refused, nil
	}
	if err != nil {
		return nil, unavailable(err)
	}
	state := invitation.StateAt(now)
	if state != engine.TicketValid {
		refused[0].Message = ticketSentences[state]
		return refused, nil
	}
	a.Attempt.Ticket = &engine.Ticket{ID: id, State: state, Sent: invitation.Values}
	a.Attempt.Taken, err = s.taken(ctx, a.key.Instance, addressesIn(invitation.Values))
	return nil, err
}

var ticketSentences = map[engine.TicketState]string{
	engine.TicketRevoked: "This invitation was taken back.",
	engine.TicketExpired: "This invitation has expired. Ask for another one.",
	engine.TicketUsed:    "This invitation was used already. Sign in instead, or ask for another one.",
}

// lookAtTicket notes what has become of the invitation that an open attempt began
// with; other attempts cost nothing.
func (s *Service) lookAtTicket(ctx context.Context, a *attempt, now time.Time) error {
	if a.Attempt.Ticket == nil || a.Attempt.Lifecycle != engine.Open {
		return nil
	}
	state := engine.TicketRevoked // a row that is gone admits nobody
	invitation, err := s.directory.Invitation(ctx, a.key.Instance, a.Attempt.Ticket.ID)
	switch {
	case err == nil:
		state = invitation.StateAt(now)
	case !errors.Is(err, ErrNoRow):
		return unavailable(err)
	}
	a.Attempt, a.noted = engine.NoteTicket(a.Attempt, state)
	return nil
}
