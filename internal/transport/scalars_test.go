package transport

import (
	"encoding/json"
	"testing"
)

func TestIsOfScalar(t *testing.T) {
	for _, test := range []struct {
		name  string
		value any
		want  bool
	}{
		{"String", "7", true}, {"String", json.Number("7"), false}, {"String", true, false},
		{"Boolean", true, true}, {"Boolean", "true", false}, {"Boolean", json.Number("1"), false},
		{"Int", json.Number("2147483647"), true}, {"Int", json.Number("2147483648"), false}, {"Int", json.Number("1.0"), false},
		{"Int", "7", false}, {"Int", int64(7), true}, {"Int", int64(1) << 40, false},
		{"ID", "a", true}, {"ID", json.Number("7"), true}, {"ID", json.Number("1.5"), false}, {"ID", true, false},
		{"Float", json.Number("1.5"), true}, {"Float", json.Number("1"), true}, {"Float", "1.5", false},
		{"JSON", "anything", true},
		{"DateTime", "2041-05-01T09:00:00Z", true}, {"DateTime", "2041-05-01T09:00:00.123+02:00", true}, {"DateTime", "yesterday", false},
		{"DateTime", "2041-05-01", false}, {"DateTime", "", false}, {"DateTime", json.Number("7"), false},
	} {
		if got := isOfScalar(test.name, test.value); got != test.want {
			t.Errorf("%s %T %v: %t, want %t", test.name, test.value, test.value, got, test.want)
		}
	}
}
