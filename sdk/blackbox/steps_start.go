package blackbox

import (
	"context"
)

// startSteps start instances and say which one the steps after them mean.
func startSteps() []Step {
	const group = "Instances"
	start := func(name, reference int) func(context.Context, *Scenario, Args) error {
		return func(ctx context.Context, s *Scenario, a Args) error {
			env, err := environment(a)
			if err != nil {
				return err
			}
			n, r := defaultName, ""
			if name >= 0 {
				n = a.String(name)
			}
			if reference >= 0 {
				r = a.String(reference)
			}
			return s.start(ctx, n, r, env)
		}
	}
	steps := []Step{
		{
			Expression: "an instance is started",
			Doc:        "Starts the image in the sandbox. The step waits until the main process runs, not until it serves.",
			Example:    "When an instance is started\nThen the instance is running",
			Func:       start(-1, -1),
		},
		{
			Expression: "an instance is started with the environment", Takes: TakesTable,
			Doc:     "Starts the image with variables added to its environment.",
			Example: "When an instance is started with the environment\n  | PORT | 8080 |\nThen within 10 seconds port 8080 accepts connections",
			Func:    start(-1, -1),
		},
		{
			Expression: "an instance {string} is started",
			Doc:        "Starts the image under a name. Instances of one scenario reach each other by their names, and nothing else.",
			Example:    "When an instance \"db\" is started\nAnd an instance \"web\" is started\nThen the instance is running",
			Func:       start(0, -1),
		},
		{
			Expression: "an instance {string} is started with the environment", Takes: TakesTable,
			Doc:     "Starts the image under a name, with variables added to its environment.",
			Example: "When an instance \"db\" is started\nAnd an instance \"web\" is started with the environment\n  | DB | db:5432 |\nThen the instance is running",
			Func:    start(0, -1),
		},
		{
			Expression: "an instance {string} of the image {string} is started",
			Doc:        "Starts another image, such as a service that the one under test needs.",
			Example:    "When an instance \"db\" of the image \"${database}\" is started\nThen the instance is running",
			Func:       start(0, 1),
		},
		{
			Expression: "an instance {string} of the image {string} is started with the environment", Takes: TakesTable,
			Doc:     "Starts another image, with variables added to its environment.",
			Example: "When an instance \"db\" of the image \"${database}\" is started with the environment\n  | MODE | test |\nThen the instance is running",
			Func:    start(0, 1),
		},
	}
	for i := range steps {
		steps[i].Group, steps[i].Kind, steps[i].Starts = group, KindInstance, true
	}
	return append(steps, Step{
		Group: group, Kind: KindInstance, Expression: "the instance {string} is looked at",
		Doc:     "Says which instance the next steps mean. Without it they mean the one that was started last.",
		Example: "When an instance \"db\" is started\nAnd an instance \"web\" is started\nAnd the instance \"db\" is looked at\nThen the instance is running",
		Func: func(_ context.Context, s *Scenario, a Args) error {
			i, err := s.instance(a.String(0))
			if err == nil {
				s.current = i
			}
			return err
		},
	})
}
