package signup

import (
	"time"

	"stepwise/engine"
)

// The types here are the stored form of a sign-up, apart from the engine's own
// types so that either can change without the other. They are MessagePack maps
// with short names, what is empty left out: a name that an older record lacks is
// read as empty, one that is unknown is skipped. Names are never given another
// meaning. Times are Unix milliseconds, 0 for none.

type wireRecord struct {
	Attempt         wireAttempt     `msgpack:"a"`
	Verdict         wireVerdict     `msgpack:"v"`
	SettingsVersion int64           `msgpack:"s,omitempty"`
	Metadata        []byte          `msgpack:"m,omitempty"`
	Completion      *wireCompletion `msgpack:"c,omitempty"`
	LastCall        string          `msgpack:"l,omitempty"`
	Redemption      *wireRedemption `msgpack:"r,omitempty"`
	Redeemed        string          `msgpack:"q,omitempty"`
	Locale          string          `msgpack:"n,omitempty"`
}

type wireRedemption struct {
	Nonce      string `msgpack:"n,omitempty"`
	LeaseUntil int64  `msgpack:"l,omitempty"`
}

type wireAttempt struct {
	Lifecycle     uint8              `msgpack:"l,omitempty"`
	Values        []wireValue        `msgpack:"v,omitempty"`
	Verifications []wireVerification `msgpack:"p,omitempty"`
	Account       *wireAccount       `msgpack:"x,omitempty"`
	Ticket        *wireTicket        `msgpack:"t,omitempty"`
	Consent       *wireConsent       `msgpack:"c,omitempty"`
	Taken         uint16             `msgpack:"k,omitempty"`
	CreatedAt     int64              `msgpack:"b,omitempty"`
	AbandonAt     int64              `msgpack:"d,omitempty"`
	EndedAt       int64              `msgpack:"e,omitempty"`
}

// wireValue leaves its key out where it is the text.
type wireValue struct {
	Attribute uint8  `msgpack:"a"`
	Presence  uint8  `msgpack:"p,omitempty"`
	Text      string `msgpack:"t,omitempty"`
	Key       string `msgpack:"k,omitempty"`
	NoKey     bool   `msgpack:"n,omitempty"`
}

type wireVerification struct {
	Attribute    uint8  `msgpack:"a"`
	Strategy     string `msgpack:"s,omitempty"`
	Key          string `msgpack:"k,omitempty"`
	Verified     bool   `msgpack:"v,omitempty"`
	Transferable bool   `msgpack:"t,omitempty"`
	Failure      string `msgpack:"f,omitempty"`
	Nonce        string `msgpack:"n,omitempty"`
	Generation   uint32 `msgpack:"g,omitempty"`
	Guesses      uint8  `msgpack:"w,omitempty"`
	SentAt       int64  `msgpack:"b,omitempty"`
	ResendAt     int64  `msgpack:"r,omitempty"`
	ExpireAt     int64  `msgpack:"e,omitempty"`
	Lapsed       bool   `msgpack:"l,omitempty"`
	Provider     string `msgpack:"x,omitempty"`
	Detail       string `msgpack:"d,omitempty"`

	Refused *wireAccount `msgpack:"q,omitempty"`
}

type wireAccount struct {
	Provider      string      `msgpack:"p,omitempty"`
	Subject       string      `msgpack:"s,omitempty"`
	Sent          []wireValue `msgpack:"v,omitempty"`
	EmailVerified bool        `msgpack:"e,omitempty"`
	Issuer        string      `msgpack:"i,omitempty"`
	Asked         string      `msgpack:"a,omitempty"`
}

type wireTicket struct {
	ID    string      `msgpack:"i,omitempty"`
	State uint8       `msgpack:"s,omitempty"`
	Sent  []wireValue `msgpack:"v,omitempty"`
}

type wireConsent struct {
	Version string `msgpack:"v,omitempty"`
	At      int64  `msgpack:"a,omitempty"`
	Path    string `msgpack:"p,omitempty"`
}

// wireVerdict has the reasons as their places in reasonOrder.
type wireVerdict struct {
	Required   uint16        `msgpack:"r,omitempty"`
	Optional   uint16        `msgpack:"o,omitempty"`
	Missing    uint16        `msgpack:"m,omitempty"`
	Unverified uint16        `msgpack:"u,omitempty"`
	OneOf      uint16        `msgpack:"g,omitempty"`
	Present    uint16        `msgpack:"p,omitempty"`
	Reasons    []byte        `msgpack:"y,omitempty"`
	Blockers   []wireBlocker `msgpack:"b,omitempty"`
	Path       string        `msgpack:"w,omitempty"`
}

