package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"strconv"
	"time"
)

// Lengths of signing keys in bytes.
const (
	minKey = 24
	maxKey = 64
)

var errKeyLength = errors.New("webhook: a signing key has 24 to 64 bytes")

// Sign returns what the header webhook-signature says of a message that is sent
// at that time: "v1," and the base64 of the HMAC-SHA256 of
// "id.timestamp.body" (Standard Webhooks 1.0, "Signature scheme"). The timestamp
// is that of [Timestamp].
func Sign(key []byte, id string, at time.Time, body []byte) (string, error) {
	if len(key) < minKey || len(key) > maxKey {
		return "", errKeyLength
	}
	mac := hmac.New(sha256.New, key)
	io.WriteString(mac, id+"."+Timestamp(at)+".") // a hash takes all
	mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)), nil
}

// Timestamp is what the header webhook-timestamp says: seconds of Unix time.
func Timestamp(at time.Time) string { return strconv.FormatInt(at.Unix(), 10) }
