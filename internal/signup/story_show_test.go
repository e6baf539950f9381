package signup_test

import (
	"fmt"

	"stepwise/engine"
	"stepwise/internal/signup"
)

func (n *narrator) signUp(s *signup.SignUp) {
	if s == nil {
		n.say("no sign-up")
		return
	}
	n.say("sign-up %d, revision %d: %s", n.alias(s.ID), s.Revision, s.Status)
	v := s.Verdict
	list := func(name string, set engine.Set) {
		line := ""
		for _, a := range set.List() {
			line += fmt.Sprintf(" %s (%s)", a, v.Reasons[a])
		}
		if line != "" {
			n.say("  %s%s", name, line)
		}
	}
	list("missing", v.Missing)
	list("unverified", v.Unverified)
	for _, b := range v.Blockers {
		n.say("  blocked %s: %s", b.Code, b.Remedy)
	}
	n.values(s)
	for i, verification := range s.Verifications {
		n.verification(engine.Attribute(i), verification)
	}
	if s.CreatedUserID != "" {
		n.say("  user %d, session %d", n.alias(s.CreatedUserID), n.alias(s.CreatedSession))
	}
}

func (n *narrator) values(s *signup.SignUp) {
	line := ""
	for i, v := range s.Values {
		if v.Text != "" {
			line += fmt.Sprintf(" %s %s", engine.Attribute(i), v.Text)
		}
	}
	if s.PasswordEnabled {
		line += " PASSWORD given"
	}
	if line != "" {
		n.say("  has%s", line)
	}
}

func (n *narrator) verification(a engine.Attribute, v *signup.Verification) {
	if v == nil {
		return
	}
	line := fmt.Sprintf("  %s of %s: %s", v.Strategy, a, v.Status)
	if v.AttemptsLeft >= 0 {
		line += fmt.Sprintf(", %d tries left", v.AttemptsLeft)
	}
	if v.SentTo != "" {
		line += fmt.Sprintf(", sent to %s, until %s, again from %s", v.SentTo, n.moment(v.ExpireAt), n.moment(v.ResendAt))
	}
	line += goesOn(v)
	if v.Error != "" {
		line += ", error " + string(v.Error)
	}
	n.say("%s", line)
}
