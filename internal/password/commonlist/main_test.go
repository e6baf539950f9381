package main

import (
	"slices"
	"testing"
)

func TestParse(t *testing.T) {
	got, err := parse([]byte(`{"List": ["sunshine", "Password", "password", " abc ", ""]}`))
	if want := []string{"abc", "password", "sunshine"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("parse = %q, %v; want %q", got, err, want)
	}
	for _, bad := range []string{`{"List": []}`, `{}`, `not JSON`} {
		if _, err := parse([]byte(bad)); err == nil {
			t.Errorf("parse(%q) found a list", bad)
		}
	}
}
