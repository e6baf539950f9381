package signup_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"stepwise/internal/signup"
)

// budgetSpy notes which budgets are asked for.
type budgetSpy struct {
	signup.Budgets
	mu   sync.Mutex
	keys *[]string
}

func (b *budgetSpy) Take(ctx context.Context, now time.Time, budgets ...signup.Budget) (bool, time.Time, error) {
	b.mu.Lock()
	for _, budget := range budgets {
		*b.keys = append(*b.keys, budget.Key)
	}
	b.mu.Unlock()
	return b.Budgets.Take(ctx, now, budgets...)
}

// backDoor guards what serves people who come back, invitations and webhooks, as
// faultyDirectory does for sign-ups.
type backDoor struct {
	signup.Directory
	*process
}

// newBackDoor starts a process like newProcess, with all that is in this file
// behind the gate too.
func (w *world) newBackDoor(gate func(port string) fault) *process {
	p := w.newProcess(gate)
	p.Service = w.process(func(c *signup.Config) {
		ports := faultyPorts{process: p, real: *c}
		c.Attempts, c.Messenger, c.Budgets = ports, ports, ports
		c.Hints = faultyHints{c.Hints, p}
		c.Directory = backDoor{faultyDirectory{c.Directory, p}, p}
	})
	return p
}

// failing is a process at which one port fails at every call.
func (w *world) failing(port string, f fault) *process {
	return w.newBackDoor(func(called string) fault {
		if called == port {
			return f
		}
		return served
	})
}

func (d backDoor) Owner(ctx context.Context, instance string, identifiers []signup.Identifier) (o signup.Owner, err error) {
	err = d.do("Directory.Owner", func() (err error) {
		o, err = d.Directory.Owner(ctx, instance, identifiers)
		return err
	})
	return o, err
}

func (d backDoor) CreateSession(ctx context.Context, c signup.SessionCreation) (s signup.Session, generation int64, err error) {
	err = d.do("Directory.CreateSession", func() (err error) {
		s, generation, err = d.Directory.CreateSession(ctx, c)
		return err
	})
	if errors.Is(err, errStore) {
		return signup.Session{}, 0, err
	}
	return s, generation, err
}

func (d backDoor) Session(ctx context.Context, instance, id string) (s signup.Session, err error) {
	err = d.do("Directory.Session", func() (err error) {
		s, err = d.Directory.Session(ctx, instance, id)
		return err
	})
	return s, err
}

func (d backDoor) User(ctx context.Context, instance, id string) (u signup.User, err error) {
	err = d.do("Directory.User", func() (err error) {
		u, err = d.Directory.User(ctx, instance, id)
		return err
	})
	return u, err
}

func (d backDoor) AddInvitation(ctx context.Context, i signup.Invitation) error {
	return d.do("Directory.AddInvitation", func() error { return d.Directory.AddInvitation(ctx, i) })
}

func (d backDoor) Invitation(ctx context.Context, instance, id string) (i signup.Invitation, err error) {
	err = d.do("Directory.Invitation", func() (err error) {
		i, err = d.Directory.Invitation(ctx, instance, id)
		return err
	})
	return i, err
}

func (d backDoor) Invitations(ctx context.Context, instance string, f signup.InvitationFilter) (page []signup.Invitation, more bool, err error) {
	err = d.do("Directory.Invitations", func() (err error) {
		page, more, err = d.Directory.Invitations(ctx, instance, f)
		return err
	})
	return page, more, err
}

func (d backDoor) RevokeInvitation(ctx context.Context, instance, id string, at time.Time) (i signup.Invitation, err error) {
	err = d.do("Directory.RevokeInvitation", func() (err error) {
		i, err = d.Directory.RevokeInvitation(ctx, instance, id, at)
		return err
	})
	return i, err
}

// ownerOf answers, instead of the store, who has an identifier.
type ownerOf struct {
	signup.Directory
	owner func() (signup.Owner, error)
}

func (d ownerOf) Owner(context.Context, string, []signup.Identifier) (signup.Owner, error) {
	return d.owner()
}

// diary notes the calls of ports in their order.
type diary struct {
	mu    sync.Mutex
	calls []string
}

func (d *diary) note(port string) fault {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calls = append(d.calls, port)
	return served
}

// tear returns what was noted and forgets it.
func (d *diary) tear() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	calls := slices.Clone(d.calls)
	d.calls = nil
	return calls
}
