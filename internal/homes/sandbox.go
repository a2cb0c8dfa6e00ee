package homes

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/sandbox"
	"github.com/plimsoll-dev/plimsoll/sdk/sandbox/docker"
	"github.com/plimsoll-dev/plimsoll/sdk/sandbox/native"
)

// SandboxHelp explains the names that [NewSandbox] takes.
const SandboxHelp = `where to run images under test: "docker", "embedded" (namespaces of this machine), or "auto" (docker when it answers)`

// patience is how long a Docker daemon may take to answer before it counts as not there.
const patience = 5 * time.Second

// Sandbox is a runtime that holds resources until it is closed.
type Sandbox interface {
	sandbox.Runtime
	Close() error
}

// NewSandbox starts or reaches the sandbox of that name; state is a directory for unpacked images.
func NewSandbox(ctx context.Context, name, state string) (Sandbox, error) {
	switch name {
	case "auto":
		ask, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		if runtime, err := inDocker(ask); err == nil {
			return runtime, nil
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return embeddedSandbox(ctx, state)
	case "docker":
		return inDocker(ctx)
	case "embedded":
		return embeddedSandbox(ctx, state)
	default:
		return nil, fmt.Errorf("unknown sandbox %q: use auto, docker or embedded", name)
	}
}

func inDocker(ctx context.Context) (Sandbox, error) {
	runtime, err := docker.New(ctx, docker.Options{Host: os.Getenv("DOCKER_HOST")})
	if err != nil {
		return nil, err
	}
	return runtime, nil
}

func embeddedSandbox(ctx context.Context, state string) (Sandbox, error) {
	runtime, err := native.New(ctx, native.Options{Dir: filepath.Join(state, "sandbox")})
	if err != nil {
		return nil, err
	}
	return runtime, nil
}
