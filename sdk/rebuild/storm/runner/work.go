package runner

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/blackbox"
	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
	"github.com/plimsoll-dev/plimsoll/sdk/rebuild"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
)

// Why a run was stopped from outside.
var (
	errStopping  = errors.New("the storm's process stops")
	errCancelled = errors.New("the campaign was cancelled")
)

// ending is how a run ended.
type ending struct {
	state, result, target, reason string
	verb                          rebuild.Verb
	moved                         *rebuild.Moved
}

// leftError is an image about which nothing can be done: an answer, and no failure.
type leftError struct{ why string }

func (e *leftError) Error() string { return e.why }

// verbError says that an image has to be built again, as it turned out.
type verbError struct{ why string }

func (e *verbError) Error() string { return e.why }

// bannedError says that the replacement may not be stood on any more.
type bannedError struct{ why string }

func (e *bannedError) Error() string { return e.why }

// work does a run, and then whatever else was released: the queue need not be asked for each.
func (r *Runner) work(ctx context.Context, a args) {
	for r.one(ctx, a) {
		if err := r.dispatch(ctx); err != nil {
			return
		}
		var err error
		if a, err = r.store.next(ctx); err != nil {
			return
		}
	}
}

// one does one run, and says whether this process may go on.
func (r *Runner) one(ctx context.Context, a args) bool {
	run, err := r.store.begin(ctx, a, r.worker)
	if err != nil {
		return errors.Is(err, errLost) // another worker was faster
	}
	runCtx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	runCtx, stop := context.WithTimeout(runCtx, r.opts.Timeout)
	defer stop()
	r.register(run.campaign, run.ID, cancel)
	defer r.register(run.campaign, run.ID, nil)
	e, err := r.do(runCtx, run)
	cause := context.Cause(runCtx)
	r.finish(context.WithoutCancel(ctx), run, e, err, cause)
	return !errors.Is(cause, errStopping)
}

func (r *Runner) do(ctx context.Context, run *run) (e ending, err error) {
	defer func() {
		if broken := recover(); broken != nil {
			r.log.ErrorContext(ctx, "an image met an error of the storm", "image", run.Reference(), "panic", broken, "stack", string(debug.Stack()))
			err = errors.New("an error of the storm, which its log has: tell Ops")
		}
	}()
	e = ending{state: done, verb: run.verb, target: run.To}
	if run.Parent != "" {
		if err := r.above(ctx, run); err != nil {
			return e, err
		}
		e.target = run.To
	}
	if r.opts.Allowed != nil && run.To != "" {
		why, err := r.opts.Allowed(ctx, run.ToName, digestOf(run.To))
		if err != nil {
			return e, err
		}
		if why != "" {
			return e, &bannedError{why}
		}
	}
	if run.verb == rebuild.DoRebuild {
		e.moved, err = r.rebuild(ctx, run)
	} else {
		e.moved, err = r.rebase(ctx, run)
	}
	if e.moved != nil {
		e.result = e.moved.Reference
	}
	if err != nil {
		return e, err
	}
	if len(e.moved.Tags) == 0 {
		return e, &leftError{"it was published anew meanwhile, and that stays: " + kept(e.moved.Kept)}
	}
	return e, nil
}

func kept(tags map[string]string) string {
	var texts []string
	for tag, digest := range tags {
		texts = append(texts, tag+" is "+digest)
	}
	slices.Sort(texts)
	return strings.Join(texts, ", ")
}

// above takes what became of the image that this one stands on as its new base.
func (r *Runner) above(ctx context.Context, run *run) error {
	reference, base, err := run.result(ctx, run.Parent)
	if err != nil {
		return err
	}
	run.To, run.ToName = reference, base.Repository
	if len(base.Tags) > 0 {
		run.ToName += ":" + base.Tags[0]
	}
	return nil
}

