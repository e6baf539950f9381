package transport

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/99designs/gqlgen/graphql"
)

var unsupportedMediaType = refusal{
	status: http.StatusUnsupportedMediaType, code: CodeUnsupportedMediaType,
	message: "Send the request as application/json in UTF-8, without a content encoding. " +
		"Forms, files and plain text are not accepted.",
}

// checkContentType accepts application/json only. Everything a page of another site
// could send without asking first (forms, plain text) ends here.
func checkContentType(r *http.Request) *refusal {
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return &unsupportedMediaType
	}
	contentType := r.Header.Get("Content-Type")
	if contentType == mediaJSON {
		return nil
	}
	media, parameters, err := mime.ParseMediaType(contentType)
	if err != nil || media != mediaJSON {
		return &unsupportedMediaType
	}
	if charset, ok := parameters["charset"]; ok && !strings.EqualFold(charset, "utf-8") {
		return &unsupportedMediaType
	}
	return nil
}

func bodyTooLarge(limit int64) *refusal {
	return &refusal{
		status: http.StatusRequestEntityTooLarge, code: CodeLimitExceeded,
		message: fmt.Sprintf("The request body is too large; %d KiB are allowed.", limit>>10),
	}
}

var bodies = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// largestPooledBuffer keeps a rare large body from occupying memory for good.
const largestPooledBuffer = 16 << 10

func recycle(pool *sync.Pool, buffer *bytes.Buffer) {
	if buffer.Cap() <= largestPooledBuffer {
		buffer.Reset()
		pool.Put(buffer)
	}
}

// readParams reads and decodes the body of a POST.
func readParams(w http.ResponseWriter, r *http.Request, limit int64) (*graphql.RawParams, *refusal) {
	if r.ContentLength > limit {
		return nil, bodyTooLarge(limit)
	}
	body := bodies.Get().(*bytes.Buffer)
	defer recycle(&bodies, body)

	if _, err := body.ReadFrom(http.MaxBytesReader(w, r.Body, limit)); err != nil {
		if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
			return nil, bodyTooLarge(limit)
		}
		return nil, badRequest("The request body could not be read to its end.")
	}
	return decodeParams(body.Bytes())
}

var (
	notJSON     = badRequest("The request is not valid JSON.")
	notAnObject = badRequest("The request must be a JSON object with the key \"query\".")
	noBatches   = &refusal{
		status: http.StatusBadRequest, code: CodeBatchingNotSupported,
		message: "Several operations in one request (a JSON array) are not supported. Send them one by one.",
	}
	// The message is what clients of the automatic persisted queries protocol wait
	// for in order to send whole documents from then on.
	noPersistedQueries = &refusal{
		status: http.StatusOK, code: CodePersistedQueryNotSupported,
		message: "PersistedQueryNotSupported",
	}
)

// decodeParams decodes the parameters of a GraphQL request. It takes exact types and
// exact keys only, allows null for the optional ones, ignores keys it does not know,
// as the specification asks, and refuses whatever two readers could understand
// differently: trailing data, keys given twice, invalid UTF-8. No reason it gives
// repeats any of the body.
func decodeParams(body []byte) (*graphql.RawParams, *refusal) {
	if !utf8.Valid(body) {
		return nil, badRequest("The request is not valid UTF-8.")
	}
	body = skipSpace(body)
	switch {
	case len(body) > 0 && body[0] == '[':
		return nil, noBatches
	case !json.Valid(body):
		return nil, notJSON
	case body[0] != '{':
		return nil, notAnObject
	}
	m, refused := splitMembers(body)
	if refused != nil {
		return nil, refused
	}
	params, refused := m.params()
	if refused != nil {
		return nil, refused
	}
	// Escapes are the only way NUL can enter a JSON string. Looking for them in the
	// body first spares nearly every request the walk.
	if bytes.Contains(body, []byte(`\u0000`)) && (strings.ContainsRune(params.Query, 0) || containsNUL(params.Variables)) {
		return nil, badRequest("The request contains a NUL character.")
	}
	return params, nil
}

// members are the known members of a request, as JSON; nil if absent or null.
type members struct {
	query, operationName, variables, extensions []byte
}

