package siwe

import (
	"strconv"
	"strings"
	"time"

	"stepwise/engine"
	"stepwise/internal/signup"
)

// greeting follows the domain in the first line.
const greeting = " wants you to sign in with your Ethereum account:"

// timeLayout is how times are written: as JavaScript's toISOString does.
const timeLayout = "2006-01-02T15:04:05.000Z"

// message has the fields of a text of EIP-4361, as they are written there.
type message struct {
	scheme    string // "" if absent
	domain    string
	address   string
	statement *string // nil if absent; a statement may be empty
	uri       string
	version   string
	chainID   string
	nonce     string
	issuedAt  string
	// These are "" if absent.
	expirationTime, notBefore string
	requestID                 *string  // nil if absent; an id may be empty
	resources                 []string // nil if absent; a list may be empty
}

// challengeMessage is the message that a challenge stands for.
func challengeMessage(c signup.WalletChallenge) message {
	m := message{
		domain: c.Domain, address: c.Address, uri: c.URI, version: "1",
		chainID: strconv.FormatInt(c.ChainID, 10), nonce: c.Nonce,
		issuedAt:       c.IssuedAt.UTC().Format(timeLayout),
		expirationTime: c.ExpireAt.UTC().Format(timeLayout),
	}
	if c.Statement != "" {
		m.statement = &c.Statement
	}
	return m
}

// String returns the text of m. For what parse has accepted it is, byte for
// byte, what was parsed.
func (m message) String() string {
	var b strings.Builder
	if m.scheme != "" {
		b.WriteString(m.scheme + "://")
	}
	b.WriteString(m.domain + greeting + "\n" + m.address + "\n\n")
	if m.statement != nil {
		b.WriteString(*m.statement + "\n")
	}
	b.WriteString("\nURI: " + m.uri + "\nVersion: " + m.version + "\nChain ID: " + m.chainID +
		"\nNonce: " + m.nonce + "\nIssued At: " + m.issuedAt)
	if m.expirationTime != "" {
		b.WriteString("\nExpiration Time: " + m.expirationTime)
	}
	if m.notBefore != "" {
		b.WriteString("\nNot Before: " + m.notBefore)
	}
	if m.requestID != nil {
		b.WriteString("\nRequest ID: " + *m.requestID)
	}
	if m.resources != nil {
		b.WriteString("\nResources:")
		for _, resource := range m.resources {
			b.WriteString("\n- " + resource)
		}
	}
	return b.String()
}

// difference returns the code of the first field in which got means something
// else than want, and SIWE_MALFORMED if there is none.
func difference(got, want message) engine.Code {
	switch {
	case got.scheme != want.scheme || got.domain != want.domain:
		return signup.SIWEDomainMismatch
	case !strings.EqualFold(got.address, want.address):
		return signup.SIWEAddressMismatch
	case !equal(got.statement, want.statement):
		return signup.SIWEStatementMismatch
	case got.uri != want.uri:
		return signup.SIWEURIMismatch
	case got.version != want.version:
		return signup.SIWEVersionMismatch
	case strings.TrimLeft(got.chainID, "0") != strings.TrimLeft(want.chainID, "0"):
		return signup.SIWEChainMismatch
	case got.nonce != want.nonce:
		return signup.SIWENonceMismatch
	case !instant(got.issuedAt).Equal(instant(want.issuedAt)):
		return signup.SIWEIssuedAtMismatch
	case !instant(got.expirationTime).Equal(instant(want.expirationTime)):
		return signup.SIWEExpirationMismatch
	case got.notBefore != "": // no challenge has this field or the next two
		return signup.SIWENotBeforeMismatch
	case got.requestID != nil:
		return signup.SIWERequestIDMismatch
	case got.resources != nil:
		return signup.SIWEResourcesMismatch
	}
	return signup.SIWEMalformed
}

func equal(a, b *string) bool {
	return a == b || a != nil && b != nil && *a == *b
}

// instant returns the moment that a date-time stands for, and the zero time for
// any other text, an absent one too.
func instant(text string) time.Time {
	t, _ := parseDateTime(text)
	return t
}
