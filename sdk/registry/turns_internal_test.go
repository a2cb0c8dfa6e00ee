package registry

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
)

func TestTurns(t *testing.T) {
	var (
		all   turns
		busy  [2]atomic.Int32
		group sync.WaitGroup
	)
	for i := range 40 {
		key := i % 2
		group.Go(func() {
			done, err := all.take(t.Context(), string(rune('a'+key)))
			if err != nil {
				t.Error(err)
				return
			}
			if busy[key].Add(1) != 1 {
				t.Error("two have the same key's turn")
			}
			busy[key].Add(-1)
			done()
		})
	}
	group.Wait()
	if len(all.taken) != 0 {
		t.Errorf("%d keys are left", len(all.taken))
	}
}

func TestTurnsEndWithTheContext(t *testing.T) {
	var all turns
	done, err := all.take(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := all.take(ctx, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	done()
	if len(all.taken) != 0 {
		t.Errorf("%d keys are left", len(all.taken))
	}
}
