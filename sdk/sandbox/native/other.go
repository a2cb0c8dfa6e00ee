//go:build !linux

package native

import (
	"context"
	"fmt"
	"runtime"

	"github.com/plimsoll-dev/plimsoll/sdk/sandbox"
)

// Runtime is the embedded sandbox, which needs Linux.
type Runtime struct{ sandbox.Runtime }

// New says that the embedded sandbox needs Linux.
func New(context.Context, Options) (*Runtime, error) {
	return nil, fmt.Errorf("embedded sandbox: %w: it needs Linux and this is %s; use sandbox/docker", sandbox.ErrUnsupported, runtime.GOOS)
}

// Weaknesses is empty.
func (*Runtime) Weaknesses() []string { return nil }

// Purge does nothing.
func (*Runtime) Purge(context.Context) error { return nil }

// Close does nothing.
func (*Runtime) Close() error { return nil }
