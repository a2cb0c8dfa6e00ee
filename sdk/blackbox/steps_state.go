package blackbox

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/plimsoll-dev/plimsoll/sdk/sandbox"
)

// instanceStep is a step about the instance that the scenario means.
func instanceStep(group, expression, doc, example string, test func(ctx context.Context, i *instance, a Args) error) Step {
	return Step{
		Group: group, Kind: KindInstance, Expression: expression, Doc: doc, Example: example,
		Func: func(ctx context.Context, s *Scenario, a Args) error {
			i, err := s.instance("")
			if err != nil {
				return err
			}
			return test(ctx, i, a)
		},
	}
}

func (s Step) within() Step { s.Within = true; return s }
func (s Step) alone() Step  { s.Alone = true; return s }

// missing is the error of a step that needs what the sandbox does not do.
func missing(i *instance, what string) error {
	return fmt.Errorf("%s: %w", what, fmt.Errorf("instance %s: %w", i.ID(), sandbox.ErrUnsupported))
}

// glance is how long a look at whether an instance has ended may take.
const glance = 10 * time.Millisecond

// ended returns how the main process ended, and whether it has.
func ended(ctx context.Context, i *instance) (sandbox.Exit, bool, error) {
	timed, cancel := context.WithTimeout(ctx, glance)
	defer cancel()
	exit, err := i.Wait(timed)
	if err != nil && ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		return exit, false, nil
	}
	return exit, err == nil, err
}

func exitText(e sandbox.Exit) string {
	s := "exit code " + strconv.Itoa(e.Code)
	if e.Signal != 0 {
		s += ", killed by " + signalName(e.Signal)
	}
	if e.OOM {
		s += ", out of memory"
	}
	return s
}

func stateSteps() []Step {
	const group = "State of the instance"
	return []Step{
		instanceStep(group, "the instance is running", "Passes when the main process has not ended.",
			"When an instance is started\nThen the instance is running",
			func(ctx context.Context, i *instance, _ Args) error {
				exit, over, err := ended(ctx, i)
				if err != nil {
					return err
				}
				return expect(!over, "the instance", "to be running", "ended with "+exitText(exit))
			}).within(),
		instanceStep(group, "the instance keeps running for {duration}", "Passes when the main process has not ended at the end of that time.",
			"When an instance is started\nThen the instance keeps running for 200 milliseconds",
			func(ctx context.Context, i *instance, a Args) error {
				timed, cancel := context.WithTimeout(ctx, a.Duration(0))
				defer cancel()
				exit, err := i.Wait(timed)
				if err != nil && errors.Is(timed.Err(), context.DeadlineExceeded) && ctx.Err() == nil {
					return nil
				}
				if err != nil {
					return err
				}
				return &Mismatch{What: "the instance", Expected: "to keep running for " + a.Duration(0).String(), Found: "ended with " + exitText(exit)}
			}),
		instanceStep(group, "the instance has ended", "Passes when the main process has ended, in whatever way.",
			"Given the arguments \"exit 3\"\nWhen an instance is started\nThen within 10 seconds the instance has ended",
			func(ctx context.Context, i *instance, _ Args) error {
				_, over, err := ended(ctx, i)
				if err != nil {
					return err
				}
				return expect(over, "the instance", "to have ended", "still running")
			}).within().alone(),
		instanceStep(group, "the instance has ended with the exit code {int}", "Passes when the main process has ended with that code. One that a signal killed has 128 and the signal's number.",
			"Given the arguments \"exit 3\"\nWhen an instance is started\nThen within 10 seconds the instance has ended with the exit code 3",
			func(ctx context.Context, i *instance, a Args) error {
				exit, over, err := ended(ctx, i)
				if err != nil {
					return err
				}
				want := "exit code " + strconv.Itoa(a.Int(0))
				if !over {
					return &Mismatch{What: "the instance", Expected: want, Found: "still running"}
				}
				return expect(exit.Code == a.Int(0), "the instance", want, exitText(exit))
			}).within().alone(),
		instanceStep(group, "the instance has not run out of memory", "Passes unless the memory limit has ended the main process.",
			"When an instance is started\nThen the instance has not run out of memory",
			func(ctx context.Context, i *instance, _ Args) error {
				exit, over, err := ended(ctx, i)
				if err != nil {
					return err
				}
				return expect(!over || !exit.OOM, "the instance", "enough memory", exitText(exit))
			}),
		instanceStep(group, "the instance has run out of memory", "Passes when the memory limit has ended the main process.",
			"Given a memory limit of 32 MiB\nAnd the arguments \"eat 256\"\nWhen an instance is started\nThen within 20 seconds the instance has run out of memory",
			func(ctx context.Context, i *instance, _ Args) error {
				exit, over, err := ended(ctx, i)
				if err != nil {
					return err
				}
				return expect(over && exit.OOM, "the instance", "out of memory", map[bool]string{true: exitText(exit), false: "still running"}[over])
			}).within().alone(),
		instanceStep(group, "the instance is healthy", "Runs the image's own health check in the instance. It passes when that exits with 0.",
			"When an instance is started\nThen within 10 seconds the instance is healthy",
			func(ctx context.Context, i *instance, _ Args) error {
				out, err := health(ctx, i)
				if err != nil {
					return err
				}
				return expect(out.Exit.Code == 0, "the health check", "exit code 0", exitText(out.Exit)+": "+quote(string(out.Logs.Stdout)+string(out.Logs.Stderr)))
			}).within(),
		instanceStep(group, "the instance is not healthy", "Runs the image's own health check in the instance. It passes when that exits with anything but 0.",
			"When an instance is started with the environment\n  | SICK | yes |\nThen the instance is not healthy",
			func(ctx context.Context, i *instance, _ Args) error {
				out, err := health(ctx, i)
				if err != nil {
					return err
				}
				return expect(out.Exit.Code != 0, "the health check", "an exit code other than 0", exitText(out.Exit))
			}).within(),
	}
}

// health runs the health check of an instance's image, as engines do: with a shell only if the image says so.
func health(ctx context.Context, i *instance) (sandbox.Output, error) {
	execer, ok := i.Instance.(sandbox.Execer)
	if !ok {
		return sandbox.Output{}, missing(i, "running the health check")
	}
	config := i.image.Config.Config
	if !hasHealthcheck(config) {
		return sandbox.Output{}, &Mismatch{What: "the health check of the image", Expected: "one", Found: "none"}
	}
	args, err := healthArgs(config)
	if err != nil {
		return sandbox.Output{}, err
	}
	if t := config.Healthcheck.Timeout; t > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, t)
		defer cancel()
	}
	return execer.Exec(ctx, sandbox.Command{Args: args})
}

func healthArgs(c v1.Config) ([]string, error) {
	switch test := c.Healthcheck.Test; {
	case test[0] == "CMD" && len(test) > 1:
		return test[1:], nil
	case test[0] == "CMD-SHELL" && len(test) == 2:
		shell := []string{"/bin/sh", "-c"}
		if len(c.Shell) > 0 {
			shell = c.Shell
		}
		return append(append([]string(nil), shell...), test[1]), nil
	default:
		return nil, fmt.Errorf("the image has a malformed health check: %s", list(test))
	}
}
