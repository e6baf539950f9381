package directorytest

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"stepwise/internal/signup"
)

// shaped is a conversion of a sign-up of that shape.
func shaped(attempt, shape string) signup.Conversion {
	return changed(conversion(attempt, "client_"+attempt, username(attempt)), func(made *signup.Creation) { made.Shape = shape })
}

func ended(attempt string, version int64, shape string) signup.EndedAttempt {
	return signup.EndedAttempt{AttemptID: "sua_" + attempt, SettingsVersion: version, Shape: shape, At: moment}
}

// abandons reports sign-ups at their end and says how many were counted.
func (f *fixture) abandons(list ...signup.EndedAttempt) int {
	f.Helper()
	n, err := f.Directory.CountAbandoned(f.Context(), inst, moment, list)
	f.must(err)
	return n
}

func (f *fixture) wantShapes(instance string, counts ...signup.ShapeCount) {
	f.Helper()
	got, err := f.Directory.Shapes(f.Context(), instance)
	f.must(err)
	want(f, "the counts of "+instance, append([]signup.ShapeCount{}, got...), append([]signup.ShapeCount{}, counts...))
}

func complete(version int64, shape string, n int64) signup.ShapeCount {
	return signup.ShapeCount{SettingsVersion: version, Outcome: signup.ShapeComplete, Shape: shape, Count: n}
}

func abandoned(version int64, shape string, n int64) signup.ShapeCount {
	return signup.ShapeCount{SettingsVersion: version, Outcome: signup.ShapeAbandoned, Shape: shape, Count: n}
}

// reconcile expects the counts of completed sign-ups of all instances to add up to
// the conversions. It closes every test.
func (f *fixture) reconcile() {
	f.Helper()
	instances, err := f.Directory.InstanceIDs(f.Context())
	f.must(err)
	sum := 0
	for _, instance := range instances {
		counts, err := f.Directory.Shapes(f.Context(), instance)
		f.must(err)
		for _, c := range counts {
			if c.Outcome == signup.ShapeComplete {
				sum += int(c.Count)
			}
		}
	}
	want(f, "the count of completed sign-ups", sum, f.Rows()["conversions"])
}

func testShapes(f *fixture) {
	f.first()
	f.AddInstance(newInstance("inst_2"))
	f.wantShapes(inst)
	f.convert(shaped("a", "form"))
	f.convert(shaped("b", "form"))
	f.convert(shaped("c", ""))
	f.must(f.Directory.SaveSettings(f.Context(), inst, signup.SettingsVersion{Version: 2, Body: []byte(`{}`), By: "x", At: moment}))
	f.convert(shaped("d", "form"))
	other := shaped("a2", "form")
	other.Instance = "inst_2"
	f.convert(other)
	want(f, "the number that was counted", f.abandons(ended("e", 1, "form"), ended("f", 2, "form"), ended("g", 2, "form")), 3)

	counts := []signup.ShapeCount{complete(1, "", 1), complete(1, "form", 2), abandoned(1, "form", 1), complete(2, "form", 1), abandoned(2, "form", 2)}
	f.wantShapes(inst, counts...)
	f.wantShapes("inst_2", complete(1, "form", 1))
	f.wantShapes("inst_none")
	instances, err := f.Directory.InstanceIDs(f.Context())
	f.must(err)
	want(f, "the instances", instances, []string{inst, "inst_2"})
	f.Directory = f.Reopen()
	f.wantShapes(inst, counts...)
}

// What was made before, or refused, counts nothing.
func testShapesOnce(f *fixture) {
	f.first()
	for range 3 {
		f.convert(shaped("a", "form"))
	}
	again := shaped("a", "another")
	f.convert(again)

	refused := shaped("b", "form")
	refused.Build = func(signup.SettingsVersion, *signup.Invitation) (signup.Creation, bool) {
		return signup.Creation{}, false
	}
	_, err := f.Directory.Convert(f.Context(), refused)
	f.wantError(err, signup.ErrNotSatisfied)
	_, err = f.Directory.Convert(f.Context(), changed(shaped("c", "form"), func(made *signup.Creation) {
		made.User.Identifiers = []signup.Identifier{username("a")}
	}))
	want(f, "what is taken", f.takenBy(err), []signup.Identifier{username("a")})
	f.wantShapes(inst, complete(1, "form", 1))
	f.convert(shaped("b", "form"))
	f.wantShapes(inst, complete(1, "form", 2))
}

