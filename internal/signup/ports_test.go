package signup_test

import (
	"context"
	"errors"
	"time"

	"stepwise/internal/signup"
)

// fault is what befalls a call of a port.
type fault uint8

const (
	// served: nothing befalls it.
	served fault = iota
	// refused: the store was not reached; nothing was applied.
	refused
	// unanswered: the call was applied and the reply lost.
	unanswered
	// diedBefore and diedAfter: the process ends, before the call reached the
	// store or after it was applied.
	diedBefore
	diedAfter
)

func (f fault) String() string {
	return [...]string{"served", "refused", "unanswered", "died before", "died after"}[f]
}

var errStore = errors.New("the store does not answer")

// process is a service whose calls of its ports go by a gate.
type process struct {
	*signup.Service
	// gate decides what befalls a call.
	gate func(port string) fault
	// dead: what the process answers reaches nobody any more.
	dead bool
}

// newProcess starts one on the stores of the world.
func (w *world) newProcess(gate func(port string) fault) *process {
	p := &process{gate: gate}
	p.Service = w.process(func(c *signup.Config) {
		ports := faultyPorts{process: p, real: *c}
		c.Attempts, c.Directory, c.Messenger, c.Budgets = ports, faultyDirectory{c.Directory, p}, ports, ports
		c.Hints = faultyHints{c.Hints, p}
		c.Accounts = faultyAccounts{c.Accounts, p}
	})
	return p
}

// do lets a call of a port happen, or not.
func (p *process) do(port string, apply func() error) error {
	if p.dead {
		return errStore
	}
	switch p.gate(port) {
	case refused:
		return errStore
	case diedBefore:
		p.dead = true
		return errStore
	case unanswered:
		_ = apply()
		return errStore
	case diedAfter:
		_ = apply()
		p.dead = true
		return errStore
	}
	return apply()
}

type faultyPorts struct {
	*process
	real signup.Config
}

func (f faultyPorts) Create(ctx context.Context, key signup.AttemptKey, r signup.Record, memory signup.Memory, now, formerExpireAt time.Time) (replaced string, remembered *signup.Remembered, err error) {
	err = f.do("Attempts.Create", func() (err error) {
		replaced, remembered, err = f.real.Attempts.Create(ctx, key, r, memory, now, formerExpireAt)
		return err
	})
	if errors.Is(err, errStore) {
		return "", nil, err
	}
	return replaced, remembered, err
}

func (f faultyPorts) Load(ctx context.Context, key signup.AttemptKey, memoryKey string) (id string, r signup.Record, remembered *signup.Remembered, err error) {
	err = f.do("Attempts.Load", func() (err error) {
		id, r, remembered, err = f.real.Attempts.Load(ctx, key, memoryKey)
		return err
	})
	if errors.Is(err, errStore) {
		return "", signup.Record{}, nil, err
	}
	return id, r, remembered, err
}

func (f faultyPorts) Save(ctx context.Context, key signup.AttemptKey, r signup.Record, memory signup.Memory, quiet bool) error {
	return f.do("Attempts.Save", func() error { return f.real.Attempts.Save(ctx, key, r, memory, quiet) })
}

func (f faultyPorts) Due(ctx context.Context, instance string, by time.Time, limit int) (due []signup.AttemptKey, err error) {
	err = f.do("Register.Due", func() (err error) {
		due, err = f.real.Attempts.Due(ctx, instance, by, limit)
		return err
	})
	return due, err
}

func (f faultyPorts) Live(ctx context.Context, instance, cursor string, limit int) (page []signup.AttemptKey, next string, err error) {
	err = f.do("Register.Live", func() (err error) {
		page, next, err = f.real.Attempts.Live(ctx, instance, cursor, limit)
		return err
	})
	return page, next, err
}

func (f faultyPorts) Forget(ctx context.Context, instance string, keys []signup.AttemptKey) error {
	return f.do("Register.Forget", func() error { return f.real.Attempts.Forget(ctx, instance, keys) })
}

func (f faultyPorts) LoadMany(ctx context.Context, keys []signup.AttemptKey) (records []signup.KeyedRecord, err error) {
	err = f.do("Register.LoadMany", func() (err error) {
		records, err = f.real.Attempts.LoadMany(ctx, keys)
		return err
	})
	return records, err
}

