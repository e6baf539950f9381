package redisstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"stepwise/engine"
	"stepwise/internal/signup"
)

const (
	// registerShards spread the register of an instance over the slots of a
	// cluster. They also bound what a look at one of them costs the embedded
	// server, which sorts it every time.
	registerShards = 16
	// registerRetention is how long a register is kept after the last sign-up in it
	// was due, and registerStep by how much that moves at once: the embedded server
	// notes every change of an expiry.
	registerRetention = 24 * time.Hour
	registerStep      = time.Hour
)

// entry is a sign-up as its register has it.
type entry struct {
	key string
	// member has no colon before the one that ends the client.
	member string
}

func entryOf(key signup.AttemptKey) entry {
	h := fnv.New32a()
	h.Write([]byte(key.Client))
	return entry{registerKey(key.Instance, int(h.Sum32()%registerShards)), key.Client + ":" + key.ID}
}

func attemptOf(instance, member string) (key signup.AttemptKey, ok bool) {
	client, id, ok := strings.Cut(member, ":")
	return signup.AttemptKey{Instance: instance, Client: client, ID: id}, ok
}

// registration enters or moves a sign-up, or strikes it out where due is zero.
type registration struct {
	entry
	due time.Time
}

func (e entry) at(due time.Time) registration { return registration{e, due} }

func (e entry) struckOut() registration { return registration{entry: e} }

func (r registration) call() call {
	if r.due.IsZero() {
		return call{strikeScript, []string{r.key}, []any{r.member}}
	}
	return call{registerScript, []string{r.key}, []any{millis(r.due), r.member, millis(r.expireAt())}}
}

// expireAt is when the register may be forgotten.
func (r registration) expireAt() time.Time {
	return r.due.Add(registerRetention + registerStep - 1).Truncate(registerStep)
}

// Due implements [signup.Register].
func (s *Store) Due(ctx context.Context, instance string, by time.Time, limit int) ([]signup.AttemptKey, error) {
	if !isName(instance) || limit < 1 {
		return nil, nil
	}
	var commands []redis.Cmder
	for shard := range registerShards {
		commands = append(commands, between(ctx, registerKey(instance, shard), "-inf", strconv.FormatInt(millis(by), 10), limit))
	}
	if err := s.ask(ctx, commands); err != nil {
		return nil, err
	}
	var all []redis.Z
	for _, shard := range commands {
		all = append(all, shard.(*redis.ZSliceCmd).Val()...)
	}
	slices.SortStableFunc(all, func(a, b redis.Z) int { return cmp.Compare(a.Score, b.Score) })
	var due []signup.AttemptKey
	for _, z := range all {
		if key, ok := attemptOf(instance, fmt.Sprint(z.Member)); ok && len(due) < limit {
			due = append(due, key)
		}
	}
	return due, nil
}

// between asks for the first entries of a register between two scores.
func between(ctx context.Context, register, low, high string, limit int) *redis.ZSliceCmd {
	return redis.NewZSliceCmd(ctx, "zrangebyscore", register, low, high, "withscores", "limit", 0, limit)
}

// position is a place in the registers of an instance: after the member, among
// those of its score.
type position struct {
	shard  int
	score  float64
	member string
}

func (p position) String() string {
	return fmt.Sprintf("%d %s %s", p.shard, strconv.FormatFloat(p.score, 'g', -1, 64), p.member)
}

func parsePosition(cursor string) (p position, err error) {
	if cursor == "" {
		return position{score: math.Inf(-1)}, nil
	}
	words := strings.SplitN(cursor, " ", 3)
	if len(words) != 3 {
		return p, errors.New("redis: not a cursor of a register")
	}
	p.member = words[2]
	if p.shard, err = strconv.Atoi(words[0]); err == nil {
		p.score, err = strconv.ParseFloat(words[1], 64)
	}
	return p, err
}

