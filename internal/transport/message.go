package transport

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"unicode/utf8"
)

// Types of graphql-transport-ws messages.
const (
	messageInit      = "connection_init"
	messageAck       = "connection_ack"
	messagePing      = "ping"
	messagePong      = "pong"
	messageSubscribe = "subscribe"
	messageNext      = "next"
	messageError     = "error"
	messageComplete  = "complete"
)

// incoming is a message from the client.
type incoming struct {
	Type    string          `json:"type"`
	ID      string          `json:"id"`
	Payload json.RawMessage `json:"payload"`
}

func decodeMessage(data []byte) (*incoming, bool) {
	message := new(incoming)
	if !utf8.Valid(data) || json.Unmarshal(data, message) != nil {
		return nil, false
	}
	return message, true
}

// outgoing is a message to the client. Its payload is given, or written by encode.
type outgoing struct {
	kind    string
	id      string
	payload json.RawMessage
	encode  func(*bytes.Buffer)
}

func (m *outgoing) appendTo(buffer *bytes.Buffer) {
	buffer.WriteString(`{"type":"`)
	buffer.WriteString(m.kind)
	buffer.WriteByte('"')
	if m.id != "" {
		id, err := json.Marshal(m.id)
		if err != nil {
			panic(err) // strings always marshal
		}
		buffer.WriteString(`,"id":`)
		buffer.Write(id)
	}
	if len(m.payload) > 0 || m.encode != nil {
		buffer.WriteString(`,"payload":`)
		buffer.Write(m.payload)
		if m.encode != nil {
			m.encode(buffer)
		}
	}
	buffer.WriteByte('}')
}

// socketCredentials reads the payload of connection_init. What it leaves out is taken
// from the handshake's headers, which clients other than browsers can set. It reports
// false for a payload that is not an object, or has a credential that is not a string.
func (s *Server) socketCredentials(r *http.Request, payload json.RawMessage) (Credentials, bool) {
	c := s.credentials(r)
	var fields map[string]any
	if len(payload) > 0 && json.Unmarshal(payload, &fields) != nil {
		return c, false
	}
	for name, value := range fields {
		var apply func(string)
		switch strings.ToLower(name) {
		case "publishable-key":
			apply = func(v string) { c.PublishableKey = v }
		case "authorization":
			apply = func(v string) { c.Bearer = bearerToken(v) }
		case "client-mode":
			apply = func(v string) { c.BearerMode = isBearerMode(v) }
		default:
			continue
		}
		text, ok := value.(string)
		if !ok && value != nil {
			return c, false
		}
		apply(text)
	}
	c.Cookie = s.cookieReader(r, c)
	return c, true
}
