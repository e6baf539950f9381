package siwe

import (
	"strings"
	"testing"
	"time"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"pgregory.net/rapid"

	"stepwise/engine"
	"stepwise/internal/signup"
)

func TestMessageIsTheTextOfTheStandard(t *testing.T) {
	c := challengeFor(keyOf(1))
	const head = "app.example.com wants you to sign in with your Ethereum account:\n" +
		"0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf\n\n"
	const tail = "\nURI: https://app.example.com\nVersion: 1\nChain ID: 137\nNonce: q2Wer4Tz6uI8\n" +
		"Issued At: 2031-02-03T04:05:06.789Z\nExpiration Time: 2031-02-03T04:15:06.789Z"
	if got, want := prover.Message(c), head+"Sign up to Example.\n"+tail; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	c.Statement = ""
	if got, want := prover.Message(c), head+tail; got != want {
		t.Errorf("without a statement: got\n%s\nwant\n%s", got, want)
	}
}

// Wherever the server stands, and however fine its clock is, the same text.
func TestMessageKnowsOneZoneAndMilliseconds(t *testing.T) {
	c := challengeFor(keyOf(1))
	want := prover.Message(c)
	east := time.FixedZone("east", 5*3600+1800)
	c.IssuedAt, c.ExpireAt = c.IssuedAt.In(east).Add(999*time.Microsecond), c.ExpireAt.In(east).Add(time.Nanosecond)
	if got := prover.Message(c); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	c.IssuedAt = time.Date(2031, 2, 3, 4, 5, 6, 0, time.UTC)
	if got := prover.Message(c); !strings.Contains(got, "\nIssued At: 2031-02-03T04:05:06.000Z\n") {
		t.Errorf("full second without its zeros:\n%s", got)
	}
}

func TestVerifyAcceptsTheOwnMessage(t *testing.T) {
	key := keyOf(7)
	for name, statement := range map[string]string{"with a statement": "Sign up.", "without": ""} {
		t.Run(name, func(t *testing.T) {
			c := challengeFor(key)
			c.Statement = statement
			text := prover.Message(c)
			signature := sign(key, text)
			for _, message := range []string{"", text} {
				if err := prover.Verify(c, message, signature); err != nil {
					t.Errorf("message %q: %v", message, err)
				}
			}
		})
	}
}

// alterations are changes to the text of challengeFor, one for each field, in
// the order of the fields.
var alterations = []struct {
	name, from, to string
	want           engine.Code
}{
	{"a scheme", "app.example.com wants", "https://app.example.com wants", signup.SIWEDomainMismatch},
	{"foreign domain", "app.example.com wants", "app.example.org wants", signup.SIWEDomainMismatch},
	{"domain in capitals", "app.example.com wants", "APP.example.com wants", signup.SIWEDomainMismatch},
	{"a port", ".com wants", ".com:443 wants", signup.SIWEDomainMismatch},
	{"userinfo", "app.example.com wants", "app.example.com@evil.example wants", signup.SIWEDomainMismatch},
	{"address", "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf", "0x2B5AD5c4795c026514f8317c7a215E218DcCD6cF", signup.SIWEAddressMismatch},
	{"statement", "up to", "away", signup.SIWEStatementMismatch},
	{"no statement", "Sign up to Example.\n", "", signup.SIWEStatementMismatch},
	{"empty statement", "Sign up to Example.\n", "\n", signup.SIWEStatementMismatch},
	{"URI", "URI: https:", "URI: http:", signup.SIWEURIMismatch},
	{"path", "URI: https://app.example.com", "URI: https://app.example.com/", signup.SIWEURIMismatch},
	{"version", "Version: 1", "Version: 2", signup.SIWEVersionMismatch},
	{"chain", "Chain ID: 137", "Chain ID: 1", signup.SIWEChainMismatch},
	{"no chain", "Chain ID: 137", "Chain ID: 0", signup.SIWEChainMismatch},
	{"immense chain", "Chain ID: 137", "Chain ID: 18446744073709551753", signup.SIWEChainMismatch},
	{"nonce", "q2Wer4Tz6uI8", "q2Wer4Tz6uI9", signup.SIWENonceMismatch},
	{"longer nonce", "q2Wer4Tz6uI8", "q2Wer4Tz6uI80", signup.SIWENonceMismatch},
	{"issued later", "04:05:06.789Z", "04:05:06.790Z", signup.SIWEIssuedAtMismatch},
	{"issued in another zone", "04:05:06.789Z", "04:05:06.789-01:00", signup.SIWEIssuedAtMismatch},
	{"expiring later", "04:15:06.789Z", "04:15:07.789Z", signup.SIWEExpirationMismatch},
	{"never expiring", "\nExpiration Time: 2031-02-03T04:15:06.789Z", "", signup.SIWEExpirationMismatch},
	{"not before", "$", "\nNot Before: 2031-02-03T04:05:06.789Z", signup.SIWENotBeforeMismatch},
	{"request id", "$", "\nRequest ID: 1", signup.SIWERequestIDMismatch},
	{"empty request id", "$", "\nRequest ID: ", signup.SIWERequestIDMismatch},
	{"resources", "$", "\nResources:\n- https://app.example.com/terms", signup.SIWEResourcesMismatch},
	{"no resources", "$", "\nResources:", signup.SIWEResourcesMismatch},

	// The same in other bytes, and what is no message.
	{"address in small letters", "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf", "0x7e5f4552091a69125d5dfcb7b8c2659029395bdf", signup.SIWEMalformed},
	{"zeros before the chain", "Chain ID: 137", "Chain ID: 000137", signup.SIWEMalformed},
	{"the same moment", "04:05:06.789Z", "04:05:06.789+00:00", signup.SIWEMalformed},
	{"the same moment elsewhere", "04:15:06.789Z", "05:15:06.789+01:00", signup.SIWEMalformed},
	{"more digits", "04:15:06.789Z", "04:15:06.7890Z", signup.SIWEMalformed},
	{"small letters in a time", "2031-02-03T04:05:06.789Z", "2031-02-03t04:05:06.789z", signup.SIWEMalformed},
	{"line break at the end", "$", "\n", signup.SIWEMalformed},
}