// Live implements [signup.Register]. It goes through one shard after the other in
// the order in which sign-ups are due.
func (s *Store) Live(ctx context.Context, instance, cursor string, limit int) (page []signup.AttemptKey, next string, err error) {
	at, err := parsePosition(cursor)
	if err != nil {
		return nil, "", err
	}
	if !isName(instance) || limit < 1 || at.shard < 0 {
		return nil, "", nil
	}
	for ; at.shard < registerShards; at = (position{shard: at.shard + 1, score: math.Inf(-1)}) {
		found, more, err := s.after(ctx, instance, at, limit)
		if err != nil {
			return nil, "", err
		}
		for _, z := range found {
			at.score, at.member = z.Score, fmt.Sprint(z.Member)
			if key, ok := attemptOf(instance, at.member); ok {
				page = append(page, key)
			}
		}
		switch {
		case more:
			return page, at.String(), nil
		case len(page) > 0 && at.shard+1 < registerShards:
			return page, position{shard: at.shard + 1, score: math.Inf(-1)}.String(), nil
		case len(page) > 0:
			return page, "", nil
		}
	}
	return nil, "", nil
}

// after returns up to limit entries that follow the position in its shard, and
// whether there may be more. Of those with the score of the position the ones
// before it come along each time, and are left out.
func (s *Store) after(ctx context.Context, instance string, at position, limit int) (found []redis.Z, more bool, err error) {
	from := strconv.FormatFloat(at.score, 'f', -1, 64)
	if math.IsInf(at.score, -1) {
		from = "-inf"
	}
	for ask := limit + 1; ; ask *= 2 {
		command := between(ctx, registerKey(instance, at.shard), from, "+inf", ask)
		if err := s.ask(ctx, []redis.Cmder{command}); err != nil {
			return nil, false, err
		}
		all := command.Val()
		found = slices.DeleteFunc(slices.Clone(all), func(z redis.Z) bool {
			return z.Score == at.score && fmt.Sprint(z.Member) <= at.member
		})
		if len(all) < ask || len(found) > 0 {
			return found[:min(limit, len(found))], len(all) == ask || len(found) > limit, nil
		}
	}
}

// Forget implements [signup.Register].
func (s *Store) Forget(ctx context.Context, instance string, keys []signup.AttemptKey) error {
	members := map[string][]any{}
	for _, key := range keys {
		if _, ok := slotOf(key); ok && key.Instance == instance {
			e := entryOf(key)
			members[e.key] = append(members[e.key], e.member)
		}
	}
	var commands []redis.Cmder
	for register, gone := range members {
		commands = append(commands, redis.NewIntCmd(ctx, append([]any{"zrem", register}, gone...)...))
	}
	return s.ask(ctx, commands)
}

// LoadMany implements [signup.Register].
func (s *Store) LoadMany(ctx context.Context, keys []signup.AttemptKey) ([]signup.KeyedRecord, error) {
	var asked []signup.AttemptKey
	var commands []redis.Cmder
	for _, key := range keys {
		if slot, ok := slotOf(key); ok && key.ID != "" {
			asked = append(asked, key)
			commands = append(commands, redis.NewStringCmd(ctx, "get", slot.records()+key.ID))
		}
	}
	if err := s.ask(ctx, commands); err != nil {
		return nil, err
	}
	now := s.clock()
	var records []signup.KeyedRecord
	for i, command := range commands {
		data, err := command.(*redis.StringCmd).Bytes()
		if r, ok := decodeRecord(data); err == nil && ok && r.ExpireAt.After(now) {
			records = append(records, signup.KeyedRecord{AttemptKey: asked[i], Record: r})
		}
	}
	return records, nil
}

// decodeRecord reads what encode has written.
func decodeRecord(stored []byte) (r signup.Record, ok bool) {
	rest := string(stored)
	var numbers [4]int64
	for i := range numbers {
		word, after, found := strings.Cut(rest, " ")
		n, err := strconv.ParseInt(word, 10, 64)
		if !found || err != nil {
			return signup.Record{}, false
		}
		numbers[i], rest = n, after
	}
	return signup.Record{
		Version: numbers[0], Lifecycle: engine.Lifecycle(numbers[1]),
		EndedAt: moment(numbers[2]), ExpireAt: moment(numbers[3]), Data: []byte(rest),
	}, true
}

// ask flushes commands that read, or may be repeated, and fails where one of them
// got no answer. That there is nothing is an answer, and so is that something else
// stands under the name.
func (s *Store) ask(ctx context.Context, commands []redis.Cmder) error {
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("redis: %w", err)
	}
	if len(commands) > 0 {
		s.flush(ctx, commands...)
	}
	for _, command := range commands {
		if err := command.Err(); err != nil && !errors.Is(err, redis.Nil) && !redis.HasErrorPrefix(err, "WRONGTYPE") {
			return fmt.Errorf("redis: %w", err)
		}
	}
	return nil
}
