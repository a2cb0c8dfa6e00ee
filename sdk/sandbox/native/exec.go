//go:build linux

package native

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/plimsoll-dev/plimsoll/internal/container"
	"github.com/plimsoll-dev/plimsoll/sdk/sandbox"
)

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