// alter makes the change to text, which has to have its place for it; "$" is
// the end.
func alter(t testing.TB, text, from, to string) string {
	t.Helper()
	if from == "$" {
		return text + to
	}
	if strings.Count(text, from) != 1 {
		t.Fatalf("%q is not once in\n%s", from, text)
	}
	return strings.Replace(text, from, to, 1)
}

// Even signed by the right key, a text that differs is refused, and told apart.
func TestVerifySaysWhereTheMessageDiffers(t *testing.T) {
	key := keyOf(1)
	c := challengeFor(key)
	for _, a := range alterations {
		t.Run(a.name, func(t *testing.T) {
			text := alter(t, prover.Message(c), a.from, a.to)
			for _, signature := range []string{sign(key, text), sign(key, prover.Message(c)), "", "0x"} {
				err := prover.Verify(c, text, signature)
				if got := codeOf(t, err, text, signature); got != a.want {
					t.Errorf("got %q, want %s", got, a.want)
				}
			}
		})
	}
}

// Of two differences the first in the text is named.
func TestVerifyNamesTheFirstDifference(t *testing.T) {
	c := challengeFor(keyOf(1))
	own := prover.Message(c)
	compared := 0
	for i, first := range alterations {
		for _, second := range alterations[i+1:] {
			if first.want == second.want || second.want == signup.SIWEMalformed {
				continue
			}
			compared++
			text := alter(t, alter(t, own, first.from, first.to), second.from, second.to)
			if got := codeOf(t, prover.Verify(c, text, "")); got != first.want {
				t.Errorf("%s and %s: got %q, want %s", first.name, second.name, got, first.want)
			}
		}
	}
	if compared < 200 {
		t.Errorf("only %d pairs", compared)
	}
}

// A challenge without a statement is no different.
func TestVerifyMissesNoStatement(t *testing.T) {
	key := keyOf(1)
	c := challengeFor(key)
	c.Statement = ""
	for _, statement := range []string{"\n", "Grant all rights.\n"} {
		text := alter(t, prover.Message(c), "\n\n", "\n\n"+statement)
		if got := codeOf(t, prover.Verify(c, text, sign(key, text))); got != signup.SIWEStatementMismatch {
			t.Errorf("%q: got %q", statement, got)
		}
	}
}

