package blackbox

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/sandbox"
)

// output is what the last command of a scenario left.
type output struct {
	sandbox.Output
	command string
}

func commandSteps() []Step {
	const group = "Commands"
	const started = "When an instance is started\n"
	// exits compares the exit code and, where the step has one, the text that must be in the output.
	exits := func(run func(context.Context, *Scenario, string) error) func(context.Context, *Scenario, Args) error {
		return func(ctx context.Context, s *Scenario, a Args) error {
			if err := run(ctx, s, a.String(0)); err != nil {
				return err
			}
			if err := s.output.hasCode(a.Int(1)); err != nil || len(a.values) < 3 {
				return err
			}
			text, err := whole(s.output.Logs, "the output")
			if err != nil {
				return err
			}
			return contains("the output of "+a.String(0), text, a.String(2))
		}
	}
	once := func(ctx context.Context, s *Scenario, line string) error {
		args, err := words(line)
		if err != nil {
			return err
		}
		return s.runOnce(ctx, args)
	}
	inside := func(ctx context.Context, s *Scenario, line string) error {
		return s.execLine(ctx, line, sandbox.Command{})
	}
	steps := []Step{
		{
			Expression: "the command {string} is run",
			Doc:        "Runs a command of the image in a new instance, in place of entrypoint and command, and waits for its end. Words are split as a shell would; there is no shell.",
			Example:    "When the command \"/app/service version\" is run\nThen the exit code is 0",
			Func:       func(ctx context.Context, s *Scenario, a Args) error { return once(ctx, s, a.String(0)) },
		},
		{
			Expression: "the command {string} is run with the arguments", Takes: TakesTable,
			Doc:     "Runs a command of the image in a new instance with the arguments in the table, one in each row, just as they are.",
			Example: "When the command \"/app/service\" is run with the arguments\n  | version |\nThen the exit code is 0",
			Func: func(ctx context.Context, s *Scenario, a Args) error {
				args, err := a.List()
				if err != nil {
					return err
				}
				return s.runOnce(ctx, append([]string{a.String(0)}, args...))
			},
		},
		{
			Expression: "the command {string} exits with {int}",
			Doc:        "Runs a command of the image in a new instance and compares its exit code.",
			Example:    "Then the command \"/app/service version\" exits with 0",
			Func:       exits(once),
		},
		{
			Expression: "the command {string} exits with {int} and prints {string}",
			Doc:        "Runs a command of the image in a new instance, compares its exit code, and passes when standard output or standard error has the text in it.",
			Example:    "Then the command \"/app/service version\" exits with 0 and prints \"1.4\"",
			Func:       exits(once),
		},
		{
			Expression: "the command {string} is run in the instance", Alone: true,
			Doc:     "Runs a command in the running instance, without a shell, and waits for its end.",
			Example: started + "And the command \"/app/service version\" is run in the instance\nThen the exit code is 0",
			Func:    func(ctx context.Context, s *Scenario, a Args) error { return inside(ctx, s, a.String(0)) },
		},
		{
			Expression: "the command {string} is run in the instance with the arguments", Alone: true, Takes: TakesTable,
			Doc:     "Runs a command in the running instance with the arguments in the table, one in each row, just as they are.",
			Example: started + "And the command \"/app/service\" is run in the instance with the arguments\n  | version |\nThen the exit code is 0",
			Func: func(ctx context.Context, s *Scenario, a Args) error {
				args, err := a.List()
				if err != nil {
					return err
				}
				return s.exec(ctx, sandbox.Command{Args: append([]string{a.String(0)}, args...)})
			},
		},
		{
			Expression: "the command {string} is run in the instance as the user {string}", Alone: true,
			Doc:     "Runs a command in the running instance as another user, by name or number.",
			Example: started + "And the command \"/app/service whoami\" is run in the instance as the user \"65534\"\nThen the standard output contains \"65534\"",
			Func: func(ctx context.Context, s *Scenario, a Args) error {
				return s.execLine(ctx, a.String(0), sandbox.Command{User: a.String(1)})
			},
		},
		{
			Expression: "the command {string} is run in the instance with the input", Alone: true, Takes: TakesDocString,
			Doc:     "Runs a command in the running instance with the doc string on its standard input.",
			Example: started + "And the command \"/app/service upper\" is run in the instance with the input\n  \"\"\"\n  hello\n  \"\"\"\nThen the standard output contains \"HELLO\"",
			Func: func(ctx context.Context, s *Scenario, a Args) error {
				return s.execLine(ctx, a.String(0), sandbox.Command{Stdin: strings.NewReader(a.DocString + "\n")})
			},
		},
		{
			Expression: "the command {string} exits with {int} in the instance", Alone: true, Within: true,
			Doc:     "Runs a command in the running instance and compares its exit code.",
			Example: started + "Then the command \"/app/service version\" exits with 0 in the instance",
			Func:    exits(inside),
		},
		{
			Expression: "the command {string} exits with {int} in the instance and prints {string}", Alone: true, Within: true,
			Doc:     "Runs a command in the running instance, compares its exit code, and passes when its output has the text in it.",
			Example: started + "Then the command \"/app/service version\" exits with 0 in the instance and prints \"1.4\"",
			Func:    exits(inside),
		},
	}
	for i := range steps {
		steps[i].Group, steps[i].Kind = group, KindInstance
	}
	return steps
}

