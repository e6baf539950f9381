package signup

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"stepwise/engine"
	"stepwise/internal/identifier"
)

// Bounds of lists in the settings.
const (
	maxEntries    = 1000
	maxEntryBytes = 254
	maxCountries  = 300
)

const entryForm = "Must be an address such as jane@example.com, a domain such as example.com, a domain's subdomains such as *.example.com, or phone numbers, whole or by their beginning such as +4420*; at most 254 bytes."

var beginningForm = regexp.MustCompile(`^\+[1-9][0-9]{0,14}\*$`)

// canonicalEntry returns an entry of a list in the form in which addresses are
// compared, so that nobody gets past it by another spelling.
func canonicalEntry(raw string) (entry string, ok bool) {
	if len(raw) > maxEntryBytes {
		return "", false
	}
	text := strings.TrimSpace(raw)
	domain, below := strings.CutPrefix(text, "*.")
	var err error
	switch {
	case strings.Contains(text, "@"):
		if strings.HasPrefix(text, "*") { // which a mailbox may begin with, and is never meant
			return "", false
		}
		var email identifier.Email
		email, err = identifier.ParseEmail(text)
		entry = email.Norm
	case beginningForm.MatchString(text):
		entry = text
	case strings.HasPrefix(text, "+"):
		entry, err = identifier.Phone(text, "")
	case below:
		entry, err = identifier.Domain(domain)
		entry = "*." + entry
	default: // of addresses, which no top-level domain has
		entry, err = identifier.Domain(text)
		if !strings.Contains(entry, ".") {
			return "", false
		}
	}
	return entry, err == nil && len(entry) <= maxEntryBytes
}

// canonicalList replaces what can be read by its canonical form; the rest is left for
// the check to name.
func canonicalList(list []string, canonical func(string) (string, bool)) []string {
	if len(list) > maxEntries { // which is refused
		return list
	}
	list = slices.Clone(list)
	for i, raw := range list {
		if text, ok := canonical(raw); ok {
			list[i] = text
		}
	}
	return list
}

func (r RestrictionSettings) canonical() RestrictionSettings {
	r.Allowlist = canonicalList(r.Allowlist, canonicalEntry)
	r.Blocklist = canonicalList(r.Blocklist, canonicalEntry)
	return r.prepared()
}

// prepared looks up entries once, for many evaluations.
func (r RestrictionSettings) prepared() RestrictionSettings {
	r.lookup = engine.Restrict(r.Allowlist, r.Blocklist)
	return r
}

// UnmarshalJSON reads what was stored, ready for evaluations.
func (r *RestrictionSettings) UnmarshalJSON(data []byte) error {
	type plain RestrictionSettings
	read := plain(*r)
	if err := json.Unmarshal(data, &read); err != nil {
		return err
	}
	*r = RestrictionSettings(read).prepared()
	return nil
}

// canonicalUsername is how a reserved name is compared.
func canonicalUsername(raw string) (string, bool) {
	name, err := identifier.ParseUsername(raw, 1, 64)
	return name.Norm, err == nil
}

// checkLists reports what is wrong with the settings' lists of addresses, names and
// countries.
func (s Settings) checkLists(refuse func(code Code, path, message string)) {
	check := func(path, things string, list []string, most int, form string, valid func(string) bool) {
		if len(list) > most {
			refuse(CodeOutOfRange, path, fmt.Sprintf("Must be at most %d %s.", most, things))
		} else {
			refuseEach(list, valid, func(at string) { refuse(CodeInvalidFormat, path+at, form) })
		}
	}
	entry := func(text string) bool { _, ok := canonicalEntry(text); return ok }
	check("restrictions.allowlist", "entries", s.Restrictions.Allowlist, maxEntries, entryForm, entry)
	check("restrictions.blocklist", "entries", s.Restrictions.Blocklist, maxEntries, entryForm, entry)
	check("username.reserved", "names", s.Username.Reserved, maxEntries, "Must be a user name of 1 to 64 characters, such as admin.",
		func(text string) bool { _, ok := canonicalUsername(text); return ok })
	check("phoneNumber.countries", "countries", s.PhoneNumber.Countries, maxCountries, "Must be the code of a country, two letters such as US.", identifier.IsRegion)
}

// mostRefused bounds how much is said about one list.
const mostRefused = 10

// refuseEach refuses what is not valid in a list by its place, such as ".3", so that
// nobody has to look for it.
func refuseEach[T any](list []T, valid func(T) bool, refuse func(at string)) {
	found := 0
	for i, element := range list {
		if found < mostRefused && !valid(element) {
			refuse("." + strconv.Itoa(i))
			found++
		}
	}
}

// takes reports whether the canonical number is of a country whose numbers are taken.
func (n PhoneSettings) takes(number string) bool {
	return len(n.Countries) == 0 || slices.Contains(n.Countries, identifier.Region(number))
}

const countrySentence = "Phone numbers of this country cannot be used here."

// judge takes back what the person gives and the rules of input refuse. What the
// person was invited with stands: those are the operator's own words.
func (u *understood) judge(settings Settings, a engine.Attempt) []Problem {
	var problems []Problem
	refuse := func(attribute engine.Attribute, code Code, message string) {
		problems = append(problems, fieldProblem(attribute, code, message))
		u.command.Changes[attribute] = engine.Change{}
	}
	given := func(attribute engine.Attribute) (key string, ok bool) {
		c := u.command.Changes[attribute]
		return c.Key, c.Kind == engine.Give && c.Key != "" && !engine.TicketVouches(a, attribute, c.Key)
	}
	if key, ok := given(engine.EmailAddress); ok && !settings.EmailAddress.AllowSubaddresses &&
		identifier.HasSubaddress(key) && !isTestAddress(settings, engine.EmailAddress, key) {
		refuse(engine.EmailAddress, CodeSubaddress, "Give the address without the plus sign and what follows it.")
	}
	if key, ok := given(engine.PhoneNumber); ok && !settings.PhoneNumber.takes(key) {
		refuse(engine.PhoneNumber, CodeCountry, countrySentence)
	}
	if key, ok := given(engine.Username); ok && slices.Contains(settings.Username.Reserved, key) {
		refuse(engine.Username, CodeReserved, "This user name cannot be chosen. Try another one.")
	}
	return problems
}

// abroad refuses to start what would send a text message to a country that is not
// among the settings': the number was stored before they changed, or a provider sent it.
func abroad(sends []engine.Send, settings Settings, startPath func(int) []string) []Problem {
	var problems []Problem
	for _, send := range sends {
		if a := send.Attribute; a == engine.PhoneNumber && !settings.PhoneNumber.takes(send.Address.Key) {
			problems = append(problems, Problem{Code: CodeCountry, Message: countrySentence, Attribute: &a, Field: startPath(send.Index)})
		}
	}
	return problems
}

// startsAbroad reports whether abroad would refuse to verify the number in force.
func (n PhoneSettings) startsAbroad(number engine.Value) bool {
	return number.Presence == engine.Given && !n.takes(number.Key)
}

// withoutStart removes what would be refused from what a client is offered.
func withoutStart(list []engine.Requirement, a engine.Attribute) {
	list[a].Actions = slices.DeleteFunc(list[a].Actions, func(action engine.Action) bool { return action.Kind == engine.ActionStart })
}
