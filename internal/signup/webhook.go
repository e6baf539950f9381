package signup

import (
	"context"
	"time"
)

// WebhookEndpoint is where an app's backend wants to be told of events.
type WebhookEndpoint struct {
	ID       string
	Instance string
	URL      string
	// Events are the kinds it wants; empty means all.
	Events []string
	// SealedSecret is the signing secret, encrypted under the master key.
	SealedSecret []byte
	Enabled      bool
	CreatedAt    time.Time
	UpdatedAt    time.Time
}

// WebhookChange is what an operator may set on an endpoint; nil leaves as is.
type WebhookChange struct {
	URL          *string
	Events       *[]string
	Enabled      *bool
	SealedSecret []byte
	At           time.Time
}

// Delivery is one event on its way to one endpoint. It is due at NotBefore, and
// over once DoneAt or FailedAt is set.
type Delivery struct {
	ID         string
	Instance   string
	EndpointID string
	Event      Event
	CreatedAt  time.Time
	NotBefore  time.Time
	// Tries counts the claims since the delivery was made or replayed.
	Tries int
	// DoneAt is when the endpoint took it, FailedAt when it was given up.
	DoneAt   time.Time
	FailedAt time.Time
	// LastStatus is the HTTP status of the last try, 0 if there was none;
	// LastError says in fixed words what went wrong, empty if nothing did.
	LastStatus int
	LastError  string
}

// DeliveryResult is the outcome of one try. Done: the endpoint took it. Else it
// is tried again at RetryAt, or given up where that is zero.
type DeliveryResult struct {
	At      time.Time
	Done    bool
	Status  int
	Error   string
	RetryAt time.Time
}

// DeliveryFilter selects deliveries of an instance, newest first. Empty members
// select all.
type DeliveryFilter struct {
	EndpointID string
	EventID    string
	After      *Position
	Limit      int
}

// Webhooks keeps endpoints and deliveries. It is part of a [Directory]. Events
// come from conversions and sessions, in the transactions of which they are
// written; a delivery is made for every enabled endpoint that wants the event at
// the time of [Webhooks.FanOut].
type Webhooks interface {
	AddWebhookEndpoint(ctx context.Context, e WebhookEndpoint) error
	// WebhookEndpoint fails with ErrNoRow where there is none.
	WebhookEndpoint(ctx context.Context, instance, id string) (WebhookEndpoint, error)
	// WebhookEndpoints returns all of an instance, newest first.
	WebhookEndpoints(ctx context.Context, instance string) ([]WebhookEndpoint, error)
	// UpdateWebhookEndpoint returns the endpoint as changed.
	UpdateWebhookEndpoint(ctx context.Context, instance, id string, c WebhookChange) (WebhookEndpoint, error)
	// DeleteWebhookEndpoint deletes its deliveries too. ErrNoRow where there is none.
	DeleteWebhookEndpoint(ctx context.Context, instance, id string) error

	// FanOut makes deliveries of up to limit events that have not been looked at,
	// oldest first, and says of how many. Of several processes one makes them.
	FanOut(ctx context.Context, now time.Time, limit int) (int, error)
	// ClaimDeliveries returns up to limit deliveries that are due and whose endpoint
	// is enabled, longest due first, each to one caller: they are not due again
	// before until. Tries counts the claim.
	ClaimDeliveries(ctx context.Context, now, until time.Time, limit int) ([]Delivery, error)
	// SettleDelivery records the outcome of a try that was claimed. A delivery that
	// is over already stays as it is.
	SettleDelivery(ctx context.Context, instance, id string, r DeliveryResult) error

	// Delivery fails with ErrNoRow where there is none.
	Delivery(ctx context.Context, instance, id string) (Delivery, error)
	// Deliveries returns the page and whether more follow.
	Deliveries(ctx context.Context, instance string, f DeliveryFilter) (page []Delivery, more bool, err error)
	// ReplayDelivery makes a delivery due at once, as if it were new; one under way
	// too. It returns the delivery as it is then.
	ReplayDelivery(ctx context.Context, instance, id string, at time.Time) (Delivery, error)
	// ReplayEvents makes new deliveries to the endpoint of all events of the
	// instance from since on that it wants, whether or not they were delivered
	// before, and says how many.
	ReplayEvents(ctx context.Context, instance, endpoint string, since, now time.Time) (int, error)
	// PurgeEvents forgets events from before that moment which have been looked at,
	// with their deliveries, unless one of these is still under way to an endpoint
	// that is enabled.
	PurgeEvents(ctx context.Context, before time.Time) error
}
