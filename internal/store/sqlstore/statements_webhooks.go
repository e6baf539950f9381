package sqlstore

import "strconv"

const (
	insertEndpoint = `
		INSERT INTO webhook_endpoints (id, instance_id, url, events, sealed_secret, enabled, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT DO NOTHING`
	endpointColumns = `id, instance_id, url, events, sealed_secret, enabled, created_at, updated_at`
	selectEndpoint  = `SELECT ` + endpointColumns + `
		FROM webhook_endpoints WHERE instance_id = $1 AND id = $2`
	selectEndpoints = `SELECT ` + endpointColumns + `
		FROM webhook_endpoints WHERE instance_id = $1 ORDER BY created_at DESC, id DESC`
	selectEnabledEndpoints = `SELECT ` + endpointColumns + `
		FROM webhook_endpoints WHERE enabled = 1`
	// A NULL leaves a column as it is.
	updateEndpoint = `
		UPDATE webhook_endpoints SET
			url = COALESCE($1, url), events = COALESCE($2, events), sealed_secret = COALESCE($3, sealed_secret),
			enabled = COALESCE($4, enabled), updated_at = $5
		WHERE instance_id = $6 AND id = $7`
	deleteEndpoint = `DELETE FROM webhook_endpoints WHERE instance_id = $1 AND id = $2`

	selectNewEvents = `
		SELECT id, instance_id, kind, created_at, tries FROM outbox
		WHERE done_at = 0 ORDER BY not_before, id LIMIT $1`
	// Affects the row for one of those who look at the event at once. As in what
	// follows, "< 1" says the same as "= 0", but not to PostgreSQL: that would
	// look for the id in the index of what is due, however much that is.
	markEvent = `UPDATE outbox SET done_at = $1 WHERE id = $2 AND done_at < 1`

	deliveryColumns = `
		d.id, d.instance_id, d.endpoint_id, d.created_at, d.not_before, d.tries, d.done_at, d.failed_at,
		d.last_status, d.last_error, e.id, e.kind, e.body, e.created_at`
	selectDelivery = `SELECT ` + deliveryColumns + `
		FROM webhook_deliveries d JOIN outbox e ON e.id = d.event_id
		WHERE d.instance_id = $1 AND d.id = $2`
	// The enabled endpoints for which something is due at $1.
	selectDueEndpoints = `
		SELECT w.id FROM webhook_endpoints w
		WHERE w.enabled = 1 AND (
			SELECT MIN(d.not_before) FROM webhook_deliveries d
			WHERE d.endpoint_id = w.id AND d.done_at = 0 AND d.failed_at = 0
		) <= $1`
	selectDueDeliveries = `SELECT ` + deliveryColumns + `
		FROM webhook_deliveries d JOIN outbox e ON e.id = d.event_id
		WHERE d.endpoint_id = $1 AND d.done_at = 0 AND d.failed_at = 0 AND d.not_before <= $2
		ORDER BY d.not_before, d.id LIMIT $3`
	// Affects the row only if nobody has claimed, settled or replayed the
	// delivery since it was looked at.
	claimDelivery = `
		UPDATE webhook_deliveries SET not_before = $1, tries = tries + 1
		WHERE id = $2 AND not_before = $3 AND tries = $4 AND done_at < 1 AND failed_at < 1
			AND endpoint_id IN (SELECT id FROM webhook_endpoints WHERE enabled = 1)`
	// What was replayed and not claimed since has no try to settle.
	settleDelivery = `
		UPDATE webhook_deliveries SET not_before = COALESCE($1, not_before), done_at = $2, failed_at = $3,
			last_status = $4, last_error = $5
		WHERE instance_id = $6 AND id = $7 AND done_at < 1 AND failed_at < 1 AND tries > 0`
	replayDelivery = `
		UPDATE webhook_deliveries SET not_before = $1, tries = 0, done_at = 0, failed_at = 0, last_status = 0, last_error = ''
		WHERE instance_id = $2 AND id = $3`

	// Numbers the step of a replay, and keeps others from the endpoint until it
	// is made.
	beginReplay = `
		UPDATE webhook_endpoints SET replays = replays + 1
		WHERE instance_id = $1 AND id = $2
		RETURNING replays`
	// Events after the position $2, $3.
	selectEventsSince = `
		SELECT id, instance_id, kind, created_at, tries FROM outbox
		WHERE instance_id = $1 AND (created_at, id) > ($2, $3)
		ORDER BY created_at, id LIMIT $4`
	// Counting a replay keeps the event from being purged by those who have
	// looked at it before.
	replayEvent   = `UPDATE outbox SET tries = tries + 1 WHERE id = $1`
	replayEventOf = `
		UPDATE outbox SET tries = tries + 1
		WHERE id = (SELECT event_id FROM webhook_deliveries WHERE instance_id = $1 AND id = $2)`

	// Events after the position $1, $2 and from before $3. What waits for an endpoint
	// that is off is not under way.
	selectOldEvents = `
		SELECT id, instance_id, kind, created_at, tries FROM outbox
		WHERE (created_at, id) > ($1, $2) AND created_at < $3 AND done_at <> 0 AND NOT EXISTS (
			SELECT 1 FROM webhook_deliveries d JOIN webhook_endpoints w ON w.id = d.endpoint_id
			WHERE d.event_id = outbox.id AND d.done_at < 1 AND d.failed_at < 1 AND w.enabled = 1
		)
		ORDER BY created_at, id LIMIT $4`
	deleteEvent = `DELETE FROM outbox WHERE id = $1 AND tries = $2`
)

// insertDeliveries inserts n rows of id, instance, event and endpoint that are
// made and due at $1.
func insertDeliveries(n int) string {
	return `INSERT INTO webhook_deliveries (created_at, not_before, id, instance_id, event_id, endpoint_id)
		VALUES ` + tuples(n, "$1, $1, ", 2, 4)
}

// deliveriesOf names the deliveries of the instance $1 that a filter selects,
// as the end of a statement to which AND may be appended, and the filter's
// arguments, from $2 on.
func deliveriesOf(endpointID, eventID string) (source string, args []any) {
	source = `FROM webhook_deliveries d JOIN outbox e ON e.id = d.event_id WHERE d.instance_id = $1`
	for _, f := range []struct{ column, id string }{{"d.endpoint_id", endpointID}, {"d.event_id", eventID}} {
		if f.id != "" {
			args = append(args, f.id)
			source += ` AND ` + f.column + ` = $` + strconv.Itoa(1+len(args))
		}
	}
	return source, args
}

func selectDeliveries(source string, next int) string {
	return `SELECT ` + deliveryColumns + ` ` + page(source, next, "d.")
}
