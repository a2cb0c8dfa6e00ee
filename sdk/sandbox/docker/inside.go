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
	pid, err := i.pid(ctx)
	if err != nil {
		return nil, err
	}
	return i.runtime.process(ctx, pid, i.container.ID)
}

// pid is the main process's on the daemon's machine.
func (i *Instance) pid(ctx context.Context) (int, error) {
	r := i.current()
	if i.ended() {
		return 0, cmp.Or(r.err, os.ErrProcessDone)
	}
	if pid := int(r.pid.Load()); pid != 0 {
		return pid, nil
	}
	state, err := i.container.State(ctx)
	if err != nil {
		return 0, err
	}
	if state == nil || !state.Running {
		return 0, os.ErrProcessDone
	}
	r.pid.Store(int64(state.Pid))
	return state.Pid, nil
}

// ended says whether the main process has.
func (i *Instance) ended() bool {
	select {
	case <-i.current().done:
		return true
	default:
		return false
	}
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
