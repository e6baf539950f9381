package oidc

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	gooidc "github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
	"golang.org/x/sync/singleflight"

	"stepwise/internal/signup"
)

const (
	// rememberFor is how long a discovery document and the keys it leads to are
	// relied on without looking again.
	rememberFor = time.Hour
	// retryAfter is how long a failure stands, so that a provider which is down is
	// not asked by everyone who waits for it.
	retryAfter = 5 * time.Second
	// maxRemembered bounds memory: settings of many instances can name issuers.
	maxRemembered = 256
)

// document is what a discovery document (OpenID Connect Discovery 1.0 section 3)
// says, as far as it matters.
type document struct {
	// issuer is the `iss` of ID tokens; a template (signup.Preset.TenantIssuer)
	// where byTenant is true.
	issuer           string
	byTenant         bool
	authorizationURL string
	tokenURL         string
	userInfoURL      string // may be empty
	// algorithms that may sign ID tokens; asymmetric ones, at least one.
	algorithms []string
	authStyle  oauth2.AuthStyle
	// answersWithIssuer: every answer of the authorization endpoint names the
	// issuer (RFC 9207 section 3).
	answersWithIssuer bool
	keys              gooidc.KeySet
}

// discovered remembers documents and failures.
type discovered struct {
	flights singleflight.Group
	mu      sync.Mutex
	entries map[issuers]remembered
	down    map[issuers]bool // those of which it was logged
}

// issuers tell entries apart: the same address may be asked with and without a
// template in mind.
type issuers struct{ issuer, template string }

type remembered struct {
	document *document
	err      error
	until    time.Time
}

func newDiscovered() *discovered {
	return &discovered{entries: map[issuers]remembered{}, down: map[issuers]bool{}}
}

func (d *discovered) get(key issuers, now time.Time) (remembered, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	found, ok := d.entries[key]
	return found, ok && now.Before(found.until)
}

func (d *discovered) put(key issuers, r remembered, now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	maps.DeleteFunc(d.entries, func(_ issuers, r remembered) bool { return !now.Before(r.until) })
	if _, ok := d.entries[key]; !ok && len(d.entries) >= maxRemembered {
		oldest := key
		for k, r := range d.entries {
			if other, ok := d.entries[oldest]; !ok || r.until.Before(other.until) {
				oldest = k
			}
		}
		delete(d.entries, oldest)
	}
	d.entries[key] = r
}

// turned reports whether the issuer has just begun to fail, or to answer again.
func (d *discovered) turned(key issuers, failed bool) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.down[key] == failed {
		return false
	}
	if len(d.down) >= maxRemembered {
		clear(d.down) // at worst, an outage is logged twice
	}
	if d.down[key] = failed; !failed {
		delete(d.down, key)
	}
	return true
}

// document returns what is known of a provider, or asks it. Callers at the same
// time share one request, which none of them can end by leaving.
func (p *Prover) document(ctx context.Context, provider signup.Provider) (*document, error) {
	key := issuers{provider.Issuer, provider.Preset.TenantIssuer}
	if found, ok := p.discovered.get(key, p.now()); ok {
		return found.document, found.err
	}
	flight := p.discovered.flights.DoChan(key.issuer+"\n"+key.template, func() (any, error) {
		// A flight that ended between the look above and this one has been enough.
		if found, ok := p.discovered.get(key, p.now()); ok {
			return found.document, found.err
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.timeout)
		defer cancel()
		document, err := p.discover(ctx, key)
		now := p.now()
		found := remembered{document: document, err: err, until: now.Add(rememberFor)}
		if err != nil {
			found.until = now.Add(retryAfter)
		}
		switch turned := p.discovered.turned(key, err != nil); {
		case turned && err != nil:
			p.log.Warn("provider discovery failed", "provider", provider.Name, "issuer", key.issuer, "error", err)
		case turned:
			p.log.Info("provider discovery works again", "provider", provider.Name, "issuer", key.issuer)
		}
		p.discovered.put(key, found, now)
		return document, err
	})
	select {
	case <-ctx.Done():
		return nil, &signup.ProofError{Code: signup.ProviderUnavailable, Cause: ctx.Err()}
	case result := <-flight:
		if result.Err != nil {
			return nil, result.Err
		}
		return result.Val.(*document), nil
	}
}

