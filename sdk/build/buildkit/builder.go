// Package buildkit builds with BuildKit, wherever it is: in this process (package embedded), in a Docker daemon
// ([Docker]) or behind an address ([Dial]). All three give a [Builder] and run the same code against the same API.
//
// The result is the same everywhere: an OCI layout whose index.json names one image index with one manifest for each
// platform, and layers whose times are no later than Request.Created, so that the same request gives the same digest
// twice. What a home can't do is in its [build.Home].
//
// BuildKit's source policy denies all sources that Request.Sources does not list, RUN steps have loopback only unless
// Request.Network says otherwise, and no frontend is ever loaded from an image. BuildKit's own provenance is off. What the
// policy can't see are the submodules of a git source, which BuildKit fetches from wherever that source says.
package buildkit

import (
	"context"
	"log/slog"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/util/bklog"

	"github.com/plimsoll-dev/plimsoll/sdk/build"
	"github.com/plimsoll-dev/plimsoll/sdk/build/buildkit/internal/bridge"
)

// Options are what all homes have in common. The zero value is useful.
type Options struct {
	// Keychain finds credentials for the registries that a build reads. Nil means anonymous.
	Keychain authn.Keychain
	// Log receives what is worth knowing about the engine, never a build's output or a secret. Nil discards.
	Log *slog.Logger
	// TLS is for [Dial] with a tcp:// address. Nil means a plain connection.
	TLS *TLS
}

func (o Options) orDefault() Options {
	if o.Keychain == nil {
		o.Keychain = authn.NewMultiKeychain()
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// Builder builds in one home. It is safe for concurrent use.
type Builder struct {
	client *client.Client
	home   build.Home
	opt    Options
	close  func() error
	export func(b *Builder, r *request, dir string) (export, error)
}

var _ build.Builder = (*Builder)(nil)

// New returns a builder over a connection to an engine that exports OCI layouts, which the builder owns from now on.
// It is there for homes that are not in this package; programs call embedded.Start, [Docker] or [Dial].
func New(c *client.Client, home build.Home, opt Options) *Builder {
	bridge.Silence()
	return &Builder{client: c, home: home, opt: opt.orDefault(), close: c.Close, export: exportOCI}
}

// Home says where builds run and how far that can be trusted. It is the same as in each Result.
func (b *Builder) Home() build.Home { return b.home }

// Client is the connection to the engine, for what Build does not do, such as looking at the cache and pruning it.
func (b *Builder) Client() *client.Client { return b.client }

// Close closes the connection. Running builds fail.
func (b *Builder) Close() error { return b.close() }

// Build runs one build. A step that fails, or that runs when ctx ends, is a [*build.Error]; one that reads a source that
// was not listed wraps [build.ErrUnlisted], a full disk [syscall.ENOSPC]. Build returns when the engine has cleaned up.
func (b *Builder) Build(ctx context.Context, req build.Request) (*build.Result, error) {
	ctx = bklog.WithLogger(ctx, bridge.Entry(b.opt.Log))
	r, err := newRequest(ctx, req)
	if err != nil {
		return nil, err
	}
	layout, err := newLayout(req.Layout)
	if err != nil {
		return nil, err
	}
	defer layout.discard()

	export, err := b.export(b, r, layout.dir)
	if err != nil {
		return nil, err
	}
	solve, err := r.solve(export, credentials{keychain: b.opt.Keychain})
	if err != nil {
		return nil, err
	}
	steps := watch(r)
	_, err = b.client.Solve(ctx, nil, solve, steps.status)
	steps.wait()
	if err = export.finish(ctx, err); err != nil {
		return nil, explain(ctx, r, steps, err)
	}
	index, digest, err := layout.commit(ctx)
	if err != nil {
		return nil, err
	}
	return &build.Result{Index: index, Digest: digest, Layout: req.Layout, Home: b.home, Steps: steps.list()}, nil
}

// export is how a build's result gets out of an engine and into an empty directory, as an OCI layout.
type export struct {
	// entry is what the engine is asked to export.
	entry client.ExportEntry
	// single says that the engine can't be asked for an index.
	single bool
	// finish is called with the build's error when it ended, and returns it or its own.
	finish func(ctx context.Context, err error) error
}

// exportOCI is for engines that write OCI layouts themselves.
func exportOCI(_ *Builder, _ *request, dir string) (export, error) {
	return export{
		entry: client.ExportEntry{
			Type:      client.ExporterOCI,
			OutputDir: dir,
			Attrs:     map[string]string{"tar": "false", "rewrite-timestamp": "true"},
		},
		finish: func(_ context.Context, err error) error { return err },
	}, nil
}
