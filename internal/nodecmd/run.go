package nodecmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/plimsoll-dev/plimsoll/sdk/admission"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/docker"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/remote"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/run"
)

// NewRun is the command "run".
func NewRun() *cobra.Command {
	return &cobra.Command{
		Use:   "run [--gate FILE] [--engine docker|podman] [FLAGS OF DOCKER RUN] IMAGE [COMMAND]",
		Short: "Start an instance as docker run does, if its image may start",
		Long: `Start an instance as "docker run" or "podman run" does, with their flags, if the image may start: it is resolved to a
digest, judged by the deny bundle of this machine, and exactly that digest is started. What is here is judged without any
network; what is not is judged before it is pulled, and again after.

--gate and --engine come first. An image that is denied is exit code 1, with the reason and the way out.`,
		Example: `  plimsoll run -d --name pay -p 8080:80 registry.example/shop/pay:1.4
  plimsoll run --engine podman --rm -it registry.example/tools/shell
  plimsoll run --gate ./gate.yaml --rm registry.example/shop/pay@sha256:...`,
		DisableFlagParsing: true,
		RunE: func(cmd *cobra.Command, words []string) error {
			own, words, err := split(words)
			if err != nil {
				return err
			}
			if own.help {
				return cmd.Help()
			}
			return start(cmd.Context(), cmd.ErrOrStderr(), own, words)
		},
	}
}

type runFlags struct {
	gate, engine string
	help         bool
}

// split takes the wrapper's own flags off the beginning.
func split(words []string) (runFlags, []string, error) {
	f := runFlags{gate: configPath(""), engine: "docker"}
	for len(words) > 0 {
		name, value, inline := strings.Cut(words[0], "=")
		var to *string
		switch name {
		case "--gate":
			to = &f.gate
		case "--engine":
			to = &f.engine
		case "--help", "-h":
			f.help = true
			return f, nil, nil
		default:
			return f, words, nil
		}
		words = words[1:]
		if !inline {
			if len(words) == 0 {
				return f, nil, fmt.Errorf("flag %s needs a value", name)
			}
			value, words = words[0], words[1:]
		}
		*to = value
	}
	return f, words, nil
}

func configPath(flag string) string {
	if flag != "" {
		return flag
	}
	if path := os.Getenv("PLIMSOLL_GATE"); path != "" {
		return path
	}
	return DefaultConfig
}

func start(ctx context.Context, stderr io.Writer, own runFlags, words []string) error {
	config, err := Load(own.gate)
	if err != nil {
		return err
	}
	gate, closeGate, err := config.Gate(true, nil)
	if err != nil {
		return err
	}
	client := config.Registry()
	w := &run.Wrapper{Dialect: run.Dialect(own.engine), Remote: remote.Resolver{Client: client}, Gate: gate}
	var program []string
	switch w.Dialect {
	case run.Docker:
		engine, err := docker.Dial("")
		if err != nil {
			return err
		}
		defer engine.Close()
		w.Local = engine
		program = []string{"docker", "--host", engine.Host()} // the daemon that was asked, whatever context is chosen
	case run.Podman:
		w.Local = run.PodmanEngine{}
		program = []string{"podman"}
	default:
		return fmt.Errorf("engine %q is not one of docker, podman", own.engine)
	}
	w.Pull = func(ctx context.Context, pinned, platform string) error {
		args := append(append([]string{}, program[1:]...), "pull", "--quiet")
		if platform != "" {
			args = append(args, "--platform", platform)
		}
		out, err := exec.CommandContext(ctx, program[0], append(args, pinned)...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("%s pull: %w: %s", program[0], err, strings.TrimSpace(string(out)))
		}
		return nil
	}
	s, err := w.Prepare(ctx, words)
	if err != nil {
		return err
	}
	for _, d := range s.Decisions {
		if d.Outcome == admission.Warned {
			fmt.Fprintln(stderr, d)
		}
	}
	client.Close()
	if err := closeGate(); err != nil {
		return err
	}
	path, err := exec.LookPath(program[0])
	if err != nil {
		return err
	}
	err = syscall.Exec(path, append(program, s.Args[1:]...), os.Environ())
	return errors.Join(errors.New(path), err)
}
