package homes

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/plimsoll-dev/plimsoll/sdk/sandbox"
	"github.com/plimsoll-dev/plimsoll/sdk/sandbox/native"
)

// SandboxHelp explains the names that [NewSandbox] takes.
const SandboxHelp = `where to run images under test: "docker", "embedded" (namespaces of this machine), or "auto" (docker when it answers)`

// Sandbox is a runtime that holds resources until it is closed.
type Sandbox interface {
	sandbox.Runtime
	Close() error
}

// NewSandbox starts or reaches the sandbox of that name; state is a directory for unpacked images.
func NewSandbox(ctx context.Context, name, state string) (Sandbox, error) {
	switch name {
	case "embedded", "auto":
		return native.New(ctx, native.Options{Dir: filepath.Join(state, "sandbox")})
	default:
		return nil, fmt.Errorf("unknown sandbox %q: use auto, docker or embedded", name)
	}
}
