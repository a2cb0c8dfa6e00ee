package blackbox

import (
	"context"
	"fmt"
	"path"
	"strings"

	"github.com/google/shlex"
)

// setupSteps describe the next instance, and are about which image a scenario is.
func setupSteps() []Step {
	const group = "Setup"
	return []Step{
		{
			Group: group, Kind: KindImage, Expression: "the image under test",
			Doc:     "Says that the scenario is about the image that the suite was given. It is so without the step, too.",
			Example: "Given the image under test",
			Func: func(_ context.Context, s *Scenario, _ Args) error {
				s.image = s.run.image
				return nil
			},
		},
		{
			Group: group, Kind: KindImage, Expression: "the image {string}",
			Doc:     "Says which image the scenario is about: the one under test by its reference or digest, or another that the suite can find.",
			Example: `Given the image "${image}"`,
			Func: func(ctx context.Context, s *Scenario, a Args) error {
				image, err := s.resolve(ctx, a.String(0))
				if err == nil {
					s.image = image
				}
				return err
			},
		},
		{
			Group: group, Kind: KindImage, Takes: TakesTable, Expression: "the environment",
			Doc:     "Adds variables to the environment of the next instance.",
			Example: "Given the environment\n  | GREETING | hello |\nWhen an instance is started\nThen within 10 seconds the log contains \"hello\"",
			Func: func(_ context.Context, s *Scenario, a Args) error {
				env, err := environment(a)
				s.spec.Env = append(s.spec.Env, env...)
				return err
			},
		},
		{
			Group: group, Kind: KindImage, Expression: "the arguments {string}",
			Doc:     "Replaces the image's command for the next instance. Words are split as a shell would, with quotes; nothing else of a shell happens.",
			Example: "Given the arguments \"serve --verbose\"\nWhen an instance is started\nThen the instance is running",
			Func: func(_ context.Context, s *Scenario, a Args) (err error) {
				s.spec.Args, err = words(a.String(0))
				return err
			},
		},
		{
			Group: group, Kind: KindImage, Expression: "the entrypoint {string}",
			Doc:     "Replaces the image's entrypoint for the next instance, and its command by nothing.",
			Example: "Given the entrypoint \"/app/service serve\"\nWhen an instance is started\nThen the instance is running",
			Func: func(_ context.Context, s *Scenario, a Args) (err error) {
				s.spec.Entrypoint, err = words(a.String(0))
				if s.spec.Args == nil {
					s.spec.Args = []string{}
				}
				return err
			},
		},
		{
			Group: group, Kind: KindImage, Expression: "the user {string}",
			Doc:     "Replaces the image's user for the next instance: a name or number, with \":\" and a group where wanted.",
			Example: "Given the user \"65534:65534\"\nWhen an instance is started\nThen the instance runs as the user 65534",
			Func: func(_ context.Context, s *Scenario, a Args) error {
				s.spec.User = a.String(0)
				if name, _, _ := strings.Cut(a.String(0), ":"); name == "0" || name == "root" {
					s.Loosen("runs as root")
				}
				return nil
			},
		},
		{
			Group: group, Kind: KindImage, Expression: "the working directory {string}",
			Doc:     "Replaces the image's working directory for the next instance.",
			Example: "Given the working directory \"/tmp\"\nWhen an instance is started\nThen the instance is running",
			Func: func(_ context.Context, s *Scenario, a Args) error {
				s.spec.Dir = a.String(0)
				return absolute(a.String(0))
			},
		},
		{
			Group: group, Kind: KindImage, Takes: TakesDocString, Expression: "the file {string} with the content",
			Doc:     "Puts a file into the next instance before it starts, readable by everybody.",
			Example: "Given the file \"/etc/app.conf\" with the content\n  \"\"\"\n  level = debug\n  \"\"\"\nWhen an instance is started\nThen the instance is running",
			Func: func(_ context.Context, s *Scenario, a Args) error {
				if s.spec.Files == nil {
					s.spec.Files = map[string][]byte{}
				}
				s.spec.Files[a.String(0)] = []byte(a.DocString + "\n")
				return absolute(a.String(0))
			},
		},
		{
			Group: group, Kind: KindImage, Expression: "the directory {string} in memory",
			Doc:     "Gives the next instance an empty directory to write to, beside /tmp and /run.",
			Example: "Given the directory \"/var/cache\" in memory\nWhen an instance is started\nThen the instance is running",
			Func: func(_ context.Context, s *Scenario, a Args) error {
				if s.spec.Tmpfs == nil {
					s.spec.Tmpfs = []string{"/tmp", "/run"}
				}
				s.spec.Tmpfs = append(s.spec.Tmpfs, a.String(0))
				return absolute(a.String(0))
			},
		},
		{
			Group: group, Kind: KindImage, Expression: "a writable root filesystem",
			Doc:     "Lets the next instance write to its files; what it writes is gone with it. Results name this.",
			Example: "Given a writable root filesystem\nWhen an instance is started\nThen the instance is running",
			Func: func(_ context.Context, s *Scenario, _ Args) error {
				s.spec.WritableRoot = true
				s.Loosen("writable root filesystem")
				return nil
			},
		},
		{
			Group: group, Kind: KindImage, Expression: "the capability {string}",
			Doc:     "Leaves the next instance a Linux capability, which it has none of otherwise. Results name this.",
			Example: "Given the capability \"NET_BIND_SERVICE\"\nWhen an instance is started\nThen the instance is running",
			Func: func(_ context.Context, s *Scenario, a Args) error {
				name := strings.TrimPrefix(strings.ToUpper(a.String(0)), "CAP_")
				if _, err := capabilityBit(name); err != nil {
					return err
				}
				s.spec.Capabilities = append(s.spec.Capabilities, name)
				s.Loosen("capability " + name)
				return nil
			},
		},
		{
			Group: group, Kind: KindImage, Expression: "a memory limit of {size}",
			Doc:     "Limits the memory of the next instance, swap included. The default is 512 MiB.",
			Example: "Given a memory limit of 64 MiB\nWhen an instance is started\nThen the instance uses less than 64 MiB of memory",
			Func: func(_ context.Context, s *Scenario, a Args) error {
				s.spec.Limits.Memory = a.Size(0)
				return nil
			},
		},
		{
			Group: group, Kind: KindImage, Expression: "a limit of {int} processes",
			Doc:     "Limits the processes and threads of the next instance. The default is 256.",
			Example: "Given a limit of 32 processes\nWhen an instance is started\nThen the instance is running",
			Func: func(_ context.Context, s *Scenario, a Args) error {
				s.spec.Limits.PIDs = a.Int(0)
				return positive(float64(a.Int(0)))
			},
		},
		{
			Group: group, Kind: KindImage, Expression: "a limit of {float} CPUs",
			Doc:     "Limits the processor time of the next instance. The default is 2.",
			Example: "Given a limit of 0.5 CPUs\nWhen an instance is started\nThen the instance is running",
			Func: func(_ context.Context, s *Scenario, a Args) error {
				s.spec.Limits.CPUs = a.Float(0)
				return positive(a.Float(0))
			},
		},
	}
}

// environment returns a table of names and values as the environment has it.
func environment(a Args) ([]string, error) {
	pairs, err := a.Pairs()
	var env []string
	for _, p := range pairs {
		if p[0] == "" || strings.Contains(p[0], "=") {
			return nil, fmt.Errorf("%q is no name of a variable", p[0])
		}
		env = append(env, p[0]+"="+p[1])
	}
	return env, err
}

// words splits a command line as a shell does, quotes and backslashes included, and does nothing else of a shell.
func words(line string) ([]string, error) {
	split, err := shlex.Split(line)
	if err != nil {
		return nil, fmt.Errorf("command %q: %w", line, err)
	}
	if len(split) == 0 {
		return nil, fmt.Errorf("command %q has no words", line)
	}
	return split, nil
}

func absolute(name string) error {
	if !path.IsAbs(name) {
		return fmt.Errorf("path %q is not absolute: begin it with \"/\"", name)
	}
	return nil
}

func positive(n float64) error {
	if n <= 0 {
		return fmt.Errorf("a limit of %g makes no sense: it must be more than 0", n)
	}
	return nil
}
