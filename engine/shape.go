package engine

import (
	"errors"
	"slices"
	"strconv"
	"strings"
)

// Shape is what of a sign-up decides what it needs under any settings, and how far
// it came, without any of its values: the way it came in, which fields were given,
// cleared, started, verified, or sent by a provider or with an invitation, and which
// of these agree. The text names nobody; besides marks it holds the provider's name
// and issuer and the version of the consent, which are the operator's words.
//
// It is one line of fields separated by spaces: the version of the form, five marks
// for each attribute, the attributes taken, the ticket, the provider's claim, and
// three quoted texts. Equal shapes are equal texts.
type Shape string

const shapeForm = "1"

// The five marks of an attribute, in their order, are of the person's value, the
// ticket's, the account's, the verification's state, and the value that this
// concerns. Values that are equal have the same letter, a capital one where the value is
// cleared: what an account sent and a user has still is what its provider verified.
const marks = 5

const (
	markNone    = '-'
	markCleared = '0'
	markLetters = "abcd"

	markStarted      = 's'
	markVerified     = 'v'
	markTransferable = 't'
	markFailed       = 'f'
)

// The account as a shape knows it.
const (
	noAccount      = "none"
	accountRefused = "refused"
	accountProven  = "proven"
)

// ShapeOf returns the shape of an attempt as it is. Of one that is final it is that
// of the values it ended with.
func ShapeOf(a Attempt) Shape {
	account, standing := a.Account, accountProven
	if account == nil {
		standing = noAccount
		if v := a.Verifications[ExternalAccount]; v != nil && v.Refused != nil {
			account, standing = v.Refused, accountRefused
		}
	}
	if account == nil {
		account = &Account{}
	}
	var text strings.Builder
	for _, attribute := range All.List() {
		sent, invited := account.Sent[attribute], Value{}
		if a.Ticket != nil {
			invited = a.Ticket.Sent[attribute]
		}
		writeMarks(&text, a, attribute, invited, sent)
	}
	ticket := "-"
	if a.Ticket != nil {
		ticket = strconv.Itoa(int(a.Ticket.State))
	}
	consent := "-"
	if a.Consent != nil {
		consent = strconv.Quote(a.Consent.Version)
	}
	return Shape(strings.Join([]string{
		shapeForm, text.String(), strconv.Itoa(int(a.Taken)), ticket, standing, strconv.FormatBool(account.EmailVerified),
		consent, strconv.Quote(account.Provider), strconv.Quote(account.Asked),
	}, " "))
}

func writeMarks(text *strings.Builder, a Attempt, attribute Attribute, invited, sent Value) {
	var letters []string // the keys seen, by their letter
	letter := func(key string) byte {
		if !Verifiable.Has(attribute) {
			key = "" // there is nothing to agree on
		}
		i := slices.Index(letters, key)
		if i < 0 {
			i, letters = len(letters), append(letters, key)
		}
		return markLetters[i]
	}
	for _, v := range []Value{a.Values[attribute], invited, sent} {
		switch v.Presence {
		case Given:
			text.WriteByte(letter(v.Key))
		case Cleared:
			if v.Key == "" || !Verifiable.Has(attribute) {
				text.WriteByte(markCleared)
			} else {
				text.WriteByte(letter(v.Key) - 'a' + 'A')
			}
		default:
			text.WriteByte(markNone)
		}
	}
	v := a.Verifications[attribute]
	if v == nil {
		text.WriteString("--")
		return
	}
	text.WriteByte(stateMark(*v))
	if Verifiable.Has(attribute) {
		text.WriteByte(letter(v.Key))
	} else {
		text.WriteByte(markNone)
	}
}

func stateMark(v Verification) byte {
	switch {
	case v.Verified:
		return markVerified
	case v.Transferable:
		return markTransferable
	case v.Failure != "" || v.Guesses >= MaxGuesses:
		return markFailed
	}
	return markStarted
}

var errShape = errors.New("not a shape of this form")

