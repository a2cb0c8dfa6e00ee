package container

import (
	"context"
	"errors"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/plimsoll-dev/plimsoll/internal/container/internal/stage"
)

// Container is a container that was started. It is safe for concurrent use.
type Container struct {
	s  *Supervisor
	id string
	// Terminal is the master of the first process's terminal, if it asked for one. The caller closes it.
	Terminal *os.File
}

func first(files []*os.File) *os.File {
	if len(files) == 0 {
		return nil
	}
	stage.CloseAll(files[1:])
	return files[0]
}

// terminal makes reading from a received terminal something that can be interrupted.
func terminal(files []*os.File) (*os.File, error) {
	f := first(files)
	if f == nil {
		return nil, nil
	}
	defer f.Close()
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err == nil {
		err = unix.SetNonblock(fd, true)
	}
	if err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	return os.NewFile(uintptr(fd), "terminal"), nil
}

// IsExec says whether err means that the program itself could not be executed, as opposed to a container that could not
// be made for it: it does not exist, is not executable or is for another machine.
func IsExec(err error) bool {
	var f *Failure
	return errors.As(err, &f) && f.Program
}

// Restart starts the container's program again after its first process ended: on the same scratch layer and at the same
// address, with new tmpfs mounts.
func (c *Container) Restart(ctx context.Context, stdio Stdio) error {
	files, done, err := stdio.files()
	if err != nil {
		return err
	}
	defer done()
	a, err := c.s.call(ctx, stage.Request{Op: stage.OpRestart, Container: c.id}, files...)
	if err != nil {
		return err
	}
	c.Terminal, err = terminal(a.files)
	return err
}

// Usage measures what the container uses at present.
func (c *Container) Usage(ctx context.Context) (Usage, error) {
	a, err := c.s.call(ctx, stage.Request{Op: stage.OpUsage, Container: c.id})
	return a.Usage, err
}

// ID is the spec's.
func (c *Container) ID() string { return c.id }

// Wait waits until the first process ended.
func (c *Container) Wait(ctx context.Context) (Exit, error) { return c.wait(ctx, 0) }

func (c *Container) wait(ctx context.Context, number int) (Exit, error) {
	a, err := c.s.call(ctx, stage.Request{Op: stage.OpWait, Container: c.id, Process: number})
	return a.Exit, err
}

// Signal sends a signal to the first process. As PID 1 it gets only those that it handles, and SIGKILL.
func (c *Container) Signal(ctx context.Context, signal syscall.Signal) error {
	return c.signal(ctx, 0, signal)
}

func (c *Container) signal(ctx context.Context, number int, signal syscall.Signal) error {
	_, err := c.s.call(ctx, stage.Request{Op: stage.OpSignal, Container: c.id, Process: number, Signal: int(signal)})
	return err
}

// Exec starts one more process in the container, in all its namespaces and control groups.
func (c *Container) Exec(ctx context.Context, process Process, stdio Stdio) (*Execution, error) {
	files, done, err := stdio.files()
	if err != nil {
		return nil, err
	}
	defer done()
	a, err := c.s.call(ctx, stage.Request{Op: stage.OpExec, Container: c.id, Exec: &process}, files...)
	if err != nil {
		return nil, err
	}
	x := &Execution{c: c, number: a.Process}
	x.Terminal, err = terminal(a.files)
	return x, err
}

// Dial connects to a port that the container listens on, from inside its network. Network is "tcp" or "udp".
func (c *Container) Dial(ctx context.Context, network string, port int) (net.Conn, error) {
	timeout := 10 * time.Second
	if deadline, ok := ctx.Deadline(); ok {
		timeout = max(time.Until(deadline), time.Millisecond)
	}
	a, err := c.s.call(ctx, stage.Request{Op: stage.OpDial, Container: c.id, Network: network, Port: port, Timeout: timeout})
	if err != nil {
		return nil, err
	}
	f := first(a.files)
	defer f.Close()
	return net.FileConn(f)
}

// Open opens a regular file for reading as the container sees it, links and mounts included.
func (c *Container) Open(ctx context.Context, path string) (*os.File, error) {
	a, err := c.s.call(ctx, stage.Request{Op: stage.OpOpen, Container: c.id, Path: path})
	return first(a.files), err
}

// Processes lists the container's processes by PID.
func (c *Container) Processes(ctx context.Context) ([]ProcessInfo, error) {
	a, err := c.s.call(ctx, stage.Request{Op: stage.OpProcesses, Container: c.id})
	return a.Processes, err
}

// Listening lists the sockets that the container listens on.
func (c *Container) Listening(ctx context.Context) ([]Socket, error) {
	a, err := c.s.call(ctx, stage.Request{Op: stage.OpListening, Container: c.id})
	return a.Sockets, err
}

// Remove kills the container's processes and removes every trace of it. It may be called more than once.
func (c *Container) Remove(ctx context.Context) error {
	_, err := c.s.call(ctx, stage.Request{Op: stage.OpRemove, Container: c.id})
	if errors.Is(err, syscall.ESRCH) || errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}

// Execution is a process that Exec started.
type Execution struct {
	c      *Container
	number int
	// Terminal is the master of its terminal, if it asked for one. The caller closes it.
	Terminal *os.File
}

// Wait waits until the process ended.
func (e *Execution) Wait(ctx context.Context) (Exit, error) { return e.c.wait(ctx, e.number) }

// Signal sends it a signal.
func (e *Execution) Signal(ctx context.Context, signal syscall.Signal) error {
	return e.c.signal(ctx, e.number, signal)
}
