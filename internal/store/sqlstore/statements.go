package sqlstore

import (
	"strconv"
	"strings"
)

// Every statement runs unchanged on SQLite and on PostgreSQL. The parameters
// of each appear first in ascending order, because some drivers of SQLite
// number them by appearance.
const (
	selectOne = `SELECT 1`

	selectFirstInstance = `
		SELECT id, publishable_key, secret_key_hash, sealed_keys, settings_version
		FROM instances ORDER BY number LIMIT 1`
	insertFirstInstance = `
		INSERT INTO instances (id, number, publishable_key, secret_key_hash, sealed_keys, settings_version, created_at)
		VALUES ($1, 1, $2, $3, $4, 1, $5)
		ON CONFLICT DO NOTHING`
	// Two rows where the choice is not clear.
	selectGate = `
		SELECT i.id, i.publishable_key, i.secret_key_hash, i.sealed_keys, i.settings_version, COALESCE(c.generation, 0)
		FROM instances i
		LEFT JOIN clients c ON c.instance_id = i.id AND c.id = $1 AND $1 <> ''
		WHERE i.publishable_key = $2 OR $2 = ''
		LIMIT 2`
	selectInstance       = `SELECT settings_version FROM instances WHERE id = $1`
	raiseSettingsVersion = `
		UPDATE instances SET settings_version = $1
		WHERE id = $2 AND settings_version = $1 - 1`

	insertSettings = `
		INSERT INTO settings_versions (instance_id, version, body, changed_by, changed_at)
		VALUES ($1, $2, $3, $4, $5)`
	selectSettings = `
		SELECT version, body, changed_by, changed_at FROM settings_versions
		WHERE instance_id = $1 AND version = $2`
	selectNewestSettings = `
		SELECT version, body, changed_by, changed_at FROM settings_versions
		WHERE instance_id = $1 ORDER BY version DESC LIMIT 1`
	selectSettingsVersions = `
		SELECT version, body, changed_by, changed_at FROM settings_versions
		WHERE instance_id = $1 AND version < $2 ORDER BY version DESC LIMIT $3`

	insertConversion = `
		INSERT INTO conversions (attempt_id, instance_id, created_at)
		VALUES ($1, $2, $3)
		ON CONFLICT DO NOTHING`
	fillInConversion = `
		UPDATE conversions SET user_id = $1, session_id = $2, generation = $3, settings_version = $4
		WHERE attempt_id = $5`
	selectConversion = `
		SELECT user_id, session_id, generation, settings_version FROM conversions
		WHERE attempt_id = $1 AND instance_id = $2`

	deleteConversion = `DELETE FROM conversions WHERE attempt_id = $1`
	insertRefusal    = `
		INSERT INTO refusals (attempt_id, try, created_at) VALUES ($1, $2, $3)
		ON CONFLICT DO NOTHING`

	// Affects no row where the external id is taken.
	insertUser = `
		INSERT INTO users (id, instance_id, external_id, first_name, last_name, password_hash,
			public_metadata, private_metadata, unsafe_metadata, consent, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
		ON CONFLICT (instance_id, external_id) DO NOTHING`
	// A NULL leaves a column as it is.
	updateUser = `
		UPDATE users SET
			external_id = NULLIF(COALESCE($1, external_id), ''),
			public_metadata = COALESCE($2, public_metadata),
			private_metadata = COALESCE($3, private_metadata),
			updated_at = $4
		WHERE instance_id = $5 AND id = $6`
	userColumns = `
		u.id, u.instance_id, COALESCE(u.external_id, ''), u.first_name, u.last_name, u.password_hash <> '',
		u.public_metadata, u.private_metadata, u.unsafe_metadata, u.consent, u.created_at, u.updated_at,
		COALESCE(i.kind, ''), COALESCE(i.norm, ''), COALESCE(i.display, ''), COALESCE(i.verified_at, 0)`
	// One row for each identifier, at least one.
	selectUser = `SELECT ` + userColumns + `
		FROM users u LEFT JOIN identifiers i ON i.user_id = u.id
		WHERE u.instance_id = $1 AND u.id = $2`
	selectUserExists = `SELECT 1 FROM users WHERE instance_id = $1 AND id = $2`

	// Counts up the client's generation.
	upsertClient = `
		INSERT INTO clients (instance_id, id, generation, last_session_id)
		VALUES ($1, $2, 1, $3)
		ON CONFLICT (instance_id, id) DO UPDATE SET
			generation = clients.generation + 1, last_session_id = excluded.last_session_id
		RETURNING generation`
	// Only while that session is the last that has counted it up.
	selectLastGeneration = `
		SELECT generation FROM clients
		WHERE instance_id = $1 AND id = $2 AND last_session_id = $3`

	insertSession = `
		INSERT INTO sessions (id, instance_id, user_id, client_id, created_at, expire_at, ended_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (id) DO NOTHING`
	sessionColumns = `id, instance_id, user_id, client_id, created_at, expire_at, ended_at`
	selectSession  = `SELECT ` + sessionColumns + `
		FROM sessions WHERE instance_id = $1 AND id = $2`
	selectClientSession = `SELECT ` + sessionColumns + `
		FROM sessions WHERE instance_id = $1 AND client_id = $2 AND id = $3`
	selectClientSessions = `SELECT ` + sessionColumns + `
		FROM sessions
		WHERE instance_id = $1 AND client_id = $2 AND expire_at > $3 AND (ended_at = 0 OR ended_at > $3)
		ORDER BY created_at DESC, id DESC`
	endSession = `
		UPDATE sessions SET ended_at = $1
		WHERE instance_id = $2 AND client_id = $3 AND id = $4 AND ended_at = 0`

	selectSigningKeys = `
		SELECT id, public_key, sealed_key, created_at FROM signing_keys
		WHERE instance_id = $1 ORDER BY created_at DESC, number DESC`
	insertFirstSigningKey = `
		INSERT INTO signing_keys (instance_id, number, id, public_key, sealed_key, created_at)
		VALUES ($1, 1, $2, $3, $4, $5)
		ON CONFLICT DO NOTHING`
)

