package buildservice

import (
	"context"
	"errors"
	"sync"
	"time"
)

// lease is how long this process may believe that nobody has taken over what it is at. It publishes only while that is so:
// a process that lost the database for a while must not publish what another one does by now.
type lease struct {
	lost time.Duration

	mu   sync.Mutex
	seen time.Time
}

var errLease = errors.New("the database does not answer, so another worker may have taken over: not publishing")

func (l *lease) renew(at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen = at
}

func (l *lease) good() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Since(l.seen) < l.lost*3/4
}

// hold returns a context that ends when the lease does. The caller calls the function when it is done.
func (l *lease) hold(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for l.good() {
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
		cancel(errLease)
	}()
	return ctx, func() { cancel(nil) }
}
