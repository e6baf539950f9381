package signup

import (
	"context"

	"stepwise/engine"
)

// Preview is what a change of settings would do if it were made now. Nothing is
// written.
type Preview struct {
	// Settings are as they would be.
	Settings Foreseen
	Changes  []SettingsChange
	// Open is what happens to the sign-ups that are open: what each will be told at
	// its next evaluation. OpenInPart: there are more than were looked at.
	Open       Impact
	OpenInPart bool
	// Ended is what would be asked of those that have ended, came they anew: the
	// instance's own traffic, by its shapes.
	Ended Impact
}

// PreviewSettings says what a patch would do, or why it would be refused.
func (s *Service) PreviewSettings(ctx context.Context, p Principal, patch SettingsPatch) (Preview, []Problem, error) {
	if !p.Secret {
		return Preview{}, nil, ErrSecretKeyOnly
	}
	current, next, problems, err := s.revised(ctx, p, patch)
	if err != nil || len(problems) > 0 {
		return Preview{}, problems, err
	}
	proposed := current
	proposed.Settings = next
	var preview Preview
	if preview.Settings, err = s.Foresee(ctx, p, s.instanceSettings(proposed)); err != nil {
		return Preview{}, nil, err
	}
	preview.Changes = changesOf(current.Settings, next)
	before, after := current.Requirements(), next.Requirements()
	if preview.Ended, err = s.impactOnEnded(ctx, p.Instance.ID, before, after); err != nil {
		return Preview{}, nil, err
	}
	preview.Open, preview.OpenInPart, err = s.impactOnOpen(ctx, p.Instance.ID, before, after)
	return preview, nil, err
}

func (s *Service) impactOnEnded(ctx context.Context, instance string, before, after engine.Settings) (Impact, error) {
	counts, err := s.directory.Shapes(ctx, instance)
	if err != nil {
		return Impact{}, unavailable(err)
	}
	alike := map[engine.Shape]numbers{} // whatever the settings were that they ended under
	for _, c := range counts {
		n := alike[engine.Shape(c.Shape)]
		if c.Outcome == ShapeComplete {
			n.completed += c.Count
		} else {
			n.abandoned += c.Count
		}
		alike[engine.Shape(c.Shape)] = n
	}
	t := newTally(before, after)
	for shape, n := range alike {
		t.shape(shape, n)
	}
	return t.total(), nil
}

func (s *Service) impactOnOpen(ctx context.Context, instance string, before, after engine.Settings) (Impact, bool, error) {
	t := newTally(before, after)
	live := s.live(instance)
	for a := range live.all(ctx) {
		t.open(a.Attempt)
	}
	if live.err != nil {
		return Impact{}, false, unavailable(live.err)
	}
	return t.total(), live.cut, nil
}