// discover asks the provider.
func (p *Prover) discover(ctx context.Context, key issuers) (*document, error) {
	asking := gooidc.ClientContext(ctx, p.client)
	if key.template != "" {
		asking = gooidc.InsecureIssuerURLContext(asking, key.issuer) // the issuer is checked below
	}
	provider, err := gooidc.NewProvider(asking, key.issuer)
	if _, ok := errors.AsType[*gooidc.IssuerMismatchError](err); ok {
		return nil, failed(signup.ProviderUnavailable, "the discovery document is another issuer's")
	}
	if err != nil {
		return nil, unreachable(ctx, err, "there is no discovery document")
	}
	var said struct {
		Issuer            string   `json:"issuer"`
		KeysURL           string   `json:"jwks_uri"`
		Algorithms        []string `json:"id_token_signing_alg_values_supported"`
		AuthMethods       []string `json:"token_endpoint_auth_methods_supported"`
		AnswersWithIssuer bool     `json:"authorization_response_iss_parameter_supported"`
	}
	if provider.Claims(&said) != nil {
		return nil, failed(signup.ProviderUnavailable, "the discovery document makes no sense")
	}
	d := &document{
		issuer:            said.Issuer,
		byTenant:          key.template != "" && said.Issuer == key.template,
		authorizationURL:  provider.Endpoint().AuthURL,
		tokenURL:          provider.Endpoint().TokenURL,
		userInfoURL:       provider.UserInfoEndpoint(),
		algorithms:        asymmetric(said.Algorithms),
		answersWithIssuer: said.AnswersWithIssuer,
		keys:              p.newKeys(said.KeysURL),
	}
	var ok bool
	d.authStyle, ok = authStyle(said.AuthMethods)
	switch {
	case said.Issuer != key.issuer && !d.byTenant:
		return nil, failed(signup.ProviderUnavailable, "the discovery document is another issuer's")
	case d.authorizationURL == "" || d.tokenURL == "" || said.KeysURL == "":
		return nil, failed(signup.ProviderUnavailable, "the discovery document lacks endpoints")
	case len(d.algorithms) == 0:
		return nil, failed(signup.ProviderUnavailable, "the provider signs with no algorithm that is known here")
	case !ok:
		return nil, failed(signup.ProviderUnavailable, "the provider knows apps in no way that is known here")
	}
	return d, nil
}

// knownAlgorithms are those whose keys can be public. A token that is signed with
// a shared secret, or not at all, is nobody's word.
var knownAlgorithms = []string{
	gooidc.RS256, gooidc.RS384, gooidc.RS512, gooidc.PS256, gooidc.PS384, gooidc.PS512,
	gooidc.ES256, gooidc.ES384, gooidc.ES512, gooidc.EdDSA,
}

// asymmetric keeps the known ones of what a provider offers; where it says
// nothing it is the one that all have to support.
func asymmetric(offered []string) []string {
	if len(offered) == 0 {
		return []string{gooidc.RS256}
	}
	return slices.DeleteFunc(slices.Clone(offered), func(a string) bool { return !slices.Contains(knownAlgorithms, a) })
}

// authStyle chooses how the client secret travels (OpenID Connect Core section
// 9). In the form comes first: there are fewer opinions on how it is to be
// escaped.
func authStyle(offered []string) (style oauth2.AuthStyle, ok bool) {
	switch {
	case slices.Contains(offered, "client_secret_post"):
		return oauth2.AuthStyleInParams, true
	case len(offered) == 0 || slices.Contains(offered, "client_secret_basic"):
		return oauth2.AuthStyleInHeader, true
	case slices.Contains(offered, "none"):
		return oauth2.AuthStyleInParams, true
	default:
		return 0, false
	}
}

// checkAnswer compares the issuer that an answer names with the one that was
// asked (RFC 9207 section 2.4), before the code is sent anywhere.
func (d *document) checkAnswer(answer signup.AuthorizationResponse) error {
	switch {
	case answer.Issuer == "" && d.answersWithIssuer:
		return failed(signup.ProviderIssuerMismatch, "the answer names no issuer, though the provider promises it")
	case answer.Issuer == "", answer.Issuer == d.issuer && !d.byTenant:
		return nil
	case d.byTenant && isTenantOf(d.issuer, answer.Issuer):
		return nil
	default:
		return errOtherIssuer()
	}
}

const tenantMark = "{tenantid}"

// tenantIssuer is the issuer of one tenant; "" if that is no tenant's id.
func tenantIssuer(template, tenant string) string {
	if tenant == "" || len(tenant) > 64 || strings.ContainsFunc(tenant, isNotOfTenants) {
		return ""
	}
	return strings.ReplaceAll(template, tenantMark, tenant)
}

func isNotOfTenants(r rune) bool {
	return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-')
}

// isTenantOf reports whether an issuer is that of some tenant.
func isTenantOf(template, issuer string) bool {
	before, after, _ := strings.Cut(template, tenantMark)
	rest, ok := strings.CutPrefix(issuer, before)
	tenant, ok2 := strings.CutSuffix(rest, after)
	return ok && ok2 && tenantIssuer(template, tenant) == issuer
}
