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
	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/definition"
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
	// Layout is the directory of the image's OCI layout.
	Layout string `json:"layout,omitempty"`
}

func run(cmd *cobra.Command, o options) (err error) {
	ctx := cmd.Context()
	state, err := o.stateDir()
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
	delivery, done, err := newDelivery(ctx, o, state, client, demo)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()

	order := o.order(demo.dir)
	var res result
	res.Delivered, err = delivery.Run(ctx, execution, order)
	if err == nil && demo.refusal {
		res.Refused, err = refuse(ctx, delivery, order)
	}
	if err == nil {
		res.Layout, err = keepLayout(order.Layout, o.out, state)
	}
	progress.Close()
	if err := errors.Join(show(cmd.OutOrStdout(), o, res, err), err); err != nil {
		return err
	}
	return serve(ctx, cmd.ErrOrStderr(), o)
}

// newDelivery puts the parts together; the function returned gives them back.
func newDelivery(ctx context.Context, o options, state string, client *registry.Client, demo *demonstration) (*pipeline.Delivery, func() error, error) {
	cat, err := loadCatalog(o, demo)
	if err != nil {
		return nil, nil, err
	}
	builder, err := homes.NewBuilder(ctx, o.builder, state)
	if err != nil {
		return nil, nil, err
	}
	runtime, err := homes.NewSandbox(ctx, o.sandbox, state)
	if err != nil {
		return nil, nil, errors.Join(err, builder.Close())
	}
	return &pipeline.Delivery{Catalog: cat, Registry: client, Builder: builder, Sandbox: runtime, Rules: rules.All()},
		func() error { return errors.Join(runtime.Close(), builder.Close()) }, nil
}

func loadCatalog(o options, demo *demonstration) (*catalog.Catalog, error) {
	if o.catalog == "" {
		return catalog.Load("catalog.yaml", demo.catalog)
	}
	info, err := os.Stat(o.catalog)
	if err != nil {
		return nil, fmt.Errorf("the catalog: %w", err)
	}
	if info.IsDir() {
		return catalog.LoadFS(os.DirFS(o.catalog), ".")
	}
	src, err := os.ReadFile(o.catalog)
	if err != nil {
		return nil, err
	}
	return catalog.Load(o.catalog, src)
}

// order is what the flags ask for.
func (o options) order(dir string) pipeline.Order {
	order := pipeline.Order{
		Repository: o.repo,
		Ref:        o.commit,
		Load:       definition.LoadOptions{Dir: o.dir, Dockerfile: o.dockerfile},
		Platforms:  o.platforms,
		Args:       o.args,
		Layout:     filepath.Join(dir, "layout"),
		Publish:    o.registry,
	}
	if o.network {
		order.Network = "host"
	}
	return order
}

// keepLayout moves the layout to where it stays: out, or a place below state that each run replaces.
func keepLayout(layout, out, state string) (string, error) {
	if out == "" {
		out = filepath.Join(state, "layout")
		if err := os.RemoveAll(out); err != nil {
			return "", err
		}
	}
	if err := os.Rename(layout, out); err != nil {
		return "", fmt.Errorf("the OCI layout stays in %s: %w", layout, err)
	}
	return out, nil
}

// refuse tries the definition that hides a base, and fails if it gets through or if anything but findings stops it.
func refuse(ctx context.Context, delivery *pipeline.Delivery, order pipeline.Order) (*pipeline.Delivered, error) {
	order.Load.Dockerfile = "hidden.Dockerfile"
	order.Layout += "-refused"
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
