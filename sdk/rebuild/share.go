package rebuild

import (
	"context"
	"errors"
	"sync"
)

// once is a value that is made by whoever asks first.
type once[T any] struct {
	done  chan struct{}
	value T
	err   error
}

// share returns what is kept under a key, made by one caller while the others wait. A failure is not kept.
func share[T any](ctx context.Context, mu *sync.Mutex, kept map[string]*once[T], key string, fill func() (T, error)) (T, error) {
	for {
		mu.Lock()
		o, exists := kept[key]
		if !exists {
			o = &once[T]{done: make(chan struct{})}
			kept[key] = o
		}
		mu.Unlock()
		if exists {
			select {
			case <-ctx.Done():
				var zero T
				return zero, ctx.Err()
			case <-o.done:
			}
			if errors.Is(o.err, context.Canceled) || errors.Is(o.err, context.DeadlineExceeded) {
				continue // it was the other caller's context that ended
			}
			return o.value, o.err
		}
		o.value, o.err = fill()
		if o.err != nil {
			mu.Lock()
			delete(kept, key)
			mu.Unlock()
		}
		close(o.done)
		return o.value, o.err
	}
}
