package signup

import (
	"context"
	"time"
)

// KeyedRecord is a record with its address.
type KeyedRecord struct {
	AttemptKey
	Record
}

// Register lists the sign-ups of each instance that nobody has settled yet, each
// under the time when it is due: the record's AbandonAt, or the moment when another
// sign-up has taken its place. It is part of an [Attempts] store, whose Create
// enters a sign-up no later than it stores it, and whose Save strikes out one that it
// saves as COMPLETE.
//
// The register can name sign-ups that there are not, or not any more. One that there
// is, is missing only where the store has lost data or did not answer in full.
type Register interface {
	// Due returns up to limit sign-ups that are due by then, longest due first.
	Due(ctx context.Context, instance string, by time.Time, limit int) ([]AttemptKey, error)
	// Live returns up to limit of all that are registered, a page that begins at the
	// cursor, or the first where it is empty; next is empty after the last page. A
	// page can be short, and what is entered or struck out meanwhile is in it or not.
	Live(ctx context.Context, instance, cursor string, limit int) (page []AttemptKey, next string, err error)
	// Forget strikes sign-ups of the instance out.
	Forget(ctx context.Context, instance string, keys []AttemptKey) error
	// LoadMany returns those of the records that exist, in one round trip. What is
	// there and no record is left out: it says nothing.
	LoadMany(ctx context.Context, keys []AttemptKey) ([]KeyedRecord, error)
}
