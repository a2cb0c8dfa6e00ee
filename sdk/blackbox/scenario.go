package blackbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/cucumber/godog"

	"github.com/plimsoll-dev/plimsoll/sdk/sandbox"
)

// Scenario is what steps share while a scenario runs. It belongs to that scenario alone.
type Scenario struct {
	run     *run
	planned *planned
	next    int // the step to run
	cancel  context.CancelFunc
	budget  func(time.Duration)

	image     *Image
	spec      sandbox.Spec // of the next instance
	network   string
	instances map[string]*instance
	current   *instance   // that steps mean by "the instance"
	looked    []*instance // by the step that runs
	output    *output     // of the last command
	response  *response   // to the last request
	attached  []Attachment
}

func newScenario(r *run, p *planned) *Scenario {
	s := &Scenario{run: r, planned: p, image: r.image, instances: map[string]*instance{}}
	s.spec.Limits = r.options.Limits
	if p.starts > 1 {
		s.network = "scenario-" + p.result.ID
	}
	return s
}

// begin starts the clock of the scenario.
func (s *Scenario) begin(ctx context.Context) context.Context {
	s.planned.began = true
	s.planned.result.Started = s.run.options.Now()
	ctx, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(s.run.options.ScenarioTime, func() { cancel(errTime) })
	s.budget = func(d time.Duration) { timer.Reset(d) }
	s.cancel = func() { timer.Stop(); cancel(nil) }
	return ctx
}

var errTime = errors.New("the scenario's time is over")

// step runs the next step. godog stops calling after one that did not pass.
func (s *Scenario) step(ctx context.Context) error {
	i := s.next
	s.next++
	result := &s.planned.result.Steps[i]
	if s.run.untested != "" && s.planned.needs {
		result.Status, result.Error = Untested, s.run.untested
		return godog.ErrSkip
	}
	started := s.run.options.Now()
	err := s.planned.errs[i]
	if err == nil {
		err = s.call(ctx, s.planned.calls[i])
	}
	result.Duration = s.run.options.Now().Sub(started)
	result.Status = statusOf(err)
	if err != nil {
		err = s.explainEnd(ctx, err)
		result.Error = err.Error()
		if mismatch, ok := errors.AsType[*Mismatch](err); ok {
			result.Expected, result.Found = mismatch.Expected, mismatch.Found
		}
		s.attachLogs(ctx)
		err = fmt.Errorf("%s: %w", result.Place, err)
	}
	result.Attachments, s.attached = s.attached, nil
	return err
}

// call runs a step, again and again where the feature gives it time.
func (s *Scenario) call(ctx context.Context, c call) error {
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	var err error
	if c.wait > 0 {
		s.looked = nil
		err = eventually(ctx, c.wait, func(ctx context.Context) (final bool, err error) {
			final = s.over(ctx) // what has ended will not change
			return final, s.invoke(ctx, c)
		})
	} else {
		err = s.invoke(ctx, c)
	}
	if err != nil && errors.Is(context.Cause(ctx), errTime) {
		return fmt.Errorf("%w: %w", errTime, err)
	}
	return err
}

// invoke runs a step once. A panic in it is its failure and nobody else's.
func (s *Scenario) invoke(ctx context.Context, c call) (err error) {
	defer func() {
		if r := recover(); r != nil {
			s.Attach("stack of the panic", "text/plain", debug.Stack())
			err = fmt.Errorf("the step panicked: %v", r)
		}
	}()
	return c.step.Func(ctx, s, c.args)
}

// errFinal is the reason why a step was not tried until its time was over.
var errFinal = errors.New("waiting longer changes nothing")

// explainEnd says how the instance ended where that is why a step did not pass.
func (s *Scenario) explainEnd(ctx context.Context, err error) error {
	if s.current == nil || !errors.Is(err, os.ErrProcessDone) && !errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, errFinal) {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	exit, waitErr := s.current.Wait(ctx)
	switch {
	case waitErr != nil && errors.Is(err, errFinal):
		return fmt.Errorf("%w: %w", err, waitErr)
	case waitErr != nil:
		return err
	}
	return fmt.Errorf("%w: the instance ended with %s", err, exitText(exit))
}

func statusOf(err error) Status {
	var match *matchError
	switch {
	case err == nil:
		return Passed
	case errors.As(err, &match):
		return match.status
	case errors.Is(err, godog.ErrPending):
		return Pending
	default:
		return Failed
	}
}

// end judges the scenario and gives back what it used.
func (s *Scenario) end(ctx context.Context) {
	r := &s.planned.result
	r.Status = Passed
	for _, step := range r.Steps {
		if step.Status != Passed && step.Status != Skipped {
			r.Status = step.Status
			break
		}
	}
	if r.Status == Passed && s.next < len(r.Steps) {
		r.Status = Failed // something other than a step ended it
	}
	s.release(ctx)
	r.Duration = s.run.options.Now().Sub(r.Started)
	s.cancel()
	s.run.ended(*r)
}

// over says whether all instances that the step has looked at, at least one, have ended, or can't be watched any more.
func (s *Scenario) over(ctx context.Context) bool {
	if ctx.Err() != nil {
		return false
	}
	for _, i := range s.looked {
		short, cancel := context.WithTimeout(ctx, time.Millisecond)
		_, err := i.Wait(short)
		cancel()
		if err != nil && short.Err() != nil {
			return false
		}
	}
	return len(s.looked) > 0
}

// eventually tries until f passes, says that its answer is final, or the time is over. What a sandbox can't do, waiting
// won't change.
func eventually(ctx context.Context, limit time.Duration, f func(context.Context) (final bool, err error)) error {
	timed, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var last error
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, 250*time.Millisecond) {
		final, err := f(timed)
		switch {
		case err == nil || errors.Is(err, sandbox.ErrUnsupported):
			return err
		case final:
			return fmt.Errorf("%w; %w", err, errFinal)
		}
		if last == nil || timed.Err() == nil {
			last = err // one that the end of the time cut off says less than the one before
		}
		select {
		case <-timed.Done():
			return fmt.Errorf("still so after %s: %w", limit, last)
		case <-time.After(pause):
		}
	}
}

// Image is the image that the scenario is about: the one under test, unless a step named another.
func (s *Scenario) Image() *Image { return s.image }

// Attach adds something to the result of the current step.
func (s *Scenario) Attach(name, mediaType string, body []byte) {
	s.attached = append(s.attached, Attachment{Name: name, MediaType: mediaType, Body: body})
}

// Loosen records that the scenario asks for more than the sandbox's default lock, so that its results say so.
func (s *Scenario) Loosen(what string) {
	s.planned.result.Loosened = append(s.planned.result.Loosened, what)
}
