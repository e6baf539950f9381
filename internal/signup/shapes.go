package signup

import (
	"context"
	"time"
)

// ShapeOutcome is how a sign-up ended that was counted.
type ShapeOutcome string

// A sign-up that was opened ends in one of these.
const (
	ShapeComplete  ShapeOutcome = "COMPLETE"
	ShapeAbandoned ShapeOutcome = "ABANDONED"
)

// ShapeCount is how many sign-ups of one shape ended so under one version of the
// settings.
type ShapeCount struct {
	SettingsVersion int64
	Outcome         ShapeOutcome
	// Shape is empty for sign-ups that were converted before shapes were counted.
	Shape string
	Count int64
}

// EndedAttempt is a sign-up that was abandoned.
type EndedAttempt struct {
	AttemptID string
	// SettingsVersion is the version under which it was last looked at.
	SettingsVersion int64
	Shape           string
	At              time.Time
}

// ReportedFor is how long after its end a sign-up may be reported as abandoned.
const ReportedFor = 48 * time.Hour

// Shapes counts sign-ups by their shape, a short text that says nothing of the
// person. It is part of a [Directory], whose Convert counts what it converts, in
// the same transaction: of each version of the settings, the counts of COMPLETE add
// up to its conversions.
type Shapes interface {
	// CountAbandoned counts those of the sign-ups that were neither counted before
	// nor converted, and says how many. However often and by however many callers
	// one is reported, it counts once; one that is converted after it was counted is
	// taken back by the conversion. What ended longer than ReportedFor before now is
	// not counted, since it may have been and be forgotten.
	CountAbandoned(ctx context.Context, instance string, now time.Time, ended []EndedAttempt) (int, error)
	// Shapes returns the counts of an instance, by version, outcome and shape.
	Shapes(ctx context.Context, instance string) ([]ShapeCount, error)
	// InstanceIDs returns the ids of all instances, oldest first.
	InstanceIDs(ctx context.Context) ([]string, error)
}
