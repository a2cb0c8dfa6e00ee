package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/spf13/cobra"

	"github.com/plimsoll-dev/plimsoll/internal/console"
	"github.com/plimsoll-dev/plimsoll/internal/homes"
	"github.com/plimsoll-dev/plimsoll/sdk/build"
	"github.com/plimsoll-dev/plimsoll/sdk/definition/source"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint/rules"
	"github.com/plimsoll-dev/plimsoll/sdk/pipeline"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
)

// errOutcome says that the program worked and the outcome is not as it should be.
var errOutcome = errors.New("not as it should be")

// result is what --json prints.
type result struct {
	Delivered *pipeline.Delivered `json:"delivered"`
	// Refused is the second, forbidden definition of the demonstration.
	Refused *pipeline.Delivered `json:"refused,omitempty"`
}

func run(cmd *cobra.Command, o options) (err error) {
	ctx := cmd.Context()
	state, err := homes.StateDir(o.state, filepath.Join("plimsoll", "quickstart"))
	if err != nil {
		return err
	}
	progress := console.NewProgress(cmd.ErrOrStderr(), o.quiet)
	defer progress.Close()
	execution := pipeline.NewRun(pipeline.Options{Events: progress.Event})
	client := registry.New(registry.Options{Keychain: authn.DefaultKeychain})
	defer client.Close()

	demo, err := pipeline.Do(ctx, execution, "set up", func(ctx context.Context) (*demonstration, error) {
		return setUp(ctx, &o, state, client)
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, demo.close()) }()
	engines, err := pipeline.Do(ctx, execution, "engines", func(ctx context.Context) (*engines, error) {
		return start(ctx, o, state)
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, engines.close()) }()
	facts := homes.CatalogFacts(client)
	delivery := pipeline.Delivery{
		Catalog: demo.catalog, Registry: client, Signatures: facts.Signatures, Packages: facts.Packages,
		Builder: engines.builder, Sandbox: engines.sandbox, Rules: rules.All(),
	}
	order := o.order(demo.dir.Path)
	var res result
	res.Delivered, err = delivery.Run(ctx, execution, order)
	if err == nil && demo.refusal {
		res.Refused, err = refuse(ctx, &delivery, order)
	}
	if err == nil {
		err = keepLayout(res.Delivered.Build, o.out, state)
	}
	progress.Close()
	if err := errors.Join(show(cmd.OutOrStdout(), o, res, err), err); err != nil {
		return err
	}
	return serve(ctx, cmd.ErrOrStderr(), o)
}

// engines are where images are built and tested.
type engines struct {
	builder homes.Builder
	sandbox homes.Sandbox
}

func start(ctx context.Context, o options, state string) (*engines, error) {
	builder, err := homes.NewBuilder(ctx, o.builder, state)
	if err != nil {
		return nil, err
	}
	sandbox, err := homes.NewSandbox(ctx, o.sandbox, state)
	if err != nil {
		return nil, errors.Join(err, builder.Close())
	}
	return &engines{builder, sandbox}, nil
}

func (e *engines) close() error { return errors.Join(e.sandbox.Close(), e.builder.Close()) }

// order is what the flags ask for.
func (o options) order(dir string) pipeline.Order {
	order := pipeline.Order{
		Repository: o.repo,
		Ref:        o.commit,
		Load:       source.Options{Dir: o.dir, Dockerfile: o.dockerfile},
		Platforms:  o.platforms,
		Args:       o.args,
		Layout:     o.out,
		Publish:    o.registry,
	}
	if order.Layout == "" {
		order.Layout = filepath.Join(dir, "layout")
	}
	if o.network {
		order.Network = "host"
	}
	return order
}

// keepLayout moves the layout out of the run's directory, to a place below state that each run replaces. One that a flag
// named is there already.
func keepLayout(result *build.Result, out, state string) error {
	if out != "" {
		return nil
	}
	kept := filepath.Join(state, "layout")
	if err := errors.Join(os.RemoveAll(kept), os.Rename(result.Layout, kept)); err != nil {
		return fmt.Errorf("keeping the OCI layout: %w", err)
	}
	result.Layout = kept
	return nil
}

// refuse tries the definition that hides a base, and fails if it gets through or if anything but findings stops it.
func refuse(ctx context.Context, delivery *pipeline.Delivery, order pipeline.Order) (*pipeline.Delivered, error) {
	order.Load.Dockerfile = "hidden.Dockerfile"
	order.Layout += ".refused" // nothing should come to be there
	refused, err := delivery.Run(ctx, pipeline.NewRun(pipeline.Options{}), order)
	var gate *finding.GateError
	switch {
	case errors.As(err, &gate):
		return refused, nil
	case err == nil:
		return refused, fmt.Errorf("%w: the definition with a hidden base was delivered", errOutcome)
	default:
		return refused, fmt.Errorf("the definition with a hidden base: %w", err)
	}
}

// serve keeps the registry up until ctx ends, if that was asked for.
func serve(ctx context.Context, w io.Writer, o options) error {
	if o.serve {
		fmt.Fprintln(w, "\nThe registry is up until you press Ctrl-C.")
		<-ctx.Done()
	}
	return nil
}
