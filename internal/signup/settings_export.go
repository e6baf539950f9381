package signup

import (
	"bytes"
	"encoding/json"
)

// sealedSecret is what secrets are called where settings are stored.
const sealedSecret = "sealedSecret"

// Export returns all settings in the shape of the mutation's input and of a settings
// file, without secrets. Applied to the settings it came from it changes nothing;
// applied to those of a new instance it makes the same ones, but for secrets, which
// have to be added.
func (s Settings) Export() (map[string]any, error) {
	body, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	exported := map[string]any{}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber() // the id of a chain can have more digits than a float
	if err := d.Decode(&exported); err != nil {
		return nil, err
	}
	asInput(exported)
	return exported, nil
}

// asInput turns what is stored into what can be given: no secrets, no list that is
// null, which would leave another as it is, and no preset where there is none, which
// the mutation has no name for.
func asInput(group map[string]any) {
	delete(group, sealedSecret)
	if group["preset"] == "" {
		delete(group, "preset")
	}
	for name, value := range group {
		switch value := value.(type) {
		case nil:
			group[name] = []any{}
		case map[string]any:
			asInput(value)
		case []any:
			for _, element := range value {
				if inner, ok := element.(map[string]any); ok {
					asInput(inner)
				}
			}
		}
	}
}
