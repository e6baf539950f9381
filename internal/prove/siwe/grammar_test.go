package siwe

import (
	"testing"
	"time"
)

func TestURI(t *testing.T) {
	for _, s := range []string{
		// The examples of RFC 3986, section 1.1.2.
		"ftp://ftp.is.co.za/rfc/rfc1808.txt", "http://www.ietf.org/rfc/rfc2396.txt", "ldap://[2001:db8::7]/c=GB?objectClass?one",
		"mailto:John.Doe@example.com", "news:comp.infosystems.www.servers.unix", "tel:+1-816-555-1212",
		"telnet://192.0.2.16:80/", "urn:oasis:names:specification:docbook:dtd:xml:4.1.2",

		"https://example.com", "https://example.com/", "https://example.com//a", "https://example.com?q", "https://example.com#f",
		"https://example.com/a%20b;c=d,e@f:g!$&'()*+?a/b?c=d#e/f?g", "a:", "a:/", "a:b", "a:/b//c", "a:?#", "a:///b", "A+1-.:b",
		"a://", "a://:", "a://@", "a://u:p@h:1", "a://[v1.x:y]", "a://[::1]", "a://[::ffff:192.0.2.1]:8/", "a:b:c",
		"did:key:z6Mkf5rGMoatrSj1f4CyvuHBeXJELe9RPdzo2PKGNCKVtZxP", "https://xn--bcher-kva.example:65536/", "a:%00",
	} {
		if !isURI(s) {
			t.Errorf("%q: refused", s)
		}
	}
	for _, s := range []string{
		"", "a", ":", ":b", "1a:b", "+a:b", "//example.com", "/a", "a/b:c", "é:b", "a b:c", "a_b:c",
		"https://example.com/a b", "https://example.com/é", "https://example.com/%", "https://example.com/%4", "https://example.com/%4g",
		"https://example.com/<", "https://example.com/\"", "https://example.com/\\", "https://example.com/^", "https://example.com/`",
		"https://example.com/{", "https://example.com/|", "https://example.com/[", "https://example.com?[", "https://example.com#a#b", "a:#[",
		"https://a@b@c", "https://example.com:8a", "https://example.com:80:80", "https://[::1", "https://::1]", "https://[]", "https://[1::2::3]",
		"https://[12345::]", "https://[::1.2.3]", "https://[::01.2.3.4]", "https://[1.2.3.4]", "https://[::1%25a]", "https://[::1]a",
		"https://[v.x]", "https://[vg.x]", "https://[v1.]", "https://[1:2:3:4:5:6:7:8:9]",
		"a:b\n", "a:b\r", "\na:b", "a:b\x00", "a:\x7f", "a:\xff",
	} {
		if isURI(s) {
			t.Errorf("%q: accepted", s)
		}
	}
}

func TestAuthority(t *testing.T) {
	for _, s := range []string{
		"example.com", "example.com:443", "example.com:", "EXAMPLE.com", "localhost", "a", "1.2.3.4:5", "999.1.1.1", "[::]", "[::]:1",
		"u@h", "u:p:q@h:1", "@h", ":1", "%41", "a_b~!$&'()*+,;=", "a..b", "[v1f.a:b]:1",
	} {
		if !isAuthority(s) {
			t.Errorf("%q: refused", s)
		}
	}
	for _, s := range []string{
		"", " ", "a b", "a/b", "a?b", "a#b", "a:b", "a:1:2", "a@b@c", "[::", "::1", "[a]", "[g::]", "[::1]1", "a[::1]", "a%4", "ä.example", "a\n", "a\\b", "a<b",
	} {
		if isAuthority(s) {
			t.Errorf("%q: accepted", s)
		}
	}
}

func TestDateTime(t *testing.T) {
	at := func(nanoseconds int, more ...int) time.Time {
		return time.Date(more[0], time.Month(more[1]), more[2], more[3], more[4], more[5], nanoseconds, time.UTC)
	}
	for text, want := range map[string]time.Time{
		// The examples of RFC 3339, section 5.8.
		"1985-04-12T23:20:50.52Z":      at(52e7, 1985, 4, 12, 23, 20, 50),
		"1996-12-19T16:39:57-08:00":    at(0, 1996, 12, 20, 0, 39, 57),
		"1990-12-31T23:59:60Z":         at(0, 1991, 1, 1, 0, 0, 0),
		"1990-12-31T15:59:60-08:00":    at(0, 1991, 1, 1, 0, 0, 0),
		"1937-01-01T12:00:27.87+00:20": at(87e7, 1937, 1, 1, 11, 40, 27),

		"2031-02-03t04:05:06z":                at(0, 2031, 2, 3, 4, 5, 6),
		"2031-02-03T04:05:06-00:00":           at(0, 2031, 2, 3, 4, 5, 6),
		"2031-02-03T00:00:00+23:59":           at(0, 2031, 2, 2, 0, 1, 0),
		"2031-02-03T04:05:06.1234567891Z":     at(123456789, 2031, 2, 3, 4, 5, 6),
		"2031-02-03T04:05:06.00000000000009Z": at(0, 2031, 2, 3, 4, 5, 6),
		"2015-06-30T23:59:60.25Z":             at(25e7, 2015, 7, 1, 0, 0, 0),
		"2028-02-29T00:00:00Z":                at(0, 2028, 2, 29, 0, 0, 0),
		"0000-01-01T00:00:00Z":                at(0, 0, 1, 1, 0, 0, 0),
		"9999-12-31T23:59:59.999Z":            at(999e6, 9999, 12, 31, 23, 59, 59),
	} {
		if got, ok := parseDateTime(text); !ok || !got.Equal(want) {
			t.Errorf("%s: got %v, %v; want %v", text, got, ok, want)
		}
	}
	for _, text := range []string{
		"", "now", "1", "2031-02-03", "04:05:06Z", "2031-02-03T04:05:06", "2031-02-03 04:05:06Z", "2031-02-03T04:05Z",
		"2031-02-03T04:05:06.Z", "2031-02-03T04:05:06,5Z", "2031-2-3T04:05:06Z", "2031-02-03T4:05:06Z", "31-02-03T04:05:06Z", "12031-02-03T04:05:06Z",
		"+2031-02-03T04:05:06Z", "2031-00-03T04:05:06Z", "2031-13-03T04:05:06Z", "2031-02-00T04:05:06Z", "2031-02-29T04:05:06Z", "2031-04-31T04:05:06Z",
		"2031-02-03T24:00:00Z", "2031-02-03T04:60:00Z", "2031-02-03T04:05:61Z", "2031-02-03T04:05:60Z", "2031-02-28T23:58:60Z", "2031-02-27T23:59:60Z",
		"1990-12-31T23:59:60+01:00", "2031-02-03T04:05:06+24:00", "2031-02-03T04:05:06+01:60", "2031-02-03T04:05:06+0100", "2031-02-03T04:05:06+01",
		"2031-02-03T04:05:06+01:00Z", "2031-02-03T04:05:06Z+01:00", "2031-02-03T04:05:06ZZ", "2031-02-03T04:05:06Z ", " 2031-02-03T04:05:06Z",
		"2031-02-03T04:05:06Z\n", "2031-02-03T04:05:06UTC", "2031-02-03T04:05:06 +01:00", "２031-02-03T04:05:06Z", "2031-W06-1T04:05:06Z",
	} {
		if got, ok := parseDateTime(text); ok {
			t.Errorf("%q: accepted as %v", text, got)
		}
	}
}
