package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"stepwise/internal/signup"
)

// Convert implements [signup.Directory]. It fails with ErrNoRow for an
// instance that does not exist, and with ErrDuplicate where the external id of
// the creation belongs to another user.
//
// Instance, client and user id of whatever is written are those of c and of
// the created user. Build may still be running when Convert has returned
// because ctx ended.
func (s *Store) Convert(ctx context.Context, c signup.Conversion) (signup.Converted, error) {
	done, err := s.convert(ctx, c)
	var taken *signup.TakenError
	if errors.Is(err, signup.ErrNotSatisfied) || errors.As(err, &taken) {
		return s.refuse(ctx, c, err)
	}
	return done, err
}

func (s *Store) convert(ctx context.Context, c signup.Conversion) (signup.Converted, error) {
	return write(ctx, s, "convert a sign-up", func(ctx context.Context, x executor) (done signup.Converted, err error) {
		// Another conversion of this attempt holds this row until it ends.
		first, err := execute(ctx, x, insertConversion, c.AttemptID, c.Instance, millis(c.At))
		if err != nil {
			return done, err
		}
		if first == 0 {
			return earlierConversion(ctx, x, c)
		}
		before, err := standingOf(ctx, x, c)
		if err != nil {
			return done, err
		}
		if before.refused {
			return done, signup.ErrNotSatisfied
		}
		settings, err := scanSettings(ctx, x, selectNewestSettings, c.Instance)
		if err != nil {
			return done, err
		}
		ticket, err := invitationOf(ctx, x, c)
		if err != nil {
			return done, err
		}
		creation, ok := c.Build(settings, ticket)
		if !ok {
			return done, signup.ErrNotSatisfied
		}
		if ticket != nil {
			// First, because whoever loses it has made nothing in vain.
			if err := consume(ctx, x, c, creation.User.ID); err != nil {
				return done, err
			}
		}
		done = signup.Converted{
			UserID: creation.User.ID, SessionID: creation.Session.ID, SettingsVersion: settings.Version,
		}
		done.Generation, err = create(ctx, x, c, creation)
		if err != nil {
			return done, err
		}
		_, err = execute(ctx, x, fillInConversion,
			done.UserID, done.SessionID, done.Generation, done.SettingsVersion, c.AttemptID)
		if err != nil {
			return done, err
		}
		if err := before.takeBack(ctx, x, c); err != nil {
			return done, err
		}
		return done, countConversion(ctx, x, c, done.SettingsVersion, creation.Shape)
	})
}

// refuse makes a refusal durable before anybody acts on it. The conversion may
// have succeeded elsewhere in between, under other settings: then that stands.
func (s *Store) refuse(ctx context.Context, c signup.Conversion, why error) (signup.Converted, error) {
	done, err := write(ctx, s, "refuse a conversion", func(ctx context.Context, x executor) (done signup.Converted, err error) {
		first, err := execute(ctx, x, insertConversion, c.AttemptID, c.Instance, millis(c.At))
		if err != nil {
			return done, err
		}
		if first == 0 {
			return earlierConversion(ctx, x, c)
		}
		if _, err := execute(ctx, x, insertRefusal, c.AttemptID, c.Try, millis(c.At)); err != nil {
			return done, err
		}
		_, err = execute(ctx, x, deleteConversion, c.AttemptID)
		return done, err
	})
	if err == nil && done.UserID == "" {
		err = why
	}
	return done, err
}

func earlierConversion(ctx context.Context, x executor, c signup.Conversion) (done signup.Converted, err error) {
	err = queryRow(ctx, x, selectConversion, []any{c.AttemptID, c.Instance},
		&done.UserID, &done.SessionID, &done.Generation, &done.SettingsVersion)
	return done, err
}

// create inserts everything a conversion makes but its own row, and returns
// the client's new generation.
func create(ctx context.Context, x executor, c signup.Conversion, made signup.Creation) (generation int64, err error) {
	if err := createUser(ctx, x, c.Instance, made.User, made.PasswordHash); err != nil {
		return 0, err
	}
	if err := createIdentifiers(ctx, x, c.Instance, made.User); err != nil {
		return 0, err
	}
	session := made.Session
	session.Instance, session.UserID, session.ClientID = c.Instance, made.User.ID, c.Client
	first, err := createSession(ctx, x, session)
	if err != nil {
		return 0, err
	}
	if !first {
		return 0, errors.New("the id of the session is in use")
	}
	if err := createEvents(ctx, x, c.Instance, made.Events); err != nil {
		return 0, err
	}
	return raiseGeneration(ctx, x, session)
}

