// Package directorytest is the conformance suite of [signup.Directory]: what
// the port promises, as tests that every adapter has to pass.
package directorytest

import (
	"testing"

	"stepwise/internal/signup"
)

// Backend is an empty database and what the suite needs to know about it.
type Backend struct {
	Directory signup.Directory
	// Peer opens the same database once more, as another process would.
	Peer func() signup.Directory
	// Reopen stops every store of the database in order and opens it anew.
	Reopen func() signup.Directory
	// AddInstance makes one more instance with version 1 of its settings.
	AddInstance func(signup.NewInstance)
	// Rows counts what is stored, by table.
	Rows func() map[string]int
}

// Run holds the adapter to the port. Each test opens a database of its own,
// which open closes when that test ends.
func Run(t *testing.T, open func(t *testing.T) Backend) {
	for _, test := range []struct {
		name string
		run  func(*fixture)
	}{
		{"first instance", testFirstInstance},
		{"first instance is made once by many", testFirstInstanceRace},
		{"gate", testGate},
		{"settings", testSettings},
		{"the history of settings", testSettingsVersions},
		{"settings versions have no gap when many save", testSettingsRace},
		{"conversion writes everything", testConversion},
		{"conversion of the least there can be", testSmallConversion},
		{"conversion is made once", testConversionTwice},
		{"conversion is made once by many", testConversionRace},
		{"conversions of one client count its generation", testGenerations},
		{"conversion under other settings than before", testConversionAfterSettings},
		{"conversion without what is required", testNotSatisfied},
		{"conversion in no instance", testConversionWithoutInstance},
		{"taken identifiers", testTaken},
		{"one owner of an address that many want", testTakenRace},
		{"crossed identifiers do not lock up", testCrossedIdentifiers},
		{"taken external id", testConversionDuplicate},
		{"conversion panics", testPanic},
		{"users", testUsers},
		{"users by external id and identifier", testUserFilters},
		{"pages of users", testPages},
		{"user changes", testUserChanges},
		{"user changes do not undo each other", testUserChangeRace},
		{"external id of another user", testExternalID},
		{"sessions", testSessions},
		{"sessions that are over", testOldSessions},
		{"signing keys", testSigningKeys},
		{"first signing key is made once by many", testSigningKeyRace},
		{"any text", testText},
		{"text that cannot be stored", testUnstorableText},
		{"large documents", testLargeDocuments},
		{"times", testTimes},
		{"invitations", testInvitations},
		{"revoked invitations", testRevocation},
		{"invitations by state, and pages of them", testInvitationLists},
		{"conversion consumes its invitation", testConsume},
		{"conversion with an invitation that is worth nothing", testConsumeRefused},
		{"one invitation makes one user", testConsumeRace},
		{"an invitation is used or revoked", testConsumeOrRevoke},
		{"owner of identifiers", testOwner},
		{"session of a user who comes back", testCreateSession},
		{"session that was ended is not made again", testCreateSessionEnded},
		{"session is made once by many", testCreateSessionRace},
		{"webhook endpoints", testEndpoints},
		{"webhook endpoint changes", testEndpointChanges},
		{"webhook endpoint goes while deliveries are made", testEndpointDeletedWhileFanningOut},
		{"deliveries are made of events", testFanOut},
		{"deliveries are made once by many", testFanOutRace},
		{"claims", testClaims},
		{"deliveries are claimed once by many", testClaimRace},
		{"outcomes of tries", testSettle},
		{"replay of a delivery under way", testReplayUnderWay},
		{"deliveries by endpoint and event, and pages of them", testDeliveryLists},
		{"replays of events", testReplayEvents},
		{"purged events", testPurge},
		{"an event is purged or replayed", testPurgeOrReplay},
		{"counts of shapes", testShapes},
		{"shapes of what is repeated or refused", testShapesOnce},
		{"conversions of one shape by many", testShapesRace},
		{"abandoned sign-ups count once", testAbandoned},
		{"abandoned sign-up that is converted after all", testAbandonedThenConverted},
		{"abandoned sign-ups count once by many", testAbandonedRace},
		{"abandoned sign-ups are forgotten", testAbandonedForgotten},
		{"everything is there after a restart", testReopen},
		{"cancelled contexts", testCancelled},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := &fixture{T: t, Backend: open(t)}
			test.run(f)
			f.reconcile()
		})
	}
}
