package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"math"

	"stepwise/internal/signup"
)

// EnsureInstance implements [signup.Directory].
func (s *Store) EnsureInstance(ctx context.Context, n signup.NewInstance) (signup.StoredInstance, bool, error) {
	type ensured struct {
		instance signup.StoredInstance
		created  bool
	}
	e, err := write(ctx, s, "make the first instance", func(ctx context.Context, x executor) (e ensured, err error) {
		e.instance, err = firstInstance(ctx, x)
		if !errors.Is(err, signup.ErrNoRow) {
			return e, err
		}
		inserted, err := execute(ctx, x, insertFirstInstance,
			n.ID, n.PublishableKey, encode(n.SecretKeyHash), encode(n.SealedKeys), millis(n.At))
		if err != nil {
			return e, err
		}
		if inserted == 1 {
			e.created = true
			first := signup.SettingsVersion{Version: 1, Body: n.Settings, By: "first start", At: n.At}
			if err := addSettings(ctx, x, n.ID, first); err != nil {
				return e, err
			}
		}
		e.instance, err = firstInstance(ctx, x)
		return e, err
	})
	return e.instance, e.created, err
}

func firstInstance(ctx context.Context, x executor) (i signup.StoredInstance, err error) {
	err = queryRow(ctx, x, selectFirstInstance, nil,
		&i.ID, &i.PublishableKey, encoded{&i.SecretKeyHash}, encoded{&i.SealedKeys}, &i.SettingsVersion)
	return i, err
}

// Gate implements [signup.Directory].
func (s *Store) Gate(ctx context.Context, publishableKey, client string) (signup.Gate, error) {
	if !storable(client) {
		client = "" // as unknown as a client can be
	}
	return read(ctx, s, "find the instance", func(ctx context.Context, x executor) (g signup.Gate, err error) {
		instances := 0
		i := &g.Instance
		err = query(ctx, x, selectGate, []any{client, publishableKey}, func(row *sql.Rows) error {
			instances++
			return row.Scan(&i.ID, &i.PublishableKey, encoded{&i.SecretKeyHash}, encoded{&i.SealedKeys},
				&i.SettingsVersion, &g.Generation)
		})
		if err == nil && instances != 1 {
			err = signup.ErrNoRow
		}
		return g, err
	})
}

// Settings implements [signup.Directory].
func (s *Store) Settings(ctx context.Context, instance string, version int64) (signup.SettingsVersion, error) {
	return read(ctx, s, "read settings", func(ctx context.Context, x executor) (signup.SettingsVersion, error) {
		if version == 0 {
			return scanSettings(ctx, x, selectNewestSettings, instance)
		}
		return scanSettings(ctx, x, selectSettings, instance, version)
	})
}

func scanSettings(ctx context.Context, x executor, statement string, args ...any) (v signup.SettingsVersion, err error) {
	err = queryRow(ctx, x, statement, args, &v.Version, &v.Body, &v.By, stamp{&v.At})
	return v, err
}

// SettingsVersions implements [signup.Directory].
func (s *Store) SettingsVersions(ctx context.Context, instance string, before int64, limit int) ([]signup.SettingsVersion, error) {
	if before == 0 {
		before = math.MaxInt64
	}
	return read(ctx, s, "read the history of settings", func(ctx context.Context, x executor) (versions []signup.SettingsVersion, err error) {
		err = query(ctx, x, selectSettingsVersions, []any{instance, before, limit}, func(row *sql.Rows) error {
			var v signup.SettingsVersion
			err := row.Scan(&v.Version, &v.Body, &v.By, stamp{&v.At})
			versions = append(versions, v)
			return err
		})
		return versions, err
	})
}

// SaveSettings implements [signup.Directory]. For an instance that does not
// exist it fails with ErrNoRow.
func (s *Store) SaveSettings(ctx context.Context, instance string, v signup.SettingsVersion) error {
	_, err := write(ctx, s, "save settings", func(ctx context.Context, x executor) (none struct{}, err error) {
		raised, err := execute(ctx, x, raiseSettingsVersion, v.Version, instance)
		if err != nil {
			return none, err
		}
		if raised == 0 {
			if err := instanceExists(ctx, x, instance); err != nil {
				return none, err
			}
			return none, signup.ErrStale
		}
		return none, addSettings(ctx, x, instance, v)
	})
	return err
}

func addSettings(ctx context.Context, x executor, instance string, v signup.SettingsVersion) error {
	_, err := execute(ctx, x, insertSettings, instance, v.Version, string(v.Body), v.By, millis(v.At))
	return err
}

// instanceExists fails with [signup.ErrNoRow] where there is no such instance.
func instanceExists(ctx context.Context, x executor, instance string) error {
	var version int64
	return queryRow(ctx, x, selectInstance, []any{instance}, &version)
}
