package fleet

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/audit"
)

// Runner runs remedies. Its methods are safe for concurrent use, as long as each run has a log of its own or they share
// one.
type Runner struct {
	// Inventory is what runs; refreshed by the caller, and for watching followed.
	Inventory *Inventory
	// Log takes the transcript. What can't be written there is not done. Required but for [Runner.Plan].
	Log *audit.Log
	// Rights say who may do what; nil lets everybody do everything.
	Rights *Rights
	// Now is the clock. Default time.Now.
	Now func() time.Time
	// Result is called with each result as it comes, one at a time. May be nil.
	Result func(Result)
}

// Order is who wants a remedy run, and how.
type Order struct {
	Remedy Remedy
	// Selector is the remedy's condition.
	Selector Selector
	// By is who orders it, as the caller knows them.
	By        string
	Approvals []Approval
	// Secrets are the values of [Remedy.Secrets].
	Secrets map[string]string
	// Watch goes on after the last wave: instances that start or restart get the remedy too, until it expires or the
	// context ends. The inventory must be followed.
	Watch bool
}

// Knower is a Selector that looks facts up before instances are judged.
type Knower interface {
	Know(ctx context.Context, instances []Instance) error
}

// Refresher is a Selector whose facts grow old.
type Refresher interface {
	Refresh(ctx context.Context) error
}

// Plan is what a run would do.
type Plan struct {
	Remedy  Remedy     `json:"remedy"`
	Digest  string     `json:"digest"`
	Meant   []Selected `json:"meant"`
	Unknown []Selected `json:"unknown"`
	// Refused are those among the ones meant that the rights keep from who orders it, with the reason.
	Refused   []Result    `json:"refused,omitempty"`
	Unreached []Unreached `json:"unreached,omitempty"`
	// Waves are their sizes, the canary first.
	Waves []int `json:"waves"`
}

// Plan says what a run would do now, and does nothing.
func (r *Runner) Plan(ctx context.Context, o Order) (Plan, error) {
	p := Plan{Remedy: o.Remedy, Digest: o.Remedy.Digest(), Unreached: r.Inventory.Unreached()}
	if err := r.admit(o); err != nil {
		return p, err
	}
	meant, unknown, err := r.choose(ctx, o)
	if err != nil {
		return p, err
	}
	p.Unknown = unknown
	approved := o.approved(r.now())
	for _, s := range meant {
		if reason := r.refused(o, s.Instance, approved); reason != "" {
			p.Refused = append(p.Refused, Result{Instance: s.Instance, Why: s.Why, Outcome: Denied, Reason: reason})
			continue
		}
		p.Meant = append(p.Meant, s)
	}
	plan, err := limits(o.Remedy, len(p.Meant))
	for _, w := range waves(p.Meant, plan) {
		p.Waves = append(p.Waves, len(w))
	}
	return p, err
}

// admit says why an order can't be run at all.
func (r *Runner) admit(o Order) error {
	if err := o.Remedy.Validate(); err != nil {
		return err
	}
	now := r.now()
	switch expires := o.Remedy.Expires; {
	case o.By == "":
		return errors.New("nobody is named who orders the remedy")
	case o.Selector == nil:
		return errors.New("the remedy's condition is not compiled")
	case !expires.IsZero() && !now.Before(expires):
		return fmt.Errorf("%w at %s: look whether the rebuilt images are out, or set another date", ErrExpired, expires.Format(time.RFC3339))
	case o.Watch && expires.IsZero():
		return errors.New("a remedy that is watched over needs a date on which it expires")
	case o.Remedy.Approval && !o.approved(now):
		return fmt.Errorf("%w: it has digest %s", ErrUnapproved, o.Remedy.Digest())
	}
	for _, name := range o.Remedy.Secrets {
		if o.Secrets[name] == "" {
			return fmt.Errorf("secret %s has no value", name)
		}
	}
	return nil
}

