package signup

import (
	"context"
	"crypto/hmac"
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"
	"unicode"

	"stepwise/engine"
)

// Proof is what is offered for a verification: one of Code, Link, Handle and
// Signature, for the attribute it is for.
type Proof struct {
	Attribute engine.Attribute
	// Code is six digits, for an email address or a phone number.
	Code string
	// Link is the token of a link in a mail.
	Link string
	// Handle is what a provider's callback brought.
	Handle string
	// Signature is a wallet's, Message the text that it signed; empty for the text
	// of the challenge.
	Message, Signature string
}

// CheckVerification offers a proof.
func (s *Service) CheckVerification(ctx context.Context, p Principal, id string, proof Proof, idempotencyKey string) (Outcome, error) {
	proof.Code = copied(proof.Code)
	c := &call{service: s, principal: p, id: id, input: Input{IdempotencyKey: idempotencyKey}, proof: &proof, name: "check", memoryKey: idempotencyKey}
	if problems := c.open(); len(problems) > 0 {
		return Outcome{Problems: problems}, p.mustBeClient() // which comes before anything about the proof
	}
	c.fingerprint = s.keys.requestFingerprint("check", id, proof.Attribute.String(), proof.Code, proof.Link,
		c.answer.Nonce, c.answer.Code, c.answer.Error, proof.Message, proof.Signature, idempotencyKey)
	return c.change(ctx)
}

// open reads the reference that a link or a handle carries. It names the sign-up,
// which a caller need not name then.
func (c *call) open() []Problem {
	var ok bool
	switch keys := c.service.keys; {
	case c.proof.Link != "":
		c.answer.reference, ok = keys.openReference(forLink, c.proof.Link)
	case c.proof.Handle != "":
		c.answer, ok = keys.openHandle(c.proof.Handle)
	default:
		return nil
	}
	a := c.proof.Attribute
	field := inputPath("proof", proofName(*c.proof))
	switch {
	case !ok || c.answer.Instance != c.principal.Instance.ID:
		return []Problem{{Code: CodeInvalidFormat, Message: "This is not what the service handed out.", Attribute: &a, Field: field}}
	case c.answer.Client != c.principal.Client:
		return []Problem{{Code: CodeOtherClient, Message: "This belongs to a sign-up that was begun in another browser or app. Continue there.", Attribute: &a, Field: field}}
	case c.id == "":
		c.id = c.answer.ID
	}
	return nil
}

// answered is what a provider's redirect said about a challenge, until the owner
// of the sign-up redeems it.
type answered struct {
	reference
	Code, Issuer, Error, User string
}

const handlePurpose = "provider's answer"

// handle seals an answer: the authorization code is nobody's business on its way
// through the app.
func (k *Keys) handle(a answered) string {
	body, err := json.Marshal([]string{k.signReference(forAuthorization, a.reference), a.Code, a.Issuer, a.Error, a.User})
	if err != nil {
		panic(err) // strings only
	}
	return base64.RawURLEncoding.EncodeToString(k.Seal(body, handlePurpose))
}

func (k *Keys) openHandle(text string) (answered, bool) {
	sealed, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return answered{}, false
	}
	body, err := k.Open(sealed, handlePurpose)
	if err != nil {
		return answered{}, false
	}
	var parts [5]string
	if json.Unmarshal(body, &parts) != nil {
		return answered{}, false
	}
	r, ok := k.openReference(forAuthorization, parts[0])
	return answered{r, parts[1], parts[2], parts[3], parts[4]}, ok
}

// copied is a code as people copy it, without what they copy along.
func copied(code string) string {
	return strings.Map(func(r rune) rune {
		if r == '-' || unicode.IsSpace(r) {
			return -1
		}
		return r
	}, code)
}

// isCode reports whether a text could be a code at all; what could not is no guess.
func isCode(text string) bool { return len(text) == 6 && strings.Trim(text, "0123456789") == "" }

