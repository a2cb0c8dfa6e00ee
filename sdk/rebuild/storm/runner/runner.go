// Package runner does what a preview of package storm says: a storm, with waves, quotas, a first few images, a breaker, and
// in a way that survives a crash at any point.
//
//	r, err := runner.Open(ctx, runner.Options{Database: "storm.db", Registry: client})
//	planner := &storm.Planner{Lineage: store, Mover: r.Mover(), Past: r}
//	preview, err := planner.Preview(ctx, question)
//	status, err := r.Start(ctx, preview)
//	err = r.Run(ctx) // until ctx ends; Wait says when a campaign is over
//
// What is to be done and how far it is stands in an SQLite file or in PostgreSQL; River brings it to workers, of this
// process and with PostgreSQL of others. A run that was begun twice finds the same: a rebased image has the same digest each
// time, what a build is about to publish is recorded before it is there, and a tag is moved only if it still points to the
// image that was planned. Nothing is overwritten: the old image stays where it is, by its digest.
package runner

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/plimsoll-dev/plimsoll/internal/riverqueue"
	"github.com/plimsoll-dev/plimsoll/sdk/blackbox"
	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
	"github.com/plimsoll-dev/plimsoll/sdk/notify"
	"github.com/plimsoll-dev/plimsoll/sdk/rebuild"
	"github.com/plimsoll-dev/plimsoll/sdk/rebuild/storm"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
)

// Options of a runner. Database and Registry are required.
type Options struct {
	// Database is an SQLite file, which is made if it is not there, or a URL such as postgres://user:password@host/name. With
	// a file all processes are on one machine.
	Database string
	// Registry has the credentials to write.
	Registry *registry.Client
	// Engines build. Without any, images that cannot be rebased are left.
	Engines []Engine
	// Tester tests a rebased image before its tags move. Nil tests nothing. A rebuilt image is tested by its engine.
	Tester Tester
	// Evidence issues the evidence of a rebased image anew. Nil issues none.
	Evidence *Evidence
	// Lineage is told on what the new images stand; a lineage.Store is one. Nil tells nobody.
	Lineage Lineage
	// Allowed says why an image may not be stood on by now, "" if it may: it is asked before each image, so that a
	// replacement that is banned itself meanwhile pauses the campaign. Nil allows all. See [storm.Banned].
	Allowed func(ctx context.Context, name, digest string) (why string, err error)
	// Notifier is told of what was done, once for each image, and of the end, once for each owner. Nil tells nobody.
	Notifier notify.Notifier
	// Workers is how many images this process does at once. Default 4; negative does none.
	Workers int
	Limits  Limits
	// Canary is how many images are done before all others. Default 3; negative none.
	Canary  int
	Breaker Breaker
	// Cap is how often a definition is done in one campaign. Default 3.
	Cap int
	// Debounce is how long a campaign waits for more before it begins. Default 0.
	Debounce time.Duration
	// Timeout is for one run. Default 1 h.
	Timeout time.Duration
	// Attempts is how often a fault that may pass is met before an image has failed. Default 8. Backoff is the wait after the
	// first; it doubles, up to a minute. Default 1 s.
	Attempts int
	Backoff  time.Duration
	// Lost is how long a worker may be silent before it counts as dead. Default 10 s.
	Lost time.Duration
	// Now is the clock of records. Default time.Now; the database has its own.
	Now func() time.Time
	// Log receives what is worth knowing. Nil discards.
	Log *slog.Logger
}

// Breaker says when a campaign is paused because too much fails.
type Breaker struct {
	// Rate is the part that may fail, from 0 to 1. Default 0.2. After is how many have to be over first. Default 10.
	Rate  float64
	After int
}

// Engine is a place where images are built.
type Engine struct {
	Name string
	// Slots is how many builds it does at once, over all processes. Default 1.
	Slots     int
	Rebuilder Rebuilder
}

