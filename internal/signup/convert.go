package signup

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"stepwise/engine"
)

const (
	// conversionLease is how long readers leave a conversion to the one who
	// began it.
	conversionLease = 2 * time.Second
	// conversionTimeout bounds a conversion, whose caller may have left.
	conversionTimeout = 5 * time.Second
)

// nothingToRemember is for those who look at somebody else's conversion.
func nothingToRemember([]Problem) Memory { return Memory{} }

// convert turns a completing attempt into a user, exactly once: the directory
// decides, the store of attempts remembers. Anybody may call it at any time
// with the attempt as last seen; all get the same ids. It returns the attempt
// as complete, or as open again together with the reasons; remember says what to
// remember of the call that it answers.
func (s *Service) convert(ctx context.Context, a attempt, remember func([]Problem) Memory) (attempt, []Problem, error) {
	// Half-way is no place to stop because a client has gone.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), conversionTimeout)
	defer cancel()

	c := a.Completion
	converted, err := s.directory.Convert(ctx, Conversion{
		AttemptID: a.key.ID, Try: c.UserID, Instance: a.key.Instance, Client: a.key.Client, At: c.At,
		Invitation: ticketID(a.Attempt),
		Build:      func(v SettingsVersion, i *Invitation) (Creation, bool) { return s.build(a, v, i) },
	})
	var taken *TakenError
	switch {
	case errors.As(err, &taken):
		return s.reopen(ctx, a, attributesOf(taken.Identifiers), remember)
	case errors.Is(err, ErrNotSatisfied):
		return s.reopen(ctx, a, 0, remember)
	case err != nil:
		return a, nil, unavailable(err)
	}
	s.pending()
	settings, err := s.settingsOf(ctx, a.key.Instance, converted.SettingsVersion)
	if err != nil {
		return a, nil, err
	}
	return s.finish(ctx, a, converted, settings), nil, nil
}

// settingsOf returns exactly that version.
func (s *Service) settingsOf(ctx context.Context, instance string, version int64) (currentSettings, error) {
	if c, ok := s.settings.newest(instance); ok && c.Version == version {
		return c, nil
	}
	v, err := s.directory.Settings(ctx, instance, version)
	if err != nil {
		return currentSettings{}, unavailable(err)
	}
	return parseSettings(v)
}

// finish remembers the outcome. If that fails the user exists all the same,
// and the next one to look at the sign-up finishes it.
func (s *Service) finish(ctx context.Context, a attempt, converted Converted, settings currentSettings) attempt {
	requirements := settings.Requirements()
	open := a.Attempt
	open.Lifecycle = engine.Open
	a.Verdict = engine.Evaluate(requirements, open)
	a.SettingsVersion = settings.Version
	a.Attempt = engine.Finish(requirements, a.Attempt, a.Completion.At)
	done := *a.Completion
	done.UserID, done.SessionID, done.Generation = converted.UserID, converted.SessionID, converted.Generation
	a.Completion = &done
	a.version++
	record, err := a.record(a.version, s.now())
	if err == nil {
		err = s.attempts.Save(ctx, a.key, record, Memory{}, false)
	}
	if err != nil && !errors.Is(err, ErrConflict) { // a conflict: somebody else has finished it
		s.log.WarnContext(ctx, "sign-up completed but not yet remembered as complete", "sign_up", a.key.ID, "error", err)
	}
	return a
}

// reopen takes the attempt back because it cannot be converted as it is.
func (s *Service) reopen(ctx context.Context, a attempt, taken engine.Set, remember func([]Problem) Memory) (attempt, []Problem, error) {
	settings, err := s.settingsAt(ctx, a.key.Instance, 0)
	if err != nil {
		return a, nil, err
	}
	reopened := a
	reopened.Attempt = engine.Reopen(a.Attempt, 0)
	if err := s.lookAtTicket(ctx, &reopened, s.now()); err != nil {
		return a, nil, err
	}
	a.Attempt = reopened.Attempt
	requirements := settings.Requirements()
	if taken.Empty() && engine.Evaluate(requirements, engine.Reopen(a.Attempt, 0)).Satisfied() {
		// Refused before, and the answer that said why was lost.
		values, proved := engine.Values(requirements, engine.Reopen(a.Attempt, 0))
		if taken, err = s.taken(ctx, a.key.Instance, identifiersOf(values, proved, a.Attempt, a.Completion.At)); err != nil {
			return a, nil, err
		}
	}
	a.Attempt = engine.Reopen(a.Attempt, taken)
	a.Completion = nil
	a.Verdict = engine.Evaluate(requirements, a.Attempt)
	a.SettingsVersion = settings.Version
	a.version++
	record, err := a.record(a.version, s.now())
	if err != nil {
		return a, nil, err
	}
	problems := reopenProblems(taken, a.Attempt)
	err = s.attempts.Save(ctx, a.key, record, remember(problems), false)
	if errors.Is(err, ErrConflict) { // somebody else has reopened it
		a, _, err = s.load(ctx, a.key, "")
	}
	if err != nil {
		return a, nil, storeError(err)
	}
	return a, problems, nil
}

