package resolvers

import "stepwise/graph"

// Complexity returns what fields cost where that is not 1 and what is below: a
// page of users costs it for every ten it may hold, since they come from one
// query.
func Complexity() graph.ComplexityRoot {
	var c graph.ComplexityRoot
	list := func(childComplexity, first int) int { return 1 + childComplexity*max(1, first)/10 }
	c.Query.Users = func(childComplexity int, first int, after *string, filter *graph.UserFilter) int {
		return list(childComplexity, first)
	}
	c.Query.Invitations = func(childComplexity int, first int, after *string, status *graph.InvitationStatus) int {
		return list(childComplexity, first)
	}
	c.Query.WebhookDeliveries = func(childComplexity int, endpointID *string, first int, after *string) int {
		return list(childComplexity, first)
	}
	c.Query.InstanceSettingsVersions = func(childComplexity int, first int, after *string) int {
		return list(childComplexity, first)
	}
	return c
}
