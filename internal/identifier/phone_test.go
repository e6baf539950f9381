package identifier

import (
	"slices"
	"strings"
	"testing"

	"github.com/nyaruka/phonenumbers"
	"pgregory.net/rapid"
)

func TestPhoneCanonicalForm(t *testing.T) {
	tests := []struct{ raw, region, want string }{
		{"+12024561111", "", "+12024561111"},
		{"+1 (202) 456-1111", "DE", "+12024561111"},
		{"(202) 456-1111", "US", "+12024561111"},
		{"202.456.1111", "us", "+12024561111"},
		{"1 202 456 1111", "US", "+12024561111"},
		{"+1 202 456 1111", "", "+12024561111"},
		{"＋１２０２４５６１１１１", "", "+12024561111"},
		{"\u202a+1 202‑456–1111\u202c", "", "+12024561111"}, // as copied from an address book
		{"+٤٩ ٣٠ ١٢٣٤٥٦", "", "+4930123456"},
		{"030 123456", "DE", "+4930123456"},
		{"0049 30 123456", "DE", "+4930123456"},
		{"(+49) 30 123456", "", "+4930123456"},
		{"+44 (0)7911 123456", "", "+447911123456"},
		{"06 1234 5678", "IT", "+390612345678"}, // Italy keeps its zero
		{"011 15-2345-6789", "AR", "+5491123456789"},
		{"+54 11 15 2345 6789", "", "+5491123456789"},
		// Our test range, whatever the area code.
		{"+1 202 555 0142", "", "+12025550142"},
		{"(555) 555-0100", "US", "+15555550100"},
		{"+19005550199", "", "+19005550199"},
	}
	for _, tt := range tests {
		got, err := Phone(tt.raw, tt.region)
		if err != nil || got != tt.want {
			t.Errorf("Phone(%q, %q) = %q, %v; want %q", tt.raw, tt.region, got, err, tt.want)
		}
	}
}

func TestPhoneRefusals(t *testing.T) {
	tests := []struct {
		raw, region string
		want        Code
	}{
		{"abc", "US", CodeInvalidCharacter},
		{"+", "US", CodeInvalidFormat},
		{"()", "US", CodeInvalidFormat},
		{"202 456 1111", "", CodeInvalidNumber}, // which country?
		{"202 456 1111", "XX", CodeInvalidNumber},
		{"12", "US", CodeInvalidNumber},
		{"+1 202 456 111", "", CodeInvalidNumber},
		{"+1 202 456 11111", "", CodeInvalidNumber},
		{"+999 123456789", "", CodeInvalidNumber},
		{"+1 555 555 0200", "", CodeInvalidNumber}, // just outside the test range
		{"+1 555 555 0099", "", CodeInvalidNumber},
		{"+1 911 555 0100", "", CodeInvalidNumber},
		{"+1 295 555 0100", "", CodeInvalidNumber},
		{"+1 155 555 0100", "", CodeInvalidNumber},
		{"+52 1 55 1234 5678", "", CodeInvalidNumber}, // Mexico dropped this 1; with it, one number would have two forms
		{"+1 202 456 1111 ext. 5", "", CodeInvalidCharacter},
		{"+1 202 456 1111 x5", "", CodeInvalidCharacter},
		{"+1 202 456 1111 #5", "", CodeInvalidCharacter},
		{"+1 202 456 1111,5", "", CodeInvalidCharacter},
		{"+1 202 456 1111;ext=5", "", CodeInvalidCharacter},
		{"tel:+1-202-456-1111", "", CodeInvalidCharacter},
		{"1-800-FLOWERS", "US", CodeInvalidCharacter},
		{"*67 202 456 1111", "US", CodeInvalidCharacter},
		{"++1 202 456 1111", "", CodeInvalidFormat},
		{"202+4561111", "US", CodeInvalidFormat},
		{"+1 900 234 5678", "", CodeUnsupportedNumber}, // premium rate
		{"+1 800 234 5678", "", CodeUnsupportedNumber}, // toll-free
		{"+800 1234 5678", "", CodeUnsupportedNumber},
		{strings.Repeat("1", 65), "US", CodeTooLong},
		{strings.Repeat("1", 40), "US", CodeInvalidNumber},
	}
	for _, tt := range tests {
		got, err := Phone(tt.raw, tt.region)
		if code := codeOf(t, tt.raw, err); code != tt.want {
			t.Errorf("Phone(%q, %q) = %q, code %q, want %q", tt.raw, tt.region, got, code, tt.want)
		}
	}
}

