package password

import (
	"context"
	"fmt"
	"strings"
	"testing"
)

// A password appears in nothing that comes back.
func TestNoErrorContainsThePassword(t *testing.T) {
	const canary = "canary-7f3a-password"
	h := newHasher(t, Config{Params: cheap, Concurrency: 1, MaxQueue: 1})
	phc, err := h.Hash(t.Context(), canary)
	if err != nil {
		t.Fatal(err)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	expired, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()

	var said []string
	note := func(err error) {
		if err == nil {
			t.Error("expected an error")
		}
		said = append(said, fmt.Sprintf("%v %+v %#v", err, err, err))
	}
	for _, ctx := range []context.Context{cancelled, expired} {
		_, err = h.Hash(ctx, canary)
		note(err)
		_, err = h.Verify(ctx, phc, canary)
		note(err)
	}
	for _, bad := range []string{canary + "\x00", canary + "\xff", strings.Repeat(canary, 1000)} {
		_, err = h.Hash(t.Context(), bad)
		note(err)
		said = append(said, fmt.Sprintf("%+v", DefaultPolicy.Check(bad)))
	}
	_, err = h.Verify(t.Context(), canary, canary)
	note(err)
	said = append(said, fmt.Sprintf("%+v", DefaultPolicy.Check(canary, canary)), fmt.Sprintf("%+v", h))
	for _, s := range said {
		if strings.Contains(s, "canary") {
			t.Errorf("%q contains the password", s)
		}
	}
	if strings.Contains(phc, "canary") {
		t.Error("the hash contains the password")
	}
}
