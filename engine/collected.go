package engine

// collected is what an attempt amounts to under some settings: which values
// are in force, and which of them are proven.
type collected struct {
	values [NumAttributes]Value
	// present are the attributes that have a value in force.
	present Set
	// proved are the addresses among them whose control is proven.
	proved Set
	// waysBack are the attributes among them with which a user could sign in
	// again without a password.
	waysBack        Set
	account, wallet bool
	ticket          bool
	progressive     bool
}

// alone reports whether the legacy algorithm lets the account or the wallet
// complete by itself.
func (c collected) alone() bool { return !c.progressive && (c.account || c.wallet) }

func (c collected) path() Path {
	switch {
	case c.account:
		return PathOAuth
	case c.wallet:
		return PathWallet
	case c.ticket:
		return PathTicket
	}
	return PathForm
}

// Values returns the values in force under the settings and which of them are
// proven addresses: what a user would be made of, or was.
func Values(s Settings, a Attempt) (values [NumAttributes]Value, proved Set) {
	c := collect(s, a)
	if a.Lifecycle == Complete {
		return a.Values, c.proved
	}
	return c.values, c.proved
}

func collect(s Settings, a Attempt) collected {
	enabled := s.Enabled()
	c := collected{progressive: s.Progressive, ticket: a.Ticket != nil}
	c.account = accountCounts(s, a)
	c.wallet = enabled.Has(Web3Wallet) && !a.Taken.Has(Web3Wallet) && a.Values[Web3Wallet].Presence == Given

	for _, attribute := range (enabled &^ a.Taken).List() {
		value := c.inForce(s, a, attribute)
		if value.Presence != Given {
			continue
		}
		c.values[attribute] = value
		c.present |= SetOf(attribute)
		if Verifiable.Has(attribute) && proven(s, a, attribute, value.Key) {
			c.proved |= SetOf(attribute)
		}
	}
	c.waysBack = c.present & (Proven | s.mustVerify() | c.proved)
	return c
}

// accountCounts: an account fills, waives and satisfies only while its provider
// is enabled and the one it was, and, under the legacy algorithm, only with an
// email address that the provider has verified.
func accountCounts(s Settings, a Attempt) bool {
	if a.Account == nil || a.Taken.Has(ExternalAccount) {
		return false
	}
	_, enabled := s.vouching(*a.Account)
	return enabled && (s.Progressive || AccountVerifiesEmail(s, *a.Account))
}

// AccountVerifiesEmail reports whether the address the provider sent counts as
// verified: the provider is trusted for it, and claims it literally.
func AccountVerifiesEmail(s Settings, account Account) bool {
	p, ok := s.vouching(account)
	return ok && p.TrustEmail && account.EmailVerified && account.Sent[EmailAddress].Presence != Unset
}

// inForce returns the value that counts: the person's, else the ticket's, else
// the provider's, unless the person cleared the field.
func (c collected) inForce(s Settings, a Attempt, attribute Attribute) Value {
	switch attribute {
	case ExternalAccount:
		if !c.account {
			return Value{}
		}
		return Value{Given, a.Account.Provider, a.Account.Key()}
	case LegalAccepted:
		if a.Consent == nil || a.Consent.Version != s.LegalVersion {
			return Value{}
		}
		return Value{Given, a.Consent.Version, a.Consent.Version}
	}
	for _, value := range sources(a, attribute, c.account) {
		// Under legacy, what was typed and never verified does not hold up an
		// account or a wallet that completes alone: it is dropped.
		dropped := c.alone() && s.mustVerify().Has(attribute) && !proven(s, a, attribute, value.Key)
		if value.Presence == Given && !dropped {
			return value
		}
	}
	return Value{}
}

// sources are the candidates for a value in the order of their precedence; one
// that is not there is not Given.
func sources(a Attempt, attribute Attribute, account bool) (list [3]Value) {
	list[0] = a.Values[attribute]
	if list[0].Presence == Cleared || attribute == Password || Proven.Has(attribute) {
		return list
	}
	if a.Ticket != nil && a.Ticket.State == TicketValid {
		list[1] = a.Ticket.Sent[attribute]
	}
	if account {
		list[2] = a.Account.Sent[attribute]
	}
	return list
}

// proven reports whether control over the address is proven: by a code, by the
// ticket that was sent to it, or by a provider trusted for it.
func proven(s Settings, a Attempt, attribute Attribute, key string) bool {
	if v := a.Verifications[attribute]; v != nil && v.Verified && v.Key == key {
		return true
	}
	if TicketVouches(a, attribute, key) {
		return true
	}
	return attribute == EmailAddress && accountCounts(s, a) &&
		AccountVerifiesEmail(s, *a.Account) && a.Account.Sent[EmailAddress].Key == key
}

// TicketVouches reports whether a valid ticket brought the value; if that is an address, it
// was sent there.
func TicketVouches(a Attempt, attribute Attribute, key string) bool {
	t := a.Ticket
	return t != nil && t.State == TicketValid && t.Sent[attribute].Presence == Given && t.Sent[attribute].Key == key
}

// VerificationOf returns the verification of an attribute as it stands: its own,
// or, for an address that arrived verified, one that says how it arrived. That of
// an address concerns the value in force, or is none.
func VerificationOf(s Settings, a Attempt, attribute Attribute) *Verification {
	own := a.Verifications[attribute]
	if a.Lifecycle == Complete || !Verifiable.Has(attribute) {
		return own
	}
	c := collect(s, a)
	value, proved := c.values[attribute], c.proved.Has(attribute)
	switch {
	case value.Presence != Given:
		return nil
	case own != nil && own.Key == value.Key && (own.Verified || !proved):
		return own
	case !proved:
		return nil
	}
	arrived := Verification{Strategy: FromOAuth, Key: value.Key, Verified: true}
	if TicketVouches(a, attribute, value.Key) {
		arrived.Strategy = FromTicket
	}
	return &arrived
}
