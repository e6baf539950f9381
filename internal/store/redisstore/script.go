package redisstore

import (
	"context"
	"crypto/sha1"
	_ "embed"
	"encoding/hex"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

var (
	//go:embed lua/create.lua
	createSource string
	//go:embed lua/load.lua
	loadSource string
	//go:embed lua/save.lua
	saveSource string
	//go:embed lua/take.lua
	takeSource string
	//go:embed lua/expire.lua
	expireSource string
	//go:embed lua/register.lua
	registerSource string
	//go:embed lua/strike.lua
	strikeSource string

	createScript   = newScript(createSource)
	loadScript     = newScript(loadSource)
	saveScript     = newScript(saveSource)
	takeScript     = newScript(takeSource)
	expireScript   = newScript(expireSource)
	registerScript = newScript(registerSource)
	strikeScript   = newScript(strikeSource)
)

// script is a Lua script, sent by its hash and in full only to a server that
// does not have it yet.
//
// It is not redis.Script because a cluster client sends that one's commands
// again after a broken connection, when the first may have been executed.
type script struct {
	source, hash string
}

func newScript(source string) script {
	sum := sha1.Sum([]byte(source)) // the name under which Redis knows it
	return script{source: source, hash: hex.EncodeToString(sum[:])}
}

// once is a command that go-redis sends at most once, redirections apart: those
// are refusals.
type once struct{ *redis.Cmd }

func (once) NoRetry() bool { return true }

// run executes the script, which is atomic. Keys must lie in one slot.
func (s script) run(ctx context.Context, client redis.UniversalClient, keys []string, arguments ...any) (any, error) {
	value, err := s.send(ctx, client, "evalsha", s.hash, keys, arguments)
	if redis.HasErrorPrefix(err, "NOSCRIPT") {
		value, err = s.send(ctx, client, "eval", s.source, keys, arguments)
	}
	if err != nil {
		return nil, fmt.Errorf("redis: %w", err)
	}
	return value, nil
}

func (s script) send(ctx context.Context, client redis.UniversalClient, name, text string, keys []string, arguments []any) (any, error) {
	command := newCommand(ctx, name, text, keys, arguments)
	if err := client.Process(ctx, command); err != nil {
		return nil, err
	}
	return command.Result()
}

func newCommand(ctx context.Context, name, text string, keys []string, arguments []any) once {
	words := make([]any, 0, 3+len(keys)+len(arguments))
	words = append(words, name, text, len(keys))
	for _, key := range keys {
		words = append(words, key)
	}
	command := once{redis.NewCmd(ctx, append(words, arguments...)...)}
	command.SetFirstKeyPos(3)
	return command
}

// call is a script with what it is called with.
type call struct {
	script    script
	keys      []string
	arguments []any
}

// runRegistering executes a script, and in the same flush what it means for the
// register; on a cluster each goes to its server. It returns what the script says:
// where only the register fails, nobody is told.
func (s *Store) runRegistering(ctx context.Context, r registration, c call) (any, error) {
	if s.local != nil {
		s.local.register(r)
		return s.run(ctx, c.script, c.keys, c.arguments...)
	}
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("redis: %w", err)
	}
	calls := [2]call{r.call(), c}
	var commands [2]once
	for i, c := range calls {
		commands[i] = newCommand(ctx, "evalsha", c.script.hash, c.keys, c.arguments)
	}
	s.flush(ctx, commands[0], commands[1])
	for i, c := range calls {
		if redis.HasErrorPrefix(commands[i].Err(), "NOSCRIPT") {
			commands[i] = newCommand(ctx, "eval", c.script.source, c.keys, c.arguments)
			_ = s.client.Process(ctx, commands[i]) // the command has the error
		}
	}
	value, err := commands[1].Result()
	if err != nil {
		return nil, fmt.Errorf("redis: %w", err)
	}
	return value, nil
}

// reply takes a script's array apart. The first thing that is not as expected
// is remembered and returned by end; from then on everything is zero.
type reply struct {
	values []any
	err    error
}

func newReply(value any) *reply {
	values, ok := value.([]any)
	if !ok {
		return &reply{err: fmt.Errorf("redis: unexpected reply of type %T", value)}
	}
	return &reply{values: values}
}

// text takes the next value, which must be a string.
func (r *reply) text() string {
	if r.err != nil {
		return ""
	}
	if len(r.values) == 0 {
		r.err = fmt.Errorf("redis: unexpected end of reply")
		return ""
	}
	text, ok := r.values[0].(string)
	if !ok {
		r.err = fmt.Errorf("redis: unexpected %T in reply", r.values[0])
	}
	r.values = r.values[1:]
	return text
}

// array takes the next value, which must be an array; nil if it is empty.
func (r *reply) array() *reply {
	if r.err != nil || len(r.values) == 0 {
		r.text() // notes what is wrong
		return nil
	}
	inner := newReply(r.values[0])
	r.values = r.values[1:]
	if r.err = inner.err; r.err != nil || len(inner.values) == 0 {
		return nil
	}
	return inner
}

// number takes the next value, which must be a decimal number in a string.
func (r *reply) number() int64 {
	text := r.text()
	if r.err != nil {
		return 0
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		r.err = fmt.Errorf("redis: unexpected reply: a number was expected")
	}
	return n
}

// time takes the next value, Unix milliseconds; 0 is the zero time.
func (r *reply) time() time.Time { return moment(r.number()) }

// end returns what was wrong with the reply, values left over included.
func (r *reply) end() error {
	if r.err == nil && len(r.values) > 0 {
		r.err = fmt.Errorf("redis: unexpected reply: %d values too many", len(r.values))
	}
	return r.err
}

// millis is the form in which scripts get times; 0 stands for the zero time.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// moment reads what millis has written.
func moment(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
