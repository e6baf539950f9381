package oidc

import (
	"context"
	"errors"
	"net/netip"

	"stepwise/engine"
	"stepwise/internal/outbound"
	"stepwise/internal/signup"
)

// failed makes an error of fixed words.
func failed(code engine.Code, words string) error {
	return &signup.ProofError{Code: code, Cause: errors.New(words)}
}

// unreachable makes an error of what went wrong between us and a provider. Only
// errors of the network and of time are passed on; all others may quote what was
// sent or answered, and are replaced by the words.
func unreachable(ctx context.Context, err error, words string) error {
	return &signup.ProofError{Code: signup.ProviderUnavailable, Cause: outbound.Reason(ctx, err, words)}
}

// isLoopback reports whether a host, given by name or address, is this machine.
func isLoopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.IsLoopback()
}
