package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"stepwise/internal/realtest"
)

// toggles are settings that can be switched whatever the others are, one for each
// administrator.
var toggles = []string{
	"testMode", "enumerationProtection", "firstName.required", "lastName.required",
	"password.rejectCommon", "password.rejectContext", "emailAddress.allowSubaddresses", "legalConsent.enabled",
}

// settingsChange is one line of the history.
type settingsChange struct {
	Setting       string
	Before, After *string
}

func (c settingsChange) String() string {
	show := func(value *string) string {
		if value == nil {
			return "nothing"
		}
		return *value
	}
	return c.Setting + ": " + show(c.Before) + " to " + show(c.After)
}

type settingsVersion struct {
	Version   int
	ChangedBy string
	Changes   []settingsChange
}

// settingsHistory reads the whole history, newest first, page by page.
func (c *client) settingsHistory(t testing.TB) []settingsVersion {
	t.Helper()
	var all []settingsVersion
	var after any
	for {
		var data struct {
			InstanceSettingsVersions struct {
				Nodes      []settingsVersion
				Edges      []struct{ Node settingsVersion }
				TotalCount int
				PageInfo   struct {
					HasNextPage bool
					EndCursor   string
				}
			}
		}
		c.query(t, `query($after: String) { instanceSettingsVersions(first: 30, after: $after) {
			nodes { version changedBy changes { setting before after } } edges { node { version } } totalCount pageInfo { hasNextPage endCursor }
		} }`, map[string]any{"after": after}, &data)
		page := data.InstanceSettingsVersions
		all = append(all, page.Nodes...)
		if len(page.Edges) != len(page.Nodes) {
			t.Fatalf("%d edges, %d nodes", len(page.Edges), len(page.Nodes))
		}
		if !page.PageInfo.HasNextPage {
			if page.TotalCount != len(all) {
				t.Errorf("totalCount %d, but %d versions", page.TotalCount, len(all))
			}
			return all
		}
		after = page.PageInfo.EndCursor
	}
}

// toggled is one change that an administrator made, or tried to make.
type toggled struct {
	by, name string
	on       bool
	version  int      // of the settings in the answer
	codes    []string // why it was refused
}

func (c *client) currentVersion() (version int, err error) {
	r, err := c.ask("{ instanceSettings { version } }", nil)
	if err != nil || len(r.Errors) > 0 {
		return 0, fmt.Errorf("%v: %.200s", err, r.Body)
	}
	var data struct{ InstanceSettings struct{ Version int } }
	err = json.Unmarshal(r.Data, &data)
	return data.InstanceSettings.Version, err
}

// toggle makes one change: of the administrator's own setting, and of one that they
// all change.
func (c *client) toggle(change toggled, expected int) (toggled, error) {
	input := placeText(map[string]any{"appName": change.by, "changedBy": change.by}, strings.Split(change.name, "."), change.on)
	if expected > 0 {
		input["expectedVersion"] = expected
	}
	r, err := c.ask(`mutation($input: InstanceSettingsUpdateInput!) {
		instanceSettingsUpdate(input: $input) { settings { version } userErrors { code } }
	}`, map[string]any{"input": input})
	if err != nil || len(r.Errors) > 0 {
		return change, fmt.Errorf("%v: %.200s", err, r.Body)
	}
	var data struct {
		InstanceSettingsUpdate struct {
			Settings   *struct{ Version int }
			UserErrors []userError
		}
	}
	if err := json.Unmarshal(r.Data, &data); err != nil {
		return change, err
	}
	for _, e := range data.InstanceSettingsUpdate.UserErrors {
		change.codes = append(change.codes, e.Code)
	}
	if data.InstanceSettingsUpdate.Settings != nil {
		change.version = data.InstanceSettingsUpdate.Settings.Version
	}
	return change, nil
}

// placeText puts a value at the end of a path of names.
func placeText(object map[string]any, path []string, value any) map[string]any {
	if len(path) == 1 {
		object[path[0]] = value
		return object
	}
	object[path[0]] = placeText(map[string]any{}, path[1:], value)
	return object
}

