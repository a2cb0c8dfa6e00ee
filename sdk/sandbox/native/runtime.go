//go:build linux

package native

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"

	"github.com/containerd/platforms"

	"github.com/plimsoll-dev/plimsoll/internal/container"
	"github.com/plimsoll-dev/plimsoll/sdk/sandbox"
)

// Runtime is the embedded sandbox. It is safe for concurrent use.
type Runtime struct {
	options    Options
	store      *store
	supervisor *container.Supervisor
	filter     func() ([]byte, error) // for no capabilities, which is the usual case
}

var (
	_ sandbox.Runtime         = (*Runtime)(nil)
	_ sandbox.PlatformRuntime = (*Runtime)(nil)
)

// New starts the embedded sandbox. The caller closes it. An error that wraps [sandbox.ErrUnsupported] says why this user
// cannot run instances on this machine, and what would change that.
func New(ctx context.Context, options Options) (*Runtime, error) {
	if options.Dir == "" {
		return nil, errors.New("embedded sandbox: Options.Dir is empty; it names the directory for unpacked images")
	}
	options = options.orDefault()
	ordinary := container.NeedsUserNamespace()
	supervisor, err := container.NewSupervisor(ctx, container.Options{UserNamespace: ordinary, OwnMounts: true})
	if errors.Is(err, container.ErrUnavailable) {
		return nil, fmt.Errorf("embedded sandbox: %w: %w", sandbox.ErrUnsupported, err)
	}
	if err != nil {
		return nil, fmt.Errorf("embedded sandbox: %w", err)
	}
	store, err := newStore(options, ordinary)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("embedded sandbox: %w", err), supervisor.Close())
	}
	return &Runtime{
		options: options, store: store, supervisor: supervisor,
		filter: sync.OnceValues(func() ([]byte, error) { return container.DefaultFilter(0) }),
	}, nil
}

// Name is "embedded".
func (r *Runtime) Name() string { return "embedded" }

// Weaknesses are the promises of a sandbox that this machine keeps only in part, a sentence each.
func (r *Runtime) Weaknesses() []string {
	w := r.supervisor.Weaknesses()
	if r.supervisor.SingleID() {
		w = append(w, "this user has a single id: all files of an image belong to the one user that an instance has")
	}
	return w
}

// CanRun says whether this machine's processor, or an emulator that the kernel calls for it, runs a platform.
func (r *Runtime) CanRun(_ context.Context, platform string) error {
	p, err := platforms.Parse(platform)
	if err != nil {
		return fmt.Errorf("platform %q: %w", platform, err)
	}
	host := platforms.DefaultSpec()
	if platforms.Only(host).Match(p) || p.OS == "linux" && emulated(p.Architecture) {
		return nil
	}
	return fmt.Errorf("%w: platform %s does not run on %s; an emulator registered with the kernel (binfmt_misc with flag F, as qemu-user-static does) would run it",
		sandbox.ErrUnsupported, platform, platforms.Format(host))
}

// emulated looks for an interpreter that the kernel loads itself (flag F): others are not found in an instance's root.
func emulated(arch string) bool {
	names := map[string]string{"arm64": "aarch64", "amd64": "x86_64", "386": "i386"}
	name := names[arch]
	if name == "" {
		name = arch
	}
	entry, err := os.ReadFile("/proc/sys/fs/binfmt_misc/qemu-" + name)
	if err != nil {
		return false
	}
	enabled, fixed := false, false
	for line := range strings.Lines(string(entry)) {
		line = strings.TrimSpace(line)
		enabled = enabled || line == "enabled"
		flags, ok := strings.CutPrefix(line, "flags: ")
		fixed = fixed || ok && strings.Contains(flags, "F")
	}
	return enabled && fixed
}

// Start unpacks the image, unless an earlier Start has, and starts an instance of it.
func (r *Runtime) Start(ctx context.Context, spec sandbox.Spec) (sandbox.Instance, error) {
	switch {
	case spec.Image == nil:
		return nil, errors.New("embedded sandbox: the spec has no image")
	case spec.Platform == "":
		return nil, fmt.Errorf("embedded sandbox: the spec has no platform; this machine's is linux/%s", runtime.GOARCH)
	}
	if err := r.CanRun(ctx, spec.Platform); err != nil {
		return nil, fmt.Errorf("embedded sandbox: %w", err)
	}
	image, err := r.store.open(ctx, spec.Image)
	if err != nil {
		return nil, fmt.Errorf("embedded sandbox: %w", err)
	}
	i := &Instance{runtime: r, image: image, id: strings.ToLower(rand.Text()[:12]), spec: spec}
	if err := i.start(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("embedded sandbox: %w", err), image.close())
	}
	return i, nil
}

// Purge removes the unpacked images that no instance uses, here or in another process that shares Options.Dir.
func (r *Runtime) Purge(ctx context.Context) error { return r.store.purge(ctx) }

// Close kills all instances.
func (r *Runtime) Close() error { return r.supervisor.Close() }
