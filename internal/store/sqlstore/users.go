package sqlstore

import (
	"context"
	"database/sql"
	"math"
	"slices"

	"stepwise/internal/signup"
)

// User implements [signup.Directory].
func (s *Store) User(ctx context.Context, instance, id string) (signup.User, error) {
	return read(ctx, s, "read a user", func(ctx context.Context, x executor) (signup.User, error) {
		return userByID(ctx, x, instance, id)
	})
}

func userByID(ctx context.Context, x executor, instance, id string) (signup.User, error) {
	return only(scanUsers(ctx, x, selectUser, instance, id))
}

// Users implements [signup.Directory]. A limit below 1 returns no users.
func (s *Store) Users(ctx context.Context, instance string, f signup.UserFilter) (page []signup.User, more bool, err error) {
	createdAt, id := int64(math.MaxInt64), "" // after everybody
	if f.After != nil {
		createdAt, id = millis(f.After.At), f.After.ID
	}
	limit := max(f.Limit, 0)
	source, filters := usersOf(f.ExternalID, f.Norm)
	args := append([]any{instance}, filters...)
	statement := selectUsers(source, len(args)+1)
	args = append(args, createdAt, id, int64(limit)+1)

	users, err := read(ctx, s, "list users", func(ctx context.Context, x executor) ([]signup.User, error) {
		return scanUsers(ctx, x, statement, args...)
	})
	if len(users) > limit {
		return users[:limit], true, err
	}
	return users, false, err
}

// CountUsers implements [signup.Directory]: all that match, whatever the page.
func (s *Store) CountUsers(ctx context.Context, instance string, f signup.UserFilter) (int, error) {
	return read(ctx, s, "count users", func(ctx context.Context, x executor) (count int, err error) {
		source, filters := usersOf(f.ExternalID, f.Norm)
		args := append([]any{instance}, filters...)
		if !allStorable(args) {
			return 0, nil
		}
		err = queryRow(ctx, x, countUsers(source), args, &count)
		return count, err
	})
}

// UpdateUser implements [signup.Directory]. It fails with ErrNoRow where there
// is no such user, with ErrDuplicate where the external id is taken.
func (s *Store) UpdateUser(ctx context.Context, instance, id string, c signup.UserChange) (signup.User, error) {
	return write(ctx, s, "change a user", func(ctx context.Context, x executor) (none signup.User, err error) {
		if !storable(id) {
			return none, signup.ErrNoRow
		}
		var externalID any
		if c.ExternalID != nil {
			externalID = *c.ExternalID
		}
		changed, err := execute(ctx, x, updateUser, externalID, orNull(c.PublicMetadata), orNull(c.PrivateMetadata),
			millis(c.At), instance, id)
		switch {
		case isUniqueViolation(err):
			return none, signup.ErrDuplicate // nothing else that is changed here is unique
		case err != nil:
			return none, err
		case changed == 0:
			return none, signup.ErrNoRow
		}
		return userByID(ctx, x, instance, id)
	})
}

// scanUsers reads rows of [userColumns], of which those of one user follow
// each other.
func scanUsers(ctx context.Context, x executor, statement string, args ...any) (users []signup.User, err error) {
	err = query(ctx, x, statement, args, func(row *sql.Rows) error {
		var u signup.User
		var i signup.Identifier
		if err := row.Scan(&u.ID, &u.Instance, &u.ExternalID, &u.FirstName, &u.LastName, &u.HasPassword,
			document{&u.PublicMetadata}, document{&u.PrivateMetadata}, document{&u.UnsafeMetadata},
			receipt{&u.Consent}, stamp{&u.CreatedAt}, stamp{&u.UpdatedAt},
			&i.Kind, &i.Norm, &i.Display, stamp{&i.VerifiedAt}); err != nil {
			return err
		}
		if len(users) == 0 || users[len(users)-1].ID != u.ID {
			users = append(users, u)
		}
		if i.Kind != "" {
			last := &users[len(users)-1]
			last.Identifiers = append(last.Identifiers, i)
		}
		return nil
	})
	for _, u := range users {
		slices.SortFunc(u.Identifiers, compareIdentifiers) // databases sort text differently
	}
	return users, err
}
