//go:build !linux

package docker

import (
	"context"
	"fmt"
	"net"
	"runtime"

	"github.com/plimsoll-dev/plimsoll/sdk/sandbox"
)

// process is a process of an instance, which only Linux shows.
type process struct{}

func emulates(string) bool { return false }

func openProcess(int, string) (*process, error) {
	return nil, fmt.Errorf("%w: Docker on %s runs instances in a virtual machine that cannot be looked into: run the test on Linux", sandbox.ErrUnsupported, runtime.GOOS)
}

func (*process) close() {}
func (*process) kill()  {}
func (*process) dial(context.Context, string, int) (net.Conn, error) {
	return nil, sandbox.ErrUnsupported
}
func (*process) processes() ([]sandbox.Process, error)  { return nil, sandbox.ErrUnsupported }
func (*process) listening() ([]sandbox.Socket, error)   { return nil, sandbox.ErrUnsupported }
func (*process) readFile(string, int64) ([]byte, error) { return nil, sandbox.ErrUnsupported }
