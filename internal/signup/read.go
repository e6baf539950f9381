package signup

import (
	"context"
	"errors"
	"time"

	"stepwise/engine"
)

// load returns the attempt and what is remembered under memoryKey. ErrNotFound
// is returned as it is.
func (s *Service) load(ctx context.Context, key AttemptKey, memoryKey string) (attempt, *Remembered, error) {
	id, record, remembered, err := s.attempts.Load(ctx, key, memoryKey)
	if errors.Is(err, ErrNotFound) {
		return attempt{}, remembered, ErrNotFound
	}
	if err != nil {
		return attempt{}, remembered, storeError(err)
	}
	key.ID = id
	a, err := fromRecord(key, record)
	return a, remembered, err
}

// read returns the attempt as it stands now, after what has come to pass since
// it was last saved has been noted. patient readers leave a conversion under way
// to the one who began it.
func (s *Service) read(ctx context.Context, key AttemptKey, settingsVersion int64, patient bool) (attempt, currentSettings, error) {
	for try := range maxTries {
		if err := pause(ctx, try); err != nil {
			return attempt{}, currentSettings{}, unavailable(err)
		}
		settings, err := s.settingsAt(ctx, key.Instance, settingsVersion)
		if err != nil {
			return attempt{}, settings, err
		}
		a, _, err := s.load(ctx, key, "")
		if err != nil {
			return a, settings, err
		}
		if settings, err = s.settingsFor(ctx, a, settings); err != nil {
			return a, settings, err
		}
		if a.Attempt.Lifecycle == engine.Completing && (!patient || !s.now().Before(a.Completion.LeaseUntil)) {
			a, _, err = s.convert(ctx, a, nothingToRemember)
		} else {
			if err = s.lookAtTicket(ctx, &a, s.now()); err == nil {
				a, err = s.refresh(ctx, a, settings)
			}
		}
		if !errors.Is(err, ErrConflict) {
			return a, settings, err
		}
	}
	return attempt{}, currentSettings{}, unavailable(ErrConflict)
}

// settingsFor returns the settings under which to look at an attempt: the ones at
// hand, unless another process has seen newer ones, or the attempt is final and
// keeps the version that it ended with.
func (s *Service) settingsFor(ctx context.Context, a attempt, settings currentSettings) (currentSettings, error) {
	switch {
	case a.Attempt.Lifecycle.Final() && a.SettingsVersion != settings.Version:
		return s.settingsOf(ctx, a.key.Instance, a.SettingsVersion)
	case a.SettingsVersion > settings.Version:
		return s.settingsAt(ctx, a.key.Instance, a.SettingsVersion)
	}
	return settings, nil
}

// refresh notes what has come to pass without anybody's command: deadlines, and
// settings that changed what is needed. It returns ErrConflict where somebody
// else changed the attempt at the same time.
func (s *Service) refresh(ctx context.Context, a attempt, settings currentSettings) (attempt, error) {
	if a.Attempt.Lifecycle != engine.Open {
		return a, nil
	}
	now := s.now()
	elapsed, noted := engine.Elapse(a.Attempt, now)
	verdict := engine.Evaluate(settings.Requirements(), elapsed)
	a.SettingsVersion = settings.Version
	if !noted && !a.noted && verdict.Equal(a.Verdict) {
		return a, nil
	}
	a.Attempt, a.Verdict, a.noted = elapsed, verdict, false
	a.version++
	record, err := a.record(a.version, now)
	if err != nil {
		return a, err
	}
	err = s.attempts.Save(ctx, a.key, record, Memory{}, false)
	if errors.Is(err, ErrConflict) || errors.Is(err, ErrNotFound) {
		return a, err
	}
	return a, storeError(err)
}

// settle brings a conversion under way to its end, whoever began it.
func (s *Service) settle(ctx context.Context, key AttemptKey) (attempt, error) {
	a, _, err := s.load(ctx, key, "")
	if err != nil || a.Attempt.Lifecycle != engine.Completing {
		return a, err
	}
	a, _, err = s.convert(ctx, a, nothingToRemember)
	return a, err
}

// keyFor returns where the caller's sign-up of that id is, the current one where
// id is empty. ok is false where it cannot be the caller's; a caller without a
// client has none.
func (s *Service) keyFor(p Principal, id string) (key AttemptKey, ok bool, err error) {
	switch {
	case p.Secret:
		client, ok := clientOfAttempt(id)
		return AttemptKey{p.Instance.ID, client, id}, ok, nil
	case p.Stale:
		return AttemptKey{}, false, ErrUnauthenticated
	}
	return AttemptKey{p.Instance.ID, p.Client, id}, p.Client != "", nil
}