// However a country's mobile number is written, it has one form, which is its
// own form and needs no region.
func TestPhoneOneFormForEveryRegion(t *testing.T) {
	regions := phonenumbers.GetSupportedRegions()
	if len(regions) < 200 {
		t.Fatalf("only %d regions: is the metadata there?", len(regions))
	}
	for region := range regions {
		example := phonenumbers.GetExampleNumberForType(region, phonenumbers.MOBILE)
		if example == nil {
			continue // Tristan da Cunha and the like have no mobile network
		}
		want := phonenumbers.Format(example, phonenumbers.E164)
		national := phonenumbers.Format(example, phonenumbers.NATIONAL)
		if region == "AR" {
			national = "011 15-2345-6789" // the library parses this form but writes another one
		}
		for _, raw := range []string{want, phonenumbers.Format(example, phonenumbers.INTERNATIONAL), national} {
			got, err := Phone(raw, region)
			if err != nil || got != want {
				t.Errorf("%s: Phone(%q) = %q, %v; want %q", region, raw, got, err, want)
			}
		}
		if Region(want) == "" {
			t.Errorf("%s: %s has no region", region, want)
		}
	}
}

func TestRegion(t *testing.T) {
	for e164, want := range map[string]string{
		"+12024561111": "US", "+16135550142": "CA", "+15555550100": "US", "+4930123456": "DE",
		"+447911123456": "GG", "+80012345678": "001",
		"": "", "12024561111": "", "+1 202 456 1111": "", "+0123456": "", "+": "", "+12": "", "+9991234567": "",
	} {
		if got := Region(e164); got != want {
			t.Errorf("Region(%q) = %q, want %q", e164, got, want)
		}
	}
}

func checkPhoneLaws(t interface{ Errorf(string, ...any) }, raw, region string) {
	e164, err := Phone(raw, region)
	if err != nil {
		return
	}
	for _, other := range []string{"", "US", "DE", region} {
		if again, err := Phone(e164, other); err != nil || again != e164 {
			t.Errorf("%+q in %q: %q parses to %q, %v in %q", raw, region, e164, again, err, other)
		}
	}
	if !e164Form.MatchString(e164) {
		t.Errorf("%+q in %q: %q is not E.164", raw, region, e164)
	}
	if Region(e164) == "" {
		t.Errorf("%+q in %q: %q has no region", raw, region, e164)
	}
}

func TestPhoneLaws(t *testing.T) {
	regions := make([]string, 0, 250)
	for region := range phonenumbers.GetSupportedRegions() {
		regions = append(regions, region)
	}
	slices.Sort(regions)
	rapid.Check(t, func(t *rapid.T) {
		raw := rapid.StringMatching(`\+?[(]?[0-9]{1,4}[) .-]?[0-9]{2,4}[ ./-]?[0-9]{2,9}`).Draw(t, "raw")
		checkPhoneLaws(t, raw, rapid.SampledFrom(regions).Draw(t, "region"))
	})
	rapid.Check(t, func(t *rapid.T) {
		region := rapid.SampledFrom(regions).Draw(t, "region")
		example := phonenumbers.GetExampleNumber(region)
		digits := []byte(phonenumbers.Format(example, phonenumbers.E164))
		for range rapid.IntRange(0, 4).Draw(t, "changes") {
			at := rapid.IntRange(len(digits)/2, len(digits)-1).Draw(t, "at")
			digits[at] = byte(rapid.IntRange('0', '9').Draw(t, "digit"))
		}
		checkPhoneLaws(t, string(digits), region)
	})
}

func FuzzPhone(f *testing.F) {
	f.Add("+1 (202) 555-0142", "")
	f.Add("030 123456", "DE")
	f.Add("011 15-2345-6789", "AR")
	f.Add("06 1234 5678", "IT")
	f.Add("+٤٩ ٣٠", "US")
	f.Fuzz(func(t *testing.T, raw, region string) { checkPhoneLaws(t, raw, region) })
}
