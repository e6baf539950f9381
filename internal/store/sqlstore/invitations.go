package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"stepwise/engine"
	"stepwise/internal/signup"
)

// AddInvitation implements [signup.Directory]. It fails with ErrNoRow where
// there is no such instance, with ErrDuplicate where the id exists.
func (s *Store) AddInvitation(ctx context.Context, i signup.Invitation) error {
	values, err := valuesText(i.Values)
	if err != nil {
		return fmt.Errorf("add an invitation: %w", err)
	}
	_, err = write(ctx, s, "add an invitation", func(ctx context.Context, x executor) (none struct{}, err error) {
		if err := instanceExists(ctx, x, i.Instance); err != nil {
			return none, err
		}
		added, err := execute(ctx, x, insertInvitation, i.ID, i.Instance, values, string(i.PublicMetadata),
			millis(i.CreatedAt), millis(i.ExpireAt), millis(i.RevokedAt), millis(i.UsedAt), i.UserID)
		if err == nil && added == 0 {
			err = signup.ErrDuplicate
		}
		return none, err
	})
	return err
}

// Invitation implements [signup.Directory].
func (s *Store) Invitation(ctx context.Context, instance, id string) (signup.Invitation, error) {
	return read(ctx, s, "read an invitation", func(ctx context.Context, x executor) (signup.Invitation, error) {
		return invitation(ctx, x, instance, id)
	})
}

// Invitations implements [signup.Directory]. A limit below 1 returns none.
func (s *Store) Invitations(ctx context.Context, instance string, f signup.InvitationFilter) (page []signup.Invitation, more bool, err error) {
	source, args := invitationsAsked(instance, f)
	limit := max(f.Limit, 0)
	statement := selectInvitations(source, len(args)+1)
	args = append(args, pageArgs(f.After, limit)...)
	found, err := read(ctx, s, "list invitations", func(ctx context.Context, x executor) ([]signup.Invitation, error) {
		return invitations(ctx, x, statement, args...)
	})
	page, more = cut(found, limit)
	return page, more, err
}

// CountInvitations implements [signup.Directory]: all that match, whatever the page.
func (s *Store) CountInvitations(ctx context.Context, instance string, f signup.InvitationFilter) (int, error) {
	return read(ctx, s, "count invitations", func(ctx context.Context, x executor) (count int, err error) {
		source, args := invitationsAsked(instance, f)
		if !allStorable(args) {
			return 0, nil
		}
		err = queryRow(ctx, x, countInvitations(source), args, &count)
		return count, err
	})
}

// RevokeInvitation implements [signup.Directory].
func (s *Store) RevokeInvitation(ctx context.Context, instance, id string, at time.Time) (signup.Invitation, error) {
	return write(ctx, s, "revoke an invitation", func(ctx context.Context, x executor) (none signup.Invitation, err error) {
		if !storable(instance) || !storable(id) {
			return none, signup.ErrNoRow
		}
		if _, err := execute(ctx, x, revokeInvitation, millis(at), instance, id); err != nil {
			return none, err
		}
		return invitation(ctx, x, instance, id)
	})
}

// invitationOf returns the invitation that a conversion names, nil where it
// names none or there is no such invitation.
func invitationOf(ctx context.Context, x executor, c signup.Conversion) (*signup.Invitation, error) {
	if c.Invitation == "" {
		return nil, nil
	}
	i, err := invitation(ctx, x, c.Instance, c.Invitation)
	if errors.Is(err, signup.ErrNoRow) {
		return nil, nil
	}
	return &i, err
}

// consume marks an invitation as used by a conversion, or fails with
// ErrNotSatisfied where its ticket is not valid any more.
func consume(ctx context.Context, x executor, c signup.Conversion, userID string) error {
	used, err := execute(ctx, x, useInvitation, millis(c.At), userID, c.Instance, c.Invitation)
	if err == nil && used == 0 {
		err = signup.ErrNotSatisfied
	}
	return err
}

// invitationsAsked names what a filter selects and the arguments so far.
func invitationsAsked(instance string, f signup.InvitationFilter) (source string, args []any) {
	source, timed := invitationsOf(f.State)
	args = []any{instance}
	if timed {
		args = append(args, millis(f.Now))
	}
	return source, args
}

func invitation(ctx context.Context, x executor, instance, id string) (none signup.Invitation, err error) {
	return only(invitations(ctx, x, selectInvitation, instance, id))
}

// invitations reads rows of invitationColumns.
func invitations(ctx context.Context, x executor, statement string, args ...any) (found []signup.Invitation, err error) {
	err = query(ctx, x, statement, args, func(row *sql.Rows) error {
		var i signup.Invitation
		if err := row.Scan(&i.ID, &i.Instance, sentValues{&i.Values}, document{&i.PublicMetadata}, stamp{&i.CreatedAt},
			stamp{&i.ExpireAt}, stamp{&i.RevokedAt}, stamp{&i.UsedAt}, &i.UserID); err != nil {
			return err
		}
		found = append(found, i)
		return nil
	})
	return found, err
}

// sentValue is how a value of an invitation is stored; those that are not
// given are left out.
type sentValue struct {
	Text string `json:"text"`
	Key  string `json:"key"`
}

func valuesText(values [engine.NumAttributes]engine.Value) (string, error) {
	given := map[string]sentValue{}
	for a, v := range values {
		if v.Presence != engine.Given {
			continue
		}
		if !storable(v.Text) || !storable(v.Key) {
			return "", errUnstorable // JSON would change it without a word
		}
		given[engine.Attribute(a).String()] = sentValue{v.Text, v.Key}
	}
	text, err := json.Marshal(given)
	return string(text), err
}

// sentValues reads what valuesText has written. Attributes that are unknown,
// because another version knew them, are skipped.
type sentValues struct {
	values *[engine.NumAttributes]engine.Value
}

func (s sentValues) Scan(value any) error {
	var text sql.NullString
	if err := text.Scan(value); err != nil {
		return err
	}
	var given map[string]sentValue
	if err := json.Unmarshal([]byte(text.String), &given); err != nil {
		return err
	}
	*s.values = [engine.NumAttributes]engine.Value{}
	for name, v := range given {
		if a, ok := engine.ParseAttribute(name); ok {
			s.values[a] = engine.Value{Presence: engine.Given, Text: v.Text, Key: v.Key}
		}
	}
	return nil
}

// pageArgs are the last arguments of a statement that ends with [page]. One row
// more than asked for tells whether there are more.
func pageArgs(after *signup.Position, limit int) []any {
	at, id := int64(math.MaxInt64), "" // before the newest
	if after != nil {
		at, id = millis(after.At), after.ID
	}
	return []any{at, id, int64(limit) + 1}
}

// cut returns at most limit rows and whether there were more.
func cut[T any](rows []T, limit int) (page []T, more bool) {
	if len(rows) > limit {
		return rows[:limit], true
	}
	return rows, false
}

// only returns the only row, or fails with [signup.ErrNoRow].
func only[T any](rows []T, err error) (row T, _ error) {
	if err == nil && len(rows) == 0 {
		err = signup.ErrNoRow
	}
	if err != nil {
		return row, err
	}
	return rows[0], nil
}
