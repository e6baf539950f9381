package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"

	"stepwise/internal/signup"
)

// AddWebhookEndpoint implements [signup.Directory]. It fails with ErrNoRow
// where there is no such instance, with ErrDuplicate where the id exists.
func (s *Store) AddWebhookEndpoint(ctx context.Context, e signup.WebhookEndpoint) error {
	_, err := write(ctx, s, "add a webhook endpoint", func(ctx context.Context, x executor) (none struct{}, err error) {
		events, err := kindsText(e.Events)
		if err != nil {
			return none, err
		}
		if err := instanceExists(ctx, x, e.Instance); err != nil {
			return none, err
		}
		added, err := execute(ctx, x, insertEndpoint, e.ID, e.Instance, e.URL, events, encode(e.SealedSecret),
			flag(e.Enabled), millis(e.CreatedAt), millis(e.UpdatedAt))
		if err == nil && added == 0 {
			err = signup.ErrDuplicate
		}
		return none, err
	})
	return err
}

// WebhookEndpoint implements [signup.Directory].
func (s *Store) WebhookEndpoint(ctx context.Context, instance, id string) (signup.WebhookEndpoint, error) {
	return read(ctx, s, "read a webhook endpoint", func(ctx context.Context, x executor) (signup.WebhookEndpoint, error) {
		return only(endpoints(ctx, x, selectEndpoint, instance, id))
	})
}

// WebhookEndpoints implements [signup.Directory].
func (s *Store) WebhookEndpoints(ctx context.Context, instance string) ([]signup.WebhookEndpoint, error) {
	return read(ctx, s, "list webhook endpoints", func(ctx context.Context, x executor) ([]signup.WebhookEndpoint, error) {
		return endpoints(ctx, x, selectEndpoints, instance)
	})
}

// UpdateWebhookEndpoint implements [signup.Directory]. It fails with ErrNoRow
// where there is no such endpoint.
func (s *Store) UpdateWebhookEndpoint(ctx context.Context, instance, id string, c signup.WebhookChange) (signup.WebhookEndpoint, error) {
	return write(ctx, s, "change a webhook endpoint", func(ctx context.Context, x executor) (none signup.WebhookEndpoint, err error) {
		if !storable(instance) || !storable(id) {
			return none, signup.ErrNoRow
		}
		var url, events, secret, enabled any
		if c.URL != nil {
			url = *c.URL
		}
		if c.Events != nil {
			if events, err = kindsText(*c.Events); err != nil {
				return none, err
			}
		}
		if len(c.SealedSecret) > 0 {
			secret = encode(c.SealedSecret)
		}
		if c.Enabled != nil {
			enabled = flag(*c.Enabled)
		}
		if _, err := execute(ctx, x, updateEndpoint, url, events, secret, enabled, millis(c.At), instance, id); err != nil {
			return none, err
		}
		return only(endpoints(ctx, x, selectEndpoint, instance, id))
	})
}

// DeleteWebhookEndpoint implements [signup.Directory].
func (s *Store) DeleteWebhookEndpoint(ctx context.Context, instance, id string) error {
	_, err := write(ctx, s, "delete a webhook endpoint", func(ctx context.Context, x executor) (none struct{}, err error) {
		if !storable(instance) || !storable(id) {
			return none, signup.ErrNoRow
		}
		deleted, err := execute(ctx, x, deleteEndpoint, instance, id)
		if err == nil && deleted == 0 {
			err = signup.ErrNoRow
		}
		return none, err
	})
	return err
}

// endpoints reads rows of endpointColumns.
func endpoints(ctx context.Context, x executor, statement string, args ...any) (found []signup.WebhookEndpoint, err error) {
	err = query(ctx, x, statement, args, func(row *sql.Rows) error {
		var e signup.WebhookEndpoint
		if err := row.Scan(&e.ID, &e.Instance, &e.URL, kinds{&e.Events}, encoded{&e.SealedSecret},
			&e.Enabled, stamp{&e.CreatedAt}, stamp{&e.UpdatedAt}); err != nil {
			return err
		}
		found = append(found, e)
		return nil
	})
	return found, err
}

// flag is how a yes or no is stored.
func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// kindsText is how a list of kinds of events is stored.
func kindsText(list []string) (string, error) {
	for _, kind := range list {
		if !storable(kind) {
			return "", errUnstorable // JSON would change it without a word
		}
	}
	text, err := json.Marshal(append([]string{}, list...))
	return string(text), err
}

// kinds reads what kindsText has written; nil for an empty list.
type kinds struct{ list *[]string }

func (k kinds) Scan(value any) error {
	var text sql.NullString
	if err := text.Scan(value); err != nil {
		return err
	}
	var list []string
	if err := json.Unmarshal([]byte(text.String), &list); err != nil {
		return err
	}
	*k.list = nil
	if len(list) > 0 {
		*k.list = list
	}
	return nil
}
