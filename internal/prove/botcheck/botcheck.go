// Package botcheck asks Cloudflare Turnstile or hCaptcha whether the token that its
// widget gave came from a person.
package botcheck

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"stepwise/internal/outbound"
	"stepwise/internal/signup"
)

var addresses = map[signup.BotProvider]string{
	signup.BotTurnstile: "https://challenges.cloudflare.com/turnstile/v0/siteverify",
	signup.BotHCaptcha:  "https://api.hcaptcha.com/siteverify",
}

const maxAnswer = 64 << 10

// Checker asks the providers. It is safe for concurrent use.
type Checker struct {
	client *http.Client
	// address, where not empty, is asked in place of every provider.
	address string
}

// New returns a checker that asks through a client made by outbound.NewClient.
// address is empty but in tests, where it takes the place of the providers'.
func New(client *http.Client, address string) *Checker { return &Checker{client, address} }

// Check implements signup.BotCheck.
func (c *Checker) Check(ctx context.Context, q signup.BotQuestion) error {
	form := url.Values{"secret": {q.Secret}, "response": {q.Token}}
	if q.Provider == signup.BotHCaptcha {
		form.Set("sitekey", q.SiteKey) // it takes tokens of any site otherwise
	}
	answer, err := c.post(ctx, cmp.Or(c.address, addresses[q.Provider]), form)
	if err != nil {
		return err
	}
	return judge(answer)
}

func (c *Checker) post(ctx context.Context, address string, form url.Values) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, errors.New("the provider's address cannot be asked")
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Accept", "application/json")
	response, err := c.client.Do(request)
	if err != nil {
		return nil, outbound.Reason(ctx, err, "the provider was not reached")
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the provider answered with status %d", response.StatusCode)
	}
	answer, err := outbound.ReadAll(response.Body, maxAnswer)
	if err != nil {
		return nil, outbound.Reason(ctx, err, "the answer broke off")
	}
	return answer, nil
}

// ours are the error codes about which no other token would change anything.
var ours = []string{"missing-input-secret", "invalid-input-secret", "internal-error"}

// judge reads the answer. Only the literal true says that a person has come; the
// names of members are compared letter by letter.
func judge(answer []byte) error {
	var members map[string]any
	if err := json.Unmarshal(answer, &members); err != nil {
		return errors.New("the answer is no JSON object")
	}
	success, ok := members["success"].(bool)
	if !ok {
		return errors.New("the answer does not say whether the token is good")
	}
	if success {
		return nil
	}
	codes, _ := members["error-codes"].([]any)
	for _, code := range ours {
		if slices.Contains(codes, any(code)) {
			return fmt.Errorf("the provider could not judge the token: %s", code)
		}
	}
	return signup.ErrBot
}
