package signup

import (
	"bytes"
	"encoding/hex"
	"flag"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"stepwise/engine"
)

// fullRecord has something in every field, each different from its neighbours.
func fullRecord() stored {
	at := time.Date(2041, 5, 1, 9, 0, 0, 123_000_000, time.UTC)
	later := func(d time.Duration) time.Time { return at.Add(d) }
	s := stored{
		SettingsVersion: 7, UnsafeMetadata: []byte(`{"campaign":"otters"}`), LastCall: "fingerprint",
		Completion: &completion{
			UserID: "user_1", SessionID: "sess_1", EventIDs: []string{"evt_1", "evt_2"},
			At: later(time.Minute), LeaseUntil: later(time.Minute + 2*time.Second), Generation: 3, Reissue: true,
		},
		Verdict: engine.Verdict{
			Required: 0x1ff, Optional: 2, Missing: 4, Unverified: 8, OneOf: 16, Present: 32, Path: engine.PathTicket,
			Blockers: []engine.Blocker{{Code: engine.BlockedTaken, Remedy: engine.ReplaceOrClear, Attribute: engine.Username, HasAttribute: true}},
		},
	}
	for i := range engine.NumAttributes {
		a := engine.Attribute(i)
		s.Verdict.Reasons[i] = engine.ReasonOneOf
		s.Attempt.Values[i] = engine.Value{Presence: engine.Given, Text: "text of " + a.String(), Key: "key of " + a.String()}
		s.Attempt.Verifications[i] = &engine.Verification{
			Strategy: engine.EmailCode, Key: "key " + a.String(), Verified: true, Transferable: true, Failure: engine.CodeTransferable,
			Nonce: "nonce", Generation: 300, Guesses: 4, SentAt: at, ResendAt: later(30 * time.Second), ExpireAt: later(10 * time.Minute), Lapsed: true,
		}
	}
	s.Attempt.Lifecycle = engine.Completing
	s.Attempt.Account = &engine.Account{Provider: "provider", Subject: "subject", EmailVerified: true}
	s.Attempt.Account.Sent[engine.FirstName] = engine.Value{Presence: engine.Given, Text: "Jane", Key: "jane"}
	s.Attempt.Ticket = &engine.Ticket{ID: "ticket", State: engine.TicketUsed}
	s.Attempt.Ticket.Sent[engine.LastName] = engine.Value{Presence: engine.Cleared}
	s.Attempt.Consent = &engine.Consent{Version: "2026-02", At: at, Path: engine.PathOAuth}
	s.Attempt.Taken = 5
	s.Attempt.CreatedAt, s.Attempt.AbandonAt, s.Attempt.EndedAt = at, later(24*time.Hour), later(time.Hour)
	return s
}

// recordFromElsewhere is a full one with what proofs from elsewhere keep. Records
// written before those were have nothing of it, and are pinned apart.
func recordFromElsewhere() stored {
	s := fullRecord()
	for i, v := range s.Attempt.Verifications {
		v.Provider, v.Detail = "provider "+engine.Attribute(i).String(), `{"r":"https://app.example.com/in"}`
	}
	s.Attempt.Account.Asked, s.Attempt.Account.Issuer = "https://all.example", "https://acme.example"
	s.Redeemed = "fingerprint of the code"
	s.Redemption = &redemption{Nonce: "nonce of the exchange", LeaseUntil: time.Date(2041, 5, 1, 9, 2, 0, 456_000_000, time.UTC)}
	return s
}

// recordOfRefusal has an account that was refused, too.
func recordOfRefusal() stored {
	s := recordFromElsewhere()
	refused := engine.Account{Provider: "p", Asked: "https://all.example", Issuer: "i", Subject: "s", EmailVerified: true}
	refused.Sent[engine.EmailAddress].Presence = engine.Given
	s.Attempt.Verifications[0].Refused = &refused
	return s
}

// recordWithLocale says how the person is to be written to, too.
func recordWithLocale() stored {
	s := recordOfRefusal()
	s.Locale = "es-MX"
	return s
}

