package signup

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"stepwise/engine"
)

// InstanceSettings are an instance's settings as an administrator sees them.
type InstanceSettings struct {
	Settings
	Version   int64
	UpdatedBy string
	UpdatedAt time.Time
	Warnings  []engine.Finding
}

// Codes of settings that are accepted with a warning, besides those of the engine.
const (
	testModeOn   = "TEST_MODE"
	noRedirect   = "NO_ALLOWED_REDIRECT"
	allCountries = "ALL_COUNTRIES"
	canBeFound   = "ENUMERATION_POSSIBLE"

	botsUnchecked = "BOT_CHECK_IMPOSSIBLE"
)

func (s *Service) instanceSettings(c currentSettings) InstanceSettings {
	warnings := c.Requirements().Warnings(s.can)
	if !s.development && len(c.AllowedRedirects) == 0 && c.Requirements().Enabled().Has(engine.ExternalAccount) {
		warnings = append(warnings, engine.Finding{Code: noRedirect, Path: "allowedRedirects",
			Message: "Nobody can sign up through a provider before there is an address to which people may be sent back."})
	}
	if n := c.PhoneNumber; n.Enabled && n.VerifyAtSignUp && len(n.Countries) == 0 {
		warnings = append(warnings, engine.Finding{Code: allCountries, Path: "phoneNumber.countries",
			Message: "Text messages go to all countries: others can have them sent to expensive numbers and share in the price. Name the countries that your users are in."})
	}
	if c.TestMode {
		warnings = append(warnings, engine.Finding{Code: testModeOn, Path: "testMode",
			Message: "Anybody can verify a test address, such as jane+test@example.com, with a code that everybody knows."})
	}
	for _, a := range c.exposed().List() {
		warnings = append(warnings, engine.Finding{Code: canBeFound, Path: a.Setting() + ".verifyAtSignUp",
			Message: "Whether an address has an account shows to anybody, for nobody has to verify it."})
	}
	warnings = append(warnings, s.botWarnings(c.BotProtection)...)
	return InstanceSettings{c.Settings, c.Version, c.By, c.At.UTC(), warnings}
}

// Settings returns the settings in force; everybody who can name the instance
// may draw a form from them, but only the secret key should be shown all.
func (s *Service) Settings(ctx context.Context, p Principal) (InstanceSettings, error) {
	c, err := s.settingsAt(ctx, p.Instance.ID, p.Instance.SettingsVersion)
	if err != nil {
		return InstanceSettings{}, err
	}
	return s.instanceSettings(c), nil
}

// UpdateSettings applies a patch. Without an expected version it is applied to
// whatever is in force; with one, a change in between is a problem.
func (s *Service) UpdateSettings(ctx context.Context, p Principal, patch SettingsPatch) (InstanceSettings, []Problem, error) {
	if !p.Secret {
		return InstanceSettings{}, nil, ErrSecretKeyOnly
	}
	for try := range maxTries {
		if err := pause(ctx, try); err != nil {
			return InstanceSettings{}, nil, unavailable(err)
		}
		current, next, problems, err := s.revised(ctx, p, patch)
		if err != nil {
			return InstanceSettings{}, nil, err
		}
		if len(problems) > 0 {
			return s.instanceSettings(current), problems, nil
		}
		saved, err := s.saveSettings(ctx, p.Instance.ID, current, next, patch.author())
		if errors.Is(err, ErrStale) {
			continue
		}
		if err != nil {
			return InstanceSettings{}, nil, unavailable(err)
		}
		return s.instanceSettings(saved), nil, nil
	}
	return InstanceSettings{}, []Problem{{Code: CodeConflict, Message: "Others change the settings at the same time. Please try again."}}, nil
}

