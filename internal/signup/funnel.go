package signup

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"stepwise/engine"
)

// FunnelQuery selects sign-ups; zero values select all.
type FunnelQuery struct {
	// Version is the version of the settings that a sign-up ended under, or, while it
	// is open, was last looked at under.
	Version int64
	Path    engine.Path
}

// Funnel is how far sign-ups come.
type Funnel struct {
	Total    Counts
	Ways     []WayCounts
	Fields   []FieldCounts
	Versions []VersionCounts
	// InPart: more are open than were looked at.
	InPart bool
}

// Counts are of sign-ups, by what became of them.
type Counts struct{ Completed, Abandoned, Open int64 }

// Opened is how many there are in all.
func (c Counts) Opened() int64 { return c.Completed + c.Abandoned + c.Open }

func (c *Counts) add(n numbers) {
	c.Completed, c.Abandoned, c.Open = c.Completed+n.completed, c.Abandoned+n.abandoned, c.Open+n.open
}

// WayCounts are of the sign-ups that came in by one way.
type WayCounts struct {
	engine.Way
	Counts
}

// VersionCounts are of the sign-ups under one version of the settings.
type VersionCounts struct {
	Version int64
	Counts
}

// FieldCounts say of how many sign-ups a field has a value, of whomever, and of how
// many it is verified. Missing and Unverified count those that did not complete and in
// whose way the field stands.
type FieldCounts struct {
	Attribute           engine.Attribute
	Given, Verified     int64
	Missing, Unverified int64
}

// Funnel returns how far the sign-ups of the instance came, those that are open
// included. Sign-ups that were converted before shapes were counted are in the total
// and in the versions only; with a path asked for, nowhere. A version that there is not
// is an error of the request.
func (s *Service) Funnel(ctx context.Context, p Principal, q FunnelQuery) (Funnel, error) {
	if !p.Secret {
		return Funnel{}, ErrSecretKeyOnly
	}
	if q.Version != 0 {
		if _, err := s.recorded(ctx, p, "settingsVersion", q.Version); err != nil {
			return Funnel{}, err
		}
	}
	counts, err := s.directory.Shapes(ctx, p.Instance.ID)
	if err != nil {
		return Funnel{}, unavailable(err)
	}
	f := funnel{query: q, ways: map[engine.Way]*Counts{}, versions: map[int64]*Counts{}}
	settings := map[int64]engine.Settings{}
	for _, c := range counts {
		if settings[c.SettingsVersion], err = s.requirementsOf(ctx, p.Instance.ID, c.SettingsVersion, settings); err != nil {
			return Funnel{}, err
		}
		n := numbers{abandoned: c.Count}
		if c.Outcome == ShapeComplete {
			n = numbers{completed: c.Count}
		}
		f.shape(engine.Shape(c.Shape), c.SettingsVersion, settings[c.SettingsVersion], n)
	}
	current, err := s.settingsAt(ctx, p.Instance.ID, p.Instance.SettingsVersion)
	if err != nil {
		return Funnel{}, err
	}
	live := s.live(p.Instance.ID)
	for a := range live.all(ctx) {
		f.add(a.Attempt, a.SettingsVersion, current.Requirements(), numbers{open: 1})
	}
	if live.err != nil {
		return Funnel{}, unavailable(live.err)
	}
	return f.result(live.cut), nil
}

// requirementsOf returns what the engine reads of a version; known are those that were
// looked up before.
func (s *Service) requirementsOf(ctx context.Context, instance string, version int64, known map[int64]engine.Settings) (engine.Settings, error) {
	if settings, ok := known[version]; ok {
		return settings, nil
	}
	settings, err := s.settingsOf(ctx, instance, version)
	if err != nil {
		return engine.Settings{}, err
	}
	requirements := settings.Requirements()
	requirements.Restrictions = engine.Restrictions{} // which shapes cannot meet
	return requirements, nil
}

// funnel adds sign-ups up.
type funnel struct {
	query    FunnelQuery
	total    Counts
	ways     map[engine.Way]*Counts
	versions map[int64]*Counts
	fields   [engine.NumAttributes]FieldCounts
}

func (f *funnel) shape(shape engine.Shape, version int64, settings engine.Settings, n numbers) {
	a, err := shape.Attempt()
	if err == nil {
		f.add(a, version, settings, n)
		return
	}
	if f.query.Path == "" && (f.query.Version == 0 || f.query.Version == version) {
		f.total.add(n)
		countsOf(f.versions, version).add(n)
	}
}

func (f *funnel) add(a engine.Attempt, version int64, settings engine.Settings, n numbers) {
	way := a.Way()
	if f.query.Path != "" && f.query.Path != way.Path || f.query.Version != 0 && f.query.Version != version {
		return
	}
	f.total.add(n)
	countsOf(f.versions, version).add(n)
	countsOf(f.ways, way).add(n)
	v := engine.Evaluate(settings, a)
	_, proved := engine.Values(settings, a)
	for _, attribute := range engine.All.List() {
		field := &f.fields[attribute]
		for sum, in := range map[*int64]engine.Set{&field.Given: v.Present, &field.Verified: proved | v.Present&engine.Proven} {
			if in.Has(attribute) {
				*sum += n.all()
			}
		}
		for sum, in := range map[*int64]engine.Set{&field.Missing: v.Missing, &field.Unverified: v.Unverified} {
			if in.Has(attribute) {
				*sum += n.abandoned + n.open
			}
		}
	}
}

func countsOf[K comparable](counts map[K]*Counts, key K) *Counts {
	if counts[key] == nil {
		counts[key] = &Counts{}
	}
	return counts[key]
}

func (f *funnel) result(inPart bool) Funnel {
	result := Funnel{Total: f.total, InPart: inPart}
	for attribute, field := range f.fields {
		field.Attribute = engine.Attribute(attribute)
		result.Fields = append(result.Fields, field)
	}
	for _, way := range slices.SortedFunc(maps.Keys(f.ways), compareWays) {
		result.Ways = append(result.Ways, WayCounts{way, *f.ways[way]})
	}
	for _, version := range slices.Sorted(maps.Keys(f.versions)) {
		result.Versions = append(result.Versions, VersionCounts{version, *f.versions[version]})
	}
	return result
}

func compareWays(a, b engine.Way) int {
	return cmp.Or(cmp.Compare(slices.Index(paths, a.Path), slices.Index(paths, b.Path)), cmp.Compare(a.Provider, b.Provider))
}
