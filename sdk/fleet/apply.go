package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/audit"
)

// checkLimit is how long a place may take to say how an instance is.
const checkLimit = 10 * time.Second

// work takes one instance after the other.
func (u *run) work() {
	for {
		j, ok := u.q.pop()
		if !ok {
			return
		}
		if stop := u.stopped(u.context); stop != "" {
			u.finish(Result{Instance: j.Instance, Why: j.Why, Outcome: Left, Reason: stop, Wave: j.wave})
		} else {
			// What was begun comes to its end, also when the run is interrupted.
			u.finish(u.apply(context.WithoutCancel(u.context), j))
			if j.wave < 0 {
				u.release(u.context, j.Instance.Key())
			}
		}
		u.q.done(j)
	}
}

// finish writes a result down.
func (u *run) finish(one Result) {
	if err := u.w.result(one); err != nil {
		u.broken(err)
	}
	u.report(one)
}

// apply does to an instance what the remedy says.
func (u *run) apply(ctx context.Context, j job) Result {
	one := Result{Instance: j.Instance, Why: j.Why, Wave: j.wave, Began: u.r.now()}
	end := func(o Outcome, reason string) Result {
		one.Outcome, one.Reason, one.Took = o, reason, Duration(u.r.now().Sub(one.Began))
		return one
	}
	place := u.r.Inventory.Place(j.Instance.Place)
	if place == nil {
		return end(Dead, "no place has this name")
	}
	if err := u.silent(j.Instance.Place, nil, false); err != nil {
		return end(Dead, err.Error())
	}
	if reason := u.r.refused(u.o, j.Instance, u.approved); reason != "" {
		return end(Denied, reason)
	}
	checked, err := again(ctx, func() (Instance, error) {
		ctx, cancel := context.WithTimeout(ctx, checkLimit)
		defer cancel()
		return place.Check(ctx, j.Instance)
	})
	if err != nil {
		o := outcomeOf(err)
		if o == Dead || o == Unclear { // nothing was done yet
			_ = u.silent(j.Instance.Place, err, true)
			o = Dead
		}
		return end(o, err.Error())
	}
	_ = u.silent(j.Instance.Place, nil, true)
	one.Instance = checked
	u.mu.Lock()
	already := u.done[u.once(checked, "")]
	u.mu.Unlock()
	if already {
		return end(Already, "")
	}
	if held, err := u.claim(ctx, place, j); err != nil {
		return end(cmpOutcome(outcomeOf(err), Dead), err.Error())
	} else if held != "" {
		return end(Held, held)
	}
	if err := u.w.write(actionBegin, checked.Key(), audit.Allowed, struct{}{}); err != nil {
		u.broken(err)
		return end(Left, "the transcript can't be written")
	}
	o, reason := u.strategies(ctx, place, &one)
	return end(o, reason)
}

// silence is how often in a row a place did not answer, and the last error.
type silence struct {
	times int
	err   error
}

// silent notes whether a place answered, and returns why it is not asked any more: a dead host with a hundred instances
// must not cost a hundred time limits.
func (u *run) silent(place string, err error, asked bool) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	s := u.lost[place]
	if asked {
		if s.times++; err == nil {
			s.times = 0
		}
		s.err = err
		u.lost[place] = s
	}
	if s.times < 3 {
		return nil
	}
	return s.err
}

// cmpOutcome takes o, or where that would say that something was done, otherwise.
func cmpOutcome(o, otherwise Outcome) Outcome {
	if o == Unclear || o == Failed {
		return otherwise
	}
	return o
}