// revised returns the settings in force, and what the patch makes of them or why it is
// refused.
func (s *Service) revised(ctx context.Context, p Principal, plain SettingsPatch) (current currentSettings, next Settings, problems []Problem, err error) {
	if current, err = s.settingsAt(ctx, p.Instance.ID, 0); err != nil {
		return current, next, nil, err
	}
	if plain.ExpectedVersion != nil && *plain.ExpectedVersion != current.Version {
		return current, next, []Problem{{Code: CodeStaleVersion, Field: inputPath("expectedVersion"),
			Message: fmt.Sprintf("The settings are at version %d. Look at them again before changing them.", current.Version)}}, nil
	}
	next = current.Settings.Apply(plain.sealed(s.keys))
	next.ExternalAccount = next.ExternalAccount.keepingSecrets(current.ExternalAccount, s.keys)
	next.BotProtection = next.BotProtection.keepingSecret(current.BotProtection, s.keys)
	problems = slices.Concat(next.Check(), plain.checkKeys(next), plain.BotProtection.checkSecret(), plain.checkAuthor())
	if len(problems) == 0 {
		problems = impossible(current.Settings, next, s.can)
	}
	return current, next, problems, nil
}

// author is who makes the change, for the history.
func (p SettingsPatch) author() string {
	if p.ChangedBy != nil {
		return *p.ChangedBy
	}
	return "secret key"
}

func (p SettingsPatch) checkAuthor() []Problem {
	if strings.TrimSpace(p.author()) == "" || len([]rune(p.author())) > 64 || strings.ContainsFunc(p.author(), isControl) {
		return []Problem{{Code: CodeInvalidFormat, Field: inputPath("changedBy"), Message: "Must be 1 to 64 characters on one line."}}
	}
	return nil
}

// saveSettings stores the next version unless it says what the current one says.
func (s *Service) saveSettings(ctx context.Context, instance string, current currentSettings, next Settings, by string) (currentSettings, error) {
	body, err := json.Marshal(next)
	if err != nil {
		return current, err
	}
	if before, err := json.Marshal(current.Settings); err == nil && string(before) == string(body) {
		return current, nil
	}
	v := SettingsVersion{Version: current.Version + 1, Body: body, By: by, At: s.now()}
	if err := s.directory.SaveSettings(ctx, instance, v); err != nil {
		return current, err
	}
	saved := currentSettings{next, v.Version, v.By, v.At}
	s.settings.keep(instance, saved)
	// A hint that is lost is made up for: watchers look now and then.
	if err := s.hints.AnnounceSettings(ctx, instance); err != nil {
		s.log.WarnContext(ctx, "change of settings not announced", "instance", instance, "error", err)
	}
	return saved, nil
}

// User returns a user, or nil where there is none.
func (s *Service) User(ctx context.Context, p Principal, id string) (*User, error) {
	if !p.Secret {
		return nil, ErrSecretKeyOnly
	}
	u, err := s.directory.User(ctx, p.Instance.ID, id)
	if errors.Is(err, ErrNoRow) {
		return nil, nil
	}
	if err != nil {
		return nil, unavailable(err)
	}
	return &u, nil
}

// MatchNobody is a condition that no user meets: no stored text holds a NUL.
const MatchNobody = "\x00"

// UserQuery asks for a page of users, newest first.
type UserQuery struct {
	First      int
	After      string // a cursor, or empty
	ExternalID string
	Identifier string // in any spelling
}

// Page is a page of a list that is newest first.
type Page[T any] struct {
	Items   []T
	Cursors []string
	More    bool
	Total   int
}

// MaxPage is the largest page.
const MaxPage = 100

