//go:build linux

package native

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/plimsoll-dev/plimsoll/internal/container"
	"github.com/plimsoll-dev/plimsoll/sdk/sandbox"
)

// Instance is an instance of the embedded sandbox. It implements every optional interface of package sandbox.
type Instance struct {
	runtime *Runtime
	image   *unpacked
	id      string
	spec    sandbox.Spec
	process container.Process // the first one, which commands take after
	c       *container.Container
	logs    *capture

	restarting sync.Mutex
	mu         sync.Mutex
	run        *run
	closed     bool
}

// run is one life of the main process.
type run struct {
	done chan struct{}
	exit sandbox.Exit // valid when done is closed
	err  error
}

var (
	_ sandbox.Execer    = (*Instance)(nil)
	_ sandbox.Signaler  = (*Instance)(nil)
	_ sandbox.Restarter = (*Instance)(nil)
	_ sandbox.Inspector = (*Instance)(nil)
	_ sandbox.Meter     = (*Instance)(nil)
)

// ID identifies the instance in messages.
func (i *Instance) ID() string { return i.id }

func (i *Instance) limits() sandbox.Limits { return i.spec.Limits.OrDefault() }

func (i *Instance) start(ctx context.Context) error {
	spec, err := i.runtime.containerSpec(i.id, &i.spec, i.image)
	if err != nil {
		return err
	}
	i.process = spec.Process
	i.logs = newCapture(i.limits().Output)
	stdio, begin, err := i.logs.pipes()
	if err != nil {
		return err
	}
	i.c, err = i.runtime.supervisor.Start(ctx, *spec, stdio)
	begin()
	if err != nil {
		return err
	}
	i.watch()
	return nil
}

// watch notes how the main process ends, and ends it when its life is over.
func (i *Instance) watch() {
	r := &run{done: make(chan struct{})}
	i.mu.Lock()
	i.run = r
	i.mu.Unlock()
	life := time.AfterFunc(i.limits().Life, func() { _ = i.c.Signal(context.Background(), syscall.SIGKILL) })
	go func() {
		defer close(r.done)
		exit, err := i.c.Wait(context.Background()) // it ends with the supervisor at the latest
		life.Stop()
		i.logs.copies.Wait() // nothing is left that could hold its output open
		r.exit, r.err = exitOf(exit), err
	}()
}

func exitOf(e container.Exit) sandbox.Exit {
	return sandbox.Exit{Code: e.Code, Signal: int(e.Signal), OOM: e.OOM}
}

// explain says which instance an error is about, and that it is over in the words of package os.
func (i *Instance) explain(what string, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, syscall.ESRCH) {
		err = os.ErrProcessDone
	}
	return fmt.Errorf("instance %s: %s: %w", i.id, what, err)
}

// Dial connects to a port that the instance listens on, from inside its network.
func (i *Instance) Dial(ctx context.Context, network string, port int) (net.Conn, error) {
	if network != "tcp" && network != "udp" {
		return nil, fmt.Errorf("instance %s: network %q is not tcp or udp", i.id, network)
	}
	if port < 1 || port > 65535 {
		return nil, fmt.Errorf("instance %s: port %d is not between 1 and 65535", i.id, port)
	}
	conn, err := i.c.Dial(ctx, network, port)
	return conn, i.explain(fmt.Sprintf("dial %s port %d", network, port), err)
}

// Logs is what the instance wrote so far, over all restarts.
func (i *Instance) Logs(context.Context) (sandbox.Logs, error) { return i.logs.logs(), nil }

// Wait waits until the main process ends.
func (i *Instance) Wait(ctx context.Context) (sandbox.Exit, error) {
	i.mu.Lock()
	r := i.run
	i.mu.Unlock()
	select {
	case <-r.done:
		return r.exit, i.explain("wait", r.err)
	case <-ctx.Done():
		return sandbox.Exit{}, context.Cause(ctx)
	}
}

// Signal sends a signal to the main process. As PID 1 it gets those that it handles, and SIGKILL and SIGSTOP.
func (i *Instance) Signal(ctx context.Context, signal int) error {
	return i.explain(fmt.Sprintf("signal %d", signal), i.c.Signal(ctx, syscall.Signal(signal)))
}

// Restart ends the main process and starts it again: on the files of a writable root as they are, with empty tmpfs.
func (i *Instance) Restart(ctx context.Context, grace time.Duration) error {
	i.restarting.Lock()
	defer i.restarting.Unlock()
	if err := i.stop(ctx, grace); err != nil {
		return i.explain("restart", err)
	}
	stdio, begin, err := i.logs.pipes()
	if err != nil {
		return i.explain("restart", err)
	}
	err = i.c.Restart(ctx, stdio)
	begin()
	if err != nil {
		return i.explain("restart", err)
	}
	i.watch()
	return nil
}

// stop ends the main process with SIGTERM, and with SIGKILL after the grace time.
func (i *Instance) stop(ctx context.Context, grace time.Duration) error {
	i.mu.Lock()
	r := i.run
	i.mu.Unlock()
	timer := time.NewTimer(grace)
	defer timer.Stop()
	if err := i.c.Signal(ctx, syscall.SIGTERM); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
	}
	if err := i.c.Signal(ctx, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	<-r.done
	return r.err
}

// Close kills what still runs and removes every trace of the instance, but for its log.
func (i *Instance) Close(ctx context.Context) error {
	i.mu.Lock()
	first := !i.closed
	i.closed = true
	i.mu.Unlock()
	if err := i.c.Remove(ctx); err != nil {
		return i.explain("close", err)
	}
	i.logs.copies.Wait()
	if !first {
		return nil
	}
	return i.image.close()
}
