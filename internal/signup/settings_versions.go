package signup

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// RecordedSettings are one version of an instance's settings, with what makes it
// differ from the version before; the first differs from nothing.
type RecordedSettings struct {
	InstanceSettings
	Changes []SettingsChange
}

// SettingsChange is a setting that two versions have otherwise. Before and After are
// its values as JSON, empty where it does not exist. Of secrets it says no more than
// whether they are set; of one that was replaced by another, nothing at all.
type SettingsChange struct {
	// Setting is its path, such as "emailAddress.required". Providers go by name.
	Setting       string
	Before, After string
}

// SettingsVersion returns the settings as they were in that version.
func (s *Service) SettingsVersion(ctx context.Context, p Principal, version int64) (InstanceSettings, error) {
	if !p.Secret {
		return InstanceSettings{}, ErrSecretKeyOnly
	}
	c, err := s.recorded(ctx, p, "version", version)
	if err != nil {
		return InstanceSettings{}, err
	}
	return s.instanceSettings(c), nil
}

// recorded returns exactly that version. One that does not exist is an error of the
// request, which names the argument.
func (s *Service) recorded(ctx context.Context, p Principal, argument string, version int64) (currentSettings, error) {
	unknown := &Error{code: "BAD_USER_INPUT", message: fmt.Sprintf("`%s` must be a version of the settings.", argument)}
	if version < 1 {
		return currentSettings{}, unknown
	}
	v, err := s.directory.Settings(ctx, p.Instance.ID, version)
	switch {
	case errors.Is(err, ErrNoRow):
		return currentSettings{}, unknown
	case err != nil:
		return currentSettings{}, unavailable(err)
	}
	return parseSettings(v)
}

// SettingsVersions returns a page of the history of the settings, newest first.
func (s *Service) SettingsVersions(ctx context.Context, p Principal, first int, after string) (Page[RecordedSettings], error) {
	var page Page[RecordedSettings]
	if !p.Secret {
		return page, ErrSecretKeyOnly
	}
	position, err := pageOf(first, after)
	if err != nil {
		return page, err
	}
	before := int64(0)
	if position != nil {
		if before, err = strconv.ParseInt(position.ID, 10, 64); err != nil || before < 1 {
			return page, errNoCursor
		}
	}
	// One more than asked for: the last one is compared with it.
	versions, err := s.directory.SettingsVersions(ctx, p.Instance.ID, before, first+1)
	if err != nil {
		return page, unavailable(err)
	}
	parsed := make([]currentSettings, len(versions))
	for i, v := range versions {
		if parsed[i], err = parseSettings(v); err != nil {
			return page, err
		}
	}
	page.More = len(parsed) > first
	for i, c := range parsed[:min(first, len(parsed))] {
		r := RecordedSettings{InstanceSettings: s.instanceSettings(c)}
		if i+1 < len(parsed) {
			r.Changes = changesOf(parsed[i+1].Settings, c.Settings)
		}
		page.Items = append(page.Items, r)
		page.Cursors = append(page.Cursors, cursor(c.At, strconv.FormatInt(c.Version, 10)))
	}
	newest := p.Instance.SettingsVersion // versions have no gaps: it is their number
	if before == 0 && len(parsed) > 0 {
		newest = parsed[0].Version
	}
	page.Total = int(newest)
	return page, nil
}

// CompareSettings returns what changes from one version to another, older or newer.
func (s *Service) CompareSettings(ctx context.Context, p Principal, from, to int64) ([]SettingsChange, error) {
	if !p.Secret {
		return nil, ErrSecretKeyOnly
	}
	before, err := s.recorded(ctx, p, "from", from)
	if err != nil {
		return nil, err
	}
	after, err := s.recorded(ctx, p, "to", to)
	if err != nil {
		return nil, err
	}
	return changesOf(before.Settings, after.Settings), nil
}

// setting is one setting by its path. sealed is the secret itself where the value
// says only that there is one.
type setting struct{ path, value, sealed string }

// isSet ends the path of what is shown in the place of a secret.
const isSet = "Set"

// changesOf lists the settings that differ, in the order of the settings; those that
// are gone come last.
func changesOf(before, after Settings) []SettingsChange {
	was := map[string]setting{}
	for _, s := range before.list() {
		was[s.path] = s
	}
	var changes []SettingsChange
	for _, is := range after.list() {
		old := was[is.path]
		delete(was, is.path)
		switch {
		case old.value != is.value:
			changes = append(changes, SettingsChange{is.path, old.value, is.value})
		case old.sealed != is.sealed:
			changes = append(changes, SettingsChange{Setting: strings.TrimSuffix(is.path, isSet)})
		}
	}
	for _, s := range before.list() {
		if _, gone := was[s.path]; gone {
			changes = append(changes, SettingsChange{Setting: s.path, Before: s.value})
		}
	}
	return changes
}

// list returns all settings in their order. The list of providers is a list of their
// names; the providers follow.
func (s Settings) list() []setting { return settingsIn(nil, "", reflect.ValueOf(s)) }

// secretNames are what the input calls the sealed secret of a group of settings.
var secretNames = map[reflect.Type]string{
	reflect.TypeFor[ProviderSettings](): "clientSecret",
	reflect.TypeFor[BotProtection]():    "secretKey",
}

func settingsIn(list []setting, prefix string, group reflect.Value) []setting {
	for i := range group.NumField() {
		if !group.Type().Field(i).IsExported() { // made of the others
			continue
		}
		path := prefix + group.Type().Field(i).Tag.Get("json")
		value := group.Field(i)
		providers, ok := value.Interface().([]ProviderSettings)
		switch {
		case ok:
			names := []string{}
			for _, p := range providers {
				names = append(names, p.Name)
			}
			list = append(list, setting{path: path, value: jsonText(names)})
			for _, p := range providers {
				list = settingsIn(list, path+"."+p.Name+".", reflect.ValueOf(p))
			}
		case path == prefix+sealedSecret:
			sealed := value.String()
			list = append(list, setting{prefix + secretNames[group.Type()] + isSet, jsonText(sealed != ""), sealed})
		case value.Kind() == reflect.Struct:
			list = settingsIn(list, path+".", value)
		case value.Kind() == reflect.Slice && value.IsNil():
			list = append(list, setting{path: path, value: "[]"})
		default:
			list = append(list, setting{path: path, value: jsonText(value.Interface())})
		}
	}
	return list
}

// jsonText is a value as JSON, with & and < as they are.
func jsonText(value any) string {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		panic(err) // settings came from JSON
	}
	return strings.TrimSuffix(text.String(), "\n")
}
