package identifier

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/nyaruka/phonenumbers"
)

// hidden stands for characters that are not shown. Its length is fixed, so
// that it does not tell how many there are.
const hidden = "•••"

// MaskEmail shows enough of a canonical address for its owner to recognize it:
// a•••@example.com. Anything that is not an address is hidden entirely.
func MaskEmail(address string) string {
	local, domain, ok := strings.Cut(address, "@")
	if !ok || local == "" {
		return hidden
	}
	_, size := utf8.DecodeRuneInString(local)
	return local[:size] + hidden + "@" + domain
}

// MaskPhone shows the country code and the last four digits of a canonical
// number, +1 ••• ••• 0142, or the last two where the number is so short
// that four would give it away. Anything else is hidden entirely.
func MaskPhone(e164 string) string {
	number, ok := parseE164(e164)
	if !ok {
		return hidden
	}
	country := "+" + strconv.Itoa(int(number.GetCountryCode()))
	national := phonenumbers.GetNationalSignificantNumber(number)
	shown := 4
	if len(national) < 8 {
		shown = 2
	}
	return country + " " + hidden + " " + hidden + " " + national[len(national)-shown:]
}