// strategies tries the remedy's strategies and completes the result.
func (u *run) strategies(ctx context.Context, place Place, one *Result) (Outcome, string) {
	m := u.o.Remedy
	o, reason := Impossible, ""
	for _, s := range m.strategies() {
		if no := u.r.Rights.allow(u.o.By, s, one.Instance, u.approved); no != "" {
			o, reason = Denied, no
			continue
		}
		one.Strategy = s
		act := Action{Strategy: s}
		if s.Runs() {
			act.Command = m.command(Step{Run: m.Run, Script: m.Script, Program: m.Program}, u.o.Secrets)
		}
		said, err := u.do(ctx, place, one.Instance, act, m.Expect)
		one.Command = said
		if errors.Is(err, ErrUnsupported) {
			o, reason = Impossible, strings.TrimPrefix(reason+"; "+fmt.Sprintf("%s: %v", s, err), "; ")
			continue
		}
		if err != nil {
			return u.after(ctx, place, one, err)
		}
		if said != nil && said.Wrong != "" {
			return u.wrong(ctx, place, one, "the command: "+said.Wrong, true)
		}
		if m.Verify == nil {
			return Done, ""
		}
		return u.verify(ctx, place, one)
	}
	return o, reason
}

func (u *run) verify(ctx context.Context, place Place, one *Result) (Outcome, string) {
	m := u.o.Remedy
	said, err := u.do(ctx, place, one.Instance, Action{Strategy: one.runs(), Command: m.command(*m.Verify, u.o.Secrets)}, m.Verify.Expect)
	one.Verification = said
	switch {
	case err != nil:
		return u.wrong(ctx, place, one, "the verification: "+err.Error(), true)
	case said.Wrong != "":
		return u.wrong(ctx, place, one, "the verification: "+said.Wrong, true)
	default:
		return Done, ""
	}
}

// runs is the strategy that further commands are run by.
func (r *Result) runs() Strategy {
	if r.Strategy.Runs() {
		return r.Strategy
	}
	return Exec
}

// ended begins the reason where the instance ended of the remedy.
const ended = "the instance ended while the command ran: "

// wrong is how a remedy that did not do what it should ends: the instance may have ended of it, or it is undone.
func (u *run) wrong(ctx context.Context, place Place, one *Result, reason string, undo bool) (Outcome, string) {
	if u.gone(ctx, place, one) {
		return Failed, ended + reason
	}
	if !undo {
		return Failed, reason
	}
	return Failed, u.undo(ctx, place, one, reason)
}

