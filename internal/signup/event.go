package signup

import (
	"encoding/json"
	"strings"
	"time"

	"stepwise/engine"
)

// Kinds of events. Their bodies hold no secret.
const (
	EventUserCreated    = "user.created"
	EventSessionCreated = "session.created"
)

// EventKinds are all of them.
var EventKinds = []string{EventUserCreated, EventSessionCreated}

func newEvent(id, kind string, body any, at time.Time) Event {
	data, err := json.Marshal(body)
	if err != nil {
		panic(err) // strings, times and JSON only
	}
	return Event{ID: id, Kind: kind, Body: data, At: at}
}

func userCreated(id string, u User) Event {
	type identifier struct {
		Field    string `json:"field"`
		Value    string `json:"value"`
		Verified bool   `json:"verified"`
		// Issuer and Subject are an external account's, whose value is its provider.
		Issuer  string `json:"issuer,omitempty"`
		Subject string `json:"subject,omitempty"`
	}
	identifiers := []identifier{}
	for _, i := range u.Identifiers {
		told := identifier{Field: i.Kind, Value: i.Display, Verified: !i.VerifiedAt.IsZero()}
		if issuer, ok := strings.CutPrefix(i.Kind, ExternalAccountKind); ok {
			told.Field, told.Issuer, told.Subject = engine.ExternalAccount.String(), issuer, i.Norm
		}
		identifiers = append(identifiers, told)
	}
	return newEvent(id, EventUserCreated, map[string]any{
		"id": u.ID, "firstName": u.FirstName, "lastName": u.LastName, "identifiers": identifiers, "passwordEnabled": u.HasPassword,
		"publicMetadata": u.PublicMetadata, "unsafeMetadata": u.UnsafeMetadata, "consent": u.Consent, "createdAt": u.CreatedAt,
	}, u.CreatedAt)
}

func sessionCreated(id string, s Session) Event {
	return newEvent(id, EventSessionCreated, map[string]any{
		"id": s.ID, "userId": s.UserID, "clientId": s.ClientID, "createdAt": s.CreatedAt, "expireAt": s.ExpireAt,
	}, s.CreatedAt)
}
