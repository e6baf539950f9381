package signup

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"stepwise/engine"
)

// maxTries bounds how often a change is applied anew because others changed
// the sign-up meanwhile.
const maxTries = 8

// memoryRetention is how long a request with an idempotency key is remembered.
const memoryRetention = 10 * time.Minute

// Create opens a sign-up for the caller and makes it the client's current one.
// A caller without a client becomes one.
func (s *Service) Create(ctx context.Context, p Principal, in Input) (Outcome, error) {
	if p.Secret {
		return Outcome{}, ErrClientOnly
	}
	c := &call{service: s, principal: p, input: in, name: "create", memoryKey: in.IdempotencyKey}
	if p.Client == "" {
		c.principal, c.minted = p.asNewClient(), true
	}
	c.fingerprint = s.fingerprintInput("create", "", in)
	if p.Stale {
		out, err := c.repeat(ctx)
		if !errors.Is(err, ErrUnauthenticated) || !p.FromCookie {
			return out, err
		}
		// A browser that holds an outdated cookie starts over.
		c.principal, c.minted = p.asNewClient(), true
	}
	out, err := c.create(ctx)
	if err == nil && c.minted && out.SignUp != nil && out.ClientToken == "" {
		out.ClientToken = s.keys.ClientToken(p.Instance.ID, c.principal.Client, 0)
	}
	return out, err
}

// Update gives, replaces or clears fields of a sign-up of the caller's; id is
// empty for the current one.
func (s *Service) Update(ctx context.Context, p Principal, id string, in Input) (Outcome, error) {
	c := &call{service: s, principal: p, id: id, input: in, name: "update", memoryKey: in.IdempotencyKey}
	c.fingerprint = s.fingerprintInput("update", id, in)
	return c.change(ctx)
}

// StartVerification starts one verification.
func (s *Service) StartVerification(ctx context.Context, p Principal, id string, start Start, idempotencyKey string) (Outcome, error) {
	in := Input{Start: []Start{start}, IdempotencyKey: idempotencyKey}
	c := &call{service: s, principal: p, id: id, input: in, name: "start", memoryKey: idempotencyKey}
	c.fingerprint = s.fingerprintInput("start", id, in)
	return c.change(ctx)
}

// fingerprintInput identifies the call: the same call has the same fingerprint.
func (s *Service) fingerprintInput(name, id string, in Input) string {
	data, err := json.Marshal(in)
	if err != nil { // metadata that is not JSON: refused later
		data = []byte(err.Error())
	}
	return s.keys.requestFingerprint(name, id, string(data))
}

// call is one mutation of a sign-up on its way through the service.
type call struct {
	service   *Service
	principal Principal
	id        string
	input     Input
	proof     *Proof
	name      string
	memoryKey string
	// minted: the client is new and is to get its token.
	minted      bool
	fingerprint string

	// What must happen once, whatever the number of tries.
	sealedHash string
	budgeted   map[string]bool
	takenSet   engine.Set
	lookedFor  bool
	// provenTaken and sentTaken: what was proven, or sent along, belongs to users.
	provenTaken, sentTaken engine.Set
	endpoints              map[string]string
	// answer is what a link or a handle refers to, found what the provider said.
	answer answered
	found  *engine.Outcome

	// human: the provider of the bot check has taken the token.
	human bool

	// turnedAway is why nobody may begin who comes like this.
	turnedAway []Problem

	// metadata is what the input attaches, as JSON; nil where it does not.
	metadata []byte
	// locale is the one that the input names; nil where it does not.
	locale *string
}

func (c *call) key() AttemptKey {
	return AttemptKey{Instance: c.principal.Instance.ID, Client: c.principal.Client, ID: c.id}
}

// remembering returns what is to be remembered of this call on that sign-up,
// for problems that show only after the call was saved.
func (c *call) remembering(id string, before []Problem) func([]Problem) Memory {
	return func(later []Problem) Memory {
		return c.memory(c.service.now(), id, slices.Concat(before, later))
	}
}