// SignUp returns a sign-up, or nil where the caller has none of that id.
func (s *Service) SignUp(ctx context.Context, p Principal, id string) (*SignUp, error) {
	key, ok, err := s.keyFor(p, id)
	if err != nil || !ok {
		return nil, err
	}
	a, settings, err := s.read(ctx, key, p.Instance.SettingsVersion, true)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return s.view(a, settings, s.now()), nil
}

// recheckInterval is how often a watched sign-up is read without a hint: hints
// can be lost.
const recheckInterval = 5 * time.Second

// Watch sends a sign-up's present state and then each later one, by rising
// revision, until it is final or forgotten, or ctx ends; then the channel is closed. A store
// that does not answer is asked again. nil, nil: the caller has no such sign-up.
func (s *Service) Watch(ctx context.Context, p Principal, id string) (<-chan *SignUp, error) {
	first, err := s.SignUp(ctx, p, id)
	if err != nil || first == nil {
		return nil, err
	}
	key := AttemptKey{first.Instance, first.Client, first.ID}
	changes, stopChanges := s.hints.WatchAttempt(key)
	settings, stopSettings := s.hints.WatchSettings(key.Instance)
	out := make(chan *SignUp)
	go func() {
		defer close(out)
		defer stopChanges()
		defer stopSettings()
		w := watcher{service: s, key: key, out: out, recheckAt: s.now().Add(recheckInterval)}
		if !w.emit(ctx, first) {
			return
		}
		for {
			timer := time.NewTimer(w.wait(s.now()))
			askSettings := false
			select {
			case <-ctx.Done():
			case <-changes:
			case <-settings:
				askSettings = true
			case <-timer.C:
			}
			timer.Stop()
			if ctx.Err() != nil || !w.look(ctx, askSettings) {
				return
			}
		}
	}()
	return out, nil
}

// watcher follows one sign-up for one subscriber.
type watcher struct {
	service  *Service
	key      AttemptKey
	out      chan<- *SignUp
	revision int64
	deadline time.Time
	// recheckAt is when to read again without a hint, whatever hints come.
	recheckAt time.Time
}

// wait is how long to sleep without a hint.
func (w *watcher) wait(now time.Time) time.Duration {
	wait := min(recheckInterval, max(time.Millisecond, w.recheckAt.Sub(now)))
	if !w.deadline.IsZero() && w.deadline.Sub(now) < wait {
		wait = max(time.Millisecond, w.deadline.Sub(now))
	}
	return wait
}

// look reads the sign-up and sends it if it changed; false ends the watch.
// askSettings says not to rely on the settings last seen.
func (w *watcher) look(ctx context.Context, askSettings bool) bool {
	s := w.service
	w.deadline = time.Time{}
	version := int64(1) // or any newer one that is known
	if now := s.now(); askSettings || !now.Before(w.recheckAt) {
		w.recheckAt = now.Add(recheckInterval)
		var err error
		if version, err = s.newestSettings(ctx, w.key.Instance); err != nil {
			return ctx.Err() == nil
		}
	}
	a, settings, err := s.read(ctx, w.key, version, true)
	if errors.Is(err, ErrNotFound) {
		return false // forgotten, or lost with the store: there is nothing left to tell
	}
	if err != nil {
		return ctx.Err() == nil // the store is away; try again at the next tick
	}
	w.deadline = engine.NextDeadline(a.Attempt, s.now())
	if a.Attempt.Lifecycle == engine.Completing {
		w.deadline = a.Completion.LeaseUntil
		return true // its outcome is what the subscriber waits for
	}
	return w.emit(ctx, s.view(a, settings, s.now()))
}

func (w *watcher) emit(ctx context.Context, v *SignUp) bool {
	if v.Revision <= w.revision {
		return !v.Final()
	}
	select {
	case <-ctx.Done():
		return false
	case w.out <- v:
		w.revision = v.Revision
		return !v.Final()
	}
}

// newestSettings returns the version of the settings in force. Watchers that
// ask at the same time share the answer.
func (s *Service) newestSettings(ctx context.Context, instance string) (int64, error) {
	version, err, _ := s.asking.Do(instance, func() (any, error) {
		// The one who asks may leave; the others still want to know.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), conversionTimeout)
		defer cancel()
		v, err := s.directory.Settings(ctx, instance, 0)
		if err != nil {
			return int64(0), unavailable(err)
		}
		c, err := parseSettings(v)
		if err != nil {
			return int64(0), err
		}
		s.settings.keep(instance, c)
		return v.Version, nil
	})
	return version.(int64), err
}
