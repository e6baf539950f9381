package webhook

import (
	"bytes"
	"encoding/json"
	"errors"
	"regexp"

	"stepwise/internal/signup"
)

// idForm is that of ids that can be signed: a full stop would let one message be
// read as another, and the header takes no more than this anyway.
var idForm = regexp.MustCompile(`^[A-Za-z0-9_-]{1,128}$`)

var errUnsendable = errors.New("webhook: the event has no usable id, kind or body")

// payload returns the body of an event's requests, the same at every try:
//
//	{"type": kind, "timestamp": RFC 3339 in UTC with milliseconds, "data": body}
//
// It fails with errUnsendable for an event that will never make one.
func payload(e signup.Event) ([]byte, error) {
	if !idForm.MatchString(e.ID) || e.Kind == "" || !json.Valid(e.Body) {
		return nil, errUnsendable
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false) // the body goes out as it was written
	err := encoder.Encode(struct {
		Type      string          `json:"type"`
		Timestamp string          `json:"timestamp"`
		Data      json.RawMessage `json:"data"`
	}{e.Kind, e.At.UTC().Format("2006-01-02T15:04:05.000Z"), e.Body})
	if err != nil {
		return nil, errUnsendable
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
