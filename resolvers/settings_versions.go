package resolvers

import (
	"context"

	"stepwise/graph"
	"stepwise/internal/signup"
)

// settings returns the version that was asked for, or the one in force.
func (r *Resolver) settings(ctx context.Context, version *int) (signup.InstanceSettings, error) {
	if version == nil {
		return r.Service.Settings(ctx, PrincipalOf(ctx))
	}
	return r.Service.SettingsVersion(ctx, PrincipalOf(ctx), int64(*version))
}

func (r *Resolver) settingsVersions(ctx context.Context, p signup.Page[signup.RecordedSettings], after string) (*graph.InstanceSettingsVersionConnection, error) {
	c := &graph.InstanceSettingsVersionConnection{
		Edges: []graph.InstanceSettingsVersionEdge{}, Nodes: []graph.InstanceSettingsVersion{}, TotalCount: p.Total,
		PageInfo: pageInfo(p.Cursors, p.More, after),
	}
	for i, recorded := range p.Items {
		settings, err := r.instanceSettings(ctx, recorded.InstanceSettings)
		if err != nil {
			return nil, err
		}
		v := &graph.InstanceSettingsVersion{
			Version: int(recorded.Version), ChangedBy: recorded.UpdatedBy, ChangedAt: recorded.UpdatedAt,
			Changes: settingsChanges(recorded.Changes), Settings: settings,
		}
		c.Edges = append(c.Edges, graph.InstanceSettingsVersionEdge{Cursor: p.Cursors[i], Node: v})
		c.Nodes = append(c.Nodes, *v)
	}
	return c, nil
}

func settingsChanges(list []signup.SettingsChange) []graph.SettingsChange {
	changes := make([]graph.SettingsChange, 0, len(list))
	for _, c := range list {
		changes = append(changes, graph.SettingsChange{Setting: c.Setting, Before: orNil(c.Before), After: orNil(c.After)})
	}
	return changes
}
