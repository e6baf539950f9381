package resolvers

import (
	"time"

	"stepwise/engine"
	"stepwise/graph"
	"stepwise/internal/signup"
)

// invitationStates are the states of a ticket as the API calls them.
var invitationStates = map[engine.TicketState]graph.InvitationStatus{
	engine.TicketValid: graph.InvitationStatusPending, engine.TicketUsed: graph.InvitationStatusUsed,
	engine.TicketRevoked: graph.InvitationStatusRevoked, engine.TicketExpired: graph.InvitationStatusExpired,
}

func ticketState(status *graph.InvitationStatus) *engine.TicketState {
	for state, name := range invitationStates {
		if status != nil && name == *status {
			return &state
		}
	}
	return nil
}

func invitation(i *signup.Invitation, now time.Time) *graph.Invitation {
	if i == nil {
		return nil
	}
	return &graph.Invitation{
		ID: i.ID, Status: invitationStates[i.StateAt(now)],
		EmailAddress: orNil(i.Values[engine.EmailAddress].Text), PhoneNumber: orNil(i.Values[engine.PhoneNumber].Text),
		Username: orNil(i.Values[engine.Username].Text), FirstName: orNil(i.Values[engine.FirstName].Text), LastName: orNil(i.Values[engine.LastName].Text),
		PublicMetadata: object(i.PublicMetadata), CreatedAt: i.CreatedAt, ExpireAt: i.ExpireAt,
		RevokedAt: moment(i.RevokedAt), UsedAt: moment(i.UsedAt), UserID: orNil(i.UserID),
	}
}

func invitations(p signup.Page[signup.Invitation], after string, now time.Time) *graph.InvitationConnection {
	c := &graph.InvitationConnection{
		Edges: []graph.InvitationEdge{}, Nodes: []graph.Invitation{}, TotalCount: p.Total, PageInfo: pageInfo(p.Cursors, p.More, after),
	}
	for n := range p.Items {
		i := invitation(&p.Items[n], now)
		c.Edges = append(c.Edges, graph.InvitationEdge{Cursor: p.Cursors[n], Node: i})
		c.Nodes = append(c.Nodes, *i)
	}
	return c
}

func pageInfo(cursors []string, more bool, after string) *graph.PageInfo {
	info := &graph.PageInfo{HasNextPage: more, HasPreviousPage: after != ""}
	if n := len(cursors); n > 0 {
		info.StartCursor, info.EndCursor = &cursors[0], &cursors[n-1]
	}
	return info
}

func invitationInput(in graph.InvitationCreateInput) signup.InvitationInput {
	return signup.InvitationInput{
		Input: signup.Input{
			EmailAddress: text(in.EmailAddress), PhoneNumber: text(in.PhoneNumber), Username: text(in.Username),
			FirstName: text(in.FirstName), LastName: text(in.LastName), Locale: text(in.Locale),
		},
		PublicMetadata: metadata(in.PublicMetadata), ExpiresIn: expiry(in.ExpiresInSeconds.Value()),
		RedirectURL: value(in.RedirectURL), SendEmail: value(in.SendEmail),
	}
}

// expiry: zero seconds are refused, unlike none, and so are more than a Duration
// holds.
func expiry(seconds *int) time.Duration {
	const tooMany = 100 * 365 * 24 * 3600
	switch {
	case seconds == nil:
		return 0
	case *seconds <= 0:
		return -1
	}
	return time.Duration(min(*seconds, tooMany)) * time.Second
}
