package signup

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// ParseSettingsFile reads a settings file: a patch in which secrets may be named by
// variables of the environment, which getenv looks up. Everything that is wrong is
// told at once, each with its path.
func ParseSettingsFile(data []byte, getenv func(string) string) (SettingsPatch, error) {
	p, err := ParseSettingsPatch(data)
	if err != nil {
		return p, err
	}
	return p, p.lookUpSecrets(getenv)
}

// lookUpSecrets puts the secrets into the places of the variables that hold them.
func (p SettingsPatch) lookUpSecrets(getenv func(string) string) error {
	var wrong []error
	lookUp := func(secret, variable **string, path string) {
		switch {
		case *variable == nil:
			return
		case *secret != nil:
			wrong = append(wrong, fmt.Errorf("settings: %sEnv: give it or the secret itself, not both", path))
		case **variable == "" || getenv(**variable) == "":
			wrong = append(wrong, fmt.Errorf("settings: %sEnv: the environment has no variable of this name, or an empty one", path))
		default:
			value := getenv(**variable)
			*secret = &value
		}
		*variable = nil
	}
	if p.ExternalAccount != nil {
		for i := range p.ExternalAccount.Providers {
			provider := &p.ExternalAccount.Providers[i]
			lookUp(&provider.ClientSecret, &provider.ClientSecretEnv, "externalAccount.providers."+nameOr(provider.Name, i)+".clientSecret")
		}
	}
	if p.BotProtection != nil {
		lookUp(&p.BotProtection.SecretKey, &p.BotProtection.SecretKeyEnv, "botProtection.secretKey")
	}
	return errors.Join(wrong...)
}

// ParseSettingsPatch reads a patch. Unknown names and wrong types are errors, all of
// them, each with its path.
func ParseSettingsPatch(data []byte) (SettingsPatch, error) {
	var p SettingsPatch
	d := json.NewDecoder(bytes.NewReader(data))
	var whole json.RawMessage
	err := d.Decode(&whole)
	if errors.Is(err, io.EOF) {
		return p, errors.New("settings: there is no JSON object")
	}
	if err != nil {
		return p, fmt.Errorf("settings: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return p, errors.New("settings: there is text after the JSON object")
	}
	if wrong := misshapen(whole, reflect.TypeFor[SettingsPatch](), ""); len(wrong) > 0 {
		return p, errors.Join(wrong...)
	}
	return p, json.Unmarshal(whole, &p)
}

// misshapen returns what in the JSON value does not fit the type.
func misshapen(value json.RawMessage, t reflect.Type, path string) []error {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if string(value) == "null" && path != "" { // leaves as it is
		return nil
	}
	wrongType := []error{fmt.Errorf("settings: %shas the wrong type, a JSON %s", colon(path), kindOf(value))}
	switch t.Kind() {
	case reflect.Struct:
		var members map[string]json.RawMessage
		if json.Unmarshal(value, &members) != nil || members == nil {
			return wrongType
		}
		return misshapenMembers(members, t, path)
	case reflect.Slice:
		var elements []json.RawMessage
		if json.Unmarshal(value, &elements) != nil {
			return wrongType
		}
		var wrong []error
		for i, element := range elements {
			wrong = append(wrong, misshapen(element, t.Elem(), below(path, strconv.Itoa(i)))...)
		}
		return wrong
	}
	if json.Unmarshal(value, reflect.New(t).Interface()) != nil {
		return wrongType
	}
	return nil
}

func misshapenMembers(members map[string]json.RawMessage, t reflect.Type, path string) []error {
	known := map[string]reflect.Type{}
	for i := range t.NumField() {
		if name := t.Field(i).Tag.Get("json"); name != "" {
			known[name] = t.Field(i).Type
		}
	}
	var wrong []error
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if known[name] == nil {
			wrong = append(wrong, fmt.Errorf("settings: %sthere is no setting %q", colon(path), name))
			continue
		}
		wrong = append(wrong, misshapen(members[name], known[name], below(path, name))...)
	}
	return wrong
}

func below(path, name string) string { return strings.TrimPrefix(path+"."+name, ".") }

func colon(path string) string {
	if path == "" {
		return ""
	}
	return path + ": "
}

// kindOf names what a JSON value is.
func kindOf(value json.RawMessage) string {
	switch value[0] {
	case '{':
		return "object"
	case '[':
		return "array"
	case '"':
		return "string"
	case 't', 'f':
		return "boolean"
	case 'n':
		return "null"
	}
	return "number"
}
