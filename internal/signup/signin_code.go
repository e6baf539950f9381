package signup

import (
	"context"
	"crypto/hmac"
	"errors"
	"time"

	"stepwise/engine"
	"stepwise/internal/identifier"
)

// SessionChallenge is a code that may be on its way to an address. It is there
// whether or not anybody has that address.
type SessionChallenge struct {
	// ID is to be given back with the code.
	ID       string
	SentTo   string // masked
	ResendAt time.Time
	ExpireAt time.Time
	// ClientToken is set where the caller is a new client.
	ClientToken string
	Problems    []Problem
}

const forSession = "session challenge"

// sessionChallenge is what the id of a challenge says, signed.
type sessionChallenge struct {
	Instance, Client string
	Attribute        engine.Attribute
	Norm             string
	Nonce            string
	ExpireAt         time.Time
}

func (k *Keys) signSessionChallenge(c sessionChallenge) string {
	return k.sign(forSession, c.Instance, c.Client, c.Attribute, c.Norm, c.Nonce, c.ExpireAt.UnixMilli())
}

func (k *Keys) openSessionChallenge(text string) (sessionChallenge, bool) {
	var c sessionChallenge
	var ms int64
	ok := k.signed(forSession, text, &c.Instance, &c.Client, &c.Attribute, &c.Norm, &c.Nonce, &ms)
	c.ExpireAt = moment(ms)
	return c, ok && (c.Attribute == engine.EmailAddress || c.Attribute == engine.PhoneNumber)
}

func (c sessionChallenge) code(k *Keys) string {
	key := AttemptKey{Instance: c.Instance, ID: "session of " + c.Client}
	return k.verificationCode(key, c.Attribute, engine.Verification{Key: c.Norm, Nonce: c.Nonce})
}

// StartSession has a code sent to an email address or a phone number, if a user
// has verified it. The message goes out after the answer, in the language of locale,
// which is read as Input.Locale is.
func (s *Service) StartSession(ctx context.Context, p Principal, address string, locale Text) (SessionChallenge, error) {
	p, minted, err := asReturning(p)
	if err != nil {
		return SessionChallenge{}, err
	}
	settings, err := s.settingsAt(ctx, p.Instance.ID, p.Instance.SettingsVersion)
	if err != nil {
		return SessionChallenge{}, err
	}
	spoken, problem := localeOf(locale, p)
	problems := list(problem)
	who, text, ok := addressOf(address, settings.DefaultCountry)
	if !ok {
		problems = append(problems, Problem{Code: CodeInvalidFormat, Field: inputPath("identifier"), Message: "This is neither an email address nor a phone number."})
	}
	if len(problems) > 0 {
		return SessionChallenge{Problems: problems}, nil
	}
	a, _ := engine.ParseAttribute(who.Kind)
	if len(s.can.Strategies(a)) == 0 {
		return SessionChallenge{Problems: []Problem{{Code: Code(engine.CodeCannotDeliver), Field: inputPath("identifier"), Message: Sentence(engine.CodeCannotDeliver, a)}}}, nil
	}
	now := s.now()
	test := isTestAddress(settings.Settings, a, who.Norm)
	if !test {
		budgets := []Budget{
			{Key: "resend:" + p.Instance.ID + ":" + p.Client + ":" + who.Norm, Burst: 1, Every: settings.resendInterval()},
			ownBudget(p.Instance.ID, settings.SendingLimits, a, who.Norm),
		}
		if problem, err := s.takeAll(ctx, budgets, inputPath("identifier"), a); err != nil || problem != nil {
			return SessionChallenge{Problems: list(problem)}, err
		}
	}
	// Whether or not there is somebody to write to, so that running out tells nothing.
	if !s.sending.TryAcquire(1) {
		return SessionChallenge{Problems: []Problem{s.busy()}}, nil
	}
	handedOver := false
	defer func() {
		if !handedOver {
			s.sending.Release(1)
		}
	}()
	challenge := sessionChallenge{
		Instance: p.Instance.ID, Client: p.Client, Attribute: a, Norm: who.Norm, Nonce: RandomText(idLength), ExpireAt: now.Add(settings.codeLifetime()),
	}
	owner, err := s.directory.Owner(ctx, p.Instance.ID, []Identifier{who})
	if err != nil && !errors.Is(err, ErrNoRow) {
		return SessionChallenge{}, unavailable(err)
	}
	// What others have a part in is taken after the answer, and for real messages only:
	// asking for strangers' codes must neither tell nor spend anything.
	budgets := returningBudgets(p.Instance.ID, settings.Settings, a, who.Norm)
	switch known := err == nil && !owner.Identifier.VerifiedAt.IsZero(); {
	case test:
	case known && (a != engine.PhoneNumber || settings.PhoneNumber.takes(who.Norm)):
		handedOver = true
		s.deliverLater(ctx, Message{
			Channel: channelOf(a), Purpose: PurposeSignIn, To: text, Code: challenge.code(s.keys), AppName: settings.AppName, ExpireAt: challenge.ExpireAt,
			Language: settings.languageFor(spoken),
		}, budgets...)
	default:
		handedOver = true
		s.deliverNothing(ctx, budgets)
	}
	out := SessionChallenge{
		ID: s.keys.signSessionChallenge(challenge), SentTo: mask(a, who.Norm),
		ResendAt: now.Add(settings.resendInterval()), ExpireAt: challenge.ExpireAt,
	}
	if minted {
		out.ClientToken = s.keys.ClientToken(p.Instance.ID, p.Client, 0)
	}
	return out, nil
}

