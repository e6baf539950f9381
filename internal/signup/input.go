package signup

import (
	"context"
	"encoding/json"
	"errors"

	"stepwise/engine"
	"stepwise/internal/identifier"
	"stepwise/internal/password"
)

// Text is a text of an input: left out (the zero value), null, or given.
type Text struct {
	Set   bool
	Value *string
}

// Given returns the text as given.
func Given(value string) Text { return Text{Set: true, Value: &value} }

// Null returns the text that clears.
func Null() Text { return Text{Set: true} }

// Input is what a client gives to create or update a sign-up.
type Input struct {
	EmailAddress Text
	PhoneNumber  Text
	Username     Text
	Password     Text
	FirstName    Text
	LastName     Text
	// LegalAccepted is nil where left out; false withdraws.
	LegalAccepted *bool
	// UnsafeMetadata is nil where left out.
	UnsafeMetadata map[string]any
	// Clear takes back what only a verification can give.
	Clear []engine.Attribute
	Start []Start
	// Ticket is that of an invitation; on creation only.
	Ticket string
	// BotToken is what the widget of the bot check's provider gave; on creation only. A
	// call that is made again may bring another.
	BotToken string `json:"-"`
	// IdempotencyKey is empty where none was given.
	IdempotencyKey string
	// Locale is the language (BCP 47) that the person is to be written to in; null is the
	// instance's default. Left out on creation, it is what Accept-Language says.
	Locale Text `json:",omitzero"`
}

// maxMetadata bounds each metadata object, as JSON.
const maxMetadata = 8 << 10

// maxIdempotencyKey bounds the key, in bytes.
const maxIdempotencyKey = 128

// EmptyKey stands for an idempotency key that was given and is empty: it is
// refused, where none at all is fine.
const EmptyKey = "\x00"

// texts lists the inputs with the attribute each is for.
func (in Input) texts() [engine.NumAttributes]Text {
	var t [engine.NumAttributes]Text
	t[engine.EmailAddress], t[engine.PhoneNumber], t[engine.Username] = in.EmailAddress, in.PhoneNumber, in.Username
	t[engine.Password], t[engine.FirstName], t[engine.LastName] = in.Password, in.FirstName, in.LastName
	return t
}

// understood is an input in the engine's words, with what was wrong with it.
type understood struct {
	command  engine.Command
	problems []Problem
	password string
	metadata []byte  // nil: unchanged
	locale   *string // nil: unchanged
}

// understand brings every value of the input to its canonical form. Values for
// fields that the settings do not have are passed on as they are: the engine
// refuses them.
func understand(in Input, settings Settings) understood {
	var u understood
	enabled := settings.Requirements().Enabled()
	for i, text := range in.texts() {
		a := engine.Attribute(i)
		switch {
		case !text.Set:
		case text.Value == nil:
			u.command.Changes[a] = engine.Change{Kind: engine.Clear}
		case !enabled.Has(a):
			u.command.Changes[a] = engine.Change{Kind: engine.Give}
		default:
			u.give(a, *text.Value, settings)
		}
	}
	if in.LegalAccepted != nil {
		kind := engine.Clear
		if *in.LegalAccepted {
			kind = engine.Give
		}
		u.command.Changes[engine.LegalAccepted] = engine.Change{Kind: kind}
	}
	for _, a := range in.Clear {
		u.command.Changes[a] = engine.Change{Kind: engine.Clear}
	}
	u.attach(in.UnsafeMetadata)
	u.speak(in.Locale)
	u.problems = append(u.problems, checkKey(in.IdempotencyKey)...)
	return u
}

func checkKey(idempotencyKey string) []Problem {
	switch {
	case idempotencyKey == EmptyKey:
		return []Problem{{Code: CodeEmpty, Message: "An idempotency key has at least one character; leave it out for none.", Field: inputPath("idempotencyKey")}}
	case len(idempotencyKey) > maxIdempotencyKey:
		return []Problem{{Code: CodeTooLong, Message: "An idempotency key has at most 128 characters.", Field: inputPath("idempotencyKey")}}
	}
	return nil
}

func (u *understood) give(a engine.Attribute, raw string, settings Settings) {
	text, key, err := canonical(a, raw, settings)
	var wrong *identifier.Error
	if errors.As(err, &wrong) {
		u.problems = append(u.problems, fieldProblem(a, Code(wrong.Code), wrong.Message))
		return
	}
	if a == engine.Password {
		u.password = raw
	}
	u.command.Changes[a] = engine.Change{Kind: engine.Give, Text: text, Key: key}
}

