package signup

import (
	"context"
	"slices"

	"stepwise/engine"
)

// Under enumeration protection nobody is told that an address is somebody's before
// they have shown that it is theirs. Nothing is asked when an address is given, so that
// neither the answer nor its time can tell; whose it is, is looked up when a message is
// about to go there, and the owner gets another one than a newcomer would.

// concealed are the attributes that are kept so. An address that nobody verifies
// cannot be: the conversion alone would tell.
func (s Settings) concealed() engine.Set {
	var set engine.Set
	if !s.EnumerationProtection {
		return set
	}
	requirements := s.Requirements()
	for _, a := range engine.Verifiable.List() {
		if requirements.Fields[a].Verify {
			set |= engine.SetOf(a)
		}
	}
	return set
}

// exposed are the enabled addresses that enumeration protection cannot cover.
func (s Settings) exposed() engine.Set {
	if !s.EnumerationProtection {
		return 0
	}
	return s.Requirements().Enabled() & engine.Verifiable &^ s.concealed()
}

// tellable returns those of the identifiers whose owner may show at once.
func tellable(identifiers []Identifier, concealed engine.Set) []Identifier {
	return slices.DeleteFunc(identifiers, func(i Identifier) bool {
		return !(attributesOf([]Identifier{i}) & concealed).Empty()
	})
}

// concealedOf is what may not be told of the values that came with an account. An
// email address that the provider verifies, and is trusted for, is the person's own.
func concealedOf(settings Settings, account engine.Account) engine.Set {
	concealed := settings.concealed()
	if engine.AccountVerifiesEmail(settings.Requirements(), account) {
		concealed &^= engine.SetOf(engine.EmailAddress)
	}
	return concealed
}

// lookForOwners marks the challenges whose messages would go to users. It asks for
// each that is about to be sent, whoever's the address is.
func (c *call) lookForOwners(ctx context.Context, d *engine.Decision, settings Settings, instance string) error {
	for _, send := range d.Sends {
		if !settings.concealed().Has(send.Attribute) || isTestAddress(settings, send.Attribute, send.Address.Key) {
			continue
		}
		owned, err := c.service.taken(ctx, instance, []Identifier{{Kind: send.Attribute.String(), Norm: send.Address.Key}})
		if err != nil {
			return err
		}
		if v := d.Attempt.Verifications[send.Attribute]; v != nil && !owned.Empty() {
			marked := *v
			kept := detailOf(marked)
			kept.Owned = true
			marked.Detail = kept.text()
			d.Attempt.Verifications[send.Attribute] = &marked
		}
	}
	return nil
}

// ownedByUser reports whether the challenge went to a user, in whose message there was
// nothing to verify with.
func ownedByUser(v engine.Verification) bool { return detailOf(v).Owned }
