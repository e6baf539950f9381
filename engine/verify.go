package engine

import (
	"cmp"
	"slices"
	"time"
)

// start begins a verification. Starting again before the challenge may be sent
// anew changes nothing and succeeds.
func (d *deciding) start(index int, s Start) {
	a, ok := s.Strategy.Attribute()
	if !ok {
		d.problems = append(d.problems, Problem{Code: CodeStrategyInvalid, Where: WhereStart, Index: index})
		return
	}
	if Proven.Has(a) {
		d.startElsewhere(index, a, s)
		return
	}
	value := d.address(a)
	current := d.attempt.Verifications[a]
	switch {
	case !d.settings.Enabled().Has(a):
		d.refuse(CodeFieldDisabled, WhereStart, a, index)
	case !slices.Contains(d.settings.Strategies(a), s.Strategy):
		d.refuse(CodeStrategyInvalid, WhereStart, a, index)
	case value.Presence != Given:
		d.refuse(CodeValueMissing, WhereStart, a, index)
	case !d.settings.admits(d.attempt, a, value.Key):
		d.refuse(CodeNotAllowed, WhereStart, a, index)
	case proven(d.settings, d.attempt, a, value.Key):
		d.refuse(CodeAlreadyVerified, WhereStart, a, index)
	case !d.facts.Can.deliver(a):
		d.refuse(CodeCannotDeliver, WhereStart, a, index)
	case shutOut(d.settings, d.attempt): // no mail for what cannot complete
		d.refuse(CodeRestricted, WhereStart, a, index)
	case current != nil && d.facts.Now.Before(current.ResendAt):
	default:
		d.challenge(index, a, value, s)
	}
}

func (d *deciding) challenge(index int, a Attribute, value Value, s Start) {
	v := d.issue(a, s, value.Key)
	d.sends = append(d.sends, Send{a, s.Strategy, value, s.Nonce, v.Generation, v.ExpireAt, index})
}

// issue puts a new challenge in the place of the one in force, which is void.
func (d *deciding) issue(a Attribute, s Start, key string) Verification {
	var generation uint32
	if current := d.attempt.Verifications[a]; current != nil {
		generation = current.Generation + 1
	}
	v := Verification{
		Strategy: s.Strategy, Key: key, Provider: s.Provider, Detail: s.Detail, Nonce: s.Nonce, Generation: generation,
		SentAt: d.facts.Now, ResendAt: d.facts.Now.Add(d.settings.resendInterval()), ExpireAt: d.facts.Now.Add(d.settings.codeLifetime()),
	}
	d.changed = true
	d.attempt.Verifications[a] = &v
	return v
}

// startElsewhere begins the proof of a wallet or an account. What was proven
// before stays in force until another proof takes its place. Asking for the same
// again within the interval keeps the challenge, so that one asked for twice by
// mistake is not void.
func (d *deciding) startElsewhere(index int, a Attribute, s Start) {
	current := d.attempt.Verifications[a]
	switch {
	case !d.settings.Enabled().Has(a):
		d.refuse(CodeFieldDisabled, WhereStart, a, index)
	case !d.facts.Can.prove(a):
		d.refuse(CodeStrategyInvalid, WhereStart, a, index)
	case a == ExternalAccount && !d.providerEnabled(s.Provider):
		d.refuse(CodeProviderDisabled, WhereStart, a, index)
	case a == Web3Wallet && s.Wallet == "":
		d.refuse(CodeValueMissing, WhereStart, a, index)
	case current != nil && current.Status(d.facts.Now) == VerificationUnverified && d.facts.Now.Before(current.ResendAt) &&
		current.Provider == s.Provider && current.Key == s.Wallet && current.Detail == s.Detail:
	default:
		d.issue(a, s, s.Wallet)
	}
}

func (c Capabilities) deliver(a Attribute) bool {
	return a == EmailAddress && c.SendEmail || a == PhoneNumber && c.SendSMS
}

// Answerable returns why a proof for the attribute is not looked at, or the
// empty code if it is. nonce is that of the challenge the proof names, empty
// where it names none.
func Answerable(s Settings, a Attempt, attribute Attribute, nonce string, now time.Time) Code {
	d := deciding{settings: s, attempt: a}
	v := a.Verifications[attribute]
	switch {
	case !s.Enabled().Has(attribute):
		return CodeFieldDisabled
	case v == nil || Verifiable.Has(attribute) && v.Key != d.address(attribute).Key || nonce != "" && nonce != v.Nonce:
		return CodeNotStarted
	case v.Verified || v.Transferable:
		return CodeAlreadyVerified
	case v.Guesses >= MaxGuesses:
		return CodeTooManyGuesses
	case v.Failure != "":
		return CodeNotStarted
	case v.Status(now) == VerificationExpired:
		return CodeExpired
	}
	return ""
}

