package scan

import (
	"context"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
)

// writer puts what is read into the store, many images at a time, while others are read.
type writer struct {
	found chan lineage.Batch
	done  chan struct{}
	err   error // once done
	stop  context.CancelCauseFunc
	ended context.Context //nolint:containedctx // says that the store takes nothing more, to all who read
}

const (
	batchImages = 500
	batchWait   = time.Second // what was read is put after this time at the latest
	lastWrite   = 30 * time.Second
)

func newWriter(ctx context.Context, store lineage.Store) *writer {
	w := &writer{found: make(chan lineage.Batch, 2*batchImages), done: make(chan struct{})}
	w.ended, w.stop = context.WithCancelCause(ctx)
	go w.run(context.WithoutCancel(ctx), store)
	return w
}

// put hands a batch over. It fails when the store has failed.
func (w *writer) put(b lineage.Batch) error {
	select {
	case w.found <- b:
		return nil
	case <-w.ended.Done():
		return context.Cause(w.ended)
	}
}

// close writes the rest, also after the context has ended: what was read need not be read again.
func (w *writer) close(context.Context) error {
	close(w.found)
	<-w.done
	w.stop(nil)
	return w.err
}

func (w *writer) run(ctx context.Context, store lineage.Store) {
	defer close(w.done)
	var b lineage.Batch
	flush := func() {
		if w.err == nil && len(b.Images)+len(b.Edges)+len(b.Tags)+len(b.Inventories)+len(b.Marks) > 0 {
			ctx, cancel := context.WithTimeout(ctx, lastWrite)
			defer cancel()
			if w.err = store.Put(ctx, b); w.err != nil {
				w.stop(w.err)
			}
		}
		b = lineage.Batch{}
	}
	tick := time.NewTicker(batchWait)
	defer tick.Stop()
	for {
		select {
		case more, ok := <-w.found:
			if !ok {
				flush()
				return
			}
			if add(&b, more); len(b.Images)+len(b.Tags) >= batchImages {
				flush()
			}
		case <-tick.C:
			flush()
		}
	}
}

func add(b *lineage.Batch, more lineage.Batch) {
	b.Images = append(b.Images, more.Images...)
	b.Edges = append(b.Edges, more.Edges...)
	b.Tags = append(b.Tags, more.Tags...)
	b.Inventories = append(b.Inventories, more.Inventories...)
	for key, value := range more.Marks {
		if b.Marks == nil {
			b.Marks = map[string]string{}
		}
		b.Marks[key] = value
	}
}