func createUser(ctx context.Context, x executor, instance string, u signup.User, passwordHash string) error {
	consent, err := consentText(u.Consent)
	if err != nil {
		return err
	}
	var externalID any // NULL is not unique
	if u.ExternalID != "" {
		externalID = u.ExternalID
	}
	inserted, err := execute(ctx, x, insertUser, u.ID, instance, externalID, u.FirstName, u.LastName, passwordHash,
		string(u.PublicMetadata), string(u.PrivateMetadata), string(u.UnsafeMetadata), consent,
		millis(u.CreatedAt), millis(u.UpdatedAt))
	if err == nil && inserted == 0 {
		err = signup.ErrDuplicate
	}
	return err
}

// createIdentifiers inserts all identifiers of a user, or fails with a
// [signup.TakenError]. They are inserted in one order everywhere, so that two
// transactions never wait for each other.
func createIdentifiers(ctx context.Context, x executor, instance string, u signup.User) error {
	if len(u.Identifiers) == 0 {
		return nil
	}
	identifiers := slices.SortedFunc(slices.Values(u.Identifiers), compareIdentifiers)
	args := []any{instance, u.ID}
	for _, i := range identifiers {
		args = append(args, i.Kind, i.Norm, i.Display, millis(i.VerifiedAt))
	}
	if !allStorable(args) {
		return errUnstorable
	}
	free, err := places(ctx, x, insertIdentifiers(len(identifiers)), args)
	if err != nil {
		return err
	}
	taken := slices.DeleteFunc(identifiers, func(i signup.Identifier) bool { return free[placeOf(i)] })
	if len(taken) > 0 {
		return &signup.TakenError{Identifiers: taken}
	}
	return nil
}

func createEvents(ctx context.Context, x executor, instance string, events []signup.Event) error {
	if len(events) == 0 {
		return nil
	}
	args := []any{instance}
	for _, e := range events {
		args = append(args, e.ID, e.Kind, string(e.Body), millis(e.At), millis(e.At))
	}
	inserted, err := execute(ctx, x, insertEvents(len(events)), args...)
	if err == nil && inserted != int64(len(events)) {
		err = fmt.Errorf("%d of %d events were inserted", inserted, len(events))
	}
	return err
}

// Taken implements [signup.Directory].
func (s *Store) Taken(ctx context.Context, instance string, identifiers []signup.Identifier) ([]signup.Identifier, error) {
	args := placeArgs(instance, identifiers)
	if len(args) == 1 {
		return nil, nil
	}
	return read(ctx, s, "find taken identifiers", func(ctx context.Context, x executor) (taken []signup.Identifier, err error) {
		found, err := places(ctx, x, selectTaken(len(args)/2), args)
		for _, i := range identifiers {
			if found[placeOf(i)] {
				taken = append(taken, i)
			}
		}
		return taken, err
	})
}

// place is where an identifier is unique within its instance.
type place struct{ kind, norm string }

func placeOf(i signup.Identifier) place { return place{i.Kind, i.Norm} }

// placeArgs are the instance and kind and norm of the identifiers; those that
// cannot be in the database are left out.
func placeArgs(instance string, identifiers []signup.Identifier) []any {
	args := []any{instance}
	for _, i := range identifiers {
		if storable(i.Kind) && storable(i.Norm) {
			args = append(args, i.Kind, i.Norm)
		}
	}
	return args
}

func compareIdentifiers(a, b signup.Identifier) int {
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Norm, b.Norm))
}

// places runs a statement that returns kind and norm.
func places(ctx context.Context, x executor, statement string, args []any) (map[place]bool, error) {
	found := map[place]bool{}
	err := query(ctx, x, statement, args, func(row *sql.Rows) error {
		var p place
		if err := row.Scan(&p.kind, &p.norm); err != nil {
			return err
		}
		found[p] = true
		return nil
	})
	return found, err
}
