package docker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/client"

	"github.com/plimsoll-dev/plimsoll/sdk/fleet"
)

// broken says whether a connection ended in the middle.
func broken(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// grace is how long processes have to end by themselves, in seconds.
const grace = 10

// Do implements [fleet.Place]. The daemon has no request that ends a command: one that runs past its time limit goes on
// unless the container is of this machine, where it is killed, and the error says which.
func (p *Place) Do(ctx context.Context, i fleet.Instance, a fleet.Action) (fleet.Output, error) {
	seconds := grace
	switch a.Strategy {
	case fleet.Exec:
		return p.exec(ctx, i, a.Command)
	case fleet.Namespaces:
		if p.enter == nil {
			return fleet.Output{}, fmt.Errorf("%w: the runner must be on the container's host, and be root", fleet.ErrUnsupported)
		}
		return p.enter(ctx, i.ID, i.PID, a.Command)
	case fleet.Pause:
		_, err := p.api.ContainerPause(ctx, i.ID, client.ContainerPauseOptions{})
		if err != nil && strings.Contains(err.Error(), "already paused") {
			err = nil
		}
		return fleet.Output{}, p.done(err)
	case fleet.Isolate:
		return fleet.Output{}, p.isolate(ctx, i)
	case fleet.Restart:
		_, err := p.api.ContainerRestart(ctx, i.ID, client.ContainerRestartOptions{Timeout: &seconds})
		return fleet.Output{}, p.done(err)
	case fleet.Stop:
		_, err := p.api.ContainerStop(ctx, i.ID, client.ContainerStopOptions{Timeout: &seconds})
		return fleet.Output{}, p.done(err)
	default:
		return fleet.Output{}, fmt.Errorf("%w: %q", fleet.ErrUnsupported, a.Strategy)
	}
}

// done says what the error of a request that changes something means: after a broken connection nobody knows.
func (p *Place) done(err error) error {
	if err == nil || errdefs.IsNotFound(err) || errdefs.IsConflict(err) || errdefs.IsPermissionDenied(err) || client.IsErrConnectionFailed(err) {
		return p.failed(err)
	}
	if broken(err) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w: %w", fleet.ErrUnclear, err)
	}
	return fmt.Errorf("%w: %w", fleet.ErrUnsupported, err) // the daemon answered that it can't
}

// isolate takes a container off all its networks. One that has the host's network, or another container's, can't be.
func (p *Place) isolate(ctx context.Context, i fleet.Instance) error {
	got, err := p.api.ContainerInspect(ctx, i.ID, client.ContainerInspectOptions{})
	if err != nil {
		return p.failed(err)
	}
	c := got.Container
	if c.HostConfig != nil {
		if mode := c.HostConfig.NetworkMode; mode.IsHost() || mode.IsContainer() {
			return fmt.Errorf("%w: its network is %s, which is not its own", fleet.ErrUnsupported, mode)
		}
	}
	if c.NetworkSettings == nil {
		return nil
	}
	for name, n := range c.NetworkSettings.Networks {
		if name == "none" {
			continue
		}
		id := n.NetworkID
		if id == "" {
			id = name
		}
		if _, err := p.api.NetworkDisconnect(ctx, id, client.NetworkDisconnectOptions{Container: i.ID, Force: true}); err != nil {
			return p.done(err)
		}
	}
	return nil
}

// exec has the daemon run a command.
func (p *Place) exec(ctx context.Context, i fleet.Instance, c fleet.Command) (fleet.Output, error) {
	if c.Program != "" {
		return fleet.Output{}, fmt.Errorf("%w: a program can only be brought along into the namespaces", fleet.ErrUnsupported)
	}
	if i.Paused {
		return fleet.Output{}, fmt.Errorf("%w: it is paused", fleet.ErrUnsupported)
	}
	created, err := p.api.ExecCreate(ctx, i.ID, client.ExecCreateOptions{
		Cmd: c.Args, Env: c.Env, User: c.User, WorkingDir: c.Dir, TTY: c.TTY,
		AttachStdin: c.Stdin != nil, AttachStdout: true, AttachStderr: !c.TTY,
	})
	if err != nil {
		return fleet.Output{}, p.failed(err) // nothing has run
	}
	attached, err := p.api.ExecAttach(ctx, created.ID, client.ExecAttachOptions{TTY: c.TTY})
	if err != nil {
		if client.IsErrConnectionFailed(err) {
			return fleet.Output{}, p.failed(err)
		}
		if notStarted(err.Error()) {
			return fleet.Output{}, fmt.Errorf("%w: %w", fleet.ErrUnsupported, err)
		}
		return p.broken(ctx, created.ID, fleet.Output{}, err)
	}
	defer attached.Close()
	if c.Stdin != nil {
		go func() { // not waited for: a reader may block for good
			_, _ = attached.Conn.Write(c.Stdin)
			_ = attached.CloseWrite()
		}()
	}
	keep := &kept{left: c.Limit}
	ended := make(chan error, 1)
	go func() { ended <- keep.read(attached.Reader, c.TTY) }()
	select {
	case err = <-ended:
	case <-ctx.Done():
		attached.Close()
		<-ended //nolint:errcheck // of the connection that was closed here
		return keep.output(), p.late(ctx, created.ID, i)
	}
	if err != nil {
		return p.broken(ctx, created.ID, keep.output(), err)
	}
	state, err := p.code(ctx, created.ID)
	out := keep.output()
	if err != nil {
		return p.broken(ctx, created.ID, out, err)
	}
	out.Exit = state.ExitCode
	// The daemon's own words stand where the command's would: there was no command.
	if said := string(out.Stdout); (out.Exit == 126 || out.Exit == 127) && notStarted(said) {
		return fleet.Output{}, fmt.Errorf("%w: %s", fleet.ErrUnsupported, strings.TrimSpace(said))
	}
	return out, nil
}

