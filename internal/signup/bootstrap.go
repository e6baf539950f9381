package signup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"stepwise/engine"
)

// Bootstrap says how the first instance is to be.
type Bootstrap struct {
	// PublishableKey and SecretKey are generated where empty.
	PublishableKey string
	SecretKey      string
	Settings       SettingsPatch
	// Can, if not nil, is what the deployment can do: Settings of a new instance that
	// make a way in impossible on it are refused.
	Can *engine.Capabilities
	// EnumerationProtection is that of a new instance whose Settings do not say.
	EnumerationProtection bool
}

// FirstInstance is the instance that exists from the first start.
type FirstInstance struct {
	ID             string
	PublishableKey string
	SecretKey      string
	// Created is true at the very first start.
	Created bool
}

const instanceKeysPurpose = "instance keys"

// EnsureFirstInstance creates the first instance if there is none, and returns
// the one there is with its keys.
func EnsureFirstInstance(ctx context.Context, d Directory, keys *Keys, b Bootstrap, now time.Time) (FirstInstance, error) {
	defaults := DefaultSettings()
	defaults.EnumerationProtection = b.EnumerationProtection
	settings := defaults.Apply(b.Settings.sealed(keys))
	problems := slices.Concat(settings.Check(), b.Settings.checkKeys(settings), b.Settings.BotProtection.checkSecret())
	if len(problems) == 0 && b.Can != nil {
		// A later start does not apply them: it must not fail because the deployment has
		// lost something.
		there, err := d.InstanceIDs(ctx)
		if err != nil {
			return FirstInstance{}, err
		}
		if len(there) == 0 {
			problems = impossible(defaults, settings, *b.Can)
		}
	}
	if len(problems) > 0 {
		wrong := make([]error, len(problems))
		for i, p := range problems {
			wrong[i] = fmt.Errorf("SETTINGS_FILE: %s: %s (%s)", strings.Join(p.Field[1:], "."), p.Message, p.Code)
		}
		return FirstInstance{}, errors.Join(wrong...)
	}
	body, err := json.Marshal(settings)
	if err != nil {
		return FirstInstance{}, err
	}
	wanted := instanceKeys{b.PublishableKey, b.SecretKey}
	if wanted.Publishable == "" {
		wanted.Publishable = "pk_" + RandomText(24)
	}
	if wanted.Secret == "" {
		wanted.Secret = "sk_" + RandomText(40)
	}
	plain, err := json.Marshal(wanted)
	if err != nil {
		return FirstInstance{}, err
	}
	stored, created, err := d.EnsureInstance(ctx, NewInstance{
		ID: "ins_" + RandomText(idLength), PublishableKey: wanted.Publishable,
		SecretKeyHash: keys.SecretKeyHash(wanted.Secret), SealedKeys: keys.Seal(plain, instanceKeysPurpose),
		Settings: body, At: now.UTC().Truncate(time.Millisecond),
	})
	if err != nil {
		return FirstInstance{}, err
	}
	plain, err = keys.Open(stored.SealedKeys, instanceKeysPurpose)
	if err != nil {
		return FirstInstance{}, fmt.Errorf("the keys of the first instance: %w", err)
	}
	var kept instanceKeys
	if err := json.Unmarshal(plain, &kept); err != nil {
		return FirstInstance{}, fmt.Errorf("the keys of the first instance: %w", err)
	}
	if b.PublishableKey != "" && b.PublishableKey != kept.Publishable || b.SecretKey != "" && b.SecretKey != kept.Secret {
		return FirstInstance{}, fmt.Errorf("PUBLISHABLE_KEY or SECRET_KEY differ from the ones this instance was created with; leave them out or use another database")
	}
	return FirstInstance{stored.ID, kept.Publishable, kept.Secret, created}, nil
}

type instanceKeys struct {
	Publishable string `json:"publishable"`
	Secret      string `json:"secret"`
}
