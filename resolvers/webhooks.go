package resolvers

import (
	"strings"

	"github.com/99designs/gqlgen/graphql"

	"stepwise/graph"
	"stepwise/internal/signup"
)

// USER_CREATED is user.created on the wire.
func webhookEvent(kind string) graph.WebhookEvent {
	return graph.WebhookEvent(strings.ToUpper(strings.ReplaceAll(kind, ".", "_")))
}

func eventKinds(o graphql.Omittable[[]graph.WebhookEvent]) *[]string {
	if o.Value() == nil {
		return nil
	}
	kinds := []string{}
	for _, e := range o.Value() {
		kinds = append(kinds, strings.ToLower(strings.ReplaceAll(string(e), "_", ".")))
	}
	return &kinds
}

func webhookEndpoint(e *signup.WebhookEndpoint) *graph.WebhookEndpoint {
	if e == nil {
		return nil
	}
	g := &graph.WebhookEndpoint{ID: e.ID, URL: e.URL, Events: []graph.WebhookEvent{}, Enabled: e.Enabled, CreatedAt: e.CreatedAt, UpdatedAt: e.UpdatedAt}
	for _, kind := range e.Events {
		g.Events = append(g.Events, webhookEvent(kind))
	}
	return g
}

func webhookEndpoints(list []signup.WebhookEndpoint) []graph.WebhookEndpoint {
	out := make([]graph.WebhookEndpoint, 0, len(list))
	for i := range list {
		out = append(out, *webhookEndpoint(&list[i]))
	}
	return out
}

func webhookDelivery(d signup.Delivery) *graph.WebhookDelivery {
	g := &graph.WebhookDelivery{
		ID: d.ID, EndpointID: d.EndpointID, EventID: d.Event.ID, Event: webhookEvent(d.Event.Kind), Status: graph.WebhookDeliveryStatusPending,
		CreatedAt: d.CreatedAt, Tries: d.Tries, LastStatus: orNil(d.LastStatus), LastError: orNil(d.LastError), NextTryAt: moment(d.NotBefore),
	}
	switch {
	case !d.DoneAt.IsZero():
		g.Status, g.NextTryAt = graph.WebhookDeliveryStatusDelivered, nil
	case !d.FailedAt.IsZero():
		g.Status, g.NextTryAt = graph.WebhookDeliveryStatusFailed, nil
	}
	return g
}

func webhookDeliveries(p signup.Page[signup.Delivery], after string) *graph.WebhookDeliveryConnection {
	c := &graph.WebhookDeliveryConnection{
		Edges: []graph.WebhookDeliveryEdge{}, Nodes: []graph.WebhookDelivery{}, PageInfo: pageInfo(p.Cursors, p.More, after),
	}
	for i, d := range p.Items {
		g := webhookDelivery(d)
		c.Edges = append(c.Edges, graph.WebhookDeliveryEdge{Cursor: p.Cursors[i], Node: g})
		c.Nodes = append(c.Nodes, *g)
	}
	return c
}