// notStarted says whether the daemon says that it could not start a command: no such program, no such user.
func notStarted(text string) bool {
	for _, begin := range []string{"OCI runtime exec failed", "unable to find user"} {
		if strings.HasPrefix(strings.TrimPrefix(text, "Error response from daemon: "), begin) {
			return true
		}
	}
	return false
}

func unclear(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return fmt.Errorf("%w: %w", fleet.ErrUnclear, err)
}

// broken asks what became of a command whose connection broke: it never started, so that it can be tried again; or it
// ended, with its exit code and without the rest of its output. Where the daemon does not answer, nobody knows.
func (p *Place) broken(ctx context.Context, id string, out fleet.Output, err error) (fleet.Output, error) {
	if ctx.Err() != nil {
		return out, unclear(ctx, err)
	}
	for _, wait := range []time.Duration{0, 100 * time.Millisecond, time.Second} {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return out, unclear(ctx, err)
		}
		state, failed := p.code(ctx, id)
		switch {
		case failed != nil:
			continue
		case state.PID == 0:
			return out, fmt.Errorf("%w: the connection broke before the command: %w", fleet.ErrUnreached, err)
		}
		out.Exit, out.Truncated = state.ExitCode, true
		return out, nil
	}
	return out, unclear(ctx, err)
}

// code asks for a command's exit code until the daemon has it, which is soon after the streams' end.
func (p *Place) code(ctx context.Context, id string) (client.ExecInspectResult, error) {
	for wait := time.Millisecond; ; wait = min(2*wait, 100*time.Millisecond) {
		state, err := p.api.ExecInspect(ctx, id, client.ExecInspectOptions{})
		if err != nil || !state.Running {
			return state, err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return state, context.Cause(ctx)
		}
	}
}

// late ends a command that runs past its time.
func (p *Place) late(ctx context.Context, exec string, i fleet.Instance) error {
	cause := context.Cause(ctx)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	state, err := p.api.ExecInspect(ctx, exec, client.ExecInspectOptions{})
	switch {
	case err != nil:
		return fmt.Errorf("%w; whether it still runs is not known: %w", cause, err)
	case !state.Running:
		return fmt.Errorf("%w; it has ended meanwhile", cause)
	}
	if err := kill(state.PID, i.ID, p.local()); err != nil {
		return fmt.Errorf("%w; it still runs, as process %d of the host: %w", cause, state.PID, err)
	}
	return fmt.Errorf("%w, and was killed", cause)
}

func (p *Place) local() bool { return strings.HasPrefix(p.api.DaemonHost(), "unix://") }

// kept is what is kept of a command's output, up to a limit over both streams.
type kept struct {
	stdout, stderr bytes.Buffer
	left           int64
	truncated      bool
}

func (k *kept) read(r io.Reader, tty bool) error {
	if tty {
		_, err := io.Copy(stream{k, &k.stdout}, r)
		return err
	}
	_, err := stdcopy.StdCopy(stream{k, &k.stdout}, stream{k, &k.stderr}, r)
	return err
}

func (k *kept) output() fleet.Output {
	return fleet.Output{Stdout: k.stdout.Bytes(), Stderr: k.stderr.Bytes(), Truncated: k.truncated}
}

type stream struct {
	k *kept
	b *bytes.Buffer
}

func (s stream) Write(p []byte) (int, error) {
	keep := p
	if int64(len(keep)) > s.k.left {
		keep, s.k.truncated = keep[:s.k.left], true
	}
	s.k.left -= int64(len(keep))
	s.b.Write(keep)
	return len(p), nil
}