// splitMembers finds the members of a valid JSON object. Decoding the object into a
// struct would also accept keys in another case and keys given twice, and decoding it
// into a map would decode everything else in it.
func splitMembers(object []byte) (m members, _ *refusal) {
	rest := skipSpace(object[1:])
	for rest[0] != '}' {
		var key, value []byte
		key, rest = cutValue(rest)
		value, rest = cutValue(skipSpace(rest[1:])) // past the colon
		if rest[0] == ',' {
			rest = skipSpace(rest[1:])
		}
		var member *[]byte
		switch decodeString(key) {
		case "query":
			member = &m.query
		case "operationName":
			member = &m.operationName
		case "variables":
			member = &m.variables
		case "extensions":
			member = &m.extensions
		default:
			continue
		}
		if *member != nil {
			return m, badRequest("A key is given twice.")
		}
		*member = value
	}
	return m, nil
}

// cutValue splits valid JSON behind its first value and the white space after it.
func cutValue(text []byte) (value, rest []byte) {
	end, depth := 0, 0
	for {
		switch text[end] {
		case '"':
			end += stringLength(text[end:])
		case '{', '[':
			depth++
			end++
		case '}', ']':
			depth--
			end++
		case ',', ':', ' ', '\t', '\r', '\n':
			end++
			continue // inside an object or array: outside, the value ended before
		default:
			end += bytes.IndexAny(text[end:], ",:]} \t\r\n")
		}
		if depth == 0 {
			return text[:end], skipSpace(text[end:])
		}
	}
}

// stringLength is the length of the JSON string that text begins with.
func stringLength(text []byte) int {
	for i := 1; ; i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
}

func skipSpace(text []byte) []byte { return bytes.TrimLeft(text, " \t\r\n") }

// decodeString decodes a valid JSON string.
func decodeString(text []byte) (decoded string) {
	inner := text[1 : len(text)-1]
	if bytes.IndexByte(inner, '\\') < 0 {
		return string(inner)
	}
	if err := json.Unmarshal(text, &decoded); err != nil {
		panic(err) // it is valid, and a string
	}
	return decoded
}

func (m members) params() (*graphql.RawParams, *refusal) {
	params := new(graphql.RawParams)
	var refused *refusal
	if params.Extensions, refused = decodeMap("extensions", m.extensions); refused != nil {
		return nil, refused
	}
	if isNull(m.query) && params.Extensions["persistedQuery"] != nil {
		return nil, noPersistedQueries
	}
	if params.Query, refused = decodeText("query", m.query); refused != nil {
		return nil, refused
	}
	if params.Query == "" {
		return nil, badRequest("The key \"query\" is missing: it holds the GraphQL document.")
	}
	if params.OperationName, refused = decodeText("operationName", m.operationName); refused != nil {
		return nil, refused
	}
	if params.Variables, refused = decodeMap("variables", m.variables); refused != nil {
		return nil, refused
	}
	return params, nil
}

func isNull(value []byte) bool { return value == nil || value[0] == 'n' }

func decodeText(key string, value []byte) (string, *refusal) {
	switch {
	case isNull(value):
		return "", nil
	case value[0] != '"':
		return "", badRequest("The key \"" + key + "\" must be a string.")
	}
	return decodeString(value), nil
}

func decodeMap(key string, value []byte) (object map[string]any, _ *refusal) {
	switch {
	case isNull(value):
		return nil, nil
	case value[0] != '{':
		return nil, badRequest("The key \"" + key + "\" must be an object.")
	}
	decoder := json.NewDecoder(bytes.NewReader(value))
	decoder.UseNumber() // large integers stay exact
	if err := decoder.Decode(&object); err != nil {
		return nil, notJSON // nested more deeply than encoding/json decodes
	}
	return object, nil
}

func containsNUL(value any) bool {
	switch value := value.(type) {
	case string:
		return strings.ContainsRune(value, 0)
	case []any:
		for _, element := range value {
			if containsNUL(element) {
				return true
			}
		}
	case map[string]any:
		for key, element := range value {
			if strings.ContainsRune(key, 0) || containsNUL(element) {
				return true
			}
		}
	}
	return false
}
