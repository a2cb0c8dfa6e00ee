package docker

import (
	"cmp"
	"context"
	"errors"
	"net"
	"os"
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/sandbox"
	"github.com/plimsoll-dev/plimsoll/sdk/sandbox/docker/internal/probe"
)

// inside looks at a running instance by its main process.
type inside interface {
	Dial(ctx context.Context, network string, port int) (net.Conn, error)
	Processes(ctx context.Context) ([]sandbox.Process, error)
	Listening(ctx context.Context) ([]sandbox.Socket, error)
	ReadFile(ctx context.Context, path string, limit int64) ([]byte, error)
	Kill(ctx context.Context) error
	Close()
}

// enter returns the way into an instance: from this process if the daemon's processes are among those that it may enter,
// and otherwise from a helper beside the daemon.
func (i *Instance) enter(ctx context.Context) (inside, error) {
	r := i.current()
	select {
	case <-r.done:
		return nil, cmp.Or(r.err, os.ErrProcessDone)
	default:
	}
	pid := int(r.pid.Load())
	if pid == 0 {
		state, err := i.container.State(ctx)
		if err != nil {
			return nil, err
		}
		if state == nil || !state.Running {
			return nil, os.ErrProcessDone
		}
		pid = state.Pid
		r.pid.Store(int64(pid))
	}
	return i.runtime.process(ctx, pid, i.container.ID)
}

// process returns the way to a process that the daemon has told of a container.
func (r *Runtime) process(ctx context.Context, pid int, container string) (inside, error) {
	if r.sameMachine() && probe.MayEnter() {
		switch p, err := probe.Open(pid, container); {
		case err == nil:
			r.sees.Store(true)
			return p, nil
		case !errors.Is(err, probe.ErrNotSeen):
			return nil, err
		case r.sees.Load(): // others were seen, so this one has ended
			return nil, os.ErrProcessDone
		}
	}
	id, err := r.helper.start(ctx)
	if err != nil {
		return nil, err
	}
	return &distant{&r.helper, id, pid, container}, nil
}

// sameMachine says whether the daemon may be on this machine.
func (r *Runtime) sameMachine() bool { return strings.HasPrefix(r.options.Host, "unix://") }
