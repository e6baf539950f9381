package sqlstore

// See the notes on portability in statements.go.
const (
	// Whether this try was refused, and how the sign-up was counted as abandoned,
	// if it was.
	selectStanding = `
		SELECT 1, 0, '' FROM refusals WHERE attempt_id = $1 AND try = $2
		UNION ALL
		SELECT 0, settings_version, shape FROM abandonments WHERE attempt_id = $1`
	deleteAbandonment = `DELETE FROM abandonments WHERE attempt_id = $1`
	purgeAbandonments = `DELETE FROM abandonments WHERE ended_at < $1`

	addToShape = `
		INSERT INTO shapes (instance_id, settings_version, outcome, shape, shard, count)
		VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (instance_id, settings_version, outcome, shape, shard) DO UPDATE SET
			count = shapes.count + excluded.count`
	// The sum of counts has another type in PostgreSQL.
	selectShapes = `
		SELECT settings_version, outcome, shape, CAST(SUM(count) AS BIGINT) FROM shapes
		WHERE instance_id = $1
		GROUP BY settings_version, outcome, shape HAVING SUM(count) > 0`
	selectInstanceIDs = `SELECT id FROM instances ORDER BY number`
)

// insertConversions inserts n attempts of the instance $1 at the time $2, and
// returns those that were not there.
func insertConversions(n int) string {
	return `INSERT INTO conversions (instance_id, created_at, attempt_id)
		VALUES ` + tuples(n, "$1, $2, ", 3, 1) + `
		ON CONFLICT DO NOTHING RETURNING attempt_id`
}

// deleteConversions deletes n attempts.
func deleteConversions(n int) string {
	return `DELETE FROM conversions WHERE (attempt_id) IN (VALUES ` + tuples(n, "", 1, 1) + `)`
}

// insertAbandonments inserts n rows of attempt_id, settings_version, shape and
// ended_at for the instance $1, and returns the attempts that were not there.
func insertAbandonments(n int) string {
	return `INSERT INTO abandonments (instance_id, attempt_id, settings_version, shape, ended_at)
		VALUES ` + tuples(n, "$1, ", 2, 4) + `
		ON CONFLICT DO NOTHING RETURNING attempt_id`
}