// choose returns what is meant and what is unknown.
func (r *Runner) choose(ctx context.Context, o Order) (meant, unknown []Selected, err error) {
	all := r.Inventory.Instances()
	if k, ok := o.Selector.(Knower); ok {
		if err := k.Know(ctx, all); err != nil {
			return nil, nil, fmt.Errorf("lineage of what runs: %w", err)
		}
	}
	meant, unknown = Select(all, o.Selector)
	return meant, unknown, nil
}

// refused says why none of the remedy's strategies may be taken on an instance.
func (r *Runner) refused(o Order, i Instance, approved bool) string {
	reason := ""
	for _, s := range o.Remedy.strategies() {
		if reason = r.Rights.allow(o.By, s, i, approved); reason == "" {
			return ""
		}
	}
	return reason
}

// plan is a remedy's limits in numbers.
type plan struct {
	canary, wave, failures       int
	parallel, perHost, perServce int
}

func limits(m Remedy, all int) (plan, error) {
	l := m.Limits
	p := plan{parallel: cmp.Or(l.Parallel, 20), perHost: cmp.Or(l.PerHost, 4), perServce: cmp.Or(l.PerService, 1)}
	var errs [3]error
	p.canary, errs[0] = l.Canary.of(all, 1)
	p.wave, errs[1] = l.Wave.of(all, max(all, 1))
	p.failures, errs[2] = l.Failures.of(all, max(3, all/20))
	return p, errors.Join(errs[:]...)
}

// waves cuts what is meant into the canary and the waves after it. The canary is taken from all over the fleet.
func waves(meant []Selected, p plan) [][]Selected {
	if len(meant) == 0 {
		return nil
	}
	n := min(p.canary, len(meant))
	var canary, rest []Selected
	for at, s := range meant {
		if len(canary) < n && at*n/len(meant) == len(canary) {
			canary = append(canary, s)
		} else {
			rest = append(rest, s)
		}
	}
	all := [][]Selected{canary}
	return slices.AppendSeq(all, slices.Chunk(rest, p.wave))
}

func (r *Runner) now() time.Time {
	if r.Now != nil {
		return r.Now()
	}
	return time.Now() //nolint:forbidigo // the default of a clock that can be given
}

// Run runs a remedy in everything that is meant, wave by wave, and returns what came of it. An error says that the run
// could not begin, or that its transcript can't be written any more; the transcript that is returned with it says how far
// it came. That instances failed is no error: see [Transcript.Complete].
//
// When ctx ends nothing more is begun, what was begun comes to its end, and the transcript says what is left. A run of
// the same remedy with the same log does what is missing: it leaves out what was done, unless it has restarted.
func (r *Runner) Run(ctx context.Context, o Order) (*Transcript, error) {
	if r.Log == nil {
		return nil, errors.New("a run needs a log for its transcript")
	}
	if err := r.admit(o); err != nil {
		return nil, err
	}
	run := &run{r: r, o: o, approved: o.approved(r.now()), done: map[string]bool{}, claims: map[string]*claimed{}}
	run.secrets = redactor(o)
	run.t = &Transcript{
		Version: 1, Run: strings.ToLower(rand.Text()[:16]), Remedy: o.Remedy, Digest: o.Remedy.Digest(), By: o.By, Approvals: o.Approvals,
		Watch: o.Watch, Began: r.now(), Results: []Result{}, Counts: map[Outcome]int{},
	}
	run.w = &record{log: r.Log, t: run.t}
	err := run.run(ctx)
	run.t.Chain = r.Log.Checkpoint()
	return run.t, err
}

// run is a run at work.
type run struct {
	r        *Runner
	o        Order
	plan     plan
	approved bool
	secrets  *strings.Replacer
	w        *record
	q        *queue
	context  context.Context //nolint:containedctx // of the workers, which a queue feeds

	mu     sync.Mutex
	t      *Transcript
	done   map[string]bool // what earlier runs did, by key and start
	failed int
	stop   string // why nothing more is begun
	err    error  // why nothing more can be written
	claims map[string]*claimed
	lost   map[string]silence // places that do not answer
}

