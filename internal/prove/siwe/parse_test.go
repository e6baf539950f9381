package siwe

import (
	"reflect"
	"strings"
	"testing"
)

// whole is a text that has every field.
const whole = "https://user@example.com:8080 wants you to sign in with your Ethereum account:\n" +
	"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed\n" +
	"\n" +
	"I accept the Terms: https://example.com/tos\n" +
	"\n" +
	"URI: https://example.com/login\n" +
	"Version: 1\n" +
	"Chain ID: 10\n" +
	"Nonce: 32891756\n" +
	"Issued At: 2021-09-30T16:25:24Z\n" +
	"Expiration Time: 2021-09-30T16:35:24.5Z\n" +
	"Not Before: 2021-09-30T18:20:24+02:00\n" +
	"Request ID: a%20b:c@d\n" +
	"Resources:\n" +
	"- ipfs://bafybeiemxf5abjwjbikoz4mc3a3dla6ual3jsgpdr4cjr3oz3evfyavhwq/\n" +
	"- urn:isbn:0451450523"

func TestParseReadsEveryField(t *testing.T) {
	statement, id := "I accept the Terms: https://example.com/tos", "a%20b:c@d"
	want := message{
		scheme: "https", domain: "user@example.com:8080", address: "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
		statement: &statement, uri: "https://example.com/login", version: "1", chainID: "10", nonce: "32891756",
		issuedAt: "2021-09-30T16:25:24Z", expirationTime: "2021-09-30T16:35:24.5Z", notBefore: "2021-09-30T18:20:24+02:00",
		requestID: &id,
		resources: []string{"ipfs://bafybeiemxf5abjwjbikoz4mc3a3dla6ual3jsgpdr4cjr3oz3evfyavhwq/", "urn:isbn:0451450523"},
	}
	got, err := parse(whole)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v\nwant %+v", got, err, want)
	}
}

// Every optional field can be absent whatever the others are.
func TestParseKnowsWhatIsOptional(t *testing.T) {
	optional := []string{
		"https://", "I accept the Terms: https://example.com/tos\n", "\nExpiration Time: 2021-09-30T16:35:24.5Z",
		"\nNot Before: 2021-09-30T18:20:24+02:00", "\nRequest ID: a%20b:c@d",
		"\n- ipfs://bafybeiemxf5abjwjbikoz4mc3a3dla6ual3jsgpdr4cjr3oz3evfyavhwq/", "\n- urn:isbn:0451450523",
	}
	for set := range 1 << len(optional) {
		text := whole
		for i, part := range optional {
			if set&(1<<i) != 0 {
				text = strings.Replace(text, part, "", 1)
			}
		}
		texts := []string{text}
		if strings.HasSuffix(text, "\nResources:") {
			texts = append(texts, strings.TrimSuffix(text, "\nResources:"))
		}
		for _, text := range texts {
			m, err := parse(text)
			if err != nil {
				t.Errorf("%v:\n%s", err, text)
			} else if m.String() != text {
				t.Errorf("rendered as\n%s\nwant\n%s", m, text)
			}
		}
	}
}

