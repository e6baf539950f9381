package signup

import (
	"strings"
	"testing"
)

func TestLocalesHaveAForm(t *testing.T) {
	for text, want := range map[string]string{
		"en": "en", "ES": "es", "es-mx": "es-MX", "es-419": "es-419", "zh-hant-TW": "zh-Hant-TW", "ZH-HANT-tw": "zh-Hant-TW",
		"sl-rozaj-biske": "sl-rozaj-biske", "en-u-CA-Buddhist": "en-u-ca-buddhist", "de-x-GOTH": "de-x-goth", "tlh": "tlh",
		"aaaaaaaa-bbbbbbbb-cccccccc-dddddddd": "aaaaaaaa-bbbbbbbb-cccccccc-dddddddd", // 35 characters
	} {
		if got, ok := parseLocale(text); !ok || got != want {
			t.Errorf("%q is read as %q, %v; want %q", text, got, ok, want)
		}
	}
	for _, text := range []string{
		"", "e", "-", "en-", "-en", "en--US", "en_US", "en US", "e1", "i-klingon", "x-private", "*", "en-*", "en;q=1", "ñ", "en\n", "en\x00",
		"englishes", "en-abcdefghi", "aaaaaaaa-bbbbbbbb-cccccccc-dddddddd-e", "https://evil.example", strings.Repeat("a", 1<<20),
	} {
		if got, ok := parseLocale(text); ok {
			t.Errorf("%.40q is read as %q", text, got)
		}
	}
}

func TestLanguageForALocale(t *testing.T) {
	for _, test := range []struct{ locale, defaultLocale, want string }{
		{"en", "es", "en"}, {"es", "en", "es"}, {"es-MX", "en", "es"}, {"ES-419", "en", "es"}, {"es-Latn-MX-x-a", "en", "es"},
		{"es-x-en", "en", "es"}, {"en-u-ca-buddhist", "es", "en"},
		{"", "en", "en"}, {"", "es", "es"}, {"de", "es", "es"}, {"de-AT", "en", "en"}, {"esp", "en", "en"}, {"e", "en", "en"},
		{"", "", "en"}, {"de", "fr", "en"}, // stored by another version
	} {
		if got := (Settings{DefaultLocale: test.defaultLocale}).languageFor(test.locale); got != test.want {
			t.Errorf("%q where the default is %q: %q, want %q", test.locale, test.defaultLocale, got, test.want)
		}
	}
}

func TestAcceptLanguage(t *testing.T) {
	for header, want := range map[string]string{
		"": "", "*": "", "es": "es", "es-ES,es;q=0.9,en;q=0.8": "es", "en;q=0.5, es;q=0.7": "es", "de-DE,de;q=0.9,en;q=0.8": "en", "de": "",
		"es;q=0": "", "es;q=0, en;q=0.1": "en", "nonsense, es": "es", "es;q=NaN, en;q=0.1": "en", "es;q=1e9": "", "es;q=-1": "", "en ; Q=0.2 ,ES": "es", "es, en": "es", "es;q=0.5, en;q=0.5": "es", "es;q=nonsense": "", "\x00": "", ",,,": "", "fr, *;q=0.5": "",
		"es," + strings.Repeat("de,", 400): "", // longer than is read
	} {
		if got := acceptedLanguage(header); got != want {
			t.Errorf("%.40q: %q, want %q", header, got, want)
		}
	}
}
