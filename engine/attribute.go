package engine

import "strings"

// Attribute is one field of a sign-up. The order of the constants is the order
// in which every list is emitted.
type Attribute uint8

const (
	EmailAddress Attribute = iota
	PhoneNumber
	Username
	Web3Wallet
	ExternalAccount
	Password
	FirstName
	LastName
	LegalAccepted

	// NumAttributes is the number of attributes; arrays indexed by Attribute
	// have this length.
	NumAttributes = 9
)

var attributeNames = [NumAttributes]string{
	"EMAIL_ADDRESS", "PHONE_NUMBER", "USERNAME", "WEB3_WALLET", "EXTERNAL_ACCOUNT",
	"PASSWORD", "FIRST_NAME", "LAST_NAME", "LEGAL_ACCEPTED",
}

// settingNames are the attributes as the settings call them, the first part
// of a setting's path.
var settingNames = [NumAttributes]string{
	"emailAddress", "phoneNumber", "username", "web3Wallet", "externalAccount",
	"password", "firstName", "lastName", "legalConsent",
}

// String returns the public name, such as EMAIL_ADDRESS.
func (a Attribute) String() string { return attributeNames[a] }

// Setting returns the name of the attribute's settings, such as emailAddress.
func (a Attribute) Setting() string { return settingNames[a] }

// enabledSetting returns the path of the setting that enables the attribute. An
// external account is enabled by its providers.
func (a Attribute) enabledSetting() string {
	if a == ExternalAccount {
		return "externalAccount.providers"
	}
	return a.Setting() + ".enabled"
}

// ParseAttribute is the inverse of String.
func ParseAttribute(name string) (Attribute, bool) {
	for i, n := range attributeNames {
		if n == name {
			return Attribute(i), true
		}
	}
	return 0, false
}

// Set is a set of attributes; the zero value is empty.
type Set uint16

// All holds every attribute.
const All Set = 1<<NumAttributes - 1

var (
	// Identifiers are the attributes by which a user can be found again.
	Identifiers = SetOf(EmailAddress, PhoneNumber, Username, Web3Wallet, ExternalAccount)
	// Verifiable are the attributes that can have a value and still be unverified.
	// A wallet or an external account has no value before it is verified.
	Verifiable = SetOf(EmailAddress, PhoneNumber)
	// Proven are the attributes that exist only as the outcome of a verification.
	Proven = SetOf(Web3Wallet, ExternalAccount)
)

// SetOf returns the set of the given attributes.
func SetOf(attributes ...Attribute) Set {
	var s Set
	for _, a := range attributes {
		s |= 1 << a
	}
	return s
}

func (s Set) Has(a Attribute) bool { return s&(1<<a) != 0 }
func (s Set) Empty() bool          { return s == 0 }

// List returns the members in the one fixed order; it is never nil.
func (s Set) List() []Attribute {
	list := make([]Attribute, 0, NumAttributes)
	for a := range Attribute(NumAttributes) {
		if s.Has(a) {
			list = append(list, a)
		}
	}
	return list
}

func (s Set) String() string {
	names := make([]string, 0, NumAttributes)
	for _, a := range s.List() {
		names = append(names, a.String())
	}
	return "[" + strings.Join(names, " ") + "]"
}
