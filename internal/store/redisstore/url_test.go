package redisstore

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestURLForms(t *testing.T) {
	for url, want := range map[string]string{
		"redis://localhost":                           "[localhost:6379] db 0",
		"redis://localhost/":                          "[localhost:6379] db 0",
		"redis://localhost:7000/3":                    "[localhost:7000] db 3",
		"redis://:p%40ss@localhost":                   "[localhost:6379] db 0 password p@ss",
		"redis://me:pass@[::1]:7000/1":                "[[::1]:7000] db 1 user me password pass",
		"rediss://me:pass@cache.example.com":          "[cache.example.com:6379] db 0 user me password pass TLS",
		"redis+sentinel://a,b:7000/2?master_name=m":   "[a:26379 b:7000] db 2 master m",
		"rediss+sentinel://me:pass@a?master_name=m":   "[a:26379] db 0 user me password pass master m TLS",
		"redis://a,b?master_name=m":                   "[a:26379 b:26379] db 0 master m",
		"redis://a?addr=b:1&addr=c&master_name=m":     "[a:26379 b:1 c:26379] db 0 master m",
		"redis://a?master_name=m&sentinel_password=x": "[a:26379] db 0 master m sentinel /x",
		"redis://a?master_name=m&sentinel_username=u": "[a:26379] db 0 master m sentinel u/",
		"redis+cluster://a:1,b:2":                     "[a:1 b:2] db 0 cluster",
		"redis+cluster://a":                           "[a:6379] db 0 cluster",
		"rediss+cluster://me:pass@a:1,b:2/0":          "[a:1 b:2] db 0 user me password pass cluster TLS",
		"redis://a:1,b:2?cluster=true":                "[a:1 b:2] db 0 cluster",
		"redis://a?cluster=true":                      "[a:6379] db 0 cluster",
		"redis://a?cluster=false":                     "[a:6379] db 0",
		"redis://a:1?addr=b:2&addr=c:3&cluster=true":  "[a:1 b:2 c:3] db 0 cluster",
		"redis+cluster://a:1?addr=b:2":                "[a:1 b:2] db 0 cluster",
	} {
		settings, err := parseURL(url)
		if err != nil {
			t.Errorf("%s: %v", url, err)
			continue
		}
		got := fmt.Sprintf("%v db %d", settings.Addrs, settings.DB)
		for _, part := range []struct{ label, value string }{
			{"user", settings.Username}, {"password", settings.Password}, {"master", settings.MasterName},
		} {
			if part.value != "" {
				got += " " + part.label + " " + part.value
			}
		}
		if settings.SentinelUsername+settings.SentinelPassword != "" {
			got += " sentinel " + settings.SentinelUsername + "/" + settings.SentinelPassword
		}
		if settings.IsClusterMode {
			got += " cluster"
		}
		if settings.TLSConfig != nil {
			got += " TLS"
		}
		if got != want {
			t.Errorf("%s:\n got %s\nwant %s", url, got, want)
		}
	}
}

func TestBadURLsAreNamedWithoutSecrets(t *testing.T) {
	for _, url := range []string{
		"", "localhost:6379", "redis", "redis://", "redis:///0", "http://secret@localhost", "redis+other://localhost",
		"redis://user:secret@", "redis://:secret@host:port", "redis://:secret@host:0", "redis://:secret@host:70000",
		"redis://:sec/ret@host:6379", "redis://:sec?ret@host:6379", "redis://:sec#ret@host", "redis://:sec ret@host", "redis://:%zzsecret@host",
		"redis://:secret@host/x", "redis://:secret@host/-1", "redis://:secret@host/1/2", "redis://a,b", "redis://a,,b?cluster=true",
		"redis://a?addr=b", "redis://a?addr=&cluster=true", "redis+cluster://a/1", "redis+sentinel://a", "redis+cluster://a?master_name=m",
		"redis://a?master_name=m&cluster=true", "redis://host?cluster=yes", "redis://host?password=secret", "redis://host?pool_size=secret",
		"redis://host?sentinel_password=secret@x&pool_size=1", "redis://host?x=%zzsecret", "redis://secret@host@host?db=1",
	} {
		settings, err := parseURL(url)
		if err == nil {
			t.Errorf("%q: accepted as %v", url, settings.Addrs)
			continue
		}
		for _, part := range []string{"secret", "sec", "ret"} {
			// "sec" and "ret" are the halves of a password that was cut up.
			if slices.ContainsFunc(strings.FieldsFunc(err.Error(), notLetter), func(word string) bool { return word == part }) {
				t.Errorf("%q: the error tells: %v", url, err)
			}
		}
		if scheme, rest, ok := strings.Cut(url, "://"); ok && !strings.ContainsAny(rest, "?#") && !strings.Contains(err.Error(), scheme+"://"+rest[strings.LastIndexByte(rest, '@')+1:]) {
			t.Errorf("%q: the error does not say which URL: %v", url, err)
		}
	}
}

func notLetter(r rune) bool { return r < 'a' || r > 'z' }