func (u *run) run(ctx context.Context) error {
	changes := make(chan Change)
	if u.o.Watch {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadlineCause(ctx, u.o.Remedy.Expires, ErrExpired)
		defer cancel()
		// From before the list is taken, so that nothing starts in between unseen.
		u.r.Inventory.Subscribe(ctx, func(c Change) {
			select {
			case changes <- c:
			case <-ctx.Done():
			}
		})
	}
	if err := u.recall(); err != nil {
		return err
	}
	meant, unknown, err := u.r.choose(ctx, u.o)
	if err != nil {
		return err
	}
	if u.plan, err = limits(u.o.Remedy, len(meant)); err != nil {
		return err
	}
	u.t.Unknown, u.t.Unreached = unknown, u.r.Inventory.Unreached()
	head := *u.t
	head.Unknown, head.Unreached = nil, nil
	if err := errors.Join(u.w.write(actionOrder, u.o.Remedy.Name, audit.Allowed, head), inChunks(u.w, actionUnsure, unknown)); err != nil {
		return err
	}
	u.q = newQueue(u.plan.perHost, u.plan.perServce)
	u.context, u.lost = ctx, map[string]silence{}
	var workers sync.WaitGroup
	for range u.plan.parallel {
		workers.Go(u.work)
	}
	left := u.waves(ctx, waves(meant, u.plan))
	if u.o.Watch && u.stopped(ctx) == "" {
		u.watch(ctx, changes, meant)
	}
	u.q.drain()
	u.q.close()
	workers.Wait()
	return u.end(left)
}

// recall reads from the log what earlier runs of the very same remedy did.
func (u *run) recall() error {
	for e, err := range audit.Read(u.r.Log.FS(), 1) {
		if err != nil {
			return fmt.Errorf("what earlier runs did: %w", err)
		}
		if e.Action == actionResult && e.Outcome == audit.Done && e.Detail["remedy"] == u.t.Digest {
			var one Result
			if err := unmarshal(e.Detail["body"], &one); err != nil {
				return fmt.Errorf("what earlier runs did: line %d: %w", e.Seq, err)
			}
			u.done[u.once(one.Instance, one.Strategy)] = true
		}
	}
	return nil
}

// once names what has to be done once: an instance since it was started, or for a remedy that starts it again, for good.
func (u *run) once(i Instance, s Strategy) string {
	if s == Restart || slices.Contains(u.o.Remedy.strategies(), Restart) {
		return i.Key()
	}
	return i.Key() + "@" + i.Started.UTC().Format(time.RFC3339Nano)
}

// waves works on one wave after the other and returns what was not begun.
func (u *run) waves(ctx context.Context, all [][]Selected) (left []Selected) {
	for n, wave := range all {
		if n > 1 && u.stopped(ctx) == "" {
			select {
			case <-time.After(time.Duration(u.o.Remedy.Limits.Pause)):
			case <-ctx.Done():
			}
		}
		if u.stopped(ctx) != "" {
			left = append(left, wave...)
			continue
		}
		ids := map[string]*claimed{}
		for _, s := range wave {
			c := ids[s.Instance.Place]
			if c == nil {
				c = &claimed{}
				ids[s.Instance.Place] = c
			}
			c.ids = append(c.ids, s.Instance.ID)
		}
		u.mu.Lock()
		maps.Copy(u.claims, ids)
		u.mu.Unlock()
		for _, s := range wave {
			u.q.push(job{s, n})
		}
		u.q.drain()
		u.release(ctx, slices.Collect(maps.Keys(ids))...)
		if n == 0 {
			u.mu.Lock()
			if u.failed > 0 && u.stop == "" {
				u.stop = "it failed in the canary"
			}
			u.mu.Unlock()
		}
	}
	return left
}