// rebase replaces the base's layers if that is proven to be right.
func (r *Runner) rebase(ctx context.Context, run *run) (*rebuild.Moved, error) {
	if run.From == "" || run.To == "" || len(run.Evidence) == 0 {
		return nil, &verbError{"what it stands on, or is to stand on, is not known by digest"}
	}
	order := run.Order(run.From, run.To, rebuild.Names{Base: run.ToName, Because: run.campaign})
	plan, err := r.mover.Plan(ctx, order)
	if err != nil {
		return nil, err
	}
	if plan.Verb != rebuild.DoRebase {
		run.Reasons = nil
		for _, v := range plan.Manifests {
			run.Reasons = append(run.Reasons, v.Reasons...)
		}
		return nil, &verbError{"it cannot be rebased: " + run.Reasons[0].String()}
	}
	if r.opts.Tester != nil || r.opts.Evidence != nil {
		order.Test = func(ctx context.Context, reference string) error { return r.vouch(ctx, run, plan, reference) }
	}
	moved, err := r.mover.Rebase(ctx, order, plan)
	if err != nil || len(moved.Tags) == 0 {
		return moved, err
	}
	return moved, r.record(ctx, run, moved)
}

// vouch tests a rebased image and issues its evidence, before any tag moves.
func (r *Runner) vouch(ctx context.Context, run *run, plan *rebuild.Plan, reference string) error {
	var verdict *blackbox.Verdict
	if r.opts.Tester != nil {
		var err error
		if verdict, err = r.opts.Tester.Test(ctx, &run.Item, reference); err != nil {
			return err
		}
		if verdict == nil {
			return errors.New("no scenario tests it: give its definition features, or require some of every image")
		}
		if err := verdict.Err(); err != nil {
			return err
		}
	}
	if r.opts.Evidence == nil {
		return nil
	}
	return r.opts.Evidence.issue(ctx, run, plan, verdict, reference)
}

// rebuild has the image built again, and moves the tags.
func (r *Runner) rebuild(ctx context.Context, run *run) (*rebuild.Moved, error) {
	i := slices.IndexFunc(r.opts.Engines, func(e Engine) bool { return e.Name == run.engine })
	switch {
	case run.Definition.Commit == "" || run.Definition.Grade < lineage.GradeBuild:
		return nil, &leftError{"it has to be built again, and no record or signed provenance says from which commit"}
	case i < 0:
		return nil, fmt.Errorf("%w: this process does not have the engine %q", ErrBusy, run.engine)
	}
	if err := r.wanted(ctx, run); err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(run.campaign + " " + run.ID + " " + run.To))
	reference, err := r.opts.Engines[i].Rebuilder.Rebuild(ctx, Request{
		Campaign: run.campaign, Because: run.because, Item: run.Item, Key: hex.EncodeToString(sum[:16]),
		Made: func(ctx context.Context, inputs string) ([]string, error) {
			references, busy, err := run.made(ctx, inputs)
			if err == nil && busy && len(references) == 0 {
				err = ErrBusy
			}
			return references, err
		},
		Publishing: run.publishing,
	})
	if err != nil {
		return nil, err
	}
	if err := run.holds(ctx, reference); err != nil {
		return nil, err
	}
	if reference, err = r.bring(ctx, run, reference); err != nil {
		return nil, err
	}
	if digestOf(reference) == run.Digest {
		return nil, &leftError{"built again it is what it was: its definition leads to the same base as before"}
	}
	if r.opts.Evidence != nil {
		if err := r.opts.Evidence.issue(ctx, run, nil, nil, reference); err != nil {
			return nil, err
		}
	}
	moved, err := r.mover.Retag(ctx, run.Repository, run.Digest, digestOf(reference), run.Tags)
	if err != nil || r.opts.Lineage == nil {
		return moved, err
	}
	// Its builder recorded what it stands on, and did not know its tags: by them a deny bundle knows it.
	return moved, r.opts.Lineage.Put(ctx, lineage.Batch{Tags: r.tags(run, moved, digestOf(reference))})
}

// wanted looks whether a tag is left to move, before a build is spent on it.
func (r *Runner) wanted(ctx context.Context, run *run) error {
	now := map[string]string{}
	for _, tag := range run.Tags {
		digest, err := r.opts.Registry.Resolve(ctx, run.Repository+":"+tag)
		if err != nil && !errors.Is(err, registry.ErrNotFound) {
			return err
		}
		if digest == run.Digest || digest != "" && digest == digestOf(run.making) {
			return nil
		}
		now[tag] = digest
	}
	return &leftError{"it was published anew meanwhile, and that stays: " + kept(now)}
}