// Attempt returns an open attempt of the shape, whose values are placeholders: any
// settings evaluate it as they do every sign-up of the shape, but for restrictions,
// which are about values. Where the account was
// refused, [Attempt.Judged] says what other settings make of it. It fails for a text
// that ShapeOf did not return, or that of a later version did.
func (s Shape) Attempt() (Attempt, error) {
	var a Attempt
	fields := strings.SplitN(string(s), " ", 7)
	if len(fields) != 7 || fields[0] != shapeForm || len(fields[1]) != marks*NumAttributes {
		return a, errShape
	}
	taken, err := strconv.ParseUint(fields[2], 10, 16)
	if err != nil || Set(taken)&^All != 0 {
		return a, errShape
	}
	a.Taken = Set(taken)
	if fields[3] != "-" {
		state, err := strconv.ParseUint(fields[3], 10, 8)
		if err != nil {
			return a, errShape
		}
		a.Ticket = &Ticket{State: TicketState(state)}
	}
	account := Account{EmailVerified: fields[5] == "true"}
	rest := fields[6]
	if after, none := strings.CutPrefix(rest, "- "); none {
		rest = after
	} else {
		var version string
		if version, rest, err = cutQuoted(rest); err != nil {
			return a, err
		}
		a.Consent = &Consent{Version: version}
	}
	if account.Provider, rest, err = cutQuoted(rest); err != nil {
		return a, err
	}
	if account.Asked, rest, err = cutQuoted(rest); err != nil || rest != "" {
		return a, errShape
	}
	for _, attribute := range All.List() {
		if err := readMarks(&a, &account, attribute, fields[1][marks*int(attribute):][:marks]); err != nil {
			return a, err
		}
	}
	switch fields[4] {
	case accountProven:
		a.Account = &account
	case accountRefused:
		v := Verification{Strategy: OAuth, Failure: CodeEmailNotVerified, Refused: &account}
		a.Verifications[ExternalAccount] = &v
	case noAccount:
	default:
		return a, errShape
	}
	return a, nil
}

// cutQuoted takes a quoted text, and the space that follows it, off the front.
func cutQuoted(text string) (value, rest string, err error) {
	quoted, err := strconv.QuotedPrefix(text)
	if err != nil {
		return "", "", errShape
	}
	if value, err = strconv.Unquote(quoted); err != nil {
		return "", "", errShape
	}
	return value, strings.TrimPrefix(text[len(quoted):], " "), nil
}

func readMarks(a *Attempt, account *Account, attribute Attribute, marks string) error {
	invited := Value{}
	for i, value := range []*Value{&a.Values[attribute], &invited, &account.Sent[attribute]} {
		switch mark := marks[i]; {
		case mark == markNone:
		case mark == markCleared:
			value.Presence = Cleared
		case strings.IndexByte(markLetters, mark) >= 0:
			*value = standIn(string(mark))
		case Verifiable.Has(attribute) && strings.IndexByte(markLetters, mark-'A'+'a') >= 0:
			*value = standIn(string(mark - 'A' + 'a'))
			value.Presence = Cleared
		default:
			return errShape
		}
	}
	if a.Ticket != nil {
		a.Ticket.Sent[attribute] = invited
	}
	if marks[3] == markNone {
		return nil
	}
	strategies := StrategiesFor(attribute)
	if len(strategies) == 0 {
		return errShape
	}
	v := Verification{Strategy: strategies[0]}
	if Verifiable.Has(attribute) {
		v.Key = string(marks[4])
	}
	switch marks[3] {
	case markStarted:
	case markVerified:
		v.Verified = true
	case markTransferable:
		v.Transferable = true
	case markFailed:
		v.Failure = CodeTooManyGuesses
	default:
		return errShape
	}
	a.Verifications[attribute] = &v
	return nil
}

// Judged returns the attempt as it would be had its account been proven under these
// settings: one that other settings refused for its address is in force where these
// take it.
func (a Attempt) Judged(s Settings) Attempt {
	v := a.Verifications[ExternalAccount]
	if a.Account != nil || v == nil || v.Refused == nil {
		return a
	}
	accepted := a
	accepted.Account = v.Refused
	if !accountCounts(s, accepted) {
		return a
	}
	accepted.Verifications[ExternalAccount] = &Verification{Strategy: OAuth, Verified: true}
	return accepted
}

// Way returns the way by which the attempt came in, whatever the settings make of it:
// that of its account, also of one that was refused, else of its wallet, else of its
// ticket.
func (a Attempt) Way() Way {
	v := a.Verifications[ExternalAccount]
	switch {
	case a.Account != nil:
		return Way{PathOAuth, a.Account.Provider}
	case v != nil && v.Refused != nil:
		return Way{PathOAuth, v.Refused.Provider}
	case a.Values[Web3Wallet].Presence == Given:
		return Way{Path: PathWallet}
	case a.Ticket != nil:
		return Way{Path: PathTicket}
	}
	return Way{Path: PathForm}
}
