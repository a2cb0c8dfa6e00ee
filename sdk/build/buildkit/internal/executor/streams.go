//go:build linux

package executor

import (
	"context"
	"io"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/moby/buildkit/executor"
	"golang.org/x/sys/unix"

	"github.com/plimsoll-dev/plimsoll/internal/container"
)

// streams carry a process's input and output through pipes, so that a reader or writer of the caller that blocks cannot
// keep the process's end from being seen.
type streams struct {
	stdio    container.Stdio // the process's ends
	in       *os.File        // our ends, nil when not used
	out, err *os.File
	copies   sync.WaitGroup
}

func newStreams(process *executor.ProcessInfo) (_ *streams, err error) {
	s := &streams{}
	if process.Meta.Tty {
		return s, nil
	}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if process.Stdin != nil {
		if s.stdio.In, s.in, err = os.Pipe(); err != nil {
			return nil, err
		}
	}
	if process.Stdout != nil {
		if s.out, s.stdio.Out, err = os.Pipe(); err != nil {
			return nil, err
		}
	}
	if process.Stderr != nil {
		if s.err, s.stdio.Err, err = os.Pipe(); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// closeTheirs closes the process's ends, which it has by now.
func (s *streams) closeTheirs() {
	for _, f := range []**os.File{&s.stdio.In, &s.stdio.Out, &s.stdio.Err} {
		if *f != nil {
			_ = (*f).Close()
			*f = nil
		}
	}
}

func (s *streams) close() {
	s.closeTheirs()
	for _, f := range []*os.File{s.in, s.out, s.err} {
		if f != nil {
			_ = f.Close()
		}
	}
}

// running is a started process: the first of a container or one that Exec started.
type running interface {
	Wait(ctx context.Context) (container.Exit, error)
	Signal(ctx context.Context, signal syscall.Signal) error
}

// attend carries input and output, signals and sizes until the process ended; it kills the process when ctx ends.
func (s *streams) attend(ctx context.Context, p running, terminal *os.File, process *executor.ProcessInfo) (container.Exit, error) {
	s.closeTheirs()
	after := context.WithoutCancel(ctx)
	if terminal != nil {
		defer terminal.Close()
		s.copy(process.Stdout, terminal)
		s.feed(terminal, process.Stdin)
	} else {
		s.copy(process.Stdout, s.out)
		s.copy(process.Stderr, s.err)
		s.feed(s.in, process.Stdin)
	}
	ended := make(chan struct{})
	var attendants sync.WaitGroup
	attendants.Go(func() { s.forward(ctx, p, terminal, process, ended) })
	exit, err := p.Wait(after)
	close(ended)
	attendants.Wait()
	if process.Stdin != nil {
		_ = process.Stdin.Close()
	}
	s.drain(terminal)
	return exit, err
}

func (s *streams) copy(to io.Writer, from *os.File) {
	if to == nil || from == nil {
		return
	}
	s.copies.Go(func() { _, _ = io.Copy(to, from) }) // a terminal ends with EIO
}

// feed is not waited for: a reader that blocks is let go when it is closed.
func (s *streams) feed(to *os.File, from io.Reader) {
	if to == nil || from == nil {
		return
	}
	go func() {
		_, _ = io.Copy(to, from)
		if to == s.in {
			_ = to.Close()
		}
	}()
}

// drain waits for the rest of the output. A process that was started by Exec may have left children that hold it open.
func (s *streams) drain(terminal *os.File) {
	done := make(chan struct{})
	go func() {
		s.copies.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(2 * time.Second):
		for _, f := range []*os.File{s.out, s.err, terminal} {
			if f != nil {
				_ = f.SetReadDeadline(time.Unix(1, 0))
			}
		}
		<-done
	}
}

func (s *streams) forward(ctx context.Context, p running, terminal *os.File, process *executor.ProcessInfo, ended <-chan struct{}) {
	after := context.WithoutCancel(ctx)
	cancelled := ctx.Done()
	for {
		select {
		case <-ended:
			return
		case <-cancelled:
			_ = p.Signal(after, syscall.SIGKILL)
			cancelled = nil
		case signal, ok := <-process.Signal:
			if !ok {
				process.Signal = nil
				continue
			}
			_ = p.Signal(after, signal) // it may have ended just now
		case size, ok := <-process.Resize:
			if !ok {
				process.Resize = nil
				continue
			}
			if terminal != nil {
				resize(terminal, size)
			}
		}
	}
}

// resize does not use Fd, which would make reads from the terminal block for good.
func resize(terminal *os.File, size executor.WinSize) {
	raw, err := terminal.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		_ = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{Row: uint16(size.Rows), Col: uint16(size.Cols)}) //nolint:gosec // no terminal is that large
	})
}
