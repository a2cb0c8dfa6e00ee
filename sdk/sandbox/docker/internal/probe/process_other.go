//go:build !linux

package probe

import (
	"context"
	"fmt"
	"net"
	"runtime"

	"github.com/plimsoll-dev/plimsoll/sdk/sandbox"
)

// Process is a process of an instance, which only Linux shows.
type Process struct{ inside }

type inside interface {
	Dial(ctx context.Context, network string, port int) (net.Conn, error)
	Processes(ctx context.Context) ([]sandbox.Process, error)
	Listening(ctx context.Context) ([]sandbox.Socket, error)
	ReadFile(ctx context.Context, path string, limit int64) ([]byte, error)
	Kill(ctx context.Context) error
	Close()
}

// Emulates is false: it is not known.
func Emulates(string) bool { return false }

// MayEnter is false.
func MayEnter() bool { return false }

// Open says that there is nothing to open.
func Open(int, string) (*Process, error) { return nil, ErrNotSeen }

// ThisProgram says that this program cannot be the helper.
func ThisProgram() (map[string][]byte, error) {
	return nil, fmt.Errorf("%w: a program for %s cannot run beside the daemon: give one for Linux as Options.Helper", sandbox.ErrUnsupported, runtime.GOOS)
}