// insertIdentifiers inserts n rows of kind, norm, display and verified_at for
// the instance $1 and the user $2, and returns kind and norm of those whose
// place was free.
func insertIdentifiers(n int) string {
	return `INSERT INTO identifiers (instance_id, user_id, kind, norm, display, verified_at)
		VALUES ` + tuples(n, "$1, $2, ", 3, 4) + `
		ON CONFLICT DO NOTHING RETURNING kind, norm`
}

// selectTaken finds which of n pairs of kind and norm exist in the instance $1.
func selectTaken(n int) string {
	return `SELECT kind, norm FROM identifiers
		WHERE instance_id = $1 AND (kind, norm) IN (VALUES ` + tuples(n, "", 2, 2) + `)`
}

// selectOwners finds the users to whom those of n pairs of kind and norm belong
// that exist in the instance $1.
func selectOwners(n int) string {
	return `SELECT u.id, u.password_hash, i.kind, i.norm, i.display, i.verified_at
		FROM identifiers i JOIN users u ON u.id = i.user_id
		WHERE i.instance_id = $1 AND (i.kind, i.norm) IN (VALUES ` + tuples(n, "", 2, 2) + `)`
}

// insertEvents inserts n rows of id, kind, body, created_at and not_before for
// the instance $1.
func insertEvents(n int) string {
	return `INSERT INTO outbox (instance_id, id, kind, body, created_at, not_before)
		VALUES ` + tuples(n, "$1, ", 2, 5)
}

// tuples writes n parenthesised rows of width parameters, counted up from
// first, each row after the shared prefix.
func tuples(n int, prefix string, first, width int) string {
	var b strings.Builder
	for row := range n {
		if row > 0 {
			b.WriteString(", ")
		}
		b.WriteString("(" + prefix)
		for column := range width {
			if column > 0 {
				b.WriteString(", ")
			}
			b.WriteString("$" + strconv.Itoa(first+row*width+column))
		}
		b.WriteString(")")
	}
	return b.String()
}

// usersOf names the users of the instance $1 that a filter selects, as the end
// of a statement to which AND may be appended, and the filter's arguments, from
// $2 on. The table users is u.
func usersOf(externalID, norm string) (source string, args []any) {
	parameter := func(arg any) string {
		args = append(args, arg)
		return "$" + strconv.Itoa(1+len(args))
	}
	source = `FROM users u WHERE u.instance_id = $1`
	if norm != "" {
		// SQLite keeps the order of a CROSS JOIN: few identifiers, then their
		// users. Left to itself it walks through all users.
		source = `FROM (
				SELECT DISTINCT user_id FROM identifiers WHERE instance_id = $1 AND norm = ` + parameter(norm) + `
			) n CROSS JOIN users u
			WHERE u.instance_id = $1 AND u.id = n.user_id`
	}
	if externalID != "" {
		source += ` AND u.external_id = ` + parameter(externalID)
	}
	return source, args
}

// selectUsers reads a page of usersOf: those before the position of created_at
// and id that the next two parameters give, and at most as many as the last
// one says.
func selectUsers(source string, next int) string {
	before := "($" + strconv.Itoa(next) + ", $" + strconv.Itoa(next+1) + ")"
	return `SELECT ` + userColumns + `
		FROM (
			SELECT u.* ` + source + `
			AND (u.created_at, u.id) < ` + before + `
			ORDER BY u.created_at DESC, u.id DESC LIMIT $` + strconv.Itoa(next+2) + `
		) u
		LEFT JOIN identifiers i ON i.user_id = u.id
		ORDER BY u.created_at DESC, u.id DESC`
}

func countUsers(source string) string {
	return `SELECT COUNT(*) ` + source
}