// gone says whether an instance has ended. A command that was killed may have been before its instance was.
func (u *run) gone(ctx context.Context, place Place, one *Result) bool {
	ctx, cancel := context.WithTimeout(ctx, checkLimit)
	defer cancel()
	const killed = 128 + 9
	for try := 0; ; try++ {
		_, err := place.Check(ctx, one.Instance)
		if errors.Is(err, ErrGone) {
			return true
		}
		if try == 5 || one.Command == nil || one.Command.Exit != killed {
			return false
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// undo takes back what failed, and returns the reason with what came of that.
func (u *run) undo(ctx context.Context, place Place, one *Result, reason string) string {
	m := u.o.Remedy
	if m.Undo == nil {
		return reason
	}
	said, err := u.do(ctx, place, one.Instance, Action{Strategy: one.runs(), Command: m.command(*m.Undo, u.o.Secrets)}, m.Undo.Expect)
	one.Undo = said
	switch {
	case err != nil:
		return reason + "; and it could not be undone: " + err.Error()
	case said.Wrong != "":
		return reason + "; and it could not be undone: " + said.Wrong
	default:
		return reason + "; it was undone"
	}
}

// after says what an action's error amounts to, by how the instance is now.
func (u *run) after(ctx context.Context, place Place, one *Result, err error) (Outcome, string) {
	o := outcomeOf(err)
	if o != Unclear && o != Failed {
		return o, err.Error()
	}
	failed, reason := u.wrong(ctx, place, one, err.Error(), o == Failed)
	if strings.HasPrefix(reason, ended) {
		return failed, reason
	}
	return o, reason
}

// do takes an action within the remedy's time limit, and redacts what it says.
func (u *run) do(ctx context.Context, place Place, i Instance, act Action, expect Expect) (*Said, error) {
	limit := u.o.Remedy.timeout()
	out, err := again(ctx, func() (Output, error) {
		ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("%w of %s", errTooLong, limit))
		defer cancel()
		return place.Do(ctx, i, act)
	})
	if !act.Strategy.Runs() {
		return nil, err
	}
	said := &Said{Exit: out.Exit, Stdout: u.clean(out.Stdout), Stderr: u.clean(out.Stderr), Truncated: out.Truncated}
	if err == nil {
		said.Wrong = expect.check(out)
	}
	return said, err
}

// errTooLong is the cause of a command that ran longer than it may.
var errTooLong = errors.New("it ran longer than its time limit")

// again asks twice more where a place did not answer and nothing was done.
func again[T any](ctx context.Context, f func() (T, error)) (T, error) {
	got, err := f()
	for _, wait := range []time.Duration{200 * time.Millisecond, time.Second} {
		if !errors.Is(err, ErrUnreached) {
			break
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return got, err
		}
		got, err = f()
	}
	return got, err
}

func outcomeOf(err error) Outcome {
	switch {
	case errors.Is(err, ErrGone):
		return Gone
	case errors.Is(err, ErrUnreached):
		return Dead
	case errors.Is(err, ErrUnsupported):
		return Impossible
	case errors.Is(err, ErrRefused):
		return Denied
	case errors.Is(err, errTooLong):
		return Failed
	default:
		return Unclear
	}
}

// claimed is what the run holds at a place.
type claimed struct {
	once    sync.Once
	ids     []string
	held    map[string]string
	release func(context.Context) error
	err     error
}

// claimed returns what a job's instance is claimed with: all others of its wave at its place, or nothing else.
func (u *run) claimed(j job) *claimed {
	key := j.Instance.Place
	if j.wave < 0 {
		key = j.Instance.Key()
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	c := u.claims[key]
	if c == nil {
		c = &claimed{ids: []string{j.Instance.ID}}
		u.claims[key] = c
	}
	return c
}

// claim takes the instance for this run. It says who holds it otherwise.
func (u *run) claim(ctx context.Context, place Place, j job) (held string, err error) {
	c, ok := place.(Claimer)
	if !ok {
		return "", nil
	}
	mine := u.claimed(j)
	mine.once.Do(func() {
		ctx, cancel := context.WithTimeout(ctx, checkLimit)
		defer cancel()
		now := u.r.now()
		mine.held, mine.release, mine.err = c.Claim(ctx, Claim{
			Run: u.t.Run, Remedy: u.o.Remedy.Name, By: u.o.By, IDs: mine.ids,
			Now: now, Until: now.Add(time.Duration(len(mine.ids))*4*u.o.Remedy.timeout() + time.Minute),
		})
	})
	return mine.held[j.Instance.ID], mine.err
}

// release gives claims back, also when the run is interrupted.
func (u *run) release(ctx context.Context, keys ...string) {
	var wg sync.WaitGroup
	for _, key := range keys {
		u.mu.Lock()
		c := u.claims[key]
		delete(u.claims, key)
		u.mu.Unlock()
		if c == nil || c.release == nil {
			continue
		}
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), checkLimit)
			defer cancel()
			_ = c.release(ctx) // it ends by itself
		})
	}
	wg.Wait()
}

// redactor replaces the values of secrets.
func redactor(o Order) *strings.Replacer {
	var values []string
	for _, name := range o.Remedy.Secrets {
		values = append(values, o.Secrets[name])
	}
	slices.SortFunc(values, func(a, b string) int { return len(b) - len(a) }) // one may begin with another
	var pairs []string
	for _, v := range values {
		pairs = append(pairs, v, "***")
	}
	return strings.NewReplacer(pairs...)
}

// clean makes text of an output, without secrets.
func (u *run) clean(out []byte) string {
	return u.secrets.Replace(strings.ToValidUTF8(string(out), "\uFFFD"))
}

func unmarshal(text string, v any) error { return json.Unmarshal([]byte(text), v) }
