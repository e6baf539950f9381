package engine_test

import (
	"reflect"
	"testing"
	"time"

	"stepwise/engine"
)

// journey is a sign-up on its way, told command by command.
type journey struct {
	t        *testing.T
	settings engine.Settings
	attempt  engine.Attempt
	now      time.Time
	last     engine.Decision
}

func begin(t *testing.T, s engine.Settings, happenings ...happening) *journey {
	t.Helper()
	j := &journey{t: t, attempt: attempt(happenings...), now: noon}
	return j.under(s)
}

// does applies commands that must not be refused. Like the shell it performs
// the conversion as soon as nothing is missing.
func (j *journey) does(commands ...engine.Command) *journey {
	j.t.Helper()
	for _, c := range commands {
		j.decide(c, engine.Facts{Now: j.now, Can: everything})
		if len(j.last.Problems) > 0 {
			j.t.Fatalf("refused: %v", j.last.Problems)
		}
		if j.last.Convert {
			j.attempt = engine.Finish(j.settings, engine.BeginCompletion(j.attempt), j.now)
		}
	}
	return j
}

// refused applies a command that must be refused, for these reasons in this
// order.
func (j *journey) refused(c engine.Command, codes ...engine.Code) *journey {
	j.t.Helper()
	return j.refusedBecauseTaken(c, none, codes...)
}

// refusedBecauseTaken does the same where values belong to users.
func (j *journey) refusedBecauseTaken(c engine.Command, takenOnes engine.Set, codes ...engine.Code) *journey {
	j.t.Helper()
	j.decide(c, engine.Facts{Now: j.now, Can: everything, Taken: takenOnes})
	var got []engine.Code
	for _, p := range j.last.Problems {
		got = append(got, p.Code)
	}
	if !reflect.DeepEqual(got, codes) {
		j.t.Fatalf("problems %v, want %v", got, codes)
	}
	if j.last.Convert {
		j.t.Fatal("a refused command converts")
	}
	return j
}

func (j *journey) decide(c engine.Command, f engine.Facts) {
	j.last = engine.Decide(j.settings, j.attempt, c, f)
	j.attempt = j.last.Attempt
}

// waits lets time pass.
func (j *journey) waits(d time.Duration) *journey {
	j.now = j.now.Add(d)
	return j
}

// under changes the settings, to some that an operator may have.
func (j *journey) under(s engine.Settings) *journey {
	j.t.Helper()
	if refusals := s.Refusals(); len(refusals) > 0 {
		j.t.Fatalf("no instance has these settings: %v", refusals)
	}
	j.settings = s
	return j
}

// told fails unless a client sees these lists now.
func (j *journey) told(status engine.Status, missing, unverified engine.Set) *journey {
	j.t.Helper()
	v := engine.Evaluate(j.settings, j.attempt)
	if got := j.attempt.Status(j.now); got != status || v.Missing != missing || v.Unverified != unverified {
		j.t.Fatalf("status %v missing %v unverified %v,\nwant   %v missing %v unverified %v",
			got, v.Missing, v.Unverified, status, missing, unverified)
	}
	return j
}

func (j *journey) completes() *journey {
	j.t.Helper()
	return j.told(engine.StatusComplete, none, none)
}

// verification fails unless that of the attribute is in the given state.
func (j *journey) verification(a engine.Attribute, want engine.VerificationStatus) *journey {
	j.t.Helper()
	v := j.attempt.Verifications[a]
	if v == nil {
		j.t.Fatalf("no verification of %v, want one that is %v", a, want)
	}
	if got := v.Status(j.now); got != want {
		j.t.Fatalf("verification of %v is %v, want %v", a, got, want)
	}
	return j
}

// unstarted fails if there is a verification of the attribute.
func (j *journey) unstarted(a engine.Attribute) *journey {
	j.t.Helper()
	if v := j.attempt.Verifications[a]; v != nil {
		j.t.Fatalf("there is a verification of %v: %+v", a, *v)
	}
	return j
}

// sends fails unless the last decision sent that many codes.
func (j *journey) sends(n int) *journey {
	j.t.Helper()
	if len(j.last.Sends) != n {
		j.t.Fatalf("%d codes sent, want %d", len(j.last.Sends), n)
	}
	return j
}

// value fails unless that is the value in force or, once there is a user, the
// one the user was made of; empty means none.
func (j *journey) value(a engine.Attribute, want string) *journey {
	j.t.Helper()
	values, _ := engine.Values(j.settings, j.attempt)
	if j.attempt.Lifecycle.Final() {
		values = j.attempt.Values
	}
	if values[a].Key != want {
		j.t.Fatalf("value of %v is %q, want %q", a, values[a].Key, want)
	}
	return j
}

// verifiedValue gives a value and answers the code for it.
func verifiedValue(a engine.Attribute, key string) []engine.Command {
	strategy := engine.EmailCode
	if a == engine.PhoneNumber {
		strategy = engine.PhoneCode
	}
	return []engine.Command{give(a, key), start(strategy), answer(a, true)}
}
