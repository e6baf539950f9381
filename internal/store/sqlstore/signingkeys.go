package sqlstore

import (
	"context"
	"database/sql"

	"stepwise/internal/signup"
)

// SigningKeys implements [signup.Directory].
func (s *Store) SigningKeys(ctx context.Context, instance string) ([]signup.SigningKey, error) {
	return read(ctx, s, "read signing keys", func(ctx context.Context, x executor) ([]signup.SigningKey, error) {
		return signingKeys(ctx, x, instance)
	})
}

// AddSigningKey implements [signup.Directory]. For an instance that does not
// exist it fails with ErrNoRow.
func (s *Store) AddSigningKey(ctx context.Context, instance string, k signup.SigningKey) (signup.SigningKey, error) {
	return write(ctx, s, "add a signing key", func(ctx context.Context, x executor) (none signup.SigningKey, err error) {
		if err := instanceExists(ctx, x, instance); err != nil {
			return none, err
		}
		keys, err := signingKeys(ctx, x, instance)
		if err != nil {
			return none, err
		}
		if len(keys) == 0 {
			// Another process may do the same: one gets the number, both see the row.
			if _, err := execute(ctx, x, insertFirstSigningKey,
				instance, k.ID, string(k.Public), encode(k.Sealed), millis(k.CreatedAt)); err != nil {
				return none, err
			}
			if keys, err = signingKeys(ctx, x, instance); err != nil {
				return none, err
			}
		}
		return keys[0], nil
	})
}

func signingKeys(ctx context.Context, x executor, instance string) (keys []signup.SigningKey, err error) {
	err = query(ctx, x, selectSigningKeys, []any{instance}, func(row *sql.Rows) error {
		var k signup.SigningKey
		if err := row.Scan(&k.ID, &k.Public, encoded{&k.Sealed}, stamp{&k.CreatedAt}); err != nil {
			return err
		}
		keys = append(keys, k)
		return nil
	})
	return keys, err
}
