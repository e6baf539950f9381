package redisstore

import (
	"crypto/sha256"
	"encoding/base64"
	"strconv"

	"stepwise/internal/signup"
)

// slot is what the keys of one client have in common: the hash tag that puts
// them into one slot of a cluster.
type slot string

// slotOf returns the slot of a client, and whether there can be one: a name
// that could break out of the hash tag belongs to nobody.
func slotOf(key signup.AttemptKey) (slot, bool) {
	return slot("{" + key.Instance + ":" + key.Client + "}"), isName(key.Instance) && isName(key.Client)
}

func isName(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != '_' && c != '-' && c != '.' {
			return false
		}
	}
	return s != ""
}

func (s slot) records() string           { return "su1:" + string(s) + ":a:" }
func (s slot) current() string           { return "su1:" + string(s) + ":cur" }
func (s slot) memory(name string) string { return "su1:" + string(s) + ":idem:" + hash(name) }
func (s slot) channels() string          { return "su1:ev:" + string(s) + ":" }

func settingsChannel(instance string) string { return "su1:set:" + instance }

func registerKey(instance string, shard int) string {
	return "su1:due:{" + instance + ":" + strconv.Itoa(shard) + "}"
}

func budgetKey(name string) string { return "su1:rl:{" + hash(name) + "}" }

func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