// No byte can be another, be left out or stand twice.
func TestEveryByteOfTheMessageCounts(t *testing.T) {
	key := keyOf(1)
	c := challengeFor(key)
	own := prover.Message(c)
	for i := range len(own) {
		for _, in := range []string{"", own[i:i+1] + own[i:i+1], string(own[i] ^ 1), "\n", "\r\n", "\x00", "é", "A", "1"} {
			text := own[:i] + in + own[i+1:]
			if text == own {
				continue
			}
			got := codeOf(t, prover.Verify(c, text, sign(key, text)), text)
			if !strings.HasPrefix(string(got), "SIWE_") {
				t.Errorf("byte %d as %q: got %q", i, in, got)
			}
		}
	}
}

// What was signed for one challenge serves no other, though the message be
// left to the server.
func TestASignatureServesOneChallenge(t *testing.T) {
	key := keyOf(1)
	c := challengeFor(key)
	signature := sign(key, prover.Message(c))
	for name, change := range map[string]func(*signup.WalletChallenge){
		"domain":    func(c *signup.WalletChallenge) { c.Domain = "evil.example" },
		"address":   func(c *signup.WalletChallenge) { c.Address = keyAddress(keyOf(2).PubKey()) },
		"statement": func(c *signup.WalletChallenge) { c.Statement = "" },
		"URI":       func(c *signup.WalletChallenge) { c.URI += "/" },
		"chain":     func(c *signup.WalletChallenge) { c.ChainID++ },
		"nonce":     func(c *signup.WalletChallenge) { c.Nonce = "q2Wer4Tz6uI9" },
		"issued":    func(c *signup.WalletChallenge) { c.IssuedAt = c.IssuedAt.Add(time.Millisecond) },
		"expiry":    func(c *signup.WalletChallenge) { c.ExpireAt = c.ExpireAt.Add(time.Hour) },
	} {
		other := c
		change(&other)
		if got := codeOf(t, prover.Verify(other, "", signature), signature); got != signup.SignatureMismatch {
			t.Errorf("%s: got %q", name, got)
		}
	}
}

func TestEveryChallengeCanBeReadBackAndSigned(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, key := challenges(t)
		text := prover.Message(c)
		m, err := parse(text)
		if err != nil {
			t.Fatalf("%v:\n%s", err, text)
		}
		statement := ""
		if m.statement != nil {
			statement = *m.statement
		}
		back := signup.WalletChallenge{
			Domain: m.domain, URI: m.uri, Address: m.address, Statement: statement, ChainID: c.ChainID, Nonce: m.nonce,
			IssuedAt: instant(m.issuedAt).Local(), ExpireAt: instant(m.expirationTime).Local(),
		}
		if back != c || m.String() != text {
			t.Fatalf("read back as %+v, want %+v", back, c)
		}
		signature := sign(key, text)
		if err := prover.Verify(c, text, signature); err != nil {
			t.Fatal(err)
		}
		other := secp256k1.PrivKeyFromBytes([]byte{5})
		if got := codeOf(t, prover.Verify(c, text, sign(other, text))); got != signup.SignatureMismatch {
			t.Fatalf("signed by another: got %q", got)
		}
	})
}

// FuzzVerify: whatever is offered, only the two right values are accepted.
func FuzzVerify(f *testing.F) {
	key := keyOf(1)
	c := challengeFor(key)
	own := prover.Message(c)
	right := sign(key, own)
	f.Add(own, right)
	f.Add("", right)
	f.Add(own, right[:len(right)-2]+"01")
	f.Add(own, "0x"+strings.Repeat("f", 130))
	f.Add(own, "0x"+strings.Repeat("0", 130))
	f.Add("", right[:130])
	f.Add("", highS(right))
	for _, a := range alterations {
		f.Add(alter(f, own, a.from, a.to), right)
	}
	f.Fuzz(func(t *testing.T, message, signature string) {
		code := codeOf(t, prover.Verify(c, message, signature))
		// v may be written in two ways, hexadecimal digits in two cases.
		lower := strings.ToLower(signature)
		accepted := (message == "" || message == own) && len(lower) == len(right) && signature[:2] == "0x" &&
			lower[:130] == right[:130] && (lower[130:] == right[130:] || lower[130:] == map[string]string{"1b": "00", "1c": "01"}[right[130:]])
		if accepted != (code == "") {
			t.Errorf("accepted: %v, want %v", code == "", accepted)
		}
	})
}
