package signup

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	endpointPrefix       = "whe_"
	webhookSecretPrefix  = "whsec_"
	webhookSecretPurpose = "webhook secret"
	maxEndpoints         = 20
)

// EventRetention is how long events are kept, and can be sent again.
const EventRetention = 30 * 24 * time.Hour

// WebhookInput is what an operator says of an endpoint; nil leaves as is.
type WebhookInput struct {
	ID           string
	URL          *string
	Events       *[]string
	Enabled      *bool
	RotateSecret bool
}

// WebhookOutcome is the answer to a change of an endpoint. Secret is set where
// one was made, and is not shown again.
type WebhookOutcome struct {
	Endpoint *WebhookEndpoint
	Secret   string
	Problems []Problem
}

// AddWebhookEndpoint begins to tell an address of events.
func (s *Service) AddWebhookEndpoint(ctx context.Context, p Principal, in WebhookInput) (WebhookOutcome, error) {
	if !p.Secret {
		return WebhookOutcome{}, ErrSecretKeyOnly
	}
	if in.URL == nil {
		in.URL = new(string)
	}
	if problems := s.checkEndpoint(in); len(problems) > 0 {
		return WebhookOutcome{Problems: problems}, nil
	}
	present, err := s.directory.WebhookEndpoints(ctx, p.Instance.ID)
	if err != nil {
		return WebhookOutcome{}, unavailable(err)
	}
	if len(present) >= maxEndpoints {
		return WebhookOutcome{Problems: []Problem{{Code: CodeOutOfRange, Message: fmt.Sprintf("There are at most %d endpoints.", maxEndpoints)}}}, nil
	}
	now := s.now()
	e := WebhookEndpoint{
		ID: endpointPrefix + RandomText(idLength), Instance: p.Instance.ID, URL: *in.URL, Events: []string{},
		Enabled: in.Enabled == nil || *in.Enabled, CreatedAt: now, UpdatedAt: now,
	}
	if in.Events != nil {
		e.Events = *in.Events
	}
	secret := newWebhookSecret()
	e.SealedSecret = s.keys.Seal([]byte(secret), webhookSecretPurpose)
	if err := s.directory.AddWebhookEndpoint(ctx, e); err != nil {
		return WebhookOutcome{}, unavailable(err)
	}
	return WebhookOutcome{Endpoint: &e, Secret: secret}, nil
}

// UpdateWebhookEndpoint changes an endpoint.
func (s *Service) UpdateWebhookEndpoint(ctx context.Context, p Principal, in WebhookInput) (WebhookOutcome, error) {
	if !p.Secret {
		return WebhookOutcome{}, ErrSecretKeyOnly
	}
	if problems := s.checkEndpoint(in); len(problems) > 0 {
		return WebhookOutcome{Problems: problems}, nil
	}
	change := WebhookChange{URL: in.URL, Events: in.Events, Enabled: in.Enabled, At: s.now()}
	var secret string
	if in.RotateSecret {
		secret = newWebhookSecret()
		change.SealedSecret = s.keys.Seal([]byte(secret), webhookSecretPurpose)
	}
	e, err := s.directory.UpdateWebhookEndpoint(ctx, p.Instance.ID, in.ID, change)
	if errors.Is(err, ErrNoRow) {
		return WebhookOutcome{Problems: noEndpoint("id")}, nil
	}
	if err != nil {
		return WebhookOutcome{}, unavailable(err)
	}
	s.pending()
	return WebhookOutcome{Endpoint: &e, Secret: secret}, nil
}

func noEndpoint(member ...string) []Problem {
	return []Problem{{Code: CodeEndpointNotFound, Field: inputPath(member...), Message: "There is no such endpoint."}}
}