// offer puts the proof into the command. Where there is nothing to compare with,
// the engine says so.
func (c *call) offer(ctx context.Context, u *understood, settings Settings, a *attempt, now time.Time) ([]Problem, error) {
	switch p := c.proof; {
	case p.Handle != "":
		u.command.Outcome = &engine.Outcome{Attribute: engine.ExternalAccount, Nonce: c.answer.Nonce, Failure: ProviderRefused}
		if c.found != nil {
			u.command.Outcome = c.found
		}
		return nil, nil
	case p.Attribute == engine.Web3Wallet:
		return nil, c.offerSignature(ctx, u, settings, a, now)
	case p.Link != "":
		u.command.Check = &engine.Check{Attribute: p.Attribute, Nonce: c.answer.Nonce, Matches: true}
		return nil, nil
	case !isCode(p.Code):
		a := p.Attribute
		return []Problem{{Code: CodeInvalidFormat, Attribute: &a, Field: inputPath("proof", proofName(*p)), Message: "A code has six digits."}}, nil
	}
	return c.offerCode(ctx, u, settings, a, now)
}

// offerCode compares the code, after the address's budget has been taken for it.
func (c *call) offerCode(ctx context.Context, u *understood, settings Settings, a *attempt, now time.Time) ([]Problem, error) {
	attribute := c.proof.Attribute
	u.command.Check = &engine.Check{Attribute: attribute}
	v := a.Attempt.Verifications[attribute]
	if a.Attempt.Lifecycle != engine.Open || v == nil {
		return nil, nil
	}
	test := isTestAddress(settings, attribute, v.Key)
	if v.Status(now) == engine.VerificationUnverified && !test {
		budget := guessBudget(a.key.Instance, attribute, v.Key)
		problem, err := c.once(ctx, []Budget{budget}, inputPath("proof", proofName(*c.proof)), attribute)
		if err != nil || problem != nil {
			u.command.Check = nil
			return problem, err
		}
	}
	code := c.service.keys.verificationCode(a.key, attribute, *v)
	if test {
		code = testCode
	}
	u.command.Check.Matches = hmac.Equal([]byte(code), []byte(c.proof.Code)) && !ownedByUser(*v)
	return nil, nil
}

// offerSignature looks at a signature where one is waited for, and whose the
// wallet is once it is proven.
func (c *call) offerSignature(ctx context.Context, u *understood, settings Settings, a *attempt, now time.Time) error {
	u.command.Check = &engine.Check{Attribute: engine.Web3Wallet}
	open := engine.Answerable(settings.Requirements(), a.Attempt, engine.Web3Wallet, "", now) == ""
	if a.Attempt.Lifecycle != engine.Open || !open || c.service.wallets == nil {
		return nil
	}
	v := *a.Attempt.Verifications[engine.Web3Wallet]
	err := c.service.wallets.Verify(walletChallenge(v), c.proof.Message, c.proof.Signature)
	if err == nil {
		u.command.Check.Matches = true
		return c.lookFor(ctx, Identifier{Kind: engine.Web3Wallet.String(), Norm: v.Key})
	}
	code, ok := proofCode(err)
	if !ok {
		return err
	}
	u.command.Check.Wrong = code
	return nil
}

// lookFor asks whether what was proven belongs to a user.
func (c *call) lookFor(ctx context.Context, proven Identifier) (err error) {
	c.provenTaken, err = c.service.taken(ctx, c.principal.Instance.ID, []Identifier{proven})
	return err
}

// proofName is what the input calls a proof.
func proofName(p Proof) string {
	switch {
	case p.Link != "":
		return "emailLink"
	case p.Attribute == engine.PhoneNumber:
		return "phoneCode"
	case p.Attribute == engine.Web3Wallet:
		return "web3Signature"
	case p.Attribute == engine.ExternalAccount:
		return "oauthHandle"
	}
	return "emailCode"
}
