package signup

import (
	"context"

	"stepwise/engine"
)

// DerivedCode is what a message about the open challenge of the caller's sign-up
// would have as its code, whether or not one with a code was sent.
func (s *Service) DerivedCode(ctx context.Context, p Principal, attribute engine.Attribute) (string, error) {
	a, _, err := s.load(ctx, AttemptKey{Instance: p.Instance.ID, Client: p.Client}, "")
	if err != nil {
		return "", err
	}
	return s.keys.verificationCode(a.key, attribute, *a.Attempt.Verifications[attribute]), nil
}
