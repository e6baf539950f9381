package webhook

import (
	"context"
	"log/slog"
	"sync"
)

// outage logs once when something begins to fail, and once when it works again.
type outage struct {
	log  *slog.Logger
	what string
	mu   sync.Mutex
	on   bool
}

func (o *outage) note(ctx context.Context, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.on {
		o.log.ErrorContext(ctx, o.what, "error", err)
	}
	o.on = true
}

func (o *outage) over(ctx context.Context) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.on {
		o.log.InfoContext(ctx, o.what+": over")
	}
	o.on = false
}
