package password

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestEncodingRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := Params{
			MemoryKiB:   rapid.Uint32Range(8*maxParallelism, maxMemoryKiB).Draw(t, "m"),
			Time:        rapid.Uint32Range(1, maxTime).Draw(t, "t"),
			Parallelism: rapid.Uint8Range(1, maxParallelism).Draw(t, "p"),
		}
		salt := rapid.SliceOfN(rapid.Byte(), minSaltBytes, maxFieldBytes).Draw(t, "salt")
		key := rapid.SliceOfN(rapid.Byte(), minKeyBytes, maxFieldBytes).Draw(t, "key")
		gotP, gotSalt, gotKey, err := decode(encode(p, salt, key))
		if err != nil || gotP != p || !bytes.Equal(gotSalt, salt) || !bytes.Equal(gotKey, key) {
			t.Errorf("%+v %x %x became %+v %x %x, %v", p, salt, key, gotP, gotSalt, gotKey, err)
		}
	})
}

func TestDecodeRefusesAnythingElse(t *testing.T) {
	const good = "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	if _, _, _, err := decode(good); err != nil {
		t.Fatal(err)
	}
	replace := func(old, new string) string { return strings.Replace(good, old, new, 1) }
	for _, bad := range []string{
		"", "$", "secret", "$2b$10$abcdefghijklmnopqrstuv", good + "$", good + "=", " " + good, good + "\n", good[:len(good)-1],
		replace("argon2id", "argon2i"), replace("v=19", "v=16"), replace("v=19", "v=019"), replace("$v=19", ""),
		replace("m=64", "m=064"), replace("m=64", "m=+64"), replace("m=64", "m=7"), replace("m=64", "m=4294967295"), replace("m=64", "m=99999999999"),
		replace("m=64,t=1,p=1", "t=1,m=64,p=1"), replace("m=64,t=1,p=1", "m=64,t=1"), replace("t=1", "t=0"), replace("t=1", "t=1000"),
		replace("p=1", "p=0"), replace("p=1", "p=257"), replace("p=1", "p=1,x=1"), replace("p=1", "p=9"),
		replace("c29tZXNhbHQ", "c29tZXNhbHQ="), replace("c29tZXNhbHQ", ""), replace("c29tZXNhbHQ", "c29t"), replace("c29tZXNhbHQ", "c29t\nZXNhbHQ"),
		replace("c29tZXNhbHQ", "c29tZXNhbHR"), // the same bytes, spelt with stray bits
		replace("c29tZXNhbHQ", strings.Repeat("c29t", 30)), replace("CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc", "CTFh"),
	} {
		_, _, _, err := decode(bad)
		if !errors.Is(err, ErrMalformed) {
			t.Errorf("decode(%q): %v, want ErrMalformed", bad, err)
		}
		if err != nil && bad != "" && strings.Contains(err.Error(), bad) && len(bad) > 3 {
			t.Errorf("the error repeats its input: %v", err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add("$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc")
	f.Add("$argon2id$v=19$m=4294967295,t=1,p=1$$")
	f.Fuzz(func(t *testing.T, phc string) {
		p, salt, key, err := decode(phc)
		if err != nil {
			return
		}
		if p.check() != nil || encode(p, salt, key) != phc {
			t.Errorf("%q was decoded to %+v", phc, p)
		}
	})
}
