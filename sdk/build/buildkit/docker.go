package buildkit

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"

	"github.com/moby/buildkit/client"
	docker "github.com/moby/moby/client"

	"github.com/plimsoll-dev/plimsoll/sdk/build"
)

// What a Docker daemon may not be able to do, in the words of the record.
const (
	unenforced = "the engine ignores source policies: that a build reads only what was listed rests on the check of its inputs before the build"
	saved      = "the engine can't export OCI layouts: the image is saved by Docker and converted, for one platform at a time"
	oldFormat  = "the engine's Dockerfile frontend is an old one, which does not know here-documents, COPY --link or RUN --network"
)

// Docker returns a builder over the BuildKit in a Docker daemon, reached through the daemon's API; no docker command is
// needed. Host is "unix:///var/run/docker.sock" or the like; empty means where the docker command would look: DOCKER_HOST
// and its companions in the environment, else the default socket.
//
// Daemons differ: see the Home. One that can't export OCI layouts (all with Docker's classic image store) has its image
// saved and converted; the temporary tag is removed. One older than Docker 24 also ignores source policies.
func Docker(ctx context.Context, host string, opt Options) (*Builder, error) {
	from := docker.FromEnv
	if host != "" {
		from = docker.WithHost(host)
	}
	c, err := docker.New(from)
	if err != nil {
		return nil, fmt.Errorf("docker: %w", err)
	}
	b, err := overDocker(ctx, c, opt)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("docker at %s: %w", c.DaemonHost(), err), c.Close())
	}
	return b, nil
}

func overDocker(ctx context.Context, c *docker.Client, opt Options) (*Builder, error) {
	info, err := c.Info(ctx, docker.InfoOptions{})
	if err != nil {
		return nil, err
	}
	bk, err := client.New(ctx, "passthrough:docker",
		client.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			return c.DialHijack(ctx, "/grpc", "h2c", nil)
		}),
		client.WithSessionDialer(func(ctx context.Context, proto string, meta map[string][]string) (net.Conn, error) {
			return c.DialHijack(ctx, "/session", proto, meta)
		}))
	if err != nil {
		return nil, err
	}
	home := build.Home{Name: "docker", Version: info.Info.ServerVersion, Executor: info.Info.DefaultRuntime}
	if home.Enforces, err = enforces(ctx, bk); err != nil {
		return nil, errors.Join(err, bk.Close())
	}
	if !home.Enforces {
		home.Weaknesses = append(home.Weaknesses, unenforced, oldFormat)
	}
	save := !containerdStore(info.Info.DriverStatus)
	if save {
		home.Weaknesses = append(home.Weaknesses, saved)
	}
	b := New(bk, home, opt)
	b.close = func() error { return errors.Join(bk.Close(), c.Close()) }
	if save {
		b.export = dockerSave{c}.export
	}
	return b, nil
}

// containerdStore says whether the daemon keeps images in containerd, which is when its BuildKit has all exporters.
func containerdStore(driver [][2]string) bool {
	return slices.Contains(driver, [2]string{"driver-type", "io.containerd.snapshotter.v1"})
}