// TestConcurrentAdministrators: through two processes at once, with and without an
// expected version. There is one order of versions, and no change is lost.
func TestConcurrentAdministrators(t *testing.T) {
	if !needsRealStores(t) {
		return
	}
	t.Parallel()
	a, b, _ := pair(t)
	administrator := newAdministrator(t, a)
	first := settingsBy(t, administrator, 1)
	const rounds = 10
	var mu sync.Mutex
	var made, refused []toggled
	errs := make(chan error, len(toggles))
	begin := make(chan struct{})
	var running sync.WaitGroup
	for i, name := range toggles {
		mine := newAdministrator(t, []*realtest.ServerProgram{a, b}[i%2])
		on := first[name] == "true"
		running.Go(func() {
			<-begin
			for round := 0; round < rounds; {
				change := toggled{by: fmt.Sprintf("administrator %d, %d", i, round), name: name, on: !on}
				expected := 0
				if i%4 >= 2 { // two of each process look first
					var err error
					if expected, err = mine.currentVersion(); err != nil {
						errs <- err
						return
					}
				}
				change, err := mine.toggle(change, expected)
				if err != nil {
					errs <- err
					return
				}
				mu.Lock()
				if len(change.codes) > 0 {
					refused = append(refused, change)
				} else {
					made = append(made, change)
					round, on = round+1, !on
				}
				mu.Unlock()
			}
		})
	}
	close(begin)
	running.Wait()
	close(errs)
	for err := range errs {
		t.Fatal(err)
	}
	t.Logf("%d changes were made, %d refused", len(made), len(refused))
	stale := 0
	for _, r := range refused {
		switch {
		case slices.Equal(r.codes, []string{"STALE_VERSION"}):
			stale++
		case !slices.Equal(r.codes, []string{"CONFLICT"}):
			t.Errorf("%s was refused with %v", r.by, r.codes)
		}
	}
	if stale == 0 {
		t.Error("nobody was ever late: the test is no race")
	}

	history := administrator.settingsHistory(t)
	if len(history) != 1+len(made) {
		t.Fatalf("%d versions after %d changes", len(history), len(made))
	}
	slices.Reverse(history)
	by := map[int]toggled{}
	for _, m := range made {
		by[m.version] = m
	}
	state := first
	for i, v := range history {
		if v.Version != i+1 {
			t.Fatalf("version %d after %d", v.Version, i)
		}
		if i == 0 {
			continue
		}
		m, known := by[v.Version]
		want := []string{
			fmt.Sprintf("%s: %t to %t", m.name, !m.on, m.on),
			fmt.Sprintf("appName: %s to %q", state["appName"], m.by),
		}
		var got []string
		for _, c := range v.Changes {
			got = append(got, c.String())
			state[c.Setting] = *c.After
		}
		slices.Sort(got)
		slices.Sort(want)
		if !known || v.ChangedBy != m.by || !slices.Equal(got, want) {
			t.Fatalf("version %d by %q: %v\nwant %q: %v", v.Version, v.ChangedBy, got, m.by, want)
		}
	}
	for name, server := range map[string]*realtest.ServerProgram{"one process": a, "the other": b} {
		last := settingsBy(t, administrator.at(server), len(history))
		for path, value := range last {
			if state[path] != value {
				t.Errorf("%s has %s %s; replayed it is %s", name, path, value, state[path])
			}
		}
		if version, err := administrator.at(server).currentVersion(); err != nil || version != len(history) {
			t.Errorf("%s is at version %d, %v; want %d", name, version, err, len(history))
		}
	}
}

// settingsBy returns the settings of a version that toggles concern, as JSON by path.
func settingsBy(t testing.TB, c *client, version int) map[string]string {
	t.Helper()
	var data struct {
		InstanceSettings struct{ Export map[string]any }
	}
	c.query(t, "query($version: Int) { instanceSettings(version: $version) { export } }", map[string]any{"version": version}, &data)
	all := map[string]string{}
	for _, path := range append([]string{"appName"}, toggles...) {
		var value any = data.InstanceSettings.Export
		for name := range strings.SplitSeq(path, ".") {
			value = value.(map[string]any)[name]
		}
		all[path] = asJSON(t, value)
	}
	return all
}

// TestSettingsReachTheOtherProcess: within a second, by query and by a subscription
// that runs.
func TestSettingsReachTheOtherProcess(t *testing.T) {
	if !needsRealStores(t) {
		return
	}
	t.Parallel()
	a, b, _ := pair(t)
	administrator := newAdministrator(t, a)
	visitor := newClient(t, b)
	open := begin(t, visitor, "reached@example.com")
	var watched []*subscription
	for _, subscribe := range transports {
		w := subscribe(visitor, t, open.ID)
		w.next(t)
		watched = append(watched, w)
	}
	var took []time.Duration
	for round := range 5 {
		required := round%2 == 0
		version := administrator.changeSettings(t, map[string]any{"lastName": map[string]any{"required": required}})
		changed := time.Now()
		says := func(s signUp) bool {
			return s.SettingsVersion == version && slices.Contains(s.MissingFields, "LAST_NAME") == required
		}
		if now := visitor.read(t, ""); !says(*now) {
			t.Errorf("the next read has settings %d, missing %v; want %d", now.SettingsVersion, now.MissingFields, version)
		}
		for _, w := range watched {
			w.await(t, "the change of settings", says)
		}
		took = append(took, time.Since(changed))
	}
	slices.Sort(took)
	t.Logf("a change is seen at the other process after %v", took)
	if median := took[len(took)/2]; median > time.Second {
		t.Errorf("a change is seen after %v, want within a second", median)
	}
}
