package resolvers

import "stepwise/graph"

// Complexity returns what fields cost where that is not 1 and what is below: a
// page of users costs it for every ten it may hold, since they come from one
// query.
func Complexity() graph.ComplexityRoot {
	var c graph.ComplexityRoot
	c.Query.Users = func(childComplexity int, first int, after *string, filter *graph.UserFilter) int {
		return 1 + childComplexity*max(1, first)/10
	}
	return c
}
