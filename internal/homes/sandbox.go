package homes

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/sandbox"
	"github.com/plimsoll-dev/plimsoll/sdk/sandbox/docker"
	"github.com/plimsoll-dev/plimsoll/sdk/sandbox/native"
)

// SandboxHelp explains the names that [NewSandbox] takes.
const SandboxHelp = `where to run images under test: "docker" (of DOCKER_HOST), "docker:NAME" with the daemon's OCI runtime of that name,
such as runsc, "embedded" (namespaces of this machine), or "auto" (docker when it answers)`

// patience is how long a Docker daemon may take to answer before it counts as not there.
const patience = 5 * time.Second

// Sandbox is a runtime that holds resources until it is closed.
type Sandbox interface {
	sandbox.Runtime
	Close() error
}

// NewSandbox starts or reaches the sandbox of that name; state is a directory for unpacked images.
func NewSandbox(ctx context.Context, name, state string) (Sandbox, error) {
	name, runtime, _ := strings.Cut(name, ":")
	switch {
	case runtime != "" && name != "docker":
		return nil, fmt.Errorf("sandbox %q has no OCI runtimes: only docker:NAME has", name)
	case name == "auto":
		ask, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		if runtime, err := inDocker(ask, ""); err == nil {
			return runtime, nil
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return embeddedSandbox(ctx, state)
	case name == "docker":
		return inDocker(ctx, runtime)
	case name == "embedded":
		return embeddedSandbox(ctx, state)
	default:
		return nil, fmt.Errorf("unknown sandbox %q: use auto, docker, docker:NAME or embedded", name)
	}
}

func inDocker(ctx context.Context, runtime string) (Sandbox, error) {
	options, err := DockerOptions()
	if err != nil {
		return nil, err
	}
	options.Runtime = runtime
	sandbox, err := docker.New(ctx, options)
	if err != nil {
		return nil, err
	}
	return sandbox, nil
}

func embeddedSandbox(ctx context.Context, state string) (Sandbox, error) {
	runtime, err := native.New(ctx, native.Options{Dir: filepath.Join(state, "sandbox")})
	if err != nil {
		return nil, err
	}
	return runtime, nil
}