type wireBlocker struct {
	Code      string `msgpack:"c,omitempty"`
	Remedy    string `msgpack:"r,omitempty"`
	Attribute uint8  `msgpack:"a,omitempty"`
	Concerns  bool   `msgpack:"h,omitempty"`
}

type wireCompletion struct {
	UserID     string   `msgpack:"u,omitempty"`
	SessionID  string   `msgpack:"s,omitempty"`
	EventIDs   []string `msgpack:"e,omitempty"`
	At         int64    `msgpack:"a,omitempty"`
	LeaseUntil int64    `msgpack:"l,omitempty"`
	Generation int64    `msgpack:"g,omitempty"`
	Reissue    bool     `msgpack:"r,omitempty"`
}

// reasonOrder gives reasons their stored numbers; new ones go to the end.
var reasonOrder = []engine.Reason{
	"", engine.ReasonRequired, engine.ReasonOneOf, engine.ReasonSoleIdentifier, engine.ReasonConsent,
	engine.ReasonConsentOutdated, engine.ReasonTaken, engine.ReasonMustBeVerified, engine.ReasonEmailNotVerified,
	engine.ReasonOptional, engine.ReasonOneOfSatisfied, engine.ReasonWaivedByAccount, engine.ReasonWaivedByWallet,
	engine.ReasonLegacyOAuth, engine.ReasonLegacyWallet, engine.ReasonDisabled, engine.ReasonOnlyIdentifier, engine.ReasonNotAllowed,
}

func milliseconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func moment(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

func toWire(s stored) wireRecord {
	a, v := s.Attempt, s.Verdict
	w := wireRecord{
		SettingsVersion: s.SettingsVersion, Metadata: s.UnsafeMetadata, LastCall: s.LastCall, Redeemed: s.Redeemed, Locale: s.Locale,
		Attempt: wireAttempt{
			Lifecycle: uint8(a.Lifecycle), Values: wireValues(a.Values), Taken: uint16(a.Taken),
			CreatedAt: milliseconds(a.CreatedAt), AbandonAt: milliseconds(a.AbandonAt), EndedAt: milliseconds(a.EndedAt),
		},
		Verdict: wireVerdict{
			Required: uint16(v.Required), Optional: uint16(v.Optional), Missing: uint16(v.Missing), Unverified: uint16(v.Unverified),
			OneOf: uint16(v.OneOf), Present: uint16(v.Present), Path: string(v.Path),
		},
	}
	for i, p := range a.Verifications {
		if p != nil {
			w.Attempt.Verifications = append(w.Attempt.Verifications, wireVerification{
				uint8(i), string(p.Strategy), p.Key, p.Verified, p.Transferable, string(p.Failure), p.Nonce, p.Generation, p.Guesses,
				milliseconds(p.SentAt), milliseconds(p.ResendAt), milliseconds(p.ExpireAt), p.Lapsed, p.Provider, p.Detail, accountToWire(p.Refused),
			})
		}
	}
	w.Attempt.Account = accountToWire(a.Account)
	if t := a.Ticket; t != nil {
		w.Attempt.Ticket = &wireTicket{t.ID, uint8(t.State), wireValues(t.Sent)}
	}
	if c := a.Consent; c != nil {
		w.Attempt.Consent = &wireConsent{c.Version, milliseconds(c.At), string(c.Path)}
	}
	for _, r := range v.Reasons {
		w.Verdict.Reasons = append(w.Verdict.Reasons, reasonNumber(r))
	}
	for _, b := range v.Blockers {
		w.Verdict.Blockers = append(w.Verdict.Blockers, wireBlocker{string(b.Code), string(b.Remedy), uint8(b.Attribute), b.HasAttribute})
	}
	if r := s.Redemption; r != nil {
		w.Redemption = &wireRedemption{r.Nonce, milliseconds(r.LeaseUntil)}
	}
	if c := s.Completion; c != nil {
		w.Completion = &wireCompletion{c.UserID, c.SessionID, c.EventIDs, milliseconds(c.At), milliseconds(c.LeaseUntil), c.Generation, c.Reissue}
	}
	return w
}

func fromWire(w wireRecord) stored {
	a, v := w.Attempt, w.Verdict
	s := stored{
		SettingsVersion: w.SettingsVersion, UnsafeMetadata: w.Metadata, LastCall: w.LastCall, Redeemed: w.Redeemed, Locale: w.Locale,
		Attempt: engine.Attempt{
			Lifecycle: engine.Lifecycle(a.Lifecycle), Values: values(a.Values), Taken: engine.Set(a.Taken),
			CreatedAt: moment(a.CreatedAt), AbandonAt: moment(a.AbandonAt), EndedAt: moment(a.EndedAt),
		},
		Verdict: engine.Verdict{
			Required: engine.Set(v.Required), Optional: engine.Set(v.Optional), Missing: engine.Set(v.Missing), Unverified: engine.Set(v.Unverified),
			OneOf: engine.Set(v.OneOf), Present: engine.Set(v.Present), Path: engine.Path(v.Path),
		},
	}
	for _, p := range a.Verifications {
		if p.Attribute < engine.NumAttributes {
			s.Attempt.Verifications[p.Attribute] = &engine.Verification{
				Strategy: engine.Strategy(p.Strategy), Key: p.Key, Verified: p.Verified, Transferable: p.Transferable,
				Failure: engine.Code(p.Failure), Nonce: p.Nonce, Generation: p.Generation, Guesses: p.Guesses,
				SentAt: moment(p.SentAt), ResendAt: moment(p.ResendAt), ExpireAt: moment(p.ExpireAt), Lapsed: p.Lapsed,
				Provider: p.Provider, Detail: p.Detail, Refused: accountFromWire(p.Refused),
			}
		}
	}
	s.Attempt.Account = accountFromWire(a.Account)
	if t := a.Ticket; t != nil {
		s.Attempt.Ticket = &engine.Ticket{ID: t.ID, State: engine.TicketState(t.State), Sent: values(t.Sent)}
	}
	if c := a.Consent; c != nil {
		s.Attempt.Consent = &engine.Consent{Version: c.Version, At: moment(c.At), Path: engine.Path(c.Path)}
	}
	for i, n := range v.Reasons {
		if i < engine.NumAttributes && int(n) < len(reasonOrder) {
			s.Verdict.Reasons[i] = reasonOrder[n]
		}
	}
	for _, b := range v.Blockers {
		s.Verdict.Blockers = append(s.Verdict.Blockers, engine.Blocker{
			Code: engine.BlockerCode(b.Code), Remedy: engine.Remedy(b.Remedy), Attribute: engine.Attribute(b.Attribute), HasAttribute: b.Concerns,
		})
	}
	if r := w.Redemption; r != nil {
		s.Redemption = &redemption{r.Nonce, moment(r.LeaseUntil)}
	}
	if c := w.Completion; c != nil {
		s.Completion = &completion{c.UserID, c.SessionID, c.EventIDs, moment(c.At), moment(c.LeaseUntil), c.Generation, c.Reissue}
	}
	return s
}

func accountToWire(x *engine.Account) *wireAccount {
	if x == nil {
		return nil
	}
	return &wireAccount{x.Provider, x.Subject, wireValues(x.Sent), x.EmailVerified, x.Issuer, x.Asked}
}

func accountFromWire(x *wireAccount) *engine.Account {
	if x == nil {
		return nil
	}
	return &engine.Account{Provider: x.Provider, Asked: x.Asked, Issuer: x.Issuer, Subject: x.Subject, Sent: values(x.Sent), EmailVerified: x.EmailVerified}
}

func reasonNumber(r engine.Reason) byte {
	for i, known := range reasonOrder {
		if known == r {
			return byte(i)
		}
	}
	return 0
}

func wireValues(list [engine.NumAttributes]engine.Value) []wireValue {
	var out []wireValue
	for i, v := range list {
		if v == (engine.Value{}) {
			continue
		}
		w := wireValue{Attribute: uint8(i), Presence: uint8(v.Presence), Text: v.Text, Key: v.Key}
		if v.Key == v.Text {
			w.Key = ""
		} else if v.Key == "" {
			w.NoKey = true
		}
		out = append(out, w)
	}
	return out
}

func values(list []wireValue) [engine.NumAttributes]engine.Value {
	var out [engine.NumAttributes]engine.Value
	for _, w := range list {
		if w.Attribute >= engine.NumAttributes {
			continue
		}
		v := engine.Value{Presence: engine.Presence(w.Presence), Text: w.Text, Key: w.Key}
		if v.Key == "" && !w.NoKey {
			v.Key = v.Text
		}
		out[w.Attribute] = v
	}
	return out
}
