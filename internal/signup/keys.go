package signup

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"stepwise/engine"
)

// Keys are derived from the master key (HKDF, RFC 5869), one for each purpose,
// so that what leaks for one says nothing about another.
type Keys struct {
	clientToken, code, secretKey, fingerprint, reference, authorization, ticket, session []byte
	seal                                                                                 cipher.AEAD
}

// MinMasterKey is how many bytes a master key must have.
const MinMasterKey = 32

// NewKeys derives the keys. master must be at least MinMasterKey bytes that
// nobody can guess.
func NewKeys(master []byte) (*Keys, error) {
	if len(master) < MinMasterKey {
		return nil, fmt.Errorf("the master key has %d bytes; it needs %d", len(master), MinMasterKey)
	}
	derive := func(purpose string) []byte {
		key, err := hkdf.Key(sha256.New, master, nil, "stepwise/1/"+purpose, 32)
		if err != nil {
			panic(err) // only for lengths out of range
		}
		return key
	}
	block, err := aes.NewCipher(derive("seal"))
	if err != nil {
		return nil, err
	}
	seal, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	return &Keys{
		clientToken: derive("client token"), code: derive("code"),
		secretKey: derive("secret key"), fingerprint: derive("fingerprint"), reference: derive("reference"),
		authorization: derive("authorization"), ticket: derive("ticket"), session: derive("session"), seal: seal,
	}, nil
}

func mac(key []byte, parts ...string) []byte {
	h := hmac.New(sha256.New, key)
	var length [8]byte
	for _, p := range parts {
		binary.BigEndian.PutUint64(length[:], uint64(len(p)))
		h.Write(length[:])
		h.Write([]byte(p))
	}
	return h.Sum(nil)
}

// ClientToken returns the token of a client. Tokens are not stored: the
// generation, which rises whenever a sign-up completes, makes former ones void.
func (k *Keys) ClientToken(instance, client string, generation int64) string {
	g := strconv.FormatInt(generation, 10)
	sum := mac(k.clientToken, instance, client, g)
	return "ct_" + strings.TrimPrefix(client, clientPrefix) + "." + g + "." + base64.RawURLEncoding.EncodeToString(sum)
}

// parseClientToken splits a token without checking it.
func parseClientToken(token string) (client string, generation int64, ok bool) {
	parts := strings.Split(strings.TrimPrefix(token, "ct_"), ".")
	if len(parts) != 3 || !strings.HasPrefix(token, "ct_") || !isID(parts[0], idLength) {
		return "", 0, false
	}
	generation, err := strconv.ParseInt(parts[1], 10, 64)
	return clientPrefix + parts[0], generation, err == nil && generation >= 0
}

// clientTokenValid reports whether this server issued the token.
func (k *Keys) clientTokenValid(token, instance, client string, generation int64) bool {
	return hmac.Equal([]byte(token), []byte(k.ClientToken(instance, client, generation)))
}

// SecretKeyHash is what is stored of an instance's secret key.
func (k *Keys) SecretKeyHash(secretKey string) []byte { return mac(k.secretKey, secretKey) }

// verificationCode derives the six digits of one sending (RFC 4226 takes the
// same reduction). Nothing but the nonce is stored.
func (k *Keys) verificationCode(key AttemptKey, a engine.Attribute, v engine.Verification) string {
	sum := mac(k.code, key.Instance, key.ID, a.String(), v.Key, v.Nonce, strconv.FormatUint(uint64(v.Generation), 10))
	return fmt.Sprintf("%06d", binary.BigEndian.Uint64(sum)%1_000_000)
}

// requestFingerprint identifies a mutation's content without revealing it.
func (k *Keys) requestFingerprint(parts ...string) string {
	return base64.RawURLEncoding.EncodeToString(mac(k.fingerprint, parts...)[:16])
}

// Seal encrypts under the master key; purpose is bound to the result.
func (k *Keys) Seal(plain []byte, purpose string) []byte {
	nonce := make([]byte, k.seal.NonceSize())
	rand.Read(nonce)
	return k.seal.Seal(nonce, nonce, plain, []byte(purpose))
}

// Open is the inverse of Seal.
func (k *Keys) Open(sealed []byte, purpose string) ([]byte, error) {
	n := k.seal.NonceSize()
	if len(sealed) < n {
		return nil, errors.New("sealed value is too short")
	}
	plain, err := k.seal.Open(nil, sealed[:n], sealed[n:], []byte(purpose))
	if err != nil {
		return nil, errors.New("sealed under another master key (APP_KEY)")
	}
	return plain, nil
}

const hashPurpose = "password hash"

// sealHash keeps the hash of a password unreadable while it waits in the store
// of sign-ups: only SQL has it as it is.
func (k *Keys) sealHash(hash string) string {
	return base64.RawStdEncoding.EncodeToString(k.Seal([]byte(hash), hashPurpose))
}

func (k *Keys) openHash(sealed string) (string, error) {
	if sealed == "" {
		return "", nil
	}
	data, err := base64.RawStdEncoding.DecodeString(sealed)
	if err != nil {
		return "", errors.New("password hash is not sealed")
	}
	hash, err := k.Open(data, hashPurpose)
	return string(hash), err
}

const (
	clientPrefix  = "client_"
	attemptPrefix = "sua_"
	userPrefix    = "user_"
	sessionPrefix = "sess_"
	eventPrefix   = "evt_"
	// idLength is the length of an id behind its prefix: 119 bits.
	idLength = 20
	// attemptTail is the length of what a sign-up's id has beyond its client's.
	attemptTail = 12
)

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// RandomText returns n characters of base 62 from a cryptographic source.
func RandomText(n int) string {
	text := make([]byte, 0, n)
	var buf [64]byte
	for len(text) < n {
		rand.Read(buf[:])
		for _, b := range buf {
			if b < 248 && len(text) < n { // 248 = 4 × 62: no bias
				text = append(text, base62[b%62])
			}
		}
	}
	return string(text)
}

func isID(s string, length int) bool {
	return len(s) == length && strings.Trim(s, base62) == ""
}

// attemptID makes a sign-up's id; it embeds the client's, so that the id alone
// leads to the record.
func attemptID(client, random string) string {
	return attemptPrefix + strings.TrimPrefix(client, clientPrefix) + random
}

// clientOfAttempt returns the client that an id embeds.
func clientOfAttempt(id string) (string, bool) {
	tail, ok := strings.CutPrefix(id, attemptPrefix)
	if !ok || !isID(tail, idLength+attemptTail) {
		return "", false
	}
	return clientPrefix + tail[:idLength], true
}
