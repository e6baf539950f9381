package redisstore

import (
	"bufio"
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/alicebob/miniredis/v2/server"
	lua "github.com/yuin/gopher-lua"
)

// interpreter executes the scripts of this package on the embedded server, one
// at a time, in place of miniredis. That makes a new Lua state for every call,
// which takes five times as long as everything else together; here the state
// and the compiled scripts are kept. Scripts leave nothing behind in it, since
// all their variables are local.
//
// Nobody but scripts writes to the embedded server, so that one at a time is
// all that atomicity needs.
type interpreter struct {
	server *server.Server

	mu    sync.Mutex
	state *lua.LState
	// scripts are compiled, by hash.
	scripts map[string]*lua.LFunction
	// peer writes the replies of commands inside a script into answer, whence
	// reader takes them.
	peer   *server.Peer
	answer bytes.Buffer
	reader *bufio.Reader
}

func newInterpreter(s *server.Server, scripts ...script) (*interpreter, error) {
	in := &interpreter{server: s, state: lua.NewState(), scripts: make(map[string]*lua.LFunction)}
	in.peer, in.reader = server.NewPeer(bufio.NewWriter(&in.answer)), bufio.NewReader(&in.answer)
	commands := in.state.NewTable()
	commands.RawSetString("call", in.state.NewFunction(in.call))
	in.state.SetGlobal("redis", commands)
	for _, script := range scripts {
		compiled, err := in.state.LoadString(script.source)
		if err != nil {
			return nil, fmt.Errorf("compile script: %w", err)
		}
		in.scripts[script.hash] = compiled
	}
	return in, nil
}

func (in *interpreter) close() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.state.Close()
}

// run executes EVALSHA with these arguments and answers the peer. It does
// nothing and returns false where the script is none of ours.
func (in *interpreter) run(peer *server.Peer, arguments []string) bool {
	if len(arguments) < 2 {
		return false
	}
	compiled, ok := in.scripts[arguments[0]]
	count, err := strconv.Atoi(arguments[1])
	if !ok || err != nil || count < 0 || count > len(arguments)-2 {
		return false
	}
	keys, rest := arguments[2:2+count], arguments[2+count:]

	in.mu.Lock()
	defer in.mu.Unlock()
	defer in.state.SetTop(0)
	in.state.SetGlobal("KEYS", in.table(keys))
	in.state.SetGlobal("ARGV", in.table(rest))
	in.state.Push(compiled)
	if err := in.state.PCall(0, 1, nil); err != nil {
		message, _, _ := strings.Cut(err.Error(), "\n") // the rest is a stack
		peer.WriteError("ERR " + message)
		return true
	}
	write(peer, in.state.Get(1))
	return true
}

func (in *interpreter) table(values []string) *lua.LTable {
	table := in.state.CreateTable(len(values), 0)
	for _, value := range values {
		table.Append(lua.LString(value))
	}
	return table
}

// call is redis.call.
func (in *interpreter) call(state *lua.LState) int {
	words := make([]string, state.GetTop())
	for i := range words {
		words[i] = state.CheckString(i + 1) // numbers as well
	}
	in.answer.Reset()
	in.reader.Reset(&in.answer)
	in.server.Dispatch(in.peer, words)
	in.peer.Flush()
	answer, err := server.ParseReply(in.reader)
	if err != nil {
		state.RaiseError("%s", err)
	}
	state.Push(in.value(answer))
	return 1
}

// value converts a reply as Redis does for scripts.
func (in *interpreter) value(answer any) lua.LValue {
	switch v := answer.(type) {
	case int:
		return lua.LNumber(v)
	case string:
		return lua.LString(v)
	case server.Simple:
		return lua.LString(v) // where Redis has a table; no script looks at it
	case []any:
		table := in.state.CreateTable(len(v), 0)
		for _, element := range v {
			table.Append(in.value(element))
		}
		return table
	}
	return lua.LFalse
}

// write answers with what a script returned, converted as Redis does.
func write(peer *server.Peer, value lua.LValue) {
	switch v := value.(type) {
	case lua.LNumber:
		peer.WriteInt(int(v))
	case lua.LString:
		peer.WriteBulk(string(v))
	case *lua.LTable:
		peer.WriteLen(v.Len())
		for i := range v.Len() {
			write(peer, v.RawGetInt(i+1))
		}
	default:
		peer.WriteNull()
	}
}