// check compares a proof. The right code of an address already verified succeeds
// again and changes nothing; a signature is good for once.
func (d *deciding) check(c Check) {
	code := Answerable(d.settings, d.attempt, c.Attribute, c.Nonce, d.facts.Now)
	switch {
	case c.Attribute == ExternalAccount: // proven by an outcome alone
		d.refuse(CodeNotStarted, WhereCheck, c.Attribute, 0)
	case code == CodeAlreadyVerified && c.Matches && Verifiable.Has(c.Attribute):
	case code != "":
		d.refuse(code, WhereCheck, c.Attribute, 0)
	default:
		d.compare(c, *d.attempt.Verifications[c.Attribute])
	}
}

func (d *deciding) compare(c Check, v Verification) {
	d.changed = true
	switch {
	case !c.Matches:
		v.Guesses++
		d.refuse(cmp.Or(c.Wrong, CodeIncorrect), WhereCheck, c.Attribute, 0)
	case c.Attribute == Web3Wallet:
		d.outcome(Outcome{Attribute: Web3Wallet, Wallet: v.Key, Nonce: v.Nonce})
		return
	default:
		v.Verified = true
	}
	d.attempt.Verifications[c.Attribute] = &v
}

// outcome records what a prover found. What was proven but belongs to a user
// counts for nothing here; it is transferable.
func (d *deciding) outcome(o Outcome) {
	if o.Nonce != "" {
		if code := Answerable(d.settings, d.attempt, o.Attribute, o.Nonce, d.facts.Now); code != "" {
			d.refuse(code, WhereCheck, o.Attribute, 0)
			return
		}
	}
	v := Verification{Strategy: Web3Signature, Key: o.Wallet, Nonce: o.Nonce}
	if o.Attribute == ExternalAccount {
		v.Strategy, v.Key = OAuth, ""
		if o.Account != nil {
			v.Key = o.Account.Key()
		}
	}
	if current := d.attempt.Verifications[o.Attribute]; current != nil {
		v.Provider, v.Detail, v.Generation, v.SentAt = current.Provider, current.Detail, current.Generation, current.SentAt
	}
	v.ExpireAt = d.facts.Now.Add(d.settings.codeLifetime())
	switch {
	case o.Failure != "":
		v.Failure = o.Failure
	case !d.settings.Enabled().Has(o.Attribute) || o.Account != nil && !d.vouched(*o.Account):
		v.Failure = CodeFieldDisabled
	case d.facts.Taken.Has(o.Attribute):
		v.Transferable, v.Failure = true, CodeTransferable
	case o.Account != nil && !d.admitted(*o.Account): // nor does anything of it stay
		v.Key, v.Failure = "", CodeNotAllowed
	case o.Account != nil && !d.settings.Progressive && !AccountVerifiesEmail(d.settings, *o.Account):
		v.Key, v.Failure, v.Refused = "", CodeEmailNotVerified, o.Account.withoutIdentity()
	default:
		v.Verified = true
		d.accept(o)
	}
	d.changed = true
	d.attempt.Verifications[o.Attribute] = &v
}

func (d *deciding) providerEnabled(name string) bool {
	_, ok := d.settings.provider(name)
	return ok
}

func (d *deciding) vouched(account Account) bool {
	_, ok := d.settings.vouching(account)
	return ok
}

// admitted reports whether the address that the account sends, if any, may be taken:
// without looking, whoever has an account would come in by it without the address.
func (d *deciding) admitted(account Account) bool {
	sent := account.Sent[EmailAddress]
	return sent.Presence != Given || d.settings.admits(d.attempt, EmailAddress, sent.Key)
}

func (d *deciding) accept(o Outcome) {
	d.attempt.Taken &^= SetOf(o.Attribute)
	if o.Account != nil {
		account := *o.Account
		d.attempt.Account = &account
		d.noteTaken(d.facts.SentTaken)
		return
	}
	d.attempt.Values[Web3Wallet] = Value{Given, o.Wallet, o.Wallet}
}

// noteTaken marks what the account sends and a user has already, where it is the
// account's value that would count. One that is free takes the place of a value
// that was taken.
func (d *deciding) noteTaken(sent Set) {
	for _, a := range All.List() {
		values := sources(d.attempt, a, true)
		switch {
		case values[0].Presence != Unset || values[1].Presence == Given || values[2].Presence != Given:
		case sent.Has(a):
			d.attempt.Taken |= SetOf(a)
		default:
			d.attempt.Taken &^= SetOf(a)
		}
	}
	d.attempt.Account = withoutTaken(d.attempt.Account, sent)
}

// withoutIdentity returns what remains of an account that is refused: whose it was is
// forgotten, and of what it sent all but the keys of addresses, which a typed one may
// agree with.
func (a Account) withoutIdentity() *Account {
	left := Account{Provider: a.Provider, Asked: a.Asked, EmailVerified: a.EmailVerified}
	for i, v := range a.Sent {
		left.Sent[i].Presence = v.Presence
		if Verifiable.Has(Attribute(i)) {
			left.Sent[i].Key = v.Key
		}
	}
	return &left
}

// withoutTaken returns the account without the values that belong to users.
func withoutTaken(account *Account, taken Set) *Account {
	if account == nil {
		return nil
	}
	left := *account
	for _, a := range taken.List() {
		if left.Sent[a].Presence == Given {
			left.Sent[a].Presence = Cleared
		}
	}
	return &left
}
