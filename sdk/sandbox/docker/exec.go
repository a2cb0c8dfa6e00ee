package docker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/moby/moby/client"

	"github.com/plimsoll-dev/plimsoll/sdk/sandbox"
)

// Exec runs a command in the instance, confined as the instance is. A program that cannot be executed is a result with
// the exit code that a shell gives it, 127 or 126, and the reason in Stderr. When ctx ends first, the command is killed.
func (i *Instance) Exec(ctx context.Context, cmd sandbox.Command) (sandbox.Output, error) {
	if len(cmd.Args) == 0 {
		return sandbox.Output{}, fmt.Errorf("instance %s: the command has no arguments", i.ID())
	}
	what := "run " + cmd.Args[0]
	out, err := i.execHere(ctx, cmd)
	if errors.Is(err, errByDaemon) {
		i.runtime.options.Log.DebugContext(ctx, "the daemon runs a command", "instance", i.ID(), "reason", err)
		return i.execByDaemon(ctx, what, cmd)
	}
	return out, i.explain(what, err)
}

// errByDaemon says that a command is left to the daemon.
var errByDaemon = errors.New("only the daemon runs commands in it")

func (i *Instance) execByDaemon(ctx context.Context, what string, cmd sandbox.Command) (sandbox.Output, error) {
	c := i.runtime.client
	created, err := c.ExecCreate(ctx, i.container.ID, client.ExecCreateOptions{
		Cmd: cmd.Args, Env: cmd.Env, User: cmd.User, WorkingDir: cmd.Dir,
		AttachStdin: cmd.Stdin != nil, AttachStdout: true, AttachStderr: true,
	})
	if err != nil {
		return sandbox.Output{}, i.explain(what, err)
	}
	began := time.Now() //nolint:forbidigo // a duration is measured, nothing is decided by it
	attached, err := c.ExecAttach(ctx, created.ID, client.ExecAttachOptions{})
	if err != nil {
		return sandbox.Output{}, i.explain(what, err)
	}
	defer attached.Close()
	if cmd.Stdin != nil {
		go func() { // not waited for: a reader may block for good
			_, _ = io.Copy(attached.Conn, cmd.Stdin)
			_ = attached.CloseWrite()
		}()
	}
	out := newOutput(i.spec.Limits.Output)
	read := make(chan error, 1)
	go func() { read <- out.read(attached.Reader) }()
	select {
	case err = <-read:
	case <-ctx.Done():
		i.killExec(context.WithoutCancel(ctx), created.ID)
		return sandbox.Output{Logs: out.logs(), Duration: time.Since(began)}, context.Cause(ctx)
	}
	result := sandbox.Output{Logs: out.logs(), Duration: time.Since(began)}
	if err != nil {
		return result, i.explain(what, err)
	}
	code, err := i.execCode(ctx, created.ID)
	result.Exit = exitOf(code)
	if reason := result.Logs.Stdout; code >= 126 && bytes.HasPrefix(reason, []byte(notExecuted)) {
		result.Logs.Stdout, result.Logs.Stderr = nil, reason
		if bytes.Contains(reason, []byte("no such file or directory")) || bytes.Contains(reason, []byte("executable file not found")) {
			result.Exit.Code = 127 // older daemons say 126
		}
	}
	return result, i.explain(what, err)
}

// notExecuted begins what daemons write to the command's own output when there is no command to write it.
const notExecuted = "OCI runtime exec failed"

// execCode asks for the exit code until the daemon has it, which is soon after the streams' end.
func (i *Instance) execCode(ctx context.Context, id string) (int, error) {
	for wait := time.Millisecond; ; wait = min(2*wait, 100*time.Millisecond) {
		state, err := i.runtime.client.ExecInspect(ctx, id, client.ExecInspectOptions{})
		if err != nil || !state.Running {
			return state.ExitCode, err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
}

// killExec kills a command, for which the daemon has no request.
func (i *Instance) killExec(ctx context.Context, id string) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	state, err := i.runtime.client.ExecInspect(ctx, id, client.ExecInspectOptions{})
	if err != nil || !state.Running {
		return
	}
	p, err := i.runtime.process(ctx, state.PID, i.container.ID)
	if err == nil {
		err = p.Kill(ctx)
		p.Close()
	}
	if err != nil {
		i.runtime.options.Log.WarnContext(ctx, "a command goes on after its time", "instance", i.ID(), "error", err)
	}
}
