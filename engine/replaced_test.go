package engine_test

import (
	"testing"

	"stepwise/engine"
)

// TestLegacyTakenAddressOfAccount: the address that came with an account belongs to
// a user. Once it has been replaced or cleared it does not come back, although what
// was typed and never verified is dropped.
func TestLegacyTakenAddressOfAccount(t *testing.T) {
	s := instance(legacy, requiredVerified(engine.EmailAddress), optional(engine.FirstName), providers)
	noted := func(t *testing.T) engine.Attempt {
		facts := at(0)
		facts.SentTaken = email
		d := engine.Decide(s, attempt(), accountProved(googleAccount("old@x.test")), facts)
		if d.Convert || d.Attempt.Taken != email {
			t.Fatalf("at once: taken %v, converts %v", d.Attempt.Taken, d.Convert)
		}
		return d.Attempt
	}
	reopened := func(t *testing.T) engine.Attempt {
		d := engine.Decide(s, attempt(), accountProved(googleAccount("old@x.test")), at(0))
		if !d.Convert {
			t.Fatalf("%+v", d.Verdict)
		}
		return engine.Reopen(engine.BeginCompletion(d.Attempt), email)
	}
	for name, taken := range map[string]func(*testing.T) engine.Attempt{"told at once": noted, "at the conversion": reopened} {
		for what, command := range map[string]engine.Command{"replaced": give(engine.EmailAddress, "new@x.test"), "cleared": withdraw(engine.EmailAddress)} {
			t.Run(name+", "+what, func(t *testing.T) {
				a := taken(t)
				if v := engine.Evaluate(s, a); v.Missing != email || len(v.Blockers) != 1 {
					t.Fatalf("missing %v, blockers %v", v.Missing, v.Blockers)
				}
				d := engine.Decide(s, a, command, at(0))
				values, _ := engine.Values(s, d.Attempt)
				if !d.Convert || values[engine.EmailAddress].Presence == engine.Given {
					t.Errorf("converts %v with the address %q", d.Convert, values[engine.EmailAddress].Key)
				}
			})
		}
	}
}