func reopenProblems(taken engine.Set, a engine.Attempt) []Problem {
	if taken.Empty() && a.Ticket != nil && a.Ticket.State != engine.TicketValid {
		return []Problem{{Code: CodeTicketInvalid, Message: ticketSentences[a.Ticket.State]}}
	}
	if taken.Empty() {
		return []Problem{{Code: CodeSettingsChanged, Message: "The app's settings changed just now: something more is needed."}}
	}
	var problems []Problem
	for _, a := range taken.List() {
		problems = append(problems, Problem{Code: Code(engine.CodeTaken), Message: Sentence(engine.CodeTaken, a), Attribute: &a})
	}
	return problems
}

func ticketID(a engine.Attempt) string {
	if a.Ticket == nil {
		return ""
	}
	return a.Ticket.ID
}

// build says what to create of the attempt under the settings in force, if it
// has what they need; invitation is the one it began with, as it is now.
func (s *Service) build(a attempt, v SettingsVersion, invitation *Invitation) (Creation, bool) {
	settings, err := parseSettings(v)
	if err != nil {
		return Creation{}, false
	}
	requirements := settings.Requirements()
	open := a.Attempt
	open.Lifecycle = engine.Open
	publicMetadata := json.RawMessage("{}")
	switch {
	case open.Ticket == nil:
	case invitation == nil:
		open, _ = engine.NoteTicket(open, engine.TicketRevoked)
	default:
		open, _ = engine.NoteTicket(open, invitation.StateAt(a.Completion.At))
		publicMetadata = metadataOrEmpty(invitation.PublicMetadata)
	}
	verdict := engine.Evaluate(requirements, open)
	if !verdict.Satisfied() {
		return Creation{}, false
	}
	values, proved := engine.Values(requirements, open)
	hash, err := s.keys.openHash(values[engine.Password].Key)
	if err != nil {
		s.log.Error("the hash of a password cannot be read", "sign_up", a.key.ID, "error", err)
		return Creation{}, false
	}
	c := a.Completion
	user := User{
		ID: c.UserID, Instance: a.key.Instance,
		FirstName: values[engine.FirstName].Text, LastName: values[engine.LastName].Text,
		HasPassword:    values[engine.Password].Presence == engine.Given,
		Identifiers:    identifiersOf(values, proved, open, c.At),
		PublicMetadata: publicMetadata, PrivateMetadata: json.RawMessage("{}"),
		UnsafeMetadata: metadataOrEmpty(a.UnsafeMetadata),
		CreatedAt:      c.At, UpdatedAt: c.At,
	}
	if verdict.Present.Has(engine.LegalAccepted) {
		user.Consent = &Consent{open.Consent.Version, open.Consent.At.UTC(), string(open.Consent.Path)}
	}
	session := Session{
		ID: c.SessionID, Instance: a.key.Instance, UserID: c.UserID, ClientID: a.key.Client, CreatedAt: c.At,
		ExpireAt: c.At.Add(time.Duration(settings.SessionLifetimeSeconds) * time.Second),
	}
	return Creation{User: user, PasswordHash: hash, Session: session, Events: events(user, session, c), Shape: shapeOf(open)}, true
}

// identifiersOf lists what the user is found by, in the order of the fields.
func identifiersOf(values [engine.NumAttributes]engine.Value, proved engine.Set, a engine.Attempt, at time.Time) []Identifier {
	var list []Identifier
	for _, attribute := range engine.Identifiers.List() {
		value := values[attribute]
		if value.Presence != engine.Given {
			continue
		}
		i := Identifier{Kind: attribute.String(), Norm: value.Key, Display: value.Text}
		if attribute == engine.ExternalAccount {
			i.Kind, i.Norm, i.Display = ExternalAccountKind+a.Account.Issuer, a.Account.Subject, a.Account.Provider
		}
		if proved.Has(attribute) || engine.Proven.Has(attribute) {
			i.VerifiedAt = at
		}
		list = append(list, i)
	}
	return list
}

// events are what the app's backend is told.
func events(u User, session Session, c *completion) []Event {
	return []Event{userCreated(c.EventIDs[0], u), sessionCreated(c.EventIDs[1], session)}
}