// bring has the image in the repository whose tags are to move: one build may do for several.
func (r *Runner) bring(ctx context.Context, run *run, reference string) (string, error) {
	repository, digest, _ := strings.Cut(reference, "@")
	if repository == run.Repository {
		return reference, nil
	}
	index, err := r.opts.Registry.Index(ctx, reference)
	if err != nil {
		return "", err
	}
	if _, err := r.opts.Registry.Push(ctx, run.Repository, index, registry.PushOptions{}); err != nil {
		return "", err
	}
	return run.Repository + "@" + digest, nil
}

// finish records how a run ended. The database is asked until it answers.
func (r *Runner) finish(ctx context.Context, run *run, e ending, err, cause error) {
	e.reason = ""
	if err != nil {
		e.reason = err.Error()
	}
	leftErr, isLeft := errors.AsType[*leftError](err)
	verb, isVerb := errors.AsType[*verbError](err)
	bannedErr, isBanned := errors.AsType[*bannedError](err)
	switch {
	case err == nil:
	case errors.Is(err, errLost):
		return
	case errors.Is(cause, errStopping):
		r.persist(ctx, func(ctx context.Context) error {
			return run.back(ctx, run.verb, "its process stopped; it is begun again", 0)
		})
		return
	case errors.Is(cause, errCancelled):
		e.state = cancelled
	case isBanned:
		r.persist(ctx, func(ctx context.Context) error {
			if err := run.back(ctx, run.verb, bannedErr.why, 0); err != nil {
				return err
			}
			_, err := r.set(ctx, run.campaign, `state = 'paused', reason = ?`, `('running')`, bannedErr.why+": plan again")
			return err
		})
		return
	case isVerb && (len(r.opts.Engines) == 0 || run.Definition.Commit == ""):
		e.state = left
		e.reason = verb.why + "; and it cannot be built again: " + why(len(r.opts.Engines) == 0, "there is no builder", "its commit is not known")
	case isVerb:
		r.persist(ctx, func(ctx context.Context) error {
			if err := run.replan(ctx); err != nil {
				return err
			}
			return run.back(ctx, rebuild.DoRebuild, verb.why, 0)
		})
		return
	case isLeft:
		e.state, e.reason = left, leftErr.why
	case errors.Is(err, ErrBusy):
		r.persist(ctx, func(ctx context.Context) error { return run.back(ctx, run.verb, e.reason, 500*time.Millisecond) })
		return
	case IsFault(err):
		ended := false
		r.persist(ctx, func(ctx context.Context) (err error) {
			ended, err = run.again(ctx, e.reason, min(r.opts.Backoff<<min(run.faults, 20), time.Minute), r.opts.Attempts)
			return err
		})
		if !ended {
			return
		}
		e.state = failed
	default:
		e.state = failed
	}
	r.persist(ctx, func(ctx context.Context) error { return run.end(ctx, e, r.opts.Breaker) })
	r.log.InfoContext(ctx, "image", "campaign", run.campaign, "image", run.Reference(), "state", e.state, "result", e.result, "reason", e.reason)
	if e.state == done {
		r.announce(ctx, run, e)
	}
}

func why(first bool, a, b string) string {
	if first {
		return a
	}
	return b
}

// persist calls f until it worked or there is nothing more to record.
func (r *Runner) persist(ctx context.Context, f func(context.Context) error) {
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		try, cancel := context.WithTimeout(ctx, 20*time.Second)
		err := f(try)
		cancel()
		if err == nil || errors.Is(err, errLost) || strings.Contains(err.Error(), "database is closed") || strings.Contains(err.Error(), "closed pool") {
			return
		}
		r.log.WarnContext(ctx, "how an image ended could not be recorded; it is tried again", "error", err)
		time.Sleep(wait)
	}
}

// passing are errors of the machine and the network that may be gone in a while.
var passing = []error{
	registry.ErrUnavailable, io.ErrUnexpectedEOF, io.EOF,
	syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.EPIPE, syscall.ENOSPC, syscall.EHOSTUNREACH, syscall.ENETUNREACH,
}

// IsFault says whether an error is no answer and may pass.
func IsFault(err error) bool {
	if slices.ContainsFunc(passing, func(p error) bool { return errors.Is(err, p) }) {
		return true
	}
	network, ok := errors.AsType[net.Error](err)
	return ok && network.Timeout()
}

func digestOf(reference string) string {
	_, digest, _ := strings.Cut(reference, "@")
	return digest
}
