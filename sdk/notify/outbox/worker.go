package outbox

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/notify"
)

// worker sends what waits for one channel, one message at a time.
type worker struct {
	outbox  *Outbox
	name    string
	channel notify.Channel
	timeout time.Duration
	digest  bool
	machine bool
	wake    chan struct{}
	// busy is held by an attempt, also by one that does not end when its time is over.
	busy chan struct{}

	mu       sync.Mutex // held while working, so that Run and Drain do not meet
	failures int        // in a row
	rest     time.Time  // until when the channel is left alone
}

// defaultTimeout is for one attempt.
const defaultTimeout = 15 * time.Second

// grace is what a channel gets to end after its time is over.
const grace = time.Second

// Machines is implemented by channels that no person reads: they get every event in a message of its own.
type Machines interface{ Machines() bool }

func newWorker(o *Outbox, name string, channel notify.Channel, cfg notify.ChannelConfig) *worker {
	w := &worker{
		outbox: o, name: name, channel: channel, timeout: time.Duration(cfg.Timeout), digest: cfg.Digest > 0,
		wake: make(chan struct{}, 1), busy: make(chan struct{}, 1),
	}
	if w.timeout == 0 {
		w.timeout = defaultTimeout
	}
	if m, ok := channel.(Machines); ok {
		w.machine = m.Machines()
	}
	return w
}

func (w *worker) wakeUp() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// Run sends until ctx ends, and then waits for attempts that have begun. It returns ctx's error.
func (o *Outbox) Run(ctx context.Context) error {
	var group sync.WaitGroup
	for _, w := range o.workers {
		group.Go(func() { w.run(ctx) })
	}
	group.Go(func() { o.forget(ctx) })
	group.Wait()
	return ctx.Err()
}

func (w *worker) run(ctx context.Context) {
	for ctx.Err() == nil {
		wait, err := w.work(ctx)
		if err != nil && ctx.Err() == nil {
			w.outbox.opts.Log.Error("the outbox can't be read or written", "path", w.outbox.path, "channel", w.name, "error", err)
		}
		if wait == 0 {
			continue
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-w.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// Drain sends what is due now and returns when nothing is left that could be sent: a channel that fails is left alone. What
// waits after that, [Outbox.Status] says.
func (o *Outbox) Drain(ctx context.Context) error {
	var group sync.WaitGroup
	errs := make(chan error, len(o.workers))
	for _, w := range o.workers {
		group.Go(func() {
			for ctx.Err() == nil {
				wait, err := w.work(ctx)
				if err != nil || wait > 0 {
					errs <- err
					return
				}
			}
		})
	}
	group.Wait()
	close(errs)
	var all []error
	for err := range errs {
		all = append(all, err)
	}
	return errors.Join(append(all, ctx.Err())...)
}

// work sends one message and says how long nothing is to be done: zero means that there may be more at once.
func (w *worker) work(ctx context.Context) (time.Duration, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if rest := w.rest.Sub(w.outbox.opts.Now()); rest > 0 {
		return rest, nil
	}
	letters, key, err := w.claim(ctx)
	if err != nil || len(letters) == 0 {
		return w.outbox.opts.Poll, err
	}
	var events []notify.Event
	for _, l := range letters {
		events = append(events, l.event)
	}
	failed := w.send(ctx, w.outbox.renderer.Message(key, letters[0].team, events))
	// What came of it is written down even when ctx has ended meanwhile: else it would be sent again.
	after, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	switch {
	case failed == nil:
		w.failures = 0
		return 0, w.sent(after, letters)
	case ctx.Err() != nil:
		return w.outbox.opts.Poll, w.release(after, letters)
	case errors.Is(failed, notify.ErrPermanent):
		return 0, w.bury(after, letters, failed)
	default:
		pause := w.pause(failed)
		w.rest = w.outbox.opts.Now().Add(pause)
		return pause, w.postpone(after, letters, pause, failed)
	}
}

// send makes one attempt. A channel that does not end in time is left behind, and not asked again until it has ended.
func (w *worker) send(ctx context.Context, m notify.Message) error {
	ctx, cancel := context.WithTimeout(ctx, w.timeout)
	defer cancel()
	select {
	case w.busy <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("channel %s: an earlier attempt has not ended", w.name)
	}
	done := make(chan error, 1)
	go func() {
		defer func() { <-w.busy }()
		defer func() {
			if r := recover(); r != nil {
				done <- fmt.Errorf("channel %s: it panicked", w.name) // what it says may hold its address
			}
		}()
		done <- w.channel.Send(ctx, m)
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case err := <-done:
		return err
	case <-timer.C:
		return fmt.Errorf("channel %s: no answer within %s", w.name, w.timeout)
	}
}

// pause is how long the channel is left alone after a failure.
func (w *worker) pause(failed error) time.Duration {
	opts := w.outbox.opts
	pause := opts.MaxBackoff
	if w.failures < 20 {
		pause = min(opts.MaxBackoff, opts.Backoff<<w.failures)
	}
	w.failures++
	pause = pause/2 + rand.N(pause+1) //nolint:gosec // jitter is no secret
	if wanted, ok := errors.AsType[*notify.RetryAfterError](failed); ok {
		pause = max(pause, min(wanted.After, 24*time.Hour))
	}
	return max(pause, time.Millisecond)
}
