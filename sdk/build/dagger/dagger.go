// Package dagger builds on Dagger engines. [Connect] reaches one from an ordinary Go program; [New] takes a connection that
// is there already, which is how the Dagger modules of this repository use the same code.
//
// An engine has no source policy, gives no provenance and keeps no history. So everything that a definition reads is listed
// and compared with Request.Sources before the engine sees it, RUN steps are given --network=none unless the request says
// otherwise, and afterwards the image's layers are compared with those of the base that was planned. Times and history are
// put right, so that the result is an image like that of every other home. What remains is in the [build.Home].
//
// The package speaks the engine's GraphQL API itself and does not import dagger.io/dagger: v0.20.0 of that needs releases
// of OpenTelemetry's modules that can't be had in one program with those that BuildKit needs. A program that has such a
// client hands it over:
//
//	client, err := dagger.Connect(ctx) // dagger.io/dagger
//	builder, err := plimsoll.New(ctx, func(ctx context.Context, query string, vars map[string]any, data any) error {
//		return client.Do(ctx, &dagger.Request{Query: query, Variables: vars}, &dagger.Response{Data: data})
//	}, options)
package dagger

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/plimsoll-dev/plimsoll/sdk/build"
	"github.com/plimsoll-dev/plimsoll/sdk/definition/inputs"
)

// Version is the engine's version that this package is made for and tested with, and the oldest that it takes.
const Version = "v0.20.0"

// Options are for [Connect] and [New]. Registry is required.
type Options struct {
	// Registry reads the configs of the images that a definition names; *registry.Client is one.
	Registry inputs.Resolver
	// Engine is the engine's address: tcp://host:port, unix:///run/dagger/engine.sock, docker-container://name or what else
	// the dagger command takes. Default: the one that the command provisions in the local container runtime.
	Engine string
	// CLI is the dagger command, of [Version] or later. Default: "dagger", in the PATH.
	CLI string
	// Log receives what the engine shows people. Nil discards it.
	Log io.Writer
	// Upload makes an engine's directory of one on this machine and returns its ID. Default: as a client on a host does. In
	// a module it is [UploadWorkdir].
	Upload func(ctx context.Context, query Query, dir string) (id string, err error)
	// Scratch is the directory for temporary files. Default: the system's. In a module it is "." for [UploadWorkdir].
	Scratch string
}

// Query sends a GraphQL request with its variables and decodes the answer's data. Implementations are safe for concurrent
// use.
type Query func(ctx context.Context, query string, variables map[string]any, data any) error

// Builder builds on one engine. It is safe for concurrent use; builds with secrets wait for each other, since an engine
// knows the secrets of a session by their names only.
type Builder struct {
	query   Query
	opts    Options
	home    build.Home
	close   func() error
	secrets sync.Mutex
}

var _ build.Builder = (*Builder)(nil)

// What an engine can't do, in the words of the record.
const (
	unenforced = "the engine has no source policy: that a build reads only what was listed rests on the check of its inputs before the build and of the image's base after it"
	silent     = "the engine tells no steps: a build is one of them, and the output of its commands is in the engine's own log only"
)

// Connect reaches the engine at Options.Engine by way of the dagger command. The error says what is missing.
func Connect(ctx context.Context, opts Options) (*Builder, error) {
	s, err := start(ctx, opts)
	if err != nil {
		return nil, err
	}
	b, err := New(ctx, s.query, opts)
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	b.close = s.close
	return b, nil
}

// New returns a builder over a connection that is the caller's. An engine of another version than can be used is an error.
func New(ctx context.Context, query Query, opts Options) (*Builder, error) {
	if opts.Registry == nil {
		return nil, errors.New("dagger: the options have no Registry, without which nobody knows what a build reads")
	}
	if opts.Upload == nil {
		opts.Upload = uploadHost
	}
	var answer struct{ Version string }
	if err := query(ctx, "{version}", nil, &answer); err != nil {
		return nil, unreachable(ctx, opts, err)
	}
	if err := checkVersion(answer.Version); err != nil {
		return nil, err
	}
	return &Builder{
		query: query, opts: opts, close: func() error { return nil },
		home: build.Home{Name: "dagger", Version: answer.Version, Executor: "runc", Weaknesses: []string{unenforced, silent}},
	}, nil
}

// Home says where builds run and how far that can be trusted. It is the same as in each Result.
func (b *Builder) Home() build.Home { return b.home }

// Close ends the session that [Connect] began. Running builds fail.
func (b *Builder) Close() error { return b.close() }

// uploadHost sends a directory of the machine that the session's client runs on.
func uploadHost(ctx context.Context, query Query, dir string) (string, error) {
	var answer struct {
		Host struct{ Directory struct{ ID string } }
	}
	err := query(ctx, `query($path: String!) {host {directory(path: $path) {id}}}`, map[string]any{"path": dir}, &answer)
	return answer.Host.Directory.ID, err
}

// UploadWorkdir sends a directory below a module's working directory, for Options.Upload in a module.
func UploadWorkdir(ctx context.Context, query Query, dir string) (string, error) {
	var answer struct {
		CurrentModule struct{ Workdir struct{ ID string } }
	}
	err := query(ctx, `query($path: String!) {currentModule {workdir(path: $path) {id}}}`, map[string]any{"path": dir}, &answer)
	return answer.CurrentModule.Workdir.ID, err
}

// unreachable says what could not be reached.
func unreachable(ctx context.Context, opts Options, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	engine := opts.Engine
	if engine == "" {
		engine = "the engine that the dagger command provisions"
	}
	return fmt.Errorf("dagger: no answer from %s: %w; name a running engine, or start one", engine, err)
}
