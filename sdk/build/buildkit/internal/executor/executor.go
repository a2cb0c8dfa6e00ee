//go:build linux

// Package executor runs the steps of a build with package container: BuildKit's executor interface for machines that have
// nothing installed, not even an OCI runtime.
//
//	e, err := executor.New(ctx, executor.Options{Root: dir})
//	defer e.Close()
//
// A step gets Docker's default capabilities, Docker's default seccomp profile, no_new_privs and namespaces of its own,
// which is more than runc in BuildKit's hands: there, setuid programs such as sudo gain privileges in a step.
// Not supported, with an error that says so: proxy networks and CDI devices.
package executor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"

	"github.com/containerd/containerd/v2/core/mount"
	"github.com/moby/buildkit/executor"
	"github.com/moby/buildkit/executor/oci"
	resourcestypes "github.com/moby/buildkit/executor/resources/types"
	"github.com/moby/buildkit/identity"

	"github.com/plimsoll-dev/plimsoll/internal/container"
)

// Options of an executor. Root is required.
type Options struct {
	// Root is a directory for the executor alone. What a killed process left in it is unmounted and removed by New.
	Root string
	// NoNetwork gives steps that do not say which network they want none; the default is the host's, as in buildkitd.
	NoNetwork bool
	// DNS overrides parts of the host's resolv.conf.
	DNS *oci.DNSConfig
	// Resources bound each step, as far as the definition does not ask for less.
	Resources container.Resources
}

// Executor implements BuildKit's interface of the same name. It is safe for concurrent use.
type Executor struct {
	options    Options
	supervisor *container.Supervisor
	single     bool // there is no id but 0 in this user namespace

	mu      sync.Mutex
	running map[string]*step
}

var _ executor.Executor = (*Executor)(nil)

// step is a container that Exec may find.
type step struct {
	ready     chan struct{} // closed when container is set
	done      chan struct{} // closed when Run is over
	container *container.Container
	process   container.Process // of its first process
	root      string
}

// New starts an executor. The caller closes it, when no step runs any more.
func New(ctx context.Context, options Options) (*Executor, error) {
	if err := clean(options.Root); err != nil {
		return nil, err
	}
	supervisor, err := container.NewSupervisor(ctx, container.Options{})
	if err != nil {
		return nil, err
	}
	return &Executor{options: options, supervisor: supervisor, single: container.SingleID(), running: map[string]*step{}}, nil
}

// clean makes root an empty directory.
func clean(root string) error {
	if err := mount.UnmountRecursive(root, syscall.MNT_DETACH); err != nil {
		return fmt.Errorf("unmount what is left in %s: %w", root, err)
	}
	if err := os.RemoveAll(root); err != nil {
		return err
	}
	return os.MkdirAll(root, 0o711)
}

// Weaknesses are the limits that this machine cannot hold, a sentence each.
func (e *Executor) Weaknesses() []string {
	w := e.supervisor.Weaknesses()
	if e.single {
		w = append(w, "this user has a single id to build with: files that a step makes as another user belong to root in the image, and chown fails "+
			"(ranges in /etc/subuid and /etc/subgid, with newuidmap and newgidmap, give it more)")
	}
	return w
}

// Close kills what still runs.
func (e *Executor) Close() error {
	return errors.Join(e.supervisor.Close(), clean(e.options.Root), os.Remove(e.options.Root))
}

// Run runs a step to its end.
func (e *Executor) Run(ctx context.Context, id string, root executor.Mount, mounts []executor.Mount, process executor.ProcessInfo, started chan<- struct{}) (_ resourcestypes.Recorder, err error) {
	if id == "" {
		id = identity.NewID()
	}
	if err := executor.ValidContainerID(id); err != nil {
		return nil, err
	}
	s := &step{ready: make(chan struct{}), done: make(chan struct{})}
	e.mu.Lock()
	if e.running[id] != nil {
		e.mu.Unlock()
		return nil, fmt.Errorf("container %s runs already", id)
	}
	e.running[id] = s
	e.mu.Unlock()
	var startOnce sync.Once
	signalStart := func() {
		startOnce.Do(func() {
			if started != nil {
				close(started)
			}
		})
	}
	defer func() {
		e.mu.Lock()
		delete(e.running, id)
		e.mu.Unlock()
		close(s.done)
		signalStart()
	}()

	spec, release, err := e.prepare(ctx, id, root, mounts, &process.Meta)
	defer release()
	if err != nil {
		return nil, err
	}
	streams, err := newStreams(&process)
	if err != nil {
		return nil, err
	}
	defer streams.close()
	c, err := e.supervisor.Start(ctx, *spec, streams.stdio)
	if err != nil {
		return nil, startError(ctx, err, &process)
	}
	defer func() { err = errors.Join(err, c.Remove(context.WithoutCancel(ctx))) }()
	s.container, s.process, s.root = c, spec.Process, spec.Root
	close(s.ready)
	signalStart()
	exit, err := streams.attend(ctx, c, c.Terminal, &process)
	if err != nil {
		return nil, err
	}
	return nil, exitError(ctx, exit, process.Meta.ValidExitCodes)
}

// Exec runs one more process in a step's container.
func (e *Executor) Exec(ctx context.Context, id string, process executor.ProcessInfo) error {
	e.mu.Lock()
	s := e.running[id]
	e.mu.Unlock()
	if s == nil {
		return fmt.Errorf("container %s does not run", id)
	}
	select {
	case <-s.ready:
	case <-s.done:
		return fmt.Errorf("container %s has ended", id)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	p := s.process
	p.Args, p.Terminal = process.Meta.Args, process.Meta.Tty
	if process.Meta.Cwd != "" {
		p.Dir = process.Meta.Cwd
	}
	if len(process.Meta.Env) > 0 {
		p.Env = process.Meta.Env
	}
	if process.Meta.User != "" {
		who, err := container.ResolveUser(s.root, process.Meta.User)
		if err != nil {
			return err
		}
		if p.UID, p.GID, p.Groups = who.UID, who.GID, who.Groups; e.single {
			p.Groups = nil
		}
		p.Env = container.WithHome(p.Env, who.Home)
	}
	streams, err := newStreams(&process)
	if err != nil {
		return err
	}
	defer streams.close()
	x, err := s.container.Exec(ctx, p, streams.stdio)
	if err != nil {
		return startError(ctx, err, &process)
	}
	exit, err := streams.attend(ctx, x, x.Terminal, &process)
	if err != nil {
		return err
	}
	return exitError(ctx, exit, process.Meta.ValidExitCodes)
}
