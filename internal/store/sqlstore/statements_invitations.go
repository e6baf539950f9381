package sqlstore

import (
	"strconv"

	"stepwise/engine"
)

const (
	insertInvitation = `
		INSERT INTO invitations (id, instance_id, sent_values, public_metadata,
			created_at, expire_at, revoked_at, used_at, user_id)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
		ON CONFLICT DO NOTHING`
	invitationColumns = `id, instance_id, sent_values, public_metadata, created_at, expire_at, revoked_at, used_at, user_id`
	selectInvitation  = `SELECT ` + invitationColumns + `
		FROM invitations WHERE instance_id = $1 AND id = $2`
	revokeInvitation = `
		UPDATE invitations SET revoked_at = $1
		WHERE instance_id = $2 AND id = $3 AND used_at = 0 AND revoked_at = 0`
	// Affects the row only while the ticket is valid. Of several transactions
	// one affects it: the others wait, and look again.
	useInvitation = `
		UPDATE invitations SET used_at = $1, user_id = $2
		WHERE instance_id = $3 AND id = $4 AND used_at = 0 AND revoked_at = 0 AND expire_at > $1`
)

// invitationsOf names the invitations of the instance $1 whose tickets are in
// that state at the time $2, all where it is nil, as the end of a statement to
// which AND may be appended. timed tells that there is a $2.
func invitationsOf(state *engine.TicketState) (source string, timed bool) {
	source = `FROM invitations WHERE instance_id = $1`
	if state == nil {
		return source, false
	}
	switch *state {
	case engine.TicketUsed:
		return source + ` AND used_at <> 0`, false
	case engine.TicketRevoked:
		return source + ` AND used_at = 0 AND revoked_at <> 0`, false
	case engine.TicketExpired:
		return source + ` AND used_at = 0 AND revoked_at = 0 AND expire_at <= $2`, true
	default:
		return source + ` AND used_at = 0 AND revoked_at = 0 AND expire_at > $2`, true
	}
}

func selectInvitations(source string, next int) string {
	return `SELECT ` + invitationColumns + ` ` + page(source, next, "")
}

func countInvitations(source string) string { return `SELECT COUNT(*) ` + source }

// page ends a statement with the rows, newest first, before the position that
// the next two parameters give, and at most as many as the last one says.
// Columns are those of the table with that prefix.
func page(source string, next int, prefix string) string {
	at, id := prefix+"created_at", prefix+"id"
	return source + `
		AND (` + at + `, ` + id + `) < ($` + strconv.Itoa(next) + `, $` + strconv.Itoa(next+1) + `)
		ORDER BY ` + at + ` DESC, ` + id + ` DESC LIMIT $` + strconv.Itoa(next+2)
}
