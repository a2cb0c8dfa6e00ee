package pipeline

import (
	"context"
	"fmt"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/move"
	"github.com/plimsoll-dev/plimsoll/sdk/notify"
)

// tellWithin is how long a delivery waits for its Notifier to take an event.
const tellWithin = 5 * time.Second

// tell lets the definition's owners know that it was built on other bases than it asks for. What goes wrong with that is
// in out.Untold and in the progress: it is never a reason to fail a build, and hardly one to slow it.
func (d *Delivery) tell(ctx context.Context, run *Run, order Order, out *Delivered) {
	var err error
	if out.Move, err = move.Of(out.Definition, out.Plan); err == nil && (out.Move == nil || d.Notifier == nil) {
		return
	}
	var e notify.Event
	if err == nil {
		e, err = out.Move.Event(move.Told{Labels: order.Labels, Owners: d.Catalog.Document().Owners, At: run.now()})
	}
	if err == nil {
		err = within(ctx, tellWithin, func(ctx context.Context) error { return d.Notifier.Notify(ctx, e) })
	}
	if err != nil {
		out.Untold = err.Error()
		run.Progress("build", "the move to other bases could not be told: "+out.Untold)
	}
}

// within calls f and leaves it behind when it does not end in time.
func within(ctx context.Context, limit time.Duration, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	done := make(chan error, 1)
	go func() {
		defer func() {
			if r := recover(); r != nil {
				done <- fmt.Errorf("the notifier panicked: %v", r)
			}
		}()
		done <- f(ctx)
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("the notifier does not answer: %w", ctx.Err())
	}
}
