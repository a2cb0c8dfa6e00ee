package registry

import (
	"context"
	"sync"
)

// turns lets one at a time do what has the same key.
type turns struct {
	mu    sync.Mutex
	taken map[string]*turn
}

type turn struct {
	slot  chan struct{} // holds one value while somebody has the turn
	users int           // who has it or waits for it
}

// take waits for the key's turn or the end of the context. The caller calls done, once, unless there is an error.
func (t *turns) take(ctx context.Context, key string) (done func(), err error) {
	t.mu.Lock()
	if t.taken == nil {
		t.taken = map[string]*turn{}
	}
	own := t.taken[key]
	if own == nil {
		own = &turn{slot: make(chan struct{}, 1)}
		t.taken[key] = own
	}
	own.users++
	t.mu.Unlock()
	leave := func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if own.users--; own.users == 0 {
			delete(t.taken, key)
		}
	}
	select {
	case own.slot <- struct{}{}:
		return func() { <-own.slot; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, ctx.Err()
	}
}