// runOnce runs a command as the main process of an instance of its own.
func (s *Scenario) runOnce(ctx context.Context, args []string) (err error) {
	s.output = nil
	line := strings.Join(args, " ")
	spec := s.takeSpec(s.image)
	spec.Name, spec.Network = "command", s.network
	spec.Entrypoint, spec.Args = args[:1], args[1:]
	begun := s.run.options.Now()
	i, err := s.startAlone(ctx, spec)
	if err != nil {
		return fmt.Errorf("command %q: %w", line, err)
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUpTime)
		defer cancel()
		err = errors.Join(err, i.Close(ctx))
	}()
	exit, err := i.Wait(ctx)
	if err != nil {
		return fmt.Errorf("command %q: waiting for its end: %w", line, err)
	}
	took := s.run.options.Now().Sub(begun)
	logs, err := i.Logs(ctx)
	if err != nil {
		return err
	}
	s.remember(line, sandbox.Output{Exit: exit, Logs: logs, Duration: took})
	return nil
}

// execLine is exec with the words of a line.
func (s *Scenario) execLine(ctx context.Context, line string, c sandbox.Command) (err error) {
	if c.Args, err = words(line); err != nil {
		return err
	}
	return s.exec(ctx, c)
}

// exec runs a command in the running instance.
func (s *Scenario) exec(ctx context.Context, c sandbox.Command) error {
	s.output = nil
	line := strings.Join(c.Args, " ")
	i, err := s.instance("")
	if err != nil {
		return err
	}
	execer, ok := i.Instance.(sandbox.Execer)
	if !ok {
		return missing(i, "running commands in an instance")
	}
	out, err := execer.Exec(ctx, c)
	if err != nil {
		return fmt.Errorf("command %q: %w", line, err)
	}
	s.remember(line, out)
	return nil
}

func (s *Scenario) remember(line string, out sandbox.Output) {
	s.output = &output{Output: out, command: line}
	s.Attach("output of "+line, "text/plain", tail(append(append([]byte(nil), out.Logs.Stdout...), out.Logs.Stderr...)))
}

func (o *output) hasCode(want int) error {
	found := exitText(o.Exit)
	if text := strings.TrimSpace(string(o.Logs.Stderr)); o.Exit.Code != want && text != "" {
		found += ": " + quote(text)
	}
	return expect(o.Exit.Code == want, o.command, "exit code "+strconv.Itoa(want), found)
}
