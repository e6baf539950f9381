package oidc

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"stepwise/internal/outbound"
	"stepwise/internal/signup"
)

const (
	maxUserInfo = 256 << 10 // bytes
	userAgent   = "Stepwise"
)

// askUserInfo fills in what the ID token left out (OpenID Connect Core section
// 5.3). An answer about somebody else is refused.
func (p *Prover) askUserInfo(ctx context.Context, address, accessToken string, account signup.ProvenAccount) (signup.ProvenAccount, error) {
	var said claims
	if _, err := p.getJSON(ctx, address, accessToken, &said); err != nil {
		return account, err
	}
	if said.text("sub") != account.Subject {
		return account, failed(signup.ProviderTokenInvalid, "the user info is about another subject than the ID token")
	}
	return fillFrom(account, said.account(account.Issuer)), nil
}

// plainAccount asks a provider without ID tokens whose access token it is. The
// member `id`, a number, identifies the account; logins and addresses change
// hands.
func (p *Prover) plainAccount(ctx context.Context, provider signup.Provider, accessToken string) (signup.ProvenAccount, error) {
	var said claims
	if _, err := p.getJSON(ctx, provider.Preset.UserInfoURL, accessToken, &said); err != nil {
		return signup.ProvenAccount{}, err
	}
	account := signup.ProvenAccount{Issuer: provider.Issuer, Subject: string(said["id"])}
	if !isID(account.Subject) {
		return signup.ProvenAccount{}, failed(signup.ProviderTokenInvalid, "the account has no proper id")
	}
	account.FirstName, account.LastName = nameOfTwo(said.text("name"))
	if provider.Preset.EmailsURL == "" {
		account.Email = said.text("email") // of which nobody says that it is verified
		return account, nil
	}
	var addresses []claims
	status, err := p.getJSON(ctx, provider.Preset.EmailsURL, accessToken, &addresses)
	if status == http.StatusForbidden || status == http.StatusNotFound {
		return account, nil // the person did not let us see addresses
	}
	if err != nil {
		return signup.ProvenAccount{}, err
	}
	for _, address := range addresses {
		if address.isTrue("primary") {
			account.Email = address.text("email")
			account.EmailVerified = account.Email != "" && address.isTrue("verified")
			break
		}
	}
	return account, nil
}

// isID tells a positive whole number in decimal digits, without anything else:
// 1e3 and 1000 would be the same account under two names.
func isID(s string) bool {
	return s != "" && len(s) <= 20 && s[0] != '0' && strings.Trim(s, "0123456789") == ""
}

// getJSON asks for a document of the one whose token it is, and decodes it into
// target. The status is that of the answer, 0 without one.
func (p *Prover) getJSON(ctx context.Context, address, accessToken string, target any) (status int, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return 0, failed(signup.ProviderUnavailable, "the user info endpoint is no address")
	}
	request.Header.Set("Authorization", "Bearer "+accessToken)
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", userAgent)
	response, err := p.client.Do(request)
	if err != nil {
		return 0, unreachable(ctx, err, "the user info endpoint does not answer")
	}
	defer response.Body.Close()
	body, err := outbound.ReadAll(response.Body, maxUserInfo)
	switch {
	case err != nil:
		return response.StatusCode, unreachable(ctx, err, "the user info endpoint's answer cannot be read")
	case response.StatusCode != http.StatusOK:
		return response.StatusCode, &signup.ProofError{
			Code: signup.ProviderUnavailable, Cause: fmt.Errorf("the user info endpoint answered %d", response.StatusCode),
		}
	case json.Unmarshal(body, target) != nil:
		return response.StatusCode, failed(signup.ProviderUnavailable, "the user info endpoint's answer makes no sense")
	}
	return response.StatusCode, nil
}