// Users returns a page. A cursor that this service did not issue, and a size
// out of range, are request errors.
func (s *Service) Users(ctx context.Context, p Principal, q UserQuery) (Page[User], error) {
	if !p.Secret {
		return Page[User]{}, ErrSecretKeyOnly
	}
	after, err := pageOf(q.First, q.After)
	if err != nil {
		return Page[User]{}, err
	}
	settings, err := s.settingsAt(ctx, p.Instance.ID, p.Instance.SettingsVersion)
	if err != nil {
		return Page[User]{}, err
	}
	filter := UserFilter{ExternalID: q.ExternalID, After: after, Limit: q.First}
	if q.Identifier != "" {
		filter.Norm = q.Identifier // as it stands, where it is none
		if named := candidates(q.Identifier, settings.DefaultCountry); len(named) > 0 {
			filter.Norm = named[0].Norm
		}
	}
	users, more, err := s.directory.Users(ctx, p.Instance.ID, filter)
	if err != nil {
		return Page[User]{}, unavailable(err)
	}
	total, err := s.directory.CountUsers(ctx, p.Instance.ID, filter)
	if err != nil {
		return Page[User]{}, unavailable(err)
	}
	page := Page[User]{Items: users, More: more, Total: total}
	for _, u := range users {
		page.Cursors = append(page.Cursors, cursor(u.CreatedAt, u.ID))
	}
	return page, nil
}

// pageOf checks what a caller asks of a list.
func pageOf(first int, after string) (*Position, error) {
	if first < 1 || first > MaxPage {
		return nil, &Error{code: "BAD_USER_INPUT", message: fmt.Sprintf("`first` must be between 1 and %d.", MaxPage)}
	}
	return parseCursor(after)
}

func cursor(at time.Time, id string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(at.UnixMilli(), 10) + " " + id))
}

var errNoCursor = &Error{code: "BAD_USER_INPUT", message: "`after` is not a cursor of this list."}

func parseCursor(text string) (*Position, error) {
	if text == "" {
		return nil, nil
	}
	data, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return nil, errNoCursor
	}
	at, id, ok := strings.Cut(string(data), " ")
	ms, err := strconv.ParseInt(at, 10, 64)
	if !ok || err != nil {
		return nil, errNoCursor
	}
	return &Position{At: time.UnixMilli(ms).UTC(), ID: id}, nil
}

// UserInput is what a backend sets on a user; nil leaves as is.
type UserInput struct {
	ID              string
	ExternalID      Text
	PublicMetadata  map[string]any
	PrivateMetadata map[string]any
}

// UpdateUser sets what the app's backend keeps on a user.
func (s *Service) UpdateUser(ctx context.Context, p Principal, in UserInput) (*User, []Problem, error) {
	if !p.Secret {
		return nil, nil, ErrSecretKeyOnly
	}
	change, problems := userChange(in)
	change.At = s.now()
	if len(problems) > 0 {
		return nil, problems, nil
	}
	u, err := s.directory.UpdateUser(ctx, p.Instance.ID, in.ID, change)
	switch {
	case errors.Is(err, ErrNoRow):
		return nil, []Problem{{Code: CodeUserNotFound, Message: "There is no such user.", Field: inputPath("id")}}, nil
	case errors.Is(err, ErrDuplicate):
		return nil, []Problem{{Code: CodeExternalIDTaken, Message: "Another user has this external id.", Field: inputPath("externalId")}}, nil
	case err != nil:
		return nil, nil, unavailable(err)
	}
	return &u, nil, nil
}

func userChange(in UserInput) (UserChange, []Problem) {
	var change UserChange
	var problems []Problem
	if in.ExternalID.Set {
		id := ""
		if in.ExternalID.Value != nil {
			id = *in.ExternalID.Value
			if id == "" || len(id) > 128 || !utf8.ValidString(id) || strings.ContainsFunc(id, isControl) {
				problems = append(problems, Problem{Code: CodeInvalidFormat, Message: "An external id has 1 to 128 characters on one line; null removes it.", Field: inputPath("externalId")})
			}
		}
		change.ExternalID = &id
	}
	metadata := func(name string, value map[string]any) json.RawMessage {
		if value == nil {
			return nil
		}
		data, problem := marshalMetadata(value, name)
		if problem != nil {
			problems = append(problems, *problem)
		}
		return data
	}
	change.PublicMetadata = metadata("publicMetadata", in.PublicMetadata)
	change.PrivateMetadata = metadata("privateMetadata", in.PrivateMetadata)
	return change, problems
}
