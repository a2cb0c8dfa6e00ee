//go:build linux

package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/util/bklog"
	"google.golang.org/grpc/test/bufconn"

	"github.com/plimsoll-dev/plimsoll/sdk/build"
	"github.com/plimsoll-dev/plimsoll/sdk/build/buildkit"
	"github.com/plimsoll-dev/plimsoll/sdk/build/buildkit/internal/bridge"
)

// Names of snapshotters.
const (
	Overlay = "overlayfs" // shares files between steps; needs a kernel and a file system that can
	Native  = "native"    // copies all files for each step; works everywhere
)

// Options say how an engine stores and runs. State is required.
type Options struct {
	// State is the directory for the cache and all else that the engine keeps between builds. Up to 16 processes can use
	// one at a time, each with a cache of its own in it: the first that comes gets the first one, and so on.
	State string
	// Runc is the path of a runc to run steps with. Empty: Plimsoll's own executor, which needs nothing installed.
	Runc string
	// Snapshotter is Overlay or Native. Empty: Overlay where it works, else Native.
	Snapshotter string
	// MaxCacheBytes is how large a cache may grow before what was used longest ago is removed. BuildKit looks a second
	// after a start and after each build. 0 means 10 GiB.
	MaxCacheBytes int64
	// Insecure says whether plain http may be used with a registry ("registry.test:5000"). Registries on loopback always
	// may. Nil allows none.
	Insecure func(host string) bool
	// Keychain finds credentials for registries. Nil means anonymous.
	Keychain authn.Keychain
	// Log receives what the engine logs, never a build's output or a secret. Nil discards.
	Log *slog.Logger
}

// Builder is an engine in this process. Builds of it are safe to run at the same time.
type Builder struct {
	*buildkit.Builder

	server *server
	place  *place
}

var _ build.Builder = (*Builder)(nil)

// Start starts an engine, which takes some 20 ms, and cleans up what a killed one left in the state directory. The caller
// closes it. ctx limits the start only.
func Start(ctx context.Context, opt Options) (*Builder, error) {
	if opt.State == "" {
		return nil, errors.New("embedded BuildKit: no state directory is given")
	}
	if opt.MaxCacheBytes == 0 {
		opt.MaxCacheBytes = 10 << 30
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	bridge.Silence()
	ctx = bklog.WithLogger(ctx, bridge.Entry(opt.Log))
	state, err := filepath.Abs(opt.State)
	if err != nil {
		return nil, err
	}
	place, err := claim(state)
	if err != nil {
		return nil, err
	}
	b, err := start(ctx, place, opt)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("embedded BuildKit in %s: %w", place.dir, err), place.release())
	}
	return b, nil
}

func start(ctx context.Context, place *place, opt Options) (*Builder, error) {
	if err := place.recover(ctx, opt.Runc); err != nil {
		return nil, err
	}
	server, err := newServer(ctx, place.dir, opt)
	if err != nil {
		return nil, err
	}
	listener := bufconn.Listen(1 << 20)
	server.serve(listener)
	dial := func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }
	c, err := client.New(ctx, "passthrough:embedded", client.WithContextDialer(dial))
	if err != nil {
		return nil, errors.Join(err, server.close())
	}
	home := build.Home{Name: "embedded", Version: version(), Executor: executorName(opt.Runc), Enforces: true}
	return &Builder{
		Builder: buildkit.New(c, home, buildkit.Options{Keychain: opt.Keychain, Log: opt.Log}),
		server:  server,
		place:   place,
	}, nil
}

// Close ends running builds, waits until they have cleaned up, and gives the cache free for another process.
func (b *Builder) Close() error {
	return errors.Join(b.Builder.Close(), b.server.close(), b.place.release())
}