func (s *Service) checkEndpoint(in WebhookInput) []Problem {
	var problems []Problem
	if in.URL != nil && !s.isEndpoint(*in.URL) {
		message := "Must be an https address without user name, password and fragment, and not one of a private network."
		if s.development {
			message = "Must be an http or https address without user name, password and fragment."
		}
		problems = append(problems, Problem{Code: CodeInvalidFormat, Field: inputPath("url"), Message: message})
	}
	if in.Events != nil && slices.ContainsFunc(*in.Events, func(e string) bool { return !slices.Contains(EventKinds, e) }) {
		problems = append(problems, Problem{Code: CodeInvalidFormat, Field: inputPath("events"), Message: "Events are " + strings.Join(EventKinds, " and ") + "."})
	}
	return problems
}

// isEndpoint: an address that is private by its looks is refused at once, any
// other one when it is dialled.
func (s *Service) isEndpoint(address string) bool {
	u, err := url.Parse(address)
	if err != nil || !isRedirect(address) {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	private := strings.EqualFold(u.Hostname(), "localhost") || ip != nil && (ip.IsPrivate() || ip.IsLoopback() || ip.IsLinkLocalUnicast() || ip.IsUnspecified())
	return s.development || u.Scheme == "https" && !private
}

func newWebhookSecret() string {
	key := make([]byte, 32)
	rand.Read(key) // never fails
	return webhookSecretPrefix + base64.StdEncoding.EncodeToString(key)
}

// DeleteWebhookEndpoint forgets an endpoint and what was on its way there.
func (s *Service) DeleteWebhookEndpoint(ctx context.Context, p Principal, id string) ([]Problem, error) {
	if !p.Secret {
		return nil, ErrSecretKeyOnly
	}
	err := s.directory.DeleteWebhookEndpoint(ctx, p.Instance.ID, id)
	if errors.Is(err, ErrNoRow) {
		return noEndpoint("id"), nil
	}
	if err != nil {
		return nil, unavailable(err)
	}
	return nil, nil
}

// WebhookEndpoints returns all of them, newest first.
func (s *Service) WebhookEndpoints(ctx context.Context, p Principal) ([]WebhookEndpoint, error) {
	if !p.Secret {
		return nil, ErrSecretKeyOnly
	}
	endpoints, err := s.directory.WebhookEndpoints(ctx, p.Instance.ID)
	if err != nil {
		return nil, unavailable(err)
	}
	return endpoints, nil
}

// Deliveries returns a page of what was sent, or is to be, newest first.
func (s *Service) Deliveries(ctx context.Context, p Principal, endpoint string, first int, after string) (Page[Delivery], error) {
	var page Page[Delivery]
	if !p.Secret {
		return page, ErrSecretKeyOnly
	}
	position, err := pageOf(first, after)
	if err != nil {
		return page, err
	}
	page.Items, page.More, err = s.directory.Deliveries(ctx, p.Instance.ID, DeliveryFilter{EndpointID: endpoint, After: position, Limit: first})
	if err != nil {
		return page, unavailable(err)
	}
	for _, d := range page.Items {
		page.Cursors = append(page.Cursors, cursor(d.CreatedAt, d.ID))
	}
	return page, nil
}

// ReplayDelivery sends an event to an endpoint again.
func (s *Service) ReplayDelivery(ctx context.Context, p Principal, id string) (*Delivery, []Problem, error) {
	if !p.Secret {
		return nil, nil, ErrSecretKeyOnly
	}
	d, err := s.directory.ReplayDelivery(ctx, p.Instance.ID, id, s.now())
	if errors.Is(err, ErrNoRow) {
		return nil, []Problem{{Code: CodeDeliveryNotFound, Field: inputPath("deliveryId"), Message: "There is no such delivery."}}, nil
	}
	if err != nil {
		return nil, nil, unavailable(err)
	}
	s.pending()
	return &d, nil, nil
}

// ReplayEvents sends to an endpoint again all events since a moment, also those
// from before it existed, and returns how many they are.
func (s *Service) ReplayEvents(ctx context.Context, p Principal, endpoint string, since time.Time) (int, []Problem, error) {
	if !p.Secret {
		return 0, nil, ErrSecretKeyOnly
	}
	if _, err := s.directory.WebhookEndpoint(ctx, p.Instance.ID, endpoint); errors.Is(err, ErrNoRow) {
		return 0, noEndpoint("since", "endpointId"), nil
	} else if err != nil {
		return 0, nil, unavailable(err)
	}
	n, err := s.directory.ReplayEvents(ctx, p.Instance.ID, endpoint, since, s.now())
	if err != nil {
		return 0, nil, unavailable(err)
	}
	s.pending()
	return n, nil, nil
}

// The rest of the file serves whoever carries events out: internal/deliver/webhook.

// FanOutEvents turns new events into deliveries and says of how many.
func (s *Service) FanOutEvents(ctx context.Context) (int, error) {
	return s.directory.FanOut(ctx, s.now(), 100)
}

// ClaimDeliveries returns deliveries that are due and nobody else's until the
// lease ends.
func (s *Service) ClaimDeliveries(ctx context.Context, limit int, lease time.Duration) ([]DueDelivery, error) {
	now := s.now()
	claimed, err := s.directory.ClaimDeliveries(ctx, now, now.Add(lease), limit)
	if err != nil {
		return nil, err
	}
	endpoints := map[string]WebhookEndpoint{}
	var due []DueDelivery
	for _, d := range claimed {
		e, ok := endpoints[d.EndpointID]
		if !ok {
			if e, err = s.directory.WebhookEndpoint(ctx, d.Instance, d.EndpointID); errors.Is(err, ErrNoRow) {
				continue // deleted meanwhile, and the delivery with it
			} else if err != nil {
				return due, err
			}
			endpoints[d.EndpointID] = e
		}
		key, err := s.webhookKey(e)
		if err != nil { // the others have nothing to do with it
			s.log.ErrorContext(ctx, "the secret of a webhook endpoint cannot be read", "endpoint", e.ID, "error", err)
			s.putOff(ctx, d, now)
			continue
		}
		due = append(due, DueDelivery{Delivery: d, URL: e.URL, Secret: key})
	}
	return due, nil
}

func (s *Service) webhookKey(e WebhookEndpoint) ([]byte, error) {
	secret, err := s.keys.Open(e.SealedSecret, webhookSecretPurpose)
	if err != nil {
		return nil, err
	}
	return base64.StdEncoding.DecodeString(strings.TrimPrefix(string(secret), webhookSecretPrefix))
}

// putOff tries a delivery that cannot be signed again in an hour, for as long as
// events are kept: somebody may correct the master key, or make a new secret.
func (s *Service) putOff(ctx context.Context, d Delivery, now time.Time) {
	r := DeliveryResult{At: now, Error: "the endpoint's secret cannot be read"}
	if now.Before(d.Event.At.Add(EventRetention)) {
		r.RetryAt = now.Add(time.Hour)
	}
	if err := s.directory.SettleDelivery(ctx, d.Instance, d.ID, r); err != nil {
		s.log.WarnContext(ctx, "delivery not put off", "delivery", d.ID, "error", err) // due again when its lease ends
	}
}

// SettleDelivery records the outcome of a try.
func (s *Service) SettleDelivery(ctx context.Context, d Delivery, r DeliveryResult) error {
	return s.directory.SettleDelivery(ctx, d.Instance, d.ID, r)
}

// DisableEndpoint stops telling an endpoint that wants to hear no more (410 Gone).
func (s *Service) DisableEndpoint(ctx context.Context, instance, id string) error {
	off := false
	_, err := s.directory.UpdateWebhookEndpoint(ctx, instance, id, WebhookChange{Enabled: &off, At: s.now()})
	if errors.Is(err, ErrNoRow) {
		return nil
	}
	return err
}

// PurgeEvents forgets old events.
func (s *Service) PurgeEvents(ctx context.Context, before time.Time) error {
	return s.directory.PurgeEvents(ctx, before)
}
