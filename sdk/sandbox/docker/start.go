package docker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
	tclog "github.com/testcontainers/testcontainers-go/log"

	"github.com/plimsoll-dev/plimsoll/sdk/sandbox"
)

// Start loads the image into the daemon, unless an earlier Start has, and starts an instance of it.
func (r *Runtime) Start(ctx context.Context, spec sandbox.Spec) (sandbox.Instance, error) {
	switch {
	case spec.Image == nil:
		return nil, errors.New("docker sandbox: the spec has no image")
	case spec.Platform == "":
		return nil, fmt.Errorf("docker sandbox: the spec has no platform; the daemon's is %s/%s", r.info.OSType, r.info.Architecture)
	}
	if err := r.CanRun(ctx, spec.Platform); err != nil {
		return nil, fmt.Errorf("docker sandbox: %w", err)
	}
	spec.Limits = spec.Limits.OrDefault()
	i := &Instance{runtime: r, spec: spec, logs: newOutput(spec.Limits.Output)}
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return nil, errors.New("docker sandbox: the runtime is closed")
	}
	r.instances[i] = true
	r.mu.Unlock()
	i.closing.Lock()
	err := i.start(ctx)
	i.closing.Unlock()
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		return nil, errors.Join(r.explain(err), i.Close(clean))
	}
	return i, nil
}

func (i *Instance) start(ctx context.Context) error {
	r := i.runtime
	image, config, err := r.images.load(ctx, i.spec.Image)
	if err != nil {
		return err
	}
	// From here on the daemon makes things whose names only its answers tell.
	ctx, cancel := outlast(ctx, 10*time.Second)
	defer cancel()
	if len(i.spec.Files) > 0 {
		if image, err = r.withFiles(ctx, image, &i.spec); err != nil {
			return err
		}
	}
	if i.spec.Network != "" {
		if i.network, err = r.join(ctx, i.spec.Network, i.name()); err != nil {
			return err
		}
	}
	options, err := r.containerOptions(&i.spec, &config.Config, image, i.network)
	if err != nil {
		return err
	}
	created, err := r.client.ContainerCreate(ctx, options)
	if err != nil {
		return err
	}
	for _, warning := range created.Warnings {
		r.options.Log.WarnContext(ctx, "the daemon warns", "instance", created.ID, "warning", warning)
	}
	i.container = &testcontainers.DockerContainer{ID: created.ID, Image: image}
	i.container.SetProvider(r.provider)
	i.container.SetLogger(tclog.NewNoopLogger())
	made, err := r.client.ContainerInspect(ctx, created.ID, client.ContainerInspectOptions{})
	if err != nil {
		return err
	}
	if err := r.verify(options.HostConfig, made.Container); err != nil {
		return err
	}
	i.config = made.Container.Config
	return i.launch(ctx)
}

// outlast returns a context that ends some time after another one.
func outlast(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(d, cancel) })
	return longer, func() {
		stop()
		cancel()
	}
}
