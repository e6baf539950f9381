package identifier

import "regexp"

// testPhoneForm is the range that the North American Numbering Plan sets aside
// for fiction. Area codes are NXX, without N9X (kept for expansion) and N11
// (service codes).
var testPhoneForm = regexp.MustCompile(`^\+1[2-9](?:[02-8][0-9]|1[02-9])55501[0-9]{2}$`)

// IsTestPhone reports whether a canonical number lies in the range that rings
// nowhere, +1 XXX 555 0100 to 0199.
func IsTestPhone(e164 string) bool { return testPhoneForm.MatchString(e164) }

// testEmailForm: the sub-address is what follows the last plus sign.
var testEmailForm = regexp.MustCompile(`^[^@\s]+\+test[a-z0-9_-]*@[^@\s]+$`)

// IsTestEmail reports whether a canonical address (Email.Norm) is a test
// address: its sub-address is "test", or "test" followed by ASCII letters,
// digits, underscores and hyphens only, as in jane+test@example.com and
// jane+test_2@example.com. Since real sub-addresses such as +testing match
// too, treating these addresses specially is for development only.
func IsTestEmail(norm string) bool { return testEmailForm.MatchString(norm) }