func (c *call) memory(now time.Time, id string, problems []Problem) Memory {
	if c.memoryKey == "" {
		return Memory{}
	}
	return Memory{Key: c.memoryKey, ExpireAt: now.Add(memoryRetention), Remembered: Remembered{
		AttemptID: id, Fingerprint: c.fingerprint, Outcome: rememberedOutcome{problems}.encode(),
	}}
}

// carriesSecret reports whether only the one who made this call before can make
// it again: it holds a secret, or a key of the caller's choice. A handle that proves
// nothing is no secret: whoever can read the sign-up can make one at the callback.
func (c *call) carriesSecret() bool {
	proves := c.proof != nil && (c.proof.Handle == "" || c.found != nil && c.found.Account != nil)
	return c.memoryKey != "" || proves || c.input.Password.Value != nil
}

func (c *call) create(ctx context.Context) (Outcome, error) {
	s := c.service
	settings, err := s.settingsAt(ctx, c.principal.Instance.ID, c.principal.Instance.SettingsVersion)
	if err != nil {
		return Outcome{}, err
	}
	if out, made, err := c.madeBefore(ctx, settings); err != nil || made {
		return out, err
	}
	for range maxTries {
		now := s.now()
		fresh := attempt{key: c.key()}
		fresh.key.ID = attemptID(c.principal.Client, RandomText(attemptTail))
		fresh.Locale = acceptedLanguage(c.principal.AcceptLanguage)
		fresh.Attempt = engine.Attempt{CreatedAt: now, AbandonAt: now.Add(time.Duration(settings.SignUpLifetimeSeconds) * time.Second)}
		if c.turnedAway, err = c.admit(ctx, &fresh, now); err != nil {
			return Outcome{}, err
		}
		if len(c.turnedAway) == 0 && !c.mayBelongToUser() {
			c.turnedAway = restricted(engine.Evaluate(settings.Requirements(), fresh.Attempt))
		}
		d, problems, err := c.decide(ctx, settings, &fresh, now)
		if err != nil {
			return Outcome{}, err
		}
		if len(problems) > 0 {
			return c.refusedAsBot(ctx, settings, problems)
		}
		c.apply(&fresh, d, settings, now)
		record, err := fresh.record(1, now)
		if err != nil {
			return Outcome{}, err
		}
		replaced, remembered, err := s.attempts.Create(ctx, fresh.key, record, c.memory(now, fresh.key.ID, nil), now, now.Add(finalRetention))
		switch {
		case errors.Is(err, ErrCompleting):
			former, err := s.settle(ctx, AttemptKey{fresh.key.Instance, fresh.key.Client, replaced})
			if err != nil {
				return Outcome{}, err
			}
			switch {
			case c.completed(former): // by this very call, whose answer was lost
				return c.again(former, settings, s.now()), nil
			case former.Attempt.Lifecycle != engine.Complete:
			case !c.principal.FromCookie:
				return Outcome{}, ErrUnauthenticated // the token is outdated now
			default:
				c.principal = c.principal.asNewClient()
				c.minted = true
			}
			continue
		case err != nil:
			return Outcome{}, storeError(err)
		case remembered != nil:
			return c.replay(ctx, *remembered)
		}
		fresh.version = 1
		return c.act(ctx, fresh, d, settings, nil)
	}
	return Outcome{Problems: []Problem{conflict()}}, nil
}

// mayBelongToUser reports whether the call begins the proof of an account or a
// wallet: it may turn out to belong to a user, who comes back by it whether or not
// others can sign up.
func (c *call) mayBelongToUser() bool {
	return slices.ContainsFunc(c.input.Start, func(s Start) bool {
		a, ok := s.Strategy.Attribute()
		return ok && engine.Proven.Has(a)
	})
}

