// Package breached asks a server with the range interface of Have I Been Pwned
// whether a password is known from breaches.
//
// The server learns the first five hex digits of the password's SHA-1, which some
// hundred thousands of passwords share, and answers with the rest of all that begin
// so. It is asked to pad its answer, so that the length tells nothing either.
package breached

import (
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"stepwise/internal/outbound"
)

const (
	prefixLength = 5
	suffixLength = 2*sha1.Size - prefixLength
	// maxAnswer is some ten times what servers answer.
	maxAnswer = 1 << 20
)

// Passwords are those that one server knows. It is safe for concurrent use.
type Passwords struct {
	base   string
	client *http.Client
}

// At returns the passwords that the server at the address knows, asked by a client
// that outbound.NewClient has made.
func At(base string, client *http.Client) *Passwords {
	return &Passwords{base: strings.TrimRight(base, "/"), client: client}
}

// Known asks the server about a password in its normal form. Its errors hold nothing
// of the password and no part of the hash.
func (p *Passwords) Known(ctx context.Context, normal string) (bool, error) {
	sum := sha1.Sum([]byte(normal))
	name := strings.ToUpper(hex.EncodeToString(sum[:]))
	answer, err := p.ask(ctx, name[:prefixLength])
	if err != nil {
		return false, err
	}
	return counted(answer, name[prefixLength:])
}

func (p *Passwords) ask(ctx context.Context, prefix string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.base+"/range/"+prefix, nil)
	if err != nil {
		return nil, errors.New("the server's address cannot be asked")
	}
	request.Header.Set("Add-Padding", "true")
	request.Header.Set("User-Agent", "Stepwise") // without one, or by a browser's, nothing is answered
	response, err := p.client.Do(request)
	if err != nil {
		return nil, outbound.Reason(ctx, err, "the server was not reached")
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the server answered with status %d", response.StatusCode)
	}
	answer, err := outbound.ReadAll(response.Body, maxAnswer)
	if err != nil {
		return nil, outbound.Reason(ctx, err, "the answer broke off")
	}
	return answer, nil
}

var errNonsense = errors.New("the answer is no list of hashes")

// counted reports whether the answer, lines of SUFFIX:COUNT, has the suffix with a
// count other than zero, which stands for padding. Of an answer that is anything
// else nothing is believed.
func counted(answer []byte, suffix string) (bool, error) {
	known, lines := false, 0
	for line := range bytes.Lines(answer) {
		text := strings.TrimSpace(string(line))
		if text == "" {
			continue
		}
		listed, times, _ := strings.Cut(text, ":")
		count, err := strconv.ParseUint(times, 10, 64)
		if err != nil || len(listed) != suffixLength || strings.Trim(listed, "0123456789ABCDEFabcdef") != "" {
			return false, errNonsense
		}
		lines++
		known = known || count > 0 && strings.EqualFold(listed, suffix)
	}
	if lines == 0 {
		return false, errNonsense
	}
	return known, nil
}