// Rebuilder builds an image again from its commit, on its new base. Implementations are in package storm/rebuilder: on a
// pipeline of one's own, and on the build service.
type Rebuilder interface {
	// Rebuild publishes the image by digest, tested and with its evidence, sets no tag, and returns the reference. Errors
	// that wrap [ErrBusy] are tried again soon, those of [IsFault] later, and all others are the image's end.
	Rebuild(ctx context.Context, r Request) (reference string, err error)
}

// RebuilderFunc is a function that is a Rebuilder.
type RebuilderFunc func(ctx context.Context, r Request) (string, error)

// Rebuild calls f.
func (f RebuilderFunc) Rebuild(ctx context.Context, r Request) (string, error) { return f(ctx, r) }

// Request asks for a build.
type Request struct {
	Campaign, Because string
	Item              storm.Item
	// Key is the same whenever the same is asked for.
	Key string
	// Made returns what was published of the same inputs (a hash of all that the build reads): this image's own earlier
	// attempts first. It wraps [ErrBusy] while another image's build has the same.
	Made func(ctx context.Context, inputs string) (references []string, err error)
	// Publishing records what is about to be published. It has to be called before it is.
	Publishing func(ctx context.Context, inputs, reference string) error
}

// Tester tests an image with what its definition and Ops demand of it. An image that does not pass is a verdict whose
// [blackbox.Verdict.Err] says so; no verdict means that nothing tests it, and it is refused. It is safe for concurrent use.
type Tester interface {
	Test(ctx context.Context, item *storm.Item, reference string) (*blackbox.Verdict, error)
}

// Lineage takes what new images stand on.
type Lineage interface {
	Put(ctx context.Context, batch lineage.Batch) error
}

// ErrBusy says that another image's build has the same inputs just now.
var ErrBusy = errors.New("another build has the same inputs just now")

// Runner runs storms. Make it with [Open]. It is safe for concurrent use.
type Runner struct {
	opts   Options
	store  *store
	queue  riverqueue.Queue[args]
	mover  *rebuild.Mover
	log    *slog.Logger
	worker string
	wake   chan struct{}

	mu      sync.Mutex
	running map[string]map[string]context.CancelCauseFunc // by campaign and item
}

// Open opens the database. The caller closes the runner.
func Open(ctx context.Context, opts Options) (*Runner, error) {
	if opts.Database == "" || opts.Registry == nil {
		return nil, errors.New("the storm needs a database and a registry")
	}
	opts.defaults()
	s, err := openStore(ctx, opts.Database)
	if err != nil {
		return nil, fmt.Errorf("the storm's %w", err)
	}
	r := &Runner{
		opts: opts, store: s, log: opts.Log, worker: newID(), wake: make(chan struct{}, 1), mover: rebuild.NewMover(opts.Registry, s),
		running: map[string]map[string]context.CancelCauseFunc{},
	}
	if opts.Workers < 0 {
		return r, nil
	}
	r.queue, err = riverqueue.New(ctx, s.DB, riverqueue.Options{Name: "plimsoll_storm", Slots: opts.Workers, Poll: 100 * time.Millisecond, Log: slog.New(slog.DiscardHandler)}, r.work)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the storm's queue: %w", err), s.Close())
	}
	return r, nil
}