// restricted turns away who would begin what cannot complete.
func restricted(v engine.Verdict) []Problem {
	for _, b := range v.Blockers {
		if b.Code == engine.BlockedRestricted {
			return []Problem{{Code: Code(engine.CodeRestricted), Message: restrictedSentence}}
		}
	}
	return nil
}

func conflict() Problem {
	return Problem{Code: CodeConflict, Message: "Others changed the same sign-up at the same time. Please try again."}
}

// change applies the call to an existing sign-up: load, decide, save, act.
func (c *call) change(ctx context.Context) (Outcome, error) {
	if c.principal.Secret {
		return Outcome{}, ErrClientOnly
	}
	if c.principal.Client == "" {
		return Outcome{}, ErrNeedsClient
	}
	if c.principal.Stale {
		return c.repeat(ctx)
	}
	for try := range maxTries {
		if err := pause(ctx, try); err != nil && c.found == nil {
			return Outcome{}, unavailable(err)
		}
		out, err := c.tryChange(ctx)
		for pauses := 0; errors.Is(err, errStillRedeeming) && pauses < maxRedemptionPauses; pauses++ {
			if err := wait(ctx, redemptionPause); err != nil {
				return Outcome{}, unavailable(err)
			}
			out, err = c.tryChange(ctx)
		}
		if !errors.Is(err, ErrConflict) {
			return out, storeError(err)
		}
	}
	return Outcome{Problems: []Problem{conflict()}}, nil
}