// addressOf reads an email address or a phone number.
func addressOf(text, country string) (who Identifier, shown string, ok bool) {
	if email, err := identifier.ParseEmail(text); err == nil {
		return Identifier{Kind: engine.EmailAddress.String(), Norm: email.Norm}, email.Address, true
	}
	if number, err := identifier.Phone(text, country); err == nil {
		return Identifier{Kind: engine.PhoneNumber.String(), Norm: number}, number, true
	}
	return Identifier{}, "", false
}

// maxSending is how many messages may be on their way to people who come back.
const maxSending = 64

// deliverLater sends a message when the caller has its answer: how long it takes
// must not tell that there was one. Where one of the budgets is spent it is not sent,
// and nobody hears of it but the log. It gives the caller's place in s.sending back.
func (s *Service) deliverLater(ctx context.Context, m Message, budgets ...Budget) {
	ctx = context.WithoutCancel(ctx)
	s.promised.Go(func() {
		defer s.sending.Release(1)
		ctx, cancel := context.WithTimeout(ctx, sendTimeout)
		defer cancel()
		if !s.affords(ctx, m, budgets) {
			return
		}
		if err := s.messenger.Deliver(ctx, m); err != nil {
			s.log.ErrorContext(ctx, "message not delivered", "purpose", string(m.Purpose), "error", err)
		}
	})
}

// deliverNothing asks for budgets as a message does, of others: the stores have as much
// to do whether or not there is somebody to write to.
func (s *Service) deliverNothing(ctx context.Context, budgets []Budget) {
	ctx = context.WithoutCancel(ctx)
	for i := range budgets {
		budgets[i].Key = "nobody:" + budgets[i].Key
	}
	s.promised.Go(func() {
		defer s.sending.Release(1)
		ctx, cancel := context.WithTimeout(ctx, sendTimeout)
		defer cancel()
		_, _, _ = s.budgets.Take(ctx, s.now(), budgets...) // nothing depends on the answer
	})
}

// Wait returns once the messages that were promised have gone out, or failed to.
func (s *Service) Wait() { s.promised.Wait() }

// sessionByCode compares a code that was sent to an address.
func (s *Service) sessionByCode(ctx context.Context, p Principal, challengeID, code string) (SessionOutcome, error) {
	field := inputPath("proof", "code", "code")
	refuse := func(code Code, message string) (SessionOutcome, error) {
		return SessionOutcome{Problems: []Problem{{Code: code, Field: field, Message: message}}}, nil
	}
	c, ok := s.keys.openSessionChallenge(challengeID)
	switch {
	case !ok || c.Instance != p.Instance.ID:
		return SessionOutcome{Problems: []Problem{{Code: CodeInvalidFormat, Field: inputPath("proof", "code", "challengeId"), Message: "This is not the id of a challenge. Ask for a code first, and give back the id that came with the answer."}}}, nil
	case p.Client == "":
		return SessionOutcome{}, ErrNeedsClient
	case c.Client != p.Client:
		return refuse(CodeOtherClient, "This code was asked for in another browser or app. Continue there.")
	}
	settings, err := s.settingsAt(ctx, p.Instance.ID, p.Instance.SettingsVersion)
	if err != nil {
		return SessionOutcome{}, err
	}
	now := s.now()
	code = copied(code)
	switch {
	case !now.Before(c.ExpireAt):
		return refuse(Code(engine.CodeExpired), Sentence(engine.CodeExpired, c.Attribute))
	case !isCode(code):
		return refuse(CodeInvalidFormat, "A code has six digits.")
	}
	// First what this challenge bears: what it does not must cost its address nothing.
	guesses := Budget{Key: "guess:" + c.Nonce, Burst: engine.MaxGuesses, Every: maxCodeLifetime}
	switch allowed, _, err := s.budgets.Take(ctx, now, guesses); {
	case err != nil:
		return SessionOutcome{}, unavailable(err)
	case !allowed:
		return refuse(Code(engine.CodeTooManyGuesses), Sentence(engine.CodeTooManyGuesses, c.Attribute))
	}
	wanted := c.code(s.keys)
	if isTestAddress(settings.Settings, c.Attribute, c.Norm) {
		wanted = testCode
	} else if problem, err := s.take(ctx, guessBudget(c.Instance, c.Attribute, c.Norm), field, c.Attribute); err != nil || problem != nil {
		return SessionOutcome{Problems: list(problem)}, err
	}
	owner, err := s.directory.Owner(ctx, c.Instance, []Identifier{{Kind: c.Attribute.String(), Norm: c.Norm}})
	if err != nil && !errors.Is(err, ErrNoRow) {
		return SessionOutcome{}, unavailable(err)
	}
	if !hmac.Equal([]byte(code), []byte(wanted)) || owner.Identifier.VerifiedAt.IsZero() {
		return refuse(Code(engine.CodeIncorrect), Sentence(engine.CodeIncorrect, c.Attribute))
	}
	tail := s.keys.sessionTail(c.Client, c.Nonce)
	if p.Stale {
		return s.sessionAgain(ctx, p, tail)
	}
	return s.openSession(ctx, p, owner.UserID, tail)
}
