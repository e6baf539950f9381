package signup

import "context"

// LiveIDs reads the open sign-ups of an instance, of the first most that are
// registered; cut tells that there are more.
func (s *Service) LiveIDs(ctx context.Context, instance string, most int) (ids []string, cut bool, err error) {
	l := s.live(instance)
	l.most = most
	for a := range l.all(ctx) {
		ids = append(ids, a.key.ID)
	}
	return ids, l.cut, l.err
}

// FirstLive stops at the first one.
func (s *Service) FirstLive(ctx context.Context, instance string) (id string, email string) {
	for a := range s.live(instance).all(ctx) {
		for _, v := range a.Attempt.Values {
			if v.Text != "" {
				return a.key.ID, v.Text
			}
		}
		return a.key.ID, ""
	}
	return "", ""
}
