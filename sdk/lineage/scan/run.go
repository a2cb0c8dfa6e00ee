package scan

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
)

// run is one scan.
type run struct {
	*Scanner
	opts     Options
	slots    chan struct{} // one for each request under way
	limit    *rate.Limiter
	checked  map[string]string // by repository: when what all its tags point to was last asked
	writer   *writer
	progress counters

	failed   atomic.Int64
	mu       sync.Mutex
	problems []Problem
	failures map[string]int // by repository
}

// marks is the prefix of the store's marks that are a scan's: "scan/<repository>" is when all tags were last asked about.
const marks = "scan/"

func (s *Scanner) start(ctx context.Context) (*run, error) {
	r := &run{Scanner: s, opts: s.Options, failures: map[string]int{}}
	if r.opts.Connections <= 0 {
		r.opts.Connections = 8
	}
	if r.opts.Recheck == 0 {
		r.opts.Recheck = 24 * time.Hour
	}
	if r.opts.Now == nil {
		r.opts.Now = time.Now //nolint:forbidigo // the default of a clock that can be given
	}
	r.slots = make(chan struct{}, r.opts.Connections)
	r.limit = rate.NewLimiter(rate.Inf, 1)
	if r.opts.PerSecond > 0 {
		r.limit = rate.NewLimiter(rate.Limit(r.opts.PerSecond), 1)
	}
	var err error
	if r.checked, err = s.Store.Marks(ctx, marks); err != nil {
		return nil, err
	}
	r.writer = newWriter(ctx, s.Store)
	return r, nil
}

// ask sends a request when there is a slot for it and the limit allows it.
func (r *run) ask(ctx context.Context, request func() error) error {
	select {
	case r.slots <- struct{}{}:
		defer func() { <-r.slots }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if err := r.limit.Wait(ctx); err != nil {
		return err
	}
	r.progress.requests.Add(1)
	return request()
}

func (r *run) tell() {
	if r.opts.Progress != nil {
		r.opts.Progress(r.progress.now())
	}
}

// problem keeps what could not be read.
func (r *run) problem(ref string, err error) {
	const most = 100
	r.failed.Add(1)
	r.mu.Lock()
	defer r.mu.Unlock()
	repository, _ := lineage.SplitName(ref)
	r.failures[repository]++
	if len(r.problems) < most {
		r.problems = append(r.problems, Problem{Ref: ref, Error: err.Error()})
	}
}

// whole says whether nothing failed in a repository.
func (r *run) whole(repository string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failures[repository] == 0
}

func (r *run) result() Result {
	r.mu.Lock()
	defer r.mu.Unlock()
	return Result{Progress: r.progress.now(), Failed: r.failed.Load(), Problems: r.problems}
}
