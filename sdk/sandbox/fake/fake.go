// Package fake is a [sandbox.Runtime] for tests of step libraries: what runs as "the image" is a Go function, in this
// process, on loopback. Nothing is confined; nothing is unpacked; an instance starts in microseconds.
//
//	rt := &fake.Runtime{Main: func(ctx context.Context, p *fake.Process) int { ... }}
//	instance, err := rt.Start(ctx, sandbox.Spec{Image: img, Platform: "linux/amd64"})
//
// Instances implement every optional interface of package sandbox. To test what a step does with a weaker sandbox,
// wrap the instance in a struct that embeds only [sandbox.Instance].
package fake

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"

	"github.com/plimsoll-dev/plimsoll/sdk/sandbox"
)

// Program is what an instance or a command runs. It returns its exit code and should return soon after ctx ends, which
// is how it is killed.
type Program func(ctx context.Context, p *Process) int

// Runtime starts instances that run Main. Set the fields before the first Start; after that it is safe for concurrent use.
type Runtime struct {
	// Main is the program of every instance. Required.
	Main Program
	// Commands are what Exec can run, by the first argument. Anything else exits with 127, as a shell would say it.
	Commands map[string]Program
	// Files are the image's files by absolute path; the instance's Spec.Files are laid over them.
	Files map[string][]byte
	// Processes are listed by the Inspector after the main process.
	Processes []sandbox.Process
	// Usage is what the Meter says.
	Usage sandbox.Usage
	// StartErr is returned by Start when it is set.
	StartErr error

	mu       sync.Mutex
	started  int
	open     int
	networks map[string]map[string]*Instance // instances by network and name
}

// Name is "fake".
func (r *Runtime) Name() string { return "fake" }

// CanRun says yes to every platform.
func (r *Runtime) CanRun(context.Context, string) error { return nil }

// Open is the number of instances that were started and not yet closed: 0 at the end of a test that cleans up.
func (r *Runtime) Open() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.open
}

// Start runs Main. The concrete type of the instance is *[Instance].
func (r *Runtime) Start(ctx context.Context, spec sandbox.Spec) (sandbox.Instance, error) {
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case r.StartErr != nil:
		return nil, r.StartErr
	case spec.Image == nil:
		return nil, errors.New("fake sandbox: the spec has no image")
	case spec.Platform == "":
		return nil, errors.New("fake sandbox: the spec has no platform")
	case r.Main == nil:
		return nil, errors.New("fake sandbox: the runtime has no Main")
	}
	config, err := spec.Image.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("fake sandbox: the image's config: %w", err)
	}
	if spec.Name == "" {
		spec.Name = "instance"
	}
	spec.Limits = spec.Limits.OrDefault()

	r.mu.Lock()
	defer r.mu.Unlock()
	if r.networks[spec.Network][spec.Name] != nil {
		return nil, fmt.Errorf("fake sandbox: network %q already has an instance named %q", spec.Network, spec.Name)
	}
	r.started++
	i := &Instance{
		runtime: r,
		id:      fmt.Sprintf("fake-%d", r.started),
		spec:    spec,
		args:    arguments(spec, config.Config.Entrypoint, config.Config.Cmd),
		env:     append(append([]string(nil), config.Config.Env...), spec.Env...),
		user:    or(spec.User, config.Config.User, "0"),
		dir:     or(spec.Dir, config.Config.WorkingDir, "/"),
		files:   maps.Clone(r.Files),
		ports:   map[port]string{},
	}
	if i.files == nil {
		i.files = map[string][]byte{}
	}
	maps.Copy(i.files, spec.Files)
	if spec.Network != "" {
		if r.networks == nil {
			r.networks = map[string]map[string]*Instance{}
		}
		if r.networks[spec.Network] == nil {
			r.networks[spec.Network] = map[string]*Instance{}
		}
		r.networks[spec.Network][spec.Name] = i
	}
	r.open++
	i.run()
	return i, nil
}

// peer finds another instance of the same network.
func (r *Runtime) peer(network, name string) *Instance {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.networks[network][name]
}

func (r *Runtime) closed(i *Instance) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open--
	if r.networks[i.spec.Network][i.spec.Name] == i {
		delete(r.networks[i.spec.Network], i.spec.Name)
	}
}

func arguments(spec sandbox.Spec, entrypoint, cmd []string) []string {
	if spec.Entrypoint != nil {
		entrypoint, cmd = spec.Entrypoint, nil
	}
	if spec.Args != nil {
		cmd = spec.Args
	}
	return append(append([]string(nil), entrypoint...), cmd...)
}

func or(values ...string) string {
	for _, v := range values {
		if strings.TrimSpace(v) != "" {
			return v
		}
	}
	return ""
}