// TestRecordOfVersion1 pins the bytes of a record: sign-ups in flight outlive
// an update of the server.
func TestRecordOfVersion1(t *testing.T) {
	t.Run("before proofs from elsewhere", func(t *testing.T) { pinned(t, "testdata/record.v1.hex", fullRecord()) })
	t.Run("with them", func(t *testing.T) { pinned(t, "testdata/record.v1.elsewhere.hex", recordFromElsewhere()) })
	t.Run("with a refusal", func(t *testing.T) { pinned(t, "testdata/record.v1.refusal.hex", recordOfRefusal()) })
	t.Run("with a locale", func(t *testing.T) { pinned(t, "testdata/record.v1.locale.hex", recordWithLocale()) })
}

func pinned(t *testing.T, file string, full stored) {
	t.Helper()
	data, err := encode(full)
	if err != nil {
		t.Fatal(err)
	}
	if f := flag.Lookup("update"); f != nil && f.Value.String() == "true" {
		if err := os.WriteFile(file, []byte(wrap(hex.EncodeToString(data))), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	golden, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	former, err := hex.DecodeString(strings.ReplaceAll(string(golden), "\n", ""))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(data, former) {
		t.Errorf("the record is written as\n%x\nand was pinned as\n%x", data, former)
	}
	read, err := decode(former)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(read, full) {
		t.Errorf("the pinned record is read as\n%+v\nwant\n%+v", read, full)
	}
}

// TestEveryFieldIsStored: a field that somebody adds and forgets to write shows
// here, for the full record has something in each.
func TestEveryFieldIsStored(t *testing.T) {
	var empty []string
	var look func(path string, v reflect.Value)
	look = func(path string, v reflect.Value) {
		switch {
		case v.IsZero():
			empty = append(empty, path)
		case v.Type() == reflect.TypeFor[time.Time]():
		case v.Kind() == reflect.Pointer:
			look(path, v.Elem())
		case v.Kind() == reflect.Struct:
			for i := range v.NumField() {
				look(path+"."+v.Type().Field(i).Name, v.Field(i))
			}
		}
	}
	full := recordWithLocale()
	look("stored", reflect.ValueOf(full))
	look("verification", reflect.ValueOf(full.Attempt.Verifications[0]))
	look("value", reflect.ValueOf(full.Attempt.Values[0]))
	look("blocker", reflect.ValueOf(full.Verdict.Blockers[0]))
	if len(empty) > 0 {
		t.Errorf("the full record has nothing in %v", empty)
	}
	data, err := encode(full)
	if err != nil {
		t.Fatal(err)
	}
	read, err := decode(data)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(read, full) {
		t.Errorf("it is read as\n%+v\nwant\n%+v", read, full)
	}
}

func wrap(s string) string {
	var b strings.Builder
	for len(s) > 0 {
		n := min(len(s), 100)
		b.WriteString(s[:n] + "\n")
		s = s[n:]
	}
	return b.String()
}

// written is a record as it is written; two with the same bytes say the same.
func written(t *testing.T, s stored) string {
	t.Helper()
	data, err := encode(s)
	if err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(data)
}

func TestUnreadableRecordsAreRefused(t *testing.T) {
	good, err := encode(fullRecord())
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"empty":             nil,
		"version 0":         append([]byte{0}, good[1:]...),
		"the next version":  append([]byte{encodingVersion + 1}, good[1:]...),
		"version 255":       append([]byte{255}, good[1:]...),
		"only a version":    good[:1],
		"cut in the middle": good[:len(good)/2],
		"cut at the end":    good[:len(good)-1],
		"another type":      {encodingVersion, 0xa3, 'a', 'b', 'c'},
		"nonsense":          {encodingVersion, 0xc1, 0xff, 0xff},
	} {
		if s, err := decode(data); err == nil {
			t.Errorf("%s: read as %+v", name, s)
		} else if strings.Contains(err.Error(), "key of") {
			t.Errorf("%s: the error shows the content: %v", name, err)
		}
	}
}

// TestEmptyRecord: what is not there is not there after reading either.
func TestEmptyRecord(t *testing.T) {
	data, err := encode(stored{})
	if err != nil {
		t.Fatal(err)
	}
	read, err := decode(data)
	if err != nil {
		t.Fatal(err)
	}
	if !read.Attempt.CreatedAt.IsZero() || !read.Attempt.EndedAt.IsZero() || read.Completion != nil || read.Attempt.Consent != nil || read.Attempt.Account != nil || read.Attempt.Ticket != nil || read.Redemption != nil {
		t.Errorf("an empty record is read as %+v", read)
	}
	for _, v := range read.Attempt.Verifications {
		if v != nil {
			t.Error("an empty record has a verification")
		}
	}
}
