// Package docker asks a Docker daemon (or Podman's service, which speaks the same API) what a gate has to know: which
// image a name means here, which image a container was made of, what runs, and what starts.
//
//	engine, err := docker.Dial("")   // DOCKER_HOST's, or the default
//	defer engine.Close()
//	image, err := engine.Image(ctx, "registry.example/shop/pay:1.4")
//	decision := gate.Decide(ctx, image.Image)
//
// It is beside the gates, and not below them, so that packages without it do not compile Docker's client.
package docker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/api/types/image"
	"github.com/moby/moby/client"
	"github.com/moby/moby/client/pkg/versions"

	"github.com/plimsoll-dev/plimsoll/sdk/admission"
)

// ErrNotFound says that the daemon has no such image or container.
var ErrNotFound = errors.New("not found")

// Engine is a Docker daemon. It is safe for concurrent use.
type Engine struct {
	api *client.Client
}

// Dial prepares to speak to a daemon: "unix:///var/run/docker.sock", "tcp://host:2376"; "" takes DOCKER_HOST and its
// companions from the environment, or the default socket. Nothing is sent yet. The caller closes the engine.
func Dial(host string) (*Engine, error) {
	opts := []client.Opt{client.FromEnv}
	if host != "" {
		opts = []client.Opt{client.WithHost(host)}
	}
	api, err := client.New(opts...)
	if err != nil {
		return nil, err
	}
	return &Engine{api: api}, nil
}

// New returns an engine that speaks through a client, which stays the caller's to close.
func New(api *client.Client) *Engine { return &Engine{api: api} }

// Close closes idle connections.
func (e *Engine) Close() error { return e.api.Close() }

// Local is an image that the daemon has.
type Local struct {
	// ID is the daemon's own name for it, "sha256:...": a config digest, or with the containerd image store that of a
	// manifest or an index. A container that is made of it is made of nothing else.
	ID string
	// Pinned are names with digests that the daemon has for it: "registry.example/shop/pay@sha256:...".
	Pinned []string
	// Image is what a gate decides about.
	Image admission.Image
}

// Image returns what a name, or an id, or a part of one, means to the daemon now. [ErrNotFound] if it has nothing of that
// name: it would have to be pulled.
func (e *Engine) Image(ctx context.Context, ref string) (Local, error) {
	var opts []client.ImageInspectOption
	got, err := e.api.ImageInspect(ctx, ref, opts...)
	if err != nil {
		return Local{}, failed("image", ref, err)
	}
	if v := e.api.ClientVersion(); got.Descriptor != nil && versions.GreaterThanOrEqualTo(v, "1.48") {
		// The containerd image store: the id may be an index's, and the manifest that would run is in it.
		if got, err = e.api.ImageInspect(ctx, got.ID, client.ImageInspectWithManifests(true)); err != nil {
			return Local{}, failed("image", ref, err)
		}
	}
	return local(ref, got.InspectResponse), nil
}

func local(ref string, got image.InspectResponse) Local {
	l := Local{ID: got.ID, Pinned: got.RepoDigests, Image: admission.Image{Ref: ref, Layers: got.RootFS.Layers}}
	for _, m := range got.Manifests {
		if m.Kind == image.ManifestKindImage && m.Available {
			l.Image.Digests = append(l.Image.Digests, m.Descriptor.Digest.String())
		}
	}
	named := []string{}
	if len(l.Image.Digests) == 0 {
		l.Image.Digests = []string{got.ID}
	} else {
		named = append(named, got.ID)
	}
	for _, pinned := range got.RepoDigests {
		if _, digest, ok := strings.Cut(pinned, "@"); ok {
			named = append(named, digest)
		}
	}
	for _, digest := range named {
		if !slices.Contains(l.Image.Digests, digest) && !slices.Contains(l.Image.Indexes, digest) {
			l.Image.Indexes = append(l.Image.Indexes, digest)
		}
	}
	return l
}

// Container returns a container and the image that it was made of, also when that has lost its names since. Of an image
// that was removed only the id is known.
func (e *Engine) Container(ctx context.Context, id string) (admission.Instance, error) {
	got, err := e.api.ContainerInspect(ctx, id, client.ContainerInspectOptions{})
	if err != nil {
		return admission.Instance{}, failed("container", id, err)
	}
	c := got.Container
	i := admission.Instance{Place: e.api.DaemonHost(), ID: c.ID, Name: strings.TrimPrefix(c.Name, "/")}
	if c.State != nil {
		if started, err := time.Parse(time.RFC3339Nano, c.State.StartedAt); err == nil && started.Year() > 1 {
			i.Since = started
		}
	}
	l, err := e.Image(ctx, c.Image)
	switch {
	case errors.Is(err, ErrNotFound):
		i.Image.Digests = []string{c.Image}
	case err != nil:
		return i, err
	default:
		i.Image = l.Image
	}
	if d := c.ImageManifestDescriptor; d != nil {
		i.Image.Digests = []string{d.Digest.String()} // of an index's manifests the one that it was made of
	}
	if i.Image.Ref = c.Image; c.Config != nil {
		i.Image.Ref = c.Config.Image
	}
	return i, nil
}

// Instances returns all containers that run, paused ones too. One that ends meanwhile is left out.
func (e *Engine) Instances(ctx context.Context) ([]admission.Instance, error) {
	list, err := e.api.ContainerList(ctx, client.ContainerListOptions{})
	if err != nil {
		return nil, err
	}
	var all []admission.Instance
	for _, c := range list.Items {
		i, err := e.Container(ctx, c.ID)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(all, i)
	}
	return all, nil
}

// Starts calls started with the id of each container that starts or is unpaused, until the context ends or the daemon
// goes away, which is an error.
func (e *Engine) Starts(ctx context.Context, ready func(), started func(id string)) error {
	filters := make(client.Filters).Add("type", "container").Add("event", string(events.ActionStart), string(events.ActionUnPause))
	stream := e.api.Events(ctx, client.EventsListOptions{Filters: filters})
	ready()
	for {
		select {
		case m := <-stream.Messages:
			if m.Actor.ID != "" {
				started(m.Actor.ID)
			}
		case err := <-stream.Err:
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return fmt.Errorf("events of %s: %w", e.api.DaemonHost(), err)
		}
	}
}

// Kill ends a container at once. One that has ended is no error.
func (e *Engine) Kill(ctx context.Context, id string) error {
	_, err := e.api.ContainerKill(ctx, id, client.ContainerKillOptions{})
	if errdefs.IsNotFound(err) || errdefs.IsConflict(err) {
		return nil
	}
	return err
}

func failed(kind, ref string, err error) error {
	if errdefs.IsNotFound(err) {
		return fmt.Errorf("%s %q: %w", kind, ref, ErrNotFound)
	}
	return fmt.Errorf("%s %q: %w", kind, ref, err)
}

// Host is the daemon's address.
func (e *Engine) Host() string { return e.api.DaemonHost() }
