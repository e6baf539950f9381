package e2e

import (
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"strings"
	"testing"
)

// partOf finds the part of a mail that has that type, and decodes it; empty where
// there is none.
func partOf(t testing.TB, contentType, encoding string, body io.Reader, wanted string) string {
	t.Helper()
	mediaType, parameters, err := mime.ParseMediaType(contentType)
	if err != nil {
		t.Fatalf("Content-Type %q: %v", contentType, err)
	}
	if strings.HasPrefix(mediaType, "multipart/") {
		parts := multipart.NewReader(body, parameters["boundary"])
		for {
			part, err := parts.NextRawPart()
			if errors.Is(err, io.EOF) {
				return ""
			}
			if err != nil {
				t.Fatal(err)
			}
			if text := partOf(t, part.Header.Get("Content-Type"), part.Header.Get("Content-Transfer-Encoding"), part, wanted); text != "" {
				return text
			}
		}
	}
	if mediaType != wanted {
		return ""
	}
	switch strings.ToLower(encoding) {
	case "quoted-printable":
		body = quotedprintable.NewReader(body)
	case "base64":
		body = base64.NewDecoder(base64.StdEncoding, body)
	}
	text, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
