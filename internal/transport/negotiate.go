package transport

import (
	"net/http"
	"strconv"
	"strings"
)

// Media types of replies.
const (
	mediaJSON     = "application/json"
	mediaResponse = "application/graphql-response+json"
	mediaStream   = "text/event-stream"
)

// acceptance is what a client can read.
type acceptance struct {
	// media is the JSON type to answer in. If the client reads event streams only,
	// it is the type in which the request is refused where it cannot be streamed.
	media string
	// stream is true if the client named text/event-stream.
	stream bool
	// streamOnly is true if it prefers that to every JSON type.
	streamOnly bool
}

var notAcceptable = refusal{
	status: http.StatusNotAcceptable, code: CodeNotAcceptable,
	message: "The reply is application/graphql-response+json, application/json or text/event-stream; accept one of them.",
}

// preference is how much a client wants a media type: its quality, taken from the
// most specific range that covers the type (RFC 9110, section 12.5.1).
type preference struct {
	quality     float64
	specificity int // 0 uncovered, 1 by */*, 2 by type/*, 3 named
}

func (p *preference) consider(quality float64, specificity int) {
	if specificity > p.specificity {
		p.quality, p.specificity = quality, specificity
	}
}

// negotiate chooses the media type of a reply. A missing Accept header and wildcards
// mean application/json, which every client can read; graphql-response+json has to
// be named, and wins where both are named alike.
func negotiate(accept []string) (acceptance, *refusal) {
	if len(accept) == 0 || accept[0] == "*/*" || accept[0] == mediaJSON {
		return acceptance{media: mediaJSON}, nil
	}
	var json, response, stream preference
	for part := range strings.SplitSeq(strings.Join(accept, ","), ",") {
		mediaRange, quality, ok := parseMediaRange(part)
		if !ok {
			continue
		}
		switch mediaRange {
		case "*/*":
			json.consider(quality, 1)
			response.consider(quality, 1)
		case "application/*":
			json.consider(quality, 2)
			response.consider(quality, 2)
		case "text/*":
			stream.consider(quality, 2)
		case mediaJSON:
			json.consider(quality, 3)
		case mediaResponse:
			response.consider(quality, 3)
		case mediaStream:
			stream.consider(quality, 3)
		}
	}
	chosen := acceptance{media: mediaJSON, stream: stream.quality > 0}
	best := json.quality
	if response.quality > json.quality || response.quality == json.quality && response.specificity == 3 {
		chosen.media, best = mediaResponse, response.quality
	}
	if best == 0 && !chosen.stream {
		return acceptance{}, &notAcceptable
	}
	chosen.streamOnly = stream.quality > best
	return chosen, nil
}

// parseMediaRange reads one element of an Accept header. Elements it cannot read are
// ignored, as if they had not been sent; parameters other than q do not matter here.
func parseMediaRange(element string) (mediaRange string, quality float64, ok bool) {
	mediaRange, parameters, _ := strings.Cut(element, ";")
	mediaRange = strings.ToLower(strings.TrimSpace(mediaRange))
	quality = 1
	for parameter := range strings.SplitSeq(parameters, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(parameter), "=")
		if !strings.EqualFold(name, "q") {
			continue
		}
		q, err := strconv.ParseFloat(value, 64)
		if err != nil || !(q >= 0 && q <= 1) {
			return "", 0, false
		}
		quality = q
	}
	return mediaRange, quality, mediaRange != ""
}