// stopped says why nothing more is begun, "" if it is.
func (u *run) stopped(ctx context.Context) string {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.stop == "" && ctx.Err() != nil {
		u.stop = "interrupted"
		if errors.Is(context.Cause(ctx), ErrExpired) {
			u.stop = ErrExpired.Error()
		}
	}
	if expires := u.o.Remedy.Expires; u.stop == "" && !expires.IsZero() && !u.r.now().Before(expires) {
		u.stop = ErrExpired.Error()
	}
	return u.stop
}

// end writes the end of the run.
func (u *run) end(left []Selected) error {
	if u.o.Watch && (u.stop == "" || u.stop == ErrExpired.Error() && len(left) == 0) {
		u.stop = "" // that is how it was to end
	}
	var results []Result
	for _, s := range left {
		one := Result{Instance: s.Instance, Why: s.Why, Outcome: Left, Reason: u.stop}
		results = append(results, one)
		u.report(one)
	}
	u.t.Stopped, u.t.Ended = u.stop, u.r.now()
	return errors.Join(u.err, inChunks(u.w, actionLeft, results),
		u.w.write(actionEnd, u.o.Remedy.Name, audit.Done, ending{u.t.Stopped, u.t.Unreached, u.t.Counts}))
}

// report takes a result into the transcript.
func (u *run) report(one Result) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.t.add(one)
	if one.Outcome == Failed || one.Outcome == Unclear {
		if u.failed++; u.failed >= u.plan.failures && u.stop == "" {
			u.stop = fmt.Sprintf("%d instances failed", u.failed)
		}
	}
	if u.r.Result != nil {
		u.r.Result(one)
	}
}

// broken notes that the transcript can't be written.
func (u *run) broken(err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.err = errors.Join(u.err, err)
	u.stop = "the transcript can't be written"
}

// watch works on what starts, until the context ends or the breaker opens. What was meant from the beginning is left to
// the waves, unless it starts again.
func (u *run) watch(ctx context.Context, changes <-chan Change, meant []Selected) {
	seen := map[string]time.Time{}
	for _, s := range meant {
		seen[s.Instance.Key()] = s.Instance.Started
	}
	refreshed := u.r.now()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for u.stopped(ctx) == "" {
		select {
		case <-ctx.Done():
			return
		case <-tick.C: // the breaker, or the clock
		case c := <-changes:
			i := c.Instance
			if c.Ended {
				continue
			}
			if started, known := seen[i.Key()]; known && started.Equal(i.Started) {
				continue
			}
			v := u.judge(ctx, i, &refreshed)
			switch v.Meant {
			case No:
			case Yes:
				seen[i.Key()] = i.Started
				u.q.push(job{Selected{i, v}, -1})
			default:
				s := Selected{i, v}
				seen[i.Key()] = i.Started
				u.mu.Lock()
				u.t.Unknown = append(u.t.Unknown, s)
				u.mu.Unlock()
				if err := inChunks(u.w, actionUnsure, []Selected{s}); err != nil {
					u.broken(err)
				}
			}
		}
	}
}

// judge asks about an instance that started. Where it is unknown, lineage is asked again: its image may just have been
// built.
func (u *run) judge(ctx context.Context, i Instance, refreshed *time.Time) Verdict {
	know := func() error {
		if k, ok := u.o.Selector.(Knower); ok {
			return k.Know(ctx, []Instance{i})
		}
		return nil
	}
	if err := know(); err != nil {
		return Verdict{Meant: Unknown, Why: []string{err.Error()}}
	}
	v := u.o.Selector.Select(&i)
	again, ok := u.o.Selector.(Refresher)
	if !ok || v.Meant == Yes || u.r.now().Sub(*refreshed) < 10*time.Second {
		return v
	}
	*refreshed = u.r.now()
	if err := errors.Join(again.Refresh(ctx), know()); err != nil {
		return Verdict{Meant: Unknown, Why: []string{err.Error()}}
	}
	return u.o.Selector.Select(&i)
}
