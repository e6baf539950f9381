package realtest

import (
	"bytes"
	"strconv"
	"strings"
)

// respScanner finds the values in one direction of a Redis connection (RESP2
// and RESP3), whichever way they are cut into reads. It keeps what is
// incomplete until the rest arrives.
type respScanner struct {
	pending []byte
}

// respValue is what the proxy needs to know of a value.
type respValue struct {
	kind  byte   // the first byte: '*', '$', '+', '>', …
	first string // the first element of an array of strings, for a command its name
}

// scan returns the values that are complete once data has been read.
func (s *respScanner) scan(data []byte) []respValue {
	s.pending = append(s.pending, data...)
	var values []respValue
	for {
		end := respEnd(s.pending)
		if end < 0 {
			return values
		}
		values = append(values, respValue{kind: s.pending[0], first: respFirst(s.pending[:end])})
		s.pending = s.pending[end:]
	}
}

// midway reports whether part of a value is still missing.
func (s *respScanner) midway() bool { return len(s.pending) > 0 }

// respEnd returns the length of the value at the start of data, -1 when it is
// incomplete.
func respEnd(data []byte) int {
	line := bytes.Index(data, []byte("\r\n"))
	if line < 1 {
		return -1
	}
	end := line + 2
	count, err := strconv.Atoi(string(data[1:line]))
	if err != nil {
		return end // a simple value, such as +OK
	}
	switch data[0] {
	case '$', '!', '=': // a string of count bytes, -1 for null
		if count < 0 {
			return end
		}
		if end += count + 2; end > len(data) {
			return -1
		}
		return end
	case '%', '|': // pairs; attributes precede the value they belong to
		count *= 2
		if data[0] == '|' {
			count++
		}
	case '*', '~', '>': // elements, -1 for null
	default:
		return end
	}
	for range max(0, count) {
		length := respEnd(data[end:])
		if length < 0 {
			return -1
		}
		end += length
	}
	return end
}

// respFirst returns the first string of an array, in upper case, or the first
// word of an inline command.
func respFirst(value []byte) string {
	if value[0] != '*' {
		word, _, _ := strings.Cut(strings.TrimSpace(string(value)), " ")
		return strings.ToUpper(word)
	}
	parts := bytes.SplitN(value, []byte("\r\n"), 4)
	if len(parts) < 4 {
		return ""
	}
	return strings.ToUpper(string(parts[2]))
}
