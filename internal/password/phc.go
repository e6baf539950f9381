package password

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
)

// Params are the cost parameters of Argon2id (RFC 9106, section 3.1).
type Params struct {
	MemoryKiB   uint32
	Time        uint32 // passes over the memory
	Parallelism uint8
}

// DefaultParams are OWASP's smallest recommended memory setting: 19 MiB, two
// passes, one lane.
var DefaultParams = Params{MemoryKiB: 19 * 1024, Time: 2, Parallelism: 1}

const (
	saltBytes = 16
	keyBytes  = 32
)

// The limits hold for stored hashes too: a damaged or planted one must not make
// the server allocate gigabytes.
const (
	maxMemoryKiB   = 256 * 1024
	maxTime        = 16
	maxParallelism = 16
	minSaltBytes   = 8
	minKeyBytes    = 16
	maxFieldBytes  = 64
)

func (p Params) check() error {
	switch {
	case p.Time < 1 || p.Time > maxTime:
	case p.Parallelism < 1 || p.Parallelism > maxParallelism:
	case p.MemoryKiB < 8*uint32(p.Parallelism) || p.MemoryKiB > maxMemoryKiB:
	default:
		return nil
	}
	return errors.New("password: Argon2id parameters out of range")
}

// The PHC string format:
//
//	$argon2id$v=19$m=19456,t=2,p=1$<salt>$<key>
//
// with salt and key in base64 without padding.
const prefix = "$argon2id$v="

var phcBase64 = base64.RawStdEncoding.Strict()

func encode(p Params, salt, key []byte) string {
	return fmt.Sprintf("%s%d$m=%d,t=%d,p=%d$%s$%s", prefix, argon2.Version,
		p.MemoryKiB, p.Time, p.Parallelism, phcBase64.EncodeToString(salt), phcBase64.EncodeToString(key))
}

// decode accepts exactly what encode can produce, within the limits above: one
// hash has one spelling.
func decode(phc string) (p Params, salt, key []byte, err error) {
	rest, ok := strings.CutPrefix(phc, prefix)
	fields := strings.Split(rest, "$")
	if !ok || len(fields) != 4 || fields[0] != strconv.Itoa(argon2.Version) {
		return Params{}, nil, nil, ErrMalformed
	}
	if p, err = decodeParams(fields[1]); err != nil {
		return Params{}, nil, nil, err
	}
	salt, errSalt := phcBase64.DecodeString(fields[2])
	key, errKey := phcBase64.DecodeString(fields[3])
	if errSalt != nil || errKey != nil ||
		len(salt) < minSaltBytes || len(salt) > maxFieldBytes ||
		len(key) < minKeyBytes || len(key) > maxFieldBytes ||
		encode(p, salt, key) != phc {
		return Params{}, nil, nil, ErrMalformed
	}
	return p, salt, key, nil
}

func decodeParams(field string) (Params, error) {
	costs := strings.Split(field, ",")
	if len(costs) != 3 {
		return Params{}, ErrMalformed
	}
	var values [3]uint64
	for i, name := range []string{"m=", "t=", "p="} {
		digits, ok := strings.CutPrefix(costs[i], name)
		value, err := strconv.ParseUint(digits, 10, 32)
		if !ok || err != nil {
			return Params{}, ErrMalformed
		}
		values[i] = value
	}
	if values[2] > maxParallelism {
		return Params{}, ErrMalformed
	}
	p := Params{MemoryKiB: uint32(values[0]), Time: uint32(values[1]), Parallelism: uint8(values[2])}
	if p.check() != nil {
		return Params{}, ErrMalformed
	}
	return p, nil
}
