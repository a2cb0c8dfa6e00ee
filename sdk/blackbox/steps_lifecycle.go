package blackbox

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/sandbox"
)

// restartGrace is what a restarted instance has from SIGTERM to SIGKILL, as with docker restart.
const restartGrace = 10 * time.Second

func signal(ctx context.Context, i *instance, name string) error {
	signaler, ok := i.Instance.(sandbox.Signaler)
	if !ok {
		return missing(i, "sending signals")
	}
	n, err := signalNumber(name)
	if err != nil {
		return err
	}
	return signaler.Signal(ctx, n)
}

// stop sends a signal and waits for the end.
func stop(ctx context.Context, i *instance, name string, limit time.Duration) (sandbox.Exit, error) {
	if err := signal(ctx, i, name); err != nil {
		return sandbox.Exit{}, err
	}
	timed, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	exit, err := i.Wait(timed)
	if err != nil && ctx.Err() == nil && errors.Is(timed.Err(), context.DeadlineExceeded) {
		return exit, &Mismatch{What: "the instance", Expected: fmt.Sprintf("to end within %s of %s", limit, name), Found: "still running"}
	}
	return exit, err
}

// lifecycleSteps are about signals, the end of an instance and its restart. All of them change it.
func lifecycleSteps() []Step {
	const group = "Signals and shutdown"
	const serving = "When an instance is started\nThen within 10 seconds port 8080 accepts connections\n"
	return []Step{
		instanceStep(group, "the instance receives {signal}", "Sends a signal to the main process.",
			serving+"When the instance receives SIGTERM\nThen within 10 seconds the instance has ended",
			func(ctx context.Context, i *instance, a Args) error { return signal(ctx, i, a.String(0)) }).alone(),
		instanceStep(group, "the instance stops within {duration} on {signal}", "Sends a signal to the main process and passes when it ends in that time. Engines kill what takes longer than 10 seconds.",
			serving+"And the instance stops within 5 seconds on SIGTERM",
			func(ctx context.Context, i *instance, a Args) error {
				_, err := stop(ctx, i, a.String(1), a.Duration(0))
				return err
			}).alone(),
		instanceStep(group, "the instance stops within {duration} on {signal} with the exit code {int}", "Sends a signal to the main process and passes when it ends in that time with that code.",
			serving+"And the instance stops within 5 seconds on SIGTERM with the exit code 0",
			func(ctx context.Context, i *instance, a Args) error {
				exit, err := stop(ctx, i, a.String(1), a.Duration(0))
				if err != nil {
					return err
				}
				return expect(exit.Code == a.Int(2), "the instance", "exit code "+strconv.Itoa(a.Int(2)), exitText(exit))
			}).alone(),
		instanceStep(group, "the instance is still running {duration} after {signal}", "Sends a signal to the main process and passes when it has not ended after that time, as with SIGHUP for many services.",
			serving+"And the instance is still running 200 milliseconds after SIGHUP",
			func(ctx context.Context, i *instance, a Args) error {
				exit, err := stop(ctx, i, a.String(1), a.Duration(0))
				if _, ok := errors.AsType[*Mismatch](err); ok {
					return nil // that it still runs is what the step expects
				}
				if err != nil {
					return err
				}
				return &Mismatch{What: "the instance", Expected: "to be running after " + a.String(1), Found: "ended with " + exitText(exit)}
			}).alone(),
		instanceStep(group, "the instance is restarted", "Stops the main process with SIGTERM, after 10 seconds with SIGKILL, and starts it again on the same files.",
			serving+"When the instance is restarted\nThen within 10 seconds port 8080 accepts connections",
			func(ctx context.Context, i *instance, _ Args) error {
				restarter, ok := i.Instance.(sandbox.Restarter)
				if !ok {
					return missing(i, "restarting")
				}
				return restarter.Restart(ctx, restartGrace)
			}).alone(),
	}
}

// usageStep is a step about what the instance uses.
func usageStep(expression, doc, example string, test func(u sandbox.Usage, a Args) error) Step {
	return instanceStep("Resources", expression, doc, example, func(ctx context.Context, i *instance, a Args) error {
		meter, ok := i.Instance.(sandbox.Meter)
		if !ok {
			return missing(i, "measuring what an instance uses")
		}
		u, err := meter.Usage(ctx)
		if err != nil {
			return err
		}
		return test(u, a)
	}).within()
}

func resourceSteps() []Step {
	const started = "When an instance is started\nThen "
	return []Step{
		usageStep("the instance uses less than {size} of memory", "Compares the memory that all processes use at this moment, without the page cache.",
			started+"the instance uses less than 200 MiB of memory",
			func(u sandbox.Usage, a Args) error {
				return expect(u.Memory < a.Size(0), "the memory of the instance", fmt.Sprintf("less than %d bytes", a.Size(0)), fmt.Sprintf("%d bytes", u.Memory))
			}),
		usageStep("the instance uses less than {int} processes and threads", "Counts the processes and threads of the instance at this moment.",
			started+"the instance uses less than 100 processes and threads",
			func(u sandbox.Usage, a Args) error {
				return expect(u.PIDs < a.Int(0), "the processes and threads of the instance", fmt.Sprintf("less than %d", a.Int(0)), strconv.Itoa(u.PIDs))
			}),
		usageStep("the instance has used less than {duration} of processor time", "Compares the processor time that all processes used since the start.",
			started+"the instance has used less than 1 minute of processor time",
			func(u sandbox.Usage, a Args) error {
				return expect(u.CPU < a.Duration(0), "the processor time of the instance", "less than "+a.Duration(0).String(), u.CPU.String())
			}),
	}
}

func timeSteps() []Step {
	const group = "Time"
	return []Step{
		{
			Group: group, Kind: KindImage, Expression: "a time budget of {duration}",
			Doc:     "Ends the scenario as failed when it takes longer than that from here. Without the step the suite's limit holds, which is 2 minutes by default.",
			Example: "Given a time budget of 30 seconds",
			Func: func(_ context.Context, s *Scenario, a Args) error {
				s.budget(a.Duration(0))
				return nil
			},
		},
		{
			Group: group, Kind: KindImage, Expression: "the scenario took less than {duration}",
			Doc:     "Compares the time since the scenario began.",
			Example: "Then the scenario took less than 1 minute",
			Func: func(_ context.Context, s *Scenario, a Args) error {
				took := s.run.options.Now().Sub(s.planned.result.Started)
				return expect(took < a.Duration(0), "the time of the scenario", "less than "+a.Duration(0).String(), took.Round(time.Millisecond).String())
			},
		},
	}
}
