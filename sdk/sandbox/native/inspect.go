//go:build linux

package native

import (
	"context"
	"errors"
	"fmt"
	"io"
	"syscall"

	"github.com/plimsoll-dev/plimsoll/sdk/sandbox"
)

// Processes lists the instance's processes, the main process first.
func (i *Instance) Processes(ctx context.Context) ([]sandbox.Process, error) {
	list, err := i.c.Processes(ctx)
	if err != nil {
		return nil, i.explain("list its processes", err)
	}
	processes := make([]sandbox.Process, len(list))
	for n, p := range list {
		processes[n] = sandbox.Process(p)
	}
	return processes, nil
}

// Listening lists the sockets that the instance listens on.
func (i *Instance) Listening(ctx context.Context) ([]sandbox.Socket, error) {
	list, err := i.c.Listening(ctx)
	if err != nil {
		return nil, i.explain("list its sockets", err)
	}
	sockets := make([]sandbox.Socket, len(list))
	for n, s := range list {
		sockets[n] = sandbox.Socket(s)
	}
	return sockets, nil
}

// ReadFile reads a regular file as the instance sees it, up to Limits.Output bytes.
func (i *Instance) ReadFile(ctx context.Context, path string) ([]byte, error) {
	f, err := i.c.Open(ctx, path)
	if err != nil {
		return nil, i.explain("read a file", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, i.limits().Output))
	return data, i.explain("read "+path, err)
}

// Usage measures what the instance uses at present.
func (i *Instance) Usage(ctx context.Context) (sandbox.Usage, error) {
	u, err := i.c.Usage(ctx)
	if errors.Is(err, syscall.ENOTSUP) {
		err = fmt.Errorf("%w: %w", sandbox.ErrUnsupported, err)
	}
	return sandbox.Usage(u), i.explain("measure it", err)
}
