package fake

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/sandbox"
)

// Instance runs a [Program]. It implements every interface of an instance in package sandbox.
type Instance struct {
	runtime *Runtime
	id      string
	spec    sandbox.Spec
	args    []string
	env     []string
	user    string
	dir     string

	mu     sync.Mutex
	files  map[string][]byte
	ports  map[port]string // where a port of the instance really is
	open   []io.Closer
	main   *running
	logs   *output
	closed bool
}

type port struct {
	network string
	number  int
}

// running is one run of a program.
type running struct {
	signals signals
	done    chan struct{} // closed when the program returned or was killed
	exit    sandbox.Exit  // valid after done
	left    chan struct{} // closed when the function really returned
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

// Spec is what the instance was started with, defaults filled in.
func (i *Instance) Spec() sandbox.Spec { return i.spec }

func (i *Instance) run() {
	if i.logs == nil {
		i.logs = newOutput(i.spec.Limits.Output)
	}
	p := &Process{Args: i.args, Env: i.env, User: i.user, Dir: i.dir, Stdin: bytes.NewReader(nil)}
	main := i.start(context.Background(), i.runtime.Main, p, i.logs)
	life := time.AfterFunc(i.spec.Limits.Life, func() { main.signals.send(int(syscall.SIGKILL)) })
	go func() {
		<-main.done
		life.Stop()
	}()
	i.mu.Lock()
	i.main = main
	i.mu.Unlock()
}

// start runs a program until it returns, ctx ends or a signal kills it.
func (i *Instance) start(ctx context.Context, program Program, p *Process, out *output) *running {
	ctx, cancel := context.WithCancel(ctx)
	r := &running{done: make(chan struct{}), left: make(chan struct{})}
	r.signals.kill = cancel
	p.instance, p.signals = i, &r.signals
	p.Stdout, p.Stderr = stream{out, &out.stdout}, stream{out, &out.stderr}
	code := 0
	go func() {
		defer close(r.left)
		code = program(ctx, p)
	}()
	go func() {
		defer close(r.done)
		select {
		case <-r.left:
			r.exit = sandbox.Exit{Code: code}
		case <-ctx.Done():
			signal := r.signals.ended()
			if signal == 0 { // the context of an Exec ended
				signal = int(syscall.SIGKILL)
			}
			r.exit = sandbox.Exit{Code: 128 + signal, Signal: signal}
		}
		cancel()
	}()
	return r
}

func (i *Instance) current() *running {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.main
}

func (r *running) ended() bool {
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}

// Dial connects to a port that the program listens on.
func (i *Instance) Dial(ctx context.Context, network string, number int) (net.Conn, error) {
	i.mu.Lock()
	address, ok := i.ports[port{network, number}]
	i.mu.Unlock()
	if !ok || i.current().ended() {
		return nil, &net.OpError{Op: "dial", Net: network, Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	}
	return (&net.Dialer{}).DialContext(ctx, network, address)
}

func (i *Instance) serve(p port, address string, c io.Closer) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if _, taken := i.ports[p]; taken {
		_ = c.Close()
		return &net.OpError{Op: "listen", Net: p.network, Err: os.NewSyscallError("bind", syscall.EADDRINUSE)}
	}
	i.ports[p] = address
	i.open = append(i.open, c)
	return nil
}

// Logs is what the program wrote so far.
func (i *Instance) Logs(context.Context) (sandbox.Logs, error) { return i.logs.logs(), nil }

// Wait waits until the program ends.
func (i *Instance) Wait(ctx context.Context) (sandbox.Exit, error) {
	r := i.current()
	select {
	case <-r.done:
		return r.exit, nil
	case <-ctx.Done():
		return sandbox.Exit{}, context.Cause(ctx)
	}
}

// Signal sends a signal to the program.
func (i *Instance) Signal(_ context.Context, signal int) error {
	r := i.current()
	if r.ended() {
		return fmt.Errorf("instance %s: signal %d: %w", i.id, signal, os.ErrProcessDone)
	}
	r.signals.send(signal)
	return nil
}

// Exec runs one of the runtime's Commands.
func (i *Instance) Exec(ctx context.Context, cmd sandbox.Command) (sandbox.Output, error) {
	if len(cmd.Args) == 0 {
		return sandbox.Output{}, fmt.Errorf("instance %s: the command has no arguments", i.id)
	}
	if i.current().ended() {
		return sandbox.Output{}, fmt.Errorf("instance %s: run %s: %w", i.id, cmd.Args[0], os.ErrProcessDone)
	}
	out := newOutput(i.spec.Limits.Output)
	program, ok := i.runtime.Commands[cmd.Args[0]]
	if !ok {
		_, _ = fmt.Fprintf(stream{out, &out.stderr}, "%s: no such file or directory\n", cmd.Args[0])
		return sandbox.Output{Exit: sandbox.Exit{Code: 127}, Logs: out.logs()}, nil
	}
	p := &Process{
		Args: cmd.Args, Env: append(slices.Clone(i.env), cmd.Env...),
		User: or(cmd.User, i.user), Dir: or(cmd.Dir, i.dir), Stdin: cmd.Stdin,
	}
	if p.Stdin == nil {
		p.Stdin = bytes.NewReader(nil)
	}
	began := time.Now() //nolint:forbidigo // a fake measures real time
	r := i.start(ctx, program, p, out)
	<-r.done
	if ctx.Err() != nil {
		return sandbox.Output{Exit: r.exit, Logs: out.logs()}, context.Cause(ctx)
	}
	return sandbox.Output{Exit: r.exit, Logs: out.logs(), Duration: time.Since(began)}, nil
}

// Restart ends the program and runs it again on the same files. The log goes on.
func (i *Instance) Restart(ctx context.Context, grace time.Duration) error {
	r := i.current()
	if !r.ended() {
		r.signals.send(int(syscall.SIGTERM))
		timer := time.NewTimer(grace)
		defer timer.Stop()
		select {
		case <-r.done:
		case <-timer.C:
			r.signals.send(int(syscall.SIGKILL))
			<-r.done
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	i.release()
	i.run()
	return nil
}

// release closes the ports.
func (i *Instance) release() {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, c := range i.open {
		_ = c.Close()
	}
	i.open, i.ports = nil, map[port]string{}
}

// Close ends the program and waits until its function returned or ctx ends.
func (i *Instance) Close(ctx context.Context) error {
	i.mu.Lock()
	first, main := !i.closed, i.main
	i.closed = true
	i.mu.Unlock()
	if first {
		i.runtime.closed(i)
	}
	if !main.ended() {
		main.signals.send(int(syscall.SIGKILL))
	}
	i.release()
	select {
	case <-main.left:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("instance %s: its program does not return: %w", i.id, context.Cause(ctx))
	}
}
