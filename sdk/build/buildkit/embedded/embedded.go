// Package embedded is BuildKit in this process: solver, Dockerfile frontend, cache and executor, with nothing to install
// and no daemon. Most programs need [Start] alone; what it returns is a build.Builder like those of package buildkit.
//
// It works on Linux, as root and as an ordinary user who may make user namespaces. Linking it in costs some 30 MB of
// program, which is why it is a package of its own.
package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/moby/buildkit/client"
	"google.golang.org/grpc"

	"github.com/plimsoll-dev/plimsoll/internal/container"
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
	// Runc is the path of a runc to run steps with. Empty: Plimsoll's own executor, which needs nothing installed and is
	// always used where the engine is not root.
	Runc string
	// Snapshotter is Overlay or Native. Empty: Overlay where it works, else Native.
	Snapshotter string
	// MaxCacheBytes is how large a cache may grow before what was used longest ago is removed. BuildKit looks a second
	// after a start, and after builds at most once a minute. 0 means 10 GiB.
	MaxCacheBytes int64
	// PlainHTTP are registries ("registry.test:5000") that may be reached by plain http. Those on loopback always may.
	PlainHTTP []string
	// Keychain finds credentials for registries. Nil means anonymous.
	Keychain authn.Keychain
	// Log receives what the engine logs, never a build's output or a secret. Nil discards.
	Log *slog.Logger
}

// ErrUnavailable is wrapped by the error of a start on a machine that lets this user neither mount nor make a user
// namespace. The error says what would change that.
var ErrUnavailable = container.ErrUnavailable

// Builder is an engine of this process. Builds of it are safe to run at the same time.
type Builder struct {
	*buildkit.Builder

	engine engine
}

var _ build.Builder = (*Builder)(nil)

// engine is a BuildKit that answers on a connection. It owns its place in the state directory.
type engine interface {
	dial(ctx context.Context) (net.Conn, error)
	about() about
	close() error
}

// about is what an engine says of itself.
type about struct {
	Executor   string
	Weaknesses []string
}

// Start starts an engine, which takes some 20 ms, and cleans up what a killed one left in the state directory. The caller
// closes it. ctx limits the start only.
//
// As root the engine is part of this process. Otherwise it is this program run again in a user namespace, where it is
// root; it ends when this process does.
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
	engine, err := startEngine(ctx, opt)
	if err != nil {
		return nil, fmt.Errorf("embedded BuildKit in %s: %w", opt.State, err)
	}
	c, err := bridge.Connect(ctx, "passthrough:embedded",
		client.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return engine.dial(ctx) }),
		// A child ends with its connection, so that must not be closed for being idle.
		client.WithGRPCDialOption(grpc.WithIdleTimeout(0)))
	if err != nil {
		return nil, errors.Join(err, engine.close())
	}
	about := engine.about()
	home := build.Home{Name: "embedded", Version: version(), Executor: about.Executor, Enforces: true, Weaknesses: about.Weaknesses}
	return &Builder{Builder: buildkit.New(c, home, buildkit.Options{Keychain: opt.Keychain, Log: opt.Log}), engine: engine}, nil
}

// Close ends running builds, waits until they have cleaned up, and gives the cache free for another process. Some
// goroutines of BuildKit's sleep on until the process ends.
func (b *Builder) Close() error {
	return errors.Join(b.Builder.Close(), b.engine.close())
}
