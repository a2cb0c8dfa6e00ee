//go:build linux

package native

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
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

// Exec runs a command in the instance, confined as the instance is. A program that cannot be executed is a result with
// the exit code that a shell gives it, 127 or 126, and the reason in Stderr.
func (i *Instance) Exec(ctx context.Context, cmd sandbox.Command) (sandbox.Output, error) {
	if len(cmd.Args) == 0 {
		return sandbox.Output{}, fmt.Errorf("instance %s: the command has no arguments", i.id)
	}
	p := i.process
	p.Args = cmd.Args
	p.Env = append(slices.Clip(p.Env), cmd.Env...)
	if cmd.Dir != "" {
		p.Dir = cmd.Dir
	}
	if cmd.User != "" {
		who, err := container.ResolveUser(i.image.root, cmd.User)
		if err != nil {
			return sandbox.Output{}, i.explain("run "+cmd.Args[0], err)
		}
		i.runtime.become(&p, who)
	}
	output := newCapture(i.limits().Output)
	stdio, begin, err := output.pipes()
	if err != nil {
		return sandbox.Output{}, err
	}
	feed, err := stdin(cmd.Stdin, &stdio)
	if err != nil {
		begin()
		output.stop()
		return sandbox.Output{}, err
	}
	began := time.Now() //nolint:forbidigo // a duration is measured, nothing is decided by it
	x, err := i.c.Exec(ctx, p, stdio)
	begin()
	feed()
	if err != nil {
		output.stop()
		if container.IsExec(err) && (errors.Is(err, os.ErrNotExist) || errors.Is(err, os.ErrPermission)) {
			code := 126
			if errors.Is(err, os.ErrNotExist) {
				code = 127
			}
			return sandbox.Output{Exit: sandbox.Exit{Code: code}, Logs: sandbox.Logs{Stderr: []byte(err.Error() + "\n")}}, nil
		}
		return sandbox.Output{}, i.explain("run "+cmd.Args[0], err)
	}
	stop := context.AfterFunc(ctx, func() { _ = x.Signal(context.WithoutCancel(ctx), syscall.SIGKILL) })
	defer stop()
	exit, err := x.Wait(context.WithoutCancel(ctx))
	result := sandbox.Output{Exit: exitOf(exit), Duration: time.Since(began)}
	output.finish()
	result.Logs = output.logs()
	if ctx.Err() != nil {
		return result, context.Cause(ctx)
	}
	return result, i.explain("run "+cmd.Args[0], err)
}

// stdin gives a process its input through a pipe; feed begins to copy and is called when the process has its end.
func stdin(from io.Reader, stdio *container.Stdio) (feed func(), err error) {
	if from == nil {
		return func() {}, nil
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	stdio.In = r
	return func() {
		_ = r.Close()
		go func() { // not waited for: a reader may block for good
			_, _ = io.Copy(w, from)
			_ = w.Close()
		}()
	}, nil
}

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
