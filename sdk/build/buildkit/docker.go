package buildkit

import (
	"context"
	"fmt"
	"net"

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
// needed. The caller keeps c and closes it after the builder.
//
// Daemons differ: see the Home. One that can't export OCI layouts (all with Docker's classic image store) has its image
// saved and converted; the temporary tag is removed. One older than Docker 24 also ignores source policies.
func Docker(ctx context.Context, c *docker.Client, opt Options) (*Builder, error) {
	info, err := c.Info(ctx, docker.InfoOptions{})
	if err != nil {
		return nil, fmt.Errorf("docker daemon at %s: %w", c.DaemonHost(), err)
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
		_ = bk.Close()
		return nil, fmt.Errorf("docker daemon at %s: %w", c.DaemonHost(), err)
	}
	b := New(bk, home, opt)
	if !home.Enforces {
		b.home.Weaknesses = append(b.home.Weaknesses, unenforced, oldFormat)
	}
	if !containerdStore(info.Info.DriverStatus) {
		b.home.Weaknesses = append(b.home.Weaknesses, saved)
		b.export = dockerSave{c}.export
	}
	return b, nil
}

// containerdStore says whether the daemon keeps images in containerd, which is when its BuildKit has all exporters.
func containerdStore(driver [][2]string) bool {
	for _, s := range driver {
		if s == [2]string{"driver-type", "io.containerd.snapshotter.v1"} {
			return true
		}
	}
	return false
}