func TestParseAccepts(t *testing.T) {
	for name, change := range map[string][2]string{
		"domain only":           {"https://user@example.com:8080", "example.com"},
		"localhost":             {"https://user@example.com:8080", "localhost:3000"},
		"IPv4":                  {"user@example.com:8080", "127.0.0.1:1"},
		"IPv6":                  {"user@example.com:8080", "[2001:db8::1]:443"},
		"encoded domain":        {"user@example.com", "b%C3%BCcher.example"},
		"strange scheme":        {"https://user", "A1+-.://user"},
		"address in capitals":   {"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "0x5AAEB6053F3E94C9B9A09F33669435E7EF1BEAED"},
		"empty statement":       {"I accept the Terms: https://example.com/tos\n", "\n"},
		"statement like a URI":  {"I accept the Terms: https://example.com/tos\n", "URI: https://example.com/login\n"},
		"statement of a space":  {"I accept the Terms: https://example.com/tos\n", " \n"},
		"reserved characters":   {"I accept", ":/?#[]@!$&'()*+,;=-._~"},
		"another version":       {"Version: 1", "Version: 2"},
		"chain 0":               {"Chain ID: 10", "Chain ID: 0"},
		"zeros before":          {"Chain ID: 10", "Chain ID: 0010"},
		"immense chain":         {"Chain ID: 10", "Chain ID: 1000000000000000000000000000000"},
		"longer nonce":          {"32891756", "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"},
		"empty request id":      {"a%20b:c@d", ""},
		"request id of a field": {"a%20b:c@d", "Resources:"},
	} {
		text := alter(t, whole, change[0], change[1])
		m, err := parse(text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if m.String() != text {
			t.Errorf("%s: rendered as\n%s", name, m)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for name, change := range map[string]struct{ from, to, where string }{
		"CRLF in the first line":  {"account:\n", "account:\r\n", "first line"},
		"CRLF in the middle":      {"Version: 1\n", "Version: 1\r\n", "version"},
		"other greeting":          {"Ethereum", "ethereum", "first line"},
		"no space":                {"8080 wants", "8080wants", "first line"},
		"two spaces":              {"8080 wants", "8080  wants", "domain"},
		"no domain":               {"https://user@example.com:8080", "", "domain"},
		"scheme without domain":   {"user@example.com:8080", "", "domain"},
		"empty scheme":            {"https://user", "://user", "scheme"},
		"scheme with a digit":     {"https://user", "1https://user", "scheme"},
		"two schemes":             {"https://user", "https://http://user", "domain"},
		"domain with a path":      {"8080 wants", "8080/ wants", "domain"},
		"domain of letters":       {"user@example", "user@exämple", "domain"},
		"port of letters":         {":8080", ":http", "domain"},
		"half an escape":          {"user@example", "user@ex%4mple", "domain"},
		"no IPv6":                 {"user@example.com", "[1:2:3]", "domain"},
		"IPv4 in brackets":        {"user@example.com", "[127.0.0.1]", "domain"},
		"IPv6 with a zone":        {"user@example.com", "[fe80::1%25eth0]", "domain"},
		"empty line first":        {"https://user", "\nhttps://user", "first line"},
		"byte order mark":         {"https://user", "\ufeffhttps://user", "scheme"},
		"wrong checksum":          {"0x5a", "0x5A", "address"},
		"address prefix":          {"0x5a", "0X5a", "address"},
		"short address":           {"BeAed\n", "BeAe\n", "address"},
		"space after address":     {"BeAed\n", "BeAed \n", "address"},
		"no line after address":   {"BeAed\n\n", "BeAed\n", "line after the address"},
		"no line after statement": {"tos\n\n", "tos\n", "line after the statement"},
		"two statements":          {"tos\n\n", "tos\nmore\n\n", "line after the statement"},
		"too many lines":          {"tos\n\n", "tos\n\n\n", "URI"},
		"two empty statements":    {"I accept the Terms: https://example.com/tos\n", "\n\n", "URI"},
		"no empty line at all":    {"\nI accept the Terms: https://example.com/tos\n\n", "", "line after the address"},
		"quotes":                  {"I accept", `I "accept"`, "statement"},
		"percent":                 {"I accept", "100% accept", "statement"},
		"angle brackets":          {"I accept", "<b>I accept", "statement"},
		"tab":                     {"I accept", "I\taccept", "statement"},
		"carriage return":         {"I accept", "I\raccept", "statement"},
		"NUL":                     {"I accept", "I\x00accept", "statement"},
		"letters beyond ASCII":    {"I accept", "Ich äccept", "statement"},
		"line separator":          {"I accept", "I\u2028accept", "statement"},
		"no URI":                  {"URI: https://example.com/login\n", "", "URI"},
		"relative URI":            {"URI: https://example.com/login", "URI: /login", "URI"},
		"URI with a space":        {"com/login", "com/log in", "URI"},
		"name in small letters":   {"URI: ", "uri: ", "URI"},
		"no space after name":     {"URI: ", "URI:", "URI"},
		"two URIs":                {"Version: 1", "URI: https://example.com\nVersion: 1", "version"},
		"no version":              {"Version: 1\n", "", "version"},
		"empty version":           {"Version: 1", "Version: ", "version"},
		"version with a point":    {"Version: 1", "Version: 1.0", "version"},
		"negative chain":          {"Chain ID: 10", "Chain ID: -10", "chain id"},
		"chain with a sign":       {"Chain ID: 10", "Chain ID: +10", "chain id"},
		"chain in hexadecimal":    {"Chain ID: 10", "Chain ID: 0x0a", "chain id"},
		"chain in other digits":   {"Chain ID: 10", "Chain ID: １０", "chain id"},
		"empty chain":             {"Chain ID: 10", "Chain ID: ", "chain id"},
		"chain before version":    {"Version: 1\nChain ID: 10", "Chain ID: 10\nVersion: 1", "version"},
		"short nonce":             {"32891756", "3289175", "nonce"},
		"nonce with a hyphen":     {"32891756", "3289-1756", "nonce"},
		"nonce beyond ASCII":      {"32891756", "3289175é6", "nonce"},
		"no time of issue":        {"Issued At: 2021-09-30T16:25:24Z\n", "", "time of issue"},
		"no such day":             {"2021-09-30T16:25:24Z", "2021-09-31T16:25:24Z", "time of issue"},
		"no time of expiry":       {"2021-09-30T16:35:24.5Z", "never", "time of expiry"},
		"no time of beginning":    {"2021-09-30T18:20:24+02:00", "", "time of beginning"},
		"times in another order":  {"Expiration Time: 2021-09-30T16:35:24.5Z\nNot Before: 2021-09-30T18:20:24+02:00", "Not Before: 2021-09-30T18:20:24+02:00\nExpiration Time: 2021-09-30T16:35:24.5Z", "end"},
		"two times of expiry":     {"Not Before: 2021-09-30T18:20:24+02:00", "Expiration Time: 2021-09-30T16:35:24.5Z", "end"},
		"slash in the request id": {"a%20b", "a/b", "request id"},
		"space in the request id": {"a%20b", "a b", "request id"},
		"no space after its name": {"Request ID: a%20b:c@d", "Request ID:", "end"},
		"space after Resources":   {"Resources:", "Resources: ", "end"},
		"resource without dash":   {"- urn", "urn", "end"},
		"resource without space":  {"- urn", "-urn", "end"},
		"resource that is none":   {"- urn:isbn", "- urn isbn", "resource"},
		"empty resource":          {"- urn:isbn:0451450523", "- ", "resource"},
		"line break at the end":   {"$", "\n", "end"},
		"more at the end":         {"$", "\nStatement: x", "end"},
		"space at the end":        {"$", " ", "resource"},
	} {
		t.Run(name, func(t *testing.T) {
			text := alter(t, whole, change.from, change.to)
			m, err := parse(text)
			if err == nil {
				t.Fatalf("accepted as %+v", m)
			}
			if want := "not a message of EIP-4361: see its " + change.where; err.Error() != want {
				t.Errorf("got %q, want %q", err, want)
			}
		})
	}
	for _, text := range []string{"", "\n", " ", "hello", strings.Repeat("\n", 1000), greeting, "a" + greeting, strings.ReplaceAll(whole, "\n", "\r\n"), strings.ReplaceAll(whole, "\n", "\r"), whole + "\n" + whole} {
		if m, err := parse(text); err == nil {
			t.Errorf("%q: accepted as %+v", text, m)
		}
	}
}

// No beginning of a text is one, except where an optional part ends.
func TestParseRefusesHalfAText(t *testing.T) {
	head := whole[:strings.Index(whole, "Z\nExpiration")]
	for i := range head {
		if _, err := parse(head[:i]); err == nil {
			t.Errorf("accepted:\n%s", head[:i])
		}
	}
	if _, err := parse(head + "Z"); err != nil {
		t.Error(err)
	}
}

// FuzzParse: what is accepted is rendered as it was, and has nothing in it that
// the grammar has no place for.
func FuzzParse(f *testing.F) {
	f.Add(whole)
	f.Add(prover.Message(challengeFor(keyOf(1))))
	f.Add(strings.ReplaceAll(whole, "I accept the Terms: https://example.com/tos\n", ""))
	f.Add(strings.ReplaceAll(whole, "I accept the Terms: https://example.com/tos", ""))
	f.Add(strings.ReplaceAll(whole, "user@example.com:8080", "[::ffff:1.2.3.4]:"))
	f.Add(strings.ReplaceAll(whole, "16:25:24Z", "23:59:60-00:00"))
	f.Add(whole[:strings.Index(whole, "\n- ")])
	f.Add(whole[:strings.Index(whole, "\nExpiration")] + "\nRequest ID: ")
	f.Add(whole + "\n")
	f.Add(strings.ReplaceAll(whole, "\n", "\r\n"))
	f.Fuzz(func(t *testing.T, text string) {
		m, err := parse(text)
		if err != nil {
			if !reflect.DeepEqual(m, message{}) {
				t.Errorf("refused, and yet %+v", m)
			}
			return
		}
		if got := m.String(); got != text {
			t.Errorf("rendered as\n%q\nwant\n%q", got, text)
		}
		for _, r := range text {
			if (r < ' ' || r > '~') && r != '\n' {
				t.Errorf("%q has %q in it", text, r)
			}
		}
		if instant(m.issuedAt).IsZero() && !strings.HasPrefix(m.issuedAt, "000") {
			t.Errorf("issued at %q, which is no time", m.issuedAt)
		}
	})
}
