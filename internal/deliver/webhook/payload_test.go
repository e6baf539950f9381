package webhook

import (
	"strings"
	"testing"
	"time"

	"stepwise/internal/signup"
)

func TestPayload(t *testing.T) {
	for _, c := range []struct {
		name  string
		event signup.Event
		want  string // empty: it can never be sent
	}{
		{"plain", signup.Event{ID: "evt_1", Kind: "user.created", Body: []byte(`{"id":"user_1"}`), At: testTime},
			`{"type":"user.created","timestamp":"2026-03-29T01:59:00.123Z","data":{"id":"user_1"}}`},
		{"another zone, whole second", signup.Event{ID: "evt-2", Kind: "session.created", Body: []byte(` {"a" : [1.0, null]} `),
			At: time.Date(2026, 1, 1, 1, 0, 0, 0, time.FixedZone("", 3600))},
			`{"type":"session.created","timestamp":"2026-01-01T00:00:00.000Z","data":{"a":[1.0,null]}}`},
		{"no escapes of HTML", signup.Event{ID: "e", Kind: "k", Body: []byte(`"<b>&ü"`), At: testTime},
			`{"type":"k","timestamp":"2026-03-29T01:59:00.123Z","data":"<b>&ü"}`},
		{"a full stop in the id", signup.Event{ID: "evt.1", Kind: "k", Body: []byte(`{}`)}, ""},
		{"a line in the id", signup.Event{ID: "evt\n1", Kind: "k", Body: []byte(`{}`)}, ""},
		{"a line after the id", signup.Event{ID: "evt\n", Kind: "k", Body: []byte(`{}`)}, ""},
		{"no id", signup.Event{Kind: "k", Body: []byte(`{}`)}, ""},
		{"a long id", signup.Event{ID: strings.Repeat("e", 129), Kind: "k", Body: []byte(`{}`)}, ""},
		{"no kind", signup.Event{ID: "e", Body: []byte(`{}`)}, ""},
		{"no body", signup.Event{ID: "e", Kind: "k"}, ""},
		{"a broken body", signup.Event{ID: "e", Kind: "k", Body: []byte(`{`)}, ""},
	} {
		got, err := payload(c.event)
		if string(got) != c.want || (err != nil) != (c.want == "") {
			t.Errorf("%s: %s, %v", c.name, got, err)
		}
	}
}
