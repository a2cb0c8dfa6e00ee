// Package nri is a containerd plugin (NRI, https://github.com/containerd/nri) that asks a gate before each container is
// created. It stands on the node, behind everything: it sees images that were cached, loaded or imported, static pods,
// restarts by the kubelet (which creates a container anew for each), and what an admission webhook was not asked about.
//
//	plugin := nri.New(gate, nri.Options{})
//	err := plugin.Run(ctx)   // connects to /var/run/nri/nri.sock, and again when containerd was restarted
//
// A plugin that is not there decides nothing: containerd then creates containers without it. So name it in containerd's
// configuration as one that must have been asked, and the node starts nothing while it is away:
//
//	version = 3
//	[plugins."io.containerd.nri.v1.nri"]
//	  disable = false
//	  [plugins."io.containerd.nri.v1.nri".default_validator]
//	    enable = true
//	    required_plugins = ["plimsoll"]
//	    tolerate_missing_plugins_annotation = ""   # no pod may waive it
//
// With that the plugin's own pod can't start on a node without it either: run it as a service of the node.
//
// It needs containerd 2.2 or later, which tells plugins the digests of a container's image. One that does not, and a
// container that was restored from a checkpoint, has no digest, and is denied. An index that has the digest is told apart
// from the manifest by the config's digest, which belongs to one platform.
//
// Two moments are left. A plugin that dies, or does not answer in plugin_request_timeout (2 s), while it is asked about a
// container has been asked, as containerd counts it, and that one container is created. The plugin asks for such a request
// to fail, which runtimes with NRI 0.12.5 or later do, and answers in three quarters of the time whatever evidence it
// waits for. When it connects again it tells what runs and is denied.
//
// What it can't see: images that are mounted as volumes, whose digest NRI does not tell; package webhook judges those.
package nri

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/containerd/nri/pkg/api"
	"github.com/containerd/nri/pkg/stub"

	"github.com/plimsoll-dev/plimsoll/sdk/admission"
)

// Options of a plugin. The zero value is useful.
type Options struct {
	// Name is the plugin's, as required_plugins has it. Default: "plimsoll".
	Name string
	// Index orders plugins, "00" to "99"; earlier ones may change what later ones see. Default: "99".
	Index string
	// Socket is containerd's. Default: /var/run/nri/nri.sock.
	Socket string
	// Exempt are namespaces of pods that are not judged. Default: none.
	Exempt []string
	// Running is told of what runs already when the plugin connects, and is denied. Nil tells nobody but Log.
	Running func(admission.Instance, admission.Decision)
	// Log receives denials and lost connections. Nil discards.
	Log *slog.Logger
}

// Plugin answers containerd. It is safe for concurrent use.
type Plugin struct {
	gate     *admission.Gate
	opts     Options
	patience atomic.Int64 // how long an answer may take, in nanoseconds: less than containerd waits
}

var (
	_ stub.CreateContainerInterface = (*Plugin)(nil)
	_ stub.SynchronizeInterface     = (*Plugin)(nil)
)

