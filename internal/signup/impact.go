package signup

import (
	"cmp"
	"slices"

	"stepwise/engine"
)

// Impact is what a change of settings does to some sign-ups. A sign-up can be asked for
// one thing and freed of another; it then counts in both.
type Impact struct {
	SignUps   int64
	Unchanged int64
	Asked     int64
	Blocked   int64
	Freed     int64
	// Completing have nothing in their way afterwards, and had before.
	Completing int64
	// Unknown are those of whose shape nothing is known: they were converted before
	// shapes were counted.
	Unknown int64
	// Effects are in the order of the ways in, and of fields within each.
	Effects []EffectCount
}

// EffectCount is how many sign-ups that came in by one way an effect meets, by how
// they ended or whether they are open.
type EffectCount struct {
	engine.Way
	engine.Effect
	Counts
}

// tally adds up what a change does, sign-up by sign-up.
type tally struct {
	before, after engine.Settings
	impact        Impact
	effects       map[effectOf]*Counts
}

type effectOf struct {
	engine.Way
	engine.Effect
}

// numbers are how many sign-ups are alike.
type numbers struct{ open, completed, abandoned int64 }

func (n numbers) all() int64 { return n.open + n.completed + n.abandoned }

func newTally(before, after engine.Settings) *tally {
	return &tally{before: before, after: after, effects: map[effectOf]*Counts{}}
}

// shape adds sign-ups of a shape that have ended, as they would come anew. Shapes have
// no values, so restrictions cannot be told of them.
func (t *tally) shape(shape engine.Shape, n numbers) {
	before, after := t.before, t.after
	before.Restrictions, after.Restrictions = engine.Restrictions{}, engine.Restrictions{}
	a, err := shape.Attempt()
	if err != nil {
		t.impact.Unknown += n.all()
		return
	}
	t.add(a.Way(), engine.StandingOf(before, a.Judged(before)), engine.StandingOf(after, a.Judged(after)), n)
}

// open adds a sign-up that goes on, as it is.
func (t *tally) open(a engine.Attempt) {
	t.add(a.Way(), engine.StandingOf(t.before, a), engine.StandingOf(t.after, a), numbers{open: 1})
}

func (t *tally) add(way engine.Way, before, after engine.Standing, n numbers) {
	t.impact.SignUps += n.all()
	effects := engine.Effects(before, after)
	if len(effects) == 0 {
		t.impact.Unchanged += n.all()
	}
	kinds := map[engine.EffectKind]bool{}
	for _, e := range effects {
		kinds[e.Kind] = true
		countsOf(t.effects, effectOf{way, e}).add(n)
	}
	for kind, sum := range map[engine.EffectKind]*int64{
		engine.EffectAsked: &t.impact.Asked, engine.EffectBlocked: &t.impact.Blocked, engine.EffectFreed: &t.impact.Freed,
	} {
		if kinds[kind] {
			*sum += n.all()
		}
	}
	if after.Satisfied() && !before.Satisfied() {
		t.impact.Completing += n.all()
	}
}

// total returns the sums.
func (t *tally) total() Impact {
	list := make([]EffectCount, 0, len(t.effects))
	for of, counts := range t.effects {
		list = append(list, EffectCount{of.Way, of.Effect, *counts})
	}
	slices.SortFunc(list, func(a, b EffectCount) int {
		return cmp.Or(
			compareWays(a.Way, b.Way), cmp.Compare(a.Blocker, b.Blocker), cmp.Compare(a.Attribute, b.Attribute), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Reason, b.Reason),
		)
	})
	t.impact.Effects = list
	return t.impact
}

// paths are the ways in, in the order in which they are told.
var paths = []engine.Path{engine.PathForm, engine.PathOAuth, engine.PathWallet, engine.PathTicket}
