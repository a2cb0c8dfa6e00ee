// Package docker makes a Docker host, or Podman's service, which speaks the same API, a place of package fleet.
//
//	place, err := docker.Open(docker.Options{Host: "ssh://ops@web-7"})
//	defer place.Close()
//	inventory := fleet.NewInventory(place)
//
// Hosts are reached by socket, by TCP with TLS, by SSH (with the ssh command of this machine), and as Docker contexts. The
// daemon is asked for a list and then followed by its events. A container is meant by its full id throughout: another one
// that has its name since is never touched.
package docker

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/client"

	"github.com/plimsoll-dev/plimsoll/internal/dockerhost"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/docker"
	"github.com/plimsoll-dev/plimsoll/sdk/fleet"
)

// Options say which daemon is meant.
type Options struct {
	// Name is the place's. Default "docker://" and the host of the address, or the context's name.
	Name string
	// Host is the daemon's address: "unix:///var/run/docker.sock" (the default), "unix:///run/podman/podman.sock",
	// "tcp://web-7:2376", "ssh://ops@web-7". The environment is not read.
	Host string
	// TLS is for addresses with "tcp". Nil is plain TCP, which lets anybody on the way do anything.
	TLS *tls.Config
	// Context is the name of a Docker context, in place of Host and TLS; ConfigDir is where Docker keeps them, by default
	// $DOCKER_CONFIG or .docker in the home directory.
	Context, ConfigDir string
	// Enter takes strategy namespaces, on containers of this very machine. Nil does not: see package fleet/namespaces.
	Enter Enter
}

// Enter runs a command in a container of this machine, by its id and the process id of its first process.
type Enter func(ctx context.Context, id string, pid int, c fleet.Command) (fleet.Output, error)

// Place is a Docker host. It is safe for concurrent use.
type Place struct {
	name, host string
	api        *client.Client
	engine     *docker.Engine
	enter      Enter

	mu     sync.Mutex
	images map[string]fleet.Image // by the daemon's id
}

var _ interface {
	fleet.Place
	fleet.Claimer
} = (*Place)(nil)

// Open prepares to speak to a daemon. Nothing is sent yet. The caller closes the place.
func Open(o Options) (*Place, error) {
	p := &Place{name: o.Name, enter: o.Enter, images: map[string]fleet.Image{}}
	var err error
	if o.Context != "" {
		p.name, p.host = cmp.Or(p.name, "docker://"+o.Context), o.Context
		p.api, err = dockerhost.Context(o.ConfigDir, o.Context)
	} else {
		address := cmp.Or(o.Host, "unix:///var/run/docker.sock")
		p.host = machine(address)
		p.name = cmp.Or(p.name, "docker://"+p.host)
		p.api, err = dockerhost.New(address, o.TLS)
	}
	if err != nil {
		return nil, err
	}
	p.engine = docker.New(p.api)
	return p, nil
}

// machine is what the host of an address is called.
func machine(address string) string {
	scheme, rest, _ := strings.Cut(address, "://")
	switch scheme {
	case "unix":
		if strings.Contains(rest, "podman") {
			return "podman"
		}
		return "local"
	default:
		if _, after, ok := strings.Cut(rest, "@"); ok {
			rest = after
		}
		rest, _, _ = strings.Cut(rest, "/")
		return rest
	}
}

// Close closes idle connections.
func (p *Place) Close() error { return p.api.Close() }

// Name implements [fleet.Place].
func (p *Place) Name() string { return p.name }

// List implements [fleet.Place]. It costs one request, and one for each image that it sees for the first time.
func (p *Place) List(ctx context.Context) ([]fleet.Instance, error) {
	list, err := p.api.ContainerList(ctx, client.ContainerListOptions{})
	if err != nil {
		return nil, p.failed(err)
	}
	all := make([]fleet.Instance, 0, len(list.Items))
	for _, c := range list.Items {
		i := fleet.Instance{
			Place: p.name, Host: p.host, Runtime: p.runtime(), Kind: "container", ID: c.ID, Labels: c.Labels,
			Created: time.Unix(c.Created, 0).UTC(), Paused: c.State == container.StatePaused,
		}
		if len(c.Names) > 0 {
			i.Name = strings.TrimPrefix(c.Names[0], "/")
		}
		for _, port := range c.Ports {
			i.Ports = append(i.Ports, int(port.PrivatePort))
			if port.PublicPort != 0 {
				i.Ports = append(i.Ports, int(port.PublicPort))
			}
		}
		label(&i)
		manifest := ""
		if c.ImageManifestDescriptor != nil {
			manifest = c.ImageManifestDescriptor.Digest.String()
		}
		if i.Image, err = p.image(ctx, c.Image, c.ImageID, manifest); err != nil {
			return nil, err
		}
		all = append(all, i)
	}
	return all, nil
}

func (p *Place) runtime() string {
	if strings.Contains(p.api.DaemonHost(), "podman") {
		return "podman"
	}
	return "docker"
}

// label sets what the labels say, and sorts the ports.
func label(i *fleet.Instance) {
	i.Namespace = i.Labels["com.docker.compose.project"]
	i.Service = cmp.Or(i.Labels["plimsoll.service"], i.Labels["com.docker.compose.service"], i.Labels["com.docker.swarm.service.name"])
	i.Owner = cmp.Or(i.Labels["plimsoll.owner"], i.Labels["org.opencontainers.image.authors"])
	slices.Sort(i.Ports)
	i.Ports = slices.Compact(i.Ports)
}

