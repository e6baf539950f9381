package engine_test

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"stepwise/engine"
)

// Which ways to verify there are, and how long a challenge lasts, are settings.

func ways(list ...engine.Strategy) setting {
	return func(s *engine.Settings) { s.EmailStrategies = list }
}

func times(lifetime, interval time.Duration) setting {
	return func(s *engine.Settings) { s.CodeLifetime, s.ResendInterval = lifetime, interval }
}

func TestOnlyWaysOnTheListAreStartedAndOffered(t *testing.T) {
	both := []engine.Strategy{engine.EmailCode, engine.EmailLink}
	for _, list := range [][]engine.Strategy{{engine.EmailCode}, {engine.EmailLink}, {engine.EmailLink, engine.EmailCode}, nil} {
		s := instance(requiredVerified(engine.EmailAddress), requiredVerified(engine.PhoneNumber), ways(list...))
		for _, way := range both {
			j := begin(t, s, given(engine.EmailAddress, ownEmail))
			if list == nil || slices.Contains(list, way) {
				j.does(start(way)).sends(1)
			} else {
				j.refused(start(way), engine.CodeStrategyInvalid).sends(0)
			}
		}
		want := slices.DeleteFunc(slices.Clone(both), func(way engine.Strategy) bool { return list != nil && !slices.Contains(list, way) })
		a := attempt(given(engine.EmailAddress, ownEmail))
		var offered []engine.Strategy
		for _, action := range engine.Requirements(s, a, engine.Evaluate(s, a), everything, noon)[engine.EmailAddress].Actions {
			if action.Kind == engine.ActionStart {
				offered = action.Strategies
			}
		}
		if !slices.Equal(offered, want) || !slices.Equal(s.Offered(engine.EmailAddress, everything), want) {
			t.Errorf("with %v on the list: told %v, offered %v, want %v", list, offered, s.Offered(engine.EmailAddress, everything), want)
		}
		if mute := s.Offered(engine.EmailAddress, engine.Capabilities{}); mute != nil {
			t.Errorf("a deployment without mail offers %v", mute)
		}
		begin(t, s, given(engine.PhoneNumber, ownPhone)).does(start(engine.PhoneCode)).sends(1) // the list is that of email
	}
}

// TestChallengeOutlivesItsWay: what was started before the list changed is answered.
func TestChallengeOutlivesItsWay(t *testing.T) {
	for way, other := range map[engine.Strategy]engine.Strategy{engine.EmailCode: engine.EmailLink, engine.EmailLink: engine.EmailCode} {
		before := instance(requiredVerified(engine.EmailAddress), requiredVerified(engine.PhoneNumber))
		after := before
		after.EmailStrategies = []engine.Strategy{other}
		begin(t, before).does(together(give(engine.EmailAddress, ownEmail), start(way))).under(after).
			refused(start(way), engine.CodeStrategyInvalid).
			does(answer(engine.EmailAddress, true)).verification(engine.EmailAddress, engine.VerificationVerified)
	}
}

func TestTimesOfAChallengeAreSettings(t *testing.T) {
	const lifetime, interval = 3 * time.Minute, 40 * time.Second
	s := instance(requiredVerified(engine.EmailAddress), requiredVerified(engine.PhoneNumber), optional(engine.Web3Wallet), providers, times(lifetime, interval))
	for strategy, a := range map[engine.Strategy]engine.Attribute{
		engine.EmailCode: engine.EmailAddress, engine.EmailLink: engine.EmailAddress, engine.PhoneCode: engine.PhoneNumber,
		engine.OAuth: engine.ExternalAccount, engine.Web3Signature: engine.Web3Wallet,
	} {
		begun := func() *journey {
			return begin(t, s, given(engine.EmailAddress, ownEmail), given(engine.PhoneNumber, ownPhone)).does(start(strategy))
		}
		again := start(strategy)
		again.Start[0].Nonce = "nonce-2"
		for after, nonce := range map[time.Duration]string{interval - 1: "nonce-1", interval: "nonce-2"} {
			if v := begun().waits(after).does(again).attempt.Verifications[a]; v.Nonce != nonce {
				t.Errorf("%v started again after %v: %s, want %s", strategy, after, v.Nonce, nonce)
			}
		}
		begun().waits(lifetime-1).verification(a, engine.VerificationUnverified).waits(1).verification(a, engine.VerificationExpired)

		// A challenge keeps the deadline that it was issued with.
		shorter := s
		shorter.CodeLifetime, shorter.ResendInterval = time.Minute, time.Hour
		begun().under(shorter).waits(lifetime-1).verification(a, engine.VerificationUnverified).does(again)
	}
}

// TestTransferableAsLongAsACode: the deadline of a proof that belongs to a user.
func TestTransferableAsLongAsACode(t *testing.T) {
	s := instance(optional(engine.Web3Wallet), optional(engine.Password), times(3*time.Minute, 0))
	d := engine.Decide(s, attempt(), walletSigned("0xabc"), engine.Facts{Now: noon, Can: everything, Taken: wallet})
	if v := d.Attempt.Verifications[engine.Web3Wallet]; !v.Transferable || !v.ExpireAt.Equal(noon.Add(3*time.Minute)) {
		t.Errorf("the proof is %+v", *v)
	}
}

// TestWaysAndTimesChangeNoVerdict: what is needed does not depend on them.
func TestWaysAndTimesChangeNoVerdict(t *testing.T) {
	cells := column{
		{"links only", func(s *engine.Settings, _ *engine.Attempt) { s.EmailStrategies = []engine.Strategy{engine.EmailLink} }},
		{"short", func(s *engine.Settings, _ *engine.Attempt) {
			s.CodeLifetime, s.ResendInterval = time.Minute, time.Minute
		}},
	}
	folded(t, cells, func(without, with engine.Verdict) string {
		if !reflect.DeepEqual(without, with) {
			return "the verdict changes"
		}
		return ""
	})
}
