// Package outbound makes HTTP requests to addresses that an operator or a
// provider names: discovery documents, token endpoints, webhooks. Such an address
// is not ours to trust. Whoever names it must not reach our own network through
// us, send us elsewhere by a redirect, or hold us by answering slowly or without
// end.
//
// Addresses are looked at when a connection is made, after names were resolved,
// so that a name which means something else at the second look-up gains nothing.
package outbound

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"
)

// Reasons for which a request is not made, or its answer not read. They are
// found in the errors of the client and of its answers' bodies by [errors.Is].
var (
	// ErrPrivateAddress: the host's address is not one of the public internet.
	ErrPrivateAddress = errors.New("the address is not a public one")
	// ErrPlainHTTP: the address does not begin with https.
	ErrPlainHTTP = errors.New("only https addresses may be asked")
	// ErrTooLarge: there is more than may be read.
	ErrTooLarge = errors.New("the answer is too large")
)

// Options of a client. The zero value is fit for production.
type Options struct {
	// AllowPrivate allows every address, and http. It is for development.
	AllowPrivate bool
	// Timeout bounds a request from its beginning to the last byte of the answer;
	// default 10 s. Contexts can shorten it; callers whose contexts always end may
	// set that of the client to 0.
	Timeout time.Duration
	// MaxBody is how many bytes of an answer can be read before the body fails with
	// ErrTooLarge; default 1 MiB.
	MaxBody int64
	// Resolver looks names up; default net.DefaultResolver.
	Resolver *net.Resolver
	// RootCAs are who may sign certificates; default the system's.
	RootCAs *x509.CertPool

	// passed, if set, is asked about every connection after the address was found
	// to be public, so that tests need not connect to it.
	passed func(address string) error
}

const (
	defaultTimeout = 10 * time.Second
	defaultMaxBody = 1 << 20

	// What may be spent of the time before the answer begins.
	maxDial      = 5 * time.Second
	maxHandshake = 5 * time.Second

	maxHeader = 64 << 10 // bytes
	maxIdle   = 16       // connections
	idleFor   = 30 * time.Second
)

// NewClient returns a client that keeps to the options. It returns redirects as
// they are instead of following them, knows no proxy and no cookies, and speaks
// TLS 1.2 or newer. It is safe for concurrent use; CloseIdleConnections frees
// what it holds.
func NewClient(o Options) *http.Client {
	timeout := cmp.Or(o.Timeout, defaultTimeout)
	dialer := &net.Dialer{
		Timeout:  min(timeout, maxDial),
		Resolver: o.Resolver,
	}
	if !o.AllowPrivate {
		dialer.ControlContext = func(_ context.Context, _, address string, _ syscall.RawConn) error {
			if !isPublicAddress(address) {
				return ErrPrivateAddress
			}
			if o.passed != nil {
				return o.passed(address)
			}
			return nil
		}
	}
	return &http.Client{
		Timeout:       timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &transport{
			allowPrivate: o.AllowPrivate,
			maxBody:      cmp.Or(o.MaxBody, defaultMaxBody),
			inner: &http.Transport{
				Proxy:                  nil, // a proxy would connect for us to where we must not
				DialContext:            dialer.DialContext,
				TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: o.RootCAs},
				TLSHandshakeTimeout:    min(timeout, maxHandshake),
				MaxResponseHeaderBytes: maxHeader,
				MaxIdleConns:           maxIdle,
				MaxIdleConnsPerHost:    2,
				IdleConnTimeout:        idleFor,
				DisableCompression:     true, // answers are small; none unfolds into a large one
				ForceAttemptHTTP2:      true,
			},
		},
	}
}

// AllowsPrivate reports whether the client was made with AllowPrivate.
func AllowsPrivate(c *http.Client) bool {
	t, ok := c.Transport.(*transport)
	return ok && t.allowPrivate
}

// isPublicAddress looks at an address with port, as the dialer has it after
// names were resolved.
func isPublicAddress(address string) bool {
	pair, err := netip.ParseAddrPort(address)
	return err == nil && IsPublic(pair.Addr())
}

// transport refuses plain http and bounds answers.
type transport struct {
	allowPrivate bool
	maxBody      int64
	inner        *http.Transport
}

func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme != "https" && !t.allowPrivate {
		if r.Body != nil {
			r.Body.Close()
		}
		return nil, ErrPlainHTTP
	}
	response, err := t.inner.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	response.Body = boundedBody{&bounded{Reader: response.Body, left: t.maxBody}, response.Body}
	return response, nil
}

// CloseIdleConnections is called by the method of that name of the client.
func (t *transport) CloseIdleConnections() { t.inner.CloseIdleConnections() }