// New returns a plugin.
func New(gate *admission.Gate, opts Options) *Plugin {
	if opts.Name == "" {
		opts.Name = "plimsoll"
	}
	if opts.Index == "" {
		opts.Index = "99"
	}
	if opts.Socket == "" {
		opts.Socket = api.DefaultSocketPath
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	p := &Plugin{gate: gate, opts: opts}
	p.patience.Store(int64(stub.DefaultRequestTimeout * 3 / 4))
	return p
}

// CreateContainer denies a container by an error. It changes nothing about it.
func (p *Plugin) CreateContainer(ctx context.Context, pod *api.PodSandbox, c *api.Container) (*api.ContainerAdjustment, []*api.ContainerUpdate, error) {
	if slices.Contains(p.opts.Exempt, pod.GetNamespace()) && pod.GetNamespace() != "" {
		return nil, nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(p.patience.Load()))
	defer cancel()
	if err := p.decide(ctx, c).Err(); err != nil {
		p.opts.Log.Warn("denied", "namespace", pod.GetNamespace(), "pod", pod.GetName(), "container", c.GetName(), "reason", err)
		return nil, nil, err
	}
	return nil, nil, nil
}

// Synchronize judges what runs already. It ends nothing: that is for the sweep and what follows it.
func (p *Plugin) Synchronize(ctx context.Context, pods []*api.PodSandbox, containers []*api.Container) ([]*api.ContainerUpdate, error) {
	names := map[string]*api.PodSandbox{}
	for _, pod := range pods {
		names[pod.GetId()] = pod
	}
	for _, c := range containers {
		d := p.decide(ctx, c)
		if d.Err() == nil || c.GetState() != api.ContainerState_CONTAINER_RUNNING {
			continue
		}
		pod := names[c.GetPodSandboxId()]
		p.opts.Log.Warn("a container that is denied runs", "namespace", pod.GetNamespace(), "pod", pod.GetName(), "container", c.GetName(), "reason", d.Err())
		if p.opts.Running != nil {
			i := admission.Instance{Place: "containerd", ID: c.GetId(), Name: pod.GetNamespace() + "/" + pod.GetName() + "/" + c.GetName(), Image: d.Image}
			if at := c.GetCreatedAt(); at > 0 {
				i.Since = time.Unix(0, at)
			}
			p.opts.Running(i, d)
		}
	}
	return nil, nil
}

func (p *Plugin) decide(ctx context.Context, c *api.Container) admission.Decision {
	image := Image(c)
	if len(image.Digests)+len(image.Indexes) == 0 {
		return p.gate.Refuse(ctx, image.Ref, admission.RuleUnidentified, "use containerd 2.2 or later; a container that was restored from a checkpoint has to be made anew",
			errors.New("containerd tells no digest of its image"))
	}
	return p.gate.Decide(ctx, image)
}

// Image is what containerd tells about a container's image.
func Image(c *api.Container) admission.Image {
	i := admission.Image{Ref: c.GetImage().GetName()}
	if config := c.GetImage().GetConfigDigest(); config != "" {
		i.Digests = []string{config}
	}
	if digest := c.GetImage().GetDigest(); digest != "" {
		i.Indexes = []string{digest} // or of a manifest: which of the two is not said
	}
	return i
}

// Run serves containerd until the context ends, and then returns nil. It connects again when the connection is lost; that
// it can't connect at the first time is an error.
func (p *Plugin) Run(ctx context.Context) error {
	for first := true; ; first = false {
		err := p.serve(ctx)
		switch {
		case ctx.Err() != nil:
			return nil //nolint:nilerr // it was told to stop
		case first && err != nil:
			return fmt.Errorf("NRI at %s: %w", p.opts.Socket, err)
		}
		p.opts.Log.Warn("the connection to containerd was lost", "error", err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Second):
		}
	}
}

// serve is one connection. It returns nil when it had been there and is over.
func (p *Plugin) serve(ctx context.Context) error {
	closed := make(chan struct{})
	s, err := stub.New(p, stub.WithPluginName(p.opts.Name), stub.WithPluginIdx(p.opts.Index), stub.WithSocketPath(p.opts.Socket),
		stub.WithOnClose(func() { close(closed) }),
		stub.WithFailurePolicy(&api.FailurePolicy{FailRequest: true, KeepConnected: true}))
	if err != nil {
		return err
	}
	if err := s.Start(ctx); err != nil {
		return err
	}
	p.patience.Store(int64(s.RequestTimeout() * 3 / 4))
	p.opts.Log.Info("connected to containerd", "socket", p.opts.Socket, "plugin", p.opts.Index+"-"+p.opts.Name)
	select {
	case <-closed:
	case <-ctx.Done():
		s.Stop()
	}
	return nil
}
