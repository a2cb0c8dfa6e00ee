// Package docker runs images under test in a Docker daemon: Docker Engine 20.10 or newer, or a socket that speaks its API.
//
//	rt, err := docker.New(ctx, docker.Options{})
//	defer rt.Close()
//	instance, err := rt.Start(ctx, sandbox.Spec{Image: img, Platform: "linux/amd64"})
//
// An instance gets a read-only root, no capability, no-new-privileges, today's default seccomp profile of Docker even in an
// older daemon, limits on memory (without swap), processes, CPU and time, and no network: its own loopback, or the network
// of its Spec.Network, which leads nowhere else and not to the host. The image's own process is PID 1. Volumes that the
// image declares are not made, its health check is not run, and no port is published. What an instance writes to its log
// is kept here and nowhere on the daemon's disk. The daemon gets the image from this process, so it needs no registry and
// no credentials. It must tell that it has confined the instance so, or the instance is not started.
//
// Two things are on the daemon's disk, where no limit holds: a writable root (Spec.WritableRoot), and a directory of
// Spec.Tmpfs that Spec.Files are put into. What the daemon says that it cannot limit, [Runtime.Weaknesses] says. Podman's
// socket works (4.3 was tried) but for Spec.Network. It adds TERM and container to the environment, keeps its own seccomp
// profile, which lets vsock through, and where the layers of an image have no entry for / it makes a root directory that
// not even Spec.WritableRoot lets root write to.
//
// Commands in instances (Exec) are started by this process where it is root beside a daemon that runs runc: in the instance's
// namespaces and control groups, as the same user, with the same capabilities, filter and limits as the daemon would give
// them, in a fraction of the time. Where that is not certain (a user namespace, AppArmor, SELinux, another OCI runtime) the
// daemon starts them.
//
// A daemon may be elsewhere, and the user need not be root: then this program runs once more in a container beside the
// daemon and looks at instances from there; see [Options.Helper].
//
// # Containers, testcontainers and Ryuk
//
// testcontainers-go starts, asks and ends the containers. They are created through the daemon's API, because testcontainers
// would publish every port that an image exposes, pull images, and start its own reaper (Ryuk, an image to pull, with the
// daemon's socket) unless the process's environment forbids it. So nothing here depends on the environment or on
// ~/.testcontainers.properties.
//
// Instead of Ryuk, everything is marked with its owner: machine, process, and a lease by the daemon's clock. [Runtime.Close]
// removes what is the runtime's; what a killed process left behind is removed by the next [New] on the same machine at once,
// and from another machine when its lease has ended.
package docker

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/moby/moby/api/types/system"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
	tclog "github.com/testcontainers/testcontainers-go/log"
	"golang.org/x/sync/errgroup"

	"github.com/plimsoll-dev/plimsoll/internal/dockerhost"
	"github.com/plimsoll-dev/plimsoll/sdk/sandbox"
)

// Options of a runtime. The zero value is the daemon of this machine.
type Options struct {
	// Host is the daemon's address in the form of DOCKER_HOST: "unix:///run/user/1000/docker.sock", "tcp://10.0.0.5:2376", or
	// "ssh://user@host", for which the ssh command of this machine runs docker on the other. Default
	// "unix:///var/run/docker.sock". The environment is not read.
	Host string
	// TLS is what a tcp Host is spoken to with. Default plain text.
	TLS *tls.Config
	// Runtime is the daemon's name of another OCI runtime, such as "runsc". Default the daemon's own.
	Runtime string
	// Helper is a static Linux program for the daemon's architecture that imports this package. It runs in a container beside
	// a daemon whose processes this one cannot enter: one elsewhere, or for a user who is not root. Default this program
	// itself, which must then be for Linux and that architecture.
	Helper []byte
	// MaxBytes bounds the files of one image, unpacked. Default 8 GiB.
	MaxBytes int64
	// MaxEntries bounds the number of files of one image. Default one million.
	MaxEntries int64
	// Log gets what is swept away and what could not be. Default none.
	Log *slog.Logger
}