func testShapesRace(f *fixture) {
	f.first()
	const n = 32
	_, errs := together(f, n, func(d signup.Directory, i int) (signup.Converted, error) {
		return d.Convert(f.Context(), shaped(fmt.Sprint(i), "form"))
	})
	f.must(errors.Join(errs...))
	f.wantShapes(inst, complete(1, "form", n))

	// Copies of one conversion count once.
	_, errs = together(f, n, func(d signup.Directory, i int) (signup.Converted, error) {
		return d.Convert(f.Context(), shaped("same", "form"))
	})
	f.must(errors.Join(errs...))
	f.wantShapes(inst, complete(1, "form", n+1))
}

func testAbandoned(f *fixture) {
	f.first()
	f.convert(shaped("a", "form"))
	want(f, "the number of converted ones that were counted", f.abandons(ended("a", 1, "form")), 0)
	want(f, "the number that was counted", f.abandons(ended("b", 1, "form"), ended("a", 1, "form"), ended("b", 1, "form")), 1)
	for range 3 {
		want(f, "the number that was counted again", f.abandons(ended("b", 1, "form"), ended("b", 2, "other")), 0)
	}
	f.Directory = f.Reopen()
	want(f, "the number that was counted after a restart", f.abandons(ended("b", 1, "form"), ended("c", 1, "form")), 1)
	want(f, "the number of none", f.abandons(), 0)
	f.wantShapes(inst, complete(1, "form", 1), abandoned(1, "form", 2))
	want(f, "the number of conversions", f.Rows()["conversions"], 1)
}

// One that was counted as abandoned and is converted after all is complete and
// nothing else.
func testAbandonedThenConverted(f *fixture) {
	f.first()
	f.abandons(ended("a", 7, "old"), ended("b", 7, "old"))
	refused := shaped("a", "form")
	refused.Build = func(signup.SettingsVersion, *signup.Invitation) (signup.Creation, bool) {
		return signup.Creation{}, false
	}
	_, err := f.Directory.Convert(f.Context(), refused)
	f.wantError(err, signup.ErrNotSatisfied)
	f.wantShapes(inst, abandoned(7, "old", 2))

	f.convert(shaped("a", "form"))
	f.convert(shaped("a", "form"))
	f.wantShapes(inst, complete(1, "form", 1), abandoned(7, "old", 1))
	want(f, "the number that was counted", f.abandons(ended("a", 7, "old")), 0)
	f.convert(shaped("b", "form"))
	f.wantShapes(inst, complete(1, "form", 2))
}

func testAbandonedRace(f *fixture) {
	f.first()
	const n, sweepers = 20, 8
	var list []signup.EndedAttempt
	for i := range n {
		list = append(list, ended(fmt.Sprint(i), 1, "form"))
	}
	counted, errs := together(f, sweepers, func(d signup.Directory, i int) (int, error) {
		return d.CountAbandoned(f.Context(), inst, moment, slices.Concat(list[i*2:], list[:i*2]))
	})
	f.must(errors.Join(errs...))
	sum := 0
	for _, c := range counted {
		sum += c
	}
	want(f, "the number that all have counted", sum, n)
	f.wantShapes(inst, abandoned(1, "form", n))

	// Whether a sign-up is first converted or first counted, it is one of both.
	_, errs = together(f, n, func(d signup.Directory, i int) (none struct{}, err error) {
		if attempt := fmt.Sprint("x", i/2); i%2 == 0 {
			_, err = d.Convert(f.Context(), shaped(attempt, "form"))
		} else {
			_, err = d.CountAbandoned(f.Context(), inst, moment, []signup.EndedAttempt{ended(attempt, 1, "form")})
		}
		return none, err
	})
	f.must(errors.Join(errs...))
	f.wantShapes(inst, complete(1, "form", n/2), abandoned(1, "form", n))
}

// What is remembered is forgotten, and not counted anew.
func testAbandonedForgotten(f *fixture) {
	f.first()
	f.abandons(ended("a", 1, "form"))
	for hour := range 100 {
		now := moment.Add(time.Duration(hour) * time.Hour)
		n, err := f.Directory.CountAbandoned(f.Context(), inst, now, []signup.EndedAttempt{
			ended("a", 1, "form"), {AttemptID: fmt.Sprint("sua_at_", hour), SettingsVersion: 1, Shape: "later", At: now},
		})
		f.must(err)
		want(f, fmt.Sprintf("the number that was counted after %d hours", hour), n, 1)
	}
	if left := f.Rows()["abandonments"]; left < 48 || left > 52 {
		f.Errorf("%d of 101 are remembered, want those of two days", left)
	}
	f.wantShapes(inst, abandoned(1, "form", 1), abandoned(1, "later", 100))
}
