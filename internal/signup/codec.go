package signup

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/vmihailenco/msgpack/v5"

	"stepwise/engine"
)

// encodingVersion is the first byte of a stored record. A server reads all
// versions up to its own.
const encodingVersion = 1

// stored is the content of a record; wire.go has the form in which it is stored.
type stored struct {
	Attempt engine.Attempt
	// Verdict and SettingsVersion are those of the last save; a final sign-up
	// keeps them.
	Verdict         engine.Verdict
	SettingsVersion int64
	UnsafeMetadata  []byte
	// Completion holds what a conversion needs to be repeated.
	Completion *completion
	// Redemption is an exchange of a provider's code under way.
	Redemption *redemption
	// Redeemed is the fingerprint of the provider's code that proved the account.
	Redeemed string
	// LastCall is the fingerprint of the last mutation that changed the record.
	LastCall string
	// Locale is that of the person, as a language tag; "" for the instance's default.
	Locale string
}

// completion holds the ids chosen before the conversion began.
type completion struct {
	UserID    string
	SessionID string
	EventIDs  []string
	At        time.Time
	// LeaseUntil keeps readers from doing what the one who began is doing.
	LeaseUntil time.Time
	// Generation is that of the client's token once converted; 0 before.
	Generation int64
	// Reissue: whoever repeats the last call has proven to be the one who made
	// it and gets the new token.
	Reissue bool
}

func encode(s stored) ([]byte, error) {
	var buf bytes.Buffer
	buf.WriteByte(encodingVersion)
	enc := msgpack.NewEncoder(&buf)
	enc.UseCompactInts(true)
	if err := enc.Encode(toWire(s)); err != nil {
		return nil, fmt.Errorf("encode sign-up: %w", err)
	}
	return buf.Bytes(), nil
}

func decode(data []byte) (stored, error) {
	if len(data) == 0 || data[0] == 0 || data[0] > encodingVersion {
		return stored{}, errors.New("sign-up was written in an unknown encoding")
	}
	var w wireRecord
	if err := msgpack.Unmarshal(data[1:], &w); err != nil {
		return stored{}, fmt.Errorf("decode sign-up: %w", err)
	}
	return fromWire(w), nil
}

// attempt is a sign-up as loaded: the content with its address and version.
type attempt struct {
	key     AttemptKey
	version int64
	stored
	// noted: something has come to pass since it was saved.
	noted bool
}

func fromRecord(key AttemptKey, r Record) (attempt, error) {
	content, err := decode(r.Data)
	if err != nil {
		return attempt{}, err
	}
	// A store abandons a replaced sign-up without reading it.
	if r.Lifecycle == engine.Abandoned && content.Attempt.Lifecycle != engine.Abandoned {
		content.Attempt = engine.Abandon(content.Attempt, r.EndedAt)
	}
	return attempt{key: key, version: r.Version, stored: content}, nil
}

// record returns what to store as the given version.
func (a attempt) record(version int64, now time.Time) (Record, error) {
	data, err := encode(a.stored)
	if err != nil {
		return Record{}, err
	}
	return Record{
		Version: version, Lifecycle: a.Attempt.Lifecycle, Data: data,
		AbandonAt: a.Attempt.AbandonAt, ExpireAt: a.expireAt(now),
	}, nil
}

// finalRetention is how long a final sign-up can still be read.
const finalRetention = time.Hour

// expireAt: a completing sign-up does not expire before it has been settled.
func (a attempt) expireAt(now time.Time) time.Time {
	switch a.Attempt.Lifecycle {
	case engine.Open:
		return a.Attempt.AbandonAt.Add(finalRetention)
	case engine.Completing:
		return now.Add(24 * time.Hour)
	}
	return now.Add(finalRetention) // from when it is saved: it may have ended long before
}

// rememberedOutcome is what is kept of a request with an idempotency key.
type rememberedOutcome struct {
	Problems []Problem `json:"problems,omitempty"`
}

func (o rememberedOutcome) encode() []byte {
	data, err := json.Marshal(o)
	if err != nil {
		panic(err) // strings and times only
	}
	return data
}
