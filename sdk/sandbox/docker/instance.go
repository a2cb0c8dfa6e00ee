package docker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/containerd/errdefs"
	apicontainer "github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"

	"github.com/plimsoll-dev/plimsoll/sdk/sandbox"
)

// Instance is a container of the daemon. It implements every optional interface of package sandbox.
type Instance struct {
	runtime   *Runtime
	spec      sandbox.Spec                    // with its limits filled in
	container *testcontainers.DockerContainer // nil until it is made
	config    *apicontainer.Config            // as the daemon made it of the image's and the spec's
	network   *network                        // nil without one
	logs      *output

	restarting sync.Mutex
	closing    sync.Mutex // held while it starts, too
	closed     bool
	mu         sync.Mutex
	run        *run // nil until it runs
}

var (
	_ sandbox.Execer    = (*Instance)(nil)
	_ sandbox.Signaler  = (*Instance)(nil)
	_ sandbox.Restarter = (*Instance)(nil)
	_ sandbox.Inspector = (*Instance)(nil)
	_ sandbox.Meter     = (*Instance)(nil)
)

// ID is the beginning of the container's id, as Docker prints it.
func (i *Instance) ID() string {
	if i.container == nil { // in an error of a start that failed
		return i.name()
	}
	return i.container.ID[:12]
}

func (i *Instance) name() string { return first(i.spec.Name, "instance") }

func (i *Instance) current() *run {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.run
}

// explain says which instance an error is about, and that it is over in the words of package os.
func (i *Instance) explain(what string, err error) error {
	switch {
	case err == nil:
		return nil
	case silent(err):
		err = fmt.Errorf("the daemon at %s does not answer any more: %w", i.runtime.options.Host, err)
	case errdefs.IsConflict(err) && (strings.Contains(err.Error(), "is not running") || strings.Contains(err.Error(), "can only kill running containers")), errdefs.IsNotFound(err) && strings.Contains(err.Error(), "No such container"),
		i.runtime.podman && strings.Contains(err.Error(), "container state improper"):
		err = os.ErrProcessDone
	}
	return fmt.Errorf("instance %s: %s: %w", i.ID(), what, err)
}

// Logs is what the instance wrote so far, over all restarts. An error says that it could not be followed to its end.
func (i *Instance) Logs(context.Context) (sandbox.Logs, error) {
	r := i.current()
	select {
	case <-r.done:
		return i.logs.logs(), i.explain("read its log", r.err)
	default:
		return i.logs.logs(), nil
	}
}

// Wait waits until the main process ends. Docker does not tell a signal from an exit code above 128, so one of those
// counts as the signal that it stands for.
func (i *Instance) Wait(ctx context.Context) (sandbox.Exit, error) {
	r := i.current()
	select {
	case <-r.done:
		return r.exit, i.explain("wait", r.err)
	case <-ctx.Done():
		return sandbox.Exit{}, context.Cause(ctx)
	}
}

// Signal sends a signal to the main process. As PID 1 it gets those that it handles, and SIGKILL and SIGSTOP.
func (i *Instance) Signal(ctx context.Context, signal int) error {
	_, err := i.runtime.client.ContainerKill(ctx, i.container.ID, client.ContainerKillOptions{Signal: strconv.Itoa(signal)})
	return i.explain(fmt.Sprintf("signal %d", signal), err)
}

// Restart ends the main process and starts it again: on the files of a writable root as they are, with empty tmpfs.
func (i *Instance) Restart(ctx context.Context, grace time.Duration) error {
	i.restarting.Lock()
	defer i.restarting.Unlock()
	if err := i.stop(ctx, grace); err != nil {
		return i.explain("restart", err)
	}
	return i.explain("restart", i.launch(ctx))
}

// stop ends the main process with SIGTERM, and with SIGKILL after the grace time.
func (i *Instance) stop(ctx context.Context, grace time.Duration) error {
	r := i.current()
	r.guest.end()
	for _, step := range []struct {
		signal syscall.Signal
		wait   time.Duration
	}{{syscall.SIGTERM, grace}, {syscall.SIGKILL, time.Minute}} {
		if err := i.Signal(ctx, int(step.signal)); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return err
		}
		timer := time.NewTimer(step.wait)
		defer timer.Stop()
		select {
		case <-r.done:
			return r.err
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-timer.C:
		}
	}
	return errors.New("it does not end, though it was killed")
}

// Close kills what still runs and removes every trace of the instance, but for its log.
func (i *Instance) Close(ctx context.Context) error {
	i.closing.Lock()
	defer i.closing.Unlock()
	if i.closed {
		return nil
	}
	if r := i.current(); r != nil {
		r.guest.end()
	}
	if i.container != nil {
		// One request kills and removes it; testcontainers would stop it first.
		_, err := i.runtime.client.ContainerRemove(ctx, i.container.ID, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
		if err != nil && !errdefs.IsNotFound(err) {
			return i.explain("close", err)
		}
	}
	if r := i.current(); r != nil {
		select {
		case <-r.done:
		case <-ctx.Done():
			return i.explain("close", context.Cause(ctx))
		}
	}
	if i.network != nil {
		if err := i.runtime.leave(ctx, i.network, i.name()); err != nil {
			return i.explain("close", err)
		}
		i.network = nil
	}
	i.runtime.mu.Lock()
	delete(i.runtime.instances, i)
	i.runtime.mu.Unlock()
	i.closed = true
	return nil
}