// canonical returns a value as it is shown and as it is compared.
func canonical(a engine.Attribute, raw string, settings Settings) (text, key string, err error) {
	switch a {
	case engine.EmailAddress:
		email, err := identifier.ParseEmail(raw)
		return email.Address, email.Norm, err
	case engine.PhoneNumber:
		number, err := identifier.Phone(raw, settings.DefaultCountry)
		return number, number, err
	case engine.Username:
		name, err := identifier.ParseUsername(raw, settings.Username.MinLength, settings.Username.MaxLength)
		return name.Display, name.Norm, err
	case engine.FirstName, engine.LastName:
		name, err := identifier.PersonName(raw)
		return name, name, err
	}
	return "", "", nil // the password's key is its hash, made last
}

func (u *understood) attach(metadata map[string]any) {
	if metadata == nil {
		return
	}
	data, problem := marshalMetadata(metadata, "unsafeMetadata")
	if problem != nil {
		u.problems = append(u.problems, *problem)
		return
	}
	u.metadata = data
}

func marshalMetadata(metadata map[string]any, name string) ([]byte, *Problem) {
	data, err := json.Marshal(metadata)
	if err != nil {
		return nil, &Problem{Code: CodeInvalidFormat, Message: "Must be a JSON object.", Field: inputPath(name)}
	}
	if len(data) > maxMetadata {
		return nil, &Problem{Code: CodeTooLong, Message: "Metadata has at most 8 KiB as JSON.", Field: inputPath(name)}
	}
	return data, nil
}

var passwordCodes = map[password.Code]Code{
	password.CodeTooShort:  CodeTooShort,
	password.CodeTooLong:   CodeTooLong,
	password.CodeTooCommon: CodePasswordCommon,
	password.CodeContext:   CodePasswordContext,
	password.CodeInvalid:   CodeInvalidCharacter,
}

// judgePassword checks the password, if one is given, against the rules and
// against what is known of the person once the command is applied.
func (u *understood) judgePassword(settings Settings, a engine.Attempt) []Problem {
	if u.password == "" && u.command.Changes[engine.Password].Kind != engine.Give || !settings.Password.Enabled {
		return nil
	}
	words := []string{settings.AppName}
	for _, attribute := range []engine.Attribute{engine.EmailAddress, engine.Username, engine.FirstName, engine.LastName} {
		if c := u.command.Changes[attribute]; c.Kind == engine.Give {
			words = append(words, c.Text)
		} else if c.Kind == engine.Keep {
			words = append(words, a.Values[attribute].Text)
		}
	}
	policy := password.Policy{
		MinLength: settings.Password.MinLength, MaxLength: settings.Password.MaxLength,
		AllowCommon: !settings.Password.RejectCommon, AllowContext: !settings.Password.RejectContext,
	}
	var problems []Problem
	for _, p := range policy.Check(u.password, words...) {
		problems = append(problems, fieldProblem(engine.Password, passwordCodes[p.Code], p.Message))
	}
	return problems
}

// identifiers returns those that the command gives.
func (u *understood) identifiers() []Identifier {
	var list []Identifier
	for _, a := range []engine.Attribute{engine.EmailAddress, engine.PhoneNumber, engine.Username} {
		if c := u.command.Changes[a]; c.Kind == engine.Give && c.Key != "" {
			list = append(list, Identifier{Kind: a.String(), Norm: c.Key})
		}
	}
	return list
}

// taken asks the directory which of the identifiers belong to users.
func (s *Service) taken(ctx context.Context, instance string, identifiers []Identifier) (engine.Set, error) {
	if len(identifiers) == 0 {
		return 0, nil
	}
	owned, err := s.directory.Taken(ctx, instance, identifiers)
	if err != nil {
		return 0, unavailable(err)
	}
	return attributesOf(owned), nil
}

func attributesOf(identifiers []Identifier) engine.Set {
	var set engine.Set
	for _, i := range identifiers {
		if a, ok := engine.ParseAttribute(i.Kind); ok {
			set |= engine.SetOf(a)
		} else {
			set |= engine.SetOf(engine.ExternalAccount) // ExternalAccountKind
		}
	}
	return set
}
