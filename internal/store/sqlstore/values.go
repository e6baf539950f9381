package sqlstore

import (
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"stepwise/internal/signup"
)

// millis is how a time is stored: Unix milliseconds, 0 for the zero time.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// stamp reads a stored time, in UTC.
type stamp struct{ t *time.Time }

func (s stamp) Scan(value any) error {
	var ms sql.NullInt64
	if err := ms.Scan(value); err != nil {
		return err
	}
	*s.t = time.Time{}
	if ms.Int64 != 0 {
		*s.t = time.UnixMilli(ms.Int64).UTC()
	}
	return nil
}

// encode is how bytes are stored that need not be text.
func encode(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

// encoded reads what encode has written.
type encoded struct{ b *[]byte }

func (e encoded) Scan(value any) error {
	var text sql.NullString
	err := text.Scan(value)
	if err == nil {
		*e.b, err = base64.StdEncoding.DecodeString(text.String)
	}
	return err
}

// document reads stored JSON; nil where there is none.
type document struct{ raw *json.RawMessage }

func (d document) Scan(value any) error {
	var text sql.NullString
	if err := text.Scan(value); err != nil {
		return err
	}
	*d.raw = nil
	if text.String != "" {
		*d.raw = json.RawMessage(text.String)
	}
	return nil
}

// orNull stands for "leave as is" where there is no document.
func orNull(raw json.RawMessage) any {
	if len(raw) == 0 {
		return nil
	}
	return string(raw)
}

// consentText is how a receipt is stored; empty for none.
func consentText(c *signup.Consent) (string, error) {
	if c == nil {
		return "", nil
	}
	kept := *c
	kept.At = kept.At.UTC().Truncate(time.Millisecond)
	text, err := json.Marshal(kept)
	if err != nil {
		return "", fmt.Errorf("write the consent: %w", err)
	}
	return string(text), nil
}

// receipt reads what consentText has written.
type receipt struct{ consent **signup.Consent }

func (r receipt) Scan(value any) error {
	var text sql.NullString
	if err := text.Scan(value); err != nil {
		return err
	}
	*r.consent = nil
	if text.String == "" {
		return nil
	}
	*r.consent = new(signup.Consent)
	return json.Unmarshal([]byte(text.String), *r.consent)
}