func (f faultyPorts) Take(ctx context.Context, now time.Time, budgets ...signup.Budget) (allowed bool, retryAt time.Time, err error) {
	err = f.do("Budgets.Take", func() (err error) {
		allowed, retryAt, err = f.real.Budgets.Take(ctx, now, budgets...)
		return err
	})
	return allowed && err == nil, retryAt, err
}

func (f faultyPorts) Deliver(ctx context.Context, m signup.Message) error {
	return f.do("Messenger.Deliver", func() error { return f.real.Messenger.Deliver(ctx, m) })
}

// faultyHints can fail to announce; what it lets through arrives.
type faultyHints struct {
	signup.Hints
	*process
}

func (f faultyHints) AnnounceSettings(ctx context.Context, instance string) error {
	return f.do("Hints.AnnounceSettings", func() error { return f.Hints.AnnounceSettings(ctx, instance) })
}

// faultyDirectory guards what sign-ups use; the rest is not called here.
type faultyDirectory struct {
	signup.Directory
	*process
}

func (f faultyDirectory) Gate(ctx context.Context, publishableKey, client string) (g signup.Gate, err error) {
	err = f.do("Directory.Gate", func() (err error) {
		g, err = f.Directory.Gate(ctx, publishableKey, client)
		return err
	})
	return g, err
}

func (f faultyDirectory) Settings(ctx context.Context, instance string, version int64) (v signup.SettingsVersion, err error) {
	err = f.do("Directory.Settings", func() (err error) {
		v, err = f.Directory.Settings(ctx, instance, version)
		return err
	})
	return v, err
}

func (f faultyDirectory) SaveSettings(ctx context.Context, instance string, v signup.SettingsVersion) error {
	return f.do("Directory.SaveSettings", func() error { return f.Directory.SaveSettings(ctx, instance, v) })
}

func (f faultyDirectory) Taken(ctx context.Context, instance string, identifiers []signup.Identifier) (taken []signup.Identifier, err error) {
	err = f.do("Directory.Taken", func() (err error) {
		taken, err = f.Directory.Taken(ctx, instance, identifiers)
		return err
	})
	return taken, err
}

func (f faultyDirectory) Invitation(ctx context.Context, instance, id string) (i signup.Invitation, err error) {
	err = f.do("Directory.Invitation", func() (err error) {
		i, err = f.Directory.Invitation(ctx, instance, id)
		return err
	})
	return i, err
}

func (f faultyDirectory) Convert(ctx context.Context, c signup.Conversion) (done signup.Converted, err error) {
	err = f.do("Directory.Convert", func() (err error) {
		done, err = f.Directory.Convert(ctx, c)
		return err
	})
	if errors.Is(err, errStore) {
		return signup.Converted{}, err
	}
	return done, err
}

func (f faultyDirectory) CountAbandoned(ctx context.Context, instance string, now time.Time, ended []signup.EndedAttempt) (n int, err error) {
	err = f.do("Directory.CountAbandoned", func() (err error) {
		n, err = f.Directory.CountAbandoned(ctx, instance, now, ended)
		return err
	})
	return n, err
}

// faultyAccounts lets a provider be out of reach, and a process die with its answer.
type faultyAccounts struct {
	signup.AccountProver
	*process
}

func (f faultyAccounts) AuthorizationEndpoint(ctx context.Context, p signup.Provider) (endpoint string, err error) {
	err = f.do("Accounts.AuthorizationEndpoint", func() (err error) {
		endpoint, err = f.AccountProver.AuthorizationEndpoint(ctx, p)
		return err
	})
	return endpoint, err
}

func (f faultyAccounts) Redeem(ctx context.Context, p signup.Provider, r signup.AuthorizationRequest, a signup.AuthorizationResponse) (account signup.ProvenAccount, err error) {
	err = f.do("Accounts.Redeem", func() (err error) {
		account, err = f.AccountProver.Redeem(ctx, p, r, a)
		return err
	})
	if errors.Is(err, errStore) {
		return signup.ProvenAccount{}, err
	}
	return account, err
}