// pause waits a little, longer with each try, so that competitors come apart.
func pause(ctx context.Context, try int) error {
	if try == 0 {
		return nil
	}
	return wait(ctx, time.Duration(rand.Int64N(int64(try)*int64(4*time.Millisecond))))
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// tryChange returns ErrConflict where it has to be tried again.
func (c *call) tryChange(ctx context.Context) (Outcome, error) {
	s := c.service
	ctx, cancel := c.keeping(ctx)
	defer cancel()
	settings, err := s.settingsAt(ctx, c.principal.Instance.ID, c.principal.Instance.SettingsVersion)
	if err != nil {
		return Outcome{}, err
	}
	current, remembered, err := s.load(ctx, c.key(), c.memoryKey)
	if remembered != nil {
		return c.replay(ctx, *remembered)
	}
	if errors.Is(err, ErrNotFound) {
		return Outcome{Problems: []Problem{{Code: CodeNotFound, Message: "There is no such sign-up. Please start again."}}}, nil
	}
	if err != nil {
		return Outcome{}, err
	}
	if current.Attempt.Lifecycle == engine.Completing {
		if _, _, err := s.convert(ctx, current, nothingToRemember); err != nil {
			return Outcome{}, err
		}
		return Outcome{}, ErrConflict // settled: look again
	}
	now := s.now()
	if settings, err = s.settingsFor(ctx, current, settings); err != nil {
		return Outcome{}, err
	}
	if c.completed(current) {
		return c.again(current, settings, now), nil
	}
	if err := s.lookAtTicket(ctx, &current, now); err != nil {
		return Outcome{}, err
	}
	settled, err := c.redeem(ctx, settings, &current, now)
	if err != nil {
		return Outcome{}, err
	}
	if settled {
		out, err := s.answer(ctx, current, settings, nil)
		out.TransferToken = c.transferToken(current, out.Problems)
		return out, err
	}
	ctx, cancel = c.keeping(ctx)
	defer cancel()
	d, problems, err := c.decide(ctx, settings, &current, now)
	if err != nil {
		return Outcome{}, err
	}
	if len(problems) > 0 && !d.Changed {
		if err := c.metItself(ctx, current); err != nil {
			return Outcome{}, err
		}
		return s.answer(ctx, current, settings, problems)
	}
	if !d.Changed && !current.noted && !d.Convert && !c.changesMetadata(current) && !c.changesLocale(current) && d.Verdict.Equal(current.Verdict) && c.memoryKey == "" {
		return s.answer(ctx, current, settings, problems)
	}
	c.apply(&current, d, settings, now)
	current.version++
	record, err := current.record(current.version, now)
	if err != nil {
		return Outcome{}, err
	}
	if err := s.attempts.Save(ctx, current.key, record, c.memory(now, current.key.ID, problems), d.Convert); err != nil {
		return Outcome{}, err
	}
	out, err := c.act(ctx, current, d, settings, problems)
	out.Problems = slices.Concat(problems, out.Problems)
	out.TransferToken = c.transferToken(current, out.Problems)
	return out, err
}

// metItself returns ErrConflict if an identifier is taken and the sign-up has
// changed since it was loaded: the owner may be the user that it became.
func (c *call) metItself(ctx context.Context, loaded attempt) error {
	if c.takenSet.Empty() {
		return nil
	}
	latest, _, err := c.service.load(ctx, loaded.key, "")
	if err == nil && latest.version != loaded.version {
		c.lookedFor = false
		return ErrConflict
	}
	return err
}

// apply writes the decision into the attempt. Where it has all it needs, the
// conversion begins with the same save.
func (c *call) apply(a *attempt, d engine.Decision, settings currentSettings, now time.Time) {
	a.Attempt, a.Verdict, a.SettingsVersion, a.LastCall = d.Attempt, d.Verdict, settings.Version, c.fingerprint
	a.noted = false
	if c.found != nil || !a.redeeming() {
		a.Redemption = nil
	}
	if c.found != nil && c.found.Account != nil {
		a.Redeemed = c.redeemedAs()
	}
	if c.metadata != nil && len(d.Problems) == 0 {
		a.UnsafeMetadata = c.metadata
	}
	if c.locale != nil && len(d.Problems) == 0 {
		a.Locale = *c.locale
	}
	if !d.Convert {
		return
	}
	a.Attempt = engine.BeginCompletion(d.Attempt)
	a.Completion = &completion{
		UserID: userPrefix + RandomText(idLength), SessionID: sessionPrefix + RandomText(idLength),
		EventIDs: []string{eventPrefix + RandomText(idLength), eventPrefix + RandomText(idLength)},
		At:       now, LeaseUntil: now.Add(conversionLease), Reissue: c.carriesSecret(),
	}
}

func (c *call) changesMetadata(a attempt) bool {
	return c.metadata != nil && !bytes.Equal(c.metadata, a.UnsafeMetadata)
}

// act performs what a saved decision asks for. before are the problems that are
// known already.
func (c *call) act(ctx context.Context, a attempt, d engine.Decision, settings currentSettings, before []Problem) (Outcome, error) {
	s := c.service
	problems := c.send(ctx, &a, d.Sends, settings, before)
	if !d.Convert {
		return Outcome{SignUp: s.view(a, settings, s.now()), Problems: problems}, nil
	}
	converted, conversionProblems, err := s.convert(ctx, a, c.remembering(a.key.ID, slices.Concat(before, problems)))
	if err != nil {
		return Outcome{}, err
	}
	settings, err = s.settingsAt(ctx, a.key.Instance, converted.SettingsVersion)
	if err != nil {
		return Outcome{}, err
	}
	out := Outcome{SignUp: s.view(converted, settings, s.now()), Problems: append(problems, conversionProblems...)}
	if converted.Attempt.Lifecycle == engine.Complete {
		out.ClientToken = s.keys.ClientToken(a.key.Instance, a.key.Client, converted.Completion.Generation)
	}
	return out, nil
}

// answer shows the sign-up as it is, noting first what has come to pass.
func (s *Service) answer(ctx context.Context, a attempt, settings currentSettings, problems []Problem) (Outcome, error) {
	a, err := s.refresh(ctx, a, settings)
	if errors.Is(err, ErrConflict) {
		a, settings, err = s.read(ctx, a.key, settings.Version, false)
	}
	if err != nil {
		return Outcome{}, storeError(err)
	}
	return Outcome{SignUp: s.view(a, settings, s.now()), Problems: problems}, nil
}
