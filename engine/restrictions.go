package engine

import "strings"

// Restrictions say whose addresses are taken; the zero value takes all.
type Restrictions struct {
	Emails, Phones AddressLists
}

// AddressLists are those of one kind of address. Where Allow has entries, only what
// is on it is taken; it wins over Block.
type AddressLists struct {
	Allow, Block Entries
}

// Entries is a list of addresses in canonical form: whole ones, and, for email
// addresses, a domain (example.com) or all below it (*.example.com), for phone numbers
// a beginning (+4420*).
type Entries map[string]bool

// Restrict sorts the entries of the lists, which are in canonical form, by the kind of
// address that each is about.
func Restrict(allow, block []string) Restrictions {
	var r Restrictions
	r.Emails.Allow, r.Phones.Allow = sorted(allow)
	r.Emails.Block, r.Phones.Block = sorted(block)
	return r
}

func sorted(list []string) (emails, phones Entries) {
	for _, entry := range list {
		to := &emails
		if strings.HasPrefix(entry, "+") && !strings.Contains(entry, "@") {
			to = &phones
		}
		if *to == nil {
			*to = Entries{}
		}
		(*to)[entry] = true
	}
	return emails, phones
}

// Admits reports whether a value of the attribute is taken; key is its canonical form.
// Attributes that are no addresses are not restricted.
func (r Restrictions) Admits(a Attribute, key string) bool {
	switch a {
	case EmailAddress:
		return r.Emails.admit(Entries.coverEmail, key)
	case PhoneNumber:
		return r.Phones.admit(Entries.coverPhone, key)
	}
	return true
}

func (l AddressLists) admit(cover func(Entries, string) bool, key string) bool {
	if cover(l.Allow, key) {
		return true
	}
	return len(l.Allow) == 0 && !cover(l.Block, key)
}

func (e Entries) coverEmail(key string) bool {
	if len(e) == 0 {
		return false
	}
	_, domain, _ := strings.Cut(key, "@") // a canonical local part has none
	if e[key] || e[domain] {
		return true
	}
	for {
		_, parent, below := strings.Cut(domain, ".")
		if !below {
			return false
		}
		if e["*."+parent] {
			return true
		}
		domain = parent
	}
}

func (e Entries) coverPhone(key string) bool {
	if len(e) == 0 {
		return false
	}
	if e[key] {
		return true
	}
	for end := range len(key) + 1 {
		if e[key[:end]+"*"] {
			return true
		}
	}
	return false
}

// admits reports whether the address may be the attempt's. Whoever was invited at it
// need not be on a list.
func (s Settings) admits(a Attempt, attribute Attribute, key string) bool {
	return s.Restrictions.Admits(attribute, key) || TicketVouches(a, attribute, key)
}

// unadmitted returns the addresses in force that are not to be taken.
func (c collected) unadmitted(s Settings, a Attempt) Set {
	var set Set
	for _, attribute := range (c.present & Verifiable).List() {
		if !s.admits(a, attribute, c.values[attribute].Key) {
			set |= SetOf(attribute)
		}
	}
	return set
}