// image returns what is known of the image that a container was made of; an id means the same for good.
func (p *Place) image(ctx context.Context, ref, id, manifest string) (fleet.Image, error) {
	p.mu.Lock()
	img, known := p.images[id]
	p.mu.Unlock()
	if !known {
		l, err := p.engine.Image(ctx, id)
		switch {
		case errors.Is(err, docker.ErrNotFound): // removed since
			img.Digests = []string{id}
		case err != nil:
			return img, p.failed(err)
		default:
			img = fleet.Image{Digests: slices.Concat(l.Image.Digests, l.Image.Indexes), Layers: l.Image.Layers}
		}
		p.mu.Lock()
		p.images[id] = img
		p.mu.Unlock()
	}
	img.Ref = ref
	if manifest != "" && !slices.Contains(img.Digests, manifest) {
		img.Digests = append([]string{manifest}, img.Digests...)
	}
	return img, nil
}

// Check implements [fleet.Place].
func (p *Place) Check(ctx context.Context, i fleet.Instance) (fleet.Instance, error) {
	got, err := p.inspect(ctx, i.ID)
	if err != nil {
		return i, err
	}
	got.Image.Ref = cmp.Or(i.Image.Ref, got.Image.Ref)
	return got, nil
}

// inspect returns a container that runs.
func (p *Place) inspect(ctx context.Context, id string) (fleet.Instance, error) {
	got, err := p.api.ContainerInspect(ctx, id, client.ContainerInspectOptions{})
	if err != nil {
		return fleet.Instance{}, p.failed(err)
	}
	c := got.Container
	if c.ID != id || c.State == nil || !c.State.Running {
		return fleet.Instance{}, fmt.Errorf("%w: it does not run any more", fleet.ErrGone)
	}
	i := fleet.Instance{
		Place: p.name, Host: p.host, Runtime: p.runtime(), Kind: "container", ID: c.ID, Name: strings.TrimPrefix(c.Name, "/"),
		Paused: c.State.Paused, PID: c.State.Pid,
	}
	i.Started, _ = time.Parse(time.RFC3339Nano, c.State.StartedAt)
	i.Created, _ = time.Parse(time.RFC3339Nano, c.Created)
	ref := c.Image
	if c.HostConfig != nil {
		i.ReadOnly = c.HostConfig.ReadonlyRootfs
	}
	if c.Config != nil {
		i.Labels, ref = c.Config.Labels, c.Config.Image
		for port := range c.Config.ExposedPorts {
			i.Ports = append(i.Ports, int(port.Num()))
		}
	}
	if c.NetworkSettings != nil {
		for port, bindings := range c.NetworkSettings.Ports {
			i.Ports = append(i.Ports, int(port.Num()))
			for _, b := range bindings {
				var public int
				if _, err := fmt.Sscan(b.HostPort, &public); err == nil {
					i.Ports = append(i.Ports, public)
				}
			}
		}
	}
	label(&i)
	manifest := ""
	if c.ImageManifestDescriptor != nil {
		manifest = c.ImageManifestDescriptor.Digest.String()
	}
	i.Image, err = p.image(ctx, ref, c.Image, manifest)
	return i, err
}

// Follow implements [fleet.Place].
func (p *Place) Follow(ctx context.Context, listed func([]fleet.Instance), changed func(fleet.Change)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	filters := make(client.Filters).Add("type", "container").Add("event",
		string(events.ActionStart), string(events.ActionDie), string(events.ActionPause), string(events.ActionUnPause), string(events.ActionRename))
	stream := p.api.Events(ctx, client.EventsListOptions{Filters: filters}) // before the list: nothing is missed between them
	list, err := p.List(ctx)
	if err != nil {
		return err
	}
	listed(list)
	for {
		select {
		case m := <-stream.Messages:
			if err := p.event(ctx, m, changed); err != nil {
				return err
			}
		case err := <-stream.Err:
			return p.failed(fmt.Errorf("events of %s: %w", p.name, err))
		}
	}
}

func (p *Place) event(ctx context.Context, m events.Message, changed func(fleet.Change)) error {
	if m.Actor.ID == "" {
		return nil
	}
	gone := fleet.Change{Ended: true, Instance: fleet.Instance{Place: p.name, ID: m.Actor.ID, Host: p.host, Name: m.Actor.Attributes["name"]}}
	if m.Action == events.ActionDie {
		changed(gone)
		return nil
	}
	i, err := p.inspect(ctx, m.Actor.ID)
	switch {
	case errors.Is(err, fleet.ErrGone):
		changed(gone)
	case err != nil:
		return err
	default:
		changed(fleet.Change{Instance: i})
	}
	return nil
}

// failed says what a daemon's error means. For requests that change nothing, or that were not taken.
func (p *Place) failed(err error) error {
	var network net.Error
	switch {
	case err == nil:
		return nil
	case errdefs.IsNotFound(err):
		return fmt.Errorf("%w: %w", fleet.ErrGone, err)
	case errdefs.IsPermissionDenied(err), errdefs.IsUnauthorized(err):
		return fmt.Errorf("%w: %w", fleet.ErrRefused, err)
	case errdefs.IsConflict(err):
		if strings.Contains(err.Error(), "is not running") || strings.Contains(err.Error(), "is restarting") {
			return fmt.Errorf("%w: %w", fleet.ErrGone, err)
		}
		return fmt.Errorf("%w: %w", fleet.ErrUnsupported, err)
	case client.IsErrConnectionFailed(err), errors.As(err, &network), errors.Is(err, context.DeadlineExceeded), errdefs.IsUnavailable(err), broken(err):
		return fmt.Errorf("%w: %w", fleet.ErrUnreached, err)
	default:
		return err
	}
}