func (o Options) orDefault() Options {
	if o.Host == "" {
		o.Host = client.DefaultDockerHost
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = 8 << 30
	}
	if o.MaxEntries == 0 {
		o.MaxEntries = 1_000_000
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// Runtime runs instances in a Docker daemon. It is safe for concurrent use.
type Runtime struct {
	options  Options
	client   *client.Client
	provider *testcontainers.DockerProvider
	info     system.Info
	podman   bool // it is Podman that speaks Docker's API
	owner    owner
	seccomp  string // the profile, as an option of a container; "" is the daemon's
	images   images
	helper   helper
	joiner   joiner
	sees     atomic.Bool // processes of the daemon, from this process

	mu        sync.Mutex
	instances map[*Instance]bool
	networks  map[string]*network
	closed    bool
}

var (
	_ sandbox.PlatformRuntime = (*Runtime)(nil)
	_ sandbox.WeakRuntime     = (*Runtime)(nil)
)

// New connects to a daemon and removes what earlier processes left behind. The caller closes the runtime.
// An error says at which address no daemon answered.
func New(ctx context.Context, options Options) (*Runtime, error) {
	options = options.orDefault()
	c, err := dockerhost.New(options.Host, options.TLS)
	if err != nil {
		return nil, fmt.Errorf("docker sandbox: %w", err)
	}
	r := &Runtime{options: options, client: c, instances: map[*Instance]bool{}, networks: map[string]*network{}}
	r.provider = &testcontainers.DockerProvider{DockerProviderOptions: &testcontainers.DockerProviderOptions{
		GenericProviderOptions: &testcontainers.GenericProviderOptions{Logger: tclog.NewNoopLogger()},
	}}
	r.provider.SetClient(c)
	if err := r.ask(ctx); err != nil {
		return nil, errors.Join(r.explain(err), c.Close())
	}
	r.images = images{runtime: r, byKey: map[string]*loading{}}
	r.helper.runtime = r
	r.sweep(ctx)
	return r, nil
}

// ask asks the daemon what it is and can do.
func (r *Runtime) ask(ctx context.Context) error {
	var version client.ServerVersionResult
	both, bothCtx := errgroup.WithContext(ctx)
	both.Go(func() error {
		result, err := r.client.Info(bothCtx, client.InfoOptions{})
		r.info = result.Info
		return err
	})
	both.Go(func() (err error) {
		version, err = r.client.ServerVersion(bothCtx, client.ServerVersionOptions{})
		return err
	})
	err := both.Wait()
	if err != nil {
		return err
	}
	r.podman = slices.ContainsFunc(version.Components, func(c system.ComponentVersion) bool { return c.Name == "Podman Engine" })
	if r.owner, err = newOwner(r.info.SystemTime); err != nil {
		return err
	}
	r.seccomp, err = r.seccompOption()
	return err
}

// Name is "docker".
func (r *Runtime) Name() string { return "docker" }

// Weaknesses are the limits that this daemon cannot hold, a sentence each.
func (r *Runtime) Weaknesses() []string {
	var list []string
	for _, w := range []struct {
		holds bool
		text  string
	}{
		{r.info.MemoryLimit, "the daemon cannot limit memory"},
		{r.info.SwapLimit, "the daemon cannot limit swap, so an instance may use as much again as its memory limit"},
		{r.info.PidsLimit, "the daemon cannot limit the number of processes"},
		{r.info.CPUCfsQuota, "the daemon cannot limit CPU time"},
		{!r.podman, "Podman keeps its own seccomp profile, and does not say when the memory limit killed an instance"},
		{r.seccomp != "" || hasSeccomp(r.info.SecurityOptions), "the daemon does not filter system calls (seccomp)"},
	} {
		if !w.holds {
			list = append(list, w.text)
		}
	}
	return list
}

// Close ends all instances and removes what the runtime put into the daemon. It may be called more than once.
func (r *Runtime) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	r.mu.Lock()
	r.closed = true
	var open []*Instance
	for i := range r.instances {
		open = append(open, i)
	}
	r.mu.Unlock()
	var all []error
	for _, i := range open {
		all = append(all, i.Close(ctx))
	}
	all = append(all, r.helper.close(ctx), r.joiner.close(), r.images.remove(ctx), r.client.Close())
	return errors.Join(all...)
}

// explain says which daemon an error is from, and what to do when it does not answer.
func (r *Runtime) explain(err error) error {
	switch {
	case err == nil:
		return nil
	case silent(err):
		return fmt.Errorf("docker sandbox: no daemon answers at %s: start Docker, or give the address of one: %w", r.options.Host, err)
	default:
		return fmt.Errorf("docker sandbox: %w", err)
	}
}

// silent says whether an error means that there is no daemon, or none any more.
func silent(err error) bool {
	return client.IsErrConnectionFailed(err) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET)
}