func (o *Options) defaults() {
	set(&o.Workers, 4)
	set(&o.Limits.Total, 8)
	set(&o.Canary, 3)
	set(&o.Breaker.Rate, 0.2)
	set(&o.Breaker.After, 10)
	set(&o.Cap, 3)
	set(&o.Timeout, time.Hour)
	set(&o.Attempts, 8)
	set(&o.Backoff, time.Second)
	set(&o.Lost, 10*time.Second)
	if o.Now == nil {
		o.Now = time.Now //nolint:forbidigo // the default of a clock that can be given
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
}

func set[T comparable](value *T, to T) {
	var zero T
	if *value == zero {
		*value = to
	}
}

func newID() string {
	var b [10]byte
	_, _ = rand.Read(b[:]) // it never fails (crypto/rand)
	return hex.EncodeToString(b[:])
}

// Mover judges and moves images with a cache in the runner's database: a planner that has it makes the storm cheap.
func (r *Runner) Mover() *rebuild.Mover { return r.mover }

// Close closes the database. Nothing may run any more.
func (r *Runner) Close() error { return r.store.Close() }

// Run does images until ctx ends; then it begins none, and puts back those under way.
func (r *Runner) Run(ctx context.Context) error {
	if r.queue == nil {
		return errors.New("this runner was opened to do nothing")
	}
	alive, die := context.WithCancel(context.WithoutCancel(ctx))
	defer die()
	if err := r.beat(alive); err != nil {
		return fmt.Errorf("the storm: %w", err)
	}
	if err := r.queue.Start(alive); err != nil {
		return fmt.Errorf("the storm's queue: %w", err)
	}
	var loops sync.WaitGroup
	loops.Go(func() { r.every(alive, min(r.opts.Lost/4, time.Second), nil, r.beat) })
	loops.Go(func() { r.every(ctx, 250*time.Millisecond, r.wake, r.dispatch) })
	loops.Go(func() { r.every(ctx, time.Second, nil, r.tell) })
	<-ctx.Done()
	r.stop(func(string) bool { return true }, errStopping)
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	err := r.queue.Stop(end)
	die()
	loops.Wait()
	return errors.Join(err, r.store.gone(end, r.worker))
}

// Wait returns when a campaign is over, or paused, or ctx ends; each says how far it is whenever that changes. Somebody has
// to run.
func (r *Runner) Wait(ctx context.Context, campaign string, each func(*Status)) (*Status, error) {
	for tick := time.NewTicker(200 * time.Millisecond); ; {
		s, err := r.Status(ctx, campaign)
		if err != nil {
			tick.Stop()
			return nil, err
		}
		if each != nil {
			each(s)
		}
		if s.State.Over() || s.State == Paused {
			tick.Stop()
			return s, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			tick.Stop()
			return s, context.Cause(ctx)
		}
	}
}

// every calls f at intervals and when woken. What fails is logged and tried again.
func (r *Runner) every(ctx context.Context, interval time.Duration, wake <-chan struct{}, f func(context.Context) error) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		if err := f(ctx); err != nil && ctx.Err() == nil {
			r.log.WarnContext(ctx, "the storm: will be tried again", "error", err)
		}
		select {
		case <-tick.C:
		case <-wake:
		case <-ctx.Done():
			return
		}
	}
}

func (r *Runner) nudge() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// beat says that this process is alive, and stops what was cancelled.
func (r *Runner) beat(ctx context.Context) error {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	cancelled, err := r.store.beat(ctx, r.worker, host)
	if err != nil {
		return err
	}
	r.stop(func(campaign string) bool { return cancelled[campaign] }, errCancelled)
	return nil
}

func (r *Runner) stop(which func(campaign string) bool, cause error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for campaign, items := range r.running {
		for _, cancel := range items {
			if which(campaign) {
				cancel(cause)
			}
		}
	}
}

// register notes how to stop an item; nil forgets it.
func (r *Runner) register(campaign, item string, cancel context.CancelCauseFunc) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.running[campaign] == nil {
		r.running[campaign] = map[string]context.CancelCauseFunc{}
	}
	if r.running[campaign][item] = cancel; cancel == nil {
		delete(r.running[campaign], item)
	}
}

// dispatch releases what may run and hands it to the queue.
func (r *Runner) dispatch(ctx context.Context) error {
	now, err := r.store.dispatch(ctx, r.opts.Limits, r.opts.Engines, 2*r.opts.Workers, r.opts.Lost)
	if err != nil {
		return err
	}
	for _, a := range now {
		if err := r.queue.Insert(ctx, a, 1); err != nil {
			return err
		}
	}
	return nil
}
